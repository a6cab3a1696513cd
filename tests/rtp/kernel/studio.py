"""A forwarder and people around it in one process, over real sockets. Time is a number that the test passes."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass, field, replace

from rtp.errors import ParseError
from rtp.feedback import Feedback, parse_feedback
from rtp.kernel.forwarder import Forwarder
from rtp.kernel.video_spec import PortSpec, ProducerSpec, SlotSpec, VideoNotice
from rtp.packet import RtpPacket, is_rtcp
from rtp.payload.vp8 import Descriptor
from rtp.rtcp import OtherPacket, RtcpPacket, parse_compound
from rtp.srtp import VIDEO_WINDOW, MasterKey, SessionKeys, Suite
from rtp.srtp.session import SrtpSession

HOST = "127.0.0.1"
MS = 1_000_000
H264, H264_SINGLE, VP8 = (97, "h264", 1), (98, "h264", 0), (96, "vp8", 0)
ALL = (H264, H264_SINGLE, VP8)
WISHES = frozenset(("nack", "nack pli", "ccm fir", "goog-remb"))


@dataclass
class Person:
    """A participant: sends pictures of two packets, and keeps what comes, but for a share `loss` of it."""

    number: int
    socket: socket.socket
    room: tuple[str, int]
    srtp: SrtpSession | None = None
    coding: tuple[int, str, int] = H264
    sequence: int = 0
    timestamp: int = 0
    extensions: dict[int, bytes] = field(default_factory=dict)
    packets: list[RtpPacket] = field(default_factory=list)
    rtcp: list[RtcpPacket] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)
    ssrc: int = 0
    picture_id: int = 0
    loss: float = 0.0
    dice: random.Random = field(default_factory=lambda: random.Random(3))

    def packet(self, is_key: bool, is_first: bool, size: int = 100, fill: bytes = b"") -> bytes:
        """The next packet, in clear; the second of a picture has the marker."""
        if self.coding[1] == "vp8":
            descriptor = Descriptor(is_first, picture_id=self.picture_id, base_index=self.picture_id & 0xFF)
            head = bytes(descriptor) + bytes((not is_key,))
        else:
            head = bytes((0x7C, (0x80 if is_first else 0x40) | (5 if is_key else 1)))
        made = bytes(RtpPacket(self.coding[0], self.sequence, self.timestamp, self.ssrc or self.number,
                               head + (fill or bytes((self.number,))) * size, not is_first, extensions=self.extensions))
        self.sequence = (self.sequence + 1) & 0xFFFF
        return made

    def picture(self, is_key: bool = False, size: int = 100) -> list[bytes]:
        """The packets of the next picture, ready to be sent."""
        made = [self.packet(is_key, True, size), self.packet(is_key, False, size)]
        self.timestamp = (self.timestamp + 3000) & 0xFFFFFFFF
        self.picture_id = (self.picture_id + 1) & 0x7FFF
        return [self.seal(packet) for packet in made]

    def seal(self, packet: bytes) -> bytes:
        """A packet as it goes over the wire."""
        return packet if self.srtp is None else self.srtp.protect(packet) or b""

    def send(self, *datagrams: bytes) -> None:
        """Send to the room."""
        for datagram in datagrams:
            self.socket.sendto(datagram, self.room)

    def say(self, *items: Feedback | RtcpPacket) -> None:
        """Send RTCP."""
        data = b"".join(map(bytes, items))
        self.send(data if self.srtp is None else self.srtp.protect_rtcp(data) or b"")

    def listen(self) -> None:
        """Take what has come."""
        while True:
            try:
                data = self.socket.recv(4096)
            except BlockingIOError:
                return
            self.sealed.append(data)
            is_report = is_rtcp(data)
            if self.loss and not is_report and self.dice.random() < self.loss:
                continue
            plain = data if self.srtp is None else self.srtp.open(data, is_report)
            if plain is None:
                continue
            if is_report:
                self.rtcp += parse_compound(plain)
            else:
                self.packets.append(RtpPacket.parse(plain))

    def heard(self, kind: type[Feedback]) -> list[Feedback]:
        """Feedback of that kind that came."""
        found: list[Feedback] = []
        for packet in self.rtcp:
            if isinstance(packet, OtherPacket):
                try:
                    item = parse_feedback(packet)
                except ParseError:
                    item = None
                if isinstance(item, kind):
                    found.append(item)
        return found

    def shown(self) -> list[int]:
        """Whose payloads came, in order, each change once."""
        out: list[int] = []
        for packet in self.packets:
            if not out or packet.payload[-1] != out[-1]:
                out.append(packet.payload[-1])
        return out


class Studio:
    """The forwarder, its people and the time in ns."""

    def __init__(self, suite: Suite | None = None) -> None:
        self.forwarder = Forwarder(1)
        self.people: dict[int, Person] = {}
        self.now = 10_000 * MS
        self.seen: list[VideoNotice] = []
        self._suite = suite

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.forwarder.close()
        for person in self.people.values():
            person.socket.close()

    def join(self, number: int, coding: tuple[int, str, int] = H264, *, sends: bool = True,
             wishes: frozenset[str] = WISHES, **more: object) -> Person:
        """A participant with a port, and a producer of the same number."""
        theirs, ours = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (theirs, ours):
            sock.bind((HOST, 0))
            sock.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        room, remote = ours.getsockname(), theirs.getsockname()
        spec = PortSpec(number, ours.detach(), -1, remote, remote, True, HOST, 500 + number, "studio", is_reduced=True)
        person = Person(number, theirs, room, coding=coding)
        if self._suite is not None:
            size = self._suite.master_length
            one, two = (MasterKey.of(self._suite, (bytes((value, number)) * size)[:size]) for value in (1, 2))
            spec.keys = SessionKeys(self._suite, one, two)
            person.srtp = SrtpSession(SessionKeys(self._suite, two, one), window=VIDEO_WINDOW)
        self.forwarder.add_port(replace(spec, **more))  # type: ignore[arg-type]
        if sends:
            self.forwarder.add_producer(ProducerSpec(number, number, (coding,), feedback=wishes))
        self.people[number] = person
        return person

    def slot(self, slot_id: int, of: int, shows: int | None = None, *, formats: tuple[tuple[int, str, int], ...] = ALL,
             rank: int = 0, mid: str = "") -> bool:
        """A slot of a participant, with sequence numbers that soon wrap; what `show` says."""
        self.forwarder.add_slot(SlotSpec(slot_id, of, 9000 + slot_id, 65530, 4_294_960_000, formats, mid, rank))
        return self.forwarder.show(slot_id, shows)

    def about(self, kind: type[VideoNotice]) -> list[VideoNotice]:
        """The notices of that kind."""
        return [notice for notice in self.seen if isinstance(notice, kind)]

    def run(self, ms: int = 1) -> None:
        """Let so much time go by, then drain, then everybody listens."""
        self.now += ms * MS
        self.forwarder.drain(self.now)
        self.seen += self.forwarder.notices()
        for person in self.people.values():
            person.listen()

    def roll(self, count: int, *numbers: int, key: bool = False, size: int = 100, ms: int = 33) -> None:
        """So many pictures of these people; key: the first is one that stands alone."""
        for index in range(count):
            for number in numbers:
                self.people[number].send(*self.people[number].picture(key and index == 0, size))
            self.run(ms)


def numbers_of(person: Person) -> list[int]:
    """Sequence numbers that came, without the wrap."""
    return [(packet.sequence + 100) & 0xFFFF for packet in person.packets]
