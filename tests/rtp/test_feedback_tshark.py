"""Feedback as tshark reads it: the fields that we mean are those that it names."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from rtp.feedback import BitrateLimit, Feedback, FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from rtp.transport_feedback import TransportFeedback

pytestmark = pytest.mark.interop
ITEMS: list[tuple[Feedback, dict[str, str]]] = [
    (Nack(1, 2, (1000, 1002, 1003, 5000)), {
        "rtcp.rtpfb.nack_pid": "1000,1002,1003,5000", "rtcp.rtpfb.nack_blp": "0x0006,0x0000", "rtcp.senderssrc": "0x00000001",
        "rtcp.mediassrc": "0x00000002"}),
    (PictureLossIndication(1, 2), {"rtcp.psfb.fmt": "1", "rtcp.mediassrc": "0x00000002"}),
    (FullIntraRequest(1, ((2, 9),)), {"rtcp.psfb.fmt": "4", "rtcp.psfb.fir.fci.ssrc": "0x00000002",
                                      "rtcp.psfb.fir.fci.csn": "9"}),
    (ReceiverEstimate(1, 300_000, (7, 8)), {
        "rtcp.psfb.remb.fci.br_exp": "1", "rtcp.psfb.remb.fci.br_mantissa": "150000", "rtcp.psfb.remb.fci.number_ssrcs": "2",
        "rtcp.psfb.remb.fci.ssrc": "0x00000007,0x00000008"}),
    (BitrateLimit(1, ((2, 1_000_000, 40),)), {
        "rtcp.rtpfb.tmmbr.fci.exp": "3", "rtcp.rtpfb.tmmbr.fci.mantissa": "125000", "rtcp.rtpfb.tmmbr.fci.ssrc": "0x00000002",
        "rtcp.rtpfb.tmmbr.fci.measuredoverhead": "40"}),
    (TransportFeedback(1, 2, 339, (64_000, 64_500, None, 64_250), 9), {
        "rtcp.rtpfb.transportcc.baseseq": "339", "rtcp.rtpfb.transportcc.statuscount": "4",
        "rtcp.rtpfb.transportcc.reftime": "1", "rtcp.rtpfb.transportcc.pktcount": "9"}),
]


def capture(path: Path, data: bytes) -> None:
    """A file with one UDP datagram of these bytes."""
    udp = struct.pack("!HHHH", 4000, 4001, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))) + udp
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + struct.pack("<IIII", 0, 0, len(ip), len(ip))
    path.write_bytes(head + ip)


@pytest.mark.parametrize(("item", "expected"), ITEMS, ids=[type(item).__name__ for item, _ in ITEMS])
def test_tshark_reads_what_was_meant(item: Feedback, expected: dict[str, str], tmp_path: Path) -> None:
    capture(tmp_path / "one.pcap", bytes(item))
    fields = [argument for name in (*expected, "_ws.malformed") for argument in ("-e", name)]
    done = subprocess.run(["tshark", "-r", tmp_path / "one.pcap", "-d", "udp.port==4001,rtcp", "-T", "fields", *fields],
                          capture_output=True, text=True, check=True)
    assert done.stdout.rstrip("\n").split("\t") == [*expected.values(), ""]
