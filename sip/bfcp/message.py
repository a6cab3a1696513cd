"""BFCP messages (RFC 8855 §5.1, §5.3): the common header, all eighteen primitives, and which attributes each needs.

Version 1 goes over TCP and TLS, version 2 over UDP, where a header may also say that it belongs to a fragment (§6.2.3).
Whatever the bytes, ParseError is all that comes out; its `status` is the code of the Error to answer with.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sip.bfcp.attributes import (
    Attribute,
    ErrorValue,
    FloorRequestInformation,
    Number,
    Text,
    Type,
    UnknownMandatory,
    read,
    type_of,
    unknown_mandatory,
    write,
)
from sip.errors import ParseError

HEADER = 12
FRAGMENT_HEADER = 16
RELIABLE, UNRELIABLE = 1, 2
"""The two versions: over TCP or TLS, and over UDP."""
MAX_PAYLOAD = 16384
"""Bytes after the header of one message. A FloorStatus of a queue of 60 has some 12,000."""
_HEADER = struct.Struct("!BBHIHH")
_FRAGMENT = struct.Struct("!HH")


class Primitive(IntEnum):
    """Kinds of messages (RFC 8855 §5.1, table 1)."""

    FLOOR_REQUEST = 1
    FLOOR_RELEASE = 2
    FLOOR_REQUEST_QUERY = 3
    FLOOR_REQUEST_STATUS = 4
    USER_QUERY = 5
    USER_STATUS = 6
    FLOOR_QUERY = 7
    FLOOR_STATUS = 8
    CHAIR_ACTION = 9
    CHAIR_ACTION_ACK = 10
    HELLO = 11
    HELLO_ACK = 12
    ERROR = 13
    FLOOR_REQUEST_STATUS_ACK = 14
    ERROR_ACK = 15
    FLOOR_STATUS_ACK = 16
    GOODBYE = 17
    GOODBYE_ACK = 18


REQUIRED: dict[int, frozenset[Type]] = {
    Primitive.FLOOR_REQUEST: frozenset({Type.FLOOR_ID}),
    Primitive.FLOOR_RELEASE: frozenset({Type.FLOOR_REQUEST_ID}),
    Primitive.FLOOR_REQUEST_QUERY: frozenset({Type.FLOOR_REQUEST_ID}),
    Primitive.FLOOR_REQUEST_STATUS: frozenset({Type.FLOOR_REQUEST_INFORMATION}),
    Primitive.CHAIR_ACTION: frozenset({Type.FLOOR_REQUEST_INFORMATION}),
    Primitive.HELLO_ACK: frozenset({Type.SUPPORTED_PRIMITIVES, Type.SUPPORTED_ATTRIBUTES}),
    Primitive.ERROR: frozenset({Type.ERROR_CODE}),
}
"""The attributes without which a message means nothing (§5.3); all others may be there or not."""
ACKNOWLEDGEMENTS = {
    Primitive.FLOOR_REQUEST_STATUS: Primitive.FLOOR_REQUEST_STATUS_ACK,
    Primitive.FLOOR_STATUS: Primitive.FLOOR_STATUS_ACK,
    Primitive.ERROR: Primitive.ERROR_ACK,
    Primitive.GOODBYE: Primitive.GOODBYE_ACK,
}
"""What acknowledges a message that was not asked for, over UDP."""


@dataclass(frozen=True, slots=True)
class Header:
    """The common header. length: bytes of the whole message after it; fragment: (offset, length) in bytes."""

    primitive: int
    conference_id: int
    transaction_id: int
    user_id: int
    version: int = RELIABLE
    is_response: bool = False
    length: int = 0
    fragment: tuple[int, int] | None = None

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read it from the beginning of `data`. Raises ParseError when it is too short."""
        if len(data) < HEADER:
            raise ParseError(f"BFCP: {len(data)} bytes; a header has {HEADER}", ErrorValue.UNABLE_TO_PARSE)
        first, primitive, units, conference_id, transaction_id, user_id = _HEADER.unpack_from(data)
        version, fragment = first >> 5, None
        if version == UNRELIABLE and first & 0x08:
            if len(data) < FRAGMENT_HEADER:
                raise ParseError("BFCP: the header of a fragment breaks off", ErrorValue.UNABLE_TO_PARSE)
            offset, length = _FRAGMENT.unpack_from(data, HEADER)
            fragment = (4 * offset, 4 * length)
        is_response = version == UNRELIABLE and bool(first & 0x10)
        return cls(primitive, conference_id, transaction_id, user_id, version, is_response, 4 * units, fragment)

    @property
    def size(self) -> int:
        """Its own bytes."""
        return HEADER if self.fragment is None else FRAGMENT_HEADER

    def __bytes__(self) -> bytes:
        first = self.version << 5 | self.is_response << 4 | (self.fragment is not None) << 3
        head = _HEADER.pack(first, self.primitive, self.length // 4, self.conference_id, self.transaction_id, self.user_id)
        return head if self.fragment is None else head + _FRAGMENT.pack(self.fragment[0] // 4, self.fragment[1] // 4)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who and what it is about, and its attributes in order."""

    primitive: Primitive
    conference_id: int
    transaction_id: int
    user_id: int
    attributes: tuple[Attribute, ...] = ()
    version: int = RELIABLE
    is_response: bool = False

    def numbers(self, kind: Type) -> tuple[int, ...]:
        """The values of all 16-bit attributes of a type."""
        return tuple(each.value for each in self.attributes if isinstance(each, Number) and each.type is kind)

    def number(self, kind: Type) -> int | None:
        """The first of them, None when there is none."""
        return next(iter(self.numbers(kind)), None)

    def text(self, kind: Type) -> str:
        """The first text attribute of a type, empty when there is none."""
        return next((each.text for each in self.attributes if isinstance(each, Text) and each.type is kind), "")

    @property
    def requests(self) -> tuple[FloorRequestInformation, ...]:
        """All FLOOR-REQUEST-INFORMATION."""
        return tuple(each for each in self.attributes if isinstance(each, FloorRequestInformation))

    def __bytes__(self) -> bytes:
        """The whole message. Raises ValueError for what can't be written."""
        payload = write(self.attributes)
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a message of {len(payload)} bytes; {MAX_PAYLOAD} are allowed")
        return bytes(self._header(len(payload))) + payload

    def _header(self, length: int) -> Header:
        return Header(self.primitive, self.conference_id, self.transaction_id, self.user_id, self.version, self.is_response,
                      length)


def parse(data: bytes) -> Message:
    """The one whole message that `data` is. Raises ParseError, UnknownMandatory among them."""
    header = Header.parse(data)
    if header.version not in (RELIABLE, UNRELIABLE):
        raise ParseError(f"BFCP: version {header.version}", ErrorValue.UNSUPPORTED_VERSION)
    if header.fragment is not None or len(data) != HEADER + header.length:
        raise ParseError(f"BFCP: {len(data) - HEADER} bytes, and {header.length} are announced", ErrorValue.INCORRECT_LENGTH)
    return parse_payload(header, data[HEADER:])


def parse_payload(header: Header, payload: bytes) -> Message:
    """The message of a header and what follows it. Raises ParseError."""
    if len(payload) > MAX_PAYLOAD:
        raise ParseError(f"BFCP: {len(payload)} bytes; {MAX_PAYLOAD} are allowed", ErrorValue.INCORRECT_LENGTH)
    try:
        primitive = Primitive(header.primitive)
    except ValueError as error:
        raise ParseError(f"BFCP: primitive {header.primitive}", ErrorValue.UNKNOWN_PRIMITIVE) from error
    attributes = read(payload)
    if missing := unknown_mandatory(attributes):
        raise UnknownMandatory(missing)
    lacking = REQUIRED.get(primitive, frozenset()) - {type_of(each) for each in attributes}
    if lacking:
        raise ParseError(f"BFCP: {primitive.name} without {min(lacking).name}", ErrorValue.UNABLE_TO_PARSE)
    return Message(primitive, header.conference_id, header.transaction_id, header.user_id, attributes, header.version,
                   header.is_response)
