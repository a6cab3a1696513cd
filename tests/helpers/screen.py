"""A screen without a monitor: Xvfb on a free display, pictures of it, and a mouse and keyboard (xdotool)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageGrab

START_S = 20


@dataclass(frozen=True, slots=True)
class Display:
    """A running X server; `name` is what goes into $DISPLAY."""

    name: str

    def xdotool(self, *arguments: object) -> None:
        """Run one xdotool command here."""
        subprocess.run(["xdotool", *map(str, arguments)], env={**os.environ, "DISPLAY": self.name}, check=True, timeout=20,
                       capture_output=True)

    def click(self, x: int, y: int) -> None:
        """Click the left button at a place of the screen."""
        self.xdotool("mousemove", x, y, "click", 1)

    def key(self, name: str) -> None:
        """Press and release a key, by its X name."""
        self.xdotool("key", name)

    def write(self, text: str) -> None:
        """Type a text."""
        self.xdotool("type", "--delay", 15, text)

    def picture(self) -> Image.Image:
        """What the screen shows, as RGB."""
        return ImageGrab.grab(xdisplay=self.name).convert("RGB")

    def save(self, path: Path) -> None:
        """Write what the screen shows into a PNG file."""
        self.picture().save(path)


@contextmanager
def display(width: int = 1280, height: int = 800) -> Iterator[Display]:
    """A new X server on a display that it chooses itself; ended at the end."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError(f"Xvfb did not start (exit status {process.wait(START_S)})")
        yield Display(f":{number}")
    finally:
        process.terminate()
        process.wait(START_S)
