"""What another's wishes may do to this machine: mapped, clipped, kept back, let go of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.rfb.keysyms import ALT_R, CONTROL_L, CONTROL_R, DELETE, SHIFT_L, SYSTEM_REQUEST
from rtp.rfb.messages import KeyEvent, PointerEvent
from softphone.remote.injector import Area, Hands, NullInjector, RecordingInjector, parse_chord
from softphone.remote.screen import within

SCREEN = Area(0, 0, 1920, 1080)


def hands(area: Area = SCREEN, shown: tuple[int, int] = (1920, 1080)) -> tuple[Hands, RecordingInjector]:
    """Hands over a recorder."""
    recorder = RecordingInjector()
    return Hands(recorder, area, shown), recorder


def press(target: Hands, *keysyms: int) -> None:
    """Press some keys and leave them down."""
    for keysym in keysyms:
        target.receive(KeyEvent(keysym, True))


@pytest.mark.parametrize(("area", "shown", "place", "expected"), [
    (SCREEN, (1920, 1080), (100, 50), (100, 50)),
    (Area(1920, 0, 1280, 1024), (1280, 1024), (0, 0), (1920, 0)),
    (Area(1920, 0, 1280, 1024), (1280, 1024), (1279, 1023), (3199, 1023)),
    (Area(300, 200, 800, 600), (400, 300), (399, 299), (1098, 798)),
    (Area(-1280, 100, 1280, 1024), (640, 512), (320, 256), (-640, 612)),
    (SCREEN, (1920, 1080), (65535, 65535), (1919, 1079)),
    (Area(300, 200, 800, 600), (400, 300), (5000, 0), (1099, 200)),
], ids=["whole", "second-monitor", "its-corner", "window-at-half-size", "monitor-to-the-left", "outside", "outside-the-window"])
def test_place_of_the_picture_is_found_on_the_screen(area: Area, shown: tuple[int, int], place: tuple[int, int],
                                                     expected: tuple[int, int]) -> None:
    target, recorder = hands(area, shown)
    target.receive(PointerEvent(0, *place))
    assert recorder.done == [("move", *expected)]


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(1, 4000), st.integers(1, 4000))
def test_no_place_is_outside_of_what_is_shared(x: int, y: int, width: int, height: int) -> None:
    target, recorder = hands(Area(10, 20, 30, 40), (width, height))
    target.receive(PointerEvent(0, x, y))
    _, left, top = recorder.done[0]
    assert 10 <= left < 40 and 20 <= top < 60
    assert target.outside == (x >= width or y >= height)


def test_buttons_and_wheels_go_down_and_up() -> None:
    target, recorder = hands()
    for buttons in (1, 5, 4, 0, 8, 0):
        target.receive(PointerEvent(buttons, 1, 1))
    assert [step for step in recorder.done if step[0] == "button"] == [
        ("button", 1, True), ("button", 3, True), ("button", 1, False), ("button", 3, False), ("button", 4, True),
        ("button", 4, False)]


def test_everything_that_is_down_is_let_go_of_once() -> None:
    target, recorder = hands()
    press(target, SHIFT_L, ord("A"))
    target.receive(PointerEvent(3, 7, 7))
    recorder.done.clear()
    target.release_all()
    target.release_all()
    assert recorder.done == [("key", ord("A"), False), ("key", SHIFT_L, False), ("button", 1, False), ("button", 2, False)]


def test_letter_whose_shift_came_up_first_comes_up_too() -> None:
    target, recorder = hands()
    press(target, SHIFT_L, ord("A"))
    target.receive(KeyEvent(SHIFT_L, False))
    target.receive(KeyEvent(ord("a"), False))
    assert recorder.done[-1] == ("key", ord("A"), False)
    recorder.done.clear()
    target.release_all()
    assert recorder.done == []


def test_key_that_never_went_down_does_not_come_up() -> None:
    target, recorder = hands()
    target.receive(KeyEvent(ord("a"), False))
    assert recorder.done == []


@pytest.mark.parametrize("keys", [(SYSTEM_REQUEST,), (CONTROL_R, ALT_R, DELETE), (ALT_R, CONTROL_L, 0xFFBE)],
                         ids=["sysreq", "ctrl-alt-delete", "ctrl-alt-f1"])
def test_keys_that_the_owner_keeps_back_are_never_passed(keys: tuple[int, ...]) -> None:
    target, recorder = hands()
    press(target, *keys)
    assert ("key", keys[-1], True) not in recorder.done and target.blocked == 1
    target.receive(KeyEvent(keys[-1], False))
    assert ("key", keys[-1], False) not in recorder.done


def test_parts_of_a_forbidden_chord_pass() -> None:
    target, recorder = hands()
    press(target, CONTROL_L, DELETE)
    assert len(recorder.done) == 2 and target.blocked == 0


def test_owner_chooses_what_is_kept_back() -> None:
    recorder = RecordingInjector()
    target = Hands(recorder, SCREEN, (1920, 1080), [parse_chord("Super+L"), parse_chord("Print")])
    press(target, 0xFFEC, ord("L"), 0xFF61, CONTROL_L, ALT_R, DELETE)
    assert [step[1] for step in recorder.done] == [0xFFEC, CONTROL_L, ALT_R, DELETE] and target.blocked == 2


@pytest.mark.parametrize("text", ["", "Ctrl+", "Hyper", "F0", "F36", "F१"])
def test_chord_of_keys_that_do_not_exist_is_refused_with_their_names(text: str) -> None:
    with pytest.raises(ValueError, match="there is no key"):
        parse_chord(text)


def test_view_only_does_nothing() -> None:
    target = Hands(NullInjector(), SCREEN, (1920, 1080))
    press(target, ord("a"))
    target.receive(PointerEvent(1, 1, 1))
    target.close()


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 999), st.integers(1, 999))
def test_shared_area_is_never_outside_of_the_screen(x: int, y: int, width: int, height: int) -> None:
    part = within(Area(x, y, width, height), Area(0, 0, 300, 200))
    assert part.x >= 0 and part.x + part.width <= 300 and part.width >= 1
    assert part.y >= 0 and part.y + part.height <= 200 and part.height >= 1
