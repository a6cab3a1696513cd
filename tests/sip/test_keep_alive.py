"""Keep-alives of a registration's flow (RFC 5626 §4.4): pings, pongs, a NAT that changes its mind, a server that is gone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sip.events import CallReceived, DialogRequestReceived, Event, Registered, RequestReceived
from sip.headers import NameAddr
from sip.keep_alive import PING, PONG_S
from sip.registration import Registration
from sip.uri import Uri
from tests.helpers.pair import ANSWER, B, Pair
from tests.helpers.pair import A as OURS

INTERVAL_S = 30.0


class Seen:
    """Side b as a registrar that tells `address` as where our requests come from, or as the pair has it when None."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.address: tuple[str, int] | None = None
        self.is_silent = False
        self.requests: list[tuple[float, str]] = []
        pair.b.handler = self.handle

    def handle(self, event: Event, now: float) -> None:
        """The events of side b."""
        if isinstance(event, DialogRequestReceived):
            self.pair.b.endpoint.respond(event.transaction_id, 200, now=now)
        if not isinstance(event, RequestReceived):
            return
        self.requests.append((now, event.request.method))
        if self.is_silent:
            return
        if self.address is not None:
            via = event.request.via.with_parameters(rport=str(self.address[1]), received=self.address[0])
            event.request.headers.set("Via", via)
        headers: list[tuple[str, object]] = [("Expires", 3600)]
        self.pair.b.endpoint.respond(event.transaction_id, 200, headers=headers, now=now)

    def times(self, method: str) -> list[float]:
        """When requests of a method came."""
        return [now for now, name in self.requests if name == method]


def registered(transport: str = "UDP") -> tuple[Pair, Seen, Registration]:
    """Side a is registered at side b and pings."""
    pair = Pair(transport=transport)
    seen = Seen(pair)
    registration = pair.a.endpoint.register(
        Uri.parse("sip:b.example"), aor=NameAddr.parse("<sip:alice@b.example>"), contact=Uri.parse(f"sip:alice@{OURS[0]}"),
        flow=pair.flow_a, now=pair.now, keep_alive_s=INTERVAL_S)
    pair.run(0.5)
    assert registration.is_active
    return pair, seen, registration


def pings(pair: Pair) -> list[float]:
    """When bare pings were sent."""
    return [at for at, data, _ in pair.a.sent if data == PING]


def test_over_udp_something_is_sent_at_least_every_thirty_seconds_and_not_in_step() -> None:
    pair, seen, _ = registered()
    pair.run(600)
    times = seen.times("OPTIONS")
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) >= 18 and all(24.0 <= pause <= 29.5 for pause in pauses)
    assert len({round(pause, 1) for pause in pauses}) > 5
    assert len(seen.times("REGISTER")) == 1


def test_over_a_connection_pings_are_two_line_breaks_and_pongs_one() -> None:
    pair, seen, registration = registered("TCP")
    pair.run(120)
    assert 3 <= len(pings(pair)) <= 5 and not seen.times("OPTIONS")
    assert [data for _, data, _ in pair.b.sent if data == b"\r\n"] == [b"\r\n"] * len(pings(pair))
    assert registration.is_active and pair.a.endpoint.flows_to_close() == []
    assert not [data for _, data, _ in pair.a.sent if data == b"\r\n"]                # a pong is no ping to be answered


def test_a_server_without_pongs_is_asked_by_options_and_kept() -> None:
    pair, seen, registration = registered("TCP")
    pair.drop = lambda data, from_a: data == b"\r\n"
    pair.run(100)
    assert len(seen.times("OPTIONS")) == len([at for at in pings(pair) if at + PONG_S < pair.now - 0.1])
    assert registration.is_active and pair.a.endpoint.flows_to_close() == []


def test_a_connection_without_any_answer_is_given_up_and_another_one_opened() -> None:
    pair, seen, registration = registered("TCP")
    seen.is_silent = True
    pair.drop = lambda data, from_a: data == b"\r\n"
    pair.run(29 + PONG_S + 33)
    assert pair.a.endpoint.flows_to_close() == [pair.flow_a]
    seen.is_silent = False
    pair.a.endpoint.flow_lost(pair.flow_a, pair.now)
    pair.run(6.0)
    assert registration.is_active and len(seen.times("REGISTER")) == 2


def test_a_new_address_of_the_nat_is_told_to_the_registrar_and_to_the_calls() -> None:
    pair, seen, registration = registered()
    seen.address = ("198.51.100.7", 4001)
    pair.run(35)
    assert len(seen.times("REGISTER")) == 2                     # where the pair is, and then what the NAT made of it
    call = pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.1)
    seen.address = ("198.51.100.7", 4002)
    pair.run(35)
    assert len(seen.times("REGISTER")) == 3 and call.is_up
    inside = [message for message in pair.a.requests("OPTIONS") if message.to.tag]
    assert len(inside) == 1 and inside[0].call_id == call.id
    pair.run(300)
    assert len(seen.times("REGISTER")) == 3 and registration.is_active


def test_a_silent_server_over_udp_is_registered_at_again() -> None:
    pair, seen, registration = registered()
    pair.a.events.clear()
    seen.is_silent = True
    pair.run(29 + 33)
    assert len(seen.times("REGISTER")) >= 2
    seen.is_silent = False
    pair.run(40)
    assert pair.a.has(Registered) and registration.is_active


def test_no_ping_follows_the_end_of_a_registration() -> None:
    pair, seen, registration = registered()
    registration.unregister(pair.now)
    pair.run(200)
    assert not seen.times("OPTIONS") and pair.a.endpoint.next_timer() is None


def test_another_server_is_registered_at_by_another_flow() -> None:
    pair, seen, registration = registered()
    flow = pair.flow_a
    registration.move(flow, Uri.parse("sip:alice@192.0.2.1:5099"), pair.now)
    pair.run(0.5)
    assert len(seen.times("REGISTER")) == 2 and registration.is_active
    assert pair.a.requests("REGISTER")[-1].contacts[0].uri.port == 5099


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\0", b"\0\0\0\0", b"jaK"])
def test_keep_alives_of_phones_over_udp_are_no_junk_and_need_no_answer(data: bytes) -> None:
    pair = Pair()
    pair.inject(data)
    counters: Any = pair.b.endpoint.counters
    assert counters["keep-alives"] == 1 and counters["junk"] == 0 and pair.b.sent == [] and B
