"""The server's roles without sockets or media: real endpoint, guard, switchboard and directory, virtual time, recorded media.

    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call("sip:daily@house.example")
    house.run(1.0)
    assert alice.side.has(CallAnswered)

Each phone is an endpoint at an address of its own; the network between them and the house is instant and loses nothing.
"""

from __future__ import annotations

import heapq
import itertools
import random
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcu.addresses import Addresses
from mcu.application_line import ApplicationLine
from mcu.captures import Captures
from mcu.conference import Done, Refused
from mcu.dial_outs import DialOuts
from mcu.dialplan import Dialplan
from mcu.directory import Directory
from mcu.floor import Command as FloorCommand
from mcu.floor import Event as FloorEvent
from mcu.floor import Requested
from mcu.floor_control import FloorControl
from mcu.guard import Guard
from mcu.happenings import Event as RoomEvent
from mcu.happenings import InviteRequested
from mcu.keeper import RoomKeeper
from mcu.leg import own_contact
from mcu.live import LiveView
from mcu.location import Located, MemoryLocationStore
from mcu.memory import Memory
from mcu.participant import ParticipantId
from mcu.registrar import Registrar
from mcu.server import SETTINGS
from mcu.storage.base import AuditRecord, CallRecord, Storage
from mcu.storage.memory import MemoryStorage
from mcu.studio import Studio
from mcu.surroundings import PictureFacts, PictureLine
from mcu.switchboard import Limits, Switchboard
from mcu.trunk import Trunk, Trunks
from mcu.trunk_config import TrunkConfig
from mcu.verbs import build
from rtp.errors import NegotiationFailed, ParseError
from rtp.kernel import LegStatistics
from rtp.keying import sdes
from rtp.sdp import negotiation
from rtp.sdp.floor_control import NegotiatedFloors
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy, strictest
from sip.auth import DigestClient
from sip.endpoint import Endpoint
from sip.events import DialogRequestReceived, NotifyReceived
from sip.flow import Address, Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaRefused
from sip.registration import Registration
from sip.settings import ALLOW, SUPPORTED, EndpointSettings
from sip.subscription import Subscription
from sip.uri import Uri
from tests.helpers.pair import Side

DOMAIN = "house.example"
PHONE = EndpointSettings(allow=f"{ALLOW}, REFER", supported=SUPPORTED | {"replaces", "norefersub"})
HOUSE: Address = ("192.0.2.100", 5060)
KEYS = sdes.offer(random.Random(4).randbytes)


def sdp(host: str, port: int = 40000, direction: str = "sendrecv") -> bytes:
    """An offer of a phone."""
    return bytes(negotiation.offer(Capabilities(), LocalMedia(host, port, port + 1, direction), session_id=1, version=1))


class FakeMedia:
    """The media of a leg: negotiates for real, sends nothing, remembers what was asked of it."""

    def __init__(self, leg_id: int, port: int, capabilities: Capabilities) -> None:
        self.leg_id = leg_id
        self._capabilities = capabilities
        self.negotiated: NegotiatedAudio | None = None
        self.statistics = LegStatistics(leg_id)
        self.is_muted = self.is_deaf = self.is_released = False
        self.refusals: list[int] = []
        self.followed: list[str] = []
        self.rooms: list[FakeRoom] = []
        self.lines: list[ApplicationLine] = []
        self.sent: set[str] = set()
        self.has_pictures = False
        self.passing: list[tuple[str, bool]] = []
        self._local = LocalMedia(HOUSE[0], port, port + 1, crypto=KEYS)
        self._offered: Any = None

    def offer(self) -> bytes:
        """Our offer."""
        self._offered = negotiation.offer(self._capabilities, self._local, session_id=2, version=1)
        return bytes(self._offered)

    def answer(self, offer: bytes) -> bytes:
        """The answer."""
        try:
            answer, self.negotiated = negotiation.answer(parse(offer), self._capabilities, self._local,
                                                          session_id=2, version=1)
        except (ParseError, NegotiationFailed) as error:
            raise MediaRefused(str(error)) from None
        return bytes(answer)

    def apply(self, answer: bytes) -> None:
        """Their answer."""
        try:
            self.negotiated = negotiation.apply_answer(self._offered, parse(answer))
        except (ParseError, NegotiationFailed) as error:
            raise MediaRefused(str(error)) from None

    def release(self) -> None:
        """The end."""
        self.is_released = True

    def refused(self, status: int) -> None:
        """No."""
        self.refusals.append(status)

    def set_muted(self, muted: bool) -> None:
        """In or out of the mix."""
        self.is_muted = muted

    def set_deaf(self, deaf: bool) -> None:
        """Hearing or not."""
        self.is_deaf = deaf

    def follow(self, signalling_host: str) -> None:
        """Another address."""
        self.followed.append(signalling_host)

    def take_lines(self, *applications: ApplicationLine) -> None:
        """Other media."""
        self.lines += applications

    def sends(self, content: str) -> bool:
        """What a test says that it sends."""
        return content in self.sent

    def let_pass(self, content: str, may_pass: bool) -> None:
        """Which pictures are shown."""
        self.passing.append((content, may_pass))

    def picture_lines(self) -> list[PictureLine]:
        """As the test says."""
        return [PictureLine(content, "H264", True) for content in sorted(self.sent)]

    def picture_facts(self) -> PictureFacts:
        """None."""
        return PictureFacts()


class FakeSound:
    """What was to be said, played and recorded."""

    def __init__(self) -> None:
        self.announced: list[tuple[int, str, str]] = []
        self.recordings: set[int] = set()
        self.players: set[int] = set()
        self.steered: list[tuple[int, bool, int, int]] = []
        self.music: frozenset[int] = frozenset()

    def announce(self, leg_id: int, name: str, language: str) -> None:
        """Say something."""
        self.announced.append((leg_id, name, language))

    def start_player(self, player_id: int, descriptor: int) -> None:
        """Play something."""
        self.players.add(player_id)

    def set_player(self, player_id: int, is_paused: bool, volume_percent: int, seek_ms: int = -1) -> None:
        """Steer it."""
        self.steered.append((player_id, is_paused, volume_percent, seek_ms))

    def stop_player(self, player_id: int) -> None:
        """No more of it."""
        self.players.discard(player_id)

    def set_music(self, leg_id: int, is_on: bool) -> None:
        """Music."""
        self.music = self.music | {leg_id} if is_on else self.music - {leg_id}

    def record(self, recording_id: int, sock: socket.socket) -> None:
        """Nothing is heard here."""
        self.recordings.add(recording_id)

    def stop_recording(self, recording_id: int) -> None:
        """No more of it."""
        self.recordings.discard(recording_id)


class FakeRoom:
    """A media room that remembers its legs and what it played."""

    def __init__(self, room_id: int, kind: str) -> None:
        self.room_id, self.kind = room_id, kind
        self.legs: dict[int, FakeMedia] = {}
        self.played: list[str] = []
        self.layout = ""
        self.sound = FakeSound()
        self.names: dict[int, str] = {}
        self.pins: dict[int, tuple[int, ...]] = {}
        self.is_closed = False

    def create_leg(self, leg_id: int, *, local_host: str, signalling_host: str, capabilities: Capabilities | None = None,
                   is_signalling_secure: bool = False, srtp: Sequence[SrtpPolicy] = (), phone: str = "",
                   has_pictures: bool = False) -> FakeMedia:
        """A leg; its keys are always the same."""
        known = replace(capabilities or Capabilities(), srtp=strictest(SrtpPolicy.PREFER, *srtp))
        media = self.legs[leg_id] = FakeMedia(leg_id, 20000 + 2 * len(self.legs), known)
        media.rooms, media.has_pictures = [self], has_pictures
        return media

    def adopt(self, media: object) -> None:
        """A leg of another room."""
        assert isinstance(media, FakeMedia)
        for room in media.rooms:
            room.legs.pop(media.leg_id, None)
        self.legs[media.leg_id] = media
        media.rooms = [self]

    def play(self, name: str) -> None:
        """A chime."""
        self.played.append(name)

    def describe(self, leg_id: int, name: str) -> None:
        """A name."""
        self.names[leg_id] = name

    def hear(self, leg_ids: Sequence[int]) -> None:
        """Who speaks."""

    def set_layout(self, layout: str) -> None:
        """How the room is composed."""
        self.layout = layout

    def pin(self, leg_id: int, targets: Sequence[int]) -> None:
        """Who is wanted."""
        self.pins[leg_id] = tuple(targets)

    def close(self) -> None:
        """The end."""
        self.is_closed = True
        for media in self.legs.values():
            media.release()


class FakeDoors:
    """The doors of a conference without sockets: commands only. admitted: members whose phones may come in."""

    def __init__(self, control: FloorControl, on_event: Callable[[FloorEvent], None], now: Callable[[], float]) -> None:
        self.admitted: dict[ParticipantId, frozenset[str]] = {}
        self.is_closed = False
        self._control, self._on_event, self._now = control, on_event, now

    def fingerprint(self) -> None:
        """No TLS."""

    def open(self, participant: ParticipantId, protocol: str, host: str) -> Address:
        """An address."""
        return HOUSE[0], 25000 + participant % 1000

    def admit(self, participant: ParticipantId, agreed: NegotiatedFloors, hosts: Iterable[str] = ()) -> None:
        """Come in."""
        self.admitted[participant] = frozenset(hosts)

    def execute(self, command: FloorCommand, actor: ParticipantId | None) -> Requested | Done | Refused:
        """A command, and what follows."""
        verdict = self._control.execute(command, self._now(), actor)
        self._tell()
        return verdict

    def shut(self, participant: ParticipantId) -> None:
        """No door any more."""
        self.admitted.pop(participant, None)
        self._control.lose_touch(participant, self._now())
        self._tell()

    def leave(self, participant: ParticipantId) -> None:
        """Gone."""
        self.admitted.pop(participant, None)
        self._control.leave(participant, self._now())
        self._tell()

    def close(self) -> None:
        """The end."""
        for participant in list(self._control.users):
            self.leave(participant)
        self.is_closed = True

    def _tell(self) -> None:
        while (event := self._control.next_event()) is not None:
            self._on_event(event)


class Phone:
    """A SIP phone at its own address."""

    def __init__(self, house: House, name: str, host: str, password: str | None) -> None:
        self.house, self.name = house, name
        self.address: Address = (host, 5062)
        self.side = Side(self.address, hash(host) & 0xFFFF, PHONE)
        self.flow = Flow("UDP", self.address, HOUSE)
        self.contact = Uri("sip", name, *self.address)
        self.credentials = None if password is None else DigestClient(name, password)
        self.aor = NameAddr(Uri("sip", name, DOMAIN), name.capitalize())

    def call(self, target: str, offer: bytes | None = b"", headers: Iterable[tuple[str, object]] = ()) -> Call:
        """Call somewhere; offer: empty for a usual one, None for none."""
        call = self.side.endpoint.invite(
            Uri.parse(target), from_=self.aor, flow=self.flow, contact=self.contact, now=self.house.time,
            offer=sdp(self.address[0]) if offer == b"" else offer, credentials=self.credentials, headers=headers)
        self.house.run(0.01)
        return call

    def subscribe(self, target: str, expires_s: int = 600, package: str = "conference") -> Subscription:
        """Subscribe to a conference."""
        subscription = self.side.endpoint.subscribe(
            Uri.parse(target), package=package, accept="application/conference-info+xml", from_=self.aor, flow=self.flow,
            contact=self.contact, now=self.house.time, credentials=self.credentials, expires_s=expires_s)
        self.house.run(0.01)
        return subscription

    def request(self, method: str, target: str) -> int:
        """Send a request outside of a dialog."""
        number = self.side.endpoint.request(method, Uri.parse(target), from_=self.aor, flow=self.flow, now=self.house.time,
                                            credentials=self.credentials, contact=self.contact)
        self.house.run(0.01)
        return number

    def notified(self) -> list[bytes]:
        """The bodies of the NOTIFYs so far."""
        return [event.request.body for event in self.side.events if isinstance(event, NotifyReceived)]


class House:
    """The server. It is the `Surroundings` of its roles; `time` is the virtual time, s."""

    def __init__(self, *, is_open: bool = False, limits: Limits | None = None,
                 trunks: Mapping[str, TrunkConfig] | None = None, storage: Storage | None = None) -> None:
        self.time = 1000.0
        self.domain = DOMAIN
        self.addresses = Addresses()
        self.names: dict[str, list[Address]] = {}
        self.rooms: list[FakeRoom] = []
        self.published: list[tuple[str, dict[str, object]]] = []
        self.records: dict[str, CallRecord] = {}
        self.dial_outs = DialOuts()
        self.random = random.Random(7)
        self.storage = storage if storage is not None else MemoryStorage()
        self.keeper = RoomKeeper(self.storage, self.wallclock)
        self.performed: list[tuple[str, RoomEvent]] = []
        self.directory = Directory(self.storage, DOMAIN, self.wallclock)
        self.endpoint = Endpoint(SETTINGS, self.random.randbytes)
        self.phones: list[Phone] = []
        self.refuses_media = False
        self.languages: dict[str | None, str] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        dialplan = Dialplan(DOMAIN, lambda name: self.directory.account(name) is not None)
        self.switchboard = Switchboard(self, dialplan, self.directory, Registrar(MemoryLocationStore()), limits or Limits(),
                                       is_open=is_open, trunks=Trunks(Trunk(name, config, self, self.random.randbytes)
                                                                      for name, config in (trunks or {}).items()))
        self.guard = Guard(dialplan, self.switchboard, realm=DOMAIN, nonce_key=b"k" * 32, is_open=is_open,
                           entropy=self.random.randbytes, wallclock=self.wallclock)
        self.switchboard.accounts = self.guard
        self.endpoint.admit, self.endpoint.readmit = self.guard.admit, self.guard.readmit
        self.studio = Studio(Path("/nonexistent"), lambda seconds, action: self.call_at(self.time + seconds, action))
        self.plays_sound = False
        self._performers = self.studio.performers(self.switchboard.foci, self.language_of)
        captures = Captures(Path("/nonexistent"), self, self.switchboard, lambda: None, max_bytes=1, files=1)
        self.live = LiveView(self.switchboard, lambda: None, captures, self.studio)

    def open_tap(self, tap_id: int, sock: socket.socket, room_id: int = 0, leg_id: int = 0) -> None:
        """See `mcu.captures.Taps`; nothing is captured here."""

    def close_tap(self, tap_id: int) -> None:
        """See `mcu.captures.Taps`."""

    def order(self, verb: str, room: str = "daily", **arguments: str) -> int:
        """A verb of the operator."""
        return self.live.order(room, build(verb, arguments), "operator")

    def phone(self, name: str, password: str | None = None) -> Phone:
        """A new phone; with a password it has an account here."""
        phone = Phone(self, name, f"192.0.2.{len(self.phones) + 1}", password)
        self.phones.append(phone)
        return phone

    def member(self, name: str) -> Phone:
        """A phone of somebody with an account, made when it is not there yet."""
        if self.directory.account(name) is None:
            self.directory.add_account(name, "secret-of-" + name)
        return self.phone(name, "secret-of-" + name)

    # ---- mcu.surroundings.Surroundings

    def now(self) -> float:
        """The virtual time."""
        return self.time

    def wallclock(self) -> float:
        """The virtual time on the wall."""
        return 1_700_000_000.0 + self.time

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._due, (when, next(self._order), action))

    def waiting(self, name: str) -> int:
        """How many actions of that name are still to be done."""
        return sum(getattr(action, "__name__", "") == name for _, _, action in self._due)

    def new_id(self) -> ParticipantId:
        """An id."""
        return ParticipantId(self.random.getrandbits(32))

    def open_media_room(self, kind: str) -> FakeRoom:
        """A room."""
        if self.refuses_media:
            raise MediaRefused("no media worker runs", 503)
        self.rooms.append(FakeRoom(len(self.rooms) + 1, kind))
        return self.rooms[-1]

    def language_of(self, *names: str | None) -> str:
        """The first language that is known."""
        return next((self.languages[name] for name in names if name in self.languages), "en")

    def have_prompt(self, name: str, language: str, then: Callable[[], None]) -> None:
        """All files are there."""
        then()
    def open_floors(self, control: FloorControl, on_event: Callable[[FloorEvent], None]) -> FakeDoors:
        """Doors without sockets."""
        return FakeDoors(control, on_event, self.now)

    def keep_record(self, record: CallRecord) -> None:
        """Keep a record."""
        self.records[record.call_id] = record

    def recall_room(self, name: str) -> Memory | None:
        """What a room remembers."""
        return self.keeper.recall(name)

    def was_interrupted(self, name: str) -> bool:
        """Whether a meeting may go on that a restart has interrupted."""
        return self.keeper.was_interrupted(name)

    def read_room(self, name: str) -> None:
        """What a room remembers was changed from outside."""
        self.keeper.read(name)

    def keep_room(self, name: str, memory: Memory, *, is_empty: bool) -> None:
        """A room has changed."""
        self.keeper.keep(name, memory, is_empty=is_empty)

    def end_room(self, name: str, memory: Memory, *, is_permanent: bool) -> None:
        """A meeting is over."""
        self.keeper.end(name, memory, is_permanent=is_permanent)

    def keep_audit(self, record: AuditRecord) -> None:
        """Keep a row of the audit log."""
        self.storage.put_audit(record)

    def perform(self, room: str, event: RoomEvent) -> str:
        """What others would do."""
        self.performed.append((room, event))
        if isinstance(event, InviteRequested):
            return self.switchboard.invite(room, event)
        if self.plays_sound and type(event) in self._performers:
            return self._performers[type(event)](room, event)
        return ""

    def publish(self, kind: str, **facts: object) -> None:
        """Note an event."""
        self.published.append((kind, facts))

    def dial(self, target: Uri, *, from_: NameAddr, to: NameAddr, flow: Flow, offer: bytes | None, data: object,
             headers: Iterable[tuple[str, object]] = (), alternatives: Sequence[Flow] = (),
             credentials: DigestClient | None = None, max_forwards: int = 70) -> Call:
        """Send an INVITE."""
        contact = own_contact(flow, from_.uri.user or "", self.addresses)
        return self.endpoint.invite(target, from_=from_, to=to, flow=flow, contact=contact, now=self.time, offer=offer,
                                    headers=headers, data=data, alternatives=alternatives, credentials=credentials,
                                    max_forwards=max_forwards)

    def register(self, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow, credentials: DigestClient, expires_s: int,
                 keep_alive_s: float) -> Registration:
        """Register elsewhere."""
        return self.endpoint.register(registrar, aor=aor, contact=contact, flow=flow, now=self.time, credentials=credentials,
                                      expires_s=expires_s, keep_alive_s=keep_alive_s)

    def look_up(self, uri: Uri, found: Callable[[Sequence[Flow]], None], failed: Callable[[str], None]) -> None:
        """The way to an address: at once where it is numeric, else out of `names`, half a second later."""
        if uri.host[0].isdigit():
            found([Flow("UDP", HOUSE, (uri.host, uri.port or 5060))])
            return
        flows = [Flow("UDP", HOUSE, address) for address in self.names.get(uri.host, [])]
        self.call_at(self.time + 0.5, lambda: found(flows) if flows else failed(f"there is no way to {uri.host}"))

    def flow_of(self, located: Located) -> Flow | None:
        """The way to a phone."""
        return located.flow

    def request(self, call: Call, method: str, answered: Callable[[int, str], None], *, body: bytes = b"",
                content_type: str | None = None, headers: Iterable[tuple[str, object]] = ()) -> None:
        """Send a request inside a call."""
        number = call.request(method, headers=headers, body=body, content_type=content_type, now=self.time)
        self.switchboard.expect(number, answered)

    def respond(self, transaction_id: int, status: int, reason: str | None = None,
                headers: Iterable[tuple[str, object]] = ()) -> None:
        """Answer a request."""
        self.endpoint.respond(transaction_id, status, reason, now=self.time, headers=headers)

    # ---- time and network

    def run(self, seconds: float) -> None:
        """Let time pass, in steps of what is due."""
        end = self.time + seconds
        while True:
            self._exchange()
            due = [at for at in (self.endpoint.next_timer(), self._due[0][0] if self._due else None,
                                 *(phone.side.endpoint.next_timer() for phone in self.phones)) if at is not None]
            if not due or min(due) > end:
                break
            self.time = max(self.time, min(due))
            while self._due and self._due[0][0] <= self.time:
                heapq.heappop(self._due)[2]()
            self.endpoint.handle_timer(self.time)
            for phone in self.phones:
                phone.side.endpoint.handle_timer(self.time)
        self.time = end

    def _exchange(self) -> None:
        by_address = {phone.address: phone for phone in self.phones}
        moved = True
        while moved:
            moved = False
            while (event := self.endpoint.next_event()) is not None:
                self.switchboard.receive_event(event)
                moved = True
            for data, flow in self.endpoint.datagrams_to_send():
                phone = by_address.get(flow.remote)
                moved = True
                if phone is not None:
                    phone.side.endpoint.receive_datagram(data, phone.flow, self.time)
            for phone in self.phones:
                side = phone.side
                while (event := side.endpoint.next_event()) is not None:
                    side.events.append(event)
                    moved = True
                    if isinstance(event, DialogRequestReceived):
                        side.endpoint.respond(event.transaction_id, 200, now=self.time)
                for data, flow in side.endpoint.datagrams_to_send():
                    side.sent.append((self.time, data, flow))
                    moved = True
                    self.endpoint.receive_datagram(data, Flow("UDP", HOUSE, phone.address), self.time)
