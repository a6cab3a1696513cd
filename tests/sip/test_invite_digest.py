"""Challenged calls (RFC 3261 §22): the INVITE, requests inside the dialog, wrong passwords, and giving up in between."""

from __future__ import annotations

import pytest

from sip.auth import DigestClient, make_challenge, make_ha1, parse_digest, verify
from sip.events import (
    AnswerReceived,
    CallReceived,
    CallTerminated,
    DialogRequestReceived,
    ResponseReceived,
)
from sip.flow import Flow
from sip.invite import CallState
from sip.message import Request, Response
from sip.parser import parse_message
from tests.helpers.pair import ANSWER, OFFER, Pair, is_message

# ---- digest


class Registrar:
    """Lets side b challenge each INVITE: `stale` many times as stale, then checks the password."""

    def __init__(self, pair: Pair, password: str = "secret", stale: int = 0) -> None:
        self.pair, self.password, self.stale, self.challenges = pair, password, stale, 0
        pair.b.endpoint.admit = self.admit

    def admit(self, message: Request, flow: Flow, now: float) -> Response | None:
        """The endpoint's hook."""
        if message.method not in ("INVITE", "OPTIONS"):
            return None
        value = message.headers.get("Proxy-Authorization")
        is_stale = False
        if value is not None:
            credentials = parse_digest(value)
            if self.stale > 0:
                self.stale, is_stale = self.stale - 1, True
            elif verify(credentials, message.method, make_ha1("alice", "b.example", self.password)):
                return None
        self.challenges += 1
        challenge = make_challenge("b.example", f"nonce{self.challenges}", stale=is_stale)
        return message.respond(407, to_tag=f"t{self.challenges}", headers=[("Proxy-Authenticate", challenge)])


@pytest.mark.parametrize(("stale", "invites"), [(0, 2), (1, 3)])
def test_a_challenge_is_answered_with_a_new_branch_and_the_next_number_in_the_same_call(stale: int, invites: int) -> None:
    pair = Pair()
    Registrar(pair, stale=stale)
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(0.5)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.5)
    assert ours.is_up
    sent = pair.a.requests("INVITE")
    assert len(sent) == invites
    assert len({m.call_id for m in sent}) == len({m.from_.tag for m in sent}) == 1
    assert len({m.via.branch for m in sent}) == invites
    assert [m.cseq.number for m in sent] == list(range(1, invites + 1))
    assert all(m.to.tag == "" for m in sent)
    assert pair.a.requests("ACK")[-1].cseq.number == invites
    ours.hang_up(pair.now)
    pair.run(1)
    assert pair.a.requests("BYE")[0].cseq.number == invites + 1
    assert pair.b.take(CallTerminated).by_remote


@pytest.mark.parametrize("stale", [0, 99])
def test_a_wrong_password_ends_without_an_endless_loop(stale: int) -> None:
    pair = Pair()
    Registrar(pair, password="another", stale=stale)
    pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(5)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.status) == ("rejected", 407)
    assert len(pair.a.requests("INVITE")) == (2 if stale == 0 else 3)
    pair.run(60)
    assert len(pair.a.endpoint._transactions) == 0


def test_a_challenge_without_credentials_of_ours_ends_the_call() -> None:
    pair = Pair()
    Registrar(pair)
    pair.call()
    pair.run(1)
    assert pair.a.take(CallTerminated).status == 407


def test_a_call_given_up_before_the_challenge_is_not_tried_again() -> None:
    pair = Pair(delay_s=0.1)
    Registrar(pair)
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    ours.hang_up(pair.now)
    pair.run(1)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.by_remote) == ("cancelled", False)
    assert pair.a.summary() == ["INVITE", "ACK"]


def test_cancel_while_a_challenged_invite_is_tried_again_waits_for_its_provisional_response() -> None:
    pair = Pair(delay_s=0.1)
    Registrar(pair)
    pair.drop = lambda data, from_a: is_message(data, b"SIP/2.0 100") and pair.now < 1.0
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    pair.inject(bytes(pair.a.requests("INVITE")[0].respond(180, to_tag="proxy")), to_a=True)
    pair.run(0.25)
    assert pair.a.summary() == ["INVITE", "ACK", "INVITE"]
    assert ours.state is CallState.CALLING
    ours.hang_up(pair.now)
    pair.run(0.2)
    assert "CANCEL" not in pair.a.summary()
    pair.run(5)
    cancel, again = pair.a.requests("CANCEL")[0], pair.a.requests("INVITE")[-1]
    assert (cancel.via.branch, cancel.cseq.number) == (again.via.branch, 2)
    assert pair.a.take(CallTerminated).cause == "cancelled"
    assert pair.b.take(CallTerminated).cause == "cancelled"


def challenge_in_dialog(pair: Pair, method: str) -> None:
    """Let each request of a method that side a sends without credentials be answered with 401."""

    def refuse(data: bytes, from_a: bool) -> bool:
        message = parse_message(data)
        if not from_a or not isinstance(message, Request) or message.method != method or "Authorization" in message.headers:
            return False
        challenge = message.respond(401, headers=[("WWW-Authenticate", make_challenge("b.example", "n"))])
        pair.a.endpoint.receive_datagram(bytes(challenge), pair.flow_a, pair.now)
        return True

    pair.drop = refuse


def test_a_challenged_request_in_the_dialog_uses_up_its_number() -> None:
    pair = Pair()
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(0.2)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.2)
    challenge_in_dialog(pair, "INFO")
    first = ours.request("INFO", body=b"x", now=pair.now)
    pair.run(0.2)
    pair.b.endpoint.respond(pair.b.take(DialogRequestReceived).transaction_id, 200, now=pair.now)
    pair.run(0.2)
    assert pair.a.take(ResponseReceived).request_id == first
    ours.request("INFO", body=b"y", now=pair.now)
    pair.run(0.2)
    numbers = [m.cseq.number for m in pair.a.requests("INFO")]
    assert numbers == sorted(set(numbers)) and pair.b.take(DialogRequestReceived).request.body in (b"x", b"y")
    ours.hang_up(pair.now)
    pair.run(0.2)
    assert pair.b.take(CallTerminated).by_remote


def test_two_challenged_requests_in_flight_get_numbers_of_their_own() -> None:
    pair = Pair()
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(0.2)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.2)
    challenge_in_dialog(pair, "INFO")
    ours.request("INFO", now=pair.now)
    ours.request("INFO", now=pair.now)
    pair.run(0.2)
    numbers = [m.cseq.number for m in pair.a.requests("INFO")]
    assert sorted(numbers) == [2, 3, 4, 5]
    assert pair.b.take(DialogRequestReceived) and pair.b.take(DialogRequestReceived)


def test_a_challenged_re_invite_and_a_challenged_bye_are_sent_again() -> None:
    pair = Pair()
    ours = pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(0.2)
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    pair.run(0.2)
    challenge_in_dialog(pair, "INVITE")
    ours.offer(OFFER, pair.now)
    pair.run(0.2)
    theirs.accept_offer(ANSWER, pair.now)
    pair.run(0.2)
    assert pair.a.take(AnswerReceived).answer == ANSWER
    challenge_in_dialog(pair, "BYE")
    ours.hang_up(pair.now)
    pair.run(0.2)
    assert pair.b.take(CallTerminated).by_remote
    assert [m.cseq.number for m in pair.a.requests("BYE")] == [4, 5]


def test_the_ack_of_a_2xx_has_the_credentials_of_its_invite_since_it_can_not_be_challenged() -> None:
    pair = Pair()
    Registrar(pair)
    call = pair.call(credentials=DigestClient("alice", "secret"))
    pair.run(1.0)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(1.0)
    assert call.is_up
    invite, ack = pair.a.requests("INVITE")[-1], pair.a.requests("ACK")[-1]
    assert invite.headers.get("Proxy-Authorization")
    assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
    assert ack.cseq.number == invite.cseq.number
