"""The command as it is started: table, JSON, exit statuses, one clear line for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.pcap.test_reader import classic
from tests.pcap.test_streams import ipv4_udp, rtp


def confero_pcap(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run([sys.executable, "-m", "pcap", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_analyse_prints_a_row_for_each_stream_and_json_when_asked(tmp_path: Path) -> None:
    packets = []
    for number in range(20):
        if number != 7:
            packets.append((0, 20_000 * number, ipv4_udp(rtp(number, 160 * number, 0).payload)))
        packets.append((0, 20_000 * number + 9, ipv4_udp(rtp(number, 960 * number, 0, ssrc=0x1234, payload_type=111).payload)))
    file = tmp_path / "call.pcap"
    file.write_bytes(classic("<", 0xA1B2C3D4, packets))
    done = confero_pcap("analyse", str(file))
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[3:] == ["", "Findings", *lines[5:]]
    assert " ".join(lines[1].split()[:11]) == "0.000000 0.380000 10.0.0.1 4000 10.0.0.2 5000 0x0000ABCD g711U 19 1 (5.0%)"
    rows = json.loads(confero_pcap("analyse", str(file), "--json").stdout)["streams"]
    assert [(row["packets"], row["lost"]) for row in rows] == [(19, 1), (20, 0)]
    assert [row["timestamp_steps"] for row in rows] == [{"160": 17}, {"960": 19}]


def test_capture_without_rtp_says_so_and_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "quiet.pcap"
    file.write_bytes(classic("<", 0xA1B2C3D4, []))
    done = confero_pcap("analyse", str(file))
    assert (done.returncode, done.stdout) == (0, "no RTP stream\n")


def test_what_is_no_capture_fails_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    done = confero_pcap("analyse", str(file))
    assert done.returncode == 1 and done.stderr.startswith("error: notes.txt: neither pcap nor pcapng")
    assert len(done.stderr.splitlines()) == 1


def test_missing_file_is_wrong_input() -> None:
    done = confero_pcap("analyse", "/nowhere/call.pcap")
    assert done.returncode == 2 and done.stderr == "error: /nowhere/call.pcap: no such file\n"


def test_help_has_an_example() -> None:
    assert "Example: confero-pcap analyse call.pcapng" in " ".join(confero_pcap("analyse", "--help").stdout.split())


def test_findings_are_told_in_chinese_when_asked_and_another_language_is_wrong_input() -> None:
    sample = str(Path(__file__).resolve().parents[2] / "pcap" / "samples" / "one-way.pcapng")
    done = confero_pcap("analyse", sample, "--lang", "zh")
    assert "单向语音" in done.stdout and "192.168.1.20:4000" in done.stdout and "One-way" not in done.stdout
    found = json.loads(confero_pcap("analyse", sample, "--json", "--lang", "zh").stdout)["findings"]
    assert [(one["kind"], one["destination"]) for one in found] == [("private_address", "192.168.1.20:4000")]
    assert confero_pcap("analyse", sample, "--lang", "fr").stderr == "error: --lang fr: expected en or zh\n"
