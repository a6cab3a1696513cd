"""One shared desktop at the relay: two seats, the links that took them, the junction between, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable

from mcu.relay.gate import Flooded, Gate, GateClosed, GateOpened, InputRefused
from mcu.relay.junction import DesktopJoined as PicturesFlow
from mcu.relay.junction import Junction, JunctionEnded, JunctionEvent, TlsWanted
from mcu.relay.link import Link
from mcu.relay.messages import (
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    GatePassed,
    GateStep,
    OpenDesktop,
    RelayReport,
)

Tell = Callable[[RelayReport], None]


class Session:
    """A desktop that control opened. is_over: it has ended, and was told so. tell: takes reports for control."""

    def __init__(self, opened: OpenDesktop, tell: Tell, now: float) -> None:
        self.opened = opened
        self.expires_at = now + opened.lifetime_s
        self.is_over = False
        self.plain_word = opened.plain_word
        self.owner: Link | None = None
        self.viewer: Link | None = None
        self.junction: Junction | None = None
        self._early: list[bytes] = []
        self._holder = 0
        self._tell = tell

    @property
    def is_joined(self) -> bool:
        """Whether both ends are there and pictures flow."""
        return self.junction is not None and self.junction.state == "joined"

    def take_owner(self, link: Link, now: float) -> None:
        """The desktop is here."""
        self.owner = link
        link.on_data = self._receive_owner
        self._pump(now)

    def take_viewer(self, link: Link, junction: Junction, now: float) -> None:
        """The viewer is here, with the junction that reads it."""
        self.viewer, self.junction = link, junction
        gate = Gate(self.opened.viewer.participant_id, allows_clipboard=self.opened.allows_clipboard)
        junction.gate = gate
        junction.set_holder(self._holder, now)

    def start(self, now: float) -> None:
        """Begin to carry bytes between both, as far as they are here."""
        if self.junction is not None:
            early, self._early = self._early, []
            for data in early:
                self.junction.receive_from_owner(data, now)
        self._pump(now)

    def receive_viewer(self, data: bytes, now: float) -> None:
        """Bytes of the viewer, as they are inside TLS."""
        if self.junction is not None:
            self.junction.receive_from_viewer(data, now)
            self._pump(now)

    def set_holder(self, participant_id: int, now: float) -> None:
        """Who holds the floor; 0 for nobody."""
        self._holder = participant_id
        if self.junction is not None:
            self.junction.set_holder(participant_id, now)
            self._pump(now)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return self.junction.next_timer() if self.junction is not None else None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self.junction is not None and (due := self.junction.next_timer()) is not None and now >= due:
            self.junction.handle_timer(now)
            self._pump(now)

    def end(self, reason: str, now: float) -> None:
        """End it: the gate closes first. A second call does nothing."""
        if self.is_over:
            return
        if self.junction is not None:
            self.junction.end(reason, now)
            self._pump(now)
        self._finish(reason)

    def report(self) -> None:
        """Tell the figures."""
        if self.junction is not None and self.junction.gate is not None:
            gate, junction = self.junction.gate, self.junction
            self._tell(DesktopFigures(self.opened.session_id, gate.passed, gate.refused, gate.too_fast,
                                      junction.bytes_to_viewer, junction.bytes_to_owner))

    def _receive_owner(self, data: bytes, now: float) -> None:
        if self.junction is not None:
            self.junction.receive_from_owner(data, now)
            self._pump(now)
        elif data:
            self._early.append(data)
            if len(self._early) > 16:
                self.end("the desktop sends before anybody looks", now)
        else:
            self.end("the desktop left", now)

    def _pump(self, now: float) -> None:
        """Carry on what the junction has for either side, and tell what happened."""
        junction = self.junction
        if junction is None:
            return
        if self.viewer is not None:
            self.viewer.send(junction.data_for_viewer())
        if self.owner is not None:
            self.owner.send(junction.data_for_owner())
        while (event := junction.next_event()) is not None:
            self._handle(event)

    def _handle(self, event: JunctionEvent) -> None:
        number = self.opened.session_id
        match event:
            case PicturesFlow():
                self._tell(DesktopJoined(number))
            case GateOpened(who):
                self._tell(GatePassed(number, GateStep.OPENED, who, 0))
            case GateClosed(who, released):
                self._tell(GatePassed(number, GateStep.CLOSED, who, released))
            case InputRefused(who):
                self._tell(GatePassed(number, GateStep.REFUSED, who, 0))
            case Flooded(who):
                self._tell(GatePassed(number, GateStep.FLOODED, who, 0))
            case JunctionEnded(reason):
                self._finish(reason)
            case TlsWanted():
                pass                             # the door's business, before the seat is taken

    def _finish(self, reason: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.report()
        for link in (self.owner, self.viewer):
            if link is not None:
                link.end()
        self._tell(DesktopEnded(self.opened.session_id, reason))
