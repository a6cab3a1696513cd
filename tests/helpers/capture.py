"""A capture of an interface while a test runs, and what tshark says of it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from pcap.frames import Datagram, udp_datagram
from pcap.reader import read_packets
from pcap.streams import Stream, rtp_streams


class Capture:
    """`with Capture(path, "lo", "udp") as capture:` runs dumpcap; afterwards `capture.fields(…)` asks tshark."""

    def __init__(self, path: Path, interface: str = "lo", capture_filter: str = "udp", prefix: tuple[str, ...] = ()):
        self.path = path
        options = ["-q", "-P", "-B", "64", "-i", interface, "-f", capture_filter, "-w", str(path)]
        self.command = [*prefix, "dumpcap", *options]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Capture:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if b"File:" in line:
                break
        time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        time.sleep(0.5)      # dumpcap hands packets over in batches
        self.process.terminate()
        self.process.communicate(timeout=10)

    def tshark(self, *arguments: str) -> str:
        """tshark's output for this capture, with RTP recognised without SDP."""
        command = ["tshark", "-r", str(self.path), "--enable-heuristic", "rtp_udp", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def fields(self, display_filter: str, *names: str, options: tuple[str, ...] = ()) -> list[list[str]]:
        """Rows of the named fields of the packets that pass the display filter. options: others for tshark."""
        wanted = [argument for name in names for argument in ("-e", name)]
        text = self.tshark(*options, "-Y", display_filter, "-T", "fields", *wanted)
        return [line.split("\t") for line in text.splitlines()]

    def datagrams(self) -> list[Datagram]:
        """All UDP datagrams of the capture."""
        return [datagram for datagram in map(udp_datagram, read_packets(self.path)) if datagram is not None]

    def streams_from(self, ports: tuple[int, int]) -> list[Stream]:
        """The RTP streams that were sent from a port of the range: those of the server that has it."""
        first, last = ports
        return rtp_streams(datagram for datagram in self.datagrams() if first <= datagram.source[1] <= last)
