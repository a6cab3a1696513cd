"""A phone's side of BFCP in SDP, against our server's and against servers that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtp.errors import NegotiationFailed
from rtp.sdp.floor_client import LocalClient, answer_as_client, apply_answer_as_client, offer_as_client
from rtp.sdp.floor_control import TCP, TLS, UDP, NegotiatedFloors, answer_line, apply_answer, offer_line
from rtp.sdp.model import MediaDescription, SessionDescription
from rtp.sdp.parser import parse
from tests.rtp.sdp.test_floor_control import LOCAL, THEIRS

PHONE = LocalClient("192.0.2.9", 5070, THEIRS)
ALL = pytest.mark.parametrize("protocol", [TCP, TLS, UDP])


def session(host: str, media: MediaDescription) -> SessionDescription:
    """A description with one line, as it comes out of the other side's parser."""
    return parse(bytes(SessionDescription(1, 1, host, media=(media,))))


def fits(client: NegotiatedFloors, server: NegotiatedFloors, protocol: str) -> None:
    """Both sides have agreed on the same."""
    assert (client.role, server.role, client.protocol, server.protocol) == ("c-only", "s-only", protocol, protocol)
    assert (client.we_connect, server.we_connect) == (protocol != UDP, False)
    assert client.peer.remote == ("192.0.2.1", 25000)
    assert (client.peer.conference_id, client.peer.user_id, client.peer.floors) == (4711, 10, LOCAL.floors)
    if protocol == TLS:
        assert client.peer.fingerprints == (LOCAL.fingerprint,) and server.peer.fingerprints == (THEIRS,)


@ALL
def test_what_a_phone_offers_our_server_answers(protocol: str) -> None:
    offer = offer_as_client(PHONE, protocol)
    line, server = answer_line(session("192.0.2.9", offer), 0, LOCAL)
    fits(apply_answer_as_client(offer, 0, session("192.0.2.1", line)), server, protocol)


@ALL
def test_what_our_server_offers_a_phone_answers(protocol: str) -> None:
    offer = offer_line(LOCAL, protocol)
    line, client = answer_as_client(session("192.0.2.1", offer), 0, PHONE)
    fits(client, apply_answer(offer, 0, session("192.0.2.9", line)), protocol)


def test_a_phone_shows_its_port_over_udp_alone() -> None:
    assert [offer_as_client(PHONE, protocol).port for protocol in (TCP, TLS, UDP)] == [9, 9, 5070]


def answered(protocol: str, *lines: str, port: int = 25000) -> SessionDescription:
    """A server's answer, line by line."""
    text = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", f"m=application {port} {protocol} *"]
    return parse("\r\n".join([*text, *(f"a={line}" for line in lines), ""]).encode())


IDS = ("confid:1", "userid:2")


@pytest.mark.parametrize(("protocol", "lines", "port", "words"), [
    (TCP, ("floorctrl:c-only", *IDS), 25000, "no floor control server"),
    (TCP, ("floorctrl:s-only", "userid:2"), 25000, "confid"), (TCP, IDS, 0, "no floors"), (UDP, IDS, 25000, "offered"),
    (TCP, (*IDS, "setup:active"), 9, "wait"),
    (TCP, (*IDS, "setup:passive"), 9, "address"), (TCP, IDS, 9, "wait"), (TCP, (*IDS, "setup:actpass"), 25000, "no answer"),
    (TCP, (*IDS, "bfcpver:2"), 25000, "version"), (TCP, ("userid:x",), 25000, "userid"),
], ids=["client", "no conference", "refused", "another transport", "both connect", "no address", "no address, no setup",
        "undecided", "version", "no number"])
def test_an_answer_that_can_not_be_used_is_told_why(protocol: str, lines: tuple[str, ...], port: int, words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        apply_answer_as_client(offer_as_client(PHONE, TCP), 0, answered(protocol, *lines, port=port))


def test_an_answer_without_role_and_setup_is_a_servers() -> None:
    assert apply_answer_as_client(offer_as_client(PHONE, TCP), 0, answered(TCP, *IDS)).we_connect


@pytest.mark.parametrize(("media", "words"), [
    (offer_line(LOCAL, TCP).refused(), "spoken"), (offer_as_client(PHONE, TCP), "wait"),
    (replace(offer_line(LOCAL, TLS), attributes=(("setup", "passive"), ("confid", "1"), ("userid", "2"))), "fingerprint"),
], ids=["port 0", "another client", "TLS without a fingerprint"])
def test_an_offer_that_can_not_be_used_is_told_why(media: MediaDescription, words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        answer_as_client(session("192.0.2.1", media), 0, PHONE)


@pytest.mark.parametrize("protocol", [TLS, UDP])
def test_a_phone_without_certificate_or_port_offers_neither(protocol: str) -> None:
    with pytest.raises(NegotiationFailed):
        offer_as_client(LocalClient("192.0.2.9"), protocol)
