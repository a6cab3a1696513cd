"""Registration, the client's side (RFC 3261 §10.2) against a registrar of a few lines."""

from __future__ import annotations

import itertools

import pytest

from sip.auth import DigestClient, make_challenge, make_ha1, parse_digest, verify
from sip.events import Event, Registered, RegistrationFailed, RequestReceived
from sip.headers import NameAddr
from sip.message import Request
from sip.registration import Registration
from sip.uri import Uri
from tests.helpers.pair import Pair

CONTACT = "sip:alice@192.0.2.1:5060"


class Registrar:
    """Answers the REGISTERs that side b gets: by `script` first, one (status, headers) each, then with 200."""

    def __init__(self, pair: Pair, *script: tuple[int, list[tuple[str, object]]], granted: int | None = None) -> None:
        self.pair, self.script, self.granted = pair, list(script), granted
        self.requests: list[Request] = []
        pair.b.handler = self.handle

    def handle(self, event: Event, now: float) -> None:
        """The events of side b."""
        if not isinstance(event, RequestReceived):
            return
        self.requests.append(event.request)
        status, headers = self.script.pop(0) if self.script else (200, self.bindings(event.request))
        self.pair.b.endpoint.respond(event.transaction_id, status, headers=headers, now=now)

    def bindings(self, message: Request) -> list[tuple[str, object]]:
        """The Contacts of a 200."""
        asked = message.expires or 0
        granted = asked if self.granted is None else min(asked, self.granted)
        others: list[tuple[str, object]] = [("Contact", "<sip:alice@192.0.2.99>;expires=9")]
        return [*others, ("Contact", f"{message.contacts[0]};expires={granted}")] if granted else others


def register(pair: Pair, expires_s: int = 3600, registrar: str = "sip:b.example", password: str | None = None) -> Registration:
    """Side a registers at side b."""
    registration = pair.a.endpoint.register(
        Uri.parse(registrar),
        aor=NameAddr.parse("<sip:alice@b.example>"),
        contact=Uri.parse(CONTACT),
        flow=pair.flow_a,
        now=pair.now,
        expires_s=expires_s,
        credentials=DigestClient("alice", password) if password else None,
    )
    pair.flush()
    return registration


def test_a_register_says_what_the_rules_ask() -> None:
    pair = Pair()
    registrar = Registrar(pair)
    registration = register(pair, registrar="sip:alice@b.example")
    pair.run(1)
    message = registrar.requests[0]
    assert str(message.uri) == "sip:b.example"
    assert (message.to.uri, message.from_.uri, message.to.tag) == (
        Uri.parse("sip:alice@b.example"),
        Uri.parse("sip:alice@b.example"),
        "",
    )
    assert (str(message.contacts[0].uri), message.expires) == (CONTACT, 3600)
    assert registration.is_active
    assert pair.a.take(Registered).expires_s == 3600


def test_it_is_refreshed_in_time_with_the_same_call_id_and_rising_numbers() -> None:
    pair = Pair()
    registrar = Registrar(pair, granted=60)
    register(pair)
    pair.run(300)
    messages = registrar.requests
    assert len(messages) == 6
    assert len({m.call_id for m in messages}) == 1
    assert [m.cseq.number for m in messages] == [1, 2, 3, 4, 5, 6]
    assert pair.a.take(Registered).expires_s == 60


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ([("Contact", f"<{CONTACT}>;expires=120")], 120),
        ([("Contact", f"<{CONTACT}>"), ("Expires", 90)], 90),
        ([], 3600),
        ([("Contact", "<broken"), ("Contact", f"<{CONTACT}>;expires=77")], 77),
        ([("Contact", f"<{CONTACT}>;expires=999999999999")], 3600),
        ([("Contact", f"<{CONTACT}>;expires=never"), ("Expires", "x")], 0),
    ],
)
def test_what_was_granted_is_read_leniently(headers: list[tuple[str, object]], granted: int) -> None:
    pair = Pair()
    Registrar(pair, (200, headers))
    registration = register(pair)
    pair.run(1)
    assert pair.a.take(Registered).expires_s == granted
    assert registration.is_active == (granted > 0)


def test_unregistering_asks_for_zero_and_ends_the_refreshes() -> None:
    pair = Pair()
    registrar = Registrar(pair)
    registration = register(pair, expires_s=60)
    pair.run(1)
    registration.unregister(pair.now)
    pair.run(200)
    assert [m.expires for m in registrar.requests] == [60, 0]
    assert not registration.is_active
    assert [event.expires_s for event in pair.a.events if isinstance(event, Registered)] == [60, 0]
    assert pair.a.endpoint.next_timer() is None


def test_423_raises_the_time_once() -> None:
    pair = Pair()
    registrar = Registrar(pair, (423, [("Min-Expires", 120)]))
    register(pair, expires_s=10)
    pair.run(1)
    assert [m.expires for m in registrar.requests] == [10, 120]
    assert pair.a.take(Registered).expires_s == 120


@pytest.mark.parametrize("least", ["120", "5", "x", "-1", "²", ""])
def test_a_registrar_that_always_says_423_can_not_make_us_run_in_circles(least: str) -> None:
    pair = Pair()
    registrar = Registrar(pair, *[(423, [("Min-Expires", least)])] * 50)
    register(pair, expires_s=10)
    pair.run(100)
    assert len(registrar.requests) <= 2
    assert pair.a.take(RegistrationFailed).status == 423


def test_a_registrar_that_asks_for_more_each_time_is_followed_once() -> None:
    pair = Pair()
    registrar = Registrar(pair, *[(423, [("Min-Expires", 100 + number)]) for number in range(50)])
    register(pair, expires_s=10)
    pair.run(100)
    assert [m.expires for m in registrar.requests] == [10, 100]


def test_a_challenge_is_answered_in_the_same_call_id() -> None:
    pair = Pair()
    registrar = Registrar(pair, (401, [("WWW-Authenticate", make_challenge("b.example", "n1"))]))
    register(pair, password="secret")
    pair.run(1)
    first, second = registrar.requests
    assert (first.call_id, first.from_.tag, first.cseq.number + 1) == (second.call_id, second.from_.tag, second.cseq.number)
    assert verify(parse_digest(second.headers.get("Authorization") or ""), "REGISTER", make_ha1("alice", "b.example", "secret"))
    assert pair.a.take(Registered).expires_s == 3600


def test_a_wrong_password_fails_for_good() -> None:
    pair = Pair()
    challenge = (401, [("WWW-Authenticate", make_challenge("b.example", "n1"))])
    registrar = Registrar(pair, *[challenge] * 50)
    register(pair, password="wrong")
    pair.run(1000)
    assert len(registrar.requests) == 2
    assert pair.a.take(RegistrationFailed).status == 401


def test_stale_nonces_at_each_refresh_are_answered() -> None:
    pair = Pair()
    script = [(401, [("WWW-Authenticate", make_challenge("b.example", f"n{n}", stale=n % 2 == 1))]) for n in range(2)]
    registrar = Registrar(pair, *script)
    register(pair, password="secret")
    pair.run(1)
    assert [m.cseq.number for m in registrar.requests] == [1, 2, 3]
    assert pair.a.take(Registered)


def test_a_registrar_that_does_not_answer_is_tried_again_with_growing_pauses() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: True
    register(pair)
    pair.run(400)
    begun = [at for at, data, _ in pair.a.sent if b"CSeq: 1 " in data][:1]
    branches: dict[str, float] = {}
    for at, data, _ in pair.a.sent:
        branches.setdefault(data.split(b"branch=")[1][:23].decode(), at)
    starts = list(branches.values())
    assert starts[0] == begun[0]
    assert [round(after - before) for before, after in itertools.pairwise(starts)][:4] == [37, 42, 52, 72]
    pair.drop = None
    pair.run(400)
    assert pair.a.take(RegistrationFailed).status == 408


def test_503_with_retry_after_is_heeded() -> None:
    pair = Pair()
    registrar = Registrar(pair, (503, [("Retry-After", "100 (maintenance);duration=9")]))
    register(pair)
    pair.run(99)
    assert len(registrar.requests) == 1
    pair.run(3)
    assert len(registrar.requests) == 2


def test_403_is_not_tried_again() -> None:
    pair = Pair()
    registrar = Registrar(pair, (403, []))
    register(pair)
    pair.run(1000)
    assert len(registrar.requests) == 1
    assert pair.a.take(RegistrationFailed).status == 403


def test_a_lost_connection_is_followed_by_another_register() -> None:
    pair = Pair(transport="TCP")
    registrar = Registrar(pair)
    register(pair)
    pair.run(1)
    pair.a.endpoint.flow_lost(pair.flow_a, pair.now)
    pair.run(10)
    assert len(registrar.requests) == 2


def test_a_phone_with_an_instance_registers_a_flow_of_its_own() -> None:
    pair = Pair()
    pair.a.endpoint.register(
        Uri.parse("sip:b.example"), aor=NameAddr.parse("<sip:alice@b.example>"), contact=Uri.parse(CONTACT),
        flow=pair.flow_a, now=0.0, instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128", reg_id=2)
    pair.flush()
    sent = pair.a.requests("REGISTER")[0]
    assert sent.supported == {"outbound", "path"}
    contact = sent.contacts[0]
    assert contact.uri.has_parameter("ob") and contact.parameter("reg-id") == "2"
    assert contact.parameter("+sip.instance") == "<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"
    registrar = Registrar(pair)
    pair.run(1)
    assert len(registrar.requests) == 1 and pair.a.take(Registered).expires_s == 3600


def test_a_phone_without_an_instance_says_nothing_of_outbound() -> None:
    pair = Pair()
    register(pair)
    sent = pair.a.requests("REGISTER")[0]
    assert sent.supported == {"path"} and str(sent.contacts[0]) == f"<{CONTACT}>"
