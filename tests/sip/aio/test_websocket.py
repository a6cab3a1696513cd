"""SIP over secure WebSocket on real sockets (RFC 7118): messages without a length, pings, fragments, who is turned away."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sip.aio import websocket
from sip.aio.tls import TlsServer
from sip.events import RequestReceived
from sip.flow import Address, Flow
from sip.message import Response
from sip.parser import MAX_MESSAGE, parse_message
from sip.routing import own_contact_over
from tests.helpers.sip_messages import request
from tests.sip.aio.test_tls import Authority, Party

pytestmark = pytest.mark.loopback
PATIENCE_S = 15.0
VIA = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK{}"


@dataclass
class Door:
    """A party behind a WebSocket, and how to get in."""

    party: Party
    address: Address
    trusted: ssl.SSLContext

    def connect(self, protocols: tuple[str, ...] | None = ("sip",)) -> connect:
        """A client's connection."""
        return connect(f"wss://{self.address[0]}:{self.address[1]}/", ssl=self.trusted, subprotocols=protocols,
                       open_timeout=PATIENCE_S)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh authority."""
    return Authority(tmp_path, trustme.CA(key_type=trustme.KeyType.ECDSA))


@asynccontextmanager
async def door(authority: Authority) -> AsyncIterator[Door]:
    """A party that accepts WebSocket."""
    party = Party()
    authority.write("server", "127.0.0.1")
    server = TlsServer(authority.folder / "server.pem", authority.folder / "server.key")
    async with party.driver:
        await party.driver.listen("127.0.0.1", 0)
        address = await party.driver.listen_wss("127.0.0.1", 0, server)
        yield Door(party, address, ssl.create_default_context(cafile=str(authority.file)))


def options(branch: str, *, length: str | None = None) -> bytes:
    """A request of a browser."""
    return request("OPTIONS", "sip:x@meet.example", Via=VIA.format(branch), **{"Content-Length": length})


async def answer(socket: ClientConnection) -> Response:
    """The next answer."""
    message = parse_message(await asyncio.wait_for(socket.recv(decode=False), PATIENCE_S))
    assert isinstance(message, Response)
    return message


async def test_message_without_a_length_is_answered_down_the_same_connection(authority: Authority) -> None:
    async with door(authority) as one, one.connect() as socket:
        assert socket.subprotocol == "sip"
        await socket.send(options("one").decode())
        found = await answer(socket)
        assert found.status == 200 and found.via.transport == "WSS" and found.via.parameter("received") == "127.0.0.1"
        event = await one.party.next()
        assert isinstance(event, RequestReceived) and event.flow.transport == "WSS" and event.flow.is_protected
        assert one.party.driver.protection(event.flow).startswith("TLSv1.3")
        assert one.party.driver.figures()["wss_connections"] == 1


async def test_text_binary_and_fragments_are_messages_and_each_is_its_own(authority: Authority) -> None:
    async with door(authority) as one, one.connect() as socket:
        await socket.send(options("a").decode())
        await socket.send(options("b"))
        third = options("c")
        await socket.send([third[:40], third[40:90], third[90:]])
        assert [(await answer(socket)).via.branch for _ in range(3)] == ["z9hG4bKa", "z9hG4bKb", "z9hG4bKc"]


async def test_keep_alives_of_both_kinds_are_answered(authority: Authority) -> None:
    async with door(authority) as one, one.connect() as socket:
        await asyncio.wait_for(await socket.ping(), PATIENCE_S)
        await socket.send("\r\n\r\n")
        assert await asyncio.wait_for(socket.recv(), PATIENCE_S) == "\r\n"
        await socket.send("hello?")
        await socket.send(options("z"))
        assert (await answer(socket)).status == 200 and one.party.driver.endpoint.counters["junk"] == 1


@pytest.mark.parametrize(("protocols", "status"), [(None, 400), (("chat",), 400)], ids=["none", "another"])
async def test_who_does_not_ask_for_sip_is_turned_away(authority: Authority, protocols: tuple[str, ...] | None,
                                                       status: int) -> None:
    async with door(authority) as one:
        with pytest.raises(InvalidStatus) as refused:
            async with one.connect(protocols):
                pass
        assert refused.value.response.status_code == status and one.party.driver.figures()["tls_failures"] == 1


@pytest.mark.parametrize("said", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", options("x"), b"\0" * 4000, b"GET / HTTP/1.1\r\n" * 300,
], ids=["no upgrade", "sip", "zeros", "headers"])
async def test_what_is_no_websocket_costs_its_own_connection_alone(authority: Authority, said: bytes) -> None:
    async with door(authority) as one:
        reader, writer = await asyncio.open_connection(*one.address, ssl=one.trusted)
        writer.write(said)
        await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        async with one.connect() as socket:
            await socket.send(options("y"))
            assert (await answer(socket)).status == 200


async def test_message_beyond_the_limit_closes_the_connection(authority: Authority) -> None:
    async with door(authority) as one, one.connect() as socket:
        await socket.send("x" * (MAX_MESSAGE + 1))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), PATIENCE_S)
        assert not one.party.events.qsize()


async def test_silent_peer_is_given_up_during_the_handshake(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HANDSHAKE_S", 0.2)
    async with door(authority) as one:
        reader, writer = await asyncio.open_connection(*one.address, ssl=one.trusted)
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()


async def test_frames_stand_in_no_log(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with door(authority) as one, one.connect() as socket:
        caplog.clear()
        logging.getLogger("websockets.client").setLevel(logging.CRITICAL)
        await socket.send(options("secret"))
        await answer(socket)
        assert "z9hG4bKsecret" not in caplog.text


def test_contact_names_the_transport_as_the_rfc_does() -> None:
    flow = Flow("WSS", ("192.0.2.1", 7443), ("192.0.2.2", 5000), 3)
    assert str(own_contact_over(flow, "daily", "meet.example")) == "sip:daily@meet.example:7443;transport=ws"
