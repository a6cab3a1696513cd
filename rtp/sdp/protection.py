"""What an m= line agrees on for SRTP (RFC 4568 and RFC 5763 in offer and answer, RFC 3264), under a policy of ours.

`off` refuses protected profiles; `prefer` answers `RTP/SAVP` and `RTP/AVP` as they are offered, and offers `RTP/AVP` with
`a=crypto`, which a phone without SRTP passes over (RFC 8643); `require` offers `RTP/SAVP` and refuses what is not protected.
The keys are made by the caller: one line for each suite, the same for the whole session, so that an answer to a re-INVITE goes
on with the key of before. DTLS-SRTP is answered, and offered again in a session that has it; its keys come later, by a
handshake.
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


def offered_protocol(policy: SrtpPolicy, previous: MediaDescription | None) -> str:
    """The profile of an offer: that of the session so far, where there is one."""
    if previous is not None:
        return previous.protocol
    return SECURE[0] if policy is SrtpPolicy.REQUIRE else PLAIN[0]


def offered_lines(lines: Sequence[CryptoLine], policy: SrtpPolicy, previous: MediaDescription | None) -> list[Attribute]:
    """The `a=crypto` lines of an offer, or its fingerprint; none in a session that does without. Raises NegotiationFailed."""
    if previous is not None and previous.protocol.upper() in DTLS:
        return [("fingerprint", previous.value("fingerprint")), ("setup", "actpass")]
    if policy is SrtpPolicy.OFF or (previous is not None and not previous.has("crypto")):
        return []
    if policy is SrtpPolicy.REQUIRE and not lines:
        raise NegotiationFailed("media must be protected here, and there is no protected way to send its keys (TLS)")
    return [("crypto", str(line)) for line in lines]


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


def protection_for(session: SessionDescription, media: MediaDescription, lines: Sequence[CryptoLine],
                   policy: SrtpPolicy) -> Protection | None:
    """What an offered line comes to; None is plain RTP. Raises NegotiationFailed when that will not do."""
    if media.protocol.upper() in DTLS:
        theirs = DtlsDescription.of(session, media)
        if theirs is None:
            raise NegotiationFailed(f"{media.protocol} was offered without a fingerprint")
        return Protection("dtls", None, None, theirs, Role(answer_setup(theirs.setup)))
    is_secure = media.protocol.upper() in SECURE
    values = media.values("crypto")
    if policy is SrtpPolicy.OFF or not (values or is_secure or policy is SrtpPolicy.REQUIRE):
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


def protection_of_answer(ours: MediaDescription, session: SessionDescription, theirs: MediaDescription) -> Protection | None:
    """What the answer to our line comes to. Raises NegotiationFailed for keys that do not fit, or none where they must be."""
    if ours.protocol.upper() in DTLS:
        found = DtlsDescription.of(session, theirs)
        if found is None:
            raise NegotiationFailed("protected media was offered, and the answer brings no fingerprint")
        return Protection("dtls", None, None, found, role_from_answer(found.setup))
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
        protection_for(session, media, lines, policy)
    except (NegotiationFailed, ParseError) as error:
        return str(error)
    return ""
