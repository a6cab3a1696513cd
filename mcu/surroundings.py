"""What the roles (focus, services) ask of the server that they live in, and of its media engine: Protocols without code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from mcu.addresses import Addresses
from mcu.happenings import Event
from mcu.location import Located
from mcu.memory import Memory
from mcu.participant import ParticipantId
from mcu.storage.base import AuditRecord, CallRecord
from rtp.kernel import LegStatistics
from rtp.sdp.negotiation import Capabilities, NegotiatedAudio
from rtp.sdp.protection import SrtpPolicy
from sip.auth import DigestClient
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaBackend
from sip.registration import Registration
from sip.uri import Uri


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

    def refused(self, status: int) -> None:
        """The phone did not take our first offer."""

    def follow(self, signalling_host: str) -> None:
        """The phone has another address now, as its signalling proves: its media may come from there."""


class MediaRoom(Protocol):
    """A room of the media engine."""

    room_id: int

    def create_leg(self, leg_id: int, *, local_host: str, signalling_host: str, capabilities: Capabilities | None = None,
                   is_signalling_secure: bool = False, srtp: Sequence[SrtpPolicy] = (), phone: str = "") -> Media:
        """A leg whose media the call negotiates. is_signalling_secure: whether keys in its SDP are hidden from the network;
        srtp: what its room and the people in the call want; phone: the way to it."""

    def adopt(self, media: Media) -> None:
        """Take over a leg from another room of this engine, with its ports and all that is agreed."""

    def play(self, name: str) -> None:
        """Let everybody hear a short sound."""

    def close(self) -> None:
        """End the room."""


class Surroundings(Protocol):
    """What a role asks of the server that it lives in."""

    domain: str
    addresses: Addresses

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

    def keep_record(self, record: CallRecord) -> None:
        """Write a call record behind."""

    def recall_room(self, name: str) -> Memory | None:
        """What a room that opens remembers of its people."""

    def read_room(self, name: str) -> None:
        """What a room remembers was changed from outside, or the room is gone: read it anew."""

    def keep_room(self, name: str, memory: Memory, *, is_empty: bool) -> None:
        """Keep what a room remembers, behind."""

    def end_room(self, name: str, memory: Memory, *, is_permanent: bool) -> None:
        """A meeting is over."""

    def keep_audit(self, record: AuditRecord) -> None:
        """Write a row of the audit log behind."""

    def perform(self, room: str, event: Event) -> None:
        """Have done what the rules of a room have decided and its focus does not do itself: recording, sounds, calls out."""

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
