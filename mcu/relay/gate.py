"""What a viewer's messages may do (RFC 6143 §7.5): input passes while its participant holds the floor *control*. Pure.

    gate = Gate(participant_id=7)
    gate.receive(message, now); out = gate.messages_to_send(); event = gate.next_event()
    gate.set_holder(7, now)

Looking is always allowed, so that requests, formats and fences pass. Keys and pointer pass for the floor's holder, at most
MAX_EVENTS in any second; a pointer that was too fast arrives a little later at its last place. When the floor is gone the gate
closes first, and then lets go of all that is held down. Releases of what is held always pass. What doesn't is counted. A
key stays down only as long as its viewer is heard: it would write on and on while the connection is dead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rtp.rfb.messages import ClientCutText, ClientMessage, KeyEvent, PointerEvent, SetDesktopSize

MAX_EVENTS = 200
"""Keys and pointer events in any second; a person makes thirty, a fast mouse with a good screen 144."""
MAX_MESSAGES = 2000
"""Messages of all kinds in any second; more end the session."""
MAX_HELD = 32
"""Keys down at once; ten fingers and some that got lost."""
WINDOW_S = 1.0
SILENCE_S = 3.0
"""A held key repeats, and each change of the picture is answered, so a viewer with a key down is heard many times a second."""
MODIFIERS = range(0xFFE1, 0xFFEF)
"""Shift, Control, Alt and their like do nothing by themselves and may be held in silence."""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """Input of this participant passes from now on."""

    participant_id: int


@dataclass(frozen=True, slots=True)
class GateClosed:
    """Input passes no longer. released: keys and buttons that the gate let go of."""

    participant_id: int
    released: int


@dataclass(frozen=True, slots=True)
class InputRefused:
    """The first input since the gate closed (or since the session began) that was not passed; the others are counted."""

    participant_id: int


@dataclass(frozen=True, slots=True)
class Flooded:
    """More messages than anybody needs: the session has to end."""

    participant_id: int


GateEvent = GateOpened | GateClosed | InputRefused | Flooded


class Gate:
    """The gate of one viewer's connection. participant_id: whose it is, never 0.

    passed: input events that went through; refused: without the floor; too_fast: over the limit.
    """

    def __init__(self, participant_id: int, *, allows_clipboard: bool = False) -> None:
        self.participant_id = participant_id
        self.is_open = False
        self.passed = self.refused = self.too_fast = 0
        self._allows_clipboard = allows_clipboard
        self._held: dict[tuple[int, int | None], KeyEvent] = {}
        self._pointer = PointerEvent(0, 0, 0)
        self._late: PointerEvent | None = None
        self._heard_at = 0.0
        self._inputs: deque[float] = deque(maxlen=MAX_EVENTS)
        self._messages: deque[float] = deque(maxlen=MAX_MESSAGES)
        self._has_told = False
        self._out: list[ClientMessage] = []
        self._events: deque[GateEvent] = deque()

    def set_holder(self, participant_id: int, now: float) -> None:
        """Who holds the floor now; 0 for nobody."""
        is_open = participant_id == self.participant_id
        if is_open == self.is_open:
            return
        self.is_open, self._has_told = is_open, False
        if is_open:
            self._events.append(GateOpened(self.participant_id))
        else:
            self._events.append(GateClosed(self.participant_id, self._release_all()))

    def receive(self, message: ClientMessage, now: float) -> None:
        """The next message of the viewer."""
        if _is_full(self._messages, now):
            self._events.append(Flooded(self.participant_id))
            return
        self._messages.append(now)
        self._heard_at = now
        match message:
            case KeyEvent():
                self._receive_key(message, now)
            case PointerEvent():
                self._receive_pointer(message, now)
            case ClientCutText():
                self._receive_other(message, is_allowed=self._allows_clipboard)
            case SetDesktopSize():
                self._receive_other(message, is_allowed=True)
            case _:
                self._out.append(message)

    def messages_to_send(self) -> list[ClientMessage]:
        """What goes on to the desktop."""
        out, self._out = self._out, []
        return out

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        late_at = [] if self._late is None else [self._inputs[0] + WINDOW_S]
        silent_at = [self._heard_at + SILENCE_S] if any(True for _ in self._writing()) else []
        return min(late_at + silent_at, default=None)

    def handle_timer(self, now: float) -> None:
        """Let the pointer arrive that was too fast; let go of keys whose viewer fell silent."""
        if now >= self._heard_at + SILENCE_S:
            for key, event in list(self._writing()):
                del self._held[key]
                self._out.append(KeyEvent(event.keysym, False, event.keycode))
        self._send_late(now)

    def _send_late(self, now: float) -> None:
        if self._late is not None and not _is_full(self._inputs, now):
            late, self._late = self._late, None
            self._pass_pointer(late, now)

    def next_event(self) -> GateEvent | None:
        """What is to be audited, oldest first."""
        return self._events.popleft() if self._events else None

    def _receive_key(self, event: KeyEvent, now: float) -> None:
        if not self._may_pass():
            return
        key = (event.keysym, event.keycode)
        is_release = not event.is_down and key in self._held
        if event.is_down and len(self._held) >= MAX_HELD and key not in self._held:
            self.too_fast += 1
            return
        self._send_late(now)
        if not is_release:
            if _is_full(self._inputs, now):
                self.too_fast += 1
                return
            self._inputs.append(now)
        if event.is_down:
            self._held[key] = event
        else:
            self._held.pop(key, None)
        self.passed += 1
        self._out.append(event)

    def _receive_pointer(self, event: PointerEvent, now: float) -> None:
        if not self._may_pass():
            return
        is_release = event.buttons != self._pointer.buttons and not event.buttons & ~self._pointer.buttons
        if is_release:
            self._late = None
            self._pass_pointer(event, now, is_counted=False)
        elif _is_full(self._inputs, now):
            self.too_fast += self._late is not None
            self._late = event
        else:
            self._late = None
            self._pass_pointer(event, now)

    def _pass_pointer(self, event: PointerEvent, now: float, *, is_counted: bool = True) -> None:
        if is_counted:
            self._inputs.append(now)
        self._pointer = event
        self.passed += 1
        self._out.append(event)

    def _receive_other(self, message: ClientMessage, *, is_allowed: bool) -> None:
        if self._may_pass(is_allowed=is_allowed):
            self._out.append(message)

    def _may_pass(self, *, is_allowed: bool = True) -> bool:
        if self.is_open and is_allowed:
            return True
        self.refused += 1
        if not self._has_told:
            self._has_told = True
            self._events.append(InputRefused(self.participant_id))
        return False

    def _writing(self) -> Iterator[tuple[tuple[int, int | None], KeyEvent]]:
        """Keys that are down and are no modifiers."""
        return ((key, event) for key, event in self._held.items() if event.keysym not in MODIFIERS)

    def _release_all(self) -> int:
        """Let go of everything, the last key first; how much it was."""
        released = len(self._held) + self._pointer.buttons.bit_count()
        self._out += [KeyEvent(event.keysym, False, event.keycode) for event in reversed(self._held.values())]
        if self._pointer.buttons:
            self._pointer = PointerEvent(0, self._pointer.x, self._pointer.y)
            self._out.append(self._pointer)
        self._held.clear()
        self._late = None
        return released


def _is_full(times: deque[float], now: float) -> bool:
    """Whether as many things as are allowed happened within the last second."""
    return len(times) == times.maxlen and now - times[0] < WINDOW_S
