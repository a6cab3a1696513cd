"""Sorts the datagrams of a media socket by their first byte (RFC 7983 §7, RFC 5761 §4)."""

from __future__ import annotations

from enum import Enum


class DatagramKind(Enum):
    """Whose a datagram is. ZRTP and TURN channels are known and not spoken here."""

    STUN = "stun"
    ZRTP = "zrtp"
    DTLS = "dtls"
    TURN = "turn"
    RTP = "rtp"
    RTCP = "rtcp"
    UNKNOWN = "unknown"


def sort_datagram(data: bytes) -> DatagramKind:
    """The kind of a datagram. On a port without rtcp-mux, RTP and RTCP are told apart by the port, not by this."""
    if not data:
        return DatagramKind.UNKNOWN
    first = data[0]
    if 128 <= first <= 191:
        return DatagramKind.RTCP if len(data) > 1 and 192 <= data[1] <= 223 else DatagramKind.RTP
    if first <= 3:
        return DatagramKind.STUN
    if 16 <= first <= 19:
        return DatagramKind.ZRTP
    if 20 <= first <= 63:
        return DatagramKind.DTLS
    return DatagramKind.TURN if 64 <= first <= 79 else DatagramKind.UNKNOWN
