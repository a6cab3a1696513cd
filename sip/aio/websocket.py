"""SIP over secure WebSocket (RFC 7118), the accepting side, for browsers: the sans-IO server of `websockets` over our TLS.

After the handshake of HTTP, with the sub-protocol `sip` (§4), each WebSocket message is one SIP message (§5). Pings are
answered by the protocol itself. There is no check of Origin: who asks is known by digest inside SIP, not by a cookie that a
strange page could borrow. Left out: WebSocket without TLS, compression, opening connections (what goes to a browser goes down
its own).
"""

from __future__ import annotations

import asyncio
import logging

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from sip.aio.tls import HANDSHAKE_S, TlsFailed, TlsStream
from sip.parser import MAX_MESSAGE

_SILENT = logging.getLogger("sip.aio.websocket.frames")
_SILENT.disabled = True                                 # the library would log each frame, with the keys and digests in it
SUBPROTOCOL = Subprotocol("sip")
GOING_AWAY = 1001
"""The code of RFC 6455 §7.4.1 with which a server takes its leave."""


class WebSocketStream:
    """A WebSocket on a stream of TLS; `read` gives whole messages, `write` sends one."""

    def __init__(self, tls: TlsStream) -> None:
        self._tls = tls
        self._protocol = ServerProtocol(subprotocols=[SUBPROTOCOL], max_size=MAX_MESSAGE, logger=_SILENT)
        self._parts: list[bytes] = []

    async def open(self) -> None:
        """Bring the handshake of HTTP to its end. Raises TlsFailed for who wants something else, OSError, TimeoutError."""
        async with asyncio.timeout(HANDSHAKE_S):
            while self._protocol.state is State.CONNECTING:
                data = await self._tls.read()
                if not data:
                    raise TlsFailed("the peer went away during the handshake of WebSocket")
                self._protocol.receive_data(data)
                for event in self._protocol.events_received():
                    if isinstance(event, Request):
                        self._protocol.send_response(self._protocol.accept(event))
                self._flush()
                if self._protocol.handshake_exc is not None or self._protocol.close_expected():
                    raise TlsFailed(f"no WebSocket for SIP: {self._protocol.handshake_exc or 'no request of HTTP'}")

    async def read(self) -> bytes:
        """The next message, none at the end. Raises TlsFailed and OSError."""
        while True:
            for event in self._protocol.events_received():
                message = self._take(event) if isinstance(event, Frame) else b""
                if message:
                    return message
            if self._protocol.state is not State.OPEN:
                return b""
            data = await self._tls.read()
            if not data:
                return b""
            self._protocol.receive_data(data)
            self._flush()

    def write(self, data: bytes) -> None:
        """Send a message: as text, which browsers like better, where it is UTF-8 (RFC 7118 §5)."""
        if self._protocol.state is not State.OPEN:
            return
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        self._flush()

    def close(self) -> None:
        """Take leave."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(GOING_AWAY)
            self._flush()
        self._tls.close()

    def _take(self, frame: Frame) -> bytes:
        """Put a message together; it, when this was its last frame."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return b""
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return b""
        message, self._parts = b"".join(self._parts), []
        return message

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:                                    # nothing stands for the end, which is the owner's to bring about
                self._tls.write(data)
