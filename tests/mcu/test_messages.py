"""Messages between control and workers: parse and pack are inverse; no bytes raise anything but ProtocolError."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.engine.notices import AddressLearnt, DtmfPressed, PlayerChanged, RoomLost, SpeakersChanged
from mcu.errors import ProtocolError
from mcu.fields import MAX_STREAMS
from mcu.messages import (
    CODECS,
    MAX_DATAGRAM,
    MAX_MESSAGE,
    MAX_SPEAKERS,
    ROOM_KINDS,
    SOUNDS,
    VERSION,
    AddLeg,
    CloseRoom,
    HandshakeReceived,
    Heartbeat,
    LegReport,
    Message,
    MuteLeg,
    OpenRoom,
    PlaySound,
    RemoveLeg,
    StreamsReport,
    UpdateLeg,
    pack,
    parse,
)
from mcu.sound_messages import (
    PLAYER_STATES,
    Announce,
    ClosePlayer,
    CloseRecording,
    OpenPlayer,
    OpenRecording,
    PlayMusic,
    SetPlayer,
)
from rtp.kernel import LegSpec, LegStatistics
from rtp.srtp import AEAD_AES_256_GCM, ALL_SUITES, MasterKey, SessionKeys, StreamState

WORD = st.integers(0, 0xFFFFFFFF)
BYTE = st.integers(0, 255)
ADDRESS = st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))
TEXT = st.text(st.characters(codec="ascii"), max_size=100)
KEYS = st.sampled_from(ALL_SUITES).flatmap(lambda suite: st.builds(SessionKeys, st.just(suite), *[
    st.builds(MasterKey, st.binary(min_size=suite.key_length, max_size=suite.key_length),
              st.binary(min_size=suite.salt_length, max_size=suite.salt_length), st.integers(1, 2**48))] * 2))
STREAMS = st.lists(st.builds(StreamState, WORD, WORD, st.integers(-1, 65535), st.integers(-1, 2**31)),
                   max_size=MAX_STREAMS).map(tuple)
SPEC = st.builds(
    LegSpec, leg_id=WORD, rtp_fd=st.just(-1), rtcp_fd=st.just(-1), codec=st.sampled_from(CODECS), send_type=BYTE,
    receive_type=BYTE, dtmf_type=st.integers(-1, 127), ptime_ms=st.sampled_from((10, 20, 30, 40, 50, 60)),
    remote=st.none() | ADDRESS, remote_rtcp=st.none() | ADDRESS, rtcp_mux=st.booleans(), signalling_host=TEXT, ssrc=WORD,
    sequence=st.integers(0, 65535), timestamp=WORD, cname=TEXT, is_heard=st.booleans(), hears=st.booleans(),
    is_muted=st.booleans(), level_extension=BYTE, mixer_extension=BYTE, fmtp=TEXT,
    dtmf_send_type=st.integers(-1, 127), keys=st.none() | KEYS, streams=STREAMS,
    rtcp_keys=st.none() | KEYS, awaits_keys=st.booleans(), has_ice=st.booleans())
FLOAT = st.floats(0, 1e6, width=32)
FIGURES = st.builds(
    LegStatistics, WORD, *[WORD] * 9, FLOAT, FLOAT, st.integers(-127, 0), FLOAT, FLOAT, WORD, st.integers(0, 65535), WORD,
    st.booleans(), WORD, WORD, WORD)
MESSAGE: st.SearchStrategy[Message] = st.one_of(
    st.builds(OpenRoom, WORD, st.sampled_from(ROOM_KINDS), BYTE), st.builds(CloseRoom, WORD), st.builds(AddLeg, WORD, SPEC),
    st.builds(UpdateLeg, WORD, SPEC, st.booleans()), st.builds(RemoveLeg, WORD, WORD),
    st.builds(MuteLeg, WORD, WORD, st.booleans()), st.builds(PlaySound, WORD, st.sampled_from(SOUNDS)),
    st.builds(OpenPlayer, WORD, WORD), st.builds(ClosePlayer, WORD, WORD), st.builds(PlayMusic, WORD, WORD, st.booleans()),
    st.builds(SetPlayer, WORD, WORD, st.booleans(), st.integers(0, 400), st.integers(-1, 2**31 - 1)),
    st.builds(PlayerChanged, WORD, WORD, st.sampled_from(PLAYER_STATES), WORD, WORD, TEXT),
    st.builds(OpenRecording, WORD, WORD), st.builds(CloseRecording, WORD, WORD), st.builds(Announce, WORD, WORD, TEXT, TEXT),
    st.builds(Heartbeat, *[WORD] * 6), st.builds(LegReport, WORD, FIGURES),
    st.builds(DtmfPressed, WORD, WORD, st.sampled_from("0123456789*#ABCD")),
    st.builds(SpeakersChanged, WORD, st.lists(WORD, max_size=MAX_SPEAKERS).map(tuple)),
    st.builds(AddressLearnt, WORD, WORD, ADDRESS), st.builds(RoomLost, WORD),
    st.builds(StreamsReport, WORD, WORD, STREAMS),
    st.builds(HandshakeReceived, WORD, WORD, BYTE, ADDRESS, st.binary(max_size=MAX_DATAGRAM)))
KEYS_256 = SessionKeys(AEAD_AES_256_GCM, MasterKey(b"k" * 32, b"s" * 12), MasterKey(b"K" * 32, b"S" * 12))
LEG = LegSpec(1, -1, -1, "opus", 111, 111, 101, 20, ("192.0.2.1", 4000), None, True, "192.0.2.1", 2, 3, 4, "name")


@given(MESSAGE)
def test_parse_gives_back_what_was_packed(message: Message) -> None:
    data = pack(message)
    assert len(data) <= MAX_MESSAGE
    assert parse(data) == message


@given(st.binary(max_size=MAX_MESSAGE + 10))
def test_no_bytes_raise_anything_but_the_one_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        parse(data)


@given(MESSAGE, st.data())
def test_a_message_that_was_damaged_raises_nothing_but_the_one_error(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(pack(message))
    damaged[data.draw(st.integers(1, len(damaged) - 1))] = data.draw(BYTE)
    with contextlib.suppress(ProtocolError):
        parse(bytes(damaged))


@given(MESSAGE)
def test_a_message_that_breaks_off_or_goes_on_is_refused(message: Message) -> None:
    data = pack(message)
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(ProtocolError):
            parse(wrong)


def test_another_version_is_refused() -> None:
    data = pack(CloseRoom(7))
    with pytest.raises(ProtocolError, match=f"version {VERSION + 1}"):
        parse(bytes([VERSION + 1]) + data[1:])


@pytest.mark.parametrize("message", [
    OpenRoom(1, "disco", 8), OpenRoom(2 ** 32, "mix", 8), PlaySound(1, "siren"), AddLeg(1, replace(LEG, codec="gsm")),
    AddLeg(1, replace(LEG, cname="x" * 300)), AddLeg(1, replace(LEG, remote=("phone.example", 1))),
    AddLeg(1, replace(LEG, remote=("192.0.2.1", 70000)))])
def test_what_does_not_fit_a_field_is_refused_before_it_is_sent(message: Message) -> None:
    with pytest.raises(ProtocolError):
        pack(message)


def test_a_leg_with_the_longest_texts_fits_into_a_message() -> None:
    wide = ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
    streams = tuple(StreamState(number, 2**32 - 1, 65535, 2**31) for number in range(MAX_STREAMS))
    longest = replace(LEG, cname="n" * 255, signalling_host="h" * 255, fmtp="f" * 255, remote=wide, remote_rtcp=wide,
                      keys=KEYS_256, streams=streams, rtcp_keys=KEYS_256)
    assert parse(pack(AddLeg(1, longest))) == AddLeg(1, longest)


def test_more_streams_than_a_message_holds_are_refused() -> None:
    with pytest.raises(ProtocolError, match="9 streams"):
        pack(StreamsReport(1, 2, (StreamState(1, 0, 0),) * (MAX_STREAMS + 1)))


def test_datagram_longer_than_any_handshake_has_is_not_handed_on() -> None:
    with pytest.raises(ProtocolError, match="1501 bytes"):
        pack(HandshakeReceived(1, 2, 0, ("192.0.2.1", 4000), bytes(MAX_DATAGRAM + 1)))


def test_no_key_shows_in_a_message() -> None:
    assert "key=" not in repr(AddLeg(1, replace(LEG, keys=KEYS_256))) and "k" * 32 not in repr(KEYS_256)


def test_every_field_of_the_records_travels() -> None:
    assert [field.name for field in fields(LegStatistics)][-1] == "remote_jitter_ms"
    figures = LegStatistics(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1.5, 2.5, -20, 3.5, 0.25, 11, 12, 13, True, 14, 15, 16, 4.5)
    assert parse(pack(LegReport(9, figures))) == LegReport(9, figures)
