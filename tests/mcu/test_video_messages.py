"""Messages about pictures: parse and pack are inverse; no bytes raise anything but ProtocolError."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.errors import ProtocolError
from mcu.fields import MAX_STREAMS
from mcu.messages import MAX_MESSAGE, pack, parse
from mcu.video_messages import (
    CODINGS,
    MAX_PICTURE_DATAGRAM,
    WISHES,
    AddPort,
    AddProducer,
    AddSlot,
    Message,
    PicturePaused,
    PictureShown,
    PortHandshake,
    PortLearnt,
    PortReport,
    PortStreams,
    ProducerReport,
    RemovePort,
    RemoveProducer,
    RemoveSlot,
    SenderLimited,
    ShowProducer,
    UpdatePort,
    UpdateProducer,
)
from rtp.kernel import PortSpec, PortStatistics, ProducerSpec, ProducerStatistics, SlotSpec
from rtp.srtp import StreamState
from tests.mcu.test_messages import ADDRESS, BYTE, KEYS, KEYS_256, STREAMS, TEXT, WORD

FORMATS = st.lists(st.tuples(BYTE, st.sampled_from(CODINGS), st.integers(0, 1)), max_size=8).map(tuple)
PORT = st.builds(
    PortSpec, WORD, st.just(-1), st.just(-1), st.none() | ADDRESS, st.none() | ADDRESS, st.booleans(), TEXT, WORD, TEXT,
    mid_extension=BYTE, transport_extension=BYTE, is_reduced=st.booleans(), limit_bps=WORD, keys=st.none() | KEYS,
    rtcp_keys=st.none() | KEYS, streams=STREAMS, awaits_keys=st.booleans(), has_ice=st.booleans(),
    is_local=st.booleans(), owner=WORD)
PRODUCER = st.builds(ProducerSpec, WORD, WORD, FORMATS, TEXT, st.frozensets(st.sampled_from(WISHES)), st.booleans(), WORD, WORD,
                     WORD)
SLOT = st.builds(SlotSpec, WORD, WORD, WORD, st.integers(0, 65535), WORD, FORMATS, TEXT, st.integers(0, 1000))
SHARE = st.floats(0, 1, width=32)
MESSAGE: st.SearchStrategy[Message] = st.one_of(
    st.builds(AddPort, WORD, PORT), st.builds(UpdatePort, WORD, PORT, st.booleans()), st.builds(RemovePort, WORD, WORD),
    st.builds(AddProducer, WORD, PRODUCER), st.builds(UpdateProducer, WORD, WORD, st.booleans(), WORD),
    st.builds(RemoveProducer, WORD, WORD), st.builds(AddSlot, WORD, SLOT), st.builds(RemoveSlot, WORD, WORD),
    st.builds(ShowProducer, WORD, WORD, WORD, WORD), st.builds(PictureShown, WORD, WORD, WORD),
    st.builds(PicturePaused, WORD, WORD, st.booleans()), st.builds(SenderLimited, WORD, WORD, WORD),
    st.builds(PortLearnt, WORD, WORD, ADDRESS),
    st.builds(PortHandshake, WORD, WORD, BYTE, ADDRESS, st.binary(max_size=MAX_PICTURE_DATAGRAM)),
    st.builds(PortReport, WORD, st.builds(PortStatistics, WORD, *[WORD] * 8, SHARE, *[WORD] * 4)),
    st.builds(ProducerReport, WORD, st.builds(ProducerStatistics, WORD, st.sampled_from(CODINGS), st.integers(0, 65535),
                                              st.integers(0, 65535), WORD, WORD, WORD, SHARE)),
    st.builds(PortStreams, WORD, WORD, STREAMS))
SPEC = PortSpec(1, -1, -1, ("192.0.2.1", 4000), None, True, "192.0.2.1", 2, "name")


@given(MESSAGE)
def test_parse_gives_back_what_was_packed(message: Message) -> None:
    data = pack(message)
    assert len(data) <= MAX_MESSAGE
    assert parse(data) == message


@given(MESSAGE, st.data())
def test_damaged_messages_raise_protocol_errors_alone(message: Message, data: st.DataObject) -> None:
    packed = bytearray(pack(message))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        parse(bytes(packed[:data.draw(st.integers(0, len(packed)))]))


def test_the_longest_port_has_room_in_a_message() -> None:
    long = "x" * 255
    spec = replace(SPEC, signalling_host=long, cname=long, keys=KEYS_256, rtcp_keys=KEYS_256,
                   streams=(StreamState(1, 2, 3, 4),) * MAX_STREAMS)
    assert parse(pack(UpdatePort(7, spec, True))) == UpdatePort(7, spec, True)


def test_a_datagram_that_is_too_long_is_refused() -> None:
    with pytest.raises(ProtocolError):
        pack(PortHandshake(1, 2, 0, ("192.0.2.1", 4000), bytes(MAX_PICTURE_DATAGRAM + 1)))
