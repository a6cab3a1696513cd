"""The driver over real sockets (RFC 3261 §18): UDP and TCP on one port, IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sip.aio import stream
from sip.aio.driver import Driver
from sip.endpoint import Endpoint, EndpointSettings
from sip.events import (
    CallAnswered,
    CallConfirmed,
    CallReceived,
    CallTerminated,
    Event,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
)
from sip.flow import Address, Flow
from sip.headers import NameAddr
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER
from tests.helpers.sip_messages import request

pytestmark = pytest.mark.loopback
PATIENCE_S = 10.0


class Party:
    """A driver with the events that it gave."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.react: Callable[[Event], None] = lambda event: None
        self.driver = Driver(Endpoint(EndpointSettings(), os.urandom), self._handle)
        self.address: Address = ("", 0)
        self._changed = asyncio.Event()

    def _handle(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()
        self.react(event)

    async def wait(self, kind: type[Event]) -> Event:
        """The next event of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                self._changed.clear()
                await self._changed.wait()

    def send(self, method: str, remote: Address, transport: str = "UDP", body: bytes = b"") -> int:
        """A request to a peer."""
        driver = self.driver
        request_id = driver.endpoint.request(
            method,
            Uri("sip", "x", remote[0], remote[1]),
            from_=NameAddr.parse("<sip:a@a.example>"),
            flow=driver.flow_to(remote, transport),
            now=driver.now(),
            body=body,
        )
        driver.pump()
        return request_id


@asynccontextmanager
async def party(host: str = "127.0.0.1") -> AsyncIterator[Party]:
    """A party that listens."""
    one = Party()
    async with one.driver:
        one.address = await one.driver.listen(host, 0)
        yield one


def answering(one: Party) -> None:
    """Let a party answer every request with 200 and every call at once."""

    def react(event: Event) -> None:
        if isinstance(event, RequestReceived):
            one.driver.endpoint.respond(
                event.transaction_id, 200, body=event.request.body, content_type="text/plain", now=one.driver.now()
            )
        elif isinstance(event, CallReceived):
            event.call.accept(ANSWER, one.driver.now())

    one.react = react


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_is_set_up_and_ended(host: str, transport: str) -> None:
    async with party(host) as a, party(host) as b:
        answering(b)
        call = a.driver.endpoint.invite(
            Uri("sip", "room", *b.address),
            from_=NameAddr.parse("<sip:a@a.example>"),
            flow=a.driver.flow_to(b.address, transport),
            contact=Uri("sip", "a", *a.address),
            now=a.driver.now(),
            offer=OFFER,
        )
        a.driver.pump()
        answered = await a.wait(CallAnswered)
        assert isinstance(answered, CallAnswered) and answered.answer == ANSWER
        confirmed = await b.wait(CallConfirmed)
        assert isinstance(confirmed, CallConfirmed) and confirmed.call.flow.transport == transport
        confirmed.call.hang_up(b.driver.now(), "over")
        b.driver.pump()
        ended = await a.wait(CallTerminated)
        assert isinstance(ended, CallTerminated) and (ended.call, ended.reason) == (call, "over")


async def test_udp_and_tcp_are_on_the_same_port_and_large_messages_pass_by_either() -> None:
    async with party() as a, party() as b:
        answering(b)
        for transport in ("UDP", "TCP"):
            body = os.urandom(20_000)
            a.send("MESSAGE", b.address, transport, body)
            answer = await a.wait(ResponseReceived)
            assert isinstance(answer, ResponseReceived) and answer.response.body == body
        assert b.driver.addresses == [("UDP", b.address), ("TCP", b.address)]


async def test_one_connection_carries_both_directions() -> None:
    async with party() as a, party() as b:
        answering(a)
        answering(b)
        a.send("MESSAGE", b.address, "TCP")
        received = await b.wait(RequestReceived)
        assert isinstance(received, RequestReceived)
        await a.wait(ResponseReceived)
        endpoint = b.driver.endpoint
        endpoint.request(
            "OPTIONS", Uri("sip", "x", "127.0.0.1"), from_=NameAddr.parse("<sip:b@b>"), flow=received.flow, now=b.driver.now()
        )
        b.driver.pump()
        back = await a.wait(RequestReceived)
        assert isinstance(back, RequestReceived) and back.flow.remote == b.address
        await b.wait(ResponseReceived)
        assert len(b.driver._streams._connections) == 1


async def test_a_connection_that_can_not_be_opened_fails_the_request() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with party() as a:
            request_id = a.send("OPTIONS", unused.getsockname(), "TCP")
            assert await a.wait(RequestFailed) == RequestFailed(request_id, 503)


async def test_a_connection_lost_before_the_answer_fails_the_request() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, party() as a:
        request_id = a.send("OPTIONS", server.sockets[0].getsockname(), "TCP")
        assert await a.wait(RequestFailed) == RequestFailed(request_id, 503)


async def test_a_keep_alive_gets_its_pong_and_junk_closes_the_connection() -> None:
    async with party() as b:
        reader, writer = await asyncio.open_connection(*b.address)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"\r\n"
            for byte in request("PUBLISH", Via="SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1"):
                writer.write(bytes([byte]))
                await writer.drain()
            assert (await reader.readuntil(b"\r\n")).startswith(b"SIP/2.0 405")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b""
        writer.close()


async def test_connections_from_one_address_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_PER_HOST", 2)
    async with party() as b:
        connections = [await asyncio.open_connection(*b.address) for _ in range(2)]
        async with asyncio.timeout(PATIENCE_S):
            for reader, writer in connections:
                writer.write(b"\r\n\r\n")
                assert await reader.readexactly(2) == b"\r\n"
            reader, third = await asyncio.open_connection(*b.address)
            assert await reader.read() == b""
        for _, writer in [*connections, (reader, third)]:
            writer.close()
        assert b.driver._streams.refused == 1


async def test_a_message_that_never_ends_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MESSAGE_DEADLINE_S", 0.2)
    async with party() as b:
        reader, writer = await asyncio.open_connection(*b.address)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(request("OPTIONS")[:40])
            assert await reader.read() == b""
        writer.close()


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE_S", 0.2)
    async with party() as b:
        reader, writer = await asyncio.open_connection(*b.address)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        writer.close()


async def test_a_handler_that_raises_costs_one_event(caplog: pytest.LogCaptureFixture) -> None:
    async with party() as a, party() as b:
        raised = []

        def react(event: Event) -> None:
            if not raised:
                raised.append(event)
                raise RuntimeError("on purpose")
            assert isinstance(event, RequestReceived)
            b.driver.endpoint.respond(event.transaction_id, 200, now=b.driver.now())

        b.react = react
        a.send("MESSAGE", b.address)
        await b.wait(RequestReceived)
        second = a.send("MESSAGE", b.address)
        answer = await a.wait(ResponseReceived)
        assert isinstance(answer, ResponseReceived) and answer.request_id == second
        assert b.driver.endpoint.counters["handler errors"] == 1
    assert "an event could not be handled" in caplog.text


async def test_an_error_inside_the_endpoint_costs_one_datagram(monkeypatch: pytest.MonkeyPatch) -> None:
    async with party() as a, party() as b:
        answering(b)
        original = b.driver.endpoint.receive_datagram
        calls = []

        def broken(data: bytes, flow: Flow, now: float) -> None:
            calls.append(data)
            if len(calls) == 1:
                raise RuntimeError("on purpose")
            original(data, flow, now)

        monkeypatch.setattr(b.driver.endpoint, "receive_datagram", broken)
        a.send("MESSAGE", b.address)
        await a.wait(ResponseReceived)  # by the retransmission of timer E
        assert b.driver.endpoint.counters["driver errors"] == 1


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async with party() as a, party() as b:
        with pytest.raises(OSError, match="in use"):
            await b.driver.listen("127.0.0.1", a.address[1])
        with socket.socket() as tcp_only:
            tcp_only.bind(("127.0.0.1", 0))
            tcp_only.listen()
            port = tcp_only.getsockname()[1]
            with pytest.raises(OSError, match="in use"):
                await b.driver.listen("127.0.0.1", port)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free_again:
                free_again.bind(("127.0.0.1", port))
        assert len(b.driver.addresses) == 2


async def test_a_socket_for_all_addresses_knows_the_one_it_answers_from() -> None:
    async with party("0.0.0.0") as a, party() as b:
        answering(b)
        flow = a.driver.flow_to(b.address)
        assert flow.local == ("127.0.0.1", a.address[1])
        assert a.driver.flow_to(b.address, "TCP").local == flow.local
        a.send("OPTIONS", b.address)
        await a.wait(ResponseReceived)
        with pytest.raises(OSError, match="no socket"):
            a.driver.flow_to(("::1", 5060))


async def test_of_two_sockets_the_flows_own_one_sends() -> None:
    async with party() as a, party() as b:
        await a.driver.listen("127.0.0.2", a.address[1], tcp=False)
        flow = Flow("UDP", ("127.0.0.2", a.address[1]), b.address)
        a.driver.endpoint.request(
            "OPTIONS", Uri("sip", "x", *b.address), from_=NameAddr.parse("<sip:a@a>"), flow=flow, now=a.driver.now()
        )
        a.driver.pump()
        received = await b.wait(RequestReceived)
        assert isinstance(received, RequestReceived) and received.flow.remote == flow.local


async def test_a_closed_driver_is_silent_and_lets_go_of_everything() -> None:
    async with party() as b:
        answering(b)
        async with party() as a:
            a.send("OPTIONS", b.address, "TCP")
            await a.wait(ResponseReceived)
            flow = a.driver.flow_to(b.address)
        assert a.driver._streams._connections == {} and a.driver._streams._opening == {}
        assert a.driver._timer is None or a.driver._timer.cancelled()
        a.driver.endpoint.request("OPTIONS", Uri("sip", "x", *b.address), from_=NameAddr.parse("<sip:a@a>"), flow=flow, now=0.0)
        a.driver.pump()
        assert len(a.driver.endpoint.datagrams_to_send()) == 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(a.address)
