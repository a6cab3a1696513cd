"""A conference's document (RFC 4575) as the members that the phone shows, kept up to date by a subscription."""

from __future__ import annotations

from collections.abc import Callable

from sip.conference_info import CONTENT_TYPE, ConferenceInfo, Endpoint, User, merge, parse
from sip.errors import ParseError
from sip.message import Request
from sip.subscription import Subscription
from softphone.addresses import shown
from softphone.meeting_orders import WaitingPerson
from softphone.model import Member

SUBSCRIBE_AGAIN_S = 5.0
MAX_MEMBERS = 2000
"""More are not shown."""

GONE = frozenset(("disconnected", "disconnecting"))
"""Endpoint states (RFC 4575 §5.7.3) of people who are not in the conference any more."""


def members_of(info: ConferenceInfo, call_id: str) -> tuple[Member, ...]:
    """Who is there, ourselves first. call_id: of our own call, by which the focus tells us which member we are."""
    members = [_member(user, call_id) for user in info.users[:MAX_MEMBERS] if not _is_gone(user)]
    return tuple(sorted(members, key=lambda member: not member.is_self))


def _is_gone(user: User) -> bool:
    return bool(user.endpoints) and all(endpoint.status in GONE for endpoint in user.endpoints)


def _member(user: User, call_id: str) -> Member:
    own = next((endpoint for endpoint in user.endpoints if call_id and endpoint.call_id == call_id), None)
    endpoint = own or next(iter(user.endpoints), Endpoint(user.entity))
    audio = next((media for media in endpoint.media if media.kind == "audio"), None)
    video = next((media for media in endpoint.media if media.kind == "video"), None)
    return Member(
        audio.src_id if audio is not None else 0, shown(user.display_text) or shown(_name_of(user.entity)), user.entity,
        "host" if "host" in user.roles else next(iter(user.roles), "attendee"), own is not None,
        audio is not None and audio.status in ("recvonly", "inactive"),
        codec=audio.display_text if audio is not None else "", status=endpoint.status,
        video=video.status if video is not None else "", hand=user.decided.hand, is_muted_by_host=user.decided.is_muted_by_host,
        is_video_stopped=user.decided.is_video_stopped, is_spotlit=user.decided.is_spotlit,
    )


def _name_of(entity: str) -> str:
    """What to call somebody who has no display name: the user part of the address."""
    name = entity.partition(":")[2].partition("@")[0]
    return name or entity or "somebody"


class RosterFeed:
    """The subscription to a conference's document that goes with a call (RFC 4575, RFC 6665).

    subscribe: sends a SUBSCRIBE to the focus. Where the focus forgets us we subscribe again, unless it refuses us.
    """

    def __init__(self, call_id: str, subscribe: Callable[[], Subscription]) -> None:
        self.members: tuple[Member, ...] = ()
        self.title = ""
        self._call_id = call_id
        self._subscribe = subscribe
        self._info: ConferenceInfo | None = None
        self._again_at: float | None = None
        self._subscription = subscribe()

    @property
    def recording(self) -> str:
        """Whether the server records the conference: "recording", "paused", or "" for no (or it doesn't tell)."""
        return self._info.recording if self._info is not None else ""

    @property
    def lobby(self) -> tuple[WaitingPerson, ...]:
        """Who waits to be let in; empty unless we may let them in."""
        return tuple(WaitingPerson(one.id, shown(one.display_text) or shown(_name_of(one.entity)))
                     for one in (self._info.meeting.lobby if self._info is not None else ()))

    @property
    def is_locked(self) -> bool:
        """Whether nobody else comes in."""
        return self._info is not None and self._info.is_locked

    @property
    def is_waiting(self) -> bool:
        """Whether we are in the lobby ourselves."""
        return self._info is not None and self._info.meeting.is_waiting

    @property
    def own(self) -> Member | None:
        """Ourselves in the roster; None as long as the focus has not told which member we are."""
        return next((member for member in self.members if member.is_self), None)

    def receive(self, request: Request, now: float) -> bool:
        """A NOTIFY came; whether there is news. One that can't be read is passed over."""
        if request.content_type != CONTENT_TYPE or not request.body:
            return False
        try:
            update = parse(request.body)
        except ParseError:
            return False
        known = merge(self._info, update)
        if known is None:                               # an update is missing: ask for everything (RFC 4575 §4.6)
            self._subscription.refresh(now)
            return False
        self._info = known
        self.members = members_of(known, self._call_id)
        self.title = shown(known.display_text) or self.title
        return True

    def on_ended(self, reason: str, now: float) -> None:
        """The subscription is over."""
        is_refused = reason[:1] == "4" and not reason.startswith(("408", "481"))
        if not is_refused and reason not in ("noresource", "rejected"):
            self._again_at = now + SUBSCRIBE_AGAIN_S

    def check(self, now: float) -> bool:
        """Called every second while the call is up: subscribe again where that is due; whether it did."""
        if self._again_at is None or now < self._again_at:
            return False
        self._again_at, self._info = None, None
        self._subscription = self._subscribe()
        return True

    def end(self, now: float) -> None:
        """The call is over."""
        self._again_at = None
        if self._subscription.is_active:
            self._subscription.end(now)
