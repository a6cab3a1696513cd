"""Attributes of BFCP messages (RFC 8855 §5.2): values, their bytes, and a reader that raises ParseError and nothing else.

An attribute is a type (7 bits), the mandatory bit, a length of 8 bits and contents, padded to four bytes. Grouped attributes
hold others, and one length of 252 at most for all of them: texts are cut to what fits (`cut`), whole characters at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from sip.errors import ParseError

MAX_LENGTH = 255
"""What the length of an attribute can say; of a grouped one 252, since its contents are padded."""
MAX_ATTRIBUTES = 256
"""Attributes in one message: a room of 200 that all queue for a floor has fewer."""
_HEAD = struct.Struct("!BBH")


class Type(IntEnum):
    """Types of attributes (RFC 8855 §5.2, table 2)."""

    BENEFICIARY_ID = 1
    FLOOR_ID = 2
    FLOOR_REQUEST_ID = 3
    PRIORITY = 4
    REQUEST_STATUS = 5
    ERROR_CODE = 6
    ERROR_INFO = 7
    PARTICIPANT_PROVIDED_INFO = 8
    STATUS_INFO = 9
    SUPPORTED_ATTRIBUTES = 10
    SUPPORTED_PRIMITIVES = 11
    USER_DISPLAY_NAME = 12
    USER_URI = 13
    BENEFICIARY_INFORMATION = 14
    FLOOR_REQUEST_INFORMATION = 15
    REQUESTED_BY_INFORMATION = 16
    FLOOR_REQUEST_STATUS = 17
    OVERALL_REQUEST_STATUS = 18


class Status(IntEnum):
    """States of a floor request (RFC 8855 §5.2.5)."""

    PENDING = 1
    ACCEPTED = 2
    GRANTED = 3
    DENIED = 4
    CANCELLED = 5
    RELEASED = 6
    REVOKED = 7


class ErrorValue(IntEnum):
    """Codes of an Error (RFC 8855 §5.2.6)."""

    NO_SUCH_CONFERENCE = 1
    NO_SUCH_USER = 2
    UNKNOWN_PRIMITIVE = 3
    UNKNOWN_MANDATORY_ATTRIBUTE = 4
    UNAUTHORIZED = 5
    INVALID_FLOOR_ID = 6
    NO_SUCH_FLOOR_REQUEST = 7
    TOO_MANY_REQUESTS = 8
    USE_TLS = 9
    UNABLE_TO_PARSE = 10
    USE_DTLS = 11
    UNSUPPORTED_VERSION = 12
    INCORRECT_LENGTH = 13
    GENERIC = 14


@dataclass(frozen=True, slots=True)
class Number:
    """A 16-bit attribute: BENEFICIARY-ID, FLOOR-ID, FLOOR-REQUEST-ID, or PRIORITY (0 to 4, 2 is normal)."""

    type: Type
    value: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text attribute: ERROR-INFO, PARTICIPANT-PROVIDED-INFO, STATUS-INFO, USER-DISPLAY-NAME or USER-URI."""

    type: Type
    text: str


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """REQUEST-STATUS: `status` as it came (Status has the known ones), `queue_position` 0 where there is none to tell."""

    status: int
    queue_position: int = 0


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """ERROR-CODE; `details`: for UNKNOWN_MANDATORY_ATTRIBUTE the types that were not understood."""

    code: int
    details: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Supported:
    """SUPPORTED-ATTRIBUTES or SUPPORTED-PRIMITIVES: the numbers that the server knows."""

    type: Type
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UserInformation:
    """BENEFICIARY-INFORMATION or REQUESTED-BY-INFORMATION: who, with name and URI where known."""

    type: Type
    user_id: int
    display_name: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class StatusOf:
    """FLOOR-REQUEST-STATUS (`id` is the floor's) or OVERALL-REQUEST-STATUS (`id` is the request's)."""

    type: Type
    id: int
    status: RequestStatus | None = None
    info: str = ""


@dataclass(frozen=True, slots=True)
class FloorRequestInformation:
    """FLOOR-REQUEST-INFORMATION (RFC 8855 §5.2.15): all that is said of one request."""

    request_id: int
    floors: tuple[StatusOf, ...]
    overall: StatusOf | None = None
    beneficiary: UserInformation | None = None
    requested_by: UserInformation | None = None
    priority: int | None = None
    info: str = ""

    @property
    def status(self) -> int | None:
        """The overall status, or that of the only floor, None when nothing is said."""
        stated = self.overall or (self.floors[0] if len(self.floors) == 1 else None)
        return None if stated is None or stated.status is None else stated.status.status

    @property
    def queue_position(self) -> int:
        """The place in the queue, 0 where there is none."""
        stated = self.overall or (self.floors[0] if len(self.floors) == 1 else None)
        return 0 if stated is None or stated.status is None else stated.status.queue_position


@dataclass(frozen=True, slots=True)
class Unknown:
    """An attribute that we don't know. is_mandatory: the message must be refused for it (RFC 8855 §5.2)."""

    type: int
    is_mandatory: bool
    data: bytes = b""


Attribute = (
    Number | Text | RequestStatus | ErrorCode | Supported | UserInformation | StatusOf | FloorRequestInformation | Unknown
)
NUMBERS = frozenset({Type.BENEFICIARY_ID, Type.FLOOR_ID, Type.FLOOR_REQUEST_ID, Type.PRIORITY})
TEXTS = frozenset({Type.ERROR_INFO, Type.PARTICIPANT_PROVIDED_INFO, Type.STATUS_INFO, Type.USER_DISPLAY_NAME, Type.USER_URI})


def type_of(attribute: Attribute) -> int:
    """The number of an attribute's type."""
    match attribute:
        case RequestStatus():
            return Type.REQUEST_STATUS
        case ErrorCode():
            return Type.ERROR_CODE
        case FloorRequestInformation():
            return Type.FLOOR_REQUEST_INFORMATION
        case _:
            return attribute.type


def cut(text: str, size: int) -> str:
    """The longest beginning of a text that has `size` bytes of UTF-8 at most."""
    return text.encode("utf-8", "replace")[:max(0, size)].decode("utf-8", "ignore")


# ---- bytes


def write(attributes: tuple[Attribute, ...]) -> bytes:
    """The bytes of attributes, each padded to four. Raises ValueError for numbers out of range, or what is too long."""
    return b"".join(_frame(type_of(each), _is_mandatory(each), _contents(each)) for each in attributes)


def _is_mandatory(attribute: Attribute) -> bool:
    """The bit that we set on all of RFC 8855's own attributes."""
    return attribute.is_mandatory if isinstance(attribute, Unknown) else True


def _frame(kind: int, is_mandatory: bool, contents: bytes) -> bytes:
    length = 2 + len(contents)
    if length > MAX_LENGTH:
        raise ValueError(f"an attribute of {length} bytes; {MAX_LENGTH} are possible")
    return bytes([kind << 1 | is_mandatory, length]) + contents + bytes(-length % 4)


def _contents(attribute: Attribute) -> bytes:
    match attribute:
        case Number(Type.PRIORITY, value):
            return (_within(value, 7) << 13).to_bytes(2)
        case Number(_, value):
            return _id(value)
        case Text(_, text):
            return cut(text, MAX_LENGTH - 2).encode()
        case RequestStatus(status, position):
            return bytes([_within(status, 255), min(position, 255)])
        case ErrorCode(ErrorValue.UNKNOWN_MANDATORY_ATTRIBUTE as code, details):
            return bytes([code, *(each << 1 for each in details)])
        case ErrorCode(code, details):
            return bytes([_within(code, 255), *details])
        case Supported(Type.SUPPORTED_ATTRIBUTES, values):
            return bytes(value << 1 for value in values)
        case Supported(_, values):
            return bytes(values)
        case UserInformation(_, user_id, name, uri):
            parts = ((Type.USER_DISPLAY_NAME, name), (Type.USER_URI, uri))
            return _id(user_id) + write(tuple(Text(kind, text) for kind, text in parts if text))
        case StatusOf(_, number, status, info):
            inner: tuple[Attribute, ...] = () if status is None else (status,)
            return _id(number) + write(inner + ((Text(Type.STATUS_INFO, info),) if info else ()))
        case FloorRequestInformation():
            return _id(attribute.request_id) + write(tuple(_parts(attribute)))
        case Unknown(_, _, data):
            return data


def _parts(information: FloorRequestInformation) -> Iterator[Attribute]:
    """The attributes inside, in the order of RFC 8855 §5.2.15."""
    if information.overall is not None:
        yield information.overall
    yield from information.floors
    if information.beneficiary is not None:
        yield information.beneficiary
    if information.requested_by is not None:
        yield information.requested_by
    if information.priority is not None:
        yield Number(Type.PRIORITY, information.priority)
    if information.info:
        yield Text(Type.PARTICIPANT_PROVIDED_INFO, information.info)


def _id(value: int) -> bytes:
    return _within(value, 0xFFFF).to_bytes(2)


def _within(value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not within 0 and {most}")
    return value


# ---- reading


def read(data: bytes) -> tuple[Attribute, ...]:
    """The attributes in a payload or a grouped attribute; unknown ones are kept as Unknown. Raises ParseError."""
    found: list[Attribute] = []
    position = 0
    while position < len(data):
        if len(found) >= MAX_ATTRIBUTES:
            raise _error(f"more than {MAX_ATTRIBUTES} attributes")
        head = data[position:position + 2]
        if len(head) < 2 or head[1] < 2:
            raise _error(f"an attribute that is too short, at byte {position}")
        contents = data[position + 2:position + head[1]]
        if len(contents) != head[1] - 2:
            raise _error(f"an attribute of {head[1]} bytes where {len(data) - position} are left")
        found.append(_attribute(head[0] >> 1, bool(head[0] & 1), contents))
        position += head[1] + -head[1] % 4
    return tuple(found)


def unknown_mandatory(attributes: tuple[Attribute, ...]) -> tuple[int, ...]:
    """The types, without repetition, of what must not be ignored and is not known."""
    return tuple(dict.fromkeys(each.type for each in attributes if isinstance(each, Unknown) and each.is_mandatory))


def _error(text: str) -> ParseError:
    return ParseError(f"BFCP: {text}", ErrorValue.UNABLE_TO_PARSE)


def _attribute(kind: int, is_mandatory: bool, data: bytes) -> Attribute:
    reader = _READERS.get(kind)
    return Unknown(kind, is_mandatory, data) if reader is None else reader(Type(kind), data)


def _number(kind: Type, data: bytes) -> Number:
    if len(data) != 2:
        raise _error(f"{kind.name} of {len(data)} bytes instead of 2")
    value = int.from_bytes(data)
    return Number(kind, value >> 13 if kind is Type.PRIORITY else value)


def _text(kind: Type, data: bytes) -> Text:
    return Text(kind, data.decode("utf-8", "replace"))


def _status(kind: Type, data: bytes) -> RequestStatus:
    if len(data) != 2:
        raise _error(f"{kind.name} of {len(data)} bytes instead of 2")
    return RequestStatus(data[0], data[1])


def _error_code(kind: Type, data: bytes) -> ErrorCode:
    if not data:
        raise _error("ERROR_CODE without a code")
    is_list = data[0] == ErrorValue.UNKNOWN_MANDATORY_ATTRIBUTE
    return ErrorCode(data[0], tuple(byte >> 1 if is_list else byte for byte in data[1:]))


def _supported(kind: Type, data: bytes) -> Supported:
    return Supported(kind, tuple(byte >> 1 if kind is Type.SUPPORTED_ATTRIBUTES else byte for byte in data))


def _group(kind: Type, data: bytes) -> tuple[int, tuple[Attribute, ...]]:
    """The number that a grouped attribute begins with, and what it holds."""
    if len(data) < 2:
        raise _error(f"{kind.name} without its number")
    inner = read(data[2:])
    missing = unknown_mandatory(inner)
    if missing:
        raise UnknownMandatory(missing)
    return int.from_bytes(data[:2]), inner


class UnknownMandatory(ParseError):
    """A message must be refused, since an attribute with the mandatory bit is not known; `types` says which."""

    def __init__(self, types: tuple[int, ...]) -> None:
        super().__init__(f"BFCP: unknown mandatory attributes {types}", ErrorValue.UNKNOWN_MANDATORY_ATTRIBUTE)
        self.types = types


def _text_in(inner: tuple[Attribute, ...], kind: Type) -> str:
    return next((each.text for each in inner if isinstance(each, Text) and each.type is kind), "")


def _user(kind: Type, data: bytes) -> UserInformation:
    number, inner = _group(kind, data)
    return UserInformation(kind, number, _text_in(inner, Type.USER_DISPLAY_NAME), _text_in(inner, Type.USER_URI))


def _status_of(kind: Type, data: bytes) -> StatusOf:
    number, inner = _group(kind, data)
    status = next((each for each in inner if isinstance(each, RequestStatus)), None)
    return StatusOf(kind, number, status, _text_in(inner, Type.STATUS_INFO))


def _information(kind: Type, data: bytes) -> FloorRequestInformation:
    number, inner = _group(kind, data)
    states = [each for each in inner if isinstance(each, StatusOf)]
    users = {each.type: each for each in inner if isinstance(each, UserInformation)}
    priority = next((each.value for each in inner if isinstance(each, Number) and each.type is Type.PRIORITY), None)
    return FloorRequestInformation(
        number, tuple(each for each in states if each.type is Type.FLOOR_REQUEST_STATUS),
        next((each for each in states if each.type is Type.OVERALL_REQUEST_STATUS), None),
        users.get(Type.BENEFICIARY_INFORMATION), users.get(Type.REQUESTED_BY_INFORMATION), priority,
        _text_in(inner, Type.PARTICIPANT_PROVIDED_INFO),
    )


_READERS: dict[int, Callable[[Type, bytes], Attribute]] = {
    **dict.fromkeys(NUMBERS, _number), **dict.fromkeys(TEXTS, _text), Type.REQUEST_STATUS: _status,
    Type.ERROR_CODE: _error_code, Type.SUPPORTED_ATTRIBUTES: _supported, Type.SUPPORTED_PRIMITIVES: _supported,
    Type.BENEFICIARY_INFORMATION: _user, Type.REQUESTED_BY_INFORMATION: _user, Type.FLOOR_REQUEST_STATUS: _status_of,
    Type.OVERALL_REQUEST_STATUS: _status_of, Type.FLOOR_REQUEST_INFORMATION: _information,
}
