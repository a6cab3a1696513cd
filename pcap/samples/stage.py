"""A stage in virtual time: SIP endpoints (`sip.endpoint`) that speak with each other over a wire that is written down.

All randomness comes from a seed, and the clock begins at a fixed date, so that a scene gives the same capture each time.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pcap.keylog import Address
from pcap.synthesis import udp_packet
from sip.auth import DigestClient
from sip.endpoint import Endpoint, EndpointSettings
from sip.events import Event
from sip.flow import Flow
from sip.headers import HeaderList, NameAddr
from sip.invite import Call
from sip.uri import Uri

START_NS = 1_767_603_600_000_000_000
"""2026-01-05, 09:00:00 UTC."""
DELAY_S = 0.011
"""One way through the network."""

Handler = Callable[[Event, float], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet as it is written: IP, and a comment where there is something to say."""

    time_ns: int
    data: bytes
    comment: str = ""


@dataclass(slots=True)
class Party:
    """Somebody with an address. told: the address that stands in Via, Contact and SDP, where a NAT makes it another one."""

    name: str
    address: Address
    endpoint: Endpoint
    told: Address
    handler: Handler | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def uri(self) -> NameAddr:
        """Who the party is."""
        return NameAddr.parse(f'"{self.name.capitalize()}" <sip:{self.name}@meet.example>')

    @property
    def contact(self) -> Uri:
        """Where it says that it can be reached."""
        return Uri.parse(f"sip:{self.name}@{self.told[0]}:{self.told[1]}")


class Stage:
    """Parties, time, and what was on the wire."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.is_blocked: Callable[[Party, Party], bool] = lambda source, destination: False
        self.comments: dict[bytes, str] = {}
        self._frames: list[Frame] = []
        self._parties: list[Party] = []
        self._wire: list[tuple[float, int, bytes, Party, Party]] = []
        self._count = 0

    def party(self, name: str, host: str, port: int = 5060, *, agent: str = "", told: Address | None = None) -> Party:
        """A new party. agent: what it calls itself."""
        endpoint = Endpoint(EndpointSettings(user_agent=agent or "Confero"), self.random.randbytes)
        party = Party(name, (host, port), endpoint, told or (host, port))
        endpoint.told_host = lambda flow: party.told[0]
        self._parties.append(party)
        return party

    def call(self, caller: Party, callee: Party, target: str, offer: bytes, *, password: str = "",
             headers: HeaderList = ()) -> Call:
        """One party calls another."""
        credentials = DigestClient(caller.name, password) if password else None
        call = caller.endpoint.invite(
            Uri.parse(target), from_=caller.uri, flow=Flow("UDP", caller.address, callee.address), contact=caller.contact,
            now=self.now, offer=offer, credentials=credentials, headers=headers)
        self.flush()
        return call

    def run(self, seconds: float) -> None:
        """Let the time pass."""
        end = self.now + seconds
        self.flush()
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            while self._wire and self._wire[0][0] <= self.now:
                _, _, data, source, destination = heapq.heappop(self._wire)
                flow = Flow("UDP", destination.address, source.address)
                destination.endpoint.receive_datagram(data, flow, self.now)
                self.flush()
            for party in self._parties:
                party.endpoint.handle_timer(self.now)
            self.flush()
        self.now = end

    def flush(self) -> None:
        """Put what the parties want to send on the wire, and hand them their events."""
        for party in self._parties:
            while True:
                out = party.endpoint.datagrams_to_send()
                for data, flow in out:
                    self._send(party, data, flow)
                event = party.endpoint.next_event()
                if event is None and not out:
                    break
                if event is not None:
                    party.events.append(event)
                    if party.handler is not None:
                        party.handler(event, self.now)

    def put(self, at_s: float, source: Address, destination: Address, payload: bytes, comment: str = "") -> None:
        """A datagram of media on the wire."""
        self._frames.append(Frame(START_NS + round(at_s * 1e9), udp_packet(source, destination, payload), comment))

    def frames(self) -> Iterable[Frame]:
        """All that was on the wire, in order of time."""
        return sorted(self._frames, key=lambda frame: frame.time_ns)

    def _send(self, source: Party, data: bytes, flow: Flow) -> None:
        destination = next((party for party in self._parties if flow.remote in (party.address, party.told)), None)
        if destination is None:
            return
        comment = next((words for start, words in self.comments.items() if start in data), "")
        self.put(self.now, source.address, destination.address, data, comment)
        if not self.is_blocked(source, destination):
            self._count += 1
            heapq.heappush(self._wire, (self.now + DELAY_S, self._count, data, source, destination))

    def _next(self) -> float | None:
        due = [self._wire[0][0]] if self._wire else []
        due += [at for party in self._parties if (at := party.endpoint.next_timer()) is not None]
        return min(due, default=None)
