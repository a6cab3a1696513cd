"""Messages about pictures between control and its workers (RFC 7667 §3.7): ports, producers, slots, who is shown in which.

`AddPort` travels with its sockets (SCM_RIGHTS): RTP, then RTCP where that has a port of its own; it and `UpdatePort` carry the
keys of SRTP, which are never shown. Layouts are those of `mcu.fields`; `mcu.messages` has the head of each message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from mcu.fields import NUMBER, Address, Fields, read_keys, read_streams, write_address, write_keys, write_streams, write_text
from rtp.kernel import PortSpec, PortStatistics, ProducerSpec, ProducerStatistics, SlotSpec
from rtp.sdp import rtcp_feedback
from rtp.srtp import StreamState

MAX_PICTURE_DATAGRAM = 1500
CODINGS = ("", "h264", "vp8")
WISHES = tuple(sorted(rtcp_feedback.KNOWN))
"""Kinds of a=rtcp-fb, as bits of a byte."""
Format = tuple[int, str, int]
_PORT = struct.Struct("!IIBBBII")
_PRODUCER = struct.Struct("!IIB?III")
_SLOT = struct.Struct("!IIIHIi")
_PORT_FIGURES = struct.Struct("!IQQQQQQQQfQQQQ")
_PRODUCER_FIGURES = struct.Struct("!IBHHQQQf")
_PORT_FLAGS = ("rtcp_mux", "is_reduced", "awaits_keys", "has_ice", "is_local")


# ---- commands


@dataclass(frozen=True, slots=True)
class AddPort:
    """Take a transport of pictures; its sockets come with the message, so the descriptors in `spec` mean nothing."""

    room_id: int
    spec: PortSpec


@dataclass(frozen=True, slots=True)
class UpdatePort:
    """What was negotiated anew. is_remote_new: the addresses are to be taken too, and what was learnt is to be forgotten."""

    room_id: int
    spec: PortSpec
    is_remote_new: bool


@dataclass(frozen=True, slots=True)
class RemovePort:
    """End a transport with all its streams."""

    room_id: int
    port_id: int


@dataclass(frozen=True, slots=True)
class AddProducer:
    """Take a stream in."""

    room_id: int
    spec: ProducerSpec


@dataclass(frozen=True, slots=True)
class UpdateProducer:
    """Whether a stream in may be shown, and what it should send at most (0: anything)."""

    room_id: int
    producer_id: int
    is_open: bool
    limit_bps: int = 0


@dataclass(frozen=True, slots=True)
class RemoveProducer:
    """End a stream in."""

    room_id: int
    producer_id: int


@dataclass(frozen=True, slots=True)
class AddSlot:
    """Take a stream out."""

    room_id: int
    spec: SlotSpec


@dataclass(frozen=True, slots=True)
class RemoveSlot:
    """End a stream out."""

    room_id: int
    slot_id: int


@dataclass(frozen=True, slots=True)
class ShowProducer:
    """Show a stream in a slot from its next key frame on; producer_id 0: nothing."""

    room_id: int
    slot_id: int
    producer_id: int
    rank: int = 0


# ---- reports


@dataclass(frozen=True, slots=True)
class PictureShown:
    """A slot shows that stream from now on."""

    room_id: int
    slot_id: int
    producer_id: int


@dataclass(frozen=True, slots=True)
class PicturePaused:
    """A slot is not sent for want of bandwidth, or is sent again."""

    room_id: int
    slot_id: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class SenderLimited:
    """Nobody can take more of a stream than this."""

    room_id: int
    producer_id: int
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class PortLearnt:
    """A port's pictures come from, and go to, another address than its SDP named."""

    room_id: int
    port_id: int
    remote: Address


@dataclass(frozen=True, slots=True)
class PortHandshake:
    """A datagram of DTLS or STUN for a port, from its RTP socket (component 0) or its RTCP socket (1)."""

    room_id: int
    port_id: int
    component: int
    source: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class PortReport:
    """The figures of a port, once a second."""

    room_id: int
    statistics: PortStatistics


@dataclass(frozen=True, slots=True)
class ProducerReport:
    """The figures of a stream in, once a second."""

    room_id: int
    statistics: ProducerStatistics


@dataclass(frozen=True, slots=True)
class PortStreams:
    """Where the streams of a protected port's peer stand, once a second."""

    room_id: int
    port_id: int
    streams: tuple[StreamState, ...]


Command = (AddPort | UpdatePort | RemovePort | AddProducer | UpdateProducer | RemoveProducer | AddSlot | RemoveSlot
           | ShowProducer)
Report = (PictureShown | PicturePaused | SenderLimited | PortLearnt | PortHandshake | PortReport | ProducerReport | PortStreams)
Message = Command | Report


def _write_formats(formats: tuple[Format, ...]) -> bytes:
    return bytes([len(formats)]) + b"".join(bytes((number, CODINGS.index(name), mode)) for number, name, mode in formats)


def _read_formats(read: Fields) -> tuple[Format, ...]:
    return tuple((read.byte(), CODINGS[read.byte()], read.byte()) for _ in range(read.byte()))


def _write_port(spec: PortSpec) -> bytes:
    flags = sum(1 << bit for bit, name in enumerate(_PORT_FLAGS) if getattr(spec, name))
    fixed = _PORT.pack(spec.port_id, spec.ssrc, flags, spec.mid_extension, spec.transport_extension, spec.limit_bps,
                       spec.owner)
    return (fixed + write_address(spec.remote) + write_address(spec.remote_rtcp) + write_text(spec.signalling_host)
            + write_text(spec.cname) + write_keys(spec.keys) + write_keys(spec.rtcp_keys) + write_streams(spec.streams))


def _read_port(read: Fields) -> PortSpec:
    port_id, ssrc, flags, mid, transport, limit_bps, owner = read.take(_PORT)
    remote, remote_rtcp, signalling_host, cname = read.address(), read.address(), read.text(), read.text()
    keys, rtcp_keys, streams = read_keys(read), read_keys(read), read_streams(read)
    mux, is_reduced, awaits_keys, has_ice, is_local = (bool(flags & 1 << bit) for bit in range(len(_PORT_FLAGS)))
    return PortSpec(port_id, -1, -1, remote, remote_rtcp, mux, signalling_host, ssrc, cname, mid, transport, is_reduced,
                    limit_bps, keys, rtcp_keys, streams, awaits_keys, has_ice, is_local, owner)


def _write_producer(message: AddProducer) -> bytes:
    spec = message.spec
    wishes = sum(1 << bit for bit, name in enumerate(WISHES) if name in spec.feedback)
    fixed = _PRODUCER.pack(spec.producer_id, spec.port_id, wishes, spec.is_open, spec.limit_bps, spec.origin, spec.ssrc)
    return fixed + _write_formats(spec.formats) + write_text(spec.mid)


def _read_producer(room_id: int, read: Fields) -> AddProducer:
    producer_id, port_id, wishes, is_open, limit_bps, origin, ssrc = read.take(_PRODUCER)
    formats, mid = _read_formats(read), read.text()
    feedback = frozenset(name for bit, name in enumerate(WISHES) if wishes & 1 << bit)
    return AddProducer(room_id, ProducerSpec(producer_id, port_id, formats, mid, feedback, is_open, limit_bps, origin, ssrc))


def _write_slot(message: AddSlot) -> bytes:
    spec = message.spec
    fixed = _SLOT.pack(spec.slot_id, spec.port_id, spec.ssrc, spec.sequence, spec.timestamp, spec.rank)
    return fixed + _write_formats(spec.formats) + write_text(spec.mid)


def _read_slot(room_id: int, read: Fields) -> AddSlot:
    slot_id, port_id, ssrc, sequence, timestamp, rank = read.take(_SLOT)
    formats, mid = _read_formats(read), read.text()
    return AddSlot(room_id, SlotSpec(slot_id, port_id, ssrc, sequence, timestamp, formats, mid, rank))


def _write_handshake(message: PortHandshake) -> bytes:
    if len(message.data) > MAX_PICTURE_DATAGRAM:
        raise ValueError(f"a datagram of {len(message.data)} bytes")
    head = NUMBER.pack(message.port_id) + bytes([message.component]) + write_address(message.source)
    return head + len(message.data).to_bytes(2) + message.data


def _read_handshake(room_id: int, read: Fields) -> PortHandshake:
    port_id, component, source = read.number(), read.byte(), read.address()
    if source is None:
        raise ValueError("no address")
    return PortHandshake(room_id, port_id, component, source, read.raw(int.from_bytes(read.raw(2))))


def _read_learnt(room_id: int, read: Fields) -> PortLearnt:
    port_id, remote = read.number(), read.address()
    if remote is None:
        raise ValueError("no address")
    return PortLearnt(room_id, port_id, remote)


_of_port = attrgetter(*(field.name for field in fields(PortStatistics)))


def _write_producer_figures(message: ProducerReport) -> bytes:
    one = message.statistics
    return _PRODUCER_FIGURES.pack(one.producer_id, CODINGS.index(one.coding), one.width, one.height, one.bitrate_bps,
                                  one.packets, one.lost, one.jitter_ms)


def _read_producer_figures(room_id: int, read: Fields) -> ProducerReport:
    producer_id, coding, width, height, bitrate_bps, packets, lost, jitter_ms = read.take(_PRODUCER_FIGURES)
    return ProducerReport(room_id, ProducerStatistics(producer_id, CODINGS[coding], width, height, bitrate_bps, packets, lost,
                                                      jitter_ms))


def _numbers(*names: str) -> Callable[[Any], bytes]:
    """A writer of 32-bit fields."""
    return lambda message: b"".join(NUMBER.pack(getattr(message, name)) for name in names)


TABLE: tuple[tuple[int, type, Callable[..., bytes], Callable[[int, Fields], Message]], ...] = (
    (32, AddPort, lambda m: _write_port(m.spec), lambda room, read: AddPort(room, _read_port(read))),
    (33, UpdatePort, lambda m: _write_port(m.spec) + bytes([m.is_remote_new]),
     lambda room, read: UpdatePort(room, _read_port(read), bool(read.byte()))),
    (34, RemovePort, _numbers("port_id"), lambda room, read: RemovePort(room, read.number())),
    (35, AddProducer, _write_producer, _read_producer),
    (36, UpdateProducer, lambda m: NUMBER.pack(m.producer_id) + bytes([m.is_open]) + NUMBER.pack(m.limit_bps),
     lambda room, read: UpdateProducer(room, read.number(), bool(read.byte()), read.number())),
    (37, RemoveProducer, _numbers("producer_id"), lambda room, read: RemoveProducer(room, read.number())),
    (38, AddSlot, _write_slot, _read_slot),
    (39, RemoveSlot, _numbers("slot_id"), lambda room, read: RemoveSlot(room, read.number())),
    (40, ShowProducer, _numbers("slot_id", "producer_id", "rank"),
     lambda room, read: ShowProducer(room, read.number(), read.number(), read.number())),
    (96, PictureShown, _numbers("slot_id", "producer_id"),
     lambda room, read: PictureShown(room, read.number(), read.number())),
    (97, PicturePaused, lambda m: NUMBER.pack(m.slot_id) + bytes([m.is_paused]),
     lambda room, read: PicturePaused(room, read.number(), bool(read.byte()))),
    (98, SenderLimited, _numbers("producer_id", "bitrate_bps"),
     lambda room, read: SenderLimited(room, read.number(), read.number())),
    (99, PortLearnt, lambda m: NUMBER.pack(m.port_id) + write_address(m.remote), _read_learnt),
    (100, PortHandshake, _write_handshake, _read_handshake),
    (101, PortReport, lambda m: _PORT_FIGURES.pack(*_of_port(m.statistics)),
     lambda room, read: PortReport(room, PortStatistics(*read.take(_PORT_FIGURES)))),
    (102, ProducerReport, _write_producer_figures, _read_producer_figures),
    (103, PortStreams, lambda m: NUMBER.pack(m.port_id) + write_streams(m.streams),
     lambda room, read: PortStreams(room, read.number(), read_streams(read))),
)
"""(kind, class, writer, reader) of each message."""
