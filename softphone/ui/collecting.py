"""Garbage is collected in Tk's thread alone.

A picture or font of Tk that the collector finds in another thread makes that thread wait for Tk's; when it holds something then
that Tk's thread waits for, such as the lock of the bridge, neither goes on. So the collector does not run by itself while the
window is open, but here, by a timer of Tk's.
"""

from __future__ import annotations

import gc
import tkinter as tk
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_MS = 1000
FULL_EVERY = 30
"""So many rounds of young garbage, then all of it."""


@contextmanager
def collected_here(root: tk.Misc) -> Iterator[None]:
    """Until the end the collector runs in this thread, by the timer of `root`. What there is already is passed over from now
    on, so that a round stops the sound for no moment that could be heard."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()

    def collect() -> None:
        gc.collect(2 if gc.get_count()[2] >= FULL_EVERY else 1)
        root.after(EVERY_MS, collect)

    root.after(EVERY_MS, collect)
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if was_enabled:
            gc.enable()
