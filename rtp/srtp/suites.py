"""Crypto suites and keys of SRTP (RFC 3711 §8.2, RFC 4568 §6.2, RFC 5764 §4.1.2, RFC 6188, RFC 7714 §12 to §14).

The suites with tags of 32 bits are left out: a forger succeeds with one packet in four billion, which costs nothing to try.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SRTP_LIFETIME = 2**48
"""Packets that one master key may protect (RFC 3711 §9.2)."""
SRTCP_LIFETIME = 2**31
"""RTCP packets of one stream: the index has 31 bits (RFC 3711 §9.2)."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite, lengths in bytes. `name` as in SDES; `profile` as OpenSSL calls it for DTLS, empty where DTLS has none."""

    name: str
    key_length: int
    salt_length: int
    tag_length: int
    is_aead: bool
    profile: str = ""

    @property
    def master_length(self) -> int:
        """Bytes of a master key and its salt."""
        return self.key_length + self.salt_length

    def __str__(self) -> str:
        return self.name


AEAD_AES_128_GCM = Suite("AEAD_AES_128_GCM", 16, 12, 16, True, "SRTP_AEAD_AES_128_GCM")
AEAD_AES_256_GCM = Suite("AEAD_AES_256_GCM", 32, 12, 16, True, "SRTP_AEAD_AES_256_GCM")
AES_CM_128_HMAC_SHA1_80 = Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10, False, "SRTP_AES128_CM_SHA1_80")
AES_256_CM_HMAC_SHA1_80 = Suite("AES_256_CM_HMAC_SHA1_80", 32, 14, 10, False)

SUITES = (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80)
"""What is offered, and the order of choice in an answer."""
ALL_SUITES = (*SUITES, AES_256_CM_HMAC_SHA1_80)
"""What can be done where it is asked for."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key and salt (RFC 3711 §3.2.1), never shown. `lifetime`: SRTP packets it may protect, at most 2^48."""

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    lifetime: int = SRTP_LIFETIME

    @classmethod
    def of(cls, suite: Suite, data: bytes, lifetime: int = SRTP_LIFETIME) -> MasterKey:
        """Key and salt in one string, as SDES carries them. Raises ValueError for another length than the suite's."""
        if len(data) != suite.master_length:
            raise ValueError(f"{suite} takes {suite.master_length} bytes of key and salt, not {len(data)}")
        return cls(data[:suite.key_length], data[suite.key_length:], lifetime)

    def __bytes__(self) -> bytes:
        return self.key + self.salt


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What keying comes to: the suite, the key of what we send, and that of what the peer sends."""

    suite: Suite
    local: MasterKey
    remote: MasterKey


def suite_named(name: str) -> Suite | None:
    """The suite of an SDES name, if we have it; names are as written (RFC 4568 §9.1)."""
    return next((suite for suite in ALL_SUITES if suite.name == name), None)


def suite_of_profile(profile: str) -> Suite | None:
    """The suite of a DTLS-SRTP protection profile in OpenSSL's spelling, if we have it."""
    return next((suite for suite in SUITES if suite.profile == profile), None)
