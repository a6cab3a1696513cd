"""A shared screen of its own with a terminal on it, and TigerVNC's viewer on another one."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rtp.rfb.server import RfbServer, ServerSettings
from softphone.remote.desktop import Desktop
from softphone.remote.injector import Hands
from softphone.remote.jpeg import PillowJpeg
from softphone.remote.pipe import Pipe
from softphone.remote.screen import ScreenGrabber
from softphone.remote.watch import ScreenWatch
from softphone.remote.xtest import XTestInjector
from tests.helpers.screen import Display

UTF8 = {"LC_ALL": "C.UTF-8"}


def until(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait until something is so; fails when it does not come about."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@contextmanager
def terminal(display: Display, command: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An xterm that fills much of a display, runs a shell command and has the keyboard's focus."""
    arguments = ["xterm", "-u8", "-geometry", "80x24+0+0", "-fg", "black", "-bg", "white", *options, "-e", "sh", "-c", command]
    process = subprocess.Popen(arguments, env={**os.environ, **UTF8, "DISPLAY": display.name}, stderr=subprocess.DEVNULL)
    try:
        display.xdotool("search", "--sync", "--onlyvisible", "--class", "xterm", "windowfocus", "--sync")
        yield process
    finally:
        process.terminate()
        process.wait(20)


class Shared:
    """A display that is shared on a port of loopback with one viewer after the other, each in a thread of ours."""

    def __init__(self, display: Display, settings: ServerSettings | None = None, *,
                 may_act: Callable[[], bool] = lambda: True) -> None:
        self.display = display
        self.desktops: list[Desktop] = []
        self.servers: list[RfbServer] = []
        self._settings = settings or ServerSettings(name="shared screen")
        self._may_act = may_act
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            grabber = ScreenGrabber(self.display.name)
            injector = XTestInjector(self.display.name)
            watch = ScreenWatch(self.display.name)
            picture = grabber.grab()
            server = RfbServer(picture, self._settings, now=time.monotonic(), jpeg=PillowJpeg())
            hands = Hands(injector, grabber.area, (picture.shape[1], picture.shape[0]))
            desktop = Desktop(Pipe(sock), server, grabber, hands, watch, may_act=self._may_act)
            self.servers.append(server)
            self.desktops.append(desktop)
            desktop.run()
            for each in (hands, grabber, watch):
                each.close()

    def close(self) -> None:
        """End the session and the thread."""
        for desktop in self.desktops:
            desktop.stop()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)


@contextmanager
def shared(display: Display, settings: ServerSettings | None = None, *,
           may_act: Callable[[], bool] = lambda: True) -> Iterator[Shared]:
    """A display that is shared, see `Shared`."""
    desktop = Shared(display, settings, may_act=may_act)
    try:
        yield desktop
    finally:
        desktop.close()


@contextmanager
def tigervnc(display: Display, port: int, folder: Path, *options: str, host: str = "127.0.0.1",
             **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """TigerVNC's viewer on a display, connected to a port of this machine; its log is in `folder`."""
    log = (folder / "viewer.log").open("wb")
    arguments = ["xtigervncviewer", "-Log", "*:stderr:30", "-AlertOnFatalError=0", *options, f"{host}::{port}"]
    environment = {**os.environ, **UTF8, "DISPLAY": display.name, "HOME": str(folder), **environment}
    process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
        log.close()
