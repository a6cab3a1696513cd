"""Who goes where when a phone transfers a call or takes one over (REFER, RFC 3515; Replaces, RFC 3891; RFC 5589).

Blind, a partner goes on to another user, who rings, or into a room, as if they had called it. Attended, two calls of one person
become one: between two partners, or of a partner with the room that the other call is in. An INVITE with Replaces puts a phone
in the place of another one, in a call of two or in a room. The roles (`mcu.b2bua`, `mcu.focus`) move the legs; here is
decided which, and whether they may.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from mcu.b2bua import UserCall
from mcu.conference import Refused
from mcu.dial_outs import ALERTING, DialOut
from mcu.dialplan import Destination, RoomCalled, UserCalled
from mcu.focus import Focus
from mcu.leg import CallLeg
from mcu.participant import Identity
from mcu.registrar import Registrar
from mcu.storage.base import Account
from mcu.surroundings import Surroundings
from mcu.verbs import build
from mcu.words import TRANSFERRED
from sip import events
from sip.dialog import DialogId
from sip.headers import NameAddr
from sip.invite import Call
from sip.refer import Referral
from sip.replaces import Replaces
from sip.uri import Uri


class House(Protocol):
    """The switchboard as transfers see it."""

    server: Surroundings
    registrar: Registrar
    user_calls: set[UserCall]

    @property
    def foci(self) -> Mapping[str, Focus]:
        """The conferences that are open, by name."""

    def destination(self, uri: Uri) -> Destination:
        """What answers at a URI."""

    def account(self, name: str) -> Account | None:
        """An account by name."""

    def has_room(self, name: str) -> bool:
        """Whether a room is open, or would be opened for who calls it."""

    def adopt(self, leg: CallLeg, name: str, pin: str | None, tried_by: str) -> Refused | None:
        """Bring a leg into a room; None, or why that can't be. tried_by: whose wrong PINs are counted."""


class Transfers:
    """Carries transfers out. is_open: guests may bring people into rooms, too."""

    def __init__(self, house: House, *, is_open: bool) -> None:
        self._house = house
        self._is_open = is_open

    # ---- REFER

    def refer(self, referral: Referral, call: Call | None, refer_to: NameAddr, replaces: Replaces | None) -> None:
        """A REFER came, in a call or out of any."""
        now = self._house.server.now()
        role = call.data if call is not None else None
        if call is not None and isinstance(role, Focus) and replaces is None:
            self._change_members(referral, call, role, refer_to)
        elif call is None or referral.method != "INVITE" or not isinstance(role, UserCall | Focus):
            referral.reject(403, now, "only calls between people can be transferred")
        elif replaces is not None:
            self._attended(referral, call, role, replaces)
        elif isinstance(role, UserCall):
            self._blind(referral, call, role, refer_to)

    def _change_members(self, referral: Referral, call: Call, focus: Focus, refer_to: NameAddr) -> None:
        """A member has somebody called in (RFC 4579 §5.5), or put out (§5.11), as far as their role lets them."""
        now = self._house.server.now()
        uri = replace(refer_to.uri.without_parameters(), headers="")
        dialled, last_id = self._house.server.dial_outs, self._house.server.dial_outs.last_id
        match referral.method:
            case "INVITE":
                order = build("invite", {"uri": str(uri)})
            case "BYE":
                order = build("kick", {"who": str(uri)})
            case _:
                referral.reject(403, now, "a member is called in (INVITE) or put out (BYE)")
                return
        verdict = focus.order_by(call, order)
        if isinstance(verdict, Refused):
            referral.reject(verdict.status, now, verdict.reason)
            return
        referral.accept(now)
        entry = next((one for one in dialled.of(focus.name) if one.id > last_id), None)
        if referral.method == "BYE" or entry is None:
            referral.notify(200 if referral.method == "BYE" else 404, now)
        else:
            entry.told = functools.partial(self._report, referral)
            self._report(referral, entry)

    def _report(self, referral: Referral, entry: DialOut) -> None:
        """Tell who had somebody called how that fares (RFC 3515 §2.4.5)."""
        now = self._house.server.now()
        if entry.state == ALERTING:
            referral.notify(180, now)
        elif not entry.is_pending:
            referral.notify(entry.status or 500, now, entry.reason or None)

    def _blind(self, referral: Referral, call: Call, role: UserCall, refer_to: NameAddr) -> None:
        house, now = self._house, self._house.server.now()
        match house.destination(refer_to.uri):
            case UserCalled(name) if (account := house.account(name)) is not None:
                referral.accept(now)
                house.registrar.expire(house.server.wallclock(), account.name)
                role.transfer(referral, call, account, house.registrar.store.get(account.name))
            case RoomCalled(name, pin) if house.has_room(name):
                self._into_room(referral, call, role, name, pin)
            case _:
                referral.reject(404, now, "a call can be transferred to a user or a room of this server")

    def _into_room(self, referral: Referral, call: Call, role: UserCall, name: str, pin: str | None) -> None:
        """The partner goes into a room as it is: somebody with an account brings them, or the room's PIN does."""
        house, now = self._house, self._house.server.now()
        by, partner = role.leg_of(call), role.partner_of(call)
        if by is None or partner is None or role.is_transferring:
            referral.reject(491, now)
            return
        if by.identity.account is None and pin is None and not self._is_open:
            referral.reject(403, now, "only somebody with an account can bring others into a room without its PIN")
            return
        referral.accept(now)
        refusal = house.adopt(partner, name, pin, by.identity.entity)
        if refusal is not None:
            referral.notify(refusal.status, now, refusal.reason)
            return
        role.let_go(partner)
        referral.notify(200, now)
        call.hang_up(now, TRANSFERRED)

    def _attended(self, referral: Referral, call: Call, role: UserCall | Focus, replaces: Replaces) -> None:
        now = self._house.server.now()
        found = self._find(replaces.dialog_id)
        if found is None:
            referral.reject(481, now, "the other call is not there")
            return
        other, leg = found
        if isinstance(role, UserCall) and isinstance(other, UserCall):
            referral.accept(now)
            referral.notify(role.join_with(call, other, leg.call), now)
        elif isinstance(role, UserCall) and isinstance(other, Focus):
            self._join_room(referral, (role, call), (other, leg.call))
        elif isinstance(role, Focus) and isinstance(other, UserCall):
            self._join_room(referral, (other, leg.call), (role, call))
        else:
            referral.reject(403, now, "two meetings can't be made one")

    def _join_room(self, referral: Referral, private: tuple[UserCall, Call], meeting: tuple[Focus, Call]) -> None:
        """Two calls of one person, with a partner and in a room: the partner comes into the room, the person is out of both."""
        now = self._house.server.now()
        (role, call), (focus, member) = private, meeting
        by, there, partner = role.leg_of(call), focus.leg_of(member), role.partner_of(call)
        if by is None or there is None or partner is None or role.is_transferring:
            referral.reject(481, now)
            return
        if by.identity.account is None or by.identity.account != there.identity.account:
            referral.reject(403, now, "the other call is somebody else's")
            return
        referral.accept(now)
        refusal = focus.adopt(partner, None, is_invited=True)
        if refusal is not None:
            referral.notify(refusal.status, now, refusal.reason)
            return
        role.let_go(partner)
        referral.notify(200, now)
        call.hang_up(now, TRANSFERRED)
        member.hang_up(now, TRANSFERRED)

    def _find(self, dialog_id: DialogId) -> tuple[UserCall | Focus, CallLeg] | None:
        """The call that is meant, where the server is its other end."""
        roles: list[UserCall | Focus] = [*self._house.user_calls, *self._house.foci.values()]
        return next(((role, leg) for role in roles for leg in role.legs
                     if leg.call.dialog is not None and leg.call.dialog.id == dialog_id), None)

    # ---- INVITE with Replaces

    def replace(self, event: events.CallReceived, old: Call, identity: Identity) -> None:
        """An INVITE that takes the place of a call: of somebody with an account, who knows its dialog."""
        now = self._house.server.now()
        if identity.account is None or not isinstance(old.data, UserCall | Focus):
            event.call.reject(403, "that call can't be replaced", now=now)
        else:
            old.data.replace(event, old, identity)
