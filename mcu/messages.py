"""Messages between control and a media worker: one datagram each on a SOCK_SEQPACKET pair, of fixed layout and bounded size.

    version (1 byte) · kind (1 byte) · room id (4 bytes) · the kind's own fields, all in network order

Texts and lists carry their length in one byte, addresses their family. `AddLeg` travels with the leg's two sockets
(SCM_RIGHTS): RTP, then RTCP; it and `UpdateLeg` carry the keys of SRTP, which are never shown. A message of another version, an
unknown kind or with a byte too many is refused; there is nothing here that could run code, and nothing that grows with what a
peer sends.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from ipaddress import ip_address
from operator import attrgetter
from typing import Any

from mcu.addresses import MAX_KNOWN
from mcu.engine.notices import AddressLearnt, DtmfPressed, PlayerChanged, RoomLost, SpeakersChanged
from mcu.errors import ProtocolError
from rtp.kernel import LegSpec, LegStatistics
from rtp.srtp import ALL_SUITES, MasterKey, SessionKeys, StreamState

VERSION = 5
MAX_MESSAGE = 2048
"""A leg with all its texts, keys and streams has 1.3 kB, a datagram of a handshake up to 1.5 kB."""
MAX_DATAGRAM = 1500
MAX_TEXT = 255
MAX_SPEAKERS = 64
MAX_STREAMS = 8
"""Streams of a peer that are told of; what is forgotten could be replayed to a worker's successor."""
ROOM_KINDS = ("mix", "echo", "tone", "music", "relay")
PROMPTS = ("enter-pin", "wrong-pin", "not-now", "goodbye")
"""What the attendant says: files that control has laid down, or a few notes."""
SOUNDS = ("tone", "music", "join", "leave", "closing", "muted", "unmuted", *PROMPTS, "hush")
"""The sounds that a worker makes by itself. A prompt ends the one before; hush ends it and says nothing."""
PLAYER_STATES = ("playing", "paused", "ended", "failed")
CODECS = ("pcmu", "pcma", "g722", "opus")

Address = tuple[str, int]
_HEAD = struct.Struct("!BBI")
_LEG = struct.Struct("!IBHBBbBBBIHIb")
_HEARTBEAT = struct.Struct("!IIQIII")
_FIGURES = struct.Struct("!IQQQQQQQQQffhffQHI?QQQ")
_PLAYER = struct.Struct("!I?Hi")
_PLAYED = struct.Struct("!IBII")
_STREAM = struct.Struct("!IIiq")


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
class Announce:
    """Say a prompt to a leg, or to the whole room (leg 0), after what is being said there. language: of the file."""

    room_id: int
    leg_id: int
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """Begin to tell what is heard in a room; the socket to tell it to comes with the message."""

    room_id: int
    recording_id: int


@dataclass(frozen=True, slots=True)
class CloseRecording:
    """Tell no more."""

    room_id: int
    recording_id: int


@dataclass(frozen=True, slots=True)
class OpenPlayer:
    """Play sound to all; the file comes with the message (`mcu.playing.ready`)."""

    room_id: int
    player_id: int


@dataclass(frozen=True, slots=True)
class SetPlayer:
    """Steer a player. volume_percent: 0 to 400; seek_ms: where to go on, −1 for where it is."""

    room_id: int
    player_id: int
    is_paused: bool
    volume_percent: int
    seek_ms: int


@dataclass(frozen=True, slots=True)
class ClosePlayer:
    """Play it no more."""

    room_id: int
    player_id: int


@dataclass(frozen=True, slots=True)
class PlayMusic:
    """Let a leg hear music in place of the meeting, or the whole room (leg 0) beside it; or no more."""

    room_id: int
    leg_id: int
    is_on: bool


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


_of_stream, _of_leg, _of_heart = (attrgetter(*(field.name for field in fields(kind)))
                                  for kind in (StreamState, LegStatistics, Heartbeat))
"""The values of flat records, in order. `dataclasses.astuple` would copy each deeply: 14 µs for the figures of a leg."""

Command = (OpenRoom | CloseRoom | AddLeg | UpdateLeg | RemoveLeg | MuteLeg | PlaySound | OpenTap | CloseTap | OpenRecording
           | CloseRecording | Announce | OpenPlayer | SetPlayer | ClosePlayer | PlayMusic)
Report = (Heartbeat | LegReport | StreamsReport | HandshakeReceived | DtmfPressed | SpeakersChanged | AddressLearnt | RoomLost
          | PlayerChanged)
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
    fields_ = _Fields(data, _HEAD.size)
    try:
        message = reader(room_id, fields_)
    except (struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"kind {kind}: {error}") from error
    if fields_.position != len(data):
        raise ProtocolError(f"kind {kind}: {len(data) - fields_.position} bytes too many")
    return message


class _Fields:
    """Reads one field after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def number(self) -> int:
        number: int = self.take(_NUMBER)[0]
        return number

    def raw(self, size: int) -> bytes:
        if self.position + size > len(self.data):
            raise ValueError("it breaks off")
        self.position += size
        return self.data[self.position - size:self.position]

    def text(self) -> str:
        return self.raw(self.byte()).decode("utf-8")

    def address(self) -> Address | None:
        family = self.byte()
        if family == 0:
            return None
        if family not in (4, 6):
            raise ValueError(f"address family {family}")
        port = int.from_bytes(self.raw(2))
        return _host(self.raw(4 if family == 4 else 16)), port


_NUMBER = struct.Struct("!I")


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) > MAX_TEXT:
        raise ValueError(f"a text of {len(data)} bytes")
    return bytes([len(data)]) + data


def _address(value: Address | None) -> bytes:
    if value is None:
        return b"\0"
    packed = _packed(value[0])
    return (b"\4" if len(packed) == 4 else b"\6") + value[1].to_bytes(2) + packed


@functools.lru_cache(MAX_KNOWN)
def _packed(host: str) -> bytes:
    return ip_address(host).packed


@functools.lru_cache(MAX_KNOWN)
def _host(packed: bytes) -> str:
    return str(ip_address(packed))


# ---- a leg

_FLAGS = ("is_heard", "hears", "is_muted", "rtcp_mux", "awaits_keys", "has_ice")


def _write_spec(spec: LegSpec) -> bytes:
    flags = sum(1 << bit for bit, name in enumerate(_FLAGS) if getattr(spec, name))
    fixed = _LEG.pack(spec.leg_id, CODECS.index(spec.codec), flags, spec.send_type, spec.receive_type, spec.dtmf_type,
                      spec.ptime_ms, spec.level_extension, spec.mixer_extension, spec.ssrc, spec.sequence, spec.timestamp,
                      spec.dtmf_send_type)
    addresses = _address(spec.remote) + _address(spec.remote_rtcp)
    texts = _text(spec.signalling_host) + _text(spec.cname) + _text(spec.fmtp)
    return fixed + addresses + texts + _keys(spec.keys) + _keys(spec.rtcp_keys) + _streams(spec.streams)


def _read_spec(read: _Fields) -> LegSpec:
    leg_id, codec, flags, send, receive, dtmf, ptime, level, mixer, ssrc, sequence, timestamp, dtmf_send = read.take(_LEG)
    if ptime not in range(10, 61, 10):
        raise ValueError(f"a packet time of {ptime} ms")
    remote, remote_rtcp = read.address(), read.address()
    signalling_host, cname, fmtp = read.text(), read.text(), read.text()
    keys, rtcp_keys, streams = _read_keys(read), _read_keys(read), _read_streams(read)
    switches = {name: bool(flags & 1 << bit) for bit, name in enumerate(_FLAGS)}
    return LegSpec(leg_id, -1, -1, CODECS[codec], send, receive, dtmf, ptime, remote, remote_rtcp, switches["rtcp_mux"],
                   signalling_host, ssrc, sequence, timestamp, cname, switches["is_heard"], switches["hears"],
                   switches["is_muted"], level, mixer, fmtp, dtmf_send, keys, streams,
                   rtcp_keys, switches["awaits_keys"], switches["has_ice"])


def _keys(keys: SessionKeys | None) -> bytes:
    """Suite (0: plain RTP), then key, salt and lifetime of ours and of the peer's."""
    if keys is None:
        return b"\0"
    data = bytes([ALL_SUITES.index(keys.suite) + 1])
    for master in (keys.local, keys.remote):
        data += bytes(master) + master.lifetime.to_bytes(8)
    return data


def _read_keys(read: _Fields) -> SessionKeys | None:
    number = read.byte()
    if number == 0:
        return None
    suite = ALL_SUITES[number - 1]
    local, remote = (MasterKey.of(suite, read.raw(suite.master_length), int.from_bytes(read.raw(8))) for _ in range(2))
    return SessionKeys(suite, local, remote)


def _streams(streams: tuple[StreamState, ...]) -> bytes:
    if len(streams) > MAX_STREAMS:
        raise ValueError(f"{len(streams)} streams")
    return bytes([len(streams)]) + b"".join(_STREAM.pack(*_of_stream(state)) for state in streams)


def _read_streams(read: _Fields) -> tuple[StreamState, ...]:
    count = read.byte()
    if count > MAX_STREAMS:
        raise ValueError(f"{count} streams")
    return tuple(StreamState(*read.take(_STREAM)) for _ in range(count))


# ---- figures of a leg


def _write_figures(message: LegReport) -> bytes:
    return _FIGURES.pack(*_of_leg(message.statistics))


def _read_figures(room_id: int, read: _Fields) -> LegReport:
    return LegReport(room_id, LegStatistics(*read.take(_FIGURES)))


def _write_speakers(message: SpeakersChanged) -> bytes:
    ids = message.leg_ids[:MAX_SPEAKERS]
    return bytes([len(ids)]) + struct.pack(f"!{len(ids)}I", *ids)


def _read_speakers(room_id: int, read: _Fields) -> SpeakersChanged:
    count = read.byte()
    if count > MAX_SPEAKERS:
        raise ValueError(f"{count} speakers")
    return SpeakersChanged(room_id, tuple(read.number() for _ in range(count)))


def _read_learnt(room_id: int, read: _Fields) -> AddressLearnt:
    leg_id, remote = read.number(), read.address()
    if remote is None:
        raise ValueError("no address")
    return AddressLearnt(room_id, leg_id, remote)


def _read_played(room_id: int, read: _Fields) -> PlayerChanged:
    player_id, state, position_ms, duration_ms = read.take(_PLAYED)
    return PlayerChanged(room_id, player_id, PLAYER_STATES[state], position_ms, duration_ms, read.text())


def _write_handshake(message: HandshakeReceived) -> bytes:
    if len(message.data) > MAX_DATAGRAM:
        raise ValueError(f"a datagram of {len(message.data)} bytes")
    head = _NUMBER.pack(message.leg_id) + bytes([message.component]) + _address(message.source)
    return head + len(message.data).to_bytes(2) + message.data


def _read_handshake(room_id: int, read: _Fields) -> HandshakeReceived:
    leg_id, component, source = read.number(), read.byte(), read.address()
    if source is None:
        raise ValueError("no address")
    return HandshakeReceived(room_id, leg_id, component, source, read.raw(int.from_bytes(read.raw(2))))


_TABLE: tuple[tuple[int, type, Callable[..., bytes], Callable[[int, _Fields], Message]], ...] = (
    (1, OpenRoom, lambda m: bytes([ROOM_KINDS.index(m.kind), m.max_speakers]),
     lambda room, read: OpenRoom(room, ROOM_KINDS[read.byte()], read.byte())),
    (2, CloseRoom, lambda m: b"", lambda room, read: CloseRoom(room)),
    (3, AddLeg, lambda m: _write_spec(m.spec), lambda room, read: AddLeg(room, _read_spec(read))),
    (4, UpdateLeg, lambda m: _write_spec(m.spec) + bytes([m.is_remote_new]),
     lambda room, read: UpdateLeg(room, _read_spec(read), bool(read.byte()))),
    (5, RemoveLeg, lambda m: _NUMBER.pack(m.leg_id), lambda room, read: RemoveLeg(room, read.number())),
    (6, MuteLeg, lambda m: _NUMBER.pack(m.leg_id) + bytes([m.is_muted]),
     lambda room, read: MuteLeg(room, read.number(), bool(read.byte()))),
    (7, PlaySound, lambda m: bytes([SOUNDS.index(m.name)]), lambda room, read: PlaySound(room, SOUNDS[read.byte()])),
    (8, OpenTap, lambda m: _NUMBER.pack(m.leg_id) + _NUMBER.pack(m.tap_id),
     lambda room, read: OpenTap(room, read.number(), read.number())),
    (9, CloseTap, lambda m: _NUMBER.pack(m.tap_id), lambda room, read: CloseTap(room, read.number())),
    (20, OpenRecording, lambda m: _NUMBER.pack(m.recording_id), lambda room, read: OpenRecording(room, read.number())),
    (21, CloseRecording, lambda m: _NUMBER.pack(m.recording_id), lambda room, read: CloseRecording(room, read.number())),
    (22, Announce, lambda m: _NUMBER.pack(m.leg_id) + _text(m.name) + _text(m.language),
     lambda room, read: Announce(room, read.number(), read.text(), read.text())),
    (23, OpenPlayer, lambda m: _NUMBER.pack(m.player_id), lambda room, read: OpenPlayer(room, read.number())),
    (24, SetPlayer, lambda m: _PLAYER.pack(m.player_id, m.is_paused, m.volume_percent, m.seek_ms),
     lambda room, read: SetPlayer(room, *read.take(_PLAYER))),
    (25, ClosePlayer, lambda m: _NUMBER.pack(m.player_id), lambda room, read: ClosePlayer(room, read.number())),
    (26, PlayMusic, lambda m: _NUMBER.pack(m.leg_id) + bytes([m.is_on]),
     lambda room, read: PlayMusic(room, read.number(), bool(read.byte()))),
    (80, PlayerChanged, lambda m: _PLAYED.pack(m.player_id, PLAYER_STATES.index(m.state), m.position_ms, m.duration_ms)
     + _text(m.reason), lambda room, read: _read_played(room, read)),
    (65, Heartbeat, lambda m: _HEARTBEAT.pack(*_of_heart(m)), lambda room, read: Heartbeat(*read.take(_HEARTBEAT))),
    (66, LegReport, _write_figures, _read_figures),
    (67, DtmfPressed, lambda m: _NUMBER.pack(m.leg_id) + m.key.encode("ascii"),
     lambda room, read: DtmfPressed(room, read.number(), read.raw(1).decode("ascii"))),
    (68, SpeakersChanged, _write_speakers, _read_speakers),
    (69, AddressLearnt, lambda m: _NUMBER.pack(m.leg_id) + _address(m.remote), _read_learnt),
    (70, RoomLost, lambda m: b"", lambda room, read: RoomLost(room)),
    (71, StreamsReport, lambda m: _NUMBER.pack(m.leg_id) + _streams(m.streams),
     lambda room, read: StreamsReport(room, read.number(), _read_streams(read))),
    (72, HandshakeReceived, _write_handshake, _read_handshake),
)
"""(kind, class, writer, reader) of each message: commands below 64, reports above."""
_KINDS = {cls: kind for kind, cls, _, _ in _TABLE}
_WRITERS = {kind: writer for kind, _, writer, _ in _TABLE}
_READERS = {kind: reader for kind, _, _, reader in _TABLE}
