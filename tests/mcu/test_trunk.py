"""A provider's trunk: our registration there, its calls to our numbers, our users' calls to the telephone network."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mcu.trunk import LOOK_UP_EVERY_S, Trunk, TrunkState, canonical
from mcu.trunk_config import TrunkConfig
from rtp.sdp import negotiation
from rtp.sdp.negotiation import Capabilities, LocalMedia
from sip.auth import make_challenge, make_ha1, parse_digest, verify
from sip.events import CallAnswered, CallProgressed, CallReceived, CallTerminated, OfferReceived
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.message import Request, Response
from sip.uri import Uri
from tests.helpers.house import HOUSE, House, Phone, sdp

USER, PASSWORD, REALM = "4930123", "trunk-secret", "acme.example"
NUMBERS = {"+4930123": "room:daily", "+49 30 124": "user:alice", "+4930125": "prompt"}


class Provider:
    """The provider: the first phone of the house, at 192.0.2.1:5062; a registrar that wants the trunk's password."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.phone = house.phone("provider")
        self.phone.side.endpoint.admit = self.admit
        self.registers: list[Request] = []
        self.invites: list[Request] = []
        self.status = 200
        self.granted_s = 600
        self._nonces = itertools.count()

    def admit(self, request: Request, flow: Flow, now: float) -> Response | None:
        """Challenges REGISTER and INVITE; a REGISTER is answered without state."""
        (self.registers if request.method == "REGISTER" else self.invites).append(request)
        name = "WWW-Authenticate" if request.method == "REGISTER" else "Proxy-Authenticate"
        value = request.headers.get("Authorization" if request.method == "REGISTER" else "Proxy-Authorization")
        if request.method == "OPTIONS":
            return request.respond(200, to_tag="p")
        if self.status != 200 and request.method == "REGISTER":
            return request.respond(self.status, to_tag="p")
        if value is None or not verify(parse_digest(value), request.method, make_ha1(USER, REALM, PASSWORD)):
            challenge = make_challenge(REALM, f"n{next(self._nonces)}", "MD5")
            return request.respond(401 if request.method == "REGISTER" else 407, to_tag="p", headers=[(name, challenge)])
        if request.method != "REGISTER":
            return None
        contact = request.headers.get("Contact") or ""
        return request.respond(200, to_tag="p", headers=[("Contact", f"{contact};expires={self.granted_s}")])

    def calls(self, number: str, *, user: str | None = None, caller: str = "+4917012345", offer: bytes | None = b"",
              headers: tuple[tuple[str, object], ...] = ()) -> Call:
        """A call from the telephone network. number: that of To; user: that of the request URI, else the number."""
        phone, target = self.phone, Uri("sip", user or number, *HOUSE)
        call = phone.side.endpoint.invite(
            target, from_=NameAddr(Uri("sip", caller, REALM)), to=NameAddr(Uri("sip", number, REALM)), flow=phone.flow,
            contact=phone.contact, now=self.house.time, headers=headers,
            offer=sdp(phone.address[0]) if offer == b"" else offer)
        self.house.run(0.05)
        return call

    def rings(self, number: str) -> Call:
        """The call of ours that has come in there, to that number."""
        call = self.phone.side.take(CallReceived).call
        assert call.invite is not None and call.invite.uri.user == number
        return call


def a_house(*, password: str = PASSWORD, is_open: bool = False, **changed: Any) -> tuple[House, Provider, Trunk]:
    """A house with a trunk that has been started."""
    values: dict[str, Any] = {"server": "192.0.2.1:5062", "user": USER, "password": password, "numbers": NUMBERS,
                              "dial_out": ["+49", "0"], **changed}
    house = House(trunks={"acme": TrunkConfig(**values)}, is_open=is_open)
    provider = Provider(house)
    house.switchboard.trunks.start()
    house.run(0.5)
    return house, provider, house.switchboard.trunks.all[0]


def registered(house: House, name: str) -> Phone:
    """A phone of an account, registered."""
    phone = house.member(name)
    phone.side.endpoint.register(Uri("sip", None, "house.example"), aor=phone.aor, contact=phone.contact, flow=phone.flow,
                                 now=house.time, credentials=phone.credentials, expires_s=3600)
    house.run(0.1)
    return phone


def answer(phone: Phone) -> bytes:
    """What a phone answers our offer with."""
    return sdp(phone.address[0])


# ---- registration


def test_trunk_registers_with_the_password_and_shows_it() -> None:
    house, provider, trunk = a_house()
    assert [request.headers.get("Authorization") is None for request in provider.registers] == [True, False]
    assert str(provider.registers[0].to.uri) == "sip:4930123@192.0.2.1:5062"
    assert trunk.state is TrunkState.REGISTERED
    (row,) = house.live.registrations()
    assert (row["trunk"], row["state"], row["aor"], row["source"]) == (
        "acme", "registered", "sip:4930123@192.0.2.1:5062", "192.0.2.1:5062")
    assert PASSWORD not in repr(row) + repr(trunk.config)


def test_registration_is_refreshed_before_it_ends() -> None:
    house, provider, trunk = a_house()
    before = len(provider.registers)
    house.run(provider.granted_s)
    assert len(provider.registers) > before
    assert trunk.state is TrunkState.REGISTERED


def test_wrong_password_is_said_in_words_and_tried_again_much_later() -> None:
    house, provider, trunk = a_house(password="wrong")
    assert (trunk.state, trunk.reason) == (TrunkState.REFUSED, "the provider does not take this user and password")
    count = len(provider.registers)
    house.run(LOOK_UP_EVERY_S / 2)
    assert len(provider.registers) == count
    house.run(LOOK_UP_EVERY_S)
    assert count < len(provider.registers) <= count + 3


def test_provider_that_comes_back_is_registered_at_again() -> None:
    house, provider, trunk = a_house()
    provider.status = 503
    house.run(provider.granted_s)
    assert trunk.state is TrunkState.UNREACHABLE
    provider.status = 200
    house.run(700)
    assert trunk.state is TrunkState.REGISTERED


def test_second_server_of_the_provider_is_tried() -> None:
    house = House(trunks={"acme": TrunkConfig(server="sip.acme.example", user=USER, password=PASSWORD)})
    provider = Provider(house)
    house.names["sip.acme.example"] = [("192.0.2.77", 5060), provider.phone.address]
    house.switchboard.trunks.start()
    house.run(40)
    trunk = house.switchboard.trunks.all[0]
    assert trunk.state is TrunkState.REGISTERED
    assert trunk.registration is not None and trunk.registration.flow.remote == provider.phone.address


def test_name_that_leads_nowhere_is_said_and_looked_up_again() -> None:
    house = House(trunks={"acme": TrunkConfig(server="sip.acme.example", user=USER, password=PASSWORD)})
    provider = Provider(house)
    house.switchboard.trunks.start()
    house.run(1)
    trunk = house.switchboard.trunks.all[0]
    assert (trunk.state, trunk.reason) == (TrunkState.UNREACHABLE, "there is no way to sip.acme.example")
    house.names["sip.acme.example"] = [provider.phone.address]
    house.run(LOOK_UP_EVERY_S + 1)
    assert trunk.state is TrunkState.REGISTERED


def test_trunk_without_register_registers_nowhere_and_takes_calls() -> None:
    house, provider, trunk = a_house(register=False)
    assert (trunk.state, provider.registers) == (TrunkState.UNREGISTERED, [])
    house.directory.add_room("daily")
    assert provider.calls("+4930123").is_up


def test_server_that_stops_takes_its_registration_back() -> None:
    house, provider, _ = a_house()
    house.switchboard.shut_down("the end")
    house.run(0.1)
    assert provider.registers[-1].expires == 0


# ---- numbers


@pytest.mark.parametrize(("one", "other"), [
    ("+4930123", "004930123"), ("+4930123", "4930123"), ("+49 (30) 123", "+4930123"), ("Sales", "sales")])
def test_two_ways_to_write_a_number_are_the_same(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_national_and_international_form_are_different_numbers() -> None:
    assert canonical("030123") != canonical("+4930123")


# ---- calls that come in


def test_called_number_leads_into_its_room_without_a_password() -> None:
    house, provider, _ = a_house()
    house.directory.add_room("daily")
    call = provider.calls("+4930123")
    assert call.is_up
    (person,) = house.live.people("daily")
    assert (person["name"], person["uri"], person["role"]) == ("+4917012345", "sip:+4917012345@192.0.2.1:5062", "attendee")


def test_number_is_found_in_to_when_the_request_goes_to_our_contact() -> None:
    house, provider, _ = a_house()
    house.directory.add_room("daily")
    assert provider.calls("+4930123", user="x-contact").is_up


def test_called_number_of_a_user_rings_their_phones() -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    call = provider.calls("+4930124")
    theirs = alice.side.take(CallReceived).call
    assert theirs.remote.uri == Uri("sip", "+4917012345", "192.0.2.1", 5062)
    theirs.accept(answer(alice), house.time)
    house.run(0.1)
    assert call.is_up


def test_call_from_another_address_is_challenged() -> None:
    house, _, _ = a_house()
    house.directory.add_room("daily")
    stranger = house.phone("stranger")
    stranger.call("sip:+4930123@house.example")
    assert stranger.side.take(CallTerminated).status == 401


def test_number_that_is_none_of_ours_is_challenged_like_anybodys() -> None:
    _, provider, _ = a_house()
    provider.calls("+4930999")
    assert provider.phone.side.take(CallTerminated).status == 401


def test_provider_can_not_call_a_room_by_its_name() -> None:
    house, provider, _ = a_house()
    house.directory.add_room("private")
    provider.calls("private")
    assert provider.phone.side.take(CallTerminated).status == 401


def test_other_networks_of_the_provider_are_those_of_the_configuration() -> None:
    house, _, _ = a_house(sources=["192.0.2.2/32"])
    house.directory.add_room("daily")
    gateway, stranger = house.phone("gateway"), house.phone("stranger")
    assert gateway.call("sip:+4930123@house.example").is_up
    assert not stranger.call("sip:+4930123@house.example").is_up


def test_star_takes_every_other_number() -> None:
    house, provider, _ = a_house(numbers={"*": "room:daily", "+4930125": "prompt"})
    house.directory.add_room("daily")
    assert provider.calls("+4930777").is_up
    assert len(house.live.people("daily")) == 1


def test_number_of_a_user_who_is_gone_is_404() -> None:
    _, provider, _ = a_house()
    provider.calls("+4930124")
    ended = provider.phone.side.take(CallTerminated)
    assert (ended.status, ended.reason) == (404, "nobody has that number")


@pytest.mark.parametrize(("caller", "headers", "shown"), [
    ("anonymous", (("P-Asserted-Identity", "<sip:+4917099999@acme.example>"),), "Anonymous"),
    ("4930123", (("P-Asserted-Identity", "\"Carol\" <sip:+4917099999@acme.example>"),), "Carol"),
    ("alice", (), "Anonymous"),
])
def test_caller_is_who_the_provider_says_and_nobody_of_ours(caller: str, headers: tuple[tuple[str, object], ...],
                                                             shown: str) -> None:
    house, provider, _ = a_house()
    house.member("alice")
    house.directory.add_room("daily")
    provider.calls("+4930123", caller=caller, headers=headers)
    (person,) = house.live.people("daily")
    assert person["name"] == shown
    assert "alice" not in person["uri"]


# ---- calls that go out


def test_user_calls_the_telephone_network_as_the_trunk_and_not_by_name() -> None:
    house, provider, trunk = a_house()
    alice = registered(house, "alice")
    call = alice.call("sip:+49301110@house.example")
    theirs = provider.rings("+49301110")
    assert theirs.invite is not None
    assert str(theirs.invite.from_.uri) == "sip:4930123@192.0.2.1:5062"
    assert b"alice" not in bytes(theirs.invite).lower()
    assert "Proxy-Authorization" in theirs.invite.headers
    assert 'realm="acme.example"' in (theirs.invite.headers.get("Proxy-Authorization") or "")
    theirs.ring(house.time)
    theirs.accept(answer(provider.phone), house.time)
    house.run(0.1)
    assert call.is_up and len(trunk.calls) == 1
    call.hang_up(house.time)
    house.run(0.1)
    assert provider.phone.side.take(CallTerminated).cause == "hung_up"
    assert not trunk.calls and not house.switchboard.user_calls
    assert all(room.is_closed for room in house.rooms)


def test_provider_with_another_realm_is_told_no_password() -> None:
    house, provider, trunk = a_house()
    trunk.credentials.realm = "elsewhere.example"
    alice = registered(house, "alice")
    alice.call("sip:+49301110@house.example")
    ended = alice.side.take(CallTerminated)
    assert (ended.status, ended.reason) == (500, "the provider does not take the password of this server")
    assert not any("Proxy-Authorization" in invite.headers for invite in provider.invites)


@pytest.mark.parametrize("number", ["+43123456", "1", "0" * 21, "+49301.1x"])
def test_number_that_is_not_allowed_is_not_called(number: str) -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    alice.call(f"sip:{number}@house.example")
    assert alice.side.take(CallTerminated).status == 404
    assert provider.invites == []


def test_nothing_goes_out_unless_the_configuration_says_so() -> None:
    house, provider, _ = a_house(dial_out=[])
    alice = registered(house, "alice")
    alice.call("sip:+49301110@house.example")
    assert alice.side.take(CallTerminated).status == 404
    assert provider.invites == []


def test_guest_of_an_open_server_can_not_call_out() -> None:
    house, provider, _ = a_house(is_open=True)
    guest = house.phone("guest")
    guest.call("sip:030111@house.example")
    assert provider.invites == []


def test_room_with_digits_for_a_name_wins_over_a_number() -> None:
    house, provider, _ = a_house()
    house.directory.add_room("0301110")
    alice = registered(house, "alice")
    assert alice.call("sip:0301110@house.example").is_up
    assert provider.invites == []


def test_lines_are_limited() -> None:
    house, provider, _ = a_house(max_calls=1)
    alice, bob = registered(house, "alice"), registered(house, "bob")
    alice.call("sip:0301110@house.example")
    provider.rings("0301110")
    bob.call("sip:0301111@house.example")
    ended = bob.side.take(CallTerminated)
    assert (ended.status, ended.reason) == (503, "all lines to the telephone network are in use")


@pytest.mark.parametrize(("status", "told"), [(486, 486), (404, 404), (302, 480), (603, 603)])
def test_refusal_of_the_provider_is_handed_on(status: int, told: int) -> None:
    house, provider, trunk = a_house()
    alice = registered(house, "alice")
    alice.call("sip:0301110@house.example")
    provider.rings("0301110").reject(status, now=house.time)
    house.run(0.1)
    assert alice.side.take(CallTerminated).status == told
    assert not trunk.calls


def test_caller_who_gives_up_frees_the_line() -> None:
    house, provider, trunk = a_house()
    alice = registered(house, "alice")
    call = alice.call("sip:0301110@house.example")
    provider.rings("0301110").ring(house.time)
    house.run(0.1)
    call.hang_up(house.time)
    house.run(0.1)
    assert provider.phone.side.take(CallTerminated).cause == "cancelled"
    assert not trunk.calls


@pytest.mark.parametrize("reliable", [True, False])
def test_announcement_before_the_answer_reaches_the_caller(reliable: bool) -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    call = alice.call("sip:0301110@house.example")
    theirs = provider.rings("0301110")
    theirs.ring(house.time, 183, answer(provider.phone), reliable=reliable)
    house.run(0.1)
    progress = alice.side.take(CallProgressed)
    assert progress.response.status == 183 and progress.answer is not None
    (room,) = (room for room in house.rooms if room.kind == "relay")
    assert [media.negotiated is not None for media in room.legs.values()] == [True, True]
    theirs.accept(answer(provider.phone), house.time)
    house.run(0.1)
    assert call.is_up and alice.side.take(CallAnswered).answer == progress.answer
    assert len([media for media in room.legs.values() if not media.is_released]) == 2


def test_update_of_a_provider_before_the_answer_is_answered() -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    call = alice.call("sip:0301110@house.example")
    theirs = provider.rings("0301110")
    theirs.ring(house.time, 183, answer(provider.phone), reliable=True)
    house.run(0.1)
    there = LocalMedia("192.0.2.1", 41000, 41001)
    theirs.update(bytes(negotiation.offer(Capabilities().only("pcma"), there, session_id=1, version=2)), house.time)
    house.run(0.1)
    theirs.accept(answer(provider.phone), house.time)
    house.run(0.1)
    assert call.is_up
    (room,) = (room for room in house.rooms if room.kind == "relay")
    agreed = [media.negotiated for media in room.legs.values()]
    assert any(one is not None and one.remote == ("192.0.2.1", 41000) and one.codec.name == "PCMA" for one in agreed)


def test_other_phone_of_a_fork_answers_after_the_announcement_of_the_first() -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    call = alice.call("sip:0301110@house.example")
    theirs = provider.rings("0301110")
    theirs.ring(house.time, 183, answer(provider.phone))
    house.run(0.1)
    theirs.accept(sdp("192.0.2.1", 42000), house.time)
    house.run(0.1)
    assert call.is_up
    (room,) = (room for room in house.rooms if room.kind == "relay")
    assert next(media.negotiated.remote for media in room.legs.values() if media.negotiated) == ("192.0.2.1", 42000)


def test_reinvite_of_the_provider_is_answered_here() -> None:
    house, provider, _ = a_house()
    alice = registered(house, "alice")
    alice.call("sip:0301110@house.example")
    theirs = provider.rings("0301110")
    theirs.accept(answer(provider.phone), house.time)
    house.run(0.1)
    theirs.offer(sdp("192.0.2.1", 43000), house.time)
    house.run(0.1)
    assert not alice.side.has(OfferReceived)
    assert theirs.is_up and not alice.side.has(CallTerminated)


@pytest.mark.parametrize(("host", "status"), [("198.51.100.40", 200), ("203.0.113.9", 403)])
def test_a_call_of_the_provider_is_ended_from_another_of_its_addresses_and_from_no_other(host: str, status: int) -> None:
    house, provider, _ = a_house(sources=["198.51.100.0/24"])
    house.directory.add_room("daily")
    call = provider.calls("+4930123")
    assert call.is_up and call.dialog is not None
    bye = call.dialog.make_request("BYE", f"SIP/2.0/UDP {host}:5060;branch=z9hG4bKother;rport")
    house.endpoint.receive_datagram(bytes(bye), Flow("UDP", HOUSE, (host, 5060)), house.time)
    answers = [data for data, flow in house.endpoint.datagrams_to_send() if flow.remote == (host, 5060)]
    assert answers[0].startswith(f"SIP/2.0 {status} ".encode())
    house.run(0.1)
    assert len(list(house.switchboard.legs())) == (status == 403)
