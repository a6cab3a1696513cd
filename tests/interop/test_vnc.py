"""TigerVNC's viewer at our desktop: it sees the screen as it is, steers it when it may and not before; tshark reads along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtp.rfb import encodings
from rtp.rfb.server import ServerSettings
from tests.helpers.capture import Capture
from tests.helpers.screen import Display, display
from tests.helpers.vnc import shared, terminal, tigervnc, until

pytestmark = pytest.mark.interop

WIDTH, HEIGHT = 640, 480
WHOLE_SCREEN = ("-FullScreen", "-MenuKey=")


def shows_the_same(one: Display, other: Display) -> bool:
    """Whether two screens show the same, to the pixel."""
    return np.array_equal(np.asarray(one.picture()), np.asarray(other.picture()))


def focus(screen: Display) -> None:
    """Give the viewer the keyboard (there is no window manager to do it), and have the pointer on the terminal."""
    screen.xdotool("search", "--sync", "--onlyvisible", "--name", "TigerVNC", "windowfocus")
    screen.xdotool("mousemove", 200, 100)


@pytest.mark.parametrize(("options", "encoding"), [
    ((), encodings.TIGHT), (("-AutoSelect=0", "-PreferredEncoding=ZRLE"), encodings.ZRLE),
    (("-AutoSelect=0", "-PreferredEncoding=Raw"), encodings.RAW),
], ids=["as-shipped", "zrle", "raw"])
def test_viewer_shows_the_screen_to_the_pixel_while_text_scrolls(options: tuple[str, ...], encoding: int,
                                                                 tmp_path: Path) -> None:
    with (display(WIDTH, HEIGHT) as ours, display(WIDTH, HEIGHT) as theirs, shared(ours) as desktop,
          tigervnc(theirs, desktop.port, tmp_path, *WHOLE_SCREEN, *options)):
        until(lambda: desktop.servers and desktop.servers[0].state == "running")
        with terminal(ours, "for n in $(seq 90); do echo line $n of text that scrolls; sleep 0.01; done; exec cat"):
            until(lambda: shows_the_same(ours, theirs) and desktop.servers[0].picture.updates > 5)
        assert desktop.servers[0].picture._encoding == encoding
        assert desktop.servers[0].picture.continuous is not None
        until(lambda: shows_the_same(ours, theirs))


def test_viewer_types_latin_and_chinese_when_it_may_and_nothing_before(tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    typed.touch()
    grant: list[bool] = []
    with (display(WIDTH, HEIGHT) as ours, display() as theirs, terminal(ours, f"cat > {typed}"),
          shared(ours, may_act=lambda: bool(grant)) as desktop, tigervnc(theirs, desktop.port, tmp_path)):
        until(lambda: desktop.servers and desktop.servers[0].state == "running")
        focus(theirs)
        theirs.write("too early")
        theirs.key("Return")
        until(lambda: desktop.desktops[0].refused > 20)
        grant.append(True)
        theirs.write("Hello, World! 'x' @#~{}")
        theirs.key("Return")
        theirs.xdotool("type", "--delay", 60, "你好, größer, 漢字かな Ω")
        theirs.key("Return")
        theirs.key("ctrl+d")
        until(lambda: typed.read_text("utf-8").count("\n") == 2)
    assert typed.read_text("utf-8") == "Hello, World! 'x' @#~{}\n你好, größer, 漢字かな Ω\n"


@pytest.mark.parametrize("encoding", ["Raw", "Tight"])
def test_tshark_reads_a_session_without_extensions_and_has_no_complaint(encoding: str, tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    typed.touch()
    settings = ServerSettings(name="shared screen", has_extensions=False)
    with (display(WIDTH, HEIGHT) as ours, display() as theirs, shared(ours, settings) as desktop,
          Capture(tmp_path / "vnc.pcapng", capture_filter=f"tcp port {desktop.port}") as capture,
          terminal(ours, f"cat > {typed}"),
          tigervnc(theirs, desktop.port, tmp_path, "-AutoSelect=0", f"-PreferredEncoding={encoding}")):
        until(lambda: desktop.servers and desktop.servers[0].state == "running")
        focus(theirs)
        theirs.write("abc")
        theirs.key("Return")
        until(lambda: typed.read_text() == "abc\n")
    as_vnc = ("-d", f"tcp.port=={desktop.port},vnc")
    complaints = "_ws.malformed or _ws.expert.severity >= 8388608"              # errors; ZRLE it unpacks for one update only
    assert capture.fields(complaints, "frame.number", "_ws.expert", options=as_vnc) == []
    assert capture.fields("vnc.desktop_name", "vnc.desktop_name", options=as_vnc) == [["shared screen"]]
    rows = capture.fields("vnc.key_down == 1", "vnc.key", options=as_vnc)       # of two keys in a packet it shows the first
    keys = [int(key, 16) for key, in rows]
    assert keys and keys == [key for key in (ord("a"), ord("b"), ord("c"), 0xFF0D) if key in keys]
