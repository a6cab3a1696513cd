"""What steering another's desktop costs: delay from a key press to the changed picture, and CPU of owner, relay and controller.

    python -m bench.desktop [--keys 100] [--seconds 8] [--size 1920x1080] [--delay-ms 50 --loss 0.01]

An xterm on a screen of its own (Xvfb) is shared by an owner's process; the viewer is this one; the relay is a third. TLS on
both ways. `--delay-ms` is one way, on the controller's connection; a lost piece comes a round trip later and holds up what
follows, as TCP does it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from mcu.relay.messages import DesktopJoined, Door, OpenDesktop, RelayReport, Seat
from mcu.relay.process import DesktopRelay
from mcu.relay.tickets import digest_of
from rtp.rfb.keysyms import keysym_of
from rtp.rfb.server import RfbServer
from rtp.rfb.viewer import FrameUpdated, RfbViewer
from softphone.remote.desktop import Desktop
from softphone.remote.injector import Hands
from softphone.remote.jpeg import PillowJpeg
from softphone.remote.screen import ScreenGrabber
from softphone.remote.watch import ScreenWatch
from softphone.remote.xtest import XTestInjector
from tests.helpers.relay import OWNER_ID, VIEWER_ID, End, Phone, turn_until
from tests.helpers.screen import display

PAUSE_S = 0.07
"""Between two keys: a fast typist."""
SCROLL = "n=0; while :; do n=$((n+1)); echo line $n: the quick brown fox jumps over the lazy dog; sleep 0.05; done"
SEAT = {"owner": "ownersticket", "viewer": "viewersticket"}


def own(screen: str, port: int) -> None:
    """The owner's process: shows its fingerprint on standard output, takes the relay's certificate from standard input."""
    phone = Phone()
    print(phone.fingerprint.hex(), flush=True)
    relay = bytes.fromhex(sys.stdin.readline())
    grabber, watch = ScreenGrabber(screen), ScreenWatch(screen)
    hands = Hands(XTestInjector(screen), grabber.area, (grabber.area.width, grabber.area.height))
    server = RfbServer(grabber.grab(), now=time.monotonic(), jpeg=PillowJpeg())
    desktop = Desktop(phone.connect(port, relay, SEAT["owner"]), server, grabber, hands, watch)
    signal.signal(signal.SIGTERM, lambda *_: desktop.stop())
    desktop.run()


class SlowWire:
    """A way to a port that takes time and loses pieces."""

    def __init__(self, port: int, delay_s: float, loss: float) -> None:
        self._target, self._delay_s, self._loss = port, delay_s, loss
        self._random = random.Random(5)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[int]:
        """The port to connect to."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, last = asyncio.get_running_loop(), 0.0
        while data := await reader.read(1400):
            lost = self._random.random() < self._loss
            last = max(last, loop.time() + self._delay_s * (3 if lost else 1))
            loop.call_at(last, writer.write, data)
        loop.call_at(max(last, loop.time()), writer.close)


@dataclass
class Costs:
    """CPU seconds of three processes."""

    owner: int
    relay: int

    def now(self) -> dict[str, float]:
        """As they are now."""
        def of(pid: int) -> float:
            times = psutil.Process(pid).cpu_times()
            return times.user + times.system
        return {"owner": of(self.owner), "relay": of(self.relay), "controller": time.process_time()}


async def type_keys(viewer: End, keys: int) -> list[float]:
    """Type, and see each change; seconds from press to picture."""
    assert isinstance(viewer.core, RfbViewer)
    delays = []
    for number in range(keys):
        viewer.events.clear()
        begun = time.monotonic()
        keysym = keysym_of("abcdefghijklmnop"[number % 16])
        viewer.core.press_key(keysym, True)
        viewer.core.press_key(keysym, False)
        await wait_for_picture(viewer)
        delays.append(time.monotonic() - begun)
        until = time.monotonic() + PAUSE_S
        while time.monotonic() < until:
            viewer.pipe.wait(until - time.monotonic())
            viewer.turn()
            await asyncio.sleep(0)
    return delays


async def wait_for_picture(viewer: End) -> None:
    """Until a part of the picture was drawn anew."""
    async with asyncio.timeout(20):
        while True:
            viewer.turn()
            if any(isinstance(event, FrameUpdated) for event in viewer.events):
                return
            await asyncio.get_running_loop().run_in_executor(None, viewer.pipe.wait, 0.05)


async def look(viewer: End, seconds: float) -> int:
    """Only look for a while; how many updates came."""
    assert isinstance(viewer.core, RfbViewer)
    before, end = viewer.core.updates, time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.get_running_loop().run_in_executor(None, viewer.pipe.wait, 0.05)
        viewer.turn()
    viewer.events.clear()
    return viewer.core.updates - before


def start_owner(screen: str, port: int) -> subprocess.Popen[str]:
    """The owner's process."""
    return subprocess.Popen([sys.executable, "-m", "bench.desktop", "--own", screen, "--port", str(port)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def terminal(screen: str, command: str) -> subprocess.Popen[bytes]:
    """An xterm of 100 × 40 in the corner."""
    return subprocess.Popen(["xterm", "-geometry", "100x40+0+0", "-e", "sh", "-c", command],
                            env={**os.environ, "DISPLAY": screen}, stderr=subprocess.DEVNULL)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    width, height = map(int, options.size.split("x"))
    reports: list[RelayReport] = []
    bob = Phone()
    with socket.create_server(("127.0.0.1", 0)) as door, display(width, height) as screen:
        port = door.getsockname()[1]
        shell = terminal(screen.name, "exec cat > /dev/null")
        screen.xdotool("search", "--sync", "--onlyvisible", "--class", "xterm")
        screen.xdotool("mousemove", 100, 100)
        owner = start_owner(screen.name, port)
        assert owner.stdin is not None and owner.stdout is not None
        try:
            fingerprint = bytes.fromhex(owner.stdout.readline())
            wire = SlowWire(port, options.delay_ms / 1000, options.loss)
            async with DesktopRelay(reports.append) as relay, wire.listen() as slow:
                relay.open_door(Door.PHONES, door)
                relay.open_desktop(OpenDesktop(1, Seat(OWNER_ID, digest_of(SEAT["owner"]), fingerprint),
                                               Seat(VIEWER_ID, digest_of(SEAT["viewer"]), bob.fingerprint), 60))
                relay.set_holder(1, VIEWER_ID)
                owner.stdin.write(relay.certificate.hex() + "\n")
                owner.stdin.flush()
                pipe = bob.connect(slow if options.delay_ms or options.loss else port, relay.certificate, SEAT["viewer"])
                viewer = End(RfbViewer(now=time.monotonic(), jpeg=PillowJpeg()), pipe)
                await turn_until(lambda: DesktopJoined(1) in reports, viewer)
                await wait_for_picture(viewer)
                await look(viewer, 1.0)
                costs = Costs(owner.pid, relay.pid)
                delays = sorted(await type_keys(viewer, options.keys))
                shell.terminate()
                shell.wait()
                shell = terminal(screen.name, SCROLL)
                await look(viewer, 2.0)
                before, begun = costs.now(), time.monotonic()
                updates = await look(viewer, options.seconds)
                took, after = time.monotonic() - begun, costs.now()
                shares = {name: round(100 * (after[name] - before[name]) / took, 1) for name in before}
                return {
                    "size": options.size, "delay_ms": options.delay_ms, "loss": options.loss, "keys": len(delays),
                    "key_to_picture_ms_median": round(1000 * statistics.median(delays), 1),
                    "key_to_picture_ms_p95": round(1000 * delays[int(len(delays) * 0.95)], 1),
                    "scroll_updates_per_s": round(updates / took, 1),
                    **{f"scroll_cpu_percent_{name}": share for name, share in shares.items()},
                }
        finally:
            for process in (owner, shell):
                process.terminate()
                process.wait(20)


def main() -> None:
    """Measure and print, or be the owner."""
    parser = argparse.ArgumentParser(description="Delay and CPU of a desktop that another steers.")
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one way")
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--own", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.own:
        own(options.own, options.port)
        return
    print(json.dumps(asyncio.run(measure(options))))


if __name__ == "__main__":
    main()
