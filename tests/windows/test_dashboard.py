"""The dashboard in a real browser, over a real server with callers that speak: what is clicked is heard, and names are text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from tests.helpers.browser import Browser, Page
from tests.helpers.crowd import LEVEL_DBFS, Crowd
from tests.helpers.ports import free_port

pytestmark = pytest.mark.window
EVIL = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
MUTED = "[...document.querySelectorAll('tr.is-muted .name')].map((node) => node.textContent).join()"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server whose rooms are open to all, with an administrator, and the address of its page."""
    port = free_port()
    running = start_server(tmp_path / "server", "--open", "--http-port", str(port), "--workers", "1")
    running.json("user", "add", "root", "--password", "secret", "--admin")
    yield running, f"http://127.0.0.1:{port}/"
    running.stop()


@asynccontextmanager
async def talking(crowd: Crowd) -> AsyncIterator[None]:
    """Let everybody talk meanwhile."""
    task = asyncio.create_task(crowd.talk(120))
    yield
    task.cancel()


def log_in(page: Page) -> None:
    """As an administrator."""
    page.fill("input[name=user]", "root")
    page.fill("input[name=password]", "secret")
    page.click("button[type=submit]")
    page.click("[data-room=daily]")
    page.click("[data-verb=admit]")
    page.until("document.querySelectorAll('tr[data-id]').length === 2")


def row_of(page: Page, name: str) -> str:
    """The selector of somebody's row."""
    number = page.until(f"[...document.querySelectorAll('tr[data-id]')].find((row) => row.innerText.includes({name!r}))"
                        "?.dataset.id")
    return f"tr[data-id='{number}']"


async def test_who_is_muted_by_a_click_is_heard_no_more_and_a_name_is_no_markup(site: tuple[Server, str],
                                                                               tmp_path: Path) -> None:
    server, url = site
    with Browser(tmp_path) as browser:
        async with Crowd(server) as crowd:
            server.json("room", "create", "daily", "--lobby")
            ann = await crowd.join("daily", 440, name="ann")
            bob = await crowd.join("daily", 1000, name="bob", shown=EVIL)
            async with talking(crowd):
                page = await asyncio.to_thread(browser.open, url)
                await asyncio.to_thread(log_in, page)
                row = await asyncio.to_thread(row_of, page, "ann")
                await asyncio.to_thread(page.until, f"parseInt(document.querySelector(\"{row} .level div\").style.width) > 20")
                await asyncio.to_thread(page.until, f"document.querySelector(\"{row}\").innerText.includes('PCMU')")
                await asyncio.to_thread(page.click, f"{row} [data-verb=mute]")
                assert await asyncio.to_thread(page.until, MUTED) == "ann"
            shown = await asyncio.to_thread(page.text, "tr[data-id]:nth-of-type(2)")
            assert "<script>document.title='owned'</script>" in shown and page.run("document.title") == "Confero"
            assert page.run("document.querySelectorAll('img, body script').length") == 0
            await crowd.talk(0.5)
            crowd.forget()
            await crowd.talk(2.0)
            assert len(bob.heard) > 20 and max(bob.narrow_levels_dbfs(440)) < LEVEL_DBFS - 40
            assert max(ann.narrow_levels_dbfs(1000)) > LEVEL_DBFS - 3
            await asyncio.to_thread(page.click, "[data-verb=lock]")
            await asyncio.to_thread(page.until, "document.querySelector('h2 + .muted').innerText.includes('locked')")
            with pytest.raises(ConnectionRefusedError, match="locked"):
                await crowd.join("daily", 700)
            await asyncio.to_thread(page.click, f"{row} [data-verb=kick]")
            await asyncio.to_thread(page.click, "dialog button.danger")
            await asyncio.to_thread(page.until, "document.querySelectorAll('tr[data-id]').length === 1")
            told = "document.querySelector('.events').innerText.includes('ann was removed from daily')"
            await asyncio.to_thread(page.until, told)
        assert page.errors == []
        assert {request.split("/")[2] for request in page.requests if "://" in request} == {url.split("/")[2]}
