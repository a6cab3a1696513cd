"""Figures of a call: what a phone knows of its audio, and the opinion score that follows from it (ITU-T G.107)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pcap.quality import mos


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """A call's audio so far. Times in ms; `rtt_ms` None until a report came back; `level_dbov` of what is received;
    auth_failures, replayed: packets that SRTP dropped."""

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    lost: int = 0
    late: int = 0
    concealed: int = 0
    foreign: int = 0
    junk: int = 0
    jitter_ms: float = 0.0
    rtt_ms: float | None = None
    delay_ms: float = 0.0
    level_dbov: int = -127
    auth_failures: int = 0
    replayed: int = 0

    @property
    def loss_percent(self) -> float:
        """Lost and late ones as a share of what should have come."""
        expected = self.packets_received + self.lost
        return 100.0 * (self.lost + self.late) / expected if expected else 0.0

    @property
    def mos(self) -> float | None:
        """The opinion score; None before anything came."""
        return mos(self.codec, self.loss_percent, self.delay_ms) if self.packets_received else None


@dataclass(slots=True)
class CallReport:
    """What the headless phone prints at its end. signalling: version and cipher of TLS, empty when it was not protected;
    pictures: as `softphone.seeing` tells of them, None in a call of sound alone."""

    uri: str
    media: MediaFigures = field(default_factory=MediaFigures)
    is_connected: bool = False
    setup_ms: float | None = None
    seconds: float = 0.0
    roster: list[str] = field(default_factory=list)
    csrcs: list[int] = field(default_factory=list)
    protection: str = ""
    suite: str = ""
    ended_by: str = ""
    reason: str = ""
    signalling: str = ""
    fingerprint: str = ""
    pictures: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """One flat table for JSON; the loudness of what is received is called `level`."""
        media = asdict(self.media)
        media["level"] = media.pop("level_dbov")
        for name in ("jitter_ms", "rtt_ms", "delay_ms"):
            media[name] = None if media[name] is None else round(media[name], 2)
        return {
            "uri": self.uri, "is_connected": self.is_connected, "seconds": round(self.seconds, 3), **media,
            "loss_percent": round(self.media.loss_percent, 2), "mos": self.media.mos,
            "setup_ms": None if self.setup_ms is None else round(self.setup_ms, 1), "roster": self.roster, "csrcs": self.csrcs,
            "protection": self.protection, "suite": self.suite, "ended_by": self.ended_by, "reason": self.reason,
            "signalling": self.signalling, "fingerprint": self.fingerprint,
            **({} if self.pictures is None else {"video": self.pictures}),
        }
