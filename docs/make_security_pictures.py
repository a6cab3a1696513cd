"""Makes the pictures of docs/how-to/somebody-in-between.md: what our window shows while somebody is between it and the server.

    python -m docs.make_security_pictures [FOLDER]

Everything in the pictures is real: a server on a free port, somebody in between as the tests have him, our window on a screen
of its own (Xvfb). Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from confero.testing import Server, start_server
from docs.make_picture import start, wait_until
from rtp.keying.certificate import Certificate
from tests.helpers.in_between import HOST, SdpInBetween, TlsInBetween, strip_keys, swap_fingerprints
from tests.helpers.screen import Display, display

FOLDER = Path(__file__).resolve().parent / "images"
WIDTH, HEIGHT = 1000, 640
COLOURS = 96
SHOWN_S = 2.5
"""Until what has come about is drawn."""
PASSWORD = "picture"  # noqa: S105


def settings(folder: Path, certificates: str = "") -> Path:
    """The window's file."""
    path = folder / f"phone-{time.monotonic_ns()}.toml"
    path.write_text(f'[settings]\ntheme = "light"\nlanguage = "en"\n{certificates}')
    return path


@contextmanager
def window(screen: Display, *arguments: str) -> Iterator[None]:
    """Our window, open."""
    process = start(*arguments, "--play", "tone:300@-70", display_name=screen.name)
    try:
        wait_until(lambda: screen.picture().getbbox() is not None, "the window is there")
        yield
    finally:
        process.terminate()
        process.wait(10)


def signed_in(screen: Display, folder: Path, port: int, certificates: str = "") -> Image.Image:
    """The window of somebody who signs in at a port by TLS."""
    with window(screen, "--user", "alice", "--password", PASSWORD, "--server", f"{HOST}:{port}", "--transport", "tls",
                "--config", str(settings(folder, certificates))):
        time.sleep(2 * SHOWN_S)
        return screen.picture()


def called(screen: Display, folder: Path, server: Server, port: int, *, stays: bool) -> Image.Image:
    """The window of somebody who joins a room through a port: in the room, or after the call has ended."""
    with window(screen, f"sip:daily@{HOST}:{port}", "--display-name", "Alice Ng", "--config", str(settings(folder))):
        before, deadline = len(server.json("call", "list", "--all")), time.monotonic() + 20
        while time.monotonic() < deadline and len(server.json("call", "list", "--all")) == before:
            screen.key("Return")                        # into the window that is just opening; once too often would join anew
            press_again_at = time.monotonic() + 3
            while time.monotonic() < press_again_at and len(server.json("call", "list", "--all")) == before:
                time.sleep(0.2)
        time.sleep((3 if stays else 1.5) * SHOWN_S)
        if stays:
            screen.xdotool("mousemove", 1, 1)
        return screen.picture()


def save(image: Image.Image, path: Path) -> None:
    """A small file: what matters are words."""
    image.crop(image.getbbox()).quantize(COLOURS).save(path, optimize=True)


def main(arguments: list[str]) -> None:
    """Make the four pictures."""
    target = Path(arguments[0]) if arguments else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, display(WIDTH, HEIGHT) as screen:
        folder = Path(name)
        server = start_server(folder / "server", "--open")
        try:
            server.json("user", "add", "alice", "--password", PASSWORD, "--display-name", "Alice Ng")
            with TlsInBetween(server.tls_port, folder) as man:
                save(signed_in(screen, folder, man.port), target / "between-first-contact.png")
                known = f'[certificates]\n"{HOST}" = "{":".join(["3B"] * 32)}"\n'
                save(signed_in(screen, folder, man.port, known), target / "between-changed.png")
            swap = swap_fingerprints(Certificate.create(datetime.now(UTC)))
            with SdpInBetween((server.host, server.port), swap) as man:
                save(called(screen, folder, server, man.port, stays=False), target / "between-swapped.png")
            with SdpInBetween((server.host, server.port), strip_keys) as man:
                save(called(screen, folder, server, man.port, stays=True), target / "between-stripped.png")
        finally:
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
