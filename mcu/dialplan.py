"""What a request URI means at this server: a user, a room, the factory, a service, or nothing (PRODUCT's table of addresses).

Names of users win over rooms. `ROOM.PIN` is taken apart here, so that no PIN goes any further than the rules of the room. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from mcu.addresses import plain
from sip.uri import Uri

FACTORY = "conference"
"""The conference factory of RFC 4579 §5.4."""
SERVICES = {"echo": "echo", "tone": "tone", "music": "music"}
"""Names that answer by themselves, and the kind of media room behind each."""
ROOM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PIN = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Service:
    """The caller's own sound, a tone, or music."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Factory:
    """A new room for the caller."""


@dataclass(frozen=True, slots=True)
class RoomCalled:
    """A room's name, and the PIN that came with it."""

    name: str
    pin: str | None = None


@dataclass(frozen=True, slots=True)
class UserCalled:
    """A person with an account."""

    name: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another domain: we relay nothing for strangers."""

    host: str


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No such name, or no name at all."""


Destination = Service | Factory | RoomCalled | UserCalled | Elsewhere | Nowhere


class Dialplan:
    """Resolves request URIs. domain: our own name; is_user: whether an account has that name."""

    def __init__(self, domain: str, is_user: Callable[[str], bool]) -> None:
        self.domain = domain.lower()
        self._is_user = is_user

    def is_ours(self, host: str) -> bool:
        """Whether a host means this server: our domain, `localhost`, or any address (the request did arrive here)."""
        return host.lower() in (self.domain, "localhost") or plain(host) is not None

    def resolve(self, uri: Uri) -> Destination:
        """What answers at this URI."""
        if not uri.is_sip or not self.is_ours(uri.host):
            return Elsewhere(uri.host)
        user = unquote(uri.user or "").lower()
        name = user.partition(":")[0]
        if self._is_user(name):
            return UserCalled(name)
        if name == FACTORY:
            return Factory()
        if name in SERVICES:
            return Service(name, SERVICES[name])
        room, dot, pin = name.partition(".")
        if not ROOM_NAME.fullmatch(room) or (dot and not _PIN.fullmatch(pin)):
            return Nowhere()
        return RoomCalled(room, pin or None)


def without_pin(uri: Uri) -> str:
    """A request URI as it may be logged and recorded: without the PIN of `ROOM.PIN`, without parameters."""
    name = (uri.user or "").partition(".")[0]
    return str(Uri(uri.scheme, name or None, uri.host, uri.port)) if uri.is_sip else f"{uri.scheme}:…"
