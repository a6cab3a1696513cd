"""The side that shows its desktop (RFC 6143): one viewer's session, without I/O.

    server = RfbServer(frame, ServerSettings(name="Anna's screen"), now=now)
    server.receive_data(data, now); out = server.data_to_send(); event = server.next_event()
    server.show(next_frame, now)

Input comes out as `KeyEvent` and `PointerEvent`; whether it may touch anything is not decided here. Who drives it calls
`data_to_send` only while the connection takes bytes: a viewer that doesn't read gets no further picture, and after a while the
session ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtp.errors import ParseError
from rtp.rfb import encodings
from rtp.rfb.clipboard import Clipboard
from rtp.rfb.cursor import Cursor
from rtp.rfb.handshake import ServerSecurity, serve, server_init
from rtp.rfb.messages import (
    FENCE_BLOCK_BEFORE,
    FENCE_REQUEST,
    FENCE_SYNC_NEXT,
    ClientCutText,
    ClientMessage,
    EnableContinuousUpdates,
    Fence,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetDesktopSize,
    SetEncodings,
    SetPixelFormat,
    read_client_message,
)
from rtp.rfb.picture import PictureSender
from rtp.rfb.pixels import Pixels, Rectangle, colour_map
from rtp.rfb.server_messages import Bell, EndOfContinuousUpdates, ServerCutText, SetColourMapEntries
from rtp.rfb.stream import Incoming, Reading
from rtp.rfb.tight import JpegCodec

HANDSHAKE_S = 30.0
"""A person may have to type a password."""
PATIENCE_S = 30.0
"""How long a viewer may leave bytes unread or a fence unanswered."""
MAX_WAITING = 1 << 16
"""Bytes that wait for the connection; while there are more, no picture is made."""
MAX_OUTPUT = 1 << 22
"""Answers that a viewer may provoke without reading them."""
_OURS, _HELLO = b"picture", b"hello"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """name: of the desktop; security: who may come in; allows_clipboard: whether text goes either way.

    has_extensions: False for messages of RFC 6143 alone, which every capture tool can read; a slow link feels slower then.
    """

    name: str = "desktop"
    security: ServerSecurity = field(default_factory=ServerSecurity)
    allows_clipboard: bool = False
    has_extensions: bool = True


@dataclass(frozen=True, slots=True)
class TlsChosen:
    """TLS begins once what `data_to_send` still gives is sent. rest: bytes that came behind; they belong to it.

    When it stands, `tls_established` is called, and from then on the core's bytes go through it.
    """

    rest: bytes


@dataclass(frozen=True, slots=True)
class ViewerConnected:
    """A viewer is in. is_shared: it doesn't mind others."""

    is_shared: bool


@dataclass(frozen=True, slots=True)
class TextCopied:
    """The other side's clipboard."""

    text: str


@dataclass(frozen=True, slots=True)
class SizeRequested:
    """The viewer would like another size of the desktop. It is told that it doesn't get it; a frame of that size may follow."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session is over, or has to be closed; why, for a person."""

    reason: str


ServerEvent = TlsChosen | ViewerConnected | KeyEvent | PointerEvent | TextCopied | SizeRequested | SessionClosed


class RfbServer:
    """A session with one viewer. `state`: handshake, running or closed.

    frame: the picture at the beginning, see `rtp.rfb.pixels`. jpeg: a codec, or None to stay without loss.
    """

    def __init__(self, frame: Pixels, settings: ServerSettings | None = None, *, now: float,
                 jpeg: JpegCodec | None = None) -> None:
        self.state = "handshake"
        self.picture = PictureSender(frame, jpeg)
        self._settings = settings or ServerSettings()
        self._out: deque[bytes] = deque()
        self._waiting = 0
        self._events: deque[ServerEvent] = deque()
        self._fence: Fence | None = None
        self._clipboard = Clipboard(lambda data, extended: self._send(bytes(ServerCutText(data, extended))),
                                    is_allowed=self._settings.allows_clipboard)
        self._now = now
        self._handshake_due: float | None = now + HANDSHAKE_S
        self._read_due: float | None = None
        self._fence_due: float | None = None
        self._has_greeted = self._begins_tls = False
        self._incoming = Incoming(self._script())

    @property
    def wants_picture(self) -> bool:
        """Whether the viewer would take a newer picture now; if not, none need be made."""
        return (self.state == "running" and self._fence_due is None and self._waiting <= MAX_WAITING
                and self.picture.is_wanted)

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes of the viewer; empty ones mean that it closed the connection."""
        if self.state == "closed":
            return
        self._now = now
        if not data:
            self.close("the viewer left")
            return
        try:
            self._incoming.receive(data)
        except ParseError as error:
            self.close(str(error))
        if self._begins_tls:
            self._begins_tls = False
            self._events.append(TlsChosen(self._incoming.take_rest()))
        self._picture()

    def tls_established(self, now: float) -> None:
        """TLS stands, after `TlsChosen`."""
        self._now = now
        self._incoming.resume()

    def show(self, frame: Pixels, now: float, changed: Rectangle | None = None) -> None:
        """A newer picture, of the same size or another, or the same array with other contents.

        changed: where it may differ from the last one, which spares looking; None for anywhere. Whoever writes into the array
        calls this after it and before anything else here.
        """
        self._now = now
        self.picture.show(frame, changed)
        self._picture()

    def set_cursor(self, cursor: Cursor, now: float) -> None:
        """Another shape of the pointer."""
        self._now = now
        self.picture.set_cursor(cursor)
        self._picture()

    def set_clipboard(self, text: str, now: float) -> None:
        """A text was copied here."""
        self._now = now
        if self.state == "running":
            self._clipboard.offer(text)

    def ring(self) -> None:
        """Ring the viewer's bell."""
        if self.state == "running":
            self._send(bytes(Bell()))

    def close(self, reason: str = "") -> None:
        """End the session; a second call does nothing."""
        if self.state != "closed":
            self.state = "closed"
            self._handshake_due = self._read_due = self._fence_due = None
            self._events.append(SessionClosed(reason))

    def data_to_send(self) -> bytes:
        """Bytes for the connection, which must be able to take them; there may be more until it gives none."""
        data = b"".join(self._out)
        self._out.clear()
        self._waiting, self._read_due = 0, None
        self._picture()
        return data

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return min((due for due in (self._handshake_due, self._read_due, self._fence_due) if due is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Give up a viewer that doesn't come to an end with its handshake, or doesn't read."""
        due = self.next_timer()
        if due is not None and now >= due:
            self.close("the handshake took too long" if self.state == "handshake" else "the viewer does not read")

    def next_event(self) -> ServerEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _script(self) -> Reading[None]:
        refused = yield from serve(self._settings.security, self._send, self._begin_tls)
        if refused:
            self.close(refused)
            return
        is_shared = (yield 1) != b"\0"
        self._send(server_init(*self.picture.size, self.picture.pixel_format, self._settings.name))
        self.state, self._handshake_due = "running", None
        self._events.append(ViewerConnected(is_shared))
        while self.state == "running":
            message = yield from read_client_message()
            self._answer_fence()
            self._receive(message)

    def _begin_tls(self) -> None:
        self._begins_tls = True

    def _receive(self, message: ClientMessage) -> None:
        match message:
            case KeyEvent() | PointerEvent():
                self._events.append(message)
            case FramebufferUpdateRequest(is_incremental, area):
                self.picture.request(area, is_incremental=is_incremental)
            case Fence():
                self._receive_fence(message)
            case EnableContinuousUpdates(is_on, area):
                self.picture.continuous = area if is_on else None
                if not is_on:
                    self._send(bytes(EndOfContinuousUpdates()))
            case SetPixelFormat(pixel_format):
                self.picture.pixel_format = pixel_format
                if not pixel_format.is_true_colour:
                    self._send(bytes(SetColourMapEntries(0, colour_map())))
            case SetEncodings(wanted):
                self._set_encodings(wanted)
            case ClientCutText(data, is_extended):
                text = self._clipboard.receive(data, is_extended)
                if text is not None:
                    self._events.append(TextCopied(text))
            case SetDesktopSize(width, height):
                self.picture.refuse_size()
                self._events.append(SizeRequested(width, height))

    def _set_encodings(self, wanted: tuple[int, ...]) -> None:
        """Take them, and tell once which of the additions we know, too: a fence and an end of continuous updates say it."""
        if not self._settings.has_extensions:
            wanted = encodings.without_extensions(wanted)
        known = self.picture.encodings
        self.picture.set_encodings(wanted)
        news = self.picture.encodings - known
        if encodings.FENCE in news and not self._has_greeted:
            self._has_greeted = True
            self._send(bytes(Fence(FENCE_REQUEST | FENCE_BLOCK_BEFORE, _HELLO)))
        if encodings.CONTINUOUS_UPDATES in news and encodings.FENCE in wanted:
            self._send(bytes(EndOfContinuousUpdates()))
        if encodings.EXTENDED_CLIPBOARD in news:
            self._clipboard.announce()

    def _receive_fence(self, fence: Fence) -> None:
        if not fence.flags & FENCE_REQUEST:
            if fence.payload == _OURS:
                self._fence_due = None
        elif fence.flags & FENCE_SYNC_NEXT:
            self._fence = fence
        else:
            self._send(bytes(fence.answer()))

    def _answer_fence(self) -> None:
        """Of a fence with SyncNext: before the message behind it is carried out, so that pictures after it obey that one."""
        if self._fence is not None:
            self._send(bytes(self._fence.answer()))
            self._fence = None

    def _picture(self) -> None:
        """Make an update when the viewer can take one."""
        if not self.wants_picture:
            return
        is_unasked = self.picture.continuous is not None
        data = self.picture.next_update()
        if not data:
            return
        self._send(data)
        if is_unasked:
            self._fence_due = self._now + PATIENCE_S
            self._send(bytes(Fence(FENCE_REQUEST | FENCE_BLOCK_BEFORE, _OURS)))

    def _send(self, data: bytes) -> None:
        if self.state == "closed":
            return
        if not self._out:
            self._read_due = self._now + PATIENCE_S
        self._out.append(data)
        self._waiting += len(data)
        if self._waiting > MAX_OUTPUT and len(data) < MAX_WAITING:
            self.close("the viewer asks for more than it reads")
