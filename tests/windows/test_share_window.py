"""Sharing as a person does it: the picker, the bar, another's screen in the main place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rtp.codecs.i420 import Picture
from softphone.shares import (
    Choice,
    LatestPicture,
    LookForShareables,
    Share,
    Shareable,
    ShareablesFound,
    ShareChanged,
    StartShare,
    StopShare,
)
from tests.windows.conftest import Driver, texts_of
from tests.windows.test_window import START, in_meeting

pytestmark = pytest.mark.window
Open = Callable[..., Driver]
SCREEN = Shareable(Choice("screen"), "", (1920, 1080), (320, 180, bytes((30, 60, 90)) * 320 * 180))
NOTES = Shareable(Choice("window", 77), "Notes", (800, 600), (160, 120, bytes((200, 60, 90)) * 160 * 120))


def test_a_window_is_chosen_shared_and_stopped(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.click(driver.page.gallery)
    driver.key("d")
    driver.expect(LookForShareables())
    card = driver.window.card
    driver.publish(ShareablesFound((SCREEN, NOTES)))
    driver.until(lambda: len(card.tiles) == 3)                      # type: ignore[union-attr]
    assert [tile.title for tile in card.tiles] == ["Whole screen", "Part of the screen", "Notes"]    # type: ignore[union-attr]
    driver.click(card.tiles[2])                                     # type: ignore[union-attr]
    driver.click(card.rate)                                         # type: ignore[union-attr]
    driver.choose("5 pictures a second, for texts")
    driver.click(card.submit)                                       # type: ignore[union-attr]
    driver.expect(StartShare(Choice("window", 77, frame_rate=5), "Notes"))
    assert driver.window.card is None
    driver.publish(ShareChanged(Share("Alice", True, title="Notes")))
    assert driver.page.sharing.label.cget("text") == "You are sharing: Notes" and not driver.page.stage.winfo_viewable()
    driver.click(driver.page.sharing.stop)
    driver.expect(StopShare())
    driver.key("d")
    driver.expect(StopShare())
    driver.publish(ShareChanged(None))
    assert not driver.page.sharing.winfo_viewable()


def test_a_part_of_the_screen_is_drawn_with_the_mouse(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.click(driver.page.toolbar.share)
    driver.publish(ShareablesFound((SCREEN,)))
    card = driver.window.card
    driver.until(lambda: len(card.tiles) == 2)                      # type: ignore[union-attr]
    driver.click(card.tiles[1])                                     # type: ignore[union-attr]
    picker = card.region                                            # type: ignore[union-attr]
    driver.until(lambda: picker.winfo_viewable())
    assert not card.submit.is_enabled                               # type: ignore[union-attr]
    scale = 1920 / int(picker.cget("width"))
    x, y = picker.winfo_rootx(), picker.winfo_rooty()
    driver.screen.xdotool("mousemove", x + 100, y + 50, "mousedown", 1)
    driver.pump(0.1)
    driver.screen.xdotool("mousemove", x + 200, y + 100, "mouseup", 1)
    driver.until(lambda: card.submit.is_enabled)                    # type: ignore[union-attr]
    driver.sent.clear()
    driver.click(card.submit)                                       # type: ignore[union-attr]
    part = tuple(round(side * scale) for side in (100, 50, 100, 50))
    driver.expect(StartShare(replace(Choice("region"), region=part), "Part of the screen"))    # type: ignore[arg-type]


def test_where_nothing_can_be_shared_the_reason_stands_in_the_card(open_window: Open) -> None:
    driver = open_window(replace(START, settings={**START.settings, "language": "zh"}))
    in_meeting(driver)
    driver.click(driver.page.gallery)
    driver.key("d")
    driver.publish(ShareablesFound((), "This is a Wayland session, in which a program can neither see nor steer the screen. "
                                       "Sign out, choose \"on Xorg\" at the login screen, and sign in again."))
    card = driver.window.card
    driver.until(lambda: "Wayland" in card.words.cget("text"))      # type: ignore[union-attr]
    assert "注销" in card.words.cget("text") and not card.submit.is_enabled     # type: ignore[union-attr]
    driver.key("Escape")
    assert driver.window.card is None


def test_the_screen_of_another_takes_the_main_place_whole_and_the_people_a_strip(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    tall = driver.page.gallery.winfo_height()
    view = LatestPicture()
    driver.publish(ShareChanged(Share("王小明", view=view)))
    driver.until(lambda: driver.page.stage.winfo_viewable())
    stage = driver.page.stage
    assert "Screen of 王小明" in texts_of(stage) and "The screen of 王小明 is about to be shown …" in texts_of(stage)
    picture = Picture.create(640, 200)
    picture.y[:], picture.y[:, :320] = 235, 81
    view.put(picture)
    driver.until(lambda: stage.shown == 1)
    left, top, width, height = stage.box
    assert abs(width / height - 3.2) < 0.02 and driver.page.gallery.winfo_height() < tall / 3
    x, y = stage.winfo_rootx() + left, stage.winfo_rooty() + top + height // 2
    dark, light = driver.colour_at(x + 20, y), driver.colour_at(x + width - 20, y)
    assert all(abs(one - 76) < 4 for one in dark) and all(one > 250 for one in light)
    driver.publish(ShareChanged(None))
    driver.until(lambda: driver.page.gallery.winfo_height() == tall)
