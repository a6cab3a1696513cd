"""The way to a URI (RFC 3263 §4): what is asked in which order, and what comes out of the answers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.routing import MAX_DESTINATIONS, Destination, Host, Lookup, Naptr, NoRoute, Question, Record, Srv, order_servers
from sip.uri import Uri

Zone = dict[tuple[str, str], list[Record]]
HOSTS: Zone = {
    ("A", "a.example.org"): [Host("192.0.2.1")],
    ("A", "b.example.org"): [Host("192.0.2.2")],
    ("AAAA", "b.example.org"): [Host("2001:db8::2")],
    ("A", "example.org"): [Host("192.0.2.9")],
}


def look_up(text: str, zone: Zone, **options: object) -> tuple[list[str], list[str]]:
    """(what was asked, the destinations), the zone answering."""
    lookup = Lookup(Uri.parse(text), chance=random.Random(1), **options)  # type: ignore[arg-type]
    asked: list[str] = []
    while lookup.questions:
        asked += [f"{one.kind} {one.name}" for one in lookup.questions]
        lookup.receive_answers({one: zone[(one.kind, one.name)] for one in lookup.questions if (one.kind, one.name) in zone})
    return asked, [str(one) for one in lookup.destinations]


@pytest.mark.parametrize(("uri", "destination"), [
    ("sip:192.0.2.5", "UDP 192.0.2.5:5060"),
    ("sip:u@192.0.2.5:5070;transport=tcp", "TCP 192.0.2.5:5070"),
    ("sip:[2001:db8::5]", "UDP [2001:db8::5]:5060"),
    ("sips:192.0.2.5", "TLS 192.0.2.5:5061"),
    ("sip:192.0.2.5;transport=tls", "TLS 192.0.2.5:5061"),
    ("sip:example.org;maddr=192.0.2.6", "UDP 192.0.2.6:5060"),
])
def test_a_numeric_address_asks_nothing(uri: str, destination: str) -> None:
    assert look_up(uri, {}, transports=("UDP", "TCP", "TLS")) == ([], [destination])


def test_a_port_skips_naptr_and_srv() -> None:
    asked, found = look_up("sip:b.example.org:5080", HOSTS)
    assert asked == ["A b.example.org", "AAAA b.example.org"]
    assert found == ["UDP 192.0.2.2:5080", "UDP [2001:db8::2]:5080"]


def test_a_transport_parameter_skips_naptr() -> None:
    zone: Zone = {**HOSTS, ("SRV", "_sip._tcp.example.org"): [Srv(1, 1, 5070, "a.example.org.")]}
    asked, found = look_up("sip:example.org;transport=tcp", zone)
    assert asked == ["SRV _sip._tcp.example.org", "A a.example.org", "AAAA a.example.org"]
    assert found == ["TCP 192.0.2.1:5070"]


def test_naptr_order_then_preference_decide_and_services_that_we_lack_are_passed_over() -> None:
    zone: Zone = {
        **HOSTS,
        ("NAPTR", "example.org"): [
            Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.org."),
            Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.org."),
            Naptr(90, 70, "S", "sip+d2t", "_sip._tcp.example.org."),
            Naptr(10, 10, "u", "E2U+sip", ""),
        ],
        ("SRV", "_sip._tcp.example.org"): [Srv(0, 1, 5061, "a.example.org.")],
        ("SRV", "_sip._udp.example.org"): [Srv(0, 1, 5062, "a.example.org.")],
    }
    asked, found = look_up("sip:example.org", zone)
    assert asked[0] == "NAPTR example.org" and "SRV _sips._tcp.example.org" not in asked
    assert found == ["TCP 192.0.2.1:5061", "UDP 192.0.2.1:5062"]
    assert look_up("sips:example.org", {**zone, ("SRV", "_sips._tcp.example.org"): [Srv(0, 1, 443, "b.example.org")]},
                   transports=("UDP", "TLS"))[1] == ["TLS 192.0.2.2:443", "TLS [2001:db8::2]:443"]


def test_without_naptr_the_transports_are_tried_in_our_order_until_one_has_srv_records() -> None:
    servers: list[Record] = [Srv(20, 1, 5060, "b.example.org"), Srv(10, 1, 5061, "a.example.org")]
    zone: Zone = {**HOSTS, ("SRV", "_sip._tcp.example.org"): servers}
    asked, found = look_up("sip:example.org", zone, families=("A",))
    assert asked == ["NAPTR example.org", "SRV _sip._udp.example.org", "SRV _sip._tcp.example.org",
                     "A a.example.org", "A b.example.org"]
    assert found == ["TCP 192.0.2.1:5061", "TCP 192.0.2.2:5060"]


def test_without_any_srv_record_the_address_of_the_name_and_the_usual_port_are_taken() -> None:
    asked, found = look_up("sip:Example.Org", HOSTS)
    assert asked[:3] == ["NAPTR example.org", "SRV _sip._udp.example.org", "SRV _sip._tcp.example.org"]
    assert found == ["UDP 192.0.2.9:5060"]


def test_an_srv_target_of_a_dot_says_that_the_service_is_not_there() -> None:
    zone: Zone = {**HOSTS, ("SRV", "_sip._udp.example.org"): [Srv(0, 0, 0, ".")]}
    with pytest.raises(NoRoute, match=r"no way to example\.org"):
        look_up("sip:example.org;transport=udp", zone)


def test_naptr_records_that_lead_nowhere_do_not_hide_the_rest() -> None:
    zone: Zone = {**HOSTS, ("NAPTR", "example.org"): [Naptr(1, 1, "s", "SIP+D2U", "gone.example.org")]}
    assert look_up("sip:example.org", zone)[1] == ["UDP 192.0.2.9:5060"]


@pytest.mark.parametrize(("uri", "words"), [
    ("tel:+4930123", "tel: addresses"), ("sips:example.org", "asks for TLS"), ("sip:example.org;transport=sctp", "SCTP"),
    ("sips:example.org;transport=udp", "UDP"),
])
def test_what_we_cannot_speak_is_refused_in_words(uri: str, words: str) -> None:
    with pytest.raises(NoRoute, match=words):
        Lookup(Uri.parse(uri))


def test_a_name_that_nobody_knows_is_refused_in_words() -> None:
    with pytest.raises(NoRoute, match=r"nobody\.invalid"):
        look_up("sip:nobody.invalid", {})


def test_weights_decide_how_often_a_server_comes_first() -> None:
    records = [Srv(5, 60, 5060, "big"), Srv(5, 20, 5060, "small"), Srv(5, 0, 5060, "spare"), Srv(1, 0, 5060, "first")]
    chance = random.Random(4)
    orders = [order_servers(records, chance) for _ in range(2000)]
    assert all(order[0].target == "first" and len(order) == 4 for order in orders)
    second = Counter(order[1].target for order in orders)
    assert 0.70 < second["big"] / 2000 < 0.78 and 0.21 < second["small"] / 2000 < 0.28 and second["spare"] < 80
    again = random.Random(4)
    assert [order_servers(records, again) for _ in range(2000)] == orders


def test_a_thousand_records_make_a_short_list() -> None:
    crowd: list[Record] = [Srv(number, 1, 5060, f"h{number}.example.org") for number in range(1000)]
    zone: Zone = {("SRV", "_sip._udp.example.org"): crowd}
    for number in range(1000):
        zone[("A", f"h{number}.example.org")] = [Host(f"10.{number // 250}.{number % 250}.{last}") for last in range(1, 200)]
    asked, found = look_up("sip:example.org;transport=udp", zone, families=("A",))
    assert len(asked) == 9 and len(found) == MAX_DESTINATIONS


def _records() -> st.SearchStrategy[list[Record]]:
    names = st.sampled_from(["example.org", "a.example.org", "", ".", "_sip._udp.example.org", "10.1.2.3"])
    return st.lists(st.one_of(
        st.builds(Naptr, st.integers(0, 9), st.integers(0, 9), st.sampled_from(["s", "u", ""]),
                  st.sampled_from(["SIP+D2U", "SIP+D2T", "x"]), names),
        st.builds(Srv, st.integers(0, 3), st.integers(0, 3), st.integers(-1, 70000), names),
        st.builds(Host, st.sampled_from(["192.0.2.1", "::1", "no address", ""])),
    ), max_size=6)


@given(st.data())
def test_no_answer_makes_it_ask_for_ever_or_raise_anything_else(data: st.DataObject) -> None:
    lookup = Lookup(Uri.parse("sip:example.org"), chance=random.Random(1))
    rounds = 0
    try:
        while lookup.questions:
            rounds += 1
            assert rounds < 30
            answers: dict[Question, Iterable[Record]] = {one: data.draw(_records()) for one in lookup.questions}
            lookup.receive_answers(answers)
    except NoRoute:
        return
    assert lookup.destinations and all(isinstance(one, Destination) and 0 < one.port <= 65535 for one in lookup.destinations)
