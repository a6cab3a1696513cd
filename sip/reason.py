"""The Reason header (RFC 3326): why a request was sent, read from BYE and CANCEL and written into ours."""

from __future__ import annotations

from dataclasses import dataclass

from sip.errors import ParseError
from sip.grammar import number, parameters, unquote
from sip.message import Request, Response


@dataclass(frozen=True, slots=True)
class Reason:
    """One value: `protocol` in capitals (SIP, Q.850), `cause` 0 where none is given, `text` for people."""

    protocol: str
    cause: int = 0
    text: str = ""

    @classmethod
    def parse(cls, value: str) -> Reason:
        """Read one value. Raises ParseError."""
        protocol, semicolon, rest = value.partition(";")
        found = dict(parameters(semicolon + rest, "Reason"))
        cause = found.get("cause")
        return cls(protocol.strip(" \t").upper(), number(cause, "cause", 999) if cause else 0, unquote(found.get("text") or ""))

    def __str__(self) -> str:
        text = self.text.replace("\\", "").replace('"', "'")
        return f"{self.protocol};cause={self.cause}" + (f';text="{text}"' if text else "")


def reason_of(message: Request | Response) -> Reason:
    """The first Reason of a message that can be read, one of SIP before others; an empty one where there is none."""
    found = []
    for value in message.headers.get_all("Reason"):
        try:
            found.append(Reason.parse(value))
        except ParseError:
            continue
    return next((reason for reason in found if reason.protocol == "SIP"), found[0] if found else Reason(""))
