"""STUN messages (RFC 8489 §5, §6, §14): parse, build, and the two checks, message integrity and fingerprint.

    query = binding_request(os.urandom(12))
    socket.send(query.encode())
    address = Message.parse(socket.recv(2048)).mapped_address

Used to learn our address as others see it; ICE (RFC 8445) and the media sockets need the same messages. Left out:
retransmission, which is the shell's, MESSAGE-INTEGRITY-SHA256, and the obfuscated nonces of long-term credentials.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from rtp.errors import ParseError

Address = tuple[str, int]
Attribute = tuple[int, bytes]
COOKIE = 0x2112A442
BINDING = 0x001
REQUEST, INDICATION, SUCCESS, ERROR = 0b00, 0b01, 0b10, 0b11
MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0001, 0x0006, 0x0008, 0x0009, 0x000A
REALM, NONCE, XOR_MAPPED_ADDRESS, SOFTWARE, FINGERPRINT = 0x0014, 0x0015, 0x0020, 0x8022, 0x8028
MAX_MESSAGE = 2048
"""Longer than any STUN message that goes through a path unbroken (RFC 8489 §6.1: 576 to 1500 bytes)."""
MAX_ATTRIBUTES = 32
_HEADER = struct.Struct("!HHI12s")
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_SIZE, _FINGERPRINT_SIZE = 24, 8


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message, on a socket that carries other things, too (RFC 7983 §7, RFC 8489 §6.3)."""
    return len(data) >= 20 and data[0] < 4 and len(data) % 4 == 0 and data[4:8] == b"\x21\x12\xa4\x42"


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `kind` is REQUEST, INDICATION, SUCCESS or ERROR; `method` up to 255; `transaction_id` has 12 bytes.

    attributes: (type, value) in order, without MESSAGE-INTEGRITY and FINGERPRINT, which `encode` adds and `check_integrity`
    and `check_fingerprint` look at.
    """

    kind: int
    method: int
    transaction_id: bytes
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a message. What follows MESSAGE-INTEGRITY is passed over (RFC 8489 §14.5). Raises ParseError."""
        if not is_stun(data) or len(data) > MAX_MESSAGE:
            raise ParseError(f"{len(data)} bytes that are no STUN message")
        code, length, _, transaction_id = _HEADER.unpack_from(data)
        if length != len(data) - 20:
            raise ParseError(f"STUN: a length of {length}, but {len(data) - 20} bytes came")
        found: list[Attribute] = []
        for kind, value, _ in _attributes(data):
            if kind in (MESSAGE_INTEGRITY, FINGERPRINT):
                break
            found.append((kind, value))
        method = (code & 0x3E00) >> 2 | (code & 0x00E0) >> 1 | code & 0x000F
        return cls((code & 0x0100) >> 7 | (code & 0x0010) >> 4, method, transaction_id, tuple(found))

    def encode(self, key: bytes | None = None, *, fingerprint: bool = False) -> bytes:
        """The bytes. key: adds MESSAGE-INTEGRITY (RFC 8489 §14.5); fingerprint: adds FINGERPRINT (§14.7), last."""
        body = b"".join(
            struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4) for kind, value in self.attributes)
        if key is not None:
            body += struct.pack("!HH20s", MESSAGE_INTEGRITY, 20, self._digest(body, key))
        if fingerprint:
            whole = self._header(len(body) + _FINGERPRINT_SIZE) + body
            body += struct.pack("!HHI", FINGERPRINT, 4, zlib.crc32(whole) ^ _FINGERPRINT_XOR)
        return self._header(len(body)) + body

    def _digest(self, body: bytes, key: bytes) -> bytes:
        return hmac.digest(key, self._header(len(body) + _INTEGRITY_SIZE) + body, hashlib.sha1)

    def _header(self, length: int) -> bytes:
        method, kind = self.method, self.kind
        code = (method & 0xF80) << 2 | (method & 0x070) << 1 | method & 0x00F | (kind & 2) << 7 | (kind & 1) << 4
        return _HEADER.pack(code, length, COOKIE, self.transaction_id)

    def value(self, kind: int) -> bytes | None:
        """The first attribute of a type, None when it is not there."""
        return next((value for key, value in self.attributes if key == kind), None)

    def with_attribute(self, kind: int, value: bytes) -> Message:
        """This message with one more attribute."""
        return replace(self, attributes=(*self.attributes, (kind, value)))

    @property
    def mapped_address(self) -> Address | None:
        """The address that a binding response tells, plain or obscured (§14.1, §14.2). Raises ParseError."""
        value = self.value(XOR_MAPPED_ADDRESS)
        if value is not None:
            return _read_address(value, struct.pack("!I", COOKIE) + self.transaction_id)
        value = self.value(MAPPED_ADDRESS)
        return None if value is None else _read_address(value, bytes(16))

    @property
    def error(self) -> tuple[int, str] | None:
        """Status and reason of an error response (§14.8), None when there is none. Raises ParseError."""
        value = self.value(ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
            raise ParseError("STUN: an error code that is none")
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", "replace")

    @property
    def unknown(self) -> tuple[int, ...]:
        """The attributes that must be understood (§14) and are not, by this module."""
        known = (MAPPED_ADDRESS, USERNAME, ERROR_CODE, UNKNOWN_ATTRIBUTES, REALM, NONCE, XOR_MAPPED_ADDRESS)
        return tuple(kind for kind, _ in self.attributes if kind < 0x8000 and kind not in known)


def binding_request(transaction_id: bytes) -> Message:
    """Ask for our address as the peer sees it. transaction_id: 12 random bytes."""
    return Message(REQUEST, BINDING, transaction_id)


def binding_success(request: Message, source: Address) -> Message:
    """The answer to a binding request that came from `source`."""
    value = _write_address(source, struct.pack("!I", COOKIE) + request.transaction_id)
    return Message(SUCCESS, BINDING, request.transaction_id, ((XOR_MAPPED_ADDRESS, value),))


def binding_error(request: Message, status: int, reason: str) -> Message:
    """The refusal of a request: 400, 401, 420 with the attributes that were not understood, 487, 500."""
    value = bytes((0, 0, status // 100, status % 100)) + reason.encode()
    message = Message(ERROR, request.method, request.transaction_id, ((ERROR_CODE, value),))
    if status == 420:
        message = message.with_attribute(UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", kind) for kind in request.unknown))
    return message


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of long-term credentials (RFC 8489 §9.2.2); that of short-term ones is the password itself, in UTF-8."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def check_integrity(data: bytes, key: bytes) -> bool:
    """Whether a message carries a MESSAGE-INTEGRITY made with this key. Raises ParseError."""
    Message.parse(data)
    for kind, value, start in _attributes(data):
        if kind == MESSAGE_INTEGRITY:
            covered = data[:2] + struct.pack("!H", start + 4) + data[4:start]
            return hmac.compare_digest(value, hmac.digest(key, covered, hashlib.sha1))
    return False


def check_fingerprint(data: bytes) -> bool:
    """Whether a message ends with the FINGERPRINT that it should have. Raises ParseError."""
    Message.parse(data)
    for kind, value, start in _attributes(data):
        if kind == FINGERPRINT:
            expected = struct.pack("!I", zlib.crc32(data[:start]) ^ _FINGERPRINT_XOR)
            return start + _FINGERPRINT_SIZE == len(data) and value == expected
    return False


def _attributes(data: bytes) -> list[tuple[int, bytes, int]]:
    """(type, value, where it begins) of each attribute. Raises ParseError."""
    found: list[tuple[int, bytes, int]] = []
    position = 20
    while position < len(data):
        if len(found) >= MAX_ATTRIBUTES:
            raise ParseError(f"STUN: more than {MAX_ATTRIBUTES} attributes")
        kind, size = struct.unpack_from("!HH", data, position)
        if position + 4 + size > len(data):
            raise ParseError(f"STUN: attribute {kind:#06x} is cut off")
        found.append((kind, data[position + 4:position + 4 + size], position))
        position += 4 + size + -size % 4
    return found


def _read_address(value: bytes, mask: bytes) -> Address:
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise ParseError("STUN: an address that is none")
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    plain = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return str(IPv4Address(plain) if len(plain) == 4 else IPv6Address(plain)), port


def _write_address(address: Address, mask: bytes) -> bytes:
    plain = ip_address(address[0]).packed
    port = address[1] ^ int.from_bytes(mask[:2])
    return struct.pack("!BBH", 0, 1 if len(plain) == 4 else 2, port) + bytes(a ^ b for a, b in zip(plain, mask, strict=False))
