"""What protects sound or pictures of a call (RFC 3711): our keys for SDES (RFC 4568), or a handshake (DTLS-SRTP, RFC 5763,
RFC 5764).

Over signalling that nobody can read an offer has keys for SDES, which need no round trip; over any other a fingerprint, too, so
that who can do a handshake keeps those out who only listen. Where protection is required nothing is taken whose keys or
fingerprint came in clear. A handshake begins with the first tick of the call, since before that the other side may not know
our answer; until it is done nothing is sent, and nothing taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rtp.errors import NegotiationFailed
from rtp.keying import sdes
from rtp.keying.certificate import Certificate
from rtp.keying.components import LegKeying
from rtp.keying.dtls import Address
from rtp.sdp.negotiation import LocalMedia, NegotiatedAudio
from rtp.sdp.protection import Protection, SrtpPolicy, check_kept, is_begun_anew
from rtp.sdp.several import NegotiatedVideo
from rtp.srtp import AUDIO_WINDOW, SUITES, Suite
from rtp.srtp.session import SrtpSession
from rtp.srtp.suites import SessionKeys
from sip.aio.tls import key_log

DTLS_BYTES = range(20, 64)
"""First bytes of a datagram of DTLS (RFC 7983 §7)."""
KEYINGS = ("sdes", "dtls")
Agreed = TypeVar("Agreed", NegotiatedAudio, NegotiatedVideo)


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """policy: whether sound is protected; is_signalling_secure: whether keys in the SDP are hidden from the network, and
    fingerprints safe from change; certificate: for handshakes, None for none; keying: what our offers bring, of KEYINGS, empty
    for what fits the signalling; suites: in our order; window: how many packets late one may come."""

    policy: SrtpPolicy = SrtpPolicy.OFF
    is_signalling_secure: bool = False
    certificate: Certificate | None = field(default=None, repr=False)
    keying: tuple[str, ...] = ()
    suites: Sequence[Suite] = SUITES
    window: int = AUDIO_WINDOW

    @property
    def offered(self) -> tuple[str, ...]:
        """By what an offer of ours may be keyed."""
        if self.policy is SrtpPolicy.OFF or (self.policy is SrtpPolicy.REQUIRE and not self.is_signalling_secure):
            return ()
        return self.keying or (KEYINGS[:1] if self.is_signalling_secure else KEYINGS)


class MediaSecurity:
    """Both ways of one stream. failure: why there will be no keys, empty while there may be."""

    def __init__(self, settings: SecuritySettings) -> None:
        self.failure = ""
        self._settings = settings
        self._agreed: Protection | None = None
        self._remotes: tuple[Address | None, ...] = ()
        self._keying: LegKeying | None = None
        self._rtp: SrtpSession | None = None
        self._rtcp: SrtpSession | None = None
        self.make_keys()

    def make_keys(self) -> None:
        """New keys for SDES, as far as they may be sent over this signalling at all."""
        may_send = self._settings.policy is SrtpPolicy.PREFER or self._settings.is_signalling_secure
        self._crypto = sdes.offer(secrets.token_bytes, self._settings.suites) if may_send else ()

    def described(self, local: LocalMedia, *, is_offer: bool) -> LocalMedia:
        """Our description with what it may say of keys."""
        settings = self._settings
        can_shake = settings.certificate is not None and settings.policy is not SrtpPolicy.OFF
        fingerprint = str(settings.certificate.fingerprint()) if settings.certificate is not None and can_shake else ""
        if is_offer and self._agreed is None:
            crypto = self._crypto if "sdes" in settings.offered else ()
            return replace(local, crypto=crypto, fingerprint=fingerprint if "dtls" in settings.offered else "")
        return replace(local, crypto=self._crypto, fingerprint=fingerprint)

    def check(self, protection: Protection | None) -> None:
        """Whether a call may go on under this. Raises NegotiationFailed in words."""
        check_kept(self._agreed, protection)
        settings = self._settings
        is_exposed = protection is not None and protection.how == "dtls" and not settings.is_signalling_secure
        if is_exposed and settings.policy is SrtpPolicy.REQUIRE:
            raise NegotiationFailed("sound must be protected here, and the fingerprint of its keys came in clear (no TLS)")

    def is_begun_anew(self, protection: Protection | None) -> bool:
        """Whether the other side has new keys for SDES, and will expect new ones of ours."""
        return is_begun_anew(self._agreed, protection)

    def enforce(self, agreed: Agreed) -> Agreed:
        """What was agreed is in force; the same with the keys that there are already."""
        protection = agreed.protection
        theirs = None if protection is None else protection.theirs
        before = self._agreed
        if protection is not None and theirs is not None:
            self._remotes = (agreed.remote,) if agreed.rtcp_mux else (agreed.remote, agreed.remote_rtcp)
            is_new = before is None or before.theirs is None or theirs.is_new_association(before.theirs)
            if is_new or (self._keying is not None and self._keying.components != len(self._remotes)):
                self._keying, self._rtp, self._rtcp = None, None, None
            protection = replace(protection, keys=self._keying.keys[0] if self._keying is not None else None)
        elif protection is None or protection.keys is None:
            self._keying, self._rtp, self._rtcp = None, None, None
        elif self._rtp is None:
            self._rtp = self._rtcp = self._session(protection.keys)
        else:
            self._rtp.change(protection.keys)
        self._agreed = protection
        return replace(agreed, protection=protection)

    def _session(self, keys: SessionKeys) -> SrtpSession:
        return SrtpSession(keys, window=self._settings.window)

    # ---- the handshake

    @property
    def awaits_keys(self) -> bool:
        """Whether nothing may go either way yet."""
        return self._agreed is not None and self._rtp is None

    def tick(self, now: float) -> bool:
        """Begin a handshake, or see to one that is not answered; whether keys, or a failure, came of it."""
        keying = self._begun(now)
        if keying is None:
            return False
        due = keying.next_timer()
        return due is not None and due <= now and self._take(keying, keying.handle_timer(now))

    def receive_handshake(self, data: bytes, source: Address, component: int, now: float) -> bool:
        """A datagram of DTLS (component: 0 RTP, 1 RTCP); whether keys, or a failure, came of it."""
        keying = self._begun(now)
        return keying is not None and self._take(keying, keying.receive(data, source, component, now))

    def datagrams_to_send(self) -> list[tuple[int, bytes, Address]]:
        """(component, datagram, where it goes)."""
        return [] if self._keying is None else self._keying.datagrams_to_send()

    def close(self) -> None:
        """Say goodbye to the other side of a handshake."""
        if self._keying is not None:
            self._keying.close()

    def keyed(self, agreed: Agreed) -> Agreed:
        """What was agreed, with the keys of the handshake."""
        return replace(agreed, protection=self._agreed)

    def _begun(self, now: float) -> LegKeying | None:
        agreed, certificate = self._agreed, self._settings.certificate
        if self._keying is None and agreed is not None and agreed.theirs is not None and certificate is not None:
            self._keying = LegKeying(certificate, agreed.theirs, agreed.role, self._remotes, now, self._settings.suites,
                                     key_log=key_log())
        return self._keying

    def _take(self, keying: LegKeying, has_news: bool) -> bool:
        if not has_news or self._agreed is None:
            return False
        self.failure = keying.failure
        for component, keys in enumerate(keying.keys):
            if keys is None:
                continue
            if component == 0 and self._rtp is None:
                self._rtp = self._session(keys)
                self._rtcp = self._rtp if keying.components == 1 else None
                self._agreed = replace(self._agreed, keys=keys)
            elif component == 1 and self._rtcp is None:
                self._rtcp = self._session(keys)
        return True

    # ---- packets

    def protect(self, packet: bytes) -> bytes | None:
        """An RTP packet as it goes out; None for one that may not."""
        if self._rtp is not None:
            return self._rtp.protect(packet)
        return None if self.awaits_keys else packet

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """An RTCP compound as it goes out; None for one that may not."""
        if self._agreed is not None:
            return None if self._rtcp is None else self._rtcp.protect_rtcp(packet)
        return packet

    def open(self, packet: bytes, is_report: bool) -> bytes | None:
        """What came, in clear; None for what is to be dropped."""
        if self._agreed is None:
            return packet
        session = self._rtcp if is_report else self._rtp
        return None if session is None else session.open(packet, is_report)

    @property
    def is_on(self) -> bool:
        """Whether packets are protected, or will be."""
        return self._agreed is not None

    @property
    def auth_failures(self) -> int:
        """Packets dropped for a wrong tag."""
        return sum(session.auth_failures for session in {self._rtp, self._rtcp} if session is not None)

    @property
    def replayed(self) -> int:
        """Packets dropped since they had come before."""
        return sum(session.replayed for session in {self._rtp, self._rtcp} if session is not None)
