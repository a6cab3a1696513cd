"""A room and phones around it in one process. Time is a number: the sockets note no time of arrival, so a packet arrives at
the tick that reads it, and a minute of conference takes a few seconds."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from rtp.codecs.registry import CLOCK_RATES, create_decoder, create_encoder
from rtp.codecs.resample import Samples
from rtp.dtmf import event_payloads
from rtp.kernel import LegSpec, Notice, Room
from rtp.kernel.spec import TICK_NS, TICK_SAMPLES
from rtp.packet import RtpPacket, is_rtcp
from rtp.srtp import SessionKeys
from rtp.srtp.session import SrtpSession
from tests.helpers.tones import Signal

HOST = "127.0.0.1"
TYPES = {"pcmu": 0, "pcma": 8, "g722": 9, "opus": 111}
DTMF = 101


def sine(hz: float, level_dbfs: float = -20.0) -> Callable[[int], Samples]:
    """A tone as a function of the tick; the level is the RMS."""
    peak = 32768 * 10 ** (level_dbfs / 20) * 2 ** 0.5
    steps = np.arange(TICK_SAMPLES)
    return lambda tick: np.rint(peak * np.sin(2 * np.pi * hz / 48000 * (tick * TICK_SAMPLES + steps))).astype(np.int16)


def silence(tick: int) -> Samples:
    """Nothing."""
    return np.zeros(TICK_SAMPLES, np.int16)


@dataclass
class Phone:
    """One phone. `speaks` gives its samples for a tick, or None when it sends no packet."""

    leg_id: int
    socket: socket.socket
    room_address: tuple[str, int]
    codec: str
    speaks: Callable[[int], Samples | None] = silence
    packets: list[RtpPacket] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)
    sequence: int = 0
    timestamp: int = 1000
    extensions: dict[int, bytes] = field(default_factory=dict)
    srtp: SrtpSession | None = None

    def __post_init__(self) -> None:
        self._encoder = create_encoder(self.codec)

    @property
    def ssrc(self) -> int:
        """Its SSRC."""
        return 7_000_000 + self.leg_id

    def send(self, data: bytes, sock: socket.socket | None = None) -> None:
        """Send a datagram to the room."""
        (sock or self.socket).sendto(data, self.room_address)

    def packet(self, payload: bytes, kind: int | None = None) -> bytes:
        """The next RTP packet of this phone, protected where it has keys."""
        kind = TYPES[self.codec] if kind is None else kind
        self.sequence = (self.sequence + 1) & 0xFFFF
        plain = bytes(RtpPacket(kind, self.sequence, self.timestamp, self.ssrc, payload, extensions=self.extensions))
        packet = plain if self.srtp is None else self.srtp.protect(plain)
        assert packet is not None
        return packet

    def talk(self, tick: int) -> None:
        """Send what it says in a tick."""
        samples = self.speaks(tick)
        if samples is not None:
            self.send(self.packet(self._encoder.encode(samples)))
        self.timestamp += CLOCK_RATES[self.codec] // 50

    def press(self, key: str) -> None:
        """Send all packets of a press."""
        for payload, _ in event_payloads(key, 160, 5):
            self.send(self.packet(payload, DTMF))

    def listen(self) -> None:
        """Read all that the room has sent."""
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(2048):
                if self.srtp is not None:
                    plain = self.srtp.open(data, is_rtcp(data))
                    assert plain is not None, f"the room sent what can't be opened: {self.srtp.auth_failures} bad"
                    data = plain
                if is_rtcp(data):
                    self.rtcp.append(data)
                else:
                    self.packets.append(RtpPacket.parse(data))

    def heard(self) -> Signal:
        """All that it has heard, decoded, full scale ±1, at 48 kHz."""
        decoder = create_decoder(self.codec)
        return np.concatenate([decoder.decode(packet.payload) for packet in self.packets]) / 32768.0

    def heard_after(self, seconds: float) -> Signal:
        """What it has heard after so many seconds."""
        return self.heard()[int(seconds * 48000):]


class Table:
    """A room with phones around it."""

    def __init__(self, **options: object) -> None:
        self.room = Room(1, **options)  # type: ignore[arg-type]
        self.phones: list[Phone] = []
        self.notices: list[Notice] = []
        self.ticks = 0
        self._start_ns = time.monotonic_ns()

    def join(self, speaks: Callable[[int], Samples | None] = silence, codec: str = "pcmu", **changes: object) -> Phone:
        """A phone more; changes: fields of its `LegSpec` that are to differ."""
        ours, theirs = _bound(), _bound()
        address, leg_id = ours.getsockname(), 100 + len(self.phones)
        spec = LegSpec(leg_id, ours.detach(), -1, codec, TYPES[codec], TYPES[codec], DTMF, 20, theirs.getsockname(),
                       theirs.getsockname(), True, HOST, leg_id, 65530, 0xFFFFFF00, "room")
        self.room.add_leg(replace(spec, **changes))  # type: ignore[arg-type]
        phone = Phone(leg_id, theirs, address, codec, speaks)
        keys = changes.get("keys")
        if isinstance(keys, SessionKeys):
            phone.srtp = SrtpSession(SessionKeys(keys.suite, keys.remote, keys.local))
        self.phones.append(phone)
        return phone

    @property
    def now_ns(self) -> int:
        """When the next tick is due."""
        return self._start_ns + self.ticks * TICK_NS

    def run(self, ticks: int) -> None:
        """Let time pass."""
        for _ in range(ticks):
            for phone in self.phones:
                phone.talk(self.ticks)
            self.step()

    def step(self) -> None:
        """One tick without anybody speaking of their own accord."""
        self.room.tick(self.now_ns)
        self.notices += self.room.notices()
        self.ticks += 1
        for phone in self.phones:
            phone.listen()

    def close(self) -> None:
        """End the room and the phones."""
        self.room.close()
        for phone in self.phones:
            phone.socket.close()


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


@contextlib.contextmanager
def seated(**options: object) -> Iterator[Table]:
    """A table that is cleared away at the end."""
    table = Table(**options)
    try:
        yield table
    finally:
        table.close()
