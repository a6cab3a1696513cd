"""The media engine as control sees it: some workers, and rooms that are placed on the least loaded one."""

from __future__ import annotations

import asyncio
import logging
import resource
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from mcu.engine.base import Engine
from mcu.engine.composing import ComposerFactory
from mcu.engine.handles import RoomMedia
from mcu.engine.notices import MediaNotice
from mcu.engine.ports import PortRange
from mcu.engine.settings import EngineSettings
from mcu.engine.supervisor import START_S, Supervisor, WorkerFigures
from mcu.errors import McuError
from mcu.messages import ROOM_KINDS, OpenTap
from rtp.keying.certificate import Certificate

__all__ = ["EngineSettings", "WorkerFigures", "WorkerPool"]

LINGER_S = 0.5
"""How long after its end a room is known by its worker's last messages."""
logger = logging.getLogger(__name__)


class WorkerPool:
    """The workers, as an async context: inside of it they run, at its end all media is over.

    on_notice: called in the loop's thread; compose: makes who composes pictures for a room. Raises ValueError for a port range
    without a pair.
    """

    def __init__(self, settings: EngineSettings, on_notice: Callable[[MediaNotice], None],
                 compose: ComposerFactory | None = None) -> None:
        ports = PortRange(settings.first_port, settings.last_port)
        certificate = Certificate.create(datetime.now(UTC))          # a room may want SRTP where the server does without
        self._engine = Engine(settings, ports, on_notice, secrets.token_urlsafe(12), certificate, compose=compose)
        self._workers: list[Supervisor] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._last_room = 0

    async def __aenter__(self) -> WorkerPool:
        """Start the workers. Raises McuError when one does not come up."""
        _raise_file_limit()
        for _ in range(max(1, self._engine.settings.workers)):
            worker = Supervisor(self._engine.on_notice, self._engine.settings.prompts)
            self._workers.append(worker)
            self._tasks.append(asyncio.create_task(worker.run()))
        try:
            async with asyncio.timeout(START_S):
                await asyncio.gather(*(worker.has_started.wait() for worker in self._workers))
        except TimeoutError:
            await self._stop()
            raise McuError("the media workers did not start; the log says why") from None
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """End all rooms and workers."""
        await self._stop()

    async def _stop(self) -> None:
        for room in [room for worker in self._workers for room in worker.rooms.values()]:
            room.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def open_room(self, kind: str = "mix") -> RoomMedia:
        """A room on the least loaded worker. kind: one of `mcu.messages.ROOM_KINDS`. Raises ValueError for another."""
        if kind not in ROOM_KINDS:
            raise ValueError(f"there is no room of the kind {kind!r}; kinds are {', '.join(ROOM_KINDS)}")
        worker = min(self._workers, key=lambda one: (not one.is_up, one.load))
        self._last_room = self._last_room % 0xFFFFFFFF + 1
        room = RoomMedia(self._last_room, kind, self._engine, worker, lambda closed: _forget(worker, closed))
        worker.rooms[room.room_id] = room
        return room

    def open_tap(self, tap_id: int, sock: socket.socket, room_id: int = 0, leg_id: int = 0) -> None:
        """Let all workers, and their successors, show packets at a socket. room_id 0: of all rooms; leg_id 0: of all legs."""
        for worker in self._workers:
            worker.open_tap(OpenTap(room_id, leg_id, tap_id), sock)

    def close_tap(self, tap_id: int) -> None:
        """Let them show no more; an unknown one is no error."""
        for worker in self._workers:
            worker.close_tap(tap_id)

    def has_leg(self, leg_id: int) -> bool:
        """Whether a leg of any room has that id."""
        return any(leg_id in room.legs for worker in self._workers for room in worker.rooms.values())

    @property
    def certificate(self) -> Certificate:
        """Of this run, for what is protected by fingerprints."""
        assert self._engine.certificate is not None
        return self._engine.certificate

    def some_ports(self) -> list[int]:
        """Ports of the range to try for what is no media."""
        return self._engine.ports.some()

    def figures(self) -> list[WorkerFigures]:
        """What is known of each worker."""
        return [worker.figures() for worker in self._workers]


def _forget(worker: Supervisor, room: RoomMedia) -> None:
    """A room is closed; what its worker still has of the handshakes of legs that moved on is waited for."""
    if room.has_moved_legs:
        asyncio.get_running_loop().call_later(LINGER_S, worker.rooms.pop, room.room_id, None)
    else:
        worker.rooms.pop(room.room_id, None)


def _raise_file_limit() -> None:
    """As many descriptors as the system allows: a leg has two here and two at its worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            logger.warning("the limit of open files stays at %d: %s", soft, error)
