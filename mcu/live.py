"""The running server as its operator sees it (`mcu.administration.Live`): open rooms, people, calls, registrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from mcu.captures import Captures
from mcu.commands import CloseConference
from mcu.conference import Refused
from mcu.desktop_tickets import desktop_ticket
from mcu.errors import CommandError, ForbiddenError, UnknownError, UsageError
from mcu.focus import Focus, Member
from mcu.leg import CallLeg
from mcu.participant import Participant
from mcu.policy import switches_of
from mcu.protection import is_protected, words_of
from mcu.studio import Studio
from mcu.switchboard import Switchboard
from mcu.trunk import Trunk
from mcu.verbs import Order, build
from sip.media_backend import MediaRefused

Facts = dict[str, Any]

ERRORS: dict[int, type[CommandError]] = {400: UsageError, 403: ForbiddenError, 404: UnknownError}
"""What a refusal of the rules is to who gave the command; of another status a CommandError."""


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
        return [_room(focus) for focus in self._switchboard.foci.values()]

    def people(self, room: str) -> list[Facts]:
        """See Live: those in the meeting, then those in its lobby."""
        focus = self._focus(room)
        everybody = (*focus.members.values(), *focus.waiting.members.values())
        found = ((member, focus.conference.anyone(member.id)) for member in everybody)
        return [self._person(focus, member, participant) for member, participant in found if participant is not None]

    def _person(self, focus: Focus, member: Member, participant: Participant) -> Facts:
        figures = member.leg.media.statistics
        record = member.leg.note()
        return {
            "id": str(member.id), "name": participant.identity.display_name, "uri": participant.identity.entity,
            "role": participant.role.value, "is_in_lobby": participant.is_in_lobby, "codec": member.leg.codec,
            "source": record.source, "joined_at": record.started_at, "is_muted": participant.is_muted,
            "is_muted_by_host": participant.muted_by_host, "is_deaf": participant.is_deaf,
            "is_video_stopped": participant.is_video_stopped, "is_spotlit": participant.is_spotlit,
            "hand": focus.conference.hands.index(participant.id) + 1 if participant.hand_at is not None else 0,
            "is_held": member.leg.is_held,
            "is_speaking": member.id in focus.speaking, "level_dbov": figures.level_dbov, "packets_in": figures.packets_in,
            "packets_out": figures.packets_out, "lost": figures.lost, **member.leg.quality(),
            "video": "", **member.leg.pictures(),
            "junk": figures.junk, "foreign": figures.foreign, "auth_failures": figures.auth_failures,
            "replayed": figures.replayed, "suite": record.suite, "keying": record.keying, "transport": record.transport,
            "is_protected": is_protected(record.transport, record.suite),
            "protection": words_of(record.transport, record.suite, record.keying),
        }

    def open_rooms_changed(self, name: str) -> None:
        """See Live: a room that is open keeps the settings that it was opened with."""
        self._switchboard.server.read_room(name)

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

    def order(self, room: str, order: Order, by: str) -> int:
        """See Live."""
        return self._done(self._focus(room).order(order, by=by))

    def desktop(self, room: str, viewer: str) -> Facts:
        """See Live."""
        return desktop_ticket(self._focus(room), self._switchboard.server, viewer)

    def calls(self) -> list[Facts]:
        """See Live."""
        return [{**asdict(_record(leg)), **leg.quality(), **leg.reported(), **leg.pictures()}
                for leg in self._switchboard.legs()]

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

    def record(self, room: str, action: str, form: str, by: str) -> Facts:
        """See Live."""
        focus, recordings = self._focus(room), self._studio.recordings
        recordings.prefer(focus, form)
        self.order(room, build("record", {"action": action}), by)
        return recordings.result(focus)

    def recordings(self) -> list[Facts]:
        """See Live."""
        return self._studio.recordings.list()

    def say(self, room: str, text: str, by: str) -> Facts:
        """See Live."""
        self.order(room, build("say", {"text": text}), by)
        return self._studio.players.result(self._focus(room))

    def play(self, room: str, what: str, by: str) -> Facts:
        """See Live."""
        focus = self._focus(room)
        if what.strip() == "status":
            return self._studio.players.play(focus, what, is_operator=True)
        self.order(room, build("play", {"what": what}), by)
        return self._studio.players.result(focus)

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

    def _done(self, verdict: object) -> int:
        self._changed()
        if isinstance(verdict, Refused):
            raise ERRORS.get(verdict.status, CommandError)(verdict.reason)
        return int(getattr(verdict, "count", 0))


def _room(focus: Focus) -> Facts:
    conference = focus.conference
    return {
        "name": focus.name, "state": conference.state.value, "members": len(conference.participants),
        "waiting": len(conference.lobby), "is_locked": conference.is_locked, "is_suspended": conference.is_suspended,
        "is_permanent": conference.policy.is_permanent, "recording": conference.recording, "layout": conference.layout,
        "lobby": conference.policy.lobby, "switches": switches_of(conference.policy), "bans": list(conference.bans),
    }


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
