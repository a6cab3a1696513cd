"""Garbage is collected by the timer of the window's thread, and by no other thread."""

from __future__ import annotations

import gc
import threading
import tkinter as tk
from collections.abc import Callable
from typing import cast

from softphone.ui.collecting import FULL_EVERY, collected_here


class Timer:
    """In place of Tk's: runs when it is told."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def after(self, _delay_ms: int, callback: Callable[[], None]) -> None:
        """Keep it."""
        self.waiting.append(callback)

    def run(self) -> None:
        """The time has come."""
        self.waiting.pop()()


class Picture:
    """Garbage that only the collector finds, and that tells which thread has found it."""

    def __init__(self, found_by: list[int]) -> None:
        self.itself = self
        self.found_by = found_by

    def __del__(self) -> None:
        self.found_by.append(threading.get_ident())


def make_much() -> None:
    """Enough objects for the collector to begin by itself, were it not told otherwise."""
    assert len([[] for _ in range(20_000)]) == 20_000


def in_another_thread(work: Callable[[], None]) -> None:
    """Do it there, and wait."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_another_thread_finds_garbage_where_nothing_is_done_about_it() -> None:
    found_by: list[int] = []
    gc.collect()
    Picture(found_by)
    in_another_thread(make_much)
    assert len(found_by) == 1 and found_by != [threading.get_ident()]


def test_garbage_is_collected_by_the_timer_alone() -> None:
    found_by: list[int] = []
    timer = Timer()
    with collected_here(cast("tk.Misc", timer)):
        Picture(found_by)
        in_another_thread(make_much)
        assert found_by == []
        timer.run()
        assert found_by == [threading.get_ident()]
        assert len(timer.waiting) == 1
    assert gc.isenabled()


def test_what_has_lived_long_is_found_by_a_later_round() -> None:
    found_by: list[int] = []
    timer = Timer()
    with collected_here(cast("tk.Misc", timer)):
        pictures = [Picture(found_by)]
        timer.run()
        timer.run()
        pictures.clear()
        timer.run()
        assert found_by == []
        for _ in range(FULL_EVERY):
            timer.run()
        assert found_by == [threading.get_ident()]


def test_at_the_end_nothing_is_left_for_another_thread() -> None:
    found_by: list[int] = []
    with collected_here(cast("tk.Misc", Timer())):
        Picture(found_by)
    assert found_by == [threading.get_ident()]
