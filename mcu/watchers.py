"""Who watches the roster of a conference (RFC 6665, RFC 4575), and when they are told: at once, then at most once a second.

A member's phone gets what concerns itself besides; who waits in the lobby gets their own line when it changes and nothing else
(`mcu.roster`). Changes that come close together make one document.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from mcu.participant import ParticipantId
from mcu.roster import Roster
from mcu.surroundings import Surroundings
from sip.conference_info import CONTENT_TYPE, PACKAGE
from sip.flow import Flow
from sip.subscription import Subscription

NOTIFY_INTERVAL_S = 1.0
MAX_SUBSCRIPTIONS = 1000
ORPHAN_S = 2.0
"""How long who has left may take to unsubscribe by themselves: linphone 5.1 does, and answers a NOTIFY in between with 481."""


class Watchers:
    """The subscriptions to one roster. `needs_full`: whose next document is a whole one."""

    def __init__(self, roster: Roster, server: Surroundings) -> None:
        self.needs_full: set[ParticipantId] = set()
        self._roster = roster
        self._server = server
        self._subscriptions: dict[Subscription, ParticipantId | None] = {}
        self._notified_at = -NOTIFY_INTERVAL_S
        self._is_due = self._is_over = False

    def receive(self, subscription: Subscription, owner: ParticipantId | None, data: object) -> None:
        """A SUBSCRIBE, admitted by the guard. owner: the participant whose phone asks; data: whose it is from now on."""
        now = self._server.now()
        if self._is_over or len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            subscription.reject(480 if self._is_over else 503, now)
            return
        subscription.data = data
        subscription.accept(now)
        subscription.notify(self._roster.full(owner), CONTENT_TYPE, now)
        if subscription.is_active and subscription.expires_s:
            self._subscriptions[subscription] = owner

    def has(self, owner: ParticipantId) -> bool:
        """Whether a participant's phone watches."""
        return owner in self._subscriptions.values()

    def refresh(self, subscription: Subscription) -> None:
        """A subscriber asked for more time: it gets the whole state again (RFC 6665 §4.2.1.2)."""
        subscription.notify(self._roster.full(self._subscriptions.get(subscription)), CONTENT_TYPE, self._server.now())

    def drop(self, subscription: Subscription) -> None:
        """A subscription is over."""
        self._subscriptions.pop(subscription, None)

    def move(self, ways: Mapping[Flow, Flow]) -> None:
        """Send NOTIFYs by other flows than before: ways, from the old ones to the new ones."""
        for subscription in self._subscriptions:
            way = ways.get(subscription.flow)
            if way is not None:
                subscription.follow(way)

    def leave(self, owner: ParticipantId) -> None:
        """A participant's call is over, and so are their subscriptions before long."""
        for subscription, who in list(self._subscriptions.items()):
            if who == owner:
                del self._subscriptions[subscription]
                self._server.call_at(self._server.now() + ORPHAN_S, functools.partial(self._end_orphan, subscription))

    def _end_orphan(self, subscription: Subscription) -> None:
        if subscription.is_active:
            subscription.terminate("noresource", self._server.now())

    def notify_soon(self) -> None:
        """The roster has changed."""
        if self._is_due or self._is_over:
            return
        self._is_due = True
        self._server.call_at(max(self._server.now(), self._notified_at + NOTIFY_INTERVAL_S), self._notify)

    def _notify(self) -> None:
        self._is_due = False
        if self._is_over or not self._roster.advance():
            return
        now = self._notified_at = self._server.now()
        if not self._subscriptions:
            return
        common = self._roster.partial()
        for subscription, owner in list(self._subscriptions.items()):
            if owner in self.needs_full:
                subscription.notify(self._roster.full(owner), CONTENT_TYPE, now)
            elif not self._roster.is_waiting(owner):
                subscription.notify(common if owner is None else self._roster.partial(owner), CONTENT_TYPE, now)
        self.needs_full.clear()

    def close(self) -> None:
        """The conference is over."""
        self._is_over = True
        for subscription in list(self._subscriptions):
            subscription.terminate("noresource", self._server.now(), self._roster.deleted(), CONTENT_TYPE)
        self._subscriptions.clear()


def is_conference_event(subscription: Subscription) -> bool:
    """Whether a subscription asks for the roster."""
    return subscription.package == PACKAGE
