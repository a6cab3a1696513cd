"""What the focus holds of the media: a room and its legs, each a `sip.media_backend.MediaBackend` (RFC 3264 for its answers).

All calls return at once. SSRC, ports and answers are made here; the worker is told and never asked. All that a worker knows of
a room is known here too, so a room can be begun again on a fresh worker; a handle whose room is lost goes on answering calls
and does nothing else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from mcu.engine.base import Engine, Line
from mcu.engine.gallery import Gallery
from mcu.engine.leg import LegMedia
from mcu.engine.notices import AddressLearnt
from mcu.engine.sound import RoomSound
from mcu.messages import CloseRoom, Command, HandshakeReceived, LegReport, OpenRoom, PlaySound, StreamsReport
from rtp.sdp.negotiation import Capabilities
from rtp.sdp.protection import SrtpPolicy, strictest

MAX_RECOVERIES, RECOVERY_WINDOW_S = 3, 10.0
"""A room whose worker has failed so often in so short a time is given up: it may well be the reason."""


class RoomMedia:
    """A room on a worker. kind: one of `mcu.messages.ROOM_KINDS`; pictures: those of all its legs; sound: what is said, played,
    recorded."""

    def __init__(self, room_id: int, kind: str, engine: Engine, line: Line, on_close: Callable[[RoomMedia], None]) -> None:
        self.room_id = room_id
        self.kind = kind
        self.legs: dict[int, LegMedia] = {}
        self.pictures = Gallery(room_id, engine, self.send, kind)
        self.sound = RoomSound(room_id, self.send)
        self._engine = engine
        self._line: Line | None = line
        self._on_close = on_close
        self._failures: deque[float] = deque(maxlen=MAX_RECOVERIES)
        self._moved: dict[int, LegMedia] = {}
        self._open()

    def _open(self) -> None:
        self.send(OpenRoom(self.room_id, self.kind, self._engine.settings.max_speakers))

    def create_leg(self, leg_id: int, *, local_host: str, signalling_host: str, capabilities: Capabilities | None = None,
                   is_signalling_secure: bool = False, srtp: Sequence[SrtpPolicy] = (), phone: str = "",
                   has_pictures: bool = False) -> LegMedia:
        """A leg for a call.

        leg_id: 32 bits, its CSRC; local_host: where we receive; signalling_host: where its SIP comes from;
        is_signalling_secure: whether keys in its SDP are hidden from the network; srtp: what its room and the people in the
        call want beside the server's own policy; phone: the way to it, by which it is known again; has_pictures: whether lines
        of pictures are taken.
        """
        policy = strictest(self._engine.settings.srtp, *srtp)
        may_send_keys = is_signalling_secure or policy is SrtpPolicy.PREFER
        leg = LegMedia(self, self._engine, leg_id, local_host, signalling_host,
                       Capabilities(srtp=policy) if capabilities is None else replace(capabilities, srtp=policy),
                       may_send_keys=may_send_keys, phone=phone, has_pictures=has_pictures)
        self.legs[leg_id] = leg
        return leg

    def adopt(self, leg: object) -> None:
        """Take over a leg of another room, which may be on another worker: its peer notices a new stream and nothing else."""
        assert isinstance(leg, LegMedia)
        self.legs[leg.leg_id] = leg
        leg.change_rooms(self)

    def play(self, name: str) -> None:
        """Let everybody hear one of `mcu.messages.SOUNDS`. Raises ProtocolError for another name."""
        self.send(PlaySound(self.room_id, name))

    def describe(self, leg_id: int, name: str) -> None:
        """Somebody is called so, for who draws names under pictures."""
        self.pictures.describe(leg_id, name)

    def hear(self, leg_ids: Sequence[int]) -> None:
        """These speak now, the loudest first: their pictures come forward."""
        self.pictures.hear(leg_ids)

    def set_layout(self, layout: str) -> None:
        """Compose the room that way, for phones with one line of pictures. Raises ValueError for a way that there is not."""
        self.pictures.set_layout(layout)

    def pin(self, leg_id: int, targets: Sequence[int]) -> None:
        """A participant wants to see these in any case; none: whoever speaks."""
        self.pictures.pin(leg_id, targets)

    def close(self) -> None:
        """End the room and release its legs; a second call does nothing."""
        self.sound.close()
        if self._line is not None:
            self.send(CloseRoom(self.room_id))
            self._line = None
            self._on_close(self)
        for leg in list(self.legs.values()):
            leg.release()
        self.pictures.close()

    def recover(self, now: float) -> bool:
        """Begin again on the worker that comes, with all legs; False when the room fails too often. now: monotonic seconds."""
        self._failures.append(now)
        if len(self._failures) == MAX_RECOVERIES and now - self._failures[0] < RECOVERY_WINDOW_S:
            return False
        self._open()
        self.pictures.begin_again()
        for leg in self.legs.values():
            leg.rejoin()
        self.pictures.restore()
        self.sound.restore()
        return True

    def lose(self) -> None:
        """The worker is gone: from now on nothing is sent."""
        self._line = None

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Send a command to the worker, if there still is one."""
        if self._line is not None:
            self._line.send(command, descriptors)

    def receive_figures(self, report: LegReport) -> None:
        """Take the figures of a leg."""
        leg = self.legs.get(report.statistics.leg_id)
        if leg is not None:
            leg.receive_figures(report.statistics, time.monotonic())

    def receive_streams(self, report: StreamsReport) -> None:
        """Remember where the streams of a leg's peer stand, for a worker that could not find out."""
        leg = self.legs.get(report.leg_id)
        if leg is not None:
            leg.receive_streams(report.streams)

    @property
    def has_moved_legs(self) -> bool:
        """Whether a leg has gone from here to another room."""
        return bool(self._moved)

    def forget(self, leg: LegMedia) -> None:
        """A leg has gone to another room; what the worker here still has of its handshake is for it all the same."""
        if self.legs.pop(leg.leg_id, None) is not None:
            self._moved[leg.leg_id] = leg

    def receive_handshake(self, message: HandshakeReceived) -> None:
        """Take a datagram of a leg's handshake."""
        leg = self.legs.get(message.leg_id) or self._moved.get(message.leg_id)
        if leg is not None:
            leg.receive_handshake(message)

    def handle_timer(self) -> None:
        """Called some times a second, for the handshakes that were not answered."""
        for leg in list(self.legs.values()):
            leg.handle_timer()
        self.pictures.handle_timer()

    def learn(self, notice: AddressLearnt) -> None:
        """Remember where a leg's media really comes from, for a worker that would have to find out anew."""
        leg = self.legs.get(notice.leg_id)
        if leg is not None:
            leg.learnt = notice.remote
