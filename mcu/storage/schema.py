"""The tables of the database, as a list of migrations: number n brings a database from version n to n + 1.

The columns of a table are the fields of its record in storage.base, by name and order, so that one function writes and reads
them all. A migration that has been released is never changed; a new field is a new migration.
"""

from __future__ import annotations

import sqlite3

from mcu.errors import StorageError

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE accounts (name TEXT PRIMARY KEY, display_name TEXT NOT NULL, algorithm TEXT NOT NULL, ha1 TEXT NOT NULL, "
        "is_admin INTEGER NOT NULL, created_at REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE rooms (name TEXT PRIMARY KEY, pin TEXT, host_pin TEXT, lobby INTEGER NOT NULL, "
        "max_members INTEGER NOT NULL, owner TEXT, created_at REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE calls (call_id TEXT NOT NULL, room TEXT, account TEXT, remote_uri TEXT NOT NULL, "
        "display_name TEXT NOT NULL, source TEXT NOT NULL, transport TEXT NOT NULL, user_agent TEXT NOT NULL, "
        "started_at REAL NOT NULL, answered_at REAL, ended_at REAL, codec TEXT, packets_in INTEGER NOT NULL, "
        "packets_out INTEGER NOT NULL, lost INTEGER NOT NULL, late INTEGER NOT NULL, concealed INTEGER NOT NULL, "
        "jitter_ms REAL, rtt_ms REAL, mos REAL, cause TEXT, status INTEGER, reason TEXT, "
        "PRIMARY KEY (call_id, started_at))",
        "CREATE INDEX calls_by_start ON calls (started_at)",
        "CREATE TABLE bindings (aor TEXT NOT NULL, contact TEXT NOT NULL, source TEXT NOT NULL, transport TEXT NOT NULL, "
        "call_id TEXT NOT NULL, cseq INTEGER NOT NULL, expires_at REAL NOT NULL, user_agent TEXT NOT NULL, instance TEXT, "
        "PRIMARY KEY (aor, contact)) WITHOUT ROWID",
    ),
    (
        "ALTER TABLE calls ADD COLUMN suite TEXT",
        "ALTER TABLE calls ADD COLUMN keying TEXT",
    ),
    (
        "ALTER TABLE bindings ADD COLUMN reg_id INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE bindings ADD COLUMN path TEXT NOT NULL DEFAULT ''",
    ),
    (
        "ALTER TABLE accounts ADD COLUMN srtp TEXT",
        "ALTER TABLE rooms ADD COLUMN srtp TEXT",
    ),
    (
        "CREATE TABLE tokens (name TEXT PRIMARY KEY, scope TEXT NOT NULL, digest TEXT NOT NULL, created_at REAL NOT NULL, "
        "expires_at REAL) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE room_states (name TEXT PRIMARY KEY, memory TEXT NOT NULL, changed_at REAL NOT NULL, emptied_at REAL) "
        "WITHOUT ROWID",
        "CREATE TABLE audit (at REAL NOT NULL, room TEXT NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, "
        "target TEXT NOT NULL, detail TEXT NOT NULL, refusal TEXT NOT NULL)",
        "CREATE INDEX audit_by_room ON audit (room, at)",
    ),
)


def migrate(database: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring a database to the newest version, all of it or nothing. Raises StorageError, sqlite3.Error."""
    if _version(database) == len(migrations):
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database)
        if version > len(migrations):
            raise StorageError(f"its version is {version}, and this program knows {len(migrations)}: install a newer confero")
        for migration in migrations[version:]:
            for statement in migration:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(migrations)}")
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version
