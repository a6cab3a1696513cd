"""Writes pcapng (draft-ietf-opsawg-pcapng), as Wireshark reads it: one section, little endian, times in nanoseconds.

    with path.open("wb") as file:
        writer = PcapngWriter(file)
        writer.packet(time_ns, frame, comment="INVITE offers opus and PCMU", direction=OUTBOUND)

Each call writes whole blocks, so a file that is cut off after any of them can be read. Reading is `pcap.reader`.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from pcap.reader import INBOUND, OUTBOUND, TLS_KEY_LOG

LINK_TYPE_RAW = 101
"""Packets that begin with their IP header."""
MAX_COMMENT = 65535
"""Bytes of UTF-8 in an option."""
_DIRECTIONS = {INBOUND: 1, OUTBOUND: 2}
_OPTION, _PACKET = struct.Struct("<HH"), struct.Struct("<IIIII")
_END = _OPTION.pack(0, 0)


class PcapngWriter:
    """Writes one section to a file that is open for writing in binary. application: what the file says made it.

    `size`: bytes written. Raises OSError as the file does.
    """

    def __init__(self, file: BinaryIO, application: str = "Confero") -> None:
        self.size = 0
        self._file = file
        self._interfaces: dict[tuple[int, str], int] = {}
        self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options([(4, application.encode())]))

    def interface(self, link_type: int = LINK_TYPE_RAW, name: str = "") -> int:
        """The number of an interface, which is described when it is named for the first time."""
        number = self._interfaces.get((link_type, name))
        if number is None:
            number = self._interfaces[link_type, name] = len(self._interfaces)
            self._block(1, struct.pack("<HHI", link_type, 0, 0) + _options([(2, name.encode()), (9, b"\x09")]))
        return number

    def packet(self, time_ns: int, data: bytes, *, link_type: int = LINK_TYPE_RAW, interface: str = "", comment: str = "",
               direction: str = "", length: int = 0) -> None:
        """A packet. time_ns: since 1970; length: on the wire, when `data` is less than that."""
        number = self.interface(link_type, interface)
        options = b""
        if comment or direction:
            flags = struct.pack("<I", _DIRECTIONS[direction]) if direction else b""
            options = _options([(1, cut(comment)), (2, flags)])
        head = _PACKET.pack(number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), length or len(data))
        self._block(6, head + data + bytes(-len(data) % 4) + options)

    def names(self, names: Mapping[str, Iterable[str]]) -> None:
        """Names of addresses, which readers show in place of them from here on."""
        records = b"".join(_name_record(address, tuple(known)) for address, known in names.items())
        if records:
            self._block(4, records + _END)

    def secrets(self, key_log: bytes) -> None:
        """Lines of a TLS key log; they have to come before the packets that they open."""
        if key_log:
            self._block(10, struct.pack("<II", TLS_KEY_LOG, len(key_log)) + key_log + bytes(-len(key_log) % 4))

    def statistics(self, time_ns: int, received: int, dropped: int, *, link_type: int = LINK_TYPE_RAW,
                   interface: str = "") -> None:
        """What an interface had, and what of it was not written."""
        number = self.interface(link_type, interface)
        head = struct.pack("<III", number, time_ns >> 32, time_ns & 0xFFFFFFFF)
        self._block(5, head + _options([(4, struct.pack("<Q", received)), (5, struct.pack("<Q", dropped))]))

    def _block(self, kind: int, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        length = struct.pack("<I", len(body) + 12)
        block = struct.pack("<I", kind) + length + body + length
        self._file.write(block)
        self.size += len(block)


def cut(comment: str) -> bytes:
    """A comment as UTF-8 that fits into an option."""
    return comment.encode("utf-8", "replace")[:MAX_COMMENT].decode("utf-8", "ignore").encode()


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """Options that have a value, and their end; nothing when none has."""
    out = b"".join(_OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4) for code, value in options if value)
    return out + _END if out else b""


def _name_record(address: str, names: tuple[str, ...]) -> bytes:
    packed = ipaddress.ip_address(address).packed
    value = packed + b"".join(name.replace("\0", "").encode() + b"\0" for name in names)
    return _OPTION.pack(1 if len(packed) == 4 else 2, len(value)) + value + bytes(-len(value) % 4)
