"""How the media engine is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcu.addresses import Addresses
from rtp.sdp.protection import SrtpPolicy


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """workers: processes; first_port, last_port: range of the media ports; addresses: which of ours a phone is told in SDP;
    max_speakers: mixed at once in a room; silence_s: after so long a leg that should send is told to be silent; prompts: the
    folder of what is said to callers; srtp: whether media is protected."""

    workers: int = 1
    first_port: int = 20000
    last_port: int = 29999
    addresses: Addresses = field(default_factory=Addresses)
    max_speakers: int = 8
    silence_s: float = 30.0
    prompts: Path | None = None
    srtp: SrtpPolicy = SrtpPolicy.OFF
