"""A conversation as a capture would have it: SIP in clear or in TLS by Python's ssl, media in clear or in SRTP by our senders.

    talk = TlsTalk("TLSv1_3")
    talk.say(0, b"REGISTER …")
    packets = talk.packets(("192.0.2.1", 40000), ("192.0.2.2", 5061))
    write_classic(path, packets)
"""

from __future__ import annotations

import ssl
import struct
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import trustme

from pcap.pcapng import PcapngWriter
from pcap.synthesis import LINK_TYPE_RAW, Address, TcpWriter

AUTHORITY = trustme.CA()
START_NS = 1_700_000_000_000_000_000


class TlsTalk:
    """A TLS connection between two memory buffers. wire: what went over it, (side, bytes) in order; side 0 is the client."""

    def __init__(self, version: str, ciphers: str = "") -> None:
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        AUTHORITY.issue_cert("meet.example").configure_cert(server)
        AUTHORITY.configure_trust(client)
        client.minimum_version = client.maximum_version = ssl.TLSVersion[version]
        if ciphers:
            client.set_ciphers(ciphers)
        self._folder = tempfile.TemporaryDirectory()
        client.keylog_filename = f"{self._folder.name}/keys.log"
        self._in = [ssl.MemoryBIO(), ssl.MemoryBIO()]
        self._out = [ssl.MemoryBIO(), ssl.MemoryBIO()]
        self.ends = [client.wrap_bio(self._in[0], self._out[0], server_hostname="meet.example"),
                     server.wrap_bio(self._in[1], self._out[1], server_side=True)]
        self.wire: list[tuple[int, bytes]] = []
        for _ in range(4):
            for side, end in enumerate(self.ends):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                self._pump(side)

    def say(self, side: int, data: bytes) -> None:
        """One side speaks."""
        self.ends[side].write(data)
        self._pump(side)

    @property
    def log(self) -> str:
        """The key log so far."""
        return Path(f"{self._folder.name}/keys.log").read_text()

    def packets(self, client: Address, server: Address) -> list[bytes]:
        """The connection as TCP packets."""
        return tcp_packets(client, server, self.wire)

    def _pump(self, side: int) -> None:
        if data := self._out[side].read():
            self.wire.append((side, data))
            self._in[1 - side].write(data)


def tcp_packets(client: Address, server: Address, wire: Iterable[tuple[int, bytes]], size: int = 1400) -> list[bytes]:
    """A connection in which the sides say what `wire` has, in segments of at most `size` bytes."""
    writer = TcpWriter(client, server)
    return [packet for side, data in wire for start in range(0, len(data), size)
            for packet in writer.say(side == 0, data[start:start + size])]


def write_pcapng(path: Path, packets: Sequence[bytes], secrets: bytes = b"", comment: str = "") -> Path:
    """A pcapng file of raw IP packets 5 ms apart, each with the comment, behind the secrets."""
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        writer.secrets(secrets)
        for number, packet in enumerate(packets):
            writer.packet(START_NS + number * 5_000_000, packet, comment=comment)
    return path


def write_classic(path: Path, packets: Sequence[bytes], step_ns: int = 5_000_000) -> Path:
    """A classic pcap file with nanoseconds, of raw IP packets."""
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, LINK_TYPE_RAW)
    for number, packet in enumerate(packets):
        seconds, fraction = divmod(START_NS + number * step_ns, 10**9)
        out += struct.pack("<IIII", seconds, fraction, len(packet), len(packet)) + packet
    path.write_bytes(out)
    return path
