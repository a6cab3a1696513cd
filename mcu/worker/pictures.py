"""The pictures of a worker's rooms: a forwarder for each room that has a port (RFC 7667 §3.7), made and ended by messages.

Rooms call it: packets are looked at between two ticks as soon as they wait, timers at each tick at the latest.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence

from mcu.errors import ProtocolError
from mcu.video_messages import (
    MAX_PICTURE_DATAGRAM,
    AddPort,
    AddProducer,
    AddSlot,
    Command,
    PicturePaused,
    PictureShown,
    PortHandshake,
    PortLearnt,
    PortReport,
    PortStreams,
    ProducerReport,
    RemovePort,
    RemoveProducer,
    RemoveSlot,
    Report,
    SenderLimited,
    ShowProducer,
    UpdatePort,
    UpdateProducer,
)
from rtp.kernel import (
    AddressLearnt,
    Forwarder,
    HandshakeReceived,
    SenderAsked,
    SlotPaused,
    SlotSwitched,
    VideoNotice,
)

MAX_READY = 4096
"""Rooms that one look can find ready."""
_NEGOTIATED = ("rtcp_mux", "mid_extension", "transport_extension", "is_reduced", "limit_bps", "keys", "rtcp_keys",
               "awaits_keys", "has_ice")
_ADDRESSES = ("remote", "remote_rtcp", "signalling_host")


class Pictures:
    """Forwarders by room id: `rooms`. report: the way to control."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self.rooms: dict[int, Forwarder] = {}
        self._by_descriptor: dict[int, int] = {}
        self._ready = select.epoll()
        self._failures = self._now_ns = 0

    def __len__(self) -> int:
        return len(self.rooms)

    @property
    def failures(self) -> int:
        """Packets that went wrong."""
        return self._failures + sum(room.failures for room in self.rooms.values())

    # ---- control's messages

    def add_port(self, message: AddPort, descriptors: Sequence[int]) -> None:
        """Take a port with its sockets, which are ours from now on."""
        spec, room = message.spec, self._room(message.room_id)
        spec.rtp_fd, spec.rtcp_fd = descriptors[0], descriptors[1] if len(descriptors) > 1 else -1
        room.add_port(spec)

    def _room(self, room_id: int) -> Forwarder:
        room = self.rooms.get(room_id)
        if room is None:
            room = self.rooms[room_id] = Forwarder(room_id)
            self._by_descriptor[room.fileno()] = room_id
            self._ready.register(room, select.EPOLLIN)
        return room

    def carry_out(self, message: Command) -> None:
        """Carry out a message. Raises ProtocolError for a port without its sockets."""
        room = self.rooms.get(message.room_id)
        if isinstance(message, AddPort):
            raise ProtocolError("AddPort without its sockets")
        if room is None:
            return
        match message:
            case UpdatePort(_, spec, is_remote_new):
                names = _NEGOTIATED + _ADDRESSES if is_remote_new else _NEGOTIATED
                room.update_port(spec.port_id, **{name: getattr(spec, name) for name in names})
            case RemovePort(_, port_id):
                room.remove_port(port_id)
            case AddProducer(_, producer):
                room.add_producer(producer)
            case UpdateProducer(_, producer_id, is_open, limit_bps):
                room.update_producer(producer_id, is_open=is_open, limit_bps=limit_bps)
            case RemoveProducer(_, producer_id):
                room.remove_producer(producer_id)
            case AddSlot(_, slot):
                room.add_slot(slot)
            case RemoveSlot(_, slot_id):
                room.remove_slot(slot_id)
            case ShowProducer(_, slot_id, producer_id, rank):
                room.show(slot_id, producer_id or None, rank)

    def close(self, room_id: int) -> None:
        """End a room's pictures; an unknown one is no error."""
        room = self.rooms.pop(room_id, None)
        if room is not None:
            self._failures += room.failures
            self._ready.unregister(room)
            del self._by_descriptor[room.fileno()]
            room.close()

    def end(self) -> None:
        """End all."""
        for room_id in list(self.rooms):
            self.close(room_id)
        self._ready.close()

    # ---- the clock

    def look(self, now_ns: int) -> None:
        """Forward what waits. now_ns: monotonic."""
        self._now_ns = max(now_ns, self._now_ns)
        for descriptor, _ in self._ready.poll(0, MAX_READY):
            self.rooms[self._by_descriptor[descriptor]].drain(self._now_ns)

    def tick(self, now_ns: int) -> None:
        """Forward what waits, do what is due, and tell what happened."""
        self._now_ns = max(now_ns, self._now_ns)
        for room_id, room in self.rooms.items():
            room.drain(self._now_ns)
            for notice in room.notices():
                if not isinstance(notice, HandshakeReceived) or len(notice.data) <= MAX_PICTURE_DATAGRAM:
                    self._report(_told(room_id, notice))

    def report(self, room_id: int, now_ns: int) -> None:
        """The figures of a room."""
        room = self.rooms.get(room_id)
        if room is None:
            return
        for figures in room.statistics():
            self._report(PortReport(room_id, figures))
        for stream in room.producer_statistics(now_ns):
            self._report(ProducerReport(room_id, stream))
        for port_id, streams in room.streams().items():
            self._report(PortStreams(room_id, port_id, streams))


def _told(room_id: int, notice: VideoNotice) -> Report:
    match notice:
        case SlotSwitched(slot_id, producer_id):
            return PictureShown(room_id, slot_id, producer_id)
        case SlotPaused(slot_id, is_paused):
            return PicturePaused(room_id, slot_id, is_paused)
        case SenderAsked(producer_id, bitrate_bps):
            return SenderLimited(room_id, producer_id, bitrate_bps)
        case AddressLearnt(port_id, remote):
            return PortLearnt(room_id, port_id, remote)
        case HandshakeReceived(port_id, component, source, data):
            return PortHandshake(room_id, port_id, component, source, data)
