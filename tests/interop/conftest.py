"""One server for the tests with stock clients that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confero.testing import Server, start_server

PASSWORD = "correct-horse-battery"
ACCOUNTS = ("anna", "bernd", "clara")


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with open rooms and three accounts."""
    server = start_server(tmp_path_factory.mktemp("house"), "--open")
    try:
        for name in ACCOUNTS:
            server.json("user", "add", name, "--password", PASSWORD)
        yield server
    finally:
        server.stop()
