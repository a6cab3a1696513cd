"""The local control socket `DATA/control.sock` (mode 0600): how commands reach the running server.

One JSON object a line each way: {"verb": "room.list", "arguments": {}} is answered by {"ok": true, "result": …} or by
{"ok": false, "error": "…", "is_usage": false}. Who may open the socket is the operator; there is no password.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcu.errors import CommandError, McuError, UsageError
from mcu.storage.folder import DataLock

log = logging.getLogger(__name__)

FILE_NAME = "control.sock"
LONGEST_LINE = 64 * 1024
LONGEST_ANSWER = 16 * 1024 * 1024
"""A list of 10,000 calls is about 5 MB."""
MOST_CLIENTS = 64
IDLE_S = 30.0
"""How long a client may take for its next line, and for reading an answer."""

Execute = Callable[[str, dict[str, Any]], Any]


class NoServerError(McuError):
    """No server listens on the socket."""


class ControlServer:
    """Answers verbs on a socket; an async context manager.

    path: of the socket, in the data folder; execute: carries out a verb, raising CommandError in words; lock: the data
    folder's, when the caller holds it already.
    """

    def __init__(self, path: Path, execute: Execute, lock: DataLock | None = None, idle_s: float = IDLE_S) -> None:
        self._path = path
        self._execute = execute
        self._own_lock = DataLock(path.parent) if lock is None else None
        self._idle_s = idle_s
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ControlServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen; a file left by a server that died is replaced. Raises StorageError when another server is running."""
        if self._own_lock is not None:
            self._own_lock.acquire()
        listening = socket.socket(socket.AF_UNIX)
        try:
            os.fchmod(listening.fileno(), 0o600)
            self._path.unlink(missing_ok=True)
            with _short(self._path) as address:
                listening.bind(address)
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_LINE)
        except BaseException:
            listening.close()
            self._release()
            raise

    async def close(self) -> None:
        """Stop listening, end all clients, remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        if self._own_lock is not None:
            self._own_lock.release()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > MOST_CLIENTS:
                writer.write(_failure("too many commands at once; try again", False))
                return
            while (answer := await self._next_answer(reader)) is not None:
                writer.write(answer)
                async with asyncio.timeout(self._idle_s):
                    await writer.drain()
        except ValueError:
            writer.write(_failure(f"a command is one line of at most {LONGEST_LINE} bytes", True))
        except (OSError, TimeoutError):
            log.debug("a client of the control socket went away")
        finally:
            self._clients.discard(task)
            writer.close()

    async def _next_answer(self, reader: asyncio.StreamReader) -> bytes | None:
        """The answer to the next line; None at the end. Raises ValueError for a line that is too long."""
        async with asyncio.timeout(self._idle_s):
            line = await reader.readline()
        return self._answer(line) if line.endswith(b"\n") else None

    def _answer(self, line: bytes) -> bytes:
        try:
            verb, arguments = _parse(line)
            result = self._execute(verb, arguments)
            return json.dumps({"ok": True, "result": result}).encode() + b"\n"
        except McuError as error:
            return _failure(str(error), isinstance(error, UsageError))
        except Exception:  # one command costs itself, never the server
            log.exception("a command failed")
            return _failure("the command failed in the server; its log says more", False)


def call(path: Path, verb: str, arguments: dict[str, Any], timeout_s: float = IDLE_S) -> Any:
    """Ask the running server; blocks. Raises NoServerError where none listens, CommandError with the server's words."""
    request = json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n"
    if len(request) > LONGEST_LINE:
        raise UsageError(f"a command is at most {LONGEST_LINE} bytes long")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            with _short(path) as address:
                connection.connect(address)
        except PermissionError as error:
            raise CommandError(f"{path}: the server on this data folder belongs to another user") from error
        except OSError as error:
            raise NoServerError(f"no server listens on {path}") from error
        try:
            connection.sendall(request)
            with connection.makefile("rb") as answers:
                line = answers.readline(LONGEST_ANSWER)
        except OSError as error:
            raise CommandError("the server did not answer") from error
    return _result(line)


def _result(line: bytes) -> Any:
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return answer["result"]
        failure, is_usage = str(answer["error"]), bool(answer.get("is_usage"))
    except (ValueError, TypeError, KeyError) as error:
        raise CommandError("the server did not answer") from error
    raise UsageError(failure) if is_usage else CommandError(failure)


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError("a line with a JSON object was expected") from error
    if not isinstance(request, dict):
        raise UsageError("a line with a JSON object was expected")
    verb, arguments = request.get("verb"), request.get("arguments", {})
    if not isinstance(verb, str) or not isinstance(arguments, dict):
        raise UsageError('{"verb": "…", "arguments": {…}} was expected')
    return verb, arguments


def _failure(text: str, is_usage: bool) -> bytes:
    return json.dumps({"ok": False, "error": text, "is_usage": is_usage}).encode() + b"\n"


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path of a socket in at most 107 bytes, which is all that AF_UNIX takes."""
    if len(os.fsencode(path)) <= 107:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
