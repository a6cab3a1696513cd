"""A bad network around one call: signalling passes as it is, media takes a `UdpRelay`, since both SDPs are rewritten.

    with CallRelay((server.host, server.port)) as relay:
        phone.call(f"sip:daily@127.0.0.1:{relay.port}")
        relay.media.up.conditions = Conditions(loss=0.02, jitter_ms=30)
"""

from __future__ import annotations

import select
import socket
import threading
import time

from sip.errors import ParseError
from sip.parser import parse_message
from tests.helpers.netem import Address, Conditions, Netem, UdpRelay, redirect_sdp

NOWHERE = ("127.0.0.1", 9)
PACKET_S = 0.02
TARDY_S = 0.01
WINDOW = 10
"""A pause of the sender shifts all that follows; only the last packets are compared with."""


class Punctuality:
    """Watches what is pushed into a path. `tardy`: packets that their sender, short of a core, sent 10 ms and more too late."""

    def __init__(self, path: Netem) -> None:
        self._push = path.push
        self._last: int | None = None
        self._number = 0
        self._transits: list[float] = []
        path.push = self._watch  # type: ignore[method-assign]

    def _watch(self, data: bytes, now: float) -> None:
        if len(data) >= 12 and not 192 <= data[1] <= 223:
            sequence = data[2] << 8 | data[3]
            if self._last is not None:
                self._number += ((sequence - self._last + 0x8000) & 0xFFFF) - 0x8000
            self._last = sequence
            self._transits.append(now - self._number * PACKET_S)
        self._push(data, now)

    @property
    def tardy(self) -> int:
        """How many there were."""
        found = enumerate(self._transits)
        return sum(transit - min(self._transits[max(0, i - WINDOW):i + 1]) > TARDY_S for i, transit in found)


class CallRelay:
    """Between one phone and a server. `port`: where the phone sends its SIP; `media`: the path of its RTP.

    sent_up, sent_down: how punctual phone and server were with what they sent.
    """

    def __init__(self, server: Address, *, up: Conditions | None = None, down: Conditions | None = None, seed: int = 0) -> None:
        self.media = UdpRelay(NOWHERE, up=up, down=down, seed=seed)
        self.sent_up, self.sent_down = Punctuality(self.media.up), Punctuality(self.media.down)
        self._server = server
        self._phone: Address | None = None
        self._inside, self._outside = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._inside, self._outside):
            sock.bind(("127.0.0.1", 0))
        self.port: int = self._inside.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sip relay", daemon=True)

    def __enter__(self) -> CallRelay:
        self.media.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.media.__exit__()
        self._inside.close()
        self._outside.close()

    def set(self, conditions: Conditions) -> None:
        """Change both directions of the media's path."""
        self.media.up.conditions = self.media.down.conditions = conditions

    def stall(self, seconds: float) -> None:
        """Hold back what is sent from now on in both directions; then all of it comes at once, in order."""
        for path in (self.media.up, self.media.down):
            path.stall(time.monotonic() + seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            for sock in select.select([self._inside, self._outside], [], [], 0.05)[0]:
                data, source = sock.recvfrom(65536)
                if sock is self._inside:
                    self._phone = source
                    self._outside.sendto(self._moved(data, is_up=True), self._server)
                elif self._phone is not None:
                    self._inside.sendto(self._moved(data, is_up=False), self._phone)

    def _moved(self, data: bytes, *, is_up: bool) -> bytes:
        """A message whose SDP, if it has one, leads through the relay."""
        try:
            message = parse_message(data)
            if not message.body.startswith(b"v=0"):
                return data
            if is_up:
                message.body = redirect_sdp(message.body, *self.media.outside)
            else:
                self.media.server = ("127.0.0.1", _port(message.body))
                message.body = redirect_sdp(message.body, *self.media.address)
        except ParseError:
            return data
        return bytes(message)


def _port(sdp: bytes) -> int:
    line = next(line for line in sdp.split(b"\r\n") if line.startswith(b"m="))
    return int(line.split(b" ")[1])
