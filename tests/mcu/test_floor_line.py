"""The BFCP line of a member's call: what is answered, who is let in when, and what a later offer and the end do."""

from __future__ import annotations

import pytest

from mcu.floor import FloorId, Floors, FloorSettings, RequestFloor
from mcu.floor_control import FloorControl
from mcu.floor_line import FLOORS, FloorLine
from mcu.participant import Identity, ParticipantId
from rtp.sdp.floor_client import LocalClient, offer_as_client
from rtp.sdp.floor_control import TCP, TLS, UDP, read
from rtp.sdp.model import MediaDescription, SessionDescription
from tests.helpers.house import FakeDoors

ALICE = ParticipantId(7)
HOST = "192.0.2.1"


class Bench:
    """A line, its doors and what happened on the floors."""

    def __init__(self) -> None:
        self.control = FloorControl(4711, Floors(FloorSettings()), lambda _: False)
        self.doors = FakeDoors(self.control, lambda _: None, lambda: 0.0)
        self.line = FloorLine(self.control, self.doors, ALICE, Identity("sip:alice@example.org", "Alice"))

    def answer(self, media: MediaDescription) -> MediaDescription | None:
        """What an offer with sound and this line is answered with."""
        return self.line.answer(session(media), 1, "192.0.2.100", "203.0.113.1")


def session(media: MediaDescription) -> SessionDescription:
    return SessionDescription(1, 1, HOST, media=(MediaDescription("audio", 4000, "RTP/AVP", ("0",)), media))


def offered(protocol: str = TCP, *, is_new: bool = True) -> MediaDescription:
    return offer_as_client(LocalClient(HOST, 5000), protocol, is_new=is_new)


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_the_answer_names_port_conference_user_and_floors_and_nobody_comes_in_before_it_holds(protocol: str) -> None:
    bench = Bench()
    line = bench.answer(offered(protocol))
    assert line is not None
    stream = read(session(line), line)
    assert (stream.host, stream.conference_id, stream.user_id) == ("203.0.113.1", 4711, bench.control.users[ALICE].user_id)
    assert stream.port == bench.doors.open(ALICE, protocol, HOST)[1] and stream.floors == FLOORS
    assert bench.doors.admitted == {}
    bench.line.confirm({HOST})
    assert bench.doors.admitted == {ALICE: frozenset({HOST})}


def test_what_is_no_floor_stream_or_has_no_fingerprint_is_left_to_others() -> None:
    bench = Bench()
    assert bench.answer(MediaDescription("application", 9, "TCP/TLS/rfb", ("*",))) is None
    assert bench.answer(MediaDescription("application", 9, TLS, ("*",), attributes=(("setup", "active"),))) is None
    assert ALICE not in bench.doors.admitted
    bench.line.confirm({HOST})
    assert bench.doors.admitted == {}


def test_a_later_offer_keeps_the_door_and_the_user() -> None:
    bench = Bench()
    first = bench.answer(offered())
    bench.line.confirm({HOST})
    again = bench.answer(offered(is_new=False))
    assert first is not None and again is not None
    assert (again.port, again.value("userid"), again.value("connection")) == (first.port, first.value("userid"), "existing")


def test_an_offer_of_ours_shows_the_line_as_it_stands_and_its_refusal_frees_the_floor() -> None:
    bench = Bench()
    bench.answer(offered())
    bench.line.confirm({HOST})
    bench.doors.execute(RequestFloor(FloorId.SCREEN), ALICE)
    again = bench.line.again()
    assert again is not None and (again.value("setup"), again.value("connection")) == ("actpass", "existing")
    bench.line.apply(session(offered(is_new=False)), 1)
    assert bench.control.floors.grant_of(FloorId.SCREEN) is not None and ALICE in bench.doors.admitted
    bench.line.again()
    bench.line.apply(session(offered().refused()), 1)
    assert bench.control.floors.grant_of(FloorId.SCREEN) is None and ALICE not in bench.doors.admitted
    assert bench.line.again() is None


def test_the_end_frees_the_floor_once() -> None:
    bench = Bench()
    bench.answer(offered())
    bench.line.confirm({HOST})
    bench.doors.execute(RequestFloor(FloorId.SCREEN), ALICE)
    bench.line.end()
    bench.line.end()
    assert bench.control.floors.grant_of(FloorId.SCREEN) is None and ALICE not in bench.doors.admitted
