"""No text of the window is cut off or lies outside of it: every page and card, dark and light, in English and Chinese."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator

import customtkinter as ctk
import pytest

from softphone.meeting_orders import ChatArrived, ChatLine, OrdersAllowed, WaitingPerson
from softphone.model import (
    Banner,
    BannerShown,
    CallEnded,
    CallEstablished,
    CallStarted,
    Incoming,
    IncomingGone,
    IncomingRang,
    Member,
    PictureQuality,
    PrejoinClosed,
    PrejoinOpened,
    Quality,
    QualityChanged,
    Recent,
    RecentChanged,
    RosterChanged,
    SettingsChanged,
    State,
)
from softphone.ui.button import Button
from softphone.ui.rows import RowList
from tests.windows.conftest import Driver

pytestmark = pytest.mark.window

SLACK = 1
"""Pixels that the edges of letters may differ by."""
URI = "sip:daily@meet.example"
ALICE = Member(11, "Alice Chen", "sip:alice@meet.example", "host", is_self=True, codec="Opus")
WANG = Member(12, "王小明", "sip:wang@meet.example", hand=1, codec="Opus")
LONG = Member(13, "Maximiliane Wolkenstein-Hohenberg of the northern office", "sip:max@meet.example", "co-host",
              is_muted=True, codec="G.722")
LINES = (ChatLine(1.0, "王小明", "大家好，今天先看第二页。"), ChatLine(2.0, LONG.name, "a text " * 12, "11", "Alice Chen"))
PICTURES = tuple(PictureQuality(key, "H.264", 1280, 720, 25.0, 1500) for key in ("self", "id:12", "id:13"))
Open = Callable[..., Driver]


def widgets_of(widget: tk.Misc) -> Iterator[tk.Misc]:
    """A widget and all in it that can be seen."""
    for child in widget.winfo_children():
        if child.winfo_viewable() and not isinstance(child, tk.Toplevel):
            yield child
            yield from widgets_of(child)


def cut_off(driver: Driver) -> list[str]:
    """What is wrong with the texts of the window as it is now."""
    driver.window.root.update()
    root = driver.window.root.winfo_toplevel()
    right, bottom = root.winfo_rootx() + root.winfo_width(), root.winfo_rooty() + root.winfo_height()
    wrong: list[str] = []
    for widget in widgets_of(root):
        if isinstance(widget, tk.Label) and widget.cget("text"):
            room = widget.winfo_width() + SLACK, widget.winfo_height() + SLACK
            if widget.winfo_reqwidth() > room[0] or widget.winfo_reqheight() > room[1]:
                wrong.append(f"label {widget.cget('text')!r} is cut off")
            if widget.winfo_rootx() + widget.winfo_width() > right or widget.winfo_rooty() + widget.winfo_height() > bottom:
                wrong.append(f"label {widget.cget('text')!r} is outside")
        elif isinstance(widget, tk.Canvas) and not isinstance(widget, ctk.CTkCanvas):    # whose round corners are letters
            wrong += _wrong_on(widget)
    return wrong


def _wrong_on(canvas: tk.Canvas) -> Iterator[str]:
    width, height = canvas.winfo_width(), canvas.winfo_height()
    for item in canvas.find_all():
        text = canvas.itemcget(item, "text") if canvas.type(item) == "text" else ""
        if not text.strip():
            continue
        left, top, right, bottom = canvas.bbox(item)
        is_outside = left < -SLACK or right > width + SLACK
        if is_outside or (not isinstance(canvas, RowList) and (top < -SLACK or bottom > height + SLACK)):
            yield f"{text!r} lies outside of its {type(canvas).__name__} of {width} by {height}: {canvas.bbox(item)}"
    if isinstance(canvas, Button) and canvas.text and width > 1:
        shown = [canvas.itemcget(item, "text") for item in canvas.find_withtag("text")]
        if shown != [canvas.text]:
            yield f"the button {canvas.text!r} says {shown}"


def looks(driver: Driver) -> dict[str, list[str]]:
    """Every page and card in turn, with what is wrong there."""
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        driver.pump(0.05)
        wrong = cut_off(driver)
        if wrong:
            found[name] = wrong

    def card(name: str) -> None:
        driver.window.do(name)
        look(name)
        driver.window.close_card()

    def menu(name: str, open_it: Callable[[], object]) -> None:
        open_it()
        look(name)
        driver.window._close_top()

    driver.publish(RecentChanged((Recent(URI, "daily", 1.0), Recent("sip:weekly@meet.example", "Weekly of all teams", 2.0))))
    look("home")
    for name in ("help", "settings", "sign_in"):
        card(name)
    driver.publish(BannerShown(Banner("No answer from meet.example; check the address, the port, and that the server runs",
                                      "warning")), IncomingRang(Incoming("1", LONG.name, "sip:max@meet.example")))
    look("banner and call")
    driver.publish(IncomingGone("1"), PrejoinOpened(URI))
    look("prejoin")
    driver.publish(PrejoinClosed(), CallStarted(URI, "Calling daily …"))
    look("calling")
    driver.publish(CallEstablished(URI, "daily", True, 0.0), OrdersAllowed(True), RosterChanged((), is_waiting=True))
    assert driver.page.waiting.winfo_viewable() and not driver.page.gallery.winfo_viewable()
    look("lobby")
    driver.publish(RosterChanged((ALICE, WANG, LONG), is_host=True, recording="recording",
                                 lobby=(WaitingPerson("77", "Eve Moreau"),)), ChatArrived(LINES),
                   QualityChanged(Quality("Opus", 12.0, 0.1, 3.0, 60.0, 4.3, packets_sent=2484, packets_received=2831,
                                          pictures=PICTURES)))
    assert driver.page.gallery.winfo_viewable() and not driver.page.waiting.winfo_viewable()
    for name in ("people", "stats", "chat"):
        driver.page.panel_tab = ""
        driver.window.do(name)
        look(name)
    driver.page.panel_tab = ""
    driver.window.do("people")
    for name in ("keypad", "share", "settings", "help"):
        card(name)
    panel = driver.page.panel
    menu("of a person", lambda: panel._open_person("id:12"))
    menu("of who waits", lambda: panel._open_person("waiting:77"))
    menu("more", driver.page.toolbar.more.press)
    menu("leave", driver.page.toolbar.leave.press)
    driver.publish(CallEnded(""))
    return found


@pytest.mark.parametrize(("theme", "language", "size"), [
    ("dark", "en", (1240, 760)), ("light", "zh", (1240, 760)), ("light", "en", (800, 600)), ("dark", "zh", (800, 600))],
    ids=["dark", "light 中文", "light and small", "dark 中文 and small"])
def test_no_text_is_cut_off(open_window: Open, theme: str, language: str, size: tuple[int, int]) -> None:
    settings: dict[str, str | bool] = {"theme": theme, "language": language, "scale": "100"}
    driver = open_window(State(settings=settings, display_name="Alice Chen", account="alice", server="meet.example"), size=size)
    assert looks(driver) == {}
    driver.publish(SettingsChanged(settings | {"theme": "light" if theme == "dark" else "dark"}))
    assert cut_off(driver) == []
