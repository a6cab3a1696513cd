"""Fields of the messages between control and its workers: numbers, texts, addresses, keys of SRTP, and where streams stand.

All in network order; texts and lists carry their length in one byte, addresses their family. Reading raises ValueError,
IndexError, UnicodeDecodeError (a ValueError) or struct.error; `mcu.messages` makes ProtocolErrors of them.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import fields
from ipaddress import ip_address
from operator import attrgetter
from typing import Any

from mcu.addresses import MAX_KNOWN
from rtp.srtp import ALL_SUITES, MasterKey, SessionKeys, StreamState

MAX_TEXT = 255
MAX_STREAMS = 8
"""Streams of a peer that are told of; what is forgotten could be replayed to a worker's successor."""

Address = tuple[str, int]
NUMBER = struct.Struct("!I")
_STREAM = struct.Struct("!IIiq")
_of_stream = attrgetter(*(field.name for field in fields(StreamState)))


class Fields:
    """Reads one field after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The values of a layout."""
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def byte(self) -> int:
        """One byte."""
        self.position += 1
        return self.data[self.position - 1]

    def number(self) -> int:
        """32 bits."""
        number: int = self.take(NUMBER)[0]
        return number

    def raw(self, size: int) -> bytes:
        """So many bytes."""
        if self.position + size > len(self.data):
            raise ValueError("it breaks off")
        self.position += size
        return self.data[self.position - size:self.position]

    def text(self) -> str:
        """A text of up to 255 bytes."""
        return self.raw(self.byte()).decode("utf-8")

    def address(self) -> Address | None:
        """An address and a port, or none."""
        family = self.byte()
        if family == 0:
            return None
        if family not in (4, 6):
            raise ValueError(f"address family {family}")
        port = int.from_bytes(self.raw(2))
        return _host(self.raw(4 if family == 4 else 16)), port


def write_text(value: str) -> bytes:
    """A text of up to 255 bytes."""
    data = value.encode()
    if len(data) > MAX_TEXT:
        raise ValueError(f"a text of {len(data)} bytes")
    return bytes([len(data)]) + data


def write_address(value: Address | None) -> bytes:
    """An address and a port, or none."""
    if value is None:
        return b"\0"
    packed = _packed(value[0])
    return (b"\4" if len(packed) == 4 else b"\6") + value[1].to_bytes(2) + packed


@functools.lru_cache(MAX_KNOWN)
def _packed(host: str) -> bytes:
    return ip_address(host).packed


@functools.lru_cache(MAX_KNOWN)
def _host(packed: bytes) -> str:
    return str(ip_address(packed))


def write_keys(keys: SessionKeys | None) -> bytes:
    """Suite (0: plain RTP), then key, salt and lifetime of ours and of the peer's."""
    if keys is None:
        return b"\0"
    data = bytes([ALL_SUITES.index(keys.suite) + 1])
    for master in (keys.local, keys.remote):
        data += bytes(master) + master.lifetime.to_bytes(8)
    return data


def read_keys(read: Fields) -> SessionKeys | None:
    """What `write_keys` wrote."""
    number = read.byte()
    if number == 0:
        return None
    suite = ALL_SUITES[number - 1]
    local, remote = (MasterKey.of(suite, read.raw(suite.master_length), int.from_bytes(read.raw(8))) for _ in range(2))
    return SessionKeys(suite, local, remote)


def write_streams(streams: tuple[StreamState, ...]) -> bytes:
    """Where the streams of a peer stand."""
    if len(streams) > MAX_STREAMS:
        raise ValueError(f"{len(streams)} streams")
    return bytes([len(streams)]) + b"".join(_STREAM.pack(*_of_stream(state)) for state in streams)


def read_streams(read: Fields) -> tuple[StreamState, ...]:
    """What `write_streams` wrote."""
    count = read.byte()
    if count > MAX_STREAMS:
        raise ValueError(f"{count} streams")
    return tuple(StreamState(*read.take(_STREAM)) for _ in range(count))
