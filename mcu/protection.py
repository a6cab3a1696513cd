"""What is said of a leg's protection: suite, how keyed, over what signalling. Pure.

Keys in an SDP (SDES, RFC 4568) that went in clear protect from nobody who was on the way, and a fingerprint in clear
(DTLS-SRTP, RFC 5763 §7) could have been swapped there; so media counts as protected where its signalling was, too.
"""

from __future__ import annotations

PROTECTED = ("TLS", "WSS")
"""Transports that hide keys in an SDP from the network, and keep fingerprints as they were sent."""


def is_protected(transport: str, suite: str | None) -> bool:
    """Whether nobody on the way can listen. transport: of the signalling; suite: of SRTP, None for plain RTP."""
    return suite is not None and transport.upper() in PROTECTED


def words_of(transport: str, suite: str | None, keying: str | None) -> str:
    """The protection in words: "AEAD_AES_128_GCM by SDES over TLS", or "not protected" and why."""
    if suite is None:
        return "not protected: plain RTP"
    how = {"sdes": "SDES", "dtls": "DTLS"}.get(keying or "", "keys")
    if is_protected(transport, suite):
        return f"{suite} by {how} over {transport}"
    what = "fingerprint" if how == "DTLS" else "keys"
    return f"not protected: {suite}, but its {what} by {how} came in clear over {transport}"
