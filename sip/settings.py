"""What an endpoint says of itself and what it keeps to (RFC 3261 §8.2, §20.1, §20.5, §20.37; session timers as RFC 4028 §4)."""

from __future__ import annotations

from dataclasses import dataclass

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, UPDATE, PRACK"
"""The methods that every endpoint takes. Whose user acts on `ReferReceived` adds REFER."""
SUPPORTED = frozenset(("100rel", "timer"))
"""The extensions that the core masters by itself. Whose user acts on `CallReceived.replaces` adds replaces, and so on."""
ASKS_FOR_PIN = "x-asks-for-pin"
"""In Supported of a phone that asks its user for a PIN when a room refuses it for want of one: no voice need ask there."""
SDP = "application/sdp"
"""The one type of body that an INVITE, an UPDATE or a PRACK may bring."""
MAX_TRANSACTIONS = 20000
MAX_DIALOGS = 10000


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What an endpoint says of itself, and its limits.

    session_expires_s: the session interval that we ask for, s; 0 asks for none, and keeps to what the peer asks. min_se_s: the
    shortest one that we take (RFC 4028 §4: 90 s and more). registrar_supported: what a REGISTER, and nothing else, may require.
    """

    user_agent: str = "Confero"
    allow: str = ALLOW
    supported: frozenset[str] = SUPPORTED
    max_transactions: int = MAX_TRANSACTIONS
    max_dialogs: int = MAX_DIALOGS
    session_expires_s: int = 1800
    min_se_s: int = 90
    registrar_supported: frozenset[str] = frozenset()

    @property
    def supported_value(self) -> str:
        """The value of our Supported headers."""
        return ", ".join(sorted(self.supported))
