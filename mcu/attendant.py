"""The voice that asks a caller for a meeting's PIN, and brings them there: for calls from the telephone network.

One role for each such call, in a media room of its own. The caller keys a PIN and `#` (`*` begins anew), by RFC 4733 or INFO.
The leg then moves into the meeting's media room as it is, with its ports and codec, so that nothing is negotiated again. Three
wrong PINs, or a caller who keys nothing, and the call ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcu.conference import Refused
from mcu.keypad import info_key
from mcu.leg import CallLeg, answer_call
from mcu.participant import Identity
from mcu.prompt_texts import HUSH
from mcu.surroundings import MediaRoom, Surroundings
from sip import events
from sip.media_backend import MediaRefused

log = logging.getLogger(__name__)

GREET_S = 0.6
"""Before the first word: the way back to the caller opens with their first packets."""
PATIENCE_S = 20.0
"""How long a caller may take for the next key, counted from its predecessor or from the prompt."""
GOODBYE_S = 5.0
"""How long the last words may take before the BYE."""
TRIES = 3
PROMPTED = 3
"""How often somebody who keys nothing is asked."""
MAX_DIGITS = 12

Enter = Callable[["Attendant", str], Refused | None]
"""Brings the caller into the meeting of a PIN: None, or why that can't be; 404 where the PIN was wrong."""


class Attendant:
    """One call that is asked for a PIN. room: the one meeting that it may be for, None for any; counted_as: by whom wrong PINs
    are counted, and together with whom."""

    def __init__(self, identity: Identity, counted_as: tuple[str, str], room: str | None, server: Surroundings, enter: Enter,
                 ended: Callable[[Attendant], None]) -> None:
        self.identity = identity
        self.counted_as = counted_as
        self.room = room
        self.leg: CallLeg | None = None
        self._server = server
        self._enter = enter
        self._ended = ended
        self._media: MediaRoom | None = None
        self._digits = ""
        self._wrong = self._asked = self._turn = 0
        self._is_leaving = self._is_over = False
        self._said = HUSH

    @property
    def room_id(self) -> int | None:
        """The media room's id."""
        return self._media.room_id if self._media is not None else None

    @property
    def legs(self) -> list[CallLeg]:
        """The caller, once answered."""
        return [self.leg] if self.leg is not None else []

    def receive_call(self, event: events.CallReceived, number: str) -> None:
        """Answer the INVITE and ask. number: what was called."""
        call, server = event.call, self._server
        try:
            self._media = server.open_media_room("mix")
            self.leg = answer_call(event, self._media, server.new_id(), self.identity, server, number, is_focus=False,
                                   has_pictures=True)
        except MediaRefused as error:
            call.reject(error.status, error.reason, now=server.now())
            self._finish()
            return
        call.data = self
        server.keep_record(self.leg.record)
        self._wait(GREET_S, self._ask)

    # ---- asking

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something later, unless something else is waited for meanwhile."""
        self._turn += 1
        turn = self._turn

        def due() -> None:
            if turn == self._turn and not self._is_over:
                then()

        self._server.call_at(self._server.now() + seconds, due)

    def _say(self, name: str) -> None:
        """Say a prompt, in place of what is being said; with `HUSH` nothing."""
        language = self._server.language_of(self.room)
        self._said = name
        if self._media is not None:
            self._media.sound.announce(0, HUSH, language)
        if name == HUSH:
            return

        def say() -> None:
            if self._media is not None and not self._is_over and self._said is name:
                self._media.sound.announce(0, name, language)

        self._server.have_prompt(name, language, say)

    def _ask(self) -> None:
        if self._asked == PROMPTED:
            self._leave("goodbye", "no PIN was keyed")
            return
        self._asked += 1
        self._digits = ""
        self._say("enter-pin")
        self._wait(PATIENCE_S, self._ask)

    def pressed(self, leg_id: int, key: str) -> None:
        """The caller pressed a key."""
        if self.leg is not None and self.leg.media.leg_id == leg_id:
            self._pressed(key)

    def _pressed(self, key: str) -> None:
        if self._is_leaving or self._is_over:
            return
        self._say(HUSH)
        if key == "#" and self._digits:
            pin, self._digits = self._digits, ""
            self._try(pin)
            return
        self._digits = (self._digits + key)[:MAX_DIGITS + 1] if key.isdecimal() else ""
        self._wait(PATIENCE_S, self._ask)

    def _try(self, pin: str) -> None:
        refusal = Refused(404, "too long") if len(pin) > MAX_DIGITS else self._enter(self, pin)
        if refusal is None:
            self.leg = None
            self._finish()
            return
        log.info("not let in", extra={"from": self.identity.entity, "reason": refusal.reason})
        if refusal.status != 404:
            self._leave("not-now", refusal.reason)
            return
        self._wrong += 1
        if self._wrong == TRIES:
            self._leave("goodbye", "too many wrong PINs")
            return
        self._say("wrong-pin")
        self._wait(PATIENCE_S, self._ask)

    def _leave(self, words: str, reason: str) -> None:
        self._is_leaving = True
        self._say(words)
        self._wait(GOODBYE_S, lambda: self.shut_down(reason))

    # ---- events

    def receive_event(self, event: events.Event) -> None:
        """An event of the call."""
        now, leg = self._server.now(), self.leg
        match event:
            case events.CallTerminated(_, cause, status, reason, _):
                if leg is not None:
                    self._server.keep_record(leg.end(cause, status, reason, self._server.wallclock()))
                    self.leg = None
                self._finish()
            case events.OfferReceived(_, offer, _) if leg is not None:
                leg.receive_offer(offer, now)
            case events.AnswerReceived(_, answer) if leg is not None:
                leg.receive_answer(answer, now)
            case events.DialogRequestReceived(_, transaction_id, request):
                key = info_key(request.content_type or "", request.body) if request.method == "INFO" else ""
                self._server.respond(transaction_id, 200 if request.method in ("OPTIONS", "INFO") else 405)
                if key:
                    self._pressed(key)

    def shut_down(self, reason: str) -> None:
        """Hang up."""
        if self.leg is not None:
            self.leg.call.hang_up(self._server.now(), reason)

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._media is not None:
            self._media.close()
        self._ended(self)
