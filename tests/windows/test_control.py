"""One steers another's desktop through a real server: asked, granted, typed, taken back; what is refused arrives nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from rtp.rfb.keysyms import keysym_of
from sip.bfcp.attributes import Status
from softphone.call import Call
from softphone.floors import CONTROL, SCREEN
from softphone.phone import Phone
from softphone.remote.desktops import CONTROL_IT, DENY, VIEW
from softphone.remote.part import Part
from softphone.remote.watching import Watching
from tests.helpers.screen import Display, display
from tests.helpers.vnc import terminal, tigervnc

pytestmark = pytest.mark.window

SENTENCE = "The quick brown fox; 敏捷的棕色狐狸 你好!"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of them, each in a room of its own."""
    running = start_server(tmp_path_factory.mktemp("server"), "--open")
    yield running
    running.stop()


def has_logged(server: Server, verb: str, room: str) -> bool:
    """Whether a step was noted in a room."""
    return f"{verb} room={room} " in server.log.read_text()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so; fails when it does not come about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def in_a_room(server: Server, room: str) -> AsyncIterator[tuple[Call, Call]]:
    """Anna and Bernd in a room."""
    async with Phone(listen="127.0.0.1", display_name="Anna") as one, Phone(listen="127.0.0.1", display_name="Bernd") as two:
        anna, bernd = await one.call(server.uri(room)), await two.call(server.uri(room))
        await until(lambda: anna.desktops.state.is_possible and bernd.desktops.state.is_possible)
        yield anna, bernd


async def share(anna: Call, bernd: Call, screen: Display) -> None:
    """Anna shares a screen, and Bernd's phone knows."""
    anna.desktops.part = Part(screen.name)
    assert (await anna.floors.ask(SCREEN)).status is Status.GRANTED
    await until(lambda: bernd.desktops.state.sharer == "Anna" and anna.desktops.state.is_ours)


async def asks(bernd: Call, anna: Call, answer: str, *, has_clipboard: bool = False) -> None:
    """Bernd asks for control, and Anna answers."""
    bernd.desktops.ask_for_control()
    await until(lambda: anna.desktops.state.requests)
    request = anna.desktops.state.requests[0]
    assert request.name == "Bernd"
    anna.desktops.answer(request.request_id, answer, has_clipboard=has_clipboard)


def type_text(watching: Watching, text: str) -> None:
    """Press and release the keys of a text."""
    for character in text:
        for is_down in (True, False):
            watching.press_key(keysym_of(character), is_down)


async def test_one_types_on_anothers_desktop_until_it_is_taken_back(server: Server, tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with display(640, 480) as screen, terminal(screen, f"cat > {typed}"):
        async with in_a_room(server, "typing") as (anna, bernd):
            await share(anna, bernd, screen)
            heard: list[str] = []
            anna.desktops.copied = heard.append
            await asks(bernd, anna, CONTROL_IT)
            await until(lambda: bernd.desktops.state.view is not None and bernd.desktops.state.view_size == (640, 480))
            await until(lambda: bernd.desktops.state.may_act and anna.desktops.state.controller == "Bernd")
            view = bernd.desktops.state.view
            assert isinstance(view, Watching)
            view.set_clipboard("was not allowed")
            view.move_pointer(60, 60, 0)
            type_text(view, SENTENCE + "\n")
            await until(lambda: typed.exists() and typed.read_text("utf-8").endswith("\n"))
            assert typed.read_text("utf-8") == SENTENCE + "\n"
            await asyncio.to_thread(screen.xdotool, "key", "--delay", "60", "Escape", "Escape")
            await until(lambda: not bernd.desktops.state.may_act)
            type_text(view, "rm -rf everything\n")
            await until(lambda: has_logged(server, "input refused", "typing"))
            assert "rm" not in typed.read_text("utf-8") and heard == []
            assert next(iter(anna.desktops.shown.values())).end is not None


async def test_what_was_not_granted_does_nothing(server: Server, tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with display(640, 480) as screen, terminal(screen, f"cat > {typed}"):
        async with in_a_room(server, "refused") as (anna, bernd), Phone(listen="127.0.0.1", display_name="Chen") as third:
            await share(anna, bernd, screen)
            chen = await third.call(server.uri("refused"))
            await until(lambda: chen.desktops.state.sharer == "Anna")
            bernd.desktops.ask_for_control()
            await until(lambda: anna.desktops.state.requests)
            for stranger in (bernd, chen):                            # neither who asks nor a third one may grant it
                stranger.floors.decide(anna.desktops.state.requests[0].request_id, Status.GRANTED)
            assert await chen.media.desktop_line.ask("recvonly", chen._offer_again) is None
            assert await chen.media.desktop_line.ask("sendonly", chen._offer_again) is None
            assert anna.desktops.state.controller == "" and not bernd.desktops.state.may_act
            bernd.desktops.release()
            await until(lambda: not anna.desktops.state.requests and not bernd.desktops.state.is_asking)
            await asks(bernd, anna, DENY)
            await until(lambda: not bernd.desktops.state.is_asking)
            assert bernd.desktops.state.view is None
            await asks(bernd, anna, VIEW)
            await until(lambda: bernd.desktops.state.view_size == (640, 480))
            view = bernd.desktops.state.view
            assert isinstance(view, Watching) and not bernd.desktops.state.may_act
            type_text(view, "never\n")
            view.move_pointer(600, 400, 1)
            await until(lambda: has_logged(server, "input refused", "refused"))
            assert typed.read_text("utf-8") == ""
            await asks(bernd, anna, CONTROL_IT)                       # the same window, and now it may
            await until(lambda: bernd.desktops.state.may_act and anna.desktops.state.controller == "Bernd")
            assert bernd.desktops.state.view is view
            view.move_pointer(60, 60, 0)
            type_text(view, "now\n")
            await until(lambda: typed.read_text("utf-8") == "now\n")
            bernd.floors.release(CONTROL)
            await until(lambda: not bernd.desktops.state.may_act)
            type_text(view, "after\n")
            anna.floors.release(SCREEN)
            await until(lambda: bernd.desktops.state.view is None and not anna.desktops.shown)
        assert typed.read_text("utf-8") == "now\n"


async def test_a_stock_viewer_controls_by_a_ticket_once_the_owner_agrees(server: Server, tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with display(640, 480) as screen, display(900, 700) as elsewhere, terminal(screen, f"cat > {typed}"):
        async with in_a_room(server, "stock") as (anna, bernd):
            assert "nobody shares" in (await asyncio.to_thread(server.cli, "room", "desktop", "stock")).stderr
            await share(anna, bernd, screen)
            ticket = await asyncio.to_thread(server.json, "room", "desktop", "stock", "--viewer", "Support")
            await until(lambda: anna.desktops.state.requests)
            assert anna.desktops.state.requests[0].name == "Support" and ticket["owner"] == "Anna"
            anna.desktops.answer(anna.desktops.state.requests[0].request_id, CONTROL_IT)
            await until(lambda: "Support" in anna.desktops.state.viewers)
            host, _, port = ticket["address"].partition("::")
            options = ("-SecurityTypes=X509Plain", f"-X509CA={ticket['certificate']}")
            with tigervnc(elsewhere, int(port), tmp_path, *options, host=host, VNC_USERNAME=ticket["user"],
                          VNC_PASSWORD=ticket["password"]):
                await until(lambda: has_logged(server, "desktop seen", "stock"))
                while "stock\n" not in typed.read_text():
                    await asyncio.to_thread(write_there, elsewhere)
            await until(lambda: anna.desktops.state.controller == "")
    steps = {row["verb"] for row in server.json("room", "audit", "stock")}
    assert {"control asked", "control granted", "desktop seen", "input passes", "control ended"} <= steps


def write_there(screen: Display) -> None:
    """Type into TigerVNC's window, which may not listen to its keyboard yet."""
    screen.xdotool("search", "--sync", "--onlyvisible", "--name", "TigerVNC", "windowfocus")
    screen.xdotool("mousemove", 200, 200)
    screen.write("stock")
    screen.key("Return")


async def test_in_a_call_between_two_it_works_the_same(server: Server, tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    for name in ("anna", "bernd"):
        server.json("user", "add", name, "--password", "x" * 12, "--display-name", name.title())
    where = f"{server.host}:{server.port}"
    with display(640, 480) as screen, terminal(screen, f"cat > {typed}"):
        async with (Phone("anna", "x" * 12, where, listen="127.0.0.1") as one,
                    Phone("bernd", "x" * 12, where, listen="127.0.0.1") as two):
            calling = asyncio.create_task(two.call("anna"))
            anna = await one.next_call()
            await anna.answer()
            bernd = await calling
            await until(lambda: anna.desktops.state.is_possible and bernd.desktops.state.is_possible)
            await share(anna, bernd, screen)
            heard: list[str] = []
            for one_of_them in (anna, bernd):
                one_of_them.desktops.copied = heard.append
            await asks(bernd, anna, CONTROL_IT, has_clipboard=True)
            await until(lambda: bernd.desktops.state.view_size == (640, 480) and anna.desktops.state.controller == "Bernd")
            view = bernd.desktops.state.view
            assert isinstance(view, Watching)
            view.move_pointer(60, 60, 0)
            type_text(view, "两个人\n")
            await until(lambda: typed.read_text("utf-8") == "两个人\n")
            view.set_clipboard("copied by Bernd: 剪")
            await until(lambda: heard == ["copied by Bernd: 剪"])
            assert anna.desktops.state.has_clipboard
            anna.desktops.set_clipboard("copied by Anna")
            await until(lambda: heard[1:] == ["copied by Anna"])
            bernd.hang_up()
            await until(lambda: not anna.desktops.shown)
