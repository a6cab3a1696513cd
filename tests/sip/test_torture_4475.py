"""Messages with the traits of the cases of RFC 4475, by their section numbers, as an endpoint takes them."""

from __future__ import annotations

import pytest

from sip.events import CallReceived, RegistrationFailed, RequestReceived
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.parser import parse_message
from sip.uri import Uri
from tests.helpers.pair import OFFER, Pair
from tests.helpers.sip_messages import request, response


def read(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def status_of(data: bytes) -> int | None:
    """The status with which an endpoint refuses this message by itself; None when it hands it up or drops it."""
    pair = Pair()
    pair.inject(data)
    statuses = [m.status for m in pair.b.messages() if isinstance(m, Response) and m.status > 100]
    status = statuses[0] if statuses else None
    if data.count(b"Content-Length") == 1 and data.rpartition(b"\r\n\r\n")[2] == b"":
        assert status_over_a_stream(data) == status
    return status


def status_over_a_stream(data: bytes) -> int | None:
    """The same when it comes byte by byte over a connection; only where the stream can be cut as the datagram is."""
    pair = Pair(transport="TCP")
    for byte in data:
        if not pair.b.endpoint.receive_stream(bytes([byte]), pair.flow_b, pair.now):
            break
    pair.flush()
    statuses = [m.status for m in pair.b.messages() if isinstance(m, Response) and m.status > 100]
    return statuses[0] if statuses else None


def is_dropped(data: bytes) -> bool:
    """Whether an endpoint says nothing to anybody about this message."""
    pair = Pair()
    pair.inject(data)
    return pair.b.sent == [] and pair.b.events == []


# ---- 3.1.1 valid messages


def test_3_1_1_1_blanks_folds_and_compact_names_everywhere() -> None:
    data = b"\r\n".join(
        [
            b"INVITE sip:bob@chair.example.net;unknownparam SIP/2.0",
            b"TO :",
            b" sip:bob@chair.example.net ;   tag    = 1918181833n",
            b'from   : "J R \\\\\\""       <sip:jr@example.com>',
            b"  ;",
            b"  tag = 98asjd8",
            b"MaX-fOrWaRdS: 0068",
            b"Call-ID: ws.1@192.0.2.1",
            b"Content-Length   : 4",
            b"cseq: 0009",
            b"  INVITE",
            b"Via  : SIP  /   2.0",
            b" /UDP",
            b"    192.0.2.2;branch=390skdjuw",
            b"s :",
            b"NewFangledHeader:   newfangled value",
            b" continued newfangled value",
            b"UnknownHeaderWithUnusualValue: ;;,,;;,;",
            b"Content-Type: application/sdp",
            b"Route:",
            b" <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
            b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
            b"  branch  =   z9hG4bK9ikj8  ,",
            b" SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
            b" z9hG4bK30239",
            b'm:"Quoted string \\"\\"" <sip:jr@example.com> ; newparam =',
            b"      newvalue ;",
            b"  secondparam ; q = 0.33",
            b"",
            b"v=0\n",
        ]
    )
    message = read(data)
    assert (message.to.tag, message.from_.tag, message.from_.display_name) == ("1918181833n", "98asjd8", 'J R \\"')
    assert (message.max_forwards, str(message.cseq), message.body) == (68, "9 INVITE", b"v=0\n")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert (
        message.headers.get("Subject") == ""
        and message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    )
    assert (message.contacts[0].display_name, message.contacts[0].parameter("q")) == ('Quoted string ""', "0.33")
    assert message.routes[0].uri.parameter("unknown-no-value") == ""


METHOD = "!interesting-Method0123456789_*+`.%indeed'~"


def test_3_1_1_2_every_character_that_a_token_or_a_uri_may_have() -> None:
    uri = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
    data = request(
        METHOD,
        uri=uri,
        To='"BEL:\\\x07 NUL:\\\x01 DEL:\\\x7f" <sip:x@example.com>',
        From="token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
        Call_ID="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        extra=("extensionHeader-!.%*+_`'~: 大停電",),
    )
    message = read(data)
    assert message.method == METHOD and str(message.uri) == uri
    assert message.from_.tag == "_token~1'+`*%!-." and message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.headers.get("extensionheader-!.%*+_`'~") == "大停電"
    assert status_of(data) == 405


def test_3_1_1_3_escapes_in_uris_stay_as_they_were_written() -> None:
    message = read(
        request(
            "INVITE",
            uri="sip:sips%3Auser%40example.com@example.net",
            To="sip:%75se%72@example.com",
            From="<sip:I%20have%20spaces@example.net>;tag=938",
            Contact="<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
        )
    )
    assert message.uri.user == "sips%3Auser%40example.com" and message.uri.host == "example.net"
    assert message.to.uri.matches(Uri.parse("sip:user@example.com"))
    assert message.contacts[0].uri.has_parameter("lr") is False


def test_3_1_1_4_an_escaped_nul_is_just_text() -> None:
    message = read(
        request(
            "REGISTER",
            To="sip:null-%00-null@example.com",
            Contact="<sip:%00@host5.example.com>, <sip:%00%00@host5.example.com>",
        )
    )
    assert [item.uri.user for item in message.contacts] == ["%00", "%00%00"]
    assert not message.contacts[0].uri.matches(message.contacts[1].uri)


def test_3_1_1_5_a_percent_sign_that_is_no_escape_in_a_method() -> None:
    assert read(request("RE%47IST%45R")).method == "RE%47IST%45R"
    assert status_of(request("RE%47IST%45R")) == 405


def test_3_1_1_6_no_blank_between_name_and_bracket() -> None:
    assert read(request(From="caller<sip:caller@example.com>;tag=323")).from_.display_name == "caller"


def test_3_1_1_7_long_values() -> None:
    message = read(
        request(
            "INVITE",
            To=f'"I have a user name of {"extreme " * 40}proportion" <sip:user@example.com:6000;x={"y" * 300}>',
            From=f"<sip:{'amazinglylongcallername' * 8}@example.net>;tag={'982424' * 25};{'unknownheaderparamname' * 8}=x",
            Call_ID="longreq.one" + "really" * 40 + "longcallid",
            extra=("Via: SIP/2.0/TCP sip33.example.com",) * 30,
        )
    )
    assert message.to.uri.port == 6000 and len(message.vias) == 31 and len(message.from_.tag) == 150


def test_3_1_1_8_bytes_after_content_length_are_no_part_of_a_datagram() -> None:
    first = request("REGISTER", To="sip:j.user@example.com") + request("INVITE", body=OFFER)
    pair = Pair()
    pair.inject(first)
    assert pair.b.take(RequestReceived).request.method == "REGISTER" and not pair.b.has(CallReceived)


def test_3_1_1_9_semicolons_in_the_user_part() -> None:
    message = read(request(uri="sip:user;par=u%40example.net@example.com"))
    assert (message.uri.user, message.uri.parameters) == ("user;par=u%40example.net", ())


def test_3_1_1_10_many_transports_in_via() -> None:
    lines = tuple(
        f"Via: SIP/2.0/{name} t{n}.example.com;branch=z9hG4bK{n}" for n, name in enumerate(["SCTP", "TLS", "UNKNOWN", "TCP"])
    )
    assert [via.transport for via in read(request(extra=lines)).vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_3_1_1_11_a_body_of_many_parts_is_refused_with_415() -> None:
    assert status_of(request("INVITE", body=b"--x\r\n\r\n--x--", Content_Type="multipart/mixed;boundary=x")) == 415


def test_3_1_1_12_and_13_odd_reason_phrases() -> None:
    for reason in ("= 2**3 * 5**2 но сто девяносто девять - простое", ""):
        message = parse_message(response(200, reason))
        assert isinstance(message, Response) and message.reason == reason


# ---- 3.1.2 messages that are broken


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.15;;,;,,", ""])
def test_3_1_2_1_separators_without_values(via: str) -> None:
    assert is_dropped(request("INVITE", Via=via, body=OFFER))
    assert status_of(request("INVITE", Contact='"Joe" <sip:joe@example.org>;;;;', body=OFFER)) == 400


def test_3_1_2_2_a_content_length_larger_than_the_message() -> None:
    assert status_of(request("INVITE", body=OFFER, Content_Length="9999")) == 400


def test_3_1_2_3_a_negative_content_length() -> None:
    assert status_of(request("INVITE", body=OFFER, Content_Length="-999")) == 400


def test_3_1_2_4_numbers_over_their_limits_in_a_request() -> None:
    assert is_dropped(request("REGISTER", CSeq="36893488147419103232 REGISTER"))
    assert status_of(request("REGISTER", Max_Forwards="300")) == 400
    assert status_of(request("REGISTER", Expires="10000000000000000000")) == 400


def test_3_1_2_5_numbers_over_their_limits_in_a_response_are_no_answer() -> None:
    pair = Pair()
    pair.call()
    invite = pair.a.requests("INVITE")[0]
    pair.inject(bytes(invite.respond(503)).replace(b"CSeq: 1 ", b"CSeq: 9292394834772304023312 "), to_a=True)
    assert pair.a.events == []


def test_3_1_2_6_a_quote_that_is_never_closed() -> None:
    assert status_of(request("INVITE", To='"Mr. J. User <sip:j.user@example.com>', body=OFFER)) is None
    assert is_dropped(request("INVITE", To='"Mr. J. User <sip:j.user@example.com>', body=OFFER))


def test_3_1_2_7_brackets_around_the_request_uri() -> None:
    assert status_of(request("INVITE", uri="<sip:user@example.com>", body=OFFER)) == 400


@pytest.mark.parametrize("uri", ["sip:user@example.com; lr", "sip:user@example.com;\tlr"])
def test_3_1_2_8_blanks_inside_the_request_uri(uri: str) -> None:
    assert status_of(request("INVITE", uri=uri, body=OFFER)) == 400


@pytest.mark.parametrize("line", ["INVITE  sip:user@example.com  SIP/2.0", "INVITE sip:user@example.com SIP/2.0  "])
def test_3_1_2_9_and_10_blanks_too_many_in_the_request_line(line: str) -> None:
    data = request("INVITE", body=OFFER)
    assert status_of(line.encode() + data[data.index(b"\r\n") :]) == 400


def test_3_1_2_11_headers_escaped_into_the_request_uri_are_not_followed() -> None:
    pair = Pair()
    pair.inject(request("INVITE", uri="sip:user@example.com?Route=%3Csip:evil%3E", body=OFFER))
    received = pair.b.take(CallReceived)
    assert received.request.routes == []


def test_3_1_2_12_a_date_in_another_zone_is_not_our_business() -> None:
    assert status_of(request("INVITE", body=OFFER, extra=("Date: Fri, 01 Jan 2010 16:00:00 EST",))) is None


def test_3_1_2_13_a_contact_with_parameters_outside_of_brackets() -> None:
    message = read(request("REGISTER", Contact="sip:user@example.com;expires=7"))
    assert (message.contacts[0].uri.parameters, message.contacts[0].parameter("expires")) == ((), "7")
    assert status_of(request("REGISTER", Contact="sip:user@example.com?Route=%3Csip:sip.example.com%3E x")) == 400


def test_3_1_2_14_blanks_inside_an_address() -> None:
    assert is_dropped(request("OPTIONS", To='"Watson, Thomas" < sip:t.wat son@example.org >'))


@pytest.mark.parametrize("to", ["Bell, Alexander <sip:a.g.bell@bell-tel.com>;tag=43", "Watson (Thomas) <sip:t@example.org>"])
def test_3_1_2_15_a_display_name_that_is_no_token_is_taken(to: str) -> None:
    assert read(request(From=to)).from_.uri.is_sip


@pytest.mark.parametrize("version", ["SIP/7.0", "SIP/0.9"])
def test_3_1_2_16_another_version(version: str) -> None:
    assert status_of(request("OPTIONS").replace(b" SIP/2.0", f" {version}".encode(), 1)) == 505


def test_3_1_2_17_and_18_methods_that_do_not_agree() -> None:
    assert status_of(request("OPTIONS", CSeq="8 INVITE")) == 400
    assert status_of(request("NEWMETHOD", CSeq="8 INVITE")) == 400


def test_3_1_2_19_a_status_code_out_of_range_is_no_answer() -> None:
    pair = Pair()
    pair.call()
    invite = pair.a.requests("INVITE")[0]
    pair.inject(
        bytes(invite.respond(200)).replace(b"SIP/2.0 200 OK", b"SIP/2.0 4294967301 better not break the receiver"), to_a=True
    )
    assert pair.a.events == []


# ---- 3.2 and 3.3 the transaction layer and the application


def test_3_2_1_a_request_without_the_branch_cookie_is_answered() -> None:
    pair = Pair()
    pair.inject(request("OPTIONS", Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"))
    pair.inject(request("OPTIONS", Via="SIP/2.0/UDP 192.0.2.1:5060", Call_ID="x"))
    assert pair.b.take(RequestReceived) and pair.b.take(RequestReceived)


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call_ID", "CSeq"])
def test_3_3_1_a_request_without_a_header_that_it_needs_is_not_acted_on(missing: str) -> None:
    assert is_dropped(request("INVITE", body=OFFER, **{missing: None}))


@pytest.mark.parametrize(
    ("uri", "status"),
    [("nobodyKnowsThisScheme:totallyopaquecontent", 416), ("name:John_Smith", 416), ("http://www.example.com", 416)],
)
def test_3_3_2_to_4_other_schemes_in_the_request_uri(uri: str, status: int) -> None:
    assert status_of(request("OPTIONS", uri=uri)) == status


def test_3_3_3_other_schemes_in_other_headers_are_taken() -> None:
    message = read(
        request("REGISTER", To="isbn:2983792873", From="<http://www.example.com>;tag=3", Contact="<name:John_Smith>")
    )
    assert (message.to.uri.scheme, message.from_.uri.scheme, message.contacts[0].uri.scheme) == ("isbn", "http", "name")


def test_3_3_5_and_6_proxy_require_is_for_proxies_and_require_for_us() -> None:
    assert status_of(request("OPTIONS", extra=("Proxy-Require: noProxiesSupportThis",))) is None
    assert status_of(request("OPTIONS", extra=("Require: nothingSupportsThis, nothingSupportsThisEither",))) == 420


def test_3_3_7_a_body_of_a_type_that_nobody_knows() -> None:
    assert status_of(request("INVITE", body=b"<audio/>", Content_Type="application/unknownformat")) == 415


def test_3_3_8_credentials_of_a_scheme_that_nobody_knows_do_not_break_anything() -> None:
    assert status_of(request("REGISTER", extra=("Authorization: NoOneKnowsThisScheme opaque-data=here",))) is None


@pytest.mark.parametrize(
    "line",
    [
        "CSeq: 8 INVITE",
        "Call-ID: other",
        "To: <sip:other@example.com>",
        "From: <sip:x@y>;tag=1",
        "Max-Forwards: 5",
        "Content-Type: text/plain",
    ],
)
def test_3_3_9_two_values_of_a_header_that_may_have_one(line: str) -> None:
    assert status_of(request("INVITE", body=OFFER, extra=(line,))) == 400


def test_3_3_10_two_content_lengths_that_differ() -> None:
    assert status_of(request("OPTIONS", extra=("Content-Length: 99",))) == 400


def test_3_3_11_a_200_with_another_hosts_via_is_no_answer_to_ours() -> None:
    pair = Pair()
    pair.call()
    pair.inject(response(200, Via="SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923"), to_a=True)
    assert pair.a.events == [] and pair.a.endpoint.counters["stray responses"] == 1


def test_3_3_12_max_forwards_0_is_refused_by_who_stands_before_a_b2bua() -> None:
    assert status_of(request("INVITE", Max_Forwards="0", body=OFFER)) == 483


def test_3_3_13_a_register_with_escaped_headers_in_its_contact() -> None:
    message = read(request("REGISTER", Contact="<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"))
    assert message.contacts[0].uri.headers == "Route=%3Csip:sip.example.com%3E"
    assert message.contacts[0].uri.without_parameters().headers == ""


def test_3_3_14_and_15_accept_is_for_the_user_to_read() -> None:
    assert read(request("INVITE", body=OFFER, extra=("Accept: text/nobodyKnowsThis",))).headers.get_all("Accept") == [
        "text/nobodyKnowsThis"
    ]


def test_3_4_1_a_peer_of_rfc_2543_can_call() -> None:
    data = b"\r\n".join(
        [
            b"INVITE sip:UserB@example.com SIP/2.0",
            b"Via: SIP/2.0/UDP iftgw.example.com",
            b"From: <sip:+13035551111@ift.client.example.net;user=phone>",
            b"Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>",
            b"To: sip:+16505552222@ss1.example.net;user=phone",
            b"Call-ID: inv2543.1717@ift.client.example.com",
            b"CSeq: 56 INVITE",
            b"Contact: sip:x@192.0.2.1",
            b"Content-Type: application/sdp",
            b"",
            OFFER,
        ]
    )
    pair = Pair()
    pair.inject(data)
    received = pair.b.take(CallReceived)
    assert received.offer == OFFER and received.request.to.parameter("user") == "phone"
    received.call.accept(b"x", 0.0)
    pair.flush()
    assert pair.b.responses("INVITE")[-1].headers.get("Record-Route") == "<sip:UserB@example.com;maddr=ss1.example.com>"


def test_a_registration_refused_with_a_broken_message_is_only_refused() -> None:
    pair = Pair()
    pair.a.endpoint.register(
        Uri.parse("sip:b.example"),
        aor=NameAddr.parse("<sip:a@b.example>"),
        contact=Uri.parse("sip:a@192.0.2.1"),
        flow=pair.flow_a,
        now=0.0,
    )
    pair.flush()
    message = pair.a.requests("REGISTER")[0]
    pair.inject(bytes(message.respond(401, headers=[("WWW-Authenticate", "Digest broken"), ("Retry-After", "?")])), to_a=True)
    assert pair.a.take(RegistrationFailed).status == 401


def test_what_was_written_reads_back_the_same() -> None:
    for data in (request(METHOD), request("INVITE", body=OFFER), response(200), b"INVITE sip:a SIP/2.0\r\n\r\n"):
        message = parse_message(data)
        assert bytes(parse_message(bytes(message))) == bytes(message)
