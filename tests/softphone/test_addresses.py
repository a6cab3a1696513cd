"""What a person types made into addresses."""

from __future__ import annotations

import pytest

from sip.aio.resolver import DnsResolver, FixedResolver
from sip.routing import Destination, Host, Srv
from sip.uri import Uri
from softphone.addresses import AddressError, Server, resolve, shown, target_uri, title_of, without_pin

SERVER = Server("example.org", 5070)


@pytest.mark.parametrize(("text", "host", "port"), [
    ("example.org", "example.org", None), ("Example.org:5070", "example.org", 5070), ("sip:h:1", "h", 1),
    ("192.0.2.1", "192.0.2.1", None), ("[2001:db8::1]:5060", "2001:db8::1", 5060), ("2001:db8::1", "2001:db8::1", None),
])
def test_a_server_is_read(text: str, host: str, port: int | None) -> None:
    server = Server.parse(text)
    assert (server.host, server.port) == (host, port)
    assert Server.parse(str(server)) == server


@pytest.mark.parametrize("text", ["", "a b", "h:0", "h:65536", "h:x", "-h", "h/", "[::1", "h:५०६०"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="HOST or HOST:PORT"):
        Server.parse(text)


@pytest.mark.parametrize(("text", "uri"), [
    ("daily", "sip:daily@example.org:5070"), (" daily.123456 ", "sip:daily.123456@example.org:5070"),
    ("bo@h", "sip:bo@h"), ("sip:bo@h:5080;transport=tcp", "sip:bo@h:5080;transport=tcp"), ("SIP:bo@h", "sip:bo@h"),
    ("+4930123", "sip:+4930123@example.org:5070"),
])
def test_a_target_is_read(text: str, uri: str) -> None:
    assert str(target_uri(text, SERVER)) == uri


@pytest.mark.parametrize("text", [
    "", "   ", "two words", "sip:", "sips:", "tel:123", "bo@", "a@b@c@d e", "sip:bo@h\r\nX: y", "da<ily",
])
def test_what_is_no_target_is_refused_in_words(text: str) -> None:
    with pytest.raises(AddressError):
        target_uri(text, SERVER)


def test_a_name_alone_needs_a_server() -> None:
    with pytest.raises(AddressError, match="sign in to a server"):
        target_uri("daily", None)


@pytest.mark.parametrize(("text", "title", "shown"), [
    ("sip:daily.123456@h", "daily", "sip:daily@h"), ("sip:daily@h:1;x=y", "daily", "sip:daily@h:1"),
    ("sip:a.b@h", "a.b", "sip:a.b@h"), ("sip:h", "h", "sip:h"), ("sip:.123@h", ".123", "sip:.123@h"),
])
def test_a_pin_is_never_shown(text: str, title: str, shown: str) -> None:
    uri = target_uri(text, None)
    assert title_of(uri) == title and str(without_pin(uri)) == shown


def test_text_of_others_cannot_break_or_turn_a_line() -> None:
    assert shown(" Ann\r\n\x1b[31m\u202eneB \x00") == "Ann[31mneB"
    assert shown("x" * 500, 10) == "x" * 9 + "…" and shown("王小明") == "王小明"


async def test_addresses_need_no_look_up_and_names_that_are_not_there_are_told() -> None:
    resolver = DnsResolver()
    assert await resolve(Uri.parse("sip:192.0.2.1"), "TCP", resolver) == (Destination("TCP", "192.0.2.1", 5060),)
    assert await resolve(Uri.parse("sip:[2001:db8::1]:5070"), "UDP", resolver) == (Destination("UDP", "2001:db8::1", 5070),)
    with pytest.raises(AddressError, match="no computer called no-such-host"):
        await resolve(Uri.parse("sip:no-such-host.invalid"), "UDP", resolver)


async def test_a_server_without_a_port_is_found_by_its_service_records_for_the_transport_in_use() -> None:
    table = FixedResolver({("SRV", "_sip._tcp.example.org"): [Srv(1, 1, 5070, "a.example.org")],
                           ("A", "a.example.org"): [Host("192.0.2.1")]}, frozenset({"silent.example.org"}))
    assert await resolve(Uri.parse("sip:example.org"), "TCP", table) == (Destination("TCP", "192.0.2.1", 5070),)
    with pytest.raises(AddressError, match=r"no computer called example\.org"):
        await resolve(Uri.parse("sip:example.org"), "UDP", table)
    with pytest.raises(AddressError, match="is the network there"):
        await resolve(Uri.parse("sip:silent.example.org:5060"), "UDP", table)
