"""Video streams as files: what FFmpeg encoded comes back out of the packets, and it decodes what we wrote."""

from __future__ import annotations

import io
from base64 import b64encode
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.ordering import Ordered
from pcap.video import START_CODE, AnnexB, Ivf, depacketizer
from rtp.packet import RtpPacket


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


def nal_units(stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream."""
    return [unit.rstrip(b"\0") for unit in stream.replace(START_CODE, b"\0\0\1").split(b"\0\0\1")[1:]]


def h264_packets(frames: list[bytes], size: int = 300) -> list[RtpPacket]:
    """Small units aggregated, large ones in fragments (RFC 6184 §5.7, §5.8)."""
    payloads: list[tuple[int, bool, bytes]] = []
    for number, frame in enumerate(frames):
        units = nal_units(frame)
        small = [unit for unit in units if len(unit) < 60]
        if small:
            payloads.append((number, False, b"\x18" + b"".join(len(unit).to_bytes(2) + unit for unit in small)))
        for unit in units:
            if len(unit) < 60:
                continue
            if len(unit) <= size:
                payloads.append((number, False, unit))
                continue
            pieces = [unit[1:][at:at + size] for at in range(0, len(unit) - 1, size)]
            for at, piece in enumerate(pieces):
                flags = (0x80 if at == 0 else 0) | (0x40 if at == len(pieces) - 1 else 0)
                payloads.append((number, False, bytes([unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F]) + piece))
    return [RtpPacket(96, n, 3000 * frame, 7, payload, marker) for n, (frame, marker, payload) in enumerate(payloads)]


def vp8_packets(frames: list[bytes], size: int = 300) -> list[RtpPacket]:
    """Frames in pieces behind a descriptor with a picture id of 15 bits (RFC 7741 §4.2)."""
    packets = []
    for number, frame in enumerate(frames):
        pieces = [frame[at:at + size] for at in range(0, len(frame), size)]
        for at, piece in enumerate(pieces):
            head = bytes([0x80 | (0x10 if at == 0 else 0), 0x80, 0x80 | number >> 8, number & 0xFF])
            packets.append(RtpPacket(96, len(packets), 3000 * number, 7, head + piece, at == len(pieces) - 1))
    return packets


def file_of(codec: str, packets: list[RtpPacket], lost: set[int] = frozenset()) -> tuple[bytes, Any]:  # type: ignore[assignment]
    """The file, when some packets are lost."""
    made, out, missing = depacketizer(codec), b"", 0
    for packet in packets:
        if packet.sequence in lost:
            missing += 1
            continue
        out += made.add(Ordered(0, packet, missing))
        missing = 0
    return out, made


def test_h264_stream_comes_out_unit_by_unit_and_decodes() -> None:
    frames = encoded("libx264")
    packets = h264_packets(frames)
    data, made = file_of("H264", packets)
    assert sorted(nal_units(data)) == sorted(unit for frame in frames for unit in nal_units(frame)) and made.broken == 0
    assert decoded(data, made.suffix) == 12 and {packet.payload[0] & 0x1F for packet in packets} >= {24, 28}


def test_vp8_stream_comes_out_frame_by_frame_and_decodes() -> None:
    frames = encoded("libvpx")
    data, made = file_of("VP8", vp8_packets(frames))
    assert all(frame in data for frame in frames) and (made.units, made.broken) == (12, 0)
    assert data[:4] == b"DKIF" and decoded(data, made.suffix) == 12


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_what_lost_a_piece_is_left_out(codec: str) -> None:
    packets = h264_packets(encoded("libx264")) if codec == "h264" else vp8_packets(encoded("libvpx"))
    pieces = [packet.sequence for packet in packets if packet.timestamp == 15000]
    whole, lossy = file_of(codec, packets), file_of(codec, packets, {pieces[len(pieces) // 2]})
    assert lossy[1].broken == 1 and lossy[1].units == whole[1].units - 1 and len(lossy[0]) < len(whole[0])


def test_parameter_sets_of_the_sdp_come_first() -> None:
    sps, pps = b"\x67\x42\x00\x1f", b"\x68\xce"
    fmtp = f"packetization-mode=1; sprop-parameter-sets={b64encode(sps).decode()},{b64encode(pps).decode()}"
    made = AnnexB(fmtp)
    out = made.add(Ordered(0, RtpPacket(96, 0, 0, 7, b"\x65slice")))
    assert out == b"".join(START_CODE + unit for unit in (sps, pps, b"\x65slice"))


def test_vp8_file_begins_with_a_key_frame() -> None:
    frames = encoded("libvpx")
    _, made = file_of("vp8", vp8_packets(frames)[-3:])
    assert made.units == 0 and made.broken > 0


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans(), st.integers(0, 3)), max_size=30))
def test_no_payload_makes_a_depacketizer_fail(pieces: list[tuple[bytes, bool, int]]) -> None:
    for made in (AnnexB(), Ivf()):
        for number, (payload, marker, lost) in enumerate(pieces):
            made.add(Ordered(0, RtpPacket(96, number, number // 3, 7, payload, marker), lost))
