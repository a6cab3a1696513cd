"""The HTTP port itself: who is slow, who comes in clear from elsewhere, a port that is taken."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcu.api import server as http
from mcu.api.front import open_http
from mcu.api.limits import Limits
from mcu.api.server import HttpServer
from mcu.certificates import own_files
from mcu.config import load
from mcu.errors import McuError
from tests.helpers.front import Front
from tests.helpers.house import House

pytestmark = pytest.mark.loopback
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENCE_S = 20.0


@pytest.fixture
def front() -> Front:
    """An open server."""
    return Front(House(is_open=True))


async def talk(server: HttpServer, *pieces: bytes) -> bytes:
    """Send pieces; what comes until the server closes."""
    host, port = server.urls[0].removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(PATIENCE_S):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        found = await reader.read()
    writer.close()
    return found


@pytest.mark.parametrize("pieces", [
    (b"",), (b"GET /healthz HT",), (b"GET / HTTP/1.1\r\nHost: a\r\nX: ",), (GET, b"GET /"), (GET,),
], ids=["nothing", "line", "head", "second", "idle"])
async def test_who_takes_too_long_for_a_head_is_hung_up_on(front: Front, monkeypatch: pytest.MonkeyPatch,
                                                           pieces: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.2)
    monkeypatch.setattr(http, "KEEP_ALIVE_S", 0.3)
    async with HttpServer(front.app, ("127.0.0.1",), 0) as server:
        told = await talk(server, *pieces)
        assert told.count(b"200 OK") == pieces.count(GET)


async def test_a_body_that_does_not_come_is_408(front: Front) -> None:
    async with HttpServer(Limits(front.app, body_s=0.2), ("127.0.0.1",), 0) as server:
        told = await talk(server, b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    assert told.startswith(b"HTTP/1.1 408") and b"did not come in time" in told


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
], ids=["no-host", "version", "tls", "length", "long", "two-lengths"])
async def test_what_is_no_http_is_refused_and_the_next_one_served(front: Front, head: bytes,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEEP_ALIVE_S", 0.3)
    async with HttpServer(front.app, ("127.0.0.1",), 0) as server:
        try:
            assert b"200 OK" not in await talk(server, head)
        except ConnectionResetError:
            pass
        assert b"200 OK" in await talk(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


async def test_half_a_handshake_is_not_waited_for(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HANDSHAKE_S", 0.3)
    monkeypatch.setattr(http, "is_clear", lambda host: False)
    files = own_files(tmp_path, "meet.example", ["127.0.0.1"])
    async with HttpServer(front.app, ("127.0.0.1",), 0, (files.certificate, files.key)) as server:
        url = server.urls[0]
        assert url.startswith("https://127.0.0.1:")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
        writer.write(b"\x16\x03\x01")
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        writer.close()
        authority = ssl.create_default_context(cafile=files.certificate.with_name("ca.pem"))
        async with httpx.AsyncClient(verify=authority, trust_env=False) as client:
            assert (await client.get(f"{url}healthz")).status_code == 200


async def test_idle_connections_keep_nobody_out(front: Front) -> None:
    async with HttpServer(front.app, ("127.0.0.1",), 0) as server:
        port = int(server.urls[0].rstrip("/").rpartition(":")[2])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(150)]
        assert b"200 OK" in await talk(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        for _, writer in idle:
            writer.close()


async def test_an_address_that_is_not_loopback_needs_tls(front: Front) -> None:
    with pytest.raises(McuError, match=r"HTTP on 192\.0\.2\.1 needs TLS"):
        await HttpServer(front.app, ("127.0.0.1", "192.0.2.1"), 0).start()


async def test_a_port_that_is_taken_is_an_error_only_where_it_was_asked_for(front: Front, tmp_path: Path,
                                                                            caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        asked = load(None, {"data": str(tmp_path), "http_port": port})
        with pytest.raises(McuError, match=rf"port {port} on 127\.0\.0\.1, for HTTP, is in use; .* --http-port"):
            await open_http(asked, front.desk, None)
        default: Any = load(None, {"data": str(tmp_path)}).model_copy(update={"http_port": port})
        default.__pydantic_fields_set__.discard("http_port")
        with caplog.at_level(logging.WARNING):
            server = await open_http(default, front.desk, None)
        assert server.urls == [] and "no dashboard and no REST" in caplog.text
        await server.close()


async def test_a_client_that_never_reads_holds_up_nobody_else(front: Front) -> None:
    async with HttpServer(front.app, ("127.0.0.1",), 0) as server:
        port = int(server.urls[0].rstrip("/").rpartition(":")[2])
        greedy = socket.socket()
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", port))
        greedy.setblocking(False)
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 200                      # some 20 MB of answers
        try:
            greedy.send(asked)
            for _ in range(3):
                assert b"200 OK" in await talk(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        finally:
            greedy.close()
