"""What the window decides without a screen: layout, words, languages, keys, who talks, shapes."""

from __future__ import annotations

import ast
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from softphone import ui
from softphone.model import Meeting, Member, Quality, State
from softphone.ui import chinese, drawing, icons, keys, layout, theme, words
from softphone.ui.faces import REST, choose, faces_of
from softphone.ui.header import chips_of
from softphone.ui.strings import Translator, language_of
from softphone.ui.voices import Voices, key_of, with_people

ENGLISH, CHINESE = Translator("en"), Translator("zh")
ALICE = Member(11, "Alice Chen", is_self=True)
WANG = Member(12, "王小明", is_speaking=True)
BOB = Member(13, "Bob Smith", role="host", is_muted=True, codec="Opus")


def meeting(*members: Member, **changes: object) -> Meeting:
    """A meeting of three, or of those given."""
    return replace(Meeting("sip:demo@x", "Weekly", True, members=members or (ALICE, WANG, BOB)), **changes)    # type: ignore[arg-type]


# ---- layout


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(80, 3000), st.integers(80, 2000), st.integers(0, 20))
def test_tiles_lie_inside_the_gallery_and_do_not_overlap(count: int, width: int, height: int, gap: int) -> None:
    boxes = layout.gallery(count, width, height, gap)
    assert len(boxes) == count
    assert len({(box.width, box.height) for box in boxes}) == 1
    if boxes[0].width < 4 or boxes[0].height < 4:
        return                              # so many that gaps alone fill the room; the window shows fewer
    for index, box in enumerate(boxes):
        assert box.left >= 0 and box.top >= 0
        assert box.left + box.width <= width and box.top + box.height <= height
        for other in boxes[index + 1:]:
            assert (box.left + box.width <= other.left or other.left + other.width <= box.left
                    or box.top + box.height <= other.top or other.top + other.height <= box.top)


def test_four_tiles_make_a_square_and_two_stand_side_by_side() -> None:
    four = layout.gallery(4, 896, 632, 12)
    assert [(box.left, box.top) for box in four] == [(0, 0), (454, 0), (0, 322), (454, 322)]
    two = layout.gallery(2, 1000, 400, 12)
    assert two[0].top == two[1].top and two[0].left < two[1].left


def test_last_row_that_is_not_full_is_centred() -> None:
    boxes = layout.gallery(3, 896, 632, 12)
    assert boxes[2].left + boxes[2].width // 2 == pytest.approx(448, abs=1)


def test_speaker_view_has_one_large_box_and_a_strip() -> None:
    boxes = layout.speaker_view(9, 900, 600, 12)
    assert boxes[0].width == 900 and 2 <= len(boxes) <= 9
    assert all(box.top > boxes[0].height and box.height < 150 for box in boxes[1:])
    assert len(layout.speaker_view(1, 900, 600, 12)) == 1


def test_buttons_fold_one_by_one_as_the_window_narrows() -> None:
    widths = [80, 80, 80]
    assert [layout.buttons_that_fit(widths, room, 8) for room in (264, 263, 176, 88, 87, 0)] == [3, 2, 2, 1, 0, 0]


def test_too_many_members_leave_a_last_tile_with_their_number_and_the_last_speaker_is_shown() -> None:
    crowd = meeting(*(Member(i, f"P{i}") for i in range(1, 31)))
    faces = faces_of(crowd, frozenset(), ENGLISH)
    shown = choose(faces, 9, ["id:25"])
    assert len(shown) == 9 and shown[-1] == REST
    assert "id:25" in shown and shown[0] == "id:1"
    assert choose(faces, 30, []) == list(faces)


# ---- words


@pytest.mark.parametrize(("name", "letters"), [
    ("Alice Chen", "AC"), ("PSTN 1001", "P1"), ("王小明", "王"), ("bob", "B"), ("  ", "?"), ('"Ann" <sip:x>', "AS"),
    ("王 小明", "王"), ("ß ŉ", "Sʼ"),
])
def test_initials_of_a_name(name: str, letters: str) -> None:
    assert theme.initials(name) == letters


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_name_has_initials_and_a_colour(name: str) -> None:
    assert len(theme.initials(name)) >= 1
    assert theme.avatar_colour(name) in theme.AVATAR_COLOURS


def test_clock_counts_hours_minutes_seconds() -> None:
    assert [words.clock(s) for s in (0, 761.9, 36000, -3)] == ["00:00:00", "00:12:41", "10:00:00", "00:00:00"]


@pytest.mark.parametrize(("mos", "word", "bars"), [
    (None, "", 0), (4.3, "Good", 4), (3.7, "Fair", 3), (3.4, "Fair", 2), (2.0, "Poor", 1),
])
def test_quality_in_a_word_and_bars(mos: float | None, word: str, bars: int) -> None:
    assert words.grade(Quality(mos=mos)) == word
    assert words.strength(Quality(mos=mos)) == bars


def test_pin_goes_behind_the_name_of_the_room_and_is_never_shown() -> None:
    assert words.with_pin(" daily ", "1234") == "daily.1234"
    assert words.with_pin("sip:daily@host", "1234") == "sip:daily.1234@host"
    assert words.with_pin("daily", "") == "daily"
    assert words.without_pin("sip:daily.1234@host:5060") == "sip:daily@host:5060"
    assert words.without_pin("daily.1234") == "daily"
    assert words.without_pin("sip:192.168.0.1") == "sip:192.168.0.1"
    assert words.without_pin("sip:bob.smith@host") == "sip:bob.smith@host"


def test_what_is_at_our_own_server_is_called_by_its_name() -> None:
    assert words.short_address("sip:board.1234@host:5070", "host:5070") == "board"
    assert words.short_address("sip:board@host", "other") == "board@host"
    assert words.short_address("sip:192.168.0.1", "") == "192.168.0.1"


def test_moments_are_told_by_day() -> None:
    now = time.mktime((2026, 3, 5, 18, 0, 0, 0, 0, -1))
    assert words.when(now - 3600, now, ENGLISH) == "today 17:00"
    assert words.when(now - 86400, now, CHINESE) == "昨天 18:00"
    assert words.when(now - 10 * 86400, now, ENGLISH) == "2026-02-23"
    assert words.when(0, now, ENGLISH) == ""


@settings(deadline=None)
@given(st.text(max_size=600))
def test_what_a_peer_sends_is_shown_as_one_short_line(text: str) -> None:
    line = words.plain(text)
    assert len(line) <= words.MAX_NAME and not set(line) & set("\n\r\t\x00\u202e")


def test_names_say_who_is_oneself_and_who_is_host() -> None:
    assert words.member_name(ALICE, ENGLISH) == "Alice Chen (you)"
    assert words.member_name(BOB, CHINESE) == "Bob Smith （主持人）"
    assert words.member_line(BOB, False, ENGLISH) == "Host · Opus"
    assert words.member_line(WANG, True, ENGLISH) == "speaking"
    assert words.member_line(replace(WANG, status="on-hold"), False, CHINESE) == "保持中"


def test_chips_say_that_plain_sound_is_not_protected() -> None:
    chips = {chip.name: chip for chip in chips_of(meeting(quality=Quality("Opus", 12.0, 0.1, 3.0, mos=4.3)), ENGLISH)}
    assert (chips["quality"].text, chips["quality"].kind) == ("Good", "success")
    assert "Round trip: 12 ms" in chips["quality"].tip
    assert (chips["protection"].text, chips["protection"].kind) == ("Not protected", "danger")
    safe = chips_of(meeting(quality=Quality(protection="SRTP AES-128"), is_held=True), ENGLISH)
    assert [(chip.text, chip.kind) for chip in safe] == [("On hold", "warning"), ("Encrypted", "success")]


@pytest.mark.parametrize(("recording", "told"), [
    ("recording", [("Recording", "danger")]), ("paused", [("Recording paused", "muted")]), ("", [])])
def test_a_chip_says_that_the_meeting_is_recorded(recording: str, told: list[tuple[str, str]]) -> None:
    chips = chips_of(meeting(recording=recording), ENGLISH)
    assert [(chip.text, chip.kind) for chip in chips if chip.name == "recording"] == told


# ---- languages


def words_of_the_window() -> set[str]:
    """Every text that a module of the window gives to `tr`."""
    found = set()
    for path in Path(ui.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and _name_of(node.func) in ("tr", "_tr"):
                found |= {c.value for c in ast.walk(node.args[0]) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return {text for text in found if text.strip("- ")}


def _name_of(called: ast.expr) -> str:
    return getattr(called, "id", "") or getattr(called, "attr", "")


def test_every_text_has_chinese_words() -> None:
    texts = words_of_the_window() | {action.text for action in keys.ACTIONS} | {words.GOOD, words.FAIR, words.POOR}
    assert len(texts) > 90
    assert sorted(texts - set(chinese.WORDS)) == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    def placeholders(text: str) -> set[str]:
        return {part.partition("}")[0] for part in text.split("{")[1:]}
    for english, translated in (*chinese.WORDS.items(), *chinese.SENTENCES.items()):
        assert placeholders(translated) <= placeholders(english), english


def test_sentences_of_the_agent_are_translated_with_their_names() -> None:
    text = "No answer from meet.example; check the address, the port, and that the server runs"
    assert CHINESE.sentence(text) == "meet.example 没有应答；请检查地址、端口以及服务器是否运行"
    assert CHINESE.sentence("The call was lost: nobody answered") == "通话中断：无人应答"
    assert CHINESE.sentence("The call was not transferred: carol is not there") == "通话未能转接：carol 不在线"
    assert CHINESE.sentence("Transfer to 王: ringing …") == "转接至 王：正在响铃 …"
    assert CHINESE.sentence("something quite new") == "something quite new"
    assert ENGLISH.sentence(text) == text


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_no_sentence_breaks_the_translator(text: str) -> None:
    assert isinstance(CHINESE.sentence(text), str)


def test_language_follows_the_setting_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert language_of("system") == "zh"
    assert language_of("en") == "en"
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert language_of("system") == "en"


# ---- keys


def test_letters_are_dead_in_a_text_field_but_escape_is_not() -> None:
    mute = keys.action_for("m", in_meeting=True, in_text_field=False)
    assert mute is not None and mute.name == "mute"
    assert keys.action_for("M", in_meeting=True, in_text_field=False) == mute
    assert keys.action_for("m", in_meeting=True, in_text_field=True) is None
    closing = keys.action_for("Escape", in_meeting=True, in_text_field=True)
    assert closing is not None and closing.name == "close"


def test_keys_of_a_meeting_do_nothing_outside_of_one() -> None:
    assert keys.action_for("m", in_meeting=False, in_text_field=False) is None
    helping = keys.action_for("question", in_meeting=False, in_text_field=False)
    assert helping is not None and helping.name == "help"


# ---- voices


def test_a_voice_counts_a_moment_longer_than_it_is_heard() -> None:
    voices = Voices()
    assert voices.update(meeting(), -127, 10.0) == {"id:12"}
    silent = meeting(ALICE, replace(WANG, is_speaking=False))
    assert voices.update(silent, -127, 10.2) == {"id:12"}
    assert voices.update(silent, -127, 10.6) == frozenset()
    assert voices.latest == "id:12"
    assert voices.update(meeting(ALICE), -127, 10.7) == frozenset()
    assert voices.latest == ""


def test_own_voice_without_a_roster_is_told_by_the_microphone() -> None:
    state = State(display_name="Alice", meeting=Meeting("sip:bob@x", "Bob"), speaker_level_dbov=-20)
    shown = with_people(state)
    assert shown is not None and [(m.name, m.is_self) for m in shown.members] == [("Bob", False), ("Alice", True)]
    assert Voices().update(shown, -20, 1.0) == {"self", key_of(shown.members[0])}
    assert "self" not in Voices().update(replace(shown, is_muted=True), -20, 1.0)


# ---- shapes


@pytest.mark.parametrize("name", sorted(icons.ICONS))
def test_icon_draws_something_smooth_inside_its_square(name: str) -> None:
    picture = icons.icon(name, 24, (255, 0, 0, 255))
    alpha = picture.getchannel("A")
    levels = set(alpha.tobytes())
    assert picture.size == (24, 24) and picture.getpixel((12, 12))[:3] == (255, 0, 0)    # type: ignore[index]
    assert max(levels) > 200 and len(levels) > 8


def test_rounded_shape_is_clear_in_its_corners_and_smooth_at_its_edge() -> None:
    shape = drawing.rounded(60, 40, 12, (10, 20, 30, 255))
    alpha = shape.getchannel("A")
    assert [alpha.getpixel(place) for place in ((0, 0), (59, 39), (30, 20), (30, 0))] == [0, 0, 255, 255]
    assert 0 < alpha.getpixel((3, 3)) < 255      # type: ignore[operator]


def test_frame_covers_corners_and_ring_and_leaves_the_middle_clear() -> None:
    shape = drawing.frame(80, 60, 14, (1, 2, 3, 255), (0, 255, 0, 255), 3)
    assert shape.getpixel((0, 0)) == (1, 2, 3, 255)
    assert shape.getpixel((40, 1)) == (0, 255, 0, 255)
    assert shape.getpixel((40, 30))[3] == 0      # type: ignore[index]


def test_a_picture_of_any_shape_covers_its_tile() -> None:
    for size in ((640, 480), (100, 900), (320, 180)):
        assert drawing.cover(Image.new("RGB", size), 320, 180).size == (320, 180)
