"""Header fields (RFC 3261 §7.3, §20): the table, and Via, From, To, Contact and CSeq."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import LocalProtocolError, ParseError
from sip.headers import COMPACT, CSeq, Headers, NameAddr, Via, canonical
from sip.uri import Uri


def test_names_compare_without_case_and_compact_forms_are_expanded() -> None:
    headers = Headers()
    headers.add("v", "one")
    headers.add("VIA", "two")
    headers.add("X-Odd", "three")
    assert headers.get_lines("Via") == ["one", "two"]
    assert list(headers.items()) == [("Via", "one"), ("Via", "two"), ("X-Odd", "three")]
    assert "x-odd" in headers and headers.get("X-ODD") == "three" and headers.get("none") is None
    assert len(headers) == 3


@pytest.mark.parametrize(("short", "name"), COMPACT.items())
def test_each_compact_form_has_its_name(short: str, name: str) -> None:
    assert canonical(short) == canonical(short.upper()) == canonical(name.swapcase()) == (name.lower(), name)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "Vi\x0ba", "naïve", "\x85Via", "a" * 129, "(x)"])
def test_what_is_no_token_is_no_header_name(name: str) -> None:
    with pytest.raises(ParseError):
        canonical(name)


@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb", "a\0b"])
def test_a_value_can_not_begin_a_new_line(value: str) -> None:
    with pytest.raises(LocalProtocolError):
        Headers().add("Subject", value)


def test_set_replaces_every_field_of_the_name() -> None:
    headers = Headers()
    headers.add("Route", "<sip:a>")
    headers.add("Subject", "x")
    headers.add("route", "<sip:b>, <sip:c>")
    assert headers.get_all("Route") == ["<sip:a>", "<sip:b>", "<sip:c>"]
    headers.set("Route", "<sip:d>")
    assert headers.get_lines("Route") == ["<sip:d>"]


def test_a_via_with_blanks_everywhere_is_read() -> None:
    via = Via.parse("SIP  / 2.0  / TCP     spindle.example.com   : 5070 ;   branch  =   z9hG4bK9ikj8  ;rport")
    assert (via.transport, via.host, via.port, via.branch) == ("TCP", "spindle.example.com", 5070, "z9hG4bK9ikj8")
    assert via.parameter("rport") == "" and via.parameter("received") is None


def test_a_via_of_a_browser_and_one_with_ipv6_are_read() -> None:
    assert Via.parse("SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks").host == "df7jal23ls0d.invalid"
    via = Via.parse("SIP/2.0/udp [2001:db8::9:1]:5062;received=2001:db8::9:255;branch=z9hG4bKas3")
    assert (via.host, via.port, via.parameter("received")) == ("2001:db8::9:1", 5062, "2001:db8::9:255")
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/3.0/UDP a",
        "SIP/2.0/UDP a:70000",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a;branch=\x0b",
        "SIP/2.0/UDP a:",
        "HTTP/2.0/UDP a",
        "SIP/2.0/UDP a,b",
    ],
)
def test_what_is_no_via_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        Via.parse(text)


def test_a_parameter_of_a_via_is_set_in_its_place() -> None:
    via = Via.parse("SIP/2.0/UDP a;rport;branch=z9hG4bK1").with_parameters(rport="5", received="192.0.2.9")
    assert str(via) == "SIP/2.0/UDP a;rport=5;branch=z9hG4bK1;received=192.0.2.9"


@pytest.mark.parametrize(
    ("text", "name", "uri", "tag"),
    [
        ('"J Rosenberg \\\\\\"" <sip:jd@example.com> ; tag = 98asjd8', 'J Rosenberg \\"', "sip:jd@example.com", "98asjd8"),
        ("sip:vivek@chair.example.com ;   tag    = 1918181833n", "", "sip:vivek@chair.example.com", "1918181833n"),
        ("Bell, Alexander <sip:a@b>;tag=1", "Bell, Alexander", "sip:a@b", "1"),
        ("<sip:a@b;tag=inner>;tag=outer", "", "sip:a@b;tag=inner", "outer"),
        ("sip:a@b", "", "sip:a@b", ""),
        ("名前 <sip:a@b>", "名前", "sip:a@b", ""),
        ('""<sip:a@b>', "", "sip:a@b", ""),
        ("<tel:+1201>", "", "tel:+1201", ""),
    ],
)
def test_addresses_in_every_form(text: str, name: str, uri: str, tag: str) -> None:
    address = NameAddr.parse(text)
    assert (address.display_name, str(address.uri), address.tag) == (name, uri, tag)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "<sip:a@b", 'x" <sip:a@b>', '"open <sip:a@b>', "<sip:a@b>>", "<>", "a <sip:a@b> b", "<sip:a@b>tag=1"]
)
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_a_contact_may_be_a_star() -> None:
    assert NameAddr.parse(" * ").is_wildcard
    assert str(NameAddr.parse("*")) == "*"


def test_a_tag_is_set_replaced_and_removed() -> None:
    address = NameAddr.parse("<sip:a@b>;x=y")
    assert str(address.with_tag("1").with_tag("2")) == "<sip:a@b>;x=y;tag=2"
    assert address.with_tag("1").with_tag("") == address


def test_cseq_is_a_number_and_a_method() -> None:
    assert CSeq.parse("0009\t INVITE") == CSeq(9, "INVITE")
    assert str(CSeq(9, "INVITE")) == "9 INVITE"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        "1 INVITE x",
        "1\x0bINVITE",
        "1\x85INVITE",
        "2147483648 INVITE",
        "36893488147419103232 REGISTER",
        "-1 ACK",
        "1 IN\u00a0VITE",
    ],
)
def test_what_is_no_cseq_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        CSeq.parse(text)


@pytest.mark.parametrize("parse", [NameAddr.parse, Via.parse, CSeq.parse])
@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 8000 + "a",
        '"' + "\\" * 8000,
        '"' + "a" * 8000,
        "SIP/2.0/UDP" + " " * 8000 + "!",
        "SIP/2.0/UDP a" + " " * 8000 + "!",
        "SIP" + " " * 8000 + "!",
        "<" * 8000,
        "sip:" + "a" * 8000,
        "1" + " " * 8000,
        '"a"' + " " * 8000 + "a",
    ],
)
def test_hostile_values_take_linear_time(parse: object, text: str) -> None:
    started = time.process_time()
    for _ in range(10):
        with pytest.raises(ParseError):
            parse(text)  # type: ignore[operator]
    assert time.process_time() - started < 0.2


NAMES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)
TAGS = st.text("abcXYZ019-.", min_size=1, max_size=12)


@given(NAMES, st.text("abc", min_size=1, max_size=5), st.none() | TAGS)
def test_addresses_read_back_as_they_were_written(name: str, user: str, tag: str | None) -> None:
    address = NameAddr(Uri("sip", user, "b.example"), name, (("tag", tag),) if tag else ())
    assert NameAddr.parse(str(address)) == address


@given(
    st.sampled_from(["UDP", "TCP", "TLS", "WSS"]),
    st.sampled_from(["a.example", "192.0.2.1", "2001:db8::1", "x.invalid"]),
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(TAGS.map(str.lower), st.none() | TAGS), max_size=4),
)
def test_vias_read_back_as_they_were_written(
    transport: str, host: str, port: int | None, items: list[tuple[str, str | None]]
) -> None:
    via = Via(transport, host, port, tuple(items))
    assert Via.parse(str(via)) == via


@given(st.text(max_size=80))
def test_any_text_is_a_value_or_a_parse_error(text: str) -> None:
    for parse in (NameAddr.parse, Via.parse, CSeq.parse):
        try:
            parse(text)
        except ParseError:
            continue
