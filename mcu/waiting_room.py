"""The lobby's side of media and calls: who waits hears music in a media room of their own, and nothing of the meeting.

Members move between it and the meeting with their leg as it is (ports, codec, keys); the rules (`mcu.rules.lobby`) say when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from mcu.application_line import ApplicationLine
from mcu.participant import ParticipantId
from mcu.surroundings import MediaRoom, Surroundings
from rtp.sdp.model import MediaDescription, SessionDescription

if TYPE_CHECKING:
    from mcu.focus import Member


class WaitingRoom:
    """Those who wait for one conference. Its media room is there while anybody waits."""

    def __init__(self, server: Surroundings) -> None:
        self.members: dict[ParticipantId, Member] = {}
        self._server = server
        self._room: MediaRoom | None = None

    @property
    def media_room(self) -> MediaRoom:
        """Where music plays. Raises MediaRefused."""
        if self._room is None:
            self._room = self._server.open_media_room("music")
        return self._room

    @property
    def room_id(self) -> int | None:
        """The media room's id."""
        return self._room.room_id if self._room is not None else None

    def put(self, member: Member) -> None:
        """Somebody waits whose leg is in this media room already."""
        self.members[member.id] = member

    def take_in(self, member: Member) -> None:
        """Somebody comes out of the meeting, to wait. Raises MediaRefused."""
        self.media_room.adopt(member.leg.media)
        self.members[member.id] = member

    def let_go(self, participant_id: ParticipantId) -> Member | None:
        """Somebody waits no longer."""
        return self.members.pop(participant_id, None)

    def close_if_empty(self) -> None:
        """Give the media room back when nobody is in it."""
        if not self.members and self._room is not None:
            self._room.close()
            self._room = None

    def close(self) -> None:
        """The conference is over."""
        self.members.clear()
        self.close_if_empty()


class MembersLine:
    """A line of `m=application` (`mcu.application_line.ApplicationLine`) for members alone: who waits has none."""

    def __init__(self, line: ApplicationLine, waits: Callable[[], bool]) -> None:
        self._line = line
        self._waits = waits

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        """See ApplicationLine."""
        return None if self._waits() else self._line.answer(session, index, host, told_host)

    def confirm(self, hosts: Collection[str]) -> None:
        """See ApplicationLine."""
        self._line.confirm(hosts)

    def again(self) -> MediaDescription | None:
        """See ApplicationLine."""
        return None if self._waits() else self._line.again()

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        self._line.apply(session, index)

    def end(self) -> None:
        """See ApplicationLine."""
        self._line.end()
