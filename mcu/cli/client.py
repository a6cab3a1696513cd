"""Carries a verb to the running server of a data folder, or carries it out on the database where none runs."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from mcu.api import control
from mcu.errors import CommandError
from mcu.storage.folder import DataLock, default_folder

READING = frozenset({"user.list", "room.list", "room.show", "room.people", "call.list", "call.show", "reg.list",
                     "token.list"})
"""Verbs that change nothing: they need no lock, and make no data folder where there is none."""
WAIT_S = 10.0


def execute(data: Path | None, verb: str, arguments: dict[str, Any]) -> Any:
    """Carry out a verb. Raises CommandError, StorageError; the text is for a person.

    A change of the database waits (10 s at most) for a server that is starting or stopping, so that it can't be missed.
    """
    folder = data or default_folder()
    ends_at = time.monotonic() + WAIT_S
    while True:
        try:
            return control.call(folder / control.FILE_NAME, verb, arguments)
        except control.NoServerError:
            pass
        if verb in READING:
            return _execute_here(folder, verb, arguments)
        lock = DataLock(folder)
        if lock.try_acquire():
            try:
                return _execute_here(folder, verb, arguments)
            finally:
                lock.release()
        if time.monotonic() > ends_at:
            raise CommandError(f"a server on {folder} is starting or stopping; try again")
        time.sleep(0.05)


def _execute_here(folder: Path, verb: str, arguments: dict[str, Any]) -> Any:
    from mcu.administration import Administration
    from mcu.directory import Directory
    from mcu.storage.memory import MemoryStorage
    from mcu.storage.sqlite import FILE_NAME, SqliteStorage

    has_nothing = verb in READING and not (folder / FILE_NAME).exists()
    with closing(MemoryStorage() if has_nothing else SqliteStorage(folder)) as storage:
        return Administration(Directory(storage), storage).execute(verb, arguments)
