"""What an SDP says of a DTLS association: setup, fingerprints, tls-id (RFC 8842 §5, RFC 5763 §5, RFC 4145 §4).

    theirs = DtlsDescription.of(session, media)
    ours = answer_setup(theirs.setup)
    role = Role(ours)
"""

from __future__ import annotations

from dataclasses import dataclass

from rtp.errors import NegotiationFailed
from rtp.keying.certificate import Fingerprint, parse_fingerprints
from rtp.keying.dtls import Role
from rtp.sdp.model import MediaDescription, SessionDescription

SETUPS = ("actpass", "active", "passive", "holdconn")
PROTOCOLS = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/SAVPF")
"""Profiles under which fingerprints are looked for; linphone 5.1 and baresip 1.0 write the first two."""


@dataclass(frozen=True, slots=True)
class DtlsDescription:
    """The lines of one stream, taken from the session where the stream has none. `setup` and `tls_id` empty: not there."""

    fingerprints: tuple[Fingerprint, ...]
    setup: str = ""
    tls_id: str = ""

    @classmethod
    def of(cls, session: SessionDescription, media: MediaDescription) -> DtlsDescription | None:
        """The lines, or None when there are no fingerprints. Raises NegotiationFailed for fingerprints that won't do."""
        values = media.values("fingerprint") or [value or "" for name, value in session.attributes if name == "fingerprint"]
        if not values:
            return None
        setup = (_value(session, media, "setup") or "").strip().lower()
        if setup and setup not in SETUPS:
            raise NegotiationFailed("setup: actpass, active, passive or holdconn expected")
        return cls(parse_fingerprints(values), setup, (_value(session, media, "tls-id") or "")[:256])

    def attributes(self) -> tuple[tuple[str, str | None], ...]:
        """The lines to write."""
        lines: list[tuple[str, str | None]] = [("fingerprint", str(each)) for each in self.fingerprints]
        if self.setup:
            lines.append(("setup", self.setup))
        if self.tls_id:
            lines.append(("tls-id", self.tls_id))
        return tuple(lines)

    def is_new_association(self, before: DtlsDescription) -> bool:
        """Whether a later description of the peer asks for a new handshake (RFC 8842 §3.1): other certificate, or tls-id."""
        return set(self.fingerprints) != set(before.fingerprints) or self.tls_id != before.tls_id


def answer_setup(offered: str, preferred: Role = Role.SERVER) -> str:
    """Our setup in an answer (RFC 5763 §5, RFC 4145 §4.1; no setup means active). Raises NegotiationFailed for holdconn.

    RFC 5763 says that who answers actpass SHOULD be active, so that its ClientHello can travel with the answer. A server
    whose peers sit behind NATs doesn't know where to send one, so by default it waits for theirs.
    """
    match offered:
        case "actpass":
            return preferred.value
        case "active" | "":
            return Role.SERVER.value
        case "passive":
            return Role.CLIENT.value
        case _:
            raise NegotiationFailed("setup:holdconn leaves nobody to begin")


def role_from_answer(answered: str) -> Role:
    """Our role after an offer of actpass. Raises NegotiationFailed for an answer that RFC 5763 §5 does not allow."""
    match answered:
        case "active" | "":
            return Role.SERVER
        case "passive":
            return Role.CLIENT
        case _:
            raise NegotiationFailed(f"setup:{answered} is no answer to actpass")


def _value(session: SessionDescription, media: MediaDescription, name: str) -> str | None:
    found = media.value(name)
    return found if found is not None else next((value for key, value in session.attributes if key == name), None)
