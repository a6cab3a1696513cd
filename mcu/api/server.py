"""The HTTP port: on loopback in clear, elsewhere by TLS with the server's certificate. uvicorn does the protocol (RFC 9112).

One uvicorn for each kind, on sockets of ours, inside the server's loop and without handlers for signals. A client has ten
seconds for the head of a request; what else it may take is in `mcu.api.limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mcu.errors import McuError

log = logging.getLogger(__name__)

HEAD_S = 10.0
KEEP_ALIVE_S = 5
"""How long a connection may be idle between two requests."""
LONGEST_HEAD = 16 * 1024
MOST_CONNECTIONS = 200
LONGEST_MESSAGE = 4096
"""What a client may say over the event feed."""
HANDSHAKE_S = 5.0
BACKLOG = 100
GOODBYE_S = 1
TICK_S = 1.0


class Patience(H11Protocol):
    """uvicorn's protocol, which hangs up on who takes too long for the head of a request."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Bytes of a client."""
        super().data_received(data)
        if self._is_served:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        """The next request may begin."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_served(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_S, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _hang_up(self) -> None:
        self._waiting = None
        if not self._is_served and self.transport.get_protocol() is self:
            self.transport.close()


class _Uvicorn(uvicorn.Server):
    """Without signals, and woken when it is to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but that a handshake has a time limit of ours."""
        config, loop = self.config, asyncio.get_running_loop()

        def serve_one() -> asyncio.Protocol:
            return Patience(config=config, server_state=self.server_state, app_state={})

        self.servers = []
        for listening in sockets or ():
            self.servers.append(await loop.create_server(serve_one, sock=listening, ssl=config.ssl, backlog=BACKLOG,
                                                         ssl_handshake_timeout=HANDSHAKE_S if config.ssl else None))
        self.started = True
        self.is_up.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self.stopping.wait()
                    return


class HttpServer:
    """Serves an application; an async context manager. Raises McuError in words when a port can't be had.

    hosts: addresses to listen on; files: certificate and key for those that are not loopback, None without TLS.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], port: int, files: tuple[Path, Path] | None = None) -> None:
        self.urls: list[str] = []
        self._app = app
        self._hosts = hosts
        self._port = port
        self._files = files
        self._context: ssl.SSLContext | None = None
        self._running: list[tuple[_Uvicorn, asyncio.Task[None]]] = []

    async def __aenter__(self) -> HttpServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the sockets and serve."""
        plain, protected = self._open()
        for sockets, is_protected in ((plain, False), (protected, True)):
            if sockets:
                server = _Uvicorn(self._configure(is_protected))
                self._running.append((server, asyncio.create_task(server.serve(sockets))))
        for server, task in self._running:
            waiting = asyncio.create_task(server.is_up.wait())
            await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if task.done():
                task.result()
        self.urls = [_url(sock, sock in protected) for sock in (*plain, *protected)]

    async def close(self) -> None:
        """End all connections."""
        for server, _ in self._running:
            server.should_exit = True
            server.stopping.set()
        await asyncio.gather(*(task for _, task in self._running), return_exceptions=True)
        self._running.clear()

    def reload(self) -> None:
        """Take the certificate as its files are now; a bad one changes nothing."""
        if self._context is not None and self._files is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)     # a key that does not fit would spoil
                self._context.load_cert_chain(*self._files)                               # the one in use
            except (OSError, ssl.SSLError) as error:
                log.error("the new certificate is of no use for HTTP", extra={"reason": str(error)})

    def _open(self) -> tuple[list[socket.socket], list[socket.socket]]:
        plain, protected = list[socket.socket](), list[socket.socket]()
        try:
            for host in self._hosts:
                is_here = is_clear(host)
                if not is_here and self._files is None:
                    raise McuError(f"HTTP on {host} needs TLS, which is switched off; leave --http-listen away")
                opened = _listen(host, self._port, may_fail=is_here and bool(plain))
                if opened is not None:
                    (plain if is_here else protected).append(opened)
        except BaseException:
            for one in (*plain, *protected):
                one.close()
            raise
        return plain, protected

    def _configure(self, is_protected: bool) -> uvicorn.Config:
        more: dict[str, Any] = {}
        if is_protected and self._files is not None:
            certificate, key = self._files
            more = {"ssl_certfile": certificate, "ssl_keyfile": key}
        config = uvicorn.Config(
            self._app, http=Patience, ws="websockets-sansio", lifespan="off", log_config=None, access_log=False,
            log_level="error", proxy_headers=False, server_header=False, limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=GOODBYE_S, timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=LONGEST_HEAD, ws_max_size=LONGEST_MESSAGE,
            ws_max_queue=4, ws_per_message_deflate=False, **more)
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
            self._context = config.ssl
        return config


def is_clear(host: str) -> bool:
    """Whether an address is served without TLS."""
    return ip_address(host).is_loopback


def _listen(host: str, port: int, *, may_fail: bool) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        if may_fail:
            return None
        reason = {98: "is in use; choose another one with --http-port, or 0 for none", 13: "needs root"}.get(
            error.errno or 0, f"can't be had: {error.strerror}")
        raise McuError(f"port {port} on {host}, for HTTP, {reason}") from error
    return listening


def _url(listening: socket.socket, is_protected: bool) -> str:
    host, port = listening.getsockname()[:2]
    return f"{'https' if is_protected else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


