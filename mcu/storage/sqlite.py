"""Storage in one SQLite file (WAL), mode 0600; one thread writes, reads happen in the thread that asks. HA1s are sealed.

Reads see what is committed; `flush()` first to see what was just written behind.
"""

from __future__ import annotations

import contextlib
import operator
import os
import sqlite3
import threading
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from mcu.errors import StorageError
from mcu.storage.base import Account, AuditRecord, Binding, CallRecord, RoomRecord, RoomState, TokenRecord
from mcu.storage.schema import migrate
from mcu.storage.seal import Seal, is_closed, seal_of
from mcu.storage.writer import QUEUE_SIZE, Value, Writer

FILE_NAME = "confero.db"
KEPT_CALLS = 100_000
"""Calls kept; older ones are removed when the database is opened (about 30 MB)."""
KEPT_AUDIT = 100_000
"""Rows of the audit log that are kept, likewise."""
WAIT_S = 10.0
BUSY_S = 5.0


def _insert(table: str, record: type[Any]) -> str:
    columns = [field.name for field in fields(record)]
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _select(table: str, record: type[Any]) -> str:
    return f"SELECT {', '.join(field.name for field in fields(record))} FROM {table}"  # noqa: S608


_PUT_ACCOUNT = _insert("accounts", Account)
_PUT_ROOM = _insert("rooms", RoomRecord)
_PUT_TOKEN = _insert("tokens", TokenRecord)
_PUT_CALL = _insert("calls", CallRecord)
_PUT_BINDING = _insert("bindings", Binding)
_PUT_STATE = _insert("room_states", RoomState)
_PUT_AUDIT = _insert("audit", AuditRecord)
_ACCOUNTS = _select("accounts", Account) + " ORDER BY name"
_HA1S = "SELECT name, ha1 FROM accounts"
_ROOMS = _select("rooms", RoomRecord) + " ORDER BY name"
_TOKENS = _select("tokens", TokenRecord) + " ORDER BY name"
_CALL = _select("calls", CallRecord) + " WHERE call_id = ? ORDER BY started_at DESC LIMIT 1"
_CALLS = _select("calls", CallRecord) + " ORDER BY started_at DESC LIMIT ?"
_BINDINGS = _select("bindings", Binding) + " ORDER BY aor, contact"
_STATES = _select("room_states", RoomState) + " ORDER BY name"
_AUDIT = _select("audit", AuditRecord) + " WHERE ?1 IS NULL OR room = ?1 ORDER BY rowid DESC LIMIT ?2"
_FORGET_OLD_AUDIT = "DELETE FROM audit WHERE rowid <= (SELECT max(rowid) FROM audit) - ?"
_FORGET_OLD_CALLS = (
    "DELETE FROM calls WHERE started_at < (SELECT started_at FROM calls ORDER BY started_at DESC LIMIT 1 OFFSET ?)"
)

_REMEDIES = (
    ("SQLITE_FULL", "the disk is full; free some space there"),
    ("SQLITE_IOERR", "the disk could not be read or written; see whether it is full or failing"),
    ("SQLITE_NOTADB", "this is no database; restore it from a backup, or move it away to begin anew"),
    ("SQLITE_CORRUPT", "the database is damaged; restore it from a backup, or move it away to begin anew"),
    ("SQLITE_READONLY", "it can't be written; see to the owner and the mode of file and folder"),
    ("SQLITE_CANTOPEN", "it can't be opened; see to the owner and the mode of file and folder"),
    ("SQLITE_PERM", "it can't be opened; see to the owner and the mode of file and folder"),
    ("SQLITE_BUSY", "another program keeps it locked; end that program"),
    ("SQLITE_LOCKED", "another program keeps it locked; end that program"),
)


class SqliteStorage:
    """A `Storage` in `folder`/confero.db. Raises StorageError when it can't be opened.

    folder: made with mode 0700 where it is missing; max_bytes: the file never outgrows it; queue_size: writes that may wait.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = None, queue_size: int = QUEUE_SIZE) -> None:
        self.path = folder / FILE_NAME
        self._read_lock = threading.Lock()
        self._is_closed = False
        writing: sqlite3.Connection | None = None
        try:
            _make_private(self.path)
            writing = self._connect()
            if max_bytes is not None:
                size: int = writing.execute("PRAGMA page_size").fetchone()[0]
                writing.execute(f"PRAGMA max_page_count = {max_bytes // size}")
            migrate(writing)
            self._seal = _settle_seal(folder, writing)
            writing.execute(_FORGET_OLD_CALLS, (KEPT_CALLS,))
            writing.execute(_FORGET_OLD_AUDIT, (KEPT_AUDIT,))
            self._reading = self._connect()
            self._reading.execute("PRAGMA query_only = ON")
        except (OSError, sqlite3.Error, StorageError) as error:
            if writing is not None:
                writing.close()
            raise StorageError(self._explain(error)) from error
        self._writer = Writer(writing, self._explain, queue_size)

    @property
    def lost_writes(self) -> int:
        """How many calls and bindings could not be written since the start."""
        return self._writer.lost

    def get_meta(self, key: str) -> str | None:
        """A fact about the server."""
        rows = self._read("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        rows = self._read(_ACCOUNTS)
        return [Account(name, shown, algorithm, self._seal.open(ha1, name), bool(admin), *others)
                for name, shown, algorithm, ha1, admin, *others in rows]

    def put_account(self, account: Account) -> None:
        """Keep an account."""
        self._write(_PUT_ACCOUNT, *_values(replace(account, ha1=self._seal.close(account.ha1, account.name))))

    def delete_account(self, name: str) -> None:
        """Forget an account."""
        self._write("DELETE FROM accounts WHERE name = ?", name)

    def rooms(self) -> list[RoomRecord]:
        """All permanent rooms, by name."""
        rows = self._read(_ROOMS)
        return [RoomRecord(name, pin, host_pin, bool(lobby), *others) for name, pin, host_pin, lobby, *others in rows]

    def put_room(self, room: RoomRecord) -> None:
        """Keep a room."""
        self._write(_PUT_ROOM, *_values(room))

    def delete_room(self, name: str) -> None:
        """Forget a room."""
        self._write("DELETE FROM rooms WHERE name = ?", name)

    def tokens(self) -> list[TokenRecord]:
        """All tokens, by name."""
        return [TokenRecord(*row) for row in self._read(_TOKENS)]

    def put_token(self, token: TokenRecord) -> None:
        """Keep a token."""
        self._write(_PUT_TOKEN, *_values(token))

    def delete_token(self, name: str) -> None:
        """Forget a token."""
        self._write("DELETE FROM tokens WHERE name = ?", name)

    def call(self, call_id: str) -> CallRecord | None:
        """The newest call with this id."""
        rows = self._read(_CALL, call_id)
        return CallRecord(*rows[0]) if rows else None

    def calls(self, limit: int = 50) -> list[CallRecord]:
        """The last calls, newest first."""
        rows = self._read(_CALLS, limit)
        return [CallRecord(*row) for row in rows]

    def put_call(self, call: CallRecord) -> None:
        """Write a call behind."""
        self._writer.write_behind(_PUT_CALL, _values(call))

    def end_open_calls(self, cause: str, ended_at: float) -> None:
        """Give an end to the calls that have none."""
        self._write("UPDATE calls SET cause = ?, ended_at = ? WHERE ended_at IS NULL", cause, ended_at)

    def bindings(self) -> list[Binding]:
        """All bindings, expired ones too."""
        return [Binding(*row) for row in self._read(_BINDINGS)]

    def put_binding(self, binding: Binding) -> None:
        """Write a binding behind."""
        self._writer.write_behind(_PUT_BINDING, _values(binding))

    def delete_binding(self, aor: str, contact: str) -> None:
        """Remove a binding behind."""
        self._writer.write_behind("DELETE FROM bindings WHERE aor = ? AND contact = ?", (_clean(aor), _clean(contact)))

    def room_states(self) -> list[RoomState]:
        """What rooms remember, by name."""
        return [RoomState(*row) for row in self._read(_STATES)]

    def put_room_state(self, state: RoomState) -> None:
        """Write what a room remembers, behind."""
        self._writer.write_behind(_PUT_STATE, _values(state))

    def delete_room_state(self, name: str) -> None:
        """Forget it, behind."""
        self._writer.write_behind("DELETE FROM room_states WHERE name = ?", (_clean(name),))

    def put_audit(self, record: AuditRecord) -> None:
        """Write a row of the audit log, behind."""
        self._writer.write_behind(_PUT_AUDIT, _values(record))

    def audit(self, room: str | None = None, limit: int = 100) -> list[AuditRecord]:
        """The last rows of the audit log, newest first."""
        return [AuditRecord(*row) for row in self._read(_AUDIT, room, limit)]

    def flush(self) -> None:
        """Wait (10 s at most) until all that was put is written, or counted as lost."""
        try:
            self._writer.flush(WAIT_S)
        except TimeoutError as error:
            raise StorageError(self._explain(error)) from error

    def close(self) -> None:
        """Write what is left and let go of the file."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._writer.close(WAIT_S)
        except TimeoutError as error:
            raise StorageError(self._explain(error)) from error
        finally:
            with self._read_lock:
                self._reading.close()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _read(self, statement: str, *values: Value) -> list[Any]:
        try:
            with self._read_lock:
                return self._reading.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(self._explain(error)) from error

    def _write(self, statement: str, *values: Value) -> None:
        if self._is_closed:
            raise StorageError(f"{self.path}: the database is closed")
        try:
            self._writer.write(statement, values, WAIT_S)
        except (sqlite3.Error, TimeoutError) as error:
            raise StorageError(self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        name = getattr(error, "sqlite_errorname", "")
        for prefix, remedy in _REMEDIES:
            if name.startswith(prefix):
                return f"{self.path}: {remedy}"
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            return f"{error.filename or self.path}: {error.strerror}; see to the owner and the mode of file and folder"
        return f"{self.path}: " + ("the database did not answer in time" if isinstance(error, TimeoutError) else str(error))


def _settle_seal(folder: Path, database: sqlite3.Connection) -> Seal:
    """The seal of this database; HA1s that an older version left open are closed."""
    stored = [ha1 for _, ha1 in database.execute(_HA1S)]
    seal = seal_of(folder, may_make=not any(map(is_closed, stored)))
    if not all(map(is_closed, stored)):
        _close_all(seal, database)
    return seal


def _close_all(seal: Seal, database: sqlite3.Connection) -> None:
    """Close what stands open, all of it or nothing, and leave no trace of it in the file."""
    database.execute("PRAGMA secure_delete = ON")
    database.execute("BEGIN IMMEDIATE")
    try:
        left_open = [(seal.close(ha1, name), name) for name, ha1 in database.execute(_HA1S).fetchall() if not is_closed(ha1)]
        database.executemany("UPDATE accounts SET ha1 = ? WHERE name = ?", left_open)
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
    with contextlib.suppress(sqlite3.OperationalError):         # somebody else reads, or the disk is full: pages that are free
        database.execute("VACUUM")                              # may keep what was changed long ago
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _make_private(path: Path) -> None:
    """The file for its owner alone; SQLite gives the files beside it the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


_COLUMNS = {kind: operator.attrgetter(*(field.name for field in fields(kind)))
            for kind in (Account, RoomRecord, TokenRecord, CallRecord, Binding, RoomState, AuditRecord)}


def _values(record: Account | RoomRecord | TokenRecord | CallRecord | Binding | RoomState | AuditRecord) -> tuple[Value, ...]:
    return tuple([_clean(value) if isinstance(value, str) else value for value in _COLUMNS[type(record)](record)])


def _clean(value: str) -> str:
    """Text that can be stored: what came from the network may hold bytes that are no UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
