"""Carries a conference's BFCP (RFC 8855 §6) over TCP, TLS and UDP: a door for each member, open before their SDP is answered.

    doors = FloorDoors(control, on_event, certificate)
    address = doors.open(participant, TCP, host)             # for the answer
    doors.admit(participant, agreed, {signalling_host})      # who may come in by it, and by which fingerprint
    doors.execute(command, actor)                            # from elsewhere
    doors.leave(participant); doors.close(); await doors.wait_closed()

A door's socket is bound, and listens, when `open` returns; what comes is served in the loop's next turns.

A door lets one peer in. Over TLS it is known by its certificate, wherever it comes from; else it comes from the host of the
SDP or of the signalling, over UDP from one port once its identifiers were right. No decision about floors is made here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mcu.conference import Done, Refused
from mcu.floor import Command, Event, Requested
from mcu.floor_control import FloorControl
from mcu.participant import ParticipantId
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsClosed, TlsConnected, TlsData, TlsEndpoint
from rtp.sdp.floor_control import TLS, UDP, NegotiatedFloors
from sip.aio.udp import UdpSocket
from sip.bfcp.message import Header
from sip.bfcp.server import ServerSession
from sip.errors import ParseError
from sip.flow import Address, Flow

CONNECT_TIMEOUT_S = 5.0
MESSAGE_DEADLINE_S = 10.0
"""How long a message, or a handshake, may take from its first byte to its last."""
MAX_BUFFERED = 1 << 16
"""Bytes that wait for a peer that does not read; more ends the connection."""
MAX_GREETING = 4
"""Connections to one door that have not shown yet who they are."""
MAX_PER_S = 100
"""What one member may send in a second: a datagram, or a piece of a stream, and again for every 64 bytes of it. A handshake
costs some 40, a message one or two. Beyond it datagrams are dropped and a stream is closed."""
CHUNK = 16384
BACKLOG = 8
log = logging.getLogger(__name__)


class Budget:
    """Counts what comes in each second."""

    def __init__(self, limit: int = MAX_PER_S) -> None:
        self._limit = limit
        self._second = -1
        self._count = 0

    def allows(self, size: int, now: float) -> bool:
        """Whether so many bytes more are within the limit."""
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += 1 + size // 64
        return self._count <= self._limit


@dataclass(slots=True)
class Line:
    """A connection over TCP or TLS. tls: None over plain TCP; session: None until it is known who is there."""

    writer: asyncio.StreamWriter
    tls: TlsEndpoint | None
    session: ServerSession | None = None
    budget: Budget = field(default_factory=Budget)


class FloorDoors:
    """The doors of one conference, and the one timer of all.

    on_event: called with each event of the rules in its order, before anybody is told of it on the wire; certificate: for TLS;
    ports: those to try for a door, 0 for any.
    """

    def __init__(self, control: FloorControl, on_event: Callable[[Event], None],
                 certificate: Certificate | None = None, ports: Callable[[], Iterable[int]] = lambda: (0,)) -> None:
        self.control = control
        self.certificate = certificate
        self.refused = 0
        self._on_event = on_event
        self._ports = ports
        self._doors: dict[ParticipantId, StreamDoor | DatagramDoor] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_pumping = False

    def fingerprint(self) -> Fingerprint | None:
        """Of the certificate for TLS, None where that is not spoken."""
        return None if self.certificate is None else self.certificate.fingerprint()

    def open(self, participant: ParticipantId, protocol: str, host: str) -> Address:
        """Listen for a member; the bound address. Nobody comes in before `admit`. Raises OSError when no port is free."""
        self.shut(participant)
        error: OSError | None = None
        for port in self._ports():
            door = DatagramDoor(self, participant) if protocol.upper() == UDP else StreamDoor(self, participant)
            try:
                address = door.open(host, port)
            except OSError as caught:
                error = caught
                continue
            self._doors[participant] = door
            return address
        raise error or OSError("there is no port for floor control")

    def shut(self, participant: ParticipantId) -> None:
        """A member has no door any more, but is in the conference still: their floors are free."""
        door = self._doors.pop(participant, None)
        if door is not None:
            self.control.lose_touch(participant, asyncio.get_running_loop().time())
            self.pump()
            self._close(door)

    def _close(self, door: StreamDoor | DatagramDoor) -> None:
        task = asyncio.get_running_loop().create_task(door.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def admit(self, participant: ParticipantId, agreed: NegotiatedFloors, hosts: Iterable[str] = ()) -> None:
        """Let a member in as was agreed, or connect to them. hosts: from which they may come besides the SDP's."""
        self._doors[participant].admit(agreed, frozenset(hosts))

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP, and tell what follows."""
        verdict = self.control.execute(command, asyncio.get_running_loop().time(), actor)
        self.pump()
        return verdict

    def leave(self, participant: ParticipantId) -> None:
        """A member is gone: their gates close, they hear Goodbye, and their door is shut."""
        self.control.leave(participant, asyncio.get_running_loop().time())
        self.pump()
        door = self._doors.pop(participant, None)
        if door is not None:
            self._close(door)

    def close(self) -> None:
        """The conference is over."""
        for participant in list(self.control.users):
            self.leave(participant)
        for door in self._doors.values():
            self._close(door)
        self._doors.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def wait_closed(self) -> None:
        """Wait until the sockets of all doors that were shut are closed."""
        await asyncio.gather(*self._closing)

    def pump(self) -> None:
        """Act on what sessions have heard until there is nothing more; then events go out, and after them the bytes."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            now = asyncio.get_running_loop().time()
            while sum(self.control.handle(door.participant, session, now)
                      for door in self._doors.values() for session in door.sessions()):
                pass
            while (event := self.control.next_event()) is not None:
                self._on_event(event)
            for door in self._doors.values():
                door.flush()
        finally:
            self._is_pumping = False
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dues = [self.control.next_timer(), *(door.next_timer() for door in self._doors.values())]
        due = min((at for at in dues if at is not None), default=None)
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        now = asyncio.get_running_loop().time()
        self.control.handle_timer(now)
        for door in self._doors.values():
            door.handle_timer(now)
        self.pump()


class StreamDoor:
    """A member's door for TCP or TLS. `lines`: connections, of which one at most has a session that counts."""

    def __init__(self, doors: FloorDoors, participant: ParticipantId) -> None:
        self.participant = participant
        self._doors = doors
        self._agreed: NegotiatedFloors | None = None
        self._hosts: frozenset[str] = frozenset()
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, host: str, port: int) -> Address:
        """Listen. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        name = listener.getsockname()
        self._own(asyncio.get_running_loop().create_task(self._listen(listener)))
        return (name[0], name[1])

    async def _listen(self, listener: socket.socket) -> None:
        try:
            self._server = await asyncio.start_server(self._accepted, sock=listener, limit=CHUNK)
        except asyncio.CancelledError:                       # shut in the moment in which it was opened
            asyncio.get_running_loop().remove_reader(listener)
            raise

    def admit(self, agreed: NegotiatedFloors, hosts: frozenset[str]) -> None:
        """Who may come in; a new connection ends an old one (RFC 4145 §5)."""
        self._agreed = agreed
        self._hosts = hosts | ({agreed.peer.host} if agreed.peer.host is not None else set())
        if agreed.is_new:
            for task in list(self._lines):
                task.cancel()
        if agreed.we_connect and agreed.peer.remote is not None and (agreed.is_new or not self._lines):
            self._own(asyncio.get_running_loop().create_task(self._connect(agreed.peer.remote)))

    def sessions(self) -> list[ServerSession]:
        """The sessions to act upon."""
        return [line.session for line in self._lines.values() if line.session is not None]

    def next_timer(self) -> float | None:
        """When the earliest of them wants its time."""
        return _earliest([*self.sessions(), *(line.tls for line in self._lines.values() if line.tls is not None)])

    def handle_timer(self, now: float) -> None:
        """Pass the time on."""
        for line in list(self._lines.values()):
            if line.session is not None:
                line.session.handle_timer(now)
            if line.tls is not None:
                line.tls.handle_timer(now)

    def flush(self) -> None:
        """Write what waits; who doesn't read, or whose session is over, is cut off."""
        for task, line in list(self._lines.items()):
            if not _write(line):
                task.cancel()

    async def close(self) -> None:
        """Shut the door."""
        if self._server is not None:
            self._server.close()
        for line in self._lines.values():
            _write(line)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is None and self._listener is not None:
            self._listener.close()

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task, peer = asyncio.current_task(), writer.get_extra_info("peername")
        assert task is not None
        if peer is None or not self._may_enter(peer[0]):
            self._doors.refused += 1
            writer.close()
            return
        self._own(task)
        await self._serve(reader, writer, Role.SERVER)

    def _may_enter(self, host: str) -> bool:
        """Over TLS the handshake decides; over TCP one comes in, from where it is expected."""
        if self._agreed is None or self._agreed.we_connect:
            return False
        if self._agreed.protocol == TLS:
            return sum(line.session is None for line in self._lines.values()) < MAX_GREETING
        return host in self._hosts and not self._lines

    async def _connect(self, remote: Address) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*remote, limit=CHUNK)
        except (OSError, TimeoutError):
            log.info("BFCP: the peer can't be reached", extra={"peer": remote[0]})
            return
        await self._serve(reader, writer, Role.CLIENT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: Role) -> None:
        """Read until the end, whatever it is."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None and self._agreed is not None
        line = Line(writer, self._tls(role, loop.time()))
        self._lines[task] = line
        try:
            if line.tls is None:
                self._enter(line)
            self._doors.pump()
            await self._read(reader, line)
        except (OSError, TimeoutError):
            pass
        finally:
            if line.session is not None:
                line.session.close("connection lost")
                self._doors.pump()
            del self._lines[task]
            writer.close()

    def _tls(self, role: Role, now: float) -> TlsEndpoint | None:
        assert self._agreed is not None
        if self._agreed.protocol != TLS:
            return None
        assert self._doors.certificate is not None
        return TlsEndpoint(role, self._doors.certificate, self._agreed.peer.fingerprints, now=now)

    def _enter(self, line: Line) -> None:
        """It is known who is there: the session begins, and an older one ends."""
        for task, other in list(self._lines.items()):
            if other.session is not None:
                other.session = None
                task.cancel()
        line.session = self._doors.control.attach(self.participant, is_reliable=True)

    async def _read(self, reader: asyncio.StreamReader, line: Line) -> None:
        loop, deadline = asyncio.get_running_loop(), None
        while True:
            is_waiting = line.session is None or line.session.is_waiting_for_rest
            deadline = (deadline or loop.time() + MESSAGE_DEADLINE_S) if is_waiting else None
            async with asyncio.timeout_at(deadline):
                data = await reader.read(CHUNK)
            now = loop.time()
            if not line.budget.allows(len(data), now):
                log.info("BFCP: too much at once", extra={"participant": self.participant})
                return
            is_open = bool(data) and self._take(line, data, now)
            self._doors.pump()
            if not is_open or (line.session is not None and line.session.is_over):
                return

    def _take(self, line: Line, data: bytes, now: float) -> bool:
        """Bytes of the peer, out of TLS where there is one; False at its end."""
        if line.tls is None:
            assert line.session is not None
            line.session.receive_data(data, now)
            return True
        line.tls.receive_data(data, now)
        while (event := line.tls.next_event()) is not None:
            match event:
                case TlsConnected():
                    self._enter(line)
                case TlsData(plain) if line.session is not None:
                    line.session.receive_data(plain, now)
                case TlsClosed(reason):
                    if reason:
                        log.info("BFCP: TLS ended", extra={"participant": self.participant, "reason": reason})
                    return False
        return True


class DatagramDoor:
    """A member's door for UDP."""

    def __init__(self, doors: FloorDoors, participant: ParticipantId) -> None:
        self.participant = participant
        self.dropped = 0
        self._doors = doors
        self._socket: UdpSocket | None = None
        self._session: ServerSession | None = None
        self._hosts: frozenset[str] = frozenset()
        self._remote: Address | None = None
        self._is_locked = False
        self._budget = Budget()

    def open(self, host: str, port: int) -> Address:
        """Bind. Raises OSError."""
        self._socket = UdpSocket(host, port, self._received)
        return self._socket.address

    def admit(self, agreed: NegotiatedFloors, hosts: frozenset[str]) -> None:
        """Who may come in. A description that names the same address again changes nothing."""
        self._hosts = hosts | ({agreed.peer.host} if agreed.peer.host is not None else set())
        if self._session is not None and not self._session.is_over and agreed.peer.remote == self._remote:
            return
        self._remote, self._is_locked = agreed.peer.remote, False
        self._session = self._doors.control.attach(self.participant, is_reliable=False)

    def sessions(self) -> list[ServerSession]:
        """The session to act upon."""
        return [] if self._session is None else [self._session]

    def next_timer(self) -> float | None:
        """When it wants its time."""
        return _earliest(self.sessions())

    def handle_timer(self, now: float) -> None:
        """Pass the time on."""
        for session in self.sessions():
            session.handle_timer(now)

    def flush(self) -> None:
        """Send what waits; without an address it is lost, as any datagram may be."""
        for session in self.sessions():
            for data in session.data_to_send():
                if self._remote is not None and self._socket is not None:
                    self._socket.send(data, self._remote)

    async def close(self) -> None:
        """Shut the door."""
        self.flush()
        if self._socket is not None:
            self._socket.close()

    def _received(self, data: bytes, flow: Flow) -> None:
        now = asyncio.get_running_loop().time()
        session = self._session
        if session is None or not self._budget.allows(len(data), now) or not self._is_peer(data, flow.remote, session):
            self.dropped += 1
            return
        session.receive_data(data, now)
        self._doors.pump()

    def _is_peer(self, data: bytes, source: Address, session: ServerSession) -> bool:
        """Whether a datagram comes from the member; the first that does fixes the address."""
        if self._is_locked:
            return source == self._remote
        if source[0] not in self._hosts:
            return False
        try:
            header = Header.parse(data)
        except ParseError:
            return False
        if (header.conference_id, header.user_id) == (self._doors.control.conference_id, session.user_id):
            self._remote, self._is_locked = source, True
            return True
        return source == self._remote


def _earliest(sides: Iterable[ServerSession | TlsEndpoint]) -> float | None:
    return min((at for side in sides if (at := side.next_timer()) is not None), default=None)


def _write(line: Line) -> bool:
    """Bytes of a line onto its transport; False when it is of no more use."""
    session, tls, writer = line.session, line.tls, line.writer
    if writer.transport.is_closing():
        return True
    pieces = [] if session is None else session.data_to_send()
    for piece in pieces:      # a segment each: Wireshark before 4.2 shows only the first message of one
        if tls is None:
            writer.write(piece)
        elif tls.state == "connected":
            tls.send(piece)
    if tls is not None and (data := tls.data_to_send()):
        writer.write(data)
    return writer.transport.get_write_buffer_size() <= MAX_BUFFERED
