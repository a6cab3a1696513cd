"""Bindings: proxies on the way (RFC 3327), several flows of a phone (RFC 5626), one phone of many (RFC 5627)."""

from __future__ import annotations

import pytest

from mcu.location import MemoryLocationStore, ways_to
from mcu.registrar import LONGEST_PATH, MAX_CONTACTS, Answer, Registrar
from sip.events import CallReceived, CallTerminated, RegistrationFailed
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request
from sip.parser import parse_message
from sip.uri import Uri
from tests.helpers.house import HOUSE, House, Phone
from tests.helpers.sip_messages import request

FLOW = Flow("UDP", HOUSE, ("192.0.2.1", 5060))
URN = "<urn:uuid:00000000-0000-4000-8000-000000000001>"
NOW = 1000.0


class Desk:
    """A registrar, and REGISTERs of alice's phones to it."""

    def __init__(self) -> None:
        self.store = MemoryLocationStore()
        self.registrar = Registrar(self.store)
        self.number = 0

    def register(self, contact: str, *, extra: tuple[str, ...] = (), flow: Flow = FLOW) -> Answer:
        """One REGISTER with this Contact."""
        self.number += 1
        message = parse_message(request("REGISTER", "sip:house.example", CSeq=f"{self.number} REGISTER", Contact=contact,
                                        extra=extra))
        assert isinstance(message, Request)
        return self.registrar.receive(message, "alice", flow, NOW)

    def contacts(self) -> list[str]:
        """What is bound."""
        return [located.binding.contact for located in self.store.get("alice")]


def phone(host: str, reg_id: int | None = None) -> str:
    """The Contact of a phone with an instance."""
    return f'<sip:alice@{host}>;+sip.instance="{URN}"' + (f";reg-id={reg_id}" if reg_id is not None else "")


OUTBOUND = ("Supported: path, outbound",)


def test_the_path_is_kept_and_told_to_who_knows_it() -> None:
    desk = Desk()
    path = ("Path: <sip:near.example;lr>, <sip:edge@192.0.2.9;lr>",)
    answer = desk.register("<sip:alice@10.0.0.5>", extra=(*path, "Supported: path"))
    assert [value for name, value in answer.headers if name == "Path"] == ["<sip:near.example;lr>", "<sip:edge@192.0.2.9;lr>"]
    (binding,) = [located.binding for located in desk.store.get("alice")]
    assert binding.path == "<sip:near.example;lr>, <sip:edge@192.0.2.9;lr>"
    assert not [name for name, _ in desk.register("<sip:alice@10.0.0.6>", extra=path).headers if name == "Path"]


@pytest.mark.parametrize("path", ["nonsense", "<sip:a@b>;lr, <sip:>", "<sip:" + "x" * LONGEST_PATH + "@192.0.2.9;lr>"])
def test_a_path_that_can_not_be_read_or_is_too_long_is_400(path: str) -> None:
    desk = Desk()
    assert desk.register("<sip:alice@10.0.0.5>", extra=(f"Path: {path}",)).status == 400
    assert desk.contacts() == []


def test_a_contact_that_brings_a_route_of_its_own_is_400() -> None:
    desk = Desk()
    assert desk.register("<sip:alice@192.0.2.1?Route=%3Csip:eve.example%3E>").status == 400
    assert desk.contacts() == []


def test_two_flows_of_a_phone_stand_side_by_side_and_each_is_replaced_by_itself() -> None:
    desk = Desk()
    answer = desk.register(phone("192.0.2.1:1001", 1), extra=OUTBOUND)
    assert ("Require", "outbound") in answer.headers
    assert f'+sip.instance="{URN}";reg-id=1' in str(dict(answer.headers)["Contact"])
    desk.register(phone("192.0.2.1:1002", 2), extra=OUTBOUND)
    assert desk.contacts() == ["sip:alice@192.0.2.1:1001", "sip:alice@192.0.2.1:1002"]
    desk.register(phone("192.0.2.1:1003", 1), extra=OUTBOUND)
    assert desk.contacts() == ["sip:alice@192.0.2.1:1002", "sip:alice@192.0.2.1:1003"]


def test_without_outbound_a_phone_has_one_flow_whatever_its_reg_id_says() -> None:
    desk = Desk()
    desk.register(phone("192.0.2.1:1001", 1), extra=OUTBOUND)
    answer = desk.register(phone("192.0.2.1:1002", 7))
    assert "Require" not in dict(answer.headers)
    assert desk.contacts() == ["sip:alice@192.0.2.1:1002"]


@pytest.mark.parametrize(("path", "status"), [("<sip:edge.example;lr;ob>", 200), ("<sip:edge.example;lr>", 439), ("", 439)])
def test_a_flow_behind_a_proxy_needs_one_that_knows_flows(path: str, status: int) -> None:
    extra = ("Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKinner", *OUTBOUND, *((f"Path: {path}",) if path else ()))
    assert Desk().register(phone("10.0.0.5", 1), extra=extra).status == status


def test_a_phone_with_a_new_address_is_no_phone_more() -> None:
    desk = Desk()
    for number in range(MAX_CONTACTS - 1):
        assert desk.register(f"<sip:alice@192.0.2.{number + 10}>").status == 200
    for port in (1001, 1002, 1003):
        assert desk.register(phone(f"192.0.2.1:{port}")).status == 200
    assert len(desk.contacts()) == MAX_CONTACTS
    assert desk.register("<sip:alice@192.0.2.99>").status == 403


def test_a_phone_is_called_once_by_its_newest_flow_and_by_the_others_when_that_fails() -> None:
    desk = Desk()
    flows = [Flow("TCP", HOUSE, ("192.0.2.1", port), port) for port in (1001, 1002)]
    for number, flow in enumerate(flows, 1):
        desk.register(phone(f"192.0.2.1:{flow.connection}", number), extra=OUTBOUND, flow=flow)
    desk.register("<sip:alice@192.0.2.7>")
    desk_phone, mobile = ways_to(desk.store.get("alice"), lambda located: located.flow)
    assert (desk_phone.flow, desk_phone.alternatives) == (FLOW, ())
    assert (mobile.flow, mobile.alternatives) == (flows[1], (flows[0],))


def test_ways_that_are_gone_lead_back_or_are_in_clear_for_sips_are_left_out() -> None:
    desk = Desk()
    back, clear, safe = (Flow("TLS" if port == 3 else "UDP", HOUSE, HOUSE if port == 1 else ("192.0.2.1", port), port)
                         for port in (1, 2, 3))
    for flow in (back, clear, safe):
        desk.register(f"<sip:alice@192.0.2.1:{flow.connection}>", flow=flow)
    found = desk.store.get("alice")
    assert [way.flow for way in ways_to(found, lambda located: located.flow)] == [safe, clear]
    assert [way.flow for way in ways_to(found, lambda located: located.flow, is_secure=True)] == [safe]
    assert ways_to(found, lambda located: None) == []


# ---- calls to them


def registered(house: House, name: str, instance: str = "") -> Phone:
    """A phone of an account, registered."""
    one = house.member(name)
    one.side.endpoint.register(Uri("sip", None, "house.example"), aor=one.aor, contact=one.contact, flow=one.flow,
                               now=house.time, credentials=one.credentials, instance=instance)
    house.run(0.1)
    return one


def test_a_call_to_a_phone_behind_proxies_takes_their_route() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    message = parse_message(request("REGISTER", "sip:house.example", CSeq="1 REGISTER", Contact="<sip:bob@10.0.0.5>",
                                    extra=("Path: <sip:edge@192.0.2.2;lr>",)))
    assert isinstance(message, Request)
    house.switchboard.registrar.remove("bob")
    house.switchboard.registrar.receive(message, "bob", Flow("UDP", HOUSE, bob.address), house.wallclock())
    alice.call("sip:bob@house.example")
    invite = bob.side.take(CallReceived).request
    assert (str(invite.uri), invite.headers.get("Route")) == ("sip:bob@10.0.0.5", "<sip:edge@192.0.2.2;lr>")


def test_the_uri_of_one_phone_rings_that_phone_alone() -> None:
    house = House()
    alice = registered(house, "alice")
    desk, mobile = (registered(house, "bob", f"urn:uuid:0-{number}") for number in (1, 2))
    alice.call("sip:bob@house.example;gr=urn:uuid:0-2")
    assert mobile.side.has(CallReceived) and not desk.side.has(CallReceived)
    alice.call("sip:bob@house.example;gr=urn:uuid:0-3")
    assert alice.side.take(CallTerminated).status == 480


def test_all_bindings_are_removed_by_a_star_unless_it_is_older_than_one_of_them() -> None:
    desk = Desk()
    desk.register("<sip:alice@192.0.2.1>")
    desk.register("<sip:alice@192.0.2.2>")
    desk.number = 1
    assert desk.register("*", extra=("Expires: 0",)).status == 500 and len(desk.contacts()) == 2
    assert desk.register("*", extra=("Expires: 0",)).status == 200 and desk.contacts() == []


def test_a_contact_that_means_a_binding_is_that_binding_however_it_is_written() -> None:
    desk = Desk()
    desk.register("<sip:%61lice@PHONE.example:5060;ob>")
    desk.register("<sip:alice@phone.EXAMPLE:5060>")
    assert desk.contacts() == ["sip:%61lice@phone.example:5060;ob"]
    assert desk.register("<sip:alice@phone.example:5060>;expires=0").status == 200 and desk.contacts() == []


def test_who_is_of_another_domain_is_not_registered_here_and_escapes_are_taken_out() -> None:
    house = House()
    alice = house.member("alice")
    for to, status in (("sip:alice@elsewhere.example", 404), ("sip:%61lice@house.example", 200)):
        one = alice.side.endpoint.register(
            Uri("sip", None, "house.example"), aor=NameAddr.parse(f"<{to}>"), contact=alice.contact, flow=alice.flow,
            now=house.time, credentials=alice.credentials)
        house.run(0.1)
        assert one.is_active == (status == 200)
        if status != 200:
            assert alice.side.take(RegistrationFailed).status == status
    assert [row["aor"] for row in house.live.registrations()] == ["alice"]
