"""The facade: the few names that most programs need, without logic of their own. Each is loaded at its first use.

    from confero import Phone

`Phone` and `Call` make and take calls with sound, `Endpoint` is the SIP core without I/O and `Driver` its sockets;
`parse_message`, `parse_sdp`, `Uri`, `RtpPacket` and `parse_rtcp` read what is on the wire.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtp.packet import RtpPacket
    from rtp.rtcp import parse_compound as parse_rtcp
    from rtp.sdp.parser import parse as parse_sdp
    from sip.aio.driver import Driver
    from sip.endpoint import Endpoint, EndpointSettings
    from sip.parser import parse_message
    from sip.uri import Uri
    from softphone.call import Call
    from softphone.errors import CallFailed, PhoneError, SignInFailed
    from softphone.phone import Phone

__version__ = "0.1.0"
_HOMES = {
    "Call": "softphone.call", "CallFailed": "softphone.errors", "Driver": "sip.aio.driver", "Endpoint": "sip.endpoint",
    "EndpointSettings": "sip.endpoint", "Phone": "softphone.phone", "PhoneError": "softphone.errors",
    "RtpPacket": "rtp.packet", "SignInFailed": "softphone.errors", "Uri": "sip.uri", "parse_message": "sip.parser",
    "parse_rtcp": "rtp.rtcp:parse_compound", "parse_sdp": "rtp.sdp.parser:parse",
}
__all__ = [
    "Call", "CallFailed", "Driver", "Endpoint", "EndpointSettings", "Phone", "PhoneError", "RtpPacket", "SignInFailed", "Uri",
    "__version__", "parse_message", "parse_rtcp", "parse_sdp",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'confero' has no attribute {name!r}")
    module, _, inner = home.partition(":")
    found: object = getattr(import_module(module), inner or name)
    globals()[name] = found
    return found
