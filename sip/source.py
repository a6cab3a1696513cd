"""Where a request really came from, where its response goes, and where we are for who sent it.

RFC 3261 §18.2.1 and §18.2.2, RFC 3581 §4; our Contact as §12.1.1 has it; who may speak in a dialog (§26.1.4: its tags are no
secret where they travel in clear).
"""

from __future__ import annotations

from sip.dialog import Dialog
from sip.flow import Flow
from sip.grammar import split_first
from sip.message import Request
from sip.routing import own_contact_over
from sip.uri import Uri


def note_source(request: Request, flow: Flow) -> None:
    """Write the source into the Via: received where it says another address, and rport where that was asked for."""
    via = request.via
    host, port = flow.remote
    if via.parameter("rport") is not None:
        noted = via.with_parameters(rport=str(port), received=host)
    elif via.host != host:
        noted = via.with_parameters(received=host)
    else:
        return
    items = request.headers.items_
    for index, item in enumerate(items):
        if item[0] == "via":
            rest = split_first(item[2])[1]
            items[index] = ("via", "Via", f"{noted}, {rest}" if rest else str(noted))
            break
    request.__dict__["via"] = noted


def response_flow(request: Request, flow: Flow) -> Flow:
    """Where the response goes: the source address; over UDP the source port only if rport was asked for (RFC 3581 §4)."""
    if flow.is_reliable or request.via.parameter("rport") is not None:
        return flow
    port = request.via.port or 5060
    return flow if port == flow.remote[1] else Flow(flow.transport, flow.local, (flow.remote[0], port))


def is_from_peer(dialog: Dialog, known: Flow, flow: Flow) -> bool:
    """Whether a request in a dialog comes from a host that is known to be its peer's.

    known: the flow that our own requests go by. Its host counts, and so do the addresses (not the names) in the peer's Contact
    and in the route; the port does not, since a NAT may change it. A dialog that began over TLS goes on over TLS.
    """
    if known.is_protected and not flow.is_protected:
        return False
    return flow.remote[0] in (known.remote[0], dialog.target.host, *(route.uri.host for route in dialog.routes))


def own_contact(request: Request, flow: Flow, host: str) -> Uri:
    """Our Contact in a dialog that this request makes: the user that it asked for, at that host and the port it came to."""
    return own_contact_over(flow, request.uri.user, host, is_secure=is_secure(request))


def is_secure(request: Request) -> bool:
    """Whether a request asks for sips in the dialog that it makes (RFC 3261 §12.1.1)."""
    first = [item.uri for item in (*request.record_routes[:1], *request.contacts[:1]) if not item.is_wildcard]
    return request.uri.scheme == "sips" or bool(first and first[0].scheme == "sips")
