"""Video streams as files: what FFmpeg encoded comes back out of the packets, and it decodes what we wrote."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Collection
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.ordering import Ordered
from pcap.video import VideoFile
from rtp.packet import RtpPacket
from rtp.payload import h264, vp8


def encoded(codec: str, frames: int = 12) -> list[bytes]:
    """A moving picture of 160 × 120, a packet of the encoder each."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.time_base = 160, 120, "yuv420p", Fraction(1, 30)
    is_h264 = codec == "libx264"
    context.options = {"tune": "zerolatency"} if is_h264 else {"deadline": "realtime", "lag-in-frames": "0"}
    out = []
    for number in range(frames):
        picture = np.random.default_rng(number).integers(0, 255, (180, 160), np.uint8)
        frame: Any = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        out += [bytes(packet) for packet in context.encode(frame)]
    return out + [bytes(packet) for packet in context.encode(None)]


def decoded(data: bytes, suffix: str) -> int:
    """How many pictures FFmpeg finds in a file."""
    with av.open(io.BytesIO(data), format={".h264": "h264", ".ivf": "ivf"}[suffix]) as container:
        return sum(1 for _ in container.decode(video=0))


def h264_packets(frames: list[bytes]) -> list[RtpPacket]:
    """Small units aggregated, large ones in fragments."""
    return packets_of([h264.packetize(frame, max_size=300) for frame in frames])


def vp8_packets(frames: list[bytes]) -> list[RtpPacket]:
    """Frames in pieces."""
    return packets_of([vp8.packetize(frame, number, max_size=300) for number, frame in enumerate(frames)])


def packets_of(pictures: list[list[bytes]]) -> list[RtpPacket]:
    """One timestamp a picture, the marker on its last packet."""
    pieces = [(number, at == len(payloads) - 1, payload) for number, payloads in enumerate(pictures)
              for at, payload in enumerate(payloads)]
    return [RtpPacket(96, n, 3000 * number, 7, payload, marker) for n, (number, marker, payload) in enumerate(pieces)]


def file_of(codec: str, packets: list[RtpPacket], lost: Collection[int] = ()) -> tuple[bytes, VideoFile]:
    """The file, when some packets are lost."""
    made = VideoFile(codec)
    return b"".join(made.add(Ordered(0, packet)) for packet in packets if packet.sequence not in lost), made


def test_h264_stream_comes_out_unit_by_unit_and_decodes() -> None:
    frames = encoded("libx264")
    packets = h264_packets(frames)
    data, made = file_of("H264", packets)
    assert h264.split_units(data) == [unit for frame in frames for unit in h264.split_units(frame)]
    assert (made.pictures, made.damaged, decoded(data, made.suffix)) == (12, 0, 12)


def test_vp8_stream_comes_out_frame_by_frame_and_decodes() -> None:
    frames = encoded("libvpx")
    data, made = file_of("VP8", vp8_packets(frames))
    assert all(frame in data for frame in frames) and data[:4] == b"DKIF"
    assert (made.pictures, made.damaged, decoded(data, made.suffix)) == (12, 0, 12)


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_picture_that_lost_a_piece_is_left_out(codec: str) -> None:
    packets = h264_packets(encoded("libx264")) if codec == "h264" else vp8_packets(encoded("libvpx"))
    pieces = [packet.sequence for packet in packets if packet.timestamp == 15000]
    data, made = file_of(codec, packets, {pieces[len(pieces) // 2]})
    assert (made.pictures, made.damaged) == (11, 1) and len(data) < len(file_of(codec, packets)[0])


def test_sender_that_begins_anew_is_written_on() -> None:
    packets = vp8_packets(encoded("libvpx"))
    made = VideoFile("vp8")
    for first in (0, 30000):
        for number, packet in enumerate(packets):
            again = RtpPacket(96, first + number, packet.timestamp + first, 7, packet.payload, packet.marker)
            made.add(Ordered(0, again, 0, is_restart=first > 0 and number == 0))
    assert (made.pictures, made.damaged) == (24, 0)


def test_parameter_sets_of_the_sdp_come_first() -> None:
    sps, pps, idr = b"\x67\x42\x00\x1f", b"\x68\xce", b"\x65\x88slice"
    fmtp = f"packetization-mode=1; sprop-parameter-sets={b64encode(sps).decode()},{b64encode(pps).decode()}"
    data = VideoFile("h264", fmtp).add(Ordered(0, RtpPacket(96, 0, 0, 7, idr, True)))
    assert h264.split_units(data) == [sps, pps, idr]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_file_begins_with_a_key_frame(codec: str) -> None:
    packets = h264_packets(encoded("libx264")) if codec == "h264" else vp8_packets(encoded("libvpx"))
    assert file_of(codec, [packet for packet in packets if packet.timestamp])[0] == b""


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans(), st.integers(0, 3)), max_size=30))
def test_no_payload_makes_a_file_fail(pieces: list[tuple[bytes, bool, int]]) -> None:
    for made in (VideoFile("h264"), VideoFile("vp8")):
        for number, (payload, marker, jump) in enumerate(pieces):
            made.add(Ordered(0, RtpPacket(96, number + jump, number // 3, 7, payload, marker), jump))
