"""The whole phone: the window on a screen, the agent in its thread, a real server, and another phone in the room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from confero.testing import PhoneFactory, Server
from rtp.codecs import chart
from softphone.app import AgentThread, account_of
from softphone.bridge import Bridge
from softphone.config import load
from softphone.model import Quit, Screen, State
from softphone.options import parse_options
from softphone.picturing import NOT_ALLOWED, STOPPED
from softphone.ui.collecting import collected_here
from softphone.ui.header import chips_of
from softphone.ui.strings import Translator
from tests.windows.conftest import Driver, texts_of

pytestmark = pytest.mark.window

SETTINGS: dict[str, str | bool] = {"theme": "dark", "language": "en", "scale": "100"}


@pytest.fixture
def window(open_window: Callable[..., Driver], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A window with an agent behind it that plays a tone of 700 Hz in place of a microphone; the test may name more options."""
    path = tmp_path / "phone.toml"
    options = parse_options(["--play", "tone:700@-20", "--config", str(path), *getattr(request, "param", ())])
    config, _ = load(path)
    for name, value in SETTINGS.items():
        config = config.with_setting(name, value)
    bridge = Bridge()
    thread = AgentThread(bridge, options, config, account_of(options, config))
    thread.start()
    driver = open_window(State(settings=config.settings), bridge=bridge)
    with collected_here(driver.window.root):
        yield driver
    bridge.send(Quit())
    thread.join(10)
    assert not thread.is_alive()


def people(server: Server, room: str) -> list[dict[str, Any]]:
    """Who is in a room, as the server says."""
    found = server.json("room", "people", room)
    assert isinstance(found, list)
    return found


def test_join_mute_and_leave_a_room_from_the_window(window: Driver, server: Server, phone: PhoneFactory) -> None:
    phone("daily", tone=440, seconds=60, options=("--display-name", "Bob Smith"))
    window.until(lambda: len(server.json("room", "list")) == 1)
    window.click(window.page.address)
    window.screen.write(server.uri("daily"))
    window.key("Return")
    window.until(lambda: window.window.state.screen is Screen.PREJOIN)
    window.until(lambda: window.page.meter.lit > 10)
    window.click(window.page.name)
    window.screen.write("Alice Chen")
    window.click(window.page.join)
    window.until(lambda: window.window.state.screen is Screen.MEETING)
    window.until(lambda: {"Alice Chen (you)", "Bob Smith (host)"} <= set(texts_of(window.page.gallery)))
    bob = next(key for key, face in window.page.gallery.faces.items() if face.avatar == "Bob Smith")
    window.until(lambda: window.page.gallery.find_withtag(f"ring:{bob}"))
    window.until(lambda: window.page.gallery.find_withtag("ring:self"))
    assert sorted(person["name"] for person in people(server, "daily")) == ["Alice Chen", "Bob Smith"]
    window.key("m")
    window.until(lambda: window.page.gallery.find_withtag("muted:self"))
    window.until(lambda: [p["name"] for p in people(server, "daily") if p["is_muted"]] == ["Alice Chen"])
    window.until(lambda: window.window.state.meeting.quality.packets_received > 50)     # type: ignore[union-attr]
    window.click(window.page.toolbar.leave)
    window.until(lambda: window.window.state.screen is Screen.HOME)
    window.until(lambda: [p["name"] for p in people(server, "daily")] == ["Bob Smith"])
    assert [row.title for row in window.page.recent.rows] == ["daily"]


@pytest.mark.parametrize(("window", "protection"), [
    (("--suite", suite, "--keying", keying, "--srtp", "require"), f"{suite} by {keying.upper()} over TLS")
    for suite, keying in (("AEAD_AES_128_GCM", "dtls"), ("AEAD_AES_256_GCM", "sdes"), ("AES_CM_128_HMAC_SHA1_80", "dtls"))
], indirect=["window"], ids=["gcm of 128 bits", "gcm of 256 bits", "counter mode"])
def test_window_says_that_a_meeting_is_encrypted_and_how(window: Driver, server: Server, protection: str) -> None:
    window.click(window.page.address)
    window.screen.write(f"sip:safe@{server.host}:{server.tls_port};transport=tls")
    window.key("Return")
    window.until(lambda: window.window.state.screen is Screen.PREJOIN)
    window.click(window.page.join)
    window.until(lambda: window.window.state.screen is Screen.MEETING)
    window.until(lambda: window.window.state.meeting.quality.protection == protection)      # type: ignore[union-attr]
    assert window.window.state.meeting is not None
    chip = next(chip for chip in chips_of(window.window.state.meeting, Translator("en")) if chip.name == "protection")
    assert (chip.text, chip.kind, chip.tip) == ("Encrypted", "success", protection)
    assert [person["is_protected"] for person in people(server, "safe")] == [True]


def test_a_room_that_is_called_without_its_pin_says_so_in_the_banner(window: Driver, server: Server) -> None:
    server.cli("room", "create", "board", "--pin", "123456")
    window.click(window.page.call)
    window.screen.write(server.uri("board"))
    window.key("Return")
    window.until(lambda: window.window.state.banner is not None)
    assert window.window.state.screen is Screen.HOME
    assert "PIN" in window.window._banner.text


def test_the_host_ends_a_meeting_for_all_from_the_window(window: Driver, server: Server, phone: PhoneFactory) -> None:
    window.click(window.page.address)
    window.screen.write(server.uri("weekly"))
    window.key("Return")
    window.until(lambda: window.window.state.screen is Screen.PREJOIN)
    window.click(window.page.join)
    window.until(lambda: window.window.state.meeting is not None and window.window.state.meeting.is_host)
    guest = phone("weekly", tone=440, seconds=60, options=("--display-name", "Bob Smith"))
    window.until(lambda: "Bob Smith" in texts_of(window.page.gallery))
    window.click(window.page.toolbar.leave)
    window.choose("End for all")
    window.until(lambda: window.window.state.screen is Screen.HOME)
    assert guest.finish(10)


def number_in(window: Driver, key: str) -> int | None:
    """The number that is read from the pixels of a tile on the screen; mirrored for the own."""
    gallery = window.page.gallery
    box = gallery.boxes[key]
    left, top = gallery.winfo_rootx() + box.left, gallery.winfo_rooty() + box.top
    pixels = np.asarray(window.screen.picture().crop((left, top, left + box.width, top + box.height)).convert("L"))
    whole = np.zeros((box.height, max(box.width, round(box.height * 16 / 9))), np.uint8)
    start = (whole.shape[1] - box.width) // 2                       # what the tile cuts off at the sides
    whole[:, start:start + box.width] = pixels[:, ::-1] if key == "self" else pixels
    code = chart.read(whole)
    return None if code is None else code[0]


@pytest.mark.parametrize("window", [("--video", "test:77")], indirect=True, ids=["test-picture"])
def test_the_window_shows_others_and_oneself_and_stops_the_camera(window: Driver, server: Server, phone: PhoneFactory) -> None:
    phone("daily", tone=440, seconds=60, options=("--display-name", "Bob Smith", "--video", "test:5"))
    window.until(lambda: len(server.json("room", "list")) == 1)
    window.click(window.page.address)
    window.screen.write(server.uri("daily"))
    window.key("Return")
    window.until(lambda: window.window.state.screen is Screen.PREJOIN)
    window.until(lambda: window.page.preview.shown > 2)
    window.click(window.page.join)
    window.until(lambda: window.window.state.screen is Screen.MEETING)
    window.until(lambda: window.page.gallery.find_withtag("picture:self"))
    window.until(lambda: [key for key in window.page.gallery._pictures if key.startswith("id:")])
    bob = next(key for key in window.page.gallery._pictures if key != "self")
    server.json("room", "spotlight", "daily", "Bob Smith")
    window.until(lambda: window.page.gallery.boxes[bob].width > 2 * window.page.gallery.boxes["self"].width)
    window.click(window.page.gallery, *middle_of(window, bob))
    window.until(lambda: window.page.gallery.pinned == bob and number_in(window, bob) == 5)
    window.key("v")
    window.until(lambda: not window.window.state.is_video_on and not window.page.gallery.find_withtag("picture:self"))
    window.key("v")
    window.until(lambda: window.page.gallery.find_withtag("picture:self"))
    own = next(person["name"] for person in people(server, "daily") if person["name"] != "Bob Smith")
    server.json("room", "stop-video", "daily", own)
    window.until(lambda: not window.window.state.is_video_on and window.window._banner.text == STOPPED)
    window.key("v")
    window.until(lambda: window.window._banner.text == NOT_ALLOWED and not window.window.state.is_video_on)


def middle_of(window: Driver, key: str) -> tuple[float, float]:
    """Where a tile is in the gallery, as shares of it."""
    gallery = window.page.gallery
    box = gallery.boxes[key]
    return (box.left + box.width / 2) / gallery.winfo_width(), (box.top + box.height / 2) / gallery.winfo_height()
