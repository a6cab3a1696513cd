"""All transactions of an endpoint: matching (RFC 3261 §17.1.3, §17.2.3), timers, retransmissions, merged requests (§8.2.2.2).

The user of a transaction (its `owner`) is told by three calls: `on_response(transaction, response, now)`,
`on_failure(transaction, status, now)` with 408 for a time-out and 503 for a transport that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sip.flow import Address, Flow
from sip.headers import Headers
from sip.message import Request, Response
from sip.timers import Timers
from sip.transaction import START, TIMERS, Kind, State, Transaction, event_of

MAGIC = "z9hG4bK"
"""A branch that begins so is unique (RFC 3261 §8.1.1.7)."""


class User(Protocol):
    """Who sent a request."""

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response came (a 2xx to an INVITE may come more than once)."""

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """No response will come: 408 nobody answered, 503 the transport failed."""


class Transactions:
    """The transactions of an endpoint. `send(data, flow)` takes what goes out."""

    def __init__(self, send: Callable[[bytes, Flow], None], timers: Timers) -> None:
        self._send = send
        self._timers = timers
        self._clients: dict[tuple[str, str], Transaction] = {}
        self._servers: dict[tuple[str, ...], Transaction] = {}
        self._merged: dict[tuple[str, ...], Transaction] = {}
        self._by_id: dict[int, Transaction] = {}
        self._by_flow: dict[tuple[str, Address], set[Transaction]] = {}      # ours over connections
        self._ids = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, transaction_id: int) -> Transaction | None:
        """A transaction that still lives."""
        return self._by_id.get(transaction_id)

    # ---- client side

    @property
    def has_unanswered(self) -> bool:
        """Whether a request of ours still waits for its final response."""
        return any(t.is_client and not t.final_status for t in self._by_id.values())

    def start_client(self, request: Request, flow: Flow, owner: User, now: float, attempt: int = 1) -> Transaction:
        """Send a request; its Via with a new branch is in place already. attempt: counts authentication rounds."""
        kind = Kind.INVITE_CLIENT if request.method == "INVITE" else Kind.CLIENT
        transaction = self._add(Transaction(self._next_id(), kind, request, flow, owner, attempt=attempt))
        self._clients[(request.via.branch, request.method)] = transaction
        self._act(transaction, START[kind][1], now, message=bytes(request))
        return transaction

    def receive_response(self, response: Response, now: float) -> bool:
        """Hand a response to its transaction; False when it belongs to none."""
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        if transaction is None:
            return False
        if response.status >= 200:
            transaction.final_status = response.status
        self._act(transaction, transaction.handle(event_of(response.status)), now, response=response)
        return True

    # ---- server side

    def find_server(self, request: Request) -> Transaction | None:
        """The transaction that a request (also an ACK of a refusal) belongs to."""
        return self._servers.get(_server_key(request, request.method))

    def find_invite(self, cancel: Request) -> Transaction | None:
        """The INVITE transaction that a CANCEL means (§9.2)."""
        return self._servers.get(_server_key(cancel, "INVITE"))

    def is_merged(self, request: Request) -> bool:
        """Whether the same request came by another way before (§8.2.2.2)."""
        return not request.to.tag and _merge_key(request) in self._merged

    def start_server(self, request: Request, flow: Flow, now: float) -> Transaction:
        """A new transaction for a request that has none."""
        kind = Kind.INVITE_SERVER if request.method == "INVITE" else Kind.SERVER
        transaction = self._add(Transaction(self._next_id(), kind, request, flow))
        transaction.keys = (_server_key(request, request.method), _merge_key(request))
        self._servers[transaction.keys[0]] = transaction
        if not request.to.tag:
            self._merged[transaction.keys[1]] = transaction
        self._act(transaction, START[kind][1], now)
        return transaction

    def receive_again(self, transaction: Transaction, request: Request, now: float) -> None:
        """A retransmission, or the ACK of a refusal."""
        self._act(transaction, transaction.handle("ack" if request.method == "ACK" else "request"), now)

    def respond(self, transaction: Transaction, response: Response, now: float) -> None:
        """Send a response. What the machine's state does not allow is dropped."""
        if response.status >= 200:
            transaction.final_status = response.status
        actions = transaction.handle("send_" + event_of(response.status))
        self._act(transaction, actions, now, message=bytes(response))
        if response.status >= 300 or (response.status >= 200 and transaction.kind is Kind.SERVER):
            transaction.forget()

    # ---- timers and transports

    def handle_timer(self, transaction: Transaction, name: str, now: float) -> None:
        """Timer `name` of a transaction has fired."""
        if transaction.id in self._by_id:
            self._act(transaction, transaction.handle(name), now, failure=408)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: who waits for an answer over it is told at once."""
        waiting = self._by_flow.get((flow.transport, flow.remote), ())
        for transaction in sorted((t for t in waiting if t.flow.went_by(flow)), key=lambda t: t.id):
            self._act(transaction, transaction.handle("transport"), now, failure=503)

    def abandon(self, transaction: Transaction) -> None:
        """Forget a transaction of which nothing is expected any more (an INVITE whose CANCEL did nothing, §9.1)."""
        self._remove(transaction)

    # ---- inside

    def _act(self, transaction: Transaction, actions: tuple[str, ...], now: float, message: bytes = b"",
             response: Response | None = None, failure: int = 408) -> None:
        if transaction.state is State.TERMINATED:
            self._remove(transaction)
        for action in actions:
            if action == "send":
                transaction.last = message
                self._send(message, transaction.flow)
            elif action == "resend":
                if transaction.last:
                    self._send(transaction.last, transaction.flow)
            elif action.startswith("start_"):
                self._start_timer(transaction, action[6:], now)
            elif action.startswith("stop_"):
                self._timers.stop((transaction, action[5:]))
            elif action == "ack":
                assert response is not None
                self._send(bytes(ack_of_refusal(transaction.request, response)), transaction.flow)
            elif action == "pass":
                if transaction.owner is not None:
                    transaction.owner.on_response(transaction, response, now)
            elif action == "fail" and transaction.owner is not None:
                transaction.owner.on_failure(transaction, failure, now)

    def _start_timer(self, transaction: Transaction, name: str, now: float) -> None:
        delay = transaction.delay(name)
        if delay == 0.0:
            self._act(transaction, transaction.handle(name), now)
        elif delay is not None:
            self._timers.start((transaction, name), now + delay)

    def _add(self, transaction: Transaction) -> Transaction:
        self._by_id[transaction.id] = transaction
        if transaction.is_client and transaction.flow.is_reliable:
            self._by_flow.setdefault((transaction.flow.transport, transaction.flow.remote), set()).add(transaction)
        return transaction

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _remove(self, transaction: Transaction) -> None:
        if self._by_id.pop(transaction.id, None) is None:
            return
        for name in TIMERS[transaction.kind]:
            self._timers.stop((transaction, name))
        request = transaction.request
        if transaction.is_client:
            self._clients.pop((request.via.branch, request.method), None)
            self._forget_flow(transaction)
        else:
            self._servers.pop(transaction.keys[0], None)
            if self._merged.get(transaction.keys[1]) is transaction:
                del self._merged[transaction.keys[1]]

    def _forget_flow(self, transaction: Transaction) -> None:
        key = (transaction.flow.transport, transaction.flow.remote)
        if (waiting := self._by_flow.get(key)) is not None:
            waiting.discard(transaction)
            if not waiting:
                del self._by_flow[key]


def _server_key(request: Request, method: str) -> tuple[str, ...]:
    """What names a server transaction; an ACK belongs to its INVITE (§17.2.3)."""
    via = request.via
    method = "INVITE" if method == "ACK" else method
    if via.branch.startswith(MAGIC):
        return (via.branch, via.host.lower(), str(via.port), method)
    return (request.call_id, request.from_.tag, str(request.cseq.number), str(via), method)


def _merge_key(request: Request) -> tuple[str, ...]:
    return (request.call_id, request.from_.tag, str(request.cseq))


def ack_of_refusal(invite: Request, response: Response) -> Request:
    """The ACK of a response from 300 up, inside the INVITE's transaction (RFC 3261 §17.1.1.3)."""
    headers = Headers()
    headers.add("Via", invite.via)
    headers.add("Max-Forwards", 70)
    headers.add("From", invite.headers.get("From") or "")
    headers.add("To", response.headers.get("To") or "")
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} ACK")
    for value in invite.headers.get_lines("Route"):
        headers.add("Route", value)
    return Request("ACK", invite.uri, headers)
