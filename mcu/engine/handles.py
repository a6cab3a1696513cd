"""What the focus holds of the media: a room and its legs, each a `sip.media_backend.MediaBackend` (RFC 3264 for its answers).

All calls return at once. SSRC, ports and answers are made here; the worker is told and never asked. All that a worker knows of
a room is known here too, so a room can be begun again on a fresh worker; a handle whose room is lost goes on answering calls
and does nothing else.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from mcu.addresses import is_private, plain
from mcu.engine.acquaintance import Acquaintances
from mcu.engine.connectivity import Connectivity
from mcu.engine.handshake import Handshake
from mcu.engine.notices import AddressLearnt, LegSilent, MediaNotice, ProtectionFailed
from mcu.engine.ports import PortPair, PortRange, own_address, plain_host
from mcu.engine.settings import EngineSettings
from mcu.messages import (
    AddLeg,
    Announce,
    ClosePlayer,
    CloseRecording,
    CloseRoom,
    Command,
    HandshakeReceived,
    LegReport,
    MuteLeg,
    OpenPlayer,
    OpenRecording,
    OpenRoom,
    PlayMusic,
    PlaySound,
    RemoveLeg,
    SetPlayer,
    StreamsReport,
    UpdateLeg,
)
from rtp.errors import NegotiationFailed, ParseError
from rtp.ice import RemoteIce
from rtp.kernel import LegSpec, LegStatistics
from rtp.keying import sdes
from rtp.keying.certificate import Certificate
from rtp.packet import AUDIO_LEVEL, MIXER_LEVEL
from rtp.sdp import negotiation
from rtp.sdp.bundle import mid_of, unbundled
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse as parse_sdp
from rtp.sdp.protection import OfferStyle, Protection, SrtpPolicy, check_kept, is_begun_anew, strictest
from rtp.srtp import StreamState
from sip.media_backend import MediaRefused

_ENCODER_WISHES = ("cbr", "maxaveragebitrate", "maxplaybackrate", "useinbandfec")
"""Format parameters of Opus that change what we encode (RFC 7587 §6.1)."""
_COUNTERS = ("packets_in", "bytes_in", "packets_out", "lost", "late", "duplicated", "concealed", "junk", "foreign", "looped",
             "auth_failures", "replayed")
NOT_ACCEPTABLE = (415, 488, 606)
"""How a phone says that it can't do what was offered (RFC 3261 §21.4.13, §21.4.26, §21.6.4)."""
MAX_RECOVERIES, RECOVERY_WINDOW_S = 3, 10.0
"""A room whose worker has failed so often in so short a time is given up: it may well be the reason."""


class Line(Protocol):
    """The way to a room's worker."""

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Send a command, never waiting."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What the handles of all rooms share. certificate: for DTLS-SRTP, None where it is not spoken; known: how phones make
    their offers; fingerprint: the certificate's own."""

    settings: EngineSettings
    ports: PortRange
    on_notice: Callable[[MediaNotice], None]
    cname: str
    certificate: Certificate | None = None
    known: Acquaintances = field(default_factory=Acquaintances)
    fingerprint: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.certificate is not None:
            object.__setattr__(self, "fingerprint", str(self.certificate.fingerprint()))


class RoomMedia:
    """A room on a worker. kind: one of `mcu.messages.ROOM_KINDS`."""

    def __init__(self, room_id: int, kind: str, engine: Engine, line: Line, on_close: Callable[[RoomMedia], None]) -> None:
        self.room_id = room_id
        self.kind = kind
        self.legs: dict[int, LegMedia] = {}
        self._engine = engine
        self._line: Line | None = line
        self._on_close = on_close
        self._failures: deque[float] = deque(maxlen=MAX_RECOVERIES)
        self._moved: dict[int, LegMedia] = {}
        self._recordings: dict[int, socket.socket] = {}
        self._music: frozenset[int] = frozenset()
        self._open()

    def _open(self) -> None:
        self.send(OpenRoom(self.room_id, self.kind, self._engine.settings.max_speakers))

    def create_leg(self, leg_id: int, *, local_host: str, signalling_host: str, capabilities: Capabilities | None = None,
                   is_signalling_secure: bool = False, srtp: Sequence[SrtpPolicy] = (), phone: str = "") -> LegMedia:
        """A leg for a call.

        leg_id: 32 bits, its CSRC; local_host: where we receive; signalling_host: where its SIP comes from;
        is_signalling_secure: whether keys in its SDP are hidden from the network; srtp: what its room and the people in the
        call want beside the server's own policy; phone: the way to it, by which it is known again.
        """
        policy = strictest(self._engine.settings.srtp, *srtp)
        may_send_keys = is_signalling_secure or policy is SrtpPolicy.PREFER
        leg = LegMedia(self, self._engine, leg_id, local_host, signalling_host,
                       Capabilities(srtp=policy) if capabilities is None else replace(capabilities, srtp=policy),
                       may_send_keys=may_send_keys, phone=phone)
        self.legs[leg_id] = leg
        return leg

    def adopt(self, leg: object) -> None:
        """Take over a leg of another room, which may be on another worker: its peer notices a new stream and nothing else."""
        assert isinstance(leg, LegMedia)
        self.legs[leg.leg_id] = leg
        leg.change_rooms(self)

    def play(self, name: str) -> None:
        """Let everybody hear one of `mcu.messages.SOUNDS`. Raises ProtocolError for another name."""
        self.send(PlaySound(self.room_id, name))

    def announce(self, leg_id: int, name: str, language: str) -> None:
        """Say a prompt to a leg, or to all (0), after what is being said there."""
        self.send(Announce(self.room_id, leg_id, name, language))

    def start_player(self, player_id: int, descriptor: int) -> None:
        """Play a file that grows (`mcu.playing.ready`) to all; a worker that takes the place of this one plays it no more."""
        self.send(OpenPlayer(self.room_id, player_id), [descriptor])

    def set_player(self, player_id: int, is_paused: bool, volume_percent: int, seek_ms: int = -1) -> None:
        """Steer what is played."""
        self.send(SetPlayer(self.room_id, player_id, is_paused, volume_percent, seek_ms))

    def stop_player(self, player_id: int) -> None:
        """Play it no more."""
        self.send(ClosePlayer(self.room_id, player_id))

    def set_music(self, leg_id: int, is_on: bool) -> None:
        """Let a leg hear music in place of the meeting, or the whole room (0) beside it; or no more."""
        self._music = self._music | {leg_id} if is_on else self._music - {leg_id}
        self.send(PlayMusic(self.room_id, leg_id, is_on))

    def record(self, recording_id: int, sock: socket.socket) -> None:
        """Tell what is heard at a socket (`mcu.recording.line`), on the worker of now and on those after it."""
        self._recordings[recording_id] = sock.dup()
        self.send(OpenRecording(self.room_id, recording_id), [sock.fileno()])

    def stop_recording(self, recording_id: int) -> None:
        """Tell it no more; an unknown one is no error."""
        sock = self._recordings.pop(recording_id, None)
        if sock is not None:
            sock.close()
            self.send(CloseRecording(self.room_id, recording_id))

    def close(self) -> None:
        """End the room and release its legs; a second call does nothing."""
        for recording_id in list(self._recordings):
            self.stop_recording(recording_id)
        if self._line is not None:
            self.send(CloseRoom(self.room_id))
            self._line = None
            self._on_close(self)
        for leg in list(self.legs.values()):
            leg.release()

    def recover(self, now: float) -> bool:
        """Begin again on the worker that comes, with all legs; False when the room fails too often. now: monotonic seconds."""
        self._failures.append(now)
        if len(self._failures) == MAX_RECOVERIES and now - self._failures[0] < RECOVERY_WINDOW_S:
            return False
        self._open()
        for recording_id, sock in self._recordings.items():
            self.send(OpenRecording(self.room_id, recording_id), [sock.fileno()])
        for leg in self.legs.values():
            leg.rejoin()
        for leg_id in self._music:
            self.send(PlayMusic(self.room_id, leg_id, True))
        return True

    def lose(self) -> None:
        """The worker is gone: from now on nothing is sent."""
        self._line = None

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Send a command to the worker, if there still is one."""
        if self._line is not None:
            self._line.send(command, descriptors)

    def receive_figures(self, report: LegReport) -> None:
        """Take the figures of a leg."""
        leg = self.legs.get(report.statistics.leg_id)
        if leg is not None:
            leg.receive_figures(report.statistics, time.monotonic())

    def receive_streams(self, report: StreamsReport) -> None:
        """Remember where the streams of a leg's peer stand, for a worker that could not find out."""
        leg = self.legs.get(report.leg_id)
        if leg is not None:
            leg.receive_streams(report.streams)

    @property
    def has_moved_legs(self) -> bool:
        """Whether a leg has gone from here to another room."""
        return bool(self._moved)

    def forget(self, leg: LegMedia) -> None:
        """A leg has gone to another room; what the worker here still has of its handshake is for it all the same."""
        if self.legs.pop(leg.leg_id, None) is not None:
            self._moved[leg.leg_id] = leg

    def receive_handshake(self, message: HandshakeReceived) -> None:
        """Take a datagram of a leg's handshake."""
        leg = self.legs.get(message.leg_id) or self._moved.get(message.leg_id)
        if leg is not None:
            leg.receive_handshake(message)

    def handle_timer(self) -> None:
        """Called some times a second, for the handshakes that were not answered."""
        for leg in list(self.legs.values()):
            leg.handle_timer()

    def learn(self, notice: AddressLearnt) -> None:
        """Remember where a leg's media really comes from, for a worker that would have to find out anew."""
        leg = self.legs.get(notice.leg_id)
        if leg is not None:
            leg.learnt = notice.remote


class LegMedia:
    """The media of one call leg in a room.

    negotiated: what is in force, None before the first answer; statistics: the latest figures, counted over all workers that
    the leg has been on; local_port: the RTP port, 0 before the first offer or answer; learnt: where its media comes from when
    that isn't what its SDP says.
    """

    def __init__(self, room: RoomMedia, engine: Engine, leg_id: int, local_host: str, signalling_host: str,
                 capabilities: Capabilities, *, may_send_keys: bool = False, phone: str = "") -> None:
        self.leg_id = leg_id
        self.negotiated: NegotiatedAudio | None = None
        self.statistics = self._counted = LegStatistics(leg_id)
        self.learnt: tuple[str, int] | None = None
        self._learnt_rtcp: tuple[str, int] | None = None
        self._room = room
        self._engine = engine
        self._host = own_address(local_host, signalling_host)
        self._signalling_host = self._peer_host = plain_host(signalling_host)
        self._capabilities = capabilities
        self._pair: PortPair | None = None
        self._session_id = secrets.randbits(62)
        self._local: SessionDescription | None = None
        self._offered: SessionDescription | None = None
        self._may_send_keys = may_send_keys
        self._phone = phone
        self._handshake: Handshake | None = None
        self._connectivity: Connectivity | None = None
        self._make_keys()
        self._begin_stream()
        self._is_held = self._is_muted = self._is_released = self._was_silent = False
        self._receiving_since = time.monotonic()

    def _begin_stream(self) -> None:
        """Numbers for a stream of ours that nobody can guess (RFC 3550 §5.1)."""
        self._ssrc, self._sequence, self._timestamp = secrets.randbits(32), secrets.randbits(15), secrets.randbits(32)

    def _make_keys(self) -> None:
        """New keys for SDES, as far as keys may be sent over this signalling at all."""
        self._crypto = sdes.offer(secrets.token_bytes) if self._may_send_keys else ()
        self._streams: tuple[StreamState, ...] = ()

    @property
    def local_port(self) -> int:
        """The port that RTP is received at, 0 before there is one."""
        return 0 if self._pair is None else self._pair.port

    # ---- offer and answer

    def offer(self) -> bytes:
        """An offer of all we can do, or of what is agreed once more. Raises MediaRefused (503 when no port is free)."""
        local = self._local_media()
        style = self._style()
        if self._local is None and style.has_ice:
            self._be_ready_for_checks(2)
        index = 0 if self.negotiated is None else self.negotiated.index
        try:
            self._offered = self._next(self._with_ice(negotiation.offer(
                self._capabilities, local, session_id=self._session_id, version=1, previous=self._local,
                keyed=self._protection, style=style), index, local))
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        return bytes(self._offered)

    def answer(self, offer: bytes) -> bytes:
        """The answer to their offer, in force from now on. Raises MediaRefused; all stays as it was then."""
        try:
            theirs = unbundled(parse_sdp(offer))
            self._follow_family(_audio_host(theirs))
            local = self._local_media()
            ours, agreed = negotiation.answer(theirs, self._capabilities, local, session_id=self._session_id, version=1)
            check_kept(self._protection, agreed.protection)
            if is_begun_anew(self._protection, agreed.protection):
                self._make_keys()
                local = replace(local, crypto=self._crypto)
                ours, agreed = negotiation.answer(theirs, self._capabilities, local, session_id=self._session_id, version=1)
            self._meet(RemoteIce.of(theirs, theirs.media[agreed.index]), agreed)
            ours = self._next(self._with_ice(ours, agreed.index, local))
        except ParseError as error:
            raise MediaRefused(f"the SDP was not understood: {error}", 400) from error
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        self._offered, self._local = None, ours
        self._remember(theirs, agreed)
        self._enforce(agreed)
        return bytes(ours)

    def apply(self, answer: bytes) -> None:
        """Their answer to our last offer. Raises MediaRefused."""
        if self._offered is None:
            raise MediaRefused("an answer came, but no offer of ours is open")
        offered, self._offered = self._offered, None
        try:
            theirs = parse_sdp(answer)
            agreed = negotiation.apply_answer(offered, theirs)
            check_kept(self._protection, agreed.protection)
            self._follow_family(agreed.remote[0] if agreed.remote is not None else None)
            self._meet(RemoteIce.of(theirs, theirs.media[agreed.index]), agreed, is_answer=True)
        except ParseError as error:
            raise MediaRefused(f"the SDP was not understood: {error}", 400) from error
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        self._local = offered
        self._enforce(agreed)

    def _style(self) -> OfferStyle:
        """How a first offer stands: as the phone's own do, as far as it is known and its keys may be sent."""
        policy, known = self._capabilities.srtp, self._engine.known.style_of(self._phone)
        if known is not None and policy is not SrtpPolicy.OFF and ("dtls" in known.keying or self._crypto):
            return known
        may_shake = policy is SrtpPolicy.REQUIRE and not self._crypto
        return OfferStyle.of(policy, self._crypto, self._engine.fingerprint if may_shake else "")

    def _remember(self, theirs: SessionDescription, agreed: NegotiatedAudio) -> None:
        """Keep in mind what an offer that came to keys shows of the phone."""
        media, protection = theirs.media[agreed.index], agreed.protection
        if self._phone and protection is not None:
            self._engine.known.note(self._phone, OfferStyle(
                media.protocol, (protection.how,), bool(mid_of(media)), self._connectivity is not None))

    def release(self) -> None:
        """End the leg and give its ports back; a second call does nothing."""
        if self._is_released:
            return
        self._is_released = True
        self._room.send(RemoveLeg(self._room.room_id, self.leg_id))
        if self._room.legs.get(self.leg_id) is self:
            del self._room.legs[self.leg_id]
        if self._handshake is not None:
            self._handshake.close()
            self._handshake = None
        if self._pair is not None:
            self._pair.close()
            self._pair = None

    def refused(self, status: int) -> None:
        """The phone did not take our first offer: one that can't do what it once did is a stranger again."""
        if status in NOT_ACCEPTABLE:
            self._engine.known.forget(self._phone)

    def set_muted(self, muted: bool) -> None:
        """Keep the leg out of the mix, or let it in."""
        if muted == self._is_muted:
            return
        self._is_muted = muted
        self._room.send(MuteLeg(self._room.room_id, self.leg_id, muted))

    def follow(self, signalling_host: str) -> None:
        """The phone's signalling comes from another host now: so may its media, after the usual probation."""
        host = plain_host(signalling_host)
        if host == self._signalling_host:
            return
        if self._peer_host == self._signalling_host:
            self._peer_host = host
        self._signalling_host = host
        if self.negotiated is not None:
            self.learnt = self._learnt_rtcp = None
            self._room.send(UpdateLeg(self._room.room_id, self._spec(self.negotiated), True))

    def _next(self, ours: SessionDescription) -> SessionDescription:
        """A first description with the version that it needs: one more when anything changed (RFC 3264 §8)."""
        last = self._local
        if last is None:
            return ours
        same = replace(ours, version=last.version)
        return last if same == last else replace(ours, version=last.version + 1)

    def _local_media(self) -> LocalMedia:
        if self._is_released:
            raise MediaRefused("the media of this call is released", 500)
        if self._pair is None:
            try:
                self._pair = self._engine.ports.open(self._host)
            except OSError as error:
                raise MediaRefused(f"no media port is free: {error.strerror or error}", 503) from error
        host = self._engine.settings.addresses.towards(self._host, self._peer_host)
        return LocalMedia(host, self._pair.port, self._pair.port + 1, crypto=self._crypto, fingerprint=self._engine.fingerprint)

    @property
    def _protection(self) -> Protection | None:
        return None if self.negotiated is None else self.negotiated.protection

    def _follow_family(self, peer_host: str | None) -> None:
        """Media may be of another family than its signalling (RFC 6157): receive where it can reach us. Raises MediaRefused."""
        peer = plain(peer_host or "")
        if peer is None or peer.is_unspecified or (peer.version == 6) == (":" in self._host):
            return
        family = f"IPv{peer.version}"
        if self._pair is not None:
            raise MediaRefused(f"the media of a call can't change to {family} while it is up")
        host = own_address("::" if peer.version == 6 else "0.0.0.0", str(peer))
        if host in ("::", "0.0.0.0"):
            raise MediaRefused(f"media over {family} was asked for, and this server has no way to {peer}")
        self._host, self._peer_host = host, str(peer)

    # ---- in force

    def _enforce(self, agreed: NegotiatedAudio) -> None:
        agreed = self._with_handshake(agreed)
        before, self.negotiated = self.negotiated, agreed
        self._is_held = _is_hold(agreed, before, self._is_held)
        if before is not None and is_begun_anew(before.protection, agreed.protection):
            self._streams = ()
        if agreed.may_receive and (before is None or not before.may_receive):
            self._receiving_since = time.monotonic()
        if before is None:
            self._add(agreed)
            return
        is_new = (agreed.remote, agreed.remote_rtcp) != (before.remote, before.remote_rtcp)
        if is_new:
            self.learnt = self._learnt_rtcp = None
        self._room.send(UpdateLeg(self._room.room_id, self._spec(agreed), is_new))

    def _meet(self, remote: RemoteIce | None, agreed: NegotiatedAudio, *, is_answer: bool = False) -> None:
        """Be ready for the checks of a peer that brings ICE."""
        if remote is None or self._pair is None:
            self._connectivity = None
            return
        if not is_answer:
            self._be_ready_for_checks(1 if agreed.rtcp_mux else 2)
        if self._connectivity is not None:
            self._connectivity.described_by(remote, is_answer=is_answer)

    def _be_ready_for_checks(self, components: int) -> None:
        if self._pair is not None and (self._connectivity is None or self._connectivity.components != components):
            self._connectivity = Connectivity((self._pair.rtp, self._pair.rtcp)[:components])

    def _with_ice(self, ours: SessionDescription, index: int, local: LocalMedia) -> SessionDescription:
        ice = self._connectivity
        return ours if ice is None else ice.described(ours, index, local.host, local.rtp_port)

    def _select(self, selected: dict[int, tuple[str, int]]) -> None:
        """Send where the peer's checks came from."""
        agreed = self.negotiated
        if not selected or agreed is None or agreed.remote is None:
            return
        spec = self._spec(agreed)
        self.learnt = spec.remote = selected.get(0, self.learnt or spec.remote)
        if agreed.rtcp_mux:
            spec.remote_rtcp = spec.remote
        else:
            self._learnt_rtcp = spec.remote_rtcp = selected.get(1, self._learnt_rtcp or spec.remote_rtcp)
        self._room.send(UpdateLeg(self._room.room_id, spec, True))

    def _with_handshake(self, agreed: NegotiatedAudio) -> NegotiatedAudio:
        """The agreement with the keys of its handshake; a new handshake where the peer asks for one (RFC 8842 §3.1)."""
        protection = agreed.protection
        theirs = None if protection is None else protection.theirs
        if protection is None or theirs is None or self._engine.certificate is None or self._pair is None:
            self._handshake = None
            return agreed
        components = 1 if agreed.rtcp_mux else 2
        now = self._handshake
        if now is None or now.components != components or theirs.is_new_association(now.theirs):
            sockets, remotes = (self._pair.rtp, self._pair.rtcp), (agreed.remote, agreed.remote_rtcp)
            self._streams = ()
            now = self._handshake = Handshake(self._engine.certificate, theirs, protection.role, sockets[:components],
                                              remotes[:components], time.monotonic())
        return replace(agreed, protection=replace(protection, keys=now.keys[0]))

    def receive_handshake(self, message: HandshakeReceived) -> None:
        """Take a datagram of STUN or DTLS that came to one of our ports."""
        if message.data[:1] < b"\x04":
            if self._connectivity is not None:
                self._select(self._connectivity.receive(message.data, message.source, message.component, time.monotonic()))
        elif self._handshake is not None:
            news = self._handshake.receive(message.data, message.source, message.component, time.monotonic())
            self._take_keys(self._handshake, news)

    def handle_timer(self) -> None:
        """See to a handshake that is not answered."""
        if self._handshake is not None:
            self._take_keys(self._handshake, self._handshake.handle_timer(time.monotonic()))

    def _take_keys(self, handshake: Handshake, has_news: bool) -> None:
        agreed = self.negotiated
        if not has_news or agreed is None or agreed.protection is None:
            return
        if handshake.failure:
            self._engine.on_notice(ProtectionFailed(self._room.room_id, self.leg_id, handshake.failure))
            return
        self.negotiated = replace(agreed, protection=replace(agreed.protection, keys=handshake.keys[0]))
        self._room.send(UpdateLeg(self._room.room_id, self._spec(self.negotiated), False))

    def _add(self, agreed: NegotiatedAudio) -> None:
        assert self._pair is not None
        spec = self._spec(agreed)
        if self.learnt is not None and spec.remote is not None:
            spec.remote = self.learnt
            spec.remote_rtcp = self.learnt if spec.rtcp_mux else self._learnt_rtcp or spec.remote_rtcp
        self._room.send(AddLeg(self._room.room_id, spec), (self._pair.rtp.fileno(), self._pair.rtcp.fileno()))

    def receive_streams(self, streams: tuple[StreamState, ...]) -> None:
        """Where the peer's streams stand; what comes of a worker that has not heard any yet changes nothing."""
        if streams:
            self._streams = streams

    def rejoin(self) -> None:
        """Join the room again on a fresh worker: the same ports and peer, a stream of ours that begins anew."""
        if self.negotiated is None:
            return
        self._begin_stream()
        self._counted = self.statistics
        self._receiving_since = time.monotonic()
        self._add(self.negotiated)

    def change_rooms(self, room: RoomMedia) -> None:
        """Leave the room for another one (which calls this): the same ports and peer, a stream of ours that begins anew."""
        self._room.send(RemoveLeg(self._room.room_id, self.leg_id))
        self._room.forget(self)
        self._room = room
        self.rejoin()

    def _spec(self, agreed: NegotiatedAudio) -> LegSpec:
        dtmf = agreed.dtmf_receive if agreed.dtmf_receive is not None else -1
        return LegSpec(
            self.leg_id, -1, -1, agreed.codec.name.lower(), agreed.send_payload_type, agreed.receive_payload_type, dtmf,
            agreed.ptime_ms, self._reachable(agreed.remote), self._reachable(agreed.remote_rtcp), agreed.rtcp_mux,
            self._signalling_host, self._ssrc, self._sequence, self._timestamp, self._engine.cname, not self._is_held,
            agreed.may_send, self._is_muted,
            agreed.extensions.get(AUDIO_LEVEL, 0), agreed.extensions.get(MIXER_LEVEL, 0), _wishes(agreed),
            agreed.dtmf_send if agreed.dtmf_send is not None else -1,
            agreed.protection.keys if agreed.protection is not None else None, self._streams,
            None if self._handshake is None or agreed.rtcp_mux else self._handshake.keys[1],
            agreed.protection is not None and agreed.protection.how == "dtls",
            self._connectivity is not None,
        )

    def _reachable(self, remote: tuple[str, int] | None) -> tuple[str, int] | None:
        """Where to send first: a private address of a phone that came from elsewhere is behind its NAT, so that NAT is taken.

        The right port shows when the phone's own media comes (RFC 4961). Nothing is sent into a network of ours by a stranger.
        """
        host = self._signalling_host
        if remote is None or not is_private(remote[0]) or is_private(host) or (":" in remote[0]) != (":" in host):
            return remote
        return host, remote[1]

    def receive_figures(self, statistics: LegStatistics, now: float) -> None:
        """Take the latest figures and see whether the leg is still there. now: monotonic seconds."""
        before = self._counted
        sums = {name: getattr(before, name) + getattr(statistics, name) for name in _COUNTERS}
        self.statistics = replace(statistics, **sums)
        agreed = self.negotiated
        if agreed is None or not agreed.may_receive:
            return
        quiet_s = min(statistics.silent_ms / 1000, now - self._receiving_since)
        is_silent = quiet_s >= self._engine.settings.silence_s
        if is_silent and not self._was_silent:
            self._engine.on_notice(LegSilent(self._room.room_id, self.leg_id))
        self._was_silent = is_silent


def _is_hold(agreed: NegotiatedAudio, before: NegotiatedAudio | None, was_held: bool) -> bool:
    """Whether they have put us on hold: what they send then, music as a rule, is nothing for the room.

    A call that begins with sendonly has something to say; a later change to it is hold (RFC 3264 §8.4), as is 0.0.0.0.
    """
    if agreed.remote is None or agreed.direction == "inactive":
        return True
    return agreed.direction == "recvonly" and before is not None and (was_held or before.direction != "recvonly")


def _audio_host(session: SessionDescription) -> str | None:
    """Where the first stream of sound is wanted."""
    return next((session.host_of(media) for media in session.media if media.kind == "audio" and media.port), None)


def _wishes(agreed: NegotiatedAudio) -> str:
    if agreed.codec.name.lower() != "opus":
        return ""
    wishes = {name: value for name, value in agreed.codec.fmtp if name in _ENCODER_WISHES and len(value) < 8}
    return ";".join(f"{name}={wishes[name]}" for name in sorted(wishes)) or "useinbandfec=0"
