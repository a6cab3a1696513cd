"""A bad network, seeded: loss at random and in bursts, delay, jitter, reordering, duplication, a slow link with a queue, and a
NAT that changes its port.

`Netem` is one direction, sans-IO: bytes and `now` in, bytes out when they are due. `UdpRelay` puts two of them between a client
and a server on loopback, for programs that can't be given a network of their own.

    path = Netem(Conditions(loss=0.02, jitter_ms=30), seed=7)
    path.push(b"packet", now=0.0)
    for data in path.due(now=0.03): …

    with UdpRelay(("127.0.0.1", server_port), up=Conditions(loss=0.1)) as relay:
        client.send_to(relay.address)
"""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass, replace

from rtp.sdp.model import Connection
from rtp.sdp.parser import parse

Address = tuple[str, int]
MAX_WAITING = 10_000
"""Packets on their way; more are dropped, as a router would."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Loss by Gilbert and Elliott: a good and a bad state, with the chance at each packet to change to the other.

    The share of time in the bad state is to_bad / (to_bad + to_good); a bad time lasts 1 / to_good packets on average.
    """

    to_bad: float
    to_good: float
    loss_when_bad: float = 1.0
    loss_when_good: float = 0.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one direction of a path does to packets. Shares are 0 to 1.

    loss: lost at random; delay_ms: of all; jitter_ms: up to so much more, evenly spread; reorder: share that is held back by
    reorder_ms, so that others overtake it; duplicate: share that comes twice; rate_bps: the link's speed, 0 for no limit, with
    a queue of queue_bytes before it; keeps_order: jitter alone doesn't let packets overtake (a queue, not many paths).
    """

    loss: float = 0.0
    bursts: Bursts | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    reorder: float = 0.0
    reorder_ms: float = 30.0
    duplicate: float = 0.0
    rate_bps: int = 0
    queue_bytes: int = 64_000
    keeps_order: bool = False


class Netem:
    """One direction of a path. The same seed and the same packets give the same fate."""

    def __init__(self, conditions: Conditions, seed: int = 0) -> None:
        self.conditions = conditions
        self.pushed = self.lost = self.duplicated = self.held_back = self.overflowed = 0
        self._random = random.Random(seed)
        self._is_bad = False
        self._waiting: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._link_free_at = self._last_at = self._stalled_until = 0.0

    def push(self, data: bytes, now: float) -> None:
        """Send a packet into the path at `now` (seconds)."""
        self.pushed += 1
        if self._is_lost():
            self.lost += 1
            return
        copies = 1
        if self._chance(self.conditions.duplicate):
            copies, self.duplicated = 2, self.duplicated + 1
        for _ in range(copies):
            self._send(data, now)

    def stall(self, until: float) -> None:
        """Let nothing that is sent from now on come out before `until`; then all of it comes at once."""
        self._stalled_until = until

    def due(self, now: float) -> list[bytes]:
        """The packets that have come out by `now`, in order."""
        out = []
        while self._waiting and self._waiting[0][0] <= now:
            out.append(heapq.heappop(self._waiting)[2])
        return out

    def next_time(self) -> float | None:
        """When the next packet comes out; None when there is none on its way."""
        return self._waiting[0][0] if self._waiting else None

    def _chance(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def _is_lost(self) -> bool:
        bursts = self.conditions.bursts
        if bursts is not None:
            if self._chance(bursts.to_good if self._is_bad else bursts.to_bad):
                self._is_bad = not self._is_bad
            if self._chance(bursts.loss_when_bad if self._is_bad else bursts.loss_when_good):
                return True
        return self._chance(self.conditions.loss)

    def _send(self, data: bytes, now: float) -> None:
        conditions = self.conditions
        at = now
        if conditions.rate_bps:
            begins = max(now, self._link_free_at)
            if (begins - now) * conditions.rate_bps / 8 + len(data) > conditions.queue_bytes:
                self.overflowed += 1
                return
            at = self._link_free_at = begins + len(data) * 8 / conditions.rate_bps
        at += (conditions.delay_ms + self._random.random() * conditions.jitter_ms) / 1000
        if conditions.keeps_order:
            at = self._last_at = max(at, self._last_at)
        if self._chance(conditions.reorder):
            self.held_back += 1
            at += conditions.reorder_ms / 1000
        at = max(at, self._stalled_until)
        if len(self._waiting) >= MAX_WAITING:
            self.overflowed += 1
            return
        self._number += 1
        heapq.heappush(self._waiting, (at, self._number, data))


class UdpRelay:
    """A bad network between one client and one server, in a thread of its own.

    The client sends to `address`; the server sees `outside`, and what it answers there goes to the address that the client
    last sent from. Use it as a context manager.
    """

    def __init__(self, server: Address, *, up: Conditions | None = None, down: Conditions | None = None, seed: int = 0,
                 host: str = "127.0.0.1", port: int = 0) -> None:
        self.server = server
        self.up, self.down = Netem(up or Conditions(), seed), Netem(down or Conditions(), seed + 1)
        self.client: Address | None = None
        self._inside = _bound(host, port)
        self._outside = _bound(host, 0)
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inside, selectors.EVENT_READ, self.up)
        self._selector.register(self._outside, selectors.EVENT_READ, self.down)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    @property
    def address(self) -> Address:
        """Where the client sends to."""
        return _name(self._inside)

    @property
    def outside(self) -> Address:
        """Where the server sees the client."""
        return _name(self._outside)

    def rebind(self) -> Address:
        """Give the client another port at the server's side, as a NAT does after a while; the new `outside`."""
        with self._lock:
            old, self._outside = self._outside, _bound(self._outside.getsockname()[0], 0)
            self._selector.unregister(old)
            self._selector.register(self._outside, selectors.EVENT_READ, self.down)
            old.close()
            return self.outside

    def __enter__(self) -> UdpRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for sock in (self._inside, self._outside, self._wake, self._woken):
            sock.close()

    def _run(self) -> None:
        while not self._is_closing:
            times = [at for at in (self.up.next_time(), self.down.next_time()) if at is not None]
            ready = self._selector.select(min(0.05, max(0.0, min(times) - time.monotonic())) if times else 0.05)
            with self._lock:
                now = time.monotonic()
                for key, _ in ready:
                    if key.data is not None and key.fileobj in (self._inside, self._outside):
                        self._read(key.fileobj, key.data, now)
                self._deliver(now)

    def _read(self, sock: socket.socket, path: Netem, now: float) -> None:
        while True:
            try:
                data, source = sock.recvfrom(65536)
            except OSError:
                return
            if sock is self._inside:
                self.client = source[:2]
            path.push(data, now)

    def _deliver(self, now: float) -> None:
        for data in self.up.due(now):
            _send(self._outside, data, self.server)
        for data in self.down.due(now):
            if self.client is not None:
                _send(self._inside, data, self.client)


def redirect_sdp(sdp: bytes, host: str, port: int) -> bytes:
    """An SDP whose first open stream is to be sent to a relay's address (RTCP on the next port, or multiplexed).

    Raises ParseError for what is no SDP.
    """
    session = parse(sdp)
    index = next((i for i, media in enumerate(session.media) if media.port), None)
    if index is None:
        return sdp
    stream = session.media[index]
    attributes = tuple(item for item in stream.attributes if item[0] != "rtcp")
    moved = replace(stream, port=port, connection=Connection.of(host), attributes=attributes)
    return bytes(replace(session, media=(*session.media[:index], moved, *session.media[index + 1:])))


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock


def _name(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return host, port


def _send(sock: socket.socket, data: bytes, target: Address) -> None:
    try:
        sock.sendto(data, target)
    except OSError:
        pass
