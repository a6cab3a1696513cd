"""Which feedback a line's payload types want (RFC 4585 §4.2, RFC 5104 §7.1): a=rtcp-fb, which phones also write under RTP/AVP.

RFC 4585 ties the attribute to the AVPF profiles; Linphone and baresip offer `RTP/AVP` with it and mean it, so it is honoured
where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable

from rtp.sdp.model import Attribute, MediaDescription

NACK, PLI, FIR, TMMBR, REMB, TRANSPORT = "nack", "nack pli", "ccm fir", "ccm tmmbr", "goog-remb", "transport-cc"
KNOWN = frozenset((NACK, PLI, FIR, TMMBR, REMB, TRANSPORT))


def feedback_of(media: MediaDescription, payload_type: int) -> frozenset[str]:
    """The kinds of `KNOWN` that a line wants for a payload type, by its number or by `*`."""
    found = set()
    for value in media.values("rtcp-fb"):
        target, _, kind = value.partition(" ")
        if target in ("*", str(payload_type)):
            found.add(" ".join(kind.lower().split()[:2]))
    return frozenset(found & KNOWN)


def feedback_lines(payload_type: int | str, kinds: Iterable[str]) -> list[Attribute]:
    """The attributes for these kinds, in a fixed order. payload_type: a number, or `*` for all of the line."""
    return [("rtcp-fb", f"{payload_type} {kind}") for kind in sorted(kinds)]
