"""What the window shows of a running call's sound: who speaks, and the figures for chips and statistics."""

from __future__ import annotations

from softphone.call import Call
from softphone.media.levels import SILENT, SPEAKING_DBOV
from softphone.model import Member, PictureQuality, Quality

SPEAKING_HOLD_S = 0.4
"""A ring round who speaks stays so long, so that it does not flicker between words."""
THEM, US = 1, 2
"""The ids of both sides of a call that is no conference."""


class Meter:
    """Who speaks in a call. `members` is the roster that is shown; `speakers` are the levels in dBov by member id."""

    def __init__(self) -> None:
        self.members: tuple[Member, ...] = ()
        self.speakers: dict[int, int] = {}
        self._spoke_at: dict[int, float] = {}
        self._counted = (0, 0.0)

    def members_of(self, call: Call, own_name: str, is_muted: bool) -> tuple[Member, ...]:
        """The roster of a conference, or both sides of a call."""
        self.members = call.roster if call.is_conference else (
            Member(US, own_name, is_self=True, is_muted=is_muted),
            Member(THEM, call.remote_name, str(call.uri), codec=call.figures.codec),
        )
        return self.members

    def kbps(self, call: Call, now: float) -> int:
        """What came of sound since the last look, in kbit/s."""
        received, (before, at) = call.figures.bytes_received, self._counted
        self._counted = (received, now)
        return max(0, round((received - before) * 8 / 1000 / (now - at))) if at and now > at else 0

    def measure(self, call: Call, microphone_dbov: int | None, now: float) -> bool:
        """Look at the levels; whether `speakers` has changed. microphone_dbov: None while we are muted."""
        levels = dict(call.media.csrc_levels) if call.is_conference else {THEM: call.media.level_dbov}
        own = next((member.member_id for member in self.members if member.is_self), 0)
        if own and microphone_dbov is not None and not call.is_held:
            levels[own] = microphone_dbov
        self._spoke_at.update({member: now for member, level in levels.items() if level >= SPEAKING_DBOV})
        self._spoke_at = {member: at for member, at in self._spoke_at.items() if now - at < SPEAKING_HOLD_S}
        before, self.speakers = self.speakers, {member: levels.get(member, SILENT) for member in self._spoke_at}
        return self.speakers != before


def quality_of(call: Call, pictures: tuple[PictureQuality, ...] = (), kbps: int = 0) -> Quality:
    """The figures of a call as the window shows them. kbps: see `Meter.kbps`."""
    figures = call.figures
    return Quality(figures.codec, figures.rtt_ms, figures.loss_percent, figures.jitter_ms, figures.delay_ms, figures.mos,
                   call.protection, figures.packets_sent, figures.packets_received, call.exposure,
                   kbps, pictures)
