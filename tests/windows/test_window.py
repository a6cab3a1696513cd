"""The window as a person uses it: real clicks and keys on a real screen, the commands that come of them, what is drawn."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import psutil
import pytest

from softphone.model import (
    Answer,
    AudioDevice,
    Banner,
    BannerShown,
    CallEnded,
    CallEstablished,
    CallStarted,
    ChangeSetting,
    ChooseDevice,
    ClosePrejoin,
    Decline,
    Dial,
    Incoming,
    IncomingGone,
    IncomingRang,
    Leave,
    LevelsChanged,
    Member,
    MuteChanged,
    NewMeeting,
    OpenPrejoin,
    PrejoinOpened,
    Quality,
    QualityChanged,
    Quit,
    Recent,
    Registration,
    RegistrationChanged,
    RosterChanged,
    SendDigits,
    SetHold,
    SetMuted,
    SettingsChanged,
    SignIn,
    SpeakersChanged,
    State,
    Transfer,
)
from softphone.model import TestSpeaker as PlayTestSound
from tests.windows.conftest import Driver, texts_of

pytestmark = pytest.mark.window

ALICE = Member(11, "Alice Chen", "sip:alice@meet.example", is_self=True, codec="Opus")
WANG = Member(12, "王小明", "sip:wang@meet.example", codec="PCMU")
BOB = Member(13, "Bob Smith", "sip:bob@meet.example", role="host", is_muted=True)
GOOD = Quality("Opus", 12.0, 0.1, 3.0, 40.0, 4.3, "", 1000, 900)
SETTINGS: dict[str, str | bool] = {"theme": "dark", "language": "en", "scale": "100"}
START = State(
    account="alice", server="meet.example", display_name="Alice Chen", registration=Registration.REGISTERED, settings=SETTINGS,
    microphones=(AudioDevice("default", "System default"), AudioDevice("headset", "Headset")),
    speakers=(AudioDevice("default", "System default"), AudioDevice("hall", "Hall")), microphone="default", speaker="default",
    recent=(Recent("sip:daily@meet.example", "daily", 1.0),),
)
RING = (0x2E, 0xD0, 0x73)
Open = Callable[..., Driver]


def in_meeting(driver: Driver, *members: Member, is_host: bool = False) -> None:
    """Put the window into a meeting."""
    driver.publish(
        CallEstablished("sip:demo@meet.example", "Weekly stand-up", True, time.monotonic() - 761),
        RosterChanged(members or (ALICE, WANG, BOB), is_host=is_host), QualityChanged(GOOD))


def drawn(driver: Driver, tag: str) -> bool:
    """Whether the gallery has something drawn under a tag."""
    return bool(driver.page.gallery.find_withtag(tag))


def test_home_gives_the_commands_for_a_new_meeting_joining_and_calling(open_window: Open) -> None:
    driver = open_window(START)
    driver.click(driver.page.new)
    driver.expect(NewMeeting())
    driver.click(driver.page.address)
    driver.screen.write("daily")
    driver.click(driver.page.pin)
    driver.screen.write("1234")
    driver.key("Return")
    driver.expect(OpenPrejoin("daily.1234"))
    driver.click(driver.page.call)
    driver.click(driver.page.go)
    driver.expect(Dial("daily"))
    driver.click(driver.page.recent, down=0.1)
    driver.expect(OpenPrejoin("sip:daily@meet.example"))


def test_an_empty_address_is_answered_with_advice_and_no_command(open_window: Open) -> None:
    driver = open_window(START)
    driver.click(driver.page.go)
    driver.until(lambda: "sip:daily@example.org" in driver.window._banner.text)
    assert driver.sent == []


def test_sign_in_sends_what_was_typed_and_its_outcome_is_shown(open_window: Open) -> None:
    driver = open_window(State(settings=SETTINGS))
    driver.click(driver.page.account)
    driver.until(lambda: driver.window.card is not None and driver.window.card.winfo_viewable())
    card = driver.window.card
    for name, text in (("user", "alice"), ("password", "s3cret"), ("server", "meet.example:5070")):
        driver.click(card.fields[name])     # type: ignore[union-attr]
        driver.screen.write(text)
        driver.pump(0.1)
    driver.click(card.submit)               # type: ignore[union-attr]
    driver.expect(SignIn("alice", "s3cret", "meet.example:5070", "udp", ""))
    driver.publish(RegistrationChanged(Registration.FAILED, "wrong user name or password"))
    assert driver.page.registration.cget("text") == "Not signed in: wrong user name or password"


def test_prejoin_shows_the_level_and_joins_under_a_name_muted(open_window: Open) -> None:
    driver = open_window(START)
    driver.publish(PrejoinOpened("daily.1234"), LevelsChanged(-20, -127))
    page = driver.page
    assert page.target.cget("text") == "daily"
    assert page.meter.lit == 16
    assert page.advice.cget("text") == "Your microphone is heard."
    driver.click(page.devices.microphone)
    driver.choose("Headset")
    driver.expect(ChooseDevice(microphone="headset"))
    driver.click(page.muted, across=0.1)
    driver.click(page.join)
    driver.expect(Dial("daily.1234", muted=True, display_name="Alice Chen"))
    driver.click(page.cancel)
    driver.expect(ClosePrejoin())


def test_calling_page_says_how_far_the_call_is_and_cancels(open_window: Open) -> None:
    driver = open_window(START)
    driver.publish(CallStarted("sip:bob@meet.example", "Ringing …"))
    assert (driver.page.who.cget("text"), driver.page.progress.cget("text")) == ("bob", "Ringing …")
    driver.click(driver.page.cancel)
    driver.expect(Leave())


def test_meeting_draws_names_microphones_chips_and_clock(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    texts = texts_of(driver.page.gallery)
    assert {"Alice Chen (you)", "王小明", "Bob Smith (host)", "AC", "王", "BS"} <= set(texts)
    assert drawn(driver, "open:self") and drawn(driver, "open:id:12") and drawn(driver, "muted:id:13")
    header = texts_of(driver.page.header)
    assert {"Weekly stand-up", "Good", "Not protected"} <= set(header)
    assert any(text.startswith("00:12:4") for text in header)
    assert driver.window.root.title() == "Weekly stand-up – Confero"
    assert "People 3" in texts_of(driver.page.panel.people_tab)
    assert {"Host", "PCMU"} <= set(texts_of(driver.page.panel.roster))


def test_ring_is_green_round_who_speaks_and_goes_when_silent(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    gallery, box = driver.page.gallery, driver.page.gallery.boxes["id:12"]
    x, y = gallery.winfo_rootx() + box.left + 1, gallery.winfo_rooty() + box.top + box.height // 2
    assert driver.colour_at(x, y) != RING
    driver.publish(SpeakersChanged({12: -18}))
    assert drawn(driver, "ring:id:12") and not drawn(driver, "ring:id:13")
    assert driver.colour_at(x, y) == RING
    driver.publish(SpeakersChanged({}))
    driver.until(lambda: not drawn(driver, "ring:id:12"))
    assert driver.colour_at(x, y) != RING


def test_toolbar_mutes_holds_shows_panels_and_leaves(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    toolbar = driver.page.toolbar
    driver.click(toolbar.mute, across=0.3)
    driver.expect(SetMuted(True))
    driver.publish(MuteChanged(True))
    assert "Unmute" in texts_of(toolbar.mute) and drawn(driver, "muted:self")
    driver.click(toolbar.hold)
    driver.expect(SetHold(True))
    driver.click(toolbar.stats)
    driver.until(lambda: {"12 ms", "0.1 %", "4.3"} <= set(texts_of(driver.page.panel.stats)))
    driver.click(toolbar.stats)
    driver.until(lambda: not driver.page.panel.winfo_viewable())
    driver.click(toolbar.mute, across=0.92)
    driver.choose("Hall")
    driver.expect(ChooseDevice(speaker="hall"))
    driver.click(toolbar.leave)
    driver.expect(Leave())


def test_a_call_between_two_is_hung_up_and_offers_no_invitation(open_window: Open) -> None:
    driver = open_window(START)
    driver.publish(CallEstablished("sip:bob@meet.example", "Bob Smith", False, time.monotonic()), LevelsChanged(-20, -60))
    assert {"Alice Chen (you)", "Bob Smith"} <= set(texts_of(driver.page.gallery))
    assert drawn(driver, "ring:self") and not driver.page.panel.invite.winfo_viewable()
    assert texts_of(driver.page.toolbar.leave) == ["Hang up"]
    driver.click(driver.page.toolbar.leave)
    driver.expect(Leave())


def test_a_call_between_two_is_transferred_by_a_name_and_a_meeting_is_not(open_window: Open) -> None:
    driver = open_window(START)
    driver.publish(CallEstablished("sip:bob@meet.example", "Bob Smith", False, time.monotonic()))
    driver.click(driver.page.toolbar.more)
    driver.choose("Transfer")
    driver.until(lambda: driver.window.card is not None and driver.window.card.winfo_viewable())
    driver.key("Return")
    driver.screen.write("carol")
    driver.key("Return")
    driver.expect(Transfer("carol"))
    assert driver.window.card is None
    driver.publish(BannerShown(Banner("The call was not transferred: carol does not answer", "warning")))
    assert driver.window.state.meeting is not None and "carol" in driver.window._banner.text
    driver.window.do("transfer")
    driver.publish(CallEnded("The call was transferred"))
    assert driver.window.card is None
    in_meeting(driver)
    driver.click(driver.page.toolbar.more)
    driver.until(lambda: driver.window._menu is not None)
    assert "Transfer" not in [item.text for item in driver.window._menu.items]       # type: ignore[union-attr]
    driver.window.do("transfer")
    assert driver.window.card is None


@pytest.mark.parametrize(("size", "uri", "address"), [
    ((1240, 760), "sip:board@meet.example", "board"), ((640, 420), "sip:board@else.example:5070", "board@else.example:5070"),
])
def test_a_place_that_wanted_a_pin_asks_for_it_with_one_click(
    open_window: Open, size: tuple[int, int], uri: str, address: str,
) -> None:
    driver = open_window(replace(START, recent=(Recent(uri, "board", 2.0, True), *START.recent)), size)
    driver.click(driver.page.call)
    if size[0] > 1000:
        driver.click(driver.page.recent, down=0.1)
    else:
        driver.click(driver.page.places)
        driver.choose("board")
    driver.until(lambda: driver.page.address.get() == address)
    driver.screen.write("123456")
    driver.key("Return")
    driver.expect(OpenPrejoin(address.replace("board", "board.123456")))


def test_host_is_offered_to_end_the_meeting_for_all(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver, is_host=True)
    driver.click(driver.page.toolbar.leave)
    driver.choose("End for all")
    driver.expect(Leave(end_for_all=True))
    driver.click(driver.page.toolbar.leave)
    driver.choose("Leave")
    driver.expect(Leave())


def test_keys_work_in_a_meeting_and_are_dead_in_a_text_field(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver, ALICE, *(Member(i, f"P{i}") for i in range(20, 30)))
    driver.click(driver.page.header, across=0.5)
    driver.key("m")
    driver.expect(SetMuted(True))
    driver.key("w")
    driver.until(lambda: driver.page.gallery.is_speaker_view)
    driver.key("t")
    driver.until(lambda: driver.page.panel.tab == "stats")
    driver.key("p")
    driver.until(lambda: driver.page.panel.search.winfo_viewable())
    driver.click(driver.page.panel.search)
    driver.key("m")
    driver.until(lambda: driver.page.panel.search.get() == "m")
    assert driver.sent == []
    driver.screen.write("P2")
    driver.until(lambda: driver.page.panel.roster.rows == ())
    driver.click(driver.page.header, across=0.5)
    driver.key("question")
    driver.until(lambda: driver.window.card is not None)
    driver.key("Escape")
    driver.until(lambda: driver.window.card is None)


def test_space_talks_while_it_is_held_though_the_keyboard_repeats(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.publish(MuteChanged(True))
    driver.click(driver.page.header, across=0.5)
    driver.screen.xdotool("keydown", "space")
    driver.expect(SetMuted(False))
    driver.publish(MuteChanged(False))
    driver.pump(1.2)                          # the X server repeats the key after 0.66 s
    assert driver.sent == []
    driver.screen.xdotool("keyup", "space")
    driver.expect(SetMuted(True))


def test_keypad_sends_digits_by_click_and_by_key(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.click(driver.page.toolbar.keypad)
    driver.until(lambda: driver.window.card is not None)
    card = driver.window.card
    driver.click(card.key_buttons["5"])              # type: ignore[union-attr]
    driver.key("asterisk")
    driver.key("6")
    driver.expect(SendDigits("5"), SendDigits("*"), SendDigits("6"))
    driver.key("Escape")
    driver.publish(CallEnded(""))
    assert driver.window.card is None


def test_ringing_call_can_be_answered_and_declined_also_in_a_meeting(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.publish(IncomingRang(Incoming("c1", "Bob Smith", "sip:bob@meet.example")),
                   IncomingRang(Incoming("c2", "", "sip:carol@meet.example")))
    bar = driver.window._incoming
    driver.click(bar.buttons["c2"][1])
    driver.expect(Decline("c2"))
    driver.click(bar.buttons["c1"][0])
    driver.expect(Answer("c1"))
    driver.publish(IncomingGone("c1"), IncomingGone("c2"))
    assert bar.buttons == {} and not bar.winfo_viewable()


def test_settings_apply_theme_and_language_at_once(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.window.do("settings")
    driver.pump(0.1)
    driver.click(driver.window.card.choices["theme"])       # type: ignore[union-attr]
    driver.choose("Light")
    driver.expect(ChangeSetting("theme", "light"))
    driver.publish(SettingsChanged({**SETTINGS, "theme": "light", "language": "zh"}))
    assert driver.window.card is not None
    driver.key("Escape")
    driver.until(lambda: driver.window.card is None)
    assert texts_of(driver.page.toolbar.leave) == ["离开"]
    assert driver.page.gallery.cget("bg") == "#f4f5f7"
    assert "Alice Chen （您）" in texts_of(driver.page.gallery)


def test_settings_switches_and_speaker_test_give_commands(open_window: Open) -> None:
    driver = open_window(START)
    driver.window.do("settings")
    driver.pump(0.1)
    card = driver.window.card
    driver.click(card.switches["echo_cancelling"], across=0.1)       # type: ignore[union-attr]
    driver.expect(ChangeSetting("echo_cancelling", False))
    buttons = [child for child in card.devices.winfo_children() if getattr(child, "text", "") == "Test"]    # type: ignore[union-attr]
    driver.click(buttons[0])
    driver.expect(PlayTestSound())


def test_invitation_is_copied_without_the_pin(open_window: Open) -> None:
    driver = open_window(START)
    driver.publish(CallEstablished("sip:demo.123456@meet.example", "demo", True, time.monotonic()), RosterChanged((ALICE,)))
    driver.click(driver.page.panel.invite)
    driver.until(lambda: driver.window._banner.text)
    assert driver.window.root.clipboard_get() == "sip:demo@meet.example"
    assert driver.window._banner.text == "Copied: sip:demo@meet.example"


def test_small_window_keeps_every_button_in_reach(open_window: Open) -> None:
    driver = open_window(START, (640, 420))
    in_meeting(driver)
    toolbar = driver.page.toolbar
    assert not driver.page.panel.winfo_viewable()
    assert toolbar.folded[-2:] == ["hold", "view"]
    for button in (toolbar.mute, toolbar.more, toolbar.leave):
        assert button.winfo_viewable()
        assert button.winfo_rootx() >= 0 and button.winfo_rootx() + button.winfo_width() <= 640
    driver.click(toolbar.more)
    driver.choose("Hold")
    driver.expect(SetHold(True))


def test_a_picture_fills_its_tile_in_one_image_for_life(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    gallery, box = driver.page.gallery, driver.page.gallery.boxes["id:12"]
    red = np.zeros((180, 320, 3), np.uint8)
    red[:, :, 0] = 200
    gallery.show_picture("id:12", red)
    image = gallery._pictures["id:12"]
    middle = (gallery.winfo_rootx() + box.left + box.width // 2, gallery.winfo_rooty() + box.top + box.height // 3)
    assert driver.colour_at(*middle) == (200, 0, 0)
    gallery.show_picture("id:12", red // 2)
    assert gallery._pictures["id:12"] is image
    assert driver.colour_at(*middle) == (100, 0, 0)
    assert driver.colour_at(gallery.winfo_rootx() + box.left, gallery.winfo_rooty() + box.top) == (0x16, 0x17, 0x1A)
    gallery.show_picture("id:12", None)
    assert drawn(driver, "initials:id:12")


def test_a_fault_in_a_callback_is_shown_and_the_window_lives_on(open_window: Open, caplog: pytest.LogCaptureFixture) -> None:
    driver = open_window(START)

    def fail() -> None:
        raise RuntimeError("no such thing")

    driver.window.root.after(1, fail)
    driver.until(lambda: driver.window._banner.text)
    assert "no such thing" in driver.window._banner.text
    assert "a callback of the window failed" in caplog.text
    driver.click(driver.page.new)
    driver.expect(NewMeeting())


def test_a_page_that_can_not_be_drawn_does_not_end_the_window(open_window: Open) -> None:
    driver = open_window(START)
    failures: list[State] = []

    def fail(state: State, _now: float) -> None:
        failures.append(state)
        raise ValueError("a page with a fault")

    driver.page.draw = fail
    driver.until(lambda: len(failures) >= 3)
    assert "a page with a fault" in driver.window._banner.text
    driver.publish(CallStarted("sip:bob@meet.example", "Ringing …"))
    assert driver.page.progress.cget("text") == "Ringing …"


def test_banner_is_wrapped_and_can_be_closed(open_window: Open) -> None:
    driver = open_window(START, (640, 420))
    driver.publish(BannerShown(Banner("No answer from meet.example; " * 6, "error")))
    label = driver.window._banner.label
    assert label is not None and label.winfo_width() <= 640
    driver.key("Escape")
    close = [child for child in label.master.winfo_children() if getattr(child, "icon", "") == "close"]
    driver.click(close[0])
    driver.until(lambda: driver.window.state.banner is None)
    assert driver.window._banner.text == ""


def test_closing_the_window_in_a_meeting_asks_first(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.window.ask_to_quit()
    driver.pump(0.1)
    question = driver.window.card
    driver.click(question.buttons[1])         # type: ignore[union-attr]
    driver.until(lambda: driver.window.card is None)
    assert driver.window.is_open and driver.sent == []
    driver.window.ask_to_quit()
    driver.pump(0.1)
    driver.click(driver.window.card.buttons[0])     # type: ignore[union-attr]
    driver.until(lambda: not driver.window.is_open)
    assert driver.sent == [Leave(), Quit()]


def test_closing_the_window_at_home_quits_at_once(open_window: Open) -> None:
    driver = open_window(START)
    driver.window.ask_to_quit()
    assert not driver.window.is_open
    assert driver.sent == [Quit()]


def test_idle_meeting_costs_little_and_redraws_only_what_changed(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver, ALICE, *(Member(i, f"Person {i}") for i in range(20, 29)))
    touched: list[str] = []
    draw_tile = driver.page.gallery._draw_tile
    driver.page.gallery._draw_tile = lambda key, face: (touched.append(key), draw_tile(key, face))
    process, started = psutil.Process(), time.monotonic()
    before = process.cpu_times()
    driver.window.root.after(3000, driver.window.root.quit)
    for step in range(55):
        driver.window.root.after(50 * step, lambda step=step: driver.bridge.publish(LevelsChanged(-70 + step % 3, -127)))    # type: ignore[misc]
    driver.window.root.after(1000, lambda: driver.bridge.publish(SpeakersChanged({22: -20})))
    driver.window.root.mainloop()
    used = process.cpu_times()
    share = (used.user + used.system - before.user - before.system) / (time.monotonic() - started)
    assert touched == ["id:22"]
    assert share < 0.15, f"{share:.1%} of a core; the figure to keep is 5 %"


def test_places_called_before_are_in_a_menu_where_the_window_is_low(open_window: Open) -> None:
    driver = open_window(START, (640, 420))
    assert not driver.page.recent.winfo_viewable()
    driver.click(driver.page.places)
    driver.choose("daily")
    driver.expect(OpenPrejoin("sip:daily@meet.example"))


def test_every_page_fits_the_smallest_window(open_window: Open) -> None:
    driver = open_window(replace(START, settings={**SETTINGS, "language": "zh"}), (640, 420))
    trouble = BannerShown(Banner("no answer from meet.example; check the address, the port, and that the server runs", "error"))
    for events in ((), (PrejoinOpened("daily"),), (CallStarted("sip:bob@x", "Ringing …"),)):
        driver.publish(*events, trouble)
        driver.pump(0.2)
        for widget in _widgets(driver.page):
            if widget.winfo_viewable() and isinstance(widget, tk.Canvas) and getattr(widget, "text", ""):
                left, top = widget.winfo_rootx(), widget.winfo_rooty()
                assert left >= 0 and left + widget.winfo_width() <= 640, widget
                assert top >= 0 and top + widget.winfo_height() <= 420, widget


def _widgets(widget: tk.Misc) -> list[tk.Misc]:
    return [widget, *(deeper for child in widget.winfo_children() for deeper in _widgets(child))]
