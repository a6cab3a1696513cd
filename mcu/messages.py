"""Messages between control and a media worker: one datagram each on a SOCK_SEQPACKET pair, of fixed layout and bounded size.

    version (1 byte) · kind (1 byte) · room id (4 bytes) · the kind's own fields, all in network order

Texts and lists carry their length in one byte, addresses their family. `AddLeg` travels with the leg's two sockets
(SCM_RIGHTS): RTP, then RTCP; it and `UpdateLeg` carry the keys of SRTP, which are never shown. Messages about pictures stand in
`mcu.video_messages`. A message of another version, an
unknown kind or with a byte too many is refused; there is nothing here that could run code, and nothing that grows with what a
peer sends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter

from mcu import sound_messages, video_messages
from mcu.engine.notices import AddressLearnt, DtmfPressed, RoomLost, SpeakersChanged
from mcu.errors import ProtocolError
from mcu.fields import NUMBER, Address, Fields, read_keys, read_streams, write_address, write_keys, write_streams, write_text
from rtp.kernel import LegSpec, LegStatistics
from rtp.srtp import StreamState

VERSION = 7
MAX_MESSAGE = 2048
"""A leg with all its texts, keys and streams has 1.3 kB, a datagram of a handshake up to 1.5 kB."""
MAX_DATAGRAM = 1500
MAX_SPEAKERS = 64
ROOM_KINDS = ("mix", "echo", "tone", "music", "relay")
SOUNDS = ("tone", "music", "join", "leave", "closing", "muted", "unmuted")
"""The sounds that a worker makes by itself."""
CODECS = ("pcmu", "pcma", "g722", "opus")

_HEAD = struct.Struct("!BBI")
_LEG = struct.Struct("!IBHBBbBBBIHIb")
_HEARTBEAT = struct.Struct("!IIQIII")
_FIGURES = struct.Struct("!IQQQQQQQQQffhffQHI?QQQf")


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """Begin a room. kind: one of ROOM_KINDS."""

    room_id: int
    kind: str
    max_speakers: int


@dataclass(frozen=True, slots=True)
class CloseRoom:
    """End a room and all its legs."""

    room_id: int


@dataclass(frozen=True, slots=True)
class AddLeg:
    """Take a leg; its sockets come with the message, so the descriptors in `spec` mean nothing."""

    room_id: int
    spec: LegSpec


@dataclass(frozen=True, slots=True)
class UpdateLeg:
    """What was negotiated anew. is_remote_new: the addresses are to be taken too, and what was learnt is to be forgotten."""

    room_id: int
    spec: LegSpec
    is_remote_new: bool


@dataclass(frozen=True, slots=True)
class RemoveLeg:
    """End a leg."""

    room_id: int
    leg_id: int


@dataclass(frozen=True, slots=True)
class MuteLeg:
    """Keep a leg out of the mix, or let it in."""

    room_id: int
    leg_id: int
    is_muted: bool


@dataclass(frozen=True, slots=True)
class PlaySound:
    """Let the whole room hear one of SOUNDS."""

    room_id: int
    name: str


@dataclass(frozen=True, slots=True)
class OpenTap:
    """Begin to show packets; the socket to show them to comes with the message. room_id 0: of all rooms; leg_id 0: all legs."""

    room_id: int
    leg_id: int
    tap_id: int


@dataclass(frozen=True, slots=True)
class CloseTap:
    """Show no more."""

    room_id: int
    tap_id: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker is alive. cpu_us: CPU time since its start; late_ticks: begun more than 20 ms late; failures: what it survived;
    dropped: reports that control was too slow to take."""

    rooms: int
    legs: int
    cpu_us: int
    late_ticks: int
    failures: int
    dropped: int


@dataclass(frozen=True, slots=True)
class LegReport:
    """The figures of a leg, once a second."""

    room_id: int
    statistics: LegStatistics


@dataclass(frozen=True, slots=True)
class StreamsReport:
    """Where the streams of a protected leg's peer stand (rollover counters), once a second."""

    room_id: int
    leg_id: int
    streams: tuple[StreamState, ...]


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """A datagram of DTLS or STUN for a leg, from its RTP port (component 0) or its RTCP port (1); dropped where control
    is slow."""

    room_id: int
    leg_id: int
    component: int
    source: Address
    data: bytes


_of_leg, _of_heart = (attrgetter(*(field.name for field in fields(kind))) for kind in (LegStatistics, Heartbeat))
"""The values of flat records, in order. `dataclasses.astuple` would copy each deeply: 14 µs for the figures of a leg."""

Command = (OpenRoom | CloseRoom | AddLeg | UpdateLeg | RemoveLeg | MuteLeg | PlaySound | OpenTap | CloseTap
           | sound_messages.Command | video_messages.Command)
Report = (Heartbeat | LegReport | StreamsReport | HandshakeReceived | DtmfPressed | SpeakersChanged | AddressLearnt | RoomLost
          | sound_messages.Report | video_messages.Report)
Message = Command | Report


def pack(message: Message) -> bytes:
    """The bytes of a message. Raises ProtocolError for a value that does not fit its field."""
    kind = _KINDS[type(message)]
    room_id = 0 if isinstance(message, Heartbeat) else message.room_id
    try:
        data = _HEAD.pack(VERSION, kind, room_id) + _WRITERS[kind](message)
    except (struct.error, ValueError, OverflowError) as error:
        raise ProtocolError(f"{type(message).__name__}: {error}") from error
    if len(data) > MAX_MESSAGE:
        raise ProtocolError(f"{type(message).__name__} has {len(data)} bytes; {MAX_MESSAGE} are allowed")
    return data


def parse(data: bytes) -> Message:
    """The message in a datagram. Raises ProtocolError and nothing else."""
    if not _HEAD.size <= len(data) <= MAX_MESSAGE:
        raise ProtocolError(f"a message of {len(data)} bytes")
    version, kind, room_id = _HEAD.unpack_from(data)
    reader = _READERS.get(kind)
    if version != VERSION or reader is None:
        raise ProtocolError(f"version {version}, kind {kind} is not known; version {VERSION} is")
    fields_ = Fields(data, _HEAD.size)
    try:
        message = reader(room_id, fields_)
    except (struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"kind {kind}: {error}") from error
    if fields_.position != len(data):
        raise ProtocolError(f"kind {kind}: {len(data) - fields_.position} bytes too many")
    return message


# ---- a leg

_FLAGS = ("is_heard", "hears", "is_muted", "rtcp_mux", "awaits_keys", "has_ice")


def _write_spec(spec: LegSpec) -> bytes:
    flags = sum(1 << bit for bit, name in enumerate(_FLAGS) if getattr(spec, name))
    fixed = _LEG.pack(spec.leg_id, CODECS.index(spec.codec), flags, spec.send_type, spec.receive_type, spec.dtmf_type,
                      spec.ptime_ms, spec.level_extension, spec.mixer_extension, spec.ssrc, spec.sequence, spec.timestamp,
                      spec.dtmf_send_type)
    addresses = write_address(spec.remote) + write_address(spec.remote_rtcp)
    texts = write_text(spec.signalling_host) + write_text(spec.cname) + write_text(spec.fmtp)
    return fixed + addresses + texts + write_keys(spec.keys) + write_keys(spec.rtcp_keys) + write_streams(spec.streams)


def _read_spec(read: Fields) -> LegSpec:
    leg_id, codec, flags, send, receive, dtmf, ptime, level, mixer, ssrc, sequence, timestamp, dtmf_send = read.take(_LEG)
    if ptime not in range(10, 61, 10):
        raise ValueError(f"a packet time of {ptime} ms")
    remote, remote_rtcp = read.address(), read.address()
    signalling_host, cname, fmtp = read.text(), read.text(), read.text()
    keys, rtcp_keys, streams = read_keys(read), read_keys(read), read_streams(read)
    switches = {name: bool(flags & 1 << bit) for bit, name in enumerate(_FLAGS)}
    return LegSpec(leg_id, -1, -1, CODECS[codec], send, receive, dtmf, ptime, remote, remote_rtcp, switches["rtcp_mux"],
                   signalling_host, ssrc, sequence, timestamp, cname, switches["is_heard"], switches["hears"],
                   switches["is_muted"], level, mixer, fmtp, dtmf_send, keys, streams,
                   rtcp_keys, switches["awaits_keys"], switches["has_ice"])


# ---- figures of a leg


def _write_figures(message: LegReport) -> bytes:
    return _FIGURES.pack(*_of_leg(message.statistics))


def _read_figures(room_id: int, read: Fields) -> LegReport:
    return LegReport(room_id, LegStatistics(*read.take(_FIGURES)))


def _write_speakers(message: SpeakersChanged) -> bytes:
    ids = message.leg_ids[:MAX_SPEAKERS]
    return bytes([len(ids)]) + struct.pack(f"!{len(ids)}I", *ids)


def _read_speakers(room_id: int, read: Fields) -> SpeakersChanged:
    count = read.byte()
    if count > MAX_SPEAKERS:
        raise ValueError(f"{count} speakers")
    return SpeakersChanged(room_id, tuple(read.number() for _ in range(count)))


def _read_learnt(room_id: int, read: Fields) -> AddressLearnt:
    leg_id, remote = read.number(), read.address()
    if remote is None:
        raise ValueError("no address")
    return AddressLearnt(room_id, leg_id, remote)


def _write_handshake(message: HandshakeReceived) -> bytes:
    if len(message.data) > MAX_DATAGRAM:
        raise ValueError(f"a datagram of {len(message.data)} bytes")
    head = NUMBER.pack(message.leg_id) + bytes([message.component]) + write_address(message.source)
    return head + len(message.data).to_bytes(2) + message.data


def _read_handshake(room_id: int, read: Fields) -> HandshakeReceived:
    leg_id, component, source = read.number(), read.byte(), read.address()
    if source is None:
        raise ValueError("no address")
    return HandshakeReceived(room_id, leg_id, component, source, read.raw(int.from_bytes(read.raw(2))))


_TABLE: tuple[tuple[int, type, Callable[..., bytes], Callable[[int, Fields], Message]], ...] = (
    (1, OpenRoom, lambda m: bytes([ROOM_KINDS.index(m.kind), m.max_speakers]),
     lambda room, read: OpenRoom(room, ROOM_KINDS[read.byte()], read.byte())),
    (2, CloseRoom, lambda m: b"", lambda room, read: CloseRoom(room)),
    (3, AddLeg, lambda m: _write_spec(m.spec), lambda room, read: AddLeg(room, _read_spec(read))),
    (4, UpdateLeg, lambda m: _write_spec(m.spec) + bytes([m.is_remote_new]),
     lambda room, read: UpdateLeg(room, _read_spec(read), bool(read.byte()))),
    (5, RemoveLeg, lambda m: NUMBER.pack(m.leg_id), lambda room, read: RemoveLeg(room, read.number())),
    (6, MuteLeg, lambda m: NUMBER.pack(m.leg_id) + bytes([m.is_muted]),
     lambda room, read: MuteLeg(room, read.number(), bool(read.byte()))),
    (7, PlaySound, lambda m: bytes([SOUNDS.index(m.name)]), lambda room, read: PlaySound(room, SOUNDS[read.byte()])),
    (8, OpenTap, lambda m: NUMBER.pack(m.leg_id) + NUMBER.pack(m.tap_id),
     lambda room, read: OpenTap(room, read.number(), read.number())),
    (9, CloseTap, lambda m: NUMBER.pack(m.tap_id), lambda room, read: CloseTap(room, read.number())),
    (65, Heartbeat, lambda m: _HEARTBEAT.pack(*_of_heart(m)), lambda room, read: Heartbeat(*read.take(_HEARTBEAT))),
    (66, LegReport, _write_figures, _read_figures),
    (67, DtmfPressed, lambda m: NUMBER.pack(m.leg_id) + m.key.encode("ascii"),
     lambda room, read: DtmfPressed(room, read.number(), read.raw(1).decode("ascii"))),
    (68, SpeakersChanged, _write_speakers, _read_speakers),
    (69, AddressLearnt, lambda m: NUMBER.pack(m.leg_id) + write_address(m.remote), _read_learnt),
    (70, RoomLost, lambda m: b"", lambda room, read: RoomLost(room)),
    (71, StreamsReport, lambda m: NUMBER.pack(m.leg_id) + write_streams(m.streams),
     lambda room, read: StreamsReport(room, read.number(), read_streams(read))),
    (72, HandshakeReceived, _write_handshake, _read_handshake),
    *sound_messages.TABLE,
    *video_messages.TABLE,
)
"""(kind, class, writer, reader) of each message: commands below 64, reports above."""
_KINDS = {cls: kind for kind, cls, _, _ in _TABLE}
_WRITERS = {kind: writer for kind, _, writer, _ in _TABLE}
_READERS = {kind: reader for kind, _, _, reader in _TABLE}
