"""Dialogs (RFC 3261 §12): the state that two peers share, and the requests that are sent inside it.

A dialog keeps the flow over which it was made: requests to a phone go down the way that the phone opened, whatever their
size, since a phone behind a NAT or a firewall can be reached by no other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sip.errors import ParseError, RemoteProtocolError
from sip.flow import Flow
from sip.headers import Headers, NameAddr
from sip.message import Request, Response
from sip.uri import Uri

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""


@dataclass(slots=True, eq=False)
class Dialog:
    """One dialog. `local` and `remote` carry their tags; `contact` is our own; `referrals`: how many REFERs came in it."""

    call_id: str
    local: NameAddr
    remote: NameAddr
    target: Uri
    contact: Uri
    flow: Flow
    routes: list[NameAddr] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int | None = None
    referrals: int = 0

    @classmethod
    def from_request(cls, request: Request, local_tag: str, contact: Uri, flow: Flow) -> Dialog:
        """The dialog that our 2xx to this request makes (§12.1.1). Raises ParseError when there is no Contact."""
        if not request.contacts or request.contacts[0].is_wildcard:
            raise ParseError("no Contact")
        return cls(
            request.call_id, request.to.with_tag(local_tag), request.from_, request.contacts[0].uri, contact, flow,
            list(request.record_routes), 0, request.cseq.number,
        )

    @classmethod
    def from_response(cls, request: Request, response: Response, contact: Uri, flow: Flow) -> Dialog:
        """The dialog that a peer's response to our request makes (§12.1.2)."""
        target = response.contacts[0].uri if response.contacts else request.uri
        return cls(
            request.call_id, request.from_, response.to, target, contact, flow,
            list(reversed(response.record_routes)), request.cseq.number,
        )

    @property
    def id(self) -> DialogId:
        """What names the dialog at this end."""
        return (self.call_id, self.local.tag, self.remote.tag)

    def make_request(self, method: str, via: str, *, cseq: int | None = None) -> Request:
        """A request inside the dialog (§12.2.1.1) with our Via. cseq: of the INVITE, for its ACK; otherwise the next one."""
        if cseq is None:
            self.local_cseq = cseq = self.local_cseq + 1
        uri, routes = self.target, list(self.routes)
        if routes and not routes[0].uri.has_parameter("lr"):          # strict routing, §12.2.1.1
            routes.append(NameAddr(uri))
            uri = routes.pop(0).uri
        headers = Headers()
        headers.add("Via", via)
        headers.add("Max-Forwards", 70)
        for route in routes:
            headers.add("Route", route)
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{cseq} {method}")
        if method not in ("ACK", "BYE", "CANCEL"):
            headers.add("Contact", f"<{self.contact}>")
        return Request(method, uri, headers)

    def check_request(self, request: Request) -> None:
        """Take the sequence number of a request of the peer's (§12.2.2). Raises RemoteProtocolError (500) for an old one."""
        number = request.cseq.number
        if request.method in ("ACK", "CANCEL"):
            return
        if self.remote_cseq is not None and number <= self.remote_cseq:
            raise RemoteProtocolError(f"CSeq {number} after {self.remote_cseq}", status=500)
        self.remote_cseq = number

    def refresh_target(self, message: Request | Response) -> None:
        """Take the peer's new Contact from a re-INVITE, an UPDATE or its 2xx (§12.2)."""
        if message.contacts and not message.contacts[0].is_wildcard:
            self.target = message.contacts[0].uri
