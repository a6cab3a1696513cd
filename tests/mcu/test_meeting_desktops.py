"""Between the floor *control* and the relay: which event opens and closes what, and what comes back from there."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from mcu.conference import Done, Refused
from mcu.floor import Command, DenyFloor, FloorId, Floors, FloorSettings, GrantFloor, ReleaseFloor, Requested, RequestFloor
from mcu.floor_control import FloorControl
from mcu.meeting_desktops import NO_WAY, VIEW_ONLY, MeetingDesktops
from mcu.participant import ParticipantId
from mcu.relay.messages import DesktopEnded, DesktopFigures, GatePassed, GateStep, OpenDesktop

ANNA, BERND = ParticipantId(1), ParticipantId(2)


class FakeRelay:
    """Writes down what it is told; `report` goes to the room."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.report: Any = None

    def begin(self) -> None:
        self.told.append(("begin",))

    def new_session(self, listener: Any) -> int:
        self.report = listener
        return 7

    def open_desktop(self, opened: OpenDesktop) -> None:
        self.told.append(("open", opened.owner.participant_id, opened.viewer.participant_id))

    def set_holder(self, session_id: int, participant_id: int) -> None:
        self.told.append(("holder", session_id, participant_id))

    def close_desktop(self, session_id: int) -> None:
        self.told.append(("close", session_id))


class Meeting:
    """Floors without doors, desktops without a relay; `notes` is the audit."""

    def __init__(self, *phones: ParticipantId) -> None:
        self.relay = FakeRelay()
        self.notes: list[tuple[ParticipantId | None, str, ParticipantId | None]] = []
        self.control = FloorControl(1, Floors(FloorSettings()), lambda who: False)
        self.desktops = MeetingDesktops(self, cast(Any, self), lambda who, verb, whom, _: self.notes.append((who, verb, whom)))
        for each in (ANNA, BERND):
            self.control.join(each, f"P{each}")
        for each in phones:
            self.desktops.rules.present(each, bytes([each]) * 32)

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command, and tell what follows."""
        verdict = self.control.execute(command, asyncio.get_running_loop().time(), actor)
        while (event := self.control.next_event()) is not None:
            self.desktops.on_floor(event)
        return verdict

    def leave(self, participant: ParticipantId) -> None:
        """A member is out."""
        self.control.leave(participant, asyncio.get_running_loop().time())

    def ask(self, floor: FloorId, who: ParticipantId) -> int:
        """Ask for a floor; the number of the request."""
        verdict = self.execute(RequestFloor(floor), who)
        assert isinstance(verdict, Requested)
        return verdict.request.id


async def test_a_grant_opens_a_session_and_then_the_gate_and_a_release_shuts_it() -> None:
    meeting = Meeting(ANNA, BERND)
    meeting.ask(FloorId.SCREEN, ANNA)
    asked = meeting.ask(FloorId.CONTROL, BERND)
    assert meeting.relay.told == [("begin",)]
    meeting.execute(GrantFloor(asked), ANNA)
    meeting.execute(ReleaseFloor(asked), BERND)
    assert meeting.relay.told[1:] == [("open", ANNA, BERND), ("holder", 7, BERND), ("holder", 7, 0)]
    assert [verb for _, verb, _ in meeting.notes] == ["share begun", "control asked", "control granted", "control ended"]


async def test_view_only_opens_a_session_and_no_gate() -> None:
    meeting = Meeting(ANNA, BERND)
    meeting.ask(FloorId.SCREEN, ANNA)
    meeting.execute(DenyFloor(meeting.ask(FloorId.CONTROL, BERND), VIEW_ONLY), ANNA)
    assert meeting.relay.told[1:] == [("open", ANNA, BERND)] and meeting.notes[-1] == (ANNA, "view allowed", BERND)


async def test_the_end_of_the_share_ends_control_and_the_session_gate_first() -> None:
    meeting = Meeting(ANNA, BERND)
    shared = meeting.ask(FloorId.SCREEN, ANNA)
    meeting.execute(GrantFloor(meeting.ask(FloorId.CONTROL, BERND)), ANNA)
    meeting.relay.told.clear()
    meeting.execute(ReleaseFloor(shared), ANNA)
    assert meeting.relay.told == [("holder", 7, 0), ("holder", 7, 0), ("close", 7)]


async def test_a_grant_to_a_phone_without_a_way_to_desktops_is_taken_back() -> None:
    meeting = Meeting(ANNA)
    meeting.ask(FloorId.SCREEN, ANNA)
    asked = meeting.ask(FloorId.CONTROL, BERND)
    meeting.execute(GrantFloor(asked), ANNA)
    await asyncio.sleep(0)
    assert meeting.control.floors.request(asked) is None and meeting.notes[-1] == (ANNA, "control ended", BERND)
    assert "reach" in NO_WAY and all(told[0] == "begin" for told in meeting.relay.told)


async def test_a_session_that_ends_at_the_relay_takes_the_floor_with_it() -> None:
    meeting = Meeting(ANNA, BERND)
    meeting.ask(FloorId.SCREEN, ANNA)
    asked = meeting.ask(FloorId.CONTROL, BERND)
    meeting.execute(GrantFloor(asked), ANNA)
    meeting.relay.report(GatePassed(7, GateStep.REFUSED, BERND, 0))
    meeting.relay.report(DesktopEnded(7, "the viewer left"))
    assert meeting.control.floors.request(asked) is None and not meeting.desktops.rules.sessions
    assert ("input refused" in [verb for _, verb, _ in meeting.notes]) and meeting.notes[-1][1] == "control ended"


async def test_input_that_passes_keeps_the_controllers_time_running() -> None:
    meeting = Meeting(ANNA, BERND)
    meeting.ask(FloorId.SCREEN, ANNA)
    meeting.execute(GrantFloor(meeting.ask(FloorId.CONTROL, BERND)), ANNA)
    before = meeting.control.floors.grant_of(FloorId.CONTROL)
    meeting.relay.report(DesktopFigures(7, 0, 3, 0, 0, 0))
    assert meeting.control.floors.grant_of(FloorId.CONTROL) == before           # what is refused doesn't
    await asyncio.sleep(0.01)
    meeting.relay.report(DesktopFigures(7, 5, 3, 0, 0, 0))
    after = meeting.control.floors.grant_of(FloorId.CONTROL)
    assert before is not None and after is not None and (after.expires_at or 0) > (before.expires_at or 0)


async def test_a_stock_viewer_is_dismissed_when_the_owner_says_no() -> None:
    meeting, support = Meeting(ANNA), ParticipantId(9)
    assert isinstance(meeting.desktops.invite_viewer(support, "Support"), Refused) and support not in meeting.control.users
    meeting.ask(FloorId.SCREEN, ANNA)
    meeting.desktops.invite_viewer(support, "Support")
    asked = meeting.control.floors.requests(FloorId.CONTROL, support)[0]
    meeting.execute(DenyFloor(asked.id), ANNA)
    assert support not in meeting.control.users and not meeting.desktops.is_guest(support)
