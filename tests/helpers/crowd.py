"""Many light phones in one process: each calls a room in PCMU, sends a tone of its own and keeps what it hears.

    async with Crowd(server) as crowd:
        people = [await crowd.join("daily", hz) for hz in (440, 700, 1000)]
        await crowd.talk(5.0)
    level = people[0].level_dbfs(700)

Tones and recordings are made of whole packets: loss and order are read from sequence numbers, not from the clock.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from confero.testing import Server
from rtp.codecs import g711
from rtp.sdp import negotiation
from rtp.sdp.negotiation import PCMU, Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse
from sip import events
from sip.aio.driver import Driver
from sip.conference_info import ConferenceInfo, merge
from sip.conference_info import parse as parse_roster
from sip.endpoint import Endpoint, EndpointSettings
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.subscription import Subscription
from sip.uri import Uri
from tests.helpers import tones

CODECS = Capabilities((PCMU,), dtmf=True, extensions=())
FRAME = 160
LEVEL_DBFS = -20.0
_HEADER = struct.Struct("!BBHII")


@dataclass(eq=False)
class Person:
    """One light phone."""

    name: str
    hz: float
    call: Call
    sock: socket.socket
    frames: list[bytes]
    answered: asyncio.Future[None]
    agreed: NegotiatedAudio | None = None
    ended: events.CallTerminated | None = None
    roster: ConferenceInfo | None = None
    subscription: Subscription | None = None
    is_talking: bool = True
    heard: list[tuple[int, int, int, bytes, tuple[int, ...]]] = field(default_factory=list)
    position: int = 0
    sequence: int = field(default_factory=lambda: secrets.randbelow(0x8000))
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    stray: int = 0

    def sound(self) -> tones.Signal:
        """What was heard, in the order of sequence numbers, lost packets as silence."""
        if not self.heard:
            return np.zeros(0)
        ordered = {sequence: payload for sequence, _, _, payload, _ in self.heard}
        first = self.heard[0][0]
        last = max(((sequence - first + 0x8000) & 0xFFFF) - 0x8000 for sequence in ordered)
        silence = b"\xff" * FRAME
        data = b"".join(ordered.get((first + i) & 0xFFFF, silence) for i in range(last + 1))
        return g711.MULAW[np.frombuffer(data, np.uint8)] / 32768.0

    def level_dbfs(self, hz: float) -> float:
        """The level of a tone in the middle of what was heard."""
        return tones.level_dbfs(8000, tones.steady(8000, self.sound()), hz)

    def narrow_levels_dbfs(self, hz: float) -> list[float]:
        """The level within some Hz of a frequency in each half second: tells tones apart that are 30 Hz from each other.

        A lost packet turns the tone's phase and so lowers the level of its half second alone.
        """
        sound, size = tones.steady(8000, self.sound()), 4000
        window = np.hanning(size)
        turning = np.exp(-2j * np.pi * hz / 8000 * np.arange(size)) * window * 2 / float(np.sum(window))
        amplitudes = [abs(np.sum(sound[at:at + size] * turning)) for at in range(0, len(sound) - size + 1, size // 2)]
        return [float(20 * np.log10(max(amplitude, 1e-6) / np.sqrt(2))) for amplitude in amplitudes] or [tones.FLOOR_DBFS]

    @property
    def missing(self) -> int:
        """Gaps in the sequence numbers of what came."""
        numbers = [sequence for sequence, *_ in self.heard]
        return sum((b - a) & 0xFFFF != 1 for a, b in itertools.pairwise(numbers))

    @property
    def names(self) -> list[str]:
        """Who is in the room, as the roster says."""
        return sorted(user.display_text for user in self.roster.users) if self.roster is not None else []


def tone_frames(hz: float, level_dbfs: float = LEVEL_DBFS, seconds: float = 1.0) -> list[bytes]:
    """PCMU packets of a tone; with a whole number of periods in `seconds` they loop without a seam."""
    samples = tones.sines(round(hz * seconds) / seconds, seconds, 8000, level_dbfs)
    distance = np.abs(g711.MULAW[:, None].astype(np.int32) - np.rint(samples * 32767).astype(np.int32))
    data = distance.argmin(axis=0).astype(np.uint8).tobytes()
    return [data[i:i + FRAME] for i in range(0, len(data), FRAME)]


class Crowd:
    """All light phones of a test, behind one SIP endpoint. host: their address; `people` are those who got in."""

    def __init__(self, server: Server, host: str = "127.0.0.1") -> None:
        self.server = server
        self.host = host
        self.people: list[Person] = []
        self.messages: dict[int, asyncio.Future[int]] = {}
        self._silence = [b"\xff" * FRAME]

    async def __aenter__(self) -> Crowd:
        self.endpoint = Endpoint(EndpointSettings(user_agent="crowd"), secrets.token_bytes)
        self.driver = Driver(self.endpoint, self._on_event)
        await self.driver.listen(self.host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for person in self.people:
            if person.call.is_up:
                person.call.hang_up(self.driver.now())
        self.driver.pump()
        await asyncio.sleep(0.3)
        await self.driver.close()
        for person in self.people:
            self._close(person)

    async def join(self, room: str, hz: float, *, name: str = "", shown: str = "", subscribes: bool = False,
                   headers: Any = ()) -> Person:
        """Call a room and wait (10 s) for the answer. Raises ConnectionRefusedError with status and words."""
        person = self.dial(room, hz, name=name, shown=shown, headers=headers)
        async with asyncio.timeout(10):
            await person.answered
        self.people.append(person)
        if subscribes:
            person.subscription = self.endpoint.subscribe(
                Uri.parse(self.server.uri(room)), package="conference", accept="application/conference-info+xml",
                from_=self._aor(person.name), flow=self._flow(), contact=self._contact(person.name), now=self.driver.now(),
                data=person)
            self.driver.pump()
        return person

    def dial(self, room: str, hz: float, *, name: str = "", shown: str = "", headers: Any = ()) -> Person:
        """Send the INVITE. shown: the display name, where it is not the name."""
        name = name or f"p{round(hz)}-{secrets.token_hex(2)}"
        sock = self._media_socket()
        port = sock.getsockname()[1]
        offer = negotiation.offer(CODECS, LocalMedia(self.host, port, port), session_id=1, version=1)
        call = self.endpoint.invite(
            Uri.parse(self.server.uri(room)), from_=NameAddr(self._aor(name).uri, shown or name), flow=self._flow(),
            contact=self._contact(name), now=self.driver.now(), offer=bytes(offer), headers=headers)
        person = Person(name, hz, call, sock, tone_frames(hz), asyncio.get_running_loop().create_future())
        call.data = (person, offer)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_media, person)
        self.driver.pump()
        return person

    async def talk(self, seconds: float) -> None:
        """Send everybody's next packets, 50 a second each, for so long."""
        due = time.monotonic()
        for _ in range(round(seconds * 50)):
            for person in self.people:
                self._send(person)
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def forget(self) -> None:
        """Begin the recordings anew."""
        for person in self.people:
            person.heard.clear()

    def hang_up(self, person: Person) -> None:
        """Leave."""
        person.call.hang_up(self.driver.now())
        self.driver.pump()
        self.people.remove(person)
        self._close(person)

    def vanish(self, person: Person) -> None:
        """Leave without a word: nothing is sent or answered any more."""
        self.people.remove(person)
        self._close(person)

    def rebind(self, person: Person) -> None:
        """Send and receive media at another port from now on, as behind a NAT that forgot the old one."""
        self._close(person)
        person.sock = self._media_socket()
        asyncio.get_running_loop().add_reader(person.sock.fileno(), self._on_media, person)

    async def say(self, person: Person, text: str) -> int:
        """Send a text inside the call; the status of the answer."""
        number = person.call.request("MESSAGE", body=text.encode(), content_type="text/plain", now=self.driver.now())
        self.messages[number] = asyncio.get_running_loop().create_future()
        self.driver.pump()
        try:
            async with asyncio.timeout(10):
                return await self.messages[number]
        finally:
            del self.messages[number]

    # ---- inside

    def _media_socket(self) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((self.host, 0))
        return sock

    def _flow(self) -> Flow:
        return self.driver.flow_to((self.server.host, self.server.port))

    def _aor(self, name: str) -> NameAddr:
        return NameAddr(Uri("sip", name, self.host), name)

    def _contact(self, name: str) -> Uri:
        return Uri("sip", name, self.host, self.driver.addresses[0][1][1])

    def _close(self, person: Person) -> None:
        if person.sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(person.sock.fileno())
            person.sock.close()

    def _on_event(self, event: events.Event) -> None:
        match event:
            case events.CallAnswered(call, _, answer):
                person, offer = call.data
                person.agreed = negotiation.apply_answer(offer, parse(answer or b""))
                person.answered.set_result(None)
            case events.CallTerminated(call, _, status, reason, _) if not call.data[0].answered.done():
                call.data[0].answered.set_exception(ConnectionRefusedError(status, reason))
                self._close(call.data[0])
            case events.CallTerminated(call):
                call.data[0].ended = event
            case events.NotifyReceived(subscription, request):
                if request.body:
                    subscription.data.roster = merge(subscription.data.roster, parse_roster(request.body))
            case events.DialogRequestReceived(_, transaction_id, _):
                self.endpoint.respond(transaction_id, 200, now=self.driver.now())
            case events.ResponseReceived(number, response) if number in self.messages:
                self.messages[number].set_result(response.status)

    def _send(self, person: Person) -> None:
        if person.agreed is None or person.agreed.remote is None or person.sock.fileno() < 0:
            return
        frames = person.frames if person.is_talking else self._silence
        header = _HEADER.pack(0x80, 0, person.sequence, person.position * FRAME & 0xFFFFFFFF, person.ssrc)
        person.sock.sendto(header + frames[person.position % len(frames)], person.agreed.remote)
        person.position += 1
        person.sequence = (person.sequence + 1) & 0xFFFF

    def _on_media(self, person: Person) -> None:
        while True:
            try:
                data, source = person.sock.recvfrom(2048)
            except OSError:
                return
            if person.agreed is not None and source != person.agreed.remote:
                person.stray += 1
            elif len(data) >= 12 and not 192 <= data[1] <= 223:
                first, _, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
                count = first & 0x0F
                csrcs = struct.unpack_from(f"!{count}I", data, 12)
                person.heard.append((sequence, timestamp, ssrc, data[12 + 4 * count:], csrcs))
