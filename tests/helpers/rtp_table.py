"""tshark's table of RTP streams as rows, to compare ours with; and streams that are rough in every way at once."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

from pcap.analysis import Analysis
from pcap.columns import HEADINGS
from pcap.pcapng import PcapngWriter
from pcap.synthesis import udp_packet
from rtp.packet import RtpPacket

_LINE = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(0x[0-9A-F]{8})\s+(.*?)\s+(\d+)\s+(-?\d+ \(-?[\d.]+%\))"
                   r"((?:\s+-?[\d.]+){6})\s*(X?)\s*")
JITTERS = (13, 14, 15)
"""Columns whose values may differ by one percent."""


def rows_of_tshark(path: Path) -> list[tuple[str, ...]]:
    """The rows of `tshark -q -z rtp,streams`, sorted; RTP is recognised without its SDP, too."""
    command = ["tshark", "-r", str(path), "-q", "--enable-heuristic", "rtp_udp", "-z", "rtp,streams"]
    rows = []
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[2:-1]:
        match = _LINE.fullmatch(line)
        assert match is not None, line
        *head, figures, problem = match.groups()
        rows.append((*head, *figures.split(), problem))
    return sorted(rows)


def rows_of_ours(analysis: Analysis) -> list[tuple[str, ...]]:
    """The rows of an analysis, sorted alike."""
    return sorted(one.observed.columns.row(analysis.first_ns, one.survey.figures.source, one.survey.figures.destination,
                                           one.survey.figures.ssrc) for one in analysis.streams)


def differences(analysis: Analysis, path: Path) -> list[str]:
    """Where our table is another than tshark's: rows that one lacks, cells that differ (jitter by more than one percent)."""
    ours, theirs = rows_of_ours(analysis), rows_of_tshark(path)
    if [row[2:7] for row in ours] != [row[2:7] for row in theirs]:
        return [f"{[row[2:7] for row in ours]} / {[row[2:7] for row in theirs]}"]
    return [f"{HEADINGS[column]}: {mine} / {its} in {row[2:7]}" for row, other in zip(ours, theirs, strict=True)
            for column, (mine, its) in enumerate(zip(row, other, strict=True)) if not _is_equal(column, mine, its)]


def _is_equal(column: int, mine: str, its: str) -> bool:
    if column in JITTERS:
        return abs(float(mine) - float(its)) <= max(0.01 * float(its), 0.001)
    if column in (10, 11, 12):
        return abs(float(mine) - float(its)) < 0.0015
    return mine == its


def write_rough(path: Path, seed: int) -> None:
    """Three streams, each rougher than the one before: loss, copies, jitter that reorders, pauses with and without comfort
    noise, numbers and timestamps that wrap."""
    chance, packets = random.Random(seed), []
    for roughness in range(3):
        sequence, timestamp = chance.choice((0, 65400, 65535, 40000)), chance.choice((0, 2**32 - 5000, 12345))
        source, at_s, ssrc = (f"198.51.100.{roughness + 1}", 4000), chance.random(), chance.getrandbits(32)
        for _ in range(300):
            is_noise, is_marked = chance.random() < 0.01, chance.random() < 0.05
            data = bytes(RtpPacket(13 if is_noise else 0, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, b"\xff", is_marked))
            late_s = 0.001 * round(50 * roughness * chance.random(), 3)
            times = [] if chance.random() < 0.03 * roughness else [at_s + late_s]
            times += [at_s + late_s + 0.001] if chance.random() < 0.02 * roughness else []
            packets += [(time_s, udp_packet(source, ("203.0.113.1", 5000 + 2 * roughness), data)) for time_s in times]
            pause = 10 if is_noise else 1
            sequence, timestamp, at_s = sequence + 1, timestamp + 160 * pause, at_s + 0.02 * pause
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for time_s, data in sorted(packets):
            writer.packet(round(time_s * 1e6) * 1000, data)
