"""The Replaces header (RFC 3891): an INVITE that takes the place of another call."""

from __future__ import annotations

from dataclasses import dataclass

from sip.dialog import DialogId
from sip.errors import ParseError
from sip.grammar import parameters
from sip.message import Request

OPTION = "replaces"


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog to be replaced, as who receives the INVITE knows it: `to_tag` is the receiver's own tag (§3)."""

    call_id: str
    to_tag: str
    from_tag: str
    is_early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> Replaces:
        """Read a value. Raises ParseError."""
        call_id, semicolon, rest = value.partition(";")
        found = dict(parameters(semicolon + rest, "Replaces"))
        to_tag, from_tag = found.get("to-tag"), found.get("from-tag")
        if not call_id.strip(" \t") or to_tag is None or from_tag is None:
            raise ParseError("Replaces: a Call-ID, to-tag and from-tag were expected")
        return cls(call_id.strip(" \t"), to_tag, from_tag, "early-only" in found)

    def __str__(self) -> str:
        early = ";early-only" if self.is_early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    @property
    def dialog_id(self) -> DialogId:
        """The dialog's id at the receiver; a tag of 0 stands for a peer of RFC 2543 without one (§3)."""
        return (self.call_id, self.to_tag, "" if self.from_tag == "0" else self.from_tag)


def replaces_of(request: Request) -> Replaces | None:
    """The Replaces header of an INVITE. Raises ParseError for two of them, and for one that can't be read (§3)."""
    values = request.headers.get_lines("Replaces")
    if not values:
        return None
    if len(values) > 1:
        raise ParseError("two Replaces headers")
    return Replaces.parse(values[0])
