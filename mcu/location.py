"""Where phones are (the location service of RFC 3261 §10): a Protocol, and the one in memory that a single server uses.

A phone that has registered several flows is called by the newest, and by the others when that one fails (RFC 5626 §7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mcu.storage.base import Binding
from sip.errors import ParseError
from sip.flow import Flow
from sip.grammar import split_list
from sip.headers import HeaderList
from sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Located:
    """A binding and the flow of its REGISTER, None when it was made before a restart (RFC 5626 §5.3)."""

    binding: Binding
    flow: Flow | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How a registered phone is called: its Contact, the flow, others of the same phone, the Route, and what the phone calls
    itself."""

    target: Uri
    flow: Flow
    alternatives: tuple[Flow, ...] = ()
    headers: HeaderList = ()
    user_agent: str = ""


def ways_to(bindings: list[Located], flow_of: Callable[[Located], Flow | None], *, is_secure: bool = False) -> list[Way]:
    """The ways to all phones of somebody, one for each phone. is_secure: over TLS alone (sips); bindings: the newest last.

    What can't be reached, or would lead back to us, is left out.
    """
    phones: dict[str, list[tuple[Located, Flow]]] = {}
    for located in reversed(bindings):
        flow = flow_of(located)
        if flow is not None and flow.remote != flow.local and (flow.is_protected or not is_secure):
            phones.setdefault(located.binding.instance or located.binding.contact, []).append((located, flow))
    return [way for flows in phones.values() if (way := _way(flows)) is not None]


def _way(flows: list[tuple[Located, Flow]]) -> Way | None:
    (newest, flow), *others = flows
    binding = newest.binding
    try:
        target = Uri.parse(binding.contact)
    except ParseError:
        return None
    routes = [("Route", value) for value in split_list(binding.path)] if binding.path else []
    alternatives = tuple(other for located, other in others if located.binding.path == binding.path)
    return Way(target, flow, alternatives, routes, binding.user_agent)


class LocationStore(Protocol):
    """Bindings by address of record. All calls return at once."""

    def get(self, aor: str) -> list[Located]:
        """The bindings of an address of record, the newest last."""

    def put(self, located: Located) -> None:
        """Add a binding, in place of the one with the same contact."""

    def remove(self, aor: str, contact: str) -> None:
        """Remove a binding; an unknown one is no error."""

    def all(self) -> Iterator[Located]:
        """Every binding."""


class MemoryLocationStore:
    """Bindings of one server in memory; `written`, `removed` are told of each change (to write it behind)."""

    def __init__(self, written: Callable[[Binding], None] = lambda binding: None,
                 removed: Callable[[str, str], None] = lambda aor, contact: None) -> None:
        self._by_aor: dict[str, dict[str, Located]] = {}
        self._written = written
        self._removed = removed

    def load(self, bindings: list[Binding]) -> None:
        """Take what an earlier run of the server left behind."""
        for binding in bindings:
            self._by_aor.setdefault(binding.aor, {})[binding.contact] = Located(binding)

    def get(self, aor: str) -> list[Located]:
        """See LocationStore."""
        return list(self._by_aor.get(aor, {}).values())

    def put(self, located: Located) -> None:
        """See LocationStore."""
        binding = located.binding
        mine = self._by_aor.setdefault(binding.aor, {})
        mine.pop(binding.contact, None)
        mine[binding.contact] = located
        self._written(binding)

    def remove(self, aor: str, contact: str) -> None:
        """See LocationStore."""
        mine = self._by_aor.get(aor)
        if mine is not None and mine.pop(contact, None) is not None:
            if not mine:
                del self._by_aor[aor]
            self._removed(aor, contact)

    def all(self) -> Iterator[Located]:
        """See LocationStore."""
        return (located for mine in list(self._by_aor.values()) for located in list(mine.values()))
