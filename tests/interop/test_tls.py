"""Stock phones over TLS: they check the server's certificate with its authority, register, and hear each other in a room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.phones import Phones, Result

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
TONES_HZ = {"baresip": 440, "linphone": 850, "confero": 1300}
ACCOUNTS = {"baresip": "anna", "linphone": "bernd", "confero": "clara"}
SECONDS = 12
HEARD_DBFS, SILENT_DBFS = -30.0, -55.0


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with accounts, whose certificate names localhost."""
    server = start_server(tmp_path_factory.mktemp("secure"))
    try:
        for name in ACCOUNTS.values():
            server.json("user", "add", name, "--password", PASSWORD)
        server.json("room", "create", "daily")
        yield server
    finally:
        server.stop()


def meet(server: Server, work: Path) -> tuple[dict[str, Result], list[str]]:
    """All phones in one room; their results, and the transports of the registrations meanwhile."""
    authority = ("--ca", str(server.data / "tls" / "ca.pem"))
    numeric, named = f"127.0.0.1:{server.tls_port}", f"localhost:{server.tls_port}"         # baresip asks DNS alone for names
    registered: list[str] = []
    with Phones(work) as phones:
        common = {"password": PASSWORD, "transport": "tls", "seconds": SECONDS}
        calls = [phones.baresip(f"sip:daily@{numeric}", tone=TONES_HZ["baresip"], codec="opus", user=ACCOUNTS["baresip"],
                                registrar=numeric, domain="127.0.0.1", extra=authority, **common),
                 phones.linphone(f"sip:daily@{named}", tone=TONES_HZ["linphone"], codec="g722", user=ACCOUNTS["linphone"],
                                 registrar=named, domain="localhost", extra=authority, **common),
                 phones.confero(f"sip:daily@{named}", tone=TONES_HZ["confero"], user=ACCOUNTS["confero"],
                                extra=("--config", str(work / "phone.toml")), **common)]
        deadline = time.monotonic() + 30
        while len(registered) < len(calls) and time.monotonic() < deadline:
            time.sleep(0.3)
            registered = max(registered, [binding["transport"] for binding in server.json("reg", "list")], key=len)
        return {call.name: call.finish() for call in calls}, registered


def test_phones_with_tls_hear_each_other(secure: Server, tmp_path: Path) -> None:
    results, registered = meet(secure, tmp_path)
    for name, result in results.items():
        assert result.is_connected, (name, result.facts, result.errors[-500:])
        rate, samples = tones.read_wav(result.recording)
        samples = tones.steady(rate, samples)
        for other, hertz in TONES_HZ.items():
            level = tones.level_dbfs(rate, samples, hertz)
            assert (level < SILENT_DBFS) if other == name else (level > HEARD_DBFS), (name, other, level)
    assert registered == ["TLS"] * 3
    records = secure.json("call", "list", "--all")
    assert {record["account"] for record in records} == set(ACCOUNTS.values())
    assert {record["transport"] for record in records} == {"TLS"}
    deadline = time.monotonic() + 15
    while secure.json("reg", "list") and time.monotonic() < deadline:
        time.sleep(0.3)
    assert secure.json("reg", "list") == []


def test_linphone_does_not_talk_to_a_server_that_its_authority_does_not_know(secure: Server, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    with Phones(tmp_path) as phones:
        host = f"localhost:{secure.tls_port}"
        call = phones.linphone(f"sip:daily@{host}", user="bernd", password=PASSWORD, transport="tls", seconds=2, wait=6,
                               registrar=host, domain="localhost", extra=("--ca", str(stranger)))
        assert not call.finish().is_connected
    assert secure.json("call", "list") == []
