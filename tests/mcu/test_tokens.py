"""Tokens: shown once, kept as a hash, also over a restart; what makes no sense is refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from mcu.errors import CommandError, UnknownError, UsageError
from mcu.storage.memory import MemoryStorage
from mcu.storage.sqlite import FILE_NAME, SqliteStorage
from mcu.tokens import FIRST, PREFIX, Tokens


def test_a_token_is_found_after_a_restart_and_is_not_in_the_file(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path)) as storage:
        record, secret = Tokens(storage, lambda: 1000.0).add("Grafana", "read", 2)
        Tokens(storage, lambda: 1000.0).add("gone")
        Tokens(storage).remove("gone")
    assert secret.startswith(PREFIX) and secret not in repr(record)
    assert not any(secret.encode() in path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}*"))
    with closing(SqliteStorage(tmp_path)) as storage:
        again = Tokens(storage, lambda: 1000.0)
        assert again.find(secret) == record == again.all()[0]
        assert (record.name, record.scope, record.expires_at) == ("grafana", "read", 1000.0 + 2 * 86400)
        assert again.find(secret[:-1]) is None and again.find("") is None and again.find("\udcff") is None
        assert Tokens(storage, lambda: 1000.0 + 3 * 86400).find(secret) is None


def test_two_tokens_are_never_the_same_and_a_name_is_taken_once() -> None:
    tokens = Tokens(MemoryStorage())
    secrets = {tokens.add(f"t{number}")[1] for number in range(50)}
    assert len(secrets) == 50 and min(map(len, secrets)) == len(PREFIX) + 43
    with pytest.raises(CommandError, match="there is a token 't7' already"):
        tokens.add("T7")
    with pytest.raises(UnknownError, match="there is no token 'x'"):
        tokens.remove("x")


@pytest.mark.parametrize(("name", "scope", "days", "said"), [
    ("a b", "read", None, "a-z, 0-9"), ("", "read", None, "a-z, 0-9"), ("x", "root", None, "read or admin"),
    ("x", "read", 0, "1 to 36500"), ("x" * 65, "read", None, "a-z, 0-9"),
])
def test_what_is_no_token_is_refused_in_words(name: str, scope: str, days: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Tokens(MemoryStorage()).add(name, scope, days)


def test_the_first_start_makes_one_token_and_only_once() -> None:
    tokens = Tokens(MemoryStorage())
    secret = tokens.make_first()
    assert secret is not None
    found = tokens.find(secret)
    assert found is not None and (found.name, found.scope) == (FIRST, "admin")
    assert tokens.make_first() is None
