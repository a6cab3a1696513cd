"""Texts and orders inside the calls of a conference: MESSAGE (RFC 3428), and INFO with a package of ours (RFC 6086).

Any phone may send a MESSAGE: `/mute Ann` and the like are orders, all else is written to everybody. A phone that says
`Recv-Info: confero-meeting` gets texts and news as JSON in INFOs and may give orders so; any other phone gets texts as MESSAGEs
that begin with their author's name. A reply to an order is an INFO of ours with the order's id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mcu.chat import ALL, HOSTS, Chat, ChatLine
from mcu.conference import Conference
from mcu.errors import UsageError
from mcu.info_package import PACKAGE
from mcu.participant import ParticipantId
from mcu.surroundings import Surroundings
from mcu.verbs import Order, build, parse_command
from mcu.verdicts import Done, Refused, Verdict
from sip.errors import LocalProtocolError

if TYPE_CHECKING:
    from mcu.focus import Member

log = logging.getLogger(__name__)

MAX_BODY = 8192
MAX_PIECE = 900
"""Bytes of JSON in an INFO of what was written before, so that a datagram holds it (RFC 3261 §18.1.1)."""
TEXT, JSON = "text/plain;charset=UTF-8", "application/json"
Obey = Callable[[Order, ParticipantId], Verdict]


class MeetingMessages:
    """Of one conference. members: by id, with their calls; obey: carries an order out."""

    def __init__(self, conference: Conference, members: Mapping[ParticipantId, Member], server: Surroundings, obey: Obey,
                 heard: Callable[[ChatLine], None]) -> None:
        self.chat = Chat()
        self._conference = conference
        self._members = members
        self._server = server
        self._obey = obey
        self._heard = heard

    # ---- what comes

    def receive_message(self, member: Member, content_type: str, body: bytes) -> tuple[int, str | None]:
        """A MESSAGE inside a member's call: the status of its answer."""
        if content_type != "text/plain":
            return 415, None
        if len(body) > MAX_BODY:
            return 413, f"a text of {len(body)} bytes"
        text = body.decode("utf-8", "replace")
        try:
            order = parse_command(text)
        except UsageError as error:
            return 400, str(error)
        verdict = self._obey(order, member.id) if order is not None else self.write(member.id, text, ALL)
        return (verdict.status, verdict.reason) if isinstance(verdict, Refused) else (200, None)

    def receive_info(self, member: Member, content_type: str, body: bytes) -> int:
        """An INFO of our package: its status; what it asks for is answered by an INFO."""
        if content_type != JSON:
            return 415
        if len(body) > MAX_BODY:
            return 413
        try:
            asked = json.loads(body)
            number, verb, arguments = asked["id"], asked["verb"], asked.get("arguments") or {}
            if not isinstance(number, int) or not isinstance(verb, str) or not isinstance(arguments, dict):
                return 400
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 400
        try:
            verdict = self._ask(member.id, verb, arguments)
        except UsageError as error:
            verdict = Refused(400, str(error))
        reply: dict[str, Any] = {"id": number, "status": 200, "reason": ""}
        if isinstance(verdict, Refused):
            reply |= {"status": verdict.status, "reason": verdict.reason}
        elif isinstance(verdict, Done):
            reply["count"] = verdict.count
        self._send(member, reply)
        return 200

    def _ask(self, actor: ParticipantId, verb: str, arguments: dict[str, Any]) -> Verdict:
        if verb != "chat":
            return self._obey(build(verb, arguments), actor)
        text, to = arguments.get("text"), arguments.get("to", ALL)
        if not isinstance(text, str) or not isinstance(to, str):
            raise UsageError("chat: text and to are texts")
        return self.write(actor, text, to)

    # ---- what is written

    def write(self, sender: ParticipantId, text: str, to: str) -> Verdict:
        """A member writes to all, to the hosts or to one."""
        line = self.chat.say(self._conference, sender, text, to, self._server.now(), self._server.wallclock())
        return line if isinstance(line, Refused) else self._tell(line)

    def announce(self, text: str, name: str) -> Verdict:
        """The operator writes to all."""
        line = self.chat.announce(text, name, self._server.wallclock())
        return line if isinstance(line, Refused) else self._tell(line)

    def _tell(self, line: ChatLine) -> Done:
        readers = self.chat.readers(self._conference, line)
        for reader in readers:
            member = self._members.get(reader.id)
            if member is None:
                continue
            if member.leg.takes_info:
                self._send(member, {"event": "chat", "lines": [_facts(line)]})
            else:
                to = {ALL: "", HOSTS: " (to the hosts)"}.get(line.to, " (to you)")
                self._request(member, "MESSAGE", f"{line.name}{to}: {line.text}".encode(), TEXT)
        self._heard(line)
        return Done(len(readers))

    def welcome(self, member: Member) -> None:
        """Tell a newcomer's phone what was written to all before."""
        if not member.leg.takes_info:
            return
        piece: list[dict[str, Any]] = []
        for facts in map(_facts, self.chat.history()):
            if piece and len(json.dumps([*piece, facts], ensure_ascii=False).encode()) > MAX_PIECE:
                self._send(member, {"event": "history", "lines": piece})
                piece = []
            piece.append(facts)
        if piece:
            self._send(member, {"event": "history", "lines": piece})

    def leave(self, participant_id: ParticipantId) -> None:
        """A member is gone. The next meeting in this room does not read what this one wrote."""
        self.chat.forget(participant_id)
        if not self._conference.participants:
            self.chat.clear()

    def notify(self, member: Member | None, event: str, **more: Any) -> None:
        """Tell a member's phone that something concerns them: unmute-asked, you-are-host, admitted."""
        if member is not None and member.leg.takes_info:
            self._send(member, {"event": event, **more})

    def _send(self, member: Member, facts: dict[str, Any]) -> None:
        self._request(member, "INFO", json.dumps(facts, ensure_ascii=False).encode(), JSON,
                      [("Info-Package", PACKAGE), ("Content-Disposition", "Info-Package")])

    def _request(self, member: Member, method: str, body: bytes, content_type: str,
                 headers: list[tuple[str, object]] | None = None) -> None:
        try:
            member.leg.call.request(method, headers=headers or (), body=body, content_type=content_type, now=self._server.now())
        except LocalProtocolError:
            log.debug("no dialog for a message", extra={"who": member.leg.identity.entity})


def _facts(line: ChatLine) -> dict[str, Any]:
    return {"number": line.number, "at": round(line.at, 3), "from": str(line.sender), "name": line.name, "to": line.to,
            "to_name": line.to_name, "text": line.text}
