"""One leg of a room: its sockets, its reception (RFC 3550 §6.4, RFC 4733), its decoder and its stream out.

What surely isn't heard isn't decoded: a leg offers a level first (announced as RFC 6464 says, by table for G.711, none for an
Opus packet without audio) and makes samples when it is asked for them.
"""

from __future__ import annotations

import math
import socket
import struct
from collections import deque
from collections.abc import Callable

import numpy as np

from rtp.codecs.opus import Decoder as OpusDecoder
from rtp.codecs.registry import CLOCK_RATES, create_decoder
from rtp.codecs.resample import Samples
from rtp.dtmf import DtmfReceiver
from rtp.errors import CodecError, ParseError
from rtp.jitter import CONCEAL, PLAY, JitterBuffer
from rtp.kernel.addressing import SourceFilter
from rtp.kernel.spec import TICK_SAMPLES, LegSpec, LegStatistics
from rtp.kernel.stream import Form, MixStream
from rtp.packet import parse_extensions
from rtp.receiver import ReceptionStatistics
from rtp.session import RtcpSession

HEADER = struct.Struct("!BBHII")
DTX_BYTES = 3
"""An Opus payload this short carries no audio (RFC 6716 §2.1.9)."""
SILENT = -127
QUIET_DBOV = -60
"""What begins out of this can't be heard to begin."""
G711_BYTES = 160
"""Payload of a G.711 packet of 20 ms."""
MUTE_DBOV = -70
"""An Opus payload that gave no more than this gives no more when it comes again: a muted phone repeats two or three."""
PRIMING = 3
"""Payloads that go through a decoder before its first one is heard, so that its filters know the past."""
_EMPTY: Samples = np.zeros(0, np.int16)
_FULL_POWER = 1073741824.0


class Leg:
    """The state of a leg between two ticks.

    Of the tick: `level` in dBov, `has_audio` whether there is something to hear, `payload` what isn't decoded yet,
    `was_quiet` whether the tick before held quiet audio.
    """

    def __init__(self, spec: LegSpec, random: Callable[[], float], now: float) -> None:
        self.spec = spec
        self.rtp = socket.socket(fileno=spec.rtp_fd)
        self.rtcp_socket = socket.socket(fileno=spec.rtcp_fd) if spec.rtcp_fd >= 0 else None
        self.rtcp = RtcpSession(spec.ssrc, spec.cname, random, now)
        self.filter = SourceFilter(spec.remote, spec.signalling_host)
        self.sequence, self.timestamp = spec.sequence, spec.timestamp
        self.marker = True
        self.level = SILENT
        self.has_audio = False
        self.payload: bytes | None = None
        self.smooth = -127.0
        self.hangover = 0
        self.was_speaking = self.was_quiet = False
        self.own: MixStream | None = None
        self.own_since = 0
        self.packets_in = self.bytes_in = self.junk = self.foreign = 0
        self.last_heard_ns = int(now * 1e9)
        self.statistics: ReceptionStatistics | None = None
        self._lost_before = self._concealed = self._late = self._duplicated = 0
        self._dtmf = DtmfReceiver()
        self.set_codec()

    def set_codec(self) -> None:
        """Begin with the codec that `spec` names: a new decoder and buffer, a new stream out."""
        spec = self.spec
        self.clock_rate = CLOCK_RATES[spec.codec]
        self.units = self.clock_rate // 50
        self.is_g711 = spec.codec in ("pcmu", "pcma")
        self.form: Form = (spec.codec, spec.ptime_ms, spec.fmtp)
        self._is_opus = spec.codec == "opus"
        self._decoder = create_decoder(spec.codec)
        self._jitter = self._new_jitter()
        self._pcm: Samples = _EMPTY
        self._frame: Samples | None = None
        self._skipped: list[bytes] = []
        self._quiet: deque[bytes] = deque(maxlen=4)
        self.own = None
        self.announced_level: int | None = None

    def _new_jitter(self) -> JitterBuffer:
        return JitterBuffer(self.clock_rate, self.clock_rate * self.spec.ptime_ms // 1000)

    # ---- in

    def receive(self, data: bytes, arrival_ns: int) -> str | None:
        """Take an RTP packet that passed the filter; the key when it begins a press."""
        size = len(data)
        if size < 12 or data[0] & 0xC0 != 0x80:
            self.junk += 1
            return None
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        offset = 12 + 4 * (first & 0x0F)
        if first & 0x30:
            try:
                offset, size = self._read_extras(data, first, offset)
            except ParseError:
                self.junk += 1
                return None
        kind = second & 0x7F
        spec = self.spec
        if offset >= size or (kind != spec.receive_type and kind != spec.dtmf_type):
            self.junk += 1
            return None
        statistics = self.statistics
        if statistics is None or statistics.ssrc != ssrc:
            statistics = self._begin_source(ssrc)
        if not statistics.on_packet(sequence, timestamp, arrival_ns, size - offset):
            return None
        self.packets_in += 1
        self.bytes_in += size - offset
        self.last_heard_ns = arrival_ns
        if kind == spec.dtmf_type:
            self._jitter.pass_over(sequence)
            return self._dtmf.receive(data[offset:size], timestamp)
        self._jitter.push(sequence, timestamp, data[offset:size], arrival_ns)
        return None

    def _read_extras(self, data: bytes, first: int, offset: int) -> tuple[int, int]:
        size = len(data)
        if first & 0x10:
            if size < offset + 4:
                raise ParseError("an extension that breaks off")
            if self.spec.level_extension:
                found = parse_extensions(data, offset).get(self.spec.level_extension)
                if found:
                    self.announced_level = -(found[0] & 0x7F)
            offset += 4 + 4 * (data[offset + 2] << 8 | data[offset + 3])
        if first & 0x20:
            size -= data[-1] or size
        if offset > size:
            raise ParseError("an extension or padding that does not fit")
        return offset, size

    def _begin_source(self, ssrc: int) -> ReceptionStatistics:
        if self.statistics is not None:
            self._lost_before += self.statistics.total_lost
            old, self._jitter = self._jitter, self._new_jitter()
            self._concealed += old.concealed
            self._late += old.late
            self._duplicated += old.duplicated
        self.statistics = ReceptionStatistics(ssrc, self.clock_rate)
        return self.statistics

    def receive_rtcp(self, data: bytes, now: float, wallclock: float) -> None:
        """Take an RTCP compound that passed the filter."""
        if self.rtcp.receive(data, now, wallclock, self.statistics):
            self.last_heard_ns = int(now * 1e9)
        else:
            self.junk += 1

    def pull(self, now_ns: int) -> None:
        """Take what is due in this tick from the buffer: sets `has_audio`, and `level` where it is known without decoding.

        A G.711 payload of 20 ms waits in `payload`: the room measures those of all legs at once and sets `level`.
        """
        self._frame = self.payload = None
        self.was_quiet = self.has_audio and self.level <= QUIET_DBOV
        self.has_audio = False
        self.level = SILENT
        if self._jitter.frame != self.units or len(self._pcm):
            self._pull_samples(now_ns)
            return
        kind, payload = self._jitter.pop(now_ns)
        if kind == PLAY:
            assert payload is not None
            self._pull_payload(payload, now_ns)
        elif kind == CONCEAL and not self._skipped:
            self._pcm = self._try_decode(kind, payload)
            self._take_frame()

    def _pull_payload(self, payload: bytes, now_ns: int) -> None:
        if self.is_g711 and len(payload) == G711_BYTES:
            self.payload, self.has_audio = payload, True
        elif self._is_opus and (len(payload) <= DTX_BYTES or (payload in self._quiet and not self.was_speaking)):
            self.skip(payload)
        elif self.announced_level is not None:
            self.payload, self.has_audio, self.level = payload, True, self.announced_level
        else:
            self._pcm = self._try_decode(PLAY, payload)
            self._pull_samples(now_ns)
            if self._is_opus and self.level <= MUTE_DBOV:
                self._quiet.append(payload)

    def _pull_samples(self, now_ns: int) -> None:
        while len(self._pcm) < TICK_SAMPLES:
            kind, payload = self._jitter.pop(now_ns)
            if kind != PLAY and kind != CONCEAL:
                break
            piece = self._try_decode(kind, payload)
            if not len(piece):
                break
            self._pcm = np.concatenate((self._pcm, piece)) if len(self._pcm) else piece
        self._take_frame()

    def _take_frame(self) -> None:
        pcm = self._pcm
        if not len(pcm):
            return
        if len(pcm) >= TICK_SAMPLES:
            self._frame, self._pcm = pcm[:TICK_SAMPLES], pcm[TICK_SAMPLES:]
        else:
            self._frame, self._pcm = np.concatenate((pcm, np.zeros(TICK_SAMPLES - len(pcm), np.int16))), _EMPTY
        self.has_audio = True
        self.level = level_of(self._frame)

    def skip(self, payload: bytes) -> None:
        """Leave a payload undecoded; the last few are kept for the decoder to begin with when its leg is heard again."""
        self._skipped.append(payload)
        if len(self._skipped) > PRIMING:
            del self._skipped[0]

    def frame(self) -> Samples | None:
        """The samples of this tick: int16, shape (960,), 48 kHz mono; None when there are none."""
        payload = self.payload
        if payload is not None:
            self.payload = None
            skipped, self._skipped = self._skipped, []
            for earlier in skipped:
                self._try_decode(PLAY, earlier)
            self._pcm = self._try_decode(PLAY, payload)
            level = self.level
            self._take_frame()
            self.level = level
        return self._frame

    def _try_decode(self, kind: int, payload: bytes | None) -> Samples:
        try:
            if kind == PLAY:
                assert payload is not None
                return self._decoder.decode(payload)
            count = self._jitter.frame * 48000 // self.clock_rate
            if payload is not None and isinstance(self._decoder, OpusDecoder) and len(payload) > DTX_BYTES:
                return self._decoder.decode_fec(payload, count)
            return self._decoder.conceal(count)
        except CodecError:
            self.junk += 1
            return _EMPTY

    def drop(self, now_ns: int) -> None:
        """Throw one tick's audio away, after a stall: in as well as out the time goes on."""
        self._jitter.pop(now_ns)
        self._pcm = _EMPTY
        self.timestamp = (self.timestamp + self.units) & 0xFFFFFFFF

    # ---- out

    def send(self, tail: bytes, first: int, payload_size: int, units: int) -> None:
        """Send a packet: our header, then `tail` (CSRCs, extension, payload).

        first: the header's first byte (version, extension bit, number of CSRCs); units: its length in the timestamp.
        """
        spec = self.spec
        second = spec.send_type
        if self.marker:
            second |= 0x80
            self.marker = False
        header = HEADER.pack(first, second, self.sequence, self.timestamp, spec.ssrc)
        try:
            self.rtp.sendto(header + tail, spec.remote)  # type: ignore[arg-type]
        except OSError:
            pass                            # a full buffer or an ICMP error: the packet is lost, as on any network
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + units) & 0xFFFFFFFF
        rtcp = self.rtcp
        rtcp.packets_sent += 1
        rtcp.octets_sent += payload_size

    def pass_over(self) -> None:
        """Send nothing in this tick: the timestamp goes on, and what follows begins a talk spurt (RFC 3551 §4.1)."""
        self.timestamp = (self.timestamp + self.units) & 0xFFFFFFFF
        self.marker = True

    def send_rtcp(self, data: bytes) -> None:
        """Send an RTCP compound, on the RTP port when the two are multiplexed (RFC 5761)."""
        out, remote = (self.rtp, self.spec.remote) if self.spec.rtcp_mux else (self.rtcp_socket, self.spec.remote_rtcp)
        if data and out is not None and remote is not None:
            try:
                out.sendto(data, remote)
            except OSError:
                pass

    def figures(self, now_ns: int) -> LegStatistics:
        """What is known of the leg."""
        jitter, source, remote = self._jitter, self.statistics, self.rtcp.remote
        lost = self._lost_before + (source.total_lost if source is not None else 0)
        return LegStatistics(
            self.spec.leg_id, self.packets_in, self.bytes_in, self.rtcp.packets_sent, max(0, lost), self._late + jitter.late,
            self._duplicated + jitter.duplicated, self._concealed + jitter.concealed, self.junk, self.foreign,
            source.jitter_ms if source is not None else 0.0, jitter.target_ms, self.level,
            -1.0 if remote.rtt_s is None else remote.rtt_s * 1000, remote.fraction_lost,
            max(0, now_ns - self.last_heard_ns) // 1_000_000, self.sequence, source.ssrc if source is not None else 0,
            self.rtcp.remote_said_goodbye,
        )

    def close(self) -> None:
        """Say goodbye by RTCP and close the sockets."""
        self.send_rtcp(self.rtcp.goodbye())
        self.rtp.close()
        if self.rtcp_socket is not None:
            self.rtcp_socket.close()


def level_of(samples: Samples) -> int:
    """The level of samples in dBov (RFC 6464 §3): 0 for a full-scale square wave, −127 for silence."""
    values = samples.astype(np.float32)
    power = float(np.dot(values, values)) / len(samples)
    if power < 1.0:
        return SILENT
    return round(10 * math.log10(power / _FULL_POWER))
