"""The side that looks and, when it may, acts (RFC 6143): one session with a server, without I/O.

    viewer = RfbViewer(ViewerSettings(), now=now)
    viewer.receive_data(data, now); out = viewer.data_to_send(); event = viewer.next_event()
    viewer.framebuffer                                    # the picture, see `rtp.rfb.pixels`
    viewer.press_key(keysym, True)

It asks for 32-bit pixels, and for the next update when one is drawn; where the server knows continuous updates and fences, it
lets them come by themselves. What doesn't fit the picture, or doesn't end, is refused and ends the session.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtp.errors import ParseError
from rtp.rfb import encodings, server_messages
from rtp.rfb.clipboard import Clipboard
from rtp.rfb.cursor import Cursor, cursor_size, decode_cursor
from rtp.rfb.handshake import ViewerSecurity, read_server_init, view
from rtp.rfb.messages import (
    FENCE_REQUEST,
    ClientCutText,
    EnableContinuousUpdates,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetDesktopSize,
    SetEncodings,
    SetPixelFormat,
    read_cut_text,
    read_fence,
    read_screens,
)
from rtp.rfb.pixels import PixelFormat, Pixels, Rectangle, check_size
from rtp.rfb.server import SessionClosed, TextCopied, TlsChosen
from rtp.rfb.stream import Incoming, Reading
from rtp.rfb.tight import JpegCodec, TightDecoder
from rtp.rfb.zrle import ZrleDecoder, longest_data

HANDSHAKE_S = 30.0
MAX_OUTPUT = 1 << 22
"""Bytes that wait for the connection, a clipboard among them; a server that takes none ends the session."""
MAX_COVERAGE = 8
"""An update may draw over the whole picture so many times; more only costs us time."""
PICTURES = (encodings.TIGHT, encodings.ZRLE, encodings.COPY_RECT, encodings.RAW)
ADDITIONS = (encodings.CURSOR, encodings.EXTENDED_DESKTOP_SIZE, encodings.DESKTOP_SIZE, encodings.LAST_RECT, encodings.FENCE,
             encodings.CONTINUOUS_UPDATES, encodings.QEMU_EXTENDED_KEY_EVENT)


@dataclass(frozen=True, slots=True)
class ViewerSettings:
    """security: what we can show; is_shared: others may look, too; pictures: encodings, in order of preference."""

    security: ViewerSecurity = field(default_factory=ViewerSecurity)
    is_shared: bool = True
    allows_clipboard: bool = False
    pictures: tuple[int, ...] = PICTURES
    wants_continuous_updates: bool = True


@dataclass(frozen=True, slots=True)
class DesktopOpened:
    """The desktop is there; `framebuffer` is black until the first update."""

    name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FrameUpdated:
    """Parts of `framebuffer` were drawn anew."""

    areas: tuple[Rectangle, ...]


@dataclass(frozen=True, slots=True)
class DesktopResized:
    """`framebuffer` is another array, of another size."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CursorChanged:
    """The pointer has another shape."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class BellRang:
    """The other side's bell."""


ViewerEvent = (TlsChosen | DesktopOpened | FrameUpdated | DesktopResized | CursorChanged | BellRang | TextCopied
               | SessionClosed)


class RfbViewer:
    """A session with a server. `state`: handshake, running or closed. framebuffer: the picture; not to be changed by others.

    jpeg: a codec, or None not to ask for JPEG.
    """

    def __init__(self, settings: ViewerSettings | None = None, *, now: float, jpeg: JpegCodec | None = None) -> None:
        self.state = "handshake"
        self.framebuffer: Pixels = np.zeros((1, 1), np.uint32)
        self.updates = 0
        self._settings = settings or ViewerSettings()
        self._jpeg = jpeg
        self._format = PixelFormat()
        self._out: deque[bytes] = deque()
        self._waiting = 0
        self._events: deque[ViewerEvent] = deque()
        self._tight, self._zrle = TightDecoder(jpeg), ZrleDecoder()
        self._clipboard = Clipboard(lambda data, extended: self._send(bytes(ClientCutText(data, extended))),
                                    is_allowed=self._settings.allows_clipboard)
        self._is_continuous = self._takes_keycodes = self._begins_tls = self._is_resized = False
        self._due: float | None = now + HANDSHAKE_S
        self._incoming = Incoming(self._script())

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes of the server; empty ones mean that it closed the connection."""
        if self.state == "closed":
            return
        if not data:
            self.close("the desktop is no longer shared")
            return
        try:
            self._incoming.receive(data)
        except ParseError as error:
            self.close(str(error))
        if self._begins_tls:
            self._begins_tls = False
            self._events.append(TlsChosen(self._incoming.take_rest()))

    def tls_established(self, now: float) -> None:
        """TLS stands, after `TlsChosen`."""
        self._incoming.resume()

    def press_key(self, keysym: int, is_down: bool, keycode: int | None = None) -> None:
        """A key went down or up. keycode: its place on the keyboard (XT set 1), sent to servers that know it."""
        if self.state == "running":
            self._send(bytes(KeyEvent(keysym, is_down, keycode if self._takes_keycodes else None)))

    def move_pointer(self, x: int, y: int, buttons: int) -> None:
        """The pointer moved, or a button went down or up. x, y: in the picture; outside of it they are clipped."""
        if self.state == "running":
            height, width = self.framebuffer.shape
            self._send(bytes(PointerEvent(buttons & 255, min(max(x, 0), width - 1), min(max(y, 0), height - 1))))

    def set_clipboard(self, text: str) -> None:
        """A text was copied here."""
        if self.state == "running":
            self._clipboard.offer(text)

    def request_size(self, width: int, height: int) -> None:
        """Ask for another size of the desktop; a server needn't follow."""
        if self.state == "running":
            self._send(bytes(SetDesktopSize(width, height, ())))

    def refresh(self) -> None:
        """Ask for the whole picture again."""
        if self.state == "running":
            self._request(is_incremental=False)

    def close(self, reason: str = "") -> None:
        """End the session; a second call does nothing."""
        if self.state != "closed":
            self.state, self._due = "closed", None
            self._events.append(SessionClosed(reason))

    def data_to_send(self) -> bytes:
        """Bytes for the connection."""
        data = b"".join(self._out)
        self._out.clear()
        self._waiting = 0
        return data

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return self._due

    def handle_timer(self, now: float) -> None:
        """Give up a server that doesn't come to an end with its handshake."""
        if self._due is not None and now >= self._due:
            self.close("the desktop did not answer in time")

    def next_event(self) -> ViewerEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _send(self, data: bytes) -> None:
        self._out.append(data)
        self._waiting += len(data)
        if self._waiting > MAX_OUTPUT:
            self.close("the desktop asks for more than it reads")

    def _begin_tls(self) -> None:
        self._begins_tls = True

    def _script(self) -> Reading[None]:
        refused = yield from view(self._settings.security, self._send, self._begin_tls)
        if refused:
            self.close(refused)
            return
        self._send(bytes([self._settings.is_shared]))
        width, height, _, name = yield from read_server_init()
        self.state, self._due = "running", None
        self.framebuffer = np.zeros((height, width), np.uint32)
        self._send(bytes(SetPixelFormat(self._format)) + bytes(SetEncodings(self._encodings())))
        self._request(is_incremental=False)
        self._events.append(DesktopOpened(name, width, height))
        while True:
            yield from self._read_message((yield 1)[0])

    def _encodings(self) -> tuple[int, ...]:
        wanted = self._settings.pictures + ADDITIONS
        if not self._settings.wants_continuous_updates:
            wanted = tuple(each for each in wanted if each != encodings.CONTINUOUS_UPDATES)
        if self._jpeg is not None:
            wanted += (encodings.JPEG_QUALITY,)
        return wanted + ((encodings.EXTENDED_CLIPBOARD,) if self._settings.allows_clipboard else ())

    def _whole(self) -> Rectangle:
        return Rectangle(0, 0, self.framebuffer.shape[1], self.framebuffer.shape[0])

    def _request(self, *, is_incremental: bool) -> None:
        self._send(bytes(FramebufferUpdateRequest(is_incremental, self._whole())))

    def _read_message(self, kind: int) -> Reading[None]:
        match kind:
            case server_messages.FRAMEBUFFER_UPDATE:
                yield from self._read_update()
            case server_messages.SET_COLOUR_MAP_ENTRIES:
                yield 6 * int.from_bytes((yield 5)[3:])              # of no meaning in true colour
            case server_messages.BELL:
                self._events.append(BellRang())
            case server_messages.SERVER_CUT_TEXT:
                data, is_extended = yield from read_cut_text()
                text = self._clipboard.receive(data, is_extended)
                if text is not None:
                    self._events.append(TextCopied(text))
            case server_messages.END_OF_CONTINUOUS_UPDATES:
                self._start_continuous()
            case server_messages.FENCE:
                fence = yield from read_fence()
                if fence.flags & FENCE_REQUEST:
                    self._send(bytes(fence.answer()))
            case _:
                raise ParseError(f"RFB: a server's message of kind {kind} is not known")

    def _start_continuous(self) -> None:
        """The first end of continuous updates tells that they are known (we never end them)."""
        if not self._is_continuous and self._settings.wants_continuous_updates:
            self._is_continuous = True
            self._send(bytes(EnableContinuousUpdates(True, self._whole())))

    def _read_update(self) -> Reading[None]:
        count = int.from_bytes((yield 3)[1:])
        areas: list[Rectangle] = []
        covered = 0
        for _ in range(count):
            *place, encoding = server_messages.RECTANGLE_HEAD.unpack((yield server_messages.RECTANGLE_HEAD.size))
            if encoding == encodings.LAST_RECT:
                break
            area = Rectangle(*place)
            if (yield from self._read_addition(encoding, area)):
                continue
            self._check(area)
            covered += area.area
            if covered > MAX_COVERAGE * self.framebuffer.size:
                raise ParseError(f"RFB: an update draws over the picture more than {MAX_COVERAGE} times")
            if area.area:
                yield from self._read_rectangle(encoding, area)
                areas.append(area)
        self.updates += 1
        if areas:
            self._events.append(FrameUpdated(tuple(areas)))
        if not self._is_continuous:
            self._request(is_incremental=not self._is_resized)
        elif self._is_resized:
            self._send(bytes(EnableContinuousUpdates(True, self._whole())))
        self._is_resized = False

    def _check(self, area: Rectangle) -> None:
        height, width = self.framebuffer.shape
        if area.x + area.width > width or area.y + area.height > height:
            raise ParseError(f"RFB: a rectangle of {area.width} × {area.height} at {area.x}, {area.y} in a picture of "
                             f"{width} × {height}")

    def _read_rectangle(self, encoding: int, area: Rectangle) -> Reading[None]:
        target = area.of(self.framebuffer)
        match encoding:
            case encodings.RAW:
                data = yield area.area * self._format.pixel_size
                target[...] = self._format.unpack(data).reshape(target.shape)
            case encodings.COPY_RECT:
                x, y = struct.unpack("!HH", (yield 4))
                source = Rectangle(x, y, area.width, area.height)
                self._check(source)
                target[...] = source.of(self.framebuffer).copy()
            case encodings.ZRLE:
                length = int.from_bytes((yield 4))
                if length > longest_data(area.width, area.height):
                    raise ParseError(f"RFB ZRLE: {length} bytes for a rectangle of {area.width} × {area.height}")
                self._zrle.decode((yield length), target, self._format)
            case encodings.TIGHT:
                yield from self._tight.read(target, self._format)
            case _:
                raise ParseError(f"RFB: encoding {encoding} was not asked for")

    def _read_addition(self, encoding: int, area: Rectangle) -> Reading[bool]:
        """Read a pseudo-rectangle; False when it is a real one."""
        match encoding:
            case encodings.CURSOR:
                size = cursor_size(area.width, area.height, self._format)
                data = yield size
                if area.area:
                    hot = (area.x, area.y)
                    self._events.append(CursorChanged(decode_cursor(data, area.width, area.height, hot, self._format)))
            case encodings.DESKTOP_SIZE:
                self._resize(area.width, area.height)
            case encodings.EXTENDED_DESKTOP_SIZE:
                yield from read_screens((yield 4)[0])
                if not (area.x == 1 and area.y):                     # our own request, refused
                    self._resize(area.width, area.height)
            case encodings.QEMU_EXTENDED_KEY_EVENT:
                self._takes_keycodes = True
            case _:
                return False
        return True

    def _resize(self, width: int, height: int) -> None:
        if (height, width) == self.framebuffer.shape:
            return
        check_size(width, height)
        self.framebuffer = np.zeros((height, width), np.uint32)
        self._is_resized = True
        self._events.append(DesktopResized(width, height))
