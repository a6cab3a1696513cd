"""pytest fixtures for programs that talk to a Confero server: `server`, `phone` and `conference`.

Put `pytest_plugins = ["confero.testing"]` into your conftest.py. `server` is a real server process on a free loopback
port with rooms open to all; `phone` starts a headless phone in a room and gives back what it measured; `conference(n)`
puts n phones, each with a tone of its own, into one room.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CAPTURE_VARIABLE, CAPTURE = "CONFERO_TEST_PCAP", "server.pcapng"
START_S = 60.0
"""How long a server may take to come up on a machine that has other things to do."""
TONES_HZ = (440, 1000, 1300, 700, 1700, 560, 2100, 850)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP just now, and the next one for TLS."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((host, 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind((host, port))
                with socket.socket() as tls:
                    tls.bind((host, port + 1))
            except (OSError, OverflowError):
                continue
            return port


@dataclass
class Server:
    """A server process: `uri("daily")` is what to dial."""

    host: str
    port: int
    data: Path
    process: subprocess.Popen[bytes]
    log: Path
    prefix: tuple[str, ...] = ()

    @property
    def tls_port(self) -> int:
        """Where it takes TLS, when it was not told another port."""
        return self.port + 1

    def uri(self, name: str) -> str:
        """The SIP URI of a room, user or service of this server."""
        return f"sip:{name}@{self.host}:{self.port}"

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `confero` against this server."""
        command = [*self.prefix, sys.executable, "-m", "mcu", *arguments, "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def json(self, *arguments: str) -> Any:
        """What a command of `confero` prints with `--json`; fails when the command does."""
        done = self.cli(*arguments, "--json")
        if done.returncode != 0:
            raise AssertionError(f"confero {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)

    def stop(self) -> int:
        """Ask the server to end and wait for it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        return self.process.returncode


def start_server(data: Path, *options: str, host: str = "127.0.0.1", port: int = 0,
                 prefix: tuple[str, ...] = ()) -> Server:
    """Start `confero serve` on a free port and wait (20 s at most) until it answers.

    data: the folder of its database; options: further options of `confero serve`; prefix: goes before the command.
    With $CONFERO_TEST_PCAP set it captures, too: everything, in clear, into server.pcapng in that folder. Raises RuntimeError
    with the server's own words when it does not come up.
    """
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    log = data / "serve.log"
    command = [*prefix, sys.executable, "-m", "mcu", "serve", "--data", str(data), "--listen", host, "--sip-port",
               str(port), *([] if "--tls-port" in options else ["--tls-port", str(port + 1)]),
               *([] if "--http-port" in options else ["--http-port", "0"]), *options]
    if os.environ.get(CAPTURE_VARIABLE) and "--pcap" not in options:
        command += ["--pcap", str(data / CAPTURE)]
    with log.open("ab") as out:
        begins_at = out.tell()                  # a server that ran here before has said that it is up, too
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    server = Server(host, port, data, process, log, prefix)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if b"Confero is up" in log.read_bytes()[begins_at:] and server.cli("room", "list", "--json").returncode == 0:
            return server
        time.sleep(0.1)
    server.stop()
    raise RuntimeError("the server did not come up: " + log.read_text(errors="replace")[-2000:])


@dataclass
class Phone:
    """A headless phone in a call."""

    process: subprocess.Popen[bytes]
    recording: Path
    statistics: Path
    tone_hz: int
    log: Path
    _facts: dict[str, Any] = field(default_factory=dict)

    def finish(self, limit_s: float = 60) -> dict[str, Any]:
        """Wait for the end of the call; the phone's own statistics. Raises AssertionError when the call failed."""
        if self.process.wait(limit_s) != 0:
            raise AssertionError("the phone failed: " + self.log.read_text(errors="replace")[-1000:])
        self._facts = json.loads(self.statistics.read_text())
        return self._facts


PhoneFactory = Callable[..., Phone]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server whose rooms are open to all."""
    running = start_server(tmp_path / "server", "--open")
    yield running
    running.stop()


@pytest.fixture
def phone(server: Server, tmp_path: Path) -> Iterator[PhoneFactory]:
    """`phone("daily", tone=440, seconds=5)` calls a room and returns at once; `finish()` waits for the figures."""
    started: list[Phone] = []

    def call(room: str, *, tone: int = 440, seconds: float = 5, options: tuple[str, ...] = ()) -> Phone:
        work = tmp_path / f"phone{len(started)}"
        work.mkdir()
        recording, statistics, log = work / "heard.wav", work / "statistics.json", work / "log"
        command = [sys.executable, "-m", "softphone", "--headless", server.uri(room), "--play", f"tone:{tone}"]
        command += ["--record", str(recording), "--seconds", str(seconds), "--stats", str(statistics), *options]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        started.append(Phone(process, recording, statistics, tone, log))
        return started[-1]

    yield call
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(10)


@pytest.fixture
def conference(phone: PhoneFactory) -> Callable[..., list[Phone]]:
    """`conference(3, room="daily", seconds=8)`: n phones in one room, each with its own tone."""

    def meet(members: int, *, room: str = "daily", seconds: float = 8) -> list[Phone]:
        return [phone(room, tone=TONES_HZ[i % len(TONES_HZ)], seconds=seconds) for i in range(members)]

    return meet
