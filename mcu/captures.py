"""Captures of a running server: all of it, a room, or a call, each written as pcapng by a process of its own (`pcap.tap`).

What is written is plain: media as it is without SRTP, signalling as it is without TLS, without the keys in it and without the
PIN of `ROOM.PIN`. So a capture is a recording of what was said; its file is readable for its owner alone (mode 0600).
"""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mcu.errors import CommandError, McuError
from mcu.focus import Focus
from mcu.leg import CallLeg
from mcu.switchboard import Role, Switchboard
from pcap.tap import OUT, MessageInfo, Tap
from sip.flow import Flow

FOLDER = "captures"
LOOK_S = 1.0
"""How often names of new members are told, and ended processes are noticed."""
MAX_CAPTURES = 16
MAX_CALL_IDS = 20_000
"""Calls whose messages a capture takes; a room of a day has fewer."""
_PIN = re.compile(rb"(sips?:[a-z0-9-]{1,64})\.[0-9]{1,32}@", re.I)
_CALL_ID = re.compile(rb"\r\n(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]{1,256})", re.I)

Facts = dict[str, Any]
log = logging.getLogger(__name__)


class Taps(Protocol):
    """The media engine, as far as captures need it."""

    def open_tap(self, tap_id: int, sock: socket.socket, room_id: int = 0, leg_id: int = 0) -> None:
        """Let the workers show packets at a socket."""

    def close_tap(self, tap_id: int) -> None:
        """Let them show no more."""


@dataclass(slots=True)
class Capture:
    """One capture. what: in words; role: whose room it is, None for the whole server; leg_id: 0 for all legs."""

    id: int
    what: str
    path: Path
    tap: Tap
    process: subprocess.Popen[str]
    role: Role | None = None
    leg_id: int = 0
    call_ids: set[bytes] = field(default_factory=set)
    named: set[int] = field(default_factory=set)
    speaking: tuple[int, ...] = ()

    def facts(self) -> Facts:
        """For a listing."""
        return {"capture": self.what, "file": str(self.path), "dropped": self.tap.dropped}


class Captures:
    """The captures that go on. folder: of their files; max_bytes, files: limits of each.

    `watch` is to be the endpoint's, while `is_on`.
    """

    def __init__(self, folder: Path, engine: Taps, switchboard: Switchboard, changed: Callable[[], None], *,
                 max_bytes: int, files: int) -> None:
        self._folder = folder
        self._engine = engine
        self._switchboard = switchboard
        self._changed = changed
        self._limits = (str(max_bytes), str(files))
        self._captures: dict[str, Capture] = {}
        self._ending: list[subprocess.Popen[str]] = []
        self._last_id = 0

    @property
    def is_on(self) -> bool:
        """Whether there is a capture."""
        return bool(self._captures)

    # ---- commands

    def start_all(self, path: Path) -> Facts:
        """Capture the whole server into a file. Raises McuError when it can't be written."""
        return self._start("all", path, None, 0)

    def start_room(self, name: str) -> Facts:
        """Capture a room that is open. Raises CommandError."""
        focus = self._switchboard.foci.get(name.lower())
        if focus is None:
            raise CommandError(f"room {name!r} is not open; nobody is in it")
        return self._start(f"room {focus.name}", self._file(focus.name), focus, 0)

    def start_call(self, call_id: str) -> Facts:
        """Capture a call: of a member the way to the room, of a call between two both sides. Raises CommandError."""
        for role, legs in self._roles():
            for leg in legs:
                if leg.call.id == call_id:
                    leg_id = int(leg.media.leg_id) if isinstance(role, Focus) else 0
                    return self._start(f"call {call_id}", self._file(f"call-{call_id}"), role, leg_id, leg)
        raise CommandError(f"no call {call_id[:200]!r} is running")

    def stop(self, what: str) -> Facts:
        """End a capture: "room NAME", "call ID" or "all". Raises CommandError."""
        capture = self._captures.pop(what, None)
        if capture is None:
            raise CommandError(f"there is no capture of {what}")
        self._end(capture)
        return capture.facts()

    def close(self) -> None:
        """End all captures, and give their files a moment to be finished."""
        for what in list(self._captures):
            self.stop(what)
        for process in self._ending:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    def _file(self, name: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", name)[:60]
        return self._folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{plain}.pcapng"

    def _start(self, what: str, path: Path, role: Role | None, leg_id: int, leg: CallLeg | None = None) -> Facts:
        if what in self._captures:
            raise CommandError(f"there is a capture of {what} already: {self._captures[what].path}")
        if len(self._captures) >= MAX_CAPTURES:
            raise CommandError(f"{MAX_CAPTURES} captures are running; stop one first")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            path.open("ab").close()
            path.chmod(0o600)
            process = subprocess.Popen(
                [sys.executable, "-m", "pcap.tap_process", str(theirs.fileno()), str(path), *self._limits],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True)
        except OSError as error:
            ours.close()
            raise McuError(f"{path} can't be written: {error.strerror or error}") from None
        finally:
            theirs.close()
        self._last_id += 1
        self._engine.open_tap(self._last_id, ours, role.room_id or 0 if role is not None else 0, leg_id)
        capture = Capture(self._last_id, what, path, Tap(ours), process, role, leg_id)
        if leg is not None:
            capture.call_ids.add(_id_of(leg))
        self._captures[what] = capture
        log.info("capture begins", extra={"what": what, "file": str(path)})
        self._look_at(capture)
        self._changed()
        return capture.facts()

    def _end(self, capture: Capture) -> None:
        self._engine.close_tap(capture.id)
        capture.tap.close()
        self._ending.append(capture.process)
        log.info("capture ends", extra={"what": capture.what, "dropped": capture.tap.dropped})
        self._changed()

    # ---- while they run

    def watch(self, data: bytes, flow: Flow, is_out: bool) -> None:
        """A SIP message came or goes (`Endpoint.watch`)."""
        now_ns = time.time_ns()
        for capture in self._captures.values():
            if capture.role is not None and not self._belongs(capture, data):
                continue
            info = MessageInfo(flow.transport, flow.local, flow.remote)
            capture.tap.message(info, OUT * is_out, now_ns, _PIN.sub(rb"\1@", data))
            capture.tap.flush()

    def _belongs(self, capture: Capture, data: bytes) -> bool:
        found = _CALL_ID.search(data)
        if found is None:
            return False
        if found[1] in capture.call_ids:
            return True
        is_new = isinstance(capture.role, Focus) and not capture.leg_id and _is_for(capture.role.name, data)
        if is_new and len(capture.call_ids) < MAX_CALL_IDS:
            capture.call_ids.add(found[1])
        return is_new

    def look(self) -> None:
        """Tell names of new members; end captures of what is over, or that can't be written. Once a second."""
        for capture in list(self._captures.values()):
            self._look_at(capture)
            is_over = capture.role is not None and capture.role not in (role for role, _ in self._roles())
            if is_over or capture.process.poll() is not None:
                if not is_over:
                    log.error("a capture could not be written", extra={"what": capture.what, "file": str(capture.path)})
                del self._captures[capture.what]
                self._end(capture)
        self._ending = [process for process in self._ending if process.poll() is None]

    def _look_at(self, capture: Capture) -> None:
        for role, legs in self._roles():
            if capture.role not in (None, role):
                continue
            for leg in legs:
                leg_id = int(leg.media.leg_id)
                if capture.leg_id not in (0, leg_id):
                    continue
                capture.call_ids.add(_id_of(leg))
                if leg_id not in capture.named:
                    capture.named.add(leg_id)
                    capture.tap.name(leg_id, leg.identity.display_name or leg.identity.account or "")
            if isinstance(role, Focus) and capture.role is role and role.speaking != capture.speaking:
                capture.speaking = tuple(role.speaking)
                capture.tap.note(f"speaking now: {_names(role, capture.speaking)}")
        capture.tap.flush()

    def _roles(self) -> Iterable[tuple[Role, list[CallLeg]]]:
        board = self._switchboard
        roles: list[Role] = [*board.foci.values(), *board.services.values(), *board.user_calls, *board.attendants]
        for role in roles:
            yield role, list(role.legs)


def _id_of(leg: CallLeg) -> bytes:
    return leg.call.id.encode("utf-8", "surrogateescape")


def _is_for(room: str, data: bytes) -> bool:
    """Whether a message is a request to a room that begins something there."""
    line = data.partition(b"\r\n")[0].lower()
    return line.startswith((b"invite ", b"subscribe ", b"options ")) and (
        f":{room}@".encode() in line or re.search(rf":{re.escape(room)}\.[0-9]+@".encode(), line) is not None)


def _names(focus: Focus, leg_ids: Iterable[int]) -> str:
    known = {int(member.leg.media.leg_id): member.leg.identity for member in focus.members.values()}
    return ", ".join(known[one].display_name or known[one].account or "guest" for one in leg_ids if one in known) or "nobody"
