"""DTLS-SRTP of a leg: the answer's fingerprint, the handshake over control's sockets, keys to the worker, what goes wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mcu.engine.acquaintance import MAX_KNOWN, Acquaintances
from mcu.engine.base import Engine
from mcu.engine.handles import RoomMedia
from mcu.engine.leg import LegMedia
from mcu.engine.notices import MediaNotice, ProtectionFailed
from mcu.engine.ports import PortRange
from mcu.engine.settings import EngineSettings
from mcu.messages import AddLeg, HandshakeReceived, UpdateLeg
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import TIMEOUT_S, DtlsConnected, DtlsEndpoint, Role
from rtp.keying.handshake import MISMATCH
from rtp.sdp.model import MediaDescription
from rtp.sdp.parser import parse
from rtp.sdp.protection import OfferStyle, SrtpPolicy
from rtp.srtp import SessionKeys
from sip.media_backend import MediaRefused
from tests.helpers.ports import free_port
from tests.mcu.test_engine_handles import HOST, Recorder, sdp

pytestmark = pytest.mark.loopback

THEIRS, OTHER = (Certificate.create(datetime.now(UTC)) for _ in range(2))


class Peer:
    """A phone that makes the handshake: one socket and one association for each component."""

    def __init__(self, components: int) -> None:
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(components)]
        for sock in self.sockets:
            sock.bind((HOST, 0))
            sock.settimeout(5)
        self.ends: list[DtlsEndpoint] = []
        self.keys: list[SessionKeys] = []

    def offer(self, *, certificate: Certificate = THEIRS, setup: str = "actpass", extra: str = "") -> bytes:
        """Its SDP."""
        lines = f"a=fingerprint:{certificate.fingerprint()}\r\na=setup:{setup}\r\n{extra}"
        lines += "a=rtcp-mux\r\n" if len(self.sockets) == 1 else f"a=rtcp:{self.sockets[1].getsockname()[1]}\r\n"
        return sdp(port=self.sockets[0].getsockname()[1], extra=lines).replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVP")

    def shake(self, leg: LegMedia, media: MediaDescription, role: Role = Role.CLIENT) -> None:
        """The whole handshake of all components; what comes is given to the leg as its worker would."""
        now = time.monotonic()
        theirs = Fingerprint.parse(media.values("fingerprint")[0])
        for component, sock in enumerate(self.sockets):
            end = DtlsEndpoint(role, THEIRS, now=now, fingerprints=(theirs,))
            self.ends.append(end)
            if role is Role.CLIENT:
                end.start((HOST, leg.local_port + component), now)
            while True:
                for data, _ in end.datagrams_to_send():
                    leg.receive_handshake(HandshakeReceived(1, leg.leg_id, component, sock.getsockname(), data))
                event = end.next_event()
                if event is not None:
                    assert isinstance(event, DtlsConnected)
                    self.keys.append(event.keys)
                    break
                end.receive_datagram(*sock.recvfrom(2048), now)


class Desk:
    """A room that speaks DTLS, and what came of it."""

    def __init__(self, policy: SrtpPolicy) -> None:
        first = free_port()
        self.line, self.notices = Recorder(), list[MediaNotice]()
        settings = EngineSettings(first_port=first, last_port=first + 199, srtp=policy)
        certificate = Certificate.create(datetime.now(UTC))
        engine = Engine(settings, PortRange(first, first + 199), self.notices.append, "cname", certificate)
        self.room = RoomMedia(1, "mix", engine, self.line, lambda room: None)
        self.leg = self.room.create_leg(77, local_host=HOST, signalling_host=HOST)

    @property
    def spec(self) -> tuple[SessionKeys | None, SessionKeys | None, bool]:
        """(keys, keys of RTCP, whether nothing goes without) that the worker was told last."""
        last = self.line.commands[-1]
        assert isinstance(last, AddLeg | UpdateLeg)
        return last.spec.keys, last.spec.rtcp_keys, last.spec.awaits_keys


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Under a policy that requires SRTP: a handshake needs no signalling that hides keys."""
    made = Desk(SrtpPolicy.REQUIRE)
    yield made
    made.room.close()


def mirrored(keys: SessionKeys) -> SessionKeys:
    """The keys as the other side has them."""
    return SessionKeys(keys.suite, keys.remote, keys.local)


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize(("offered", "answered", "role"), [
    ("actpass", "passive", Role.CLIENT), ("active", "passive", Role.CLIENT), ("passive", "active", Role.SERVER)])
def test_handshake_makes_the_keys_of_each_component(desk: Desk, components: int, offered: str, answered: str,
                                                    role: Role) -> None:
    peer = Peer(components)
    media = parse(desk.leg.answer(peer.offer(setup=offered))).media[0]
    assert media.protocol == "UDP/TLS/RTP/SAVP" and media.values("setup") == [answered]
    assert desk.spec == (None, None, True)
    peer.shake(desk.leg, media, role)
    assert desk.spec == (mirrored(peer.keys[0]), mirrored(peer.keys[1]) if components == 2 else None, True)
    agreed = desk.leg.negotiated
    assert agreed is not None and agreed.protection is not None and agreed.protection.suite == peer.keys[0].suite.name


def test_reinvite_keeps_the_association_and_another_certificate_begins_a_new_one(desk: Desk) -> None:
    peer = Peer(1)
    peer.shake(desk.leg, parse(desk.leg.answer(peer.offer())).media[0])
    before = desk.spec
    assert before[0] is not None
    again = parse(desk.leg.answer(peer.offer(extra="a=sendonly\r\n"))).media[0]
    assert desk.spec == before and again.values("setup") == ["passive"]
    ours = parse(desk.leg.offer()).media[0]
    assert ours.protocol == "UDP/TLS/RTP/SAVP" and ours.values("setup") == ["actpass"]
    desk.leg.apply(peer.offer(setup="active"))
    assert desk.spec == before
    desk.leg.answer(peer.offer(certificate=OTHER))
    assert desk.spec == (None, None, True)


def test_certificate_with_another_fingerprint_gets_no_keys_and_in_the_end_the_call_fails(desk: Desk) -> None:
    peer = Peer(1)
    media = parse(desk.leg.answer(peer.offer(certificate=OTHER))).media[0]
    with pytest.raises((AssertionError, TimeoutError)):
        peer.sockets[0].settimeout(1)
        peer.shake(desk.leg, media)
    assert desk.spec == (None, None, True) and not desk.notices
    handshake = desk.leg._transport.handshake
    assert handshake is not None and handshake.handle_timer(time.monotonic() + TIMEOUT_S + 1)
    desk.leg._take_keys(handshake, True)
    assert desk.notices == [ProtectionFailed(
        1, 77, f"no handshake in time; somebody was turned away: {MISMATCH}")]


@pytest.mark.parametrize(("change", "words"), [
    ((b"a=fingerprint", b"a=x"), "without a fingerprint"), ((b"sha-256", b"sha-1"), "no fingerprint of a hash function"),
    ((b"actpass", b"holdconn"), "holdconn")])
def test_offer_that_can_come_to_no_handshake_is_refused_in_words(desk: Desk, change: tuple[bytes, bytes], words: str) -> None:
    with pytest.raises(MediaRefused, match=words) as refused:
        desk.leg.answer(Peer(1).offer().replace(*change))
    assert refused.value.status == 488


def test_server_without_srtp_refuses_the_profile() -> None:
    desk = Desk(SrtpPolicy.OFF)
    with pytest.raises(MediaRefused, match="this server takes RTP/AVP"):
        desk.leg.answer(Peer(1).offer())
    desk.room.close()


def test_successor_of_a_worker_gets_the_keys_of_the_handshake(desk: Desk) -> None:
    peer = Peer(2)
    peer.shake(desk.leg, parse(desk.leg.answer(peer.offer())).media[0])
    before = desk.spec
    desk.room.recover(0.0)
    assert isinstance(desk.line.commands[-1], AddLeg) and desk.spec == before


def test_call_that_was_keyed_by_a_handshake_is_not_stripped_to_plain() -> None:
    desk, peer = Desk(SrtpPolicy.PREFER), Peer(1)
    peer.shake(desk.leg, parse(desk.leg.answer(peer.offer())).media[0])
    with pytest.raises(MediaRefused, match="can't go on without"):
        desk.leg.answer(sdp())
    desk.room.close()


def test_datagrams_of_a_leg_without_handshake_are_passed_over() -> None:
    desk = Desk(SrtpPolicy.PREFER)
    desk.leg.answer(sdp())
    desk.room.receive_handshake(HandshakeReceived(1, 77, 1, (HOST, 9), b"\x16\xfe\xff" + bytes(20)))
    desk.room.receive_handshake(HandshakeReceived(1, 78, 1, (HOST, 9), b"\x16"))
    desk.room.handle_timer()
    assert not desk.notices
    desk.room.close()


def test_phone_that_came_to_keys_by_a_handshake_is_called_with_one_and_a_stranger_is_not() -> None:
    desk, peer = Desk(SrtpPolicy.PREFER), Peer(1)
    ice = "a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:theirpasswordof22chars\r\n"
    known = desk.room.create_leg(1, local_host=HOST, signalling_host=HOST, phone="UDP 192.0.2.1:5060")
    known.answer(peer.offer(extra=ice))
    called = desk.room.create_leg(2, local_host=HOST, signalling_host=HOST, phone="UDP 192.0.2.1:5060")
    ours = parse(called.offer())
    media = ours.media[0]
    assert media.protocol == "UDP/TLS/RTP/SAVP" and media.values("setup") == ["actpass"] and not media.has("crypto")
    assert media.has("ice-ufrag") and media.has("mid") and ("group", "BUNDLE 0") in ours.attributes
    called.apply(peer.offer(setup="active", extra=ice))
    assert desk.spec == (None, None, True)
    peer.shake(called, media)
    assert desk.spec == (mirrored(peer.keys[0]), None, True)
    stranger = desk.room.create_leg(3, local_host=HOST, signalling_host=HOST, phone="UDP 192.0.2.2:5060")
    line = parse(stranger.offer()).media[0]
    assert line.protocol == "RTP/AVP" and line.has("crypto") and not line.has("fingerprint") and not line.has("ice-ufrag")
    again = desk.room.create_leg(4, local_host=HOST, signalling_host=HOST, phone="UDP 192.0.2.1:5060")
    again.refused(486)
    assert parse(again.offer()).media[0].protocol == "UDP/TLS/RTP/SAVP"
    again.refused(488)
    assert parse(desk.room.create_leg(5, local_host=HOST, signalling_host=HOST,
                                      phone="UDP 192.0.2.1:5060").offer()).media[0].protocol == "RTP/AVP"
    desk.room.close()


def test_where_keys_may_stand_in_no_sdp_and_protection_is_required_a_handshake_is_offered(desk: Desk) -> None:
    assert parse(desk.leg.offer()).media[0].protocol == "UDP/TLS/RTP/SAVP"
    with pytest.raises(MediaRefused, match="brings no fingerprint"):
        desk.leg.apply(sdp())


def test_offer_of_a_session_with_ice_and_mid_repeats_both_and_names_no_new_credentials(desk: Desk) -> None:
    ice = "a=mid:x\r\na=ice-ufrag:abcd\r\na=ice-pwd:theirpasswordof22chars\r\n"
    peer = Peer(1)
    first = parse(desk.leg.answer(peer.offer(extra=ice))).media[0]
    again = parse(desk.leg.offer())
    assert ("ice-lite", None) in again.attributes and again.media[0].values("mid") == ["x"]
    assert again.media[0].values("ice-pwd") == first.values("ice-pwd")
    desk.leg.apply(peer.offer(setup="active", extra=ice))
    assert parse(desk.leg.offer()).media[0].values("ice-pwd") == first.values("ice-pwd")


def test_acquaintances_forget_the_one_that_was_not_heard_of_for_longest() -> None:
    known = Acquaintances()
    for number in range(MAX_KNOWN + 1):
        known.note(str(number), OfferStyle())
        known.note("0", OfferStyle("RTP/SAVP"))
    assert known.style_of("1") is None and known.style_of("0") == OfferStyle("RTP/SAVP")


def test_handshake_goes_on_while_its_leg_is_moved_to_another_room(desk: Desk) -> None:
    peer = Peer(1)
    media = parse(desk.leg.answer(peer.offer())).media[0]
    now, theirs = time.monotonic(), Fingerprint.parse(media.values("fingerprint")[0])
    end = DtlsEndpoint(Role.CLIENT, THEIRS, now=now, fingerprints=(theirs,))
    end.start((HOST, desk.leg.local_port), now)
    other = RoomMedia(2, "mix", desk.room._engine, desk.line, lambda room: None)
    other.adopt(desk.leg)
    while (event := end.next_event()) is None:
        for data, _ in end.datagrams_to_send():                     # the worker of the room before had it already
            desk.room.receive_handshake(HandshakeReceived(1, 77, 0, peer.sockets[0].getsockname(), data))
        end.receive_datagram(*peer.sockets[0].recvfrom(2048), now)
    assert isinstance(event, DtlsConnected) and desk.spec == (mirrored(event.keys), None, True)
    other.close()
