"""The media of one leg in a room (a `sip.media_backend.MediaBackend`): offers and answers line by line (RFC 3264), and sound.

Sound is here; pictures are in `mcu.engine.leg_pictures`, other lines are answered by who was given for them
(`mcu.application_line`). All calls return at once: ports, SSRCs and answers are made here, the worker is told and never asked.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mcu.addresses import plain
from mcu.application_line import ApplicationLine
from mcu.engine.base import Engine
from mcu.engine.handshake import Handshake
from mcu.engine.leg_pictures import LegPictures
from mcu.engine.notices import LegSilent, ProtectionFailed
from mcu.engine.ports import own_address, plain_host
from mcu.engine.transport import Transport, reachable
from mcu.messages import AddLeg, HandshakeReceived, MuteLeg, RemoveLeg, UpdateLeg
from mcu.surroundings import PictureFacts, PictureLine
from rtp.errors import NegotiationFailed, ParseError
from rtp.ice import RemoteIce
from rtp.kernel import LegSpec, LegStatistics
from rtp.packet import AUDIO_LEVEL, MIXER_LEVEL
from rtp.sdp import negotiation, several
from rtp.sdp.bundle import mid_of, unbundled
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse as parse_sdp
from rtp.sdp.protection import OfferStyle, Protection, SrtpPolicy, check_kept, is_begun_anew
from rtp.sdp.several import LocalVideo, NegotiatedVideo
from rtp.srtp import StreamState
from sip.media_backend import MediaRefused

if TYPE_CHECKING:
    from mcu.engine.handles import RoomMedia

_ENCODER_WISHES = ("cbr", "maxaveragebitrate", "maxplaybackrate", "useinbandfec")
"""Format parameters of Opus that change what we encode (RFC 7587 §6.1)."""
_COUNTERS = ("packets_in", "bytes_in", "packets_out", "lost", "late", "duplicated", "concealed", "junk", "foreign", "looped",
             "auth_failures", "replayed")
NOT_ACCEPTABLE = (415, 488, 606)
"""How a phone says that it can't do what was offered (RFC 3261 §21.4.13, §21.4.26, §21.6.4)."""


class LegMedia:
    """The media of one call leg in a room.

    negotiated: what is in force, None before the first answer; statistics: the latest figures, counted over all workers that
    the leg has been on; local_port: the RTP port, 0 before the first offer or answer; learnt: where its media comes from when
    that isn't what its SDP says; pictures: the lines of pictures, where they are taken.
    """

    def __init__(self, room: RoomMedia, engine: Engine, leg_id: int, local_host: str, signalling_host: str,
                 capabilities: Capabilities, *, may_send_keys: bool = False, phone: str = "",
                 has_pictures: bool = False) -> None:
        self.leg_id = leg_id
        self.negotiated: NegotiatedAudio | None = None
        self.statistics = self._counted = LegStatistics(leg_id)
        self._room = room
        self._engine = engine
        self._host = own_address(local_host, signalling_host)
        self._signalling_host = self._peer_host = plain_host(signalling_host)
        self._capabilities = capabilities
        self._transport = Transport(engine, may_send_keys=may_send_keys)
        self.pictures = LegPictures(engine, leg_id, may_send_keys=may_send_keys) if has_pictures else None
        self._applications: list[ApplicationLine] = []
        self._answered: dict[int, ApplicationLine] = {}
        self._session_id = secrets.randbits(62)
        self._local: SessionDescription | None = None
        self._offered: SessionDescription | None = None
        self._phone = phone
        self._begin_stream()
        self._is_held = self._is_muted = self._is_deaf = self._is_released = self._was_silent = False
        self._receiving_since = time.monotonic()

    def _begin_stream(self) -> None:
        """Numbers for a stream of ours that nobody can guess (RFC 3550 §5.1)."""
        self._ssrc, self._sequence, self._timestamp = secrets.randbits(32), secrets.randbits(15), secrets.randbits(32)

    @property
    def local_port(self) -> int:
        """The port that RTP is received at, 0 before there is one."""
        return self._transport.port

    @property
    def learnt(self) -> tuple[str, int] | None:
        """Where its sound comes from when that isn't what its SDP says."""
        return self._transport.learnt

    @learnt.setter
    def learnt(self, remote: tuple[str, int]) -> None:
        self._transport.learnt = remote

    def sends(self, content: str) -> bool:
        """Whether the phone may send pictures of that kind: `main` or `slides`."""
        return self.pictures is not None and self.pictures.sends(content)

    def let_pass(self, content: str, may_pass: bool) -> None:
        """Let what it sends of that be shown to others, or not any more."""
        if self.pictures is not None:
            self.pictures.let_pass(content, may_pass, self._room.pictures)

    def picture_lines(self) -> list[PictureLine]:
        """The lines of pictures that are agreed, one for each kind."""
        return [] if self.pictures is None else self.pictures.summary()

    def picture_facts(self) -> PictureFacts:
        """The pictures of the leg as they are now."""
        return PictureFacts() if self.pictures is None else self.pictures.facts(self._room.pictures)

    def take_lines(self, *applications: ApplicationLine) -> None:
        """From the next offer on these answer lines of `m=application`."""
        self._applications += applications

    # ---- offer and answer

    def offer(self) -> bytes:
        """An offer of all we can do, or of what is agreed once more. Raises MediaRefused (503 when no port is free)."""
        local = self._local_media()
        style = self._style()
        if self._local is None and style.has_ice:
            self._transport.be_ready_for_checks(2)
        index = 0 if self.negotiated is None else self.negotiated.index
        try:
            ours = self._transport.with_ice(self._make_offer(local, style), index, local.host)
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        if self.pictures is not None:
            ours = self.pictures.with_ice(ours, local.host)
        self._offered = self._next(self._with_applications(ours))
        return bytes(self._offered)

    def _make_offer(self, local: LocalMedia, style: OfferStyle) -> SessionDescription:
        videos: Sequence[LocalVideo] = ()
        if self.pictures is not None and self._local is not None:
            videos = self.pictures.kept(self._host, local.host)
        elif self.pictures is not None and not style.has_mid and not style.has_ice:
            videos = self.pictures.first(self._host, local.host)
        if self.pictures is None or not videos:
            return negotiation.offer(self._capabilities, local, session_id=self._session_id, version=1, previous=self._local,
                                     keyed=self._protection, style=style)
        return several.offer(self._capabilities, local, self.pictures.capabilities, videos, session_id=self._session_id,
                             version=1, previous=self._local, keyed=self._protection, style=style)

    def _with_applications(self, ours: SessionDescription) -> SessionDescription:
        """An offer of ours in which the other lines stand as they are (RFC 3264 §8)."""
        lines = list(ours.media)
        for index, line in self._answered.items():
            if (again := line.again()) is not None:
                lines[index] = again
        return replace(ours, media=tuple(lines))

    def answer(self, offer: bytes) -> bytes:
        """The answer to their offer, in force from now on. Raises MediaRefused; all stays as it was then."""
        try:
            parsed = parse_sdp(offer)
            theirs = unbundled(parsed)
            self._follow_family(_audio_host(theirs))
            ours, agreed, pictures = self._agree(parsed)
            check_kept(self._protection, agreed.protection)
            is_anew = is_begun_anew(self._protection, agreed.protection)
            if is_anew:
                self._transport.make_keys()
            if (self.pictures is not None and self.pictures.renew(pictures)) or is_anew:
                ours, agreed, pictures = self._agree(parsed)
            self._transport.meet(RemoteIce.of(theirs, theirs.media[agreed.index]), agreed)
            ours = self._transport.with_ice(ours, agreed.index, ours.host)
            if self.pictures is not None:
                self.pictures.meet(parsed, pictures)
                ours = self.pictures.with_ice(ours, ours.host, pictures)
        except ParseError as error:
            raise MediaRefused(f"the SDP was not understood: {error}", 400) from error
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        ours = self._next(self._answer_applications(parsed, ours))
        self._offered, self._local = None, ours
        self._remember(theirs, agreed)
        self._enforce(agreed, pictures)
        return bytes(ours)

    def _agree(self, theirs: SessionDescription) -> tuple[SessionDescription, NegotiatedAudio, tuple[NegotiatedVideo, ...]]:
        """The answer to an offer and what it means, for sound and pictures. Raises NegotiationFailed, MediaRefused."""
        local = self._local_media()
        if self.pictures is None:
            ours, agreed = negotiation.answer(theirs, self._capabilities, local, session_id=self._session_id, version=1)
            return ours, agreed, ()
        videos = self.pictures.lines_for(theirs, self._host, local.host)
        ours, agreed, pictures = several.answer(theirs, self._capabilities, local, self.pictures.capabilities, videos,
                                                session_id=self._session_id, version=1)
        return ours, agreed, self.pictures.check_kept(pictures)

    def _answer_applications(self, theirs: SessionDescription, ours: SessionDescription) -> SessionDescription:
        """Our answer with the lines of other media that somebody takes; those that are gone end."""
        lines = list(ours.media)
        answered: dict[int, ApplicationLine] = {}
        for index, media in enumerate(theirs.media):
            if media.kind != "application" or media.port == 0:
                continue
            for line in self._applications:
                found = None if line in answered.values() else line.answer(theirs, index, self._host, ours.host)
                if found is not None:
                    lines[index], answered[index] = found, line
                    break
        self._keep_applications(answered)
        return replace(ours, media=tuple(lines))

    def _keep_applications(self, answered: dict[int, ApplicationLine]) -> None:
        gone = [line for line in self._answered.values() if line not in answered.values()]
        self._answered = answered
        for line in gone:
            line.end()
        for line in answered.values():
            line.confirm({self._signalling_host, self._peer_host})

    def apply(self, answer: bytes) -> None:
        """Their answer to our last offer. Raises MediaRefused."""
        if self._offered is None:
            raise MediaRefused("an answer came, but no offer of ours is open")
        offered, self._offered = self._offered, None
        pictures: tuple[NegotiatedVideo, ...] = ()
        try:
            theirs = _completed(parse_sdp(answer), offered)
            agreed = negotiation.apply_answer(offered, theirs)
            check_kept(self._protection, agreed.protection)
            self._follow_family(agreed.remote[0] if agreed.remote is not None else None)
            if self.pictures is not None:
                pictures = self.pictures.applied(offered, theirs)
            self._transport.meet(RemoteIce.of(theirs, theirs.media[agreed.index]), agreed, is_answer=True)
        except ParseError as error:
            raise MediaRefused(f"the SDP was not understood: {error}", 400) from error
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from error
        self._local = offered
        for index, line in self._answered.items():
            line.apply(theirs, index)
        self._enforce(agreed, pictures)

    def _style(self) -> OfferStyle:
        """How a first offer stands: as the phone's own do, as far as it is known and its keys may be sent."""
        policy, known = self._capabilities.srtp, self._engine.known.style_of(self._phone)
        if known is not None and policy is not SrtpPolicy.OFF and ("dtls" in known.keying or self._transport.crypto):
            return known
        crypto = self._transport.crypto
        may_shake = policy is SrtpPolicy.REQUIRE and not crypto
        return OfferStyle.of(policy, crypto, self._engine.fingerprint if may_shake else "")

    def _remember(self, theirs: SessionDescription, agreed: NegotiatedAudio) -> None:
        """Keep in mind what an offer that came to keys shows of the phone."""
        media, protection = theirs.media[agreed.index], agreed.protection
        if self._phone and protection is not None:
            self._engine.known.note(self._phone, OfferStyle(
                media.protocol, (protection.how,), bool(mid_of(media)), self._transport.connectivity is not None))

    def release(self) -> None:
        """End the leg and give its ports back; a second call does nothing."""
        if self._is_released:
            return
        self._is_released = True
        self._room.send(RemoveLeg(self._room.room_id, self.leg_id))
        if self._room.legs.get(self.leg_id) is self:
            del self._room.legs[self.leg_id]
        self._keep_applications({})
        if self.pictures is not None:
            self.pictures.release(self._room.pictures)
        self._transport.close()

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

    def set_deaf(self, deaf: bool) -> None:
        """Send the phone nothing of the mix, or send it again."""
        if deaf == self._is_deaf:
            return
        self._is_deaf = deaf
        if self.negotiated is not None:
            self._room.send(UpdateLeg(self._room.room_id, self._spec(self.negotiated), False))

    def follow(self, signalling_host: str) -> None:
        """The phone's signalling comes from another host now: so may its media, after the usual probation."""
        host = plain_host(signalling_host)
        if host == self._signalling_host:
            return
        if self._peer_host == self._signalling_host:
            self._peer_host = host
        self._signalling_host = host
        if self.negotiated is not None:
            self._transport.forget()
            self._room.send(UpdateLeg(self._room.room_id, self._spec(self.negotiated), True))
        if self.pictures is not None:
            self.pictures.follow(host, self._room.pictures)

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
        return self._transport.local(self._host, self._engine.settings.addresses.towards(self._host, self._peer_host))

    @property
    def _protection(self) -> Protection | None:
        return None if self.negotiated is None else self.negotiated.protection

    def _follow_family(self, peer_host: str | None) -> None:
        """Media may be of another family than its signalling (RFC 6157): receive where it can reach us. Raises MediaRefused."""
        peer = plain(peer_host or "")
        if peer is None or peer.is_unspecified or (peer.version == 6) == (":" in self._host):
            return
        family = f"IPv{peer.version}"
        if self._transport.pair is not None:
            raise MediaRefused(f"the media of a call can't change to {family} while it is up")
        host = own_address("::" if peer.version == 6 else "0.0.0.0", str(peer))
        if host in ("::", "0.0.0.0"):
            raise MediaRefused(f"media over {family} was asked for, and this server has no way to {peer}")
        self._host, self._peer_host = host, str(peer)

    # ---- in force

    def _enforce(self, agreed: NegotiatedAudio, pictures: tuple[NegotiatedVideo, ...] = ()) -> None:
        agreed = replace(agreed, protection=self._transport.protected(agreed))
        before, self.negotiated = self.negotiated, agreed
        self._is_held = _is_hold(agreed, before, self._is_held)
        if before is not None and is_begun_anew(before.protection, agreed.protection):
            self._transport.streams = ()
        if agreed.may_receive and (before is None or not before.may_receive):
            self._receiving_since = time.monotonic()
        if before is None:
            self._add(agreed)
        else:
            is_new = (agreed.remote, agreed.remote_rtcp) != (before.remote, before.remote_rtcp)
            if is_new:
                self._transport.forget()
            self._room.send(UpdateLeg(self._room.room_id, self._spec(agreed), is_new))
        if self.pictures is not None:
            self.pictures.enforce(pictures, self._room.pictures, self._signalling_host)

    def _select(self, selected: dict[int, tuple[str, int]]) -> None:
        """Send where the peer's checks came from."""
        agreed, transport = self.negotiated, self._transport
        if not selected or agreed is None or agreed.remote is None:
            return
        spec = self._spec(agreed)
        transport.learnt = spec.remote = selected.get(0, transport.learnt or spec.remote)
        if agreed.rtcp_mux:
            spec.remote_rtcp = spec.remote
        else:
            transport.learnt_rtcp = spec.remote_rtcp = selected.get(1, transport.learnt_rtcp or spec.remote_rtcp)
        self._room.send(UpdateLeg(self._room.room_id, spec, True))

    def receive_handshake(self, message: HandshakeReceived) -> None:
        """Take a datagram of STUN or DTLS that came to one of our ports."""
        if message.data[:1] < b"\x04":
            self._select(self._transport.select(message.data, message.source, message.component))
        elif (handshake := self._transport.handshake) is not None:
            self._take_keys(handshake, handshake.receive(message.data, message.source, message.component, time.monotonic()))

    def handle_timer(self) -> None:
        """See to handshakes that are not answered."""
        if (handshake := self._transport.handshake) is not None:
            self._take_keys(handshake, handshake.handle_timer(time.monotonic()))
        if self.pictures is not None:
            self.pictures.handle_timer(self._room.pictures)

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
        spec, transport = self._spec(agreed), self._transport
        if transport.learnt is not None and spec.remote is not None:
            spec.remote = transport.learnt
            spec.remote_rtcp = transport.learnt if spec.rtcp_mux else transport.learnt_rtcp or spec.remote_rtcp
        self._room.send(AddLeg(self._room.room_id, spec), transport.descriptors())

    def receive_streams(self, streams: tuple[StreamState, ...]) -> None:
        """Where the peer's streams stand; what comes of a worker that has not heard any yet changes nothing."""
        if streams:
            self._transport.streams = streams

    def rejoin(self) -> None:
        """Join the room again on a fresh worker: the same ports and peer, a stream of ours that begins anew."""
        if self.negotiated is None:
            return
        self._begin_stream()
        self._counted = self.statistics
        self._receiving_since = time.monotonic()
        self._add(self.negotiated)
        if self.pictures is not None:
            self.pictures.rejoin(self._room.pictures)

    def change_rooms(self, room: RoomMedia) -> None:
        """Leave the room for another one (which calls this): the same ports and peer, a stream of ours that begins anew."""
        self._room.send(RemoveLeg(self._room.room_id, self.leg_id))
        if self.pictures is not None:
            self.pictures.leave(self._room.pictures)
        self._room.forget(self)
        self._room = room
        self.rejoin()

    def _spec(self, agreed: NegotiatedAudio) -> LegSpec:
        remote, remote_rtcp = (reachable(each, self._signalling_host) for each in (agreed.remote, agreed.remote_rtcp))
        dtmf = agreed.dtmf_receive if agreed.dtmf_receive is not None else -1
        return LegSpec(
            self.leg_id, -1, -1, agreed.codec.name.lower(), agreed.send_payload_type, agreed.receive_payload_type, dtmf,
            agreed.ptime_ms, remote, remote_rtcp, agreed.rtcp_mux, self._signalling_host, self._ssrc, self._sequence,
            self._timestamp, self._engine.cname, not self._is_held,
            agreed.may_send and not self._is_deaf, self._is_muted,
            agreed.extensions.get(AUDIO_LEVEL, 0), agreed.extensions.get(MIXER_LEVEL, 0), _wishes(agreed),
            agreed.dtmf_send if agreed.dtmf_send is not None else -1,
            agreed.protection.keys if agreed.protection is not None else None, self._transport.streams,
            self._transport.rtcp_keys(agreed), agreed.protection is not None and agreed.protection.how == "dtls",
            self._transport.connectivity is not None,
        )

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


def _completed(theirs: SessionDescription, offered: SessionDescription) -> SessionDescription:
    """Their answer with the lines that it leaves out at its end refused: phones without video do so, against RFC 3264 §6."""
    missing = offered.media[len(theirs.media):] if theirs.media else ()
    return replace(theirs, media=theirs.media + tuple(media.refused() for media in missing))


def _audio_host(session: SessionDescription) -> str | None:
    """Where the first stream of sound is wanted."""
    return next((session.host_of(media) for media in session.media if media.kind == "audio" and media.port), None)


def _wishes(agreed: NegotiatedAudio) -> str:
    if agreed.codec.name.lower() != "opus":
        return ""
    wishes = {name: value for name, value in agreed.codec.fmtp if name in _ENCODER_WISHES and len(value) < 8}
    return ";".join(f"{name}={wishes[name]}" for name in sorted(wishes)) or "useinbandfec=0"
