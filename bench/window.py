"""What the softphone's window costs with pictures: CPU time of its process while it shows others and sends itself.

    python -m bench.window [--tiles 9] [--seconds 10] [--size 640x360] [--rate 25] [--size-of-window 1240x760]

The others are one process that sends their coded pictures (texture that moves, about 600 kbit/s each) over UDP into the slots
that the phone offers. Measured is all that the phone's process does: receive, decode, scale, paint, the own picture (a test
picture) encoded and sent. The X server (Xvfb) and the senders are processes of their own, and not counted. Prints one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import cv2
import numpy as np

from rtp.codecs.i420 import Picture
from rtp.codecs.video import create_video_encoder
from rtp.kernel.sockets import BurstSender
from rtp.picture_transport import PictureLine, PictureTransport
from rtp.sdp import several
from rtp.sdp.bundle import MID
from rtp.sdp.negotiation import Capabilities, LocalMedia
from rtp.sdp.parser import parse
from rtp.sdp.several import LocalVideo
from rtp.transport_feedback import TRANSPORT_SEQUENCE
from softphone.bridge import Bridge
from softphone.media.camera import Camera, ChartSource
from softphone.media.pictures import CAPABILITIES, SLIDES, PictureSettings, Shown
from softphone.media.session import MediaSession, MediaSettings
from softphone.model import CallEstablished, Member, PicturesChanged, RosterChanged, State
from softphone.ui.window import Window
from tests.helpers.screen import display

HOST = "127.0.0.1"
BITRATE_BPS = 600_000
LOOP = 50
"""Pictures that are coded, and sent again and again; the first of them is a key frame."""
SETTLED_S = 3.0


def coded_pictures(width: int, height: int) -> list[bytes]:
    """A film of a texture that moves."""
    noise = np.random.default_rng(1).integers(40, 216, (height // 8 + 8, width // 8 + 8), np.uint8)
    texture = cv2.resize(noise, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    encoder = create_video_encoder("h264", width, height, BITRATE_BPS, frame_rate=25)
    out = []
    for count in range(LOOP):
        picture = Picture.create(width, height)
        at = 32 - abs(count * 64 // LOOP - 32)
        picture.y[:] = texture[at:at + height, at:at + width]
        out.append(encoder.encode(picture, count * 3600, is_key=count == 0))
    return out


def send(streams: int, width: int, height: int, rate: float) -> None:
    """The process of the others: an offer from standard input, the answer to standard output, pictures until it is ended."""
    offer = parse(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    port = sock.getsockname()[1]
    local = LocalMedia(HOST, port, port + 1)
    videos = [LocalVideo(local, "", "", "", False) for _ in range(10)]
    answer, _, agreed = several.answer(offer, Capabilities(), LocalMedia(HOST, 9, 10), CAPABILITIES, videos, session_id=1,
                                       version=1)
    text = bytes(answer)
    sys.stdout.buffer.write(b"%d\n" % len(text) + text)
    sys.stdout.buffer.flush()
    lines = [each for each in agreed if each.may_send][-streams:]
    transport = PictureTransport("bench", lambda packet: packet, lambda: secrets.randbits(32))
    transport.set_lines([PictureLine(index, each.mid, (), ("h264", each.formats[0].send_type, 1))
                         for index, each in enumerate(lines)],
                        mid_id=lines[0].extensions[MID], number_id=lines[0].extensions.get(TRANSPORT_SEQUENCE, 0))
    film, burst, remote = coded_pictures(width, height), BurstSender(), lines[0].remote
    assert remote is not None
    due, count = time.monotonic(), 0
    while True:
        now_ns = time.monotonic_ns()
        for index in range(streams):
            burst.send(sock, remote, transport.send(index, film[count % LOOP], now_ns, now_ns))
            time.sleep(1 / rate / streams / 2)
        count += 1
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))


def exchange(process: subprocess.Popen[bytes], offer: bytes) -> bytes:
    """The answer of the others."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"%d\n" % len(offer) + offer)
    process.stdin.flush()
    return process.stdout.read(int(process.stdout.readline()))


class Phone(threading.Thread):
    """The loop of a call's media beside the window; its pictures go to the board, each slot's to a member."""

    def __init__(self, bridge: Bridge, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.is_ready, self._ending = threading.Event(), threading.Event()
        self.session: MediaSession | None = None
        self.camera = Camera(ChartSource("1"))
        self._bridge, self._process = bridge, process

    def run(self) -> None:
        """See Thread."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        session = self.session = MediaSession(MediaSettings(HOST, pictures=PictureSettings()))
        pictures = session.pictures
        assert pictures is not None
        session.apply(exchange(self._process, session.offer()))
        board = self._bridge.board

        def show(shown: Shown) -> None:
            board.put(f"id:{shown.key}", shown.picture)

        def take(picture: Picture, taken_ns: int) -> None:
            pictures.send(picture, taken_ns)
            board.put("self", picture, is_mirrored=True)

        pictures.on_picture = show
        self.camera.outlets = (take,)
        self.camera.start()
        self.is_ready.set()
        await asyncio.to_thread(self._ending.wait)
        self.camera.stop()
        session.release()

    def stop(self) -> None:
        """End it."""
        self._ending.set()
        self.join()


def measure(tiles: int, seconds: float, size: tuple[int, int]) -> dict[str, Any]:
    """Show the window and measure its process."""
    streams = tiles - 1
    command = [sys.executable, "-m", "bench.window", "--send", str(streams), *sys.argv[1:]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    bridge = Bridge()
    phone = Phone(bridge, process)
    try:
        phone.start()
        assert phone.is_ready.wait(30)
        session = phone.session
        assert session is not None and session.pictures is not None
        keys = sorted(key for key in session.pictures.negotiated if key != SLIDES)[-streams:]
        window = Window(bridge, State(settings={"theme": "dark", "language": "en", "scale": "100"}), size)
        members = [Member(99, "Alice Ng", is_self=True), *(Member(key, f"Person {key}") for key in keys)]
        bridge.publish(CallEstablished("sip:daily@bench", "daily", True, time.monotonic()))
        bridge.publish(RosterChanged(tuple(members)))
        bridge.publish(PicturesChanged(True))
        result = _run(window, session, phone, seconds)
        result["tiles"] = len(window.page.gallery._pictures) if window.page is not None else 0   # type: ignore[attr-defined]
        window.quit()
        return result
    finally:
        process.kill()
        process.wait()
        phone.stop()


def _run(window: Window, session: MediaSession, phone: Phone, seconds: float) -> dict[str, Any]:
    pictures = session.pictures
    assert pictures is not None
    before: list[float] = []

    def begin() -> None:
        before[:] = [time.process_time(), time.monotonic(), sum(each.pictures for each in pictures.received().values()),
                     phone.camera.pictures, time.thread_time()]

    window.root.after(round(1000 * SETTLED_S), begin)
    window.root.after(round(1000 * (SETTLED_S + seconds)), window.root.quit)
    window.root.mainloop()
    cpu, elapsed = time.process_time() - before[0], time.monotonic() - before[1]
    came = sum(each.pictures for each in pictures.received().values()) - before[2]
    return {
        "seconds": round(elapsed, 2), "cpu_percent": round(100 * cpu / elapsed, 1),
        "tk_thread_percent": round(100 * (time.thread_time() - before[4]) / elapsed, 1),
        "pictures_decoded_per_s": round(came / elapsed, 1),
        "own_pictures_per_s": round((phone.camera.pictures - before[3]) / elapsed, 1),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rate", type=float, default=25.0)
    parser.add_argument("--size-of-window", default="1240x760")
    parser.add_argument("--send", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    if given.send:
        send(given.send, width, height, given.rate)
        return
    across, down = (int(part) for part in given.size_of_window.split("x"))
    with display(across + 40, down + 40) as screen:
        os.environ["DISPLAY"] = screen.name
        result = measure(given.tiles, given.seconds, (across, down))
    print(json.dumps({"window": given.size_of_window, "picture": given.size, "rate": given.rate, **result}))


if __name__ == "__main__":
    main()
