"""What the roles (focus, services) ask of the server that they live in, and of its media engine: Protocols without code."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from mcu.addresses import Addresses
from mcu.dial_outs import DialOuts
from mcu.location import Located
from mcu.participant import ParticipantId
from mcu.storage.base import CallRecord
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

    def close(self) -> None:
        """End the room."""


class Recorder(Protocol):
    """What records rooms, and plays into them; each answers "" or why not, in words."""

    def record(self, focus: Any, action: str, by: str) -> str:
        """Carry out start, pause, resume or stop."""

    def say(self, focus: Any, text: str, language: str) -> str:
        """Let a voice say something to all."""

    def play(self, focus: Any, what: str) -> str:
        """Play a file of the media folder to all, or steer what plays: pause, resume, stop, seek S, volume PERCENT."""


class Surroundings(Protocol):
    """What a role asks of the server that it lives in."""

    domain: str
    addresses: Addresses

    dial_outs: DialOuts

    @property
    def studio(self) -> Recorder:
        """What records and plays."""

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

    def keep_record(self, record: CallRecord) -> None:
        """Write a call record behind."""

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
