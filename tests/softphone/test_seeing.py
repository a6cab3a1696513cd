"""Phones without a window that see each other in a room: codes read from pixels, files, figures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from confero.testing import PhoneFactory, Server
from rtp.codecs import chart

pytestmark = pytest.mark.loopback
LIMIT_S = 60
PACKETS = 50
"""Two seconds of a test picture."""


def people_in(path: Path) -> dict[str, set[int]]:
    """The numbers that are read from a file's pictures, by the name of the stream."""
    seen: dict[str, set[int]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux(video=tuple(range(len(container.streams.video)))):
            for frame in packet.decode():
                code = chart.read(np.asarray(frame.reformat(format="gray").to_ndarray()))
                if code is not None:
                    seen.setdefault(str(packet.stream.metadata.get("title")), set()).add(code[0])
    return seen


def seen_by(facts: dict[str, Any]) -> set[int]:
    """Whom a phone saw, by its figures."""
    return {int(who) for line in facts["video"]["lines"] for who in line["seen"]}


def all_are_served(people: list[dict[str, Any]], count: int) -> bool:
    """Whether so many are in the room, and each got many packets of pictures of all others, as the server counts them."""
    return len(people) == count and all(one["video_packets_out"] > PACKETS * (count - 1) for one in people)


def test_three_phones_in_a_room_see_each_other_each_on_a_line_of_its_own(server: Server, phone: PhoneFactory,
                                                                         tmp_path: Path) -> None:
    server.json("room", "create", "daily")
    file, capture = tmp_path / "seen.mkv", tmp_path / "call.pcapng"
    more = {1: ("--record-video", str(file)), 2: ("--pcap", str(capture))}
    robots = [phone("daily", seconds=LIMIT_S, options=("--video", f"test:{number}", "--display-name", f"Robot {number}",
                                                 *more.get(number, ())))
              for number in (1, 2, 3)]
    deadline = time.monotonic() + LIMIT_S
    while not all_are_served(server.json("room", "people", "daily"), len(robots)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for robot in robots:
        robot.process.terminate()
    facts = [robot.finish() for robot in robots]
    for number, each in enumerate(facts, 1):
        assert seen_by(each) == {1, 2, 3} - {number}
        assert each["video"]["sent"]["pictures"] > 0 and each["video"]["sent"]["packets"] > 0
        for line in each["video"]["lines"]:
            assert len(line["seen"]) == 1 and line["pictures"] > 0 and line["delay_ms"] is not None
            assert [origin["id"] for origin in line["origins"]] != [0]
    done = subprocess.run([sys.executable, "-m", "pcap", "analyse", str(capture), "--json"], capture_output=True, check=True)
    assert [stream["codec"] for stream in json.loads(done.stdout)["streams"]].count("h264") == 3
    recorded = people_in(file)
    assert sorted(recorded.values(), key=min) == [{2}, {3}]
