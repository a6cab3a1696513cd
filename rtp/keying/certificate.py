"""The certificate of a server or phone, and fingerprints of certificates in SDP (RFC 8122 §5, RFC 5763 §5).

The certificate is made at start, signed by itself, and means nothing without the fingerprint that the signalling carries.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rtp.errors import NegotiationFailed, ParseError

STRENGTHS = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""Hash functions that are accepted, the weakest first; SHA-1 and MD5 are not (RFC 8122 §5.1)."""
LIFETIME_DAYS = 365
CLOCK_SKEW_DAYS = 1
SYLLABLES = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za")
"""One for each value of half a byte: sixteen that are told apart on a bad line."""

_FINGERPRINT = re.compile(r"([A-Za-z0-9\-]{1,16}) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63}) *", re.A)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A hash of a certificate: `algorithm` in lower case, and the digest. `str` gives the value of `a=fingerprint`."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, value: str) -> Fingerprint:
        """Read the value of an `a=fingerprint` (RFC 8122 §5). Raises ParseError, also for a digest of the wrong length."""
        match = _FINGERPRINT.fullmatch(value)
        if match is None:
            raise ParseError("fingerprint: a hash function and bytes in hexadecimal expected")
        algorithm, digest = match[1].lower(), bytes.fromhex(match[2].replace(":", ""))
        if algorithm in STRENGTHS and len(digest) != hashlib.new(STRENGTHS[algorithm]).digest_size:
            raise ParseError(f"fingerprint: {algorithm} with {len(digest)} bytes")
        return cls(algorithm, digest)

    @classmethod
    def of(cls, der: bytes, algorithm: str = "sha-256") -> Fingerprint:
        """The fingerprint of a certificate in DER."""
        return cls(algorithm, hashlib.new(STRENGTHS[algorithm], der).digest())

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"

    def in_words(self) -> str:
        """The first 64 bits as eight words to read to each other, such as `fize noka …`; the same bits, the same words."""
        return " ".join(SYLLABLES[byte >> 4] + SYLLABLES[byte & 15] for byte in self.digest[:8])


def parse_fingerprints(values: Iterable[str]) -> tuple[Fingerprint, ...]:
    """The fingerprints of a description that can be checked; others are passed over.

    Raises NegotiationFailed when there are lines and none will do.
    """
    values = list(values)
    found: list[Fingerprint] = []
    for value in values[:16]:
        try:
            fingerprint = Fingerprint.parse(value)
        except ParseError:
            continue
        if fingerprint.algorithm in STRENGTHS:
            found.append(fingerprint)
    if values and not found:
        raise NegotiationFailed("no fingerprint of a hash function that can be trusted (sha-256, sha-384, sha-512)")
    return tuple(found)


def matches(der: bytes, expected: Sequence[Fingerprint]) -> bool:
    """Whether a certificate has one of the fingerprints of the strongest function given (RFC 8122 §5); none gives False."""
    order = list(STRENGTHS)
    strongest = max((order.index(each.algorithm) for each in expected if each.algorithm in order), default=-1)
    if strongest < 0:
        return False
    actual = Fingerprint.of(der, order[strongest])
    return any(each.algorithm == actual.algorithm and hmac.compare_digest(each.digest, actual.digest) for each in expected)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key, ECDSA on P-256."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, wallclock: datetime, name: str = "confero", hosts: Sequence[str] = ()) -> Certificate:
        """A new one, signed by itself, for a year. wallclock: the time of day, with its zone; hosts: names and addresses for
        those who look at them, as stock viewers of desktops do."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(wallclock - timedelta(days=CLOCK_SKEW_DAYS))
        builder = builder.not_valid_after(wallclock + timedelta(days=LIFETIME_DAYS))
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_name_of(host) for host in hosts]), critical=False)
        return cls(builder.sign(key, hashes.SHA256()), key)

    def fingerprint(self, algorithm: str = "sha-256") -> Fingerprint:
        """Its fingerprint, as `a=fingerprint` wants it."""
        return Fingerprint.of(self.certificate.public_bytes(Encoding.DER), algorithm)


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
