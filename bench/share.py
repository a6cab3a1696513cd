"""What sharing a screen costs and what comes of it: a scrolling terminal at 1080p, from the grab to the decoded picture.

    python -m bench.share [--codec h264|vp8] [--seconds 10] [--bitrate 2500000] [--rate 15] [--size 1920x1080]

An xterm that fills a screen of its own (Xvfb) prints twenty lines a second. The sharer is a process: capture, encoder, packets,
SRTP, UDP on loopback; this one receives and decodes. Then the terminal is halted, and the picture compared with the screen
where texts are (SSIM of the luma). Prints one JSON object; CPU is CPU time of the sharer's process (the X server apart).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import psutil

from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.errors import CodecError
from rtp.feedback import Feedback, parse_feedback
from rtp.rtcp import OtherPacket, parse_compound
from rtp.srtp import SUITES, receiver, sender
from rtp.srtp.suites import MasterKey
from rtp.video_receiver import VideoReceiver
from rtp.video_sender import VideoSender
from softphone.media.screen import open_source
from softphone.media.share import CodedSlide, ShareSettings, Sharing
from softphone.shares import Choice
from tests.helpers.screen import Display, display

SSRC, PAYLOAD_TYPE = 7, 97
LINE = "the quick brown fox jumps over the lazy dog; 0123456789 times around the world, and back again by nightfall"
SCROLL = f'n=0; while :; do n=$((n+1)); echo "line $n: $((n*7919%10007)) {LINE} {LINE}"; sleep 0.05; done'
TILE, MIN_CONTRAST = 16, 20.0
"""Text areas are tiles of the screen in which the luma spreads so far."""
GOOD = 0.95


def share(screen: str, port: int, key: str, options: argparse.Namespace) -> None:
    """The sharer's process, until it is told to stop."""
    protect = sender(SUITES[0], _key(key)).protect
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        line = _Line(sock, VideoSender(options.codec, PAYLOAD_TYPE, SSRC, 0, protect))
        settings = ShareSettings(options.codec, frame_rate=options.rate, bitrate_bps=options.bitrate)
        sharing = Sharing(lambda: open_source(Choice("screen"), screen), settings, line, lambda _: os.kill(os.getpid(), 15))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        sharing.start()
        while True:
            data = sock.recv(2048)
            for packet in parse_compound(data):
                item = parse_feedback(packet) if isinstance(packet, OtherPacket) else None
                if item is not None:
                    line.receive(item)


class _Line:
    """Packets of the pictures onto a connected socket."""

    def __init__(self, sock: socket.socket, stream: VideoSender) -> None:
        self._socket, self._stream, self._lock = sock, stream, threading.Lock()

    def takes_key_frame(self) -> bool:
        """See SlidesLine."""
        with self._lock:
            return self._stream.takes_key_frame(time.monotonic_ns())

    def bitrate_bps(self) -> int:
        """See SlidesLine: as the settings say."""
        return self._stream.limit_bps

    def send(self, slide: CodedSlide) -> None:
        """See SlidesLine."""
        with self._lock:
            self._transmit(self._stream.packets_of(slide.data, slide.timestamp))

    def receive(self, item: Feedback) -> None:
        """Something the viewer says."""
        with self._lock:
            self._transmit(self._stream.receive_feedback(item, time.monotonic_ns()))

    def _transmit(self, packets: list[bytes]) -> None:
        for packet in packets:
            with contextlib.suppress(OSError):
                self._socket.send(packet)


def _key(text: str) -> MasterKey:
    return MasterKey.of(SUITES[0], bytes.fromhex(text))


class Viewer(threading.Thread):
    """Receives and decodes; `picture` is the newest one."""

    def __init__(self, codec: str, key: str) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.socket.bind(("127.0.0.1", 0))
        self.picture: Picture | None = None
        self.pictures = self.octets = self.failures = 0
        self._open = receiver(SUITES[0], _key(key)).unprotect
        self._receiver = VideoReceiver({PAYLOAD_TYPE: codec}, frozenset(("nack pli",)))
        self._decoder = VideoDecoder(codec)

    def run(self) -> None:
        """Until the process ends."""
        while True:
            data, peer = self.socket.recvfrom(2048)
            now = time.monotonic_ns()
            self.octets += len(data)
            for coded in self._receiver.receive(self._open(data), now):
                try:
                    for picture in self._decoder.decode(coded.data) if coded.is_decodable else ():
                        self.picture, self.pictures = picture, self.pictures + 1
                except CodecError:
                    self.failures += 1
                    self._receiver.decoder_failed()
            for item in self._receiver.feedback_to_send(1, 1_000_000, now):
                self.socket.sendto(bytes(item), peer)


def ssim_map(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Structural similarity of each pixel (Wang et al. 2004: windows of 11 × 11, sigma 1.5)."""
    a, b = one.astype(np.float32), other.astype(np.float32)

    def blurred(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float32)

    mean_a, mean_b = blurred(a), blurred(b)
    spread = blurred(a * a) - mean_a ** 2 + blurred(b * b) - mean_b ** 2
    shared = blurred(a * b) - mean_a * mean_b
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    return np.asarray((2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a ** 2 + mean_b ** 2 + c1) * (spread + c2)),
                      np.float32)


def text_tiles(luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where texts are, for each pixel."""
    height, width = (side // TILE * TILE for side in luma.shape)
    tiles = luma[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE).astype(np.float32)
    found = np.kron(tiles.std(axis=(1, 3)) > MIN_CONTRAST, np.ones((TILE, TILE), np.bool_))
    return np.pad(found, ((0, luma.shape[0] - height), (0, luma.shape[1] - width)))


def luma_of(screen: Display) -> npt.NDArray[np.uint8]:
    """What the screen shows, as the encoder's luma."""
    rows = cv2.cvtColor(np.asarray(screen.picture()), cv2.COLOR_RGB2YUV_I420)
    return np.asarray(rows[:rows.shape[0] * 2 // 3], np.uint8)


@contextlib.contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    width, height = map(int, options.size.split("x"))
    key = secrets.token_hex(SUITES[0].master_length)
    viewer = Viewer(options.codec, key)
    viewer.start()
    with display(width, height) as screen:
        terminal = ["xterm", "-fn", "6x13", "-geometry", f"{width // 6 - 4}x{height // 13 - 1}+0+0", "-e", "sh", "-c", SCROLL]
        command = [sys.executable, "-m", "bench.share", "--screen", screen.name, "--port", str(viewer.socket.getsockname()[1]),
                   "--codec", options.codec, "--bitrate", str(options.bitrate), "--rate", str(options.rate)]
        with (_running(terminal, env={**os.environ, "DISPLAY": screen.name}, stderr=subprocess.DEVNULL) as shell,
              _running(command, env={**os.environ, "CONFERO_BENCH_KEY": key}) as sharer):
            while viewer.pictures < 3:
                time.sleep(0.05)
            time.sleep(height // 13 * 0.05 + 1.0)                   # the screen is full and scrolls from here on
            process = psutil.Process(sharer.pid)
            before, begun, pictures, octets = process.cpu_times(), time.monotonic(), viewer.pictures, viewer.octets
            time.sleep(options.seconds)
            took, after = time.monotonic() - begun, process.cpu_times()
            pictures, octets = viewer.pictures - pictures, viewer.octets - octets
            shell.send_signal(signal.SIGSTOP)
            halted = time.monotonic()
            time.sleep(0.05)
            truth = luma_of(screen)
            texts = text_tiles(truth)
            good_after, at_once, after_1_s = None, None, 0.0
            while time.monotonic() - halted < 1.0:
                seen = viewer.picture
                assert seen is not None
                after_1_s = float(ssim_map(truth, np.array(seen.y))[texts].mean())
                at_once = at_once if at_once is not None else after_1_s
                if good_after is None and after_1_s >= GOOD:
                    good_after = time.monotonic() - halted
                time.sleep(0.03)
            resting = viewer.octets
            time.sleep(2.0)
            return {
                "codec": options.codec, "size": options.size, "bitrate_bps": options.bitrate,
                "text_share_percent": round(100 * float(texts.mean())),
                "pictures_per_s": round(pictures / took, 1), "kbit_s": round(8 * octets / took / 1000),
                "cpu_percent": round(100 * (after.user + after.system - before.user - before.system) / took, 1),
                "ssim_text_when_halted": round(at_once or 0.0, 3), "ssim_text_after_1_s": round(after_1_s, 3),
                "good_after_ms": None if good_after is None else round(1000 * good_after),
                "kbit_s_at_rest": round(8 * (viewer.octets - resting) / 2000), "decoder_failures": viewer.failures,
            }


def main() -> None:
    """Measure and print, or be the sharer."""
    parser = argparse.ArgumentParser(description="CPU and legibility of a shared screen.")
    parser.add_argument("--codec", default="h264", choices=("h264", "vp8"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bitrate", type=int, default=2_500_000)
    parser.add_argument("--rate", type=int, default=15, choices=(5, 15, 30))
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--screen", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.screen:
        share(options.screen, options.port, os.environ["CONFERO_BENCH_KEY"], options)
        return
    print(json.dumps(measure(options)))


if __name__ == "__main__":
    main()
