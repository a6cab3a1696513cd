"""The test call: our phone, as a program of its own, calls `echo` and listens to itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcu.config import ServerConfig
from mcu.doctor.findings import BAD, GOOD, WARNING, Finding

SECONDS = 4
PATIENCE_S = 40.0
GOOD_MOS, FAIR_MOS = 4.0, 3.5
LOUD_DBOV = -40
"""What comes back of a tone of −20 dBFS."""


def examine(config: ServerConfig, *, is_running: bool) -> Finding:
    """Call the server that runs, or one that is started for it."""
    try:
        if is_running:
            host = next((host for host in config.addresses if host not in ("0.0.0.0", "::")), "127.0.0.1")
            return call(f"{f'[{host}]' if ':' in host else host}:{config.sip_port}")
        with _server() as address:
            return call(address)
    except OSError as error:
        return Finding("test call", BAD, f"it could not be made: {error}", "look at the findings above")


def call(address: str) -> Finding:
    """Call echo at an address (HOST:PORT), and judge what comes back."""
    command = [sys.executable, "-m", "softphone", "--headless", f"sip:echo@{address}", "--play", "tone:440@-20",
               "--seconds", str(SECONDS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return Finding("test call", BAD, f"sip:echo@{address} did not answer", "look at the server's log")
    try:
        facts = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return Finding("test call", BAD, f"it failed: {(done.stderr.strip() or 'no word').splitlines()[-1][:200]}",
                       "look at the server's log")
    return judge(facts)


def judge(facts: dict[str, object]) -> Finding:
    """A finding of what the phone reports."""
    if not facts.get("is_connected"):
        return Finding("test call", BAD, f"it was refused: {facts.get('reason') or facts.get('ended_by')}",
                       "look at the server's log")
    level, score = facts.get("level"), facts.get("mos")
    if not isinstance(level, int | float) or level < LOUD_DBOV:
        return Finding("test call", BAD, "the call was up, but nothing came back",
                       "a firewall may stop UDP: open the ports of media")
    if not isinstance(score, int | float):
        return Finding("test call", WARNING, "the call was up, but it was too short for a score", "try again")
    words = f"score {score} of 4.5 (MOS), {facts.get('codec')}, {facts.get('loss_percent')} % lost, " \
            f"{facts.get('jitter_ms')} ms jitter, answered in {facts.get('setup_ms')} ms"
    if score >= GOOD_MOS:
        return Finding("test call", GOOD, words)
    return Finding("test call", WARNING if score >= FAIR_MOS else BAD, words,
                   "this machine is too busy: close other programs, or give the server a core of its own")


@contextmanager
def _server() -> Iterator[str]:
    """A server of its own on loopback, for the time of the call; its HOST:PORT. Raises OSError when it does not come up."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "mcu", "serve", "--data", folder, "--listen", "127.0.0.1", "--open",
                 "--sip-port", str(port), "--tls-port", "0", "--http-port", "0", "--workers", "1"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(process, log)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while b"Confero is up" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError("a server does not start: " + log.read_text(errors="replace").strip().rpartition("\n")[2][:200])
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
