"""Keys of a phone as codes of verbs."""

from __future__ import annotations

import pytest

from mcu.keypad import Keypad


@pytest.mark.parametrize(("keys", "codes"), [
    ("*6", ["*6"]), ("*5", ["*5"]), ("*7", ["*7"]), ("*9", ["*9"]), ("*#", ["*#"]), ("*4", ["*4"]), ("*4#", ["*4", "*4#"]),
    ("6", []), ("#", []), ("**6", ["*6"]), ("*46#", ["*4"]), ("*8*6", ["*6"]), ("*66", ["*6"]), ("*4*#", ["*4", "*#"]),
])
def test_sequences(keys: str, codes: list[str]) -> None:
    keypad = Keypad()
    assert [code for key in keys if (code := keypad.press(key, 1.0)) is not None] == codes


def test_a_star_waits_five_seconds_for_its_key_and_the_end_for_its_confirmation() -> None:
    keypad = Keypad()
    keypad.press("*", 0.0)
    assert keypad.press("6", 5.1) is None
    keypad.press("*", 10.0)
    assert keypad.press("4", 11.0) == "*4"
    assert keypad.press("#", 16.1) is None
