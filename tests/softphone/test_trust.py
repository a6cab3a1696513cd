"""Whom the phone trusts by TLS: a first certificate is remembered and shown, a changed one refused with words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sip.certificates import Presented
from softphone.trust import AUTHORITY, FIRST, REMEMBERED, Trust, parse_fingerprint

HOST = "meet.example"


def certificate(name: str = HOST) -> bytes:
    """A fresh certificate for a name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    return (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).public_key(key.public_key())
            .serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def own(der: bytes) -> Presented:
    """As a server shows it whose certificate no authority knows."""
    return Presented(der, "it vouches for itself", is_unknown=True)


class Told:
    """Keeps what a Trust tells."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self.kept: list[tuple[str, str]] = []
        self.met: list[tuple[str, str]] = []
        self.trust = Trust(known, lambda *one: self.kept.append(one), lambda *one: self.met.append(one))


def test_a_first_certificate_is_remembered_and_shown() -> None:
    told, shown = Told(), own(certificate())
    assert told.trust.judge("MEET.example", shown) == ""
    assert told.kept == told.met == [(HOST, shown.fingerprint)]
    assert told.trust.signalling(HOST, "TLS", "TLSv1.3 X").how == FIRST
    assert told.trust.judge(HOST, shown) == "" and len(told.met) == 1
    assert shown.fingerprint in str(told.trust.signalling(HOST, "TLS", "TLSv1.3 X"))
    assert REMEMBERED in str(told.trust.signalling(HOST, "TLS", "TLSv1.3 X"))


def test_a_changed_certificate_is_refused_with_both_fingerprints_and_the_remedy() -> None:
    first, second = own(certificate()), own(certificate())
    told = Told({HOST: first.fingerprint})
    words = told.trust.judge(HOST, second)
    assert first.fingerprint in words and f"--fingerprint {second.fingerprint}" in words and "nothing was sent" in words
    assert told.trust.refusal(HOST) == words and not told.kept
    assert told.trust.judge(HOST, first) == "" and told.trust.refusal(HOST) == ""


def test_a_certificate_of_a_known_authority_needs_no_memory_and_replaces_one() -> None:
    told = Told({HOST: own(certificate()).fingerprint})
    assert told.trust.judge(HOST, Presented(certificate())) == "" and not told.kept
    assert told.trust.signalling(HOST, "TLS", "x").how == AUTHORITY


@pytest.mark.parametrize(("shown", "words"), [
    (Presented(certificate("other.example")), "for somebody else"),
    (Presented(certificate(), "it has expired"), "it has expired"),
])
def test_a_certificate_that_an_authority_signed_has_to_be_in_order(shown: Presented, words: str) -> None:
    told = Told()
    assert words in told.trust.judge(HOST, shown) and not told.kept


def test_a_fingerprint_that_was_asked_for_is_the_only_one_that_will_do() -> None:
    told, right = Told({HOST: own(certificate()).fingerprint}), own(certificate())
    told.trust.expect(HOST, right.fingerprint)
    assert told.trust.judge(HOST, right) == "" and told.kept == [(HOST, right.fingerprint)] and not told.met
    assert "was asked for" in told.trust.judge(HOST, Presented(certificate()))
    assert told.trust.judge("elsewhere.example", own(certificate())) == ""


def test_what_is_not_protected_says_so() -> None:
    assert str(Trust().signalling("", "UDP", "")) == "UDP, not protected"
    assert not Trust().signalling(HOST, "TLS", "").is_protected


def test_fingerprints_are_read_as_people_write_them() -> None:
    wanted = ":".join(["AB"] * 32)
    assert {parse_fingerprint(text) for text in ("ab" * 32, wanted, f"SHA-256 {wanted}\n", " ".join(["AB"] * 32))} == {wanted}
    for text in ("", "AB", wanted + ":00", "XY" * 32, "١٢" * 32):
        with pytest.raises(ValueError, match="32 pairs"):
            parse_fingerprint(text)
