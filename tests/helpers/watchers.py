"""Light phones with pictures: a crowd whose members send streams of a known content and keep what they are shown.

    async with Watchers(server) as crowd:
        anna = await crowd.watch("daily", 440)                          # one line of pictures, as a stock phone
        ours = await crowd.watch("daily", 700, slots=9, has_slides=True) # a camera and receive slots, as our phone
        await crowd.show(2.0)
    ours.seen()                                                         # whose pictures came

A picture is two packets whose bytes are its sender's number; what came is judged by those, by CSRC and by sequence numbers.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from rtp.errors import ParseError
from rtp.feedback import FullIntraRequest, PictureLossIndication, parse_feedback
from rtp.packet import RtpPacket, is_rtcp
from rtp.rtcp import OtherPacket, parse_compound
from rtp.sdp import several
from rtp.sdp.bundle import MID
from rtp.sdp.floor_client import LocalClient, apply_answer_as_client, offer_as_client
from rtp.sdp.floor_control import TCP
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import LocalMedia, apply_answer
from rtp.sdp.parser import parse
from rtp.sdp.several import LocalVideo, NegotiatedVideo
from rtp.sdp.video import SLIDES, VideoCapabilities
from sip import events
from sip.uri import Uri
from tests.helpers.crowd import CODECS, Crowd, Person, tone_frames
from tests.helpers.floor_phone import FloorPhone

RATE = 30
PACKETS = 2
CAMERA = VideoCapabilities(takes_all=True, extensions=((3, MID),))


@dataclass(eq=False)
class Stream:
    """A stream that a watcher sends: its sender's number in each byte, a key frame first and whenever one is asked for."""

    number: int
    content: str
    is_on: bool = True
    mid: str = ""
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    sequence: int = field(default_factory=lambda: secrets.randbelow(0x8000))
    timestamp: int = 0
    is_key_due: bool = True
    keys_sent: int = 0

    def picture(self, line: NegotiatedVideo) -> list[bytes]:
        """The next picture, of H.264 in fragments."""
        is_key, self.is_key_due = self.is_key_due, False
        self.keys_sent += is_key
        form = next(one for one in line.formats if one.name == "H264")
        mid = {line.extensions[MID]: self.mid.encode()} if self.mid and MID in line.extensions else {}
        out = []
        for part in range(PACKETS):
            head = bytes((0x7C, (0x80 if part == 0 else 0x40) | (5 if is_key else 1)))
            out.append(bytes(RtpPacket(form.send_type, self.sequence, self.timestamp, self.ssrc,
                                       head + bytes((self.number,)) * 200, part == PACKETS - 1, extensions=mid)))
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 90000 // RATE) & 0xFFFFFFFF
        return out


@dataclass(eq=False)
class Watcher:
    """A phone with pictures. came: (mid, packet) of all that it was shown; lines: what is agreed."""

    person: Person
    sock: socket.socket
    offered: SessionDescription
    videos: list[LocalVideo]
    answer: SessionDescription | None = None
    lines: tuple[NegotiatedVideo, ...] = ()
    streams: dict[str, Stream] = field(default_factory=dict)
    came: list[tuple[str, RtpPacket]] = field(default_factory=list)
    junk: int = 0

    def seen(self, content: str = "") -> set[int]:
        """Whose pictures came, by the number in them; content: over lines of slides, or others."""
        slides = {line.mid or str(line.index) for line in self.lines if (line.content == SLIDES) == (content == SLIDES)}
        return {packet.payload[-1] for name, packet in self.came if name in slides}

    @property
    def last(self) -> int:
        """Whose picture came last, 0 for nobody's."""
        return self.came[-1][1].payload[-1] if self.came else 0

    def origins(self) -> dict[int, set[int]]:
        """By number, the CSRCs that its packets named."""
        out: dict[int, set[int]] = {}
        for _, packet in self.came:
            out.setdefault(packet.payload[-1], set()).update(packet.csrcs)
        return out

    async def floors(self) -> FloorPhone:
        """Its connection to the server's floor control, as the answer says."""
        assert self.answer is not None
        at = next(index for index, media in enumerate(self.answer.media) if media.kind == "application")
        agreed = apply_answer_as_client(self.offered.media[at], at, self.answer)
        peer = agreed.peer
        assert peer.remote is not None and peer.conference_id is not None and peer.user_id is not None
        return await FloorPhone.connect(peer.protocol, peer.remote, peer.conference_id, peer.user_id)


class Watchers(Crowd):
    """Phones with pictures on one SIP endpoint."""

    watchers: list[Watcher]

    async def __aenter__(self) -> Watchers:
        await super().__aenter__()
        self.watchers = []
        return self

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        for watcher in self.watchers:
            asyncio.get_running_loop().remove_reader(watcher.sock.fileno())
            watcher.sock.close()

    async def watch(self, room: str, hz: float, *, number: int = 0, slots: int = 0, has_slides: bool = False,
                    has_floors: bool = False, direction: str = "sendrecv") -> Watcher:
        """Call a room with pictures. number: what its pictures show; slots: receive slots beside the camera, bundled;
        has_slides, has_floors: lines of slides and of BFCP."""
        number = number or len(self.watchers) + 1
        sock = self._media_socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        port = sock.getsockname()[1]
        local = LocalMedia(self.host, port, port, direction)
        videos = [LocalVideo(local, mid="v" if slots or has_slides else "")]
        videos += [LocalVideo(LocalMedia(self.host, port, port, "recvonly"), mid=f"r{index}") for index in range(slots)]
        if has_slides:
            videos.append(LocalVideo(local, SLIDES, "slides", "s"))
        name = f"w{number}-{secrets.token_hex(2)}"
        audio_sock = self._media_socket()
        audio = LocalMedia(self.host, audio_sock.getsockname()[1], audio_sock.getsockname()[1])
        offer = several.offer(CODECS, audio, CAMERA, videos, session_id=1, version=1)
        if has_floors:
            offer = replace(offer, media=(*offer.media, offer_as_client(LocalClient(self.host), TCP)))
        call = self.endpoint.invite(Uri.parse(self.server.uri(room)), from_=self._aor(name), flow=self._flow(),
                                    contact=self._contact(name), now=self.driver.now(), offer=bytes(offer))
        person = Person(name, hz, call, audio_sock, tone_frames(hz), asyncio.get_running_loop().create_future())
        person.is_talking = False
        watcher = Watcher(person, sock, offer, videos)
        call.data = (person, offer, watcher)
        asyncio.get_running_loop().add_reader(audio_sock.fileno(), self._on_media, person)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_picture, watcher)
        self.watchers.append(watcher)
        self.driver.pump()
        async with asyncio.timeout(10):
            await person.answered
        self.people.append(person)
        watcher.streams = {content: Stream(number, content, content != SLIDES, "v" if slots or has_slides else "")
                           for content in ("", *([SLIDES] if has_slides else ()))}
        if has_slides:
            watcher.streams[SLIDES].mid = "s"
            watcher.streams[SLIDES].number = number + 100
        return watcher

    async def show_until(self, is_enough: Callable[[], bool], limit_s: float = 20.0) -> None:
        """Send everybody's pictures and sound until that holds. Raises TimeoutError."""
        await self.show(limit_s, is_enough)
        if not is_enough():
            raise TimeoutError(f"it did not come to it in {limit_s} s")

    async def show(self, seconds: float, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Send everybody's pictures and sound for so long, or until it is enough."""
        due, step = time.monotonic(), 0
        while step < seconds * 50 and not is_enough():
            for person in self.people:
                self._send(person)
            for watcher in self.watchers:
                if step * RATE // 50 != (step - 1) * RATE // 50:
                    self._send_pictures(watcher)
            step += 1
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _send_pictures(self, watcher: Watcher) -> None:
        for stream in watcher.streams.values():
            line = next((one for one in watcher.lines if (one.content == SLIDES) == (stream.content == SLIDES)
                         and one.may_send), None)
            if line is not None and line.remote is not None and stream.is_on:
                for packet in stream.picture(line):
                    watcher.sock.sendto(packet, line.remote)

    def _on_event(self, event: events.Event) -> None:
        match event:
            case events.CallAnswered(call, _, answer) if len(call.data) == 3:
                person, offer, watcher = call.data
                theirs = watcher.answer = parse(answer or b"")
                person.agreed = apply_answer(offer, theirs)
                watcher.lines = several.apply_answer(offer, theirs, watcher.videos)
                person.answered.set_result(None)
            case events.CallAnswered():
                super()._on_event(event)
            case _:
                super()._on_event(event)

    def _on_picture(self, watcher: Watcher) -> None:
        while True:
            try:
                data = watcher.sock.recv(2048)
            except OSError:
                return
            if is_rtcp(data):
                self._take_report(watcher, data)
                continue
            try:
                packet = RtpPacket.parse(data)
            except ParseError:
                watcher.junk += 1
                continue
            mids = {line.extensions[MID] for line in watcher.lines if MID in line.extensions}
            mid = next((packet.extensions[number].decode() for number in mids if number in packet.extensions), "")
            watcher.came.append((mid or str(watcher.lines[0].index), packet))

    def _take_report(self, watcher: Watcher, data: bytes) -> None:
        for packet in parse_compound(data):
            if not isinstance(packet, OtherPacket):
                continue
            found: Any = parse_feedback(packet)
            wanted = {found.source} if isinstance(found, PictureLossIndication) else (
                {ssrc for ssrc, _ in found.entries} if isinstance(found, FullIntraRequest) else set())
            for stream in watcher.streams.values():
                stream.is_key_due = stream.is_key_due or stream.ssrc in wanted
