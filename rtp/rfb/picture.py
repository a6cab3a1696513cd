"""The picture on its way to one viewer: what it has, what it wants, what goes next (RFC 6143 §7.5.3, §7.6.1, §7.7).

One update is under way at a time: the next is made when the viewer asks again or, with continuous updates, when the fence
behind the last one came back. So a slow viewer gets fewer pictures, never older ones. What goes is the difference between what
the viewer has and the newest picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from rtp.rfb import encodings
from rtp.rfb.changes import bounds, changed_areas, find_move
from rtp.rfb.cursor import Cursor
from rtp.rfb.messages import Screen
from rtp.rfb.pixels import MAX_SIDE, PixelFormat, Pixels, Rectangle
from rtp.rfb.server_messages import rectangle_head, update_head
from rtp.rfb.tight import JpegCodec, TightEncoder, parts
from rtp.rfb.zrle import ZrleEncoder

MIN_MOVE_AREA = 20_000
"""Changes of fewer pixels are not searched for blocks that moved."""
MAX_RECTANGLES = 4096
"""Of one update; when there are more, one round all of them goes."""
NOWHERE, ANYWHERE = Rectangle(0, 0, 0, 0), Rectangle(0, 0, MAX_SIDE, MAX_SIDE)
_COPY = struct.Struct("!HH")


class PictureSender:
    """The picture for one viewer. frame: the newest picture.

    jpeg: None to stay without loss whatever the viewer allows.
    """

    def __init__(self, frame: Pixels, jpeg: JpegCodec | None = None) -> None:
        self.frame = frame
        self.pixel_format = PixelFormat()
        self.encodings: frozenset[int] = frozenset()
        self.continuous: Rectangle | None = None
        self.updates = self.rectangles = 0
        self._sent = np.zeros_like(frame)
        self._size = (frame.shape[1], frame.shape[0])
        self._encoding = encodings.RAW
        self._requested: Rectangle | None = None
        self._stale: Rectangle | None = None
        self._cursor: Cursor | None = None
        self._changed: Rectangle | None = ANYWHERE
        self._must_tell: set[int] = set()
        self._refuses_size = False
        self._tight = TightEncoder(jpeg)
        self._zrle = ZrleEncoder()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as the viewer knows them."""
        return self._size

    @property
    def _whole(self) -> Rectangle:
        return Rectangle(0, 0, *self._size)

    @property
    def is_wanted(self) -> bool:
        """Whether the viewer asked for an update, or takes them unasked."""
        return self._requested is not None or self.continuous is not None

    def set_encodings(self, wanted: tuple[int, ...]) -> None:
        """The viewer's SetEncodings: the first one that we can write is taken (§7.5.2)."""
        ours = (encodings.TIGHT, encodings.ZRLE, encodings.RAW)
        self._encoding = next((each for each in wanted if each in ours), encodings.RAW)
        qualities = [each for each in wanted if encodings.JPEG_QUALITY_LOWEST <= each <= encodings.JPEG_QUALITY_HIGHEST]
        self._tight.quality = qualities[0] - encodings.JPEG_QUALITY_LOWEST if qualities else None
        known, self.encodings = self.encodings, frozenset(wanted)
        news = self.encodings - known
        self._must_tell |= news & {encodings.QEMU_EXTENDED_KEY_EVENT, encodings.EXTENDED_DESKTOP_SIZE}
        if encodings.CURSOR in news and self._cursor is not None:
            self._must_tell.add(encodings.CURSOR)

    def set_cursor(self, cursor: Cursor) -> None:
        """Another shape of the pointer."""
        self._cursor = cursor
        if encodings.CURSOR in self.encodings:
            self._must_tell.add(encodings.CURSOR)

    def show(self, frame: Pixels, changed: Rectangle | None = None) -> None:
        """A newer picture, or the same array with other contents. changed: where it may differ, None for anywhere."""
        if changed is None or frame.shape != self.frame.shape:
            changed = ANYWHERE
        self._changed = changed if self._changed is None else bounds([self._changed, changed])
        self.frame = frame

    def refuse_size(self) -> None:
        """The viewer asked for a size that it doesn't get; it is told so with the next update."""
        self._refuses_size = True

    def request(self, area: Rectangle, *, is_incremental: bool) -> None:
        """The viewer's FramebufferUpdateRequest."""
        self._requested = area if self._requested is None else bounds([self._requested, area])
        if not is_incremental:
            self._stale = area if self._stale is None else bounds([self._stale, area])

    def next_update(self) -> bytes:
        """An update, when the viewer wants one and there is something to tell; else nothing."""
        wanted = self._requested or self.continuous
        if wanted is None:
            return b""
        is_same_size = self._size == (self.frame.shape[1], self.frame.shape[0])
        rectangles = list(self._news())
        if is_same_size or not self._can_resize:
            rectangles += self._changes(wanted.common(self._whole))
        if not rectangles:
            return b""
        self._requested = None
        self.updates += 1
        self.rectangles += len(rectangles)
        return update_head(len(rectangles)) + b"".join(rectangles)

    @property
    def _can_resize(self) -> bool:
        return bool(self.encodings & {encodings.DESKTOP_SIZE, encodings.EXTENDED_DESKTOP_SIZE})

    def _news(self) -> Iterator[bytes]:
        """Pseudo-rectangles; a new size comes last, and what is drawn in it with the next update (§7.8.2)."""
        if encodings.QEMU_EXTENDED_KEY_EVENT in self._must_tell:
            yield rectangle_head(NOWHERE, encodings.QEMU_EXTENDED_KEY_EVENT)
        if encodings.CURSOR in self._must_tell and self._cursor is not None:
            height, width = self._cursor.pixels.shape
            hot = Rectangle(self._cursor.hot_x, self._cursor.hot_y, width, height)
            yield rectangle_head(hot, encodings.CURSOR) + self._cursor.encode(self.pixel_format)
        height, width = self.frame.shape
        is_new = self._size != (width, height) and self._can_resize
        if encodings.EXTENDED_DESKTOP_SIZE in self.encodings:
            if self._refuses_size:
                yield _extended_size(*self._size, reason=1, status=1)
            if is_new or encodings.EXTENDED_DESKTOP_SIZE in self._must_tell:
                yield _extended_size(width, height)
        elif is_new:
            yield rectangle_head(Rectangle(0, 0, width, height), encodings.DESKTOP_SIZE)
        if is_new:
            self._size = (width, height)
            self._sent = np.zeros_like(self.frame)
            self._stale = Rectangle(0, 0, width, height)
        self._must_tell.clear()
        self._refuses_size = False

    def _changes(self, wanted: Rectangle) -> Iterator[bytes]:
        frame = self._fitted()
        if self._stale is not None:
            areas = [self._stale.common(self._whole)]
            self._stale = None
        elif self._changed is None:
            return
        else:
            areas = changed_areas(self._sent, frame, wanted.common(self._changed))
            if wanted == self._whole:
                self._changed = None
            if encodings.COPY_RECT in self.encodings and sum(area.area for area in areas) >= MIN_MOVE_AREA:
                move = find_move(self._sent, frame, around := bounds(areas))
                if move is not None:
                    yield rectangle_head(move.area, encodings.COPY_RECT) + _COPY.pack(move.from_x, move.from_y)
                    move.area.of(self._sent)[...] = move.area.of(frame)
                    areas = changed_areas(self._sent, frame, around)
        if len(areas) > MAX_RECTANGLES:
            areas = [bounds(areas)]
        for area in areas:
            if area.area:
                yield from self._drawn(area, frame)
                area.of(self._sent)[...] = area.of(frame)

    def _fitted(self) -> Pixels:
        """The newest picture in the size that the viewer knows: cut, or with black beside it."""
        width, height = self._size
        if self.frame.shape == (height, width):
            return self.frame
        fitted = np.zeros((height, width), np.uint32)
        rows, columns = min(height, self.frame.shape[0]), min(width, self.frame.shape[1])
        fitted[:rows, :columns] = self.frame[:rows, :columns]
        return fitted

    def _drawn(self, area: Rectangle, frame: Pixels) -> Iterator[bytes]:
        if self._encoding == encodings.TIGHT:
            for part in parts(area):
                yield rectangle_head(part, encodings.TIGHT) + self._tight.encode(part.of(frame), self.pixel_format)
        elif self._encoding == encodings.ZRLE:
            yield rectangle_head(area, encodings.ZRLE) + self._zrle.encode(area.of(frame), self.pixel_format)
        else:
            yield rectangle_head(area, encodings.RAW) + self.pixel_format.pack(area.of(frame))


def _extended_size(width: int, height: int, reason: int = 0, status: int = 0) -> bytes:
    """One screen that is the whole desktop. reason: who wanted it, 0 the server, 1 the viewer; status: 0 done, 1 prohibited."""
    head = rectangle_head(Rectangle(reason, status, width, height), encodings.EXTENDED_DESKTOP_SIZE)
    return head + b"\1\0\0\0" + bytes(Screen(0, Rectangle(0, 0, width, height)))
