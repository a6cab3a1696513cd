"""Codecs by name."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.registry import CLOCK_RATES, create_decoder, create_encoder
from rtp.errors import CodecError


@pytest.mark.parametrize("name", ["PCMU", "pcma", "G722", "opus"])
def test_each_codec_codes_and_decodes_a_frame_whatever_the_case_of_its_name(name: str) -> None:
    payload = create_encoder(name).encode(np.zeros(960, np.int16))
    assert create_decoder(name).decode(payload).shape == (960,)
    assert name.lower() in CLOCK_RATES


def test_unknown_codec_is_named_in_the_error() -> None:
    for create in (create_encoder, create_decoder):
        with pytest.raises(CodecError, match="'speex'"):
            create("speex")


def test_parameters_of_the_receiver_reach_the_opus_encoder() -> None:
    encoder = create_encoder("opus", fmtp=[("cbr", "1"), ("maxaveragebitrate", "16000")])
    noise = np.random.default_rng(1).integers(-5000, 5000, (9, 960)).astype(np.int16)
    assert {len(encoder.encode(frame)) for frame in noise} == {40}
