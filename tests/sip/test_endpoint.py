"""The endpoint: what is answered without state (RFC 3261 §8.2), where responses go (§18.2, RFC 3581), streams, limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.endpoint import Endpoint, EndpointSettings
from sip.events import CallReceived, RequestFailed, RequestReceived, ResponseReceived
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.parser import parse_message
from sip.routing import own_contact_over
from sip.source import is_secure
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, A, B, Pair
from tests.helpers.sip_messages import request, response


def answers(data: bytes, flow: Flow | None = None) -> list[Response]:
    """What side b answers to these bytes at once."""
    pair = Pair()
    pair.inject(data, flow=flow)
    return [m for m in pair.b.messages() if isinstance(m, Response)]


def refusal(data: bytes, flow: Flow | None = None) -> Response:
    """The one response to these bytes, of an endpoint that then has no state and told its user nothing."""
    pair = Pair()
    pair.inject(data, flow=flow)
    (answer,) = pair.b.messages()
    assert isinstance(answer, Response)
    assert pair.b.events == [] and len(pair.b.endpoint._transactions) == 0 and pair.b.endpoint.next_timer() is None
    return answer


# ---- refusals


def test_an_unknown_method_is_refused_with_405_and_allow() -> None:
    answer = refusal(request("PUBLISH"))
    assert answer.status == 405
    assert "INVITE" in (answer.headers.get("Allow") or "")


def test_another_scheme_is_refused_with_416() -> None:
    assert refusal(request("OPTIONS", uri="nobodyKnowsThisScheme:totallyopaquecontent")).status == 416
    assert refusal(request("INVITE", uri="tel:+1201")).status == 416


def test_an_unknown_extension_is_refused_with_420_and_its_name() -> None:
    answer = refusal(request("INVITE", extra=("Require: 100rel, gruu, nothingSupportsThis",)))
    assert (answer.status, answer.headers.get("Unsupported")) == (420, "gruu, nothingsupportsthis")


def test_require_is_not_looked_at_in_ack_and_cancel() -> None:
    pair = Pair()
    pair.inject(request("INVITE", body=OFFER))
    pair.inject(request("CANCEL", extra=("Require: nothing",)))
    assert pair.b.summary() == ["100 INVITE", "200 CANCEL", "487 INVITE"]
    pair.inject(request("ACK", To=pair.b.responses("INVITE")[-1].headers.get("To"), extra=("Require: nothing",)))
    assert len(pair.b.summary()) == 3


def test_an_extension_that_we_know_is_taken() -> None:
    pair = Pair(settings=EndpointSettings(supported=frozenset({"timer"})))
    pair.inject(request("INVITE", body=OFFER, extra=("Require: timer",)))
    assert pair.b.has(CallReceived)


@pytest.mark.parametrize("line", ["Content-Type: text/plain", "Content-Type: multipart/mixed;boundary=x"])
def test_another_body_is_refused_with_415_and_what_we_take(line: str) -> None:
    answer = refusal(request("INVITE", body=b"x", Content_Type=None, extra=(line,)))
    assert (answer.status, answer.headers.get("Accept")) == (415, "application/sdp")


def test_an_encoded_body_is_refused_with_415() -> None:
    answer = refusal(request("INVITE", body=OFFER, extra=("Content-Encoding: gzip",)))
    assert (answer.status, answer.headers.get("Accept-Encoding")) == (415, "identity")
    assert answers(request("INVITE", body=OFFER, extra=("e: Identity",)))[0].status == 100


def test_max_forwards_0_is_refused_with_483_but_options_is_answered() -> None:
    assert refusal(request("INVITE", Max_Forwards="0", body=OFFER)).status == 483
    pair = Pair()
    pair.inject(request("OPTIONS", Max_Forwards="0"))
    assert pair.b.has(RequestReceived)


@pytest.mark.parametrize("method", ["BYE", "NOTIFY", "UPDATE", "INFO", "CANCEL"])
def test_a_method_of_dialogs_outside_of_one_is_refused_with_481(method: str) -> None:
    assert refusal(request(method)).status == 481


@pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "MESSAGE"])
def test_a_request_of_an_unknown_dialog_is_refused_with_481(method: str) -> None:
    answer = refusal(request(method, To="<sip:room@b.example>;tag=gone"))
    assert (answer.status, answer.to.tag) == (481, "gone")


@pytest.mark.parametrize("contact", [None, "*", "<broken", "<sip:a@b:99999>"])
def test_an_invite_without_a_contact_that_can_be_used_is_refused_with_400(contact: str | None) -> None:
    assert refusal(request("INVITE", Contact=contact, body=OFFER)).status == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"Max_Forwards": "many"},
        {"Max_Forwards": "300"},
        {"CSeq": "1 REGISTER"},
        {"Expires": "soon"},
        {"Record_Route": "<"},
        {"Content_Length": "50"},
        {"Content_Length": "-9"},
        {"Call_ID": ""},
    ],
)
def test_a_broken_header_that_we_use_is_refused_with_400_before_there_is_any_state(changed: dict[str, str]) -> None:
    assert refusal(request("SUBSCRIBE", extra=("Event: conference",), **changed)).status == 400


def test_another_version_is_refused_with_505() -> None:
    assert refusal(request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1)).status == 505


def test_a_request_uri_that_is_too_long_is_refused_with_414() -> None:
    assert refusal(request("OPTIONS", uri="sip:" + "a" * 3000 + "@b")).status == 414


def test_a_merged_request_is_refused_with_482() -> None:
    pair = Pair()
    pair.inject(request("INVITE", body=OFFER))
    pair.inject(request("INVITE", body=OFFER, Via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother"))
    assert pair.b.summary() == ["100 INVITE", "482 INVITE"]


def test_a_refusal_without_state_has_the_same_tag_each_time() -> None:
    pair = Pair()
    for _ in range(3):
        pair.inject(request("PRACK"))
    pair.inject(request("PRACK", Call_ID="another"))
    tags = [m.to.tag for m in pair.b.messages()]
    assert len(set(tags[:3])) == 1 and tags[0] and tags[3] != tags[0]


def test_a_broken_ack_and_a_stray_ack_are_never_answered() -> None:
    assert answers(request("ACK")) == []
    assert answers(request("ACK", Max_Forwards="x", CSeq="1 INVITE")) == []
    assert answers(request("ACK", extra=("no colon",))) == []


def test_junk_is_dropped_and_counted() -> None:
    pair = Pair()
    for data in (
        b"",
        b"\r\n\r\n",
        b"\0" * 4,
        b"\0\x01\0\x08\x21\x12\xa4\x42" + b"x" * 20,
        b"\x80" + b"x" * 171,
        b"jaK",
        b"\xff" * 60,
    ):
        pair.inject(data)
    pair.inject(b"this is no message at all, whatever it is")
    assert pair.b.sent == [] and pair.b.events == []
    assert pair.b.endpoint.counters == {"junk": 3, "keep-alives": 4, "parse errors": 1}


def test_a_response_with_two_vias_is_not_for_us() -> None:
    pair = Pair()
    pair.call()
    invite = pair.a.requests("INVITE")[0]
    ringing = bytes(invite.respond(180, to_tag="x"))
    pair.inject(ringing.replace(b"\r\nFrom", b"\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK9\r\nFrom"), to_a=True)
    assert pair.a.endpoint.counters["stray responses"] == 1 and pair.a.events == []


def test_a_stranger_can_be_refused_without_state() -> None:
    pair = Pair()
    seen: list[tuple[str, Flow, float]] = []

    def admit(message: Request, flow: Flow, now: float) -> Response | None:
        seen.append((message.method, flow, now))
        return message.respond(403, to_tag="t")

    pair.b.endpoint.admit = admit
    pair.inject(request("INVITE", body=OFFER))
    assert pair.b.summary() == ["403 INVITE"]
    assert seen == [("INVITE", pair.flow_b, 0.0)]
    assert len(pair.b.endpoint._transactions) == 0


def test_too_many_transactions_are_refused_with_503_and_a_flood_of_strays_takes_no_memory() -> None:
    pair = Pair(settings=EndpointSettings(max_transactions=10))
    for number in range(20):
        pair.inject(request("OPTIONS", Via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}", Call_ID=f"c{number}"))
        pair.inject(request("BYE", Via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb{number}", To=f"<sip:b>;tag={number}"))
        pair.inject(request("CANCEL", Via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKc{number}"))
    assert len(pair.b.endpoint._transactions) == 10
    assert pair.b.endpoint.counters["overload"] == 10
    assert pair.b.responses("OPTIONS")[-1].headers.get("Retry-After") == "5"


def test_a_flood_inside_a_call_is_refused_with_503_and_its_bye_is_taken() -> None:
    pair = Pair(settings=EndpointSettings(max_transactions=10))
    pair.established()
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    fields = {"Call_ID": invite.call_id, "From": str(invite.from_), "To": f"<sip:room@b.example>;tag={tag}"}
    for number in range(2, 40):
        via = f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}"
        pair.inject(request("INFO", CSeq=f"{number} INFO", Via=via, **fields))
    assert len(pair.b.endpoint._transactions) == 20 and pair.b.responses("INFO")[-1].status == 503
    pair.inject(request("BYE", CSeq="50 BYE", **fields))
    assert pair.b.summary()[-1] == "200 BYE"


def test_too_many_dialogs_are_refused_with_503() -> None:
    pair = Pair(settings=EndpointSettings(max_dialogs=2))
    for number in range(3):
        pair.inject(request("INVITE", body=OFFER, Via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}", Call_ID=f"c{number}"))
    assert pair.b.responses("INVITE")[-1].status == 503


# ---- where responses go


@pytest.mark.parametrize(
    ("via", "noted", "port"),
    [
        (
            "SIP/2.0/UDP 10.0.0.5:5060;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP 10.0.0.5:5060;rport=61000;branch=z9hG4bK1;received=198.51.100.7",
            61000,
        ),
        ("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1;received=198.51.100.7", 5060),
        ("SIP/2.0/UDP 10.0.0.5:5090;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.5:5090;branch=z9hG4bK1;received=198.51.100.7", 5090),
        ("SIP/2.0/UDP 198.51.100.7:5090;branch=z9hG4bK1", "SIP/2.0/UDP 198.51.100.7:5090;branch=z9hG4bK1", 5090),
        (
            "SIP/2.0/UDP x.invalid;rport=1;received=192.0.2.66;branch=z9hG4bK1",
            "SIP/2.0/UDP x.invalid;rport=61000;received=198.51.100.7;branch=z9hG4bK1",
            61000,
        ),
        (
            'SIP/2.0/UDP 10.0.0.5;x="a, b";rport;branch=z9hG4bK1, SIP/2.0/TCP c;branch=z9hG4bK2',
            'SIP/2.0/UDP 10.0.0.5;x="a, b";rport=61000;branch=z9hG4bK1;received=198.51.100.7, SIP/2.0/TCP c;branch=z9hG4bK2',
            61000,
        ),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "PRACK"])
def test_the_source_is_noted_and_the_response_goes_there(via: str, noted: str, port: int, method: str) -> None:
    pair = Pair()
    pair.inject(request(method, Via=via), flow=Flow("UDP", B, ("198.51.100.7", 61000)))
    if method == "OPTIONS":
        pair.b.endpoint.respond(pair.b.take(RequestReceived).transaction_id, 200, now=0.0)
        pair.flush()
    assert pair.b.messages()[0].headers.get_lines("Via") == [noted]
    assert pair.b.sent[0][2].remote == ("198.51.100.7", port)


def test_over_a_connection_the_response_goes_back_by_it() -> None:
    flow = Flow("TCP", B, ("198.51.100.7", 61000), 9)
    pair = Pair()
    pair.inject(request("PRACK", Via="SIP/2.0/TCP 10.0.0.5:5070;branch=z9hG4bK1"), flow=flow)
    assert pair.b.sent[0][2] == flow


def test_an_ipv6_peer_is_noted_without_brackets() -> None:
    flow = Flow("UDP", ("2001:db8::2", 5060), ("2001:db8::1", 61000))
    pair = Pair()
    pair.inject(request("PRACK", Via="SIP/2.0/UDP [2001:db8::99]:5070;rport;branch=z9hG4bK1"), flow=flow)
    via = pair.b.messages()[0].via
    assert (via.host, via.parameter("received"), via.parameter("rport")) == ("2001:db8::99", "2001:db8::1", "61000")


# ---- requests outside of dialogs


def test_a_request_of_ours_is_answered_by_its_id() -> None:
    pair = Pair()
    request_id = pair.a.endpoint.request(
        "MESSAGE",
        Uri.parse("sip:bob@b.example"),
        from_=NameAddr.parse("<sip:alice@a.example>"),
        flow=pair.flow_a,
        now=0.0,
        body=b"hello",
        headers=[("Subject", "s")],
    )
    pair.run(0.1)
    received = pair.b.take(RequestReceived)
    assert (received.request.body, received.request.content_type, received.flow) == (b"hello", "text/plain", pair.flow_b)
    pair.b.endpoint.respond(received.transaction_id, 202, now=pair.now)
    pair.run(0.1)
    answer = pair.a.take(ResponseReceived)
    assert (answer.request_id, answer.response.status) == (request_id, 202)
    assert answer.response.headers.get("Server") == received.request.headers.get("User-Agent") == "Confero"
    pair.b.endpoint.respond(received.transaction_id, 200, now=pair.now)
    pair.b.endpoint.respond(999, 200, now=pair.now)
    pair.run(60)
    assert len(pair.b.responses("MESSAGE")) == 1


def test_a_request_that_nobody_answers_fails_with_408() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: True
    request_id = pair.a.endpoint.request(
        "OPTIONS", Uri.parse("sip:b"), from_=NameAddr.parse("<sip:a@b>"), flow=pair.flow_a, now=0.0
    )
    pair.run(33)
    assert pair.a.take(RequestFailed) == RequestFailed(request_id, 408)


def test_a_request_of_ours_has_what_8_1_1_asks_for() -> None:
    pair = Pair()
    pair.call()
    message = pair.a.requests("INVITE")[0]
    assert message.via.branch.startswith("z9hG4bK") and message.via.parameter("rport") == ""
    assert (message.via.host, message.via.port) == A
    assert message.from_.tag and not message.to.tag and message.max_forwards == 70
    assert (str(message.cseq), len(message.contacts)) == ("1 INVITE", 1)


def test_a_retransmitted_request_is_told_once_and_answered_with_the_same_bytes() -> None:
    pair = Pair()
    pair.inject(request("OPTIONS"))
    pair.inject(request("OPTIONS"))
    pair.b.endpoint.respond(pair.b.take(RequestReceived).transaction_id, 200, now=0.0)
    pair.inject(request("OPTIONS"))
    assert not pair.b.has(RequestReceived)
    assert len(pair.b.sent) == 2 and pair.b.sent[0][1] == pair.b.sent[1][1]


def test_the_100_comes_at_once_and_a_retransmitted_invite_gets_it_again() -> None:
    pair = Pair()
    pair.inject(request("INVITE", body=OFFER))
    pair.inject(request("INVITE", body=OFFER))
    assert pair.b.summary() == ["100 INVITE", "100 INVITE"]
    assert pair.b.take(CallReceived) and not pair.b.has(CallReceived)


# ---- streams


TCP = Flow("TCP", B, A, 4)


def test_a_stream_is_followed_wherever_it_is_split() -> None:
    data = (
        request("OPTIONS")
        + b"\r\n\r\n"
        + request("MESSAGE", body=b"x", Content_Type="text/plain", Via="SIP/2.0/TCP a;branch=z9hG4bK2")
    )
    for at in range(0, len(data), 7):
        pair = Pair()
        pair.inject(data[:at], flow=TCP)
        pair.inject(data[at:], flow=TCP)
        assert [pair.b.take(RequestReceived).request.method for _ in range(2)] == ["OPTIONS", "MESSAGE"]
        assert [data for _, data, _ in pair.b.sent] == [b"\r\n"]


def test_a_keep_alive_is_answered_with_a_single_crlf() -> None:
    pair = Pair()
    pair.inject(b"\r\n", flow=TCP)
    assert pair.b.sent == []
    pair.inject(b"\r\n", flow=TCP)
    assert [(data, flow) for _, data, flow in pair.b.sent] == [(b"\r\n", TCP)]


def test_a_flood_of_keep_alives_is_not_amplified() -> None:
    pair = Pair()
    pair.inject(b"\r\n\r\n" * 1000, flow=TCP)
    assert len(pair.b.sent) <= 4


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("OPTIONS", Content_Length=None), [400]),
        (request("OPTIONS", Content_Length="x"), [400]),
        (request("OPTIONS", Content_Length="70000"), [513]),
        (b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", []),
        (b"x" * 20000, []),
    ],
)
def test_a_stream_that_can_not_be_followed_is_refused_and_closed(data: bytes, status: list[int]) -> None:
    pair = Pair()
    assert pair.b.endpoint.receive_stream(data, TCP, 0.0) is False
    pair.flush()
    assert [m.status for m in pair.b.messages() if isinstance(m, Response)] == status
    assert pair.b.endpoint.counters["stream errors"] == 1


def test_a_broken_message_with_a_good_length_costs_only_itself() -> None:
    pair = Pair()
    bad = request("OPTIONS", Max_Forwards="x")
    assert pair.b.endpoint.receive_stream(bad + request("OPTIONS"), TCP, 0.0)
    pair.flush()
    assert pair.b.summary() == ["400 OPTIONS"] and pair.b.has(RequestReceived)


def test_a_message_that_has_begun_is_waited_for_and_forgotten_with_its_connection() -> None:
    pair = Pair()
    pair.inject(request("OPTIONS")[:30], flow=TCP)
    assert pair.b.endpoint.is_waiting_for_rest(TCP)
    pair.b.endpoint.flow_lost(TCP, 0.0)
    assert not pair.b.endpoint.is_waiting_for_rest(TCP)


# ---- whatever comes


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=120)
        | st.tuples(
            st.sampled_from(
                [
                    request("INVITE", body=OFFER),
                    request("BYE"),
                    request("SUBSCRIBE", extra=("Event: x",)),
                    response(200),
                    request("ACK"),
                ]
            ),
            st.integers(0, 500),
            st.binary(max_size=6),
        ).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_bytes_crash_an_endpoint(pieces: list[bytes], is_stream: bool) -> None:
    endpoint = Endpoint(EndpointSettings(), lambda size: bytes(size))
    for number, piece in enumerate(pieces):
        if is_stream:
            endpoint.receive_stream(piece, TCP, float(number))
        else:
            endpoint.receive_datagram(piece, Flow("UDP", B, A), float(number))
    while endpoint.next_event() is not None:
        continue
    for data, _ in endpoint.datagrams_to_send():
        assert data == b"\r\n" or parse_message(data)


def test_time_that_comes_late_gives_the_same_messages() -> None:
    summaries = []
    for step in (0.01, 7.0):
        pair = Pair()
        pair.drop = lambda data, from_a: True
        pair.call()
        now = 0.0
        while now < 40:
            now += step
            pair.a.endpoint.handle_timer(now)
            pair.flush()
        summaries.append((set(pair.a.summary()), [type(event).__name__ for event in pair.a.events]))
    assert summaries[0] == summaries[1]


def test_an_answered_call_costs_the_endpoint_nothing_once_it_is_over() -> None:
    pair = Pair()
    for _ in range(5):
        ours, _ = pair.established()
        ours.hang_up(pair.now)
        pair.run(1)
    pair.run(60)
    for side in (pair.a, pair.b):
        endpoint = side.endpoint
        assert len(endpoint._transactions) == 0 and endpoint._dialogs._by_id == {} and endpoint._transactions._merged == {}
        assert endpoint._transactions._clients == {} and endpoint._transactions._servers == {} and len(endpoint.timers) == 0


def test_an_answer_may_bring_a_contact_and_headers_of_its_own() -> None:
    pair = Pair()
    pair.inject(request("INVITE", body=OFFER))
    call = pair.b.take(CallReceived).call
    call.accept(
        ANSWER,
        0.0,
        contact=Uri.parse("sip:room@192.0.2.2:5062;x"),
        headers=[("Contact", "<sip:room@192.0.2.2:5062;x>;isfocus"), ("X", "y")],
    )
    pair.flush()
    ok = pair.b.responses("INVITE")[-1]
    assert ok.headers.get_lines("Contact") == ["<sip:room@192.0.2.2:5062;x>;isfocus"] and ok.headers.get("X") == "y"


@pytest.mark.parametrize(("uri", "contact", "secure"), [
    ("sips:x@b.example", "<sips:a@192.0.2.1>", True), ("sip:x@b.example", "<sips:a@192.0.2.1>", True),
    ("sip:x@b.example", "<sip:a@192.0.2.1;transport=tls>", False),
])
def test_sips_asks_for_sips_in_the_contact(uri: str, contact: str, secure: bool) -> None:
    flow = Flow("TLS", ("192.0.2.2", 5061), ("192.0.2.1", 40000), 1)
    asked = parse_message(f"OPTIONS {uri} SIP/2.0\r\nContact: {contact}\r\n\r\n".encode())
    assert isinstance(asked, Request) and is_secure(asked) is secure
    expected = "sips:x@192.0.2.2:5061" if secure else "sip:x@192.0.2.2:5061;transport=tls"
    assert str(own_contact_over(flow, "x", "192.0.2.2", is_secure=is_secure(asked))) == expected
