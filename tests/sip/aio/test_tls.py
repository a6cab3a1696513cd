"""SIP over TLS on real sockets (RFC 3261 §26.2, RFC 5922, RFC 5923): names, one connection for both ways, bad input."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import uvloop

from sip.aio import stream, tls
from sip.aio.driver import Driver
from sip.aio.tls import Judge, TlsClient, TlsFailed, TlsServer
from sip.certificates import Presented, judge_by_name
from sip.endpoint import Endpoint, EndpointSettings
from sip.events import Event, RequestFailed, RequestReceived, ResponseReceived
from sip.flow import Address
from sip.headers import NameAddr
from sip.uri import Uri
from tests.helpers.sip_messages import request

pytestmark = pytest.mark.loopback
PATIENCE_S = 15.0
NAME = "meet.example"


@dataclass
class Authority:
    """An authority of the test with its certificates."""

    folder: Path
    ca: trustme.CA

    @property
    def file(self) -> Path:
        """The authority's own certificate."""
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(path))
        return path

    def server(self, *names: str) -> TlsServer:
        """An accepting side with a certificate for these names."""
        self.write("server", *names)
        return TlsServer(self.folder / "server.pem", self.folder / "server.key")

    def write(self, stem: str, *names: str) -> None:
        """A certificate with its key."""
        made = self.ca.issue_cert(*names)
        made.private_key_pem.write_to_path(str(self.folder / f"{stem}.key"))
        (self.folder / f"{stem}.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh authority."""
    return Authority(tmp_path, trustme.CA(key_type=trustme.KeyType.ECDSA))


class Party:
    """A driver that answers every request, with the events that it gave."""

    def __init__(self, client: TlsClient | None = None) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.driver = Driver(Endpoint(EndpointSettings(), os.urandom), self._handle, client)
        self.tls_address: Address = ("", 0)

    def _handle(self, event: Event) -> None:
        self.events.put_nowait(event)
        if isinstance(event, RequestReceived):
            self.driver.endpoint.respond(event.transaction_id, 200, now=self.driver.now())

    async def next(self) -> Event:
        """The next event."""
        return await asyncio.wait_for(self.events.get(), PATIENCE_S)

    def send(self, remote: Address, name: str = NAME, method: str = "OPTIONS") -> None:
        """A request by TLS."""
        flow = self.driver.flow_to(remote, "TLS", name)
        self.driver.endpoint.request(method, Uri("sips", "x", name), from_=NameAddr.parse("<sip:a@a.example>"), flow=flow,
                                     now=self.driver.now())
        self.driver.pump()


@asynccontextmanager
async def serving(server: TlsServer, host: str = "127.0.0.1") -> AsyncIterator[Party]:
    """A party that accepts TLS."""
    one = Party()
    async with one.driver:
        await one.driver.listen(host, 0)
        one.tls_address = await one.driver.listen_tls(host, 0, server)
        yield one


@asynccontextmanager
async def calling(authority: Authority | None, judge: Judge = judge_by_name, host: str = "127.0.0.1") -> AsyncIterator[Party]:
    """A party that opens connections, trusting an authority."""
    one = Party(TlsClient(judge, authority.file if authority is not None else None))
    async with one.driver:
        await one.driver.listen(host, 0)
        yield one


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_request_goes_by_tls_to_who_the_certificate_names(authority: Authority, host: str) -> None:
    async with serving(authority.server(NAME), host) as server, calling(authority, host=host) as client:
        client.send(server.tls_address)
        answer, asked = await client.next(), await server.next()
        assert isinstance(answer, ResponseReceived) and answer.response.status == 200
        assert isinstance(asked, RequestReceived) and asked.flow.is_protected
        assert str(asked.request.via).startswith("SIP/2.0/TLS ")
        assert server.driver.protection(asked.flow).startswith("TLSv1.3 ")
        assert server.driver.figures()["tls_connections"] == 1


def test_it_works_on_the_loop_of_the_server_too(authority: Authority) -> None:
    async def work() -> Event:
        async with serving(authority.server(NAME)) as server, calling(authority) as client:
            client.send(server.tls_address)
            return await client.next()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert isinstance(runner.run(work()), ResponseReceived)


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
async def test_nothing_is_sent_to_who_is_not_named(authority: Authority, name: str) -> None:
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        client.send(server.tls_address, name)
        failed = await client.next()
        assert isinstance(failed, RequestFailed) and failed.status == 503
        assert server.events.empty() and client.driver.figures()["tls_failures"] == 1


async def test_nothing_is_sent_to_whom_no_authority_vouches_for(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server, calling(None) as client:
        client.send(server.tls_address)
        assert isinstance(await client.next(), RequestFailed)
        assert server.events.empty()


async def test_a_judge_decides_with_the_certificate_at_hand(authority: Authority) -> None:
    seen: list[tuple[str, Presented]] = []

    def judge(name: str, shown: Presented) -> str:
        seen.append((name, shown))
        return ""

    async with serving(authority.server(NAME)) as server, calling(None, judge) as client:
        client.send(server.tls_address, "192.0.2.77")
        assert isinstance(await client.next(), ResponseReceived)
    (name, shown), = seen
    assert name == "192.0.2.77" and shown.is_unknown and "not known here" in shown.trouble
    assert shown.fingerprint.count(":") == 31


async def test_requests_to_who_opened_a_connection_go_down_that_connection(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        client.send(server.tls_address)
        asked = await server.next()
        assert isinstance(asked, RequestReceived)
        await client.next()
        server.driver.endpoint.request("OPTIONS", Uri("sip", "phone", *asked.flow.remote), flow=asked.flow,
                                       from_=NameAddr.parse("<sip:s@s.example>"), now=server.driver.now())
        server.driver.pump()
        assert isinstance(await client.next(), RequestReceived)
        assert isinstance(await server.next(), ResponseReceived)
        assert server.driver.figures()["tls_connections"] == client.driver.figures()["tls_connections"] == 1


async def test_a_connection_that_a_peer_opened_is_never_opened_anew_towards_it(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        server.send(client.driver.addresses[0][1], name="")
        failed = await server.next()
        assert isinstance(failed, RequestFailed) and failed.status == 503


async def test_a_connection_for_one_name_is_not_used_for_another(authority: Authority) -> None:
    async with serving(authority.server(NAME, "also.example")) as server, calling(authority) as client:
        for name in (NAME, "also.example", NAME):
            client.send(server.tls_address, name)
            assert isinstance(await client.next(), ResponseReceived)
        assert server.driver.figures()["tls_connections"] == 2


async def test_what_waits_is_sent_in_order_when_the_handshake_is_over(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        for _ in range(5):
            client.send(server.tls_address)
        numbers = []
        for _ in range(5):
            event = await client.next()
            assert isinstance(event, ResponseReceived)
            numbers.append(event.request_id)
        assert numbers == sorted(numbers) and server.driver.figures()["tls_connections"] == 1


async def test_sips_over_an_open_transport_is_refused(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        flow = client.driver.flow_to(server.driver.addresses[0][1], "UDP")
        client.driver.endpoint.request("OPTIONS", Uri("sips", "x", NAME), from_=NameAddr.parse("<sip:a@a.example>"), flow=flow,
                                       now=client.driver.now())
        client.driver.pump()
        answer = await client.next()
        assert isinstance(answer, ResponseReceived) and answer.response.status == 403


# ---- bad input


async def served(server: Party, authority: Authority) -> bool:
    """Whether somebody else gets an answer."""
    async with calling(authority) as client:
        client.send(server.tls_address)
        return isinstance(await client.next(), ResponseReceived)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something, with patience."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_half_a_handshake_ends_when_its_time_is_over(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_S", 0.5)
    async with serving(authority.server(NAME)) as server:
        hello = client_hello()
        peers = [await asyncio.open_connection(*server.tls_address) for _ in range(6)]
        for (_, writer), size in zip(peers, (0, 1, 5, 40, len(hello) - 1, len(hello)), strict=True):
            writer.write(hello[:size])
        monkeypatch.undo()
        assert await served(server, authority)
        await until(lambda: server.driver.figures()["tls_failures"] == 6)
        for reader, writer in peers:
            await asyncio.wait_for(reader.read(), PATIENCE_S)
            assert reader.at_eof()
            writer.close()


@pytest.mark.parametrize("junk", [b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"\0" * 600, b"\x16\x03\x01\x40\x01" + b"x" * 500,
                                  b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff"])
async def test_what_is_no_tls_costs_its_own_connection_alone(authority: Authority, junk: bytes) -> None:
    async with serving(authority.server(NAME)) as server:
        reader, writer = await asyncio.open_connection(*server.tls_address)
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert await served(server, authority)
        assert server.driver.figures()["tls_failures"] == 1
        writer.close()


async def test_a_damaged_or_broken_record_ends_the_connection(authority: Authority) -> None:
    async with serving(authority.server(NAME)) as server:
        for harm in (b"\x17\x03\x03\x00\x40" + os.urandom(64), b"\x17\x03\x03\x40\x00abc"):
            reader, writer = await asyncio.open_connection(*server.tls_address)
            memory = await shake_hands(reader, writer)
            memory.send(request("OPTIONS"))
            assert isinstance(await server.next(), RequestReceived)
            writer.write(harm)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), PATIENCE_S)
            await until(lambda: server.driver.figures()["tls_connections"] == 0)
            writer.close()
        assert await served(server, authority)


async def test_connections_of_one_host_are_limited_from_their_first_moment(authority: Authority,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_PER_HOST", 5)
    async with serving(authority.server(NAME)) as server:
        silent = [await asyncio.open_connection(*server.tls_address) for _ in range(8)]
        await until(lambda: server.driver.figures()["refused_connections"] == 3)
        monkeypatch.undo()
        assert await served(server, authority)
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize("ciphers", ["", "aNULL:eNULL:@SECLEVEL=0", "AES128-SHA:@SECLEVEL=0"])
async def test_old_versions_and_weak_ciphers_are_refused(authority: Authority, ciphers: str) -> None:
    async with serving(authority.server(NAME)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if ciphers:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(ciphers)
        else:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*server.tls_address, ssl=context)
        await until(lambda: server.driver.figures()["tls_failures"] == 1)


def test_files_that_are_of_no_use_are_refused_in_words(authority: Authority) -> None:
    authority.write("one", NAME)
    authority.write("two", NAME)
    folder = authority.folder
    (folder / "junk").write_text("junk")
    for certificate, key, words in (("one.pem", "two.key", "belong"), ("junk", "one.key", "in PEM"),
                                    ("one.pem", "junk", "in PEM"), ("none", "one.key", "No such file")):
        with pytest.raises(TlsFailed, match=words):
            TlsServer(folder / certificate, folder / key)


async def test_a_renewed_certificate_is_shown_to_those_who_come_after(authority: Authority) -> None:
    server_side = authority.server(NAME)
    async with serving(server_side) as server, calling(authority) as client:
        client.send(server.tls_address)
        assert isinstance(await client.next(), ResponseReceived)
        authority.write("server", "renewed.example")
        server_side.reload()
        client.send(server.tls_address)
        assert isinstance(await client.next(), ResponseReceived)              # the old connection lives
        client.send(server.tls_address, "renewed.example")
        assert isinstance(await client.next(), ResponseReceived)
        (authority.folder / "server.pem").write_text("half a file")
        with pytest.raises(TlsFailed):
            server_side.reload()
        assert await served_as(server, authority, "renewed.example")


async def served_as(server: Party, authority: Authority, name: str) -> bool:
    """Whether a newcomer finds this name."""
    async with calling(authority) as client:
        client.send(server.tls_address, name)
        return isinstance(await client.next(), ResponseReceived)


async def test_the_keys_go_to_a_file_only_when_the_environment_asks(authority: Authority, tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tls.KEY_LOG, str(tmp_path / "keys"))
    async with serving(authority.server(NAME)) as server, calling(authority) as client:
        client.send(server.tls_address)
        assert isinstance(await client.next(), ResponseReceived)
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


class Memory:
    """The client's end of TLS by the standard library, so that a test can harm what comes between."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes as records."""
        self.tls.write(data)
        self._writer.write(self.outgoing.read())


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Memory:
    """A client's end after its handshake."""
    memory = Memory(writer)
    while True:
        try:
            memory.tls.do_handshake()
            writer.write(memory.outgoing.read())
            return memory
        except ssl.SSLWantReadError:
            writer.write(memory.outgoing.read())
            memory.incoming.write(await asyncio.wait_for(reader.read(65536), PATIENCE_S))


def client_hello() -> bytes:
    """The first bytes of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()
