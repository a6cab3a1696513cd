"""Verbs of a meeting as surfaces give them: text of a chat, keys, members of a JSON object; and who may. Pure.

A surface makes an `Order` (`build`, `parse_command`) in which people are still names; the role that knows the people turns it
into commands with `Order.commands`. What is wrong with an order is told in words (`UsageError`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcu.commands import Command
from mcu.errors import UsageError
from mcu.participant import ParticipantId, Role
from mcu.verb_table import LAYOUTS, VERBS, Argument, Verb

__all__ = ["ALL", "KEYPAD", "LAYOUTS", "VERBS", "Argument", "Order", "Verb", "build", "may", "parse_command", "words_of"]

ALL = "all"
"""Names everybody."""
KEYPAD: dict[str, tuple[str, ...]] = {}
"""The verbs of each keypad code; of two, the second undoes the first."""
for _verb in VERBS.values():
    if _verb.keypad:
        KEYPAD[_verb.keypad] = (*KEYPAD.get(_verb.keypad, ()), _verb.name)
_WORDS = {word: verb for verb in VERBS.values() for word in (verb.name, *verb.also)}


@dataclass(frozen=True, slots=True)
class Order:
    """A verb with its arguments, as somebody gave it. who: whom it is about, by name; empty for oneself or nobody."""

    verb: Verb
    values: Mapping[str, str]
    who: str = ""

    def commands(self, targets: Sequence[ParticipantId]) -> tuple[Command, ...]:
        """What the rules are asked, one command a target; a verb about nobody has one. targets: those whom `who` means."""
        if self.verb.who is None:
            return (self.verb.make(None, self.values),)
        return tuple(self.verb.make(target, self.values) for target in targets)


def build(name: str, arguments: Mapping[str, Any]) -> Order:
    """The order of a JSON object (REST, INFO, the command line). Raises UsageError, in words."""
    verb = VERBS.get(name)
    if verb is None:
        raise UsageError(f"there is no verb {name[:40]!r}")
    known = {argument.name: argument for argument in verb.arguments}
    for key in arguments:
        if key not in known:
            raise UsageError(f"{name}: unknown argument {str(key)[:40]!r}")
    values = {key: _check(verb, argument, arguments.get(key)) for key, argument in known.items()}
    return _order(verb, {key: value for key, value in values.items() if value})


def parse_command(text: str) -> Order | None:
    """The order of a text such as `/mute Ann Lee` or `/rename "Ann Lee" Ann`; None when it is no command at all.

    The last argument takes the rest of the line; who and others before it are one word, or in quotes. Raises UsageError.
    """
    line = " ".join(text.split())
    if not line.startswith("/") or len(line) < 2:
        return None
    word, _, rest = line[1:].partition(" ")
    verb = _WORDS.get(word.lower())
    if verb is None:
        raise UsageError(f"there is no /{word[:40]}; there are {' '.join(one.chat for one in VERBS.values())}")
    given = _split(verb, rest)
    return build(verb.name, dict(zip((argument.name for argument in verb.arguments), given, strict=False)))


def may(verb: Verb, role: Role, *, is_own: bool = False) -> bool:
    """Whether a role has a verb; is_own: it is about the one who asks."""
    return role in verb.others or (is_own and role in verb.own)


def words_of(verb: Verb) -> str:
    """Who may, for people: "only a host or co-host may do that"."""
    roles = [role.value for role in Role if role in verb.others]
    return f"only {'the owner' if not roles else 'a ' + ' or '.join(roles)} may do that"


def _split(verb: Verb, rest: str) -> list[str]:
    """The arguments of a line; a first one that may be left away is, when there are too few."""
    count = len(verb.arguments)
    if not rest or not count:
        return [rest] if rest else []
    needed = [argument for argument in verb.arguments if argument.is_required]
    if count == 1:
        return [_unquote(rest)]
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split(" ")
    if len(words) < count and not verb.arguments[0].is_required and len(words) == len(needed):
        return ["", *words]
    first, last = words[:count - 1], words[count - 1:]
    return [*first, " ".join(last)] if last else first


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _check(verb: Verb, argument: Argument, value: Any) -> str:
    if value is None or value == "":
        if argument.is_required:
            raise UsageError(f"{verb.name}: {argument.name} is missing" + (f" ({argument.help})" if argument.help else ""))
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"{verb.name}: {argument.name}: a text was expected")
    if argument.choices and value.lower() not in argument.choices:
        raise UsageError(f"{verb.name}: {argument.name}: {', '.join(argument.choices)} was expected, not {value[:40]!r}")
    if len(value) > argument.most:
        raise UsageError(f"{verb.name}: {argument.name}: at most {argument.most} characters")
    return value.lower() if argument.choices else value


def _order(verb: Verb, values: dict[str, str]) -> Order:
    return Order(verb, values, values.pop("who", ""))
