"""Each way to press a key on a desktop without being allowed to: nothing comes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.relay.gate import (
    MAX_EVENTS,
    MAX_HELD,
    MAX_MESSAGES,
    SILENCE_S,
    Flooded,
    Gate,
    GateClosed,
    GateOpened,
    InputRefused,
)
from rtp.rfb.messages import (
    ClientCutText,
    ClientMessage,
    EnableContinuousUpdates,
    Fence,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetDesktopSize,
    SetEncodings,
    SetPixelFormat,
)
from rtp.rfb.pixels import PixelFormat, Rectangle

BOB, CARL = 7, 8
AREA = Rectangle(0, 0, 9, 9)
INPUT: list[ClientMessage] = [KeyEvent(97, True), KeyEvent(97, True, 30), PointerEvent(1, 5, 5), ClientCutText(b"x"),
                              SetDesktopSize(9, 9, ())]
LOOKING: list[ClientMessage] = [SetPixelFormat(PixelFormat()), SetEncodings((0,)), FramebufferUpdateRequest(True, AREA),
                                EnableContinuousUpdates(True, AREA), Fence(1, b"x")]
IDS = ["key", "key-by-place", "pointer", "clipboard", "size"]


def opened(**settings: bool) -> Gate:
    """A gate whose participant holds the floor."""
    gate = Gate(BOB, **settings)
    gate.set_holder(BOB, 0.0)
    assert gate.next_event() == GateOpened(BOB)
    return gate


@pytest.mark.parametrize("message", INPUT, ids=IDS)
def test_input_without_a_grant_is_dropped_and_counted_and_told_once(message: ClientMessage) -> None:
    gate = Gate(BOB)
    for number in range(5):
        gate.receive(message, float(number))
    assert gate.messages_to_send() == [] and gate.refused == 5 and gate.passed == 0
    assert list(iter(gate.next_event, None)) == [InputRefused(BOB)]


@pytest.mark.parametrize("message", INPUT, ids=IDS)
def test_input_while_somebody_else_holds_the_floor_is_dropped(message: ClientMessage) -> None:
    gate = Gate(BOB, allows_clipboard=True)
    gate.set_holder(CARL, 0.0)
    gate.receive(message, 0.0)
    assert gate.messages_to_send() == [] and gate.refused == 1


@pytest.mark.parametrize("message", INPUT, ids=IDS)
def test_input_after_release_is_dropped(message: ClientMessage) -> None:
    gate = opened(allows_clipboard=True)
    gate.set_holder(0, 1.0)
    gate.receive(message, 1.0)
    assert gate.messages_to_send() == [] and gate.refused == 1
    assert list(iter(gate.next_event, None)) == [GateClosed(BOB, 0), InputRefused(BOB)]


@pytest.mark.parametrize("is_open", [True, False])
def test_looking_is_always_allowed(is_open: bool) -> None:
    gate = opened() if is_open else Gate(BOB)
    for message in LOOKING:
        gate.receive(message, 0.0)
    assert gate.messages_to_send() == LOOKING and gate.refused == 0


def test_input_of_the_holder_passes_as_it_is() -> None:
    gate = opened(allows_clipboard=True)
    for message in INPUT:
        gate.receive(message, 0.0)
    assert gate.messages_to_send() == INPUT and gate.refused == 0 and gate.passed == 3


def test_clipboard_needs_a_permission_of_its_own() -> None:
    gate = opened()
    gate.receive(ClientCutText(b"x"), 0.0)
    assert gate.messages_to_send() == [] and gate.refused == 1


def test_gate_closes_first_and_then_lets_go_of_all_that_is_held() -> None:
    gate = opened()
    for message in (KeyEvent(0xFFE1, True), KeyEvent(65, True, 30), PointerEvent(5, 10, 20)):
        gate.receive(message, 0.0)
    gate.messages_to_send()
    gate.set_holder(0, 1.0)
    assert not gate.is_open
    assert gate.messages_to_send() == [KeyEvent(65, False, 30), KeyEvent(0xFFE1, False), PointerEvent(0, 10, 20)]
    assert gate.next_event() == GateClosed(BOB, 4)
    gate.set_holder(BOB, 2.0)
    gate.set_holder(0, 3.0)
    assert gate.messages_to_send() == []


def test_floor_that_goes_from_one_to_the_other_closes_the_gate_of_the_first() -> None:
    bob, carl = opened(), Gate(CARL)
    bob.receive(KeyEvent(65, True), 0.0)
    for gate in (bob, carl):
        gate.set_holder(CARL, 1.0)
    assert bob.messages_to_send()[-1] == KeyEvent(65, False)
    assert not bob.is_open and carl.is_open


def test_ten_thousand_events_in_a_second_are_two_hundred_at_the_desktop() -> None:
    gate = opened()
    for number in range(MAX_MESSAGES):
        gate.receive(KeyEvent(97, number % 2 == 0, number), 0.5 + number / 10_000)
    assert len(gate.messages_to_send()) <= MAX_EVENTS + MAX_HELD
    assert gate.too_fast > 0 and gate.next_event() is None
    for number in range(MAX_MESSAGES, 10_000):
        gate.receive(KeyEvent(97, True, number), 0.5 + number / 10_000)
    assert gate.messages_to_send() == []
    assert isinstance(gate.next_event(), Flooded)


def test_pointer_that_is_too_fast_arrives_a_little_later_at_its_last_place() -> None:
    gate = opened()
    for number in range(1000):
        gate.receive(PointerEvent(0, number, number), number / 2000)
    assert len(gate.messages_to_send()) == MAX_EVENTS
    due = gate.next_timer()
    assert due is not None and due == pytest.approx(1.0)
    gate.handle_timer(due)
    assert gate.messages_to_send() == [PointerEvent(0, 999, 999)]
    assert gate.next_timer() is None


@given(st.lists(st.tuples(st.floats(0.0, 0.02), st.sampled_from([KeyEvent(97, True), KeyEvent(97, False), PointerEvent(0, 1, 1),
                                                                PointerEvent(1, 2, 2)])), max_size=600))
def test_no_second_has_more_than_the_limit_besides_releases(steps: list[tuple[float, ClientMessage]]) -> None:
    gate, now, times = opened(), 0.0, []
    for pause, message in steps:
        now += pause
        due = gate.next_timer()
        if due is not None and due <= now:
            gate.handle_timer(due)
            times += [due] * len(gate.messages_to_send())
        gate.receive(message, now)
        times += [now for out in gate.messages_to_send() if out not in (KeyEvent(97, False), PointerEvent(0, 1, 1))]
    assert all(later - earlier >= 0.999 for earlier, later in zip(times, times[MAX_EVENTS:], strict=False))


def test_releases_of_what_is_held_pass_however_fast() -> None:
    gate = opened()
    gate.receive(KeyEvent(0xFFE3, True), 0.0)
    gate.receive(PointerEvent(1, 3, 3), 0.0)
    for number in range(300):
        gate.receive(PointerEvent(1, number, 3), 0.1)
    gate.messages_to_send()
    gate.receive(KeyEvent(0xFFE3, False), 0.2)
    gate.receive(PointerEvent(0, 50, 3), 0.2)
    assert gate.messages_to_send() == [KeyEvent(0xFFE3, False), PointerEvent(0, 50, 3)]
    assert gate.next_timer() is None


def test_key_whose_viewer_falls_silent_comes_up_and_modifiers_and_buttons_stay() -> None:
    gate = opened()
    for message in (KeyEvent(0xFFE1, True), KeyEvent(97, True, 30), PointerEvent(1, 3, 3)):
        gate.receive(message, 10.0)
    gate.receive(Fence(0), 12.0)
    gate.messages_to_send()
    assert gate.next_timer() == 12.0 + SILENCE_S
    gate.handle_timer(11.9 + SILENCE_S)
    assert gate.messages_to_send() == []
    gate.handle_timer(12.0 + SILENCE_S)
    assert gate.messages_to_send() == [KeyEvent(97, False, 30)] and gate.next_timer() is None
    gate.set_holder(0, 20.0)
    assert gate.messages_to_send() == [KeyEvent(0xFFE1, False), PointerEvent(0, 3, 3)]


def test_more_keys_than_fingers_are_not_held() -> None:
    gate = opened()
    for number in range(100):
        gate.receive(KeyEvent(1000 + number, True), 0.0)
    assert len(gate.messages_to_send()) == MAX_HELD
    gate.set_holder(0, 1.0)
    assert len(gate.messages_to_send()) == MAX_HELD
