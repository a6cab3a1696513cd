"""What an m= line agrees on for SRTP (RFC 4568 and RFC 5763 in offer and answer, RFC 3264), under a policy of ours.

`off` refuses protected profiles; `prefer` answers `RTP/SAVP` and `RTP/AVP` as they are offered, and offers `RTP/AVP` with
`a=crypto` or `a=fingerprint`, which a phone without SRTP passes over (RFC 8643); `require` offers `RTP/SAVP`, or where keys may
not stand in an SDP `UDP/TLS/RTP/SAVP`, and refuses what is not protected. The keys are made by the caller: one line for each
suite, the same for the whole session, so that an answer to a re-INVITE goes on with the key of before. Those of DTLS-SRTP come
later, by a handshake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying import sdes
from rtp.keying.description import DtlsDescription, answer_setup, role_from_answer
from rtp.keying.dtls import Role
from rtp.keying.sdes import CryptoLine
from rtp.sdp.model import Attribute, MediaDescription, SessionDescription
from rtp.srtp.suites import SessionKeys

PLAIN = ("RTP/AVP", "RTP/AVPF")
SECURE = ("RTP/SAVP", "RTP/SAVPF")
DTLS = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")


class SrtpPolicy(StrEnum):
    """Whether media is protected: never, where the peer can, or always."""

    OFF = "off"
    PREFER = "prefer"
    REQUIRE = "require"


def strictest(*policies: SrtpPolicy) -> SrtpPolicy:
    """What holds where several have a say: whoever requires it prevails, then whoever does without."""
    return next((policy for policy in (SrtpPolicy.REQUIRE, SrtpPolicy.OFF) if policy in policies), SrtpPolicy.PREFER)


@dataclass(frozen=True, slots=True)
class Protection:
    """How a stream is protected. how: "sdes" or "dtls"; keys: of both ways, None until a handshake has made them; line: what
    of ours the answer says; theirs, role: of the handshake."""

    how: str
    keys: SessionKeys | None
    line: CryptoLine | None = None
    theirs: DtlsDescription | None = None
    role: Role = Role.SERVER

    @property
    def suite(self) -> str:
        """The suite's name, empty until there are keys."""
        return "" if self.keys is None else self.keys.suite.name


@dataclass(frozen=True, slots=True)
class OfferStyle:
    """How an offer stands: its profile, by what it is keyed ("sdes", "dtls", both or neither), and whether it has a mid (RFC
    9143) and ICE. Of a peer's own offers it says what the peer understands, so that a first offer of ours may say the same."""

    protocol: str = PLAIN[0]
    keying: tuple[str, ...] = ()
    has_mid: bool = False
    has_ice: bool = False

    @classmethod
    def of(cls, policy: SrtpPolicy, lines: Sequence[CryptoLine], fingerprint: str = "") -> OfferStyle:
        """What is offered to somebody of whom nothing is known. fingerprint: empty for no DTLS."""
        if policy is SrtpPolicy.OFF:
            return cls()
        keying = ("sdes",) * bool(lines) + ("dtls",) * bool(fingerprint)
        if policy is SrtpPolicy.PREFER:
            return cls(PLAIN[0], keying)
        return cls(SECURE[0], ("sdes",)) if lines or not fingerprint else cls(DTLS[0], ("dtls",))

    def lines(self, lines: Sequence[CryptoLine], fingerprint: str, policy: SrtpPolicy) -> list[Attribute]:
        """What the offer says of keys. Raises NegotiationFailed when it has none where it must."""
        out: list[Attribute] = [("crypto", str(line)) for line in lines] if "sdes" in self.keying else []
        if "dtls" in self.keying and fingerprint:
            out += [("fingerprint", fingerprint), ("setup", "actpass")]
        if not out and (policy is SrtpPolicy.REQUIRE or self.protocol.upper() not in PLAIN):
            raise NegotiationFailed("media must be protected here, and there is no protected way to send its keys (TLS)")
        return out


def offered_again(how: str, lines: Sequence[CryptoLine], fingerprint: str) -> list[Attribute]:
    """What a later offer of a session says of keys: they are made as before. how: "sdes", "dtls", or empty for none."""
    if how == "dtls":
        return [("fingerprint", fingerprint), ("setup", "actpass")]
    return [("crypto", str(line)) for line in lines] if how == "sdes" else []


def how_keyed(line: MediaDescription) -> str:
    """How a line that was answered is keyed, by what it says: "sdes", "dtls" or empty."""
    if line.protocol.upper() in DTLS or (line.has("fingerprint") and not line.has("crypto")):
        return "dtls"
    return "sdes" if line.has("crypto") else ""


def answered_lines(protection: Protection | None, fingerprint: str) -> list[Attribute]:
    """What an answer says of the keys."""
    if protection is None:
        return []
    if protection.how == "dtls":
        return [("fingerprint", fingerprint), ("setup", protection.role.value)]
    return [] if protection.line is None else [("crypto", str(protection.line))]


def is_acceptable(media: MediaDescription, policy: SrtpPolicy, fingerprint: str = "") -> bool:
    """Whether a profile is one that we take at all. fingerprint: of our certificate, empty for no DTLS."""
    known = PLAIN if policy is SrtpPolicy.OFF else PLAIN + SECURE + (DTLS if fingerprint else ())
    return media.protocol.upper() in known


def protection_for(session: SessionDescription, media: MediaDescription, lines: Sequence[CryptoLine], policy: SrtpPolicy,
                   fingerprint: str = "", role: Role = Role.SERVER) -> Protection | None:
    """What an offered line comes to; None is plain RTP. Raises NegotiationFailed when that will not do.

    Where an offer leaves the choice, under a profile that is not DTLS's own, the handshake is taken: its keys are in no SDP.
    """
    is_secure, is_dtls = media.protocol.upper() in SECURE, media.protocol.upper() in DTLS
    if policy is SrtpPolicy.OFF:
        return None
    if fingerprint or is_dtls:
        try:
            handshake = _handshake_offered(session, media, role)
        except NegotiationFailed:
            if is_dtls:
                raise
            handshake = None
        if handshake is not None or is_dtls:
            return handshake
    values = media.values("crypto")
    if not (values or is_secure or policy is SrtpPolicy.REQUIRE):
        return None
    if not values:
        raise NegotiationFailed(f"{media.protocol} was offered without a key (a=crypto)" if is_secure else
                                f"media must be protected here (SRTP), and only {media.protocol} was offered")
    try:
        if not lines:
            raise NegotiationFailed("keys in the SDP are taken here over protected signalling (TLS) only")
        chosen = sdes.choose(values, lines)
    except NegotiationFailed:
        if is_secure or policy is SrtpPolicy.REQUIRE:
            raise
        return None
    return Protection("sdes", chosen.keys, chosen.line)


def _handshake_offered(session: SessionDescription, media: MediaDescription, role: Role) -> Protection | None:
    theirs = DtlsDescription.of(session, media)
    if theirs is not None:
        return Protection("dtls", None, None, theirs, Role(answer_setup(theirs.setup, role)))
    if media.protocol.upper() in DTLS:
        raise NegotiationFailed(f"{media.protocol} was offered without a fingerprint")
    return None


def protection_of_answer(ours: MediaDescription, session: SessionDescription, theirs: MediaDescription) -> Protection | None:
    """What the answer to our line comes to. Raises NegotiationFailed for keys that do not fit, or none where they must be."""
    found = DtlsDescription.of(session, theirs) if ours.has("fingerprint") else None
    if found is not None:
        return Protection("dtls", None, None, found, role_from_answer(found.setup))
    if ours.protocol.upper() in DTLS:
        raise NegotiationFailed("protected media was offered, and the answer brings no fingerprint")
    lines = [CryptoLine.parse(value) for value in ours.values("crypto")]
    values = theirs.values("crypto")
    if values and lines:
        return Protection("sdes", sdes.accept(lines, values))
    if ours.protocol.upper() in SECURE:
        raise NegotiationFailed("protected media was offered, and the answer brings no key")
    if theirs.protocol.upper() not in PLAIN:
        raise NegotiationFailed(f"{ours.protocol} was offered, {theirs.protocol} answered")
    return None


def is_begun_anew(before: Protection | None, after: Protection | None) -> bool:
    """Whether the peer goes on with another key of SDES than before, and will expect one of ours, too (RFC 4568 §7.1.4)."""
    if before is None or before.keys is None or before.how != "sdes":
        return False
    return after is None or after.keys is None or after.keys.remote != before.keys.remote


def check_kept(before: Protection | None, after: Protection | None) -> None:
    """A call that was protected stays so. Raises NegotiationFailed."""
    if before is not None and after is None:
        raise NegotiationFailed("this call is protected (SRTP), and can't go on without")


def why_not_protected(session: SessionDescription, media: MediaDescription, lines: Sequence[CryptoLine], policy: SrtpPolicy,
                      fingerprint: str = "") -> str:
    """The reason, in words, for which a line is refused; empty when it is not for its protection."""
    if not is_acceptable(media, policy, fingerprint):
        takes = ", ".join(PLAIN[:1] if policy is SrtpPolicy.OFF else (PLAIN[0], SECURE[0]))
        return f"only {media.protocol} was offered; this server takes {takes}"
    try:
        protection_for(session, media, lines, policy, fingerprint)
    except (NegotiationFailed, ParseError) as error:
        return str(error)
    return ""
