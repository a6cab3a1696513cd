"""A SIP endpoint, client and server, without any I/O (RFC 3261 §8, §12, §18): all of the core behind five calls.

`receive_datagram` or `receive_stream`, `next_timer`, `handle_timer`, `next_event`, `datagrams_to_send`. One mutation, then
drain events and datagrams, then the next mutation. What a peer sends can't raise: it is answered, or dropped and counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from weakref import WeakSet

from sip import events
from sip.auth import DigestClient
from sip.dialog import Dialog
from sip.dialogs import Dialogs, Owner
from sip.errors import ParseError, RemoteProtocolError
from sip.events import Event
from sip.flow import Flow
from sip.headers import HeaderList, NameAddr
from sip.invite import Call
from sip.message import Request, Response
from sip.outgoing import Outgoing, request_outside_dialog, write_content
from sip.parser import KEEP_ALIVE, StreamFramer, parse_message, salvage
from sip.refer import Reference, Referral, write_refer
from sip.refusals import Admission, Readmission, Refusals, read_ahead
from sip.registration import Registration
from sip.replaces import OPTION as REPLACES
from sip.replaces import replaces_of
from sip.settings import EndpointSettings as EndpointSettings
from sip.source import note_source, own_contact, response_flow
from sip.subscription import Subscription
from sip.timers import Timers
from sip.transaction import Transaction
from sip.transactions import MAGIC, Transactions, User
from sip.uri import Uri

KEEP_ALIVES = frozenset((b"", b"\0", b"\0\0\0\0", b"\r\n", b"\r\n\r\n", b"jaK"))
"""What phones send over UDP so that their NAT remembers them."""


class Endpoint:
    """The core of a user agent. entropy: gives n random bytes. `admit` may refuse a stranger's request without state;
    `readmit` may take one in a dialog that comes from another host than the peer's; `told_host` is the address of ours that
    stands in Via and Contact, for those behind NAT."""

    def __init__(self, settings: EndpointSettings, entropy: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.timers = Timers()
        self.counters: Counter[str] = Counter()
        self.admit: Admission | None = None
        self.readmit: Readmission | None = None
        self.told_host: Callable[[Flow], str] = lambda flow: flow.local[0]
        self.watch: Callable[[bytes, Flow, bool], None] | None = None
        self._entropy = entropy
        self._events: deque[Event] = deque()
        self._out: list[tuple[bytes, Flow]] = []
        self._closing: list[Flow] = []
        self._transactions = Transactions(self.transmit, self.timers)
        self._dialogs = Dialogs()
        self._registrations: WeakSet[Registration] = WeakSet()
        self._framers: dict[int, StreamFramer] = {}
        self._refusals = Refusals(self, self._transactions, self._dialogs, self.counters, entropy(16))

    # ---- the five calls

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        """A UDP datagram came. Never raises for what is in it."""
        if len(data) < 20 or not 33 <= data[0] <= 126:      # STUN, keep-alives, junk
            self.counters["keep-alives" if data in KEEP_ALIVES else "junk"] += 1
            return
        self._receive(data, flow, now)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> bool:
        """Bytes of a connection came: as the stream has them, or a whole message where it is framed. False when the stream
        can't be followed any more and should be closed."""
        if flow.is_framed:
            if data == KEEP_ALIVE:
                self.transmit(b"\r\n", flow)
            else:
                self.receive_datagram(data, flow, now)
            return True
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
        for owner in [*self._dialogs.take_flow(flow), *self._registrations]:
            if owner.flow.went_by(flow):
                owner.flow_lost(now)
            elif not isinstance(owner, Registration):
                self._dialogs.note_flow(owner)

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
        if self.watch is not None:
            for data, flow in out:
                if data not in KEEP_ALIVES:
                    self.watch(data, flow, True)
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
               headers: HeaderList = (), data: object = None, max_forwards: int = 70,
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
                contact: Uri | None = None, headers: HeaderList = (), body: bytes = b"",
                content_type: str | None = None, credentials: DigestClient | None = None) -> int:
        """Send a request outside of a dialog; the id that ResponseReceived or RequestFailed will carry."""
        request = self.make_request(method, target, from_, to or NameAddr(target), flow, contact)
        write_content(request, headers, body, content_type)
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
        self._dialogs.expect(request, subscription)
        subscription.start(request, accept, now)
        return subscription

    def refer(self, target: Uri, refer_to: Uri, *, from_: NameAddr, flow: Flow, contact: Uri, now: float,
              credentials: DigestClient | None = None, has_reports: bool = True) -> Reference:
        """Ask somebody, outside of any call, to call `refer_to` (RFC 3515); how it fares comes in ReferProgressed."""
        reference = Reference(self, None, contact, flow, credentials)
        request = self.make_request("REFER", target, from_, NameAddr(target.without_parameters()), flow, contact)
        write_refer(request, refer_to, from_, has_reports=has_reports)
        self._dialogs.expect(request, reference.subscription)
        reference.start(request, None, now)
        return reference

    # ---- commands: server

    def respond(self, transaction_id: int, status: int, reason: str | None = None, *, now: float,
                headers: HeaderList = (), body: bytes = b"", content_type: str | None = None) -> None:
        """Answer a RequestReceived or DialogRequestReceived; one that is gone, or was answered for good, is no error."""
        transaction = self._transactions.get(transaction_id)
        if transaction is not None and not transaction.final_status:
            response = transaction.request.respond(status, reason, to_tag=self.token(), headers=headers, body=body,
                                                   content_type=content_type)
            self.send_response(transaction, response, now)

    # ---- what calls, registrations and subscriptions use (sip.core.Core)

    def emit(self, event: Event) -> None:
        """Queue an event."""
        if isinstance(event, events.SubscriptionTerminated):
            self._dialogs.forget(event.subscription)
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
        return request_outside_dialog(self, method, target, from_, to, flow, contact)

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
        self._dialogs.add(dialog, owner)

    def remove_dialog(self, dialog: Dialog, owner: object) -> None:
        """The owner has no more use for a dialog; other usages stay (RFC 5057 §4)."""
        self._dialogs.remove(dialog, owner)

    def touch_flow(self, flow: Flow, now: float) -> None:
        """Send a request inside each dialog that goes by a flow: OPTIONS, or SUBSCRIBE in one that we watch."""
        for owner in self._dialogs.going_by(flow):
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
        self._dialogs.forget(owner)

    def abandon(self, transaction: Transaction) -> None:
        """Forget a transaction of which nothing is expected any more."""
        self._transactions.abandon(transaction)

    # ---- incoming

    def _receive(self, data: bytes, flow: Flow, now: float) -> None:
        if self.watch is not None:
            self.watch(data, flow, False)
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
        if (request := salvage(data)) is not None:
            note_source(request, flow)
            self.transmit(bytes(self._refusals.make(request, error.status)), response_flow(request, flow))

    def _receive_response(self, response: Response, now: float) -> None:
        if len(response.headers.get_all("Via")) > 1:                # meant for somebody behind us, §8.1.3.3
            self.counters["stray responses"] += 1
            return
        if 100 < response.status < 300 and response.cseq.method in ("INVITE", "SUBSCRIBE", "UPDATE", "REFER"):
            _ = response.contacts, response.record_routes, response.expires
        if self._transactions.receive_response(response, now):
            return
        call = self._dialogs.find_call((response.call_id, response.from_.tag, response.to.tag))
        if call is not None and response.cseq.method == "INVITE" and 200 <= response.status < 300:
            call.repeat_ack(response.cseq.number)
        else:
            self.counters["stray responses"] += 1

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        if request.cseq.method != request.method:
            raise ParseError("CSeq names another method")
        note_source(request, flow)
        transaction = self._transactions.find_server(request)
        if transaction is not None and not (request.method == "ACK" and transaction.final_status < 300):
            self._transactions.receive_again(transaction, request, now)
            return
        if request.method == "ACK":
            self._receive_ack(request, flow, now)
            return
        read_ahead(request)
        back = response_flow(request, flow)
        refusal = self._refusals.check(request, flow, now, self.admit, self.readmit)
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

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        call = self._dialogs.find_call((request.call_id, request.to.tag, request.from_.tag))
        if call is not None and self._refusals.check_peer(call, request, flow, now, self.readmit) is None:
            call.receive_ack(request, now)

    def _receive_cancel(self, transaction: Transaction, now: float) -> None:
        cancel = transaction.request
        invite = self._transactions.find_invite(cancel)
        call = invite.owner if invite is not None else None
        tag = call.dialog.local.tag if isinstance(call, Call) and call.dialog is not None else self.token()
        self.send_response(transaction, cancel.respond(200, to_tag=tag), now)
        if isinstance(call, Call) and invite is not None:
            call.receive_cancel(invite, cancel, now)

    def _receive_in_dialog(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        owner = self._dialogs.find(request)
        assert owner is not None
        dialog = owner.dialog_with(request.from_.tag)
        if dialog is not None:
            try:
                dialog.check_request(request)
            except RemoteProtocolError as error:
                self.send_response(transaction, self._refusals.make(request, error.status), now)
                return
            owner.follow(flow)
            self._dialogs.note_flow(owner)
        is_refresh = isinstance(owner, Subscription) and owner.matches(request)
        if request.method == "SUBSCRIBE" and dialog is not None and not is_refresh:
            if not self._dialogs.may_have_usage(dialog):
                self.send_response(transaction, self._refusals.make(request, 503, [("Retry-After", 60)]), now)
                return
            self._receive_subscribe(transaction, flow, now, dialog)
        elif request.method == "REFER":
            self._receive_refer(transaction, flow, now, owner)
        else:
            owner.receive_request(transaction, now)

    def _receive_initial(self, transaction: Transaction, flow: Flow, now: float) -> None:
        request = transaction.request
        if request.method == "INVITE":
            call = Call(self, request.call_id, flow, own_contact(request, flow, self.told_host(flow)), is_outgoing=False)
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
            self.send_response(transaction, self._refusals.make(request, 400), now)
            return
        contact = own_contact(request, flow, self.told_host(flow)) if dialog is None else dialog.contact
        subscription = Subscription(self, request.event[0], flow, contact, is_notifier=True, shared=dialog)
        subscription.receive_subscribe(transaction, now)

    def _receive_refer(self, transaction: Transaction, flow: Flow, now: float, owner: Owner | None = None) -> None:
        request = transaction.request
        dialog = None if owner is None else owner.dialog
        call = owner if isinstance(owner, Call) else None
        if (owner is not None and (call is None or not call.is_up or dialog is None)) or (
                dialog is not None and not self._dialogs.may_have_usage(dialog)):
            self.send_response(transaction, self._refusals.make(request, 403), now)
            return
        contact = own_contact(request, flow, self.told_host(flow)) if dialog is None else dialog.contact
        try:
            referral = Referral(self, transaction, call, dialog, contact, flow)
        except ParseError as error:
            self.send_response(transaction, self._refusals.make(request, error.status), now)
            return
        self.emit(events.ReferReceived(referral, call, referral.refer_to, referral.referred_by, referral.replaces, request))

    def _replaced_by(self, request: Request) -> Call | None:
        if REPLACES not in self.settings.supported or (replaces := replaces_of(request)) is None:
            return None
        return self._dialogs.find_call(replaces.dialog_id)
