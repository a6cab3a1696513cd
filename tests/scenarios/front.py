"""A small SIP front whose media is ffmpeg's or GStreamer's: it calls and is called, two programs send and receive.

What the server sends to the negotiated ports is handed to the receiving program unchanged, what the sending one makes goes
out of the same ports: a phone has one address for both, two programs have two.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from confero.testing import Server
from rtp.packet import is_rtcp
from rtp.sdp import negotiation
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse
from sip import events
from sip.aio.driver import Driver
from sip.auth import DigestClient
from sip.endpoint import Endpoint, EndpointSettings
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers import tones
from tests.helpers.clients import media_end
from tests.helpers.ports import free_range

HOST = "127.0.0.1"
LONGEST_TONE_S = 15
PORTS_EACH, MOST_ENDS = 4, 64


def _socket(port: int = 0) -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, port))
    return sock


@dataclass(eq=False)
class MediaEnd:
    """One call of the front. `outer`: RTP and RTCP towards the server; `inner`: what the sending program sends to.

    port: the first of PORTS_EACH that are this call's: two of `inner`, two on which the receiving program listens.
    """

    name: str
    program: str
    codec: str
    work: Path
    hz: float
    level_dbfs: float
    port: int
    answered: asyncio.Future[None]
    outer: tuple[socket.socket, socket.socket] = field(default_factory=lambda: (_socket(), _socket()))
    inner: tuple[socket.socket, socket.socket] = field(init=False)
    agreed: NegotiatedAudio | None = None
    call: Call | None = None
    setup_ms: float = 0.0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inner = _socket(self.port), _socket(self.port + 1)
        self._receives_at = self.port + 2

    @property
    def recording(self) -> Path:
        """What was received."""
        return self.work / "rec.wav"

    @property
    def local(self) -> LocalMedia:
        """What SDP says of us."""
        rtp, rtcp = self.outer
        return LocalMedia(HOST, rtp.getsockname()[1], rtcp.getsockname()[1])

    @property
    def capabilities(self) -> Capabilities:
        """Our one codec, no keys, no header extensions."""
        return Capabilities(Capabilities().only(self.codec).codecs, dtmf=False, extensions=())

    def start(self) -> None:
        """The call is up: start both programs, and hand packets to and fro."""
        assert self.agreed is not None
        self.work.mkdir(parents=True, exist_ok=True)
        play = self.work / "play.wav"
        tones.make(play, self.hz, LONGEST_TONE_S, media_end.RATES[self.codec], self.level_dbfs)
        loop = asyncio.get_running_loop()
        for index in (0, 1):
            loop.add_reader(self.outer[index].fileno(), self._from_server, self.outer[index])
            loop.add_reader(self.inner[index].fileno(), self._from_program, index)
        for command in (media_end.receives(self.program, self.codec, self.agreed.receive_payload_type, self._receives_at,
                                           self.recording),
                        media_end.sends(self.program, self.codec, self.agreed.send_payload_type,
                                        self.inner[0].getsockname()[1], play)):
            with (self.work / "log").open("ab") as log:
                self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _from_server(self, sock: socket.socket) -> None:
        while (data := _receive(sock)) is not None:
            _send(sock, data, (HOST, self._receives_at + is_rtcp(data)))

    def _from_program(self, index: int) -> None:
        agreed = self.agreed
        while (data := _receive(self.inner[index])) is not None:
            remote = None if agreed is None else agreed.remote_rtcp if index else agreed.remote
            if remote is not None:
                _send(self.outer[0 if index and agreed is not None and agreed.rtcp_mux else index], data, remote)

    async def stop(self) -> None:
        """End the programs, so that the recording is whole, and close all sockets."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        await asyncio.gather(*(asyncio.to_thread(_wait, process) for process in self.processes))
        for sock in (*self.outer, *self.inner):
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()


class Front:
    """All calls of ffmpeg and GStreamer, behind one SIP endpoint."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ends: dict[str, MediaEnd] = {}
        self._ports = itertools.count(free_range(MOST_ENDS * PORTS_EACH)[0], PORTS_EACH)

    async def __aenter__(self) -> Front:
        self.endpoint = Endpoint(EndpointSettings(user_agent="front"), secrets.token_bytes)
        self.driver = Driver(self.endpoint, self._on_event)
        await self.driver.listen(HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.ends):
            await self.hang_up(name)
        await asyncio.sleep(0.3)
        await self.driver.close()

    def expect(self, name: str, program: str, codec: str, work: Path, hz: float, level_dbfs: float) -> MediaEnd:
        """Be ready for a call to this name."""
        end = MediaEnd(name, program, codec, work, hz, level_dbfs, next(self._ports),
                       asyncio.get_running_loop().create_future())
        self.ends[name] = end
        return end

    def uri(self, name: str, transport: str) -> str:
        """Where this name is called."""
        return f"sip:{name}@{HOST}:{self.driver.addresses[0][1][1]}" + ("" if transport == "udp" else f";transport={transport}")

    async def call(self, end: MediaEnd, target: str, transport: str, credentials: DigestClient | None = None) -> None:
        """Call somebody at the server and wait for the answer. Raises ConnectionRefusedError."""
        flow = self.driver.flow_to((self.server.host, self.server.port), transport.upper())
        contact = Uri.parse(self.uri(end.name, transport))
        offer = negotiation.offer(end.capabilities, end.local, session_id=1, version=1)
        begun = time.monotonic()
        end.call = self.endpoint.invite(
            Uri.parse(self.server.uri(target)), from_=NameAddr(Uri("sip", end.name, HOST)), flow=flow, contact=contact,
            now=self.driver.now(), offer=bytes(offer), credentials=credentials)
        end.call.data = (end, offer)
        self.driver.pump()
        async with asyncio.timeout(15):
            await end.answered
        end.setup_ms = (time.monotonic() - begun) * 1000
        end.start()

    async def sign_in(self, end: MediaEnd, transport: str, credentials: DigestClient) -> None:
        """Register the name, so that its user can be called."""
        flow = self.driver.flow_to((self.server.host, self.server.port), transport.upper())
        registration = self.endpoint.register(
            Uri("sip", None, self.server.host), aor=NameAddr(Uri("sip", end.name, HOST)), flow=flow,
            contact=Uri.parse(self.uri(end.name, transport)), now=self.driver.now(), credentials=credentials)
        self.driver.pump()
        async with asyncio.timeout(10):
            while not registration.is_active:
                await asyncio.sleep(0.02)

    async def hang_up(self, name: str) -> MediaEnd:
        """End a call and its programs."""
        end = self.ends.pop(name)
        if end.call is not None and end.call.is_up:
            end.call.hang_up(self.driver.now())
            self.driver.pump()
        await end.stop()
        return end

    def _on_event(self, event: events.Event) -> None:
        match event:
            case events.CallAnswered(call, _, answer):
                end, offer = call.data
                end.agreed = negotiation.apply_answer(offer, parse(answer or b""))
                end.answered.set_result(None)
            case events.CallTerminated(call, _, status, reason, _) if isinstance(call.data, tuple):
                if not call.data[0].answered.done():
                    call.data[0].answered.set_exception(ConnectionRefusedError(status, reason))
            case events.CallReceived(call, request, offer):
                self._receive_call(call, self.ends.get(request.uri.user or ""), offer or b"")
            case events.DialogRequestReceived(_, transaction_id, _):
                self.endpoint.respond(transaction_id, 200, now=self.driver.now())

    def _receive_call(self, call: Call, end: MediaEnd | None, offer: bytes) -> None:
        if end is None or end.call is not None:
            call.reject(404, now=self.driver.now())
            return
        answer, end.agreed = negotiation.answer(parse(offer), end.capabilities, end.local, session_id=2, version=1)
        end.call, call.data = call, (end, answer)
        contact = Uri("sip", end.name, HOST, call.flow.local[1], (("transport", call.flow.transport.lower()),))
        call.accept(bytes(answer), self.driver.now(), contact=contact, headers=[("Contact", NameAddr(contact))])
        end.answered.set_result(None)
        end.start()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(4)


def _receive(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(2048)
    except OSError:
        return None


def _send(sock: socket.socket, data: bytes, to: tuple[str, int]) -> None:
    try:
        sock.sendto(data, to)
    except OSError:
        return                          # the program has gone
