"""Secrets as they stand in the database: AES-256-GCM under a key in a file of its own (DATA/key, mode 0600).

A copy of the database alone, such as a backup on another machine, then lets nobody sign in. The row's name is authenticated
with it, so that a secret can't be moved from one account to another. The text is "gcm1:" and base64 of nonce and ciphertext.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcu.errors import StorageError

FILE_NAME = "key"
KEY_BYTES = 32
NONCE_BYTES = 12
PREFIX = "gcm1:"


class Seal:
    """Closes and opens secrets. name: of the key's file, for error messages."""

    def __init__(self, key: bytes, name: str = FILE_NAME) -> None:
        self._cipher = AESGCM(key)
        self._name = name

    def close(self, secret: str, row: str) -> str:
        """A secret as it is stored in a row."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        closed = self._cipher.encrypt(nonce, secret.encode(), row.encode())
        return PREFIX + base64.b64encode(nonce + closed).decode("ascii")

    def open(self, stored: str, row: str) -> str:
        """The secret of a row. Raises StorageError when the key is another one or the row was changed."""
        try:
            data = base64.b64decode(stored.removeprefix(PREFIX), validate=True)
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], row.encode()).decode()
        except (InvalidTag, ValueError):
            raise StorageError(f"{self._name} is not the key of this database, or the row of {row!r} was damaged; restore both "
                               "files from the same backup") from None


def is_closed(stored: str) -> bool:
    """Whether a value was stored by a Seal."""
    return stored.startswith(PREFIX)


def seal_of(folder: Path, *, may_make: bool) -> Seal:
    """The seal of a data folder. may_make: nothing is sealed yet, so a missing key can be made.

    Raises StorageError for a missing or damaged key, OSError.
    """
    path = folder / FILE_NAME
    if may_make and not path.exists():
        _make_key(path)
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        raise StorageError(f"{path} is missing, and without it the passwords of the database can't be read; restore it from a "
                           "backup") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StorageError(f"{path} is damaged: {2 * KEY_BYTES} hexadecimal digits were expected; restore it from a backup")
    return Seal(key, str(path))


def _make_key(path: Path) -> None:
    """Make a key, on the disk before it is used; when another process was faster, its key is the one."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(secrets.token_hex(KEY_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink()
