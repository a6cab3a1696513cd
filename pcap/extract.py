"""Writes each RTP stream of a capture to a file: sound as WAV, H.264 and VP8 as they are (RFC 6184, RFC 7741)."""

from __future__ import annotations

import re
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pcap.audio import CLOCKS, Track
from pcap.errors import CaptureError
from pcap.media_map import Codec
from pcap.ordering import Ordered, Reorder
from pcap.survey import StreamName, Survey
from pcap.video import SUFFIXES, VideoFile
from pcap.walk import SeenPacket, walk

VIDEO = tuple(SUFFIXES)
MAX_OPEN = 200
"""Streams that are written in one run: each keeps a file open."""

MAX_BROKEN = 0.1
"""The share of payloads from which on a file is rather noise than sound."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.\-]+")


@dataclass(frozen=True, slots=True)
class Extracted:
    """A stream's file, or why there is none. seconds: of sound; broken: payloads of sound, or pictures, left out."""

    name: StreamName
    codec: str
    file: Path | None
    seconds: float = 0.0
    pictures: int = 0
    lost: int = 0
    broken: int = 0
    note: str = ""


def extract(path: Path, folder: Path, codecs: Mapping[int, str] | None = None) -> tuple[list[Extracted], str]:
    """The files, one a stream, and where the capture breaks off (empty: nowhere).

    codecs: what dynamic payload types are that no SDP explains. Raises OSError where the folder can't be written.
    """
    survey = Survey(path)
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[StreamName, _Audio | _Video] = {}
    left: list[Extracted] = []
    for number, stream in enumerate(survey.streams):
        codec = survey.codec(stream) or _told(stream.types, codecs or {})
        name = codec.name if codec is not None else f"payload type {stream.figures.payload_type}"
        target = folder / f"{number:02d}-{_UNSAFE.sub('-', name)}-{_UNSAFE.sub('-', stream.name[1][0])}-{stream.name[0]:08x}"
        types = survey.types(stream) or set(codecs or {})
        if codec is None or name not in (*CLOCKS, *VIDEO):
            note = "no SDP tells what it is" if codec is None else "a codec that is not known here"
            left.append(Extracted(stream.name, name, None, note=note))
        elif len(writers) >= MAX_OPEN:
            left.append(Extracted(stream.name, name, None, note=f"more than {MAX_OPEN} streams"))
        elif survey.media.is_protected(*stream.name[1:]):
            left.append(Extracted(stream.name, name, None, note="SRTP: decrypt the capture first"))
        elif name in VIDEO:
            writers[stream.name] = _Video(stream.name, codec, target, types)
        else:
            writers[stream.name] = _Audio(stream.name, codec, target, types)
    try:
        for one in walk(path):
            if isinstance(one, SeenPacket) and (writer := writers.get(one.stream)) is not None:
                writer.add(one)
    except CaptureError:
        pass
    done = [writer.close() for writer in writers.values()]
    order = {stream.name: number for number, stream in enumerate(survey.streams)}
    return sorted([*done, *left], key=lambda one: order[one.name]), survey.broken


def _told(types: Mapping[int, int], codecs: Mapping[int, str]) -> Codec | None:
    """What the user says of the stream's payload types."""
    names = [codecs[kind] for kind in sorted(types, key=lambda kind: -types[kind]) if kind in codecs]
    return Codec(names[0], CLOCKS.get(names[0], 90000)) if names else None


class _Audio:
    """A stream's sound on its way to a WAV file."""

    def __init__(self, name: StreamName, codec: Codec, target: Path, types: set[int]) -> None:
        self._name, self._types = name, types
        self._track, self._reorder, self._packets = Track(codec.name), Reorder(), 0
        self._path = target.with_name(target.name + ".wav")
        self._file: wave.Wave_write = wave.open(str(self._path), "wb")  # noqa: SIM115
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(self._track.rate)

    def add(self, one: SeenPacket) -> None:
        """Take a packet. Keys and comfort noise keep their numbers, and leave silence."""
        for ordered in self._reorder.push(one.time_ns, one.packet):
            self._write(ordered)

    def close(self) -> Extracted:
        """Write what waits."""
        for ordered in self._reorder.flush():
            self._write(ordered)
        self._file.close()
        track = self._track
        seconds = track.length / track.rate
        is_noise = track.broken > self._packets * MAX_BROKEN
        note = "too much of it is no such sound: encrypted, or another codec" if is_noise else ""
        return Extracted(self._name, track.codec, self._path, seconds, 0, track.lost, track.broken, note)

    def _write(self, ordered: Ordered) -> None:
        if ordered.packet.payload_type in self._types:
            self._packets += 1
            for samples in self._track.add(ordered):
                self._file.writeframesraw(samples.tobytes())


class _Video:
    """A stream's video on its way to a file."""

    def __init__(self, name: StreamName, codec: Codec, target: Path, types: set[int]) -> None:
        self._name, self._codec, self._types = name, codec, types
        self._made = VideoFile(codec.name, codec.fmtp)
        self._reorder, self._lost = Reorder(), 0
        self._path = target.with_name(target.name + self._made.suffix)
        self._file: BinaryIO = self._path.open("wb")

    def add(self, one: SeenPacket) -> None:
        """Take a packet."""
        for ordered in self._reorder.push(one.time_ns, one.packet):
            self._write(ordered)

    def close(self) -> Extracted:
        """Write what waits."""
        for ordered in self._reorder.flush():
            self._write(ordered)
        self._file.close()
        return Extracted(self._name, self._codec.name, self._path, 0.0, self._made.pictures, self._lost, self._made.damaged)

    def _write(self, ordered: Ordered) -> None:
        self._lost += ordered.lost
        if ordered.packet.payload_type in self._types:
            self._file.write(self._made.add(ordered))
