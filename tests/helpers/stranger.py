"""Somebody who writes SIP by hand, well or badly, to a real server; and what a server costs while that goes on.

    with Stranger(server) as stranger:
        assert stranger.ask(stranger.request("OPTIONS", "daily")).status == 200

All calls block, with a limit: a test that has media running beside puts them into a thread.
"""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path
from typing import Any

import psutil

from confero.testing import Server
from mcu.api import control
from sip.message import Response
from sip.parser import StreamFramer, parse_message
from tests.helpers import sip_messages

LIMIT_S = 5.0


class Stranger:
    """A UDP socket, or with `tcp` a connection, to a server's SIP port. `answers`: all that came back."""

    def __init__(self, server: Server, host: str = "127.0.0.1", *, tcp: bool = False) -> None:
        self.server = server
        self.answers: list[Response] = []
        self._framer = StreamFramer() if tcp else None
        self._is_tcp = tcp
        self.is_closed = False
        self.sock = socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.settimeout(LIMIT_S)
        self.sock.connect((server.host, server.port))
        self.host, self.port = self.sock.getsockname()

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    # ---- out

    def request(self, method: str, name: str = "echo", *, body: bytes = b"", extra: tuple[str, ...] = (), branch: str = "",
                **changed: str | None) -> bytes:
        """A request from a user of another domain to a name at the server. changed: as in `sip_messages.request`."""
        transport = "TCP" if self._is_tcp else "UDP"
        branch = branch or "z9hG4bK" + secrets.token_hex(8)
        fields: dict[str, str | None] = {
            "Via": f"SIP/2.0/{transport} {self.host}:{self.port};branch={branch};rport",
            "From": f"<sip:stranger@elsewhere.example>;tag={secrets.token_hex(4)}",
            "To": f"<{self.server.uri(name)}>",
            "Call-ID": secrets.token_hex(8),
            "Contact": f"<sip:stranger@{self.host}:{self.port}>",
        }
        uri = changed.pop("uri", None) or self.server.uri(name)
        return sip_messages.request(method, uri, body=body, extra=extra, **(fields | changed))

    def send(self, data: bytes) -> None:
        """Send bytes as they are. What a closed connection does not take is lost."""
        try:
            self.sock.sendall(data)
        except OSError:
            self.is_closed = True

    def ask(self, data: bytes, limit_s: float = LIMIT_S) -> Response | None:
        """Send a request and wait for its own final response, which is acknowledged when it refuses an INVITE.

        None when none came or the connection was closed.
        """
        self.send(data)
        ends_at = time.monotonic() + limit_s
        while (left := ends_at - time.monotonic()) > 0:
            found = self._receive(left)
            if found is None:
                return None
            if found.status >= 200 and found.via.branch.encode("utf-8", "surrogateescape") in data:
                if found.status >= 300 and found.cseq.method == "INVITE":
                    self.acknowledge(data, found)
                return found
        return None

    def acknowledge(self, invite: bytes, answer: Response) -> None:
        """Send the ACK of an answer: in the INVITE's transaction for a refusal, in one of its own for a 2xx."""
        branch = answer.via.branch if answer.status >= 300 else ""
        self.send(self.inside("ACK", answer, number=answer.cseq.number, branch=branch))

    def inside(self, method: str, answer: Response, *, number: int, branch: str = "", tag: str = "",
               **changed: str | None) -> bytes:
        """A request inside the dialog that our INVITE and its answer made. tag: another To tag than the right one."""
        to = answer.headers.get("To") or ""
        if tag:
            to = f"<{answer.to.uri}>;tag={tag}"
        fields = {"From": answer.headers.get("From"), "To": to, "Call-ID": answer.call_id, "CSeq": f"{number} {method}"}
        return self.request(method, str(answer.to.uri.user or "echo"), branch=branch, **(fields | changed))

    def is_dropped(self, limit_s: float = LIMIT_S) -> bool:
        """Whether the server closes the connection in that time."""
        ends_at = time.monotonic() + limit_s
        while not self.is_closed and (left := ends_at - time.monotonic()) > 0:
            self._receive(left)
        return self.is_closed

    def _receive(self, limit_s: float) -> Response | None:
        ends_at = time.monotonic() + limit_s
        while not self.is_closed:
            message = self._framer.next_message() if self._framer is not None else None
            if message is None:
                self.sock.settimeout(max(0.001, ends_at - time.monotonic()))
                try:
                    data = self.sock.recv(65536)
                except TimeoutError:
                    return None
                except OSError:
                    data = b""
                if self._framer is not None:
                    self.is_closed = not data
                    self._framer.receive_data(data)
                    continue
                message = data
            answer = parse_message(message) if message else None
            if isinstance(answer, Response):
                self.answers.append(answer)
                return answer
        return None


# ---- what the server costs


def figures(server: Server) -> dict[str, Any]:
    """What the server holds and has counted (the verb server.show)."""
    facts: dict[str, Any] = control.call(server.data / control.FILE_NAME, "server.show", {})
    return facts


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used, to the nanosecond."""
    return _scheduled(pid)[0]


def waited_s(server: Server) -> float:
    """Seconds in which a media worker was ready to run and had to wait for a core, all workers together."""
    return sum(_scheduled(process.pid)[1] for process in family(server)[1:])


def _scheduled(pid: int) -> tuple[float, float]:
    figures_ = [(thread / "schedstat").read_text().split() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(one[0]) for one in figures_) / 1e9, sum(int(one[1]) for one in figures_) / 1e9


def family(server: Server) -> list[psutil.Process]:
    """The server's process and its media workers."""
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


def memory_bytes(server: Server) -> int:
    """Resident memory of the server and its workers."""
    return sum(process.memory_info().rss for process in family(server))


def descriptors(server: Server) -> int:
    """Open descriptors of the server and its workers."""
    return sum(process.num_fds() for process in family(server))
