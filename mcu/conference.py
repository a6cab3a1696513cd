"""The rules of one conference (RFC 4353, RFC 4579): who gets in, who is host, what commands do, when it ends. Pure.

Commands go in (a newcomer, a leave, an imperative of a member or the operator), a verdict comes back at once, and events in the
past tense are drained with `next_event`. Time is a number; `next_timer` says when `handle_timer` is wanted. Who may what stands
in the table of verbs; each subject's rules are in a module of `mcu.rules`.

States: created → (waiting) → active → closing → closed. A permanent conference goes back to created when it is empty.

What members transmit begins and ends with events of its own (`mcu.transmission`). The end comes before the news that caused it,
so that nothing is forwarded of who is muted, or out; the start comes before the news, too, so that nothing is before its start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcu import commands
from mcu.commands import Command
from mcu.happenings import (
    CommandJudged,
    ConferenceClosed,
    ConferenceClosing,
    Event,
    LobbyLeft,
    LockChanged,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantKicked,
    ParticipantLeft,
)
from mcu.memory import Memory
from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.policy import Policy, allows, with_switches
from mcu.rules import entry, life, lobby, media, roles, settings
from mcu.rules.entry import Newcomer
from mcu.rules.life import CLOSING_S
from mcu.rules.room import Room, State
from mcu.transmission import Medium, TransmissionStarted, TransmissionStopped
from mcu.verbs import VERBS, may, words_of
from mcu.verdicts import Admitted, Done, InLobby, Refused, Verdict

__all__ = [
    "CLOSING_S", "Admitted", "Conference", "ConferenceClosed", "ConferenceClosing", "Done", "Event", "InLobby", "LockChanged",
    "Participant", "ParticipantChanged", "ParticipantJoined", "ParticipantKicked", "ParticipantLeft", "Refused", "State",
    "TransmissionStarted", "TransmissionStopped",
]

Rule = Callable[[Room, Any, float, ParticipantId | None], Verdict]
RULES: dict[type[Command], Rule] = {
    commands.MuteParticipant: media.mute, commands.MuteAll: media.mute_all, commands.AskToUnmute: media.ask_to_unmute,
    commands.StopVideo: media.stop_video, commands.StopIncomingAudio: media.stop_incoming_audio,
    commands.RenameParticipant: settings.rename, commands.SpotlightParticipant: media.spotlight,
    commands.AdmitParticipant: lobby.admit, commands.DenyParticipant: lobby.deny, commands.SendToLobby: lobby.send_back,
    commands.KickParticipant: lobby.kick, commands.BanParticipant: lobby.ban, commands.Unban: lobby.unban,
    commands.AppointParticipant: roles.appoint, commands.DismissParticipant: roles.dismiss,
    commands.TransferHost: roles.transfer, commands.ReclaimHost: roles.reclaim, commands.RaiseHand: settings.raise_hand,
    commands.LockConference: settings.lock, commands.CloseConference: life.close, commands.SetSwitch: settings.set_switch,
    commands.SuspendAll: media.suspend, commands.Invite: settings.invite, commands.Record: settings.record,
    commands.SetLayout: settings.set_layout, commands.Say: settings.say, commands.Play: settings.play,
    commands.CountMembers: settings.count,
}
"""The rule of each command."""
_HARMLESS = frozenset({"ask-unmute", "spotlight", "unspotlight", "lower-hand"})
"""What a co-host may do to the host."""
_NOT_TO_ONESELF = frozenset({"kick", "ban", "lobby"})
OPERATOR = "operator"


class Conference(Room):
    """One conference. now: monotonic seconds; memory: what is known of it from before."""

    def __init__(self, name: str, policy: Policy, now: float, memory: Memory | None = None) -> None:
        super().__init__(name, policy, now)
        if memory is None:
            return
        self.policy = with_switches(policy, memory.switches)
        self.owner = self.owner or memory.owner
        self.rightful, self.is_locked = memory.host, memory.is_locked
        self.is_interrupted = memory.had_host
        self.people, self.bans = dict(memory.people), dict.fromkeys(memory.bans)
        self.returning = set(memory.people)

    # ---- time

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return min(self.timers.values(), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due: the end, somebody to stand in for the host, a warning."""
        while self.timers:
            due = min(self.timers, key=lambda one: self.timers[one])
            if self.timers[due] > now:
                return
            life.handle_due(self, due, now)

    # ---- coming and going

    def check(self, identity: Identity, pin: str | None, source: str = "") -> Refused | None:
        """Why this caller may not come in just now, or None."""
        return entry.check(self, Newcomer(identity, pin, source=source))

    def check_invited(self) -> Refused | None:
        """Why somebody whom we call ourselves may not come in, or None: they need no PIN and pass the lock."""
        return entry.check(self, Newcomer(Identity("", ""), is_invited=True))

    def must_wait(self, identity: Identity, pin: str | None, *, is_creator: bool = False, is_invited: bool = False) -> bool:
        """Whether who may come in comes into the lobby first."""
        return entry.waits(self, Newcomer(identity, pin, is_creator, is_invited))[0]

    def join(self, participant_id: ParticipantId, identity: Identity, now: float, *, pin: str | None = None,
             is_creator: bool = False, is_invited: bool = False, source: str = "") -> Admitted | InLobby | Refused:
        """Somebody wants in; see `mcu.rules.entry.Newcomer`."""
        who = Newcomer(identity, pin, is_creator, is_invited, source)
        refusal = entry.check(self, who)
        if refusal is not None:
            return refusal
        if self.anyone(participant_id) is not None:
            return Refused(500, "two participants with one id")
        return lobby.arrive(self, Participant(participant_id, identity, Role.ATTENDEE, now, source=source), who, now)

    def succeed(self, newcomer: ParticipantId, old: ParticipantId) -> None:
        """One person goes on at another phone: with the role they had, and muted if they were."""
        roles.succeed(self, newcomer, old)

    def leave(self, participant_id: ParticipantId, now: float, reason: str = "left", *, is_dropped: bool = False) -> None:
        """A participant is gone (an unknown one is no error: they were put out before). is_dropped: not of their own will."""
        if participant_id in self.lobby:
            self.emit(LobbyLeft(self.lobby.pop(participant_id)))
            life.lobby_emptied(self)
        elif participant_id in self.participants:
            lobby.depart(self, self.participants[participant_id], now, reason, is_dropped=is_dropped)

    # ---- what members transmit

    def send(self, participant_id: ParticipantId, medium: Medium, is_sent: bool, reason: str = "") -> None:
        """A member's phone sends a medium from now on, or no longer: its SDP says so, it holds, its stream has said BYE."""
        self.transmissions.set_sent(participant_id, medium, is_sent, reason)
        self.note_transmissions()

    def let_pass(self, participant_id: ParticipantId, medium: Medium, may_pass: bool, reason: str = "") -> None:
        """The meeting lets a medium of a member pass, or not: the gate of a floor, video that was stopped."""
        self.transmissions.set_may_pass(participant_id, medium, may_pass, reason)
        self.note_transmissions()

    def is_transmitting(self, participant_id: ParticipantId, medium: Medium) -> bool:
        """Whether a medium of a member has started and not stopped."""
        return self.transmissions.is_on(participant_id, medium)

    def may_share(self, participant_id: ParticipantId) -> bool:
        """Whether a member may ask for the floor *screen*."""
        participant = self.participants.get(participant_id)
        return participant is not None and allows(self.policy.share, participant.role) and not self.is_suspended

    def may_control(self, participant_id: ParticipantId) -> bool:
        """Whether a member may ask for the floor *control*."""
        participant = self.participants.get(participant_id)
        return participant is not None and allows(self.policy.control, participant.role) and not self.is_suspended

    def may_chat(self, participant_id: ParticipantId) -> bool:
        """Whether a member may write to everybody; to hosts all may."""
        participant = self.participants.get(participant_id)
        return participant is not None and allows(self.policy.chat, participant.role)

    # ---- commands

    def execute(self, command: Command, now: float, actor: ParticipantId | None = None, by: str = OPERATOR) -> Verdict:
        """Carry out a command. actor: the member who gave it; None for the operator (called `by`), who may everything."""
        name = by if actor is None else self._name(actor)
        target = getattr(command, "target", None)
        whom = self._name(target) if target is not None else ""
        verdict = self._refusal(command, actor) or RULES[type(command)](self, command, now, actor)
        self.note_transmissions()
        if isinstance(verdict, Refused) or (verdict.count and (target is None or target != actor)):
            self.emit(CommandJudged(name, command.verb, whom, _detail(command), getattr(verdict, "reason", "")))
        return verdict

    def _refusal(self, command: Command, actor: ParticipantId | None) -> Refused | None:
        """Why somebody may not do that. The operator may everything while there is a conference."""
        if self.state is State.CLOSED:
            return Refused(481, "the meeting is over")
        if actor is None:
            return None
        participant = self.participants.get(actor)
        if participant is None:
            return Refused(403, "only members of the meeting may do that")
        verb, target = VERBS[command.verb], getattr(command, "target", None)
        if not may(verb, participant.role, is_own=target == actor) and not (
                verb.owner and roles.is_meetings_owner(self, participant)):
            return Refused(403, words_of(verb))
        if target == actor and verb.name in _NOT_TO_ONESELF:
            return Refused(409, "hang up to leave")
        host = self.host
        if host is not None and target == host.id != actor and verb.name not in _HARMLESS:
            return Refused(403, "nobody may do that to the host")
        return None

    def _name(self, who: ParticipantId) -> str:
        participant = self.anyone(who)
        return participant.identity.entity if participant is not None else f"no member ({who})"


def _detail(command: Command) -> str:
    """What a command says besides whom it is about, for the audit log."""
    values = (getattr(command, name) for name in command.__dataclass_fields__ if name != "target")
    return " ".join(str(getattr(value, "value", value)) for value in values if not isinstance(value, bool))[:200]
