"""What the mixing room costs: CPU time of `Room.tick` for each leg and tick, over real sockets on loopback.

    python -m bench.mixer [--legs 10,100,300] [--codecs pcmu,opus] [--ticks 100] [--talkers 3] [--suite AEAD_AES_128_GCM]

Three talk, the others send silence: every packet for G.711, one in twenty without audio for Opus (DTX). The peers live in this
process; what they cost is not counted. With --suite all legs have SRTP. Prints a table on standard error and, as the last
line, one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import struct
import sys
import time
from dataclasses import dataclass

import numpy as np

from mcu.worker.taps import Watch
from rtp import srtp
from rtp.codecs.registry import CLOCK_RATES, create_encoder
from rtp.codecs.resample import Samples
from rtp.kernel import LegSpec, Room
from rtp.kernel.reference import Heard
from rtp.kernel.sockets import prepare
from rtp.kernel.spec import TICK_NS, TICK_SAMPLES
from rtp.srtp import MasterKey, Sender, SessionKeys, Suite

HOST = "127.0.0.1"
WARM_UP_TICKS = 25
DTX_EVERY = 20
TYPES = {"pcmu": 0, "pcma": 8, "g722": 9, "opus": 111}


@dataclass(slots=True)
class Peer:
    """A phone of the room."""

    socket: socket.socket
    room_address: tuple[str, int]
    ssrc: int
    sequence: int = 0
    timestamp: int = 0
    srtp: Sender | None = None


def bound() -> socket.socket:
    """A UDP socket on a free port of loopback."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


def join(room: Room, number: int, codec: str, suite: Suite | None = None) -> Peer:
    """A new leg of the room and the peer at its other end."""
    ours, theirs = bound(), bound()
    prepare(ours)
    theirs.setblocking(False)
    address = ours.getsockname()
    keys = None
    if suite is not None:
        keys = SessionKeys(suite, *(MasterKey.of(suite, os.urandom(suite.master_length)) for _ in range(2)))
    room.add_leg(LegSpec(1000 + number, ours.detach(), -1, codec, TYPES[codec], TYPES[codec], -1, 20, theirs.getsockname(),
                         theirs.getsockname(), True, HOST, number, 0, 0, "bench", keys=keys))
    return Peer(theirs, address, number, srtp=None if keys is None else srtp.sender(keys.suite, keys.remote))


def voices(codec: str, count: int, ticks: int) -> list[list[bytes]]:
    """Payloads of as many talkers: harmonics that move, about as hard for an encoder as a voice."""
    out = []
    for talker in range(count):
        encoder = create_encoder(codec)
        time_s = np.arange(ticks * TICK_SAMPLES) / 48000
        pitch = 2 * np.pi * np.cumsum(120 + 40 * talker + 15 * np.sin(2 * np.pi * 0.7 * time_s)) / 48000
        wave = sum(np.sin(harmonic * pitch) / harmonic for harmonic in range(1, 12))
        samples: Samples = np.asarray(3000 * wave * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time_s)), np.int16)
        out.append([encoder.encode(np.ascontiguousarray(part)) for part in samples.reshape(-1, TICK_SAMPLES)])
    return out


def silence(codec: str) -> bytes:
    """What a silent phone sends in a packet."""
    return b"\xf8" if codec == "opus" else create_encoder(codec).encode(np.zeros(TICK_SAMPLES, np.int16))


def speak(peers: list[Peer], codec: str, tick: int, spoken: list[list[bytes]], quiet: bytes) -> None:
    """One packet of each peer that has something to send in this tick."""
    units = CLOCK_RATES[codec] // 50
    for number, peer in enumerate(peers):
        if number < len(spoken) or codec != "opus" or (tick + number) % DTX_EVERY == 0:
            payload = spoken[number][tick] if number < len(spoken) else quiet
            header = struct.pack("!BBHII", 0x80, TYPES[codec], peer.sequence & 0xFFFF, peer.timestamp & 0xFFFFFFFF, peer.ssrc)
            packet = header + payload
            peer.socket.sendto(packet if peer.srtp is None else peer.srtp.protect(packet), peer.room_address)
            peer.sequence += 1
        peer.timestamp += units


def listen(peers: list[Peer]) -> int:
    """Read what the room sent; how many packets there were."""
    count = 0
    for peer in peers:
        with contextlib.suppress(BlockingIOError):
            while peer.socket.recv(2048):
                count += 1
    return count


def measure(codec: str, legs: int, talkers: int, ticks: int, suite: Suite | None = None, *,
            are_quiet: bool = False, is_awake: bool = False, recorder: Heard | None = None,
            watch: Watch | None = None) -> dict[str, object]:
    """One run, at the pace of real time. are_quiet: only the talkers send; is_awake: the processor does not sleep in between,
    so that what waking up costs is not in the figure; recorder: told what is heard; watch: a capture, shown every packet."""
    room = Room(1)
    if recorder is not None:
        room.recorders[1] = recorder
    peers = [join(room, number, codec, suite) for number in range(legs)]
    if watch is not None:
        for leg in room.legs.values():
            leg.observers = (watch,)
    spoken, quiet = voices(codec, min(talkers, legs), ticks + WARM_UP_TICKS), silence(codec)
    slowest_ns = late = 0
    used_ns = received = 0
    due = time.monotonic_ns()
    for tick in range(ticks + WARM_UP_TICKS):
        speak(peers[:talkers] if are_quiet else peers, codec, tick, spoken, quiet)
        due += TICK_NS
        if not is_awake:
            time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        while time.monotonic_ns() < due:
            pass
        begun = time.process_time_ns()
        room.tick(due)
        if watch is not None:
            watch.flush()
        spent = time.process_time_ns() - begun
        heard = listen(peers)
        if tick >= WARM_UP_TICKS:
            used_ns += spent
            slowest_ns, late = max(slowest_ns, spent), late + (spent > TICK_NS)
            received += heard
    room.close()
    for peer in peers:
        peer.socket.close()
    each_us = used_ns / 1000 / ticks / legs
    return {"codec": codec, "legs": legs, "talkers": min(talkers, legs), "us_per_leg_tick": round(each_us, 2),
            "ms_per_participant_s": round(each_us * 50 / 1000, 3), "sent_per_leg_tick": round(received / ticks / legs, 3),
            "slowest_tick_ms": round(slowest_ns / 1e6, 2), "ticks_longer_than_20_ms": late}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of the mixing room for each leg and tick.")
    parser.add_argument("--legs", default="10,100,300")
    parser.add_argument("--codecs", default="pcmu,opus")
    parser.add_argument("--ticks", type=int, default=100)
    parser.add_argument("--talkers", type=int, default=3)
    parser.add_argument("--suite", choices=[suite.name for suite in srtp.SUITES])
    options = parser.parse_args()
    rows = []
    for codec in options.codecs.split(","):
        for legs in map(int, options.legs.split(",")):
            suite = next((each for each in srtp.SUITES if each.name == options.suite), None)
            rows.append(measure(codec, legs, options.talkers, options.ticks, suite))
            print("{codec:5} {legs:4} legs, {talkers} talk: {us_per_leg_tick:7} µs a leg and tick, {ms_per_participant_s} ms a "
                  "participant-second".format(**rows[-1]), file=sys.stderr)
    print(json.dumps({"mixer": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
