"""The media of one call of the phone: `sip.media_backend.MediaBackend` over local sockets. Sound is here, pictures are in
`softphone.media.pictures`, the lines of the SDP in `softphone.media.lines`.

SDP by `rtp.sdp` (RFC 3264), RTP and RTCP on a pair of ports or one (RFC 5761), symmetric: sent from where is received. Packets
are taken from the negotiated address only, or under SRTP (RFC 3711) from any that has the key. The session keeps no clock of
its own: `tick` is called every 20 ms with what the microphone heard and gives what is to be heard. Made and used inside one
event loop.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rtp.codecs.resample import Samples
from rtp.errors import CodecError, NegotiationFailed, ParseError
from rtp.kernel.sockets import receive
from rtp.keying.certificate import Certificate
from rtp.keying.dtls import Role
from rtp.packet import is_rtcp
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.parser import parse
from rtp.sdp.protection import Protection
from rtp.sdp.video import VideoCapabilities
from rtp.session import RtcpSession
from rtp.srtp import SUITES, Suite
from sip.media_backend import MediaRefused
from softphone.floors import Floors
from softphone.media.inbound import Inbound
from softphone.media.levels import SILENT, level_dbov
from softphone.media.lines import Agreed, Lines, Pictures
from softphone.media.outbound import Outbound, Position
from softphone.media.pictures import PictureMedia, PictureSettings
from softphone.media.ports import Observer, open_pair, plain_address
from softphone.media.security import DTLS_BYTES, MediaSecurity, SecuritySettings
from softphone.remote.line import DesktopLine
from softphone.stats import MediaFigures

Address = tuple[str, int]
BATCH = 64
"""Datagrams read at one wake-up."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """host: our address towards the peer; dtx: save packets in silence (Opus); is_signalling_secure, certificate, keying and
    suites: see SecuritySettings; observer: sees the packets in clear; pictures: None for a call of sound alone."""

    host: str
    capabilities: Capabilities = field(default_factory=Capabilities)
    dtx: bool = False
    is_signalling_secure: bool = False
    certificate: Certificate | None = field(default=None, repr=False)
    keying: tuple[str, ...] = ()
    suites: Sequence[Suite] = SUITES
    observer: Observer | None = None
    pictures: PictureSettings | None = None


class MediaSession:
    """The streams of one call. `negotiated` says what is agreed of sound; `pictures` is None in a call of sound alone; floors,
    desktop_line: the other lines of its SDP."""

    def __init__(self, settings: MediaSettings) -> None:
        self.settings = settings
        self.negotiated: NegotiatedAudio | None = None
        self.is_held = False
        self.last_received_at: float | None = None
        self.foreign = 0
        self.level_dbov = SILENT
        self._loop = asyncio.get_running_loop()
        self._rtp: socket.socket | None = None
        self._rtcp_socket: socket.socket | None = None
        self.floors = Floors(settings.host, settings.certificate)
        self.desktop_line = DesktopLine(settings.host, settings.certificate)
        self.lines = Lines(settings.capabilities)
        self.lines.applications += [self.floors, self.desktop_line]
        self._inbound: Inbound | None = None
        self._outbound: Outbound | None = None
        self._rtcp: RtcpSession | None = None
        security = SecuritySettings(settings.capabilities.srtp, settings.is_signalling_secure, settings.certificate,
                                    settings.keying, settings.suites)
        self._security = MediaSecurity(security)
        self._position = Position(secrets.randbits(32), secrets.randbelow(0x8000), secrets.randbits(32))
        self._cname = secrets.token_urlsafe(12)
        self.pictures = (None if settings.pictures is None else
                         PictureMedia(settings.pictures, settings.host, security, self._cname, settings.observer))
        self._clock_offset_ns = time.time_ns() - time.monotonic_ns()
        self._before = MediaFigures()
        self._csrcs_before: set[int] = set()
        self._offered = Pictures(VideoCapabilities())
        self._is_released = False

    # ---- sip.media_backend.MediaBackend

    def offer(self) -> bytes:
        """See MediaBackend. While held the offer is sendonly (RFC 3264 §8.4)."""
        try:
            local = self._security.described(self._local(), is_offer=True)
            self._offered = self._pictures(is_offer=True)
            return self.lines.offer(local, self._offered, self.protection)
        except NegotiationFailed as error:
            raise MediaRefused(str(error)) from None

    def answer(self, offer: bytes) -> bytes:
        """See MediaBackend."""
        try:
            theirs = parse(offer)
            ours, agreed, pictures = self._answered(theirs)
            self._security.check(agreed.audio.protection)
            is_begun_anew = self._security.is_begun_anew(agreed.audio.protection)
            if is_begun_anew:
                self._security.make_keys()
            if self.pictures is not None:
                is_begun_anew |= self.pictures.check(agreed.videos, pictures)
            if is_begun_anew:
                ours, agreed, pictures = self._answered(theirs)
            self._use(agreed, pictures)
        except (ParseError, NegotiationFailed, CodecError) as error:
            raise MediaRefused(str(error)) from None
        self.lines.keep(ours)
        return bytes(ours)

    def _answered(self, theirs: SessionDescription) -> tuple[SessionDescription, Agreed, Pictures]:
        local = self._security.described(replace(self._local(), role=Role.CLIENT), is_offer=False)
        pictures = self._pictures(is_offer=False)
        return *self.lines.answer(theirs, local, pictures), pictures

    def _pictures(self, *, is_offer: bool) -> Pictures:
        if self.pictures is None:
            return Pictures(VideoCapabilities())
        try:
            return self.pictures.lines(is_offer=is_offer, is_new=self.lines.is_new, is_held=self.is_held)
        except OSError as error:
            raise MediaRefused(f"no free media port on {self.settings.host} ({error.strerror or error})", 500) from None

    def apply(self, answer: bytes) -> None:
        """See MediaBackend."""
        if not self.lines.has_offered:
            raise MediaRefused("an answer came to no offer")
        try:
            agreed = self.lines.apply(parse(answer))
            self._security.check(agreed.audio.protection)
            if self.pictures is not None:
                self.pictures.check(agreed.videos, self._offered)
            self._use(agreed, self._offered)
        except (ParseError, NegotiationFailed, CodecError) as error:
            raise MediaRefused(str(error)) from None

    def release(self) -> None:
        """See MediaBackend. Says goodbye by RTCP."""
        if self._is_released:
            return
        self._is_released = True
        self.floors.close()
        if self.pictures is not None:
            self.pictures.release()
        if self._rtcp is not None:
            self._send_rtcp(self._rtcp.goodbye())
        self._security.close()
        self._send_handshake()
        self._before = self.figures()
        for sock in (self._rtp, self._rtcp_socket):
            if sock is not None:
                self._loop.remove_reader(sock.fileno())
                sock.close()
        self._rtp = self._rtcp_socket = None

    # ---- the call's own business

    def tick(self, now_ns: int, frame: Samples) -> Samples | None:
        """One step of 20 ms: send `frame` (int16, 960 samples, 48 kHz mono), give what is to be heard (None: nothing)."""
        agreed, now = self.negotiated, now_ns / 1e9
        if agreed is None or self._inbound is None or self._outbound is None or self._rtp is None:
            return None
        if self._security.tick(now):
            self.negotiated = agreed = self._security.keyed(agreed)
        self._send_handshake()
        if agreed.may_send:
            self._outbound.send(frame)
        else:
            self._outbound.skip(1)
        if self._rtcp is not None and now >= self._rtcp.due_at:
            source = self._inbound.statistics
            self._send_rtcp(self._rtcp.report(now, time.time(), self._position.timestamp, source))
        heard = self._inbound.pull(now_ns)
        self.level_dbov = SILENT if heard is None else level_dbov(heard)
        return None if self.is_held else heard

    def skip(self, frames: int) -> None:
        """The clock stood still for so many ticks."""
        if self._outbound is not None:
            self._outbound.skip(frames)

    def press(self, digits: str) -> bool:
        """Send keys (RFC 4733); False when the peer doesn't take them."""
        if self._outbound is None or self.negotiated is None or self.negotiated.dtmf_send is None:
            return False
        self._outbound.press(digits)
        return True

    @property
    def protection(self) -> Protection | None:
        """How the stream is protected; None for plain RTP, and before anything is agreed."""
        return None if self.negotiated is None else self.negotiated.protection

    @property
    def failure(self) -> str:
        """Why the stream can't be protected as it was agreed; empty while it can."""
        return self._security.failure

    @property
    def pictures_received_at(self) -> float:
        """When the newest packet of pictures came, monotonic seconds; 0 for never."""
        return 0.0 if self.pictures is None else self.pictures.last_received_at

    @property
    def csrc_levels(self) -> dict[int, int]:
        """Who is in the mix just now, with their levels in dBov."""
        return self._inbound.csrc_levels if self._inbound is not None else {}

    @property
    def csrcs_seen(self) -> list[int]:
        """All who were in the mix."""
        return sorted(self._csrcs_before | (self._inbound.csrcs_seen if self._inbound is not None else set()))

    def figures(self) -> MediaFigures:
        """The figures so far, over all that was negotiated in turn."""
        inbound, before = self._inbound, self._before
        if inbound is None or self._rtp is None or self.negotiated is None:
            return before
        rtt_s = self._rtcp.remote.rtt_s if self._rtcp is not None else None
        delay_ms = inbound.target_ms + self.negotiated.ptime_ms + (500 * rtt_s if rtt_s is not None else 0.0)
        sent = self._rtcp.packets_sent if self._rtcp is not None else 0
        return MediaFigures(
            self.negotiated.codec.name, before.packets_sent + sent, before.packets_received + inbound.packets,
            before.bytes_received + inbound.bytes, before.lost + inbound.lost, before.late + inbound.late,
            before.concealed + inbound.concealed, self.foreign, before.junk + inbound.junk, inbound.jitter_ms,
            None if rtt_s is None else rtt_s * 1000, delay_ms, self.level_dbov,
            self._security.auth_failures, self._security.replayed,
        )

    # ---- negotiation

    def _local(self) -> LocalMedia:
        if self._is_released:
            raise MediaRefused("the call is over", 500)
        if self._rtp is None:
            try:
                self._rtp, self._rtcp_socket = open_pair(self.settings.host)
            except OSError as error:
                raise MediaRefused(f"no free media port on {self.settings.host} ({error.strerror or error})", 500) from None
            self._loop.add_reader(self._rtp.fileno(), self._on_readable, self._rtp)
            self._loop.add_reader(self._rtcp_socket.fileno(), self._on_readable, self._rtcp_socket)
        port = self._rtp.getsockname()[1]
        return LocalMedia(self.settings.host, port, port + 1, "sendonly" if self.is_held else "sendrecv")

    def _use(self, agreed: Agreed, pictures: Pictures) -> None:
        self._use_audio(agreed.audio)
        if self.pictures is not None:
            self.pictures.use(agreed.videos, pictures)

    def _use_audio(self, agreed: NegotiatedAudio) -> None:
        agreed = replace(agreed, remote=plain_address(agreed.remote), remote_rtcp=plain_address(agreed.remote_rtcp))
        old = self.negotiated
        is_new = old is None or _shape(old) != _shape(agreed)
        if is_new:
            before = self.figures()
            self._csrcs_before.update(self.csrcs_seen)
            if old is not None and old.codec.clock_rate != agreed.codec.clock_rate:
                self._position.ssrc = secrets.randbits(32)          # a stream has one clock rate (RFC 7160)
            if self._rtcp is None or self._rtcp.ssrc != self._position.ssrc:
                self._rtcp = RtcpSession(self._position.ssrc, self._cname, random.random, time.monotonic())
            self._inbound = Inbound(agreed)
            self._outbound = Outbound(agreed, self._position, self._send_rtp, dtx=self.settings.dtx)
            self._before = replace(before, packets_sent=before.packets_sent - self._rtcp.packets_sent)
        self.negotiated = self._security.enforce(agreed)

    # ---- packets

    def _send_rtp(self, packet: bytes, octets: int) -> None:
        agreed = self.negotiated
        if self._rtp is None or agreed is None or agreed.remote is None or self._rtcp is None:
            return
        out = self._security.protect(packet)
        if out is None:
            return
        self._show(packet, time.monotonic_ns(), is_out=True)
        try:
            self._rtp.sendto(out, agreed.remote)
        except OSError:
            pass                        # a full buffer or an ICMP error: the packet is lost, as on any network
        self._rtcp.on_sent(octets)

    def _send_rtcp(self, packet: bytes) -> None:
        agreed = self.negotiated
        if not packet or agreed is None or agreed.remote_rtcp is None:
            return
        out = self._rtp if agreed.rtcp_mux else self._rtcp_socket
        protected = self._security.protect_rtcp(packet)
        if out is not None and protected is not None:
            self._show(packet, time.monotonic_ns(), is_out=True, is_rtcp=True)
            try:
                out.sendto(protected, agreed.remote_rtcp)
            except OSError:
                pass

    def _on_readable(self, sock: socket.socket) -> None:
        now_ns = time.monotonic_ns()
        for _ in range(BATCH):
            found = receive(sock, self._clock_offset_ns, now_ns)
            if found is None:
                return
            data, source, arrival_ns = found
            self._receive(data, source, arrival_ns, sock is self._rtp)

    def _receive(self, data: bytes, source: Address, arrival_ns: int, is_rtp_socket: bool) -> None:
        agreed, inbound = self.negotiated, self._inbound
        if agreed is None or inbound is None:
            return
        if data and data[0] in DTLS_BYTES:
            if self._security.receive_handshake(data, source, 0 if is_rtp_socket else 1, time.monotonic()):
                self.negotiated = self._security.keyed(agreed)
            self._send_handshake()
            return
        if self._security.is_on:
            plain = self._security.open(data, is_rtcp(data))
            if plain is None:
                return
            data, agreed = plain, self._follow(agreed, source, is_rtcp(plain), is_rtp_socket)
        if is_rtcp(data):
            if source != agreed.remote_rtcp:
                self.foreign += 1
                return
            self._show(data, arrival_ns, is_rtcp=True)
            if self._rtcp is not None and self._rtcp.receive(data, time.monotonic(), time.time(), inbound.statistics):
                self.last_received_at = arrival_ns / 1e9
                if self._rtcp.remote.clock is not None:
                    inbound.clock.on_sender_report(*self._rtcp.remote.clock)
                if self.pictures is not None:
                    self.pictures.follow(inbound.clock)
            else:
                inbound.junk += 1
        elif not is_rtp_socket or source != agreed.remote:
            self.foreign += 1
        else:
            self.last_received_at = arrival_ns / 1e9
            self._show(data, arrival_ns)
            inbound.receive(data, arrival_ns)

    def _show(self, packet: bytes, time_ns: int, *, is_out: bool = False, is_rtcp: bool = False) -> None:
        if self.settings.observer is not None:
            self.settings.observer(self, is_out, is_rtcp, time_ns, packet)

    def places(self) -> tuple[Address, Address, Address, Address] | None:
        """Where RTP goes from and to, and RTCP; None before it is agreed."""
        agreed = self.negotiated
        if self._rtp is None or agreed is None or agreed.remote is None:
            return None
        own: Address = self._rtp.getsockname()[:2]
        if agreed.rtcp_mux or self._rtcp_socket is None or agreed.remote_rtcp is None:
            return own, agreed.remote, own, agreed.remote
        return own, agreed.remote, self._rtcp_socket.getsockname()[:2], agreed.remote_rtcp

    def _send_handshake(self) -> None:
        for component, data, destination in self._security.datagrams_to_send():
            sock = self._rtcp_socket if component else self._rtp
            try:
                if sock is not None:
                    sock.sendto(data, destination)
            except OSError:
                pass                        # a full buffer or an ICMP error: it is lost, and repeated

    def _follow(self, agreed: NegotiatedAudio, source: Address, is_report: bool, is_rtp_socket: bool) -> NegotiatedAudio:
        """Send where a packet came from that only the peer can have made; nothing while it wants nothing (hold)."""
        if agreed.remote is None:
            return agreed
        if is_report:
            agreed = replace(agreed, remote_rtcp=source)
        elif is_rtp_socket:
            agreed = replace(agreed, remote=source, remote_rtcp=source if agreed.rtcp_mux else agreed.remote_rtcp)
        self.negotiated = agreed
        return agreed


def _shape(agreed: NegotiatedAudio) -> tuple[object, ...]:
    """What needs new coders when it changes; directions and addresses don't."""
    return (agreed.codec, agreed.send_payload_type, agreed.receive_payload_type, agreed.dtmf_send, agreed.dtmf_receive,
            agreed.ptime_ms, agreed.extensions)
