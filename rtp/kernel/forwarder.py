"""The forwarding room, readable: `drain` takes what has arrived and sends it on, untouched but for its header (RFC 7667 §3.7).

Who sends is a producer, what a receiver sees is a slot; control says which slot shows which producer, and learns when it does.
Lost packets are asked for and given again (RFC 4585), key frames asked for with measure, and each receiver's path is estimated,
so that who can't take all gets the most important, and senders send no more than somebody can take.
"""

from __future__ import annotations

import logging
import random
import select
import time
from collections.abc import Iterable

from rtp.demux import DatagramKind, sort_datagram
from rtp.errors import ParseError
from rtp.kernel.port import MAX_SOURCES, Port
from rtp.kernel.producer import Producer
from rtp.kernel.sharing import share
from rtp.kernel.slot import HEADER, Slot
from rtp.kernel.sockets import receive
from rtp.kernel.spec import Address, AddressLearnt, HandshakeReceived
from rtp.kernel.video_reports import take_report
from rtp.kernel.video_spec import (
    PortSpec,
    PortStatistics,
    ProducerSpec,
    ProducerStatistics,
    SlotSpec,
    SlotSwitched,
    VideoNotice,
)
from rtp.packet import parse_extensions
from rtp.srtp.context import StreamState

MAX_PACKETS = 128
"""Packets of one socket in one drain; the rest waits for the next, which is milliseconds away."""
MAX_EVENTS = 4096
LOOK_NS, QUIET_NS = 1_000_000_000, 1_000_000_000
"""How often we look whether a peer's address is certain, and who else sends to its port: ten times as often in quiet."""
MAX_NEWCOMERS, MAX_NEWCOMERS_WHEN_QUIET = 256, 16
MAX_HANDSHAKES = 64
DECIDE_NS = 100_000_000
"""How often estimates, pauses and limits are looked at."""

logger = logging.getLogger(__name__)


class Forwarder:
    """A room's pictures on one worker. `failures`: packets that raised what they should not have; each cost itself alone."""

    def __init__(self, room_id: int) -> None:
        self.room_id = room_id
        self.ports: dict[int, Port] = {}
        self.producers: dict[int, Producer] = {}
        self.slots: dict[int, Slot] = {}
        self.failures = 0
        self._poll = select.epoll()
        self._by_fd: dict[int, tuple[Port, bool]] = {}
        self._touched: set[Port] = set()
        self._notices: list[VideoNotice] = []
        self._decide_ns = 0

    # ---- who is in it

    def add_port(self, spec: PortSpec) -> None:
        """Take a transport and its sockets; one with the same id is removed first."""
        self.remove_port(spec.port_id)
        port = self.ports[spec.port_id] = Port(spec, random.random)
        for sock, is_rtcp in ((port.rtp, False), (port.rtcp, True)):
            if sock is not None:
                sock.setblocking(False)
                self._by_fd[sock.fileno()] = (port, is_rtcp)
                self._poll.register(sock.fileno(), select.EPOLLIN)

    def update_port(self, port_id: int, **changes: object) -> None:
        """Change fields of a port's spec; an unknown port is no error."""
        port = self.ports.get(port_id)
        if port is None:
            return
        for name, value in changes.items():
            setattr(port.spec, name, value)
        if changes.keys() & {"keys", "rtcp_keys", "rtcp_mux", "awaits_keys"}:
            port.set_keys()
        if "remote" in changes:
            self._unlock(port)
        if "remote" in changes and port.spec.remote is not None:
            port.filter = type(port.filter)(port.spec.remote, port.spec.signalling_host)
        for slot in port.slots:
            if slot.is_held == port.may_send:
                slot.hold(not port.may_send)

    def remove_port(self, port_id: int) -> None:
        """End a transport with its producers and slots; an unknown one is no error."""
        port = self.ports.pop(port_id, None)
        if port is None:
            return
        for producer in list(port.producers):
            self.remove_producer(producer.spec.producer_id)
        for slot in list(port.slots):
            self.remove_slot(slot.spec.slot_id)
        for fd in [fd for fd, (owner, _) in self._by_fd.items() if owner is port]:
            self._poll.unregister(fd)
            del self._by_fd[fd]
        self._touched.discard(port)
        port.close()

    def add_producer(self, spec: ProducerSpec) -> None:
        """Take a stream that a port sends; one with the same id is removed first. An unknown port is no error."""
        self.remove_producer(spec.producer_id)
        if port := self.ports.get(spec.port_id):
            producer = self.producers[spec.producer_id] = Producer(spec)
            port.producers.append(producer)
            if spec.ssrc:
                port.by_ssrc[spec.ssrc] = producer

    def update_producer(self, producer_id: int, **changes: object) -> None:
        """Change `is_open`, `limit_bps` or `feedback` of a producer; an unknown one is no error."""
        producer = self.producers.get(producer_id)
        if producer is None:
            return
        was_open = producer.spec.is_open
        for name, value in changes.items():
            setattr(producer.spec, name, value)
        if producer.spec.is_open and not was_open:
            for slot in producer.slots:
                slot.pause(slot.is_paused)

    def remove_producer(self, producer_id: int) -> None:
        """End a stream in; an unknown one is no error."""
        producer = self.producers.pop(producer_id, None)
        if producer is None:
            return
        for slot in producer.slots:
            slot.release(producer)
        if port := self.ports.get(producer.spec.port_id):
            port.producers.remove(producer)
            port.by_ssrc = {ssrc: other for ssrc, other in port.by_ssrc.items() if other is not producer}

    def add_slot(self, spec: SlotSpec) -> None:
        """Take a stream that a port is sent; one with the same id is removed first. An unknown port is no error."""
        self.remove_slot(spec.slot_id)
        if port := self.ports.get(spec.port_id):
            slot = self.slots[spec.slot_id] = Slot(spec, port)
            port.slots.append(slot)

    def remove_slot(self, slot_id: int) -> None:
        """End a stream out; an unknown one is no error."""
        slot = self.slots.pop(slot_id, None)
        if slot is not None:
            self._attach(slot, None)
            slot.port.slots.remove(slot)

    def show(self, slot_id: int, producer_id: int | None, rank: int | None = None) -> bool:
        """Show a producer in a slot from its next key frame on, None for nothing; False when the slot can't take it.

        rank: the slot's importance from now on, the smaller the more.
        """
        slot = self.slots.get(slot_id)
        producer = None if producer_id is None else self.producers.get(producer_id)
        if slot is None or (producer is None and producer_id is not None):
            return False
        if rank is not None:
            slot.spec.rank = rank
        if producer is not None and slot.payload_type_for(producer.coding, producer.mode) is None:
            return False
        if producer is not slot.wanted:
            if producer is not None and producer.statistics is None and slot.is_paused:
                slot.port.allocation.resume(slot_id)    # nothing is known yet against a stream that has not begun
                slot.pause(False)
            self._attach(slot, producer)
        return True

    def _attach(self, slot: Slot, producer: Producer | None) -> None:
        slot.wanted = producer
        if producer is None:
            slot.current = None
        for other in (slot.current, producer):
            if other is not None and slot not in other.slots:
                other.attach(slot)
        self._tidy(slot)
        if producer is not None and slot.current is not producer and not slot.is_held:    # else when it may be sent on
            producer.requests.want()

    def _tidy(self, slot: Slot) -> None:
        """Take the slot from producers that it shows no more."""
        for producer in self.producers.values():
            if slot in producer.slots and producer is not slot.current and producer is not slot.wanted:
                producer.detach(slot)

    def close(self) -> None:
        """End all."""
        for port_id in list(self.ports):
            self.remove_port(port_id)
        self._poll.close()

    def fileno(self) -> int:
        """A descriptor that is readable when a packet waits."""
        return self._poll.fileno()

    def notices(self) -> list[VideoNotice]:
        """What happened since the last call."""
        out, self._notices = self._notices, []
        return out

    def statistics(self) -> list[PortStatistics]:
        """Figures of all ports."""
        return [port.figures() for port in self.ports.values()]

    def producer_statistics(self, now_ns: int) -> list[ProducerStatistics]:
        """Figures of all streams in. now_ns: monotonic."""
        return [producer.figures(now_ns) for producer in self.producers.values()]

    def streams(self) -> dict[int, tuple[StreamState, ...]]:
        """Where the peers' protected streams stand, by port id."""
        return {port_id: port.srtp.streams(next(iter(port.by_ssrc), 0)) for port_id, port in self.ports.items()
                if port.srtp is not None}

    # ---- the drain

    def drain(self, now_ns: int) -> None:
        """Take what has arrived, send it on, and say in RTCP what is due. now_ns: monotonic."""
        ready = self._poll.poll(0, MAX_EVENTS)
        if ready:
            self._read([fd for fd, _ in ready], now_ns)
        for producer in self.producers.values():
            self._ask(producer, now_ns)
        if now_ns >= self._decide_ns:
            self._decide_ns = now_ns + DECIDE_NS
            for port in self.ports.values():
                if now_ns >= port.look_ns:
                    self._look(port, now_ns)
            self._notices += share(self.ports, self.producers, now_ns)
        for port in self._touched:
            port.flush(now_ns)
        self._touched.clear()

    def _read(self, ready: Iterable[int], now_ns: int) -> None:
        offset = time.time_ns() - time.monotonic_ns()
        for fd in ready:
            port, is_rtcp = self._by_fd[fd]
            sock = port.rtcp if is_rtcp else port.rtp
            assert sock is not None
            for _ in range(MAX_PACKETS):
                packet = receive(sock, offset, now_ns)
                if packet is None:
                    break
                self._take_safely(port, is_rtcp, packet, now_ns)

    # ---- whose port it is

    def _look(self, port: Port, now_ns: int) -> None:
        """Give a peer whose address is certain a socket of its own; see who else sends to the port of one that has it."""
        is_quiet = now_ns - port.filter.last_ns > QUIET_NS
        port.look_ns = now_ns + (0 if is_quiet and port.door is not None else LOOK_NS)
        may_lock = port.door is None and not is_quiet and not port.spec.is_local
        if may_lock and port.spec.remote is not None and port.filter.accepted == port.spec.remote:
            self._lock(port, port.spec.remote)
        for _ in range(MAX_NEWCOMERS_WHEN_QUIET if is_quiet else MAX_NEWCOMERS):
            packet = None if port.door is None else receive(port.door, time.time_ns() - time.monotonic_ns(), now_ns)
            if packet is None:
                return
            self._take_safely(port, False, packet, now_ns)

    def _lock(self, port: Port, remote: Address) -> None:
        fd = port.rtp.fileno()
        try:
            port.lock(remote)
        except OSError as error:                        # no descriptor is left: one socket does as well
            logger.info("a port keeps one socket: %s", error, extra={"room": self.room_id, "port": port.spec.port_id})
            return
        self._swap(fd, port)

    def _unlock(self, port: Port) -> None:
        if port.door is not None:
            fd = port.rtp.fileno()
            self._poll.unregister(fd)
            port.unlock()
            self._swap(fd, port)

    def _swap(self, old: int, port: Port) -> None:
        """Wait for packets at the port's present socket, no more at an old one."""
        if port.door is not None:
            self._poll.unregister(old)
        del self._by_fd[old]
        self._by_fd[port.rtp.fileno()] = (port, False)
        self._poll.register(port.rtp.fileno(), select.EPOLLIN)

    def _take_safely(self, port: Port, is_rtcp: bool, packet: tuple[bytes, Address, int], now_ns: int) -> None:
        try:
            self._take(port, is_rtcp, packet[0], packet[1], packet[2], now_ns)
        except Exception:
            self._failed(port)

    def _failed(self, port: Port) -> None:
        port.junk += 1
        self.failures += 1
        if self.failures.bit_count() == 1:
            logger.exception("a packet could not be handled", extra={"room": self.room_id, "port": port.spec.port_id})

    def _take(self, port: Port, is_rtcp: bool, data: bytes, source: Address, arrival_ns: int, now_ns: int) -> None:
        if len(data) < 8 or data[0] & 0xC0 != 0x80:
            self._take_other(port, is_rtcp, data, source)
            return
        is_report = is_rtcp or 192 <= data[1] <= 223
        session = port.srtcp if is_report else port.srtp
        if session is not None:
            plain = session.open(data, is_report)
            if plain is None:
                return
            data = plain
        elif port.spec.awaits_keys:
            port.junk += 1
            return
        if is_report:
            if session is None and (port.filter.accepted is None or source[0] != port.filter.accepted[0]):
                port.foreign += 1
                return
            if port.observers:
                port.show(False, True, arrival_ns, data)
            if take_report(port, data, now_ns):
                self._touched.add(port)
            return
        if source != port.filter.accepted or session is None:
            if not self._is_from_peer(port, data, source, now_ns):
                return
        else:
            port.filter.last_ns = now_ns
        if port.observers:
            port.show(False, False, arrival_ns, data)
        self._take_picture(port, data, arrival_ns, now_ns)

    def _is_from_peer(self, port: Port, data: bytes, source: Address, now_ns: int) -> bool:
        accepted = port.filter.accepted
        if port.srtp is not None:
            port.filter.believe(source, now_ns)
        elif not port.filter.accepts(source, data, now_ns):
            port.foreign += 1
            return False
        if port.filter.accepted != accepted and (port.srtp is None or port.spec.remote is not None):
            self._unlock(port)
            port.spec.remote = source
            if port.spec.rtcp_mux:
                port.spec.remote_rtcp = source
            self._notices.append(AddressLearnt(port.spec.port_id, source))
        return True

    def _take_other(self, port: Port, is_rtcp: bool, data: bytes, source: Address) -> None:
        """What is neither RTP nor RTCP (RFC 7983): DTLS and STUN go to who answers them, a bounded number."""
        kind = sort_datagram(data)
        is_wanted = (kind is DatagramKind.DTLS and port.spec.awaits_keys) or (kind is DatagramKind.STUN and port.spec.has_ice)
        if is_wanted and port.handshakes < MAX_HANDSHAKES:
            port.handshakes += 1
            self._notices.append(HandshakeReceived(port.spec.port_id, int(is_rtcp), source, data))
        else:
            port.junk += 1

    def _take_picture(self, port: Port, data: bytes, arrival_ns: int, now_ns: int) -> None:
        size = len(data)
        if size < 12:
            port.junk += 1
            return
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        offset = 12 + 4 * (first & 0x0F)
        extensions: dict[int, bytes] = {}
        if first & 0x10:
            if size < offset + 4:
                port.junk += 1
                return
            if port.spec.mid_extension or port.spec.transport_extension:
                try:
                    extensions = parse_extensions(data, offset)
                except ParseError:
                    port.junk += 1
                    return
                number = extensions.get(port.spec.transport_extension, b"") if port.spec.transport_extension else b""
                if len(number) == 2:
                    port.has_numbers = True
                    port.arrivals.on_packet(number[0] << 8 | number[1], arrival_ns)
            offset += 4 + 4 * (data[offset + 2] << 8 | data[offset + 3])
        if first & 0x20:
            size -= data[-1] or size
        if offset > size:
            port.junk += 1
            return
        producer = port.by_ssrc.get(ssrc) or self._find_producer(port, ssrc, second & 0x7F, extensions)
        if producer is None:
            port.junk += 1
            return
        switched = producer.receive(second, sequence, timestamp, ssrc, data[offset:size], arrival_ns, now_ns)
        if second & 0x80 and not port.has_numbers:
            producer.measure_arrival(timestamp, arrival_ns, now_ns)
        self._touched.update(producer.targets)
        for slot in switched:
            self._tidy(slot)
            self._notices.append(SlotSwitched(slot.spec.slot_id, producer.spec.producer_id))

    def _find_producer(self, port: Port, ssrc: int, kind: int, extensions: dict[int, bytes]) -> Producer | None:
        """Whose an SSRC is that wasn't seen before: of the line whose mid it brings, else of the only one (RFC 9143 §9.2)."""
        if any(slot.spec.ssrc == ssrc for slot in port.slots):
            port.looped += 1                            # our own packets come back (RFC 3550 §8.2)
            return None
        mid = extensions.get(port.spec.mid_extension, b"").decode("ascii", "replace") if port.spec.mid_extension else ""
        fitting = [one for one in port.producers if any(kind == number for number, _, _ in one.spec.formats)]
        found = next((one for one in fitting if mid and one.spec.mid == mid), None)
        if found is None and not mid and len(fitting) == 1:
            found = fitting[0]
        if found is not None:
            if len(port.by_ssrc) >= MAX_SOURCES:
                port.by_ssrc.clear()
            port.by_ssrc[ssrc] = found
        return found

    def _ask(self, producer: Producer, now_ns: int) -> None:
        """Ask a sender for what is missing and for key frames, when that is due."""
        if not producer.missing.has_gaps and producer.requests.next_ns is None:
            return
        port = self.ports[producer.spec.port_id]
        if items := producer.feedback(port.ssrc, port.rtt_ns, now_ns):
            port.send_feedback(items)
