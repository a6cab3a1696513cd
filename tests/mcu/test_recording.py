"""Recordings: the line with its bounded queue, files in step, names, pauses, and what the rooms are told."""

from __future__ import annotations

import json
import random
import socket
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcu.errors import CommandError, McuError, ProtocolError
from mcu.recording.files import FORMS, create
from mcu.recording.line import FACT, MIX, SOUND, Fact, Sender, Sound, read
from mcu.recording.listing import listed
from mcu.recording.writer import MAX_GAP_TICKS, UNNAMED_TICKS, Writer
from rtp.codecs.resample import Samples
from rtp.kernel.spec import TICK_NS
from sip.conference_info import parse
from tests.helpers.house import House

ROOM = "sip:daily@house.example"
LOUD: Samples = np.full(960, 5000, np.int16)


@pytest.fixture
def line() -> Iterator[tuple[Sender, socket.socket]]:
    """Both ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        theirs.setblocking(False)
        sender = Sender(ours, max_waiting=100_000)
        yield sender, theirs
        sender.close()


def read_wav(path: Path) -> npt.NDArray[np.int16]:
    """What is in a WAV file."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def begins(line: npt.NDArray[np.int16]) -> list[int]:
    """The ticks that are not silent."""
    return [number for number, tick in enumerate(line.reshape(-1, 960)) if tick.any()]


def described(folder: Path, part: int = 1) -> dict[str, Any]:
    """What the JSON says."""
    facts: dict[str, Any] = json.loads((folder / ("recording.json" if part == 1 else f"recording-{part}.json")).read_text())
    return facts


# ---- the line


def test_what_is_sent_comes_over_as_it_was(line: tuple[Sender, socket.socket]) -> None:
    sender, theirs = line
    sender.sound(123456789, [(MIX, LOUD), (4_000_000_000, LOUD // 2)])
    sender.sound(123456789 + TICK_NS, [])
    sender.fact("person", leg_id=7, name="Ann <ann@x>")
    first, second, third = (read(theirs.recv(200_000)) for _ in range(3))
    assert isinstance(first, Sound) and [leg_id for leg_id, _ in first.streams] == [MIX, 4_000_000_000]
    assert np.array_equal(first.streams[1][1], LOUD // 2) and first.time_ns == 123456789
    assert isinstance(second, Sound) and second.streams == ()
    assert third == Fact("person", {"leg_id": 7, "name": "Ann <ann@x>"})


def test_a_recorder_that_is_slow_costs_ticks_and_never_time(line: tuple[Sender, socket.socket]) -> None:
    sender, theirs = line
    for number in range(1000):
        sender.sound(number * TICK_NS, [(MIX, LOUD)])
    assert 0 < sender.dropped < 1000
    got: list[Sound] = []
    while True:
        try:
            got.append(read(theirs.recv(200_000)))                            # type: ignore[arg-type]
        except BlockingIOError:
            break
        sender.flush()
    assert len(got) == 1000 - sender.dropped
    sender.sound(1000 * TICK_NS, [])
    last = read(theirs.recv(200_000))
    assert isinstance(last, Sound) and last.dropped == sender.dropped


def test_a_recorder_that_is_gone_is_noticed(line: tuple[Sender, socket.socket]) -> None:
    sender, theirs = line
    theirs.close()
    sender.sound(0, [(MIX, LOUD)])
    assert sender.is_broken
    sender.sound(0, [(MIX, LOUD)])
    assert sender.dropped == 0


@given(st.one_of(st.binary(max_size=60), st.builds(lambda kind, rest: bytes([kind]) + rest,
                                                    st.sampled_from([SOUND, FACT]), st.binary(max_size=2000))))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    try:
        read(data)
    except ProtocolError:
        return


# ---- the writer


def play(writer: Writer, ticks: dict[int, list[int]], base: int = 1_000_000_007) -> None:
    """Ticks by number, with the legs that are heard in each; the mix whenever somebody is."""
    for tick, legs in ticks.items():
        streams = [(leg, LOUD) for leg in legs]
        writer.receive(Sound(base + tick * TICK_NS, 0, tuple([(MIX, LOUD), *streams] if streams else [])))


def person(writer: Writer, leg_id: int, name: str) -> None:
    """Somebody is there."""
    writer.receive(Fact("person", {"leg_id": leg_id, "name": name, "uri": f"sip:{leg_id}@x", "joined_at": 5.0}))


def test_gaps_late_comers_and_lost_ticks_are_silence_and_all_files_stay_in_step(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "wav")
    person(writer, 1, "Ann")
    person(writer, 2, "Bo/../../x")
    play(writer, {0: [1], 1: [], 2: [1], 5: [1, 2], 6: [2]})                     # 3 and 4 were lost
    writer.receive(Sound(1_000_000_007 + 2 * TICK_NS, 2, ((MIX, LOUD),)))        # late, or twice
    writer.close()
    assert begins(read_wav(tmp_path / "mix.wav")) == [0, 2, 5, 6]
    assert begins(read_wav(tmp_path / "01-Ann.wav")) == [0, 2, 5]
    assert begins(read_wav(tmp_path / "02-Bo_.._.._x.wav")) == [5, 6]
    assert {len(read_wav(file)) for file in tmp_path.glob("*.wav")} == {7 * 960}
    facts = described(tmp_path)
    assert (facts["seconds"], facts["dropped_ticks"]) == (0.14, 2)
    assert [(track["name"], track["file"]) for track in facts["tracks"]][1] == ("Ann", "01-Ann.wav")


@settings(max_examples=40)
@given(st.lists(st.sets(st.integers(1, 3)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_whoever_speaks_whenever_stems_and_mix_have_one_length(tmp_path_factory: pytest.TempPathFactory,
                                                               heard: list[set[int]], rng: random.Random) -> None:
    folder = tmp_path_factory.mktemp("step")
    writer = Writer(folder, "wav")
    for leg_id in (1, 2, 3):
        person(writer, leg_id, f"p{leg_id}")
    kept = {0: sorted(heard[0])} | {tick: sorted(legs) for tick, legs in enumerate(heard) if tick and rng.random() < 0.7}
    for tick, legs in kept.items():
        play(writer, {tick: legs})
        if rng.random() < 0.3:
            writer.flush()
    writer.close()
    assert {len(read_wav(file)) for file in folder.glob("*.wav")} == {(max(kept) + 1) * 960}
    for leg_id in (1, 2, 3):
        found = list(folder.glob(f"*-p{leg_id}.wav"))
        spoken = [tick for tick, legs in kept.items() if leg_id in legs]
        assert (begins(read_wav(found[0])) if found else []) == spoken


def test_nothing_is_written_while_it_is_paused_and_it_goes_on_without_a_gap(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "wav", wallclock=iter(range(1000)).__next__)
    person(writer, 1, "Ann")
    play(writer, {0: [1], 1: [1]})
    writer.receive(Fact("pause", {}))
    play(writer, {tick: [1] for tick in range(2, 50)})
    assert described(tmp_path)["is_paused"]
    writer.receive(Fact("resume", {}))
    play(writer, {50: [1], 52: [1]})
    writer.close()
    assert begins(read_wav(tmp_path / "mix.wav")) == begins(read_wav(tmp_path / "01-Ann.wav")) == [0, 1, 2, 4]
    (pause,) = described(tmp_path)["pauses"]
    assert pause["at_s"] == 0.04 and pause["to"] > pause["from"]


def test_a_voice_without_a_name_waits_for_it_and_then_gets_a_number(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "wav")
    play(writer, {0: [1, 2]})
    person(writer, 1, "Ann")
    play(writer, {1: [1, 2], UNNAMED_TICKS + 5: []})
    writer.flush()
    assert sorted(file.name for file in tmp_path.glob("*.wav")) == ["01-Ann.wav", "02-member-00000002.wav", "mix.wav"]
    assert begins(read_wav(tmp_path / "01-Ann.wav")) == [0, 1]
    writer.close()


def test_a_clock_that_jumps_does_not_fill_the_disk(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "wav")
    play(writer, {0: [1], MAX_GAP_TICKS * 10: [1], MAX_GAP_TICKS * 10 + 1: [1]})
    writer.close()
    assert begins(read_wav(tmp_path / "mix.wav")) == [0, 1, 2]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_file_that_nobody_closes_can_be_played_up_to_its_last_second(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"cut{FORMS[form]}"
    file = create(path, form, "Ann")
    wave_ = np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(960) / 48000)).astype(np.int16)
    for _ in range(200):
        file.write(wave_)
    file.silence(100)
    file.flush()
    copied = tmp_path / f"copy{FORMS[form]}"
    copied.write_bytes(path.read_bytes())                                        # as kill -9 would leave it
    with av.open(str(copied)) as container:
        count = sum(frame.samples for frame in container.decode(audio=0))
    assert 249 * 960 <= count <= 300 * 960
    file.close()


# ---- rooms


def test_members_newcomers_and_the_roster_are_told_of_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    house.studio.recordings._folder = tmp_path / "recordings"
    started: list[list[str]] = []
    monkeypatch.setattr("mcu.recordings.subprocess.Popen", lambda arguments, **_: started.append(arguments) or Process())
    alice = house.phone("alice")
    alice.call(ROOM)
    alice.subscribe(ROOM)
    sound = house.rooms[0].sound
    facts = house.live.record("daily", "start", "wav", "operator")
    assert (facts["state"], facts["form"], started[0][-2:]) == ("recording", "wav", ["wav", "1"])
    assert Path(facts["folder"]).stat().st_mode & 0o777 == 0o700
    assert sound.recordings and (0, "recording-started", "en") in sound.announced
    house.run(1.5)
    assert parse(alice.notified()[-1]).recording == "recording"
    house.phone("bob").call(ROOM)
    bob = list(house.switchboard.foci["daily"].members)[1]
    assert (bob, "recording-on", "en") in sound.announced
    assert house.live.record("daily", "pause", "opus", "operator")["state"] == "paused"
    house.phone("carol").call(ROOM)
    assert sum(name == "recording-on" for _, name, _ in sound.announced) == 1
    with pytest.raises(CommandError, match="can not start now"):
        house.live.record("daily", "start", "opus", "operator")
    assert house.live.record("daily", "resume", "opus", "operator")["state"] == "recording"
    assert house.live.record("daily", "stop", "opus", "operator")["state"] == "stopped"
    assert sound.recordings == set() and sound.announced[-1] == (0, "recording-stopped", "en")
    house.run(1.5)
    assert parse(alice.notified()[-1]).recording == ""


class Process:
    """A recorder that is not there."""

    returncode: int | None = None

    def poll(self) -> int | None:
        """Its end."""
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its end."""
        return 0


def test_a_recorder_that_dies_is_replaced_and_one_that_can_not_write_is_not(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    house.studio.recordings._folder = tmp_path
    processes: list[Process] = []
    parts: list[str] = []

    def popen(arguments: list[str], **_: object) -> Process:
        parts.append(arguments[-1])
        processes.append(Process())
        return processes[-1]

    monkeypatch.setattr("mcu.recordings.subprocess.Popen", popen)
    house.phone("alice").call(ROOM)
    house.live.record("daily", "start", "opus", "operator")
    processes[0].returncode = -9
    house.run(1.5)
    assert parts == ["1", "2"] and len(house.rooms[0].sound.recordings) == 1
    processes[1].returncode = 1
    house.run(1.5)
    assert parts == ["1", "2"] and house.rooms[0].sound.recordings == set()
    assert house.rooms[0].sound.announced[-1][1] == "recording-failed"
    focus = house.switchboard.foci["daily"]
    assert focus.recording == "" and focus.conference.recording == "stop"


def test_a_recording_that_can_not_begin_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    house.studio.recordings._folder = blocked
    house.phone("alice").call(ROOM)
    for _ in range(2):
        with pytest.raises(McuError, match="can't be made"):
            house.live.record("daily", "start", "opus", "operator")
    with pytest.raises(CommandError, match="opus or wav"):
        house.live.record("daily", "start", "mp3", "operator")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"tracks": []}'], ids=["empty", "cut", "list", "bare"])
def test_a_damaged_description_does_not_hide_the_other_recordings(tmp_path: Path, damage: str) -> None:
    Writer(_made(tmp_path / "good"), "wav").close()
    (_made(tmp_path / "bad") / "recording.json").write_text(damage)
    found = {folder.name: facts for folder, facts in listed(tmp_path)}
    assert found["good"]["state"] == "complete" and found["bad"]["state"] == "broken off"
    assert listed(tmp_path / "nowhere") == []


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


