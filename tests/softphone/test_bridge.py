"""The bridge between the window's thread and the agent's."""

from __future__ import annotations

import asyncio
import threading

from softphone.bridge import MAX_EVENTS, Bridge
from softphone.model import (
    BannerDismissed,
    CallEnded,
    Command,
    Dial,
    Leave,
    LevelsChanged,
    Quality,
    QualityChanged,
    SetMuted,
    SpeakersChanged,
)


async def test_commands_reach_the_handler_in_order_and_in_its_loop() -> None:
    bridge, got, threads = Bridge(), list[Command](), set[int]()

    def handle(command: Command) -> None:
        got.append(command)
        threads.add(threading.get_ident())

    bridge.send(Dial("daily"))
    bridge.attach(asyncio.get_running_loop(), handle)
    window = threading.Thread(target=lambda: [bridge.send(SetMuted(True)), bridge.send(Leave())])
    window.start()
    window.join()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert got == [Dial("daily"), SetMuted(True), Leave()]
    assert threads == {threading.get_ident()}


def test_events_come_once_and_in_order() -> None:
    bridge = Bridge()
    bridge.publish(CallEnded("first"))
    bridge.publish(CallEnded("second"))
    assert bridge.take_events() == [CallEnded("first"), CallEnded("second")]
    assert bridge.take_events() == []


def test_only_the_newest_measurement_of_each_kind_is_kept() -> None:
    bridge = Bridge()
    for level in range(-60, 0):
        bridge.publish(LevelsChanged(level, level))
        bridge.publish(SpeakersChanged({7: level}))
    bridge.publish(CallEnded(""))
    bridge.publish(QualityChanged(Quality(codec="opus")))
    bridge.publish(QualityChanged(Quality(codec="g722")))
    assert bridge.take_events() == [LevelsChanged(-1, -1), SpeakersChanged({7: -1}), CallEnded(""),
                                    QualityChanged(Quality(codec="g722"))]


def test_a_window_that_hangs_costs_the_oldest_events_and_is_counted() -> None:
    bridge = Bridge()
    for number in range(MAX_EVENTS + 3):
        bridge.publish(CallEnded(str(number)))
    events = bridge.take_events()
    assert len(events) == MAX_EVENTS and bridge.dropped == 3
    assert events[0] == CallEnded("3")


async def test_after_the_end_commands_go_nowhere_and_the_last_events_can_be_taken() -> None:
    bridge, got = Bridge(), list[Command]()
    bridge.attach(asyncio.get_running_loop(), got.append)
    bridge.publish(BannerDismissed())
    bridge.close()
    bridge.send(Leave())
    bridge.publish(CallEnded("too late"))
    await asyncio.sleep(0)
    assert got == [] and bridge.is_closed
    assert bridge.take_events() == [BannerDismissed()]


def test_a_loop_that_is_gone_is_no_error_for_the_window() -> None:
    bridge, loop = Bridge(), asyncio.new_event_loop()
    bridge.attach(loop, lambda _: None)
    loop.close()
    bridge.send(Leave())
    assert bridge.is_closed
