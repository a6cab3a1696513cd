"""The two ends of a shared desktop at this phone (RFC 6143), each a thread with a connection of its own to the relay.

`ShownDesktop` shows a part of this machine's screen and lets the other side act while it may; `SeenDesktop` looks at another's.
What happens is told in the loop that made them. A thread opens what it needs of the screen and closes it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from rtp.keying.certificate import Certificate
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsEndpoint
from rtp.rfb.preface import preface
from rtp.rfb.server import RfbServer, ServerEvent, ServerSettings, SessionClosed, TextCopied
from rtp.rfb.viewer import DesktopOpened, RfbViewer, ViewerEvent, ViewerSettings
from softphone.errors import PhoneError
from softphone.remote.desktop import Desktop, TakenBack
from softphone.remote.injector import DEFAULT_FORBIDDEN, Area, Hands, parse_chord
from softphone.remote.line import Invitation
from softphone.remote.part import Part
from softphone.remote.pipe import Pipe
from softphone.remote.watching import Watching

CONNECT_S = 10.0
log = logging.getLogger(__name__)


def connect(seat: Invitation, certificate: Certificate) -> Pipe:
    """A connection to the relay, with its ticket shown. Raises OSError."""
    sock = socket.create_connection(seat.remote, CONNECT_S)
    pipe = Pipe(sock, TlsEndpoint(Role.CLIENT, certificate, seat.fingerprints, now=time.monotonic()))
    pipe.send(preface(seat.ticket))
    return pipe


class ShownDesktop:
    """This machine's desktop, shown to one viewer. on_taken_back: the owner took the mouse, why; on_end: it is over, with words
    for the user when something is wrong; on_text: the viewer copied a text.

    may_act: whether the viewer's input is carried out; refused: how many keys and movements were not.
    """

    def __init__(self, seat: Invitation, certificate: Certificate, part: Part, name: str, *,
                 on_taken_back: Callable[[str], None], on_end: Callable[[str], None],
                 on_text: Callable[[str], None] = lambda text: None) -> None:
        self.may_act = False
        self._seat, self._certificate, self._part, self._name = seat, certificate, part, name
        self._on_taken_back, self._on_end, self._on_text = on_taken_back, on_end, on_text
        self._loop = asyncio.get_running_loop()
        self._desktop: Desktop | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="shown desktop", daemon=True)
        self._thread.start()

    @property
    def refused(self) -> int:
        """Input that came while it might not."""
        return 0 if self._desktop is None else self._desktop.refused

    def give(self) -> None:
        """Let the viewer act."""
        self.may_act = True
        if self._desktop is not None:
            self._desktop.give()

    def take(self) -> None:
        """Let the viewer act no more."""
        self.may_act = False

    def set_clipboard(self, text: str) -> None:
        """A text was copied here; it goes to the viewer while they may act."""
        if self._desktop is not None and self._part.allows_clipboard and self.may_act:
            self._desktop.set_clipboard(text)

    def stop(self) -> None:
        """End it soon."""
        self._is_stopping = True
        if self._desktop is not None:
            self._desktop.stop()

    def _run(self) -> None:
        reason = ""
        try:
            self._show()
        except PhoneError as error:
            reason = str(error)
        except OSError as error:
            reason = f"The server's desktop relay can't be reached ({error.strerror or error})"
        except Exception:
            log.exception("the desktop could not be shown")
            reason = "Something went wrong inside the phone; the log has the details."
        self._tell(self._on_end, reason)

    def _show(self) -> None:
        from softphone.remote.jpeg import PillowJpeg
        from softphone.remote.own_input import OwnInput
        from softphone.remote.screen import ScreenGrabber
        from softphone.remote.takeback import TakeBack
        from softphone.remote.watch import ScreenWatch
        from softphone.remote.xtest import XTestInjector

        part = self._part
        with ExitStack() as stack:
            region = None if part.region is None else Area(*part.region)
            grabber = ScreenGrabber(part.display, monitor=part.monitor, region=region, window=part.window)
            stack.callback(grabber.close)
            own = OwnInput(TakeBack(), part.display)
            stack.callback(own.close)
            injector = XTestInjector(part.display)
            injector.on_input = own.note
            picture = grabber.grab()
            forbidden = tuple(parse_chord(each) for each in (*DEFAULT_FORBIDDEN, *part.forbidden))
            hands = Hands(injector, grabber.area, (picture.shape[1], picture.shape[0]), forbidden)
            stack.callback(hands.close)
            watch = ScreenWatch(part.display)
            stack.callback(watch.close)
            settings = ServerSettings(self._name, allows_clipboard=part.allows_clipboard)
            server = RfbServer(picture, settings, now=time.monotonic(), jpeg=PillowJpeg())
            self._desktop = Desktop(connect(self._seat, self._certificate), server, grabber, hands, watch, own=own,
                                    may_act=lambda: self.may_act, on_event=self._on_event)
            if self._is_stopping:
                self._desktop.stop()
            self._desktop.run()

    def _on_event(self, event: ServerEvent | TakenBack) -> None:
        if isinstance(event, TakenBack) and self.may_act:
            self.may_act = False
            self._tell(self._on_taken_back, event.reason)
        elif isinstance(event, TextCopied) and self.may_act:
            self._tell(self._on_text, event.text)

    def _tell(self, listener: Callable[[str], None], text: str) -> None:
        try:
            self._loop.call_soon_threadsafe(listener, text)
        except RuntimeError:                                                     # the phone has stopped meanwhile
            log.debug("a desktop ended after the phone")


class SeenDesktop:
    """Another's desktop. watching: what a window needs of it. on_open: it is there; on_end: it is over, why;
    on_text: a text was copied there."""

    def __init__(self, seat: Invitation, certificate: Certificate, *, on_open: Callable[[SeenDesktop], None],
                 on_end: Callable[[SeenDesktop, str], None], on_text: Callable[[str], None] = lambda text: None) -> None:
        self.watching: Watching | None = None
        self.size = (0, 0)
        self._seat, self._certificate = seat, certificate
        self._on_open, self._on_end, self._on_text = on_open, on_end, on_text
        self._loop = asyncio.get_running_loop()
        self._reason = "the desktop is no longer shown"
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="seen desktop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it soon."""
        self._is_stopping = True
        if self.watching is not None:
            self.watching.stop()

    def _run(self) -> None:
        try:
            self._look()
        except OSError as error:
            self._reason = f"the server's desktop relay can't be reached ({error.strerror or error})"
        except Exception:
            log.exception("the desktop could not be seen")
            self._reason = "Something went wrong inside the phone; the log has the details."
        self._tell(lambda: self._on_end(self, self._reason))

    def _look(self) -> None:
        from softphone.remote.jpeg import PillowJpeg

        pipe = connect(self._seat, self._certificate)
        viewer = RfbViewer(ViewerSettings(allows_clipboard=True), now=time.monotonic(), jpeg=PillowJpeg())
        self.watching = Watching(pipe, viewer, self._on_event)
        if self._is_stopping:
            self.watching.stop()
        self.watching.run()

    def _on_event(self, event: ViewerEvent) -> None:
        match event:
            case DesktopOpened(_, width, height):
                self.size = (width, height)
                self._tell(lambda: self._on_open(self))
            case TextCopied(text):
                self._tell(lambda: self._on_text(text))
            case SessionClosed(reason):
                self._reason = reason or self._reason

    def _tell(self, action: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:                                                     # the phone has stopped meanwhile
            log.debug("a desktop ended after the phone")
