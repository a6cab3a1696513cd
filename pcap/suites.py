"""Cipher suites that captures of any system may hold: those of TLS 1.2, TLS 1.3 and DTLS with an AEAD, and those of SRTP.

TLS: RFC 5288, RFC 5289, RFC 7905, RFC 8446 §B.4. SRTP: RFC 4568 §6.2, RFC 6188, RFC 7714, profiles of RFC 5764 §4.1.2. The
short tags of 32 bits, which our own calls refuse, are read here. Suites with CBC are left out: nobody offers them first.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from rtp.srtp.suites import ALL_SUITES, Suite

Hash = type[SHA256] | type[SHA384]


@dataclass(frozen=True, slots=True)
class TlsSuite:
    """A suite of TLS: key length in bytes, AES-GCM or else ChaCha20-Poly1305, hash of the key schedule."""

    name: str
    key_length: int
    is_gcm: bool
    hash: Hash

    @property
    def hash_length(self) -> int:
        """Bytes of the hash."""
        return int(self.hash.digest_size)


_AES_128 = ("AES128-GCM-SHA256", 16, True, SHA256)
_AES_256 = ("AES256-GCM-SHA384", 32, True, SHA384)
_CHACHA = ("CHACHA20-POLY1305-SHA256", 32, False, SHA256)
TLS_SUITES: dict[int, TlsSuite] = {
    number: TlsSuite(*suite) for numbers, suite in (
        ((0x1301, 0x009C, 0x009E, 0xC02B, 0xC02F), _AES_128),
        ((0x1302, 0x009D, 0x009F, 0xC02C, 0xC030), _AES_256),
        ((0x1303, 0xCCA8, 0xCCA9, 0xCCAA), _CHACHA),
    ) for number in numbers
}
"""By the registered number; how keys were exchanged does not matter to who has the secrets."""


@dataclass(frozen=True, slots=True)
class SrtpSuite:
    """A suite of SRTP by its SDES name. rtcp_tag_length: SRTCP keeps 80 bits where SRTP has 32 (RFC 4568 §6.2.2)."""

    name: str
    rtp: Suite
    rtcp: Suite

    @property
    def master_length(self) -> int:
        """Bytes of master key and salt."""
        return self.rtp.master_length


def _short(name: str, key_length: int) -> SrtpSuite:
    return SrtpSuite(name, Suite(name, key_length, 14, 4, False), Suite(name, key_length, 14, 10, False))


_SRTP_SUITES = {
    suite.name: suite for suite in (
        *(SrtpSuite(one.name, one, one) for one in ALL_SUITES),
        SrtpSuite("AES_192_CM_HMAC_SHA1_80", *(Suite("AES_192_CM_HMAC_SHA1_80", 24, 14, 10, False),) * 2),
        _short("AES_CM_128_HMAC_SHA1_32", 16), _short("AES_192_CM_HMAC_SHA1_32", 24), _short("AES_256_CM_HMAC_SHA1_32", 32),
    )
}
_PROFILES = {1: "AES_CM_128_HMAC_SHA1_80", 2: "AES_CM_128_HMAC_SHA1_32", 7: "AEAD_AES_128_GCM", 8: "AEAD_AES_256_GCM"}


def srtp_suite(name: str) -> SrtpSuite | None:
    """The suite of an SDES name; phones write those of 256 bits in either order of the words."""
    return _SRTP_SUITES.get(name.replace("AES_CM_256", "AES_256_CM").replace("AES_CM_192", "AES_192_CM"))


def srtp_profile(number: int) -> SrtpSuite | None:
    """The suite of a protection profile of `use_srtp` (RFC 5764 §4.1.2, RFC 7714 §14.2)."""
    return _SRTP_SUITES.get(_PROFILES.get(number, ""))
