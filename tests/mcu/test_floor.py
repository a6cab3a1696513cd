"""The rules of the floors: queue, consent, time-outs, and what must hold whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcu.conference import Done, Refused
from mcu.floor import (
    ChairAsked,
    Command,
    DenyFloor,
    Event,
    FloorChanged,
    FloorEnded,
    FloorGranted,
    FloorId,
    FloorRequest,
    Floors,
    FloorSettings,
    Grant,
    GrantFloor,
    ReleaseFloor,
    RequestChanged,
    Requested,
    RequestFloor,
    RevokeFloor,
    StopFloors,
)
from mcu.participant import ParticipantId
from sip.bfcp.attributes import Status

ALICE, BOB, CAROL, DAVE = (ParticipantId(number) for number in (10, 11, 12, 13))
SCREEN, CONTROL = FloorId.SCREEN, FloorId.CONTROL


def floors(**how: object) -> Floors:
    """The floors of a meeting of four."""
    made = Floors(FloorSettings(**how))        # type: ignore[arg-type]
    for participant in (ALICE, BOB, CAROL, DAVE):
        made.join(participant)
    return made


def events_of(machine: Floors) -> list[Event]:
    """All that has happened."""
    return list(iter(machine.next_event, None))


def ask(machine: Floors, who: ParticipantId, floor: FloorId, now: float = 0.0) -> FloorRequest:
    """A request that is taken."""
    verdict = machine.execute(RequestFloor(floor), now, who)
    assert isinstance(verdict, Requested), verdict
    return verdict.request


def shared(**how: object) -> Floors:
    """A meeting where Alice shares her screen."""
    machine = floors(**how)
    ask(machine, ALICE, SCREEN)
    events_of(machine)
    return machine


def controlled(**how: object) -> tuple[Floors, FloorRequest]:
    """A meeting where Alice shares and Bob controls."""
    machine = shared(**how)
    request = ask(machine, BOB, CONTROL)
    assert machine.execute(GrantFloor(request.id), 1.0, ALICE) == Done()
    events_of(machine)
    return machine, request


def status_of(machine: Floors, request: FloorRequest) -> Status | None:
    """How a request stands, None when it is over."""
    found = machine.request(request.id)
    return None if found is None else found.status


def gates(events: list[Event]) -> list[tuple[str, FloorId]]:
    """What the gates did."""
    return [("open" if isinstance(event, FloorGranted) else "closed", event.grant.floor)
            for event in events if isinstance(event, FloorGranted | FloorEnded)]


def test_a_free_screen_goes_to_who_asks() -> None:
    machine = floors()
    request = ask(machine, ALICE, SCREEN)
    assert request.status is Status.GRANTED
    assert events_of(machine) == [RequestChanged(request), FloorGranted(Grant(SCREEN, request.id, ALICE)), FloorChanged(SCREEN)]


def test_others_queue_and_are_granted_in_order() -> None:
    machine = shared()
    bob, carol = ask(machine, BOB, SCREEN), ask(machine, CAROL, SCREEN)
    assert [each.queue_position for each in machine.requests(SCREEN)] == [0, 1, 2]
    holder = machine.grant_of(SCREEN)
    assert holder is not None
    events_of(machine)
    machine.execute(ReleaseFloor(holder.request_id), 1.0, ALICE)
    events = events_of(machine)
    assert isinstance(events[0], FloorEnded) and gates(events) == [("closed", SCREEN), ("open", SCREEN)]
    assert (status_of(machine, bob), status_of(machine, carol)) == (Status.GRANTED, Status.ACCEPTED)
    assert RequestChanged(FloorRequest(carol.id, SCREEN, CAROL, Status.ACCEPTED, 1)) in events


def test_the_host_revokes_and_the_next_one_follows() -> None:
    machine = shared()
    bob, holder = ask(machine, BOB, SCREEN), machine.grant_of(SCREEN)
    assert holder is not None
    assert machine.execute(RevokeFloor(holder.request_id), 1.0, CAROL) == Refused(403, machine_words())
    assert machine.execute(RevokeFloor(holder.request_id), 1.0, CAROL, is_host=True) == Done()
    assert status_of(machine, bob) is Status.GRANTED


def machine_words() -> str:
    """What somebody hears who may not revoke."""
    return "only the host, or the desktop's owner, may do that"


def test_the_host_gives_the_screen_to_whom_they_want() -> None:
    machine = shared()
    ask(machine, BOB, SCREEN)
    carol = ask(machine, CAROL, SCREEN)
    assert isinstance(machine.execute(GrantFloor(carol.id), 1.0, BOB), Refused)
    events_of(machine)
    assert machine.execute(GrantFloor(carol.id), 1.0, DAVE, is_host=True) == Done()
    assert gates(events_of(machine)) == [("closed", SCREEN), ("open", SCREEN)]
    assert machine.grant_of(SCREEN) == Grant(SCREEN, carol.id, CAROL)
    assert [(each.participant, each.queue_position) for each in machine.requests(SCREEN)] == [(CAROL, 0), (BOB, 1)]


def test_control_is_pending_until_the_owner_has_answered() -> None:
    machine = shared()
    request = ask(machine, BOB, CONTROL, 5.0)
    assert request.status is Status.PENDING
    assert events_of(machine) == [RequestChanged(request), ChairAsked(request, ALICE, 35.0), FloorChanged(CONTROL)]
    assert machine.execute(GrantFloor(request.id), 6.0, ALICE) == Done()
    grant = Grant(CONTROL, request.id, BOB, desktop=ALICE, expires_at=306.0)
    assert events_of(machine)[-2:] == [FloorGranted(grant), FloorChanged(CONTROL)]
    assert machine.grant_of(CONTROL) == grant


@pytest.mark.parametrize(("actor", "is_host"), [(BOB, False), (CAROL, False), (CAROL, True), (None, True)],
                         ids=["self", "another", "host", "operator"])
def test_nobody_but_the_owner_grants_control_of_a_desktop(actor: ParticipantId | None, is_host: bool) -> None:
    machine = shared()
    request = ask(machine, BOB, CONTROL)
    assert isinstance(machine.execute(GrantFloor(request.id), 1.0, actor, is_host=is_host), Refused)
    assert isinstance(machine.execute(DenyFloor(request.id), 1.0, actor, is_host=is_host), Refused)
    assert gates(events_of(machine)) == [] and status_of(machine, request) is Status.PENDING


def test_an_owner_who_does_not_answer_has_said_no() -> None:
    machine = shared(answer_s=20.0)
    request = ask(machine, BOB, CONTROL, 5.0)
    events_of(machine)
    assert machine.next_timer() == 25.0
    machine.handle_timer(24.9)
    assert status_of(machine, request) is Status.PENDING
    machine.handle_timer(25.0)
    changed = events_of(machine)[0]
    assert isinstance(changed, RequestChanged)
    assert (changed.request.status, changed.request.reason) == (Status.DENIED, "no answer")
    assert isinstance(machine.execute(GrantFloor(request.id), 26.0, ALICE), Refused) and machine.next_timer() is None


def test_a_controller_who_does_nothing_loses_control() -> None:
    machine, _ = controlled(idle_s=60.0)
    machine.touch(30.0)
    machine.handle_timer(61.0)
    assert machine.grant_of(CONTROL) is not None and machine.next_timer() == 90.0
    machine.handle_timer(90.0)
    first, changed, *_ = events_of(machine)
    assert isinstance(first, FloorEnded)
    assert isinstance(changed, RequestChanged) and changed.request.status is Status.REVOKED
    assert machine.grant_of(CONTROL) is None


def test_a_second_controller_waits_for_the_first_to_give_it_back() -> None:
    machine, bob = controlled()
    carol = ask(machine, CAROL, CONTROL)
    machine.execute(GrantFloor(carol.id), 2.0, ALICE)
    assert status_of(machine, carol) is Status.ACCEPTED
    machine.execute(ReleaseFloor(bob.id), 3.0, BOB)
    assert status_of(machine, carol) is Status.GRANTED
    assert machine.grant_of(CONTROL) == Grant(CONTROL, carol.id, CAROL, ALICE, 303.0)


@pytest.mark.parametrize("is_host", [False, True], ids=["owner", "host"])
def test_control_that_is_taken_back_goes_to_nobody_else(is_host: bool) -> None:
    machine, bob = controlled()
    carol = ask(machine, CAROL, CONTROL)
    machine.execute(GrantFloor(carol.id), 2.0, ALICE)
    events_of(machine)
    machine.execute(RevokeFloor(bob.id), 3.0, DAVE if is_host else ALICE, is_host=is_host)
    events = events_of(machine)
    assert gates(events) == [("closed", CONTROL)] and isinstance(events[0], FloorEnded)
    assert machine.requests(CONTROL) == () and machine.grant_of(CONTROL) is None


@pytest.mark.parametrize("how", ["release", "leave", "revoke", "lost", "stop"])
def test_the_end_of_a_share_ends_control_first(how: str) -> None:
    machine, bob = controlled()
    waiting = ask(machine, CAROL, CONTROL)
    screen = machine.grant_of(SCREEN)
    assert screen is not None
    events_of(machine)
    match how:
        case "release":
            machine.execute(ReleaseFloor(screen.request_id), 2.0, ALICE)
        case "leave":
            machine.leave(ALICE, 2.0)
        case "revoke":
            machine.execute(RevokeFloor(screen.request_id), 2.0, DAVE, is_host=True)
        case "lost":
            machine.lose_touch(ALICE, 2.0)
        case _:
            machine.execute(StopFloors(), 2.0, DAVE, is_host=True)
    events = events_of(machine)
    assert gates(events[:2]) == [("closed", CONTROL), ("closed", SCREEN)] == gates(events)
    ended = {event.request.id: event.request.status for event in events if isinstance(event, RequestChanged)}
    assert ended[bob.id] is Status.REVOKED and ended[waiting.id] is Status.DENIED
    assert machine.requests() == () and machine.next_timer() is None


@pytest.mark.parametrize(("command", "actor", "status"), [
    (RequestFloor(CONTROL), ALICE, 403), (RequestFloor(SCREEN), ALICE, 486), (RequestFloor(SCREEN), ParticipantId(99), 403),
    (RequestFloor(SCREEN), None, 403), (ReleaseFloor(1), BOB, 403), (ReleaseFloor(77), ALICE, 404),
    (GrantFloor(77), ALICE, 404), (StopFloors(), BOB, 403), (DenyFloor(1), ALICE, 403), (RevokeFloor(1), BOB, 403),
], ids=["own desktop", "twice", "a stranger", "the operator", "another's floor", "release of nothing", "grant of nothing",
        "stop by a member", "deny by who is no chair", "revoke by a member"])
def test_what_may_not_be_is_refused_and_changes_nothing(command: Command, actor: ParticipantId | None, status: int) -> None:
    machine = shared()
    verdict = machine.execute(command, 1.0, actor)
    assert isinstance(verdict, Refused) and verdict.status == status
    assert events_of(machine) == [] and machine.grant_of(SCREEN) == Grant(SCREEN, 1, ALICE)


def test_control_needs_a_share_and_a_conference_that_allows_it() -> None:
    assert isinstance(floors().execute(RequestFloor(CONTROL), 0.0, BOB), Refused)
    assert isinstance(shared(is_control_allowed=False).execute(RequestFloor(CONTROL), 0.0, BOB), Refused)
    assert isinstance(floors(may_all_share=False).execute(RequestFloor(SCREEN), 0.0, BOB), Refused)
    assert isinstance(floors(may_all_share=False).execute(RequestFloor(SCREEN), 0.0, BOB, is_host=True), Requested)


def test_a_queue_has_an_end() -> None:
    machine = shared(max_requests=2)
    ask(machine, BOB, SCREEN)
    assert isinstance(machine.execute(RequestFloor(SCREEN), 0.0, CAROL), Refused)


def test_a_number_is_not_given_twice_while_it_is_used() -> None:
    machine = shared()
    machine._last_id = 0xFFFF
    assert ask(machine, BOB, SCREEN).id == 2


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([ALICE, BOB, CAROL, DAVE]), st.sampled_from(FloorId)),
    st.tuples(st.sampled_from(["release", "grant", "deny", "revoke"]), st.sampled_from([ALICE, BOB, CAROL, DAVE, None]),
              st.integers(0, 5)),
    st.tuples(st.sampled_from(["leave", "lost", "join"]), st.sampled_from([ALICE, BOB, CAROL, DAVE]), st.just(0)),
    st.tuples(st.sampled_from(["stop", "touch", "wait"]), st.just(DAVE), st.integers(0, 400)),
)
COMMANDS = {"release": ReleaseFloor, "grant": GrantFloor, "deny": DenyFloor, "revoke": RevokeFloor}


class Watcher:
    """Follows the events alone, as the relay and the media workers do, and finds what must never be."""

    def __init__(self) -> None:
        self.open: dict[FloorId, Grant] = {}
        self.ended: set[int] = set()

    def see(self, event: Event) -> None:
        """One event, in its order."""
        match event:
            case FloorGranted(grant):
                assert grant.floor not in self.open, "two holders"
                assert grant.request_id not in self.ended, "a released holder got something"
                if grant.floor is CONTROL:
                    assert grant.desktop == self.open[SCREEN].holder != grant.holder
                    assert grant.expires_at is not None
                self.open[grant.floor] = grant
            case FloorEnded(grant, _):
                assert self.open.pop(grant.floor).request_id == grant.request_id
                assert grant.floor is CONTROL or CONTROL not in self.open, "control outlived the share"
            case RequestChanged(request) if request.is_over:
                held = self.open.get(request.floor)
                assert held is None or held.request_id != request.id, "told of its end before the gate was closed"
                assert request.id not in self.ended
                self.ended.add(request.id)
            case RequestChanged(request):
                assert request.id not in self.ended


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40), st.sampled_from([None, ALICE, DAVE]))
def test_whatever_happens_a_floor_has_one_holder_and_its_gate_closes_first(steps: list[tuple[str, ParticipantId, int]],
                                                                           host: ParticipantId | None) -> None:
    machine, watcher, now = floors(max_requests=3), Watcher(), 0.0
    for what, who, number in steps:
        now += 1.0
        match what:
            case "ask":
                machine.execute(RequestFloor(FloorId(number)), now, who, is_host=who == host)
            case "leave":
                machine.leave(who, now)
            case "lost":
                machine.lose_touch(who, now)
            case "join":
                machine.join(who)
            case "stop":
                machine.execute(StopFloors(), now, who, is_host=who == host)
            case "touch":
                machine.touch(now)
            case "wait":
                now += number
                machine.handle_timer(now)
            case _:
                held = machine.requests()
                request_id = held[number % len(held)].id if held else number
                machine.execute(COMMANDS[what](request_id), now, who, is_host=who == host)
        for event in events_of(machine):
            watcher.see(event)
        for floor in FloorId:
            requests = machine.requests(floor)
            granted = [each.id for each in requests if each.status is Status.GRANTED]
            grant = machine.grant_of(floor)
            assert granted == ([] if grant is None else [grant.request_id])
            assert (watcher.open.get(floor) is None) == (grant is None)
            waiting = [each.queue_position for each in requests if each.status is Status.ACCEPTED]
            assert waiting == list(range(1, len(waiting) + 1)) and (grant is not None or not waiting)
            assert {each.participant for each in requests} <= machine.members
            assert len({each.participant for each in requests}) == len(requests) <= 3
