"""Makes the pictures of docs/how-to/manage-a-meeting.md: what hosts and members of a meeting see in our window.

    python -m docs.make_meeting_pictures [FOLDER]

Everything in the pictures is real: a server on a free port, our window on a screen of its own (Xvfb) that is clicked there,
phones that speak, and phones whose people write. Needs what the tests need (`./run setup test`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from confero.testing import Server, start_server
from docs.make_picture import start
from examples.portraits import make_films
from examples.robots import make_speech
from softphone.app import AgentThread, account_of
from softphone.bridge import Bridge
from softphone.config import load
from softphone.meeting_orders import SendChat
from softphone.model import ChangeSetting, Dial, Meeting, Quit, Registration, Screen, State, reduce
from softphone.options import parse_options
from softphone.ui.collecting import collected_here
from tests.helpers.screen import Display, display
from tests.windows.conftest import Driver

FOLDER = Path(__file__).resolve().parent / "images"
WIDTH, HEIGHT = 1280, 800
WINDOW = (1120, 700)
COLOURS = 256
LIMIT_S = 60.0
DRAWN_S = 1.5
"""Until what has come about is drawn."""
MEASURED_S = 9.0
"""Until quality is measured."""
LOOKS: dict[str, str | bool] = {"theme": "dark", "language": "en", "scale": "100"}
SILENCE = "tone:300@-70"


class Person:
    """Somebody with our phone, whose window nobody looks at: the agent alone."""

    def __init__(self, folder: Path, name: str, sound: str, *options: str) -> None:
        given = parse_options(["--play", sound, "--config", str(folder / f"{len(name)}{name[0]}.toml"), "--display-name", name,
                               *(options or ("--video", "none"))])
        config = load(given.config)[0]
        for setting, value in LOOKS.items():
            config = config.with_setting(setting, value)
        self.bridge = Bridge()
        self.state = State(settings=config.settings)
        self._thread = AgentThread(self.bridge, given, config, account_of(given, config))
        self._thread.start()

    def meeting(self) -> Meeting | None:
        """The meeting that they are in, as their window would have it."""
        for event in self.bridge.take_events():
            self.state = reduce(self.state, event)
        return self.state.meeting

    def is_known(self) -> bool:
        """Whether they are signed in."""
        self.meeting()
        return self.state.registration is Registration.REGISTERED

    def close(self) -> None:
        """They leave."""
        self.bridge.send(Quit())
        self._thread.join(10)


@contextmanager
def robot(*arguments: str) -> Iterator[None]:
    """A phone without a window."""
    process: subprocess.Popen[bytes] = start("--headless", *arguments)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


class Scene:
    """The window of Alice, and whoever is there with her."""

    def __init__(self, server: Server, driver: Driver, alice: Person, target: Path) -> None:
        self.server, self.driver = server, driver
        self._alice, self._target = alice, target

    @property
    def meeting(self) -> Meeting:
        """What Alice's window knows of the meeting."""
        meeting = self.driver.window.state.meeting
        assert meeting is not None
        return meeting

    def until(self, is_so: Callable[[], object], what: str) -> None:
        """Let the window work until something is so; ends the program when it does not come about."""
        deadline = time.monotonic() + LIMIT_S
        while not is_so():
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: it did not come about within {LIMIT_S:.0f} s")
            self.driver.pump(0.1)

    def room(self, *arguments: str) -> None:
        """`confero room …`"""
        self.server.json("room", *arguments)

    def is_there(self, name: str) -> bool:
        """Whether somebody stands in the roster."""
        meeting = self.driver.window.state.meeting
        return meeting is not None and any(one.name == name for one in meeting.members)

    def join(self, room: str) -> None:
        """Alice enters a room."""
        self._alice.bridge.send(Dial(self.server.uri(room)))
        self.until(lambda: self.driver.window.state.screen is Screen.MEETING, f"in {room}")

    def look(self, theme: str, language: str) -> None:
        """Change colours and language."""
        self._alice.bridge.send(ChangeSetting("theme", theme))
        self._alice.bridge.send(ChangeSetting("language", language))
        settings = ("theme", theme), ("language", language)
        self.until(lambda: all(self.driver.window.state.settings.get(name) == value for name, value in settings), theme)
        self.driver.pump(DRAWN_S)

    def press(self, key: str) -> None:
        """A key of the window."""
        self.driver.click(self.driver.page.header)
        self.driver.key(key)

    def row(self, words: str) -> None:
        """Click a row of the panel."""
        roster = self.driver.page.panel.roster
        at = next(i for i, row in enumerate(roster.rows) if row.title.startswith(words))
        self.driver.click(roster, 0.4, (at + 0.5) * roster._row_height / roster.winfo_height())

    def picture(self, name: str) -> None:
        """Take a picture of the window."""
        self.driver.pump(DRAWN_S)
        image = self.driver.screen.picture().crop((0, 0, *WINDOW))
        image.quantize(COLOURS).save(self._target / f"manage-{name}.png", optimize=True)
        print(name, flush=True)

    def menu_picture(self, name: str, opener: tk.Misc | None = None) -> None:
        """A picture with the menu that a button opens, which is closed then."""
        if opener is not None:
            self.driver.click(opener)
        self.until(lambda: self.driver.window._menu is not None, f"the menu of {name}")
        self.picture(name)
        self.driver.key("Escape")

    def quiet(self) -> None:
        """Wait until no line to the user is there."""
        self.until(lambda: self.driver.window.state.banner is None, "the line has gone")


def as_host(scene: Scene, anna: Person) -> None:
    """What the host sees: people, their menu, the lobby, chat, recording, menus."""
    driver = scene.driver
    scene.room("raise-hand", "daily", "Ben Okafor")
    scene.until(lambda: any(one.hand for one in scene.meeting.members), "a hand is up")
    driver.pump(MEASURED_S)
    scene.quiet()
    scene.picture("host")
    scene.row("Ben")
    scene.menu_picture("person")
    scene.menu_picture("more", driver.page.toolbar.more)
    scene.menu_picture("leave", driver.page.toolbar.leave)
    write(scene, anna)
    scene.press("c")
    scene.picture("chat")
    scene.press("t")
    driver.pump(MEASURED_S)
    scene.picture("stats")
    scene.press("p")


def write(scene: Scene, anna: Person) -> None:
    """Anna and Alice write to all and to one."""
    own = scene.meeting.own
    assert own is not None
    lines = (("Good morning! The plan is in the folder of the team.", ""), ("大家好，今天先看第二页。", ""),
             ("Alice, may I have five minutes at the end?", str(own.member_id)))
    for count, (text, to) in enumerate(lines, 1):
        anna.bridge.send(SendChat(text, to))
        scene.until(lambda count=count: len(scene.meeting.chat) >= count, text)     # type: ignore[misc]
    anna_id = next(str(one.member_id) for one in scene.meeting.members if one.name == "Anna Weber")
    scene.driver.window.send(SendChat("Of course, after the questions.", anna_id))
    scene.driver.window.send(SendChat("Let us begin."))
    scene.until(lambda: len(scene.meeting.chat) >= len(lines) + 2, "Alice has written")


def with_lobby(scene: Scene) -> None:
    """Somebody waits; the meeting is recorded; a window in Chinese."""
    scene.look("light", "en")
    scene.room("set", "daily", "lobby", "on")
    with robot(scene.server.uri("daily"), "--play", SILENCE, "--display-name", "Eve Moreau"):
        scene.until(lambda: scene.meeting.lobby, "somebody waits")
        scene.quiet()
        scene.row("Eve")
        scene.menu_picture("lobby")
    scene.room("set", "daily", "lobby", "off")
    scene.room("record", "daily", "start")
    scene.until(lambda: scene.meeting.recording == "recording", "it is recorded")
    scene.picture("recording")
    scene.room("record", "daily", "stop")
    scene.look("light", "zh")
    scene.quiet()
    scene.press("c")
    scene.picture("chinese")
    scene.press("p")
    scene.look("dark", "zh")
    scene.press("k")
    scene.picture("keypad")
    scene.driver.key("Escape")


def as_member(scene: Scene, host: Person) -> None:
    """What somebody sees who is no host: the lobby, and what a host does to them."""
    driver = scene.driver
    driver.click(driver.page.toolbar.leave)
    driver.choose("离开")
    scene.until(lambda: driver.window.state.screen is Screen.HOME, "Alice has left")
    scene.look("dark", "en")
    host.bridge.send(Dial(scene.server.uri("review")))
    scene.until(host.meeting, "Carla is in her room")
    scene.join("review")
    scene.until(lambda: scene.meeting.is_waiting, "Alice waits")
    driver.pump(MEASURED_S)
    scene.quiet()
    scene.picture("waiting")
    scene.room("admit", "review", "Alice Ng")
    scene.until(lambda: scene.is_there("Carla Diaz"), "Alice is in")
    scene.quiet()
    driver.pump(MEASURED_S)
    scene.room("mute", "review", "Alice Ng")
    scene.until(lambda: scene.meeting.is_muted, "Alice is muted")
    scene.picture("muted")
    scene.look("light", "en")
    scene.room("ask-unmute", "review", "Alice Ng")
    scene.until(lambda: "unmute" in str(driver.window.state.banner), "Alice is asked")
    scene.picture("asked")


def main(arguments: list[str]) -> None:
    """Make the pictures."""
    target = Path(arguments[0]) if arguments else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, display(WIDTH, HEIGHT) as screen, ExitStack() as left:
        folder = Path(name)
        speech, films = make_speech(folder), {one: str(path) for one, path in make_films(folder).items()}
        server = start_server(folder / "server", "--open")
        left.callback(server.stop)
        for account, shown in (("alice", "Alice Ng"), ("carla", "Carla Diaz")):
            server.json("user", "add", account, "--password", "picture", "--display-name", shown)
        server.json("room", "create", "daily", "--owner", "alice")
        server.json("room", "create", "review", "--owner", "carla", "--lobby")
        scene, anna = open_scene(folder, server, screen, films["cleo"], target, left)
        carla = Person(folder, "Carla Diaz", SILENCE, "--video", films["anna"], "--user", "carla", "--password", "picture",
                       "--server", f"{server.host}:{server.port}")
        left.callback(carla.close)
        scene.until(carla.is_known, "Carla is signed in")
        scene.join("daily")
        left.enter_context(robot(server.uri("daily"), "--play", str(speech["ben"]), "--loop", "--display-name", "Ben Okafor",
                                 "--video", films["ben"]))
        left.enter_context(robot(server.uri("daily"), "--play", "none", "--display-name", "李雷"))
        anna.bridge.send(Dial(server.uri("daily")))
        scene.until(anna.meeting, "Anna is there")
        scene.until(lambda: all(scene.is_there(one) for one in ("Anna Weber", "Ben Okafor", "李雷")), "all are there")
        as_host(scene, anna)
        with_lobby(scene)
        as_member(scene, carla)


def open_scene(folder: Path, server: Server, screen: Display, film: str, target: Path, left: ExitStack) -> tuple[Scene, Person]:
    """Alice with her window, and Anna."""
    os.environ["DISPLAY"] = screen.name
    alice = Person(folder, "Alice Ng", SILENCE, "--video", film, "--user", "alice", "--password", "picture", "--server",
                   f"{server.host}:{server.port}")
    left.callback(alice.close)
    anna = Person(folder, "Anna Weber", SILENCE)
    left.callback(anna.close)
    driver = Driver(screen, replace(alice.state, display_name="Alice Ng"), WINDOW, alice.bridge)
    left.callback(driver.close)
    left.enter_context(collected_here(driver.window.root))
    return Scene(server, driver, alice, target), anna


if __name__ == "__main__":
    main(sys.argv[1:])
