"""Who is talking, steady enough to draw a ring: a voice counts until a moment after it was last heard."""

from __future__ import annotations

from dataclasses import replace

from softphone.model import Meeting, Member, State

HOLD_S = 0.3
THRESHOLD_DBOV = -45
"""From here on a microphone or a caller is a voice, where no mixer says so."""


def with_people(state: State) -> Meeting | None:
    """The meeting with somebody in it: where the server sends no roster, oneself and whom we called."""
    meeting = state.meeting
    if meeting is None or meeting.members:
        return meeting
    is_heard = state.speaker_level_dbov >= THRESHOLD_DBOV
    own = Member(0, state.display_name or state.account or "?", is_self=True)
    return replace(meeting, members=(Member(0, meeting.title, meeting.uri, is_speaking=is_heard), own))


def key_of(member: Member) -> str:
    """What tells a member from the others: `self`, the id of the audio in the mix, else address and name."""
    if member.is_self:
        return "self"
    return f"id:{member.member_id}" if member.member_id else f"{member.uri} {member.name}"


class Voices:
    """Remembers when each voice was last heard. `latest` is the key of who began to talk last, oneself left out."""

    def __init__(self) -> None:
        self.talking: frozenset[str] = frozenset()
        self.latest = ""
        self._heard: dict[str, float] = {}

    def update(self, meeting: Meeting | None, microphone_dbov: int, now: float) -> frozenset[str]:
        """Take the newest levels; gives back the keys of who is talking."""
        members = meeting.members if meeting else ()
        for member in members:
            is_own_voice = member.is_self and not member.member_id and meeting is not None and not meeting.is_muted
            if member.is_speaking or (is_own_voice and microphone_dbov >= THRESHOLD_DBOV):
                self._heard[key_of(member)] = now
        here = {key_of(member) for member in members}
        self._heard = {key: heard for key, heard in self._heard.items() if key in here and now - heard <= HOLD_S}
        talking = frozenset(self._heard)
        began = [key for key in talking - self.talking if key != "self"]
        if began:
            self.latest = began[0]
        elif self.latest not in here:
            self.latest = ""
        self.talking = talking
        return talking
