"""Who may come in (RFC 6143 §7.1, §7.2): None, VNC authentication, and VeNCrypt's X509Plain of the community's list.

VNC authentication encrypts a challenge with DES under a password of at most eight bytes: it keeps nobody out who can listen, so
it is for one-time words on loopback only. X509Plain is TLS with the server's certificate, and name and password inside.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

NONE, VNC_AUTH, VENCRYPT = 1, 2, 19
X509_PLAIN = 262
"""VeNCrypt's number for TLS with a certificate, name and password."""
VENCRYPT_VERSION = b"\0\2"
CHALLENGE_SIZE = 16
MAX_PASSWORD = 1024
"""Bytes of a name or password in X509Plain."""
MAX_REASON = 4096
"""Bytes of a reason that a server gives for a refusal."""


def vnc_response(password: str, challenge: bytes) -> bytes:
    """The challenge of 16 bytes, encrypted (§7.2.2): DES in ECB mode, the bits of each byte of the key mirrored."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode("utf-8")[:8].ljust(8, b"\0"))
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()      # noqa: S305 - three equal keys are DES, as the RFC wants
    return encryptor.update(challenge) + encryptor.finalize()


def is_response(password: str, challenge: bytes, response: bytes) -> bool:
    """Whether a response is right; no response is right for an empty password."""
    return bool(password) and hmac.compare_digest(vnc_response(password, challenge), response)
