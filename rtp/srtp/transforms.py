"""The cryptographic transforms of SRTP and SRTCP: AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1, RFC 6188) and
AES-GCM (RFC 7714 §8, §9).

A transform knows keys and the layout of a protected packet; indexes, windows and streams are the context's. `opened` answers
None for a wrong tag. Lengths are checked by the context.
"""

from __future__ import annotations

import hmac
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from rtp.srtp.derivation import DerivedKeys
from rtp.srtp.suites import Suite

RTCP_HEADER = 8
"""Bytes of an RTCP compound that stay readable: the first header and the sender's SSRC (RFC 3711 §3.4)."""
ENCRYPTED = 1 << 31
"""The E flag before the SRTCP index."""


class Transform(Protocol):
    """Protects and opens packets of one direction and kind."""

    def sealed(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """An RTP packet protected: `header` bytes stay readable, `index` is the 48-bit packet index."""

    def opened(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes | None:
        """A protected RTP packet in clear, or None."""

    def sealed_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """An RTCP compound protected, with the E flag and its 31-bit index."""

    def opened_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """A protected RTCP compound in clear, or None."""


class CounterModeTransform:
    """AES-CM and HMAC-SHA1 with a tag of 80 bits."""

    def __init__(self, suite: Suite, keys: DerivedKeys) -> None:
        self._cipher = AES(keys.encryption)
        self._salt = int.from_bytes(keys.salt) << 16
        self._authentication = keys.authentication
        self._tag = suite.tag_length

    def _applied(self, data: bytes, ssrc: int, index: int) -> bytes:
        """Encryption and decryption are the same XOR with the keystream of an IV (RFC 3711 §4.1.1)."""
        iv = self._salt ^ ssrc << 64 ^ index << 16
        return Cipher(self._cipher, CTR(iv.to_bytes(16))).encryptor().update(data)

    def _tag_of(self, data: bytes) -> bytes:
        return hmac.digest(self._authentication, data, "sha1")[:self._tag]

    def sealed(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """The authenticated portion is the packet and its rollover counter (RFC 3711 §4.2)."""
        sealed = packet[:header] + self._applied(packet[header:], ssrc, index)
        return sealed + self._tag_of(sealed + (index >> 16).to_bytes(4))

    def opened(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes | None:
        """Authenticates before it decrypts (RFC 3711 §3.3)."""
        sealed, tag = packet[:-self._tag], packet[-self._tag:]
        if not hmac.compare_digest(tag, self._tag_of(sealed + (index >> 16).to_bytes(4))):
            return None
        return sealed[:header] + self._applied(sealed[header:], ssrc, index)

    def sealed_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Flag and index stand before the tag (RFC 3711 §3.4)."""
        sealed = packet[:RTCP_HEADER] + self._applied(packet[RTCP_HEADER:], ssrc, index)
        sealed += (ENCRYPTED | index).to_bytes(4)
        return sealed + self._tag_of(sealed)

    def opened_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """Authenticates the compound with flag and index, then decrypts."""
        sealed, tag = packet[:-self._tag], packet[-self._tag:]
        if not hmac.compare_digest(tag, self._tag_of(sealed)):
            return None
        return sealed[:RTCP_HEADER] + self._applied(sealed[RTCP_HEADER:-4], ssrc, index)


class AeadTransform:
    """AES-GCM with a tag of 128 bits; what stays readable is authenticated as associated data."""

    def __init__(self, keys: DerivedKeys) -> None:
        self._cipher = AESGCM(keys.encryption)
        self._salt = int.from_bytes(keys.salt)

    def _nonce(self, ssrc: int, index: int) -> bytes:
        """Two zero bytes, SSRC, 48 bits of index, XOR salt (RFC 7714 §8.1, §9.1)."""
        return (self._salt ^ ssrc << 48 ^ index).to_bytes(12)

    def sealed(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """The associated data is the header with CSRCs and extension (RFC 7714 §8.2)."""
        head = packet[:header]
        return head + self._cipher.encrypt(self._nonce(ssrc, index), packet[header:], head)

    def opened(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes | None:
        """Tag and text are checked in one."""
        head = packet[:header]
        try:
            return head + self._cipher.decrypt(self._nonce(ssrc, index), packet[header:], head)
        except InvalidTag:
            return None

    def sealed_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Flag and index stand after the tag and are associated data (RFC 7714 §9.2)."""
        head, tail = packet[:RTCP_HEADER], (ENCRYPTED | index).to_bytes(4)
        return head + self._cipher.encrypt(self._nonce(ssrc, index), packet[RTCP_HEADER:], head + tail) + tail

    def opened_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """The reverse of `sealed_rtcp`."""
        head, tail = packet[:RTCP_HEADER], packet[-4:]
        try:
            return head + self._cipher.decrypt(self._nonce(ssrc, index), packet[RTCP_HEADER:-4], head + tail)
        except InvalidTag:
            return None


def transform_for(suite: Suite, keys: DerivedKeys) -> Transform:
    """The transform of a suite."""
    return AeadTransform(keys) if suite.is_aead else CounterModeTransform(suite, keys)
