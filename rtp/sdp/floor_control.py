"""The SDP of BFCP streams (RFC 8856): what an `m=application` line of floor control says, our offers and our answers.

TCP and TLS are set up as RFC 4145 and RFC 8122 say (`setup`, `connection`, `fingerprint`), UDP by its addresses alone. The
floor control server names conference, user and floors; each floor may point by `mstrm` at a media stream's `label` (RFC 4574).
Here we are the server; a phone's side is in `rtp.sdp.floor_client`. Nowhere: UDP/TLS/BFCP (DTLS).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Fingerprint, parse_fingerprints
from rtp.sdp.model import Attribute, Connection, MediaDescription, SessionDescription

TCP, TLS, UDP = "TCP/BFCP", "TCP/TLS/BFCP", "UDP/BFCP"
PROTOCOLS = (TCP, TLS, UDP)
"""The transports that we speak, as `m=` lines name them."""
VERSIONS = {TCP: 1, TLS: 1, UDP: 2}
"""The version of BFCP over each (RFC 8856 §5.5)."""
ROLES = ("c-only", "s-only", "c-s")
SETUPS = ("active", "passive", "actpass", "holdconn")
DISCARD_PORT = 9
"""The port of who opens the connection (RFC 4145 §4.1)."""
MAX_FLOORS = 16
_FLOOR = re.compile(r" *([0-9]{1,5})(?: +(?:mstrm|m-stream):([!-~]+(?: +[!-~]+)*))? *")
"""`m-stream` is the spelling of the examples of RFC 4583, which came before."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor, and the labels of the streams that its holder sends."""

    floor_id: int
    labels: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: str) -> Floor:
        """Read the value of an `a=floorid`. Raises ParseError."""
        match = _FLOOR.fullmatch(value)
        if match is None or int(match[1]) > 0xFFFF:
            raise ParseError(f"floorid: a number and mstrm expected, not {value[:40]!r}")
        return cls(int(match[1]), tuple((match[2] or "").split()))

    def __str__(self) -> str:
        return f"{self.floor_id} mstrm:{' '.join(self.labels)}" if self.labels else str(self.floor_id)


@dataclass(frozen=True, slots=True)
class FloorStream:
    """A BFCP stream as one side describes it.

    roles: what that side can be, best first; setup, is_new: of its connection, empty and True over UDP; conference_id and
    user_id: None where that side is no server; versions: of BFCP.
    """

    protocol: str
    host: str | None
    port: int
    roles: tuple[str, ...] = ("c-only",)
    setup: str = ""
    is_new: bool = True
    conference_id: int | None = None
    user_id: int | None = None
    floors: tuple[Floor, ...] = ()
    versions: tuple[int, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()

    @property
    def is_reliable(self) -> bool:
        """Whether it goes over TCP."""
        return self.protocol != UDP

    @property
    def remote(self) -> tuple[str, int] | None:
        """Where to send, or to connect; None when there is nowhere."""
        return None if self.host is None or self.host in ("0.0.0.0", "::") or self.port in (0, DISCARD_PORT) else (
            self.host, self.port)


@dataclass(frozen=True, slots=True)
class LocalFloors:
    """Our side of one user's stream, as floor control server.

    port: that we listen at; fingerprint: of our certificate, None where TLS is not spoken; protocols: that we take.
    """

    host: str
    port: int
    conference_id: int
    user_id: int
    floors: tuple[Floor, ...]
    fingerprint: Fingerprint | None = None
    protocols: tuple[str, ...] = PROTOCOLS


@dataclass(frozen=True, slots=True)
class NegotiatedFloors:
    """What was agreed. setup: ours, `passive`, `active`, or empty over UDP; role: ours; peer: the other side's description."""

    index: int
    protocol: str
    role: str
    setup: str
    is_new: bool
    peer: FloorStream

    @property
    def we_connect(self) -> bool:
        """Whether it is for us to open the connection."""
        return self.setup == "active"


def is_floor_stream(media: MediaDescription) -> bool:
    """Whether an `m=` line is one of BFCP, over whatever transport."""
    return media.kind == "application" and media.protocol.upper().endswith("/BFCP")


def read(session: SessionDescription, media: MediaDescription, default_role: str = "c-only") -> FloorStream:
    """What a BFCP line says. default_role: what it means not to say one; of an offer that is client (§5.1).

    Raises ParseError for what makes no sense, NegotiationFailed for fingerprints that won't do.
    """
    protocol = media.protocol.upper()
    fingerprints = media.values("fingerprint") or [value or "" for name, value in session.attributes if name == "fingerprint"]
    setup = (_inherited(session, media, "setup") or "").strip().lower()
    if setup and setup not in SETUPS:
        raise ParseError(f"setup: {', '.join(SETUPS)} expected")
    floors = tuple(Floor.parse(value) for value in media.values("floorid")[:MAX_FLOORS])
    is_reliable = protocol != UDP
    return FloorStream(
        protocol, session.host_of(media), media.port, _roles(media, default_role), (setup or "active") if is_reliable else "",
        not is_reliable or (_inherited(session, media, "connection") or "new").strip().lower() != "existing",
        _number(media, "confid", 0xFFFFFFFF), _number(media, "userid", 0xFFFF), floors, _versions(media, protocol),
        parse_fingerprints(fingerprints) if protocol == TLS else (),
    )


def answer_line(session: SessionDescription, index: int, local: LocalFloors) -> tuple[MediaDescription, NegotiatedFloors]:
    """The answer to the BFCP line `index` of an offer, and what it means.

    We are the server: `s-only`, or `c-s` where that is all that was offered. Raises NegotiationFailed when the line can't be
    taken; it is refused with `media.refused()` then.
    """
    media = session.media[index]
    try:
        peer = read(session, media)
    except ParseError as error:
        raise NegotiationFailed(str(error)) from error
    _check(media, peer, local)
    role = "s-only" if "c-only" in peer.roles else "c-s"
    setup = _answered_setup(peer)
    agreed = NegotiatedFloors(index, peer.protocol, role, setup, peer.is_new, peer)
    return _line(local, media.protocol, (role,), setup, peer.is_new, media.has("bfcpver")), agreed


def offer_line(local: LocalFloors, protocol: str, *, is_new: bool = True) -> MediaDescription:
    """Our offer of a BFCP stream, as its server. Over TCP and TLS either side may open the connection."""
    return _line(local, protocol, ("s-only",), "actpass" if protocol != UDP else "", is_new, True)


def apply_answer(our_offer: MediaDescription, index: int, their_answer: SessionDescription) -> NegotiatedFloors:
    """What the answer to our offered line means. Raises NegotiationFailed when it refuses, or does not fit."""
    theirs = their_answer.media[index] if index < len(their_answer.media) else None
    if theirs is None or theirs.port == 0:
        raise NegotiationFailed("the other side takes no floor control")
    try:
        peer = read(their_answer, theirs)
    except ParseError as error:
        raise NegotiationFailed(str(error)) from error
    if not is_floor_stream(theirs) or peer.protocol != our_offer.protocol.upper():
        raise NegotiationFailed(f"{our_offer.protocol} was offered and {theirs.protocol} answered")
    if "c-only" not in peer.roles and "c-s" not in peer.roles:
        raise NegotiationFailed("the other side is no client of floors")
    return NegotiatedFloors(index, peer.protocol, "s-only", setup_after_answer(peer), peer.is_new, peer)


def setup_after_answer(peer: FloorStream) -> str:
    """Our setup after theirs in an answer. Raises NegotiationFailed when nobody could connect, or not safely."""
    if peer.protocol == TLS and not peer.fingerprints:
        raise NegotiationFailed("TLS needs a fingerprint")
    if not peer.is_reliable:
        return ""
    if peer.setup == "passive" and peer.remote is None:
        raise NegotiationFailed("setup:passive without an address to connect to")
    if peer.setup not in ("active", "passive"):
        raise NegotiationFailed(f"setup:{peer.setup} is no answer")
    return "active" if peer.setup == "passive" else "passive"


def _check(media: MediaDescription, peer: FloorStream, local: LocalFloors) -> None:
    """Raises NegotiationFailed with the reason why an offered line can't be taken."""
    if not is_floor_stream(media) or media.port == 0:
        raise NegotiationFailed("no BFCP stream is offered there")
    if peer.protocol not in local.protocols or peer.protocol not in PROTOCOLS:
        raise NegotiationFailed(f"{media.protocol} is not spoken here")
    if not {"c-only", "c-s"} & set(peer.roles):
        raise NegotiationFailed("the other side would be the only floor control server")
    if VERSIONS[peer.protocol] not in peer.versions:
        raise NegotiationFailed(f"version {VERSIONS[peer.protocol]} of BFCP goes over {peer.protocol}")
    if peer.protocol == TLS and (local.fingerprint is None or not peer.fingerprints):
        raise NegotiationFailed("TLS needs a fingerprint of either side")


def _answered_setup(peer: FloorStream) -> str:
    """Ours to theirs (RFC 4145 §4.1): we wait for the connection wherever they would open it."""
    if not peer.is_reliable:
        return ""
    if peer.setup == "holdconn":
        raise NegotiationFailed("setup:holdconn leaves nobody to begin")
    if peer.setup != "passive":
        return "passive"
    if peer.remote is None:
        raise NegotiationFailed("setup:passive without an address to connect to")
    return "active"


def _line(local: LocalFloors, protocol: str, roles: Sequence[str], setup: str, is_new: bool,
          with_version: bool) -> MediaDescription:
    attributes: list[Attribute] = [("floorctrl", " ".join(roles)), ("confid", str(local.conference_id)),
                                   ("userid", str(local.user_id))]
    attributes += [("floorid", str(floor)) for floor in local.floors]
    if with_version:
        attributes.append(("bfcpver", str(VERSIONS[protocol.upper()])))
    if setup:
        attributes += [("setup", setup), ("connection", "new" if is_new else "existing")]
    if protocol.upper() == TLS and local.fingerprint is not None:
        attributes.append(("fingerprint", str(local.fingerprint)))
    port = DISCARD_PORT if setup == "active" else local.port
    return MediaDescription("application", port, protocol, ("*",), Connection.of(local.host), attributes=tuple(attributes))


def _roles(media: MediaDescription, default: str) -> tuple[str, ...]:
    roles = tuple(role for role in (media.value("floorctrl") or default).lower().split() if role in ROLES)
    if not roles:
        raise ParseError(f"floorctrl: {', '.join(ROLES)} expected")
    return roles


def _versions(media: MediaDescription, protocol: str) -> tuple[int, ...]:
    value = media.value("bfcpver")
    if value is None:
        return (VERSIONS.get(protocol, 1),)
    return tuple(int(text) for text in value.split()[:8] if text.isascii() and text.isdigit() and len(text) <= 3)


def _number(media: MediaDescription, name: str, most: int) -> int | None:
    text = (media.value(name) or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise ParseError(f"{name}: a number up to {most} expected, not {text[:20]!r}")
    return int(text)


def _inherited(session: SessionDescription, media: MediaDescription, name: str) -> str | None:
    found = media.value(name)
    return found if found is not None else next((value for key, value in session.attributes if key == name), None)
