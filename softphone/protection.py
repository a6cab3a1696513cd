"""What the phone says of a call's protection. "Encrypted" is said only where nobody on the way could have come by the keys:
SRTP, keyed (RFC 4568, RFC 5763 §7) over signalling that is protected itself."""

from __future__ import annotations

from collections.abc import Sequence

from rtp.sdp.protection import Protection
from rtp.srtp import SUITES, Suite

SECURE_TRANSPORTS = ("TLS", "WSS")
PLAIN = "Sound travels unencrypted: who is on the way can listen."
KEYS_IN_CLEAR = "Sound is encrypted, but its keys came in clear: who was on the way then can listen."
FINGERPRINT_IN_CLEAR = "Sound is encrypted, but its fingerprint came in clear: who could change it on the way can listen."
AWAITS_KEYS = "The keys for the sound are being agreed on; nothing is sent before."


def check_keying(name: str) -> tuple[str, ...]:
    """What an offer brings keys about by; empty for what fits the signalling. Raises ValueError for an unknown way."""
    if name not in ("", "sdes", "dtls"):
        raise ValueError(f"keys come by sdes or dtls, not by {name!r}")
    return (name,) if name else ()


def suites_named(names: Sequence[str]) -> tuple[Suite, ...]:
    """Suites of SRTP that we offer, by name, all for none. Raises ValueError for an unknown one."""
    known = {suite.name: suite for suite in SUITES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no suite is called {unknown[0]!r}; there are {', '.join(known)}")
    return tuple(known[name] for name in names) or SUITES


def is_secure(transport: str) -> bool:
    """Whether keys may go in an SDP over this signalling without anybody on the way seeing them."""
    return transport.upper() in SECURE_TRANSPORTS


def protection_words(transport: str, protection: Protection | None) -> str:
    """Suite, how keyed, over what signalling; empty while the call is not protected."""
    if protection is None or not protection.suite or not is_secure(transport):
        return ""
    return f"{protection.suite} by {protection.how.upper()} over {transport}"


def exposure(transport: str, protection: Protection | None) -> str:
    """Why a call is not protected, in a sentence; empty when it is."""
    if protection is None:
        return PLAIN
    if not protection.suite:
        return AWAITS_KEYS
    if is_secure(transport):
        return ""
    return FINGERPRINT_IN_CLEAR if protection.how == "dtls" else KEYS_IN_CLEAR
