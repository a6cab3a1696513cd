"""Makes the pictures of docs/how-to/use-the-dashboard.md: a real server, phones that play tones, headless Chromium.

    python -m docs.make_dashboard_pictures [FOLDER]

Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from confero.testing import Server, free_port, start_server
from docs.make_picture import start
from tests.helpers.browser import Browser, Page

FOLDER = Path(__file__).resolve().parent / "images"
PASSWORD = "picture"  # noqa: S105
COLOURS = 160
PEOPLE = (("Alice Chen", 440), ("王小明", 1000), ("Bob Smith", 300))
ROOMS = ("weekly", "board")


@contextmanager
def people(server: Server, work: Path) -> Iterator[None]:
    """Phones in the room `daily`, the first of them its host."""
    phones = [start(server.uri("daily"), "--headless", "--play", f"tone:{hz}@{-22 - 9 * number}", "--seconds", "120",
                    "--display-name", name, "--transport", "tls", "--server", f"{server.host}:{server.tls_port}",
                    "--config", str(work / f"phone-{number}.toml"))
              for number, (name, hz) in enumerate(PEOPLE)]
    try:
        yield
    finally:
        for phone in phones:
            phone.terminate()
            phone.wait(10)


def log_in(page: Page) -> None:
    """As the administrator, with everybody there and heard."""
    page.fill("input[name=user]", "root")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.click("[data-room=daily]")
    page.until(f"document.querySelectorAll('tr[data-id]').length === {len(PEOPLE)}")
    page.until("[...document.querySelectorAll('td.good')].length >= 3")


def save(page: Page, name: str, folder: Path, work: Path) -> None:
    """One picture, with few colours."""
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    page.picture(work / name)
    with Image.open(work / name) as taken:
        taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(folder / name, optimize=True)


def main(arguments: list[str]) -> int:
    """Write the pictures."""
    folder = Path(arguments[0]) if arguments else FOLDER
    with tempfile.TemporaryDirectory() as name:
        work, port = Path(name), free_port()
        server = start_server(work / "server", "--open", "--domain", "meet.example", "--http-port", str(port))
        try:
            server.json("user", "add", "root", "--password", PASSWORD, "--admin")
            for room in ("daily", *ROOMS):
                server.json("room", "create", room)
            with people(server, work), Browser(work) as browser:
                page = browser.open(f"http://127.0.0.1:{port}/", (1240, 760))
                log_in(page)
                page.click("tr[data-id]:last-child [data-verb=mute]")
                page.until("document.querySelector('tr.is-muted')")
                page.click("[data-verb=more]")
                save(page, "dashboard-more.png", folder, work)
                page.click("dialog button:not(.main)")
                save(page, "dashboard-light.png", folder, work)
                page.click("header button:nth-of-type(1)")
                page.click("header button:nth-of-type(2)")
                page.resize(820, 900)
                page.until("document.querySelectorAll('.facts div').length")
                page.until("document.querySelectorAll('tr.is-muted').length === 1")
                save(page, "dashboard-dark.png", folder, work)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
