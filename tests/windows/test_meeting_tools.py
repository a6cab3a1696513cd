"""Chat, hands, lobby and the host's menu, clicked and typed on a real screen; and the commands that come of them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import replace

import pytest

from softphone.meeting_orders import ChatArrived, ChatLine, GiveOrder, OrdersAllowed, SendChat, WaitingPerson
from softphone.model import CallEstablished, Member, RosterChanged, SettingsChanged, State
from tests.windows.conftest import Driver
from tests.windows.test_window import START

pytestmark = pytest.mark.window

ALICE = Member(11, "Alice Chen", "sip:alice@meet.example", "host", is_self=True)
WANG = Member(12, "王小明", "sip:wang@meet.example", hand=2, video="sendrecv")
BOB = Member(13, "Bob Smith", "sip:bob@meet.example", is_muted=True, hand=1)
Open = Callable[..., Driver]


def meeting(driver: Driver, *, is_host: bool = True) -> None:
    """Be in a meeting whose server takes orders."""
    own = ALICE if is_host else replace(ALICE, role="attendee")
    lobby = (WaitingPerson("77", "Eve"),) if is_host else ()
    driver.publish(CallEstablished("sip:daily@meet.example", "daily", True, 0.0), OrdersAllowed(True),
                   RosterChanged((own, WANG, BOB), is_host=is_host, lobby=lobby))


def drawn(canvas: tk.Canvas, tag: str) -> list[str]:
    """The texts with a tag, from above."""
    return [canvas.itemcget(item, "text") for item in canvas.find_withtag(tag)]


def test_a_text_is_written_and_texts_that_came_are_counted_until_they_are_read(open_window: Open) -> None:
    driver = open_window(START)
    meeting(driver)
    driver.publish(ChatArrived((ChatLine(1.0, "Bob Smith", "hello\n你好"),
                                ChatLine(2.0, "王小明", "psst", "11", "Alice Chen"))))
    panel, toolbar = driver.page.panel, driver.page.toolbar
    assert (panel.unread, toolbar.chat.text) == (2, "Chat (2)")
    driver.click(driver.page.header)
    driver.key("c")
    driver.until(lambda: driver.page.panel_tab == "chat")
    driver.until(lambda: (panel.unread, toolbar.chat.text) == (0, "Chat"))
    shown = panel.chat.texts.get("1.0", "end")
    assert "hello\n你好" in shown and "to you" in shown and shown.index("hello") < shown.index("psst")
    driver.screen.write("see you")
    driver.key("Return")
    driver.expect(SendChat("see you"))
    assert panel.chat.field.get() == ""
    driver.publish(ChatArrived((ChatLine(3.0, "", "see you", is_own=True),)))
    assert panel.unread == 0 and panel.chat.texts.get("1.0", "end").rstrip().endswith("see you")
    driver.click(driver.page.header)
    driver.key("p")
    driver.publish(SettingsChanged(START.settings | {"theme": "light"}))
    assert (driver.page.panel.unread, driver.page.toolbar.chat.text) == (0, "Chat")


def test_the_menu_of_a_person_opens_below_their_row(open_window: Open) -> None:
    driver = open_window(START)
    meeting(driver)
    roster = driver.page.panel.roster
    driver.click(roster, 0.4, 0.5 * roster._row_height / roster.winfo_height())
    driver.until(lambda: driver.window._menu is not None and driver.window._menu.winfo_viewable())
    assert driver.window._menu is not None
    assert 0 < driver.window._menu.winfo_rooty() - (roster.winfo_rooty() + roster._row_height) < 20


def test_hands_stand_in_the_order_of_raising_and_who_waits_stands_above(open_window: Open) -> None:
    driver = open_window(START)
    meeting(driver)
    assert drawn(driver.page.panel.roster, "title") == ["Eve", "Alice Chen (you)", "Bob Smith", "王小明"]
    driver.click(driver.page.header)
    driver.key("r")
    driver.expect(GiveOrder("raise-hand"))
    driver.publish(RosterChanged((replace(ALICE, hand=3), WANG, BOB), is_host=True))
    assert driver.page.toolbar.hand.text == "Lower hand"
    driver.key("r")
    driver.expect(GiveOrder("lower-hand"))


@pytest.mark.parametrize(("row", "words", "order"), [
    (0, "Admit", GiveOrder("admit", "77")), (2, "Ask to unmute", GiveOrder("ask-unmute", "13")),
    (3, "Mute", GiveOrder("mute", "12")), (3, "Make co-host", GiveOrder("appoint", "12", (("role", "co-host"),))),
    (3, "Remove", GiveOrder("kick", "12")), (3, "Make host", GiveOrder("transfer", "12")),
], ids=["admit", "ask", "mute", "appoint", "remove", "host"])
def test_a_host_does_it_from_the_row_of_a_person(open_window: Open, row: int, words: str, order: GiveOrder) -> None:
    driver = open_window(START)
    meeting(driver)
    roster = driver.page.panel.roster
    driver.click(roster, 0.4, (row + 0.5) * roster._row_height / roster.winfo_height())
    driver.choose(words)
    driver.expect(order)


def test_who_is_no_host_has_no_menu_of_others(open_window: Open) -> None:
    driver = open_window(START)
    meeting(driver, is_host=False)
    roster = driver.page.panel.roster
    driver.click(roster, 0.4, 1.5 * roster._row_height / roster.winfo_height())
    assert driver.window._menu is None
    driver.click(driver.page.toolbar.more)
    assert driver.window._menu is not None and "Mute all" not in drawn(driver.window._menu, "item")


def test_a_host_mutes_all_and_locks_by_the_menu_of_the_meeting(open_window: Open) -> None:
    driver = open_window(START)
    meeting(driver)
    for words in ("Mute all", "Lock the meeting", "Record", "Admit all who wait"):
        driver.click(driver.page.toolbar.more)
        driver.choose(words)
    assert driver.sent == [GiveOrder("mute-all"), GiveOrder("lock"), GiveOrder("record", more=(("action", "start"),)),
                           GiveOrder("admit", "all")]


def test_without_a_server_that_takes_texts_there_is_no_chat(open_window: Open) -> None:
    driver = open_window(State(settings=START.settings))
    driver.publish(CallEstablished("sip:daily@meet.example", "daily", True, 0.0), RosterChanged((ALICE, BOB)))
    driver.click(driver.page.header)
    driver.key("c")
    assert driver.page.panel_tab == "people" and not driver.page.toolbar.chat.winfo_manager()
    driver.key("r")
    assert driver.sent == []
