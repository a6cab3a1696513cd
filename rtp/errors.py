"""The errors of the RTP package (RFC 3550, RFC 8866, RFC 3264)."""

from __future__ import annotations


class RtpError(Exception):
    """Base of all errors of this package."""


class ParseError(RtpError):
    """Bytes that are no RTP, RTCP or SDP; whatever the bytes, parsers raise nothing else."""


class NegotiationFailed(RtpError):
    """Offer and answer have nothing in common; the text says what, for a person."""


class CodecError(RtpError):
    """A codec is missing, or could not make sense of a payload."""
