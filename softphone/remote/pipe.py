"""A connection of a shared desktop: a socket, and TLS by fingerprint on it (`rtp.keying.tls`) when it is not on loopback.

For a thread that waits in `select` together with a screen: nothing here blocks, and `wait` is the one place where time passes.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from rtp.keying.tls import TlsClosed, TlsData, TlsEndpoint

MAX_READ = 1 << 18
"""Bytes taken in one turn, so that the screen gets its turn, too."""


class Pipe:
    """Bytes to and from the other end. tls: the endpoint that protects them, or None. is_open: until either end closes it.

    reason: why it is no longer open, when TLS says so.
    """

    def __init__(self, sock: socket.socket, tls: TlsEndpoint | None = None) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_open = True
        self.reason = ""
        self._socket = sock
        self._tls = tls
        self._out = bytearray()
        self._early: list[bytes] = []

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent is with the system, so that more may be."""
        return not self._out and not self._early

    def wait(self, timeout_s: float, also: Sequence[int] = ()) -> None:
        """Until bytes can be read or sent, one of the descriptors in `also` has something, or time is up."""
        if not self.is_open:
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._out else 0))
        for descriptor in also:
            poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, timeout_s) * 1000)

    def send(self, data: bytes) -> None:
        """Send bytes; what the system doesn't take waits here."""
        if self._tls is None:
            self._out += data
        elif self._tls.state == "connected":
            self._tls.send(data)
        elif data:
            self._early.append(data)
        self.flush()

    def receive(self) -> bytes:
        """What came since the last time; nothing is a reason to look at `is_open`."""
        received = bytearray()
        while self.is_open and len(received) < MAX_READ:
            try:
                data = self._socket.recv(65536)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if self._tls is None:
                received += data
                self.is_open = bool(data)
            else:
                received += self._unprotect(self._tls, data)
        self.flush()
        return bytes(received)

    def flush(self) -> None:
        """Send what waits, as far as the system takes it."""
        if self._tls is not None:
            self._tls.handle_timer(time.monotonic())
            self._out += self._tls.data_to_send()
        try:
            while self._out and self.is_open:
                del self._out[:self._socket.send(memoryview(self._out)[:MAX_READ])]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.is_open = False

    def close(self) -> None:
        """Say good-bye and close the socket."""
        if self._tls is not None:
            self._tls.close()
        self.flush()
        self.is_open = False
        self._socket.close()

    def _unprotect(self, tls: TlsEndpoint, data: bytes) -> bytes:
        tls.receive_data(data, time.monotonic())
        received = bytearray()
        while (event := tls.next_event()) is not None:
            if isinstance(event, TlsData):
                received += event.data
            elif isinstance(event, TlsClosed):
                self.is_open, self.reason = False, event.reason
        if tls.state == "connected" and self._early:
            early, self._early = self._early, []
            for waiting in early:
                tls.send(waiting)
        return bytes(received)
