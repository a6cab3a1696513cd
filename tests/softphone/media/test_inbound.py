"""What the phone hears: order, loss, other streams, junk, who is in the mix."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.registry import create_encoder
from rtp.packet import MIXER_LEVEL, RtpPacket
from rtp.sdp.negotiation import OPUS, PCMU, AudioCodec, NegotiatedAudio
from softphone.media.inbound import Inbound
from softphone.media.player import Tone
from tests.helpers import tones

MS = 1_000_000


def agreed(codec: AudioCodec = PCMU, extensions: dict[str, int] | None = None) -> NegotiatedAudio:
    return NegotiatedAudio(0, codec, codec.payload_type, codec.payload_type, 101, 101, 20, ("192.0.2.1", 4000),
                           ("192.0.2.1", 4001), False, "sendrecv", extensions or {})


class Talker:
    """Makes the packets of a tone, by index."""

    def __init__(self, codec: AudioCodec = PCMU, ssrc: int = 9, hz: float = 440) -> None:
        self.codec, self.ssrc = codec, ssrc
        self._tone, self._encoder = Tone(hz), create_encoder(codec.name)
        self._payloads: list[bytes] = []

    def packet(self, index: int, **fields: object) -> bytes:
        while len(self._payloads) <= index:
            frame = self._tone.read()
            assert frame is not None
            self._payloads.append(self._encoder.encode(frame))
        return bytes(RtpPacket(self.codec.payload_type, index, index * self.codec.clock_rate // 50, self.ssrc,
                               self._payloads[index], **fields))          # type: ignore[arg-type]


def play(inbound: Inbound, talker: Talker, order: list[int], first: int = 0) -> tones.Signal:
    """Packet order[i] arrives at tick i, everything is heard in time."""
    heard = []
    for tick, index in enumerate(order):
        now_ns = 10**12 + (first + tick) * 20 * MS
        if index >= 0:
            inbound.receive(talker.packet(index), now_ns)
        frame = inbound.pull(now_ns + 10 * MS)
        if frame is not None:
            assert frame.shape == (960,) and frame.dtype == np.int16
            heard.append(frame)
    return np.concatenate(heard) / 32768


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_a_tone_comes_out_as_it_went_in(codec: AudioCodec) -> None:
    inbound = Inbound(agreed(codec))
    samples = play(inbound, Talker(codec), list(range(100)))
    middle = tones.steady(48000, samples)
    assert tones.level_dbfs(48000, middle, 440) == pytest.approx(-20, abs=0.5)
    assert tones.longest_gap_ms(48000, middle) == 0
    assert (inbound.packets, inbound.lost, inbound.late, inbound.concealed, inbound.junk) == (100, 0, 0, 0, 0)


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_a_lost_packet_is_concealed_and_counted(codec: AudioCodec) -> None:
    inbound = Inbound(agreed(codec))
    samples = play(inbound, Talker(codec), [-1 if index % 20 == 10 else index for index in range(100)])
    assert inbound.lost == 5
    assert 5 <= inbound.concealed <= 10
    assert tones.longest_gap_ms(48000, tones.steady(48000, samples)) == 0


def test_another_ssrc_begins_afresh_and_the_counters_go_on() -> None:
    inbound = Inbound(agreed())
    play(inbound, Talker(), [-1 if index == 5 else index for index in range(50)])
    samples = play(inbound, Talker(ssrc=10, hz=900), list(range(50)), first=50)
    assert inbound.packets == 99 and inbound.lost == 1
    assert tones.dominant_hz(48000, samples[-24000:]) == pytest.approx(900, abs=3)


def test_junk_and_other_payload_types_are_counted_and_not_heard() -> None:
    inbound = Inbound(agreed())
    for data in (b"", b"\x80", bytes(40), b"\xff" * 2000, bytes(RtpPacket(98, 1, 1, 1, b"x"))):
        inbound.receive(data, 1)
    assert inbound.junk == 5 and inbound.packets == 0 and inbound.pull(10**9) is None


def test_contributors_and_their_levels_are_known_while_they_are_in_the_mix() -> None:
    inbound, talker = Inbound(agreed(extensions={MIXER_LEVEL: 2})), Talker()
    inbound.receive(talker.packet(0, csrcs=(11, 12), extensions={2: bytes([20, 90])}), 1)
    assert inbound.csrc_levels == {11: -20, 12: -90}
    inbound.receive(talker.packet(1, csrcs=(12,)), 2)
    assert inbound.csrc_levels == {12: -30}
    inbound.receive(talker.packet(2), 3)
    assert inbound.csrc_levels == {} and inbound.csrcs_seen == {11, 12}
