"""TigerVNC's server seen and steered by our viewer, in every encoding that both know."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from Xlib import X

from rtp.rfb import encodings
from rtp.rfb.keysyms import RETURN, keysym_of
from rtp.rfb.pixels import Pixels
from rtp.rfb.viewer import CursorChanged, DesktopOpened, RfbViewer, ViewerSettings
from softphone.remote.jpeg import PillowJpeg
from softphone.remote.pipe import Pipe
from softphone.remote.x11 import open_display
from tests.helpers.relay import End, turn_until
from tests.helpers.rfb import photograph
from tests.helpers.screen import Display
from tests.helpers.vnc import terminal

pytestmark = pytest.mark.interop


@contextmanager
def tigervnc_server(folder: Path) -> Iterator[tuple[Display, Path]]:
    """An X server that is a VNC server, on a socket in a folder."""
    read_end, write_end = os.pipe()
    path = folder / "vnc.sock"
    command = ["Xtigervnc", "-displayfd", str(write_end), "-geometry", "800x600", "-depth", "24", "-rfbport", "-1",
               "-rfbunixpath", str(path), "-SecurityTypes", "None", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        assert number, "the server did not start"
        yield Display(f":{number}"), path
    finally:
        process.terminate()
        process.wait(20)


def picture_of(display: Display) -> Pixels:
    """What a screen shows, as our pixels."""
    octets = np.asarray(display.picture(), np.uint32)
    return octets[..., 0] << 16 | octets[..., 1] << 8 | octets[..., 2]


def is_close(one: Pixels, other: Pixels) -> bool:
    """Whether each colour is nearly the same on the average."""
    return all(np.abs((one >> shift & 255).astype(int) - (other >> shift & 255).astype(int)).mean() < 4 for shift in (0, 8, 16))


def paint(display: Display, picture: Pixels) -> None:
    """Put a picture on a screen's background."""
    connection = open_display(display.name)
    root = connection.screen().root
    graphics = root.create_gc()
    height, width = picture.shape
    for top in range(0, height, 20):                       # a request has its limits
        root.put_image(graphics, 0, top, width, 20, X.ZPixmap, 24, 0, picture[top:top + 20].astype("<u4").tobytes())
    connection.sync()
    connection.close()


@pytest.mark.parametrize("pictures", [(encodings.TIGHT, encodings.COPY_RECT), (encodings.ZRLE, encodings.COPY_RECT),
                                      (encodings.RAW,)], ids=["tight", "zrle", "raw"])
@pytest.mark.parametrize("is_continuous", [True, False], ids=["continuous", "requested"])
async def test_desktop_of_another_server_is_seen_to_the_pixel_and_steered(pictures: tuple[int, ...], is_continuous: bool,
                                                                          tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with (tigervnc_server(tmp_path) as (screen, path), terminal(screen, f"ls -l /usr/bin | tail -40; cat > {typed}"),
          socket.socket(socket.AF_UNIX) as sock):
        sock.connect(str(path))
        viewer = RfbViewer(ViewerSettings(pictures=pictures, wants_continuous_updates=is_continuous), now=0.0)
        end = End(viewer, Pipe(sock))
        await turn_until(lambda: any(isinstance(event, DesktopOpened) for event in end.events), end)
        viewer.move_pointer(100, 100, 0)
        for character in "Hello, world! größer":
            viewer.press_key(keysym_of(character), True)
            viewer.press_key(keysym_of(character), False)
        viewer.press_key(RETURN, True)
        viewer.press_key(RETURN, False)
        await turn_until(lambda: typed.exists() and typed.read_text("utf-8").endswith("\n"), end)
        await turn_until(lambda: np.array_equal(viewer.framebuffer, picture_of(screen)), end)
        assert any(isinstance(event, CursorChanged) for event in end.events)
    assert typed.read_text("utf-8") == "Hello, world! größer\n"


async def test_jpeg_of_another_server_is_close_to_its_picture(tmp_path: Path) -> None:
    with tigervnc_server(tmp_path) as (screen, path), socket.socket(socket.AF_UNIX) as sock:
        paint(screen, photograph(800, 600))
        truth = picture_of(screen)
        sock.connect(str(path))
        viewer = RfbViewer(ViewerSettings(pictures=(encodings.TIGHT,)), now=0.0, jpeg=PillowJpeg())
        end = End(viewer, Pipe(sock))
        await turn_until(lambda: viewer.framebuffer.shape == truth.shape and is_close(viewer.framebuffer, truth), end)
        assert not np.array_equal(viewer.framebuffer, truth)
