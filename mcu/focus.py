"""The focus of one conference (RFC 4353, RFC 4579): the role behind `sip:ROOM@host`, between calls, rules, media and roster.

Calls come in as events of the endpoint, keys and speakers as notices of the media engine, commands from the operator; the
rules (`mcu.conference`) decide, and what they decide is carried out here: answers and BYEs, muted legs, chimes, NOTIFYs. A
NOTIFY goes out at once and then at most once a second (RFC 4575 §3.9).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mcu import conference as rules
from mcu.application_line import ApplicationLine
from mcu.bus import facts_of, grant_facts, kind_of
from mcu.chat import ALL, ChatLine
from mcu.commands import Command, Record
from mcu.conference import Admitted, Conference, InLobby, Refused
from mcu.dial_outs import DialOut
from mcu.dialling import Dialling
from mcu.floor import MEDIA, FloorEnded, FloorGranted, FloorId, StopFloors
from mcu.floor import Event as FloorEvent
from mcu.floor_line import MeetingFloors
from mcu.happenings import (
    ActivitySuspended,
    CommandJudged,
    CountAsked,
    HostChanged,
    InviteRequested,
    LayoutChanged,
    LobbyEntered,
    LobbyLeft,
    PlayRequested,
    PolicyChanged,
    RecordingRequested,
    SayRequested,
    TimeRunsOut,
    UnmuteAsked,
)
from mcu.info_package import PACKAGE, RECV_INFO, takes_package
from mcu.keypad import Keypad, info_key
from mcu.leg import FOCUS, CallLeg, answer_call, create_media, own_contact
from mcu.location import Way
from mcu.meeting_desktops import MeetingDesktops
from mcu.meeting_messages import MeetingMessages
from mcu.memory import Memory
from mcu.orders import answer, carry_out, counted, find, keyed
from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.policy import Level, Policy
from mcu.prompt_texts import is_known
from mcu.roster import Device, Picture, Roster
from mcu.storage.base import AuditRecord, CallRecord
from mcu.surroundings import MediaRoom, Surroundings
from mcu.transmission import Medium, TransmissionStarted, TransmissionStopped
from mcu.verbs import Order
from mcu.verdicts import Verdict
from mcu.waiting_room import MembersLine, WaitingRoom
from mcu.watchers import Watchers
from mcu.words import REPLACED
from sip import events
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaRefused
from sip.message import Request, Response
from sip.uri import Uri

log = logging.getLogger(__name__)

CONTENTS = {Medium.VIDEO: "main", Medium.SCREEN: "slides"}
MEDIUM_OF = {content: medium for medium, content in CONTENTS.items()}
"""Media that are pictures, and what their lines show."""
NEW_S = 1.0
"""Who has joined so lately knows that they are the host."""


@dataclass(slots=True)
class Member:
    """A participant with their call and the keys that they press."""

    id: ParticipantId
    leg: CallLeg
    keypad: Keypad


class Focus:
    """A live conference. closed: called once, when it is over and everybody is hung up on.

    recording: "" for none, "recording" or "paused".
    """

    def __init__(self, name: str, policy: Policy, server: Surroundings, closed: Callable[[Focus], None]) -> None:
        self.name = name
        self.entity = f"sip:{name}@{server.domain}"
        memory = server.recall_room(name)
        self.conference = Conference(name, policy, server.now(), memory)
        self.members: dict[ParticipantId, Member] = {}
        self.waiting = WaitingRoom(server)
        self.speaking: tuple[int, ...] = ()
        self._spotlit: ParticipantId | None = None
        self.recording = ""
        self._has_music = False
        self._failure = ""
        self._muted_by_host: set[ParticipantId] = set()
        self._lines: dict[ParticipantId, list[MembersLine]] = {}
        self._server = server
        self._closed = closed
        self._room = server.open_media_room("mix")
        self.floors = MeetingFloors(server, self._is_host, self._on_floor)
        self.floors.control.floors.may_ask = self._may_ask
        self.desktops = MeetingDesktops(self.floors, server, self._note)
        self.messages = MeetingMessages(self.conference, self.members, server, self.order, self._written)
        self._roster = Roster(self.entity, name, policy.max_members)
        self.watchers = Watchers(self._roster, server)
        self._dialling = Dialling(server, self._roster, self.watchers.notify_soon)
        self._is_over = self._was_used = False
        self._kept = (memory or Memory(), True)
        self._roster.set_locked(self.conference.is_locked)
        self._roster.set_policy(self.conference.policy, is_suspended=False)
        due = self.conference.next_timer()
        if due is not None:
            server.call_at(due, self._timer_fired)

    @property
    def media_room(self) -> MediaRoom:
        """The media room."""
        return self._room

    @property
    def is_over(self) -> bool:
        """Whether the conference has ended."""
        return self._is_over

    @property
    def room_id(self) -> int:
        """The media room's id, which notices carry."""
        return self._room.room_id

    # ---- calls

    def receive_call(self, event: events.CallReceived, identity: Identity, *, pin: str | None = None,
                     is_creator: bool = False, is_invited: bool = False) -> Refused | None:
        """An INVITE for this conference: answered here, or refused with the verdict that comes back."""
        call, server = event.call, self._server
        source = call.flow.remote[0]
        verdict = self.conference.check_invited() if is_invited else self.conference.check(identity, pin, source)
        if verdict is not None:
            call.reject(verdict.status, verdict.reason, now=server.now())
            return verdict
        participant_id = server.new_id()
        must_wait = self.conference.must_wait(identity, pin, is_creator=is_creator, is_invited=is_invited)
        try:
            room = self.waiting.media_room if must_wait else self._room
            lines = [] if must_wait else self._lines_for(participant_id, identity)
            leg = answer_call(event, room, participant_id, identity, server, self.name, is_focus=True,
                              srtp=(self.conference.policy.srtp,), lines=lines)
        except MediaRefused as error:
            self.floors.leave(participant_id)
            call.reject(error.status, error.reason, [("Warning", f'399 {server.domain} "{_warning(error.reason)}"')],
                        now=server.now())
            return Refused(error.status, error.reason)
        joined = self.conference.join(participant_id, identity, server.now(), pin=pin, is_creator=is_creator,
                                      is_invited=is_invited, source=source)
        assert isinstance(joined, Admitted | InLobby)
        self._take(Member(participant_id, leg, Keypad()), is_waiting=must_wait)
        if must_wait:
            leg.media.take_lines(*self._lines_for(participant_id, identity))
        server.keep_record(leg.record)
        self._carry_out()
        return None

    def adopt(self, leg: CallLeg, pin: str | None, *, is_invited: bool = False) -> Refused | None:
        """Take over a caller who is in the hands of another role, media and all; None, or why they may not come in."""
        try:
            leg.check_kept(self.conference.policy.srtp)
        except MediaRefused as error:
            return Refused(error.status, error.reason)
        participant_id = ParticipantId(leg.media.leg_id)
        verdict = self.conference.join(participant_id, leg.identity, self._server.now(), pin=pin, is_invited=is_invited,
                                       source=leg.call.flow.remote[0])
        if isinstance(verdict, Refused):
            return verdict
        leg.record = replace(leg.record, room=self.name)
        is_waiting = isinstance(verdict, InLobby)
        (self.waiting.media_room if is_waiting else self._room).adopt(leg.media)
        self._take(Member(participant_id, leg, Keypad()), is_waiting=is_waiting)
        leg.media.take_lines(*self._lines_for(participant_id, leg.identity))
        self._server.keep_record(leg.record)
        self._carry_out()
        own = own_contact(leg.call.flow, self.name, self._server.addresses, is_secure=leg.call.contact.scheme == "sips")
        leg.call.use_contact(own)
        leg.introduce(Identity(self.entity, self.name), self._server.now(), NameAddr(own, "", FOCUS))
        return None

    def _take(self, member: Member, *, is_waiting: bool) -> None:
        """A call is ours: of a member, or of somebody who waits."""
        member.leg.call.data = self
        self._was_used = True
        if is_waiting:
            self.waiting.put(member)
        else:
            self.members[member.id] = member

    def replace(self, event: events.CallReceived, old: Call, identity: Identity) -> None:
        """An INVITE that takes the place of a member's call (RFC 3891 §3), which is hung up: no PIN and no lock is asked."""
        before = self._member_of(old)
        if before is None:
            event.call.reject(481, now=self._server.now())
            return
        if self.receive_call(event, identity, is_invited=True) is not None:
            return
        newcomer = self._member_of(event.call)
        assert newcomer is not None
        self.conference.succeed(newcomer.id, before.id)
        self._carry_out()
        old.hang_up(self._server.now(), REPLACED)

    def _lines_for(self, participant_id: ParticipantId, identity: Identity) -> list[ApplicationLine]:
        """What answers other lines than sound and pictures in a member's call."""
        lines = (self.floors.line(participant_id, identity), self.desktops.line(participant_id))
        self._lines[participant_id] = [MembersLine(line, lambda: participant_id in self.conference.lobby) for line in lines]
        return list(self._lines[participant_id])

    def leg_of(self, call: Call) -> CallLeg | None:
        """The leg of a member's call."""
        member = self._member_of(call)
        return None if member is None else member.leg

    @property
    def legs(self) -> list[CallLeg]:
        """The legs of all members, and of those who wait."""
        return [member.leg for member in (*self.members.values(), *self.waiting.members.values())]

    def dial(self, way: Way, to: NameAddr, identity: Identity, entry: DialOut) -> Call:
        """Call somebody into the conference (RFC 4579 §5.5); whoever answers is a participant. Raises MediaRefused.

        entry: is told what becomes of it.
        """
        server = self._server
        refusal = self.conference.check_invited()
        if refusal is not None:
            raise MediaRefused(refusal.reason, refusal.status)
        participant_id = server.new_id()
        flow = way.flow
        media = create_media(self._room, participant_id, flow, srtp=(self.conference.policy.srtp, identity.srtp),
                             has_pictures=True)
        media.take_lines(*self._lines_for(participant_id, identity))
        try:
            call = server.dial(way.target, from_=NameAddr(Uri.parse(self.entity), self.name), to=to, flow=flow,
                               offer=media.offer(), data=self, headers=way.headers, alternatives=way.alternatives)
        except MediaRefused:
            media.release()
            raise
        record = CallRecord(call.id, self.name, identity.account, str(to.uri), identity.display_name,
                            f"{flow.remote[0]}:{flow.remote[1]}", flow.transport, "", server.wallclock())
        self._dialling.begin(call, Member(participant_id, CallLeg(call, media, identity, record), Keypad()), entry)
        self._was_used = True
        return call

    def _dialled_answered(self, call: Call, response: Response, answer: bytes | None) -> None:
        now = self._server.now()

        def admit(member: Member) -> str:
            if answer is None:
                return "no answer in the 200"
            verdict = self.conference.join(member.id, member.leg.identity, now, is_invited=True)
            return verdict.reason if isinstance(verdict, Refused) else ""

        member = self._dialling.answered(call, admit)
        if member is None or answer is None:
            return
        leg = member.leg
        leg.takes_info = takes_package(response)
        self.members[member.id] = member
        leg.record = replace(leg.record, answered_at=self._server.wallclock())
        leg.receive_answer(answer, now)
        self._server.keep_record(leg.record)
        self._carry_out()

    def receive_event(self, event: events.Event) -> None:
        """An event of one of our calls."""
        now = self._server.now()
        match event:
            case events.CallProgressed(call, response, _):
                self._dialling.progressed(call, response.status)
            case events.CallAnswered(call, response, answer):
                self._dialled_answered(call, response, answer)
            case events.CallTerminated(call, cause, status, reason, _):
                self._ended(call, cause, status, reason, is_dropped=cause != "hung_up" or status == 408)
            case events.OfferReceived(call, offer, _):
                member = self._member_of(call)
                if member is not None and member.leg.receive_offer(offer, now):
                    self._changed(member)
            case events.AnswerReceived(call, answer):
                member = self._member_of(call)
                if member is not None and member.leg.receive_answer(answer, now):
                    self._changed(member)
            case events.DialogRequestReceived(call, transaction_id, request):
                self._requested(call, transaction_id, request)

    def _changed(self, member: Member) -> None:
        """What is agreed with a member's phone is another."""
        self._note_sending(member)
        self._carry_out()
        self._show(member)

    def _requested(self, call: Call, transaction_id: int, request: Request) -> None:
        member = self._member_of(call)
        method, content_type, body = request.method, request.content_type or "", request.body
        package = request.headers.get("Info-Package") if method == "INFO" else None
        if method == "OPTIONS":
            self._server.respond(transaction_id, 200)
        elif member is None:
            self._server.respond(transaction_id, 481)
        elif method == "MESSAGE":
            status, reason = self.messages.receive_message(member, content_type, body)
            self._server.respond(transaction_id, status, reason)
        elif package is not None:
            is_ours = package.partition(";")[0].strip().lower() == PACKAGE
            status = self.messages.receive_info(member, content_type, body) if is_ours else 469
            self._server.respond(transaction_id, status, headers=() if is_ours else (RECV_INFO,))
        elif method == "INFO" and content_type in ("application/dtmf-relay", "application/dtmf"):
            self._server.respond(transaction_id, 200)
            key = info_key(content_type, body)
            if key:
                self._pressed(member, key)
        else:
            self._server.respond(transaction_id, 415 if method == "INFO" else 405)

    def _written(self, line: ChatLine) -> None:
        """Somebody has written; what is written to one or to the hosts is told to nobody else."""
        if line.to == ALL:
            self._server.publish("chat", room=self.name, participant=str(line.sender), name=line.name, text=line.text)

    def _ended(self, call: Call, cause: str, status: int, reason: str, *, is_dropped: bool) -> None:
        if self._dialling.ended(call, cause, status, reason):
            self.put_away_if_unused()
            return
        member = self._member_of(call)
        if member is None:
            return
        self.members.pop(member.id, None)
        self._lines.pop(member.id, None)
        self.waiting.let_go(member.id)
        self._server.keep_record(member.leg.end(cause, status, reason, self._server.wallclock()))
        self.watchers.leave(member.id)
        self.conference.leave(member.id, self._server.now(), is_dropped=is_dropped)
        self._carry_out()

    def _member_of(self, call: Call) -> Member | None:
        people = (*self.members.values(), *self.waiting.members.values())
        return next((member for member in people if member.leg.call is call), None)

    # ---- commands

    def execute(self, command: Command, actor: ParticipantId | None = None, by: str = "operator") -> Verdict:
        """Carry out a command of a member, or of the operator (actor None), who is called `by` in the audit log."""
        verdict = self.conference.execute(command, self._server.now(), actor, by)
        self._carry_out()
        return verdict

    def order(self, order: Order, actor: ParticipantId | None = None, by: str = "operator") -> Verdict:
        """Carry out an order, whose people are named as its giver does. 503: it was granted, and could not be done."""
        self._failure = ""
        verdict = carry_out(self.conference, order, self._server.now(), actor, by)
        self._carry_out()
        return Refused(503, self._failure) if self._failure and not isinstance(verdict, Refused) else verdict

    def order_by(self, call: Call, order: Order) -> Verdict:
        """Carry out an order of the member whose call that is."""
        member = self._member_of(call)
        if member is None:
            return Refused(481, "that call is over")
        return self.order(order, member.id)

    def pressed(self, leg_id: int, key: str) -> None:
        """A member pressed a key of their phone."""
        member = self.members.get(ParticipantId(leg_id))
        if member is not None:
            self._pressed(member, key)

    def _pressed(self, member: Member, key: str) -> None:
        code = member.keypad.press(key, self._server.now())
        participant = self.conference.participants.get(member.id)
        if code is None or participant is None:
            return
        order = keyed(self.conference, code, participant)
        if order is None:
            self.announce(member.id, "press-hash")
            return
        said = answer(order, self.order(order, member.id), participant.role)
        if said is not None and not self._failure:
            self.announce(None if said[1] else member.id, said[0])

    def find(self, who: str) -> list[Member]:
        """Members by id, account, URI, or name as shown ("all" is everybody)."""
        if who.strip().lower() == "all":
            return list(self.members.values())
        return [self.members[one.id] for one in find(self.conference.participants.values(), who) if one.id in self.members]

    # ---- what members are told

    def announce(self, who: ParticipantId | None, name: str) -> None:
        """Say a prompt of `mcu.prompt_texts` to a member, or to one who waits, in their language, or to all (None).

        An unknown one is no error.
        """
        if not is_known(name):
            log.warning("there is no such prompt", extra={"room": self.name, "prompt": name})
            return
        member = None if who is None else self.members.get(who) or self.waiting.members.get(who)
        if who is not None and member is None:
            return
        language = self._server.language_of(*([member.leg.identity.account] if member is not None else []), self.name)

        def say() -> None:
            if self._is_over:
                return
            if member is None:
                self._room.sound.announce(0, name, language)
            elif member.id in self.members:
                self._room.sound.announce(int(member.leg.media.leg_id), name, language)
            elif member.id in self.waiting.members:
                self.waiting.media_room.sound.announce(int(member.leg.media.leg_id), name, language)

        self._server.have_prompt(name, language, say)

    def _say_muted(self, participant: Participant) -> None:
        """Tell who was muted by a host, where their phone doesn't show it: one that watches the roster does."""
        is_new = participant.muted_by_host and participant.id not in self._muted_by_host
        self._muted_by_host = (self._muted_by_host & self.members.keys() - {participant.id}
                               | ({participant.id} if participant.muted_by_host else set()))
        if is_new and not self.watchers.has(participant.id):
            self.announce(participant.id, "muted-by-host")

    def set_recording(self, state: str, *, is_failed: bool = False) -> None:
        """The room is recorded, or the recording is paused, or it is over (""): all are told, and the roster shows it."""
        before, self.recording = self.recording, state
        if state == before or self._is_over:
            return
        name = {"paused": "paused", "": "failed" if is_failed else "stopped"}.get(state, "resumed" if before else "started")
        self.announce(None, f"recording-{name}")
        self._roster.set_recording(state)
        self.watchers.notify_soon()
        self._server.publish("recording-changed", room=self.name, state=state, is_failed=is_failed)
        if is_failed:
            self.execute(Record("stop"))

    # ---- what the rules decided

    def _carry_out(self) -> None:
        while (event := self.conference.next_event()) is not None:
            self._apply(event)
            self._server.publish(kind_of(event), room=self.name, **facts_of(event))
        self._remember()
        self._play_music()
        self._arm()

    def _play_music(self) -> None:
        """Music for one who is alone, where the room has it so."""
        is_wanted = self.conference.policy.music_alone and len(self.members) == 1
        if is_wanted is not self._has_music and not self._is_over:
            self._has_music = is_wanted
            self._room.sound.set_music(0, is_wanted)

    def _remember(self) -> None:
        """Keep what must outlast a restart, when it has changed."""
        if self._is_over:
            return
        now = (self.conference.memory(), not self.conference.participants)
        if now != self._kept:
            self._kept = now
            self._server.keep_room(self.name, now[0], is_empty=now[1])

    def _apply(self, event: rules.Event) -> None:
        match event:
            case rules.ParticipantJoined(participant):
                self._joined(participant)
            case rules.ParticipantLeft(participant):
                log.info("left", extra={"room": self.name, "who": participant.identity.entity})
                self.desktops.leave(participant.id)
                self.floors.leave(participant.id)
                self._roster.remove(participant.id)
                self.messages.leave(participant.id)
                if self.conference.policy.leave_tone:
                    self._room.play("leave")
                self._spotlight()
                self.watchers.notify_soon()
            case rules.ParticipantChanged(participant):
                member = self.members.get(participant.id)
                if member is not None:
                    member.leg.media.set_muted(participant.is_muted)
                    member.leg.media.set_deaf(participant.is_deaf)
                    self._say_muted(participant)
                    self._room.describe(participant.id, participant.identity.display_name)
                    self._show(member)
                    self._spotlight()
            case TransmissionStarted(participant_id, medium):
                self._let_pass(participant_id, medium, True)
            case TransmissionStopped(participant_id, medium):
                self._let_pass(participant_id, medium, False)
            case rules.ParticipantKicked(participant, reason):
                member = self.members.get(participant.id) or self.waiting.members.get(participant.id)
                if member is not None:
                    member.leg.call.hang_up(self._server.now(), reason)
            case LobbyEntered(participant, for_host):
                self._waits(participant, for_host=for_host)
            case LobbyLeft(participant):
                log.info("waits no longer", extra={"room": self.name, "who": participant.identity.entity})
                self._roster.remove_waiting(participant.id)
                self.watchers.notify_soon()
            case PolicyChanged():
                self._roster.set_policy(self.conference.policy, is_suspended=self.conference.is_suspended)
                self.watchers.notify_soon()
            case HostChanged(participant):
                log.info("host", extra={"room": self.name, "who": participant.identity.entity if participant else None})
                if participant is not None and participant.joined_at < self._server.now() - NEW_S:
                    self.announce(participant.id, "you-are-host")
                    self.messages.notify(self.members.get(participant.id), "you-are-host")
            case UnmuteAsked(participant):
                self.announce(participant.id, "ask-unmute")
                self.messages.notify(self.members.get(participant.id), "unmute-asked")
            case CountAsked(participant, count):
                self.announce(participant.id, counted(count))
            case TimeRunsOut(minutes):
                self.announce(None, "last-minute" if minutes <= 1 else "last-minutes")
            case CommandJudged(actor, verb, target, detail, refusal):
                self._server.keep_audit(AuditRecord(self._server.wallclock(), self.name, actor, verb, target, detail, refusal))
            case rules.LockChanged(locked):
                self._roster.set_locked(locked)
                self.watchers.notify_soon()
            case ActivitySuspended(is_suspended):
                self._roster.set_policy(self.conference.policy, is_suspended=is_suspended)
                self.watchers.notify_soon()
                if is_suspended:
                    self.floors.execute(StopFloors("all activity is suspended"), None)
            case LayoutChanged(layout):
                self._room.set_layout(layout)
            case (InviteRequested() | RecordingRequested() | SayRequested() | PlayRequested()):
                self._failure = self._server.perform(self.name, event) or self._failure
            case rules.ConferenceClosing(reason):
                log.info("closing", extra={"room": self.name, "reason": reason})
                self._room.play("closing")
            case rules.ConferenceClosed(reason, _):
                self._server.end_room(self.name, self.conference.memory(), is_permanent=self.conference.policy.is_permanent)
                self._finish(reason)

    def _joined(self, participant: Participant) -> None:
        """Somebody is in: a newcomer, or one who has waited."""
        log.info("joined", extra={"room": self.name, "who": participant.identity.entity})
        member = self.waiting.let_go(participant.id)
        if member is not None:
            self._room.adopt(member.leg.media)
            self.members[participant.id] = member
            self.waiting.close_if_empty()
            self.watchers.needs_full.add(participant.id)
            self.announce(participant.id, "admitted")
        self.floors.join(participant.id, participant.identity)
        self._room.describe(participant.id, participant.identity.display_name)
        self._note_sending(self.members[participant.id])
        self._show(self.members[participant.id])
        self.messages.welcome(self.members[participant.id])
        if self._spotlit is not None:
            self._room.pin(participant.id, [self._spotlit])
        if self.conference.policy.join_tone:
            self._room.play("join")
        if self.recording == "recording":
            self.announce(participant.id, "recording-on")

    def _spotlight(self) -> None:
        """Show all who is in the spotlight, or let each see whoever speaks again."""
        spotlit = next((one.id for one in self.conference.participants.values() if one.is_spotlit), None)
        if spotlit == self._spotlit:
            return
        self._spotlit = spotlit
        for viewer in self.members:
            self._room.pin(viewer, [spotlit] if spotlit is not None and viewer != spotlit else [])

    def _waits(self, participant: Participant, *, for_host: bool) -> None:
        """Somebody is in the lobby: a newcomer, or a member who was sent there."""
        log.info("waits", extra={"room": self.name, "who": participant.identity.entity})
        member = self.members.pop(participant.id, None)
        if member is not None:
            for line in self._lines.get(participant.id, ()):
                line.end()
            try:
                self.waiting.take_in(member)
            except MediaRefused as error:
                member.leg.call.hang_up(self._server.now(), error.reason)
                return
            self.watchers.needs_full.add(participant.id)
        waiting = self.waiting.members[participant.id]
        self._roster.put_waiting(participant, self._device(waiting))
        self.watchers.notify_soon()
        self.announce(participant.id, "waiting-for-host" if for_host else "lobby")

    def _is_host(self, participant_id: ParticipantId) -> bool:
        participant = self.conference.participants.get(participant_id)
        return participant is not None and participant.role is Role.HOST

    def _may_ask(self, floor: FloorId, participant_id: ParticipantId) -> bool:
        """Whether a member may ask for a floor just now."""
        rules = self.conference
        if self.desktops.is_guest(participant_id):
            return rules.policy.control is not Level.NOBODY and not rules.is_suspended
        return rules.may_share(participant_id) if floor is FloorId.SCREEN else rules.may_control(participant_id)

    def _on_floor(self, event: FloorEvent) -> None:
        """A floor was granted or has ended: what it is for passes from now on, or not any more."""
        self.desktops.on_floor(event)
        if isinstance(event, FloorGranted | FloorEnded):
            self._server.publish(kind_of(event), room=self.name, **grant_facts(event))
        match event:
            case FloorGranted(grant):
                self.conference.let_pass(grant.holder, MEDIA[grant.floor], True)
                self._carry_out()
            case FloorEnded(grant, reason):
                self.conference.let_pass(grant.holder, MEDIA[grant.floor], False, reason)
                self._carry_out()

    def _note(self, actor: ParticipantId | None, verb: str, target: ParticipantId | None, detail: str) -> None:
        """A line for the audit of the desktops."""
        row = AuditRecord(self._server.wallclock(), self.name, self._entity_of(actor), verb, self._entity_of(target), detail)
        log.info(verb, extra={"room": self.name, "actor": row.actor, "target": row.target, "detail": detail})
        self._server.keep_audit(row)

    def _entity_of(self, participant_id: ParticipantId | None) -> str:
        found = None if participant_id is None else self.conference.participants.get(participant_id)
        if found is not None or participant_id is None:
            return "" if found is None else found.identity.entity
        return self.desktops.name_of(participant_id) or str(participant_id)

    def hear(self, leg_ids: tuple[int, ...]) -> None:
        """These speak now, the loudest first."""
        self.speaking = leg_ids
        self._room.hear(leg_ids)

    def pin(self, viewer: ParticipantId, targets: Sequence[ParticipantId]) -> None:
        """A member wants to see these in any case; none: whoever speaks."""
        self._room.pin(viewer, targets)

    def _note_sending(self, member: Member) -> None:
        """Tell the rules what a member's phone sends, as its SDP says."""
        media = member.leg.media
        agreed = media.negotiated
        self.conference.send(member.id, Medium.AUDIO, agreed is not None and agreed.may_receive and not member.leg.is_held)
        self.conference.send(member.id, Medium.VIDEO, media.sends("main"))
        self.conference.send(member.id, Medium.SCREEN, media.sends("slides"))

    def _let_pass(self, participant_id: ParticipantId, medium: Medium, may_pass: bool) -> None:
        """A transmission has started or stopped: pictures are let pass accordingly (sound is by `set_muted`)."""
        member = self.members.get(participant_id)
        content = CONTENTS.get(medium)
        if member is not None and content is not None:
            member.leg.media.let_pass(content, may_pass)
            self._show(member)

    def _finish(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        now = self._server.now()
        for member in (*self.members.values(), *self.waiting.members.values()):
            member.leg.call.hang_up(now, reason)
            self._server.keep_record(member.leg.end("closed", 200, reason, self._server.wallclock()))
        self.members.clear()
        self.waiting.close()
        self._dialling.close(reason)
        self.watchers.close()
        self.desktops.close()
        self.floors.close()
        self._room.close()
        self._closed(self)

    def shut_down(self, reason: str) -> None:
        """End everything now, without a chime: the server stops, or the media worker is gone."""
        self._finish(reason)

    def _arm(self) -> None:
        """Have the rules' timer called; a permanent conference that is empty is put away."""
        if self._is_over:
            return
        due = self.conference.next_timer()
        if due is not None:
            self._server.call_at(due, self._timer_fired)
        elif self.conference.state is rules.State.CREATED and self.conference.policy.is_permanent:
            self._server.call_at(self._server.now(), self.put_away_if_unused)

    def _timer_fired(self) -> None:
        if not self._is_over:
            self.conference.handle_timer(self._server.now())
            self._carry_out()

    def put_away_if_unused(self) -> None:
        """End a conference that nobody has ever got into, or a permanent one that is empty: nothing is lost with it."""
        if self.members or self.waiting.members or self._dialling.calls:
            return
        if self.conference.policy.is_permanent or not self._was_used:
            self._finish("the room is empty")

    # ---- roster

    def may_look(self, identity: Identity) -> bool:
        """Whether somebody who is not in it may see who is: who could come in just now, without a PIN and without waiting."""
        return self.conference.check(identity, None) is None and not self.conference.must_wait(identity, None)

    def member_from(self, uri: Uri, flow: Flow) -> ParticipantId | None:
        """The participant whose phone has this From and this address; of two on one machine the one with the same port."""
        wanted = uri.without_parameters()
        found = None
        for member in (*self.members.values(), *self.waiting.members.values()):
            call = member.leg.call
            if call.flow.remote[0] == flow.remote[0] and call.remote.uri.without_parameters().matches(wanted):
                if call.flow.remote == flow.remote:
                    return member.id
                found = found or member.id
        return found

    def _show(self, member: Member) -> None:
        participant = self.conference.participants.get(member.id)
        if participant is None:
            return
        pictures = tuple(Picture(line.content, line.codec, self.conference.is_transmitting(member.id, MEDIUM_OF[line.content]),
                                 line.is_got) for line in member.leg.media.picture_lines())
        self._roster.put(participant, replace(self._device(member), pictures=pictures))
        self.watchers.notify_soon()

    def _device(self, member: Member) -> Device:
        """The call through which somebody takes part, or waits."""
        leg = member.leg
        dialog = leg.call.dialog
        contact = str(dialog.target.without_parameters()) if dialog is not None else leg.identity.entity
        tags = ("", "") if dialog is None else (dialog.remote.tag or "", dialog.local.tag or "")
        return Device(contact, leg.codec, leg.call.id, leg.is_held, tags=tags[::-1] if leg.call.is_outgoing else tags)


def _warning(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")
