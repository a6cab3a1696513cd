"""The captures that go on in a worker: which legs and ports of pictures they see, and the way to the process that writes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcu.messages import OpenTap
from pcap.tap import OUT, RTCP, LegInfo, Tap
from rtp.kernel import Forwarder, Room
from rtp.kernel.leg import Leg
from rtp.kernel.port import Port
from rtp.kernel.spec import Address

NOWHERE = ("0.0.0.0", 0)
_FLAGS = ((0, RTCP), (OUT, OUT | RTCP))
"""By whether a packet goes out, and whether it is RTCP."""


class Watch:
    """One capture. Legs of `room_id` are seen, all with 0; of these `leg_id` alone, all with 0."""

    __slots__ = ("_media", "_offset_ns", "_told", "leg_id", "room_id", "tap")

    def __init__(self, message: OpenTap, tap: Tap) -> None:
        self.room_id, self.leg_id = message.room_id, message.leg_id
        self.tap = tap
        self._media = tap.media
        self._told: dict[int, tuple[Address | None, Address | None]] = {}
        self._offset_ns = 0
        self.flush()

    def sees(self, room_id: int, leg_id: int) -> bool:
        """Whether a leg is looked at."""
        return self.room_id in (0, room_id) and self.leg_id in (0, leg_id)

    def __call__(self, leg: Leg, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """See `rtp.kernel.Observer`."""
        spec = leg.spec
        told = self._told.get(spec.leg_id)
        if told is None or told[0] is not spec.remote or told[1] is not spec.remote_rtcp:
            self._tell(leg)
        self._media(spec.leg_id, _FLAGS[is_out][is_rtcp], time_ns + self._offset_ns, packet)

    def _tell(self, leg: Leg) -> None:
        spec = leg.spec
        self._told[spec.leg_id] = spec.remote, spec.remote_rtcp
        accepted = spec.remote or leg.filter.accepted or NOWHERE
        self.tap.leg(spec.leg_id, _info(leg.rtp, None if spec.rtcp_mux else leg.rtcp_socket, accepted, spec.remote_rtcp))

    def see_port(self, port: Port, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """See `rtp.kernel.port.PortObserver`."""
        spec = port.spec
        told = self._told.get(spec.port_id)
        if told is None or told[0] is not spec.remote or told[1] is not spec.remote_rtcp:
            self._told[spec.port_id] = spec.remote, spec.remote_rtcp
            self.tap.leg(spec.port_id, _info(port.rtp, None if spec.rtcp_mux else port.rtcp,
                                             spec.remote or port.filter.accepted or NOWHERE, spec.remote_rtcp))
        self.tap.media(spec.port_id, OUT * is_out | RTCP * is_rtcp, time_ns + self._offset_ns, packet)

    def flush(self) -> None:
        """Hand over what was seen, and look at the clock."""
        self.tap.flush()
        self._offset_ns = time.time_ns() - time.monotonic_ns()


def _info(rtp: socket.socket, rtcp: socket.socket | None, remote: Address, remote_rtcp: Address | None) -> LegInfo:
    """Where media goes from and to. rtcp: None where it has no port of its own."""
    local = _own(rtp, remote)
    if rtcp is None:
        return LegInfo(local, remote, local, remote)
    remote_rtcp = remote_rtcp or (remote[0], remote[1] + 1)
    return LegInfo(local, remote, _own(rtcp, remote_rtcp), remote_rtcp)


def _own(sock: socket.socket, remote: Address) -> Address:
    """Our address of a socket; of one that is bound to all addresses, that of loopback for who is there, else as it is."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::") and remote[0] in ("127.0.0.1", "::1"):
        host = remote[0]
    return host, port


@dataclass(slots=True)
class Taps:
    """All captures of a worker by id."""

    watches: dict[int, Watch]

    def open(self, message: OpenTap, descriptor: int, rooms: Iterable[Room]) -> None:
        """Begin a capture that is written at the other end of a socket."""
        self.close(message.tap_id, ())
        self.watches[message.tap_id] = Watch(message, Tap(socket.socket(fileno=descriptor)))
        self.attach(rooms)

    def close(self, tap_id: int, rooms: Iterable[Room]) -> None:
        """End a capture; an unknown one is no error."""
        watch = self.watches.pop(tap_id, None)
        if watch is not None:
            watch.tap.close()
            self.attach(rooms)

    def attach(self, rooms: Iterable[Room]) -> None:
        """Let each leg be seen by those captures that look at it."""
        for room in rooms:
            for leg_id, leg in room.legs.items():
                leg.observers = tuple(watch for watch in self.watches.values() if watch.sees(room.room_id, leg_id))

    def attach_ports(self, rooms: Mapping[int, Forwarder]) -> None:
        """Let the ports of pictures be seen, too; those between processes of ours are nobody's."""
        for room_id, room in rooms.items():
            for port in room.ports.values():
                port.observers = () if port.spec.is_local else tuple(
                    watch.see_port for watch in self.watches.values() if watch.sees(room_id, port.spec.owner))

    def flush(self) -> None:
        """Hand over what was seen in this tick."""
        for watch in self.watches.values():
            watch.flush()

    def end(self) -> None:
        """End them all."""
        for tap_id in list(self.watches):
            self.close(tap_id, ())
