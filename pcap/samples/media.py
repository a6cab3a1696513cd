"""Media for the scenes: melodies in PCMU by table, so that they are the same everywhere, as RTP with planned mishaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pcap.keylog import Address
from pcap.samples.stage import Stage
from rtp.codecs.g711 import MULAW
from rtp.codecs.resample import Samples
from rtp.packet import RtpPacket
from rtp.rtcp import ReceiverReport, ReportBlock, SenderReport, SourceDescription, build_compound

FRAME = 160
"""20 ms at 8 kHz."""
NOTES = (523.25, 587.33, 659.26, 523.25, 659.26, 698.46, 783.99, 0.0)

Fate = Callable[[int], tuple[float, ...]]
"""When copies of packet `n` arrive, in s after it was sent: none for a lost one."""


@dataclass(slots=True)
class Source:
    """One side's stream. clock: its RTP clock in Hz; protect: what makes SRTP of a packet."""

    source: Address
    destination: Address
    ssrc: int
    sequence: int
    timestamp: int
    clock: int = 8000
    payload_type: int = 0
    csrcs: tuple[int, ...] = ()
    protect: Callable[[bytes], bytes] = field(default=bytes)
    sent: int = 0
    octets: int = 0

    def send(self, stage: Stage, at_s: float, payloads: list[bytes], *, fate: Fate = lambda number: (0.0,),
             ptime_s: float = 0.02, marker: bool = True, comment: str = "") -> float:
        """Send payloads one after the other from `at_s` on, an empty one for silence that is not sent. Gives the time after."""
        for number, payload in enumerate(payloads):
            if payload:
                packet = RtpPacket(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker, self.csrcs)
                data, marker = self.protect(bytes(packet)), False
                for late in fate(number):
                    stage.put(at_s + late, self.source, self.destination, data, comment if not number else "")
                self.sequence, self.sent, self.octets = self.sequence + 1 & 0xFFFF, self.sent + 1, self.octets + len(payload)
            else:
                marker = True
            self.timestamp = self.timestamp + round(self.clock * ptime_s) & 0xFFFFFFFF
            at_s += ptime_s
        return at_s

    def report(self, stage: Stage, at_s: float, cname: str, about: ReportBlock | None = None) -> None:
        """A sender report with a name, and what was heard of the other side."""
        ntp = int((1_767_603_600 + 2_208_988_800 + at_s) * 2**32)
        blocks = (about,) if about is not None else ()
        report = SenderReport(self.ssrc, ntp, self.timestamp, self.sent, self.octets, blocks) if self.sent else \
            ReceiverReport(self.ssrc, blocks)
        data = build_compound((report, SourceDescription({self.ssrc: cname})))
        stage.put(at_s, (self.source[0], self.source[1] + 1), (self.destination[0], self.destination[1] + 1), data)


def melody(seconds: float, *, pitch: float = 1.0, rate: int = 8000) -> Samples:
    """Notes of a quarter of a second: int16, mono."""
    count = int(seconds * rate)
    at = np.arange(count) / rate
    hertz = np.array(NOTES)[(at * 4).astype(int) % len(NOTES)] * pitch
    phase = np.cumsum(hertz) / rate
    envelope = np.minimum(1.0, 12 * (at * 4 % 1)) * (1 - 0.7 * (at * 4 % 1))
    samples: Samples = np.rint(7000 * envelope * (hertz > 0) * np.sin(2 * np.pi * phase)).astype(np.int16)
    return samples


def pcmu(samples: Samples, frame: int = FRAME) -> list[bytes]:
    """Payloads of PCMU: the nearest code of each sample, by the table of ITU-T G.711."""
    order = np.argsort(MULAW, kind="stable")
    levels = MULAW[order].astype(np.int32)
    right = np.clip(np.searchsorted(levels, samples.astype(np.int32)), 1, len(levels) - 1)
    nearer = right - (samples - levels[right - 1] < levels[right] - samples)
    codes = order[nearer].astype(np.uint8)
    return [codes[start:start + frame].tobytes() for start in range(0, len(codes) - frame + 1, frame)]
