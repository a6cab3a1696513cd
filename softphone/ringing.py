"""What rings at the window's phone: calls that come in, and transfers that the other side of a call asks for, shown alike."""

from __future__ import annotations

from collections.abc import Callable

from softphone import model
from softphone.call import Call
from softphone.handover import Handover
from softphone.model import Event


class Ringing:
    """Calls and transfers that wait for the user's yes or no. publish: gets events."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self.calls: list[Call] = []
        self._publish = publish
        self._asked: list[Handover] = []

    def add(self, call: Call) -> None:
        """Somebody calls."""
        self.calls.append(call)
        self._publish(model.IncomingRang(model.Incoming(call.id, call.remote_name, str(call.uri))))

    def find(self, call_id: str) -> Call | None:
        """The ringing call of that id."""
        return next((call for call in self.calls if call.id == call_id), None)

    def remove(self, call: Call) -> bool:
        """It rings no more; whether it did."""
        if call not in self.calls:
            return False
        self.calls.remove(call)
        self._publish(model.IncomingGone(call.id))
        return True

    def decline(self, call_id: str) -> None:
        """Refuse a call or a transfer."""
        for handover in self.take_asked(call_id):
            handover.decline()
        for call in [call for call in self.calls if call.id == call_id]:
            call.decline()

    # ---- transfers

    def ask(self, handover: Handover) -> None:
        """The other side would hand us on: shown like a call, which it would become."""
        self._asked.append(handover)
        shown = f"{handover.name} (transfer by {handover.call.remote_name})"
        self._publish(model.IncomingRang(model.Incoming(handover.id, shown, str(handover.uri))))

    def take_asked(self, wanted: str = "") -> list[Handover]:
        """The transfers of that id, out of the list; those that came to nothing go, too. The window shows them no more."""
        taken = [one for one in self._asked if one.id == wanted or not one.is_open or not one.call.is_up]
        self._asked = [one for one in self._asked if one not in taken]
        for one in taken:
            self._publish(model.IncomingGone(one.id))
        return [one for one in taken if one.id == wanted]
