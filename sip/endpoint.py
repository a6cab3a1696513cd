"""A SIP endpoint, client and server, without any I/O (RFC 3261 §8, §12, §18): all of the core behind five calls.

`receive_datagram` or `receive_stream`, `next_timer`, `handle_timer`, `next_event`, `datagrams_to_send`. One mutation, then
drain events and datagrams, then the next mutation. What a peer sends can't raise: it is answered, or dropped and counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sip import events
from sip.auth import DigestClient
from sip.dialog import Dialog, DialogId
from sip.errors import ParseError
from sip.events import Event
from sip.flow import Flow
from sip.headers import Headers, NameAddr
from sip.invite import ALLOW, Call, Outgoing, check_invite
from sip.message import Request, Response
from sip.parser import StreamFramer, parse_message, salvage
from sip.registration import Registration
from sip.subscription import Subscription
from sip.timers import Timers
from sip.transaction import Transaction
from sip.transactions import MAGIC, Transactions, User
from sip.uri import Uri

Admission = Callable[[Request, Flow, float], Response | None]
MAX_TRANSACTIONS = 20000
MAX_DIALOGS = 10000


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What an endpoint says of itself, and its limits."""

    user_agent: str = "Confero"
    allow: str = ALLOW
    supported: frozenset[str] = frozenset()
    max_transactions: int = MAX_TRANSACTIONS
    max_dialogs: int = MAX_DIALOGS


class Endpoint:
    """The core of a user agent. entropy: gives n random bytes. `admit` may refuse a stranger's request without state."""

    def __init__(self, settings: EndpointSettings, entropy: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.timers = Timers()
        self.counters: Counter[str] = Counter()
        self.admit: Admission | None = None
        self._entropy = entropy
        self._events: deque[Event] = deque()
        self._out: list[tuple[bytes, Flow]] = []
        self._transactions = Transactions(self.transmit, self.timers)
        self._dialogs: dict[DialogId, Call | Subscription] = {}
        self._unconfirmed: dict[tuple[str, str], Subscription] = {}
        self._framers: dict[int, StreamFramer] = {}
        self._allowed = frozenset(method.strip() for method in settings.allow.split(",")) | {"REGISTER", "ACK"}

    # ---- the five calls

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        """A UDP datagram came. Never raises for what is in it."""
        if len(data) < 20 or not (65 <= data[0] <= 90 or 97 <= data[0] <= 122):      # STUN, keep-alives, junk
            self.counters["junk"] += 1
            return
        self._receive(data, flow, now)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> bool:
        """Bytes of a connection came. False when the stream can't be followed any more and should be closed."""
        framer = self._framers.setdefault(flow.connection, StreamFramer())
        try:
            framer.receive_data(data)
            while (message := framer.next_message()) is not None:
                self._receive(message, flow, now)
        except ParseError:
            self.counters["stream errors"] += 1
            self.transmit(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n", flow)
            return False
        for _ in range(min(framer.pongs_due, 4)):
            self.transmit(b"\r\n", flow)
        framer.pongs_due = 0
        return True

    def is_waiting_for_rest(self, flow: Flow) -> bool:
        """Whether a message on this connection has begun and its rest has not come."""
        framer = self._framers.get(flow.connection)
        return framer is not None and framer.is_in_message

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection was closed, or could not be opened."""
        self._framers.pop(flow.connection, None)
        self._transactions.flow_lost(flow, now)
        for owner in set(self._dialogs.values()):
            if owner.flow.connection == flow.connection and owner.flow == flow:
                owner.flow_lost(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called, None when no timer runs."""
        return self.timers.next()

    def handle_timer(self, now: float) -> None:
        """Do what is due by `now`."""
        for owner, name in self.timers.due(now):
            if isinstance(owner, Transaction):
                self._transactions.handle_timer(owner, name, now)
            else:
                owner.handle_timer(name, now)

    def next_event(self) -> Event | None:
        """The next thing that the user should know."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent, in order, once."""
        out, self._out = self._out, []
        return out

    # ---- commands: client

    def invite(self, target: Uri, *, from_: NameAddr, flow: Flow, contact: Uri, now: float, to: NameAddr | None = None,
               offer: bytes | None = None, credentials: DigestClient | None = None,
               headers: Iterable[tuple[str, object]] = (), data: object = None) -> Call:
        """Call somebody. offer: None leaves the offer to the peer; contact: where requests in the call reach us."""
        request = self.make_request("INVITE", target, from_, to or NameAddr(target.without_parameters()), flow, contact)
        request.headers.add("Allow", self.settings.allow)
        for name, value in headers:
            request.headers.add(name, value)
        call = Call(self, request.headers.get("Call-ID") or "", flow, contact, is_outgoing=True)
        call.credentials, call.data = credentials, data
        call.start(request, offer, now)
        return call

    def request(self, method: str, target: Uri, *, from_: NameAddr, flow: Flow, now: float, to: NameAddr | None = None,
                contact: Uri | None = None, headers: Iterable[tuple[str, object]] = (), body: bytes = b"",
                content_type: str | None = None, credentials: DigestClient | None = None) -> int:
        """Send a request outside of a dialog; the id that ResponseReceived or RequestFailed will carry."""
        request = self.make_request(method, target, from_, to or NameAddr(target), flow, contact)
        for name, value in headers:
            request.headers.add(name, value)
        if body:
            request.headers.add("Content-Type", content_type or "text/plain")
            request.body = body
        owner = Outgoing(self, credentials)
        owner.id = self.send_request(request, flow, owner, now).id
        return owner.id

    def register(self, registrar: Uri, *, aor: NameAddr, contact: Uri, flow: Flow, now: float,
                 credentials: DigestClient | None = None, expires_s: int = 3600) -> Registration:
        """Register a contact; it is refreshed until `unregister`."""
        registration = Registration(self, registrar, aor, contact, flow, credentials, expires_s)
        registration.refresh(now)
        return registration

    def subscribe(self, target: Uri, *, package: str, accept: str, from_: NameAddr, flow: Flow, contact: Uri, now: float,
                  credentials: DigestClient | None = None, expires_s: int = 3600, data: object = None) -> Subscription:
        """Subscribe to an event package; it is refreshed until `end`."""
        subscription = Subscription(self, package, flow, contact, is_notifier=False)
        subscription.credentials, subscription.expires_s, subscription.data = credentials, expires_s, data
        request = self.make_request("SUBSCRIBE", target, from_, NameAddr(target.without_parameters()), flow, contact)
        self._unconfirmed[(request.call_id, request.from_.tag)] = subscription
        subscription.start(request, accept, now)
        return subscription

    # ---- commands: server

    def respond(self, transaction_id: int, status: int, reason: str | None = None, *, now: float,
                headers: Iterable[tuple[str, object]] = (), body: bytes = b"", content_type: str | None = None) -> None:
        """Answer a RequestReceived or DialogRequestReceived; a transaction that is gone is no error."""
        transaction = self._transactions.get(transaction_id)
        if transaction is not None:
            response = transaction.request.respond(status, reason, to_tag=self.token(), headers=headers, body=body,
                                                   content_type=content_type)
            self.send_response(transaction, response, now)

    # ---- what calls, registrations and subscriptions use (sip.core.Core)

    def emit(self, event: Event) -> None:
        """Queue an event."""
        if isinstance(event, events.SubscriptionTerminated) and (request := event.subscription.request) is not None:
            self._unconfirmed.pop((request.call_id, request.from_.tag), None)
        self._events.append(event)

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Queue bytes."""
        self._out.append((data, flow))

    def token(self, size: int = 8) -> str:
        """Random hexadecimal text of 2 × size characters."""
        return self._entropy(size).hex()

    def make_via(self, flow: Flow) -> str:
        """A Via for a flow: our address there, a new branch, rport (RFC 3581)."""
        host, port = flow.local
        host = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{flow.transport} {host}:{port};branch={MAGIC}{self.token()};rport"

    def make_request(self, method: str, target: Uri, from_: NameAddr, to: NameAddr, flow: Flow, contact: Uri | None) -> Request:
        """A request outside of a dialog (RFC 3261 §8.1.1)."""
        headers = Headers()
        headers.add("Via", self.make_via(flow))
        headers.add("Max-Forwards", 70)
        headers.add("From", from_.with_tag(self.token()))
        headers.add("To", to)
        headers.add("Call-ID", self.token(12))
        headers.add("CSeq", f"1 {method}")
        if contact is not None:
            headers.add("Contact", f"<{contact}>")
        return Request(method, target, headers)

    def send_request(self, request: Request, flow: Flow, owner: User, now: float, attempt: int = 1) -> Transaction:
        """Start a client transaction."""
        request.headers.set("User-Agent", self.settings.user_agent)
        return self._transactions.start_client(request, flow, owner, now, attempt)

    def send_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Answer through a server transaction."""
        if response.status != 100:
            response.headers.set("Server", self.settings.user_agent)
        self._transactions.respond(transaction, response, now)

    def retry_with_credentials(self, transaction: Transaction, response: Response, credentials: DigestClient | None,
                               now: float) -> Request | None:
        """Send a challenged request again with credentials, a new branch and the next CSeq (RFC 3261 §22.2)."""
        if credentials is None:
            return None
        old = transaction.request
        request = Request(old.method, old.uri, Headers(list(old.headers.items_)), old.body)
        if not credentials.authorize(request, response, transaction.attempt):
            return None
        dialog = getattr(transaction.owner, "dialog", None)
        number = old.cseq.number + 1
        if dialog is not None:
            dialog.local_cseq = number = max(number, dialog.local_cseq + 1)
        request.headers.items_[0] = ("via", "Via", self.make_via(transaction.flow))
        request.headers.set("CSeq", f"{number} {old.method}")
        again = self.send_request(request, transaction.flow, transaction.owner, now, transaction.attempt + 1)
        owner = transaction.owner
        if isinstance(owner, Call | Registration | Subscription):
            owner.replace_transaction(transaction, again)
        return request

    def add_dialog(self, dialog: Dialog, owner: object) -> None:
        """Route requests of a dialog to its owner."""
        assert isinstance(owner, Call | Subscription)
        self._unconfirmed.pop((dialog.call_id, dialog.local.tag), None)
        self._dialogs[dialog.id] = owner

    def remove_dialog(self, dialog: Dialog) -> None:
        """Forget a dialog."""
        self._dialogs.pop(dialog.id, None)

    # ---- incoming

    def _receive(self, data: bytes, flow: Flow, now: float) -> None:
        try:
            message = parse_message(data)
            _ = message.via, message.from_, message.to, message.call_id, message.cseq
            if isinstance(message, Response):
                self._receive_response(message, now)
            else:
                self._receive_request(message, flow, now)
        except ParseError as error:
            self.counters["parse errors"] += 1
            self._refuse_unparsable(data, flow, error)

    def _refuse_unparsable(self, data: bytes, flow: Flow, error: ParseError) -> None:
        request = salvage(data)
        if request is None:
            return
        self._note_source(request, flow)
        response = request.respond(error.status, to_tag=self.token())
        self.transmit(bytes(response), _response_flow(request, flow))

    def _receive_response(self, response: Response, now: float) -> None:
        if self._transactions.receive_response(response, now):
            return
        owner = self._dialogs.get((response.call_id, response.from_.tag, response.to.tag))
        if isinstance(owner, Call) and response.cseq.method == "INVITE" and 200 <= response.status < 300:
            owner._repeat_ack()
            return
        self.counters["stray responses"] += 1

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        if request.cseq.method != request.method:
            raise ParseError("CSeq names another method")
        self._note_source(request, flow)
        transaction = self._transactions.find_server(request)
        if transaction is not None and not (request.method == "ACK" and transaction.final_status < 300):
            self._transactions.receive_again(transaction, request, now)
            return
        if request.method == "ACK":
            self._receive_ack(request, now)
            return
        back = _response_flow(request, flow)
        refusal = self._check(request, flow, now)
        if refusal is not None:
            refusal.headers.set("Server", self.settings.user_agent)
            self.transmit(bytes(refusal), back)
            return
        transaction = self._transactions.start_server(request, back, now)
        if request.method == "CANCEL":
            self._receive_cancel(transaction, now)
        elif request.to.tag:
            self._receive_in_dialog(transaction, now)
        else:
            self._receive_initial(transaction, flow, now)

    def _check(self, request: Request, flow: Flow, now: float) -> Response | None:
        """A refusal that needs no state (RFC 3261 §8.2), or None."""
        if request.method not in self._allowed:
            return self._refusal(request, 405, headers=[("Allow", self.settings.allow)])
        if not request.uri.is_sip:
            return self._refusal(request, 416)
        if request.max_forwards == 0 and request.method != "CANCEL":
            return self._refusal(request, 483)
        unknown = sorted(request.require - self.settings.supported)
        if unknown and request.method != "CANCEL":
            return self._refusal(request, 420, headers=[("Unsupported", ", ".join(unknown))])
        if request.to.tag or request.method == "CANCEL":
            return None
        if self._transactions.is_merged(request):
            return self._refusal(request, 482)
        if self.admit is not None and (refusal := self.admit(request, flow, now)) is not None:
            return refusal
        if len(self._transactions) >= self.settings.max_transactions or len(self._dialogs) >= self.settings.max_dialogs:
            self.counters["overload"] += 1
            return self._refusal(request, 503, headers=[("Retry-After", 5)])
        return self._check_body(request)

    def _check_body(self, request: Request) -> Response | None:
        if request.method != "INVITE":
            return None
        try:
            check_invite(request)
        except ParseError as error:
            headers = [("Accept", "application/sdp")] if error.status == 415 else []
            return self._refusal(request, error.status, headers=headers)
        return None

    def _refusal(self, request: Request, status: int, headers: Iterable[tuple[str, object]] = ()) -> Response:
        return request.respond(status, to_tag=self.token(), headers=headers)

    def _receive_ack(self, request: Request, now: float) -> None:
        owner = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if isinstance(owner, Call):
            owner.receive_ack(request, now)

    def _receive_cancel(self, transaction: Transaction, now: float) -> None:
        invite = self._transactions.find_invite(transaction.request)
        if invite is None:
            self.send_response(transaction, self._refusal(transaction.request, 481), now)
            return
        self.send_response(transaction, transaction.request.respond(200, to_tag=self.token()), now)
        if isinstance(invite.owner, Call):
            invite.owner.receive_cancel(now)

    def _receive_in_dialog(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        owner: Call | Subscription | None = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if owner is None and request.method == "NOTIFY":
            owner = self._unconfirmed.pop((request.call_id, request.to.tag), None)
            if owner is not None and owner.dialog is not None:
                owner = None
        if owner is None:
            self.send_response(transaction, self._refusal(request, 481), now)
        elif isinstance(owner, Call) and request.method == "SUBSCRIBE":
            self._receive_subscribe(transaction, transaction.flow, now)      # a dialog usage of its own
        else:
            owner.receive_request(transaction, now)

    def _receive_initial(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        if request.method == "INVITE":
            call = Call(self, request.call_id, flow, self._own_contact(request, flow), is_outgoing=False)
            call.receive_invite(transaction, now)
        elif request.method == "SUBSCRIBE":
            self._receive_subscribe(transaction, flow, now)
        elif request.method in ("BYE", "NOTIFY", "UPDATE", "INFO"):
            self.send_response(transaction, self._refusal(request, 481), now)
        else:
            self.emit(events.RequestReceived(transaction.id, request, flow))

    def _receive_subscribe(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        if not request.contacts:
            self.send_response(transaction, self._refusal(request, 400), now)
            return
        contact = self._own_contact(request, flow)
        Subscription(self, request.event[0], flow, contact, is_notifier=True).receive_subscribe(transaction, now)

    def _own_contact(self, request: Request, flow: Flow) -> Uri:
        parameters = () if flow.transport == "UDP" else (("transport", flow.transport.lower()),)
        return Uri("sip", request.uri.user, flow.local[0], flow.local[1], parameters)

    def _note_source(self, request: Request, flow: Flow) -> None:
        """Write where the request really came from into its Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
        via = request.via
        host, port = flow.remote
        noted = via
        if via.parameter("rport") is not None:
            noted = noted.with_parameter("rport", str(port)).with_parameter("received", host)
        elif via.host != host:
            noted = noted.with_parameter("received", host)
        if noted is via:
            return
        items = request.headers.items_
        for index, item in enumerate(items):
            if item[0] == "via":
                _, comma, rest = _first_value(item[2])
                items[index] = ("via", "Via", f"{noted}{', ' + rest if comma else ''}")
                break
        request.__dict__["via"] = noted


def _first_value(line: str) -> tuple[str, str, str]:
    """The first element of a Via line and the rest (a Via has no quoted comma before its own end in practice)."""
    first, comma, rest = line.partition(",")
    return first, comma, rest.strip(" \t")


def _response_flow(request: Request, flow: Flow) -> Flow:
    """Where the response goes: the source address; over UDP the source port only if rport was asked for (RFC 3581 §4)."""
    if flow.is_reliable or request.via.parameter("rport") is not None:
        return flow
    port = request.via.port or 5060
    return flow if port == flow.remote[1] else Flow(flow.transport, flow.local, (flow.remote[0], port))
