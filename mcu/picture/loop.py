"""The loop of a picture worker: packets of pictures as they come, composed pictures by the clock, control's messages between.

When there is too much to do all studios make fewer pictures a second, and none stops. What a studio raises costs it that
picture. Before a decoder runs its source is noted where control can read it, should the decoder take the process along. Ends
when control closes its socket.
"""

from __future__ import annotations

import logging
import mmap
import os
import resource
import select
import socket
import time
from collections.abc import Sequence

from mcu.errors import ProtocolError
from mcu.messages import MAX_MESSAGE, Heartbeat
from mcu.picture.messages import (
    NOTE,
    AddOutput,
    CloseStudio,
    OpenStudio,
    PictureMessage,
    PutSource,
    RemoveOutput,
    RemoveSource,
    SetScene,
    pack,
    parse,
)
from mcu.picture.studio import Studio
from rtp.errors import CodecError
from rtp.kernel.sockets import MAX_DATAGRAM, BurstSender

TICK_NS = 16_666_667
"""Sixty looks a second; outputs have rates of their own below that."""
MAX_SLOWNESS = 6
BEAT_NS, FIGURES_NS = 250_000_000, 1_000_000_000
MAX_COMMANDS, MAX_PACKETS = 64, 512
BUSY, IDLE = 0.85, 0.5
"""Shares of the time: above the one there are fewer pictures, below the other more again."""

logger = logging.getLogger(__name__)


def paced(slowness: int, share: float) -> int:
    """How slow to be after a second of which that share was work; 1 is 60 looks a second."""
    if share > BUSY:
        return min(MAX_SLOWNESS, slowness + 1)
    return max(1, slowness - 1) if share < IDLE else slowness


class Place:
    """A studio with its socket."""

    def __init__(self, studio: Studio, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.studio = studio
        self.sock = sock
        self.remote = sock.getpeername()
        self.burst = BurstSender()

    def flush(self) -> None:
        """Send what the studio has made."""
        if out := self.studio.datagrams_to_send():
            self.burst.send(self.sock, self.remote, out)


class PictureLoop:
    """Studios, their clock and the line to control. note: shared memory for `NOTE`."""

    def __init__(self, control: socket.socket, note: mmap.mmap) -> None:
        control.setblocking(False)
        self._control = control
        self._note_memory = note
        self._places: dict[int, Place] = {}
        self._by_fd: dict[int, Place] = {}
        self._poll = select.epoll()
        self._poll.register(control.fileno(), select.EPOLLIN)
        self._is_open = True
        self._failures = self._dropped = self._late = 0
        self._slowness = 1
        self._busy_ns = 0
        self._beat_ns = self._figures_ns = 0

    def run(self) -> None:
        """Work until control is gone."""
        due = time.monotonic_ns()
        while self._is_open:
            self._beat(time.monotonic_ns())
            left_ns = max(0, min(due, self._beat_ns) - time.monotonic_ns())
            ready = self._poll.poll(left_ns / 1e9, 64)
            began_ns = time.monotonic_ns()
            for fd, _ in ready:
                self._serve(fd)
            if time.monotonic_ns() >= due:
                self._compose()
                interval = TICK_NS * self._slowness
                behind = (time.monotonic_ns() - due) // interval
                self._late += behind > 1
                due += interval * (1 + behind)
            self._busy_ns += time.monotonic_ns() - began_ns
        for studio_id in list(self._places):
            self._close(studio_id)

    def _serve(self, fd: int) -> None:
        if fd == self._control.fileno():
            self._take_commands()
        elif place := self._by_fd.get(fd):
            self._receive(place)

    def _receive(self, place: Place) -> None:
        for _ in range(MAX_PACKETS):
            try:
                data = place.sock.recv(MAX_DATAGRAM)
            except OSError:
                break
            try:
                place.studio.receive(data, time.monotonic_ns())
            except Exception:
                self._failed("a packet could not be handled")
        place.flush()

    def _compose(self) -> None:
        for place in list(self._places.values()):
            now_ns = time.monotonic_ns()
            self._beat(now_ns)
            try:
                place.studio.compose(now_ns)
            except Exception:
                self._failed("a picture could not be composed")
            place.flush()

    def _failed(self, what: str) -> None:
        self._failures += 1
        if self._failures.bit_count() == 1:
            logger.exception(what)

    # ---- control's messages

    def _take_commands(self) -> None:
        for _ in range(MAX_COMMANDS):
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE + 1, 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._is_open = False
                return
            self._take(data, descriptors)

    def _take(self, data: bytes, descriptors: Sequence[int]) -> None:
        try:
            message = parse(data)
            if isinstance(message, OpenStudio) and len(descriptors) == 1:
                (descriptor,), descriptors = descriptors, ()
                self._open(message, socket.socket(fileno=descriptor))
            else:
                self._carry_out(message)
        except (ProtocolError, CodecError, OSError) as error:
            self._failures += 1
            logger.warning("a message could not be carried out: %s", error)
        for descriptor in descriptors:
            os.close(descriptor)

    def _carry_out(self, message: PictureMessage) -> None:
        place = self._places.get(getattr(message, "studio_id", 0))
        if place is None:
            return
        match message:
            case CloseStudio(studio_id):
                self._close(studio_id)
            case PutSource():
                place.studio.put_source(message)
            case RemoveSource(_, source_id):
                place.studio.remove_source(source_id)
            case AddOutput(_, output):
                place.studio.add_output(output)
            case RemoveOutput(_, output_id):
                place.studio.remove_output(output_id)
            case SetScene(_, scene):
                place.studio.scene = scene
            case _:
                raise ProtocolError(f"{type(message).__name__} is no command, or came without its socket")

    def _open(self, message: OpenStudio, sock: socket.socket) -> None:
        self._close(message.studio_id)
        place = Place(Studio(message.studio_id, message.ssrc, time.thread_time_ns, self._note), sock)
        self._places[message.studio_id] = self._by_fd[sock.fileno()] = place
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def _close(self, studio_id: int) -> None:
        place = self._places.pop(studio_id, None)
        if place is not None:
            self._failures += place.studio.failures
            self._poll.unregister(place.sock.fileno())
            del self._by_fd[place.sock.fileno()]
            place.sock.close()

    def _note(self, studio_id: int, source_id: int) -> None:
        NOTE.pack_into(self._note_memory, 0, studio_id, source_id)

    # ---- what control is told

    def _beat(self, now_ns: int) -> None:
        if now_ns < self._beat_ns:
            return
        self._beat_ns = now_ns + BEAT_NS
        usage = resource.getrusage(resource.RUSAGE_SELF)
        failures = self._failures + sum(place.studio.failures for place in self._places.values())
        outputs = sum(len(place.studio.outputs) for place in self._places.values())
        self._tell(Heartbeat(len(self._places), outputs, round((usage.ru_utime + usage.ru_stime) * 1e6), self._late, failures,
                             self._dropped))
        if now_ns >= self._figures_ns:
            self._pace(now_ns)
            self._figures_ns = now_ns + FIGURES_NS
            frame_rate = round(1e9 / (TICK_NS * self._slowness))
            for place in self._places.values():
                for figures in place.studio.figures(frame_rate):
                    self._tell(figures)

    def _pace(self, now_ns: int) -> None:
        """Fewer pictures where the last second was full of work, more where it was not."""
        share = self._busy_ns / max(FIGURES_NS, now_ns - self._figures_ns + FIGURES_NS)
        self._busy_ns = 0
        self._slowness = paced(self._slowness, share)

    def _tell(self, message: PictureMessage) -> None:
        try:
            self._control.send(pack(message))
        except BlockingIOError:
            self._dropped += 1
        except OSError:                     # control is gone: the loop finds out by reading
            return
