"""The conference event package's documents (RFC 4575): who is in a conference, with which media, written and read.

A focus writes full documents and partial ones that hold the users that changed (§4.4); a phone merges them into what it knows.
Each user element is rendered once and joined into the document of each subscriber. Reading goes through defusedxml, with
limits on size and depth. Of the schema we use what phones show; other elements are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax import saxutils

import defusedxml
from defusedxml.ElementTree import DefusedXMLParser
from defusedxml.ElementTree import ParseError as XmlError

from sip.conference_extension import NAMESPACE as EXTENSION
from sip.conference_extension import PLAIN, UNDECIDED, Meeting, UserState
from sip.errors import ParseError

PACKAGE = "conference"
CONTENT_TYPE = "application/conference-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:conference-info"
MAX_BYTES = 512 * 1024
"""A document of a conference of 2000; only what we subscribed to is read at all."""
MAX_DEPTH = 32
_NS = f"{{{NAMESPACE}}}"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for (§2.2): controls, and bytes that were no UTF-8."""


@dataclass(frozen=True, slots=True)
class Media:
    """One stream of a member (§5.8). `status` from the member's side: recvonly means muted; `src_id` is the CSRC in the mix."""

    kind: str = "audio"
    src_id: int = 0
    status: str = "sendrecv"
    display_text: str = ""
    id: str = "1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One device of a member (§5.7). `call_id` and `tags` (of From and To of its INVITE) name its dialog; they are told
    to the member alone.

    status: connected, on-hold, dialing-out, alerting, disconnected (§5.7.2); disconnection_method, reason: of the last (§5.7.5,
    §5.7.6).
    """

    entity: str
    status: str = "connected"
    media: tuple[Media, ...] = ()
    call_id: str = ""
    joining_method: str = "dialed-in"
    disconnection_method: str = ""
    reason: str = ""
    tags: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class User:
    """A member (§5.6). `state` is full or deleted; decided: what the meeting has decided about them (an extension of ours)."""

    entity: str
    display_text: str = ""
    roles: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    state: str = "full"
    decided: UserState = UNDECIDED

    def __str__(self) -> str:
        if self.state == "deleted":
            return f'<user entity={_quote(self.entity)} state="deleted"/>'
        roles = "".join(f"<entry>{_escape(role)}</entry>" for role in self.roles)
        return (f'<user entity={_quote(self.entity)} state="full"><display-text>{_escape(self.display_text)}</display-text>'
                + (f"<roles>{roles}</roles>" if roles else "") + "".join(map(_endpoint_text, self.endpoints))
                + f"{self.decided}</user>")


@dataclass(frozen=True, slots=True)
class ConferenceInfo:
    """A document. `state`: full, partial or deleted; `user_count` counts all members, also of a partial document.

    recording: "recording" or "paused", "" where nothing is recorded; meeting: lobby, settings (extensions of ours).
    """

    entity: str
    version: int
    state: str = "full"
    users: tuple[User, ...] = ()
    display_text: str = ""
    user_count: int = 0
    maximum_user_count: int = 0
    is_active: bool = True
    is_locked: bool = False
    recording: str = ""
    meeting: Meeting = PLAIN

    def __bytes__(self) -> bytes:
        return document(self, [str(user) for user in self.users])


def document(info: ConferenceInfo, users: list[str]) -> bytes:
    """The document of `info` with user elements that are rendered already (`str(user)`) in place of its own."""
    most = f"<maximum-user-count>{info.maximum_user_count}</maximum-user-count>" if info.maximum_user_count else ""
    recording = f'<x:recording xmlns:x="{EXTENSION}">{_escape(info.recording)}</x:recording>' if info.recording else ""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<conference-info xmlns="{NAMESPACE}" entity={_quote(info.entity)} '
        f'state="{info.state}" version="{info.version}">'
        f"<conference-description><display-text>{_escape(info.display_text)}</display-text>{most}</conference-description>"
        f"<conference-state><user-count>{info.user_count}</user-count><active>{_flag(info.is_active)}</active>"
        f"<locked>{_flag(info.is_locked)}</locked>{recording}{info.meeting}</conference-state>"
        f'<users state="{"full" if info.state == "full" else "partial"}">{"".join(users)}</users></conference-info>'
    )
    return text.encode()


def _fit(text: str) -> str:
    """Text that a document can hold: one peer's odd name or address must not cost the others their roster."""
    return text if text.isprintable() else _NO_XML.sub("\ufffd", text)


def _escape(text: str) -> str:
    return saxutils.escape(_fit(text))


def _quote(text: str) -> str:
    return saxutils.quoteattr(_fit(text))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _endpoint_text(endpoint: Endpoint) -> str:
    media = "".join(
        f"<media id={_quote(item.id)}><display-text>{_escape(item.display_text)}</display-text>"
        f"<type>{_escape(item.kind)}</type><src-id>{item.src_id}</src-id><status>{item.status}</status></media>"
        for item in endpoint.media
    )
    call = _dialog_text(endpoint) if endpoint.call_id else ""
    return (f"<endpoint entity={_quote(endpoint.entity)}><status>{endpoint.status}</status>"
            f"<joining-method>{endpoint.joining_method}</joining-method>{_lost_text(endpoint)}{media}{call}</endpoint>")


def _dialog_text(endpoint: Endpoint) -> str:
    """The dialog; the schema (§7) wants its tags with the Call-ID."""
    call_id, from_tag, to_tag = map(_escape, (endpoint.call_id, *endpoint.tags))
    return (f"<call-info><sip><call-id>{call_id}</call-id><from-tag>{from_tag}</from-tag><to-tag>{to_tag}</to-tag></sip>"
            "</call-info>")


def _lost_text(endpoint: Endpoint) -> str:
    if not endpoint.disconnection_method:
        return ""
    return (f"<disconnection-method>{_escape(endpoint.disconnection_method)}</disconnection-method>"
            f"<disconnection-info><reason>{_escape(endpoint.reason)}</reason></disconnection-info>")


def merge(known: ConferenceInfo | None, update: ConferenceInfo) -> ConferenceInfo | None:
    """What is known after `update` (§4.6). None: an update is missing, so a full document must be asked for.

    An older version than what is known changes nothing.
    """
    if update.state != "partial":
        return update if known is None or update.version >= known.version else known
    if known is None or update.version > known.version + 1:
        return None
    if update.version <= known.version:
        return known
    users = {user.entity: user for user in known.users}
    for user in update.users:
        if user.state == "deleted":
            users.pop(user.entity, None)
        else:
            users[user.entity] = user
    return replace(update, state="full", users=tuple(users.values()))


def parse(data: bytes) -> ConferenceInfo:
    """Read a document. Raises ParseError for what is no conference-info, too large or too deep."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"a conference-info of {len(data)} bytes; {MAX_BYTES} are allowed")
    root = _read_xml(data)
    if root.tag != f"{_NS}conference-info":
        raise ParseError(f"a conference-info was expected, not {root.tag[:80]!r}")
    state, description = root.find(f"{_NS}conference-state"), root.find(f"{_NS}conference-description")
    users = tuple(_parse_user(item) for item in root.iterfind(f"{_NS}users/{_NS}user"))
    return ConferenceInfo(
        root.get("entity", ""), _number(root.get("version")), root.get("state", "full"), users,
        _text(description, "display-text"), _number(_text(state, "user-count"), len(users)),
        _number(_text(description, "maximum-user-count")), _text(state, "active") != "false", _text(state, "locked") == "true",
        _extension(state, "recording"), Meeting.parse(state),
    )


class _Shallow:
    """Builds the tree, and gives up below MAX_DEPTH (a deep tree can't be walked without recursion errors)."""

    def __init__(self) -> None:
        from xml.etree.ElementTree import TreeBuilder

        self._builder = TreeBuilder()
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> Any:
        """An element begins."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ParseError(f"XML deeper than {MAX_DEPTH}")
        return self._builder.start(tag, attributes)

    def end(self, tag: str) -> Any:
        """An element ends."""
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, text: str) -> None:
        """Text inside an element."""
        self._builder.data(text)

    def close(self) -> Any:
        """The root."""
        return self._builder.close()


def _read_xml(data: bytes) -> Element:
    parser = DefusedXMLParser(target=_Shallow(), forbid_dtd=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except (XmlError, defusedxml.DefusedXmlException, ValueError) as error:
        raise ParseError(f"no XML that we take: {str(error)[:80]}") from None
    return root


def _parse_user(item: Element) -> User:
    roles = tuple((entry.text or "").strip() for entry in item.iterfind(f"{_NS}roles/{_NS}entry"))
    endpoints = tuple(_parse_endpoint(child) for child in item.iterfind(f"{_NS}endpoint"))
    return User(item.get("entity", ""), _text(item, "display-text"), roles, endpoints, item.get("state", "full"),
                UserState.parse(item))


def _parse_endpoint(item: Element) -> Endpoint:
    media = tuple(
        Media(_text(child, "type") or "audio", _number(_text(child, "src-id")), _text(child, "status") or "sendrecv",
              _text(child, "display-text"), child.get("id", ""))
        for child in item.iterfind(f"{_NS}media")
    )
    call = item.find(f"{_NS}call-info/{_NS}sip")
    return Endpoint(item.get("entity", ""), _text(item, "status") or "connected", media, _text(call, "call-id"),
                    _text(item, "joining-method"), _text(item, "disconnection-method"),
                    _text(item.find(f"{_NS}disconnection-info"), "reason"), (_text(call, "from-tag"), _text(call, "to-tag")))


def _text(item: Element | None, name: str) -> str:
    found = None if item is None else item.find(_NS + name)
    return (found.text or "").strip() if found is not None else ""


def _extension(item: Element | None, name: str) -> str:
    found = None if item is None else item.find(f"{{{EXTENSION}}}{name}")
    return (found.text or "").strip()[:40] if found is not None else ""


def _number(text: str | None, default: int = 0) -> int:
    if text and text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    return default
