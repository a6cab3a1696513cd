"""What phones have shown of themselves in their offers, so that a first offer of ours may say the same (RFC 8643, RFC 5763).

To a phone of which nothing is known no more is offered than any phone takes. One whose own offer came to keys by a handshake,
with ICE or a mid, gets an offer of that kind when the server calls it. Kept by the way to it, which is the flow of its
registration; forgotten at a restart, and the longest unused first.
"""

from __future__ import annotations

from collections import OrderedDict

from rtp.sdp.protection import OfferStyle

MAX_KNOWN = 4096


class Acquaintances:
    """Styles by phone; a phone is named by its flow, as text."""

    def __init__(self) -> None:
        self._styles: OrderedDict[str, OfferStyle] = OrderedDict()

    def note(self, phone: str, style: OfferStyle) -> None:
        """An offer of this phone was agreed on."""
        self._styles[phone] = style
        self._styles.move_to_end(phone)
        if len(self._styles) > MAX_KNOWN:
            self._styles.popitem(last=False)

    def forget(self, phone: str) -> None:
        """What was known of a phone does not hold any more."""
        self._styles.pop(phone, None)

    def style_of(self, phone: str) -> OfferStyle | None:
        """How it makes its offers, None for a stranger."""
        return self._styles.get(phone)
