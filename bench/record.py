"""What a recording costs: CPU time of `Room.tick` with and without one, and that of the process that writes it.

    python -m bench.record [--legs 100] [--codec opus] [--talkers 3] [--ticks 500] [--rounds 3]

Rounds with and without take turns, since a machine's speed changes within minutes; the medians are compared. Prints a JSON
object as the last line.
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

from bench.mixer import measure
from mcu.recording.line import Sender


def recorded(folder: Path, codec: str, legs: int, talkers: int, ticks: int) -> tuple[float, float, int]:
    """One run with a recorder: µs a leg and tick, the recorder's CPU in per cent of a core, ticks that were dropped."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen([sys.executable, "-m", "mcu.recording", str(theirs.fileno()), str(folder), "opus", "1"],
                               pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    sender = Sender(ours)
    for leg in range(legs):
        sender.fact("person", leg_id=1000 + leg, name=f"leg {leg}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = measure(codec, legs, talkers, ticks, recorder=sender.sound)
    sender.close()
    process.wait(30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(str(cost["us_per_leg_tick"])), 100 * spent / (ticks * 0.02), sender.dropped


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of a recording.")
    parser.add_argument("--legs", type=int, default=100)
    parser.add_argument("--codec", default="opus")
    parser.add_argument("--talkers", type=int, default=3)
    parser.add_argument("--ticks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    without, with_, writer, dropped = [], [], [], 0
    for _ in range(chosen.rounds):
        plain = measure(chosen.codec, chosen.legs, chosen.talkers, chosen.ticks)
        without.append(float(str(plain["us_per_leg_tick"])))
        with tempfile.TemporaryDirectory() as folder:
            cost, share, lost = recorded(Path(folder), chosen.codec, chosen.legs, chosen.talkers, chosen.ticks)
        with_.append(cost)
        writer.append(share)
        dropped += lost
    tick_us = chosen.legs * (statistics.median(with_) - statistics.median(without))
    print(json.dumps({
        "legs": chosen.legs, "codec": chosen.codec, "talkers": chosen.talkers,
        "us_per_leg_tick": statistics.median(without), "us_per_leg_tick_recorded": statistics.median(with_),
        "us_more_per_tick": round(tick_us, 1), "recorder_percent_of_a_core": round(statistics.median(writer), 2),
        "dropped": dropped}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
