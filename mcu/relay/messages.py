"""Messages between control and the desktop relay, in the form of `mcu.messages`: version, kind, session id, fields.

`OpenDoor` travels with a listening socket (SCM_RIGHTS). A ticket's word is never in them, only its hash; the one exception is
the eight letters of the VNC door on loopback, whose answer can't be judged without. Heartbeats are those of a media worker.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from mcu import messages
from mcu.errors import ProtocolError

VERSION = messages.VERSION
MAX_REASON = 255
MAX_CERTIFICATE = 900
FIRST_KIND = 128
"""Kinds below are `mcu.messages`'."""
_HEAD = struct.Struct("!BBI")
_SEAT = struct.Struct("!I32s32s")
_OPEN = struct.Struct("!H?8s")
_FIGURES = struct.Struct("!IIIQQ")
_GATE = struct.Struct("!BII")
NO_FINGERPRINT = bytes(32)
"""Of a seat that is taken through a VNC door, where nobody shows a certificate."""


class Door(IntEnum):
    """Who comes in by a listening socket."""

    PHONES = 0
    """Our phones: TLS with both certificates, a ticket in the preface."""
    VNC_TLS = 1
    """Stock viewers: VeNCrypt X509Plain, the ticket as password."""
    VNC_PLAIN = 2
    """Stock viewers on this machine: VNC authentication, the ticket's eight letters as password."""


class GateStep(IntEnum):
    """What happened at a gate."""

    OPENED = 0
    CLOSED = 1
    REFUSED = 2
    FLOODED = 3


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """Take connections from a socket that comes with the message."""

    door: Door


@dataclass(frozen=True, slots=True)
class Seat:
    """Who may take an end. digest: SHA-256 of the ticket's word; fingerprint: SHA-256 of the certificate that must show it."""

    participant_id: int
    digest: bytes
    fingerprint: bytes = NO_FINGERPRINT


@dataclass(frozen=True, slots=True)
class OpenDesktop:
    """Expect two ends. lifetime_s: of the tickets. plain_word: eight letters for the VNC door on loopback, or empty."""

    session_id: int
    owner: Seat
    viewer: Seat
    lifetime_s: int
    allows_clipboard: bool = False
    plain_word: str = ""


@dataclass(frozen=True, slots=True)
class SetHolder:
    """Who holds the floor *control* of a desktop; 0 for nobody."""

    session_id: int
    participant_id: int


@dataclass(frozen=True, slots=True)
class CloseDesktop:
    """End a session."""

    session_id: int


@dataclass(frozen=True, slots=True)
class RelayReady:
    """The relay runs. certificate: in DER; phones learn its fingerprint in their SDP, VNC viewers are given it to trust."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class DesktopJoined:
    """Both ends are there; pictures flow."""

    session_id: int


@dataclass(frozen=True, slots=True)
class GatePassed:
    """For the audit: a gate opened or closed, or refused input for the first time. count: what was released, or 0."""

    session_id: int
    step: GateStep
    participant_id: int
    count: int


@dataclass(frozen=True, slots=True)
class DesktopFigures:
    """Once a second: events that passed, that were refused, that were too fast; bytes either way."""

    session_id: int
    passed: int
    refused: int
    too_fast: int
    bytes_to_viewer: int
    bytes_to_owner: int


@dataclass(frozen=True, slots=True)
class DesktopEnded:
    """A session is over; why, for a person."""

    session_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class TicketRefused:
    """Somebody came without a ticket, or with one that is not theirs, for the audit. count: since the last time."""

    count: int


RelayCommand = OpenDoor | OpenDesktop | SetHolder | CloseDesktop
RelayReport = RelayReady | DesktopJoined | GatePassed | DesktopFigures | DesktopEnded | TicketRefused
RelayMessage = RelayCommand | RelayReport | messages.Heartbeat


def pack(message: RelayMessage) -> bytes:
    """The bytes of a message. Raises ProtocolError for a value that doesn't fit its field."""
    if isinstance(message, messages.Heartbeat):
        return messages.pack(message)
    kind, writer, _ = _BY_CLASS[type(message)]
    try:
        data = _HEAD.pack(VERSION, kind, getattr(message, "session_id", 0)) + writer(message)
    except (struct.error, ValueError, OverflowError) as error:
        raise ProtocolError(f"{type(message).__name__}: {error}") from error
    if len(data) > messages.MAX_MESSAGE:
        raise ProtocolError(f"{type(message).__name__} has {len(data)} bytes")
    return data


def parse(data: bytes) -> RelayMessage:
    """The message in a datagram. Raises ProtocolError and nothing else."""
    if len(data) >= _HEAD.size and data[1] < FIRST_KIND:
        message = messages.parse(data)
        if not isinstance(message, messages.Heartbeat):
            raise ProtocolError(f"a worker's message of kind {data[1]}")
        return message
    if not _HEAD.size <= len(data) <= messages.MAX_MESSAGE:
        raise ProtocolError(f"a message of {len(data)} bytes")
    version, kind, session_id = _HEAD.unpack_from(data)
    if version != VERSION or kind not in _READERS:
        raise ProtocolError(f"version {version}, kind {kind} is not known; version {VERSION} is")
    try:
        return _READERS[kind](session_id, data[_HEAD.size:])
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"kind {kind}: {error}") from error


def _write_open(message: OpenDesktop) -> bytes:
    word = message.plain_word.encode("ascii")
    if len(word) not in (0, 8):
        raise ValueError(f"a word of {len(word)} letters for the VNC door; it takes 8")
    return (b"".join(_SEAT.pack(seat.participant_id, seat.digest, seat.fingerprint) for seat in (message.owner, message.viewer))
            + _OPEN.pack(message.lifetime_s, message.allows_clipboard, word))


def _read_open(session_id: int, body: bytes) -> OpenDesktop:
    owner, viewer = (Seat(*_SEAT.unpack_from(body, place * _SEAT.size)) for place in (0, 1))
    lifetime_s, allows_clipboard, word = _OPEN.unpack(body[2 * _SEAT.size:])
    return OpenDesktop(session_id, owner, viewer, lifetime_s, allows_clipboard, word.rstrip(b"\0").decode("ascii"))


def _read_gate(session_id: int, body: bytes) -> GatePassed:
    step, participant_id, count = _GATE.unpack(body)
    return GatePassed(session_id, GateStep(step), participant_id, count)


def _number(body: bytes) -> int:
    number: int = struct.unpack("!I", body)[0]
    return number


_TABLE: tuple[tuple[int, type, Callable[..., bytes], Callable[[int, bytes], RelayMessage]], ...] = (
    (128, OpenDoor, lambda m: bytes([m.door]), lambda session, body: OpenDoor(Door(*struct.unpack("!B", body)))),
    (129, OpenDesktop, _write_open, _read_open),
    (130, SetHolder, lambda m: m.participant_id.to_bytes(4), lambda session, body: SetHolder(session, _number(body))),
    (131, CloseDesktop, lambda m: b"", lambda session, body: CloseDesktop(session, *struct.unpack("", body))),
    (192, RelayReady, lambda m: m.certificate[:MAX_CERTIFICATE], lambda session, body: RelayReady(body)),
    (193, DesktopJoined, lambda m: b"", lambda session, body: DesktopJoined(session, *struct.unpack("", body))),
    (194, GatePassed, lambda m: _GATE.pack(m.step, m.participant_id, m.count), _read_gate),
    (195, DesktopFigures, lambda m: _FIGURES.pack(m.passed, m.refused, m.too_fast, m.bytes_to_viewer, m.bytes_to_owner),
     lambda session, body: DesktopFigures(session, *_FIGURES.unpack(body))),
    (196, DesktopEnded, lambda m: m.reason.encode()[:MAX_REASON],
     lambda session, body: DesktopEnded(session, body[:MAX_REASON].decode("utf-8", "replace"))),
    (197, TicketRefused, lambda m: m.count.to_bytes(4), lambda session, body: TicketRefused(_number(body))),
)
"""(kind, class, writer, reader): commands from 128, reports from 192."""
_BY_CLASS = {cls: (kind, writer, reader) for kind, cls, writer, reader in _TABLE}
_READERS = {kind: reader for kind, _, _, reader in _TABLE}
