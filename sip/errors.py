"""The errors of the SIP package, and whose fault each is (RFC 3261 §21 gives the status codes)."""

from __future__ import annotations


class SipError(Exception):
    """Base of all errors of this package."""


class ParseError(SipError):
    """Bytes that are no SIP message, header or URI. `status` is what to answer where an answer is possible."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class RemoteProtocolError(SipError):
    """The peer broke the protocol. `status` is what to answer a request with."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class LocalProtocolError(SipError):
    """We asked for something that the protocol, or the state, does not allow."""
