"""The lobby's side of media and calls: who waits hears music in a media room of their own, and nothing of the meeting.

Members move between it and the meeting with their leg as it is (ports, codec, keys); the rules (`mcu.rules.lobby`) say when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcu.participant import ParticipantId
from mcu.surroundings import MediaRoom, Surroundings

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
