"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3, §9.2), merged requests (§8.2.2.2), ACKs."""

from __future__ import annotations

from sip.flow import Flow
from sip.message import Request, Response
from sip.parser import parse_message
from sip.timers import Timers
from sip.transaction import State
from sip.transactions import Transactions, ack_of_refusal
from tests.helpers.sip_messages import request, response

UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))


def make() -> tuple[Transactions, list[bytes]]:
    """Transactions, and what they send."""
    sent: list[bytes] = []
    return Transactions(lambda data, flow: sent.append(data), Timers()), sent


def read(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def answer(data: bytes) -> Response:
    """The response in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


class Nobody:
    """A user that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def on_response(self, transaction: object, message: Response, now: float) -> None:
        """A response."""
        self.told.append(message.status)

    def on_failure(self, transaction: object, status: int, now: float) -> None:
        """A failure."""
        self.told.append(-status)


def test_a_response_is_matched_by_branch_and_method() -> None:
    transactions, _ = make()
    user = Nobody()
    transactions.start_client(read(request("OPTIONS")), UDP, user, 0.0)
    assert not transactions.receive_response(answer(response(200, CSeq="1 MESSAGE")), 0.0)
    assert not transactions.receive_response(
        answer(response(200, CSeq="1 OPTIONS", Via="SIP/2.0/UDP a;branch=z9hG4bKother")), 0.0
    )
    assert user.told == []
    assert transactions.receive_response(answer(response(200, CSeq="1 OPTIONS")), 0.0)
    assert user.told == [200]


def test_a_cancel_has_the_branch_of_its_invite_and_a_transaction_of_its_own() -> None:
    transactions, _ = make()
    invite = transactions.start_server(read(request("INVITE")), UDP, 0.0)
    cancel = read(request("CANCEL"))
    assert transactions.find_server(cancel) is None
    assert transactions.find_invite(cancel) is invite
    assert transactions.find_server(read(request("ACK"))) is invite


def test_second_invite_with_same_branch_is_a_retransmission() -> None:
    transactions, sent = make()
    invite = transactions.start_server(read(request("INVITE")), UDP, 0.0)
    transactions.respond(invite, invite.request.respond(180, to_tag="t"), 0.0)
    again = read(request("INVITE"))
    assert transactions.find_server(again) is invite
    transactions.receive_again(invite, again, 0.1)
    assert len(sent) == 2 and sent[0] == sent[1]


def test_the_same_branch_from_another_host_is_another_transaction() -> None:
    transactions, _ = make()
    transactions.start_server(read(request("INVITE")), UDP, 0.0)
    assert transactions.find_server(read(request("INVITE", Via="SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKhand1"))) is None
    assert transactions.find_server(read(request("INVITE", Via="SIP/2.0/UDP 192.0.2.1:5099;branch=z9hG4bKhand1"))) is None


def test_peers_of_rfc_2543_are_matched_by_call_id_from_tag_cseq_and_via() -> None:
    transactions, _ = make()
    old = "SIP/2.0/UDP 192.0.2.1:5060;branch=390skdjuw"
    invite = transactions.start_server(read(request("INVITE", Via=old)), UDP, 0.0)
    assert transactions.find_server(read(request("INVITE", Via=old))) is invite
    assert transactions.find_server(read(request("ACK", Via=old))) is invite
    assert transactions.find_invite(read(request("CANCEL", Via=old))) is invite
    assert transactions.find_server(read(request("INVITE", Via=old, CSeq="2 INVITE"))) is None
    assert transactions.find_server(read(request("INVITE", Via=old, Call_ID="other"))) is None


def test_the_same_request_by_another_way_is_merged_as_long_as_the_first_lives() -> None:
    transactions, _ = make()
    first = transactions.start_server(read(request("OPTIONS")), UDP, 0.0)
    other = read(request("OPTIONS", Via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother"))
    assert transactions.is_merged(other)
    assert not transactions.is_merged(
        read(request("OPTIONS", CSeq="2 OPTIONS", Via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother"))
    )
    assert not transactions.is_merged(read(request("OPTIONS", To="<sip:room@b.example>;tag=x")))
    transactions.respond(first, first.request.respond(200, to_tag="t"), 0.0)
    transactions.handle_timer(first, "J", 32.0)
    assert not transactions.is_merged(other)


def test_the_ack_of_a_refusal_is_built_by_the_rules() -> None:
    invite = read(
        request(
            "INVITE", extra=("Route: <sip:p1;lr>", "Route: <sip:p2;lr>"), Via="SIP/2.0/UDP a;branch=z9hG4bK1", CSeq="7 INVITE"
        )
    )
    ack = ack_of_refusal(invite, answer(response(486, To="<sip:room@b.example>;tag=theirs")))
    assert (ack.method, ack.uri, ack.cseq.number, ack.cseq.method) == ("ACK", invite.uri, 7, "ACK")
    assert [str(via) for via in ack.vias] == ["SIP/2.0/UDP a;branch=z9hG4bK1"]
    assert (ack.from_, ack.to.tag, ack.call_id) == (invite.from_, "theirs", invite.call_id)
    assert ack.headers.get_lines("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_a_lost_connection_concerns_only_what_went_by_it() -> None:
    transactions, _ = make()
    user = Nobody()
    here, there = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
    for number, flow in enumerate(
        [
            Flow("TCP", here, there, 3),
            Flow("TCP", here, there, 4),
            Flow("TCP", here, there, 0),
            UDP,
            Flow("TCP", here, ("192.0.2.3", 5060), 3),
        ]
    ):
        transactions.start_client(read(request("OPTIONS", Via=f"SIP/2.0/TCP a;branch=z9hG4bK{number}")), flow, user, 0.0)
    transactions.flow_lost(Flow("TCP", here, there, 3), 1.0)
    assert user.told == [-503, -503]
    assert len(transactions) == 3


def test_an_abandoned_transaction_is_gone() -> None:
    transactions, _ = make()
    user = Nobody()
    transaction = transactions.start_client(read(request("INVITE")), UDP, user, 0.0)
    transactions.receive_response(answer(response(180)), 0.0)
    assert transaction.state is State.PROCEEDING
    transactions.abandon(transaction)
    assert len(transactions) == 0
    assert not transactions.receive_response(answer(response(200)), 0.0)
    assert transactions.get(transaction.id) is None
