"""The data folder: where it is, and who may change it: one server for all its life, or a command for a moment.

The lock ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import platformdirs

from mcu.errors import StorageError

FILE_NAME = "confero.lock"


def default_folder() -> Path:
    """Where a user's server keeps what it has to keep, by the platform's custom."""
    return Path(platformdirs.user_data_dir("confero"))


class DataLock:
    """The lock of a data folder. Not reentrant: two of them exclude each other within one process, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = -1

    def try_acquire(self) -> bool:
        """Take the lock when it is free. Raises StorageError when the folder can't be written."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}; see to the owner and the mode of the data folder"
            raise StorageError(reason) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, wait_s: float = 2.0) -> None:
        """Take the lock; a command that holds it just now is waited for. Raises StorageError when a server holds it."""
        ends_at = time.monotonic() + wait_s
        while not self.try_acquire():
            if time.monotonic() > ends_at:
                raise StorageError(f"another server is running on the data folder {self.folder}; stop it first, or choose "
                                   "another folder with --data")
            time.sleep(0.02)

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
