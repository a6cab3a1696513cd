"""Messages between control and a picture worker, in the form of `mcu.messages`: version, kind, studio id, fields.

A studio is what composes for one room. `OpenStudio` travels with the datagram socket to the room's forwarder (SCM_RIGHTS),
over which the pictures themselves come and go as plain RTP. Heartbeats are those of a media worker.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from mcu import messages
from mcu.engine.composing import COMPOSED_TYPES
from mcu.errors import ProtocolError
from mcu.fields import MAX_TEXT
from mcu.picture.layout import Layout

VERSION = messages.VERSION
FIRST_KIND = 128
"""Kinds below are `mcu.messages`'."""
MAX_SEATS = 16
MAX_SIDE = 4096
CODECS = ("h264", "vp8")
NOTE = struct.Struct("!II")
"""What a worker writes down in memory that control can read: studio and source whose picture is being decoded, or zeros."""
_HEAD = struct.Struct("!BBI")
_SOURCE = struct.Struct("!IIB")
_OUTPUT = struct.Struct("!IIHBBBHHBI?")
_SCENE = struct.Struct("!BIIII")
_SOURCE_FIGURES = struct.Struct("!IIIIIIHHI")
_OUTPUT_FIGURES = struct.Struct("!IIIIII")
_STUDIO_FIGURES = struct.Struct("!BIII")


class SourceKind(IntEnum):
    """What a source shows."""

    AVATAR = 0
    """Nobody's picture comes, or it isn't to be decoded: initials stand for it."""
    STREAM = 1
    CHART = 2
    """The test picture, made here."""


@dataclass(frozen=True, slots=True)
class OpenStudio:
    """Begin to compose for a room, over the socket that comes with the message. ssrc: of our RTCP."""

    studio_id: int
    ssrc: int


@dataclass(frozen=True, slots=True)
class CloseStudio:
    """End a studio."""

    studio_id: int


@dataclass(frozen=True, slots=True)
class PutSource:
    """A person, or what they share, is new or has changed. ssrc: of the stream that shows them, where there is one."""

    studio_id: int
    source_id: int
    ssrc: int
    kind: SourceKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class RemoveSource:
    """Forget a source."""

    studio_id: int
    source_id: int


@dataclass(frozen=True, slots=True)
class Output:
    """A composed stream. output_id: its number in the studio; ssrc, sequence: where it begins; mode: of H.264.

    is_for_speaker: for the one who is in the main place, who sees the one before there.
    """

    output_id: int
    ssrc: int
    sequence: int
    codec: str
    mode: int
    layout: Layout
    width: int
    height: int
    frame_rate: int
    bitrate_bps: int
    is_for_speaker: bool = False

    @property
    def payload_type(self) -> int:
        """Of its packets."""
        return next(number for number, codec, mode in COMPOSED_TYPES if (codec, mode) == (self.codec, self.mode))


@dataclass(frozen=True, slots=True)
class AddOutput:
    """Make a composed stream."""

    studio_id: int
    output: Output


@dataclass(frozen=True, slots=True)
class RemoveOutput:
    """Make it no more."""

    studio_id: int
    output_id: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is seen. seats: source ids in the order of their places; main: who speaks, 0 for nobody yet; before: who spoke
    before, for the one who speaks; slides: the source that is shared, 0 for none; speaking: those with a ring."""

    seats: tuple[int, ...] = ()
    main: int = 0
    before: int = 0
    slides: int = 0
    speaking: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SetScene:
    """Show that from now on."""

    studio_id: int
    scene: Scene


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """A source since its beginning. refused: pictures that could not be read or whose headers lied; shed: left out since they
    took too long to decode; width, height: of the newest picture."""

    studio_id: int
    source_id: int
    packets: int
    pictures: int
    refused: int
    shed: int
    key_frames_asked: int
    width: int
    height: int
    decode_us: int


@dataclass(frozen=True, slots=True)
class OutputFigures:
    """A composed stream since its beginning. bitrate_bps: what its encoder aims at."""

    studio_id: int
    output_id: int
    pictures: int
    key_frames: int
    packets: int
    octets: int
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class StudioFigures:
    """A studio. frame_rate: pictures a second that the worker manages now; junk: datagrams that were nobody's."""

    studio_id: int
    frame_rate: int
    compose_us: int
    encode_us: int
    junk: int


PictureCommand = OpenStudio | CloseStudio | PutSource | RemoveSource | AddOutput | RemoveOutput | SetScene
PictureReport = SourceFigures | OutputFigures | StudioFigures
PictureMessage = PictureCommand | PictureReport | messages.Heartbeat


def pack(message: PictureMessage) -> bytes:
    """The bytes of a message. Raises ProtocolError for a value that doesn't fit its field."""
    if isinstance(message, messages.Heartbeat):
        return messages.pack(message)
    kind, writer, _ = _BY_CLASS[type(message)]
    try:
        data = _HEAD.pack(VERSION, kind, message.studio_id) + writer(message)
    except (struct.error, ValueError, OverflowError) as error:
        raise ProtocolError(f"{type(message).__name__}: {error}") from error
    if len(data) > messages.MAX_MESSAGE:
        raise ProtocolError(f"{type(message).__name__} has {len(data)} bytes")
    return data


def parse(data: bytes) -> PictureMessage:
    """The message in a datagram. Raises ProtocolError and nothing else."""
    if len(data) >= _HEAD.size and data[1] < FIRST_KIND:
        message = messages.parse(data)
        if not isinstance(message, messages.Heartbeat):
            raise ProtocolError(f"a media worker's message of kind {data[1]}")
        return message
    if not _HEAD.size <= len(data) <= messages.MAX_MESSAGE:
        raise ProtocolError(f"a message of {len(data)} bytes")
    version, kind, studio_id = _HEAD.unpack_from(data)
    if version != VERSION or kind not in _READERS:
        raise ProtocolError(f"version {version}, kind {kind} is not known; version {VERSION} is")
    try:
        return _READERS[kind](studio_id, data[_HEAD.size:])
    except (struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"kind {kind}: {error}") from error


def _write_source(message: PutSource) -> bytes:
    return _SOURCE.pack(message.source_id, message.ssrc, message.kind) + message.name.encode()[:MAX_TEXT]


def _read_source(studio_id: int, body: bytes) -> PutSource:
    source_id, ssrc, kind = _SOURCE.unpack_from(body)
    name = body[_SOURCE.size:]
    if len(name) > MAX_TEXT:
        raise ValueError(f"a name of {len(name)} bytes")
    return PutSource(studio_id, source_id, ssrc, SourceKind(kind), name.decode("utf-8", "replace"))


def _write_output(message: AddOutput) -> bytes:
    one = message.output
    codec, layout = CODECS.index(one.codec), list(Layout).index(one.layout)
    return _OUTPUT.pack(one.output_id, one.ssrc, one.sequence, codec, one.mode, layout, one.width, one.height,
                        one.frame_rate, one.bitrate_bps, one.is_for_speaker)


def _read_output(studio_id: int, body: bytes) -> AddOutput:
    (output_id, ssrc, sequence, codec, mode, layout, width, height, frame_rate, bitrate_bps,
     is_for_speaker) = _OUTPUT.unpack(body)
    if not (16 <= width <= MAX_SIDE and 16 <= height <= MAX_SIDE) or width % 2 or height % 2:
        raise ValueError(f"a picture of {width}×{height}")
    if not 1 <= frame_rate <= 60 or mode > (CODECS[codec] == "h264"):
        raise ValueError(f"{frame_rate} pictures a second, mode {mode}")
    return AddOutput(studio_id, Output(output_id, ssrc, sequence, CODECS[codec], mode, list(Layout)[layout], width, height,
                                       frame_rate, bitrate_bps, is_for_speaker))


def _write_scene(message: SetScene) -> bytes:
    scene = message.scene
    if len(scene.seats) > MAX_SEATS:
        raise ValueError(f"{len(scene.seats)} seats")
    rings = sum(1 << place for place, source_id in enumerate(scene.seats) if source_id in scene.speaking)
    return (_SCENE.pack(len(scene.seats), scene.main, scene.before, scene.slides, rings)
            + struct.pack(f"!{len(scene.seats)}I", *scene.seats))


def _read_scene(studio_id: int, body: bytes) -> SetScene:
    count, main, before, slides, rings = _SCENE.unpack_from(body)
    if count > MAX_SEATS:
        raise ValueError(f"{count} seats")
    seats = struct.unpack(f"!{count}I", body[_SCENE.size:])
    speaking = frozenset(source_id for place, source_id in enumerate(seats) if rings >> place & 1)
    return SetScene(studio_id, Scene(seats, main, before, slides, speaking))


def _number(body: bytes) -> int:
    number: int = struct.unpack("!I", body)[0]
    return number


def _write_source_figures(m: SourceFigures) -> bytes:
    return _SOURCE_FIGURES.pack(m.source_id, m.packets, m.pictures, m.refused, m.shed, m.key_frames_asked, m.width, m.height,
                                m.decode_us)


def _write_output_figures(m: OutputFigures) -> bytes:
    return _OUTPUT_FIGURES.pack(m.output_id, m.pictures, m.key_frames, m.packets, m.octets & 0xFFFFFFFF, m.bitrate_bps)


_TABLE: tuple[tuple[int, type, Callable[..., bytes], Callable[[int, bytes], PictureMessage]], ...] = (
    (128, OpenStudio, lambda m: m.ssrc.to_bytes(4), lambda studio, body: OpenStudio(studio, _number(body))),
    (129, CloseStudio, lambda m: b"", lambda studio, body: CloseStudio(studio, *struct.unpack("", body))),
    (130, PutSource, _write_source, _read_source),
    (131, RemoveSource, lambda m: m.source_id.to_bytes(4), lambda studio, body: RemoveSource(studio, _number(body))),
    (132, AddOutput, _write_output, _read_output),
    (133, RemoveOutput, lambda m: m.output_id.to_bytes(4), lambda studio, body: RemoveOutput(studio, _number(body))),
    (134, SetScene, _write_scene, _read_scene),
    (192, SourceFigures, _write_source_figures, lambda studio, body: SourceFigures(studio, *_SOURCE_FIGURES.unpack(body))),
    (193, OutputFigures, _write_output_figures, lambda studio, body: OutputFigures(studio, *_OUTPUT_FIGURES.unpack(body))),
    (194, StudioFigures, lambda m: _STUDIO_FIGURES.pack(m.frame_rate, m.compose_us, m.encode_us, m.junk),
     lambda studio, body: StudioFigures(studio, *_STUDIO_FIGURES.unpack(body))),
)
"""(kind, class, writer, reader): commands from 128, reports from 192."""
_BY_CLASS = {cls: (kind, writer, reader) for kind, cls, writer, reader in _TABLE}
_READERS = {kind: reader for kind, _, _, reader in _TABLE}
