"""A phone's side of BFCP in SDP (RFC 8856 §5.1): asking for floors, and what a floor control server has answered, or offers.

We are `c-only`, and open the connection ourselves (RFC 4145 `active`), for a phone is where nobody can connect to. Over UDP the
line has the port that we send from. The server is `rtp.sdp.floor_control`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Fingerprint
from rtp.sdp.floor_control import (
    DISCARD_PORT,
    TLS,
    UDP,
    VERSIONS,
    FloorStream,
    NegotiatedFloors,
    is_floor_stream,
    read,
    setup_after_answer,
)
from rtp.sdp.model import Attribute, Connection, MediaDescription, SessionDescription


@dataclass(frozen=True, slots=True)
class LocalClient:
    """Our side. udp_port: of our socket for UDP/BFCP; fingerprint: of our certificate, None where TLS is not spoken."""

    host: str
    udp_port: int = 0
    fingerprint: Fingerprint | None = None


def offer_as_client(local: LocalClient, protocol: str, *, is_new: bool = True) -> MediaDescription:
    """Our offer of a BFCP stream. Raises NegotiationFailed for TLS without a certificate, UDP without a port."""
    return _line(local, protocol, is_new)


def answer_as_client(session: SessionDescription, index: int, local: LocalClient) -> tuple[MediaDescription, NegotiatedFloors]:
    """Our answer to a server's offer. Raises NegotiationFailed when it can't be taken."""
    media = session.media[index]
    peer = _read(session, media)
    if media.port == 0 or not is_floor_stream(media) or peer.protocol not in VERSIONS:
        raise NegotiationFailed(f"{media.protocol} is not spoken here")
    if peer.is_reliable and (peer.setup not in ("passive", "actpass") or peer.remote is None):
        raise NegotiationFailed("the server has to wait for our connection")
    _check(peer)
    agreed = NegotiatedFloors(index, peer.protocol, "c-only", "active" if peer.is_reliable else "", peer.is_new, peer)
    return _line(local, media.protocol, peer.is_new), agreed


def apply_answer_as_client(our_offer: MediaDescription, index: int, their_answer: SessionDescription) -> NegotiatedFloors:
    """What a server has answered: its address, conference, our user id and the floors are in `peer`.

    Raises NegotiationFailed when it refuses, or does not fit.
    """
    theirs = their_answer.media[index] if index < len(their_answer.media) else None
    if theirs is None or theirs.port == 0:
        raise NegotiationFailed("the other side has no floors")
    peer = _read(their_answer, theirs)
    if not is_floor_stream(theirs) or peer.protocol != our_offer.protocol.upper():
        raise NegotiationFailed(f"{our_offer.protocol} was offered and {theirs.protocol} answered")
    _check(peer)
    setup = "active" if peer.is_reliable and not theirs.has("setup") else setup_after_answer(peer)
    if setup == "passive" or (setup == "active" and peer.remote is None):
        raise NegotiationFailed("the server has to wait for our connection")
    return NegotiatedFloors(index, peer.protocol, "c-only", setup, peer.is_new, peer)


def _read(session: SessionDescription, media: MediaDescription) -> FloorStream:
    try:
        return read(session, media, default_role="s-only")
    except ParseError as error:
        raise NegotiationFailed(str(error)) from error


def _check(peer: FloorStream) -> None:
    """Raises NegotiationFailed for who is no server that we could speak to."""
    if not {"s-only", "c-s"} & set(peer.roles):
        raise NegotiationFailed("the other side is no floor control server")
    if peer.conference_id is None or peer.user_id is None:
        raise NegotiationFailed("a floor control server tells confid and userid")
    if VERSIONS[peer.protocol] not in peer.versions:
        raise NegotiationFailed(f"version {VERSIONS[peer.protocol]} of BFCP goes over {peer.protocol}")
    if peer.protocol == TLS and not peer.fingerprints:
        raise NegotiationFailed("TLS needs a fingerprint")
    if peer.protocol == UDP and peer.remote is None:
        raise NegotiationFailed("UDP needs an address")


def _line(local: LocalClient, protocol: str, is_new: bool) -> MediaDescription:
    name = protocol.upper()
    if name == TLS and local.fingerprint is None:
        raise NegotiationFailed("TLS needs a certificate")
    if name == UDP and not local.udp_port:
        raise NegotiationFailed("UDP needs a port")
    attributes: list[Attribute] = [("floorctrl", "c-only"), ("bfcpver", str(VERSIONS[name]))]
    if name != UDP:
        attributes += [("setup", "active"), ("connection", "new" if is_new else "existing")]
    if name == TLS:
        attributes.append(("fingerprint", str(local.fingerprint)))
    port = local.udp_port if name == UDP else DISCARD_PORT
    return MediaDescription("application", port, protocol, ("*",), Connection.of(local.host), attributes=tuple(attributes))
