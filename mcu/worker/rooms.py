"""The rooms of a worker: control's messages in, reports out. One bad message or room costs itself, never the worker."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Sequence
from pathlib import Path

from mcu import sound_messages, video_messages
from mcu.engine import notices
from mcu.errors import ProtocolError
from mcu.messages import (
    MAX_DATAGRAM,
    AddLeg,
    CloseRoom,
    CloseTap,
    HandshakeReceived,
    LegReport,
    Message,
    MuteLeg,
    OpenRoom,
    OpenTap,
    PlaySound,
    RemoveLeg,
    Report,
    StreamsReport,
    UpdateLeg,
    parse,
)
from mcu.sound_messages import OpenPlayer, OpenRecording
from mcu.video_messages import AddPort
from mcu.worker.pictures import Pictures
from mcu.worker.sounds import source
from mcu.worker.studio import Studio
from mcu.worker.taps import Taps
from rtp import kernel
from rtp.kernel import AddressLearnt, DtmfPressed, LegSpec, Notice, Room, SpeakersChanged
from rtp.kernel.spec import TICK_NS

MAX_FAILED_TICKS = 50
"""A room that fails for so many ticks on end is given up."""
MAX_RELAYS = 4096
"""Rooms that one look can find ready."""
REPORT_EVERY = 50
"""Ticks between two figures of a leg; rooms take turns."""
SERVICES = ("tone", "music")
"""Kinds of room that play one sound to all and mix nobody."""
CHIME_GAP_NS = 150_000_000
"""A room that many enter at once hears one chime for those who come within a note's length, not a din."""
_NEGOTIATED = ("codec", "send_type", "receive_type", "dtmf_type", "ptime_ms", "fmtp", "rtcp_mux", "is_heard", "hears",
               "level_extension", "mixer_extension", "keys", "rtcp_keys", "awaits_keys",
               "has_ice")
_ADDRESSES = ("remote", "remote_rtcp", "signalling_host")

logger = logging.getLogger(__name__)


class Rooms:
    """All rooms of a worker by id. prompts: the folder of what is said; `failures`: what was survived."""

    def __init__(self, report: Callable[[Report], None], prompts: Path | None = None) -> None:
        self._report = report
        self._rooms: dict[int, Room] = {}
        self._kinds: dict[int, str] = {}
        self._taps = Taps({})
        self.pictures = Pictures(report)
        self._studio = Studio(report, prompts)
        self._relays = select.epoll()
        self._by_descriptor: dict[int, int] = {}
        self._failed_ticks: dict[int, int] = {}
        self._sounds = self._due = 0
        self._chimed: dict[int, dict[str, int]] = {}
        self._failures = 0

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def legs(self) -> int:
        """Legs in all rooms."""
        return sum(len(room.legs) for room in self._rooms.values())

    @property
    def failures(self) -> int:
        """Messages, packets and ticks that went wrong."""
        return self._failures + self.pictures.failures + sum(room.failures for room in self._rooms.values())

    # ---- control's messages

    def take(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Carry out a message. Descriptors that it has no use for are closed."""
        try:
            message = parse(data)
            if isinstance(message, AddLeg) and len(descriptors) == 2 and message.room_id in self._rooms:
                sockets, descriptors = descriptors, ()
                self._add_leg(message, sockets)
            elif isinstance(message, AddPort) and descriptors and message.room_id in self._rooms:
                sockets, descriptors = descriptors, ()
                self.pictures.add_port(message, sockets)
                if self._taps.watches:
                    self._taps.attach_ports(self.pictures.rooms)
            elif isinstance(message, OpenTap) and len(descriptors) == 1:
                (descriptor,), descriptors = descriptors, ()
                self._taps.open(message, descriptor, self._rooms.values())
                self._taps.attach_ports(self.pictures.rooms)
            elif isinstance(message, OpenRecording | OpenPlayer) and len(descriptors) == 1 and message.room_id in self._rooms:
                (descriptor,), descriptors = descriptors, ()
                self._studio.take(self._rooms[message.room_id], message, descriptor)
            else:
                self._carry_out(message)
        except ProtocolError as error:
            self._failures += 1
            logger.warning("control sent no message: %s", error)
        except Exception:
            self._failures += 1
            logger.exception("a message could not be carried out")
        for descriptor in descriptors:
            os.close(descriptor)

    def _add_leg(self, message: AddLeg, descriptors: Sequence[int]) -> None:
        spec = message.spec
        spec.rtp_fd, spec.rtcp_fd = descriptors
        spec.is_heard = spec.is_heard and self._kinds[message.room_id] not in SERVICES
        room = self._rooms[message.room_id]
        room.add_leg(spec)
        if self._taps.watches:
            self._taps.attach([room])

    def _carry_out(self, message: Message) -> None:
        if isinstance(message, OpenRoom):
            self._open(message)
            return
        if isinstance(message, CloseTap):
            self._taps.close(message.tap_id, self._rooms.values())
            self._taps.attach_ports(self.pictures.rooms)
            return
        room = self._rooms.get(getattr(message, "room_id", 0))
        if room is None:
            return
        if isinstance(message, video_messages.Command):
            self.pictures.carry_out(message)
            return
        if isinstance(message, sound_messages.Command):
            self._studio.carry_out(room, message)
            return
        match message:
            case CloseRoom():
                self._close(message.room_id)
            case UpdateLeg():
                room.update_leg(message.spec.leg_id, **self._changes(message))
            case RemoveLeg():
                room.remove_leg(message.leg_id)
            case MuteLeg():
                room.update_leg(message.leg_id, is_muted=message.is_muted)
            case PlaySound(_, name):
                if self._due - self._chimed[room.room_id].get(name, -CHIME_GAP_NS) >= CHIME_GAP_NS:
                    self._chimed[room.room_id][name] = self._due
                    self._sounds += 1
                    room.add_source(self._sounds, source(name))
            case AddLeg() | OpenTap():
                raise ProtocolError(f"{type(message).__name__} without its sockets")
            case _:
                raise ProtocolError(f"{type(message).__name__} is no command")

    def _open(self, message: OpenRoom) -> None:
        self._close(message.room_id)
        kind = message.kind if message.kind in ("echo", "relay") else "mix"
        room = Room(message.room_id, kind=kind, max_speakers=message.max_speakers)
        self._rooms[message.room_id], self._kinds[message.room_id] = room, message.kind
        self._chimed[message.room_id] = {}
        if kind == "relay":
            self._relays.register(room, select.EPOLLIN)
            self._by_descriptor[room.fileno()] = message.room_id
        if message.kind in SERVICES:
            room.add_source(0, source(message.kind))

    def _changes(self, message: UpdateLeg) -> dict[str, object]:
        spec: LegSpec = message.spec
        spec.is_heard = spec.is_heard and self._kinds[message.room_id] not in SERVICES
        names = _NEGOTIATED + _ADDRESSES if message.is_remote_new else _NEGOTIATED
        return {name: getattr(spec, name) for name in names}

    def _close(self, room_id: int) -> None:
        room = self._rooms.pop(room_id, None)
        self.pictures.close(room_id)
        self._kinds.pop(room_id, None)
        self._chimed.pop(room_id, None)
        self._failed_ticks.pop(room_id, None)
        if room is not None:
            self._studio.forget(room)
            self._tell(room_id, room)                   # a leg that moved on may have a handshake under way
            self._failures += room.failures
            if self._by_descriptor.pop(room.fileno(), None) is not None:
                self._relays.unregister(room)
            room.close()

    def _tell(self, room_id: int, room: Room) -> None:
        """What happened in a room, to control."""
        for notice in room.notices():
            if not isinstance(notice, kernel.HandshakeReceived) or len(notice.data) <= MAX_DATAGRAM:
                self._report(_told(room_id, notice))

    def close(self) -> None:
        """End all rooms."""
        for room_id in list(self._rooms):
            self._close(room_id)
        self.pictures.end()
        self._relays.close()
        self._taps.end()

    # ---- the clock

    def tick(self, due: int) -> None:
        """One step of 20 ms of every room, and what happened in it."""
        self._due = due
        for room_id, room in list(self._rooms.items()):
            try:
                room.tick(due)
            except Exception:
                self._failed(room_id)
            else:
                self._failed_ticks.pop(room_id, None)
            self._tell(room_id, room)
        self._look_after_pictures(self.pictures.tick, due)
        self._taps.flush()
        self._studio.tick()

    def _look_after_pictures(self, work: Callable[[int], None], now_ns: int) -> None:
        try:
            work(now_ns)
        except Exception:
            self._failures += 1
            logger.exception("pictures could not be forwarded")

    @property
    def has_relays(self) -> bool:
        """Whether there are rooms that are worth looking at between two ticks."""
        return bool(self._by_descriptor) or len(self.pictures) > 0

    def relay(self, now_ns: int) -> None:
        """Pass on what has arrived for calls between two, and pictures. now_ns: monotonic."""
        for descriptor, _ in self._relays.poll(0, MAX_RELAYS):
            room_id = self._by_descriptor[descriptor]
            try:
                self._rooms[room_id].drain(now_ns)
            except Exception:
                self._failed(room_id)
        if len(self.pictures):
            self._look_after_pictures(self.pictures.look, now_ns)

    def skip(self, due: int) -> None:
        """One step that comes too late."""
        for room_id, room in list(self._rooms.items()):
            try:
                room.skip(due)
            except Exception:
                self._failed(room_id)

    def _failed(self, room_id: int) -> None:
        self._failures += 1
        count = self._failed_ticks[room_id] = self._failed_ticks.get(room_id, 0) + 1
        if count == 1:
            logger.exception("a room failed", extra={"room": room_id})
        if count >= MAX_FAILED_TICKS:
            logger.error("a room is given up", extra={"room": room_id})
            self._close(room_id)
            self._report(notices.RoomLost(room_id))

    def report(self, ticks: int, due: int) -> None:
        """The figures of the rooms whose turn it is."""
        for room_id, room in list(self._rooms.items()):
            if (ticks + room_id) % REPORT_EVERY == 0:
                try:
                    for figures in room.statistics(due + TICK_NS):
                        self._report(LegReport(room_id, figures))
                    for leg_id, streams in room.streams().items():
                        self._report(StreamsReport(room_id, leg_id, streams))
                    self.pictures.report(room_id, due + TICK_NS)
                except Exception:
                    self._failed(room_id)


def _told(room_id: int, notice: Notice) -> Report:
    match notice:
        case DtmfPressed(leg_id, key):
            return notices.DtmfPressed(room_id, leg_id, key)
        case SpeakersChanged(leg_ids):
            return notices.SpeakersChanged(room_id, leg_ids)
        case kernel.HandshakeReceived(leg_id, component, sender, data):
            return HandshakeReceived(room_id, leg_id, component, sender, data)
        case AddressLearnt(leg_id, remote):
            return notices.AddressLearnt(room_id, leg_id, remote)
