"""Protected legs in a room: heard beside plain ones, deaf to what doesn't authenticate, and to what came before."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest

from rtp.kernel import AddressLearnt, HandshakeReceived
from rtp.kernel.reference import MAX_HANDSHAKES
from rtp.rtcp import ReceiverReport, SourceDescription
from rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, ALL_SUITES, MasterKey, SessionKeys, Suite
from rtp.srtp.session import SrtpSession
from tests.helpers.tones import level_dbfs
from tests.rtp.kernel.table import HOST, Phone, Table, seated, sine

HEARD_DB = -30.0


def keys(suite: Suite = AEAD_AES_128_GCM) -> SessionKeys:
    """New keys, as the room has them."""
    ours, theirs = (MasterKey.of(suite, os.urandom(suite.master_length)) for _ in range(2))
    return SessionKeys(suite, ours, theirs)


def figures(table: Table, phone: Phone) -> tuple[int, int, int]:
    """(accepted, wrong, repeated) of a phone's packets."""
    found = table.room.legs[phone.leg_id].figures(table.now_ns)
    return found.packets_in, found.auth_failures, found.replayed


def hears(phone: Phone, hz: float) -> bool:
    """Whether a tone came to it."""
    return level_dbfs(48000, phone.heard_after(0.5), hz) > HEARD_DB


@pytest.mark.parametrize("suite", ALL_SUITES, ids=str)
def test_protected_and_plain_phones_hear_each_other(suite: Suite) -> None:
    with seated() as table:
        one, two = table.join(sine(500), keys=keys(suite)), table.join(sine(900))
        table.run(75)
        assert hears(one, 900) and hears(two, 500)
        assert figures(table, one) == (75, 0, 0)


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
@pytest.mark.parametrize("are_both", [True, False])
def test_relay_carries_between_legs_of_which_one_or_both_are_protected(codec: str, are_both: bool) -> None:
    with seated(kind="relay") as table:
        one = table.join(sine(500), codec, keys=keys())
        two = table.join(sine(900), codec, keys=keys(AES_CM_128_HMAC_SHA1_80) if are_both else None)
        table.run(75)
        assert hears(one, 900) and hears(two, 500)


def test_relay_goes_over_the_end_of_the_sequence_numbers_with_packets_that_come_late() -> None:
    with seated(kind="relay") as table:
        one, two = table.join(keys=keys()), table.join(keys=keys())
        one.sequence = 65500
        one.send(one.packet(bytes(160)))
        for _ in range(40):
            early, late = one.packet(bytes(160)), one.packet(bytes(160))
            one.send(late)
            one.send(early)
            table.step()
        assert len({packet.sequence for packet in two.packets}) == 81
        assert figures(table, one) == (81, 0, 0)


def test_packets_of_others_replays_and_flipped_bits_are_dropped_and_counted_while_the_call_goes_on() -> None:
    with seated() as table:
        one, two = table.join(sine(500), keys=keys()), table.join()
        kept = [one.packet(bytes([number]) * 160) for number in range(30)]
        for packet in kept:
            one.send(packet)
        table.run(30)
        for packet in kept:
            one.send(packet)
        for bit in range(0, 8 * len(kept[0]), 50):
            flipped = bytearray(kept[29])
            flipped[bit // 8] ^= 1 << bit % 8
            one.send(bytes(flipped))
        one.send(b"\x80\x00" + bytes(170))
        table.run(60)
        accepted, wrong, repeated = figures(table, one)
        assert accepted == 120 and wrong + repeated >= 30 + 8 * 172 // 50
        assert hears(two, 500)


def test_750_bad_tags_in_a_row_cost_nothing_but_themselves() -> None:
    with seated() as table:
        one, two = table.join(sine(500), keys=keys()), table.join()
        for _ in range(125):
            for _ in range(6):
                one.send(b"\x80\x00" + os.urandom(170))
            one.talk(table.ticks)
            table.step()
        assert figures(table, one)[:2] == (125, 750) and hears(two, 500)


def test_plain_packet_is_nothing_for_a_protected_leg() -> None:
    with seated() as table:
        phone = table.join(sine(500), keys=keys())
        phone.srtp, protected = None, phone.srtp
        for _ in range(5):
            phone.talk(table.ticks)
        phone.srtp = protected
        table.step()
        assert figures(table, phone) == (0, 5, 0)


def test_address_that_authenticates_is_served_and_one_that_does_not_is_not() -> None:
    with seated() as table, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moved:
        phone = table.join(sine(500), keys=keys(), signalling_host="192.0.2.1")
        moved.bind((HOST, 0))
        moved.setblocking(False)
        table.run(100)                                          # long enough for a socket that hears this address alone
        phone.send(b"\x80\x00" + os.urandom(170), moved)
        table.run(60)
        assert not [notice for notice in table.notices if isinstance(notice, AddressLearnt)]
        phone.send(phone.packet(bytes(160)), moved)
        for _ in range(60):
            table.step()
        assert AddressLearnt(phone.leg_id, moved.getsockname()) in table.notices
        assert moved.recv(2048)


def test_rtcp_is_protected_and_what_is_not_is_dropped() -> None:
    with seated() as table:
        phone = table.join(sine(500), keys=keys())
        table.run(400)
        assert phone.rtcp
        before = figures(table, phone)[1]
        report = bytes(ReceiverReport(phone.ssrc, ())) + bytes(SourceDescription({phone.ssrc: "x"}))
        phone.send(report)
        table.step()
        assert figures(table, phone)[1] == before + 1
        assert phone.srtp is not None
        phone.send(phone.srtp.protect_rtcp(report) or b"")
        table.step()
        leg = table.room.legs[phone.leg_id]
        assert figures(table, phone)[1] == before + 1 and leg.junk == 0


def test_new_key_of_one_side_leaves_the_other_way_as_it_is() -> None:
    with seated() as table:
        phone, other = table.join(sine(500), keys=keys()), table.join(sine(900))
        table.run(30)
        old = table.room.legs[phone.leg_id].spec.keys
        assert old is not None and phone.srtp is not None
        new = replace(old, remote=MasterKey.of(old.suite, os.urandom(old.suite.master_length)))
        table.room.update_leg(phone.leg_id, keys=new)
        phone.srtp.change(SessionKeys(new.suite, new.remote, new.local))
        table.run(60)
        assert figures(table, phone) == (90, 0, 0) and hears(other, 500) and hears(phone, 900)


def test_successor_goes_on_where_the_streams_stood_and_takes_no_replay() -> None:
    with seated() as table:
        agreed = keys()
        one = table.join(sine(500), keys=agreed)
        one.sequence = 65530
        old = [one.packet(bytes(160)) for _ in range(10)]       # over the end of the sequence numbers: round 1
        for packet in old:
            one.send(packet)
        table.step()
        table.step()
        streams = table.room.streams()[one.leg_id]
        assert [(state.ssrc, state.roc, state.sequence) for state in streams] == [(one.ssrc, 1, 4)]
        leg = table.room.legs[one.leg_id]
        leg.srtp = SrtpSession(agreed, streams)
        leg.change_ssrc(table.now_ns / 1e9)
        other = table.join()
        for packet in old:
            one.send(packet)
        table.run(60)
        found = figures(table, one)
        assert found == (70, 0, 10) and hears(other, 500)


def test_leg_that_awaits_keys_says_and_hears_nothing_and_hands_a_bounded_number_of_handshakes_on() -> None:
    with seated() as table:
        phone, other = table.join(sine(500), awaits_keys=True), table.join(sine(900))
        for _ in range(100):
            phone.send(b"\x16\xfe\xff" + bytes(30))
        phone.send(b"\x00\x01" + bytes(18))                     # STUN, which this leg has no use for
        table.run(40)
        handed = [notice for notice in table.notices if isinstance(notice, HandshakeReceived)]
        assert len(handed) == MAX_HANDSHAKES and handed[0] == HandshakeReceived(
            phone.leg_id, 0, phone.socket.getsockname(), b"\x16\xfe\xff" + bytes(30))
        assert not phone.packets and not phone.rtcp and figures(table, phone) == (0, 0, 0) and not hears(other, 500)
        agreed = keys()
        table.room.update_leg(phone.leg_id, keys=agreed)
        phone.srtp = SrtpSession(SessionKeys(agreed.suite, agreed.remote, agreed.local))
        table.run(75)
        other.packets = other.packets[-60:]
        assert hears(phone, 900) and hears(other, 500) and figures(table, phone) == (75, 0, 0)


def test_rtcp_of_a_port_of_its_own_has_keys_of_its_own() -> None:
    with seated() as table:
        phone = table.join(sine(500), keys=keys(), rtcp_keys=keys(AES_CM_128_HMAC_SHA1_80), awaits_keys=True, rtcp_mux=False)
        leg = table.room.legs[phone.leg_id]
        assert leg.srtcp is not None and leg.srtcp is not leg.srtp and leg.srtcp.keys == leg.spec.rtcp_keys
        table.room.update_leg(phone.leg_id, rtcp_mux=True, rtcp_keys=None)
        assert leg.srtcp is leg.srtp
