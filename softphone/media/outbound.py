"""What goes out in a call's audio stream: encoder, packets of the negotiated length (RFC 3550), the own level (RFC 6464) and
keys (RFC 4733)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtp.codecs.registry import create_encoder
from rtp.codecs.resample import RATE, Samples
from rtp.dtmf import KEYS, event_payloads
from rtp.packet import AUDIO_LEVEL, RtpPacket
from rtp.sdp.negotiation import NegotiatedAudio
from softphone.media.levels import level_byte, level_dbov
from softphone.media.resample import FRAME

KEY_MS = 100
"""How long a key is pressed."""
PAUSE_MS = 60
"""The least time between two keys."""
MAX_KEYS = 64
"""Keys that may wait."""
DTX_BYTES = 2
"""An Opus payload this short need not be sent (RFC 7587 §3.1.3)."""
_OPUS_LENGTHS = (10, 20, 40, 60)


@dataclass(slots=True)
class Position:
    """Where our stream is: it goes on over re-negotiations."""

    ssrc: int
    sequence: int
    timestamp: int


class Outbound:
    """The sending half of a stream as negotiated. transmit: sends one packet (bytes, octets of payload).

    dtx: don't send what Opus calls silence. While a key is sent the voice pauses.
    """

    def __init__(self, agreed: NegotiatedAudio, position: Position, transmit: Callable[[bytes, int], None], *,
                 dtx: bool = False) -> None:
        self.agreed = agreed
        self.position = position
        self._transmit = transmit
        is_opus = agreed.codec.name.lower() == "opus"
        ptime_ms = agreed.ptime_ms
        if is_opus and ptime_ms not in _OPUS_LENGTHS:
            ptime_ms = max(length for length in _OPUS_LENGTHS if length <= ptime_ms)
        self._encoder = create_encoder(agreed.codec.name, dtx=dtx, fmtp=agreed.codec.fmtp)
        self._may_skip = dtx and is_opus
        self._size = RATE * ptime_ms // 1000
        self._units = agreed.codec.clock_rate * ptime_ms // 1000
        self._ptime_ms = ptime_ms
        self._level_id = agreed.extensions.get(AUDIO_LEVEL, 0)
        self._waiting: Samples = np.zeros(0, np.int16)
        self._keys: deque[str] = deque(maxlen=MAX_KEYS)
        self._event: deque[tuple[bytes, bool]] = deque()
        self._event_timestamp = 0
        self._pause = 0
        self._has_gap = True

    def press(self, digits: str) -> None:
        """Queue keys (0-9 * # A-D; all else is passed over); they go out one after the other."""
        self._keys.extend(key for key in digits.upper() if key in KEYS)

    @property
    def is_pressing(self) -> bool:
        """Whether keys are still to be sent."""
        return bool(self._keys or self._event)

    def send(self, frame: Samples) -> None:
        """Send 20 ms; frame: int16, shape (960,), 48 kHz mono."""
        if self._size == FRAME and not len(self._waiting):
            self._send_packet(frame)
            return
        self._waiting = np.concatenate((self._waiting, frame))
        while len(self._waiting) >= self._size:
            self._send_packet(np.ascontiguousarray(self._waiting[:self._size]))
            self._waiting = self._waiting[self._size:]

    def skip(self, frames: int) -> None:
        """Let so many frames of 20 ms pass unsent (the clock stood still, or the call was held)."""
        self._advance(self.agreed.codec.clock_rate // 50 * frames)
        self._has_gap = True

    def _send_packet(self, samples: Samples) -> None:
        if self._send_event():
            self._advance(self._units)
            return
        payload = self._encoder.encode(np.ascontiguousarray(samples))
        if self._may_skip and len(payload) <= DTX_BYTES:
            self._has_gap = True
            self._advance(self._units)
            return
        extensions = {self._level_id: bytes([level_byte(level_dbov(samples))])} if self._level_id else {}
        self._put(self.agreed.send_payload_type, self.position.timestamp, payload, self._has_gap, extensions)
        self._has_gap = False
        self._advance(self._units)

    def _send_event(self) -> bool:
        """Send the next packet of a key instead of voice; False when there is none."""
        if self._pause:
            self._pause -= 1
        if not self._event:
            if not self._keys or self._pause or self.agreed.dtmf_send is None:
                return False
            self._event.extend(event_payloads(self._keys.popleft(), self._units, max(1, KEY_MS // self._ptime_ms)))
            self._event_timestamp = self.position.timestamp
        payload, is_first = self._event.popleft()
        assert self.agreed.dtmf_send is not None
        self._put(self.agreed.dtmf_send, self._event_timestamp, payload, is_first, {})
        if not self._event:
            self._pause = max(1, PAUSE_MS // self._ptime_ms) + 1
            self._has_gap = True
        return True

    def _put(self, payload_type: int, timestamp: int, payload: bytes, marker: bool, extensions: dict[int, bytes]) -> None:
        position = self.position
        packet = RtpPacket(payload_type, position.sequence, timestamp, position.ssrc, payload, marker, (), extensions)
        self._transmit(bytes(packet), len(payload))
        position.sequence = (position.sequence + 1) & 0xFFFF

    def _advance(self, units: int) -> None:
        self.position.timestamp = (self.position.timestamp + units) & 0xFFFFFFFF

