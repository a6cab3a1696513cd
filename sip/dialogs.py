"""Who owns which dialog of an endpoint (RFC 3261 §12.2.2; several usages in one dialog: RFC 5057 §4, RFC 6665 §4.1.2.4).

The owner of a dialog is its first usage: a call, or a subscription. Further subscriptions inside a call's dialog are told
apart by their event. A subscription of ours that has no dialog yet is found by its tag, since a NOTIFY may come first.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakSet

from sip.dialog import Dialog, DialogId
from sip.flow import Address, Flow
from sip.invite import Call
from sip.message import Request
from sip.subscription import Subscription

MAX_USAGES = 8
"""Subscriptions inside the dialog of one call: a phone has one or two."""
Owner = Call | Subscription


class Dialogs:
    """The dialogs of an endpoint by Call-ID, local tag and remote tag."""

    def __init__(self) -> None:
        self._by_id: dict[DialogId, Owner] = {}
        self._usages: dict[DialogId, list[Subscription]] = {}        # in a dialog of another owner
        self._unconfirmed: dict[tuple[str, str], Subscription] = {}
        self._by_flow: dict[tuple[str, Address], WeakSet[Owner]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    # ---- find

    def find(self, request: Request) -> Owner | None:
        """Whom a request inside a dialog concerns."""
        key = (request.call_id, request.to.tag, request.from_.tag)
        if request.method in ("SUBSCRIBE", "NOTIFY"):
            for usage in self._usages.get(key, ()):
                if usage.matches(request):
                    return usage
        owner = self._by_id.get(key)
        if owner is None and request.method == "NOTIFY":                  # it may come before the 200
            owner = self._unconfirmed.get((request.call_id, request.to.tag))
        return owner

    def find_call(self, dialog_id: DialogId) -> Call | None:
        """The call that owns a dialog."""
        owner = self._by_id.get(dialog_id)
        return owner if isinstance(owner, Call) else None

    def may_have_usage(self, dialog: Dialog) -> bool:
        """Whether one more subscription may live in a dialog."""
        return len(self._usages.get(dialog.id, ())) < MAX_USAGES

    def going_by(self, flow: Flow) -> list[Owner]:
        """Every usage of a dialog that goes by a flow."""
        usages = [usage for shared in self._usages.values() for usage in shared]
        return [one for one in (*self._by_id.values(), *usages)
                if (one.flow.transport, one.flow.remote) == (flow.transport, flow.remote)]

    # ---- change

    def add(self, dialog: Dialog, owner: object) -> None:
        """Route requests of a dialog to its owner, or those of a subscription in a call's dialog to the subscription."""
        assert isinstance(owner, Call | Subscription)
        self.note_flow(owner)
        self._unconfirmed.pop((dialog.call_id, dialog.local.tag), None)
        if self._by_id.setdefault(dialog.id, owner) is not owner and isinstance(owner, Subscription):
            self._usages.setdefault(dialog.id, []).append(owner)

    def remove(self, dialog: Dialog, owner: object) -> None:
        """The owner has no more use for a dialog; other usages stay."""
        if self._by_id.get(dialog.id) is owner:
            del self._by_id[dialog.id]
        elif kept := [usage for usage in self._usages.pop(dialog.id, ()) if usage is not owner]:
            self._usages[dialog.id] = kept

    def expect(self, request: Request, subscription: Subscription) -> None:
        """A SUBSCRIBE or REFER of ours goes out, whose dialog is still to come."""
        self._unconfirmed[(request.call_id, request.from_.tag)] = subscription

    def forget(self, owner: object) -> None:
        """No dialog is to come for that subscription any more."""
        if isinstance(owner, Subscription) and owner.request is not None:
            self._unconfirmed.pop((owner.request.call_id, owner.request.from_.tag), None)

    # ---- connections

    def note_flow(self, owner: Owner) -> None:
        """Remember whom the loss of a connection concerns."""
        if owner.flow.is_reliable:
            self._by_flow.setdefault((owner.flow.transport, owner.flow.remote), WeakSet()).add(owner)

    def take_flow(self, flow: Flow) -> Iterable[Owner]:
        """Whom the loss of a connection may concern: they are forgotten until they are noted again."""
        return self._by_flow.pop((flow.transport, flow.remote), ())
