"""A transport of a leg: a pair of ports, its keys, its DTLS handshake and its ICE checks (RFC 4568, RFC 5763, RFC 8445).

Sound has one, the pictures of a BUNDLE group another (RFC 9143). What is agreed comes from `rtp.sdp`; what the worker is told
of it is for the owner to send. Our sides of handshake and checks answer over control's own copies of the sockets.
"""

from __future__ import annotations

import secrets
import time
from typing import Protocol

from mcu.addresses import is_private
from mcu.engine.base import Engine
from mcu.engine.connectivity import Connectivity
from mcu.engine.handshake import Handshake
from mcu.engine.ports import PortPair
from rtp.ice import RemoteIce
from rtp.keying import sdes
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import LocalMedia
from rtp.sdp.protection import Protection
from rtp.srtp import SessionKeys, StreamState
from sip.media_backend import MediaRefused

Address = tuple[str, int]


class Agreed(Protocol):
    """What was agreed of a transport: sound and pictures alike."""

    @property
    def remote(self) -> Address | None:
        """Where RTP is wanted."""

    @property
    def remote_rtcp(self) -> Address | None:
        """Where RTCP is wanted."""

    @property
    def rtcp_mux(self) -> bool:
        """Whether that is one port."""

    @property
    def protection(self) -> Protection | None:
        """How it is protected."""


class Transport:
    """The state of one. may_send_keys: whether keys for SDES may be sent over the call's signalling at all.

    learnt: where RTP comes from when that isn't what the SDP says; streams: where the peer's protected streams stand, for a
    worker that could not find out.
    """

    def __init__(self, engine: Engine, *, may_send_keys: bool) -> None:
        self.pair: PortPair | None = None
        self.learnt: Address | None = None
        self.learnt_rtcp: Address | None = None
        self.handshake: Handshake | None = None
        self.connectivity: Connectivity | None = None
        self._engine = engine
        self._may_send_keys = may_send_keys
        self.make_keys()

    def make_keys(self) -> None:
        """New keys for SDES, as far as they may be sent."""
        self.crypto = sdes.offer(secrets.token_bytes) if self._may_send_keys else ()
        self.streams: tuple[StreamState, ...] = ()

    @property
    def port(self) -> int:
        """The port that RTP is received at, 0 before there is one."""
        return 0 if self.pair is None else self.pair.port

    def local(self, host: str, told_host: str, direction: str = "sendrecv") -> LocalMedia:
        """Our side for an SDP; the ports are opened with the first. host: where we receive, told_host: what the peer is told.

        Raises MediaRefused (503 when no port is free).
        """
        if self.pair is None:
            try:
                self.pair = self._engine.ports.open(host)
            except OSError as error:
                raise MediaRefused(f"no media port is free: {error.strerror or error}", 503) from error
        return LocalMedia(told_host, self.pair.port, self.pair.port + 1, direction, self.crypto, self._engine.fingerprint)

    def descriptors(self) -> tuple[int, int]:
        """The sockets, for the worker."""
        assert self.pair is not None
        return self.pair.rtp.fileno(), self.pair.rtcp.fileno()

    def forget(self) -> None:
        """What was learnt of the peer's addresses does not hold any more."""
        self.learnt = self.learnt_rtcp = None

    # ---- ICE

    def meet(self, remote: RemoteIce | None, agreed: Agreed, *, is_answer: bool = False) -> None:
        """Be ready for the checks of a peer that brings ICE."""
        if remote is None or self.pair is None:
            self.connectivity = None
            return
        if not is_answer:
            self.be_ready_for_checks(1 if agreed.rtcp_mux else 2)
        if self.connectivity is not None:
            self.connectivity.described_by(remote, is_answer=is_answer)

    def be_ready_for_checks(self, components: int) -> None:
        """Have credentials for so many components."""
        if self.pair is not None and (self.connectivity is None or self.connectivity.components != components):
            self.connectivity = Connectivity((self.pair.rtp, self.pair.rtcp)[:components])

    def with_ice(self, ours: SessionDescription, index: int, host: str) -> SessionDescription:
        """Our description with what it says of ICE. index: of the line; host: that it names."""
        return ours if self.connectivity is None else self.connectivity.described(ours, index, host, self.port)

    def select(self, data: bytes, source: Address, component: int) -> dict[int, Address]:
        """Take a STUN message; the components whose media goes elsewhere from now on."""
        if self.connectivity is None:
            return {}
        return self.connectivity.receive(data, source, component, time.monotonic())

    # ---- keys

    def protected(self, agreed: Agreed) -> Protection | None:
        """The protection with the keys of its handshake; a new one where the peer asks for it (RFC 8842 §3.1)."""
        protection = agreed.protection
        theirs = None if protection is None else protection.theirs
        if protection is None or theirs is None or self._engine.certificate is None or self.pair is None:
            self.handshake = None
            return protection
        components = 1 if agreed.rtcp_mux else 2
        now = self.handshake
        if now is None or now.components != components or theirs.is_new_association(now.theirs):
            sockets, remotes = (self.pair.rtp, self.pair.rtcp), (agreed.remote, agreed.remote_rtcp)
            self.streams = ()
            now = self.handshake = Handshake(self._engine.certificate, theirs, protection.role, sockets[:components],
                                             remotes[:components], time.monotonic())
        return Protection(protection.how, now.keys[0], protection.line, theirs, protection.role)

    def rtcp_keys(self, agreed: Agreed) -> SessionKeys | None:
        """Those of RTCP, where it has a port and so an association of its own."""
        return None if self.handshake is None or agreed.rtcp_mux else self.handshake.keys[1]

    def close(self) -> None:
        """Say goodbye and give the ports back; a second call does nothing."""
        if self.handshake is not None:
            self.handshake.close()
            self.handshake = None
        if self.pair is not None:
            self.pair.close()
            self.pair = None


def reachable(remote: Address | None, signalling_host: str) -> Address | None:
    """Where to send first: a private address of a phone that came from elsewhere is behind its NAT, so that NAT is taken.

    The right port shows when the phone's own media comes (RFC 4961). Nothing is sent into a network of ours by a stranger.
    """
    host = signalling_host
    if remote is None or not is_private(remote[0]) or is_private(host) or (":" in remote[0]) != (":" in host):
        return remote
    return host, remote[1]
