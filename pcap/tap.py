"""The tap: media and messages of something that runs, told to a process of its own that writes them as pcapng.

    tap = Tap(sending_end, clock)                              # in a media worker, in control, in a phone
    tap.media(leg_id, OUT, time_ns, packet)
    tap.flush()                                                # once a tick

A tap never waits: what can't be handed over within MAX_WAITING bytes is dropped and counted, and the count is written down.
`TapWriter` takes the batches at the other end. Packets get an IP and a UDP header with the addresses of the leg; what is in
them is plain, wherever it was protected on its way. On the line:

    kind (1) · flags (1) · length (2) · stream (4) · time in ns since 1970 (8) · payload, all in network order

RTP and RTCP: RFC 3550; the form of the file: `pcap.pcapng`.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pcap.errors import CaptureError

OUT, RTCP = 1, 2
"""Flags of a packet: we sent it; it is a report."""
MEDIA, LEG, MESSAGE, NOTE, DROPPED, NAME = 1, 2, 3, 4, 5, 6
"""Kinds of records: a packet of a leg; where a leg is; a SIP message; a word on the next packet; how many were dropped; whose
leg it is."""
MAX_BATCH = 60_000
"""Bytes in one message on the line."""
MAX_WAITING = 4_000_000
"""Bytes that wait in the process that is tapped: two seconds of a hundred legs."""
MAX_PAYLOAD = 0xFFFF

Address = tuple[str, int]
_HEAD = struct.Struct("!BBHIQ")


@dataclass(frozen=True, slots=True)
class LegInfo:
    """Where a leg's media goes from and to."""

    local: Address
    remote: Address
    local_rtcp: Address
    remote_rtcp: Address


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """How a SIP message went. transport: UDP, TCP or TLS; name: of who is at the other end."""

    transport: str
    local: Address
    remote: Address
    name: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it came over the line."""

    kind: int
    flags: int
    stream: int
    time_ns: int
    payload: bytes


class Tap:
    """The end that is told. sock: of the kind SOCK_SEQPACKET, non-blocking; it belongs to the tap from now on.

    dropped: records that did not fit; is_broken: whether the other end is gone.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.dropped = 0
        self.is_broken = False
        self._socket = sock
        self._records: list[bytes] = []
        self._size = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._untold = 0

    def media(self, leg_id: int, flags: int, time_ns: int, packet: bytes) -> None:
        """A packet of RTP or RTCP. flags: OUT, RTCP; time_ns: since 1970."""
        self._records.append(_HEAD.pack(MEDIA, flags, len(packet), leg_id, time_ns) + packet)
        self._size += len(packet) + 16
        if self._size >= MAX_BATCH - 2048:
            self._close_batch()

    def leg(self, leg_id: int, info: LegInfo) -> None:
        """Where a leg is; told before its packets, and again when something of it changes."""
        self._put(LEG, 0, leg_id, 0, json.dumps(asdict(info)).encode())

    def message(self, info: MessageInfo, flags: int, time_ns: int, data: bytes) -> None:
        """A SIP message. flags: OUT. One that is too long for a datagram is cut."""
        head = json.dumps(asdict(info)).encode() + b"\n"
        self._put(MESSAGE, flags, 0, time_ns, (head + data)[:MAX_PAYLOAD - 64])

    def note(self, text: str, leg_id: int = 0) -> None:
        """A comment for the next packet that we send, of one leg or of any."""
        self._put(NOTE, 0, leg_id, 0, text.encode()[:1000])

    def name(self, leg_id: int, name: str) -> None:
        """Whose leg it is: a person, an account."""
        self._put(NAME, 0, leg_id, 0, name.encode()[:200])

    def _put(self, kind: int, flags: int, stream: int, time_ns: int, payload: bytes) -> None:
        if self._size + len(payload) + 16 > MAX_BATCH:
            self._close_batch()
        self._records.append(_HEAD.pack(kind, flags, len(payload), stream, time_ns) + payload)
        self._size += len(payload) + 16

    def _close_batch(self) -> None:
        if not self._records:
            return
        batch, count = b"".join(self._records), len(self._records)
        self._records.clear()
        self._size = 0
        if self._waiting_size + len(batch) > MAX_WAITING:
            self.dropped += count
            self._untold += count
            return
        self._waiting.append(batch)
        self._waiting_size += len(batch)

    def flush(self) -> None:
        """Hand over what there is, as far as the other end takes it just now."""
        self._close_batch()
        if self._untold and self._waiting_size < MAX_WAITING // 2:
            self._waiting.append(_HEAD.pack(DROPPED, 0, 0, self._untold, 0))
            self._waiting_size += _HEAD.size
            self._untold = 0
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                self.is_broken = True
                self._waiting.clear()
                self._waiting_size = 0
                return
            self._waiting_size -= len(self._waiting.popleft())

    def close(self) -> None:
        """Hand over what the other end takes, and let go of it."""
        self.flush()
        self._socket.close()


def read_batch(batch: bytes) -> Iterator[Record]:
    """The records of a message on the line. Raises CaptureError for what is none."""
    position = 0
    while position < len(batch):
        if position + _HEAD.size > len(batch):
            raise CaptureError("a record of the tap that breaks off")
        kind, flags, length, stream, time_ns = _HEAD.unpack_from(batch, position)
        position += _HEAD.size
        if position + length > len(batch):
            raise CaptureError("a record of the tap that breaks off")
        yield Record(kind, flags, stream, time_ns, batch[position:position + length])
        position += length


def read_leg(payload: bytes) -> LegInfo:
    """The LegInfo of a record. Raises CaptureError."""
    facts = _facts(payload)
    try:
        return LegInfo(*(_address(facts[name]) for name in ("local", "remote", "local_rtcp", "remote_rtcp")))
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(f"no leg: {error}") from None


def read_message(payload: bytes) -> tuple[MessageInfo, bytes]:
    """How a message went, and the message. Raises CaptureError."""
    head, _, data = payload.partition(b"\n")
    facts = _facts(head)
    try:
        info = MessageInfo(str(facts["transport"]), _address(facts["local"]), _address(facts["remote"]), str(facts["name"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(f"no message: {error}") from None
    return info, data


def _facts(payload: bytes) -> dict[str, object]:
    try:
        facts = json.loads(payload)
    except ValueError as error:
        raise CaptureError(f"no description: {error}") from None
    if not isinstance(facts, dict):
        raise CaptureError("no description")
    return facts


def _address(value: object) -> Address:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"no address: {value!r}")
    return str(value[0]), int(value[1])
