"""Keys of a phone as verbs."""

from __future__ import annotations

import pytest

from mcu.keypad import Keypad, Verb


@pytest.mark.parametrize(("keys", "verbs"), [
    ("*6", [Verb.TOGGLE_MUTE]), ("*5", [Verb.TOGGLE_LOCK]), ("*4", [Verb.ASK_TO_CLOSE]),
    ("*4#", [Verb.ASK_TO_CLOSE, Verb.CLOSE]), ("6", []), ("#", []), ("**6", [Verb.TOGGLE_MUTE]), ("*46#", [Verb.ASK_TO_CLOSE]),
    ("*9*6", [Verb.TOGGLE_MUTE]), ("*66", [Verb.TOGGLE_MUTE]),
])
def test_sequences(keys: str, verbs: list[Verb]) -> None:
    keypad = Keypad()
    assert [verb for key in keys if (verb := keypad.press(key, 1.0)) is not None] == verbs


def test_a_star_waits_five_seconds_for_its_key_and_the_end_for_its_confirmation() -> None:
    keypad = Keypad()
    keypad.press("*", 0.0)
    assert keypad.press("6", 5.1) is None
    keypad.press("*", 10.0)
    assert keypad.press("4", 11.0) is Verb.ASK_TO_CLOSE
    assert keypad.press("#", 16.1) is None
