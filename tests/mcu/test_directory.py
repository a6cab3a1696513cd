"""Names, passwords and PINs: what is taken, what is refused in words, what is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcu.directory import Directory, machine_name
from mcu.errors import CommandError, StorageError, UsageError
from mcu.storage.base import CallRecord
from mcu.storage.memory import MemoryStorage
from mcu.storage.sqlite import SqliteStorage
from sip.auth import make_ha1


@pytest.fixture
def directory() -> Directory:
    """An empty directory of meet.example."""
    return Directory(MemoryStorage(), "meet.example", clock=lambda: 1000.0)


def test_a_made_password_has_128_bits_and_only_its_hash_is_kept(directory: Directory) -> None:
    account, password = directory.add_account("alice")
    assert re.fullmatch(r"[0-9a-f]{32}", password)
    assert account.ha1 == make_ha1("alice", "meet.example", password, "MD5")
    assert password not in repr(account)
    assert directory.add_account("bob")[1] != password


def test_an_account_for_sha256_has_such_a_hash(directory: Directory) -> None:
    account, _ = directory.add_account("alice", "secret", "sha256")
    assert account.ha1 == make_ha1("alice", "meet.example", "secret", "SHA-256")
    assert (account.algorithm, account.algorithm_name) == ("sha256", "SHA-256")
    with pytest.raises(UsageError, match="the digest is md5 or sha256, not 'sha1'"):
        directory.add_account("bob", "secret", "sha1")


def test_names_are_the_same_in_any_case(directory: Directory) -> None:
    directory.add_account("Alice")
    directory.add_room("Daily")
    assert directory.account("ALICE") is directory.account("alice") is not None
    assert directory.room("DAILY") is directory.room("daily") is not None


@pytest.mark.parametrize("name", ["", "-a", "a b", "a.b", "älice", "a@b", "a\n", "x" * 65, "../a", "a٣"])
def test_names_that_no_phone_could_dial_are_refused(directory: Directory, name: str) -> None:
    with pytest.raises(UsageError, match="the name of a user is made of"):
        directory.add_account(name)
    with pytest.raises(UsageError, match="the name of a room is made of"):
        directory.add_room(name)
    assert directory.accounts() == [] and directory.rooms() == []


def test_a_user_may_have_an_underscore_and_a_room_may_not(directory: Directory) -> None:
    assert directory.add_account("desk_7")[0].name == "desk_7"
    with pytest.raises(UsageError):
        directory.add_room("desk_8")


@pytest.mark.parametrize("name", ["conference", "echo", "tone", "Music"])
def test_names_of_services_are_taken(directory: Directory, name: str) -> None:
    with pytest.raises(CommandError, match="name of a service"):
        directory.add_account(name)
    with pytest.raises(CommandError, match="name of a service"):
        directory.add_room(name)
    assert not directory.is_free(name)


def test_users_and_rooms_share_their_names(directory: Directory) -> None:
    directory.add_account("alice")
    directory.add_room("daily")
    with pytest.raises(CommandError, match="there is a user 'alice' already; choose another name"):
        directory.add_room("alice")
    with pytest.raises(CommandError, match="there is a room 'daily' already; choose another name"):
        directory.add_account("daily")
    with pytest.raises(CommandError, match="there is a user 'alice' already"):
        directory.add_account("alice")
    with pytest.raises(CommandError, match="there is a room 'daily' already"):
        directory.add_room("daily")
    assert not directory.is_free("Alice") and not directory.is_free("daily") and directory.is_free("bob")


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "", "١٢٣٤", "1234\n"])
def test_a_pin_is_four_to_twelve_digits(directory: Directory, pin: str) -> None:
    with pytest.raises(UsageError, match="4 to 12 digits"):
        directory.add_room("daily", pin=pin)
    with pytest.raises(UsageError, match="4 to 12 digits"):
        directory.add_room("daily", host_pin=pin)


def test_made_pins_have_six_digits(directory: Directory) -> None:
    room = directory.add_room("daily", pin="auto")
    assert room.pin is not None and re.fullmatch(r"[0-9]{6}", room.pin)
    assert directory.room("daily") == room


def test_pins_of_room_and_host_differ_and_owners_exist(directory: Directory) -> None:
    with pytest.raises(UsageError, match="have to differ"):
        directory.add_room("daily", pin="1234", host_pin="1234")
    with pytest.raises(CommandError, match="there is no user 'alice'"):
        directory.add_room("daily", owner="alice")
    with pytest.raises(UsageError, match="1 to 10000 members"):
        directory.add_room("daily", max_members=0)
    directory.add_account("alice")
    assert directory.add_room("daily", owner="Alice").owner == "alice"


def test_a_new_password_replaces_the_hash_and_may_change_the_digest(directory: Directory) -> None:
    directory.add_account("alice", "old")
    account, password = directory.set_password("alice", "new")
    assert (account.ha1, password) == (make_ha1("alice", "meet.example", "new"), "new")
    account, _ = directory.set_password("alice", "new", "sha256")
    assert account.ha1 == make_ha1("alice", "meet.example", "new", "SHA-256")
    assert directory.account("alice") == account
    with pytest.raises(CommandError, match="no user 'bob'"):
        directory.set_password("bob")


@pytest.mark.parametrize("password", ["", "a\nb", "x" * 129])
def test_bad_passwords_are_refused_without_being_repeated(directory: Directory, password: str) -> None:
    with pytest.raises(UsageError) as caught:
        directory.add_account("alice", password)
    assert not password or password not in str(caught.value)


def test_what_is_removed_is_gone(directory: Directory) -> None:
    directory.add_account("alice")
    directory.add_room("daily")
    assert directory.remove_account("ALICE").name == "alice"
    assert directory.remove_room("daily").name == "daily"
    with pytest.raises(CommandError):
        directory.remove_account("alice")
    with pytest.raises(CommandError):
        directory.remove_room("daily")
    assert directory.is_free("alice") and directory.is_free("daily")


def test_everything_is_known_again_after_a_restart(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    first = Directory(storage, "meet.example")
    account, _ = first.add_account("alice")
    room = first.add_room("daily", pin="1234")
    key = first.nonce_key
    storage.close()
    storage = SqliteStorage(tmp_path)
    second = Directory(storage)
    assert second.account("alice") == account and second.room("daily") == room
    assert second.domain == "meet.example" and second.nonce_key == key and len(key) == 32
    storage.close()


def test_the_domain_is_fixed_with_the_first_account() -> None:
    storage = MemoryStorage()
    assert Directory(storage).domain == machine_name()
    assert Directory(storage, "First.Example.").domain == "first.example"
    Directory(storage, "meet.example").add_account("alice")
    assert Directory(storage).domain == Directory(storage, "meet.example").domain == "meet.example"
    with pytest.raises(CommandError, match=r"the domain of this data folder is 'meet\.example'"):
        Directory(storage, "other.example")


@pytest.mark.parametrize("domain", ["", "a b", "-a", "a..b", "a/b", "x" * 254])
def test_a_domain_is_a_name(domain: str) -> None:
    with pytest.raises(UsageError, match="a domain such as"):
        Directory(MemoryStorage(), domain)


def test_the_first_start_makes_one_administrator_once() -> None:
    storage = MemoryStorage()
    directory = Directory(storage)
    directory.add_account("alice")
    assert directory.is_first_start
    made = directory.make_first_administrator()
    assert made is not None and made[0].is_admin and made[0].name == "admin" and len(made[1]) == 32
    assert not directory.is_first_start
    assert directory.make_first_administrator() is None and Directory(storage).make_first_administrator() is None


def test_a_start_that_fails_makes_no_administrator_and_fixes_the_domain() -> None:
    storage = MemoryStorage()
    directory = Directory(storage, "meet.example", clock=lambda: 9.0)
    storage.put_call(CallRecord("a", None, None, "sip:a@b", "", "192.0.2.7:5060", "UDP", "", 5.0))
    directory.begin()
    assert directory.is_first_start and directory.accounts() == []
    assert Directory(storage).domain == "meet.example"
    assert [(call.ended_at, call.cause) for call in storage.calls()] == [(9.0, "the server ended")]


def test_an_administrator_made_by_hand_is_enough() -> None:
    directory = Directory(MemoryStorage())
    directory.add_account("root", is_admin=True)
    assert directory.make_first_administrator() is None
    assert not directory.is_first_start
    assert [account.name for account in directory.accounts()] == ["root"]


def test_a_room_called_admin_does_not_stop_the_first_start() -> None:
    directory = Directory(MemoryStorage())
    directory.add_room("admin")
    made = directory.make_first_administrator()
    assert made is not None and made[0].name == "admin2"


def test_what_could_not_be_written_has_not_happened(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    directory = Directory(storage)
    directory.add_account("alice", "old")
    storage.close()
    for change in (lambda: directory.add_account("bob"), lambda: directory.add_room("daily"),
                   lambda: directory.remove_account("alice"), lambda: directory.set_password("alice", "new")):
        with pytest.raises(StorageError):
            change()
    assert [account.name for account in directory.accounts()] == ["alice"] and directory.rooms() == []
    assert directory.accounts()[0].ha1 == make_ha1("alice", directory.domain, "old")
