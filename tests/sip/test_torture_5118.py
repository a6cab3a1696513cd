"""Messages with the traits of the cases of RFC 5118 (IPv6), by section numbers, as a datagram and byte by byte in a stream."""

from __future__ import annotations

import pytest

from sip.events import Event, RequestReceived
from sip.message import Request, Response
from tests.helpers.pair import Pair
from tests.helpers.sip_messages import request, response

TRANSPORTS = ("UDP", "TCP")


def receive(data: bytes, transport: str) -> tuple[list[Event], list[int]]:
    """What an endpoint tells of a message, and the statuses that it answers by itself."""
    pair = Pair(transport=transport)
    if transport == "UDP":
        pair.inject(data)
    else:
        for byte in data:
            pair.inject(bytes([byte]))
    return pair.b.events, [m.status for m in pair.b.messages() if isinstance(m, Response)]


def taken(data: bytes, transport: str) -> Request:
    """The request, which the endpoint has to take."""
    events, statuses = receive(data, transport)
    assert statuses == [] and len(events) == 1
    assert isinstance(events[0], RequestReceived)
    return events[0].request


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_1_ipv6_references_wherever_an_address_may_be(transport: str) -> None:
    found = taken(request("REGISTER", "sip:[2001:db8::10]", To="sip:user@example.com", Contact="<sip:user@[2001:db8::1]>",
                          Via="SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3"), transport)
    assert (found.uri.host, str(found.uri)) == ("2001:db8::10", "sip:[2001:db8::10]")
    assert found.via.host == "2001:db8::9:1" and found.contacts[0].uri.host == "2001:db8::1"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_2_a_request_uri_without_the_brackets_is_refused(transport: str) -> None:
    events, statuses = receive(request("REGISTER", "sip:2001:db8::10", Via="SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3"),
                               transport)
    assert (events, statuses) == ([], [400])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_3_a_number_inside_the_brackets_is_part_of_the_address(transport: str) -> None:
    found = taken(request("REGISTER", "sip:[2001:db8::10:5070]"), transport)
    assert (found.uri.host, found.uri.port) == ("2001:db8::10:5070", None)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_4_a_number_behind_the_brackets_is_the_port(transport: str) -> None:
    found = taken(request("REGISTER", "sip:[2001:db8::10]:5070"), transport)
    assert (found.uri.host, found.uri.port) == ("2001:db8::10", 5070)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_4_5_received_is_read_with_and_without_brackets(received: str, transport: str) -> None:
    found = taken(request("OPTIONS", Via=f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3"), transport)
    assert found.via.branch == "z9hG4bKas3" and found.via.host == "2001:db8::9:1"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("lines", [("c=IN IP6 2001:db8::20",),                                               # 4.6
                                   ("c=IN IP4 192.0.2.1", "m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::1")])     # 4.8
def test_4_6_and_4_8_descriptions_with_ipv6_are_handed_out_as_they_are(lines: tuple[str, ...], transport: str) -> None:
    body = "\r\n".join(("v=0", "o=a 1 1 IN IP6 2001:db8::20", "s=-", *lines, "")).encode()
    events, statuses = receive(request("INVITE", "sip:user@[2001:db8::10]", body=body), transport)
    assert statuses == [100] and getattr(events[0], "offer", None) == body


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_7_both_families_in_one_message(transport: str) -> None:
    found = taken(request("OPTIONS", "sip:user@host.example.net", extra=(
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKjhja8781hjuaij65144",
        "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200")), transport)
    assert [via.host for via in found.vias][1:] == ["192.0.2.1", "2001:db8::9:255"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_9_ipv4_mapped_addresses(transport: str) -> None:
    found = taken(request("OPTIONS", "sip:user@example.com", Via="SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
                          Contact='"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>'), transport)
    assert (found.via.host, found.via.port) == ("::ffff:192.0.2.10", 19823)
    assert found.contacts[0].uri.host == "::ffff:192.0.2.2"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_4_10_the_third_colon_of_the_old_grammar_breaks_nothing(transport: str) -> None:
    found = taken(request("OPTIONS", "sip:user@[2001:db8:::192.0.2.1]", Contact="<sip:user@[2001:db8::1]>"), transport)
    assert str(found.uri) == "sip:user@[2001:db8:::192.0.2.1]"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("host", ["[2001:db8::1", "[]", "[x]", "[2001:db8::1]x", "[[::1]]"])
def test_what_is_no_reference_is_refused_and_never_an_answer(host: str, transport: str) -> None:
    assert receive(request("OPTIONS", f"sip:user@{host}"), transport)[1] == [400]
    assert receive(response(200, Via=f"SIP/2.0/UDP {host};branch=z9hG4bK1"), transport) == ([], [])
