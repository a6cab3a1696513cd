"""One connection to the relay: a socket that never blocks, TLS on it, bytes that wait to be sent, and who reads."""

from __future__ import annotations

import socket
from collections.abc import Callable

from rtp.keying.certificate import Fingerprint
from rtp.keying.tls import TlsClosed, TlsConnected, TlsData, TlsEndpoint

MAX_READ = 1 << 17
"""Bytes taken from one connection in a turn of the loop."""
MAX_WAITING = 1 << 20
"""Bytes for a slow end that are kept; while there are more, the other end is not read."""

KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 2), (socket.TCP_USER_TIMEOUT, 20_000))
"""A peer that is gone without a word is noticed within 20 s, whether there is something to send or not."""


class Link:
    """on_data: is called with bytes as they are inside TLS, empty ones when the other end is gone. tls: None for none.

    fingerprint: of the peer's certificate, once TLS stands. opened_at: monotonic s. watched: the selector's events, 0 for none.
    """

    def __init__(self, sock: socket.socket, now: float, tls: TlsEndpoint | None = None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket = sock
        self.opened_at = now
        self.fingerprint: Fingerprint | None = None
        self.on_data: Callable[[bytes, float], None] = lambda data, now: None
        self.on_tls: Callable[[float], None] = lambda now: None
        self.is_open = True
        self.watched = 0
        self._tls = tls
        self._out = bytearray()
        self._is_ending = False

    @property
    def is_busy(self) -> bool:
        """Whether so much waits to be sent that no more should come."""
        return len(self._out) > MAX_WAITING

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the socket takes them."""
        if not data or self._is_ending:
            return
        if self._tls is None:
            self._out += data
        elif self._tls.state == "connected":
            self._tls.send(data)
        self.flush()

    def start_tls(self, tls: TlsEndpoint, rest: bytes, now: float) -> None:
        """Protect all that follows; rest: bytes that came already and belong to it."""
        self.flush()
        self._tls = tls
        if rest:
            self._receive_tls(tls, rest, now)
        self.flush()

    def read(self, now: float) -> None:
        """The socket has something."""
        try:
            data = self.socket.recv(MAX_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if self._is_ending:
            self.is_open = bool(data) and self.is_open
        elif self._tls is None:
            self._deliver(data, now)
        else:
            self._receive_tls(self._tls, data, now)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it; close it when that was all, and the end."""
        if self._tls is not None:
            self._out += self._tls.data_to_send()
        try:
            while self._out and self.is_open:
                del self._out[:self.socket.send(memoryview(self._out)[:MAX_READ])]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.is_open = False
        if self._is_ending and not self._out:
            self.is_open = False

    def end(self) -> None:
        """Send what waits, then close."""
        if not self._is_ending:
            if self._tls is not None:
                self._tls.close()
            self._is_ending = True
            self.flush()

    def close(self) -> None:
        """Close the socket at once."""
        self.is_open = False
        self.socket.close()

    def _receive_tls(self, tls: TlsEndpoint, data: bytes, now: float) -> None:
        tls.receive_data(data, now)
        while (event := tls.next_event()) is not None and not self._is_ending:
            match event:
                case TlsConnected(fingerprint):
                    self.fingerprint = fingerprint
                    self.on_tls(now)
                case TlsData(plain):
                    self.on_data(plain, now)
                case TlsClosed():
                    self._deliver(b"", now)

    def _deliver(self, data: bytes, now: float) -> None:
        self.on_data(data, now)
        if not data:
            self.end()
