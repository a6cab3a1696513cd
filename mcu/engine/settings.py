"""How the media engine is set up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """workers: processes; first_port, last_port: range of the media ports; public_address: stands in SDP in place of our own;
    max_speakers: mixed at once in a room; silence_s: after so long a leg that should send is told to be silent."""

    workers: int = 1
    first_port: int = 20000
    last_port: int = 29999
    public_address: str | None = None
    max_speakers: int = 8
    silence_s: float = 30.0
