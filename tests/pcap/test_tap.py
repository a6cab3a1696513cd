"""The tap: told without waiting, written with addresses, names and comments, bounded, drops counted and written down."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcap.errors import CaptureError
from pcap.frames import udp_datagram
from pcap.reader import INBOUND, OUTBOUND, Names, Packet, read_blocks, read_packets
from pcap.tap import MAX_WAITING, OUT, RTCP, LegInfo, MessageInfo, Tap, read_batch
from pcap.tap_writer import Limits, TapWriter

ALICE = LegInfo(("192.0.2.1", 20000), ("198.51.100.7", 4000), ("192.0.2.1", 20001), ("198.51.100.7", 4001))
OFFER = (b"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n"
         b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n")
INVITE = (b"INVITE sip:daily@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK1\r\n"
          b"From: <sip:alice@192.0.2.1>;tag=1\r\nTo: <sip:daily@192.0.2.1>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n"
          b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(OFFER)) + OFFER
UDP = MessageInfo("UDP", ("192.0.2.1", 5060), ("198.51.100.7", 5062), "alice")
TLS = MessageInfo("TLS", ("192.0.2.1", 5061), ("198.51.100.7", 5070), "alice")


def rtp(sequence: int, ssrc: int = 7) -> bytes:
    """A packet of PCMU."""
    return struct.pack("!BBHII", 0x80, 0, sequence, 160 * sequence, ssrc) + b"\xff" * 160


@pytest.fixture
def line() -> Iterator[tuple[Tap, socket.socket]]:
    """A tap and the socket at its other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    tap = Tap(ours)
    theirs.settimeout(0.0)
    yield tap, theirs
    tap.close()
    theirs.close()


def write(line: tuple[Tap, socket.socket], path: Path, limits: Limits | None = None) -> TapWriter:
    """Write all that the tap was told."""
    tap, theirs = line
    writer = TapWriter(path, lambda: 9_000_000_000, limits)
    while True:
        tap.flush()
        try:
            writer.receive(theirs.recv(70_000))
        except BlockingIOError:
            break
    writer.close()
    return writer


def test_packets_get_addresses_names_directions_and_comments(line: tuple[Tap, socket.socket], tmp_path: Path) -> None:
    tap, _ = line
    tap.message(UDP, 0, 1, INVITE)
    tap.leg(5, ALICE)
    tap.name(5, "alice")
    for number, sequence in enumerate((10, 11, 14, 13)):
        tap.media(5, 0, 2 + number, rtp(sequence))
    tap.media(5, 0, 6, rtp(100, ssrc=8))
    tap.note("speakers: bob", 5)
    tap.media(5, OUT, 7, rtp(1))
    tap.media(5, OUT | RTCP, 8, b"\x80\xc8\x00\x01" + bytes(4))
    write(line, tmp_path / "a.pcapng")
    blocks = list(read_blocks(tmp_path / "a.pcapng"))
    assert Names("198.51.100.7", ("alice",)) in blocks
    packets = [block for block in blocks if isinstance(block, Packet)]
    assert [packet.comment for packet in packets] == [
        "INVITE: audio PCMU SRTP", "the first packet of this leg", "", "2 packets lost before this one",
        "out of order, or late", "another source: SSRC 0x00000008 in place of 0x00000007", "speakers: bob", ""]
    assert [packet.direction for packet in packets] == [INBOUND] * 6 + [OUTBOUND] * 2
    datagrams = [udp_datagram(packet) for packet in packets]
    assert [(one.source, one.destination) for one in datagrams if one is not None] == [
        (UDP.remote, UDP.local), *[(ALICE.remote, ALICE.local)] * 5, (ALICE.local, ALICE.remote),
        (ALICE.local_rtcp, ALICE.remote_rtcp)]
    assert datagrams[0] is not None and b"RTP/AVP 0" in datagrams[0].payload
    assert b"crypto" not in datagrams[0].payload                         # what is written is in clear, and holds no key


def test_messages_that_went_by_tls_are_in_clear_on_a_connection(line: tuple[Tap, socket.socket], tmp_path: Path) -> None:
    tap, _ = line
    tap.message(TLS, 0, 1, INVITE)
    tap.message(TLS, OUT, 2, INVITE.replace(b"INVITE sip", b"OPTIONS sip").replace(b"1 INVITE", b"1 OPTIONS"))
    write(line, tmp_path / "a.pcapng")
    packets = list(read_packets(tmp_path / "a.pcapng"))
    assert [packet.comment for packet in packets if packet.comment] == [
        "INVITE: audio PCMU SRTP; went by TLS", "OPTIONS: audio PCMU SRTP; went by TLS"]
    assert len(packets) == 5                                             # the handshake of TCP is made up


@pytest.mark.interop
def test_tshark_finds_sip_and_rtp_in_it(line: tuple[Tap, socket.socket], tmp_path: Path) -> None:
    tap, _ = line
    tap.message(TLS, 0, 1, INVITE)
    tap.leg(5, ALICE)
    for sequence in range(20):
        tap.media(5, 0, 1_000_000_000 + sequence * 20_000_000, rtp(sequence))
    write(line, tmp_path / "a.pcapng")
    command = ["tshark", "-n", "-r", str(tmp_path / "a.pcapng"), "-d", "tcp.port==5061,sip", "-T", "fields",
               "-e", "_ws.col.Protocol"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in said if name != "TCP"] == ["SIP/SDP"] + ["RTP"] * 20


def test_what_does_not_fit_is_dropped_counted_and_written_down(line: tuple[Tap, socket.socket], tmp_path: Path) -> None:
    tap, _ = line
    tap.leg(5, ALICE)
    count = MAX_WAITING // 172 + 20_000
    for number in range(count):
        tap.media(5, 0, number, rtp(number & 0xFFFF))
    assert 0 < tap.dropped < count
    writer = write(line, tmp_path / "a.pcapng")
    tap.media(5, OUT, count, rtp(1))
    tap.flush()
    assert writer.dropped == tap.dropped
    assert writer.packets + writer.dropped >= count


def test_a_full_file_is_followed_by_the_next_and_the_oldest_goes(line: tuple[Tap, socket.socket], tmp_path: Path) -> None:
    tap, _ = line
    tap.leg(5, ALICE)
    tap.name(5, "alice")
    for number in range(1000):
        tap.media(5, 0, number, rtp(number))
    writer = write(line, tmp_path / "a.pcapng", Limits(max_bytes=50_000, files=2))
    assert [path.name for path in writer.paths] == sorted(path.name for path in tmp_path.iterdir())
    assert len(writer.paths) == 2
    for path in writer.paths:
        assert path.stat().st_size < 60_000 and (path.stat().st_mode & 0o777) == 0o600
        assert any(isinstance(block, Packet) for block in read_blocks(path))


def test_a_gone_writer_costs_the_tapped_nothing(line: tuple[Tap, socket.socket]) -> None:
    tap, theirs = line
    theirs.close()
    for number in range(2000):
        tap.media(5, 0, number, rtp(number))
        tap.flush()
    assert tap.is_broken


@pytest.mark.parametrize("batch", [b"\x01", b"\x01\0\xff\xff" + bytes(12), bytes(16) + b"x"])
def test_bytes_that_are_no_record_are_counted(tmp_path: Path, batch: bytes) -> None:
    with pytest.raises(CaptureError):
        list(read_batch(batch))
    writer = TapWriter(tmp_path / "a.pcapng", lambda: 0)
    writer.receive(batch)
    writer.receive(b"\x02\0\0\x02" + bytes(12) + b"{}" + b"\x03\0\0\x02" + bytes(12) + b"[]")
    writer.close()
    assert writer.bad == 2 and writer.packets == 0


@pytest.mark.loopback
def test_the_process_writes_until_all_taps_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with subprocess.Popen([sys.executable, "-m", "pcap.tap_process", str(theirs.fileno()), str(path)],
                          pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, text=True) as process:
        theirs.close()
        taps = [Tap(ours.dup()), Tap(ours)]
        for number, tap in enumerate(taps):
            tap.leg(number, ALICE)
            tap.media(number, 0, number, rtp(number))
            tap.close()
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (0, str(path))
    assert len(list(read_packets(path))) == 2
