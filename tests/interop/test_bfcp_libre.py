"""libre, baresip's library, has BFCP messages of its own: it reads what we write, and we read what it writes, both versions.

Of the primitives it numbers those after 14 by an early draft, so that names are compared up to there.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any

import pytest

from sip.bfcp.attributes import (
    Attribute,
    FloorRequestInformation,
    Number,
    RequestStatus,
    Status,
    StatusOf,
    Supported,
    Text,
    Type,
)
from sip.bfcp.message import Message, Primitive, parse
from tests.interop.test_bfcp import CONFERENCE, WRITTEN

pytestmark = pytest.mark.interop

LIBRE = ctypes.CDLL(ctypes.util.find_library("re") or "libre.so.0")
MANDATORY = 0x80
STATE = """\
*FLOOR-REQUEST-INFORMATION floor-request-id=9
*OVERALL-REQUEST-STATUS floor-request-id=9
*REQUEST-STATUS Accepted (2), qpos=4
*STATUS-INFO "for all"
*FLOOR-REQUEST-STATUS floor-id=2
*REQUEST-STATUS Accepted (2), qpos=4
*STATUS-INFO "for the floor"
*BENEFICIARY-INFORMATION beneficiary-id=11
*USER-DISPLAY-NAME "Ann"
*USER-URI "sip:ann@example.org"
*REQUESTED-BY-INFORMATION requested-by-id=12
*USER-DISPLAY-NAME "Bob"
*USER-URI "sip:bob@example.org"
*PRIORITY 3
*PARTICIPANT-PROVIDED-INFO "please"
"""
PRINTED = {
    Primitive.FLOOR_REQUEST: '*FLOOR-ID 2\n*BENEFICIARY-ID 11\n*PARTICIPANT-PROVIDED-INFO "why"\n*PRIORITY 4\n',
    Primitive.FLOOR_RELEASE: "*FLOOR-REQUEST-ID 9\n", Primitive.FLOOR_REQUEST_QUERY: "*FLOOR-REQUEST-ID 9\n",
    Primitive.FLOOR_REQUEST_STATUS: STATE, Primitive.USER_QUERY: "*BENEFICIARY-ID 11\n", Primitive.USER_STATUS: STATE,
    Primitive.FLOOR_QUERY: "*FLOOR-ID 2\n", Primitive.FLOOR_STATUS: "*FLOOR-ID 2\n" + STATE, Primitive.CHAIR_ACTION: STATE,
    Primitive.HELLO_ACK: "*SUPPORTED-PRIMITIVES 2: FloorRequest ???\n*SUPPORTED-ATTRIBUTES 2: FLOOR-ID FLOOR-REQUEST-STATUS\n",
    Primitive.ERROR: '*ERROR-CODE 6 (Invalid Floor ID)\n*ERROR-INFO "no such floor"\n',
}
NAMES = {Primitive.CHAIR_ACTION_ACK: "ChairActionAck", Primitive.HELLO_ACK: "HelloAck",
         Primitive.FLOOR_REQUEST_STATUS_ACK: "FloorRequestStatusAck"}


class Buffer(ctypes.Structure):
    """libre's mbuf."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t), ("end", ctypes.c_size_t))


class StatusOfLibre(ctypes.Structure):
    """libre's bfcp_reqstatus."""

    _fields_ = (("status", ctypes.c_int), ("queue_position", ctypes.c_uint8))


def printed(data: bytes) -> str:
    """What libre makes of a message, blanks reduced."""
    raw = ctypes.create_string_buffer(data, len(data))
    buffer, message = Buffer(ctypes.addressof(raw), len(data), 0, len(data)), ctypes.c_void_p()
    assert LIBRE.bfcp_msg_decode(ctypes.byref(message), ctypes.byref(buffer)) == 0
    text = ctypes.create_string_buffer(8192)
    printer = ctypes.cast(LIBRE.bfcp_msg_print, ctypes.c_void_p)
    assert LIBRE.re_snprintf(text, ctypes.c_size_t(len(text)), b"%H", printer, message) > 0
    LIBRE.mem_deref(message)
    lines = (" ".join(line.split()) for line in text.value.decode().splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def written(version: int, is_response: bool, primitive: Primitive, *attributes: Any) -> bytes:
    """A message of libre's. attributes: (type, number of inner ones, value) in a row, as its own calls have them."""
    LIBRE.mbuf_alloc.restype = ctypes.c_void_p
    address = ctypes.c_void_p(LIBRE.mbuf_alloc(ctypes.c_size_t(512)))
    flat = [each for kind, inner, value in attributes
            for each in (ctypes.c_int(MANDATORY | kind), ctypes.c_uint(inner), value)]
    outer, skip = 0, 0
    for _, inner, _ in attributes:
        outer, skip = (outer + 1, inner) if not skip else (outer, skip - 1 + inner)
    head = (address, ctypes.c_uint8(version), ctypes.c_bool(is_response), ctypes.c_int(primitive))
    ids = (ctypes.c_uint32(CONFERENCE), ctypes.c_uint16(5), ctypes.c_uint16(9))
    assert LIBRE.bfcp_msg_encode(*head, *ids, ctypes.c_uint(outer), *flat) == 0
    buffer = ctypes.cast(address, ctypes.POINTER(Buffer)).contents
    data = ctypes.string_at(buffer.data, buffer.end)
    LIBRE.mem_deref(address)
    return data


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("primitive", list(Primitive)[:14], ids=lambda primitive: primitive.name)
def test_libre_reads_what_we_write(primitive: Primitive, version: int) -> None:
    attributes, _ = WRITTEN.get(primitive, ((), {}))
    text = printed(bytes(Message(primitive, CONFERENCE, 3, 2, attributes, version, version == 2)))
    name = NAMES.get(primitive, primitive.name.title().replace("_", ""))
    assert text == f"{name} (confid={CONFERENCE} tid=3 userid=2)\n" + PRINTED.get(primitive, "")


SHORT = ctypes.c_uint16
KNOWN = (ctypes.c_int * 3)(1, 2, 13)


class Known(ctypes.Structure):
    """libre's bfcp_supprim."""

    _fields_ = (("list", ctypes.c_void_p), ("count", ctypes.c_size_t))


@pytest.mark.parametrize(("primitive", "theirs", "ours"), [
    (Primitive.FLOOR_REQUEST, [(2, 0, ctypes.byref(SHORT(1))), (8, 0, b"slides")],
     (Number(Type.FLOOR_ID, 1), Text(Type.PARTICIPANT_PROVIDED_INFO, "slides"))),
    (Primitive.FLOOR_RELEASE, [(3, 0, ctypes.byref(SHORT(77)))], (Number(Type.FLOOR_REQUEST_ID, 77),)),
    (Primitive.HELLO, [], ()),
    (Primitive.CHAIR_ACTION, [(15, 1, ctypes.byref(SHORT(77))), (17, 2, ctypes.byref(SHORT(2))),
                              (5, 0, ctypes.byref(StatusOfLibre(3, 4))), (9, 0, b"go on")],
     (FloorRequestInformation(77, (StatusOf(Type.FLOOR_REQUEST_STATUS, 2, RequestStatus(Status.GRANTED, 4), "go on"),)),)),
    (Primitive.FLOOR_QUERY, [(2, 0, ctypes.byref(SHORT(1))), (2, 0, ctypes.byref(SHORT(2)))],
     (Number(Type.FLOOR_ID, 1), Number(Type.FLOOR_ID, 2))),
    (Primitive.USER_STATUS, [(11, 0, ctypes.byref(Known(ctypes.addressof(KNOWN), 3)))],
     (Supported(Type.SUPPORTED_PRIMITIVES, (1, 2, 13)),)),
], ids=["FloorRequest", "FloorRelease", "Hello", "ChairAction", "FloorQuery", "supported primitives"])
@pytest.mark.parametrize("version", [1, 2])
def test_we_read_what_libre_writes(primitive: Primitive, theirs: list[Any], ours: tuple[Attribute, ...], version: int) -> None:
    data = written(version, version == 2, primitive, *theirs)
    assert parse(data) == Message(primitive, CONFERENCE, 5, 9, ours, version, version == 2)
