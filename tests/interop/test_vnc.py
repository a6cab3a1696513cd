"""TigerVNC's viewer at our desktop: it sees the screen as it is, steers it when it may and not before; tshark reads along."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from pathlib import Path

import numpy as np
import pytest

from mcu.relay.messages import DesktopEnded, DesktopJoined, Door, RelayReport, TicketRefused
from mcu.relay.process import DesktopRelay
from rtp.rfb import encodings
from rtp.rfb.messages import KeyEvent
from rtp.rfb.server import RfbServer, ServerSettings
from tests.helpers.capture import Capture
from tests.helpers.relay import VIEWER_ID, End, Phone, tickets, turn_until
from tests.helpers.rfb import text
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
        while not desktop.desktops[0].refused:                        # the viewer may not listen to its keyboard yet
            focus(theirs)
            theirs.write("too early")
            theirs.key("Return")
        assert typed.read_text() == ""
        grant.append(True)
        theirs.key("Return")                                          # ends what may be left of the line before
        theirs.write("Hello, World! 'x' @#~{}")
        theirs.key("Return")
        theirs.xdotool("type", "--delay", 60, "你好, größer, 漢字かな Ω")
        theirs.key("Return")
        theirs.key("ctrl+d")
        until(lambda: typed.read_text("utf-8").endswith("Ω\n"))
    lines = typed.read_text("utf-8").splitlines()
    assert lines[-2:] == ["Hello, World! 'x' @#~{}", "你好, größer, 漢字かな Ω"] and "too early" not in lines


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
        while not typed.read_text():                                  # the viewer may not listen to its keyboard yet
            focus(theirs)
            theirs.write("abc")
            theirs.key("Return")
    as_vnc = ("-d", f"tcp.port=={desktop.port},vnc")
    complaints = "_ws.malformed or _ws.expert.severity >= 8388608"              # errors; ZRLE it unpacks for one update only
    assert capture.fields(complaints, "frame.number", "_ws.expert", options=as_vnc) == []
    assert capture.fields("vnc.desktop_name", "vnc.desktop_name", options=as_vnc) == [["shared screen"]]
    rows = capture.fields("vnc.key_down == 1", "vnc.key", options=as_vnc)       # of two keys in a packet it shows the first
    keys = [int(key, 16) for key, in rows]
    assert keys and set(keys) <= {ord("a"), ord("b"), ord("c"), 0xFF0D}


@pytest.mark.parametrize("door", [Door.VNC_TLS, Door.VNC_PLAIN], ids=["x509-plain", "vnc-auth"])
async def test_viewer_comes_in_by_the_servers_door_with_its_ticket_once_and_acts_with_the_floor(door: Door,
                                                                                              tmp_path: Path) -> None:
    reports: list[RelayReport] = []
    alice = Phone()
    with (socket.create_server(("127.0.0.1", 0)) as phones, socket.create_server(("127.0.0.1", 0)) as viewers,
          display() as screen):
        async with DesktopRelay(reports.append, "localhost") as relay:
            relay.open_door(Door.PHONES, phones)
            relay.open_door(door, viewers)
            opened, hers, his = tickets(1, alice, None, plain_word="tick3t42")
            relay.open_desktop(opened)
            relay.set_holder(1, VIEWER_ID)
            owner = End(RfbServer(text(WIDTH, HEIGHT), now=time.monotonic()),
                        alice.connect(phones.getsockname()[1], relay.certificate, hers))
            (tmp_path / "relay.pem").write_text(ssl.DER_cert_to_PEM_cert(relay.certificate))
            (tmp_path / "again").mkdir()
            options = {Door.VNC_TLS: ("-SecurityTypes=X509Plain", f"-X509CA={tmp_path / 'relay.pem'}"),
                       Door.VNC_PLAIN: ("-SecurityTypes=VncAuth",)}[door]
            words = {"VNC_USERNAME": "daily", "VNC_PASSWORD": his if door is Door.VNC_TLS else "tick3t42"}
            port = viewers.getsockname()[1]
            with tigervnc(screen, port, tmp_path, *options, host="localhost", **words):
                await turn_until(lambda: DesktopJoined(1) in reports and owner.core.picture.updates > 0, owner)
                while not any(isinstance(event, KeyEvent) for event in owner.events):     # the viewer may not listen yet
                    focus(screen)
                    screen.write("x")
                    with contextlib.suppress(TimeoutError):
                        await turn_until(lambda: any(isinstance(event, KeyEvent) for event in owner.events), owner, limit_s=2)
                with tigervnc(screen, port, tmp_path / "again", *options, host="localhost", **words):
                    await turn_until(lambda: any(isinstance(report, TicketRefused) for report in reports), owner)
            await turn_until(lambda: DesktopEnded(1, "the viewer left") in reports, owner)
