"""Control's side of the picture workers: starts a process when the first picture is to be composed, watches and replaces it.

    async with PictureWorkers(2) as workers:
        composer = workers(stage)

A worker that died or hangs is replaced within a second or so; its rooms go on, and meanwhile neither sound nor forwarded
pictures miss anything. The source whose picture was being decoded is remembered: its next death costs it its picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from mcu.engine.channel import Channel
from mcu.engine.composing import Stage
from mcu.engine.supervisor import CHECK_S, ONE_THREAD, START_S, STOP_S, WorkerFigures
from mcu.messages import Heartbeat
from mcu.picture.composing import RoomComposer
from mcu.picture.messages import (
    NOTE,
    OutputFigures,
    PictureCommand,
    PictureMessage,
    PictureReport,
    SourceFigures,
    StudioFigures,
    pack,
    parse,
)

MAX_BACKOFF_S = 10.0
MAX_STILLBORN = 2
"""So many that die before their first sign of life, and phones are shown who speaks until one lives."""
HANG_CPU_S, PATIENCE_S = 1.0, 8.0
"""A worker that has worked for so long without a sign of life hangs. On a busy machine it may be kept from working for longer:
it is the last in the line."""

logger = logging.getLogger(__name__)


class PictureWorker:
    """One place for a picture worker, and the rooms on it. `restarts`: how often it was replaced; pid 0: it does not run."""

    def __init__(self, on_report: Callable[[PictureReport], None]) -> None:
        self.rooms: dict[int, RoomComposer] = {}
        self.pid = self.restarts = 0
        self._may_blame = self._has_lived = False
        self._on_report = on_report
        self._channel: Channel | None = None
        self._note_fd = os.memfd_create("note", os.MFD_CLOEXEC)
        os.ftruncate(self._note_fd, NOTE.size)
        self._note = mmap.mmap(self._note_fd, NOTE.size)
        self._task: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(0, 0, 0, 0, 0, 0)

    def send(self, command: PictureCommand, descriptors: Sequence[int] = ()) -> None:
        """Send a command to the worker of now, which is started for its first."""
        if self._task is None:
            self._channel = Channel(self._receive, pack, parse)
            self._task = asyncio.create_task(self._run())
        if self._channel is not None:
            self._channel.send(command, descriptors)

    def figures(self) -> WorkerFigures:
        """What is known of the worker; rooms are its studios, legs its composed streams."""
        beat = self._heartbeat
        return WorkerFigures(self.pid, beat.rooms, beat.legs, beat.cpu_us / 1e6, beat.late_ticks, beat.failures, self.restarts)

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._note.close()
        os.close(self._note_fd)

    async def _run(self) -> None:
        backoff_s, stillborn = 0.0, 0
        loop = asyncio.get_running_loop()
        try:
            while True:
                begun = loop.time()
                try:
                    await self._run_process()
                except OSError as error:
                    logger.error("a picture worker could not be started: %s", error)
                stillborn = 0 if self._has_lived else stillborn + 1
                if stillborn >= MAX_STILLBORN:
                    for room in self.rooms.values():
                        room.rely_on(False)
                self._replace()
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2 + 0.1) if loop.time() - begun < START_S else 0.0
                await asyncio.sleep(backoff_s)
        finally:
            if self._channel is not None:
                self._channel.close()

    async def _run_process(self) -> None:
        """One life of the worker."""
        channel = self._channel
        assert channel is not None
        self._has_lived = False
        self.note(0, 0)
        descriptor = channel.worker_end.fileno()
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mcu.picture", str(descriptor), str(self._note_fd), pass_fds=(descriptor, self._note_fd),
                env=os.environ | ONE_THREAD, stdin=asyncio.subprocess.DEVNULL)
            channel.worker_end.close()
            self.pid = process.pid
            logger.info("picture worker started", extra={"pid": process.pid})
            await self._watch(process, channel)
            if process.returncode is None:
                process.kill()
        finally:
            self.pid = 0
            channel.close()
            if process is not None:
                await asyncio.shield(_end(process))

    async def _watch(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        """Return when the worker is dead or hangs: it says nothing for so long, of the processor's time or at all."""
        missed, heard, spent_s, is_stuck = 0, 0, 0.0, False
        while process.returncode is None and not channel.is_broken:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), CHECK_S)
            if channel.heartbeats != heard:
                missed, heard, spent_s = 0, channel.heartbeats, cpu_s(process.pid)
                continue
            missed += 1
            is_stuck = bool(heard) and missed > 1 and cpu_s(process.pid) - spent_s > HANG_CPU_S
            if is_stuck or missed * CHECK_S >= (PATIENCE_S if heard else START_S):
                break
        self._may_blame = process.returncode is not None or is_stuck
        logger.error("a picture worker died or hangs", extra={"pid": process.pid, "status": process.returncode})

    def note(self, studio_id: int, source_id: int) -> None:
        """Write down whose picture is being decoded, as the worker does."""
        NOTE.pack_into(self._note, 0, studio_id, source_id)

    def _replace(self) -> None:
        """A new line for the worker to come, with all that it must know of the old one's rooms."""
        self.restarts += 1
        self._heartbeat = Heartbeat(0, 0, 0, 0, 0, 0)
        self._channel = Channel(self._receive, pack, parse)
        studio_id, source_id = NOTE.unpack_from(self._note)
        for room in list(self.rooms.values()):
            room.recover(self, source_id if self._may_blame and room.studio_id == studio_id else 0)

    def _receive(self, message: PictureMessage) -> None:
        match message:
            case Heartbeat():
                self._heartbeat = message
                if not self._has_lived:
                    self._has_lived = True
                    for room in self.rooms.values():
                        room.rely_on(True)
            case SourceFigures() | OutputFigures() | StudioFigures():
                self._on_report(message)
            case _:
                logger.warning("a picture worker sent a command", extra={"pid": self.pid})


class PictureWorkers:
    """The picture workers of this server, none of which runs before it is needed. on_report: is told their figures."""

    def __init__(self, count: int = 1, on_report: Callable[[PictureReport], None] = lambda _: None) -> None:
        self.workers = [PictureWorker(on_report) for _ in range(max(1, count))]

    async def __aenter__(self) -> PictureWorkers:
        """Be ready."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """End all rooms and workers."""
        for worker in self.workers:
            for room in list(worker.rooms.values()):
                room.close()
            await worker.stop()

    def figures(self) -> list[WorkerFigures]:
        """What is known of those that run."""
        return [worker.figures() for worker in self.workers if worker.pid]

    def __call__(self, stage: Stage) -> RoomComposer:
        """The composer of a room, on the least loaded worker."""
        worker = min(self.workers, key=lambda one: len(one.rooms))
        room = worker.rooms[stage.room_id] = RoomComposer(stage, worker, lambda: worker.rooms.pop(stage.room_id, None))
        return room



def cpu_s(pid: int) -> float:
    """CPU time that a process of ours has taken, in s; 0 for one that is gone, and where the system has no such files."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _end(process: asyncio.subprocess.Process) -> None:
    """See that the process ends: its line is closed, so it should by itself."""
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
