"""A desktop and its viewer back to back, in pieces of any size and in virtual time; and pictures of several tempers."""

from __future__ import annotations

import numpy as np

from rtp.rfb.pixels import Pixels
from rtp.rfb.server import RfbServer, ServerEvent, ServerSettings
from rtp.rfb.tight import JpegCodec
from rtp.rfb.viewer import RfbViewer, ViewerEvent, ViewerSettings


def blank(width: int = 320, height: int = 200, colour: int = 0x203040) -> Pixels:
    """One colour."""
    return np.full((height, width), colour, np.uint32)


def text(width: int = 320, height: int = 200, seed: int = 1) -> Pixels:
    """Something like a page: two colours, lines of different lengths, empty lines between."""
    random = np.random.default_rng(seed)
    page = np.full((height, width), 0xFFFFFF, np.uint32)
    for top in range(4, height - 12, 16):
        columns = int(random.integers(width // 4, width - 8))
        ink = random.random((10, columns)) < 0.3
        page[top:top + 10, 4:4 + columns][ink] = 0x101010
    return page


def photograph(width: int = 320, height: int = 200, seed: int = 1) -> Pixels:
    """Many colours that change slowly, with a little noise."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    noise = random.integers(0, 8, (3, height, width))
    red, green, blue = (x * 247 // width + noise[0], y * 247 // height + noise[1], (x + y) * 247 // (width + height) + noise[2])
    return (red << 16 | green << 8 | blue).astype(np.uint32)


def icons(width: int = 320, height: int = 200, colours: int = 12, seed: int = 1) -> Pixels:
    """A few colours in blocks."""
    random = np.random.default_rng(seed)
    palette = random.integers(0, 1 << 24, colours, dtype=np.uint32)
    blocks = palette[random.integers(0, colours, (-(-height // 5), -(-width // 7)))]
    return np.repeat(np.repeat(blocks, 5, axis=0), 7, axis=1)[:height, :width].copy()


class RfbPair:
    """A server and a viewer with a wire between. piece: the most bytes that arrive at once; sent: bytes of the server."""

    def __init__(self, frame: Pixels, server: ServerSettings | None = None, viewer: ViewerSettings | None = None, *,
                 jpeg: JpegCodec | None = None, piece: int = 1 << 20) -> None:
        self.now = 0.0
        self.piece = piece
        self.sent = 0
        self.server = RfbServer(frame, server, now=0.0, jpeg=jpeg)
        self.viewer = RfbViewer(viewer, now=0.0, jpeg=jpeg)
        self.server_events: list[ServerEvent] = []
        self.viewer_events: list[ViewerEvent] = []

    def run(self) -> None:
        """Carry bytes to and fro until there are none."""
        while True:
            down, up = self.server.data_to_send(), self.viewer.data_to_send()
            self.sent += len(down)
            for data, receiver in ((down, self.viewer), (up, self.server)):
                for start in range(0, len(data), self.piece):
                    receiver.receive_data(data[start:start + self.piece], self.now)
            self.server_events += iter(self.server.next_event, None)
            self.viewer_events += iter(self.viewer.next_event, None)
            if not down and not up:
                return

    def show(self, frame: Pixels) -> int:
        """A newer picture, carried over; how many bytes it took."""
        before = self.sent
        self.server.show(frame, self.now)
        self.run()
        return self.sent - before
