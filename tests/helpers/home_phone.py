"""A phone as a process of its own that is told what to do, and tells what it hears: for a test whose phones live elsewhere.

    python -m tests.helpers.home_phone --user alice --password … --server 203.0.113.10:5060 --tone 440 --hears 850

It reads commands from standard input, one a line (`call TARGET`, `hold`, `resume`, `hang-up`, `quit`), and prints JSON, one a
line: {"event": …, "at": monotonic seconds}. Calls that come in are answered. `heard` and `silent` are printed whenever the
tone that it listens for begins or ends, in windows of 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

from softphone.call import Call
from softphone.errors import PhoneError
from softphone.line import CallArrived, CallOver, PhoneEvent, RegistrationUpdated
from softphone.phone import Phone

FRAME, RATE, WINDOW_FRAMES = 960, 48000, 5
AMPLITUDE = 0.15
HEARD_DBFS = -35.0


def _tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, "at": time.monotonic(), **facts}), flush=True)


class _Tones:
    """Plays one tone into a call and listens for another one."""

    def __init__(self, plays_hz: float, hears_hz: float) -> None:
        self._plays_hz, self._hears_hz = plays_hz, hears_hz

    async def run(self, call: Call) -> None:
        """Until the call ends."""
        sent, window, is_heard = 0, [], False
        async for frame in call.audio():
            times = (np.arange(FRAME) + sent) / RATE
            call.play((np.sin(2 * np.pi * self._plays_hz * times) * AMPLITUDE * 32767).astype(np.int16))
            sent += FRAME
            window.append(frame)
            if len(window) < WINDOW_FRAMES:
                continue
            level = self._level(np.concatenate(window).astype(np.float64) / 32768)
            window.clear()
            if (level > HEARD_DBFS) != is_heard:
                is_heard = not is_heard
                _tell("heard" if is_heard else "silent", level_dbfs=round(level, 1))

    def _level(self, samples: Any) -> float:
        times = np.arange(len(samples)) / RATE
        power = abs(np.mean(samples * np.exp(-2j * np.pi * self._hears_hz * times))) ** 2 * 2
        return float(10 * np.log10(max(power, 1e-12)))


async def _commands(lines: asyncio.Queue[str], phone: Phone, tones: _Tones) -> None:
    call: Call | None = None
    playing: set[asyncio.Task[None]] = set()

    def talk(new: Call) -> None:
        playing.add(asyncio.create_task(tones.run(new)))

    while True:
        line = asyncio.ensure_future(lines.get())
        arrival = asyncio.ensure_future(phone.next_call())
        done, waiting = await asyncio.wait((line, arrival), return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if arrival in done:
            call = arrival.result()
            await call.answer()
            _tell("answered", id=call.id)
            talk(call)
        if line not in done:
            continue
        verb, _, argument = line.result().partition(" ")
        try:
            if verb == "quit":
                return
            if verb == "call":
                call = await phone.call(argument)
                _tell("up", id=call.id)
                talk(call)
            elif call is not None and verb in ("hold", "resume"):
                await call.hold(verb == "hold")
                _tell(verb)
            elif call is not None and verb == "hang-up":
                call.hang_up()
        except PhoneError as error:
            _tell("failed", text=str(error))


def _report(event: PhoneEvent) -> None:
    match event:
        case RegistrationUpdated(is_registered, text):
            _tell("registered" if is_registered else "unregistered", text=text)
        case CallArrived(call):
            _tell("ringing", id=call.id)
        case CallOver(call):
            _tell("over", reason=call.end.reason if call.end else "", text=call.end.text if call.end else "")


async def _main() -> None:
    options = argparse.ArgumentParser()
    for name in ("user", "password", "server", "transport"):
        options.add_argument(f"--{name}", default="udp" if name == "transport" else "")
    for name in ("tone", "hears", "keep-alive"):
        options.add_argument(f"--{name}", type=float, default=0.0)
    given = options.parse_args()
    lines: asyncio.Queue[str] = asyncio.Queue()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def read() -> None:
        while line := await reader.readline():
            await lines.put(line.decode().strip())
        await lines.put("quit")

    reading = asyncio.create_task(read())
    phone = Phone(given.user, given.password, given.server, transport=given.transport, keep_alive_s=given.keep_alive,
                  notify=_report)
    async with phone:
        await _commands(lines, phone, _Tones(given.tone, given.hears))
    reading.cancel()


class HomePhone:
    """The test's side of such a process: `say` a command, `wait` for what it tells. prefix: goes before the command."""

    def __init__(self, *options: str, prefix: tuple[str, ...] = ()) -> None:
        self.told: list[dict[str, Any]] = []
        self.process = subprocess.Popen([*prefix, sys.executable, "-m", __name__, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> HomePhone:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self._reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def say(self, command: str) -> float:
        """Give a command; when that was, in monotonic seconds."""
        assert self.process.stdin is not None
        at = time.monotonic()
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return at

    def wait(self, event: str, limit_s: float = 20.0) -> dict[str, Any]:
        """The next event of a name; those before it are passed over. Raises AssertionError when it does not come."""
        ends_at = time.monotonic() + limit_s
        while (left := ends_at - time.monotonic()) > 0:
            try:
                told = self._lines.get(timeout=left)
            except queue.Empty:
                break
            self.told.append(told)
            if told["event"] == event:
                return told
        raise AssertionError(f"no {event!r} in {limit_s} s; it told {[one['event'] for one in self.told]}")


if __name__ == "__main__":
    asyncio.run(_main())
