"""The sound of an RTP stream, each packet's at its place: silence stands for what was lost and for what was not sent (DTX).

Codecs by `rtp.codecs`, at their own rate: PCMU and PCMA 8 kHz, G.722 16 kHz (its RTP clock is 8 kHz all the same, RFC 3551
§4.5.2), Opus 48 kHz mono (RFC 7587). Places come from the timestamps; where these jump and the packets' times don't, the
sender began a new time base, and the times count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pcap.ordering import Ordered
from rtp.codecs import g711, g722, opus
from rtp.codecs.resample import Downsampler, Samples
from rtp.errors import CodecError
from rtp.sequence import extend_timestamp

CLOCKS = {"pcmu": 8000, "pcma": 8000, "g722": 8000, "opus": 48000}
RATES = {"pcmu": 8000, "pcma": 8000, "g722": 16000, "opus": 48000}
"""RTP clock and sampling rate of what can be heard, by codec name in lower case."""
MAX_SILENCE_S = 4 * 3600
"""A longer hole is cut to this: the file would fill a disk."""
DISAGREEMENT_S = 2.0
"""How far timestamps and times may be apart over a hole before the timestamps are not believed."""
SILENCE_CHUNK_S = 10

Decode = Callable[[bytes], Samples]


def decoder(codec: str) -> Decode:
    """A function from payloads to samples at the codec's rate: int16, mono. Raises CodecError for an unknown codec."""
    match codec.lower():
        case "pcmu":
            return lambda payload: g711.MULAW[np.frombuffer(payload, np.uint8)]
        case "pcma":
            return lambda payload: g711.ALAW[np.frombuffer(payload, np.uint8)]
        case "g722":
            wide, down = g722.Decoder(), Downsampler(3)
            return lambda payload: down.process(wide.decode(payload))
        case "opus":
            return opus.Decoder().decode
    raise CodecError(f"no sound from {codec!r}")


class Track:
    """Samples of one stream from its first packet on. `add` gives what comes next: silence, then sound."""

    def __init__(self, codec: str) -> None:
        self.codec = codec.lower()
        self.rate = RATES[self.codec]
        self.broken = 0
        self.lost = 0
        self.length = 0
        self._clock = CLOCKS[self.codec]
        self._decode = decoder(codec)
        self._timestamp: int | None = None
        self._base = 0
        self._last_ns = 0

    def add(self, one: Ordered) -> Iterator[Samples]:
        """The samples up to the end of a packet. A payload that is no audio of this codec gives none and is counted."""
        self.lost += one.lost
        try:
            samples = self._decode(one.packet.payload)
        except CodecError:
            self.broken += 1
            return
        yield from self._silence(self._hole(one))
        self.length += len(samples)
        yield samples

    def _hole(self, one: Ordered) -> int:
        """Samples between what there is and this packet."""
        if self._timestamp is None:
            self._timestamp, self._base, self._last_ns = one.packet.timestamp, one.packet.timestamp, one.time_ns
            return 0
        timestamp = extend_timestamp(one.packet.timestamp, self._timestamp)
        passed_s = (one.time_ns - self._last_ns) / 1e9
        advanced_s = (timestamp - self._timestamp) / self._clock
        place = (timestamp - self._base) * self.rate // self._clock
        if one.is_restart or abs(advanced_s - passed_s) > DISAGREEMENT_S:
            place = self.length + max(0, int((passed_s - 0.02) * self.rate)) if passed_s > DISAGREEMENT_S else self.length
            self._base = timestamp - place * self._clock // self.rate
        self._timestamp, self._last_ns = timestamp, one.time_ns
        return min(max(0, place - self.length), MAX_SILENCE_S * self.rate)

    def _silence(self, count: int) -> Iterator[Samples]:
        while count > 0:
            size = min(count, SILENCE_CHUNK_S * self.rate)
            self.length += size
            count -= size
            yield np.zeros(size, np.int16)
