"""Contexts: both implementations through the same tests; what is refused is counted, and the context lives."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import AuthenticationFailed, KeyExhausted, ParseError
from rtp.packet import RtpPacket
from rtp.srtp import (
    AEAD_AES_128_GCM,
    AES_256_CM_HMAC_SHA1_80,
    AES_CM_128_HMAC_SHA1_80,
    ALL_SUITES,
    SUITES,
    VIDEO_WINDOW,
    MasterKey,
    Receiver,
    Sender,
    SrtpReceiver,
    SrtpSender,
    StreamState,
    Suite,
    receiver,
    sender,
)
from rtp.srtp.fast import FastReceiver, FastSender

REPORT = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e930 4c756e61" + "deadbeef" * 5)
PAIRS: list[tuple[Suite, Callable[..., Sender], Callable[..., Receiver]]] = [
    *((suite, SrtpSender, SrtpReceiver) for suite in ALL_SUITES), *((suite, FastSender, FastReceiver) for suite in SUITES),
    *((suite, FastSender, SrtpReceiver) for suite in SUITES), *((suite, SrtpSender, FastReceiver) for suite in SUITES)]
BOTH = pytest.mark.parametrize(("suite", "send", "receive"), PAIRS,
                               ids=[f"{suite}-{send.__name__}-{receive.__name__}" for suite, send, receive in PAIRS])


def key_of(suite: Suite, first: int = 1, lifetime: int = 2**48) -> MasterKey:
    """A key of that suite."""
    return MasterKey.of(suite, bytes((first + n) & 0xFF for n in range(suite.master_length)), lifetime)


def packet(sequence: int, ssrc: int = 7, payload: bytes = b"voice") -> bytes:
    """An RTP packet with a CSRC and an extension."""
    return bytes(RtpPacket(0, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc, payload, False, (9,), {1: b"\x10"}))


def opens(context: Receiver, data: bytes) -> str:
    """`passed`, or why a packet was dropped."""
    try:
        context.unprotect(data)
    except AuthenticationFailed as error:
        return error.reason
    return "passed"


def test_packet_of_libsrtps_own_test_is_protected_to_the_bit() -> None:
    key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6")
    plain = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    sealed = bytes.fromhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    assert SrtpSender(AES_CM_128_HMAC_SHA1_80, MasterKey.of(AES_CM_128_HMAC_SHA1_80, key)).protect(plain) == sealed


@BOTH
def test_what_is_protected_is_opened_and_unreadable_between(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite))
    sealed, report = ours.protect(packet(1)), ours.protect_rtcp(REPORT)
    assert b"voice" not in sealed and b"\xde\xad\xbe\xef" not in report[8:]
    assert len(sealed) == len(packet(1)) + suite.tag_length and len(report) == len(REPORT) + suite.tag_length + 4
    assert theirs.unprotect(sealed) == packet(1) and theirs.unprotect_rtcp(report) == REPORT
    assert theirs.counters.passed == 2 and ours.packets == 1


@BOTH
def test_replays_are_dropped_and_counted(suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite))
    sealed = [ours.protect(packet(n)) for n in range(400)]
    assert all(opens(theirs, data) == "passed" for data in sealed)
    assert {opens(theirs, data) for data in sealed} == {"replay"}
    report = ours.protect_rtcp(REPORT)
    theirs.unprotect_rtcp(report)
    with pytest.raises(AuthenticationFailed):
        theirs.unprotect_rtcp(report)
    assert theirs.counters.replays == 401 and theirs.counters.passed == 401


@BOTH
def test_any_bit_flipped_is_dropped_and_the_packet_still_passes(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite))
    sealed, report = ours.protect(packet(1)), ours.protect_rtcp(REPORT)
    for bit in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        assert opens(theirs, bytes(flipped)) != "passed"
    for bit in range(8 * len(report)):
        flipped = bytearray(report)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AuthenticationFailed):
            theirs.unprotect_rtcp(bytes(flipped))
    assert theirs.counters.passed == 0 and theirs.streams() == ()
    assert opens(theirs, sealed) == "passed" and theirs.unprotect_rtcp(report) == REPORT


@BOTH
def test_750_bad_tags_in_a_row_are_counted_and_the_next_good_packet_passes(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    theirs, ours, forger = receive(suite, key_of(suite)), send(suite, key_of(suite)), send(suite, key_of(suite, 99))
    assert opens(theirs, ours.protect(packet(0))) == "passed"
    assert {opens(theirs, forger.protect(packet(n, ssrc))) for n in range(1, 251) for ssrc in (7, 8, 9)} == {"tag"}
    assert theirs.counters.bad_tags == 750
    assert opens(theirs, ours.protect(packet(1))) == "passed"


@BOTH
def test_rollover_counter_goes_on_over_many_wraps_with_loss_and_reordering(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs, source = send(suite, key_of(suite)), receive(suite, key_of(suite)), random.Random(5)
    for index in range(0, 5 * 0x10000, 997):
        first, second = ours.protect(packet(index)), ours.protect(packet(index + 1))
        if source.random() < 0.3:
            continue
        assert opens(theirs, second) == "passed" and opens(theirs, first) == "passed"
    (state,) = theirs.streams()
    assert state.roc == 4


@BOTH
def test_jump_of_more_than_half_a_round_is_lost_but_the_context_lives(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite))
    assert opens(theirs, ours.protect(packet(0x1000))) == "passed"
    for index in range(0x2000, 0x15000, 0x1000):
        ours.protect(packet(index))
    assert opens(theirs, ours.protect(packet(0x15000))) == "tag"
    assert theirs.streams()[0].roc == 0 and opens(theirs, packet(0x1001) + bytes(suite.tag_length)) == "tag"


@BOTH
def test_ssrcs_beyond_the_limit_are_dropped_and_the_known_go_on(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite), max_sources=3)
    reasons = [opens(theirs, ours.protect(packet(1, ssrc))) for ssrc in range(5)]
    assert reasons == ["passed"] * 3 + ["source"] * 2 and theirs.counters.foreign == 2
    assert opens(theirs, ours.protect(packet(2, 1))) == "passed"


@BOTH
def test_successor_goes_on_where_the_streams_stood(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours, theirs = send(suite, key_of(suite)), receive(suite, key_of(suite))
    old = b""
    for index in range(0, 0x30000, 0x4000):
        old = ours.protect(packet(index))
        theirs.unprotect(old)
    report = ours.protect_rtcp(REPORT)
    theirs.unprotect_rtcp(report)
    successor = receiver(suite, key_of(suite), streams=theirs.streams())
    assert {state.ssrc: state.index for state in successor.streams()}[7] == 0x2C000
    assert opens(successor, old) == "replay"
    with pytest.raises(AuthenticationFailed, match="replay"):
        successor.unprotect_rtcp(report)
    assert opens(successor, ours.protect(packet(0x2C001))) == "passed"
    assert successor.unprotect_rtcp(ours.protect_rtcp(REPORT)) == REPORT


@BOTH
def test_index_is_never_protected_twice(suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours = send(suite, key_of(suite))
    ours.protect(packet(5))
    with pytest.raises(KeyExhausted):
        ours.protect(packet(5, payload=b"other"))
    assert opens(receive(suite, key_of(suite)), ours.protect(packet(4))) == "passed"


@BOTH
def test_key_ends_with_its_lifetime(suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours = send(suite, key_of(suite, lifetime=3))
    sealed = [ours.protect(packet(n)) for n in range(3)]
    with pytest.raises(KeyExhausted):
        ours.protect(packet(3))
    assert opens(receive(suite, key_of(suite)), sealed[2]) == "passed"


@BOTH
def test_what_is_no_packet_or_too_long_is_not_protected(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    ours = send(suite, key_of(suite))
    for data in (b"", b"\x80" * 11, b"\x40" + packet(1)[1:], packet(1, payload=bytes(1400))):
        with pytest.raises(ParseError):
            ours.protect(data)
        with pytest.raises(ParseError):
            ours.protect_rtcp(data if len(data) > 12 else data[:7])
    assert opens(receive(suite, key_of(suite)), b"\x80" * 1501) == "malformed"


@BOTH
def test_report_without_the_encrypted_flag_is_dropped(
        suite: Suite, send: Callable[..., Sender], receive: Callable[..., Receiver]) -> None:
    theirs = receive(suite, key_of(suite))
    data = bytearray(send(suite, key_of(suite)).protect_rtcp(REPORT))
    data[-4 if suite.is_aead else -4 - suite.tag_length] &= 0x7F
    with pytest.raises(AuthenticationFailed):
        theirs.unprotect_rtcp(bytes(data))
    assert theirs.counters.passed == 0


@pytest.mark.parametrize("window", [128, VIDEO_WINDOW])
@pytest.mark.parametrize("receive", [SrtpReceiver, FastReceiver])
def test_window_is_as_wide_as_it_was_asked_for(receive: Callable[..., Receiver], window: int) -> None:
    suite = AEAD_AES_128_GCM
    ours, theirs = SrtpSender(suite, key_of(suite)), receive(suite, key_of(suite), window=window)
    sealed = [SrtpSender(suite, key_of(suite)).protect(packet(n)) for n in range(2000)]
    assert opens(theirs, sealed[1999]) == "passed"
    assert opens(theirs, sealed[1999 - window]) == "replay" and opens(theirs, sealed[2000 - window]) == "passed"
    assert ours.packets == 0


@given(st.sampled_from(SUITES), st.binary(min_size=46, max_size=46), st.integers(0, 2**32 - 1),
       st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=60)), min_size=1, max_size=20))
def test_both_senders_give_equal_bytes(suite: Suite, key: bytes, ssrc: int, content: list[tuple[int, bytes]]) -> None:
    master = MasterKey.of(suite, key[:suite.master_length])
    twins = SrtpSender(suite, master), FastSender(suite, master)
    for sequence, payload in content:
        results = []
        for twin in twins:
            try:
                results.append(twin.protect(packet(sequence, ssrc, payload)))
            except KeyExhausted:
                results.append(b"refused")
        assert results[0] == results[1]


@given(st.sampled_from(SUITES), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_both_receivers_take_and_drop_the_same(suite: Suite, sequences: list[int], source: random.Random) -> None:
    ours = SrtpSender(suite, key_of(suite))
    twins = SrtpReceiver(suite, key_of(suite)), FastReceiver(suite, key_of(suite))
    sent = []
    for sequence in sequences:
        try:
            sent.append(ours.protect(packet(sequence)))
        except KeyExhausted:
            continue
    arrived = [data for data in sent for _ in range(source.randint(0, 2))]
    source.shuffle(arrived)
    for data in arrived:
        assert opens(twins[0], data) == opens(twins[1], data)
    assert sorted(twins[0].streams(), key=str) == sorted(twins[1].streams(), key=str)


@given(st.binary(max_size=120) | st.binary(max_size=100).map(lambda tail: b"\x90\x00" + tail)
       | st.binary(max_size=100).map(lambda tail: b"\x80\xc8" + tail))
@pytest.mark.parametrize("suite", [AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80])
@pytest.mark.parametrize("receive", [SrtpReceiver, FastReceiver])
def test_no_bytes_crash_a_receiver(receive: Callable[..., Receiver], suite: Suite, data: bytes) -> None:
    theirs = receive(suite, key_of(suite))
    for method in (theirs.unprotect, theirs.unprotect_rtcp):
        with pytest.raises(AuthenticationFailed):
            method(data)
    assert theirs.streams() == () and theirs.counters.passed == 0


def test_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="30 bytes"):
        MasterKey.of(AES_CM_128_HMAC_SHA1_80, bytes(29))


def test_the_fast_path_is_taken_where_it_can() -> None:
    for suite in SUITES:
        assert isinstance(sender(suite, key_of(suite)), FastSender)
        assert isinstance(receiver(suite, key_of(suite)), FastReceiver)
        assert isinstance(receiver(suite, key_of(suite), streams=[StreamState(1, 2, 3)]), SrtpReceiver)
    assert isinstance(sender(AES_256_CM_HMAC_SHA1_80, key_of(AES_256_CM_HMAC_SHA1_80)), SrtpSender)


def test_a_tag_of_32_bits_is_in_no_list() -> None:
    assert all(suite.tag_length >= 10 for suite in ALL_SUITES) and not any("_32" in suite.name for suite in ALL_SUITES)
