"""The errors of the RTP package (RFC 3550, RFC 8866, RFC 3264, RFC 3711, RFC 5763)."""

from __future__ import annotations


class RtpError(Exception):
    """Base of all errors of this package."""


class ParseError(RtpError):
    """Bytes that are no RTP, RTCP or SDP; whatever the bytes, parsers raise nothing else."""


class NegotiationFailed(RtpError):
    """Offer and answer have nothing in common; the text says what, for a person."""


class CodecError(RtpError):
    """A codec is missing, or could not make sense of a payload."""


class AuthenticationFailed(RtpError):
    """A protected packet that is dropped. `reason`: `tag`, `replay`, `malformed` or `source` (too many SSRCs)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"SRTP: packet dropped ({reason})")
        self.reason = reason


class KeyExhausted(RtpError):
    """A packet cannot be protected: the key's life is over, or its index was used before (it would repeat a nonce)."""


class HandshakeFailed(RtpError):
    """DTLS or TLS did not come to an end that can be trusted; the text says why, for a person."""
