"""Encoders and decoders of pictures by FFmpeg's libraries, in real time: H.264 (RFC 6184) by x264, VP8 (RFC 7741) by libvpx.

An encoder makes a key frame when it is told to and no other, since a newcomer asks; its rate follows a path's estimate while it
runs. A decoder takes whatever it is given, and says so when it can't read it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import av
from av.error import FFmpegError
from av.video.frame import PictureType

from rtp.codecs.i420 import Picture, from_frame, to_frame
from rtp.errors import CodecError, ParseError
from rtp.payload.h264 import SPS, split_units
from rtp.payload.h264_parameters import parse_sequence_parameters
from rtp.payload.vp8 import key_frame_size

CLOCK_RATE = 90_000
SLICE_BYTES = 1100
"""What x264 cuts slices to for a receiver of packetization mode 0: one packet each."""
MIN_BITRATE_BPS = 50_000
SCREEN_SEARCH = "me=umh:merange=48:subme=0:partitions=none"
"""Where x264 looks for what moved: texts move far (they scroll), by whole pixels and whole. A scrolling terminal at 1080p and
2.5 Mbit/s: SSIM 0.99 in place of 0.92 with superfast's own search, for 1.5 ms more."""
SCREEN_QMIN = 14
"""Of texts at rest: what is finer than this no eye sees, and a picture that has got there costs next to nothing."""
BUFFER_S = 0.6
"""How much of a second's bits the encoder may be ahead: a key frame is larger than other pictures, but no second long."""
X264_RANGE, VPX_RANGE = (0.25, 1.3), (0.85, 1.3)
"""How far from the rate that it was opened with an encoder is used; out of it, it is opened anew, at the price of a key frame.
x264 takes a lower rate while it runs, and none above the limit of its bursts, which can't be moved; libvpx takes none."""
VPX_SPEEDS, VPX_LARGE = ("8", "14"), 640 * 480
"""How libvpx hurries (cpu-used): with pictures of more pixels than that the second takes 4.7 ms for one of 720p where the first
takes 11.3, and is 0.7 dB worse at the same rate."""
REOPEN_UNITS = 3 * CLOCK_RATE
"""Not more often than in three seconds, unless the rate has to fall."""


class VideoEncoder(Protocol):
    """Pictures in, coded pictures out."""

    bitrate_bps: int

    def encode(self, picture: Picture, timestamp: int, *, is_key: bool = False) -> bytes:
        """The coded picture; empty where the codec left it out. timestamp: RTP, 90 kHz, growing. Raises CodecError."""


class _Reopened:
    """An encoder that is opened anew when its rate leaves a range around the one that it was opened with.

    Abstract: `_open` is each codec's own, and `_follow` that of one which takes another rate while it runs.
    """

    def __init__(self, lowest: float, highest: float, bitrate_bps: int) -> None:
        self.bitrate_bps = bitrate_bps
        self._lowest, self._highest = lowest, highest
        self._opened_at: int | None = None
        self._opened_bps = max(MIN_BITRATE_BPS, bitrate_bps)
        self._context = self._open(self._opened_bps)

    def _open(self, bitrate_bps: int) -> Any:
        """The codec, opened for a rate."""
        raise NotImplementedError

    def encode(self, picture: Picture, timestamp: int, *, is_key: bool = False) -> bytes:
        """The coded picture. Raises CodecError."""
        bitrate_bps = max(MIN_BITRATE_BPS, self.bitrate_bps)
        ratio = bitrate_bps / self._opened_bps
        may_rise = self._opened_at is None or timestamp - self._opened_at > REOPEN_UNITS
        if ratio < self._lowest or (ratio > self._highest and may_rise):
            self._context, self._opened_bps, self._opened_at = self._open(bitrate_bps), bitrate_bps, timestamp
        self._follow(bitrate_bps)
        return _encode(self._context, picture, timestamp, is_key)

    def _follow(self, bitrate_bps: int) -> None:
        """Take another rate while it runs, where the codec does."""


class H264Encoder(_Reopened):
    """x264: superfast, without delay, constrained baseline. Annex B out, parameter sets before each key frame.

    mode: packetization-mode of the receiver; is_screen: tuned for texts and drawings; `bitrate_bps` may be set at any time.
    """

    def __init__(self, width: int, height: int, bitrate_bps: int, *, frame_rate: int = 30, mode: int = 1,
                 is_screen: bool = False) -> None:
        self._size, self._frame_rate, self._mode, self._is_screen = (width, height), frame_rate, mode, is_screen
        super().__init__(*X264_RANGE, bitrate_bps)

    def _open(self, bitrate_bps: int) -> Any:
        options = {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1", "sc_threshold": "0", "profile": "baseline",
                   "maxrate": str(bitrate_bps), "bufsize": str(round(bitrate_bps * BUFFER_S))}
        if self._mode == 0:
            options["slice-max-size"] = str(SLICE_BYTES)
        if self._is_screen:
            options |= {"qmin": str(SCREEN_QMIN), "aq-mode": "0", "deblock": "-2:-2", "x264-params": SCREEN_SEARCH}
        return _open_encoder("libx264", *self._size, bitrate_bps, self._frame_rate, options)

    def _follow(self, bitrate_bps: int) -> None:
        bitrate_bps = min(bitrate_bps, self._opened_bps)
        if self._context.bit_rate != bitrate_bps:
            self._context.bit_rate = bitrate_bps


class Vp8Encoder(_Reopened):
    """libvpx with its settings for calls. `bitrate_bps` may be set at any time, and is followed in steps."""

    def __init__(self, width: int, height: int, bitrate_bps: int, *, frame_rate: int = 30) -> None:
        self._size, self._frame_rate = (width, height), frame_rate
        super().__init__(*VPX_RANGE, bitrate_bps)

    def _speed(self) -> str:
        width, height = self._size
        return VPX_SPEEDS[width * height > VPX_LARGE]

    def _open(self, bitrate_bps: int) -> Any:
        options = {"deadline": "realtime", "cpu-used": self._speed(), "lag-in-frames": "0", "error-resilient": "default",
                   "maxrate": str(bitrate_bps), "minrate": str(bitrate_bps), "bufsize": str(round(bitrate_bps * BUFFER_S)),
                   "undershoot-pct": "100", "overshoot-pct": "15", "qmin": "2", "qmax": "63", "static-thresh": "1"}
        return _open_encoder("libvpx", *self._size, bitrate_bps, self._frame_rate, options)


def _open_encoder(codec: str, width: int, height: int, bitrate_bps: int, frame_rate: int, options: dict[str, str]) -> Any:
    try:
        context: Any = av.CodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.bit_rate = max(MIN_BITRATE_BPS, bitrate_bps)
        context.time_base, context.framerate = Fraction(1, CLOCK_RATE), Fraction(frame_rate, 1)
        context.gop_size, context.max_b_frames, context.thread_count = 1 << 20, 0, 1
        context.options = options
        context.open()
    except (FFmpegError, ValueError) as error:
        raise CodecError(f"{codec}: {error}") from error
    return context


def _encode(context: Any, picture: Picture, timestamp: int, is_key: bool) -> bytes:
    frame = to_frame(picture)
    frame.pts = timestamp
    frame.pict_type = PictureType.I if is_key else PictureType.NONE
    try:
        return b"".join(bytes(packet) for packet in context.encode(frame))
    except (FFmpegError, ValueError) as error:
        raise CodecError(f"{context.name}: {error}") from error


class VideoDecoder:
    """Coded pictures in, pictures out. name: `h264` or `vp8`.

    `failures`: pictures that could not be read. A parameter set or key frame that names a picture too large is refused before
    the codec sees it.
    """

    def __init__(self, name: str) -> None:
        if name not in ("h264", "vp8"):
            raise CodecError(f"no video codec is called {name!r}")
        self.failures = 0
        self._name = name
        self._context = self._open()

    def _open(self) -> Any:
        context: Any = av.CodecContext.create(self._name, "r")
        context.thread_count = 1
        context.options = {"flags": "+low_delay"}
        context.open()
        return context

    def decode(self, data: bytes) -> list[Picture]:
        """The pictures of a coded one, mostly one. Raises CodecError; the next key frame works all the same."""
        try:
            if not data:
                raise ParseError("an empty picture")        # which FFmpeg would take for the end of the stream
            self._check(data)
            return [from_frame(frame) for frame in self._context.decode(av.Packet(data))]
        except (FFmpegError, ParseError, ValueError) as error:
            self.failures += 1
            raise CodecError(f"{self._name}: {error}") from error

    def reset(self) -> None:
        """Begin anew, as for another stream."""
        self._context = self._open()

    def _check(self, data: bytes) -> None:
        if self._name == "vp8":
            if data and not data[0] & 1:
                key_frame_size(data)
            return
        for unit in split_units(data):
            if unit[0] & 0x1F == SPS:
                parse_sequence_parameters(unit)


def create_video_encoder(name: str, width: int, height: int, bitrate_bps: int, *, frame_rate: int = 30,
                         mode: int = 1, is_screen: bool = False) -> VideoEncoder:
    """An encoder by codec name (case does not matter). is_screen: for texts and drawings; VP8 has no settings of their own for
    them that would be worth it. Raises CodecError."""
    match name.lower():
        case "h264":
            return H264Encoder(width, height, bitrate_bps, frame_rate=frame_rate, mode=mode, is_screen=is_screen)
        case "vp8":
            return Vp8Encoder(width, height, bitrate_bps, frame_rate=frame_rate)
    raise CodecError(f"no video codec is called {name!r}")
