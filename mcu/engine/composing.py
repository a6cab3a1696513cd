"""The seam between a room's forwarder and who composes pictures for phones with one line of them (RFC 7667 §3.6).

A composer is a peer of the forwarder: the room opens a port for its end of a pair of sockets, it watches sources as a receiver
does (slots), and what it makes are streams as any other (producers). Packets never pass through control; what goes over these
calls are changes, some a second at the most. How and where pictures are made is the composer's.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Protocol

Format = tuple[str, int]
"""`h264` or `vp8`, and H.264's packetization mode (0 for VP8): mode 1 may go to who takes mode 1 alone, mode 0 to both."""
COMPOSED_TYPES: tuple[tuple[int, str, int], ...] = ((97, "h264", 1), (98, "h264", 0), (96, "vp8", 0))
"""Payload types on a composer's port, both ways."""


@dataclass(frozen=True, slots=True)
class Face:
    """A participant in the scene. has_picture: pictures of theirs may be watched; without it there is an avatar to draw."""

    participant: int
    name: str
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What may be shown now. faces: in the order of joining; speakers: who speaks or spoke last, the latest first; slides: the
    producer of what is shared, 0 for none; sharer: whose; speaking: those who speak at this moment;
    is_test: a test picture is shown, and nobody."""

    faces: tuple[Face, ...] = ()
    speakers: tuple[int, ...] = ()
    slides: int = 0
    sharer: int = 0
    speaking: tuple[int, ...] = ()
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Viewer:
    """A leg with one line of pictures. formats: that it takes, best first; max_macroblocks, max_frame_rate, limit_bps: of what
    it takes, 0 for anything."""

    participant: int
    formats: tuple[Format, ...]
    max_macroblocks: int = 0
    max_frame_rate: int = 0
    limit_bps: int = 0


class Stage(Protocol):
    """What a room gives to its composer."""

    @property
    def room_id(self) -> int:
        """The room's id."""

    def open_port(self, sock: socket.socket) -> int:
        """Take the room's end of a pair of UDP sockets (`mcu.engine.ports.local_pair`); the port's id. The room keeps it open
        until `close_port`, over a worker's death as well."""

    def watch(self, port_id: int, producer_id: int) -> int:
        """Have a participant's pictures (or slides) sent to that port; the SSRC of the stream, which shows that one alone and
        begins with a key frame. Its packets name the participant as CSRC."""

    def unwatch(self, ssrc: int) -> None:
        """Have them sent no more; an unknown one is no error."""

    def compose(self, port_id: int, ssrc: int, kind: Format) -> int:
        """Announce a stream that comes from that port under that SSRC; the producer's id."""

    def dissolve(self, producer_id: int) -> None:
        """Such a stream is over; an unknown one is no error."""

    def assign(self, participant: int, producer_id: int | None) -> None:
        """Let a viewer see that composed stream from its next key frame on; None: whoever speaks, untouched."""

    def close_port(self, port_id: int) -> None:
        """End a port with all that goes over it."""


class Composer(Protocol):
    """Who composes for one room. Calls return at once, in control's loop."""

    def show(self, scene: Scene) -> None:
        """The scene is another one; called at each change, also of who speaks."""

    def serve(self, viewers: tuple[Viewer, ...]) -> None:
        """These want a picture, and no others; called at each change."""

    def follow(self, participant: int, estimate_bps: int) -> None:
        """What the path to a viewer takes, once a second; an unknown one is no error."""

    def set_layout(self, layout: str) -> None:
        """Show the room another way, to all. layout: one of `mcu.picture.layout.Layout`. Raises ValueError for another."""

    def close(self) -> None:
        """The room is over, its ports are closed."""


class ComposerFactory(Protocol):
    """Makes the composer of a room, when its first viewer is there."""

    def __call__(self, stage: Stage) -> Composer:
        """The composer for that room."""
