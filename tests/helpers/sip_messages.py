"""SIP messages in text form for tests that play a peer by hand."""

from __future__ import annotations

DEFAULTS = {
    "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKhand1;rport",
    "Max-Forwards": "70",
    "From": "<sip:alice@a.example>;tag=alice",
    "To": "<sip:room@b.example>",
    "Call-ID": "hand-made@a.example",
    "CSeq": "1 INVITE",
    "Contact": "<sip:alice@192.0.2.1:5060>",
}


def request(
    method: str = "OPTIONS",
    uri: str = "sip:room@b.example",
    *,
    body: bytes = b"",
    extra: tuple[str, ...] = (),
    **changed: str | None,
) -> bytes:
    """A request with sensible headers. changed: other values by header name with `_` for `-`; None leaves the header out.

    extra: more header lines; a body brings its Content-Length, and an SDP type unless one is given.
    """
    fields: dict[str, str | None] = dict(DEFAULTS) | {"CSeq": f"1 {method}"}
    if body:
        fields["Content-Type"] = "application/sdp"
    fields |= {name.replace("_", "-"): value for name, value in changed.items()}
    fields.setdefault("Content-Length", str(len(body)))
    return join(f"{method} {uri} SIP/2.0", fields, extra, body)


def response(
    status: int, reason: str = "OK", *, body: bytes = b"", extra: tuple[str, ...] = (), **changed: str | None
) -> bytes:
    """A response, in the same way."""
    fields: dict[str, str | None] = dict(DEFAULTS)
    del fields["Max-Forwards"]
    fields |= {name.replace("_", "-"): value for name, value in changed.items()}
    fields.setdefault("Content-Length", str(len(body)))
    return join(f"SIP/2.0 {status} {reason}", fields, extra, body)


def join(start_line: str, fields: dict[str, str | None], extra: tuple[str, ...], body: bytes) -> bytes:
    """The bytes of a message."""
    lines = [start_line, *(f"{name}: {value}" for name, value in fields.items() if value is not None), *extra]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body
