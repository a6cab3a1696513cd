"""What goes into a forwarder of pictures and what comes out of it: flat records (RFC 7667 §3.7)."""

from __future__ import annotations

from dataclasses import dataclass

from rtp.kernel.spec import Address, AddressLearnt, HandshakeReceived
from rtp.srtp.context import StreamState
from rtp.srtp.suites import SessionKeys


@dataclass(slots=True)
class PortSpec:
    """A transport to one participant: one m= line, or a BUNDLE group of them.

    port_id: 32 bits; rtp_fd, rtcp_fd: bound UDP sockets that the forwarder owns from now on (rtcp_fd −1: multiplexed); remote:
    where to send, None while on hold; signalling_host: whose other ports may be learnt; ssrc: of our reports while we send
    nothing; mid_extension, transport_extension: ids of RFC 9143's mid and of the transport-wide number, 0 for none;
    is_reduced: feedback may go alone (RFC 5506); limit_bps: what the peer's b= lines allow, 0 for anything; keys and what
    follows: as in LegSpec; is_local: the peer is a process of ours on this machine: all is sent to it, and what
    `limit_bps` says is only what it would have senders send; owner: whose it is, for those who observe it.
    """

    port_id: int
    rtp_fd: int
    rtcp_fd: int
    remote: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    signalling_host: str
    ssrc: int
    cname: str
    mid_extension: int = 0
    transport_extension: int = 0
    is_reduced: bool = False
    limit_bps: int = 0
    keys: SessionKeys | None = None
    rtcp_keys: SessionKeys | None = None
    streams: tuple[StreamState, ...] = ()
    awaits_keys: bool = False
    has_ice: bool = False
    is_local: bool = False
    owner: int = 0


@dataclass(slots=True)
class ProducerSpec:
    """A stream that a participant sends. producer_id: 32 bits; mid: of its line in a bundle, empty when it is the port's only
    one; formats: (payload type, `h264` or `vp8`, packetization mode); feedback: kinds of a=rtcp-fb that the sender takes;
    is_open: whether it may be shown; limit_bps: what it should send at most, 0 for anything; origin: its CSRC at the receivers,
    0 for the producer_id; ssrc: under which it comes, 0 where that is not known beforehand."""

    producer_id: int
    port_id: int
    formats: tuple[tuple[int, str, int], ...]
    mid: str = ""
    feedback: frozenset[str] = frozenset()
    is_open: bool = True
    limit_bps: int = 0
    origin: int = 0
    ssrc: int = 0


@dataclass(slots=True)
class SlotSpec:
    """A stream to a participant that shows one producer after the other. ssrc, sequence, timestamp: where it begins; mid: of
    its line in a bundle; formats: as in ProducerSpec, what its receiver takes; rank: the smaller, the more important."""

    slot_id: int
    port_id: int
    ssrc: int
    sequence: int
    timestamp: int
    formats: tuple[tuple[int, str, int], ...]
    mid: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class SlotSwitched:
    """A slot shows another producer from now on."""

    slot_id: int
    producer_id: int


@dataclass(frozen=True, slots=True)
class SlotPaused:
    """A slot is not sent for want of bandwidth, or is sent again."""

    slot_id: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class SenderAsked:
    """A producer should send so much at most, as nobody can take more. It was asked by RTCP, if it takes that."""

    producer_id: int
    bitrate_bps: int


VideoNotice = SlotSwitched | SlotPaused | SenderAsked | AddressLearnt | HandshakeReceived


@dataclass(frozen=True, slots=True)
class PortStatistics:
    """Figures of a port since its beginning. estimate_bps: what its receiver can take; resent: packets that it asked for again;
    key_frames_asked: of its producers; recovered: packets that came when we asked again; remote_loss: a share."""

    port_id: int
    packets_in: int = 0
    packets_out: int = 0
    lost: int = 0
    recovered: int = 0
    resent: int = 0
    key_frames_asked: int = 0
    key_frames_merged: int = 0
    estimate_bps: int = 0
    remote_loss: float = 0.0
    junk: int = 0
    foreign: int = 0
    auth_failures: int = 0
    unsent: int = 0


@dataclass(frozen=True, slots=True)
class ProducerStatistics:
    """Figures of a stream in. coding: what comes now; width, height: of its last key frame, 0 where that did not tell."""

    producer_id: int
    coding: str = ""
    width: int = 0
    height: int = 0
    bitrate_bps: int = 0
    packets: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
