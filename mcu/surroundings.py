"""What the roles (focus, services) ask of the server that they live in, and of its media engine: Protocols without code."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcu.addresses import Addresses
from mcu.application_line import ApplicationLine
from mcu.conference import Done, Refused
from mcu.dial_outs import DialOuts
from mcu.floor import Command, Event, Requested
from mcu.floor_control import FloorControl
from mcu.happenings import Event as RoomEvent
from mcu.location import Located
from mcu.memory import Memory
from mcu.participant import ParticipantId
from mcu.storage.base import AuditRecord, CallRecord
from rtp.kernel import LegStatistics
from rtp.keying.certificate import Fingerprint
from rtp.sdp.floor_control import NegotiatedFloors
from rtp.sdp.negotiation import Capabilities, NegotiatedAudio
from rtp.sdp.protection import SrtpPolicy
from sip.auth import DigestClient
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaBackend
from sip.registration import Registration
from sip.uri import Uri

if TYPE_CHECKING:
    from mcu.relay.service import RelayService


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The pictures of a leg. codec: of what it sends now, empty where that is not known; width, height: of the last key frame
    that told; bitrate_bps, packets_in, lost: of what it sends; packets_out, remote_loss: of what it is sent; shows: how many of
    its places show somebody; places: how many there are; estimate_bps: what it can take; suite: of SRTP."""

    codec: str = ""
    width: int = 0
    height: int = 0
    bitrate_bps: int = 0
    packets_in: int = 0
    lost: int = 0
    packets_out: int = 0
    remote_loss: float = 0.0
    shows: int = 0
    places: int = 0
    estimate_bps: int = 0
    suite: str = ""


@dataclass(frozen=True, slots=True)
class PictureLine:
    """Lines of pictures of one kind. content: `main` or `slides`; codec: the first; is_got: whether the phone is sent some."""

    content: str
    codec: str
    is_got: bool


class Media(MediaBackend, Protocol):
    """The media of a leg as the engine gives it."""

    @property
    def leg_id(self) -> int:
        """Its CSRC in the mix."""

    @property
    def negotiated(self) -> NegotiatedAudio | None:
        """What is agreed, None before the first answer."""

    @property
    def statistics(self) -> LegStatistics:
        """The latest figures."""

    def set_muted(self, muted: bool) -> None:
        """Take the leg out of the mix, or let it in."""

    def set_deaf(self, deaf: bool) -> None:
        """Let the phone hear nothing of the room, or hear it again."""

    def refused(self, status: int) -> None:
        """The phone did not take our first offer."""

    def follow(self, signalling_host: str) -> None:
        """The phone has another address now, as its signalling proves: its media may come from there."""

    def take_lines(self, *applications: ApplicationLine) -> None:
        """From the next offer on these answer lines of `m=application`."""

    def sends(self, content: str) -> bool:
        """Whether the phone may send pictures of that kind: `main` or `slides`."""

    def picture_lines(self) -> list[PictureLine]:
        """The lines of pictures that are agreed, one for each kind."""

    def let_pass(self, content: str, may_pass: bool) -> None:
        """Let what it sends of that be shown to others, or not any more."""

    def picture_facts(self) -> PictureFacts:
        """The pictures of the leg as they are now."""


class Sound(Protocol):
    """What is said, played and recorded in a room."""

    def announce(self, leg_id: int, name: str, language: str) -> None:
        """Say a prompt to a leg, or to all (0), after what is being said there."""

    def start_player(self, player_id: int, descriptor: int) -> None:
        """Play a file that grows (`mcu.playing.ready`) to all."""

    def set_player(self, player_id: int, is_paused: bool, volume_percent: int, seek_ms: int = -1) -> None:
        """Steer what is played. seek_ms: −1 for where it is."""

    def stop_player(self, player_id: int) -> None:
        """Play it no more."""

    def set_music(self, leg_id: int, is_on: bool) -> None:
        """Let a leg hear music in place of the meeting, or the whole room (0) beside it; or no more."""

    def record(self, recording_id: int, sock: socket.socket) -> None:
        """Tell what is heard at a socket (`mcu.recording.line`)."""

    def stop_recording(self, recording_id: int) -> None:
        """Tell it no more; an unknown one is no error."""


class MediaRoom(Protocol):
    """A room of the media engine."""

    room_id: int

    @property
    def sound(self) -> Sound:
        """What is said, played and recorded in it."""

    def create_leg(self, leg_id: int, *, local_host: str, signalling_host: str, capabilities: Capabilities | None = None,
                   is_signalling_secure: bool = False, srtp: Sequence[SrtpPolicy] = (), phone: str = "",
                   has_pictures: bool = False) -> Media:
        """A leg whose media the call negotiates. is_signalling_secure: whether keys in its SDP are hidden from the network;
        srtp: what its room and the people in the call want; phone: the way to it; has_pictures: whether lines of pictures are
        taken."""

    def adopt(self, media: Media) -> None:
        """Take over a leg from another room of this engine, with its ports and all that is agreed."""

    def play(self, name: str) -> None:
        """Let everybody hear a short sound."""

    def describe(self, leg_id: int, name: str) -> None:
        """Somebody is called so, for who draws names under pictures."""

    def hear(self, leg_ids: Sequence[int]) -> None:
        """These speak now, the loudest first: their pictures come forward."""

    def set_layout(self, layout: str) -> None:
        """Compose the room that way, for phones with one line of pictures. Raises ValueError for a way that there is not."""

    def pin(self, leg_id: int, targets: Sequence[int]) -> None:
        """A participant wants to see these in any case; none: whoever speaks."""

    def close(self) -> None:
        """End the room."""


class FloorTransport(Protocol):
    """The doors of a conference's floor control (`mcu.floor_door.FloorDoors`)."""

    def fingerprint(self) -> Fingerprint | None:
        """Of the certificate for TLS, None where that is not spoken."""

    def open(self, participant: ParticipantId, protocol: str, host: str) -> tuple[str, int]:
        """Listen for a member; the bound address. Nobody comes in before `admit`. Raises OSError."""

    def admit(self, participant: ParticipantId, agreed: NegotiatedFloors, hosts: Iterable[str] = ()) -> None:
        """Let a member in as was agreed."""

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP."""

    def shut(self, participant: ParticipantId) -> None:
        """A member has no door any more; their floors are free."""

    def leave(self, participant: ParticipantId) -> None:
        """A member is gone."""

    def close(self) -> None:
        """The conference is over."""


class Surroundings(Protocol):
    """What a role asks of the server that it lives in. relay: for desktops."""

    domain: str
    addresses: Addresses
    relay: RelayService
    dial_outs: DialOuts

    def now(self) -> float:
        """Monotonic seconds."""

    def wallclock(self) -> float:
        """Seconds since 1970."""

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a monotonic time."""

    def new_id(self) -> ParticipantId:
        """An id that nobody has."""

    def open_media_room(self, kind: str) -> MediaRoom:
        """A room of the media engine. Raises MediaRefused."""

    def language_of(self, *names: str | None) -> str:
        """The language of the first of these accounts and rooms that has one, else the server's."""

    def have_prompt(self, name: str, language: str, then: Callable[[], None]) -> None:
        """Call `then` when a prompt's file is there, or can't be made."""
    def open_floors(self, control: FloorControl, on_event: Callable[[Event], None]) -> FloorTransport:
        """What carries a conference's floor control. on_event: called with each event of its rules."""

    def keep_record(self, record: CallRecord) -> None:
        """Write a call record behind."""

    def recall_room(self, name: str) -> Memory | None:
        """What a room that opens remembers of its people."""

    def was_interrupted(self, name: str) -> bool:
        """Whether a meeting was going on in a room when the server ended, and may go on now."""

    def read_room(self, name: str) -> None:
        """What a room remembers was changed from outside, or the room is gone: read it anew."""

    def keep_room(self, name: str, memory: Memory, *, is_empty: bool) -> None:
        """Keep what a room remembers, behind."""

    def end_room(self, name: str, memory: Memory, *, is_permanent: bool) -> None:
        """A meeting is over."""

    def keep_audit(self, record: AuditRecord) -> None:
        """Write a row of the audit log behind."""

    def perform(self, room: str, event: RoomEvent) -> str:
        """Have done what the rules of a room have decided and its focus does not do itself: recording, sounds, calls out.

        "", or why it can't be done, in words.
        """

    def publish(self, kind: str, **facts: object) -> None:
        """Tell those who listen to events (mcu.bus)."""

    def dial(self, target: Uri, *, from_: NameAddr, to: NameAddr, flow: Flow, offer: bytes | None, data: object,
             headers: Iterable[tuple[str, object]] = (), alternatives: Sequence[Flow] = (),
             credentials: DigestClient | None = None, max_forwards: int = 70) -> Call:
        """Send an INVITE of ours.

        alternatives: where it goes when the flow fails; credentials: for a challenge; max_forwards: hops that are left to it.
        """

    def register(self, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow, credentials: DigestClient, expires_s: int,
                 keep_alive_s: float) -> Registration:
        """Register at another server, until the registration is ended."""

    def look_up(self, uri: Uri, found: Callable[[Sequence[Flow]], None], failed: Callable[[str], None]) -> None:
        """Find the way to a URI (RFC 3263), and call `found` with the flows in the order to try, or `failed` with words.

        For a numeric address that is done before this returns.
        """

    def flow_of(self, located: Located) -> Flow | None:
        """The way to a registered phone, None when there is none any more."""

    def request(self, call: Call, method: str, answered: Callable[[int, str], None], *, body: bytes = b"",
                content_type: str | None = None, headers: Iterable[tuple[str, object]] = ()) -> None:
        """Send a request inside a call; `answered` gets status and reason (408 or 503 when no answer came)."""

    def respond(self, transaction_id: int, status: int, reason: str | None = None,
                headers: Iterable[tuple[str, object]] = ()) -> None:
        """Answer a request that is no INVITE or SUBSCRIBE."""
