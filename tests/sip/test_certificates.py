"""Whom a certificate names (RFC 5922 §7), and what a stranger's certificate has to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sip.certificates import Presented, fingerprint_of, identities_of, is_for, judge_by_name


def certificate(*names: x509.GeneralName, common_name: str = "cn.example") -> bytes:
    """A certificate that vouches for itself and names what is given."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1)))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def uri(text: str) -> x509.GeneralName:
    """A URI of the subjectAltName."""
    return x509.UniformResourceIdentifier(text)


def test_a_domain_is_named_by_a_sip_uri_or_a_dns_name_in_any_case() -> None:
    shown = certificate(uri("sip:Example.ORG"), x509.DNSName("SIP.example.org"))
    assert is_for(shown, "example.org") and is_for(shown, "sip.EXAMPLE.org.")
    assert identities_of(shown) == {"example.org", "sip.example.org"}


@pytest.mark.parametrize("text", ["sip:alice@example.org", "sips:example.org", "https://example.org", "sip:"])
def test_a_uri_with_a_user_or_of_another_scheme_names_no_domain(text: str) -> None:
    assert not is_for(certificate(uri(text)), "example.org")


def test_a_wildcard_names_nobody_but_itself() -> None:
    assert not is_for(certificate(x509.DNSName("*.example.org")), "sip.example.org")


def test_the_common_name_counts_only_without_a_subject_alt_name() -> None:
    assert is_for(certificate(), "cn.example")
    assert not is_for(certificate(x509.DNSName("other.example")), "cn.example")


def test_an_address_is_named_by_an_address_however_it_is_written() -> None:
    shown = certificate(x509.IPAddress(ip_address("2001:db8::1")), x509.IPAddress(ip_address("192.0.2.1")))
    assert is_for(shown, "[2001:DB8:0::1]") and is_for(shown, "192.0.2.1")
    assert not is_for(certificate(x509.DNSName("192.0.2.1")), "192.0.2.2")


def test_what_is_no_certificate_names_nobody() -> None:
    assert identities_of(b"\x30\x82junk") == frozenset()


def test_a_stranger_needs_both_an_authority_and_the_name() -> None:
    shown = certificate(x509.DNSName("example.org"))
    assert judge_by_name("example.org", Presented(shown)) == ""
    assert judge_by_name("other.example", Presented(shown)) == "the certificate that was shown is not for other.example"
    assert "it has expired" in judge_by_name("example.org", Presented(shown, "it has expired"))


def test_a_fingerprint_is_32_pairs_of_digits() -> None:
    assert fingerprint_of(b"abc").startswith("BA:78:16:BF:") and len(fingerprint_of(b"abc")) == 95
