"""What the SDPs of a capture say of payload types (RFC 8866 §6.6, RFC 3551 §6): which codec a packet carries.

The receiver's SDP decides, since it names the types that it wants to get; then the sender's; then any that all SDPs agree on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pcap.keylog import Address
from rtp.errors import ParseError
from rtp.sdp.model import MediaDescription
from rtp.sdp.parser import parse

_RTPMAP = re.compile(r"([0-9]{1,3}) +([^/ ]{1,32})/([0-9]{1,6})(?:/.*)?", re.A)


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec by its name in lower case, its RTP clock in Hz, its format parameters."""

    name: str
    clock: int
    fmtp: str = ""
    kind: str = "audio"

    @property
    def is_event(self) -> bool:
        """Whether it is no sound but keys or comfort noise."""
        return self.name in ("telephone-event", "cn")


STATIC = {
    0: Codec("pcmu", 8000), 3: Codec("gsm", 8000), 4: Codec("g723", 8000), 8: Codec("pcma", 8000), 9: Codec("g722", 8000),
    10: Codec("l16", 44100), 11: Codec("l16", 44100), 13: Codec("cn", 8000), 15: Codec("g728", 8000), 18: Codec("g729", 8000),
    26: Codec("jpeg", 90000, kind="video"), 31: Codec("h261", 90000, kind="video"), 34: Codec("h263", 90000, kind="video"),
}
"""Static payload types; G.722's clock is 8000 by its historical error (RFC 3551 §4.5.2)."""


class MediaMap:
    """Learns from the SDPs of a capture. version: changes when there is something new."""

    def __init__(self) -> None:
        self.version = 0
        self._by_address: dict[tuple[Address, int], Codec] = {}
        self._anywhere: dict[int, set[Codec]] = {}
        self._protected: dict[Address, bool] = {}

    def learn(self, body: bytes) -> None:
        """Take the payload types of a message's body; what is no SDP is passed over."""
        if not body.startswith(b"v=0"):
            return
        try:
            session = parse(body)
        except ParseError:
            return
        self.version += 1
        for media in session.media:
            host = session.host_of(media)
            if host and media.port:
                has_key = any(name in ("crypto", "fingerprint") for name, _ in (*media.attributes, *session.attributes))
                self._protected[host, media.port] = "SAVP" in media.protocol or has_key
            for payload_type, codec in codecs_of(media).items():
                self._anywhere.setdefault(payload_type, set()).add(codec)
                if host and media.port:
                    self._by_address[(host, media.port), payload_type] = codec

    def codec(self, source: Address, destination: Address, payload_type: int) -> Codec | None:
        """The codec of a packet, None when nothing tells."""
        for address in (destination, source):
            if (codec := self._by_address.get((address, payload_type))) is not None:
                return codec
        told = self._anywhere.get(payload_type, set())
        names = {codec.name for codec in told}
        if len(names) == 1:
            return max(told, key=lambda codec: len(codec.fmtp))
        return STATIC.get(payload_type)

    def is_protected(self, source: Address, destination: Address) -> bool:
        """Whether the SDPs say that this stream is SRTP: each side that has one, by its profile, or by keys beside RTP/AVP
        (RFC 8643), which count only when both sides have them."""
        told = [self._protected[address] for address in (source, destination) if address in self._protected]
        return bool(told) and all(told)


def codecs_of(media: MediaDescription) -> dict[int, Codec]:
    """The codecs of an m= line by payload type."""
    maps = {int(match[1]): match for value in media.values("rtpmap") if (match := _RTPMAP.fullmatch(value.strip()))}
    parameters = {}
    for value in media.values("fmtp"):
        text, _, rest = value.strip().partition(" ")
        parameters[text] = rest.strip()
    found = {}
    for text in media.formats:
        if not text.isascii() or not text.isdigit() or len(text) > 3:
            continue
        number = int(text)
        if (match := maps.get(number)) is not None:
            found[number] = Codec(match[2].lower(), int(match[3]) or 8000, parameters.get(text, ""), media.kind)
        elif number in STATIC:
            found[number] = STATIC[number]
    return found
