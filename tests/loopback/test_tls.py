"""SIP over TLS with a real server: our phone meets, remembers and refuses certificates; attacks cost nobody else anything."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from confero.testing import Server, start_server
from softphone.errors import CallFailed, SignInFailed
from softphone.media.player import Tone
from softphone.phone import Phone
from softphone.trust import Trust
from tests.helpers.capture import Capture
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.loopback

PASSWORD = "correct-horse-battery"
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with accounts for anna and bernd and a room."""
    server = start_server(tmp_path_factory.mktemp("house") / "server")
    try:
        for name in ("anna", "bernd"):
            server.json("user", "add", name, "--password", PASSWORD)
        server.json("room", "create", "daily")
        yield server
    finally:
        server.stop()


def phone(server: Server, user: str, trust: Trust | None = None, host: str = "127.0.0.1", **options: object) -> Phone:
    """A phone of an account, by TLS."""
    options = {"transport": "tls", "listen": "127.0.0.1", **options}
    return Phone(user, PASSWORD, f"{host}:{server.tls_port}", trust=trust, **options)       # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something, with patience."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_people_call_each_other_down_the_connections_that_their_phones_opened(house: Server) -> None:
    async with phone(house, "anna") as anna, phone(house, "bernd") as bernd:
        bindings = {one["aor"]: one for one in house.json("reg", "list")}
        assert {one["transport"] for one in bindings.values()} == {"TLS"}
        assert anna.signalling().cipher.startswith("TLSv1.3 ")
        calling = asyncio.create_task(anna.call("bernd"))
        theirs = await asyncio.wait_for(bernd.next_call(), PATIENCE_S)
        await theirs.answer()
        ours = await asyncio.wait_for(calling, PATIENCE_S)
        ears = Ear(), Ear()
        await asyncio.gather(talk(ours, Tone(440, -20), 1, ears[0]), talk(theirs, Tone(1000, -20), 1, ears[1]))
        assert ours.figures.packets_received > 20 and theirs.figures.packets_received > 20
        assert bernd.signalling(theirs).is_protected
        assert {call["transport"] for call in house.json("call", "list")} == {"TLS"}
        theirs.hang_up()
        await asyncio.wait_for(ours.ended(), PATIENCE_S)


async def test_sips_goes_by_tls_alone_and_its_contacts_are_sips(house: Server) -> None:
    async with phone(house, "anna") as anna:
        call = await anna.call(f"sips:daily@127.0.0.1:{house.tls_port}")
        dialog = call.signalling.dialog
        assert dialog is not None and dialog.target.scheme == dialog.contact.scheme == "sips"
        assert call.signalling.flow.transport == "TLS"
        call.hang_up()
        await call.ended()


async def test_sips_does_not_reach_a_phone_that_is_registered_without_tls(house: Server) -> None:
    async with (phone(house, "anna") as anna,
                Phone("bernd", PASSWORD, f"127.0.0.1:{house.port}", listen="127.0.0.1") as bernd):
        with pytest.raises(CallFailed) as refused:
            await anna.call(f"sips:bernd@127.0.0.1:{house.tls_port}")
        assert refused.value.status == 480 and not bernd.calls


async def test_a_certificate_is_met_once_and_a_changed_one_gets_no_password(house: Server) -> None:
    met: list[tuple[str, str]] = []
    trust = Trust(met=lambda *one: met.append(one))
    for _ in range(2):
        async with phone(house, "anna", trust) as anna:
            assert anna.is_registered
    (host, fingerprint), = met
    log = house.log.read_text()
    assert host == "127.0.0.1" and fingerprint[:47] in log and fingerprint[48:] in log
    liar = ":".join(["AB"] * 32)
    with pytest.raises(SignInFailed, match=f"--fingerprint {fingerprint}") as refused:
        async with phone(house, "anna", Trust({"127.0.0.1": liar})):
            pass
    assert "nothing was sent" in str(refused.value)
    with pytest.raises(CallFailed, match="another certificate than before"):
        await call_as_guest(house, Trust({"127.0.0.1": liar}))


async def call_as_guest(server: Server, trust: Trust) -> None:
    """Call without an account."""
    async with Phone(listen="127.0.0.1", trust=trust) as guest:
        await guest.call(f"sip:daily@127.0.0.1:{server.tls_port};transport=tls")


def headless(server: Server, work: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A call by the program."""
    command = [sys.executable, "-m", "softphone", "--headless", f"sip:daily@127.0.0.1:{server.tls_port}", "--transport", "tls",
               "--user", "anna", "--config", str(work / "phone.toml"), "--seconds", "1", *options]
    environment = dict(os.environ, CONFERO_PASSWORD=PASSWORD)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_the_program_remembers_shows_and_refuses_a_certificate(house: Server, tmp_path: Path) -> None:
    first = headless(house, tmp_path)
    assert first.returncode == 0, first.stderr
    facts = json.loads(first.stdout)
    assert "First contact with 127.0.0.1 by TLS" in first.stderr and facts["fingerprint"] in first.stderr
    assert facts["signalling"].startswith("TLSv1.3 ")
    second = headless(house, tmp_path)
    assert second.returncode == 0 and "First contact" not in second.stderr and "the same as before" in second.stderr
    stored = (tmp_path / "phone.toml").read_text()
    assert PASSWORD not in stored
    (tmp_path / "phone.toml").write_text(stored.replace(facts["fingerprint"], ":".join(["AB"] * 32)))
    refused = headless(house, tmp_path)
    assert refused.returncode == 1 and "another certificate than before" in refused.stderr
    assert refused.stderr.count("\n") == 1
    again = headless(house, tmp_path, "--fingerprint", facts["fingerprint"])
    assert again.returncode == 0, again.stderr
    assert headless(house, tmp_path).returncode == 0
    wrong = headless(house, tmp_path, "--fingerprint", "CD" * 32)
    assert wrong.returncode == 1 and "certificate that was asked for" in wrong.stderr


async def test_attacks_on_the_handshake_cost_nobody_else_anything(house: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", house.tls_port), source_address=("127.0.0.2", 0)) for _ in range(60)]
    junk = [socket.create_connection(("127.0.0.1", house.tls_port), source_address=("127.0.0.3", 0)) for _ in range(20)]
    for number, one in enumerate(junk):
        one.sendall((b"INVITE sip:x SIP/2.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
                     b"\x17\x03\x03\x40\x00" + os.urandom(900), os.urandom(300))[number % 4])
    try:
        async with phone(house, "anna") as anna:
            call = await asyncio.wait_for(anna.call("daily"), PATIENCE_S)
            ear = Ear()
            await talk(call, Tone(440, -20), 1, ear)
            assert call.figures.packets_received > 30
            call.hang_up()
            await call.ended()
        until(lambda: len(house.json("call", "list")) == 0)
    finally:
        for one in idle + junk:
            one.close()
    assert house.process.poll() is None and "Traceback" not in house.log.read_text()


def fingerprint_at(port: int) -> str:
    """What a server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def issue(folder: Path, name: str) -> tuple[str, str]:
    """A certificate of an authority of the test."""
    made = trustme.CA().issue_cert(name)
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_a_certificate_of_the_operator_is_read_again_on_sighup(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, "one.example")
    server = start_server(tmp_path / "server", "--open", "--tls-cert", certificate, "--tls-key", key)
    try:
        first = fingerprint_at(server.tls_port)
        assert not (tmp_path / "server" / "tls").exists()
        issue(tmp_path, "two.example")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: fingerprint_at(server.tls_port) != first)
        second = fingerprint_at(server.tls_port)
        (tmp_path / "key.pem").write_text("half a key")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "the one of before stays" in server.log.read_text())
        assert fingerprint_at(server.tls_port) == second and "half a key" not in server.log.read_text()
    finally:
        server.stop()


def test_tls_can_be_switched_off_and_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"port {port} on 127.0.0.1 is in use; .*--tls-port"):
            start_server(tmp_path / "one", "--open", "--tls-port", str(port))
    server = start_server(tmp_path / "two", "--open", "--tls-port", "0")
    try:
        assert "TLS is switched off" in server.log.read_text() and not (tmp_path / "two" / "tls").exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.tls_port))
    finally:
        server.stop()


def test_tshark_reads_the_sip_with_the_keys_that_a_test_may_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    server = start_server(tmp_path / "server", "--open")
    monkeypatch.delenv("SSLKEYLOGFILE")
    try:
        with Capture(tmp_path / "tls.pcapng", capture_filter=f"tcp port {server.tls_port}") as capture:
            done = subprocess.run([sys.executable, "-m", "softphone", "--headless",
                                   f"sip:daily@127.0.0.1:{server.tls_port};transport=tls", "--seconds", "1", "--config",
                                   str(tmp_path / "phone.toml")], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
        options = ("-d", f"tcp.port=={server.tls_port},tls", "-d", f"tls.port=={server.tls_port},sip")
        seen = capture.tshark("-o", f"tls.keylog_file:{keys}", *options, "-Y", "sip", "-T", "fields", "-e", "sip.Method", "-e",
                              "sip.Status-Code")
        methods = {field for line in seen.splitlines() for field in line.replace(",", "\t").split("\t") if field}
        assert {"INVITE", "ACK", "BYE", "200"} <= methods, seen
        assert "INVITE" not in capture.tshark(*options, "-Y", "sip", "-T", "fields", "-e", "sip.Method")
        assert b"INVITE sip" not in (tmp_path / "tls.pcapng").read_bytes()
    finally:
        server.stop()
