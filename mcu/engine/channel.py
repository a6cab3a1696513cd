"""Control's end of the line to one worker: messages with descriptors, never waiting, in a bounded queue when it is busy."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mcu.errors import ProtocolError
from mcu.messages import MAX_MESSAGE, Heartbeat, pack, parse

MAX_WAITING = 8192
"""Messages that wait for a busy worker; when it is full the worker counts as hung."""
MAX_READS = 256
"""Reports taken in one turn of the loop, so that calls are answered in between."""

logger = logging.getLogger(__name__)


class Channel:
    """A SOCK_SEQPACKET pair: `worker_end` goes to the process, the other end is ours.

    pack, parse: how messages are written and read, a worker's if not told otherwise.
    is_broken: the other end is gone, or can't keep up; heartbeats: how many came; bad: messages that were none.
    """

    def __init__(self, on_message: Callable[[Any], None], pack: Callable[[Any], bytes] = pack,
                 parse: Callable[[bytes], Any] = parse) -> None:
        ours, self.worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.is_broken = False
        self.heartbeats = self.bad = 0
        self._socket = ours
        self._on_message, self._pack, self._parse = on_message, pack, parse
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours.fileno(), self._read)

    def send(self, command: Any, descriptors: Sequence[int] = ()) -> None:
        """Send a command; descriptors are duplicated, the caller keeps its own. A broken channel takes nothing."""
        if self.is_broken:
            return
        data = self._pack(command)
        if not self._waiting and self._try(data, descriptors):
            return
        if len(self._waiting) >= MAX_WAITING:
            self.is_broken = True
            return
        self._waiting.append((data, [os.dup(descriptor) for descriptor in descriptors]))
        self._loop.add_writer(self._socket.fileno(), self._flush)

    def _try(self, data: bytes, descriptors: Sequence[int]) -> bool:
        try:
            if descriptors:
                socket.send_fds(self._socket, [data], list(descriptors))
            else:
                self._socket.send(data)
        except BlockingIOError:
            return False
        except OSError:
            self.is_broken = True
        return True

    def _flush(self) -> None:
        while self._waiting and self._try(*self._waiting[0]):
            _close_all(self._waiting.popleft()[1])
        if not self._waiting:
            self._loop.remove_writer(self._socket.fileno())

    def _read(self) -> None:
        for _ in range(MAX_READS):
            try:
                data = self._socket.recv(MAX_MESSAGE + 1)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.is_broken = True
                self._loop.remove_reader(self._socket.fileno())
                return
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        try:
            message = self._parse(data)
        except ProtocolError:
            self.bad += 1
            logger.warning("a worker sent no message", exc_info=True)
            return
        self.heartbeats += isinstance(message, Heartbeat)
        try:
            self._on_message(message)
        except Exception:
            logger.exception("a report could not be handled")

    def close(self) -> None:
        """End the line; the worker ends when it notices. A second call does nothing."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
        self.worker_end.close()
        self.is_broken = True
        while self._waiting:
            _close_all(self._waiting.popleft()[1])


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
