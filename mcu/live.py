"""The running server as its operator sees it (`mcu.administration.Live`): open rooms, people, calls, registrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from mcu.captures import Captures
from mcu.conference import CloseConference, KickParticipant, LockConference, MuteParticipant, Refused
from mcu.errors import CommandError, UnknownError
from mcu.focus import Focus, Member
from mcu.leg import CallLeg
from mcu.protection import is_protected, words_of
from mcu.studio import Studio
from mcu.switchboard import Switchboard
from mcu.trunk import Trunk
from sip.media_backend import MediaRefused

Facts = dict[str, Any]


class LiveView:
    """Answers for a switchboard.

    changed: called after a command, so that what it caused goes out at once; figures: of the endpoint, the sockets, the media.
    """

    def __init__(self, switchboard: Switchboard, changed: Callable[[], None], captures: Captures,
                 studio: Studio, figures: Callable[[], Facts] = dict) -> None:
        self._switchboard = switchboard
        self._captures = captures
        self._studio = studio
        self._changed = changed
        self._figures = figures

    def rooms(self) -> list[Facts]:
        """See Live."""
        return [
            {"name": focus.name, "state": focus.conference.state.value, "members": len(focus.members),
             "is_locked": focus.conference.is_locked, "is_permanent": focus.conference.policy.is_permanent,
             "recording": focus.recording}
            for focus in self._switchboard.foci.values()
        ]

    def people(self, room: str) -> list[Facts]:
        """See Live."""
        focus = self._focus(room)
        return [self._person(focus, member) for member in focus.members.values()]

    def _person(self, focus: Focus, member: Member) -> Facts:
        participant, figures = focus.conference.participants[member.id], member.leg.media.statistics
        record = member.leg.note()
        return {
            "id": str(member.id), "name": participant.identity.display_name, "uri": participant.identity.entity,
            "role": participant.role.value, "codec": member.leg.codec, "source": record.source,
            "joined_at": record.started_at, "is_muted": participant.is_muted, "is_held": member.leg.is_held,
            "is_speaking": member.id in focus.speaking, "level_dbov": figures.level_dbov, "packets_in": figures.packets_in,
            "packets_out": figures.packets_out, "lost": figures.lost, **member.leg.quality(),
            "junk": figures.junk, "foreign": figures.foreign, "auth_failures": figures.auth_failures,
            "replayed": figures.replayed, "suite": record.suite, "keying": record.keying, "transport": record.transport,
            "is_protected": is_protected(record.transport, record.suite),
            "protection": words_of(record.transport, record.suite, record.keying),
        }

    def open_rooms_changed(self, name: str) -> None:
        """See Live: a room that is open keeps the settings that it was opened with."""

    def close_room(self, room: str, reason: str) -> int:
        """See Live."""
        return self._done(self._focus(room).execute(CloseConference(reason)))

    def dial(self, room: str, target: str) -> Facts:
        """See Live."""
        try:
            return self._switchboard.dial(room.lower(), target, "the administrator").facts()
        except (LookupError, ValueError, MediaRefused) as error:
            raise CommandError(error.args[0] if error.args else str(error)) from None
        finally:
            self._changed()

    def dialled(self, room: str, dial_id: int, is_cancelled: bool) -> Facts:
        """See Live."""
        entry = self._switchboard.server.dial_outs.get(room.lower(), dial_id)
        if entry is None:
            raise CommandError(f"room {room!r} has called nobody by the number {dial_id}")
        if is_cancelled:
            self._switchboard.cancel_dial(entry)
            self._changed()
        return entry.facts()

    def dialling(self, room: str) -> list[Facts]:
        """See Live."""
        return [entry.facts() for entry in self._switchboard.server.dial_outs.of(room.lower())]

    def set_locked(self, room: str, locked: bool) -> None:
        """See Live."""
        self._done(self._focus(room).execute(LockConference(locked)))

    def mute(self, room: str, who: str, muted: bool) -> int:
        """See Live."""
        focus = self._focus(room)
        return sum(self._done(focus.execute(MuteParticipant(member.id, muted))) for member in self._members(focus, who))

    def kick(self, room: str, who: str) -> int:
        """See Live."""
        focus = self._focus(room)
        members = self._members(focus, who)
        return sum(self._done(focus.execute(KickParticipant(member.id, "removed by the administrator"))) for member in members)

    def calls(self) -> list[Facts]:
        """See Live."""
        return [asdict(_record(leg)) for leg in self._switchboard.legs()]

    def call(self, call_id: str) -> Facts | None:
        """See Live."""
        return next((facts for facts in self.calls() if facts["call_id"] == call_id), None)

    def hang_up(self, call_id: str) -> bool:
        """See Live."""
        for leg in self._switchboard.legs():
            if leg.call.id == call_id:
                leg.call.hang_up(self._switchboard.server.now(), "ended by the administrator")
                self._changed()
                return True
        return False

    def capture_room(self, room: str, is_on: bool) -> Facts:
        """See Live."""
        return self._captures.start_room(room) if is_on else self._captures.stop(f"room {room.lower()}")

    def capture_call(self, call_id: str, is_on: bool) -> Facts:
        """See Live."""
        return self._captures.start_call(call_id) if is_on else self._captures.stop(f"call {call_id}")

    def record(self, room: str, action: str, form: str) -> Facts:
        """See Live."""
        try:
            return self._studio.recordings.execute(self._focus(room), action, "the administrator", form)
        finally:
            self._changed()

    def recordings(self) -> list[Facts]:
        """See Live."""
        return self._studio.recordings.list()

    def say(self, room: str, text: str, language: str | None) -> Facts:
        """See Live."""
        focus = self._focus(room)
        return self._studio.players.say(focus, text, language or self._switchboard.server.language_of(focus.name))

    def play(self, room: str, what: str) -> Facts:
        """See Live."""
        return self._studio.players.play(self._focus(room), what, is_operator=True)

    def registrations(self) -> list[Facts]:
        """See Live."""
        registrar = self._switchboard.registrar
        registrar.expire(self._switchboard.server.wallclock())
        bindings = [{**asdict(located.binding), "trunk": None, "state": "registered"} for located in registrar.store.all()]
        return [*bindings, *(_trunk(trunk) for trunk in self._switchboard.trunks.all)]

    def server(self) -> Facts:
        """See Live."""
        switchboard = self._switchboard
        return {"rooms": len(switchboard.foci), "calls": sum(1 for _ in switchboard.legs()), **self._figures()}

    def account_removed(self, name: str) -> None:
        """See Live."""
        self._switchboard.registrar.remove(name)
        for leg in list(self._switchboard.legs()):
            if leg.identity.account == name:
                leg.call.hang_up(self._switchboard.server.now(), "this account is gone")
        self._changed()

    def _focus(self, room: str) -> Focus:
        focus = self._switchboard.foci.get(room.lower())
        if focus is None:
            raise CommandError(f"room {room!r} is not open; nobody is in it")
        return focus

    def _members(self, focus: Focus, who: str) -> list[Member]:
        found = focus.find(who)
        if not found and who.strip().lower() != "all":
            raise UnknownError(f"nobody called {who!r} is in room {focus.name!r}; confero room people {focus.name} lists them")
        return found

    def _done(self, verdict: object) -> int:
        self._changed()
        if isinstance(verdict, Refused):
            raise CommandError(verdict.reason)
        return int(getattr(verdict, "count", 0))


def _trunk(trunk: Trunk) -> Facts:
    """Our registration at a provider, with the fields of a binding."""
    registration = trunk.registration
    flow = registration.flow if registration is not None else next(iter(trunk.flows), None)
    return {
        "aor": str(trunk.aor.uri), "contact": str(registration.contact) if registration is not None else "",
        "source": f"{flow.remote[0]}:{flow.remote[1]}" if flow is not None else "",
        "transport": flow.transport if flow is not None else trunk.config.transport.upper(), "call_id": "", "cseq": 0,
        "expires_at": trunk.expires_at or None, "user_agent": "", "instance": None, "trunk": trunk.name,
        "state": trunk.state.value + (f": {trunk.reason}" if trunk.reason else ""),
    }


def _record(leg: CallLeg) -> Any:
    """The record of a running call with its figures of just now."""
    figures = leg.media.statistics
    return replace(
        leg.note(), packets_in=figures.packets_in, packets_out=figures.packets_out, lost=figures.lost, late=figures.late,
        concealed=figures.concealed, jitter_ms=round(figures.jitter_ms, 2),
        rtt_ms=round(figures.rtt_ms, 2) if figures.rtt_ms >= 0 else None,
    )
