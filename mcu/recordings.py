"""Recordings of rooms: who records, into which folder, and the process that writes each (`mcu.recording`).

A recording is a folder `recordings/ROOM-DATE` with the mix, a file for each person who was heard, and a JSON. All members are
told when it begins, pauses and ends, who comes later is told too, and the roster shows it. When the process that writes dies,
another one takes its place, with files of a new part beside those of the old one.
"""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcu.errors import CommandError, McuError
from mcu.focus import Focus
from mcu.recording.files import FORMS
from mcu.recording.line import Sender
from mcu.recording.listing import listed

LOOK_S = 1.0
"""How often names of new members are told, and processes that died are replaced."""
MAX_RECORDINGS = 32
MAX_PARTS = 20
"""A recorder that dies so often won't live."""

Facts = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recording:
    """One recording. by: who began it; part: from 1; sender: control's way to the process."""

    id: int
    focus: Focus
    folder: Path
    form: str
    by: str
    sender: Sender
    process: subprocess.Popen[str]
    part: int = 1
    is_paused: bool = False
    named: dict[int, str] = field(default_factory=dict)

    def facts(self) -> Facts:
        """For a listing."""
        return {"room": self.focus.name, "state": "paused" if self.is_paused else "recording", "folder": str(self.folder),
                "form": self.form, "by": self.by, "part": self.part}


class Recordings:
    """The recordings that go on. folder: of all recordings; changed: called when `is_on` may have."""

    def __init__(self, folder: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._changed = changed
        self._recordings: dict[Focus, Recording] = {}
        self._ending: list[subprocess.Popen[str]] = []
        self._forms: dict[Focus, str] = {}
        self._results: dict[Focus, Facts | McuError] = {}
        self._last_id = 0

    @property
    def is_on(self) -> bool:
        """Whether there is a recording."""
        return bool(self._recordings)

    # ---- commands

    def prefer(self, focus: Focus, form: str) -> None:
        """The form of the recording of a room that begins next. Raises CommandError."""
        if form not in FORMS:
            raise CommandError(f"{' or '.join(FORMS)} was expected, not {form[:40]!r}")
        self._forms = {one: wanted for one, wanted in self._forms.items() if not one.is_over} | {focus: form}

    def perform(self, focus: Focus, action: str, by: str) -> str:
        """Carry out what the rules of a room have decided; "", or why not. One that can't begin is told to the members."""
        try:
            self._results[focus] = self.execute(focus, action, by)
        except McuError as error:
            self._results[focus] = error
            if action == "start":
                log.error("a recording could not begin", extra={"room": focus.name, "reason": str(error)})
                focus.set_recording("", is_failed=True)
            return str(error)
        self._results = {one: result for one, result in self._results.items() if not one.is_over}
        return ""

    def result(self, focus: Focus) -> Facts:
        """What came of the last order. Raises McuError."""
        result = self._results.get(focus)
        if isinstance(result, dict):
            return result
        raise result if result is not None else CommandError(f"room {focus.name!r} is not being recorded")

    def execute(self, focus: Focus, action: str, by: str) -> Facts:
        """Carry out start, pause, resume or stop; what is recorded, as in a listing. Raises CommandError, McuError."""
        match action:
            case "start":
                return self._start(focus, by, self._forms.pop(focus, "opus"))
            case "pause" | "resume":
                return self._set_paused(focus, action == "pause")
            case "stop":
                recording = self._of(focus)
                self._end(recording)
                focus.set_recording("")
                return recording.facts() | {"state": "stopped"}
        raise CommandError(f"start, pause, resume or stop was expected, not {action[:40]!r}")

    def _of(self, focus: Focus) -> Recording:
        recording = self._recordings.get(focus)
        if recording is None:
            raise CommandError(f"room {focus.name!r} is not being recorded")
        return recording

    def _start(self, focus: Focus, by: str, form: str) -> Facts:
        if focus in self._recordings:
            raise CommandError(f"room {focus.name!r} is being recorded already: {self._recordings[focus].folder}")
        if len(self._recordings) >= MAX_RECORDINGS:
            raise CommandError(f"{MAX_RECORDINGS} rooms are being recorded; stop one first")
        folder = self._new_folder(focus.name)
        sender, process, ours = self._begin(folder, form, 1)
        self._last_id += 1
        recording = self._recordings[focus] = Recording(self._last_id, focus, folder, form, by, sender, process)
        self._connect(recording, ours)
        log.info("recording begins", extra={"room": focus.name, "by": by, "folder": str(folder)})
        focus.set_recording("recording")
        self._changed()
        return recording.facts()

    def _new_folder(self, name: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", name)[:60]
        wanted = f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for more in ("", *(f"-{number}" for number in range(2, 100))):
                folder = self._folder / f"{wanted}{more}"
                if not folder.exists():
                    folder.mkdir(mode=0o700)
                    return folder
        except OSError as error:
            raise McuError(f"{self._folder / wanted} can't be made: {error.strerror or error}") from None
        raise McuError(f"{self._folder / wanted} is there already")

    def _begin(self, folder: Path, form: str, part: int) -> tuple[Sender, subprocess.Popen[str], socket.socket]:
        """A process that records; control's way to it, and the worker's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "mcu.recording", str(theirs.fileno()), str(folder), form, str(part)],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True)
        except OSError as error:
            ours.close()
            raise McuError(f"the recorder can't be started: {error.strerror or error}") from None
        finally:
            theirs.close()
        return Sender(ours.dup()), process, ours

    def _connect(self, recording: Recording, ours: socket.socket) -> None:
        """Tell a new process what it has to know, and let the room's worker tell it the sound."""
        with ours:
            recording.focus.media_room.sound.record(recording.id, ours)
        recording.sender.fact("room", room=recording.focus.name, uri=recording.focus.entity, by=recording.by)
        if recording.is_paused:
            recording.sender.fact("pause")
        recording.named.clear()
        self._name(recording)

    def _set_paused(self, focus: Focus, is_paused: bool) -> Facts:
        recording = self._of(focus)
        if recording.is_paused == is_paused:
            raise CommandError(f"the recording of room {focus.name!r} is {'paused already' if is_paused else 'not paused'}")
        recording.is_paused = is_paused
        recording.sender.fact("pause" if is_paused else "resume")
        log.info("recording is paused" if is_paused else "recording goes on", extra={"room": focus.name})
        focus.set_recording("paused" if is_paused else "recording")
        return recording.facts()

    def _end(self, recording: Recording) -> None:
        self._recordings.pop(recording.focus, None)
        recording.focus.media_room.sound.stop_recording(recording.id)
        recording.sender.close()
        self._ending.append(recording.process)
        log.info("recording ends", extra={"room": recording.focus.name, "folder": str(recording.folder)})
        self._changed()

    def close(self) -> None:
        """End all recordings, and give their files a moment to be finished."""
        for recording in list(self._recordings.values()):
            self._end(recording)
        for process in self._ending:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    # ---- while they run

    def look(self) -> None:
        """Tell who has come and gone; replace a process that died; end what is over. Once a second."""
        for recording in list(self._recordings.values()):
            if recording.focus.is_over:
                self._end(recording)
            elif recording.process.poll() is not None:
                self._replace(recording)
            else:
                self._name(recording)
        self._ending = [process for process in self._ending if process.poll() is None]

    def _replace(self, recording: Recording) -> None:
        focus, status = recording.focus, recording.process.returncode
        focus.media_room.sound.stop_recording(recording.id)
        recording.sender.close()
        log.error("a recorder died; another one begins a new part", extra={"room": focus.name, "status": status})
        try:
            if recording.part >= MAX_PARTS or status == 1:
                raise McuError("its files can't be written; is the disk full?")
            recording.sender, recording.process, ours = self._begin(recording.folder, recording.form, recording.part + 1)
        except McuError as error:
            log.error("a recording is given up", extra={"room": focus.name, "reason": str(error)})
            self._end(recording)
            focus.set_recording("", is_failed=True)
            return
        recording.part += 1
        self._last_id += 1
        recording.id = self._last_id
        self._connect(recording, ours)

    def _name(self, recording: Recording) -> None:
        """Tell who is there of whom it was not told, and who is there no more."""
        present: dict[int, str] = {}
        for member in recording.focus.members.values():
            leg_id, identity = int(member.leg.media.leg_id), member.leg.identity
            name = present[leg_id] = identity.display_name or identity.account or "guest"
            if recording.named.get(leg_id) != name:
                recording.sender.fact("person", leg_id=leg_id, name=name, uri=identity.entity,
                                      joined_at=member.leg.record.started_at)
        for leg_id in recording.named.keys() - present.keys():
            recording.sender.fact("left", leg_id=leg_id)
        recording.named = present
        recording.sender.flush()

    # ---- what there is

    def list(self) -> list[Facts]:
        """Every recording in the folder, newest first: room, state, folder, seconds, begun_at, by, files, parts."""
        running = {recording.folder: recording for recording in self._recordings.values()}
        return [{**facts, "state": running[folder].facts()["state"] if folder in running else facts["state"]}
                for folder, facts in listed(self._folder)]
