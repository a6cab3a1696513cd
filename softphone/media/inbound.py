"""What comes in a call's audio stream: packets (RFC 3550), reception statistics, jitter buffer, decoder, who is in the mix
(CSRCs and their levels, RFC 6465)."""

from __future__ import annotations

import numpy as np

from rtp.codecs.opus import Decoder as OpusDecoder
from rtp.codecs.registry import create_decoder
from rtp.codecs.resample import RATE, Samples
from rtp.errors import CodecError, ParseError
from rtp.jitter import CONCEAL, PLAY, JitterBuffer
from rtp.packet import MIXER_LEVEL, RtpPacket
from rtp.receiver import ReceptionStatistics
from rtp.sdp.negotiation import NegotiatedAudio
from rtp.synchrony import StreamClock
from softphone.media.resample import FRAME

DTX_BYTES = 3
"""An Opus payload this short carries no audio (RFC 6716 §2.1.9)."""
UNKNOWN_LEVEL = -30
"""What is taken for a contributor whose level the mixer doesn't tell."""
MAX_KNOWN_CSRCS = 256
_EMPTY: Samples = np.zeros(0, np.int16)


class Inbound:
    """The receiving half of a stream as negotiated. Counters go on over changes of SSRC. `clock`: ties what is heard to the
    sender's clock, for pictures to be shown with it."""

    def __init__(self, agreed: NegotiatedAudio) -> None:
        self.agreed = agreed
        self.statistics: ReceptionStatistics | None = None
        self.junk = self.packets = self.bytes = 0
        self.csrc_levels: dict[int, int] = {}
        self.csrcs_seen: set[int] = set()
        self.clock = StreamClock(agreed.codec.clock_rate)
        self._clock_rate = agreed.codec.clock_rate
        self._decoder = create_decoder(agreed.codec.name)
        self._jitter = self._new_jitter()
        self._level_id = agreed.extensions.get(MIXER_LEVEL, 0)
        self._pcm = _EMPTY
        self._lost_before = self._late = self._concealed = 0

    def _new_jitter(self) -> JitterBuffer:
        return JitterBuffer(self._clock_rate, self._clock_rate * self.agreed.ptime_ms // 1000)

    @property
    def target_ms(self) -> float:
        """The jitter buffer's delay."""
        return self._jitter.target_ms

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (RFC 3550 §6.4.1)."""
        return self.statistics.jitter_ms if self.statistics is not None else 0.0

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self._lost_before + (self.statistics.total_lost if self.statistics is not None else 0))

    @property
    def late(self) -> int:
        """Packets that came after their time."""
        return self._late + self._jitter.late

    @property
    def concealed(self) -> int:
        """Frames made up in place of lost or late ones."""
        return self._concealed + self._jitter.concealed

    def receive(self, data: bytes, arrival_ns: int) -> None:
        """Take a datagram from the negotiated address; what is no RTP of ours is counted as junk."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self.junk += 1
            return
        is_event = packet.payload_type == self.agreed.dtmf_receive
        if not is_event and (packet.payload_type != self.agreed.receive_payload_type or not packet.payload):
            self.junk += 1
            return
        statistics = self._statistics_for(packet.ssrc)
        if not statistics.on_packet(packet.sequence, packet.timestamp, arrival_ns, len(packet.payload)):
            return
        self.packets += 1
        self.bytes += len(packet.payload)
        self._note_contributors(packet)
        if is_event:
            self._jitter.pass_over(packet.sequence)
        else:
            self._jitter.push(packet.sequence, packet.timestamp, packet.payload, arrival_ns)

    def _statistics_for(self, ssrc: int) -> ReceptionStatistics:
        if self.statistics is not None and self.statistics.ssrc == ssrc:
            return self.statistics
        if self.statistics is not None:
            self._lost_before += self.statistics.total_lost
            self._late += self._jitter.late
            self._concealed += self._jitter.concealed
            self._jitter = self._new_jitter()
            self.clock = StreamClock(self._clock_rate)
        self.statistics = ReceptionStatistics(ssrc, self._clock_rate)
        return self.statistics

    def _note_contributors(self, packet: RtpPacket) -> None:
        if not packet.csrcs:
            self.csrc_levels = {}
            return
        levels = packet.extensions.get(self._level_id, b"") if self._level_id else b""
        known = dict(zip(packet.csrcs, (-(level & 0x7F) for level in levels), strict=False))
        self.csrc_levels = {csrc: known.get(csrc, UNKNOWN_LEVEL) for csrc in packet.csrcs}
        if len(self.csrcs_seen) < MAX_KNOWN_CSRCS:
            self.csrcs_seen.update(packet.csrcs)

    def pull(self, now_ns: int) -> Samples | None:
        """The next 20 ms: 960 samples, int16, 48 kHz mono; None when nothing is there to be heard."""
        pcm = self._pcm
        while len(pcm) < FRAME:
            kind, payload = self._jitter.pop(now_ns)
            if kind == PLAY and (timestamp := self._jitter.played_timestamp) is not None:
                self.clock.on_shown(timestamp, now_ns / 1e9)
            if kind not in (PLAY, CONCEAL):
                break
            try:
                piece = self._decode(kind, payload)
            except CodecError:
                self.junk += 1
                break
            pcm = piece if not len(pcm) else np.concatenate((pcm, piece))
        self._pcm = pcm[FRAME:]
        if len(pcm) >= FRAME:
            return pcm[:FRAME]
        if not len(pcm):
            return None
        return np.concatenate((pcm, np.zeros(FRAME - len(pcm), np.int16)))

    def _decode(self, kind: int, payload: bytes | None) -> Samples:
        if kind == PLAY:
            assert payload is not None
            return self._decoder.decode(payload)
        count = self._jitter.frame * RATE // self._clock_rate
        if payload is not None and isinstance(self._decoder, OpusDecoder) and len(payload) > DTX_BYTES:
            return self._decoder.decode_fec(payload, count)
        return self._decoder.conceal(count)
