"""Payload formats with FFmpeg's own: what it packs we show, and what we pack it shows; the pictures say their numbers."""

from __future__ import annotations

import socket
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder, create_video_encoder
from rtp.video_receiver import VideoReceiver
from rtp.video_sender import VideoSender

pytestmark = pytest.mark.interop
QUIET = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error")
WIDTH, HEIGHT, COUNT = 320, 180, 20
NOISE = np.random.default_rng(8).integers(0, 80, (HEIGHT, WIDTH), np.uint8)


def coded(codec: str, mode: int) -> list[bytes]:
    """Test pictures with noise at the foot, large enough for several packets each."""
    encoder = create_video_encoder(codec, WIDTH, HEIGHT, 2_000_000, mode=mode)
    out = []
    for count in range(COUNT):
        picture = Picture.create(WIDTH, HEIGHT)
        draw(picture, 6, count)
        picture.y[120:] += np.roll(NOISE, 7 * count, 1)[120:]
        out.append(encoder.encode(picture, 3000 * count, is_key=count == 0))
    return out


def as_ivf(frames: list[bytes]) -> bytes:
    """VP8 frames in the container that FFmpeg reads them from."""
    head = b"DKIF" + bytes((0, 0, 32, 0)) + b"VP80" + WIDTH.to_bytes(2, "little") + HEIGHT.to_bytes(2, "little")
    head += (30).to_bytes(4, "little") + (1).to_bytes(4, "little") + len(frames).to_bytes(4, "little") + bytes(4)
    return head + b"".join(len(frame).to_bytes(4, "little") + number.to_bytes(8, "little") + frame
                           for number, frame in enumerate(frames))


@pytest.mark.parametrize(("codec", "mode"), [("h264", 1), ("h264", 0), ("vp8", 0)])
def test_pictures_that_ffmpeg_packs_are_shown(codec: str, mode: int, tmp_path: Path) -> None:
    frames = coded(codec, mode)
    source = tmp_path / f"in.{'ivf' if codec == 'vp8' else codec}"
    source.write_bytes(as_ivf(frames) if codec == "vp8" else b"".join(frames))
    options = ("-rtpflags", "h264_mode0") if mode == 0 and codec == "h264" else ()
    receiver, decoder = VideoReceiver({96: codec}), VideoDecoder(codec)
    seen: list[tuple[int, int] | None] = []
    packets = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(15)
        process = subprocess.Popen(
            [*QUIET, "-re", "-r", "30", "-i", source, "-c", "copy", "-payload_type", "96", *options, "-f", "rtp",
             f"rtp://127.0.0.1:{ours.getsockname()[1]}?pkt_size=1200"], stdout=subprocess.DEVNULL)
        try:
            while len(seen) < COUNT - 1:
                data = ours.recv(2048)
                packets += 1
                for one in receiver.receive(data, packets * 10_000_000):
                    seen += [read(picture.y) for picture in decoder.decode(one.data)]
        finally:
            process.kill()
            process.wait()
    assert seen[:COUNT - 1] == [(6, count) for count in range(COUNT - 1)]
    assert packets > 2 * COUNT and receiver.junk == 0 and decoder.failures == 0


@pytest.mark.parametrize(("codec", "mode"), [("h264", 1), ("h264", 0), ("vp8", 0)])
def test_pictures_that_we_pack_are_shown_by_ffmpeg(codec: str, mode: int, tmp_path: Path) -> None:
    frames = coded(codec, mode)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fmtp = f"a=fmtp:96 packetization-mode={mode}\n" if codec == "h264" else ""
    (tmp_path / "in.sdp").write_text(f"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
                                     f"m=video {port} RTP/AVP 96\na=rtpmap:96 {codec.upper()}/90000\n{fmtp}")
    process = subprocess.Popen(
        [*QUIET, "-protocol_whitelist", "file,udp,rtp", "-i", tmp_path / "in.sdp", "-frames:v", "10", "-pix_fmt", "yuv420p",
         "-f", "rawvideo", "-"], stdout=subprocess.PIPE)
    sender, raw, timestamp = VideoSender(codec, 96, 7, 0, lambda packet: packet, mode=mode), b"", 0
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(100 * COUNT):
                for packet in sender.packets_of(frames[number % COUNT], timestamp):
                    out.sendto(packet, ("127.0.0.1", port))
                timestamp += 3000
                try:
                    raw = process.communicate(timeout=0.02)[0]
                    break
                except subprocess.TimeoutExpired:
                    continue
    finally:
        process.kill()
        process.wait()
    size = WIDTH * HEIGHT * 3 // 2
    codes = [read(np.frombuffer(raw, np.uint8, WIDTH * HEIGHT, start).reshape(HEIGHT, WIDTH))
             for start in range(0, len(raw) - size + 1, size)]
    known = [code for code in codes if code is not None]
    assert len(known) >= 6 and {who for who, _ in known} == {6}
    steps = {(later[1] - earlier[1]) % COUNT for earlier, later in pairwise(known)}
    assert steps <= {0, 1}
