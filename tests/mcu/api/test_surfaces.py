"""One table of verbs: what the command line and REST do to a meeting is the same, and so is what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from mcu.errors import CommandError
from mcu.verbs import VERBS, Verb
from tests.helpers.front import Front
from tests.helpers.house import DOMAIN, House

OF_OTHERS = ("record", "say", "play", "invite")
"""Verbs that other processes and phones carry out: what comes of them is not in the rules alone."""
SAMPLES = {"new_name": "Robert", "banned": "nobody", "value": "hosts", "reason": "enough"}


def meeting() -> Front:
    """A room with a lobby, with its owner alice, with bob, and with carol who waits: the same each time."""
    house = House()
    phones = [house.member(name) for name in ("alice", "bob", "carol")]
    house.directory.add_room("daily", owner="alice", lobby=True)
    made = Front(house)
    for phone in phones:
        phone.call(f"sip:daily@{DOMAIN}")
        house.run(1.0)
    made.administration.execute("room.admit", {"name": "daily", "who": "bob"})
    house.run(1.0)
    return made


def sample(verb: Verb) -> dict[str, str]:
    """Arguments that make sense."""
    found = {}
    for argument in verb.arguments:
        who = "carol" if verb.name in ("admit", "deny") else "bob"
        found[argument.name] = (who if argument.kind == "who" else argument.choices[0] if argument.choices
                                else "chat" if argument.name == "switch" else SAMPLES.get(argument.name, "x"))
    return found


def state(front: Front) -> Any:
    """All that is to be seen of the room."""
    return front.house.live.rooms(), front.house.live.people("daily") if front.house.live.rooms() else []


@pytest.mark.parametrize("name", [name for name in VERBS if name not in OF_OTHERS])
def test_a_verb_does_the_same_by_rest_as_on_the_command_line(name: str) -> None:
    here, there = meeting(), meeting()
    arguments = sample(VERBS[name])
    try:
        told: Any = here.administration.execute(f"room.{name}", {**arguments, "name": "daily"})
    except CommandError as error:
        told = {"error": str(error)}
    answer = there.client(there.token("admin")).post(f"/api/v1/rooms/daily/{name}", json=arguments)
    assert answer.json() == told
    assert (answer.status_code == 200) == ("error" not in told)
    for front in (here, there):
        front.house.run(3.0)
    assert state(here) == state(there)


def test_what_is_refused_on_the_command_line_is_refused_by_rest() -> None:
    front = meeting()
    before, client = state(front), front.client(front.token("admin"))
    for name, verb in VERBS.items():
        arguments = {**sample(verb), "colour": "red"}
        with pytest.raises(CommandError):
            front.administration.execute(f"room.{name}", {**arguments, "name": "daily"})
        assert client.post(f"/api/v1/rooms/daily/{name}", json=arguments).status_code == 422, name
    assert state(front) == before
