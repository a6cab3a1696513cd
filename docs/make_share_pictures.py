"""Makes the pictures of docs/how-to/share-your-screen.md: the picker, the bar, and the screen of another, in our window.

    python -m docs.make_share_pictures [FOLDER]

Everything in the pictures is real: a server on a free port, our window on a screen of its own (Xvfb), a phone without a window
that shares the terminal of another screen. Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from confero.testing import Server, start_server
from docs.make_picture import start, wait_until
from tests.helpers.screen import Display, display

FOLDER = Path(__file__).resolve().parent / "images"
ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 800
WINDOW = (1240, 760)
THIRD_TILE, SHARE = (815, 370), (865, 478)
"""Places in the picker."""
COLOURS = 128
DRAWN_S = 1.5
"""Until what has come about is drawn."""


@contextmanager
def terminal(screen: Display, title: str, command: str, *options: str) -> Iterator[None]:
    """A terminal with something to read."""
    arguments = ["xterm", "-T", title, "-bg", "#10141c", "-fg", "#d6dce6", "-fa", "DejaVu Sans Mono", *options,
                 "-e", "sh", "-c", f"{command}; sleep 600"]
    process = subprocess.Popen(arguments, env={**os.environ, "DISPLAY": screen.name}, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        screen.xdotool("search", "--sync", "--onlyvisible", "--name", f"^{title}$")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def phone(screen: Display, *arguments: str) -> Iterator[None]:
    """A phone on a screen."""
    process = start(*arguments, display_name=screen.name)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def shared(server: Server) -> bool:
    """Whether somebody shares."""
    return any("share begun" in line for line in server.log.read_text("utf-8").splitlines())


def joined(screen: Display, server: Server) -> bool:
    """Whether the window is in the room; presses its "Join now" while it is not."""
    if len(server.json("room", "people", "daily")) > 1:
        return True
    screen.key("Return")
    return False


def pictures(screen: Display, other: Display, server: Server, folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """One after the other, with its name."""
    settings = folder / "phone.toml"
    settings.write_text('[settings]\ntheme = "dark"\nlanguage = "en"\njoin_video = false\n')
    window = (server.uri("daily"), "--display-name", "Alice Ng", "--play", "tone:300@-70", "--config", str(settings))
    options = ("-fs", "10", "-geometry", "100x40+60+40")
    with terminal(screen, "Release plan", "head -30 README.md", *options), phone(screen, *window):
        screen.xdotool("search", "--sync", "--onlyvisible", "--class", "^Confero$")
        wait_until(lambda: joined(screen, server), "the window has joined")
        time.sleep(DRAWN_S)
        screen.click(700, 20)
        screen.key("d")
        time.sleep(2 * DRAWN_S)
        yield "share-picker", screen.picture()
        screen.click(*THIRD_TILE)
        time.sleep(DRAWN_S)
        screen.click(*SHARE)
        wait_until(lambda: shared(server), "our window is shared")
        time.sleep(2 * DRAWN_S)
        yield "share-bar", screen.picture()
        screen.click(700, 20)
        screen.key("d")
        time.sleep(DRAWN_S)
        anna = ("--headless", server.uri("daily"), "--share", "screen", "--display-name", "Anna Weber")
        listing = "ls --color=always -la docs softphone/media | head -34"
        with terminal(other, "Minutes", listing, "-fs", "15", "-geometry", "110x40+0+0"), phone(other, *anna):
            time.sleep(5 * DRAWN_S)
            screen.xdotool("mousemove", 1, 1)
            time.sleep(DRAWN_S)
            yield "share-seen", screen.picture()


def main(arguments: list[str]) -> None:
    """Make the three pictures."""
    target = Path(arguments[0]) if arguments else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, display(WIDTH, HEIGHT) as screen, display(1280, 900) as other:
        server = start_server(Path(name) / "server", "--open")
        try:
            server.json("room", "create", "daily")
            with phone(other, "--headless", server.uri("daily"), "--display-name", "Ben Okafor"):
                wait_until(lambda: bool(server.json("room", "people", "daily")), "Ben is there")
                for title, image in pictures(screen, other, server, Path(name)):
                    image.crop((0, 0, *WINDOW)).quantize(COLOURS).save(target / f"{title}.png", optimize=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
