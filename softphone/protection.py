"""What the phone says of a call's protection. "Encrypted" is said only where nobody on the way could have come by the keys:
SRTP, keyed (RFC 4568, RFC 5763 §7) over signalling that is protected itself."""

from __future__ import annotations

from rtp.sdp.protection import Protection

SECURE_TRANSPORTS = ("TLS", "WSS")
PLAIN = "Sound travels unencrypted: who is on the way can listen."
KEYS_IN_CLEAR = "Sound is encrypted, but its keys came in clear: who was on the way then can listen."


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
    return "" if is_secure(transport) else KEYS_IN_CLEAR
