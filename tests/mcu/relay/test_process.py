"""The relay as a process: two phones over TLS, the floor, every ticket that isn't right, and its death."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from mcu.relay.loop import is_loopback
from mcu.relay.messages import (
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    Door,
    GatePassed,
    GateStep,
    RelayReport,
    TicketRefused,
)
from mcu.relay.process import DesktopRelay
from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.server import RfbServer
from rtp.rfb.viewer import RfbViewer
from softphone.remote.pipe import Pipe
from tests.helpers.relay import OWNER_ID, VIEWER_ID, End, Phone, tickets, turn_until
from tests.helpers.rfb import photograph, text

pytestmark = pytest.mark.loopback


@dataclass
class House:
    """A relay with its phones' door."""

    relay: DesktopRelay
    port: int
    reports: list[RelayReport] = field(default_factory=list)

    def has(self, kind: type) -> bool:
        """Whether a report of a kind came."""
        return any(isinstance(report, kind) for report in self.reports)


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """A running relay."""
    reports: list[RelayReport] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with DesktopRelay(reports.append) as relay:
            relay.open_door(Door.PHONES, listener)
            yield House(relay, listener.getsockname()[1], reports)


def inputs(end: End) -> list[object]:
    """What reached the desktop."""
    return [event for event in end.events if isinstance(event, KeyEvent | PointerEvent)]


async def joined(home: House, session_id: int = 1) -> tuple[End, End]:
    """A desktop and a viewer that see each other."""
    alice, bob = Phone(), Phone()
    opened, hers, his = tickets(session_id, alice, bob)
    home.relay.open_desktop(opened)
    owner = End(RfbServer(text(), now=time.monotonic()), alice.connect(home.port, home.relay.certificate, hers))
    viewer = End(RfbViewer(now=time.monotonic()), bob.connect(home.port, home.relay.certificate, his))
    await turn_until(lambda: home.has(DesktopJoined) and np.array_equal(viewer.core.framebuffer, text()), owner, viewer)
    return owner, viewer


async def test_input_passes_while_the_floor_is_held_and_everything_is_audited() -> None:
    async with house() as home:
        owner, viewer = await joined(home)
        viewer.core.press_key(97, True)
        await turn_until(lambda: home.has(GatePassed), owner, viewer)
        home.relay.set_holder(1, OWNER_ID)
        home.relay.set_holder(1, VIEWER_ID)
        await turn_until(lambda: len(home.reports) >= 4, owner, viewer)
        viewer.core.press_key(98, True)
        viewer.core.move_pointer(5, 6, 1)
        await turn_until(lambda: len(inputs(owner)) == 2, owner, viewer)
        home.relay.set_holder(1, 0)
        await turn_until(lambda: len(inputs(owner)) == 4, owner, viewer)
        viewer.core.press_key(99, True)
        await turn_until(lambda: GatePassed(1, GateStep.REFUSED, VIEWER_ID, 0) in home.reports[5:], owner, viewer)
        owner.core.show(photograph(), time.monotonic())
        await turn_until(lambda: np.array_equal(viewer.core.framebuffer, photograph()), owner, viewer)
        home.relay.close_desktop(1)
        await turn_until(lambda: home.has(DesktopEnded), owner, viewer)
    assert inputs(owner) == [KeyEvent(98, True), PointerEvent(1, 5, 6), KeyEvent(98, False), PointerEvent(0, 5, 6)]
    steps = [report for report in home.reports if isinstance(report, GatePassed)]
    assert [(step.step.name, step.count) for step in steps] == [("REFUSED", 0), ("OPENED", 0), ("CLOSED", 2), ("REFUSED", 0)]
    figures = [report for report in home.reports if isinstance(report, DesktopFigures)][-1]
    assert (figures.passed, figures.refused) == (2, 2) and figures.bytes_to_viewer > 1000 and figures.bytes_to_owner > 60


async def test_viewer_that_vanishes_leaves_no_key_down_at_the_desktop() -> None:
    async with house() as home:
        owner, viewer = await joined(home)
        home.relay.set_holder(1, VIEWER_ID)
        await turn_until(lambda: home.has(GatePassed), owner, viewer)
        viewer.core.press_key(0xFFE3, True)
        await turn_until(lambda: len(inputs(owner)) == 1, owner, viewer)
        viewer.pipe._socket.close()
        await turn_until(lambda: owner.core.state == "closed", owner)
        assert inputs(owner) == [KeyEvent(0xFFE3, True), KeyEvent(0xFFE3, False)]
        await turn_until(lambda: DesktopEnded(1, "the viewer left") in home.reports)


@pytest.mark.parametrize("how", ["unknown", "used", "stolen", "expired", "no ticket"])
async def test_who_has_no_right_ticket_gets_no_byte_of_a_desktop(how: str) -> None:
    async with house() as home:
        alice, bob, mallory = Phone(), Phone(), Phone()
        opened, hers, his = tickets(1, alice, bob, lifetime_s=0 if how == "expired" else 30)
        home.relay.open_desktop(opened)
        second, *_ = tickets(2, mallory, mallory)                # Mallory's certificate is known here for another desktop
        home.relay.open_desktop(second)
        owner = End(RfbServer(text(), now=time.monotonic()), alice.connect(home.port, home.relay.certificate, hers))
        ends = [owner]
        who, word = {"unknown": (bob, "aaaa"), "used": (bob, his), "stolen": (mallory, his), "expired": (bob, his),
                     "no ticket": (bob, "a b")}[how]
        if how == "used":
            ends.append(End(RfbViewer(now=0.0), bob.connect(home.port, home.relay.certificate, word)))
            await turn_until(lambda: home.has(DesktopJoined), *ends)
        thief = End(RfbViewer(now=0.0), who.connect(home.port, home.relay.certificate, word))
        await turn_until(lambda: not thief.pipe.is_open, *ends, thief)
        assert thief.core.state == "closed" and thief.core.framebuffer.size == 1
        await turn_until(lambda: home.has(TicketRefused), *ends)
        assert home.has(DesktopJoined) is (how == "used")


async def test_stranger_without_a_certificate_of_the_signalling_does_not_get_through_tls() -> None:
    async with house() as home:
        opened, *_ = tickets(1, Phone(), Phone())
        home.relay.open_desktop(opened)
        stranger = Phone().connect(home.port, home.relay.certificate, "aaaa")
        await turn_until(lambda: stranger.receive() == b"" and not stranger.is_open)
        plain = Pipe(socket.create_connection(("127.0.0.1", home.port)))
        plain.send(b"RFB 003.008\n" * 1000)
        await turn_until(lambda: plain.receive() is not None and not plain.is_open)


async def test_viewer_that_does_not_read_does_not_stop_others_or_grow_the_relay() -> None:
    async with house() as home:
        owner, _ = await joined(home)
        home.reports.clear()
        busy = await joined(home, 2)
        for seed in range(10):
            owner.core.show(photograph(1200, 800, seed), time.monotonic())
            owner.turn()                                               # its viewer doesn't take a turn any more
        busy[0].core.show(photograph(seed=5), time.monotonic())
        await turn_until(lambda: np.array_equal(busy[1].core.framebuffer, photograph(seed=5)), *busy, owner)
        assert owner.core.picture.updates <= 3


async def test_relay_that_dies_is_replaced_and_its_desktops_are_told_as_ended() -> None:
    async with house() as home:
        owner, viewer = await joined(home)
        home.reports.clear()
        os.kill(home.relay.pid, signal.SIGKILL)
        await turn_until(lambda: DesktopEnded(1, "the relay had to be started again") in home.reports, owner, viewer)
        await turn_until(lambda: viewer.core.state == owner.core.state == "closed", owner, viewer)
        await turn_until(lambda: home.relay.restarts == 1 and len(home.reports) > 1)
        await joined(home, 2)


async def test_door_with_vnc_authentication_stays_shut_unless_it_is_on_loopback() -> None:
    async with house() as home:
        with socket.create_server(("0.0.0.0", 0)) as listener:
            home.relay.open_door(Door.VNC_PLAIN, listener)
            await joined(home)                                        # by now the relay has looked at the door
            with socket.create_connection(listener.getsockname()) as viewer:
                viewer.setblocking(False)
                await joined(home, 2)
                with pytest.raises(BlockingIOError):
                    viewer.recv(100)


@pytest.mark.parametrize(("host", "is_own"), [
    ("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False), ("192.0.2.1", False),
    ("::ffff:192.0.2.1", False)])
def test_loopback_is_known_in_all_its_forms(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own
