"""The media worker from inside: its rooms, its clock, its line to control, its sounds."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mcu.engine.notices import RoomLost
from mcu.messages import (
    MAX_MESSAGE,
    SOUNDS,
    AddLeg,
    CloseRoom,
    HandshakeReceived,
    Heartbeat,
    LegReport,
    Message,
    MuteLeg,
    OpenRoom,
    PlaySound,
    RemoveLeg,
    Report,
    UpdateLeg,
    pack,
    parse,
)
from mcu.worker.loop import MAX_CATCH_UP, Worker
from mcu.worker.reports import MAX_KEPT, Reporter
from mcu.worker.rooms import MAX_FAILED_TICKS, Rooms
from mcu.worker.sounds import chime, music, source
from rtp.codecs.g711 import MULAW
from rtp.kernel import LegSpec, LegStatistics
from rtp.kernel.spec import TICK_NS
from tests.helpers.tones import level_dbfs, rms_dbfs

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with bound() as sock:
        yield sock


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def rooms(reports: list[Report]) -> Iterator[Rooms]:
    rooms = Rooms(reports.append)
    yield rooms
    rooms.close()


def add(rooms: Rooms, room_id: int, leg_id: int, phone: socket.socket) -> None:
    """A leg whose packets go to `phone`."""
    spec = LegSpec(leg_id, -1, -1, "pcmu", 0, 0, 101, 20, phone.getsockname(), phone.getsockname(), True, HOST, 1, 0, 0, "w")
    rooms.take(pack(AddLeg(room_id, spec)), [bound().detach(), bound().detach()])


def heard(phone: socket.socket) -> np.ndarray:
    """What the phone has got, at 8 kHz, full scale ±1."""
    payloads = []
    while True:
        try:
            data = phone.recv(2048)
        except BlockingIOError:
            return MULAW[np.frombuffer(b"".join(payloads), np.uint8)] / 32768.0
        if not 192 <= data[1] <= 223:
            payloads.append(data[12 + 4 * (data[0] & 15):])


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(40), pack(Heartbeat(0, 0, 0, 0, 0, 0)), b"\xff" * 900])
def test_what_is_no_command_is_counted_and_its_descriptors_are_closed(rooms: Rooms, data: bytes) -> None:
    with bound() as sock:
        descriptor = sock.detach()
        rooms.take(data, [descriptor])
        assert len(rooms) == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            socket.socket(fileno=descriptor)


def test_a_leg_without_its_sockets_is_refused(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), [])
    spec = LegSpec(5, -1, -1, "pcmu", 0, 0, 101, 20, None, None, True, HOST, 1, 0, 0, "w")
    rooms.take(pack(AddLeg(1, spec)), [])
    assert (rooms.legs, rooms.failures) == (0, 1)


def test_the_tone_service_sends_1004_hz_at_16_below_milliwatt(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "tone", 8)), [])
    add(rooms, 1, 5, phone)
    for tick in range(100):
        rooms.tick(tick * TICK_NS)
    level = level_dbfs(8000, heard(phone)[800:], 1004)
    assert abs(level - (-16 - 3.17 - 3.01)) < 0.2


def test_nobody_is_heard_in_a_room_of_a_service(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "music", 8)), [])
    add(rooms, 1, 5, phone)
    assert not rooms._rooms[1].legs[5].spec.is_heard


def test_a_chime_is_heard_by_all_and_ends(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), [])
    add(rooms, 1, 5, phone)
    rooms.take(pack(PlaySound(1, "join")), [])
    for tick in range(100):
        rooms.tick(tick * TICK_NS)
    samples = heard(phone)
    assert rms_dbfs(samples[:4000]) > -30
    assert rms_dbfs(samples[-4000:]) < -70


def test_many_who_enter_at_once_are_one_chime_and_the_next_one_has_its_own(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), ())
    add(rooms, 1, 7, phone)
    for tick in range(1, 101):
        if tick <= 5 or tick == 50:
            for _ in range(4):
                rooms.take(pack(PlaySound(1, "join")), ())
        rooms.tick(tick * TICK_NS)
    line = heard(phone)
    first, second = line[:49 * 160], line[49 * 160:]
    assert np.abs(first).max() == np.abs(second[:49 * 160]).max() > 0
    assert rms_dbfs(second[:49 * 160]) == pytest.approx(rms_dbfs(first), abs=0.1)


def test_figures_of_each_leg_come_once_a_second(rooms: Rooms, reports: list[Report], phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), [])
    for leg_id in (5, 6):
        add(rooms, 1, leg_id, phone)
    for tick in range(1, 101):
        rooms.tick(tick * TICK_NS)
        rooms.report(tick, tick * TICK_NS)
    figures = [report.statistics for report in reports if isinstance(report, LegReport)]
    assert [one.leg_id for one in figures] == [5, 6, 5, 6]
    assert figures[2].packets_out == figures[0].packets_out + 50


def test_mute_and_removal_reach_the_leg_and_unknown_ones_are_no_error(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), [])
    add(rooms, 1, 5, phone)
    rooms.take(pack(MuteLeg(1, 5, True)), [])
    assert rooms._rooms[1].legs[5].spec.is_muted
    for message in (RemoveLeg(1, 5), RemoveLeg(1, 5), RemoveLeg(9, 5), MuteLeg(1, 5, True)):
        rooms.take(pack(message), [])
    assert (rooms.legs, rooms.failures) == (0, 0)


def test_a_room_that_fails_is_given_up_after_a_second_and_the_others_go_on(rooms: Rooms, reports: list[Report],
                                                                          phone: socket.socket) -> None:
    for room_id in (1, 2):
        rooms.take(pack(OpenRoom(room_id, "mix", 8)), [])
        add(rooms, room_id, 5, phone)

    def broken() -> None:
        raise RuntimeError("a source that is broken")

    rooms._rooms[1].add_source(9, broken)
    for tick in range(MAX_FAILED_TICKS):
        assert len(rooms) == 2
        rooms.tick(tick * TICK_NS)
    assert (len(rooms), rooms.failures) == (1, MAX_FAILED_TICKS)
    assert [report for report in reports if isinstance(report, RoomLost)] == [RoomLost(1)]
    assert len(heard(phone)) == MAX_FAILED_TICKS * 160


def test_after_a_stall_a_few_ticks_are_caught_up_with_and_the_rest_is_dropped() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, bound() as phone:
        worker = Worker(theirs)
        worker.rooms.take(pack(OpenRoom(1, "mix", 8)), [])
        add(worker.rooms, 1, 5, phone)
        due = worker._tick(0, 0)
        due = worker._tick(due, due + 10 * TICK_NS)
        assert due == (2 + 10 - MAX_CATCH_UP) * TICK_NS
        assert worker.late_ticks == 1
        first, second = (struct.unpack("!HI", phone.recv(2048)[2:8]) for _ in range(2))
        assert second[0] - first[0] == 1 and second[1] - first[1] == (1 + 10 - MAX_CATCH_UP) * 160
        worker.rooms.close()


def test_the_loop_beats_and_ends_when_control_is_gone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        thread = threading.Thread(target=Worker(theirs).run)
        thread.start()
        ours.settimeout(20)
        assert isinstance(parse(ours.recv(MAX_MESSAGE)), Heartbeat)
        ours.send(pack(OpenRoom(1, "mix", 8)))
        assert any(message.rooms == 1 for message in _heartbeats(ours))
        ours.close()
        thread.join(20)
        assert not thread.is_alive()


def test_worker_with_too_much_to_do_still_beats_by_the_clock() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        worker, due = Worker(theirs), 0
        for second in range(1, 5):                          # a tick a second: it is late, not dead
            due = worker._tick(due, second * 1_000_000_000)
        ours.setblocking(False)
        assert [type(parse(ours.recv(MAX_MESSAGE))) for _ in range(4)] == [Heartbeat] * 4


def _heartbeats(sock: socket.socket) -> Iterator[Heartbeat]:
    for _ in range(10):
        message: Message = parse(sock.recv(MAX_MESSAGE))
        if isinstance(message, Heartbeat):
            yield message


def test_reports_that_control_is_too_slow_for_are_dropped_and_notices_are_kept() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setblocking(False)
        ours.setblocking(False)
        reporter = Reporter(theirs)
        figures = LegReport(1, LegStatistics(1))
        while not reporter.dropped:
            reporter.send(figures)
        reporter.send(RoomLost(7))
        reporter.send(figures)
        assert reporter.dropped == 2
        received = []
        while RoomLost(7) not in received and len(received) < MAX_KEPT:
            received.append(parse(ours.recv(MAX_MESSAGE)))
            reporter.flush()
        assert received[-1] == RoomLost(7)


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_is_there_and_neither_loud_nor_clipped(name: str) -> None:
    play = source(name)
    ticks = [samples for samples in (play() for _ in range(200)) if samples is not None]
    assert all(samples.shape == (960,) and samples.dtype == np.int16 for samples in ticks)
    line = np.concatenate(ticks) / 32768.0
    assert -40 < rms_dbfs(line) < -16 and float(np.abs(line).max()) < 0.6
    assert (len(ticks) == 200) == (name in ("tone", "music"))


def test_the_music_goes_over_into_its_beginning_without_a_seam() -> None:
    line = music().astype(float)
    steps = np.abs(np.diff(np.concatenate((line, line[:960]))))
    seam = steps[len(line) - 10:len(line) + 10].max()
    assert len(line) > 20 * 48000 and seam <= np.percentile(steps, 99.9)
    assert abs(rms_dbfs(line / 32768) + 24) < 0.1


def test_chimes_begin_and_end_in_silence() -> None:
    for name in ("join", "leave", "closing", "muted", "unmuted"):
        samples = chime(name).astype(int)
        assert abs(samples[0]) < 50 and not samples[-480:].any()


def test_a_leg_can_be_described_anew_without_losing_what_was_learnt(rooms: Rooms, phone: socket.socket) -> None:
    rooms.take(pack(OpenRoom(1, "mix", 8)), [])
    add(rooms, 1, 5, phone)
    leg = rooms._rooms[1].legs[5]
    leg.spec.remote = ("127.0.0.1", 9999)
    spec = replace(leg.spec, rtp_fd=-1, rtcp_fd=-1, codec="pcma", remote=phone.getsockname())
    rooms.take(pack(UpdateLeg(1, spec, False)), [])
    assert (leg.spec.codec, leg.spec.remote) == ("pcma", ("127.0.0.1", 9999))
    rooms.take(pack(UpdateLeg(1, spec, True)), [])
    assert leg.spec.remote == phone.getsockname()


def test_handshake_that_came_just_before_its_room_was_closed_is_told(rooms: Rooms, phone: socket.socket,
                                                                     reports: list[Report]) -> None:
    rooms.take(pack(OpenRoom(1, "relay", 8)), [])
    ours, hello = bound(), b"\x16\xfe\xff" + bytes(40)
    spec = LegSpec(7, -1, -1, "pcmu", 0, 0, 101, 20, phone.getsockname(), phone.getsockname(), True, HOST, 1, 0, 0, "w",
                   awaits_keys=True)
    address = ours.getsockname()
    rooms.take(pack(AddLeg(1, spec)), [ours.detach(), bound().detach()])
    phone.sendto(hello, address)
    rooms.relay(TICK_NS)                                                  # between two ticks
    rooms.take(pack(CloseRoom(1)), [])
    assert reports == [HandshakeReceived(1, 7, 0, phone.getsockname(), hello)]
