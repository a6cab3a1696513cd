"""Crypto lines as clients write them, what is refused, and both sides of offer and answer."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.sdes import CryptoLine, accept, answer, offer
from rtp.srtp import (
    AEAD_AES_128_GCM,
    AES_256_CM_HMAC_SHA1_80,
    AES_CM_128_HMAC_SHA1_80,
    ALL_SUITES,
    SUITES,
    MasterKey,
    Suite,
    receiver,
    sender,
)
from rtp.srtp.suites import SRTP_LIFETIME
from tests.rtp.srtp.test_context import packet

KEY = b64encode(bytes(range(30))).decode()
LONG = b64encode(bytes(range(46))).decode()
LINPHONE = [
    f"1 AES_256_CM_HMAC_SHA1_80 inline:{LONG}", f"2 AES_256_CM_HMAC_SHA1_32 inline:{LONG}",
    f"3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", f"4 AES_CM_128_HMAC_SHA1_32 inline:{KEY}",
]


def urandom(seed: int = 1) -> random.Random:
    """A seeded source in place of os.urandom."""
    return random.Random(seed)


def test_line_of_the_rfc_is_read_without_its_key_identifier() -> None:
    line = CryptoLine.parse(f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20")
    assert (line.tag, line.suite, line.key.lifetime) == (1, AES_CM_128_HMAC_SHA1_80, 2**20)
    assert bytes(line.key) == bytes(range(30))


@pytest.mark.parametrize(("value", "why"), [
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4", "MKI"), (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4", "MKI"),
    (f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}", "not known"), (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", "not known"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-4]}", "30 bytes"), (f"1 AES_CM_128_HMAC_SHA1_80 inline:{LONG}", "30 bytes"),
    ("1 AES_CM_128_HMAC_SHA1_80 inline:!!!!", "no inline key"), (f"1 AES_CM_128_HMAC_SHA1_80 {KEY}", "expected"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}", "several"), ("", "expected"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP", "UNENCRYPTED_SRTCP"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=3", "KDR"), (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} NEW=1", "NEW"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49", "lifetime"), (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^0|2^1", "two"),
    (f"\u0661 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "expected"), (f"1_0 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "expected"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n", "expected"),
    (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}" + " WSH=64" * 90, "expected"),
])
def test_line_that_cannot_be_used_is_refused_with_the_reason(value: str, why: str) -> None:
    with pytest.raises(ParseError, match=why) as caught:
        CryptoLine.parse(value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("tail", ["", " KDR=0", " WSH=128", " -vendor=1", "|48", "|2^48 WSH=64"])
def test_harmless_parameters_are_taken(tail: str) -> None:
    assert CryptoLine.parse(f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{tail}").tag == 1


def test_padding_of_the_key_may_be_missing_or_there() -> None:
    padded = b64encode(bytes(28)).decode()
    assert padded.endswith("==")
    for text in (padded, padded.rstrip("=")):
        assert bytes(CryptoLine.parse(f"7 AEAD_AES_128_GCM inline:{text}").key) == bytes(28)


def test_answer_is_chosen_by_suite_and_has_its_tag() -> None:
    ours = answer(LINPHONE, urandom().randbytes)
    assert (ours.line.tag, ours.line.suite) == (3, AES_CM_128_HMAC_SHA1_80)
    assert bytes(ours.keys.remote) == bytes(range(30)) and bytes(ours.keys.local) != bytes(range(30))


def test_suites_that_the_caller_wants_are_taken_in_its_order() -> None:
    ours = answer(LINPHONE, urandom().randbytes, (AES_256_CM_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_80))
    assert (ours.line.tag, ours.line.suite) == (1, AES_256_CM_HMAC_SHA1_80)


def test_ten_lines_of_which_only_the_last_will_do() -> None:
    lines = [f"{n} AES_CM_128_HMAC_SHA1_32 inline:{KEY}" for n in range(1, 10)] + [f"10 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"]
    assert answer(lines, urandom().randbytes).line.tag == 10


def test_no_line_that_will_do_is_refused_with_reasons() -> None:
    with pytest.raises(NegotiationFailed, match="AES_CM_128_HMAC_SHA1_32 is not known"):
        answer([f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"], urandom().randbytes)
    with pytest.raises(NegotiationFailed, match="no crypto line"):
        answer([], urandom().randbytes)


def test_second_line_with_a_tag_of_before_is_passed_over() -> None:
    lines = [f"1 AES_256_CM_HMAC_SHA1_80 inline:{LONG}", f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"]
    with pytest.raises(NegotiationFailed):
        answer(lines, urandom().randbytes)


def test_offers_have_new_keys_each_time_and_all_suites_in_order() -> None:
    source = urandom()
    first, second = offer(source.randbytes), offer(source.randbytes)
    assert [line.suite for line in first] == list(SUITES) and [line.tag for line in first] == [1, 2, 3]
    assert not {bytes(line.key) for line in first} & {bytes(line.key) for line in second}


def test_key_of_ours_is_kept_in_an_answer_when_asked_for() -> None:
    before = answer(LINPHONE, urandom(1).randbytes)
    again = answer(LINPHONE, urandom(2).randbytes, keep=before.line)
    assert again.keys.local == before.keys.local
    other = answer([f"1 AEAD_AES_128_GCM inline:{b64encode(bytes(28)).decode()}"], urandom(2).randbytes, keep=before.line)
    assert other.line.suite is AEAD_AES_128_GCM and bytes(other.keys.local) != bytes(before.keys.local)


@pytest.mark.parametrize("suite", SUITES)
def test_both_sides_come_to_keys_that_fit(suite: Suite) -> None:
    source = urandom()
    ours = offer(source.randbytes)
    theirs = answer([str(line) for line in ours], source.randbytes, (suite,))
    keys = accept(ours, [str(theirs.line)])
    assert keys.suite is suite
    plain = packet(1)
    assert receiver(suite, theirs.keys.remote).unprotect(sender(suite, keys.local).protect(plain)) == plain
    assert receiver(suite, keys.remote).unprotect(sender(suite, theirs.keys.local).protect(plain)) == plain


def test_answer_that_was_not_offered_is_refused() -> None:
    ours = offer(urandom().randbytes, (AEAD_AES_128_GCM,))
    for lines in ([f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"], [], [str(ours[0])] * 2, ["junk"], [str(ours[0])],
                  [str(CryptoLine.create(2, AEAD_AES_128_GCM, urandom(3).randbytes))]):
        with pytest.raises(NegotiationFailed):
            accept(ours, lines)


def test_keys_are_not_shown() -> None:
    ours = answer(LINPHONE, urandom().randbytes)
    for shown in (repr(CryptoLine.parse(LINPHONE[2])), repr(ours)):
        assert KEY not in shown and repr(bytes(range(16)))[2:-1] not in shown and repr(ours.keys.local.key) not in shown


@given(st.integers(0, 999999999), st.sampled_from(ALL_SUITES), st.binary(min_size=46, max_size=46),
       st.integers(1, SRTP_LIFETIME))
def test_parse_and_write_are_inverse(tag: int, suite: Suite, key: bytes, lifetime: int) -> None:
    line = CryptoLine(tag, suite, MasterKey.of(suite, key[:suite.master_length], lifetime))
    assert CryptoLine.parse(str(line)) == line


@given(st.text(max_size=80) | st.text("0123456789AES_CM_80:|^;inline+/= ", max_size=120).map(
    lambda tail: "1 AES_CM_128_HMAC_SHA1_80 inline:" + tail))
def test_no_text_crashes_the_parser(value: str) -> None:
    try:
        line = CryptoLine.parse(value)
    except ParseError:
        return
    assert len(bytes(line.key)) == 30
