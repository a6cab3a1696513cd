"""What rooms and accounts want of SRTP beside the server: who is refused with 488, and that nothing is stripped on the way."""

from __future__ import annotations

import os

import pytest

from mcu.errors import CommandError, UsageError
from rtp.keying import sdes
from rtp.sdp.negotiation import Capabilities, LocalMedia, offer
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from sip.events import CallReceived, CallTerminated
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.house import House, Phone, sdp
from tests.mcu.test_b2bua import progress, registered, ringing

ROOM = "sip:safe@house.example"


def protected(host: str) -> bytes:
    """An offer under RTP/SAVP."""
    local = LocalMedia(host, 40000, 40001, crypto=sdes.offer(os.urandom))
    return bytes(offer(Capabilities(srtp=SrtpPolicy.REQUIRE), local, session_id=1, version=1))


def refused(phone: Phone, call: Call) -> tuple[int, str]:
    """(status, reason) of a call that was not taken."""
    ended = phone.side.take(CallTerminated)
    assert ended.call is call
    return ended.status, ended.reason


def test_room_that_requires_protection_takes_protected_phones_alone() -> None:
    house = House(is_open=True)
    house.directory.add_room("safe", srtp="require")
    alice, bob = house.phone("alice"), house.phone("bob")
    assert refused(alice, alice.call(ROOM)) == (488, "media must be protected here (SRTP), and only RTP/AVP was offered")
    assert bob.call(ROOM, protected(bob.address[0])).is_up
    assert alice.call("sip:other@house.example").is_up


def test_room_that_does_without_refuses_protected_profiles_except_where_an_account_requires_them() -> None:
    house = House(is_open=True)
    house.directory.add_room("safe", srtp="off")
    house.directory.add_account("carol", "secret-of-carol", srtp="require")
    bob, carol = house.phone("bob"), registered(house, "carol")
    assert refused(bob, bob.call(ROOM, protected(bob.address[0])))[0] == 488
    assert carol.call(ROOM, protected(carol.address[0])).is_up
    assert refused(carol, carol.call(ROOM)) == (488, "media must be protected here (SRTP), and only RTP/AVP was offered")


def test_call_to_an_account_that_requires_protection_is_protected_on_both_sides_or_not_made() -> None:
    house = House()
    house.directory.add_account("carol", "secret-of-carol", srtp="require")
    carol, alice = registered(house, "carol"), registered(house, "alice")
    first = alice.call("sip:carol@house.example", protected(alice.address[0]))
    rung = carol.side.take(CallReceived)
    assert rung.offer is not None and parse(rung.offer).media[0].protocol == "RTP/SAVP"
    rung.call.accept(sdp(carol.address[0]), house.time)                    # an answer without keys
    house.run(0.1)
    assert not first.is_up and not rung.call.is_up and refused(alice, first)[0] == 488


@pytest.mark.parametrize("attended", [True, False], ids=["attended", "blind"])
def test_transfer_of_a_plain_call_to_who_requires_protection_is_refused_and_the_call_goes_on(attended: bool) -> None:
    house = House()
    house.directory.add_account("carol", "secret-of-carol", srtp="require")
    alice, bob, carol = (registered(house, name) for name in ("alice", "bob", "carol"))
    plain = alice.call("sip:bob@house.example")
    theirs = ringing(bob, house)
    theirs.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    replaces = None
    if attended:
        replaces = bob.call("sip:carol@house.example", protected(bob.address[0]))
        third = ringing(carol, house)
        third.accept(answer_with_keys(carol), house.time)
        house.run(0.1)
        assert replaces.is_up
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time, replaces=replaces)
    house.run(0.2)
    assert progress(bob)[-1] == 488 and plain.is_up and theirs.is_up


def answer_with_keys(phone: Phone) -> bytes:
    """An answer under RTP/SAVP to the house's first suite."""
    keys = sdes.offer(os.urandom)[0]
    return sdp(phone.address[0]).replace(b"RTP/AVP", b"RTP/SAVP") + f"a=crypto:{keys}\r\n".encode()


def test_policy_shows_in_room_and_account_and_an_unknown_one_is_refused_in_words() -> None:
    house = House()
    assert house.directory.add_room("safe", srtp="require").srtp == "require"
    assert house.directory.add_account("dave", srtp="off")[0].srtp == "off"
    with pytest.raises(UsageError, match="off, prefer or require"):
        house.directory.add_room("open", srtp="maybe")
    with pytest.raises((UsageError, CommandError), match="off, prefer or require"):
        house.directory.add_account("erin", srtp="")
