"""What is the owner's own doing, and what of it takes control back."""

from __future__ import annotations

import pytest

from softphone.remote.takeback import ESCAPE_S, MAX_NOTED, MEMORY_S, Done, TakeBack


def begun() -> TakeBack:
    """Rules of a session that began with the pointer at 100, 100."""
    rules = TakeBack()
    rules.begin(100, 100)
    return rules


@pytest.mark.parametrize(("pause", "reason"), [(ESCAPE_S, "Escape twice"), (ESCAPE_S + 0.01, "")])
def test_two_escapes_shortly_after_each_other_take_control_back(pause: float, reason: str) -> None:
    rules = begun()
    rules.press_key(True, 5.0)
    assert rules.reason == ""
    rules.press_key(True, 5.0 + pause)
    assert rules.reason == reason


def test_another_key_between_two_escapes_means_something_else() -> None:
    rules = begun()
    for is_escape in (True, False, True):
        rules.press_key(is_escape, 1.0)
    assert rules.reason == ""


def test_bump_at_the_table_is_no_wish_and_a_movement_is() -> None:
    rules = begun()
    rules.move(105, 95)
    assert rules.reason == ""
    rules.move(105, 94)
    assert rules.reason == "the own mouse was moved"


def test_pointer_that_the_other_side_moved_is_where_it_belongs() -> None:
    rules = begun()
    rules.note(Done("motion", 0, 400, 300), 1.0)
    rules.move(402, 300)
    assert rules.reason == ""
    rules.move(100, 100)
    assert rules.reason == "the own mouse was moved"


def test_each_thing_that_we_sent_answers_for_one_that_was_seen() -> None:
    rules = begun()
    rules.note(Done("key", 9), 1.0)
    assert rules.is_ours(Done("key", 9), 1.1)
    assert not rules.is_ours(Done("key", 9), 1.2)
    rules.note(Done("key", 9), 2.0)
    assert not rules.is_ours(Done("key", 10), 2.1) and not rules.is_ours(Done("button", 9), 2.1)


def test_what_we_sent_is_forgotten_after_a_while_and_never_too_much() -> None:
    rules = begun()
    rules.note(Done("key", 9), 1.0)
    assert not rules.is_ours(Done("key", 9), 1.1 + MEMORY_S)
    for number in range(2 * MAX_NOTED):
        rules.note(Done("motion", 0, number, 0), 1.0)
    assert len(rules._sent) == MAX_NOTED


def test_first_reason_stays_until_control_is_given_again() -> None:
    rules = begun()
    rules.press_button()
    rules.move(0, 0)
    assert rules.reason == "the own mouse was clicked"
    rules.begin(0, 0)
    assert rules.reason == ""
