"""ICE-lite of a leg: what the answer says, checks that are answered, media that goes where the peer nominates."""

from __future__ import annotations

import os
import socket

import pytest

from mcu.engine.leg import LegMedia
from mcu.messages import AddLeg, HandshakeReceived, UpdateLeg
from rtp.ice import ICE_CONTROLLING, PRIORITY, USE_CANDIDATE
from rtp.sdp.model import MediaDescription
from rtp.sdp.parser import parse
from rtp.stun import SUCCESS, USERNAME, Message, binding_request, check_integrity
from tests.mcu.test_engine_handles import HOST, Bench, sdp

pytestmark = pytest.mark.loopback

ICE = "a=ice-ufrag:abcd\r\na=ice-pwd:theirpasswordof22chars\r\na=candidate:1 1 UDP 2130706431 127.0.0.1 4000 typ host\r\n"
MUX = "a=rtcp-mux\r\n"


def check(media: MediaDescription, *, nominate: bool, password: str | None = None) -> bytes:
    """A check of a full agent that has read our answer."""
    message = binding_request(os.urandom(12)).with_attribute(USERNAME, f"{media.value('ice-ufrag')}:abcd".encode())
    message = message.with_attribute(PRIORITY, bytes(4)).with_attribute(ICE_CONTROLLING, bytes(8))
    if nominate:
        message = message.with_attribute(USE_CANDIDATE, b"")
    return message.encode((password or media.values("ice-pwd")[0]).encode(), fingerprint=True)


def test_answer_brings_ice_only_to_who_brought_it() -> None:
    bench = Bench()
    leg = bench.leg()
    plain = parse(leg.answer(sdp()))
    assert not plain.media[0].has("ice-ufrag") and isinstance(bench.last, AddLeg) and not bench.last.spec.has_ice
    leg = bench.leg(78)
    ours = parse(leg.answer(sdp(extra=ICE + MUX)))
    assert ("ice-lite", None) in ours.attributes and isinstance(bench.last, AddLeg) and bench.last.spec.has_ice
    assert [line.split()[1:6:4] for line in ours.media[0].values("candidate")] == [["1", str(leg.local_port)]]
    leg = bench.leg(79)
    candidates = parse(leg.answer(sdp(extra=ICE))).media[0].values("candidate")
    assert [line.split()[1:6:4] for line in candidates] == [["1", str(leg.local_port)], ["2", str(leg.local_port + 1)]]
    bench.room.close()


def ask(leg: LegMedia, sock: socket.socket, data: bytes, component: int = 0) -> None:
    """Give the leg a check as its worker would."""
    leg.receive_handshake(HandshakeReceived(1, leg.leg_id, component, sock.getsockname(), data))


def test_media_goes_where_a_nominating_check_came_from_and_stays_there_on_another_worker() -> None:
    bench = Bench()
    leg = bench.leg()
    media = parse(leg.answer(sdp(extra=ICE))).media[0]
    with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
        for component, sock in enumerate((rtp, rtcp)):
            sock.bind((HOST, 0))
            sock.settimeout(5)
            ask(leg, sock, check(media, nominate=True), component)
            reply = sock.recv(1500)
            assert Message.parse(reply).kind == SUCCESS and check_integrity(reply, media.values("ice-pwd")[0].encode())
        where = (rtp.getsockname(), rtcp.getsockname())
        assert isinstance(bench.last, UpdateLeg) and bench.last.is_remote_new
        assert (bench.last.spec.remote, bench.last.spec.remote_rtcp) == where
        bench.room.recover(0.0)
        assert isinstance(bench.last, AddLeg) and (bench.last.spec.remote, bench.last.spec.remote_rtcp) == where
    bench.room.close()


def test_check_of_a_stranger_gets_no_answer_and_moves_nothing() -> None:
    bench = Bench()
    leg = bench.leg()
    media = parse(leg.answer(sdp(extra=ICE + MUX))).media[0]
    count = len(bench.line.commands)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.setblocking(False)
        for data in (check(media, nominate=True, password="x" * 24), b"\x00\x01" + bytes(18), b"\x00"):
            ask(leg, sock, data)
        with pytest.raises(BlockingIOError):
            sock.recv(1500)
    assert len(bench.line.commands) == count and leg.learnt is None
    bench.room.close()


def test_restart_brings_new_credentials_and_a_reinvite_without_one_the_same() -> None:
    bench = Bench()
    leg = bench.leg()
    first, again, restarted = (parse(leg.answer(sdp(extra=ice + MUX))).media[0].value("ice-pwd")
                               for ice in (ICE, ICE, ICE.replace("abcd", "efgh")))
    assert first == again != restarted
    bench.room.close()
