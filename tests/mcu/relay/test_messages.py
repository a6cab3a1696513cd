"""Messages between control and the relay: what is written is read, and no bytes crash either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.errors import ProtocolError
from mcu.messages import CloseRoom, Heartbeat
from mcu.messages import pack as pack_for_worker
from mcu.relay.messages import (
    CloseDesktop,
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    Door,
    GatePassed,
    GateStep,
    OpenDesktop,
    OpenDoor,
    RelayMessage,
    RelayReady,
    Seat,
    SetHolder,
    TicketRefused,
    pack,
    parse,
)

U32, U64 = st.integers(0, 0xFFFFFFFF), st.integers(0, (1 << 64) - 1)
HASHES = st.binary(min_size=32, max_size=32)
SEATS = st.builds(Seat, U32, HASHES, HASHES)
MESSAGES = st.one_of(
    st.builds(OpenDoor, st.sampled_from(Door)),
    st.builds(OpenDesktop, U32, SEATS, SEATS, st.integers(0, 0xFFFF), st.booleans(), st.sampled_from(["", "abcd1234"])),
    st.builds(SetHolder, U32, U32), st.builds(CloseDesktop, U32), st.builds(RelayReady, st.binary(max_size=900)),
    st.builds(DesktopJoined, U32), st.builds(GatePassed, U32, st.sampled_from(GateStep), U32, U32),
    st.builds(DesktopFigures, U32, U32, U32, U32, U64, U64), st.builds(DesktopEnded, U32, st.text("abcdefä ", max_size=99)),
    st.builds(TicketRefused, U32), st.builds(Heartbeat, U32, U32, U64, U32, U32, U32),
)


@given(MESSAGES)
def test_message_is_read_as_it_was_written(message: RelayMessage) -> None:
    assert parse(pack(message)) == message


@given(st.binary(max_size=300) | st.tuples(MESSAGES, st.integers(0, 400)).map(lambda pair: pack(pair[0])[:pair[1]])
       | st.tuples(MESSAGES, st.binary(min_size=1, max_size=3)).map(lambda pair: pack(pair[0]) + pair[1]))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    try:
        parse(data)
    except ProtocolError:
        pass


@pytest.mark.parametrize("data", [b"", pack(CloseDesktop(1)) + b"x", pack(SetHolder(1, 2))[:-1], pack_for_worker(CloseRoom(1)),
                                  b"\x09" + pack(CloseDesktop(1))[1:], bytes(2000)],
                         ids=["nothing", "a-byte-too-many", "cut", "a-worker's", "version", "too-long"])
def test_what_is_no_message_of_the_relay_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(data)


@pytest.mark.parametrize("message", [SetHolder(1 << 32, 1), SetHolder(1, -1),
                                     OpenDesktop(1, Seat(1, bytes(32)), Seat(2, bytes(32)), 60, False, "short")])
def test_value_that_does_not_fit_is_not_written(message: RelayMessage) -> None:
    with pytest.raises(ProtocolError):
        pack(message)
