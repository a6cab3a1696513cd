"""A desktop and a viewer joined by the server: pictures pass, input waits for the floor, each end releases what is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.relay.gate import Gate, GateClosed, GateOpened, InputRefused
from mcu.relay.junction import DesktopJoined, Junction, JunctionEnded, JunctionEvent, TlsWanted
from rtp.rfb.handshake import ServerSecurity, ViewerSecurity
from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.security import VENCRYPT, VNC_AUTH
from rtp.rfb.server import RfbServer, ServerEvent
from rtp.rfb.viewer import RfbViewer, ViewerSettings
from tests.helpers.rfb import blank, text

BOB = 7


class Trio:
    """A desktop, the junction and a viewer."""

    def __init__(self, security: ServerSecurity | None = None, viewer: ViewerSettings | None = None,
                 piece: int = 1 << 20) -> None:
        self.piece = piece
        self.desktop = RfbServer(text(), now=0.0)
        self.junction = Junction(Gate(BOB), security)
        self.viewer = RfbViewer(viewer, now=0.0)
        self.input: list[ServerEvent] = []
        self.events: list[JunctionEvent] = []

    def run(self) -> None:
        """Carry bytes until there are none."""
        while True:
            moved = 0
            for data, receive in ((self.desktop.data_to_send(), self.junction.receive_from_owner),
                                  (self.viewer.data_to_send(), self.junction.receive_from_viewer)):
                moved += len(data)
                for start in range(0, len(data), self.piece):
                    receive(data[start:start + self.piece], 0.0)
            for data, end in ((self.junction.data_for_owner(), self.desktop), (self.junction.data_for_viewer(), self.viewer)):
                moved += len(data)
                for start in range(0, len(data), self.piece):
                    end.receive_data(data[start:start + self.piece], 0.0)
            self.input += [event for event in iter(self.desktop.next_event, None) if isinstance(event, KeyEvent | PointerEvent)]
            self.events += iter(self.junction.next_event, None)
            if not moved:
                return


@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_picture_passes_and_input_waits_for_the_floor(piece: int) -> None:
    trio = Trio(piece=piece)
    trio.run()
    assert trio.events == [DesktopJoined()]
    assert np.array_equal(trio.viewer.framebuffer, text())
    trio.viewer.press_key(97, True)
    trio.run()
    assert trio.input == []
    trio.junction.set_holder(BOB, 1.0)
    trio.viewer.press_key(98, True)
    trio.run()
    trio.junction.set_holder(0, 2.0)
    trio.viewer.press_key(99, True)
    trio.run()
    assert trio.input == [KeyEvent(98, True), KeyEvent(98, False)]
    assert trio.events[1:] == [InputRefused(BOB), GateOpened(BOB), GateClosed(BOB, 1), InputRefused(BOB)]
    trio.desktop.show(blank(), 3.0)
    trio.run()
    assert np.array_equal(trio.viewer.framebuffer, blank())


def held() -> Trio:
    """A session in which the viewer holds a key and a button."""
    trio = Trio()
    trio.junction.set_holder(BOB, 0.0)
    trio.run()
    trio.viewer.press_key(0xFFE3, True)
    trio.viewer.move_pointer(4, 5, 1)
    trio.run()
    trio.input.clear()
    trio.events.clear()
    return trio


def test_viewer_that_vanishes_with_a_key_down_leaves_no_key_down() -> None:
    trio = held()
    trio.junction.receive_from_viewer(b"", 1.0)
    trio.run()
    assert trio.input == [KeyEvent(0xFFE3, False), PointerEvent(0, 4, 5)]
    assert trio.events == [GateClosed(BOB, 2), JunctionEnded("the viewer left")]


def test_bytes_that_are_no_message_end_the_session_and_release_everything() -> None:
    trio = held()
    trio.junction.receive_from_viewer(b"\x63", 1.0)
    trio.run()
    assert trio.input == [KeyEvent(0xFFE3, False), PointerEvent(0, 4, 5)]
    assert isinstance(trio.events[-1], JunctionEnded) and "kind 99" in trio.events[-1].reason
    trio.junction.receive_from_viewer(bytes(KeyEvent(97, True)), 2.0)
    trio.junction.set_holder(BOB, 2.0)
    assert trio.junction.data_for_owner() == b""


def test_desktop_that_vanishes_ends_the_session() -> None:
    trio = held()
    trio.junction.receive_from_owner(b"", 1.0)
    trio.run()
    assert trio.events[-1] == JunctionEnded("the desktop left") and trio.junction.next_timer() is None


def test_input_that_comes_with_the_handshake_is_refused_too() -> None:
    trio = Trio()
    trio.junction.receive_from_viewer(b"RFB 003.008\n\1\1" + bytes(KeyEvent(97, True)) * 3, 0.0)
    trio.junction.receive_from_owner(trio.desktop.data_to_send(), 0.0)
    trio.desktop.receive_data(trio.junction.data_for_owner(), 0.0)
    trio.junction.receive_from_owner(trio.desktop.data_to_send(), 0.0)
    trio.desktop.receive_data(trio.junction.data_for_owner(), 0.0)
    assert not any(isinstance(event, KeyEvent) for event in iter(trio.desktop.next_event, None))
    assert trio.junction.gate is not None and trio.junction.gate.refused == 3


@pytest.mark.parametrize(("word", "state"), [("ticket42", "joined"), ("ticket43", "ended")])
def test_door_with_a_word_lets_in_who_knows_it(word: str, state: str) -> None:
    security = ServerSecurity((VNC_AUTH,), lambda size: b"r" * size, "ticket42")
    trio = Trio(security, ViewerSettings(ViewerSecurity((VNC_AUTH,), password=word)))
    trio.run()
    assert trio.junction.state == state
    assert (trio.viewer.state == "running") is (state == "joined")


def test_door_with_tls_says_where_it_begins() -> None:
    security = ServerSecurity((VENCRYPT,), may_enter=lambda user, password: (user, password) == ("daily", "t1"))
    trio = Trio(security, ViewerSettings(ViewerSecurity((VENCRYPT,), "daily", "t1")))
    trio.run()
    assert trio.events == [TlsWanted(b"")]
    trio.junction.tls_established(1.0)
    trio.viewer.tls_established(1.0)
    trio.run()
    assert trio.junction.state == "joined" and np.array_equal(trio.viewer.framebuffer, text())


def test_desktop_that_asks_for_a_password_is_none_of_ours() -> None:
    junction = Junction(Gate(BOB))
    junction.receive_from_owner(b"RFB 003.008\n\1\2", 0.0)
    assert junction.state == "ended"


@given(st.lists(st.binary(max_size=60) | st.just(bytes(KeyEvent(97, True))), max_size=8), st.booleans())
def test_whatever_a_viewer_sends_the_desktop_gets_only_whole_messages_and_no_input(parts: list[bytes], has_begun: bool) -> None:
    trio = Trio()
    if has_begun:
        trio.run()
    trio.junction.receive_from_viewer(b"".join(parts) or b"\xff", 1.0)
    trio.run()
    assert trio.input == [] and trio.desktop.state != "closed"
