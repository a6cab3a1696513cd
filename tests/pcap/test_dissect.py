"""What is in packets: SIP, RTP, RTCP, ICMP's complaints, and what is none of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.dissect import TIME_EXCEEDED, TOO_BIG, UNREACHABLE, Datagram, SeenComplaint, SeenControl, SeenPacket, dissect
from pcap.pcapng import PcapngWriter
from pcap.reader import INBOUND
from pcap.sip_ladder import SeenMessage
from pcap.synthesis import udp_packet
from rtp.demux import DatagramKind
from rtp.packet import RtpPacket
from rtp.rtcp import Goodbye, ReceiverReport, build_compound
from tests.helpers.fragments import fragments_of
from tests.helpers.planted import icmp

A, B = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
OPTIONS = (b"OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
           b"To: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nX-Long: " + b"x" * 3000 + b"\r\nContent-Length: 0\r\n\r\n")


def seen(tmp_path: Path, *frames: bytes, comment: str = "", direction: str = "") -> list[object]:
    path = tmp_path / "x.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for number, frame in enumerate(frames):
            writer.packet(number, frame, comment=comment, direction=direction)
    return list(dissect(path))


def test_each_payload_is_sorted_and_parsed(tmp_path: Path) -> None:
    report = build_compound((ReceiverReport(1), Goodbye((1,))))
    payloads = (OPTIONS, bytes(RtpPacket(0, 1, 2, 3, b"abc")), report, b"\x00\x01" + bytes(18), b"\x16\xfe\xff" + bytes(20))
    found = seen(tmp_path, *(udp_packet(A, B, payload) for payload in payloads))
    assert [type(one) for one in found] == [SeenMessage, SeenPacket, SeenControl, Datagram, Datagram]
    assert [one.kind for one in found if isinstance(one, Datagram)] == [DatagramKind.STUN, DatagramKind.DTLS]
    assert isinstance(found[2], SeenControl) and Goodbye((1,)) in found[2].packets
    assert isinstance(found[1], SeenPacket) and (found[1].number, found[1].source, found[1].size) == (2, A, 15)


def test_a_request_in_fragments_is_one_message(tmp_path: Path) -> None:
    (found,) = seen(tmp_path, *fragments_of(udp_packet(A, B, OPTIONS), 1480))
    assert isinstance(found, SeenMessage) and found.number == 3 and bytes(found.message) == OPTIONS


@pytest.mark.parametrize(("kind", "code", "means"), [(3, 3, UNREACHABLE), (3, 4, TOO_BIG), (11, 0, TIME_EXCEEDED)])
def test_complaint_names_the_way_that_failed(tmp_path: Path, kind: int, code: int, means: str) -> None:
    (found,) = seen(tmp_path, icmp("198.51.100.9", A[0], kind, code, udp_packet(A, B, b"hello")))
    assert found == SeenComplaint(1, 0, "198.51.100.9", means, A, B)


def test_a_ping_is_no_complaint(tmp_path: Path) -> None:
    assert seen(tmp_path, icmp("198.51.100.9", A[0], 8, 0, udp_packet(A, B, b"hello"))) == []


def test_what_looks_like_rtp_and_is_not_is_a_datagram_with_its_comment(tmp_path: Path) -> None:
    padding = struct.pack("!BBHII", 0xA0, 0, 1, 2, 3) + b"\xff" * 4
    (found,) = seen(tmp_path, udp_packet(A, B, padding), comment="odd", direction=INBOUND)
    assert isinstance(found, Datagram) and (found.kind, found.comment, found.direction) == (DatagramKind.RTP, "odd", INBOUND)


RTCP_LIKE = st.binary(max_size=60).map(lambda tail: udp_packet(A, B, b"\x80\xc8" + tail))


@given(st.lists(st.binary(max_size=90) | RTCP_LIKE, max_size=4))
def test_no_bytes_raise_an_error(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> None:
    assert len(seen(tmp_path_factory.getbasetemp(), *frames)) <= len(frames)
