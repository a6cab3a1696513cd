"""From logged secrets to record keys: the PRF of TLS 1.2 (RFC 5246 §5, §6.3), HKDF of TLS 1.3 (RFC 8446 §7.1 to §7.3), the
exporters (RFC 5705 §4, RFC 8446 §7.5), and opening a protected record (RFC 5288 §3, RFC 7905 §2, RFC 8446 §5.2).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import Hash as Digest

from pcap.suites import Hash, TlsSuite

TAG = 16
"""Bytes that every AEAD of these suites adds."""


def prf(hash_: Hash, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_hash of TLS 1.2 (RFC 5246 §5)."""
    name, out, step = hash_.name, b"", label + seed
    while len(out) < length:
        step = hmac.digest(secret, step, name)
        out += hmac.digest(secret, step + label + seed, name)
    return out[:length]


def expand_label(hash_: Hash, secret: bytes, label: bytes, context: bytes, length: int, prefix: bytes = b"tls13 ") -> bytes:
    """HKDF-Expand-Label (RFC 8446 §7.1); DTLS 1.3 has the prefix `dtls13` (RFC 9147 §5.9)."""
    full = prefix + label
    info = length.to_bytes(2) + bytes([len(full)]) + full + bytes([len(context)]) + context
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), hash_.name)
        out, counter = out + block, counter + 1
    return out[:length]


def _hashed(hash_: Hash, data: bytes) -> bytes:
    digest = Digest(hash_())
    digest.update(data)
    return digest.finalize()


def exported(suite: TlsSuite, is_tls13: bool, secret: bytes, randoms: bytes, label: bytes, length: int,
             prefix: bytes = b"tls13 ") -> bytes:
    """Keying material for another protocol, without a context.

    secret: the master secret of TLS 1.2, the exporter secret of TLS 1.3; randoms: client's and server's, for TLS 1.2.
    """
    if not is_tls13:
        return prf(suite.hash, secret, label, randoms, length)
    empty = _hashed(suite.hash, b"")
    derived = expand_label(suite.hash, secret, label, empty, suite.hash_length, prefix)
    return expand_label(suite.hash, derived, b"exporter", empty, length, prefix)


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """Key and IV of one direction. is_tls13: nonces and associated data are as in TLS 1.3."""

    suite: TlsSuite
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    is_tls13: bool

    def opened(self, header: bytes, sequence: int, fragment: bytes) -> bytes | None:
        """A record's content, None when it does not authenticate.

        header: the first five bytes of a TLS record, with type and version in the first three; sequence: 64 bits, for
        DTLS the epoch in the first sixteen (RFC 6347 §4.1.2.1).
        """
        explicit = 8 if self.suite.is_gcm and not self.is_tls13 else 0
        length = len(fragment) - explicit - TAG
        if length < 0:
            return None
        if explicit:
            nonce = self.iv + fragment[:8]
        else:
            nonce = (int.from_bytes(self.iv) ^ sequence).to_bytes(12)
        associated = header if self.is_tls13 else sequence.to_bytes(8) + header[:3] + length.to_bytes(2)
        cipher = AESGCM(self.key) if self.suite.is_gcm else ChaCha20Poly1305(self.key)
        try:
            return cipher.decrypt(nonce, fragment[explicit:], associated)
        except InvalidTag:
            return None


def tls12_keys(suite: TlsSuite, master: bytes, client_random: bytes, server_random: bytes) -> tuple[RecordKeys, RecordKeys]:
    """Keys of client and server from the master secret (RFC 5246 §6.3)."""
    size, salt = suite.key_length, 4 if suite.is_gcm else 12
    block = prf(suite.hash, master, b"key expansion", server_random + client_random, 2 * (size + salt))
    client, server = block[:size], block[size:2 * size]
    ivs = block[2 * size:]
    return RecordKeys(suite, client, ivs[:salt], False), RecordKeys(suite, server, ivs[salt:], False)


def tls13_keys(suite: TlsSuite, secret: bytes) -> RecordKeys:
    """Keys of one direction from a traffic secret (RFC 8446 §7.3)."""
    return RecordKeys(suite, expand_label(suite.hash, secret, b"key", b"", suite.key_length),
                      expand_label(suite.hash, secret, b"iv", b"", 12), True)


def next_secret(suite: TlsSuite, secret: bytes) -> bytes:
    """The traffic secret after a KeyUpdate (RFC 8446 §7.2)."""
    return expand_label(suite.hash, secret, b"traffic upd", b"", suite.hash_length)
