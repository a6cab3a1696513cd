"""What the tap tells, as pcapng: packets with the headers that they would have had, names of addresses, and comments on what
matters: what an INVITE offers, what its answer takes, packets that were lost, a new source, who speaks.

Files are bounded: a full one is followed by the next, and of these the newest few are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pcap import tap
from pcap.errors import CaptureError
from pcap.pcapng import PcapngWriter
from pcap.reader import INBOUND, OUTBOUND
from pcap.sdes import plain_message
from pcap.sip_ladder import described
from pcap.synthesis import TcpWriter, udp_packet
from pcap.tap import OUT, RTCP, Address, LegInfo, MessageInfo, Record, read_batch, read_leg, read_message
from sip.errors import ParseError
from sip.parser import parse_message

INTERFACE = "confero"
MAX_LEGS = 20_000
MAX_CONNECTIONS = 4096
"""TCP connections that are followed; the oldest is begun anew then."""
MAX_UDP_PAYLOAD = 65_000
MAX_GAP = 1000
"""Packets missing in a row that are called lost; more is a stream that was begun anew."""


class _Everywhere(frozenset[Address]):
    """All addresses: no media of a tap is encrypted, whatever its SDP says."""

    def __contains__(self, address: object) -> bool:
        return True


_EVERYWHERE = _Everywhere()


@dataclass(frozen=True, slots=True)
class Limits:
    """max_bytes: of a file; files: how many are kept."""

    max_bytes: int = 100_000_000
    files: int = 10


@dataclass(slots=True)
class _Source:
    """What was seen of a leg's incoming stream."""

    ssrc: int
    highest: int


@dataclass(slots=True)
class _Leg:
    info: LegInfo
    source: _Source | None = None
    note: str = ""

    def noticed(self, packet: bytes) -> str:
        """What is worth a comment on a packet that came in."""
        if len(packet) < 12:
            return ""
        sequence, ssrc = int.from_bytes(packet[2:4]), int.from_bytes(packet[8:12])
        before, self.source = self.source, _Source(ssrc, sequence)
        if before is None:
            return "the first packet of this leg"
        if before.ssrc != ssrc:
            return f"another source: SSRC 0x{ssrc:08x} in place of 0x{before.ssrc:08x}"
        ahead = (sequence - before.highest) & 0xFFFF
        if ahead >= 0x8000 or ahead == 0:
            self.source = before
            return "again" if ahead == 0 else "out of order, or late"
        lost = ahead - 1
        return f"{lost} packet{'s' if lost > 1 else ''} lost before this one" if 0 < lost <= MAX_GAP else ""


@dataclass(slots=True)
class _Output:
    file: BinaryIO
    writer: PcapngWriter
    named: dict[str, set[str]] = field(default_factory=dict)


class TapWriter:
    """Writes batches into `path`, then into path-2, path-3 and so on. wallclock_ns: for the times of the statistics.

    `packets`: written; `dropped`: what the tapped process could not hand over; `bad`: batches that could not be read.
    Raises OSError as files do.
    """

    def __init__(self, path: Path, wallclock_ns: Callable[[], int], limits: Limits | None = None) -> None:
        self.packets = self.dropped = self.bad = 0
        self.paths: list[Path] = []
        self._path = path
        self._limits = limits or Limits()
        self._wallclock_ns = wallclock_ns
        self._legs: dict[int, _Leg] = {}
        self._names: dict[int, str] = {}
        self._connections: dict[tuple[Address, Address], TcpWriter] = {}
        self._note = ""
        self._count = 0
        self._out = self._open()

    # ---- files

    def _open(self) -> _Output:
        self._count += 1
        path = self._path if self._count == 1 else self._path.with_name(f"{self._path.stem}-{self._count}{self._path.suffix}")
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self.paths.append(path)
        while len(self.paths) > self._limits.files:
            self.paths.pop(0).unlink(missing_ok=True)
        self._connections.clear()
        return _Output(file, PcapngWriter(file))

    def _rotate(self) -> None:
        if self._out.writer.size >= self._limits.max_bytes:
            self._finish()
            self._out = self._open()

    def _finish(self) -> None:
        self._out.writer.statistics(self._wallclock_ns(), self.packets + self.dropped, self.dropped, interface=INTERFACE)
        self._out.file.close()

    def flush(self) -> None:
        """Put what was written where others can read it."""
        self._out.file.flush()

    def close(self) -> None:
        """Write how many packets there were, and close the file."""
        self._finish()

    # ---- records

    def receive(self, batch: bytes) -> None:
        """Write a batch of records; what can't be read of it is counted."""
        try:
            for record in read_batch(batch):
                self._take(record)
        except CaptureError:
            self.bad += 1

    def _take(self, record: Record) -> None:
        match record.kind:
            case tap.MEDIA:
                self._media(record)
            case tap.LEG:
                self._leg(record)
            case tap.MESSAGE:
                self._message(record)
            case tap.NOTE:
                self._take_note(record)
            case tap.DROPPED:
                self.dropped += record.stream
                self._note = f"{record.stream} packets of this capture were dropped before this one"
            case tap.NAME:
                self._take_name(record)
        self._rotate()

    def _leg(self, record: Record) -> None:
        info = read_leg(record.payload)
        known = self._legs.get(record.stream)
        if known is not None:
            known.info = info
        elif len(self._legs) < MAX_LEGS:
            known = self._legs[record.stream] = _Leg(info)
        if known is not None:
            self._name(info.remote[0], self._names.get(record.stream, ""))

    def _take_name(self, record: Record) -> None:
        if len(self._names) < MAX_LEGS:
            self._names[record.stream] = record.payload.decode("utf-8", "replace")
            leg = self._legs.get(record.stream)
            if leg is not None:
                self._name(leg.info.remote[0], self._names[record.stream])

    def _name(self, host: str, name: str) -> None:
        """Let readers show a name for an address, once in each file."""
        named = self._out.named.setdefault(host, set())
        if name and name not in named:
            named.add(name)
            try:
                self._out.writer.names({host: sorted(named)})
            except ValueError:
                pass                                    # not an address; nothing is lost but the name

    def _take_note(self, record: Record) -> None:
        text = record.payload.decode("utf-8", "replace")
        leg = self._legs.get(record.stream)
        if leg is not None:
            leg.note = text
        else:
            self._note = text

    def _media(self, record: Record) -> None:
        leg = self._legs.get(record.stream)
        if leg is None:
            self.bad += 1
            return
        info, is_out, is_rtcp = leg.info, bool(record.flags & OUT), bool(record.flags & RTCP)
        local, remote = (info.local_rtcp, info.remote_rtcp) if is_rtcp else (info.local, info.remote)
        source, destination = (local, remote) if is_out else (remote, local)
        comment = "" if is_rtcp else self._said(leg) if is_out else leg.noticed(record.payload)
        self._write(record.time_ns, udp_packet(source, destination, record.payload), is_out, comment)

    def _said(self, leg: _Leg) -> str:
        note, leg.note = leg.note or self._note, ""
        if note == self._note:
            self._note = ""
        return note

    def _message(self, record: Record) -> None:
        info, data = read_message(record.payload)
        is_out = bool(record.flags & OUT)
        source, destination = (info.local, info.remote) if is_out else (info.remote, info.local)
        self._name(info.remote[0], info.name)
        data, comment = plain_message(data, _EVERYWHERE), message_words(data)
        if info.transport == "UDP" and len(data) <= MAX_UDP_PAYLOAD:
            self._write(record.time_ns, udp_packet(source, destination, data), is_out, comment)
            return
        if info.transport not in ("UDP", "TCP"):
            comment = "; ".join(filter(None, (comment, f"went by {info.transport}")))
        packets = self._connection(info).say(is_out, data)
        for packet in packets:
            self._write(record.time_ns, packet, is_out, comment if packet is packets[-1] else "")

    def _connection(self, info: MessageInfo) -> TcpWriter:
        key = (info.local, info.remote)
        connection = self._connections.get(key)
        if connection is None:
            if len(self._connections) >= MAX_CONNECTIONS:
                del self._connections[next(iter(self._connections))]
            connection = self._connections[key] = TcpWriter(info.local, info.remote)
        return connection

    def _write(self, time_ns: int, packet: bytes, is_out: bool, comment: str) -> None:
        self._out.writer.packet(time_ns, packet, interface=INTERFACE, comment=comment,
                                direction=OUTBOUND if is_out else INBOUND)
        self.packets += 1


def message_words(data: bytes) -> str:
    """What is worth a comment on a SIP message: an offer, an answer, a refusal, why a call ends."""
    try:
        label, kind, note = described(parse_message(data))
    except ParseError:
        return "no SIP message that could be read"
    if note or kind == "failure":
        return f"{label}: {note}" if note else label
    return ""
