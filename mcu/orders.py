"""Orders on their way to the rules of a room: whom they mean, what keys ask for, and what is said in answer.

An order names people as its giver does; names that several have are asked back rather than guessed. Keys are the verbs of
`mcu.verbs.KEYPAD`; of the two of a code, the one that changes something is meant.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcu.conference import Conference
from mcu.participant import Participant, ParticipantId, Role
from mcu.verbs import ALL, KEYPAD, Order, build
from mcu.verdicts import Done, Refused, Verdict

SPOKEN = {"mute": "muted", "unmute": "unmuted", "raise-hand": "hand-raised", "lower-hand": "hand-lowered"}
"""What a member hears in answer to keys that concern them alone."""
SPOKEN_TO_ALL = {"lock": "locked", "unlock": "unlocked"}
_OF_LOBBY = frozenset({"admit", "deny"})
_OF_BOTH = frozenset({"kick", "ban", "rename"})
"""Verbs about those who wait, and about members as well."""
MOST_COUNTED = 20
"""Up to how many are counted by a prompt of their own."""


def people_meant(conference: Conference, order: Order, actor: ParticipantId | None) -> list[ParticipantId] | Refused:
    """Those whom an order is about. `all` is everybody who can be meant, but not the one who gives the order."""
    verb = order.verb
    if verb.who is None:
        return []
    places = [*(conference.participants.values() if verb.name not in _OF_LOBBY else ()),
              *(conference.lobby.values() if verb.name in _OF_LOBBY | _OF_BOTH else ())]
    if not order.who:
        if actor is None:
            return Refused(400, f"{verb.name}: who is missing")
        return [actor]
    if order.who.strip().lower() == ALL:
        spared = {actor} if actor is not None else set()
        return [one.id for one in places if one.id not in spared]
    found = find(places, order.who)
    if not found:
        return Refused(404, f"nobody called {order.who[:64]!r} is in room {conference.name!r}")
    if len({one.identity.entity for one in found}) > 1:
        ids = " or ".join(str(one.id) for one in found)
        return Refused(409, f"several are called {order.who[:64]!r}: say which by id, {ids}")
    return [one.id for one in found]


def find(people: Iterable[Participant], who: str) -> list[Participant]:
    """People by id, URI or account, else by the name that is shown."""
    wanted, known = who.strip().lower(), list(people)
    exact = [one for one in known
             if wanted in (str(one.id), one.identity.entity.lower(), (one.identity.account or "").lower() or None)]
    return exact or [one for one in known if one.identity.display_name.lower() == wanted]


def carry_out(conference: Conference, order: Order, now: float, actor: ParticipantId | None, by: str = "") -> Verdict:
    """Give an order to the rules. Of several people each is judged alone: it is refused when it is refused for all."""
    people = people_meant(conference, order, actor)
    if isinstance(people, Refused):
        return people
    verdicts = [conference.execute(command, now, actor, by or "operator") for command in order.commands(people)]
    done = [verdict.count for verdict in verdicts if isinstance(verdict, Done)]
    refused = [verdict for verdict in verdicts if isinstance(verdict, Refused)]
    return refused[0] if refused and not done else Done(sum(done))


def keyed(conference: Conference, code: str, participant: Participant) -> Order | None:
    """What a member asks for with a code of the keypad."""
    names = KEYPAD.get(code)
    if names is None:
        return None
    is_undone = {"*5": conference.is_locked, "*6": participant.is_muted, "*9": participant.hand_at is not None}
    arguments = {}
    if names[0] == "record":
        arguments["action"] = {"start": "pause", "resume": "pause", "pause": "resume"}.get(conference.recording, "start")
    return build(names[1] if is_undone.get(code) and len(names) > 1 else names[0], arguments)


def answer(order: Order, verdict: Verdict, role: Role) -> tuple[str, bool] | None:
    """The prompt that tells a caller what came of their keys, and whether all hear it; None where it is heard otherwise."""
    if isinstance(verdict, Refused):
        return "not-allowed", False
    name = order.verb.name
    if name in SPOKEN_TO_ALL:
        return SPOKEN_TO_ALL[name], True
    return (SPOKEN[name], False) if name in SPOKEN else None


def counted(count: int) -> str:
    """The prompt that says how many there are."""
    return f"count-{count}" if count <= MOST_COUNTED else "count-many"
