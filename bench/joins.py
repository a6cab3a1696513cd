"""Calls that join rooms, so many a second, each with a DTLS handshake: how long until there are keys, what the server pays.

    python -m bench.joins [--rate 50] [--seconds 6] [--keying dtls|plain]

The callers live in this process: SIP over UDP, one media socket each, no sound. Each stays two seconds. Prints one JSON object:
calls that came to their keys, setup (INVITE to 200, and to the keys) in ms, and the server's CPU time a join, all processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from confero.testing import Server, start_server
from rtp.keying.certificate import Certificate
from rtp.keying.components import LegKeying
from rtp.sdp import negotiation
from rtp.sdp.negotiation import Capabilities, LocalMedia
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from sip.aio.driver import Driver
from sip.endpoint import Endpoint, EndpointSettings
from sip.events import CallAnswered, CallTerminated, Event
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri

HOST = "127.0.0.1"
STAYS_S = 2.0
REPEAT_S = 0.2


@dataclass(slots=True)
class Join:
    """One caller. Times are seconds after the INVITE, None while there is none."""

    socket: socket.socket
    offer: object
    begun: float
    answered: float | None = None
    keyed: float | None = None
    keying: LegKeying | None = None
    failure: str = ""


class Callers:
    """All of them."""

    def __init__(self, server: Server, is_dtls: bool) -> None:
        self.server = server
        self.is_dtls = is_dtls
        self.joins: dict[Call, Join] = {}
        self._loop = asyncio.get_running_loop()
        self._certificate = Certificate.create(datetime.now(UTC))
        self.endpoint = Endpoint(EndpointSettings(), secrets.token_bytes)
        self.driver = Driver(self.endpoint, self._receive)

    def call(self, number: int) -> None:
        """One more."""
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind((HOST, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        local = LocalMedia(HOST, port, port, fingerprint=str(self._certificate.fingerprint()) if self.is_dtls else "")
        known = Capabilities(srtp=SrtpPolicy.REQUIRE if self.is_dtls else SrtpPolicy.OFF).only("pcmu")
        offer = negotiation.offer(known, local, session_id=number, version=1)
        now = self._loop.time()
        flow = self.driver.flow_to((self.server.host, self.server.port))
        call = self.endpoint.invite(Uri.parse(self.server.uri(f"room{number % 10}")), flow=flow, now=now, offer=bytes(offer),
                                    from_=NameAddr(Uri("sip", f"caller{number}", HOST)), contact=Uri("sip", "x", *flow.local))
        self.joins[call] = Join(sock, offer, now)
        self.driver.pump()
        self._loop.call_later(STAYS_S, self._leave, call)

    def _leave(self, call: Call) -> None:
        call.hang_up(self._loop.time())
        self.driver.pump()

    def _receive(self, event: Event) -> None:
        match event:
            case CallAnswered(call, _, answer) if answer is not None:
                join = self.joins[call]
                join.answered = self._loop.time() - join.begun
                agreed = negotiation.apply_answer(join.offer, parse(answer))  # type: ignore[arg-type]
                if agreed.protection is not None and agreed.protection.theirs is not None:
                    join.keying = LegKeying(self._certificate, agreed.protection.theirs, agreed.protection.role,
                                            (agreed.remote,), self._loop.time())
                    self._loop.add_reader(join.socket, self._shake, join)
                    self._send(join)
            case CallTerminated(call, cause, status, reason, _):
                join = self.joins[call]
                if join.answered is None:
                    join.failure = f"{cause} {status} {reason}"
                self._loop.remove_reader(join.socket)
                join.socket.close()

    def _shake(self, join: Join) -> None:
        assert join.keying is not None
        try:
            data, source = join.socket.recvfrom(4096)
        except OSError:
            return
        if 20 <= data[0] < 64 and join.keying.receive(data, source, 0, self._loop.time()):
            join.failure = join.keying.failure
            if join.keying.keys[0] is not None and join.keyed is None:
                join.keyed = self._loop.time() - join.begun
        self._send(join)

    def _send(self, join: Join) -> None:
        assert join.keying is not None
        for _, data, destination in join.keying.datagrams_to_send():
            join.socket.sendto(data, destination)


def cpu_s(server: Server) -> float:
    """CPU time of the server and its workers so far."""
    parent, total = server.process.pid, 0.0
    pids = [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


async def run(server: Server, keying: str, rate: float, seconds: float) -> dict[str, object]:
    """So many calls a second for so long; what came of them."""
    callers = Callers(server, keying == "dtls")
    async with callers.driver:
        await callers.driver.listen(HOST, 0)
        before, begun = cpu_s(server), time.monotonic()
        count = round(rate * seconds)
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            callers.call(number)
        await asyncio.sleep(STAYS_S + 1.0)
        spent = cpu_s(server) - before
    joins = list(callers.joins.values())

    def ms(of: Callable[[Join], float | None]) -> dict[str, float]:
        found = sorted(1000 * value for join in joins if (value := of(join)) is not None)
        return {"p50": round(statistics.median(found), 1), "p99": round(found[len(found) * 99 // 100 - 1], 1)} if found else {}

    return {"keying": keying, "rate": rate, "calls": count, "answered": sum(join.answered is not None for join in joins),
            "keyed": sum(join.keyed is not None for join in joins), "answer_ms": ms(lambda join: join.answered),
            "keys_ms": ms(lambda join: join.keyed), "server_cpu_ms_per_join": round(1000 * spent / count, 2),
            "failures": sorted({join.failure for join in joins if join.failure})[:3]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Calls that join rooms, with a DTLS handshake each.")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--keying", choices=("dtls", "plain"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), "--open")
        try:
            rows = [uvloop.run(run(server, keying, options.rate, options.seconds))
                    for keying in ([options.keying] if options.keying else ["plain", "dtls"])]
        finally:
            server.stop()
    print(json.dumps({"joins": rows}))


if __name__ == "__main__":
    main()
