"""How a session begins (RFC 6143 §7.1 to §7.3): versions, security, the words of both sides as scripts.

Both scripts return an empty text, or why the other side was refused (`serve`), or why it refused us (`view`). A server speaks
3.8 and, as §7.1.1 wants, 3.7 and 3.3; our viewer asks for 3.8. Where TLS begins a script calls `begin_tls` and holds.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from rtp.errors import ParseError
from rtp.rfb.pixels import PixelFormat, check_size
from rtp.rfb.security import (
    CHALLENGE_SIZE,
    MAX_PASSWORD,
    MAX_REASON,
    NONE,
    VENCRYPT,
    VENCRYPT_VERSION,
    VNC_AUTH,
    X509_PLAIN,
    is_response,
    vnc_response,
)
from rtp.rfb.stream import HOLD, Reading

VERSION = b"RFB 003.008\n"
MAX_NAME = 1024
"""Bytes of a desktop's name."""
REFUSED = "name or password are not right"
_VERSION = re.compile(rb"RFB ([0-9]{3})\.([0-9]{3})\n")

Send = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """What a server asks for. types: security types in order of preference.

    random: gives so many random bytes. vnc_password: the word for VNC authentication; or may_answer, which judges a challenge
    and its answer. may_enter: judges a name and a password that came by X509Plain. Both are called once a connection, so a
    ticket can be used up by them.
    """

    types: tuple[int, ...] = (NONE,)
    random: Callable[[int], bytes] | None = None
    vnc_password: str = field(default="", repr=False)
    may_answer: Callable[[bytes, bytes], bool] | None = None
    may_enter: Callable[[str, str], bool] | None = None


@dataclass(frozen=True, slots=True)
class ViewerSecurity:
    """What a viewer can show. types: what it accepts, in order of preference; VENCRYPT stands for X509Plain."""

    types: tuple[int, ...] = (NONE,)
    user: str = ""
    password: str = field(default="", repr=False)


def parse_version(data: bytes) -> tuple[int, int]:
    """The version in a greeting of 12 bytes. Raises ParseError for another protocol or one before 3.3."""
    match = _VERSION.fullmatch(data)
    if match is None or (version := (int(match[1]), int(match[2]))) < (3, 3):
        raise ParseError("RFB: a greeting of version 3.3 or later expected")
    return version


def serve(security: ServerSecurity, send: Send, begin_tls: Callable[[], None]) -> Reading[str]:
    """The server's part up to the SecurityResult. Raises ParseError."""
    send(VERSION)
    version = parse_version((yield 12))
    if version < (3, 7):
        chosen = next((kind for kind in security.types if kind in (NONE, VNC_AUTH)), 0)
        send(chosen.to_bytes(4))
        if not chosen:
            reason = b"version 3.8 is needed here"
            send(len(reason).to_bytes(4) + reason)
            return "a viewer too old for TLS"
    else:
        send(bytes([len(security.types), *security.types]))
        chosen = (yield 1)[0]
    if chosen not in security.types:
        raise ParseError(f"RFB: security type {chosen} was not offered")
    is_welcome = yield from _serve_type(chosen, security, send, begin_tls)
    if chosen == NONE and version < (3, 8):
        return ""
    send((0 if is_welcome else 1).to_bytes(4))
    if is_welcome:
        return ""
    if version >= (3, 8):
        send(len(REFUSED).to_bytes(4) + REFUSED.encode())
    return REFUSED


def _serve_type(chosen: int, security: ServerSecurity, send: Send, begin_tls: Callable[[], None]) -> Reading[bool]:
    if chosen == NONE:
        return True
    if chosen == VNC_AUTH:
        if security.random is None:
            raise ValueError("VNC authentication needs a source of randomness")
        challenge = security.random(CHALLENGE_SIZE)
        send(challenge)
        response = yield CHALLENGE_SIZE
        if security.may_answer is not None:
            return security.may_answer(challenge, response)
        return is_response(security.vnc_password, challenge, response)
    send(VENCRYPT_VERSION)
    if (yield 2) != VENCRYPT_VERSION:
        send(b"\xff")
        raise ParseError("RFB: VeNCrypt 0.2 expected")
    send(b"\0\1" + X509_PLAIN.to_bytes(4))
    if int.from_bytes((yield 4)) != X509_PLAIN:
        send(b"\0")
        raise ParseError("RFB: another subtype of VeNCrypt than X509Plain")
    send(b"\1")
    begin_tls()
    yield HOLD
    sizes = struct.unpack("!II", (yield 8))
    if max(sizes) > MAX_PASSWORD:
        raise ParseError(f"RFB: a name or password of {max(sizes)} bytes")
    user = (yield sizes[0]).decode("utf-8", "replace")
    password = (yield sizes[1]).decode("utf-8", "replace")
    return security.may_enter is not None and security.may_enter(user, password)


def view(security: ViewerSecurity, send: Send, begin_tls: Callable[[], None]) -> Reading[str]:
    """The viewer's part up to the SecurityResult. Raises ParseError."""
    if parse_version((yield 12)) < (3, 8):
        raise ParseError("RFB: a server of version 3.8 or later expected")
    send(VERSION)
    count = (yield 1)[0]
    if count == 0:
        return (yield from _read_text(MAX_REASON))
    offered = yield count
    chosen = next((kind for kind in security.types if kind in offered), 0)
    if not chosen:
        raise ParseError(f"RFB: the server offers the security types {list(offered)}; none will do")
    send(bytes([chosen]))
    if chosen == VNC_AUTH:
        send(vnc_response(security.password, (yield CHALLENGE_SIZE)))
    elif chosen == VENCRYPT:
        yield from _view_vencrypt(security, send, begin_tls)
    if int.from_bytes((yield 4)) == 0:
        return ""
    return (yield from _read_text(MAX_REASON)) or REFUSED


def _view_vencrypt(security: ViewerSecurity, send: Send, begin_tls: Callable[[], None]) -> Reading[None]:
    if (yield 2) < VENCRYPT_VERSION:
        raise ParseError("RFB: a server with VeNCrypt 0.2 expected")
    send(VENCRYPT_VERSION)
    refused, count = yield 2
    subtypes = struct.unpack(f"!{count}I", (yield 4 * count))
    if refused or X509_PLAIN not in subtypes:
        raise ParseError(f"RFB: subtypes {list(subtypes)} of VeNCrypt are offered; X509Plain ({X509_PLAIN}) is needed")
    send(X509_PLAIN.to_bytes(4))
    if (yield 1) != b"\1":
        raise ParseError("RFB: the server refused what it offered")
    begin_tls()
    yield HOLD
    user, password = security.user.encode(), security.password.encode()
    send(struct.pack("!II", len(user), len(password)) + user + password)


def server_init(width: int, height: int, pixel_format: PixelFormat, name: str) -> bytes:
    """ServerInit (§7.3.2)."""
    data = name.encode("utf-8", "replace")[:MAX_NAME]
    return struct.pack("!HH", width, height) + bytes(pixel_format) + len(data).to_bytes(4) + data


def read_server_init() -> Reading[tuple[int, int, PixelFormat, str]]:
    """Width, height, pixel format and name. Raises ParseError."""
    data = yield 20
    width, height = struct.unpack_from("!HH", data)
    check_size(width, height)
    return width, height, PixelFormat.parse(data[4:]), (yield from _read_text(MAX_NAME))


def _read_text(limit: int) -> Reading[str]:
    size = int.from_bytes((yield 4))
    if size > limit:
        raise ParseError(f"RFB: a text of {size} bytes; {limit} are allowed")
    return (yield size).decode("utf-8", "replace")
