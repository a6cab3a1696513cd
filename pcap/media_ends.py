"""The two ends of a call's media, by its SDPs (RFC 3264, RFC 8866), and which streams go to which."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pcap.calls import CallStory
from pcap.keylog import Address
from pcap.media_map import Codec, codecs_of
from pcap.sip_ladder import SeenMessage, sdp_of, user_of
from pcap.survey import StreamSurvey
from rtp.sdp.model import MediaDescription
from sip.message import Request

_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                            "169.254.0.0/16", "fc00::/7", "fe80::/10")))
"""RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6."""


@dataclass(slots=True)
class End:
    """One side of a call. signalling: where its SIP comes from; addresses: all for sound that its SDPs named.

    types: all payload types that it named, ptimes and sending: by its last SDP.
    """

    name: str
    signalling: Address
    addresses: list[Address] = field(default_factory=list)
    types: dict[int, Codec] = field(default_factory=dict)
    sdp_times: list[int] = field(default_factory=list)
    first: SeenMessage | None = None
    sends: bool = True
    receives: bool = True
    ptime_ms: float | None = None
    is_closed: bool = False

    @property
    def host(self) -> str:
        """Of its media, by the first SDP."""
        return self.addresses[0][0] if self.addresses else ""

    def learn(self, one: SeenMessage) -> None:
        """Take an SDP of this side."""
        session = sdp_of(one.message)
        sound = next((media for media in session.media if media.kind == "audio"), None) if session is not None else None
        if session is None or sound is None:
            return
        self.first = self.first or one
        self.sdp_times.append(one.time_ns)
        self.is_closed = not sound.port
        host = session.host_of(sound)
        if host and sound.port:
            if (host, sound.port) not in self.addresses:
                self.addresses.append((host, sound.port))
            self.types.update(codecs_of(sound))
        direction = session.direction(sound)
        self.sends, self.receives = direction in ("sendrecv", "sendonly"), direction in ("sendrecv", "recvonly")
        self.ptime_ms = _number(sound, "ptime")


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a call on its first hop: who called, and who was called."""

    caller: End
    callee: End

    def each(self) -> tuple[tuple[End, End], tuple[End, End]]:
        """(from, to) both ways."""
        return (self.caller, self.callee), (self.callee, self.caller)


def ends_of(story: CallStory) -> Ends | None:
    """The ends of a call that exchanged SDPs; None for others."""
    invite = next((one for one in story.call.messages if isinstance(one.message, Request) and one.message.method == "INVITE"),
                  None)
    if invite is None:
        return None
    caller = End(user_of(invite.message, "from") or invite.source[0], invite.source)
    callee = End(user_of(invite.message, "to") or invite.destination[0], invite.destination)
    hop = {invite.source: caller, invite.destination: callee}
    for one in story.call.messages:
        if (end := hop.get(one.source)) is not None and one.destination in hop:
            end.learn(one)
    return Ends(caller, callee) if caller.first is not None and callee.first is not None else None


def streams_to(end: End, other: End, streams: Iterable[StreamSurvey]) -> list[StreamSurvey]:
    """Streams that are meant for an end: to an address that it named, or to where its own media comes from."""
    return [one for one in streams if one.figures.destination in end.addresses or
            (one.figures.source in other.addresses and one.figures.destination not in other.addresses)]


def streams_of_call(ends: Ends, streams: Sequence[StreamSurvey], begin_ns: int, end_ns: int) -> list[StreamSurvey]:
    """Streams from or to what the SDPs named, in the time of the call."""
    named = {*ends.caller.addresses, *ends.callee.addresses}
    return [one for one in streams if (one.figures.source in named or one.figures.destination in named)
            and one.figures.last_ns >= begin_ns and one.figures.first_ns <= end_ns]


def is_private(host: str) -> bool:
    """Whether an address means something only in its own network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _number(media: MediaDescription, name: str) -> float | None:
    try:
        return float(media.value(name) or "") or None
    except ValueError:
        return None
