"""Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11), with a key derivation rate of zero."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from rtp.srtp.suites import MasterKey, Suite

RTP_ENCRYPTION, RTP_AUTHENTICATION, RTP_SALT = 0, 1, 2
RTCP_ENCRYPTION, RTCP_AUTHENTICATION, RTCP_SALT = 3, 4, 5
"""Labels of the six derived keys (RFC 3711 §4.3.1, §4.3.2)."""
AUTHENTICATION_LENGTH = 20
"""n_a of HMAC-SHA1 in bytes (RFC 3711 §5.2)."""


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """Keys of one direction, for RTP or for RTCP; `authentication` is empty with AEAD suites."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def derive(master: MasterKey, label: int, length: int) -> bytes:
    """`length` bytes of keystream for a label: AES in counter mode over (label and salt) × 2^16 (RFC 3711 §4.3.3).

    An AEAD's salt of 12 bytes is extended by two zero bytes (RFC 7714 §11).
    """
    salt = int.from_bytes(master.salt.ljust(14, b"\0")) ^ label << 48
    keystream = Cipher(AES(master.key), CTR((salt << 16).to_bytes(16))).encryptor()
    return keystream.update(bytes(length))


def rtp_keys(suite: Suite, master: MasterKey) -> DerivedKeys:
    """The keys of SRTP."""
    return _keys(suite, master, RTP_ENCRYPTION, RTP_AUTHENTICATION, RTP_SALT)


def rtcp_keys(suite: Suite, master: MasterKey) -> DerivedKeys:
    """The keys of SRTCP."""
    return _keys(suite, master, RTCP_ENCRYPTION, RTCP_AUTHENTICATION, RTCP_SALT)


def _keys(suite: Suite, master: MasterKey, encryption: int, authentication: int, salt: int) -> DerivedKeys:
    return DerivedKeys(
        derive(master, encryption, suite.key_length),
        b"" if suite.is_aead else derive(master, authentication, AUTHENTICATION_LENGTH),
        derive(master, salt, suite.salt_length),
    )
