"""Makes the pictures of docs/how-to/control-a-desktop.md: asked, controlled, taken back, in two windows of ours.

    python -m docs.make_desktop_pictures [FOLDER]

Everything in the pictures is real: a server on a free port, two windows on screens of their own (Xvfb), a terminal on the first
into which the second types. Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image

from confero.testing import Server, start_server
from docs.make_picture import start, wait_until
from tests.helpers.screen import Display, display
from tests.helpers.vnc import terminal

FOLDER = Path(__file__).resolve().parent / "images"
OWNER, CONTROLLER = (1240, 1000), (1240, 760)
SHARE, ALLOW = (864, 478), (601, 468)
"""Places in the owner's window: of the picker, and of the question."""
ASK, TERMINAL = (1150, 729), (300, 570)
"""Places in the controller's: of the line below, and of the terminal in the picture of the desktop."""
COLOURS = 128
DRAWN_S = 2.0
"""Until what has come about is drawn."""


@contextmanager
def window(screen: Display, name: str, server: Server, folder: Path, people: int) -> Iterator[None]:
    """A window of ours in the room, as the so-many-eth member."""
    settings = folder / f"{name}.toml"
    settings.write_text('[settings]\ntheme = "dark"\nlanguage = "en"\njoin_video = false\n')
    process = start(server.uri("daily"), "--display-name", name, "--play", "tone:300@-70", "--config", str(settings),
                    display_name=screen.name)
    try:
        screen.xdotool("search", "--sync", "--onlyvisible", "--class", "^Confero$")
        wait_until(lambda: joined(screen, server, people), f"{name} has joined")
        time.sleep(DRAWN_S)
        yield
    finally:
        process.terminate()
        process.wait(10)


def joined(screen: Display, server: Server, people: int) -> bool:
    """Whether so many are in the room; presses "Join now" while they are not."""
    if server.cli("room", "people", "daily", "--json").stdout.count('"uri"') >= people:
        return True
    screen.key("Return")
    return False


def noted(server: Server, step: str) -> None:
    """Wait until the server has noted a step, and the windows have drawn it."""
    wait_until(lambda: step in server.log.read_text("utf-8"), step)
    time.sleep(DRAWN_S)


def pictures(owner: Display, controller: Display, server: Server) -> Iterator[tuple[str, Image.Image]]:
    """One after the other, with its name."""
    owner.xdotool("search", "--onlyvisible", "--class", "^Confero$", "windowfocus", "--sync")
    owner.click(700, 20)
    owner.key("d")
    time.sleep(2 * DRAWN_S)
    owner.click(*SHARE)
    noted(server, "share begun")
    controller.click(*ASK)
    noted(server, "control asked")
    yield "desktop-asked", owner.picture().crop((0, 0, *CONTROLLER))
    owner.click(*ALLOW)
    noted(server, "desktop seen")
    owner.xdotool("search", "--onlyvisible", "--class", "^XTerm$", "windowfocus", "--sync")
    controller.xdotool("mousemove", *TERMINAL)
    controller.xdotool("mousemove", TERMINAL[0] + 10, TERMINAL[1] + 5)
    time.sleep(DRAWN_S)
    controller.write("Good morning, ")
    controller.xdotool("type", "--delay", 1200, "你好.")
    controller.key("Return")
    time.sleep(DRAWN_S)
    yield "desktop-controlled", controller.picture().crop((0, 0, *CONTROLLER))
    yield "desktop-owner", owner.picture().crop((0, 0, *OWNER))
    owner.xdotool("key", "--delay", 60, "Escape", "Escape")
    noted(server, "control ended")
    yield "desktop-taken-back", controller.picture().crop((0, 0, *CONTROLLER))


def main(arguments: list[str]) -> None:
    """Make the pictures."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = start_server(work / "server", "--open")
        stack.callback(server.stop)
        owner, controller = stack.enter_context(display(1280, 1000)), stack.enter_context(display(1280, 800))
        stack.enter_context(window(owner, "Anna Weber", server, work, 1))
        stack.enter_context(window(controller, "Ben Okafor", server, work, 2))
        stack.enter_context(terminal(owner, "cat > /dev/null", "-fa", "Mono", "-fs", "12", "-geometry", "90x8+20+800"))
        time.sleep(DRAWN_S)
        for name, picture in pictures(owner, controller, server):
            path = folder / f"{name}.png"
            picture.quantize(COLOURS).save(path, optimize=True)
            print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
