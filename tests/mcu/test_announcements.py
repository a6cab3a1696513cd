"""What is said in a room: in turn, to one or to all, in the language of the file, over music where somebody waits."""

from __future__ import annotations

import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mcu.messages import OpenRoom, pack
from mcu.prompt_texts import LANGUAGES, MEETING, count_of, file_of, is_known, name_of_count, text_of
from mcu.prompts import Voice, make
from mcu.sound_messages import Announce, PlayMusic
from mcu.worker.announcements import MAX_WAITING, Announcements
from mcu.worker.rooms import Rooms
from rtp.kernel import Room
from tests.helpers.house import House

ROOM = "sip:daily@house.example"


def write(folder: Path, name: str, language: str, value: int) -> None:
    """A prompt of a tenth of a second of one value."""
    file = file_of(folder, name, language)
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, 48000, 0, "NONE", ""))
        out.writeframes(np.full(4800, value, "<i2").tobytes())


def said(room: Room) -> list[int]:
    """What all hear from now on: the first sample of each tick."""
    (source,) = room._sources.values()
    heard = []
    while (samples := source()) is not None:
        heard.append(int(samples[480]))
    return heard


@pytest.fixture
def room() -> Iterator[Room]:
    """A room without legs."""
    room = Room(1)
    yield room
    room.close()


def test_one_thing_is_said_after_the_other_and_the_same_not_twice_on_end(room: Room, tmp_path: Path) -> None:
    write(tmp_path, "locked", "en", 100)
    write(tmp_path, "unlocked", "en", 200)
    announcements = Announcements(room, tmp_path)
    for name in ("locked", "locked", "unlocked", "locked"):
        announcements.say(0, name, "en")
    assert said(room) == [100] * 5 + [200] * 5 + [100] * 5
    room.remove_source(-2)
    for number in range(100):
        announcements.say(0, ("locked", "unlocked")[number % 2], "en")
    assert len(said(room)) == 5 * MAX_WAITING


def test_the_language_of_a_file_is_its_folder_and_english_stands_in(room: Room, tmp_path: Path) -> None:
    write(tmp_path, "locked", "en", 100)
    write(tmp_path, "locked", "zh", 300)
    write(tmp_path, "unlocked", "en", 200)
    announcements = Announcements(room, tmp_path)
    announcements.say(0, "locked", "zh")
    announcements.say(0, "unlocked", "zh")
    assert said(room) == [300] * 5 + [200] * 5
    write(tmp_path, "locked", "zh", 301)                                          # an operator replaces it while we run
    room.remove_source(-2)
    announcements.say(0, "locked", "zh")
    assert set(said(room)) == {301}


def test_without_a_file_two_notes_are_heard_and_music_goes_on_and_off(room: Room) -> None:
    announcements = Announcements(room, None)
    announcements.say(0, "recording-on", "en")
    assert any(said(room))
    room.remove_source(-2)
    announcements.set_music(0, True)
    (music,) = room._sources.values()
    assert music() is not None
    announcements.set_music(0, False)
    assert room._sources == {}
    announcements.say(99, "locked", "en")                                         # a leg that isn't there
    assert room._private == {}


def test_an_unknown_prompt_or_language_is_counted_and_harms_nothing() -> None:
    rooms = Rooms(lambda report: None)
    rooms.take(pack(OpenRoom(1, "mix", 8)), ())
    for message in (Announce(1, 0, "../../etc/passwd", "en"), Announce(1, 0, "locked", "../x"), PlayMusic(1, 5, True)):
        rooms.take(pack(message), ())
    assert rooms.failures == 2 and rooms._rooms[1]._sources == {}
    rooms.close()


def test_every_prompt_has_its_words_in_every_language_and_counts_are_counted() -> None:
    for name in (*MEETING, "count-1", "count-20"):
        assert is_known(name) and all(text_of(name, language) for language in LANGUAGES)
        assert len({text_of(name, language) for language in LANGUAGES}) == len(LANGUAGES)
    assert [name_of_count(count) for count in (0, 1, 3, 20, 21)] == ["count-1", "count-1", "count-3", "count-20", "count-many"]
    assert text_of("count-3", "en") == "There are three of you." and text_of("count-12", "zh") == "会议里有十二个人。"
    assert [count_of(name) for name in ("count-0", "count-21", "count-03", "count-٣", "count-")] == [None] * 5


@pytest.mark.loopback
def test_a_prompt_is_made_when_it_is_first_needed_once_and_those_who_wait_are_called(tmp_path: Path) -> None:
    done: list[str] = []
    ready = threading.Event()
    voice = Voice(tmp_path, lambda action: (action(), ready.set()))
    voice.have("locked", "zh", lambda: done.append("first"))
    voice.have("locked", "zh", lambda: done.append("second"))
    assert ready.wait(30)
    assert done == ["first", "second"] and file_of(tmp_path, "locked", "zh").stat().st_size > 10_000
    voice.have("locked", "zh", lambda: done.append("at once"))
    assert done[-1] == "at once"
    voice.close()


def test_a_machine_without_a_voice_says_nothing_and_asks_once(tmp_path: Path) -> None:
    ready = threading.Event()
    voice = Voice(tmp_path, lambda action: (action(), ready.set()), program="no-such-program-here")
    voice.have("locked", "en", lambda: None)
    assert ready.wait(30)
    done: list[int] = []
    voice.have("locked", "en", lambda: done.append(1))
    assert done == [1] and not make(tmp_path, "locked", "en", "no-such-program-here")
    voice.close()


def test_a_member_is_told_in_the_language_of_their_account_and_all_in_that_of_the_room() -> None:
    house = House(is_open=True)
    house.languages = {"bob": "zh", "daily": "en"}
    house.phone("alice").call(ROOM)
    house.member("bob").call(ROOM)
    focus = house.switchboard.foci["daily"]
    sound = house.rooms[0].sound
    alice, bob = focus.members
    sound.announced.clear()
    focus.announce(bob, "muted")
    focus.announce(alice, "muted")
    focus.announce(None, "locked")
    focus.announce(None, "no-such-prompt")
    focus.announce(type(bob)(12345), "muted")
    assert sound.announced == [(bob, "muted", "zh"), (alice, "muted", "en"), (0, "locked", "en")]


def test_one_who_is_alone_hears_music_where_the_room_has_it_so() -> None:
    house = House(is_open=True)
    alice = house.phone("alice").call(ROOM)
    sound = house.rooms[0].sound
    assert sound.music == frozenset()
    house.order("set", switch="music-alone", value="on")
    assert sound.music == {0}
    house.phone("bob").call(ROOM)
    assert sound.music == frozenset()
    alice.hang_up(house.time)
    house.run(0.1)
    assert sound.music == {0}


def test_who_is_muted_by_a_host_is_told_once_unless_their_phone_shows_it() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    alice.call(ROOM)
    bob.call(ROOM)
    alice.subscribe(ROOM)
    sound = house.rooms[0].sound
    for _ in range(2):
        house.order("mute", who="all")
        house.order("appoint", who="bob", role="presenter")
    told = [leg_id for leg_id, name, _ in sound.announced if name == "muted-by-host"]
    assert told == [list(house.switchboard.foci["daily"].members)[1]]
    house.order("unmute", who="bob")
    house.order("mute", who="bob")
    assert sum(name == "muted-by-host" for _, name, _ in sound.announced) == 2
