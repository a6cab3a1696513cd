"""Sound that is played into a room: what is made ready of a file or a text, what may be named, and how a worker plays it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mcu.conference import Refused
from mcu.engine.notices import PlayerChanged
from mcu.errors import CommandError
from mcu.playing.__main__ import NotPlayable, decoded, fill, said
from mcu.playing.ready import COMPLETE, FAILED, GROWING, Head, append, read_head, read_tick, write_head
from mcu.verbs import build
from mcu.worker.players import Players
from rtp.kernel import Room
from tests.helpers import tones
from tests.helpers.house import House

ROOM = "sip:daily@house.example"


@pytest.fixture
def descriptor() -> Iterator[int]:
    """A file without a name."""
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def write_wav(path: Path, hz: float, seconds: float, rate: int = 44100, channels: int = 2) -> Path:
    """A tone."""
    line = np.rint(8000 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(line, channels).tobytes())
    return path


def test_any_file_of_sound_becomes_48_khz_mono_in_whole_ticks(tmp_path: Path, descriptor: int) -> None:
    fill(descriptor, decoded(write_wav(tmp_path / "tone.wav", 1000, 1.01)))
    head = read_head(descriptor)
    assert (head.state, head.ticks) == (COMPLETE, 51)
    ticks = [tick for tick in (read_tick(descriptor, number) for number in range(52)) if tick is not None]
    assert len(ticks) == 51
    line = np.concatenate(ticks)[4800:43200] / 32768
    assert tones.level_dbfs(48000, line, 1000) == pytest.approx(20 * np.log10(8000 / 32768) - 3.01, abs=1.5)


def test_what_is_no_sound_is_refused_in_words(tmp_path: Path, descriptor: int) -> None:
    text = tmp_path / "words.txt"
    text.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(NotPlayable, match="no sound that can be read"):
        fill(descriptor, decoded(text))
    picture = tmp_path / "picture.mkv"
    with av.open(str(picture), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(stream.encode(None))
    with pytest.raises(NotPlayable, match="no sound in it"):
        fill(descriptor, decoded(picture))


def test_a_list_of_other_files_opens_none_of_them(tmp_path: Path, descriptor: int) -> None:
    secret = write_wav(tmp_path / "secret.wav", 440, 1.0)
    for name, text in (("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
                       ("list.ffconcat", f"ffconcat version 1.0\nfile {secret.name}\n")):
        listing = tmp_path / name
        listing.write_text(text)
        with pytest.raises(NotPlayable):
            fill(descriptor, decoded(listing))


@pytest.mark.loopback
def test_a_text_that_looks_like_an_option_is_said(descriptor: int) -> None:
    assert shutil.which("espeak-ng")
    fill(descriptor, said("--version -w /tmp/x", "en"))
    assert read_head(descriptor).ticks > 50


def play(house: House, what: str) -> dict[str, Any]:
    """What comes of an order of the operator."""
    return house.live.play("daily", what, "operator")


def played(players: Players, source: object, ticks: int) -> list[int | None]:
    """The first sample of each tick."""
    out = []
    for _ in range(ticks):
        samples = source()                                                    # type: ignore[operator]
        out.append(None if samples is None else int(samples[0]))
        players.tick()
    return out


def test_a_player_pauses_seeks_has_a_volume_waits_for_more_and_tells_its_end(descriptor: int) -> None:
    told: list[PlayerChanged] = []
    players, room = Players(told.append), Room(1)
    append(descriptor, 0, np.repeat(np.arange(1, 11) * 100, 960).astype(np.int16))
    write_head(descriptor, Head(GROWING, 10))
    players.open(room, 7, os.dup(descriptor))
    (source,) = room._sources.values()
    assert played(players, source, 3) == [100, 200, 300]
    players.set(room, 7, True, 100, -1)
    assert played(players, source, 2) == [0, 0]
    players.set(room, 7, False, 50, 160)
    assert played(players, source, 3) == [450, 500, 0]                        # it has not come further yet
    append(descriptor, 10, np.full(960, 1100, np.int16))
    write_head(descriptor, Head(COMPLETE, 11))
    assert played(players, source, 2) == [550, None]
    assert (told[-1].state, told[-1].position_ms, told[-1].duration_ms) == ("ended", 220, 220)
    write_head(descriptor, Head(FAILED, 0, "too bad"))
    players.open(room, 8, os.dup(descriptor))
    players.set(room, 8, False, 100, 10_000)
    (source,) = [one for one in room._sources.values() if one is not source]
    assert played(players, source, 1) == [None]
    assert (told[-1].state, told[-1].reason) == ("failed", "too bad")
    room.close()


def test_members_play_from_the_media_folder_alone(tmp_path: Path) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    house.studio.players._folder, house.studio.players._scratch = tmp_path / "media", tmp_path
    (tmp_path / "media").mkdir()
    outside = write_wav(tmp_path / "outside.wav", 440, 0.1)
    (tmp_path / "media" / "link.wav").symlink_to(outside)
    house.phone("alice").call(ROOM)
    focus = house.switchboard.foci["daily"]
    for name in (str(outside), "../outside.wav", "link.wav", "missing.wav", "a\0b"):
        verdict = focus.order(build("play", {"what": name}), next(iter(focus.members)))
        assert isinstance(verdict, Refused) and verdict.status == 503 and "played" in verdict.reason
    assert house.rooms[0].sound.players == set()
    with pytest.raises(CommandError, match="missing"):
        play(house, str(tmp_path / "missing.wav"))
    for process in house.studio.players._processes:
        process.kill()


def test_a_playing_room_is_steered_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    players = house.studio.players
    players._folder = players._scratch = tmp_path
    monkeypatch.setattr(players, "_make_ready", lambda *_: subprocess.Popen(["true"]))
    write_wav(tmp_path / "tone.wav", 440, 0.1)
    house.phone("alice").call(ROOM)
    media = house.rooms[0].sound
    assert play(house, "tone.wav")["state"] == "preparing"
    assert play(house, "pause")["state"] == "paused"
    play(house, "volume 50")
    play(house, "seek 3")
    assert media.steered == [(1, True, 100, -1), (1, True, 50, -1), (1, True, 50, 3000)]
    for wrong in ("seek", "seek -1", "volume 401", "seek 1e3", "volume ١"):
        with pytest.raises(CommandError, match="a number"):
            play(house, wrong)
    play(house, "resume")
    players.receive(PlayerChanged(house.rooms[0].room_id, 1, "playing", 3500, 9000))
    assert play(house, "status")["position_s"] == 3.5
    assert play(house, "tone.wav")["state"] == "preparing"             # in place of the first
    assert media.players == {2}
    assert play(house, "stop")["state"] == "stopped" and media.players == set()
    with pytest.raises(CommandError, match="nothing is played"):
        play(house, "stop")


def test_a_text_is_bounded_and_a_machine_without_a_voice_says_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(is_open=True)
    house.plays_sound = True
    house.phone("alice").call(ROOM)
    with pytest.raises(CommandError, match="500 characters"):
        house.live.say("daily", "x" * 501, "operator")
    with pytest.raises(CommandError, match="nothing to say"):
        house.live.say("daily", "\r\n", "operator")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CommandError, match="apt install espeak-ng"):
        house.live.say("daily", "hello", "operator")
