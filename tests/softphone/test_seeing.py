"""Phones without a window that see each other in a room: codes read from pixels, files, figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from confero.testing import PhoneFactory
from rtp.codecs import chart

pytestmark = pytest.mark.loopback


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


def test_three_phones_in_a_room_see_each_other_each_on_a_line_of_its_own(phone: PhoneFactory, tmp_path: Path) -> None:
    file = tmp_path / "seen.mkv"
    robots = [phone("daily", seconds=4, options=("--video", f"test:{number}", "--display-name", f"Robot {number}",
                                                 *(("--record-video", str(file)) if number == 1 else ())))
              for number in (1, 2, 3)]
    facts = [robot.finish() for robot in robots]
    for number, each in enumerate(facts, 1):
        assert seen_by(each) == {1, 2, 3} - {number}
        assert each["video"]["sent"]["pictures"] > 25 and each["video"]["sent"]["packets"] > 25
        for line in each["video"]["lines"]:
            assert len(line["seen"]) == 1 and line["pictures"] > 5 and line["delay_ms"] is not None
            assert [origin["id"] for origin in line["origins"]] != [0]
    recorded = people_in(file)
    assert sorted(recorded.values(), key=min) == [{2}, {3}]
