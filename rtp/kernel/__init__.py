"""The kernel of the media path: `Room.tick`, behind one small interface, with the readable implementation as its truth."""

from rtp.kernel.reference import Room
from rtp.kernel.spec import (
    AddressLearnt,
    DtmfPressed,
    HandshakeReceived,
    LegSpec,
    LegStatistics,
    Notice,
    Observer,
    SpeakersChanged,
)

__all__ = [
    "AddressLearnt", "DtmfPressed", "HandshakeReceived", "LegSpec", "LegStatistics", "Notice", "Observer", "Room",
    "SpeakersChanged",
]
