"""A SIP endpoint, client and server, without any I/O (RFC 3261 §8, §12, §18): all of the core behind five calls.

`receive_datagram` or `receive_stream`, `next_timer`, `handle_timer`, `next_event`, `datagrams_to_send`. One mutation, then
drain events and datagrams, then the next mutation. What a peer sends can't raise: it is answered, or dropped and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from weakref import WeakSet

from sip import events
from sip.auth import DigestClient
from sip.dialog import Dialog, DialogId
from sip.errors import ParseError, RemoteProtocolError
from sip.events import Event
from sip.flow import Address, Flow
from sip.grammar import split_first
from sip.headers import Headers, NameAddr
from sip.invite import Call, check_invite
from sip.message import Request, Response
from sip.outgoing import Outgoing
from sip.parser import StreamFramer, parse_message, salvage
from sip.refer import Reference, Referral, write_refer
from sip.registration import Registration
from sip.replaces import OPTION as REPLACES
from sip.replaces import replaces_of
from sip.routing import own_contact_over
from sip.session_timer import is_too_small
from sip.settings import EndpointSettings as EndpointSettings
from sip.subscription import Subscription
from sip.timers import Timers
from sip.transaction import Transaction
from sip.transactions import MAGIC, Transactions, User
from sip.uri import Uri

Admission = Callable[[Request, Flow, float], Response | None]
MAX_USAGES = 8
"""Subscriptions inside the dialog of one call: a phone has one or two."""
KEEP_ALIVES = frozenset((b"", b"\0", b"\0\0\0\0", b"\r\n", b"\r\n\r\n", b"jaK"))
"""What phones send over UDP so that their NAT remembers them."""
_ONLY_IN_DIALOGS = frozenset(("BYE", "NOTIFY", "UPDATE", "INFO", "PRACK"))
_TARGETS = frozenset(("INVITE", "SUBSCRIBE", "NOTIFY", "UPDATE", "REGISTER"))
"""Methods whose Contact we use."""


class Endpoint:
    """The core of a user agent. entropy: gives n random bytes. `admit` may refuse a stranger's request without state;
    `told_host` is the address of ours that stands in Via and Contact, for those behind NAT."""

    def __init__(self, settings: EndpointSettings, entropy: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.timers = Timers()
        self.counters: Counter[str] = Counter()
        self.admit: Admission | None = None
        self.told_host: Callable[[Flow], str] = lambda flow: flow.local[0]
        self._entropy = entropy
        self._events: deque[Event] = deque()
        self._out: list[tuple[bytes, Flow]] = []
        self._closing: list[Flow] = []
        self._transactions = Transactions(self.transmit, self.timers)
        self._dialogs: dict[DialogId, Call | Subscription] = {}
        self._usages: dict[DialogId, list[Subscription]] = {}        # in a dialog of another owner, RFC 5057
        self._unconfirmed: dict[tuple[str, str], Subscription] = {}
        self._registrations: WeakSet[Registration] = WeakSet()
        self._by_flow: dict[tuple[str, Address], WeakSet[Call | Subscription]] = {}
        self._framers: dict[int, StreamFramer] = {}
        self._tag_key = entropy(16)
        self._allowed = frozenset(method.strip() for method in settings.allow.split(",")) | {"REGISTER", "ACK"}

    # ---- the five calls

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        """A UDP datagram came. Never raises for what is in it."""
        if len(data) < 20 or not 33 <= data[0] <= 126:      # STUN, keep-alives, junk
            self.counters["keep-alives" if data in KEEP_ALIVES else "junk"] += 1
            return
        self._receive(data, flow, now)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> bool:
        """Bytes of a connection came. False when the stream can't be followed any more and should be closed."""
        framer = self._framers.setdefault(flow.connection, StreamFramer())
        try:
            framer.receive_data(data)
            while (message := framer.next_message()) is not None:
                self._receive(message, flow, now)
        except ParseError as error:
            self.counters["stream errors"] += 1
            self._refuse_unparsable(framer.waiting, flow, error)
            return False
        for _ in range(min(framer.pongs_due, 4)):
            self.transmit(b"\r\n", flow)
        framer.pongs_due = 0
        if framer.has_lone_break and self._receive_pong(flow):
            framer.drop_lone_break()
        return True

    def _receive_pong(self, flow: Flow) -> bool:
        waiting = (one.keep_alive for one in self._registrations if one.keep_alive is not None and one.flow.went_by(flow))
        return sum(keep_alive.receive_pong() for keep_alive in waiting) > 0

    def is_waiting_for_rest(self, flow: Flow) -> bool:
        """Whether a message on this connection has begun and its rest has not come."""
        framer = self._framers.get(flow.connection)
        return framer is not None and framer.is_in_message

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection was closed, or could not be opened."""
        self._framers.pop(flow.connection, None)
        self._transactions.flow_lost(flow, now)
        owners = self._by_flow.pop((flow.transport, flow.remote), ())
        for owner in [*owners, *self._registrations]:
            if owner.flow.went_by(flow):
                owner.flow_lost(now)
            elif not isinstance(owner, Registration):
                self._note_flow(owner)

    def _note_flow(self, owner: Call | Subscription) -> None:
        """Remember whom the loss of a connection concerns."""
        if owner.flow.is_reliable:
            self._by_flow.setdefault((owner.flow.transport, owner.flow.remote), WeakSet()).add(owner)

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

    @property
    def has_unanswered(self) -> bool:
        """Whether a request of ours still waits for its final response: who leaves waits for the answer to the BYE."""
        return self._transactions.has_unanswered

    def figures(self) -> dict[str, int]:
        """How much state there is just now."""
        return {"transactions": len(self._transactions), "dialogs": len(self._dialogs), "timers": len(self.timers),
                "framers": len(self._framers)}

    # ---- commands: client

    def invite(self, target: Uri, *, from_: NameAddr, flow: Flow, contact: Uri, now: float, to: NameAddr | None = None,
               offer: bytes | None = None, credentials: DigestClient | None = None,
               headers: Iterable[tuple[str, object]] = (), data: object = None, max_forwards: int = 70,
               alternatives: Iterable[Flow] = ()) -> Call:
        """Call somebody. offer: None leaves the offer to the peer; contact: where requests in the call reach us.

        max_forwards: hops left, for a call that is made on behalf of another one: one less than that one had; alternatives:
        where the INVITE goes next when a flow fails, is silent, or says 503 (RFC 3263 §4.3).
        """
        request = self.make_request("INVITE", target, from_, to or NameAddr(target.without_parameters()), flow, contact)
        request.headers.set("Max-Forwards", max_forwards)
        request.headers.add("Allow", self.settings.allow)
        supported = self.settings.supported - (frozenset() if offer is not None else {"100rel"})
        if supported:            # without an offer of ours, one could come in a 1xx, and we would owe the answer in a PRACK
            request.headers.add("Supported", ", ".join(sorted(supported)))
        for name, value in headers:
            request.headers.add(name, value)
        call = Call(self, request.headers.get("Call-ID") or "", flow, contact, is_outgoing=True)
        call.credentials, call.data, call.alternatives = credentials, data, list(alternatives)
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
                 credentials: DigestClient | None = None, expires_s: int = 3600, keep_alive_s: float = 0.0, instance: str = "",
                 reg_id: int = 1) -> Registration:
        """Register a contact; it is refreshed until `unregister`.

        keep_alive_s: the longest pause between pings, 0 for none; instance: the URN that names this phone, empty for none;
        reg_id: which of its flows this is (RFC 5626 §4.2).
        """
        registration = Registration(self, registrar, aor, contact, flow, credentials, expires_s, keep_alive_s, instance, reg_id)
        self._registrations.add(registration)
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

    def refer(self, target: Uri, refer_to: Uri, *, from_: NameAddr, flow: Flow, contact: Uri, now: float,
              credentials: DigestClient | None = None, has_reports: bool = True) -> Reference:
        """Ask somebody, outside of any call, to call `refer_to` (RFC 3515); how it fares comes in ReferProgressed."""
        reference = Reference(self, None, contact, flow, credentials)
        request = self.make_request("REFER", target, from_, NameAddr(target.without_parameters()), flow, contact)
        write_refer(request, refer_to, from_, has_reports=has_reports)
        self._unconfirmed[(request.call_id, request.from_.tag)] = reference.subscription
        reference.start(request, None, now)
        return reference

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
        host, port = self.told_host(flow), flow.local[1]
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
        request = transaction.request.copy()
        if not credentials.authorize(request, response, transaction.attempt):
            return None
        return self.send_again(transaction, request, now, transaction.attempt + 1).request

    def send_again(self, transaction: Transaction, request: Request, now: float, attempt: int = 1) -> Transaction:
        """Send a request that was refused once more, changed, with a new branch and the next CSeq (RFC 3261 §8.1.3.5)."""
        owner = transaction.owner
        dialog: Dialog | None = owner.dialog_with(request.to.tag) if isinstance(owner, Call) else getattr(owner, "dialog", None)
        number = request.cseq.number + 1
        if dialog is not None:
            dialog.local_cseq = number = max(number, dialog.local_cseq + 1)
        request.headers.items_[0] = ("via", "Via", self.make_via(transaction.flow))
        request.headers.set("CSeq", f"{number} {request.method}")
        again = self.send_request(request.copy(), transaction.flow, owner, now, attempt)
        if isinstance(owner, Call | Registration | Subscription):
            owner.replace_transaction(transaction, again)
        return again

    def add_dialog(self, dialog: Dialog, owner: object) -> None:
        """Route requests of a dialog to its owner, or those of a subscription in a call's dialog to the subscription."""
        assert isinstance(owner, Call | Subscription)
        self._note_flow(owner)
        self._unconfirmed.pop((dialog.call_id, dialog.local.tag), None)
        if self._dialogs.setdefault(dialog.id, owner) is not owner and isinstance(owner, Subscription):
            self._usages.setdefault(dialog.id, []).append(owner)

    def remove_dialog(self, dialog: Dialog, owner: object) -> None:
        """The owner has no more use for a dialog; other usages stay (RFC 5057 §4)."""
        if self._dialogs.get(dialog.id) is owner:
            del self._dialogs[dialog.id]
        elif kept := [usage for usage in self._usages.pop(dialog.id, ()) if usage is not owner]:
            self._usages[dialog.id] = kept

    def touch_flow(self, flow: Flow, now: float) -> None:
        """Send a request inside each dialog that goes by a flow: OPTIONS, or SUBSCRIBE in one that we watch."""
        usages = [usage for shared in self._usages.values() for usage in shared]
        for owner in [*self._dialogs.values(), *usages]:
            if (owner.flow.transport, owner.flow.remote) != (flow.transport, flow.remote):
                continue
            if isinstance(owner, Subscription):
                if not owner.is_notifier:
                    owner.refresh(now)
            elif owner.is_up:
                owner.request("OPTIONS", now=now)

    def close_flow(self, flow: Flow) -> None:
        """Have the connection closed that a flow goes by; the shell asks for `flows_to_close`."""
        if flow.is_reliable:
            self._closing.append(flow)

    def flows_to_close(self) -> list[Flow]:
        """Connections that are of no use any more, once."""
        closing, self._closing = self._closing, []
        return closing

    def forget_unconfirmed(self, owner: object) -> None:
        """A subscription that never got a dialog is over."""
        if isinstance(owner, Subscription) and owner.request is not None:
            self._unconfirmed.pop((owner.request.call_id, owner.request.from_.tag), None)

    def abandon(self, transaction: Transaction) -> None:
        """Forget a transaction of which nothing is expected any more."""
        self._transactions.abandon(transaction)

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
        self.transmit(bytes(self._refusal(request, error.status)), _response_flow(request, flow))

    def _receive_response(self, response: Response, now: float) -> None:
        if len(response.headers.get_all("Via")) > 1:                # meant for somebody behind us, §8.1.3.3
            self.counters["stray responses"] += 1
            return
        if 100 < response.status < 300 and response.cseq.method in ("INVITE", "SUBSCRIBE", "UPDATE", "REFER"):
            _ = response.contacts, response.record_routes, response.expires
        if self._transactions.receive_response(response, now):
            return
        owner = self._dialogs.get((response.call_id, response.from_.tag, response.to.tag))
        if isinstance(owner, Call) and response.cseq.method == "INVITE" and 200 <= response.status < 300:
            owner.repeat_ack(response.cseq.number)
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
        _read_ahead(request)
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
            self._receive_in_dialog(transaction, flow, now)
        else:
            self._receive_initial(transaction, flow, now)

    def _check(self, request: Request, flow: Flow, now: float) -> Response | None:
        """A refusal that needs no state (RFC 3261 §8.2, §8.2.7), or None.

        Max-Forwards 0 is refused although §8.2 lets a UAS take it: behind us stands a B2BUA, where calls could go in circles.
        """
        if request.method not in self._allowed:
            return self._refusal(request, 405, headers=[("Allow", self.settings.allow)])
        if request.method == "CANCEL":
            return None if self._transactions.find_invite(request) is not None else self._refusal(request, 481)
        if not request.uri.is_sip:
            return self._refusal(request, 416)
        if request.uri.scheme == "sips" and not flow.is_protected:          # somebody on the way broke the promise, §26.2.2
            return self._refusal(request, 403)
        if request.max_forwards == 0 and request.method != "OPTIONS":
            return self._refusal(request, 483)
        unknown = sorted(request.require - self.settings.supported)
        if unknown:
            return self._refusal(request, 420, headers=[("Unsupported", ", ".join(unknown))])
        if request.to.tag or request.method in _ONLY_IN_DIALOGS:
            return self._check_in_dialog(request)
        if self._transactions.is_merged(request):
            return self._refusal(request, 482)
        if self.admit is not None and (refusal := self.admit(request, flow, now)) is not None:
            return refusal
        if len(self._transactions) >= self.settings.max_transactions or len(self._dialogs) >= self.settings.max_dialogs:
            self.counters["overload"] += 1
            return self._refusal(request, 503, headers=[("Retry-After", 5)])
        return self._check_body(request) or self._check_replaces(request)

    def _check_replaces(self, request: Request) -> Response | None:
        """RFC 3891 §3, for a user that acts on it."""
        if request.method != "INVITE" or REPLACES not in self.settings.supported:
            return None
        try:
            replaces = replaces_of(request)
        except ParseError as error:
            return self._refusal(request, error.status)
        if replaces is None:
            return None
        call = self._dialogs.get(replaces.dialog_id)
        if not isinstance(call, Call) or (not call.is_up and not call.is_outgoing):       # none, or one that rings here
            return self._refusal(request, 481)
        if call.is_up and replaces.is_early_only:
            return self._refusal(request, 486)
        return None

    def _replaced_by(self, request: Request) -> Call | None:
        if REPLACES not in self.settings.supported or (replaces := replaces_of(request)) is None:
            return None
        call = self._dialogs.get(replaces.dialog_id)
        return call if isinstance(call, Call) else None

    def _check_in_dialog(self, request: Request) -> Response | None:
        if self._find_owner(request) is None:
            return self._refusal(request, 481)
        if len(self._transactions) >= 2 * self.settings.max_transactions and request.method != "BYE":
            self.counters["overload"] += 1
            return self._refusal(request, 503, headers=[("Retry-After", 5)])
        return self._check_body(request)

    def _check_body(self, request: Request) -> Response | None:
        if request.method not in ("INVITE", "UPDATE", "PRACK"):
            return None
        try:
            check_invite(request)
        except ParseError as error:
            headers = [("Accept", "application/sdp"), ("Accept-Encoding", "identity")] if error.status == 415 else []
            return self._refusal(request, error.status, headers=headers)
        if request.method != "PRACK" and is_too_small(request, self.settings.min_se_s):
            return self._refusal(request, 422, headers=[("Min-SE", self.settings.min_se_s)])
        return None

    def _refusal(self, request: Request, status: int, headers: Iterable[tuple[str, object]] = ()) -> Response:
        """A refusal with the same To tag each time that the same request comes (§8.2.7)."""
        what = f"{request.call_id} {request.from_.tag} {request.cseq}".encode("utf-8", "surrogateescape")
        tag = hashlib.blake2s(what, key=self._tag_key, digest_size=8).hexdigest()
        return request.respond(status, to_tag=tag, headers=headers)

    def _receive_ack(self, request: Request, now: float) -> None:
        owner = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if isinstance(owner, Call):
            owner.receive_ack(request, now)

    def _receive_cancel(self, transaction: Transaction, now: float) -> None:
        invite = self._transactions.find_invite(transaction.request)
        call = invite.owner if invite is not None else None
        tag = call.dialog.local.tag if isinstance(call, Call) and call.dialog is not None else self.token()
        self.send_response(transaction, transaction.request.respond(200, to_tag=tag), now)
        if isinstance(call, Call) and invite is not None:
            call.receive_cancel(invite, transaction.request, now)

    def _find_owner(self, request: Request) -> Call | Subscription | None:
        key = (request.call_id, request.to.tag, request.from_.tag)
        if request.method in ("SUBSCRIBE", "NOTIFY"):
            for usage in self._usages.get(key, ()):
                if usage.matches(request):
                    return usage
        owner = self._dialogs.get(key)
        if owner is None and request.method == "NOTIFY":                  # it may come before the 200, RFC 6665 §4.1.2.4
            owner = self._unconfirmed.get((request.call_id, request.to.tag))
        return owner

    def _receive_in_dialog(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        owner = self._find_owner(request)
        assert owner is not None
        dialog = owner.dialog_with(request.from_.tag)
        if dialog is not None:
            try:
                dialog.check_request(request)
            except RemoteProtocolError as error:
                self.send_response(transaction, self._refusal(request, error.status), now)
                return
            owner.follow(flow)
            self._note_flow(owner)
        is_refresh = isinstance(owner, Subscription) and owner.matches(request)
        if request.method == "SUBSCRIBE" and dialog is not None and not is_refresh:
            if len(self._usages.get(dialog.id, ())) >= MAX_USAGES:
                self.send_response(transaction, self._refusal(request, 503, headers=[("Retry-After", 60)]), now)
                return
            self._receive_subscribe(transaction, flow, now, dialog)
        elif request.method == "REFER":
            self._receive_refer(transaction, flow, now, owner)
        else:
            owner.receive_request(transaction, now)

    def _receive_initial(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        if request.method == "INVITE":
            call = Call(self, request.call_id, flow, self._own_contact(request, flow), is_outgoing=False)
            call.receive_invite(transaction, now, self._replaced_by(request))
        elif request.method == "SUBSCRIBE":
            self._receive_subscribe(transaction, flow, now)
        elif request.method == "REFER":
            self._receive_refer(transaction, flow, now)
        else:
            self.emit(events.RequestReceived(transaction.id, request, flow))

    def _receive_subscribe(self, transaction: Transaction, flow: Flow, now: float, dialog: Dialog | None = None) -> None:
        request = transaction.request
        if not request.contacts or request.contacts[0].is_wildcard:
            self.send_response(transaction, self._refusal(request, 400), now)
            return
        contact = self._own_contact(request, flow) if dialog is None else dialog.contact
        subscription = Subscription(self, request.event[0], flow, contact, is_notifier=True, shared=dialog)
        subscription.receive_subscribe(transaction, now)

    def _receive_refer(self, transaction: Transaction, flow: Flow, now: float,
                       owner: Call | Subscription | None = None) -> None:
        request = transaction.request
        dialog = None if owner is None else owner.dialog
        call = owner if isinstance(owner, Call) else None
        if (owner is not None and (call is None or not call.is_up or dialog is None)) or (
                dialog is not None and len(self._usages.get(dialog.id, ())) >= MAX_USAGES):
            self.send_response(transaction, self._refusal(request, 403), now)
            return
        contact = self._own_contact(request, flow) if dialog is None else dialog.contact
        try:
            referral = Referral(self, transaction, call, dialog, contact, flow)
        except ParseError as error:
            self.send_response(transaction, self._refusal(request, error.status), now)
            return
        self.emit(events.ReferReceived(referral, call, referral.refer_to, referral.referred_by, referral.replaces, request))

    def _own_contact(self, request: Request, flow: Flow) -> Uri:
        return own_contact_over(flow, request.uri.user, self.told_host(flow), is_secure=is_secure(request))

    def _note_source(self, request: Request, flow: Flow) -> None:
        """Write where the request really came from into its Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
        via = noted = request.via
        host, port = flow.remote
        if via.parameter("rport") is not None:
            noted = noted.with_parameter("rport", str(port)).with_parameter("received", host)
        elif via.host != host:
            noted = noted.with_parameter("received", host)
        if noted is via:
            return
        items = request.headers.items_
        for index, item in enumerate(items):
            if item[0] == "via":
                rest = split_first(item[2])[1]
                items[index] = ("via", "Via", f"{noted}, {rest}" if rest else str(noted))
                break
        request.__dict__["via"] = noted


def is_secure(request: Request) -> bool:
    """Whether a request asks for sips in the dialog that it makes (RFC 3261 §12.1.1)."""
    first = [item.uri for item in (*request.record_routes[:1], *request.contacts[:1]) if not item.is_wildcard]
    return request.uri.scheme == "sips" or bool(first and first[0].scheme == "sips")


def _read_ahead(request: Request) -> None:
    """Parse what is used later, so that a fault is found while there is no state for the request. Raises ParseError."""
    _ = request.max_forwards, request.require, request.expires
    if request.method in _TARGETS:
        _ = request.contacts, request.record_routes
    if request.method in ("SUBSCRIBE", "NOTIFY"):
        _ = request.event
    if not request.call_id:
        raise ParseError("an empty Call-ID")


def _response_flow(request: Request, flow: Flow) -> Flow:
    """Where the response goes: the source address; over UDP the source port only if rport was asked for (RFC 3581 §4)."""
    if flow.is_reliable or request.via.parameter("rport") is not None:
        return flow
    port = request.via.port or 5060
    return flow if port == flow.remote[1] else Flow(flow.transport, flow.local, (flow.remote[0], port))
