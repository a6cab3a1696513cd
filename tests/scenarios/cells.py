"""The cells of the interop matrix: what each client does, with each codec and transport that it has, and what it can't."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from tests.helpers.phones import LINPHONE_G722_DB

STOCK = ("baresip", "linphone", "sipp")
"""Clients that are processes of their own, with their own SIP."""
ENDS = ("ffmpeg", "gstreamer")
"""Programs that are only the media behind a small SIP front of ours."""
CODECS = {"baresip": ("opus", "g722", "pcmu", "pcma"), "linphone": ("opus", "g722", "pcmu", "pcma"), "sipp": ("pcmu", "pcma"),
          "ffmpeg": ("opus", "g722", "pcmu", "pcma"), "gstreamer": ("opus", "g722", "pcmu", "pcma")}
TRANSPORTS = ("udp", "tcp")
PROTECTED = {"baresip": ("opus", "g722", "pcmu"), "linphone": ("opus", "g722", "pcmu")}
"""Clients that have SRTP, and the codecs with which they show it, over each of PROTECTED_TRANSPORTS."""
PROTECTED_TRANSPORTS = ("udp", "tcp", "tls")
KEYINGS = ("sdes", "dtls")
WAYS = {
    "room": "calls a room",
    "echo": "calls the echo",
    "caller": "calls a user",
    "callee": "is called by a user",
    "dialled": "is called by the server into a room",
    "hold": "holds and resumes",
    "events": "presses *6 as RFC 4733 events",
    "info": "presses *6 as INFO",
    "transfer": "transfers a call blindly",
    "sdes": "calls a room, with SRTP by SDES",
    "dtls": "calls a room, with DTLS-SRTP",
    "to-baresip": "calls baresip",
    "to-linphone": "calls Linphone",
    "to-sipp": "calls SIPp",
}
"""What a client does."""
PAIRED = {"baresip": "opus", "linphone": "opus", "sipp": "pcmu"}
"""Who calls each of the stock clients, with which codec; whom they call has all of its own, and takes the same where it can."""
LACKS = {
    (end, way): "ffmpeg and GStreamer, which have no SIP of their own"
    for end in ENDS for way in ("hold", "events", "info", "transfer")
}
"""What a client can't do, and why: no cells."""


@dataclass(frozen=True)
class Cell:
    """One call of the matrix."""

    client: str
    codec: str
    transport: str
    way: str

    def __str__(self) -> str:
        return f"{self.client}-{self.codec}-{self.transport}-{self.way}"

    @property
    def shift_db(self) -> float:
        """How much lower than others the client sends, and how much higher it plays."""
        return LINPHONE_G722_DB if (self.client, self.codec) == ("linphone", "g722") else 0.0


SUITES = {("baresip", "sdes"): "AES_CM_128_HMAC_SHA1_80", ("linphone", "sdes"): "AES_CM_128_HMAC_SHA1_80",
          ("baresip", "dtls"): "AEAD_AES_128_GCM", ("linphone", "dtls"): "AES_CM_128_HMAC_SHA1_80"}
"""What the two of these versions come to with us."""
ALL = (
    *(Cell(client, codec, transport, way) for way in WAYS if way not in KEYINGS and not way.startswith("to-")
      for client, codecs in CODECS.items() for codec, transport in itertools.product(codecs, TRANSPORTS)
      if (client, way) not in LACKS),
    *(Cell(client, codec, transport, keying) for keying in KEYINGS for client, codecs in PROTECTED.items()
      for codec, transport in itertools.product(codecs, PROTECTED_TRANSPORTS)),
    *(Cell(client, codec, transport, f"to-{callee}") for callee in STOCK for client, codec in PAIRED.items()
      for transport in TRANSPORTS),
)
