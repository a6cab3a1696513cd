"""Keys and buttons of Tk as RFB wants them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtp.rfb.keysyms import keysym_of
from softphone.ui.desktop_keys import Keyboard, button_bit, keysyms_of, wheel_bits


def event(char: str = "", number: int = 0, state: int = 0, code: int = 38) -> Any:
    """A key as Tk tells it."""
    return SimpleNamespace(char=char, keysym_num=number, state=state, keycode=code)


@pytest.mark.parametrize(("told", "keysyms"), [
    (event("a", 0x61), [0x61]), (event("你", 0x1004F60), [0x1004F60]), (event("\r", 0xFF0D), [0xFF0D]),
    (event("\x03", 0x63, state=4), [0x63]), (event("é", 0xE9), [0xE9]), (event("", 0xFFE1), [0xFFE1]),
    (event("你好"), [keysym_of("你"), keysym_of("好")]), (event("", 0), [])],
    ids=["letter", "chinese", "return", "control", "latin", "shift", "input method", "nothing"])
def test_a_key_has_the_keysym_of_its_character_or_its_own(told: Any, keysyms: list[int]) -> None:
    assert keysyms_of(told) == keysyms


def test_a_key_is_released_as_the_one_that_was_pressed_whatever_shift_has_become() -> None:
    pressed: list[tuple[int, bool]] = []
    keyboard = Keyboard(lambda keysym, is_down: pressed.append((keysym, is_down)))
    keyboard.press(event("A", 0x41))
    keyboard.release(event("a", 0x61))
    keyboard.release(event("a", 0x61))
    assert pressed == [(0x41, True), (0x41, False)]


def test_all_keys_are_let_go_of_the_last_first_and_once() -> None:
    pressed: list[tuple[int, bool]] = []
    keyboard = Keyboard(lambda keysym, is_down: pressed.append((keysym, is_down)))
    keyboard.press(event("", 0xFFE3, code=37))
    keyboard.press(event("c", 0x63, state=4, code=54))
    pressed.clear()
    keyboard.release_all()
    keyboard.release_all()
    assert pressed == [(0x63, False), (0xFFE3, False)]


def test_buttons_and_wheels_have_their_bits() -> None:
    assert [button_bit(number) for number in (1, 2, 3)] == [1, 2, 4]
    assert wheel_bits(4, 0) == [8] and wheel_bits(5, 0) == [16] and wheel_bits(0, -240) == [16, 16] and wheel_bits(0, 0) == []
    assert len(wheel_bits(0, 120 * 1000)) == 5
