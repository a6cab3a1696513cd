"""Calls from one person to another (a back-to-back user agent, RFC 3261 §6): two calls, one media room between them.

The caller's INVITE is sent on to all phones of the callee at once; the first that answers has the call, the others are
cancelled. Who calls is what the guard found out, never what From says. Each leg negotiates its media with the server, so that
a hold, a new codec or a new address of one phone is no business of the other's; texts and keys by INFO are handed on.
A call to the telephone network is the same with one phone, the provider's, as which the caller is our account there. What is
played before the answer (RFC 3960 §3) is let through, of the first that plays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mcu.call_desk import CallDesk
from mcu.leg import CallLeg, answer_call, begin_record, create_media, own_contact
from mcu.location import Located, Way, ways_to
from mcu.participant import Identity, ParticipantId
from mcu.storage.base import Account, CallRecord
from mcu.surroundings import Media, MediaRoom, Surroundings
from mcu.trunk import Trunk
from mcu.words import REPLACED, TRANSFERRED
from rtp.errors import ParseError as SdpError
from rtp.sdp.negotiation import Capabilities, codecs_of
from rtp.sdp.parser import parse
from sip import events
from sip.auth import DigestClient
from sip.errors import LocalProtocolError
from sip.headers import NameAddr
from sip.invite import Call, CallState
from sip.media_backend import MediaRefused
from sip.message import Request
from sip.refer import Referral
from sip.source import is_secure
from sip.uri import Uri

log = logging.getLogger(__name__)

RING_S = 60.0
"""How long the phones of the callee ring."""
EARLY_END = 199
"""One phone of a fork has left (RFC 6228); any other 1xx is progress, also one that nobody knows (RFC 3261 §8.1.3.2)."""
HOPS = 70
"""How far a call goes on whose caller does not say it (RFC 3261 §16.6 step 3); each server takes one hop, so circles end."""
HANDED_ON = ("MESSAGE", "INFO")
"""Requests inside a call that go to the other side as they are."""


def capabilities_for(offer: bytes | None) -> Capabilities:
    """Our codecs in the order in which the caller offers theirs, so that both legs take the same one where they can."""
    known = Capabilities()
    if offer is None:
        return known
    try:
        wanted = [codec.name.lower() for media in parse(offer).media for codec in codecs_of(media)]
    except SdpError:
        return known
    return capabilities_preferring(wanted)


def capabilities_preferring(names: list[str]) -> Capabilities:
    """Our codecs, those of these names first."""
    known = Capabilities()
    ours = [codec.name.lower() for codec in known.codecs]
    first = [name for name in dict.fromkeys(names) if name in ours]
    return known.only(*first, *(name for name in ours if name not in first))


class Callee(Protocol):
    """Who is called: an account of ours, or a number of the telephone network."""

    @property
    def name(self) -> str:
        """The name of the account, or the number."""

    @property
    def srtp(self) -> str | None:
        """What it wants of SRTP, None for nothing of its own."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A number of the telephone network."""

    name: str
    srtp: str | None = None


@dataclass(slots=True)
class Transfer:
    """A transfer under way. by: the call of who asked for it; is_alone: they have hung up already."""

    referral: Referral
    by: Call
    is_alone: bool = False


class UserCall:
    """One call to a user, or to the telephone network. ended: called once, when both sides are over."""

    def __init__(self, event: events.CallReceived, caller: Identity, callee: Callee, server: Surroundings,
                 ended: Callable[[UserCall], None]) -> None:
        self._server = server
        self._ended = ended
        self._event = event
        self._call = event.call
        self._caller = caller
        self._callee = callee
        self._room: MediaRoom | None = None
        self._leg: CallLeg | None = None
        self._ringing: dict[Call, CallLeg] = {}
        self._described: dict[Call, bytes] = {}
        self._early: CallLeg | None = None
        self._other: CallLeg | None = None
        self._best_refusal = (480, f"{callee.name} is not there")
        self._transfer: Transfer | None = None
        self._desk: CallDesk | None = None
        self._is_over = False

    @property
    def _has_pictures(self) -> bool:
        """Whether the caller brings pictures: so it is asked for some of whom they call, unless that is a telephone number."""
        return b"m=video" in (self._event.offer or b"") and not isinstance(self._callee, Outside)

    def _share(self, who: ParticipantId, may_pass: bool) -> None:
        """Let the slides of one side be shown to the other, or not any more."""
        for leg in self.legs:
            if leg.media.leg_id == who:
                leg.media.let_pass("slides", may_pass)

    def _see_each_other(self) -> None:
        """Both sides are there: what they send is shown, and not before."""
        for leg in self.legs:
            leg.media.let_pass("main", True)
            if self._room is not None:
                self._room.describe(leg.media.leg_id, leg.identity.display_name)

    @property
    def room_id(self) -> int | None:
        """The media room's id."""
        return self._room.room_id if self._room is not None else None

    @property
    def legs(self) -> list[CallLeg]:
        """The legs that are up."""
        return [leg for leg in (self._leg, self._other) if leg is not None]

    @property
    def is_transferring(self) -> bool:
        """Whether a transfer is under way."""
        return self._transfer is not None

    # ---- ringing

    def start(self, phones: list[Located], callee: Account) -> None:
        """Ring all phones of the callee; when there is none the call is refused at once."""
        if self._open():
            self._desk = CallDesk(self._server, f"call {self._call.id}", self._share)
            self._ring_all(phones, capabilities_for(self._event.offer), self._caller, callee)
            self._await()

    def start_through(self, trunk: Trunk) -> None:
        """Call the number through a provider, as our account there: nothing of the caller's own name goes out."""
        if self._open():
            to = NameAddr(trunk.uri_of(self._callee.name))
            flows = trunk.ways
            self._best_refusal = (480, f"{self._callee.name} can't be reached")
            self._invite(Way(to.uri, flows[0], tuple(flows[1:])), trunk.aor, to, capabilities_for(self._event.offer),
                         Identity(str(to.uri), self._callee.name), self._caller.srtp, trunk.credentials)
            self._await()

    def _open(self) -> bool:
        call, server = self._call, self._server
        call.data = self
        try:
            self._room = server.open_media_room("relay")
        except MediaRefused as error:
            call.reject(error.status, error.reason, now=server.now())
            self._finish()
            return False
        return True

    def _await(self) -> None:
        if not self._ringing:
            status, reason = self._best_refusal
            self._call.reject(status, reason, now=self._server.now())
            self._finish()
            return
        self._server.call_at(self._server.now() + RING_S, self._rang_long_enough)

    def _ring_all(self, phones: list[Located], capabilities: Capabilities, caller: Identity, callee: Account) -> None:
        """Call every phone of the callee; to sips: only those that are registered over TLS."""
        server, is_secure = self._server, self._event.request.uri.scheme == "sips"
        ways = ways_to(phones, server.flow_of, is_secure=is_secure)
        if is_secure and phones and not ways:
            self._best_refusal = (480, f"{self._callee.name} can't be reached over TLS")
        from_ = NameAddr(Uri.parse(caller.entity), caller.display_name)
        to = NameAddr(Uri("sip", callee.name, server.domain), callee.display_name)
        identity = Identity(str(to.uri), callee.display_name, callee.name, callee.srtp)
        for way in ways:
            self._invite(way, from_, to, capabilities, identity, caller.srtp)

    def _invite(self, way: Way, from_: NameAddr, to: NameAddr, capabilities: Capabilities, identity: Identity,
                srtp: str | None, credentials: DigestClient | None = None) -> None:
        """Call a phone. identity: whose it is; srtp: what the other side of the call wants of SRTP."""
        server, room, flow = self._server, self._room, way.flow
        assert room is not None
        media = create_media(room, server.new_id(), flow, capabilities, srtp=(srtp, identity.srtp),
                             has_pictures=self._has_pictures)
        self._furnish(media, identity)
        hops = self._event.request.max_forwards
        try:
            call = server.dial(way.target, from_=from_, to=to, flow=flow, offer=media.offer(), data=self, headers=way.headers,
                               alternatives=way.alternatives, credentials=credentials,
                               max_forwards=HOPS if hops is None else max(0, hops - 1))
        except MediaRefused as error:
            media.release()
            self._best_refusal = (error.status, error.reason)
            return
        remote_uri, shown = (from_.uri, from_.display_name) if identity.account else (to.uri, identity.display_name)
        record = CallRecord(call.id, None, identity.account, str(remote_uri), shown, f"{flow.remote[0]}:{flow.remote[1]}",
                            flow.transport, way.user_agent, server.wallclock())
        self._ringing[call] = CallLeg(call, media, identity, record)

    def _rang_long_enough(self) -> None:
        if (self._other is None or self._transfer is not None) and not self._is_over:
            self._best_refusal = (480, f"{self._callee.name} does not answer")
            for call in list(self._ringing):
                call.hang_up(self._server.now(), "nobody answered")

    # ---- events

    def receive_event(self, event: events.Event) -> None:
        """An event of one of our calls."""
        match event:
            case events.CallProgressed(call, response, answer) if response.status != EARLY_END and call in self._ringing:
                self._progressed(self._ringing[call], answer)
            case events.CallAnswered(call, _, answer):
                self._answered(call, answer)
            case events.CallTerminated(call, cause, status, reason, _):
                self._terminated(call, cause, status, reason)
            case events.OfferReceived(call, offer, _):
                self._offered(call, offer)
            case events.AnswerReceived(call, answer):
                leg = self.leg_of(call)
                if leg is not None:
                    leg.receive_answer(answer, self._server.now())
            case events.OfferRefused(call, _):
                self._reinvite_refused(call)
            case events.ReferReceived(referral):
                referral.reject(403, self._server.now(), "only a call that is up can be transferred")
            case events.DialogRequestReceived(call, transaction_id, request):
                self._requested(call, transaction_id, request)

    def _progressed(self, leg: CallLeg, answer: bytes | None) -> None:
        now = self._server.now()
        if self._transfer is not None:
            self._transfer.referral.notify(180, now)
        elif answer is None or self._event.offer is None or self._described or not self._play_early(leg, answer):
            self._call.ring(now)

    def _play_early(self, leg: CallLeg, answer: bytes) -> bool:
        """Let the caller hear what comes before the answer; False when their phone and this one have no way in common."""
        assert self._event.offer is not None
        early = self._early or self._make_leg()
        try:
            leg.media.apply(answer)
            if self._early is None:
                early.ring(self._event.offer, self._server.now())
        except MediaRefused:
            early.media.release()
            return False
        self._described[leg.call], self._early = answer, early
        return True

    def _furnish(self, media: Media, identity: Identity) -> None:
        """Have the other lines of a leg answered, where both sides are people of ours."""
        if self._desk is not None:
            media.take_lines(*self._desk.lines(media.leg_id, identity))

    def _make_leg(self) -> CallLeg:
        call, server = self._call, self._server
        assert self._room is not None
        media = create_media(self._room, server.new_id(), call.flow, srtp=(self._caller.srtp, self._callee.srtp),
                             has_pictures=self._has_pictures)
        self._furnish(media, self._caller)
        record = begin_record(self._event.request, call, self._caller, None, server.wallclock())
        return CallLeg(call, media, self._caller, record)

    def _offered(self, call: Call, offer: bytes | None) -> None:
        """A new offer of one side: also of one that rings, or of a caller who hears it ring, by UPDATE (RFC 3311)."""
        leg = self._ringing.get(call) or self.leg_of(call) or (self._early if call is self._call else None)
        if leg is None:
            call.reject_offer(500, self._server.now())
        elif leg.receive_offer(offer, self._server.now()) and offer is not None and call in self._ringing:
            self._described[call] = offer

    def _answered(self, call: Call, answer: bytes | None) -> None:
        leg = self._ringing.pop(call, None)
        now = self._server.now()
        if leg is None or (self._other is not None and self._transfer is None) or self._is_over:
            call.hang_up(now, "somebody else answered")
            return
        if answer is None or not self._take(leg, answer):
            leg.media.release()
            if answer is None:
                call.hang_up(now, "no answer in the 200", 488)
            self._refused(488, "no common way to talk")
            return
        for other, unanswered in list(self._ringing.items()):
            unanswered.media.release()
            other.hang_up(now, "call completed elsewhere")
        if self._transfer is not None:
            self._complete(self._transfer, leg)
        else:
            self._other = leg
            self._accept()

    def _take(self, leg: CallLeg, answer: bytes) -> bool:
        """Take the answer of the 200, which a provisional response may have brought already; False when it can't be used."""
        known = self._described.get(leg.call)
        if known == answer:
            return True
        if known is not None:
            leg.media.offer()                            # another phone of a fork: its answer is to the same offer of ours
        return leg.receive_answer(answer, self._server.now())

    def _accept(self) -> None:
        call, server = self._call, self._server
        assert self._other is not None
        leg, self._early = self._early or self._make_leg(), None
        contact = NameAddr(own_contact(call.flow, self._callee.name, server.addresses,
                                       is_secure=is_secure(self._event.request)))
        try:
            leg.accept(self._event.offer, contact, server.wallclock(), server.now())
        except (MediaRefused, LocalProtocolError) as error:
            leg.media.release()
            status, reason = (error.status, error.reason) if isinstance(error, MediaRefused) else (487, "the caller has gone")
            call.reject(status, reason, now=server.now())
            self._other.call.hang_up(server.now(), reason)
            return
        self._leg = leg
        self._see_each_other()
        for one in self.legs:
            server.keep_record(one.record)

    def _terminated(self, call: Call, cause: str, status: int, reason: str) -> None:
        now, wallclock = self._server.now(), self._server.wallclock()
        self._described.pop(call, None)
        if call in self._ringing:
            media = self._ringing.pop(call).media
            media.release()
            if cause == "rejected":
                media.refused(status)
                self._refused(status, reason)
            elif not self._ringing and (self._other is None or self._transfer is not None):
                self._give_up()
        else:
            leg = self.leg_of(call)
            if leg is not None:
                self._server.keep_record(leg.end(cause, status, reason, wallclock))
                self._take_out(leg)
            transfer = self._transfer
            if transfer is not None and call is transfer.by:
                transfer.is_alone = True                    # whom they transferred waits for the answer alone
            elif call is self._call or leg is not None:
                self._end_rest(now, reason)
        self._finish_if_over()

    def _take_out(self, leg: CallLeg) -> None:
        if leg is self._leg:
            self._leg = None
        elif leg is self._other:
            self._other = None

    def _end_rest(self, now: float, reason: str) -> None:
        """One side has gone: so do the other side and all that rings."""
        if self._transfer is not None:
            self._transfer.referral.notify(487, now, "the other side has gone")
            self._transfer = None
        for ringing in list(self._ringing):
            ringing.hang_up(now, reason or "the caller gave up")
        for leg in self.legs:
            leg.call.hang_up(now, reason)
        self._call.hang_up(now, reason)

    def _refused(self, status: int, reason: str) -> None:
        """A phone refused: a decline ends it for all (RFC 3261 §16.7 step 5), else the best refusal counts."""
        if status >= 600:
            for ringing in list(self._ringing):
                ringing.hang_up(self._server.now(), "declined elsewhere")
        if status in (401, 407):
            is_provider = isinstance(self._callee, Outside)
            status, reason = 500, ("the provider does not take the password of this server" if is_provider
                                   else "the phone that was called wants a password, and gets none")
        elif status < 400:
            status, reason = 480, "the call was sent elsewhere"
        if self._best_refusal[0] == 480 or status >= 600 or status in (486, 603):
            self._best_refusal = (status, reason)
        if not self._ringing and (self._other is None or self._transfer is not None):
            self._give_up()

    def _give_up(self) -> None:
        status, reason = self._best_refusal
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            self._call.reject(status, reason, now=self._server.now())
            return
        transfer.referral.notify(status, self._server.now(), reason)
        if transfer.is_alone:
            self._end_rest(self._server.now(), reason)

    # ---- transfer (RFC 3515, RFC 3891, RFC 5589)

    def transfer(self, referral: Referral, by: Call, target: Account, phones: list[Located]) -> None:
        """Ring `target` for the partner of `by`, whose REFER was accepted; whoever answers takes the place of `by`."""
        partner = self.partner_of(by)
        now = self._server.now()
        if partner is None or self._transfer is not None:
            referral.notify(491, now)
            return
        try:
            partner.check_kept(target.srtp)
        except MediaRefused as error:
            referral.notify(error.status, now, error.reason)
            return
        self._transfer = Transfer(referral, by)
        self._best_refusal = (480, f"{target.name} is not there")
        agreed = partner.media.negotiated
        first = [agreed.codec.name.lower()] if agreed is not None else []
        self._ring_all(phones, capabilities_preferring(first), partner.identity, target)
        if not self._ringing:
            self._give_up()
        else:
            self._server.call_at(now + RING_S, self._rang_long_enough)

    def _complete(self, transfer: Transfer, leg: CallLeg) -> None:
        """The new side is there: it takes the place of the one who transferred."""
        now = self._server.now()
        self._transfer = None
        transfer.referral.notify(200, now)
        self._put_in_place_of(transfer.by, leg)
        self._server.keep_record(leg.record)
        transfer.by.hang_up(now, TRANSFERRED)
        self._introduce(leg)

    def _introduce(self, newcomer: CallLeg) -> None:
        """Let the one who stays know with whom they talk now."""
        staying = self.partner_of(newcomer.call)
        if staying is not None:
            staying.introduce(newcomer.identity, self._server.now())

    def _put_in_place_of(self, call: Call, leg: CallLeg) -> None:
        old = self.leg_of(call)
        if old is not None:
            self._server.keep_record(old.end(TRANSFERRED, 200, TRANSFERRED, self._server.wallclock()))
        if call is self._call:
            self._call, self._leg = leg.call, leg
        else:
            self._other = leg
        self._see_each_other()

    def join_with(self, by: Call, other: UserCall, their: Call) -> int:
        """An attended transfer: `by` (here) and `their` (in `other`) are one person, whose two partners are connected.

        The status to tell: 200, or why it can't be.
        """
        ours, found = self.partner_of(by), other.partner_of(their)
        if ours is None or found is None or self._room is None or other is self:
            return 481
        try:
            ours.check_kept(found.identity.srtp)
            found.check_kept(ours.identity.srtp)
        except MediaRefused as error:
            return error.status
        server, call = self._server, found.call
        leg = CallLeg(call, found.media, found.identity, found.record)
        self._room.adopt(found.media)                   # its ports, keys and codec stay: the phone notices a new stream at most
        call.data = self
        other.let_go(found)
        self._put_in_place_of(by, leg)
        by.hang_up(server.now(), TRANSFERRED)
        their.hang_up(server.now(), TRANSFERRED)
        self._introduce(leg)
        leg.introduce(ours.identity, server.now())
        return 200

    def let_go(self, leg: CallLeg) -> None:
        """A side lives on elsewhere, its media too."""
        if leg.call is self._call:
            remaining = self._other
            self._leg = None
            self._call = remaining.call if remaining is not None else self._call
        else:
            self._other = None

    def replace(self, event: events.CallReceived, old: Call, identity: Identity) -> None:
        """An INVITE with Replaces: the new call takes the place of `old`, which is hung up (RFC 3891 §3)."""
        call, server = event.call, self._server
        if self.leg_of(old) is None or self._room is None:
            call.reject(481, now=server.now())
            return
        try:
            leg = answer_call(event, self._room, server.new_id(), identity, server, self._callee.name, is_focus=False,
                              srtp=[leg.identity.srtp for leg in self.legs if leg.call is not old])
        except MediaRefused as error:
            call.reject(error.status, error.reason, now=server.now())
            return
        call.data = self
        self._put_in_place_of(old, leg)
        server.keep_record(leg.record)
        old.hang_up(server.now(), REPLACED)
        self._introduce(leg)

    def _reinvite_refused(self, call: Call) -> None:
        leg = self.leg_of(call)
        if leg is not None and leg.media.negotiated is None:
            call.hang_up(self._server.now(), "the media could not be moved", 488)

    # ---- requests and keys

    def _requested(self, call: Call, transaction_id: int, request: Request) -> None:
        other = self.partner_of(call)
        if request.method == "OPTIONS":
            self._server.respond(transaction_id, 200)
        elif request.method not in HANDED_ON:
            self._server.respond(transaction_id, 405)
        elif other is None or not other.call.is_up:
            self._server.respond(transaction_id, 480)
        else:
            self._server.request(other.call, request.method,
                                 lambda status, reason: self._server.respond(transaction_id, status, reason),
                                 body=request.body, content_type=request.headers.get("Content-Type"))

    def pressed(self, leg_id: int, key: str) -> None:
        """A key of one side goes by INFO to a phone that takes no telephone events; to others the room passes the event on."""
        for leg in self.legs:
            partner = self.partner_of(leg.call)
            if leg.media.leg_id == leg_id and partner is not None and partner.call.is_up and _needs_info(leg, partner):
                self._server.request(partner.call, "INFO", lambda status, reason: None,
                                     body=f"Signal={key}\r\nDuration=160\r\n".encode(), content_type="application/dtmf-relay")

    # ---- the end

    def shut_down(self, reason: str) -> None:
        """Hang up on both."""
        now = self._server.now()
        for call in (self._call, *self._ringing, *(leg.call for leg in self.legs)):
            call.hang_up(now, reason)

    def _finish_if_over(self) -> None:
        if self._call.state is CallState.ENDED and not self._ringing and not self.legs:
            self._finish()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._desk is not None:
            self._desk.close()
        if self._room is not None:
            self._room.close()
        self._ended(self)

    def leg_of(self, call: Call) -> CallLeg | None:
        """The leg of one of our calls that is up."""
        return next((leg for leg in self.legs if leg.call is call), None)

    def partner_of(self, call: Call) -> CallLeg | None:
        """The leg of the other side of one of our calls, when both are up."""
        if self._leg is not None and call is self._leg.call:
            return self._other
        return self._leg if self._other is not None and call is self._other.call else None


def _needs_info(presser: CallLeg, partner: CallLeg) -> bool:
    """Whether a key can't reach the partner in the media: not as an event, which it doesn't take, nor as a tone."""
    pressed, takes = presser.media.negotiated, partner.media.negotiated
    return pressed is not None and pressed.dtmf_receive is not None and takes is not None and takes.dtmf_send is None
