"""The SDP of a shared desktop: `m=application 9 TCP/TLS rfb`, RFB (RFC 6143) over TLS that either side knows by fingerprint.

Connections are set up as RFC 4145 and RFC 8122 say; a phone is always `active`, the relay of a server `passive`. The format
`rfb` is registered nowhere, and `a=x-desktop-ticket` is our own: the word that opens one end of one session, once
(`mcu.relay.tickets`). The direction says which end: who offers `sendonly` shows a desktop, who offers `recvonly` looks at one,
and `inactive` is who could do either and does nothing yet. A peer that doesn't know the line answers it with port 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Fingerprint, parse_fingerprints
from rtp.sdp.model import Attribute, Connection, MediaDescription, SessionDescription

PROTOCOL, FORMAT = "TCP/TLS", "rfb"
TICKET = "x-desktop-ticket"
DISCARD_PORT = 9
"""The port of who opens the connection (RFC 4145 §4.1)."""
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly", "sendrecv": "inactive", "inactive": "inactive"}
"""What answers a direction; who wants both at once gets neither."""
_WORD = re.compile(r"[a-z0-9]{16,64}")


@dataclass(frozen=True, slots=True)
class DesktopLine:
    """What one side says. direction: as that side sees it; ticket: the word, or empty; remote: where to connect, or None."""

    direction: str
    setup: str
    remote: tuple[str, int] | None = None
    fingerprints: tuple[Fingerprint, ...] = ()
    ticket: str = ""


def is_desktop(media: MediaDescription) -> bool:
    """Whether an `m=` line is one of RFB over TLS."""
    return media.kind == "application" and media.protocol.upper() == PROTOCOL and media.formats == (FORMAT,)


def read(session: SessionDescription, media: MediaDescription) -> DesktopLine:
    """What a line says. Raises ParseError for what makes no sense, NegotiationFailed for fingerprints that won't do."""
    own = media.values("fingerprint") or [value or "" for name, value in session.attributes if name == "fingerprint"]
    setup = (media.value("setup") or "active").strip().lower()
    if setup not in ("active", "passive", "actpass"):
        raise ParseError("setup: active, passive or actpass expected")
    direction = next((name for name, _ in media.attributes if name in DIRECTIONS), "sendrecv")
    ticket = (media.value(TICKET) or "").strip()
    if ticket and not _WORD.fullmatch(ticket):
        raise ParseError(f"{TICKET}: a word of letters and digits expected")
    host = session.host_of(media)
    can_connect = host is not None and host not in ("0.0.0.0", "::") and media.port not in (0, DISCARD_PORT)
    remote = (host, media.port) if can_connect and host is not None else None
    return DesktopLine(direction, setup, remote, parse_fingerprints(own) if own else (), ticket)


def offer(host: str, fingerprint: Fingerprint, direction: str = "inactive") -> MediaDescription:
    """A phone's line."""
    return _line(host, DISCARD_PORT, "active", direction, fingerprint)


def answer(theirs: DesktopLine, host: str, port: int, fingerprint: Fingerprint | None, ticket: str = "") -> MediaDescription:
    """A relay's answer. port: that it listens at; fingerprint: None while it is not running yet; ticket: for that end.

    Without a ticket the answer is inactive. Raises NegotiationFailed for who would have us connect, or shows no certificate.
    """
    if theirs.setup == "passive":
        raise NegotiationFailed("a desktop's relay waits for connections and makes none")
    if not theirs.fingerprints:
        raise NegotiationFailed("a desktop goes over TLS, and TLS needs a fingerprint")
    direction = MIRRORED[theirs.direction] if ticket and fingerprint is not None else "inactive"
    line = _line(host, port, "passive", direction, fingerprint)
    if direction == "inactive":
        return line
    return MediaDescription(line.kind, line.port, line.protocol, line.formats, line.connection,
                            attributes=(*line.attributes, (TICKET, ticket)))


def apply_answer(session: SessionDescription, index: int) -> DesktopLine:
    """What a relay has answered. Raises NegotiationFailed when it refuses, or does not fit; ParseError as `read`."""
    media = session.media[index] if index < len(session.media) else None
    if media is None or media.port == 0 or not is_desktop(media):
        raise NegotiationFailed("the other side carries no desktops")
    line = read(session, media)
    if line.setup != "passive":
        raise NegotiationFailed("the relay has to wait for our connection")
    return line


def _line(host: str, port: int, setup: str, direction: str, fingerprint: Fingerprint | None) -> MediaDescription:
    attributes: list[Attribute] = [("setup", setup), ("connection", "new"), (direction, None)]
    if fingerprint is not None:
        attributes.append(("fingerprint", str(fingerprint)))
    return MediaDescription("application", port, PROTOCOL, (FORMAT,), Connection.of(host), attributes=tuple(attributes))
