"""RTP streams among datagrams, with what is lost, late, doubled or out of order."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from typer.testing import CliRunner

from pcap.__main__ import app
from pcap.frames import Datagram, udp_datagram
from pcap.reader import Packet
from pcap.streams import Stream, rtp_streams
from tests.pcap.test_reader import classic


def rtp(sequence: int, timestamp: int, time_ms: float, ssrc: int = 0xABCD, payload_type: int = 0) -> Datagram:
    """A PCMU packet as captured."""
    data = struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + bytes(160)
    return Datagram(int(time_ms * 1e6), ("10.0.0.1", 4000), ("10.0.0.2", 5000), data)


def only(datagrams: list[Datagram]) -> Stream:
    """The one stream of these."""
    (stream,) = rtp_streams(datagrams)
    return stream


def test_a_clean_stream_over_the_sequence_wrap_has_no_loss_and_no_jitter() -> None:
    stream = only([rtp(65530 + i, 160 * i, 20 * i) for i in range(50)])
    assert (stream.packets, stream.lost, stream.duplicated, stream.reordered) == (50, 0, 0, 0)
    assert stream.jitter_ms < 0.001 and stream.timestamp_steps == {160: 49}


def test_lost_doubled_and_swapped_packets_are_told_apart() -> None:
    order = [0, 1, 2, 4, 3, 5, 5, 8]
    stream = only([rtp(i, 160 * i, 20 * n) for n, i in enumerate(order)])
    assert (stream.lost, stream.duplicated, stream.reordered) == (2, 1, 1)


def test_jitter_is_the_running_mean_of_rfc_3550() -> None:
    expected, transit = 0.0, 0.0
    datagrams = [rtp(0, 0, 0)]
    for i in range(1, 40):
        late = 8.0 if i % 2 else 0.0
        datagrams.append(rtp(i, 160 * i, 20 * i + late))
        expected += (abs(late - transit) - expected) / 16
        transit = late
    assert abs(only(datagrams).jitter_ms - expected) < 0.01


def test_rtcp_and_other_traffic_are_no_streams() -> None:
    sender_report = struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(20)
    payloads = [sender_report] * 9 + [b"INVITE sip:x"] * 9
    assert rtp_streams([Datagram(i, ("a", 1), ("b", 2), data) for i, data in enumerate(payloads)]) == []


def ipv4_udp(payload: bytes) -> bytes:
    """A raw IPv4 packet with a UDP datagram."""
    udp = struct.pack("!HHHH", 4000, 5000, 8 + len(payload), 0) + payload
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + udp


def test_a_datagram_is_found_behind_ethernet_vlan_and_raw_ip() -> None:
    raw = ipv4_udp(b"hello")
    vlan = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + raw
    for packet in (Packet(1, 101, raw), Packet(1, 1, bytes(12) + b"\x08\x00" + raw), Packet(1, 1, vlan)):
        datagram = udp_datagram(packet)
        assert datagram is not None
        assert (datagram.source, datagram.destination) == (("10.0.0.1", 4000), ("10.0.0.2", 5000))
        assert datagram.payload == b"hello"


def test_frames_without_a_whole_datagram_give_none() -> None:
    fragment = bytearray(ipv4_udp(b"hello"))
    fragment[6] = 0x20
    for data in (bytes(fragment), b"", b"\x45" + bytes(10), bytes(60)):
        assert udp_datagram(Packet(1, 101, data)) is None


def test_the_command_prints_the_streams_as_json_and_says_where_a_file_breaks(tmp_path: Path) -> None:
    packets = [(0, 20_000 * i, ipv4_udp(rtp(i, 160 * i, 0).payload)) for i in range(10)]
    whole, broken = tmp_path / "whole.pcap", tmp_path / "broken.pcap"
    whole.write_bytes(classic("<", 0xA1B2C3D4, packets))
    broken.write_bytes(classic("<", 0xA1B2C3D4, packets)[:-5])
    done = CliRunner().invoke(app, ["analyse", str(whole), "--json"])
    assert done.exit_code == 0
    assert [(s["packets"], s["lost"]) for s in json.loads(done.stdout)["streams"]] == [(10, 0)]
    done = CliRunner().invoke(app, ["analyse", str(broken)])
    assert done.exit_code == 1 and "breaks off" in done.output and "0x0000ABCD" in done.output
    assert CliRunner().invoke(app, ["analyse", str(tmp_path / "none")]).exit_code == 2


def test_numbering_that_begins_anew_is_neither_loss_nor_disorder() -> None:
    numbers = [*range(100), *range(40_000, 40_100), *range(10_000, 10_050)]
    stream = only([rtp(number, 160 * n, 20 * n) for n, number in enumerate(numbers)])
    assert (stream.expected, stream.lost, stream.reordered, stream.duplicated) == (250, 0, 0, 0)
