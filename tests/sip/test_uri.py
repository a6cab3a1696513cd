"""SIP, SIPS and other URIs (RFC 3261 §19.1): parse, write, compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import ParseError
from sip.uri import MAX_URI, Uri


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:daily@Meet.Example", "daily", "meet.example", None),
        ("sip:meet.example:5070", None, "meet.example", 5070),
        ("SIPS:alice:secret@[2001:DB8::1]:5061;transport=tcp", "alice:secret", "2001:db8::1", 5061),
        ("sip:user;par=u%40example.net@example.com", "user;par=u%40example.net", "example.com", None),
        (
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
            "example.com",
            None,
        ),
        ("sip:+358-555-1234567;postd=pp22@foo.com;user=phone", "+358-555-1234567;postd=pp22", "foo.com", None),
        ("sip:alice@abc123.invalid;ob;gr=urn:uuid:1", "alice", "abc123.invalid", None),
    ],
)
def test_user_host_and_port_are_found(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert Uri.parse(str(uri)) == uri


def test_parameters_and_headers_are_kept_apart() -> None:
    uri = Uri.parse("sip:a@b;Transport=TCP;lr;x=?Subject=hi&Route=%3Csip:evil%3E")
    assert uri.parameters == (("transport", "TCP"), ("lr", None), ("x", ""))
    assert uri.headers == "Subject=hi&Route=%3Csip:evil%3E"
    assert (uri.parameter("lr"), uri.parameter("x"), uri.parameter("none")) == ("", "", None)
    assert str(uri.without_parameters()) == "sip:a@b"
    assert str(uri.with_parameter("lr", "on").without_parameters().with_parameter("ob")) == "sip:a@b;ob"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@",
        "sip:a@",
        "sip:a b@c",
        "<sip:a@b>",
        "sip:a@b:70000",
        "sip:a@b:5060x",
        "sip:a@b;;x",
        "sip:a@b:٥",
        "sip:a@b\x0bc",
        "sip:a@[::1",
        "sip:a@b\n",
        "sip:a@-b",
        "sip:a@b c",
        "nothing",
        "1ab:x",
    ],
)
def test_what_is_no_uri_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        Uri.parse(text)


def test_a_uri_that_is_too_long_is_answered_with_414() -> None:
    with pytest.raises(ParseError) as caught:
        Uri.parse("sip:" + "a" * MAX_URI + "@b")
    assert caught.value.status == 414


def test_other_schemes_are_kept_as_they_are() -> None:
    uri = Uri.parse("tel:+1-201-555-0123;ext=7")
    assert (uri.scheme, uri.user, uri.is_sip, str(uri)) == ("tel", "+1-201-555-0123;ext=7", False, "tel:+1-201-555-0123;ext=7")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
    ],
)
def test_equal_uris_of_the_rules_in_19_1_4(left: str, right: str) -> None:
    assert Uri.parse(left).matches(Uri.parse(right))
    assert Uri.parse(right).matches(Uri.parse(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:ALICE@atlanta.com;transport=udp", "sip:alice@atlanta.com;transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:@b", "sip:b"),
        ("sip:a@b", "sip:a@c"),
    ],
)
def test_different_uris_of_the_rules_in_19_1_4(left: str, right: str) -> None:
    assert not Uri.parse(left).matches(Uri.parse(right))


HOSTS = (
    st.from_regex(r"[a-z0-9]([a-z0-9.\-]{0,20})", fullmatch=True)
    | st.ip_addresses(v=6).map(str)
    | st.ip_addresses(v=4).map(str)
)
USERS = st.none() | st.text("abzAZ09-_.!~*'()&=+$,;?/%4", min_size=1, max_size=20)
NAMES = st.text("abz09-.", min_size=1, max_size=6)


@given(
    st.sampled_from(["sip", "sips"]),
    USERS,
    HOSTS,
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(NAMES, st.none() | st.text("abZ09-.%:[]/", max_size=8)), max_size=4),
)
def test_uris_read_back_as_they_were_written(
    scheme: str, user: str | None, host: str, port: int | None, items: list[tuple[str, str | None]]
) -> None:
    uri = Uri(scheme, user, host, port, tuple(items))
    assert Uri.parse(str(uri)) == uri
    assert uri.matches(uri)


@given(st.text(max_size=60))
def test_any_text_is_a_uri_or_a_parse_error(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except ParseError:
        return
    assert Uri.parse(str(uri)) == uri


def test_a_header_in_a_uri_is_escaped_and_read_back() -> None:
    uri = Uri.parse("sip:carol@c.example;lr").with_header("Replaces", "a@b;to-tag=1;from-tag=2").with_header("X", "&=%")
    assert str(uri) == "sip:carol@c.example;lr?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&X=%26%3D%25"
    again = Uri.parse(str(uri))
    assert (again.header("replaces"), again.header("x"), again.header("y")) == ("a@b;to-tag=1;from-tag=2", "&=%", None)
