"""Wireshark reads our BFCP: every primitive with the values that we meant, from real doors over TCP, and as sent over UDP.

tshark before 4.2 takes no version 2 for BFCP (RFC 8855's, over UDP) and knows no fragments; for these messages the version in
the copy that it reads is set to 1, and nothing else is changed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcu.floor import FloorId, Floors, FloorSettings, RequestFloor
from mcu.floor_control import FloorControl
from mcu.floor_door import FloorDoors
from mcu.participant import ParticipantId
from rtp.sdp.floor_control import TCP, FloorStream, NegotiatedFloors
from sip.bfcp.attributes import (
    Attribute,
    ErrorCode,
    ErrorValue,
    FloorRequestInformation,
    Number,
    RequestStatus,
    Status,
    StatusOf,
    Supported,
    Text,
    Type,
    UserInformation,
)
from sip.bfcp.events import (
    ChairActionAccepted,
    ErrorReceived,
    FloorStatusChanged,
    GoodbyeReceived,
    HelloAcknowledged,
    UserStatusReceived,
)
from sip.bfcp.message import Message, Primitive
from tests.helpers.capture import Capture
from tests.helpers.floor_phone import FloorPhone

pytestmark = pytest.mark.interop

HOST, CONFERENCE = "127.0.0.1", 0xC0FFEE
FIELDS = ("primitive", "conference_id", "transaction_id", "user_id", "floor_id", "floorrequest_id", "request_status",
          "queue_pos", "error_code", "beneficiary_id", "priority", "user_disp_name", "user_uri", "part_prov_info_text",
          "status_info_text", "error_info_text", "supp_primitive", "supp_attr")
Row = dict[str, str]


def read(pcap: Path, port: int, transport: str) -> list[Row]:
    """What tshark finds in each BFCP message: the fields that are there, several values joined by commas."""
    options = [argument for name in FIELDS for argument in ("-e", f"bfcp.{name}")]
    command = ["tshark", "-r", str(pcap), "-d", f"{transport}.port=={port},bfcp", "-Y", "bfcp", "-T", "fields", *options]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [{name: value for name, value in zip(FIELDS, line.split("\t"), strict=True) if value} for line in text.splitlines()]


def malformed(pcap: Path, port: int, transport: str) -> str:
    """The messages with which tshark is not content."""
    trouble = "bfcp && (_ws.malformed || bfcp.attribute_length.too_small)"
    command = ["tshark", "-r", str(pcap), "-d", f"{transport}.port=={port},bfcp", "-Y", trouble]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def scenario(capture: Path) -> tuple[Capture, int, int]:
    """Anna shares, Bernd asks for control and gets it, is refused this and that, and all leave; one message at a time."""
    control = FloorControl(CONFERENCE, Floors(FloorSettings()), lambda who: False)
    doors = FloorDoors(control, lambda event: None)
    phones, ports = [], []
    for number, name in ((1, "Anna"), (2, "Bernd")):
        control.join(ParticipantId(number), name, f"sip:{name.lower()}@example.org")
        ports.append(doors.open(ParticipantId(number), TCP, HOST)[1])
        agreed = NegotiatedFloors(0, TCP, "s-only", "passive", True, FloorStream(TCP, HOST, 9))
        doors.admit(ParticipantId(number), agreed)
    with Capture(capture, capture_filter=f"tcp port {ports[0]} or tcp port {ports[1]}") as captured:
        for number, port in enumerate(ports, 1):
            phones.append(await FloorPhone.connect(TCP, (HOST, port), CONFERENCE, number))
        await talk(doors, *phones)
        for phone in phones:
            await phone.close()
    doors.close()
    await doors.wait_closed()
    return captured, ports[0], ports[1]


async def talk(doors: FloorDoors, anna: FloorPhone, bernd: FloorPhone) -> None:
    """What is said."""
    bernd.session.say_hello(0.0)
    bernd.flush()
    await bernd.wait_for(HelloAcknowledged)
    doors.execute(RequestFloor(FloorId.SCREEN, "slides"), ParticipantId(1))
    await anna.status(Status.GRANTED)
    bernd.session.watch_floors((FloorId.SCREEN,), 0.0)
    bernd.flush()
    await bernd.wait_for(FloorStatusChanged)
    pending = await bernd.ask(FloorId.CONTROL, "let me show you")
    anna.session.decide(pending.request_id, FloorId.CONTROL, Status.GRANTED, 0.0, info="go on")
    anna.flush()
    await anna.wait_for(ChairActionAccepted)
    await bernd.status(Status.GRANTED)
    bernd.session.query_user(0.0, 1)
    bernd.flush()
    await bernd.wait_for(UserStatusReceived)
    bernd.session.query_request(pending.request_id, 0.0)
    bernd.flush()
    await bernd.status(Status.GRANTED)
    bernd.session.release(1, 0.0)
    bernd.flush()
    await bernd.wait_for(ErrorReceived)
    bernd.session.release(pending.request_id, 0.0)
    bernd.flush()
    await bernd.status(Status.RELEASED)
    bernd.session.say_goodbye(0.0)
    bernd.flush()
    await bernd.is_closed()
    doors.leave(ParticipantId(1))
    await anna.wait_for(GoodbyeReceived)


def beneficiary(number: int, name: str) -> Row:
    """How a request says whose it is."""
    return {"beneficiary_id": str(number), "user_disp_name": name, "user_uri": f"sip:{name.lower()}@example.org"}


async def test_tshark_reads_every_message_of_a_meeting_over_tcp(tmp_path: Path) -> None:
    captured, anna, bernd = await scenario(tmp_path / "floors.pcapng")
    said = {port: read(captured.path, port, "tcp") for port in (anna, bernd)}
    everything = ",".join(str(number) for number in range(1, 19))
    control = {"floor_id": "2", "floorrequest_id": "2,2", **beneficiary(2, "Bernd")}
    screen = {"floor_id": "1", "floorrequest_id": "1,1", **beneficiary(1, "Anna"), "part_prov_info_text": "slides"}
    held = {"request_status": "3,3", "queue_pos": "0,0"}
    desk = {"status_info_text": "desktop=1; expires=300", "part_prov_info_text": "let me show you"}
    assert said[bernd] == [
        row(Primitive.HELLO, 1), row(Primitive.HELLO_ACK, 1, supp_primitive=everything, supp_attr=everything),
        row(Primitive.FLOOR_QUERY, 2, floor_id="1"), row(Primitive.FLOOR_STATUS, 2, **{**screen, **held, "floor_id": "1,1"}),
        row(Primitive.FLOOR_REQUEST, 3, floor_id="2", part_prov_info_text="let me show you"),
        row(Primitive.FLOOR_REQUEST_STATUS, 3, **control, request_status="1,1", queue_pos="0,0",
            part_prov_info_text="let me show you"),
        row(Primitive.FLOOR_REQUEST_STATUS, 0, **control, **held, **desk),
        row(Primitive.USER_QUERY, 4, beneficiary_id="1"),
        row(Primitive.USER_STATUS, 4, **{**screen, **held, "beneficiary_id": "1,1", "user_disp_name": "Anna,Anna",
                                         "user_uri": "sip:anna@example.org,sip:anna@example.org"}),
        row(Primitive.FLOOR_REQUEST_QUERY, 5, floorrequest_id="2"),
        row(Primitive.FLOOR_REQUEST_STATUS, 5, **control, **held, **desk),
        row(Primitive.FLOOR_RELEASE, 6, floorrequest_id="1"),
        row(Primitive.ERROR, 6, error_code="5", error_info_text="only who asked may give it back"),
        row(Primitive.FLOOR_RELEASE, 7, floorrequest_id="2"),
        row(Primitive.FLOOR_REQUEST_STATUS, 7, **control, request_status="6,6", queue_pos="0,0",
            part_prov_info_text="let me show you"),
        row(Primitive.GOODBYE, 8), row(Primitive.GOODBYE_ACK, 8),
    ]
    assert said[anna] == [
        row(Primitive.FLOOR_REQUEST_STATUS, 0, 1, **screen, **held),
        row(Primitive.CHAIR_ACTION, 1, 1, floorrequest_id="2", floor_id="2", request_status="3", queue_pos="0",
            status_info_text="go on"),
        row(Primitive.CHAIR_ACTION_ACK, 1, 1),
        row(Primitive.FLOOR_REQUEST_STATUS, 0, 1, **screen, request_status="6,6", queue_pos="0,0", status_info_text="left"),
        row(Primitive.GOODBYE, 0, 1),
    ]
    assert malformed(captured.path, bernd, "tcp") == malformed(captured.path, anna, "tcp") == ""


def row(primitive: Primitive, transaction: int, user: int = 2, **fields: str) -> Row:
    """A message as tshark should tell it."""
    return {"conference_id": str(CONFERENCE), "primitive": str(int(primitive)), "transaction_id": str(transaction),
            "user_id": str(user), **fields}


STATE = FloorRequestInformation(
    9, (StatusOf(Type.FLOOR_REQUEST_STATUS, 2, RequestStatus(Status.ACCEPTED, 4), "for the floor"),),
    StatusOf(Type.OVERALL_REQUEST_STATUS, 9, RequestStatus(Status.ACCEPTED, 4), "for all"),
    UserInformation(Type.BENEFICIARY_INFORMATION, 11, "Ann", "sip:ann@example.org"),
    UserInformation(Type.REQUESTED_BY_INFORMATION, 12, "Bob", "sip:bob@example.org"), 3, "please")
TOLD = {"floor_id": "2", "floorrequest_id": "9,9", "request_status": "2,2", "queue_pos": "4,4", "beneficiary_id": "11",
        "priority": "3", "user_disp_name": "Ann,Bob", "user_uri": "sip:ann@example.org,sip:bob@example.org",
        "part_prov_info_text": "please", "status_info_text": "for all,for the floor"}
FLOOR, REQUEST, BENEFICIARY = Number(Type.FLOOR_ID, 2), Number(Type.FLOOR_REQUEST_ID, 9), Number(Type.BENEFICIARY_ID, 11)
WRITTEN: dict[Primitive, tuple[tuple[Attribute, ...], Row]] = {
    Primitive.FLOOR_REQUEST: ((FLOOR, BENEFICIARY, Text(Type.PARTICIPANT_PROVIDED_INFO, "why"), Number(Type.PRIORITY, 4)),
                              {"floor_id": "2", "beneficiary_id": "11", "part_prov_info_text": "why", "priority": "4"}),
    Primitive.FLOOR_RELEASE: ((REQUEST,), {"floorrequest_id": "9"}),
    Primitive.FLOOR_REQUEST_QUERY: ((REQUEST,), {"floorrequest_id": "9"}),
    Primitive.FLOOR_REQUEST_STATUS: ((STATE,), TOLD),
    Primitive.USER_QUERY: ((BENEFICIARY,), {"beneficiary_id": "11"}),
    Primitive.USER_STATUS: ((STATE,), TOLD),
    Primitive.FLOOR_QUERY: ((FLOOR,), {"floor_id": "2"}),
    Primitive.FLOOR_STATUS: ((FLOOR, STATE), {**TOLD, "floor_id": "2,2"}),
    Primitive.CHAIR_ACTION: ((STATE,), TOLD),
    Primitive.HELLO_ACK: ((Supported(Type.SUPPORTED_PRIMITIVES, (1, 18)), Supported(Type.SUPPORTED_ATTRIBUTES, (2, 17))),
                          {"supp_primitive": "1,18", "supp_attr": "2,17"}),
    Primitive.ERROR: ((ErrorCode(ErrorValue.INVALID_FLOOR_ID), Text(Type.ERROR_INFO, "no such floor")),
                      {"error_code": "6", "error_info_text": "no such floor"}),
}


def test_tshark_reads_every_primitive_as_sent_over_udp(tmp_path: Path) -> None:
    lines, expected = [], []
    for number, primitive in enumerate(Primitive, 1):
        attributes, fields = WRITTEN.get(primitive, ((), {}))
        data = bytes(Message(primitive, CONFERENCE, number, 2, attributes, version=2, is_response=number % 2 == 0))
        lines.append(f"000000 {bytes([data[0] & 0x1F | 0x20]).hex()} {data[1:].hex(' ')}\n")
        expected.append(row(primitive, number, **fields))
    text, pcap = tmp_path / "messages.txt", tmp_path / "messages.pcap"
    text.write_text("".join(lines))
    subprocess.run(["text2pcap", "-q", "-u", "4000,5000", str(text), str(pcap)], check=True)
    assert read(pcap, 5000, "udp") == expected
    assert malformed(pcap, 5000, "udp") == ""
