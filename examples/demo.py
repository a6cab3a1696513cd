"""`./run`: a server with accounts, a room "demo" with a PIN in which two robots talk, and the softphone on a display.

    python -m examples.demo [--data DIR] [--listen ADDRESS] [--sip-port 5060] [--no-phone] [--seconds N]

Everything here is done through the product's own commands: `confero user`, `room` and `serve`, and `confero-phone`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import platformdirs
import segno

from examples.portraits import make_films
from examples.robots import make_speech
from sip.aio.udp import local_host_towards

PEOPLE = ("alice", "bob")
ROOM = "demo"


def confero(data: Path, *arguments: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Run a command of `confero` and read its JSON. Ends the program with the command's own words when it fails."""
    command = [sys.executable, "-m", "mcu", *arguments, "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip() or done.stdout.strip())
    answer: dict[str, Any] | list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def prepare(data: Path) -> dict[str, Any]:
    """Accounts and the room, made at the first start and remembered in `demo.json` (mode 0600); what it holds."""
    notes = data / "demo.json"
    if notes.exists():
        known: dict[str, Any] = json.loads(notes.read_text())
        return known
    facts: dict[str, Any] = {"pin": f"{secrets.randbelow(900_000) + 100_000}", "passwords": {}}
    for name in PEOPLE:
        facts["passwords"][name] = secrets.token_hex(16)
        confero(data, "user", "add", name, "--password", facts["passwords"][name])
    confero(data, "room", "create", ROOM, "--pin", facts["pin"])
    descriptor = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(facts, file)
    return facts


class Processes:
    """What the demo started, ended in reverse order whatever happens."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, log: Path | None = None, password: str = "") -> subprocess.Popen[bytes]:
        """Start a program of ours; its output goes to `log`, or to the terminal, its password through the environment."""
        out = log.open("ab") if log else None
        environment = {**os.environ, "CONFERO_PASSWORD": password} if password else None
        process = subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.DEVNULL, stdout=out, env=environment,
                                   stderr=subprocess.STDOUT if out else None, start_new_session=True)
        if out:
            out.close()
        self.running.append(process)
        return process

    def end(self) -> None:
        """Ask each to end, wait, and make it."""
        for process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(6)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(data: Path, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Wait until the server answers its own command line. Ends the program when the server has ended."""
    deadline = time.monotonic() + seconds
    probe = [sys.executable, "-m", "mcu", "call", "list", "--data", str(data), "--json"]
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit("the server ended; its own words are above")
        if (data / "control.sock").exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.2)
    sys.exit("the server did not answer within 30 s")


def main() -> None:
    """Start everything, wait for Ctrl-C or the end of the server, end everything."""
    parser = argparse.ArgumentParser(prog="./run", description="A server, a room with two robots, and the softphone.")
    parser.add_argument("--data", type=Path, default=Path(platformdirs.user_data_dir("confero")))
    parser.add_argument("--listen", default="0.0.0.0")
    parser.add_argument("--sip-port", type=int, default=5060)
    parser.add_argument("--no-phone", action="store_true", help="no window, also where there is a display")
    parser.add_argument("--seconds", type=float, default=0, help="stop by itself after that time")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    facts = prepare(options.data)
    here = "127.0.0.1" if options.listen in ("0.0.0.0", "::") else options.listen
    room = f"sip:{ROOM}.{facts['pin']}@{here}:{options.sip_port}"
    processes = Processes()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = processes.start("mcu", "serve", "--data", str(options.data), "--listen", options.listen,
                                 "--sip-port", str(options.sip_port), "--tls-port", str(options.sip_port + 1))
        wait_until_ready(options.data, server)
        films = make_films(options.data)
        for robot, speech in make_speech(options.data).items():
            processes.start("softphone", "--headless", room, "--play", str(speech), "--loop", "--video", str(films[robot]),
                            "--display-name", f"Robot {robot.capitalize()}", log=options.data / f"robot-{robot}.log")
        print(invitation(facts, reachable(options.listen), options.sip_port), flush=True)
        if os.environ.get("DISPLAY") and not options.no_phone:
            name = PEOPLE[0]
            processes.start("softphone", room, "--user", name, "--server", f"{here}:{options.sip_port}",
                            log=options.data / "phone.log", password=facts["passwords"][name])
        server.wait(options.seconds or None)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        pass
    finally:
        processes.end()


def reachable(listen: str) -> str:
    """The address by which others reach this machine: what it listens on, or what its packets to the world would leave from."""
    if listen not in ("0.0.0.0", "::"):
        return listen
    try:
        return local_host_towards("192.0.2.1" if listen == "0.0.0.0" else "2001:db8::1")
    except OSError:
        return "127.0.0.1"


def invitation(facts: dict[str, Any], host: str, port: int) -> str:
    """What a person needs to come in: from this machine, from another one, with an account or without."""
    uri = f"sip:{ROOM}.{facts['pin']}@{host}" + ("" if port == 5060 else f":{port}")
    code = io.StringIO()
    segno.make(uri, error="m").terminal(code, compact=True)
    accounts = "\n".join(f"    {name:8} password {facts['passwords'][name]}" for name in PEOPLE)
    return f"""
Room "{ROOM}" is open, PIN {facts["pin"]}, and two robots are talking in it.

{code.getvalue()}
  by window         ./run phone {uri}
  without a screen  ./run phone --headless {uri} --play tone:440 --record heard.wav --seconds 10
  any SIP phone     dial {uri}
  accounts for phones that register here:
{accounts}

Ctrl-C ends it all."""


if __name__ == "__main__":
    main()
