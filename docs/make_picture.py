"""Makes docs/images/meeting.png: our window in a meeting with three other phones, on a screen of its own (Xvfb).

    python -m docs.make_picture [FILE.png]

Everything in the picture is real: a server on a free port, three headless phones that speak, two of them with a film in place
of a camera, the window with a silent device and a film of its own. Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confero.testing import Server, start_server
from examples.portraits import make_films
from examples.robots import make_speech
from tests.helpers.screen import Display, display

PICTURE = Path(__file__).resolve().parent / "images" / "meeting.png"
PEOPLE = ("Anna Weber", "Ben Okafor", "李雷")
WIDTH, HEIGHT = 1280, 800
LIMIT_S = 30.0
SETTLED_S = 8.0
"""Until quality is measured and the chips show it."""


def start(*arguments: str, display_name: str = "") -> subprocess.Popen[bytes]:
    """Start a phone, in the background, on a display or without."""
    environment = {**os.environ, "DISPLAY": display_name} if display_name else dict(os.environ)
    return subprocess.Popen([sys.executable, "-m", "softphone", *arguments], env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so; ends the program when it does not come about."""
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: it did not come about within {LIMIT_S:.0f} s")
        time.sleep(0.3)


def people(server: Server) -> list[dict[str, Any]]:
    """Who is in the room."""
    found: list[dict[str, Any]] = server.json("room", "people", "daily")
    return found


def joined(screen: Display, server: Server) -> bool:
    """Whether the window is in the room; presses its "Join now" while it is not."""
    if len(people(server)) > len(PEOPLE):
        return True
    screen.key("Return")
    return False


def main(arguments: list[str]) -> None:
    """Make the picture."""
    picture = Path(arguments[0]) if arguments else PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, display(WIDTH, HEIGHT) as screen:
        speech = list(make_speech(Path(folder)).values())
        films = make_films(Path(folder))
        cameras = (str(films["anna"]), str(films["ben"]), "none")
        server = start_server(Path(folder) / "server")
        running: list[subprocess.Popen[bytes]] = []
        try:
            server.json("user", "add", "alice", "--password", "picture", "--display-name", "Alice Ng")
            server.json("room", "create", "daily", "--pin", "482913", "--owner", "alice")
            room = server.uri("daily.482913")
            for name, sound, camera in zip(PEOPLE, (str(speech[0]), str(speech[1]), "none"), cameras, strict=True):
                running.append(start("--headless", room, "--play", sound, "--loop", "--display-name", name, "--video", camera))
            wait_until(lambda: len(people(server)) == len(PEOPLE), "all are in the room")
            settings = Path(folder) / "phone.toml"
            settings.write_text('[settings]\ntheme = "dark"\nlanguage = "en"\n')
            running.append(start(server.uri("daily"), "--user", "alice", "--password", "picture", "--server",
                                 f"{server.host}:{server.port}", "--display-name", "Alice Ng", "--play", "tone:300@-70",
                                 "--video", str(films["cleo"]),
                                 "--config", str(settings), display_name=screen.name))
            wait_until(lambda: screen.picture().getbbox() is not None, "the window is there")
            wait_until(lambda: joined(screen, server), "the window has joined")
            time.sleep(SETTLED_S)
            wait_until(lambda: any(one["is_speaking"] for one in people(server)), "somebody speaks")
            image = screen.picture()
            image.crop(image.getbbox()).save(picture, optimize=True)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(10)
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
