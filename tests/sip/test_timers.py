"""The queue of timers of the transactions (RFC 3261 §17): timers are data, and time is a number."""

from __future__ import annotations

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st

from sip.timers import Timers


def test_timers_fire_in_order_and_once() -> None:
    timers = Timers()
    timers.start(("x", "b"), 2.0)
    timers.start(("x", "a"), 1.0)
    timers.start(("x", "c"), 3.0)
    assert timers.next() == 1.0
    assert list(timers.due(2.5)) == [("x", "a"), ("x", "b")]
    assert list(timers.due(2.5)) == []
    assert (timers.next(), len(timers)) == (3.0, 1)


def test_a_timer_that_is_started_again_moves() -> None:
    timers = Timers()
    timers.start(("x", "a"), 1.0)
    timers.start(("x", "a"), 5.0)
    assert list(timers.due(4.0)) == []
    assert list(timers.due(5.0)) == [("x", "a")]


def test_a_stopped_timer_does_not_fire_and_stopping_twice_is_no_error() -> None:
    timers = Timers()
    timers.start(("x", "a"), 1.0)
    timers.stop(("x", "a"))
    timers.stop(("x", "a"))
    assert timers.next() is None and list(timers.due(9.0)) == []


def test_a_timer_stopped_while_others_fire_does_not_fire() -> None:
    timers = Timers()
    timers.start(("x", "a"), 1.0)
    timers.start(("x", "b"), 1.0)
    fired = []
    for key in timers.due(2.0):
        fired.append(key)
        timers.stop(("x", "b"))
    assert fired == [("x", "a")]


class Owner:
    """Something that has timers."""


def test_stopped_timers_do_not_keep_their_owners() -> None:
    timers, last = Timers(), None
    for number in range(2000):
        owner = Owner()
        timers.start((owner, "C"), 180.0 + number)
        timers.stop((owner, "C"))
        last = last or weakref.ref(owner)
    del owner
    gc.collect()
    assert last is not None and last() is None
    assert len(timers) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50) | st.none()), max_size=60))
def test_what_fires_is_what_was_started_last(steps: list[tuple[int, int | None]]) -> None:
    timers: Timers = Timers()
    expected: dict[int, int] = {}
    for key, at in steps:
        if at is None:
            timers.stop((key, "t"))
            expected.pop(key, None)
        else:
            timers.start((key, "t"), float(at))
            expected[key] = at
    assert timers.next() == (min(expected.values()) if expected else None)
    fired = [key for key, _ in timers.due(100.0)]
    assert sorted(fired) == sorted(expected)
    assert [expected[key] for key in fired] == sorted(expected.values())
