"""Control's side of the desktop relay: starts the process, tells it what to expect, hears what happened, replaces it.

    async with DesktopRelay(on_report) as relay:
        relay.open_door(Door.PHONES, listener)
        word = relay.open_desktop(OpenDesktop(…))

A relay that died takes its sessions with it: each is reported as ended, and the rooms go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from types import TracebackType

from mcu.engine.channel import Channel
from mcu.engine.supervisor import CHECK_S, MISSED_CHECKS, START_S, STOP_S
from mcu.errors import McuError
from mcu.messages import Heartbeat
from mcu.relay.messages import (
    CloseDesktop,
    DesktopEnded,
    Door,
    OpenDesktop,
    OpenDoor,
    RelayMessage,
    RelayReady,
    RelayReport,
    SetHolder,
    pack,
    parse,
)

RESTART_S = 0.5
"""Before another try with a relay that died."""

logger = logging.getLogger(__name__)


class DesktopRelay:
    """The relay of this server. on_report: is told everything but heartbeats. name: host names and addresses for its
    certificate, with commas between.

    certificate: in DER, once it runs; another one after a restart. restarts: how often it was replaced.
    """

    def __init__(self, on_report: Callable[[RelayReport], None], name: str = "confero") -> None:
        self.certificate = b""
        self.pid = 0
        self.restarts = 0
        self.has_started = asyncio.Event()
        self._name = name
        self._on_report = on_report
        self._doors: list[tuple[Door, socket.socket]] = []
        self._sessions: set[int] = set()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> DesktopRelay:
        """Start it. Raises McuError when it does not come up."""
        self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(START_S):
                await self.has_started.wait()
        except TimeoutError:
            await self._stop()
            raise McuError("the desktop relay did not start; the log says why") from None
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """End all sessions and the process."""
        await self._stop()

    @property
    def is_running(self) -> bool:
        """Whether there is a process that hears what it is told."""
        return self._channel is not None

    def open_door(self, door: Door, listener: socket.socket) -> None:
        """Let it take the connections of a listening socket, which stays the caller's and open."""
        self._doors.append((door, listener))
        if self._channel is not None:
            self._channel.send(OpenDoor(door), (listener.fileno(),))

    def open_desktop(self, opened: OpenDesktop) -> None:
        """Let it expect the two ends of a desktop."""
        self._sessions.add(opened.session_id)
        self._send(opened)

    def set_holder(self, session_id: int, participant_id: int) -> None:
        """Tell who holds the floor; 0 for nobody."""
        self._send(SetHolder(session_id, participant_id))

    def close_desktop(self, session_id: int) -> None:
        """End a session."""
        self._send(CloseDesktop(session_id))

    def _send(self, command: OpenDesktop | SetHolder | CloseDesktop) -> None:
        if self._channel is not None:
            self._channel.send(command)

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._run_process()
            except OSError as error:
                logger.error("the desktop relay could not be started: %s", error)
            self._lose_sessions()
            self.restarts += 1
            await asyncio.sleep(RESTART_S)

    async def _run_process(self) -> None:
        """One life of the relay."""
        self._channel = channel = Channel(self._receive, pack, parse)
        descriptor = channel.worker_end.fileno()
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mcu.relay", str(descriptor), self._name, pass_fds=(descriptor,),
                stdin=asyncio.subprocess.DEVNULL)
            channel.worker_end.close()
            self.pid = process.pid
            for door, listener in self._doors:
                channel.send(OpenDoor(door), (listener.fileno(),))
            await self._watch(process, channel)
        finally:
            channel.close()
            self._channel = None
            if process is not None:
                await asyncio.shield(_end(process))

    async def _watch(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        """Return when the relay is dead or hangs."""
        missed, heard = 0, 0
        while process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), CHECK_S)
            missed = 0 if channel.heartbeats != heard else missed + 1
            heard = channel.heartbeats
            if missed >= (MISSED_CHECKS if heard else START_S / CHECK_S) or channel.is_broken:
                break
        logger.error("the desktop relay died or hangs", extra={"pid": process.pid, "status": process.returncode})

    def _receive(self, message: RelayMessage) -> None:
        match message:
            case Heartbeat():
                return
            case RelayReady(certificate):
                self.certificate = certificate
                self.has_started.set()
            case DesktopEnded(session_id):
                self._sessions.discard(session_id)
            case OpenDoor() | OpenDesktop() | SetHolder() | CloseDesktop():
                logger.warning("the desktop relay sent a command", extra={"pid": self.pid})
                return
        self._on_report(message)

    def _lose_sessions(self) -> None:
        lost, self._sessions = self._sessions, set()
        for session_id in lost:
            self._on_report(DesktopEnded(session_id, "the relay had to be started again"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """See that the process ends: its line is closed, so it should by itself."""
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
