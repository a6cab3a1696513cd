"""Findings in signalling: answers that don't come, passwords that don't fit, calls that nobody acknowledges (RFC 3261).

Each rule takes the story of a call, or all transactions of a Call-ID, and gives findings; the thresholds stand at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pcap.calls import REFUSED, CallStory
from pcap.findings import Finding, finding, written
from pcap.keylog import Address
from pcap.media_map import codecs_of
from pcap.sip_ladder import SeenMessage, sdp_of, user_of
from pcap.survey import Call
from pcap.transactions import Transaction, is_authorised, status_of
from rtp.sdp.model import SessionDescription
from sip.auth import parse_digest
from sip.errors import ParseError
from sip.message import Request, Response

COPIES = 3
"""A request that was sent so often without an answer is lost; one copy more is usual on a bad link."""
PATIENCE_NS = 1_400_000_000
"""The third copy goes out after 1.5 s (RFC 3261 §17.1.1.2: T1, 2·T1)."""
LATE_NS = 2_000_000_000
MTU_SIZE = 1300
"""RFC 3261 §18.1.1: a larger request belongs on TCP."""
AUTH_ROUNDS = 3
REGISTRATIONS = 4
"""So many within a tenth of their time is a loop."""
HOLD_S = 10.0
_CHALLENGES = (401, 407)
_QUIET = (*_CHALLENGES, 422, 423, 486, 487, 491, 600, 603)
"""Refusals that are part of the business: challenges, intervals, busy, cancelled, declined."""
_NO_CODEC = (415, 488, 606)
_NOWHERE = "0.0.0.0"
"""How a call was held before RFC 3264 §8.4."""


def judge_transactions(call: Call, found: Sequence[Transaction], end_ns: int) -> Iterator[Finding]:
    """What is wrong with the transactions of a Call-ID. end_ns: of the capture."""
    for one in found:
        if one.method != "ACK" and one.request is not None:
            yield from _unanswered(call, one, end_ns)
            yield from _late(call, one)
    for method in dict.fromkeys(one.method for one in found):
        yield from _credentials(call, [one for one in found if one.method == method])


def judge_call(story: CallStory, end_ns: int) -> Iterator[Finding]:
    """What is wrong with a call's signalling."""
    yield from _never_acked(story, end_ns)
    yield from _refused(story)
    yield from _on_hold(story, end_ns)


def _place(one: SeenMessage) -> str:
    return f"{written(one.source)} → {written(one.destination)}"


def _unanswered(call: Call, one: Transaction, end_ns: int) -> Iterator[Finding]:
    request = one.requests[0]
    if one.responses or len(one.requests) < COPIES or end_ns - request.time_ns < PATIENCE_NS:
        return
    size = len(bytes(request.message))
    is_big = size > MTU_SIZE and "UDP" in request.message.via.transport.upper()
    yield finding("too_big" if is_big else "no_response", _place(request), frame=request.number, call_id=call.call_id,
                  method=one.method, count=len(one.requests), size=size)


def _late(call: Call, one: Transaction) -> Iterator[Finding]:
    if not one.responses:
        return
    waited = one.responses[0].time_ns - one.requests[0].time_ns
    if waited >= LATE_NS:
        yield finding("late_answer", _place(one.requests[0]), frame=one.responses[0].number, call_id=call.call_id,
                      method=one.method, seconds=waited / 1e9)


def _credentials(call: Call, found: list[Transaction]) -> Iterator[Finding]:
    """Requests of one method that brought credentials and were refused all the same (RFC 3261 §22.2, RFC 7616 §3.3)."""
    if any(one.first(200, 299) is not None for one in found):
        return
    refused = [one for one in found if one.request is not None and one.status in _CHALLENGES
               and is_authorised(one.request) and not _is_stale(one.final)]
    last = next((one for one in reversed(found) if one.final is not None), None)
    if last is None or last.final is None or last.request is None or not isinstance(last.final.message, Response):
        return
    if len(refused) >= AUTH_ROUNDS:
        first = refused[0].requests[0]
        yield finding("auth_loop", _place(first), frame=first.number, call_id=call.call_id, method=last.method,
                      status=last.status, count=len(refused), realm=_realm(refused[0].final))
    elif last.method == "REGISTER" and (refused or last.status not in (*_CHALLENGES, 423)) and last.status >= 300:
        yield finding("registration_refused", _place(last.request), frame=last.final.number, call_id=call.call_id,
                      user=user_of(last.request.message, "to"), status=last.status, reason=last.final.message.reason)
    elif refused and last in refused and last.method == "INVITE":
        yield finding("call_refused", _place(last.request), frame=last.final.number, call_id=call.call_id, status=last.status,
                      reason=last.final.message.reason, target=_target(last.request))


def _challenge(one: SeenMessage | None) -> str:
    if one is None:
        return ""
    headers = one.message.headers
    return headers.get("WWW-Authenticate") or headers.get("Proxy-Authenticate") or ""


def _is_stale(one: SeenMessage | None) -> bool:
    return 'stale=true' in _challenge(one).lower().replace('"', "").replace(" ", "")


def _realm(one: SeenMessage | None) -> str:
    try:
        return str(parse_digest(_challenge(one)).get("realm", ""))
    except (ParseError, AttributeError):
        return ""


def _target(one: SeenMessage) -> str:
    return str(one.message.uri) if isinstance(one.message, Request) else ""


def judge_registrations(calls: Sequence[Call], found: Mapping[str, Sequence[Transaction]]) -> Iterator[Finding]:
    """Phones that register again and again, over all Call-IDs."""
    taken: dict[tuple[str, str], list[tuple[SeenMessage, int, str]]] = {}
    for call in calls:
        for one in found.get(call.call_id, ()):
            if one.method == "REGISTER" and one.request is not None and (answer := one.first(200, 299)) is not None:
                expires = _expires(one.request, answer)
                if expires:
                    user = user_of(one.request.message, "to")
                    taken.setdefault((user, one.request.source[0]), []).append((one.request, expires, call.call_id))
    for (user, _), all_of_them in taken.items():
        first, last = all_of_them[0][0], all_of_them[-1][0]
        seconds, expires = (last.time_ns - first.time_ns) / 1e9, min(expires for _, expires, _ in all_of_them)
        if len(all_of_them) >= REGISTRATIONS and seconds < expires / 10:
            yield finding("registration_loop", _place(first), frame=last.number, call_id=all_of_them[0][2], user=user,
                          count=len(all_of_them), seconds=seconds, expires=expires)


def _expires(request: SeenMessage, answer: SeenMessage) -> int:
    """How long a registration holds; 0 for one that was taken back."""
    try:
        contacts = request.message.contacts
        told = contacts[0].parameter("expires") if contacts else None
        asked = int(told) if told else request.message.expires
        if asked == 0 or not contacts:
            return 0
        given = [int(value) for one in answer.message.contacts if (value := one.parameter("expires"))]
        return min(given) if given else answer.message.expires or asked or 3600
    except (ParseError, ValueError):
        return 0


def _never_acked(story: CallStory, end_ns: int) -> Iterator[Finding]:
    """A 2xx that is repeated since its ACK never came, or came by this place and not to who answered (RFC 3261 §13.3.1.4)."""
    acks = {one.number: one.requests[0].time_ns for one in story.transactions if one.method == "ACK" and one.requests}
    for one in story.transactions:
        answers = [answer for answer in one.responses if 200 <= status_of(answer) < 300]
        if one.method != "INVITE" or len(answers) < COPIES:
            continue
        if one.number in acks:
            after = sum(answer.time_ns > acks[one.number] for answer in answers)
            if after >= COPIES:
                yield finding("ack_lost", _place(answers[0]), frame=answers[0].number, call_id=story.call.call_id, count=after)
            continue
        if end_ns - answers[0].time_ns >= PATIENCE_NS:
            contact = answers[0].message.headers.get("Contact") or "?"
            yield finding("never_acked", _place(answers[0]), frame=answers[0].number, call_id=story.call.call_id,
                          count=len(answers), contact=contact)


def _refused(story: CallStory) -> Iterator[Finding]:
    if story.state != REFUSED or story.status in _QUIET or story.status < 400:
        return
    decisive = next((one for one in reversed(story.transactions)
                     if one.method == "INVITE" and one.status == story.status), None)
    if decisive is None or decisive.request is None or decisive.final is None:
        return
    place, frame, call_id = _place(decisive.request), decisive.final.number, story.call.call_id
    if story.status in _NO_CODEC:
        session = sdp_of(decisive.request.message)
        yield finding("codec_mismatch", place, frame=frame, call_id=call_id, offered=codec_names(session), answered="")
    else:
        assert isinstance(decisive.final.message, Response)
        yield finding("call_refused", place, frame=frame, call_id=call_id, status=story.status,
                      reason=decisive.final.message.reason, target=_target(decisive.request))


def codec_names(session: SessionDescription | None) -> str:
    """The codecs of an SDP's lines of sound, for people."""
    names = [codec.name.upper() for media in (session.media if session is not None else ()) if media.kind == "audio"
             for codec in codecs_of(media).values() if not codec.is_event]
    return ", ".join(dict.fromkeys(names)) or "?"


@dataclass(slots=True)
class _Hold:
    """Who holds, since when."""

    since: dict[Address, SeenMessage] = field(default_factory=dict)

    def take(self, one: SeenMessage) -> None:
        session = sdp_of(one.message)
        sound = next((media for media in session.media if media.kind == "audio" and media.port), None) if session else None
        if session is None or sound is None:
            return
        is_offer = isinstance(one.message, Request) and one.message.method != "ACK"
        direction = session.direction(sound)
        if is_offer and (direction in ("sendonly", "inactive") or session.host_of(sound) == _NOWHERE):
            self.since.setdefault(one.source, one)
        elif direction == "sendrecv" or (is_offer and direction == "recvonly"):
            self.since.pop(one.source, None)


def _on_hold(story: CallStory, end_ns: int) -> Iterator[Finding]:
    if not story.answered_ns:
        return
    hold = _Hold()
    for one in story.call.messages:
        if one.time_ns >= story.answered_ns:
            hold.take(one)
    until = story.ended_ns or end_ns
    for one in hold.since.values():
        seconds = (until - one.time_ns) / 1e9
        if seconds >= HOLD_S:
            yield finding("hold_forgotten", _place(one), frame=one.number, call_id=story.call.call_id,
                          who=user_of(one.message, "from") or one.source[0], seconds=seconds)
