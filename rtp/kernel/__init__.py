"""The kernel of the media path: `Room.tick` for sound, `Forwarder.drain` for pictures, behind one small interface each.

The readable implementations are the truth of both.
"""

from rtp.kernel.forwarder import Forwarder
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
from rtp.kernel.video_spec import (
    PortSpec,
    PortStatistics,
    ProducerSpec,
    ProducerStatistics,
    SenderAsked,
    SlotPaused,
    SlotSpec,
    SlotSwitched,
    VideoNotice,
)

__all__ = [
    "AddressLearnt", "DtmfPressed", "Forwarder", "HandshakeReceived", "LegSpec", "LegStatistics", "Notice", "Observer",
    "PortSpec", "PortStatistics", "ProducerSpec", "ProducerStatistics", "Room", "SenderAsked", "SlotPaused", "SlotSpec",
    "SlotSwitched", "SpeakersChanged", "VideoNotice",
]
