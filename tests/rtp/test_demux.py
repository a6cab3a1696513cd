"""The first byte decides, at every border of RFC 7983 §7."""

from __future__ import annotations

import pytest

from rtp.demux import DatagramKind, sort_datagram

BORDERS = {
    0: DatagramKind.STUN, 3: DatagramKind.STUN, 4: DatagramKind.UNKNOWN, 15: DatagramKind.UNKNOWN, 16: DatagramKind.ZRTP,
    19: DatagramKind.ZRTP, 20: DatagramKind.DTLS, 63: DatagramKind.DTLS, 64: DatagramKind.TURN, 79: DatagramKind.TURN,
    80: DatagramKind.UNKNOWN, 127: DatagramKind.UNKNOWN, 128: DatagramKind.RTP, 191: DatagramKind.RTP,
    192: DatagramKind.UNKNOWN, 255: DatagramKind.UNKNOWN,
}


@pytest.mark.parametrize(("first", "kind"), BORDERS.items())
def test_first_byte_decides(first: int, kind: DatagramKind) -> None:
    assert sort_datagram(bytes([first, 0, 0])) is kind


@pytest.mark.parametrize(("second", "kind"), [
    (191, DatagramKind.RTP), (192, DatagramKind.RTCP), (200, DatagramKind.RTCP), (223, DatagramKind.RTCP),
    (224, DatagramKind.RTP),
])
def test_second_byte_tells_rtcp_from_rtp(second: int, kind: DatagramKind) -> None:
    assert sort_datagram(bytes([0x80, second])) is kind


def test_empty_datagram_is_nobodys_and_a_single_byte_is_sorted() -> None:
    assert sort_datagram(b"") is DatagramKind.UNKNOWN and sort_datagram(b"\x80") is DatagramKind.RTP
