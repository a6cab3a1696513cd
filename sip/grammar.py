"""Pieces of the grammar of RFC 3261 §25 that several headers share: tokens, quoted strings, parameters, comma lists.

Every expression is ASCII-only, has no nested quantifier (the time is linear in the length of the text), and is used
with `fullmatch` or at a given position, never with `$`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sip.errors import ParseError

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_PARAMETER = re.compile(r';[ \t]*([^\s=;,"<>]+)[ \t]*(?:=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|[^;,"<>\s]*)[ \t]*)?')
_SIMPLE_PARAMETER = re.compile(r";([A-Za-z0-9\-.]+)=([A-Za-z0-9\-.@]+)")
_QUOTED_PAIR = re.compile(r"\\(.)", re.S)
MAX_PARAMETERS = 64
"""More parameters in one header than any phone sends: an attack."""

Parameters = tuple[tuple[str, str | None], ...]


def number(text: str, what: str, limit: int = 0xFFFFFFFF) -> int:
    """A decimal number of up to ten digits. Raises ParseError for anything else (`int` takes far more)."""
    text = text.strip(" \t")
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or (value := int(text)) > limit:
        raise ParseError(f"{what}: a number up to {limit} was expected, not {text[:20]!r}")
    return value


def parameters(text: str, what: str) -> Parameters:
    """Parameters `;name=value;name` (names in lower case, quotes kept). Raises ParseError."""
    if text.count(";") == 1 and (simple := _SIMPLE_PARAMETER.fullmatch(text)):
        return ((simple[1].lower(), simple[2]),)
    found: list[tuple[str, str | None]] = []
    position, text = 0, text.strip(" \t")
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None or len(found) >= MAX_PARAMETERS:
            raise ParseError(f"{what}: no parameter at {text[position:position + 20]!r}")
        found.append((match[1].lower(), match[2]))
        position = match.end()
    return tuple(found)


def write_parameters(items: Parameters) -> str:
    """The text form of parameters."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in items)


def unquote(text: str) -> str:
    """A quoted string without its quotes and escapes; any other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
        return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text
    return text


def quote(text: str) -> str:
    """A text as a quoted string (RFC 3261 §25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split_list(value: str) -> Iterator[str]:
    """The elements of a comma list; commas inside quotes and angle brackets do not split."""
    if "," not in value:
        yield value.strip(" \t")
        return
    if '"' not in value and "<" not in value:
        yield from filter(None, [element.strip(" \t") for element in value.split(",")])
        return
    start, quoted, bracketed, position = 0, False, False, 0
    while position < len(value):
        character = value[position]
        if quoted:
            if character == "\\":
                position += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character == "<":
            bracketed = True
        elif character == ">":
            bracketed = False
        elif character == "," and not bracketed:
            if element := value[start:position].strip(" \t"):
                yield element
            start = position + 1
        position += 1
    if element := value[start:].strip(" \t"):
        yield element


def split_first(value: str) -> tuple[str, str]:
    """The first element of a comma list and the rest as it was written, without the comma between them."""
    if '"' not in value:
        first, _, rest = value.partition(",")
        return first.strip(" \t"), rest.strip(" \t")
    quoted, position = False, 0
    while position < len(value):
        character = value[position]
        if quoted and character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            return value[:position].strip(" \t"), value[position + 1:].strip(" \t")
        position += 1
    return value.strip(" \t"), ""
