"""Watches one media worker: starts it, hears its heart, replaces it when it has died or hangs.

The rooms stay: what is to be told of them waits in the successor's line before it is born, so that they go on as soon as it is
there. Control keeps the sockets open all the while, and one that hangs is dead before its successor reads them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcu.engine.channel import Channel
from mcu.engine.handles import RoomMedia
from mcu.engine.notices import AddressLearnt, DtmfPressed, MediaNotice, PlayerChanged, RoomLost, SpeakersChanged
from mcu.messages import CloseTap, Command, HandshakeReceived, Heartbeat, LegReport, Message, OpenTap, StreamsReport
from mcu.video_messages import Report as PictureReport

CHECK_S = 0.25
"""How often a worker tells that it lives, and how often we look."""
MISSED_CHECKS = 6
"""So many looks without a sign of life, 1.5 s, and it hangs. Looks are counted, not seconds: we may have been busy too."""
START_S = 20.0
"""How long a new worker may take to its first sign of life on a busy machine."""
STOP_S = 2.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker is one a core; numpy's own threads would only spin beside it."""
MAX_BACKOFF_S = 10.0
"""The longest pause before another try with a worker that dies again and again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """A worker as it last told. pid 0: it is being started; restarts: how often it was replaced; recovered: rooms that began
    again; recovery_s: from the end of the last one to the first sign of life of its successor."""

    pid: int
    rooms: int
    legs: int
    cpu_s: float
    late_ticks: int
    failures: int = 0
    restarts: int = 0
    recovered: int = 0
    recovery_s: float = 0.0


class Supervisor:
    """One place for a worker, and the rooms on the worker that fills it now. is_up: it has given a sign of life.

    prompts: the folder of what is said to callers.
    """

    def __init__(self, on_notice: Callable[[MediaNotice], None], prompts: Path | None = None) -> None:
        self._arguments = [] if prompts is None else [str(prompts)]
        self.rooms: dict[int, RoomMedia] = {}
        self.has_started = asyncio.Event()
        self.is_up = False
        self.pid = 0
        self.restarts = self.recovered = 0
        self._ended_at = self._recovery_s = 0.0
        self._taps: dict[int, tuple[OpenTap, socket.socket]] = {}
        self._on_notice = on_notice
        self._heartbeat = Heartbeat(0, 0, 0, 0, 0, 0)
        self._channel = Channel(self._receive)

    @property
    def load(self) -> tuple[int, int]:
        """Legs and rooms, for the choice of the least loaded."""
        return sum(len(room.legs) for room in self.rooms.values()), len(self.rooms)

    def figures(self) -> WorkerFigures:
        """What is known of the worker."""
        beat = self._heartbeat
        return WorkerFigures(self.pid, beat.rooms, beat.legs, beat.cpu_us / 1e6, beat.late_ticks, beat.failures, self.restarts,
                             self.recovered, round(self._recovery_s, 3))

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Send a command to the worker of now."""
        self._channel.send(command, descriptors)

    def open_tap(self, message: OpenTap, sock: socket.socket) -> None:
        """Let the worker of now, and those after it, show packets at a socket."""
        self._taps[message.tap_id] = message, sock.dup()
        self.send(message, [sock.fileno()])

    def close_tap(self, tap_id: int) -> None:
        """Let it show no more; an unknown one is no error."""
        message, sock = self._taps.pop(tap_id, (None, None))
        if message is not None and sock is not None:
            sock.close()
            self.send(CloseTap(message.room_id, tap_id))

    async def run(self) -> None:
        """Keep a worker running until cancelled."""
        backoff_s = 0.0
        try:
            while True:
                begun = asyncio.get_running_loop().time()
                try:
                    await self._run_worker()
                except Exception:
                    logger.exception("a media worker could not be watched")
                self._replace()
                is_early = asyncio.get_running_loop().time() - begun < START_S
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2 + 0.1) if is_early else 0.0
                await asyncio.sleep(backoff_s)
        finally:
            self._channel.close()
            for tap_id in list(self._taps):
                self._taps.pop(tap_id)[1].close()

    async def _run_worker(self) -> None:
        """One life of a worker, from its start to its end."""
        channel = self._channel
        descriptor = channel.worker_end.fileno()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mcu.worker", str(descriptor), *self._arguments, pass_fds=(descriptor,),
                env=os.environ | ONE_THREAD, stdin=asyncio.subprocess.DEVNULL)
        except OSError as error:
            logger.error("a media worker could not be started: %s", error)
            return
        channel.worker_end.close()
        self.pid = process.pid
        logger.info("media worker started", extra={"pid": process.pid})
        try:
            await self._watch(process, channel)
            if process.returncode is None:
                process.kill()
        finally:
            channel.close()
            await asyncio.shield(_end(process))

    async def _watch(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        """Return when the worker is dead or must die."""
        ended = asyncio.ensure_future(process.wait())
        missed, heard = 0, 0
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=CHECK_S)
                missed = 0 if channel.heartbeats != heard else missed + 1
                heard = channel.heartbeats
                for room in list(self.rooms.values()):
                    room.handle_timer()
                if ended.done():
                    logger.error("media worker died", extra={"pid": process.pid, "status": process.returncode})
                elif missed >= (MISSED_CHECKS if heard else START_S / CHECK_S) or channel.is_broken:
                    logger.error("media worker hangs", extra={"pid": process.pid})
                    return
        finally:
            ended.cancel()

    def _replace(self) -> None:
        """A new line for the worker to come, with all that it must know of the old one's rooms."""
        self.pid = 0
        self.is_up = False
        self.restarts += 1
        self._heartbeat = Heartbeat(0, 0, 0, 0, 0, 0)
        self._channel = Channel(self._receive)
        self._ended_at = asyncio.get_running_loop().time()
        for message, sock in self._taps.values():
            self.send(message, [sock.fileno()])
        for room in list(self.rooms.values()):
            self._recover(room)

    def _recover(self, room: RoomMedia) -> None:
        """Begin a room again, or give it up when it fails too often."""
        try:
            is_kept = room.recover(asyncio.get_running_loop().time())
        except Exception:
            logger.exception("a media room could not begin again", extra={"room": room.room_id})
            is_kept = False
        if is_kept:
            self.recovered += 1
            logger.warning("a media room begins again", extra={"room": room.room_id})
            return
        logger.error("a media room is given up", extra={"room": room.room_id})
        del self.rooms[room.room_id]
        room.lose()
        self._tell(RoomLost(room.room_id))

    def _receive(self, message: Message) -> None:
        if isinstance(message, PictureReport):
            if message.room_id in self.rooms:
                self.rooms[message.room_id].pictures.receive(message)
            return
        match message:
            case LegReport(room_id):
                if room_id in self.rooms:
                    self.rooms[room_id].receive_figures(message)
            case StreamsReport(room_id):
                if room_id in self.rooms:
                    self.rooms[room_id].receive_streams(message)
            case HandshakeReceived(room_id):
                if room_id in self.rooms:
                    self.rooms[room_id].receive_handshake(message)
            case Heartbeat():
                self._heartbeat = message
                if not self.is_up and self._ended_at:
                    self._recovery_s = asyncio.get_running_loop().time() - self._ended_at
                self.is_up = True
                self.has_started.set()
            case RoomLost(room_id):
                if room_id in self.rooms:
                    self._recover(self.rooms[room_id])
            case DtmfPressed() | SpeakersChanged() | AddressLearnt() | PlayerChanged():
                if message.room_id in self.rooms:
                    if isinstance(message, AddressLearnt):
                        self.rooms[message.room_id].learn(message)
                    self._tell(message)
            case _:
                logger.warning("a worker sent a command", extra={"pid": self.pid})

    def _tell(self, notice: MediaNotice) -> None:
        try:
            self._on_notice(notice)
        except Exception:
            logger.exception("a notice could not be handled")


async def _end(process: asyncio.subprocess.Process) -> None:
    """See that the process ends: its line is closed, so it should by itself."""
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
