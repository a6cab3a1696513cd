"""CPU time to protect and open a packet of 160 B (voice) and 1200 B (picture): readable contexts and libsrtp; a DTLS handshake;
and what SRTP adds to a packet each way on the whole path of a room (`Room.tick` of 100 PCMU legs with it, less without).

    python -m bench.srtp        (prints one JSON object; times in µs of CPU, the least of several repeats)
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.mixer import WARM_UP_TICKS, join, listen, silence, speak, voices
from bench.sip_parse import microseconds
from rtp.kernel import Room
from rtp.kernel.spec import TICK_NS
from rtp.keying.certificate import Certificate
from rtp.keying.dtls import DtlsEndpoint, Role
from rtp.packet import RtpPacket
from rtp.srtp import ALL_SUITES, SUITES, MasterKey, Receiver, Sender, SrtpReceiver, SrtpSender, Suite
from rtp.srtp.fast import PROFILES, FastReceiver, FastSender

TIMES, REPEATS = 2000, 3
LEGS, TICKS = 100, 200


def packets(size: int) -> list[bytes]:
    """Packets of a payload size, enough for all repeats."""
    return [bytes(RtpPacket(0, n & 0xFFFF, n * 160, 7, bytes(size))) for n in range(TIMES * REPEATS)]


def figures(suite: Suite, send: type[SrtpSender | FastSender], receive: type[SrtpReceiver | FastReceiver],
            size: int) -> tuple[float, float]:
    """µs to protect and to open."""
    master = MasterKey.of(suite, bytes(range(suite.master_length)))
    ours: Sender = send(suite, master)
    plain = packets(size)
    turn = itertools.cycle(plain)
    protect = microseconds(lambda: ours.protect(next(turn)), TIMES, REPEATS)
    ours = send(suite, master)
    sealed = [ours.protect(packet) for packet in plain]
    theirs: Receiver = receive(suite, master)
    arriving = itertools.cycle(sealed)
    return protect, microseconds(lambda: theirs.unprotect(next(arriving)), TIMES, REPEATS)


def milliseconds(work: Callable[[], object], times: int) -> float:
    """CPU ms of one call, the mean."""
    started = time.process_time()
    for _ in range(times):
        work()
    return round((time.process_time() - started) / times * 1e3, 2)


def handshake() -> Callable[[], object]:
    """A whole DTLS handshake, both ends in this process."""
    wallclock = datetime.now(UTC)
    ours, theirs = Certificate.create(wallclock), Certificate.create(wallclock)
    here, there = ("192.0.2.1", 1), ("192.0.2.2", 2)

    def shake() -> None:
        client = DtlsEndpoint(Role.CLIENT, ours, now=0.0, fingerprints=[theirs.fingerprint()])
        server = DtlsEndpoint(Role.SERVER, theirs, now=0.0, fingerprints=[ours.fingerprint()])
        client.start(there, 0.0)
        while server.state != "connected" or client.state != "connected":
            for data, _ in client.datagrams_to_send():
                server.receive_datagram(data, here, 0.0)
            for data, _ in server.datagrams_to_send():
                client.receive_datagram(data, there, 0.0)

    return shake


def on_the_path(suite: Suite) -> tuple[float, float]:
    """µs that SRTP adds to a packet in and to a packet out of a room: of legs that only listen, and of legs that send, too."""
    out, both = added(suite, are_quiet=True), added(suite, are_quiet=False)
    return round(both - out, 2), round(out, 2)


def added(suite: Suite, *, are_quiet: bool) -> float:
    """µs a leg and tick between two rooms that tick in turn in one process, the median: what else happens on the machine meets
    both. are_quiet: only the three who talk send."""
    rooms = [Room(number) for number in (1, 2)]
    crowds = [[join(room, number, "pcmu", which) for number in range(LEGS)]
              for room, which in zip(rooms, (None, suite), strict=True)]
    spoken, quiet = voices("pcmu", 3, TICKS + WARM_UP_TICKS), silence("pcmu")
    differences: list[float] = []
    due = time.monotonic_ns()
    for tick in range(TICKS + WARM_UP_TICKS):
        for peers in crowds:
            speak(peers[:3] if are_quiet else peers, "pcmu", tick, spoken, quiet)
        due = max(due + TICK_NS, time.monotonic_ns())
        while time.monotonic_ns() < due:
            pass
        spent = [0, 0]
        for index in ((0, 1), (1, 0))[tick % 2]:
            begun = time.process_time_ns()
            rooms[index].tick(due)
            spent[index] = time.process_time_ns() - begun
        for peers in crowds:
            listen(peers)
        if tick >= WARM_UP_TICKS:
            differences.append((spent[1] - spent[0]) / 1000 / LEGS)
    for room, peers in zip(rooms, crowds, strict=True):
        room.close()
        for peer in peers:
            peer.socket.close()
    return statistics.median(differences)


def main() -> None:
    """Measure and print."""
    result: dict[str, float] = {"dtls_handshake_both_ends_ms": milliseconds(handshake(), 50)}
    for suite in SUITES:
        result[f"{suite}_room_in_us"], result[f"{suite}_room_out_us"] = on_the_path(suite)
    for suite in ALL_SUITES:
        for size in (160, 1200):
            for name, send, receive in (("python", SrtpSender, SrtpReceiver), ("libsrtp", FastSender, FastReceiver)):
                if name == "libsrtp" and suite not in PROFILES:
                    continue
                protect, unprotect = figures(suite, send, receive, size)
                result[f"{suite}_{size}_{name}_protect_us"] = protect
                result[f"{suite}_{size}_{name}_unprotect_us"] = unprotect
    print(json.dumps(result))


if __name__ == "__main__":
    main()
