"""What a capture of everything costs the mixer: CPU time of `Room.tick` with and without the tap, and that of its writer.

    python -m bench.tap [--legs 100] [--codec pcmu] [--talkers 3] [--ticks 250] [--rounds 5] [--srtp]

Rounds with and without take turns, since a machine's speed changes within minutes; the medians are compared. The tap hands over
every packet in and out, as a worker's does, and `pcap.tap_process` writes them. Prints a JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.mixer import TICK_NS, measure
from mcu.messages import OpenTap
from mcu.worker.taps import Watch
from pcap.tap import Tap
from rtp.srtp import SUITES, Suite


def tapped(path: Path, codec: str, legs: int, talkers: int, ticks: int, suite: Suite | None) -> dict[str, Any]:
    """One run with a capture: what `measure` tells, with `dropped` packets, and the writer's share of a core in per cent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen([sys.executable, "-m", "pcap.tap_process", str(theirs.fileno()), str(path)],
                               pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    theirs.close()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watch = Watch(OpenTap(0, 0, 1), Tap(ours))
    found: dict[str, Any] = measure(codec, legs, talkers, ticks, suite, watch=watch)
    dropped = watch.tap.dropped
    watch.tap.close()
    process.wait(60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**found, "dropped": dropped, "writer_percent": 100e9 * spent / (ticks * TICK_NS)}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of a capture.")
    parser.add_argument("--legs", type=int, default=100)
    parser.add_argument("--codec", default="pcmu")
    parser.add_argument("--talkers", type=int, default=3)
    parser.add_argument("--ticks", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--srtp", action="store_true", help="legs that are protected")
    chosen = parser.parse_args()
    arguments = (chosen.codec, chosen.legs, chosen.talkers, chosen.ticks, SUITES[0] if chosen.srtp else None)
    plain: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for _ in range(chosen.rounds):
        plain.append(measure(*arguments))
        with tempfile.TemporaryDirectory() as folder:
            shown.append(tapped(Path(folder) / "all.pcapng", *arguments))
    without, with_ = (statistics.median(each["us_per_leg_tick"] for each in rounds) for rounds in (plain, shown))
    print(json.dumps({
        "legs": chosen.legs, "codec": chosen.codec, "srtp": chosen.srtp, "talkers": chosen.talkers, "us_per_leg_tick": without,
        "us_per_leg_tick_tapped": with_, "rises_percent": round(100 * (with_ / without - 1), 1),
        "slowest_tick_ms": max(each["slowest_tick_ms"] for each in plain),
        "slowest_tick_ms_tapped": max(each["slowest_tick_ms"] for each in shown),
        "ticks_longer_than_20_ms_tapped": sum(each["ticks_longer_than_20_ms"] for each in shown),
        "dropped": sum(each["dropped"] for each in shown),
        "writer_percent_of_a_core": round(statistics.median(each["writer_percent"] for each in shown), 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
