"""Stock clients and our own headless phone as processes that a test starts, waits for and reads the result of.

    with Phones(tmp_path) as phones:
        a = phones.baresip("sip:room@127.0.0.1:5060", tone=440, codec="opus", seconds=8)
        b = phones.confero("sip:room@127.0.0.1:5060", tone=1000, seconds=8)
        assert a.finish().is_connected
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.helpers import tones

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).resolve().parent / "clients"
TONE_LEVEL_DBFS = -20.0
LINPHONE_G722_DB = 6.02
"""linphone 5.1.65 codes G.722 by one bit lower than FFmpeg and baresip 1.0.0 do, and decodes it by one bit higher."""
PORTS, PORTS_EACH = (30000, 32000), 12
"""Where clients take their ports in turn, so many each: below those that Linux gives out, so nobody comes in between."""
PLAYS_ON_S = 5
"""How much longer than the call its tone is: baresip hangs up where its file ends."""


@dataclass
class Result:
    """What a client said at its end, and where its recording is."""

    status: int
    facts: dict[str, Any]
    recording: Path
    errors: str

    @property
    def is_connected(self) -> bool:
        """Whether the call was up."""
        return self.status == 0


@dataclass
class Phone:
    """A client process, on its way."""

    name: str
    process: subprocess.Popen[bytes]
    work: Path
    limit_s: float
    recording: Path
    result: Result | None = field(default=None)

    def finish(self) -> Result:
        """Wait for the end (bounded) and read the result."""
        if self.result is None:
            try:
                status = self.process.wait(self.limit_s)
            except subprocess.TimeoutExpired:
                self.stop()
                status = -1
            self.result = Result(status, self._facts(), self.recording, (self.work / "err").read_text(errors="replace"))
        return self.result

    def _facts(self) -> dict[str, Any]:
        lines = (self.work / "out").read_text(errors="replace").splitlines()
        for line in reversed(lines):
            if line.startswith("{"):
                facts: dict[str, Any] = json.loads(line)
                return facts
        return {}

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group of this client."""
        os.killpg(self.process.pid, number)

    def kill_all(self) -> None:
        """Kill the client and its script at once, as a machine does that loses its power: nothing more is sent."""
        script = psutil.Process(self.process.pid)
        for process in (*script.children(recursive=True), script):
            process.kill()
        self.process.wait(4)

    def stop(self) -> None:
        """End the process group: asked first, then made to."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            try:
                self.signal(number)
                self.process.wait(4)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Phones:
    """Starts clients and ends them all, whatever happens. `prefix` goes before a command (`ip netns exec NAME`)."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.started: list[Phone] = []
        self._first_port = random.randrange(*PORTS, PORTS_EACH)

    def __enter__(self) -> Phones:
        return self

    def __exit__(self, *_: object) -> None:
        for phone in self.started:
            phone.stop()

    def baresip(self, uri: str, **options: Any) -> Phone:
        """A call by baresip (Opus, G.722, PCMU, PCMA; UDP, TCP)."""
        return self._client("baresip", uri, **options)

    def linphone(self, uri: str, **options: Any) -> Phone:
        """A call by linphonec (Opus, G.722, PCMU, PCMA; UDP, TCP)."""
        return self._client("linphone", uri, **options)

    def sipp(self, uri: str, **options: Any) -> Phone:
        """A call by SIPp (PCMU, PCMA; UDP, TCP)."""
        return self._client("sipp", uri, **options)

    def confero(self, uri: str, *, tone: float | None = None, play: Path | None = None, seconds: float = 8,
                codec: str = "", user: str = "", password: str = "", server: str = "", transport: str = "udp",
                extra: tuple[str, ...] = (), prefix: tuple[str, ...] = (), wait: float = 20) -> Phone:
        """A call by our own headless phone."""
        work = self._folder("confero")
        sound = str(play) if play else f"tone:{tone}@{TONE_LEVEL_DBFS}" if tone else "none"
        arguments = ["--headless", uri, "--play", sound, "--record", str(work / "rec.wav"), "--seconds", str(seconds),
                     "--transport", transport, "--stats", str(work / "stats.json")]
        for option, value in (("--user", user), ("--password", password), ("--server", server), ("--codec", codec)):
            arguments += [option, value] if value else []
        command = [*prefix, sys.executable, "-m", "softphone", *arguments, *extra]
        return self._start("confero", command, work, seconds + wait)

    def _client(self, name: str, uri: str, *, tone: float | None = None, level_dbfs: float = TONE_LEVEL_DBFS,
                play: Path | None = None, seconds: float = 8,
                codec: str = "", user: str = "", password: str = "", registrar: str = "", transport: str = "udp",
                bind: str = "127.0.0.1", domain: str = "", dtmf: str = "", extra: tuple[str, ...] = (),
                prefix: tuple[str, ...] = (), wait: float = 20) -> Phone:
        work = self._folder(name)
        if tone:
            play = work / "play.wav"
            tones.make(play, tone, seconds=int(seconds) + PLAYS_ON_S, level_dbfs=level_dbfs)
        command = [*prefix, sys.executable, str(CLIENTS / f"client_{name}.py"), "--uri", uri, "--seconds", str(seconds),
                   "--record", str(work / "rec.wav"), "--workdir", str(work / "w"), "--transport", transport,
                   "--bind", bind, "--wait", str(wait)]
        given = (("--play", play), ("--codec", codec), ("--user", user), ("--password", password), ("--dtmf", dtmf),
                 ("--registrar", registrar), ("--domain", domain))
        for option, value in given:
            command += [option, str(value)] if value else []
        return self._start(name, [*command, *extra], work, seconds + 2 * wait + 15)

    def _folder(self, name: str) -> Path:
        work = self.work / f"{len(self.started)}-{name}"
        work.mkdir(parents=True)
        return work

    def _start(self, name: str, command: list[str], work: Path, limit_s: float) -> Phone:
        environment = dict(os.environ, LAB_PORTS=f"{self._first_port}-{self._first_port + PORTS_EACH - 1}")
        self._first_port += PORTS_EACH
        if self._first_port + PORTS_EACH > PORTS[1]:
            self._first_port = PORTS[0]
        with (work / "out").open("wb") as out, (work / "err").open("wb") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=ROOT,
                                       start_new_session=True, env=environment)
        phone = Phone(name, process, work, limit_s, work / "rec.wav")
        self.started.append(phone)
        return phone
