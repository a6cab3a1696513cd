"""ClientHello and ServerHello (RFC 5246 §7.4.1, RFC 8446 §4.1, RFC 6347 §4.2): just what it takes to find the keys.

Whatever the bytes, the readers answer with a value or None.
"""

from __future__ import annotations

from dataclasses import dataclass

CLIENT_HELLO, SERVER_HELLO = 1, 2
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random that makes a ServerHello a HelloRetryRequest (RFC 8446 §4.1.3)."""
_SUPPORTED_VERSIONS, _USE_SRTP = 43, 14


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The client's random, and the SRTP profiles that it offers."""

    random: bytes
    srtp_profiles: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The server's random and choice. `srtp_profile` stands here before TLS 1.3, and is None else."""

    random: bytes
    suite: int
    is_tls13: bool
    srtp_profile: int | None = None


def client_hello(body: bytes, is_dtls: bool = False) -> ClientHello | None:
    """Read the body of a ClientHello; DTLS has a cookie in it."""
    reader = _Reader(body, 2)
    random = reader.take(32)
    reader.vector(1)
    if is_dtls:
        reader.vector(1)
    reader.vector(2)
    reader.vector(1)
    if reader.is_broken:
        return None
    profiles = _Reader(_extensions(reader).get(_USE_SRTP, b"")).vector(2)
    return ClientHello(random, tuple(int.from_bytes(profiles[i:i + 2]) for i in range(0, len(profiles) - 1, 2)))


def server_hello(body: bytes) -> ServerHello | None:
    """Read the body of a ServerHello."""
    reader = _Reader(body, 2)
    random = reader.take(32)
    reader.vector(1)
    suite = int.from_bytes(reader.take(2))
    reader.take(1)
    if reader.is_broken:
        return None
    extensions = _extensions(reader)
    profiles = _Reader(extensions.get(_USE_SRTP, b"")).vector(2)
    is_tls13 = extensions.get(_SUPPORTED_VERSIONS) in (b"\x03\x04", b"\xfe\xfc")
    return ServerHello(random, suite, is_tls13, int.from_bytes(profiles[:2]) if len(profiles) >= 2 else None)


class _Reader:
    """Takes pieces off the front; what is missing makes it broken and empty."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position = data, position
        self.is_broken = len(data) < position

    def take(self, size: int) -> bytes:
        piece = self.data[self.position:self.position + size]
        self.position += size
        self.is_broken = self.is_broken or len(piece) < size
        return piece

    def vector(self, width: int) -> bytes:
        return self.take(int.from_bytes(self.take(width)))


def _extensions(reader: _Reader) -> dict[int, bytes]:
    inner = _Reader(reader.vector(2))
    found: dict[int, bytes] = {}
    while not inner.is_broken and inner.position < len(inner.data):
        kind = int.from_bytes(inner.take(2))
        value = inner.vector(2)
        if not inner.is_broken:
            found[kind] = value
    return found
