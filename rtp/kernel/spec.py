"""What goes into the kernel of a room and what comes out of it: flat records (RFC 3550 §7 for what a mixer owes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rtp.srtp.context import StreamState
from rtp.srtp.suites import SessionKeys

if TYPE_CHECKING:
    from rtp.kernel.leg import Leg

Address = tuple[str, int]

TICK_NS = 20_000_000
TICK_SAMPLES = 960
"""Samples of 48 kHz mono in one tick of 20 ms."""


@dataclass(slots=True)
class LegSpec:
    """One leg of a room, as control describes it.

    leg_id: 32 bits, its CSRC in the mix; rtp_fd, rtcp_fd: bound, non-blocking UDP sockets that the room owns from now on
    (rtcp_fd −1: none); codec: pcmu, pcma, g722 or opus; dtmf_type: payload type of telephone events, −1 for none; remote:
    where to send, None while on hold; signalling_host: whose other ports may be learnt; level_extension and
    mixer_extension: ids of RFC 6464 and RFC 6465, 0 for none; is_heard: goes into the mix; hears: gets the mix; fmtp: what the
    receiver asks of our encoder, "name=value;…" sorted, so that equal wishes share an encoder; dtmf_send_type: payload type of
    the telephone events that the peer takes, −1 for none; keys: of SRTP, None for plain RTP; streams: where the peer's
    streams stood under these keys, for the successor of a worker; rtcp_keys: where RTCP has others; awaits_keys: nothing is
    said or taken before there are keys, which a handshake makes (DTLS-SRTP); has_ice: the peer asks by STUN what it can reach.
    """

    leg_id: int
    rtp_fd: int
    rtcp_fd: int
    codec: str
    send_type: int
    receive_type: int
    dtmf_type: int
    ptime_ms: int
    remote: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    signalling_host: str
    ssrc: int
    sequence: int
    timestamp: int
    cname: str
    is_heard: bool = True
    hears: bool = True
    is_muted: bool = False
    level_extension: int = 0
    mixer_extension: int = 0
    fmtp: str = ""
    dtmf_send_type: int = -1
    keys: SessionKeys | None = None
    streams: tuple[StreamState, ...] = ()
    rtcp_keys: SessionKeys | None = None
    awaits_keys: bool = False
    has_ice: bool = False


class Observer(Protocol):
    """Sees what passes a leg, in clear: RTP and RTCP as they would be without SRTP. It must not wait, or change anything."""

    def __call__(self, leg: Leg, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """A packet of the leg. time_ns: monotonic, of its arrival or of now."""


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    """A key of a leg, once for each press."""

    leg_id: int
    key: str


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """Who is in the mix now: leg ids, the loudest first."""

    leg_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AddressLearnt:
    """A leg's media comes from, and now goes to, another address than its SDP named."""

    leg_id: int
    remote: Address


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """A datagram of DTLS or STUN came for a leg, on its RTP port (component 0) or its RTCP port (1)."""

    leg_id: int
    component: int
    source: Address
    data: bytes


Notice = DtmfPressed | SpeakersChanged | AddressLearnt | HandshakeReceived


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """Figures of a leg since its beginning. Times in ms; `silent_ms`: since the last RTP or RTCP; rtt_ms −1: unknown; looped:
    packets of our own that came back (RFC 3550 §8.2); auth_failures, replayed: dropped by SRTP (RFC 3711 §3.3); remote_loss (a
    share), remote_jitter_ms: as the peer's last report has them."""

    leg_id: int
    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    lost: int = 0
    late: int = 0
    duplicated: int = 0
    concealed: int = 0
    junk: int = 0
    foreign: int = 0
    jitter_ms: float = 0.0
    buffer_ms: float = 0.0
    level_dbov: int = -127
    rtt_ms: float = -1.0
    remote_loss: float = 0.0
    silent_ms: int = 0
    next_sequence: int = 0
    remote_ssrc: int = 0
    said_goodbye: bool = False
    looped: int = 0
    auth_failures: int = 0
    replayed: int = 0
    remote_jitter_ms: float = 0.0
