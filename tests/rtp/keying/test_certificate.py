"""Fingerprints as SDP carries them, and which of them count."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Certificate, Fingerprint, matches, parse_fingerprints

NOW = datetime.now(UTC)
OURS, OTHER = Certificate.create(NOW), Certificate.create(NOW)
DER = OURS.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize(("algorithm", "size"), [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)])
def test_fingerprint_is_written_and_read(algorithm: str, size: int) -> None:
    fingerprint = OURS.fingerprint(algorithm)
    assert len(fingerprint.digest) == size and Fingerprint.parse(str(fingerprint)) == fingerprint
    assert Fingerprint.parse(str(fingerprint).lower()) == fingerprint
    assert matches(DER, [fingerprint]) and not matches(DER, [OTHER.fingerprint(algorithm)])


def test_two_certificates_are_never_the_same() -> None:
    assert OURS.fingerprint() != OTHER.fingerprint() and OURS.fingerprint().in_words() != OTHER.fingerprint().in_words()


def test_words_stand_for_the_first_64_bits() -> None:
    assert Fingerprint("sha-256", bytes(range(0, 256, 8))).in_words() == "baba bano deba deno fiba fino goba gono"


def test_strongest_function_decides() -> None:
    assert matches(DER, [OTHER.fingerprint("sha-256"), OURS.fingerprint("sha-512")])
    assert not matches(DER, [OURS.fingerprint("sha-256"), OTHER.fingerprint("sha-512")])
    assert matches(DER, [OTHER.fingerprint("sha-256"), OURS.fingerprint("sha-256")])


def test_no_fingerprint_at_all_matches_nothing() -> None:
    assert not matches(DER, []) and not matches(DER, [Fingerprint("sha-1", bytes(20))])


def test_sha_1_alone_is_refused_and_beside_another_passed_over() -> None:
    sha_1 = "SHA-1 " + ":".join(["AB"] * 20)
    with pytest.raises(NegotiationFailed):
        parse_fingerprints([sha_1])
    assert parse_fingerprints([sha_1, str(OURS.fingerprint())]) == (OURS.fingerprint(),)
    assert parse_fingerprints([]) == ()


@pytest.mark.parametrize("value", [
    "", "sha-256", "sha-256 AB", "sha-256 " + ":".join(["AB"] * 31), "sha-256 " + ":".join(["AG"] * 32),
    "sha-256 " + ":".join(["AB"] * 32) + "\n",
])
def test_what_is_no_fingerprint_is_refused(value: str) -> None:
    with pytest.raises(ParseError):
        Fingerprint.parse(value)


def test_certificate_is_valid_now_and_its_key_is_not_shown() -> None:
    made = Certificate.create(datetime(2030, 1, 1, tzinfo=UTC))
    assert made.certificate.not_valid_before_utc < datetime(2030, 1, 1, tzinfo=UTC) < made.certificate.not_valid_after_utc
    assert "key" not in repr(made)


@given(st.text(max_size=60) | st.text("0123456789ABCDEFabcdef:", max_size=100).map(lambda tail: "sha-256 " + tail))
def test_no_text_crashes_the_parser(value: str) -> None:
    try:
        assert len(Fingerprint.parse(value).digest) >= 16
    except ParseError:
        return
