"""From which address a leg's media is taken (against RFC 3550's openness; RFC 4961 symmetric RTP).

The address of the SDP is taken at once. Another port of the signalling's own source host is believed after five consecutive
packets (one payload type, one SSRC, sequence numbers in a row), while the known address has been silent for 1.6 s or
never sent: that is what a phone behind a NAT looks like. All others are foreign and dropped.
Under SRTP a packet proves by itself whose it is, and its source is believed.
"""

from __future__ import annotations

from rtp.kernel.spec import Address

PROBATION = 5
RELEARN_NS = 1_600_000_000
"""With the probation and a look at every tick, sound comes back within two seconds after a NAT has changed a port."""


class SourceFilter:
    """The accepted source of one leg."""

    __slots__ = ("_candidate", "_count", "_next", "_signalling_host", "_ssrc", "_type", "accepted", "last_ns")

    def __init__(self, address: Address | None, signalling_host: str) -> None:
        self.accepted = address
        self.last_ns = -RELEARN_NS
        self._signalling_host = signalling_host
        self._candidate: Address | None = None
        self._count = self._next = self._ssrc = self._type = 0

    def accepts(self, source: Address, data: bytes, now_ns: int) -> bool:
        """Whether a packet from `source` is this leg's; a source on probation becomes the accepted one by its fifth."""
        if source == self.accepted:
            self.last_ns = now_ns
            return True
        if source[0] != self._signalling_host or now_ns - self.last_ns < RELEARN_NS or len(data) < 12:
            return False
        payload_type, sequence, ssrc = data[1] & 0x7F, data[2] << 8 | data[3], int.from_bytes(data[8:12])
        same = (source, ssrc, payload_type, sequence) == (self._candidate, self._ssrc, self._type, self._next)
        self._count = self._count + 1 if same else 1
        self._candidate, self._ssrc, self._type, self._next = source, ssrc, payload_type, (sequence + 1) & 0xFFFF
        if self._count < PROBATION:
            return False
        self.accepted, self.last_ns, self._count = source, now_ns, 0
        return True

    def believe(self, source: Address, now_ns: int) -> None:
        """A packet from `source` has proved to be this leg's."""
        self.accepted, self.last_ns, self._count = source, now_ns, 0
