"""Who sits where in a composed picture."""

from __future__ import annotations

from mcu.engine.composing import Face
from mcu.picture.seating import seated


def faces(pictures: str, silent: str = "") -> tuple[Face, ...]:
    """People called by letters, with a picture or without, in that order."""
    return tuple(Face(ord(one), one, one in pictures) for one in pictures + silent)


def seats(before: str, there: tuple[Face, ...], speakers: str = "", count: int = 4) -> str:
    """Those who sit, as letters."""
    found = seated([ord(one) for one in before], there, [ord(one) for one in speakers], count)
    return "".join(map(chr, found))


def test_seats_go_to_those_with_a_picture_first_then_in_the_order_of_joining() -> None:
    assert seats("", faces("bd", "ac")) == "bdac"
    assert seats("", faces("bdefgh", "ac")) == "bdef"


def test_who_sits_keeps_their_place() -> None:
    assert seats("dcba", faces("abcd"), "abcd") == "dcba"
    assert seats("dcba", faces("abd", "c"), "b") == "dcba"


def test_who_leaves_makes_room_for_the_next() -> None:
    assert seats("abcd", faces("acdef")) == "acde"


def test_who_speaks_takes_the_seat_of_who_has_been_silent_longest() -> None:
    assert seats("abcd", faces("abcdef"), "f") == "fbcd"
    assert seats("abcd", faces("abcdef"), "fab") == "abfd"
    assert seats("abfd", faces("abcdef"), "fabd") == "abfd"


def test_who_speaks_takes_the_seat_of_somebody_without_a_picture_before_all_others() -> None:
    assert seats("abcz", faces("abcd", "zy"), "yabc") == "abcy"


def test_a_new_picture_takes_the_seat_of_an_avatar_that_does_not_speak() -> None:
    assert seats("abyz", faces("abc", "yz"), "y") == "abyc"
    assert seats("abcd", faces("abcde")) == "abcd"


def test_nobody_sits_twice_and_nobody_who_is_not_there() -> None:
    assert seats("aq", faces("ab"), "bqa") == "ab"
    assert seats("", ()) == ""
