"""A stream out that shows one producer after the other: one SSRC, numbers and times without a break (RFC 7667 §3.6, §3.7).

A switch happens on a key frame; till then the stream before goes on. Each packet is protected once and kept for a second, so
that what a NACK asks for is the very packet that was sent (RFC 3711 §9.1: never two packets under one index).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rtp.errors import ParseError
from rtp.kernel.video_spec import SlotSpec
from rtp.packet import ONE_BYTE
from rtp.payload.vp8 import Renumbering

if TYPE_CHECKING:
    from rtp.kernel.port import Port
    from rtp.kernel.producer import Producer

HEADER = struct.Struct("!BBHII")
CLOCK_RATE = 90_000
KEPT = 512
"""Packets for NACK: three seconds of 1.5 Mbit/s, one of 5."""
MAX_LATE = 256
RESEND_NS = 20_000_000
"""A packet isn't sent again within so long: who asks twice in a round trip means one."""
RESENT_A_SECOND = 400
_FRAME_UNITS = 3000
"""A picture's time at 30 a second: the least that lies between two sources."""


class Slot:
    """The state of one. `current`: the producer that is shown, `wanted`: the one that will be; `is_paused`: nothing is sent
    for want of bandwidth, `is_held`: since nobody wants it.

    `sent_ns`: when the newest packet went out.
    """

    __slots__ = (
        "_budget", "_budget_ns", "_first", "_has_number", "_head", "_is_silent", "_kept", "_padding", "_renumbering",
        "_resent_ns", "_second", "_sequence_shift", "_timestamp_shift", "current", "first_byte", "is_held", "is_paused", "loss",
        "octets", "packets", "port", "resent", "sent_ns", "sequence", "spec", "timestamp", "wanted",
    )

    def __init__(self, spec: SlotSpec, port: Port) -> None:
        self.spec = spec
        self.port = port
        self.current: Producer | None = None
        self.wanted: Producer | None = None
        self.is_paused = False
        self.is_held = self._is_silent = not port.may_send
        self.sequence, self.timestamp = spec.sequence, spec.timestamp
        self.sent_ns = 0
        self.packets = self.octets = self.resent = 0
        self.loss = 0.0
        self._kept: list[bytes] = [b""] * KEPT
        self._resent_ns: dict[int, int] = {}
        self._budget, self._budget_ns = RESENT_A_SECOND, 0
        self._first = self._sequence_shift = self._timestamp_shift = self._second = 0
        self._head = self._padding = b""
        self._has_number = False
        self.first_byte = 0x81
        self._renumbering = Renumbering()

    def payload_type_for(self, name: str, mode: int) -> int | None:
        """The payload type under which the receiver takes a coding; None when it does not: of H.264, no mode 1 at a mode 0."""
        fitting = [(own_mode, number) for number, own_name, own_mode in self.spec.formats
                   if own_name == name and own_mode >= mode]
        return min(fitting)[1] if fitting else None

    def take(self, producer: Producer, marker: int, sequence: int, timestamp: int, payload: bytes, is_key: bool,
             now_ns: int) -> bool:
        """Forward a packet of a producer that is shown or wanted; whether this switched to it.

        marker: the header's second byte without the payload type. payload: empty for one that only fills (RFC 3550 §5.1).
        """
        is_switch = False
        if producer is not self.current:
            if not is_key or producer is not self.wanted or self._is_silent:
                return False
            if not self._switch(producer, sequence, timestamp, now_ns):
                return False
            is_switch = True
        elif (sequence - self._first) & 0xFFFF >= 0x8000 or self._is_silent:
            return False
        number = (sequence + self._sequence_shift) & 0xFFFF
        is_newest = (number - self.sequence) & 0xFFFF < 0x8000
        if not payload:
            if is_newest:
                self._sequence_shift -= 1
                self._first = (sequence + 1) & 0xFFFF
            return is_switch
        if producer.is_vp8:
            try:
                payload = self._renumbering.rewrite(payload)
            except ParseError:
                return is_switch
        time = (timestamp + self._timestamp_shift) & 0xFFFFFFFF
        if is_newest:
            self.sequence = (number + 1) & 0xFFFF
            self.timestamp = time
            self.sent_ns = now_ns
            if (sequence - self._first) & 0xFFFF > MAX_LATE:
                self._first = (sequence - MAX_LATE) & 0xFFFF
        port = self.port
        packet = HEADER.pack(self.first_byte, marker | self._second, number, time, self.spec.ssrc) + self._head
        if self._has_number:
            packet += port.next_number(now_ns, len(payload)) + self._padding
        if port.send(packet + payload, self, number):
            self.packets += 1
            self.octets += len(payload)
        return is_switch

    def keep(self, number: int, packet: bytes) -> None:
        """Keep a packet as it was sent."""
        self._kept[number % KEPT] = packet

    def _switch(self, producer: Producer, sequence: int, timestamp: int, now_ns: int) -> bool:
        """Begin a producer with this packet, its numbers right behind the last ones, its times as much later as it is."""
        number = self.payload_type_for(producer.coding, producer.mode)
        if number is None:
            return False
        elapsed = (now_ns - self.sent_ns) * CLOCK_RATE // 1_000_000_000 if self.sent_ns else 0
        self._sequence_shift = self.sequence - sequence
        self._timestamp_shift = self.timestamp + max(_FRAME_UNITS, elapsed) - timestamp
        self._first, self._second = sequence, number
        self._renumbering.switch()
        self._write_head(producer.spec.origin or producer.spec.producer_id)
        self.current = producer
        return True

    def _write_head(self, origin: int) -> None:
        """What stands between the fixed header and the payload: the origin as CSRC, mid, the place of the running number."""
        spec = self.port.spec
        self._head = struct.pack("!I", origin)
        elements = b""
        if spec.mid_extension and self.spec.mid:
            mid = self.spec.mid.encode()[:16]
            elements = bytes((spec.mid_extension << 4 | len(mid) - 1,)) + mid
        self._has_number = bool(spec.transport_extension)
        if self._has_number:
            elements += bytes((spec.transport_extension << 4 | 1,))
        self.first_byte = 0x91 if elements else 0x81
        if not elements:
            return
        size = len(elements) + 2 * self._has_number
        self._padding = bytes(-size % 4)
        self._head += struct.pack("!HH", ONE_BYTE, (size + 3) // 4) + elements
        if not self._has_number:
            self._head += self._padding

    def release(self, producer: Producer) -> None:
        """Show that producer no more."""
        if self.current is producer:
            self.current = None
        if self.wanted is producer:
            self.wanted = None

    def pause(self, is_paused: bool) -> None:
        """Stop sending for want of bandwidth, or begin again with the next key frame."""
        self.is_paused = is_paused
        self._begin_anew()

    def hold(self, is_held: bool) -> None:
        """Stop sending as the peer wants nothing, or begin again with the next key frame."""
        self.is_held = is_held
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._is_silent = self.is_paused or self.is_held
        self.current = None
        if self.wanted is not None and not self._is_silent:
            self.wanted.requests.want()

    def resend(self, lost: tuple[int, ...], now_ns: int) -> None:
        """Send again what a receiver misses and is kept: each packet once a while, and so many a second (a NACK flood)."""
        if now_ns - self._budget_ns > 1_000_000_000:
            self._budget, self._budget_ns = RESENT_A_SECOND, now_ns
            self._resent_ns.clear()
        for number in lost:
            packet = self._kept[number % KEPT]
            if self._budget <= 0:
                return
            if not packet or packet[2] << 8 | packet[3] != number:
                continue
            if now_ns - self._resent_ns.get(number, -RESEND_NS) < RESEND_NS:
                continue
            self._resent_ns[number] = now_ns
            self._budget -= 1
            self.resent += 1
            self.port.put(packet)
