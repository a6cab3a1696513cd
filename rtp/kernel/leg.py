"""One leg of a room: its sockets, its reception (RFC 3550 §6.4, §8.2, RFC 4733), its decoder and its stream out, protected
where keys were agreed on (RFC 3711).

What surely isn't heard isn't decoded: a leg offers a level first (announced as RFC 6464 says, by table for G.711, none for an
Opus packet without audio) and makes samples when it is asked for them.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rtp.codecs.opus import Decoder as OpusDecoder
from rtp.codecs.registry import CLOCK_RATES, create_decoder
from rtp.codecs.resample import Samples
from rtp.dtmf import DtmfReceiver
from rtp.errors import CodecError, ParseError
from rtp.inband_dtmf import InbandDtmfReceiver
from rtp.jitter import CONCEAL, PLAY, JitterBuffer
from rtp.kernel.addressing import SourceFilter
from rtp.kernel.sockets import connect
from rtp.kernel.spec import TICK_SAMPLES, Address, LegSpec, LegStatistics, Observer
from rtp.kernel.stream import Form, MixStream
from rtp.packet import parse_extensions
from rtp.receiver import ReceptionStatistics
from rtp.rtcp import SourceDescription, parse_compound
from rtp.session import RtcpSession
from rtp.srtp.context import StreamState
from rtp.srtp.session import SrtpSession
from rtp.srtp.suites import SessionKeys

if TYPE_CHECKING:
    from rtp.kernel.relay import Passage

HEADER = struct.Struct("!BBHII")
DTX_BYTES = 3
"""An Opus payload this short carries no audio (RFC 6716 §2.1.9)."""
SILENT = -127
QUIET_DBOV = -60
"""What begins out of this can't be heard to begin."""
G711_BYTES = 160
"""Payload of a G.711 packet of 20 ms."""
NO_SIGNAL = {"pcmu": b"\xff" * G711_BYTES, "pcma": b"\xd5" * G711_BYTES}
"""What a muted phone sends (the quietest code all along): its level is known without a measurement."""
UNMEASURED = 1
"""The level of G.711 that the room has not measured yet."""
MUTE_DBOV = -70
"""An Opus payload that gave no more than this gives no more when it comes again: a muted phone repeats two or three."""
LOOP_PACKETS, LOOP_S = 1000, 16
"""A packet with our SSRC that fits one of our last so many packets and seconds is our own."""
LOOK_S = 1.0
"""How often we look whether the peer's address is certain, and at who else sends to the port."""
PRIMING = 3
"""Payloads that go through a decoder before its first one is heard, so that its filters know the past."""
_EMPTY: Samples = np.zeros(0, np.int16)
_FULL_POWER = 1073741824.0


class Leg:
    """The state of a leg between two ticks.

    Of the tick: `level` in dBov, `has_audio` whether there is something to hear, `payload` what isn't decoded yet,
    `was_quiet` whether the tick before held quiet audio. `passage`: the way to the other leg of a call between two;
    `level_byte`: the level that came with the last packet, as it was written; `event_ticks`: for so long a key goes out in
    place of audio. `srtp`, `srtcp`: what protects RTP and RTCP, None for plain RTP; `handshakes`:
    datagrams of DTLS that were handed on since the last look. `observers`: who sees the leg's packets in clear. `rtp`: the
    socket that media goes over; `door`: where newcomers are seen once `rtp` is connected to the peer, looked at from `look_at`
    (monotonic seconds) on.
    """

    __slots__ = (
        "_concealed", "_decoder", "_dtmf", "_duplicated", "_frame", "_inband", "_is_mute_for_want_of_keys", "_is_opus",
        "_jitter", "_late", "_lost_before", "_no_signal", "_pcm", "_quiet", "_random", "_sent_before", "_skipped",
        "announced_level", "bytes_in", "clock_rate", "door", "event_ticks", "filter", "foreign", "form", "handshakes",
        "hangover", "has_audio", "is_g711", "is_plain", "junk", "last_heard_ns", "level", "level_byte", "look_at", "looped",
        "marker", "observers", "own", "own_since", "packets_in", "passage", "payload", "rtcp", "rtcp_socket", "rtp",
        "sequence", "shape", "smooth", "spec", "srtcp", "srtp", "statistics", "timestamp", "units", "was_quiet", "was_speaking",
    )

    def __init__(self, spec: LegSpec, random: Callable[[], float], now: float) -> None:
        self.spec = spec
        self.rtp = socket.socket(fileno=spec.rtp_fd)
        self.door: socket.socket | None = None
        self.look_at = now + LOOK_S * (1 + random())     # not all of a room in one tick
        self.rtcp_socket = socket.socket(fileno=spec.rtcp_fd) if spec.rtcp_fd >= 0 else None
        self._random = random
        self.rtcp = RtcpSession(spec.ssrc, spec.cname, random, now)
        self.srtp: SrtpSession | None = None
        self.srtcp: SrtpSession | None = None
        self.handshakes = 0
        self.set_keys()
        self._sent_before = 0
        self.filter = SourceFilter(spec.remote, spec.signalling_host)
        self.sequence, self.timestamp = spec.sequence, spec.timestamp
        self.marker = True
        self.passage: Passage | None = None
        self.observers: tuple[Observer, ...] = ()
        self.level_byte: int | None = None
        self.event_ticks = 0
        self.level = SILENT
        self.has_audio = False
        self.payload: bytes | None = None
        self.smooth = -127.0
        self.hangover = 0
        self.was_speaking = self.was_quiet = False
        self.own: MixStream | None = None
        self.own_since = 0
        self.packets_in = self.bytes_in = self.junk = self.foreign = self.looped = 0
        self.last_heard_ns = int(now * 1e9)
        self.statistics: ReceptionStatistics | None = None
        self._lost_before = self._concealed = self._late = self._duplicated = 0
        self._dtmf = DtmfReceiver()
        self.set_codec()

    def set_codec(self) -> None:
        """Begin with the codec that `spec` names: a new decoder and buffer, a new stream out.

        Keys are looked for in the audio of a phone that has no other way to send them.
        """
        spec = self.spec
        self.clock_rate = CLOCK_RATES[spec.codec]
        self.units = self.clock_rate // 50
        self.is_g711 = spec.codec in ("pcmu", "pcma")
        self.form: Form = (spec.codec, spec.ptime_ms, spec.fmtp)
        self._is_opus = spec.codec == "opus"
        self._no_signal = NO_SIGNAL.get(spec.codec)
        self._inband = InbandDtmfReceiver(spec.codec == "pcma") if self.is_g711 and spec.dtmf_type < 0 else None
        self._decoder = create_decoder(spec.codec)
        self._jitter = self._new_jitter()
        self._pcm: Samples = _EMPTY
        self._frame: Samples | None = None
        self.shape = (self.form, spec.mixer_extension)
        self._skipped: list[bytes] = []
        self._quiet: deque[bytes] = deque(maxlen=4)
        self.own = None
        self.announced_level: int | None = None

    def set_keys(self) -> None:
        """Go on under the keys that `spec` names."""
        spec = self.spec
        before, self.srtp = self.srtp, _session(self.srtp, spec.keys, spec.streams)
        if spec.awaits_keys and not spec.rtcp_mux:
            self.srtcp = _session(None if self.srtcp is before else self.srtcp, spec.rtcp_keys, ())
        else:
            self.srtcp = self.srtp
        self.is_plain = spec.keys is None and not spec.awaits_keys and not spec.has_ice
        self._is_mute_for_want_of_keys = spec.awaits_keys and self.srtp is None

    def _new_jitter(self) -> JitterBuffer:
        return JitterBuffer(self.clock_rate, self.clock_rate * self.spec.ptime_ms // 1000)

    @property
    def may_send(self) -> bool:
        """Whether there is somebody who wants to get something."""
        return self.spec.hears and self.spec.remote is not None

    @property
    def is_in_mix(self) -> bool:
        """Whether what it says is for the others."""
        return self.spec.is_heard and not self.spec.is_muted

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
        if ssrc == spec.ssrc:
            if self._is_ours(sequence, timestamp):
                self.looped += 1
                self.last_heard_ns = arrival_ns
                return None
            self.change_ssrc(arrival_ns / 1e9)
        statistics = self.statistics
        if statistics is None or statistics.ssrc != ssrc:
            statistics = self._begin_source(ssrc)
        if not statistics.on_packet(sequence, timestamp, arrival_ns, size - offset):
            return None
        self.packets_in += 1
        self.bytes_in += size - offset
        self.last_heard_ns = arrival_ns
        payload = data[offset:size]
        passage = self.passage
        if passage is not None:
            passage.carry(second, sequence, timestamp, ssrc, payload)
        if kind == spec.dtmf_type:
            self._jitter.pass_over(sequence)
            return self._dtmf.receive(payload, timestamp)
        if passage is None or not passage.is_whole:
            self._jitter.push(sequence, timestamp, payload, arrival_ns)
        if self._inband is not None:
            return self._inband.receive(payload)
        return None

    def _read_extras(self, data: bytes, first: int, offset: int) -> tuple[int, int]:
        size = len(data)
        if first & 0x10:
            if size < offset + 4:
                raise ParseError("an extension that breaks off")
            if self.spec.level_extension:
                found = parse_extensions(data, offset).get(self.spec.level_extension)
                if found:
                    self.level_byte = found[0]
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

    def _is_ours(self, sequence: int, timestamp: int) -> bool:
        """Whether a packet with our SSRC is one that we have sent (a loop), and not of a peer with the same number (§8.2)."""
        behind, units = (self.sequence - sequence) & 0xFFFF, (self.timestamp - timestamp) & 0xFFFFFFFF
        return 0 < behind <= LOOP_PACKETS and units <= LOOP_S * self.clock_rate

    def change_ssrc(self, now: float) -> None:
        """Leave our SSRC to a peer that has chosen the same: BYE for it, and another for the same stream (§8.2)."""
        self.send_rtcp(self.rtcp.goodbye())
        self._sent_before += self.rtcp.packets_sent
        before = self.spec.ssrc
        while self.spec.ssrc == before:
            self.spec.ssrc = int(self._random() * 0x1_0000_0000)
        self.rtcp = RtcpSession(self.spec.ssrc, self.spec.cname, self._random, now)
        self.marker = True

    def _is_own_report(self, data: bytes) -> bool:
        """Whether an RTCP compound from our SSRC is our own come back: one with another CNAME is of a peer (§8.2)."""
        try:
            packets = parse_compound(data)
        except ParseError:
            return False
        names = [packet.cnames.get(self.spec.ssrc) for packet in packets if isinstance(packet, SourceDescription)]
        return all(name in (None, self.spec.cname) for name in names)

    def receive_rtcp(self, data: bytes, now: float, wallclock: float) -> None:
        """Take an RTCP compound, or a part of one (RFC 5506), that passed the filter."""
        if int.from_bytes(data[4:8]) == self.spec.ssrc:
            if self._is_own_report(data):
                self.looped += 1
                return
            self.change_ssrc(now)
        if self.rtcp.receive(data, now, wallclock, self.statistics):
            self.last_heard_ns = int(now * 1e9)
        else:
            self.junk += 1

    def pull(self, now_ns: int) -> None:
        """Take what is due in this tick from the buffer: sets `has_audio`, and `level` where it is known without decoding.

        A G.711 payload of 20 ms waits in `payload`, `level` says UNMEASURED: the room measures those of all legs at once.
        """
        self._frame = self.payload = None
        self.was_quiet = self.has_audio and self.level <= QUIET_DBOV
        self.has_audio = False
        self.level = SILENT
        jitter = self._jitter
        if jitter.frame != self.units or len(self._pcm):
            self._pull_samples(now_ns)
            return
        kind, payload = jitter.pop(now_ns)
        if kind == PLAY:
            assert payload is not None
            if payload == self._no_signal:
                self.payload, self.has_audio = payload, True
            else:
                self._pull_payload(payload, now_ns)
        elif kind == CONCEAL and not self._skipped:
            self._pcm = self._try_decode(kind, payload)
            self._take_frame()

    def _pull_payload(self, payload: bytes, now_ns: int) -> None:
        if self.is_g711 and len(payload) == G711_BYTES:
            self.payload, self.has_audio, self.level = payload, True, UNMEASURED
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
            if level != UNMEASURED:
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
        self.go_on()

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
        self.put(HEADER.pack(first, second, self.sequence, self.timestamp, spec.ssrc) + tail, payload_size)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + units) & 0xFFFFFFFF

    def put(self, packet: bytes, payload_size: int) -> None:
        """Send a finished RTP packet, and count it."""
        if self._is_mute_for_want_of_keys:
            return
        if self.observers:
            now_ns = time.monotonic_ns()
            for observer in self.observers:
                observer(self, True, False, now_ns, packet)
        if self.srtp is not None:
            packet = self.srtp.protect(packet) or b""
            if not packet:
                return
        try:
            if self.door is None:
                self.rtp.sendto(packet, self.spec.remote)  # type: ignore[arg-type]
            else:
                self.rtp.send(packet)
        except OSError:
            pass                            # a full buffer or an ICMP error: the packet is lost, as on any network
        rtcp = self.rtcp
        rtcp.packets_sent += 1
        rtcp.octets_sent += payload_size

    def show(self, packet: bytes, time_ns: int, *, is_out: bool = False, is_rtcp: bool = False) -> None:
        """Let those who look at the leg see a packet. time_ns: monotonic."""
        for observer in self.observers:
            observer(self, is_out, is_rtcp, time_ns, packet)

    def pass_over(self) -> None:
        """Send nothing in this tick: the timestamp goes on, and what follows begins a talk spurt (RFC 3551 §4.1)."""
        self.go_on()
        self.marker = True

    def go_on(self) -> None:
        """A tick's time has gone by."""
        self.timestamp = (self.timestamp + self.units) & 0xFFFFFFFF

    def send_rtcp(self, data: bytes) -> None:
        """Send an RTCP compound, on the RTP port when the two are multiplexed (RFC 5761)."""
        out, remote = (self.rtp, self.spec.remote) if self.spec.rtcp_mux else (self.rtcp_socket, self.spec.remote_rtcp)
        if not data or out is None or remote is None:
            return
        packet = data if self.srtcp is None else self.srtcp.protect_rtcp(data)
        if packet is not None and (self.srtcp is not None or not self.spec.awaits_keys):
            if self.observers:
                self.show(data, time.monotonic_ns(), is_out=True, is_rtcp=True)
            try:
                out.sendto(packet, remote)
            except OSError:
                pass

    def lock(self, remote: Address) -> None:
        """Hear and serve `remote` alone over a socket of its own. Raises OSError; all stays as it was then."""
        connected = connect(self.rtp, remote)
        self.door, self.rtp = self.rtp, connected

    def unlock(self) -> None:
        """Go back to the one socket that hears all."""
        if self.door is not None:
            self.rtp.close()
            self.rtp, self.door = self.door, None

    def figures(self, now_ns: int) -> LegStatistics:
        """What is known of the leg."""
        jitter, source, remote = self._jitter, self.statistics, self.rtcp.remote
        lost = self._lost_before + (source.total_lost if source is not None else 0)
        return LegStatistics(
            self.spec.leg_id, self.packets_in, self.bytes_in, self._sent_before + self.rtcp.packets_sent, max(0, lost),
            self._late + jitter.late,
            self._duplicated + jitter.duplicated, self._concealed + jitter.concealed, self.junk, self.foreign,
            source.jitter_ms if source is not None else 0.0, jitter.target_ms, self.level,
            -1.0 if remote.rtt_s is None else remote.rtt_s * 1000, remote.fraction_lost,
            max(0, now_ns - self.last_heard_ns) // 1_000_000, self.sequence, source.ssrc if source is not None else 0,
            self.rtcp.remote_said_goodbye, self.looped,
            sum(session.auth_failures for session in self._sessions()), sum(session.replayed for session in self._sessions()),
            1000.0 * remote.jitter / self.clock_rate,
        )

    def _sessions(self) -> list[SrtpSession]:
        """Those that there are, each once."""
        both = [self.srtp] if self.srtcp is self.srtp else [self.srtp, self.srtcp]
        return [session for session in both if session is not None]

    def streams(self) -> tuple[StreamState, ...]:
        """Where the peer's protected streams stand, the present one first; none for plain RTP."""
        if self.srtp is None:
            return ()
        return self.srtp.streams(self.statistics.ssrc if self.statistics is not None else 0)

    def close(self) -> None:
        """Say goodbye by RTCP and close the sockets."""
        self.send_rtcp(self.rtcp.goodbye())
        self.rtp.close()
        if self.door is not None:
            self.door.close()
        if self.rtcp_socket is not None:
            self.rtcp_socket.close()


def _session(before: SrtpSession | None, keys: SessionKeys | None, streams: tuple[StreamState, ...]) -> SrtpSession | None:
    """The session before, or another one, under these keys."""
    if keys is None:
        return None
    if before is None:
        return SrtpSession(keys, streams)
    before.change(keys)
    return before


def level_of(samples: Samples) -> int:
    """The level of samples in dBov (RFC 6464 §3): 0 for a full-scale square wave, −127 for silence."""
    values = samples.astype(np.float32)
    power = float(np.dot(values, values)) / len(samples)
    if power < 1.0:
        return SILENT
    return round(10 * math.log10(power / _FULL_POWER))
