"""Video codecs: what is drawn is read at the other end, key frames on demand, rates that follow, junk that is survived."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import H264Encoder, VideoDecoder, create_video_encoder
from rtp.errors import CodecError
from rtp.payload import h264, vp8
from rtp.payload.assembly import PictureAssembler
from rtp.payload.h264 import H264Unpacker, split_units
from rtp.payload.vp8 import Vp8Unpacker
from tests.rtp.payload.test_h264_parameters import parameter_set

CODECS = ("h264", "vp8")
NOISE = np.random.default_rng(1).integers(0, 60, (60, 720, 160), np.uint8).repeat(8, 2)


def drawn(count: int, width: int = 320, height: int = 180, who: int = 7) -> Picture:
    """A test picture with fresh noise at its foot, so that there is something to encode."""
    picture = Picture.create(width, height)
    draw(picture, who, count)
    foot = height * 2 // 3
    picture.y[foot:] += NOISE[count % 60, foot:height, :width]
    return picture


def is_key(name: str, data: bytes) -> bool:
    """Whether a coded picture stands alone."""
    return any(unit[0] & 0x1F == h264.IDR for unit in split_units(data)) if name == "h264" else not data[0] & 1


@pytest.mark.parametrize("name", CODECS)
def test_every_picture_is_shown_in_order_and_only_the_asked_ones_are_key_frames(name: str) -> None:
    encoder, decoder = create_video_encoder(name.upper(), 320, 180, 400_000), VideoDecoder(name)
    coded = [encoder.encode(drawn(count), 3000 * count, is_key=count in (0, 20)) for count in range(40)]
    assert [count for count, data in enumerate(coded) if is_key(name, data)] == [0, 20]
    for count, data in enumerate(coded):
        (picture,) = decoder.decode(data)
        assert (picture.width, picture.height) == (320, 180)
        assert read(picture.y) == (7, count)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("bitrate_bps", [250_000, 900_000])
def test_rate_follows_while_it_runs(name: str, bitrate_bps: int) -> None:
    encoder = create_video_encoder(name, 640, 360, 450_000)
    sizes = []
    for count in range(130):
        if count == 30:
            encoder.bitrate_bps = bitrate_bps
        sizes.append(len(encoder.encode(drawn(count, 640, 360), 3000 * count, is_key=count == 0)))
    before, after = (sum(sizes[start:start + 20]) * 8 * 30 / 20 for start in (10, 110))
    assert after < 0.7 * before if bitrate_bps < 450_000 else after > 1.3 * before
    assert after < 1.5 * bitrate_bps


@pytest.mark.parametrize("bitrate_bps", [300_000, 2_000_000])
def test_slices_for_mode_0_fit_a_packet_each(bitrate_bps: int) -> None:
    encoder = H264Encoder(1280, 720, bitrate_bps, mode=0)
    for count in range(6):
        payloads = h264.packetize(encoder.encode(drawn(count, 1280, 720), 3000 * count, is_key=count == 0), mode=0)
        assert max(map(len, payloads)) <= 1188
        assert count or len(payloads) > 3


@pytest.mark.parametrize("name", CODECS)
def test_pictures_survive_the_way_through_packets(name: str) -> None:
    encoder, decoder = create_video_encoder(name, 640, 360, 600_000), VideoDecoder(name)
    assembler = PictureAssembler(H264Unpacker() if name == "h264" else Vp8Unpacker())
    sequence, seen = 65500, []
    for count in range(12):
        data = encoder.encode(drawn(count, 640, 360), 3000 * count, is_key=count == 0)
        payloads = h264.packetize(data) if name == "h264" else vp8.packetize(data, count)
        for index, payload in enumerate(payloads):
            for coded in assembler.receive(sequence & 0xFFFF, 3000 * count, index == len(payloads) - 1, payload):
                seen += [read(picture.y) for picture in decoder.decode(coded.data)]
            sequence += 1
    assert seen == [(7, count) for count in range(12)]


@pytest.mark.parametrize("name", CODECS)
def test_junk_is_counted_and_the_next_key_frame_is_shown(name: str) -> None:
    encoder, decoder, dice = create_video_encoder(name, 320, 180, 400_000), VideoDecoder(name), random.Random(3)
    good = [encoder.encode(drawn(count), 3000 * count, is_key=count in (0, 9)) for count in range(10)]
    decoder.decode(good[0])
    refused = 0
    for data in good[1:9]:
        for junk in (b"", data[:len(data) // 2], dice.randbytes(300), bytes(50), data[:40] + dice.randbytes(len(data) - 40)):
            try:
                decoder.decode(junk)
            except CodecError:
                refused += 1
    assert refused == decoder.failures > 0
    (picture,) = decoder.decode(good[9])
    assert read(picture.y) == (7, 9)


@pytest.mark.parametrize("name", CODECS)
def test_size_may_change_in_mid_stream(name: str) -> None:
    decoder = VideoDecoder(name)
    sizes = []
    for width, height in ((320, 180), (640, 360), (160, 120)):
        data = create_video_encoder(name, width, height, 300_000).encode(drawn(1, width, height), 0, is_key=True)
        sizes += [(picture.width, picture.height) for picture in decoder.decode(data)]
    assert sizes == [(320, 180), (640, 360), (160, 120)]


@pytest.mark.parametrize(("name", "data"), [
    ("h264", b"\0\0\0\1" + parameter_set(1024, 1024)), ("vp8", bytes.fromhex("100000 9d012a ff3f ff3f") + bytes(100))])
def test_picture_of_16k_never_reaches_the_codec(name: str, data: bytes) -> None:
    with pytest.raises(CodecError, match="a picture of 163"):
        VideoDecoder(name).decode(data)


def test_codec_that_is_not_there_is_named() -> None:
    with pytest.raises(CodecError, match="'av9'"):
        create_video_encoder("av9", 320, 180, 1)
    with pytest.raises(CodecError, match="'av9'"):
        VideoDecoder("av9")
    with pytest.raises(CodecError):
        create_video_encoder("h264", 0, 0, 1)
