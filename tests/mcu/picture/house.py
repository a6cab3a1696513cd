"""A room's forwarder in this process, people with real encoders around it, and what its composer does to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from mcu.engine.composing import COMPOSED_TYPES, Face, Format
from mcu.picture.layout import Tile
from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder, create_video_encoder
from rtp.errors import CodecError
from rtp.feedback import Feedback, parse_feedback
from rtp.kernel.forwarder import Forwarder
from rtp.kernel.sockets import VIDEO, prepare
from rtp.kernel.video_spec import PortSpec, ProducerSpec, SlotSpec
from rtp.rtcp import OtherPacket, parse_compound
from rtp.video_receiver import VideoReceiver
from rtp.video_sender import VideoSender

HOST = "127.0.0.1"
FORMATS = {number: codec for number, codec, _ in COMPOSED_TYPES}
WISHES = frozenset({"nack", "nack pli", "goog-remb"})
DEADLINE_S = 30.0
"""For things that take well under two seconds: the machine may be busy."""


def _sockets() -> tuple[socket.socket, socket.socket]:
    made = []
    for _ in range(2):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((HOST, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        prepare(sock, VIDEO)
        made.append(sock)
    return made[0], made[1]


class Film:
    """A stream of charts with a number. garbage: what is made of each coded picture before it is packed."""

    def __init__(self, number: int, codec: str = "h264", ssrc: int = 1, size: tuple[int, int] = (320, 180)) -> None:
        self.number, self.size = number, size
        self.count = 0
        self.garbage: Callable[[bytes], bytes] | None = None
        kind = next(number for number, name, _ in COMPOSED_TYPES if name == codec)
        self.sender = VideoSender(codec, kind, ssrc, 1, lambda packet: packet)
        self._codec = codec
        self.resize(*size)

    def resize(self, width: int, height: int) -> None:
        """Go on with pictures of another size."""
        self.size = width, height
        self._encoder = create_video_encoder(self._codec, width, height, 400_000)

    def draw(self, picture: Picture) -> None:
        """Draw the next picture."""
        draw(picture, self.number, self.count)

    def packets(self, now_ns: int) -> list[bytes]:
        """Those of the next picture; 25 a second."""
        picture = Picture.create(*self.size)
        self.draw(picture)
        data = self._encoder.encode(picture, self.count * 3600, is_key=self.sender.takes_key_frame(now_ns))
        self.count += 1
        if self.garbage is not None:
            data = self.garbage(data)
        return self.sender.packets_of(data, self.count * 3600) if data else []


@dataclass
class Camera:
    """Sends a film to the room, and key frames when it is asked."""

    film: Film
    socket: socket.socket
    room: tuple[str, int]

    def turn(self, now_ns: int) -> None:
        """Send the next picture, and take what is asked."""
        while (data := _receive(self.socket)) is not None:
            for item in _feedback(data):
                for packet in self.film.sender.receive_feedback(item, now_ns):
                    self.socket.sendto(packet, self.room)
        for packet in self.film.packets(now_ns):
            self.socket.sendto(packet, self.room)


@dataclass
class Screen:
    """A phone with one line of pictures: decodes what it is sent."""

    number: int
    socket: socket.socket
    room: tuple[str, int]
    picture: Picture | None = None
    pictures: int = 0
    failures: int = 0
    codecs: set[str] = field(default_factory=set)
    remb_bps: int = 0

    def __post_init__(self) -> None:
        self.receiver = VideoReceiver(FORMATS, WISHES)
        self._decoders: dict[str, VideoDecoder] = {}

    def turn(self, now_ns: int) -> None:
        """Take what has come, ask for what is missing."""
        while (data := _receive(self.socket)) is not None:
            if 192 <= data[1] <= 223:
                continue
            for coded in self.receiver.receive(data, now_ns):
                codec = self.receiver.codec
                self.codecs.add(codec)
                decoder = self._decoders.setdefault(codec, VideoDecoder(codec))
                try:
                    decoded = decoder.decode(coded.data) if coded.is_decodable else []
                except CodecError:
                    self.failures += 1
                    decoded = []
                if decoded:
                    self.picture, self.pictures = decoded[-1], self.pictures + 1
        for item in self.receiver.feedback_to_send(self.number, 10_000_000, now_ns):
            self.socket.sendto(bytes(item), self.room)

    def say(self, item: Feedback) -> None:
        """Send feedback."""
        self.socket.sendto(bytes(item), self.room)

    def charts(self, tiles: Iterable[Tile]) -> list[int | None]:
        """Whose charts are in the tiles of the newest picture, None where there is none."""
        if self.picture is None:
            return []
        found = []
        for tile in tiles:
            chart = read(self.picture.region(tile.left, tile.top, tile.width, tile.height).y)
            found.append(chart[0] if chart else None)
        return found


class House:
    """The forwarder with its people; also the stage of the room's composer. `assigned`: producer by viewer."""

    def __init__(self) -> None:
        self.room_id = 7
        self.forwarder = Forwarder(self.room_id)
        self.cameras: dict[int, Camera] = {}
        self.screens: dict[int, Screen] = {}
        self.assigned: dict[int, int | None] = {}
        self.dissolved: list[int] = []
        self.producers: set[int] = set()
        self._last_id = 100_000
        self._slots: dict[int, int] = {}
        self._ports: list[int] = []

    def new_id(self) -> int:
        """An id that nothing here has."""
        self._last_id += 1
        return self._last_id

    def _port(self, port_id: int) -> tuple[socket.socket, tuple[str, int]]:
        theirs, ours = _sockets()
        remote, room = theirs.getsockname(), ours.getsockname()
        self.forwarder.add_port(PortSpec(port_id, ours.detach(), -1, remote, remote, True, HOST, port_id, "house",
                                         is_reduced=True, is_local=True))
        return theirs, room

    def film(self, number: int, codec: str = "h264") -> Camera:
        """Somebody who sends pictures: a producer of that number."""
        theirs, room = self._port(number)
        camera = self.cameras[number] = Camera(Film(number, codec, number + 1000), theirs, room)
        kind = next(one for one in COMPOSED_TYPES if one[1] == codec)
        self.forwarder.add_producer(ProducerSpec(number, number, (kind,), feedback=WISHES))
        return camera

    def watch_tv(self, number: int) -> Screen:
        """Somebody with one line of pictures: a slot of that number plus 500."""
        theirs, room = self._port(number + 500)
        screen = self.screens[number] = Screen(number, theirs, room)
        self.forwarder.add_slot(SlotSpec(number + 500, number + 500, number + 2000, 1, 1, COMPOSED_TYPES))
        return screen

    def faces(self, *silent: str) -> tuple[Face, ...]:
        """The cameras' owners, and people without a picture."""
        seen = [Face(number, f"Person {number}", True) for number in self.cameras]
        return (*seen, *(Face(90 + index, name, False) for index, name in enumerate(silent)))

    # ---- the stage

    def open_port(self, sock: socket.socket) -> int:
        """See Stage."""
        port_id, remote = self.new_id(), sock.getpeername()
        self.forwarder.add_port(PortSpec(port_id, os.dup(sock.fileno()), -1, remote, remote, True, HOST, port_id, "stage",
                                         is_reduced=True, is_local=True))
        self._ports.append(port_id)
        return port_id

    def watch(self, port_id: int, producer_id: int) -> int:
        """See Stage."""
        ssrc, slot_id = secrets.randbits(32), self.new_id()
        self.forwarder.add_slot(SlotSpec(slot_id, port_id, ssrc, 1, 1, COMPOSED_TYPES))
        self.forwarder.show(slot_id, producer_id)
        self._slots[ssrc] = slot_id
        return ssrc

    def unwatch(self, ssrc: int) -> None:
        """See Stage."""
        self.forwarder.remove_slot(self._slots.pop(ssrc, 0))

    def compose(self, port_id: int, ssrc: int, kind: Format) -> int:
        """See Stage."""
        producer_id = self.new_id()
        formats = tuple(one for one in COMPOSED_TYPES if one[1:] == kind)
        self.forwarder.add_producer(ProducerSpec(producer_id, port_id, formats, feedback=WISHES, ssrc=ssrc))
        self.producers.add(producer_id)
        return producer_id

    def dissolve(self, producer_id: int) -> None:
        """See Stage."""
        self.producers.discard(producer_id)
        self.forwarder.remove_producer(producer_id)

    def assign(self, participant: int, producer_id: int | None) -> None:
        """See Stage."""
        self.assigned[participant] = producer_id
        self.forwarder.show(participant + 500, producer_id)

    def close_port(self, port_id: int) -> None:
        """See Stage."""
        if port_id in self._ports:
            self._ports.remove(port_id)
            self.forwarder.remove_port(port_id)

    @property
    def watched(self) -> int:
        """How many streams the composer watches."""
        return len(self._slots)

    # ---- the clock

    async def run(self) -> None:
        """Let it live until cancelled."""
        picture_ns = time.monotonic_ns()
        while True:
            now_ns = time.monotonic_ns()
            if now_ns >= picture_ns:
                picture_ns = max(picture_ns + 40_000_000, now_ns - 40_000_000)
                for camera in list(self.cameras.values()):
                    camera.turn(now_ns)
            self.forwarder.drain(now_ns)
            for screen in list(self.screens.values()):
                screen.turn(now_ns)
            await asyncio.sleep(0.004)

    def close(self) -> None:
        """End it."""
        self.forwarder.close()
        for sock in [*(one.socket for one in self.cameras.values()), *(one.socket for one in self.screens.values())]:
            sock.close()


@contextlib.asynccontextmanager
async def living(house: House) -> AsyncIterator[House]:
    """The house with its clock running."""
    task = asyncio.create_task(house.run())
    try:
        yield house
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        house.close()


async def until(is_true: Callable[[], object], what: str) -> None:
    """Wait for a condition. Raises AssertionError when it doesn't come true."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, f"not so: {what}"
        await asyncio.sleep(0.01)


def _receive(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(4096)
    except BlockingIOError:
        return None


def _feedback(data: bytes) -> list[Feedback]:
    if not 192 <= data[1] <= 223:
        return []
    items = [parse_feedback(packet) for packet in parse_compound(data) if isinstance(packet, OtherPacket)]
    return [item for item in items if item is not None]
