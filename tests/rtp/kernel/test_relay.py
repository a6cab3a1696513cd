"""Calls between two: payloads go over untouched where both phones speak alike, else through the mix; keys always."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rtp.dtmf import parse_event
from rtp.kernel import DtmfPressed
from rtp.packet import RtpPacket
from tests.helpers.tones import level_dbfs, rms_dbfs
from tests.rtp.kernel.table import DTMF, Phone, Table, seated, sine

pytestmark = pytest.mark.loopback

KEYS = {"dtmf_send_type": 96}


def pair(table: Table, codecs: tuple[str, str] = ("pcmu", "pcmu"), **changes: object) -> tuple[Phone, Phone]:
    """Two phones that send nothing of their own accord."""
    one, other = (table.join(lambda tick: None, codec, **KEYS | changes) for codec in codecs)
    return one, other


def packet(sequence: int, timestamp: int, payload: bytes = b"\x55" * 160, *, kind: int = 0, ssrc: int = 5,
           marker: bool = False, level: int | None = None) -> bytes:
    """An RTP packet of a phone."""
    extensions = {} if level is None else {3: bytes([level])}
    return bytes(RtpPacket(kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload, marker, extensions=extensions))


def relative(packets: list[RtpPacket]) -> list[tuple[int, int]]:
    """(sequence, timestamp) counted from the first packet."""
    first = packets[0]
    return [((one.sequence - first.sequence) & 0xFFFF, (one.timestamp - first.timestamp) & 0xFFFFFFFF) for one in packets]


def test_payload_goes_over_untouched_with_the_senders_gaps_order_and_marker() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        sent = [(65534, 0), (65535, 160), (1, 480), (0, 320), (2, 4000)]            # lost: none; 0 comes late; then a pause
        for number, (sequence, timestamp) in enumerate(sent):
            one.send(packet(sequence, timestamp, bytes([number]) * 160, marker=number == 4))
            table.step()
        assert [heard.payload for heard in other.packets] == [bytes([number]) * 160 for number in range(5)]
        assert relative(other.packets) == [((a - 65534) & 0xFFFF, b) for a, b in sent]
        assert [heard.marker for heard in other.packets] == [True, False, False, False, True]
        assert {(heard.ssrc, heard.csrcs) for heard in other.packets} == {(other.leg_id, (one.leg_id,))}
        assert not one.packets and (other.packets[0].sequence, other.packets[0].payload_type) == (65530, 0)


def test_lost_packet_stays_a_gap_for_the_receiver_to_conceal() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        for sequence in (1, 2, 4, 5):
            one.send(packet(sequence, sequence * 160))
        table.step()
        assert [sequence for sequence, _ in relative(other.packets)] == [0, 1, 3, 4]


def test_a_new_stream_of_the_sender_goes_on_in_ours() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        for ssrc, sequence in ((5, 100), (5, 101), (6, 40000), (6, 40001)):
            one.send(packet(sequence, sequence * 777, ssrc=ssrc))
            table.step()
        assert [sequence for sequence, _ in relative(other.packets)] == [0, 1, 2, 3]
        assert {heard.ssrc for heard in other.packets} == {other.leg_id}
        assert other.packets[2].marker
        assert (other.packets[2].timestamp - other.packets[1].timestamp) & 0xFFFFFFFF == 160


def test_keys_go_over_with_the_payload_type_of_the_other_side_and_are_told() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        one.send(packet(1, 0))
        one.sequence = 1
        one.press("5")
        table.step()
        events = other.packets[1:]
        assert {(heard.payload_type, parse_event(heard.payload)[0]) for heard in events} == {(96, 5)}
        assert [sequence for sequence, _ in relative(other.packets)] == list(range(len(other.packets)))
        assert len({heard.timestamp for heard in events}) == 1
        assert table.notices.count(DtmfPressed(one.leg_id, "5")) == 1


def test_keys_leave_no_gap_at_a_phone_that_takes_none() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table, dtmf_send_type=-1)
        one.send(packet(1, 0))
        one.send(packet(2, 160, b"\x05\x0a\x00\xa0", kind=DTMF))
        one.send(packet(3, 160, b"\x05\x8a\x01\x40", kind=DTMF))
        one.send(packet(4, 480))
        table.step()
        assert relative(other.packets) == [(0, 0), (1, 480)]
        assert DtmfPressed(one.leg_id, "5") in table.notices


def test_no_number_of_ours_is_ever_used_for_two_packets() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table, dtmf_send_type=-1)
        one.send(packet(10, 0, b"\1" * 160))
        one.send(packet(12, 320, b"\x05\x0a\x00\xa0", kind=DTMF))
        one.send(packet(11, 160, b"\2" * 160))                       # late, behind a packet that was left out
        one.send(packet(13, 480, b"\3" * 160))
        one.send(packet(9, -160, b"\4" * 160))                       # late, from before our stream began
        table.step()
        assert [(heard.payload[0], sequence) for heard, (sequence, _) in zip(
            other.packets, relative(other.packets), strict=True)] == [(1, 0), (3, 2)]
        assert len({heard.sequence for heard in other.packets}) == len(other.packets)


def test_a_call_of_many_minutes_is_passed_on_to_the_end() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        for sequence in range(0, 140_000, 200):
            one.send(packet(sequence, sequence * 160))
            table.step()
        assert len(other.packets) == 700


@pytest.mark.parametrize(("theirs", "expected"), [(9, {9: b"\x8c"}), (0, {})])
def test_the_level_goes_over_where_it_was_negotiated(theirs: int, expected: dict[int, bytes]) -> None:
    with seated(kind="relay") as table:
        one = table.join(lambda tick: None, level_extension=3)
        other = table.join(lambda tick: None, level_extension=theirs)
        one.send(packet(1, 0, level=0x8C))
        table.step()
        assert other.packets[0].extensions == expected


@pytest.mark.parametrize("change", [{"hears": False}, {"remote": None}])
def test_a_phone_on_hold_gets_nothing_and_our_stream_goes_on_after_it(change: dict[str, object]) -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        address = other.socket.getsockname()
        for sequence in range(30):
            if sequence in (10, 20):
                table.room.update_leg(other.leg_id, **(change if sequence == 10 else {"hears": True, "remote": address}))
            one.send(packet(sequence, sequence * 160))
            table.step()
        assert relative(other.packets) == [(n, n * 160 if n < 10 else (n + 10) * 160) for n in range(20)]
        assert [number for number, heard in enumerate(other.packets) if heard.marker] == [0, 10]


def test_one_who_waits_for_the_other_gets_nothing() -> None:
    with seated(kind="relay") as table:
        one = table.join(sine(440))
        table.run(20)
        other = table.join(sine(700))
        table.run(20)
        assert len(one.packets) == len(other.packets) == 20


def test_a_muted_phone_is_not_passed_on() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table, is_muted=True)
        one.send(packet(1, 0))
        one.press("1")
        table.step()
        assert not other.packets


@pytest.mark.parametrize("changes", [{"codec": "opus"}, {"ptime_ms": 40}])
def test_phones_that_speak_differently_hear_each_other_through_the_mix(changes: dict[str, object]) -> None:
    with seated(kind="relay") as table:
        codec = str(changes.pop("codec", "pcmu"))
        one, other = table.join(sine(440), **KEYS), table.join(sine(700), codec, **KEYS, **changes)
        table.run(150)
        for phone, own, theirs in ((one, 440, 700), (other, 700, 440)):
            heard = phone.heard_after(1.0)
            assert abs(level_dbfs(48000, heard, theirs) + 20) < 1 and level_dbfs(48000, heard, own) < -55


def test_keys_go_over_between_encoded_packets_in_the_units_of_the_other_stream() -> None:
    with seated(kind="relay") as table:
        one, other = table.join(sine(440), "pcmu", **KEYS), table.join(sine(700), "opus", **KEYS)
        table.run(20)
        one.press("7")
        table.run(20)
        events = [heard for heard in other.packets if heard.payload_type == 96]
        assert [parse_event(heard.payload) for heard in events][:2] == [(7, False, 960), (7, False, 1920)]
        assert len(events) == 8 and len({heard.timestamp for heard in events}) == 1
        assert [heard.marker for heard in events] == [True] + [False] * 7
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(other.packets))
        assert DtmfPressed(one.leg_id, "7") in table.notices


def test_changing_the_codec_in_mid_call_goes_over_to_the_mix_and_back_in_one_stream() -> None:
    with seated(kind="relay") as table:
        one, other = table.join(sine(440), **KEYS), table.join(sine(700), **KEYS)
        table.run(50)
        table.room.update_leg(one.leg_id, ptime_ms=40)
        table.run(50)
        table.room.update_leg(one.leg_id, ptime_ms=20)
        table.run(50)
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(other.packets))
        assert all(0 < (b.timestamp - a.timestamp) & 0xFFFFFFFF < 1600
                   for a, b in pairwise(other.packets))
        assert abs(level_dbfs(48000, other.heard()[-24000:], 440) + 20) < 1


def test_a_sound_of_the_room_is_heard_in_a_relay_too() -> None:
    with seated(kind="relay") as table:
        one, other = pair(table)
        beeps = iter([sine(1000)(tick) for tick in range(30)])
        table.room.add_source(1, lambda: next(beeps, None))
        table.run(40)
        assert all(rms_dbfs(phone.heard()[:24000]) > -22 for phone in (one, other))
        one.send(packet(1, 0, b"\x11" * 160))
        table.step()
        assert other.packets[-1].payload == b"\x11" * 160
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(other.packets))


def test_figures_and_reports_are_those_of_each_leg() -> None:
    with seated(kind="relay") as table:
        one, other = table.join(sine(440), **KEYS), table.join(sine(700), **KEYS)
        table.run(300)
        for figures in table.room.statistics(table.now_ns):
            assert (figures.packets_in, figures.packets_out, figures.lost, figures.concealed) == (300, 300, 0, 0)
        assert one.rtcp and other.rtcp
