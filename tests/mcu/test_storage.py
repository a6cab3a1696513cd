"""Both storages keep what they are given; the SQLite one survives full disks, broken files and full queues."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mcu.errors import StorageError
from mcu.storage.base import Account, AuditRecord, Binding, CallRecord, RoomRecord, RoomState, Storage
from mcu.storage.folder import DataLock
from mcu.storage.memory import MemoryStorage
from mcu.storage.schema import MIGRATIONS, migrate
from mcu.storage.seal import _make_key, seal_of
from mcu.storage.sqlite import FILE_NAME, SqliteStorage

ALICE = Account("alice", "Alice Ärmel", "sha256", "0" * 64, True, 1000.5)
BOB = Account("bob", "Bob", "md5", "1" * 32, False, 1001.0)
DAILY = RoomRecord("daily", "1234", None, True, 50, "alice", 1002.0)
BINDING = Binding("alice", "sip:alice@192.0.2.7", "192.0.2.7:5060", "UDP", "a@b", 7, 5000.0, "Phone/1", "<urn:uuid:1>")


def call_record(number: int, started_at: float = 0.0) -> CallRecord:
    """A call that has just begun."""
    return CallRecord(f"call-{number}", "daily", "alice", "sip:alice@example.org", "Alice", "192.0.2.7:5060", "UDP", "Phone/1",
                      started_at or float(number))


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """Each kind of storage in turn."""
    made: Storage = MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path)
    yield made
    made.close()


def test_accounts_are_kept_replaced_and_deleted(storage: Storage) -> None:
    storage.put_account(BOB)
    storage.put_account(ALICE)
    assert storage.accounts() == [ALICE, BOB]
    storage.put_account(replace(BOB, ha1="2" * 32))
    storage.delete_account("alice")
    storage.delete_account("nobody")
    assert storage.accounts() == [replace(BOB, ha1="2" * 32)]


def test_rooms_are_kept_and_deleted(storage: Storage) -> None:
    storage.put_room(DAILY)
    storage.put_room(replace(DAILY, name="all-hands", pin=None, lobby=False))
    assert storage.rooms() == [replace(DAILY, name="all-hands", pin=None, lobby=False), DAILY]
    storage.delete_room("all-hands")
    assert storage.rooms() == [DAILY]


def test_facts_are_kept_and_replaced(storage: Storage) -> None:
    assert storage.get_meta("domain") is None
    storage.set_meta("domain", "a.example")
    storage.set_meta("domain", "b.example")
    assert storage.get_meta("domain") == "b.example"


def test_a_call_is_written_at_its_begin_and_again_at_its_end(storage: Storage) -> None:
    begun = call_record(1)
    ended = replace(begun, answered_at=2.0, ended_at=3.0, codec="opus", packets_in=50, mos=4.4, jitter_ms=1.5, status=200)
    storage.put_call(begun)
    storage.put_call(ended)
    storage.flush()
    assert storage.calls() == [ended]
    assert storage.call("call-1") == ended
    assert storage.call("call-2") is None


def test_the_newest_calls_come_first_and_a_used_call_id_replaces_nothing(storage: Storage) -> None:
    for number in range(1, 6):
        storage.put_call(call_record(number))
    again = call_record(2, 100.0)
    storage.put_call(again)
    storage.flush()
    assert [call.started_at for call in storage.calls(3)] == [100.0, 5.0, 4.0]
    assert len(storage.calls()) == 6
    assert storage.call("call-2") == again


def test_calls_left_open_get_an_end(storage: Storage) -> None:
    storage.put_call(replace(call_record(1), ended_at=1.5, cause="bye"))
    storage.put_call(call_record(2))
    storage.end_open_calls("the server ended", 9.0)
    assert [(call.ended_at, call.cause) for call in storage.calls()] == [(9.0, "the server ended"), (1.5, "bye")]


def test_bindings_are_replaced_by_contact_and_removed(storage: Storage) -> None:
    other = replace(BINDING, contact="sip:alice@192.0.2.8", instance=None)
    storage.put_binding(BINDING)
    storage.put_binding(other)
    storage.put_binding(replace(BINDING, cseq=8))
    storage.flush()
    assert storage.bindings() == [replace(BINDING, cseq=8), other]
    storage.delete_binding("alice", BINDING.contact)
    storage.flush()
    assert storage.bindings() == [other]


def test_what_a_room_remembers_is_replaced_and_forgotten(storage: Storage) -> None:
    for state in (RoomState("daily", "{}", 1.0), RoomState("daily", '{"a": 1}', 2.0, 3.0), RoomState("b", "{}", 1.0)):
        storage.put_room_state(state)
    storage.flush()
    assert storage.room_states() == [RoomState("b", "{}", 1.0), RoomState("daily", '{"a": 1}', 2.0, 3.0)]
    storage.delete_room_state("b")
    storage.flush()
    assert [state.name for state in storage.room_states()] == ["daily"]


def test_the_audit_log_tells_the_newest_first_of_one_room_or_all(storage: Storage) -> None:
    rows = [AuditRecord(float(at), room, "sip:alice@example.org", "kick", "sip:bob@example.org", "loud")
            for at, room in enumerate(("daily", "weekly", "daily"))]
    for row in rows:
        storage.put_audit(row)
    storage.flush()
    assert storage.audit() == rows[::-1]
    assert storage.audit("daily") == [rows[2], rows[0]]
    assert storage.audit("daily", 1) == [rows[2]]


def test_everything_is_there_again_after_closing(tmp_path: Path) -> None:
    first = SqliteStorage(tmp_path)
    first.put_account(ALICE)
    first.put_call(call_record(1))
    first.put_binding(BINDING)
    first.close()
    first.close()
    second = SqliteStorage(tmp_path)
    assert (second.accounts(), second.calls(), second.bindings()) == ([ALICE], [call_record(1)], [BINDING])
    second.close()


def test_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    storage = SqliteStorage(folder)
    storage.put_account(ALICE)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    storage.close()
    assert modes[FILE_NAME] == 0o600
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_ten_thousand_calls_are_written_in_batches_and_none_is_lost(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    for number in range(10_000):
        storage.put_call(call_record(number))
    storage.flush()
    assert storage.lost_writes == 0
    assert len(storage.calls(20_000)) == 10_000
    storage.close()


def test_a_full_queue_blocks_nobody_and_is_counted(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path, queue_size=10)
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(1000):
            storage.put_call(call_record(number))
        assert storage.lost_writes >= 1000 - 200 - 10 - 200
        other.rollback()
    other.close()
    storage.flush()
    assert len(storage.calls(2000)) + storage.lost_writes == 1000
    storage.close()


def test_a_full_disk_is_said_in_words_and_writes_nothing_by_halves(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path, max_bytes=200_000)
    storage.put_account(ALICE)
    for number in range(3000):
        storage.put_call(replace(call_record(number), reason="x" * 100))
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        for number in range(3000):
            storage.put_account(replace(BOB, name=f"bob{number}", display_name="b" * 120))
    kept = len(storage.accounts()) - 1
    assert kept == number
    assert 0 < storage.lost_writes < 3000
    storage.close()
    again = SqliteStorage(tmp_path)
    assert len(again.calls(5000)) == 3000 - storage.lost_writes
    assert len(again.accounts()) == kept + 1
    again.close()


def test_a_killed_process_leaves_whole_records(tmp_path: Path) -> None:
    program = f"""
import itertools, pathlib, sys
from dataclasses import replace
from mcu.storage.sqlite import SqliteStorage
from tests.mcu.test_storage import call_record
storage = SqliteStorage(pathlib.Path({str(tmp_path)!r}))
for number in itertools.count():
    storage.put_call(replace(call_record(number), reason="r" * 500))
    if number % 100 == 99:
        storage.flush()
        print(number, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    flushed = [int(process.stdout.readline()) for _ in range(10)][-1]
    process.kill()
    flushed = max([flushed, *map(int, process.stdout.read().split())])
    process.wait(10)
    process.stdout.close()
    storage = SqliteStorage(tmp_path)
    calls = storage.calls(100_000)
    storage.close()
    assert len(calls) >= flushed + 1
    assert sorted(call.started_at for call in calls) == [float(number) for number in range(len(calls))]
    assert {call.reason for call in calls} == {"r" * 500}
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_one_bad_row_costs_that_row_alone(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    for number in range(20):
        storage.put_call(replace(call_record(number), packets_in=2**70 if number == 7 else 1))
    storage.flush()
    assert storage.lost_writes == 1
    assert len(storage.calls()) == 19
    storage.close()


def test_text_that_is_no_unicode_is_kept_as_well_as_can_be(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    storage.put_call(replace(call_record(1), display_name="caf\udce9"))
    storage.flush()
    assert [call.display_name for call in storage.calls()] == ["caf\\udce9"]
    storage.close()


@pytest.mark.parametrize("content", [b"this is no database, but a letter. " * 50, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_broken_file_is_said_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StorageError, match=r"confero\.db: .*(no database|damaged); restore it from a backup"):
        SqliteStorage(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"file.*see to the owner and the mode"):
        SqliteStorage(tmp_path / "file")


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    SqliteStorage(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match=r"its version is 99, .*install a newer confero"):
        SqliteStorage(tmp_path)


def test_a_migration_is_done_as_a_whole_or_not_at_all() -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    migrate(database)
    with pytest.raises(sqlite3.Error):
        migrate(database, (*MIGRATIONS, ("ALTER TABLE rooms ADD COLUMN topic TEXT", "no SQL")))
    assert "topic" not in {row[1] for row in database.execute("PRAGMA table_info(rooms)")}
    migrate(database, (*MIGRATIONS, ("ALTER TABLE rooms ADD COLUMN topic TEXT",)))
    assert "topic" in {row[1] for row in database.execute("PRAGMA table_info(rooms)")}
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    database.close()


def test_writing_to_a_closed_database_is_an_error_at_once(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        storage.put_account(ALICE)


def test_a_data_folder_has_one_holder(tmp_path: Path) -> None:
    first, second = DataLock(tmp_path / "data"), DataLock(tmp_path / "data")
    first.acquire()
    with pytest.raises(StorageError, match="another server is running on the data folder"):
        second.acquire(wait_s=0.1)
    first.release()
    second.acquire(wait_s=0.1)
    second.release()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["confero.lock"]


def stored_ha1(folder: Path, name: str) -> str:
    """The column as it stands in the file."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        found: str = database.execute("SELECT ha1 FROM accounts WHERE name = ?", (name,)).fetchone()[0]
        return found


def all_bytes(folder: Path) -> bytes:
    """All files of a data folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_an_ha1_is_sealed_under_a_key_of_its_own_file(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.put_account(replace(ALICE, ha1="5ec2e7" * 10))
        first = stored_ha1(tmp_path, "alice")
        storage.put_account(replace(ALICE, ha1="5ec2e7" * 10))
    assert first.startswith("gcm1:") and stored_ha1(tmp_path, "alice") != first
    assert b"5ec2e7" not in all_bytes(tmp_path)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with closing(SqliteStorage(tmp_path)) as storage:
        assert storage.accounts() == [replace(ALICE, ha1="5ec2e7" * 10)]


def test_open_ha1s_of_an_older_version_are_sealed_and_leave_no_trace(tmp_path: Path) -> None:
    SqliteStorage(tmp_path).close()
    (tmp_path / "key").unlink()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        for account in (ALICE, BOB):
            database.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, NULL)",
                             (account.name, account.display_name, account.algorithm, "0be9" * 8, account.is_admin, 1.0))
    assert b"0be9" in all_bytes(tmp_path)
    with closing(SqliteStorage(tmp_path)) as storage:
        assert [account.ha1 for account in storage.accounts()] == ["0be9" * 8] * 2
    assert b"0be9" not in all_bytes(tmp_path)
    with closing(SqliteStorage(tmp_path)) as storage:
        assert [account.ha1 for account in storage.accounts()] == ["0be9" * 8] * 2


def test_a_missing_wrong_or_damaged_key_is_said_in_words_and_makes_no_new_one(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.put_account(ALICE)
    key = (tmp_path / "key").read_text()
    (tmp_path / "key").unlink()
    with pytest.raises(StorageError, match=r"key is missing.*backup"):
        SqliteStorage(tmp_path)
    assert not (tmp_path / "key").exists()
    for text in ("", "junk", key[:-3], "\xff"):
        (tmp_path / "key").write_text(text)
        with pytest.raises(StorageError, match="damaged"):
            SqliteStorage(tmp_path)
    (tmp_path / "key").write_text("00" * 32)
    with closing(SqliteStorage(tmp_path)) as storage, pytest.raises(StorageError, match="not the key of this database"):
        storage.accounts()
    (tmp_path / "key").write_text(key)
    with closing(SqliteStorage(tmp_path)) as storage:
        assert storage.accounts() == [ALICE]


def test_a_sealed_secret_opens_in_its_own_row_only(tmp_path: Path) -> None:
    seal = seal_of(tmp_path, may_make=True)
    stored = seal.close("secret", "alice")
    assert seal.open(stored, "alice") == "secret"
    for broken, row in ((stored, "bob"), (stored[:-8] + "AAAAAAA=", "alice"), ("gcm1:", "alice"), ("gcm1:é", "alice")):
        with pytest.raises(StorageError):
            seal.open(broken, row)


def test_of_two_that_make_a_key_at_once_both_have_the_first(tmp_path: Path) -> None:
    stored = seal_of(tmp_path, may_make=True).close("secret", "x")
    _make_key(tmp_path / "key")
    assert seal_of(tmp_path, may_make=True).open(stored, "x") == "secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
