"""What all handles of the media engine share: settings, ports, certificate, what is known of phones (RFC 3264 for all SDP)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mcu.engine.acquaintance import Acquaintances
from mcu.engine.composing import ComposerFactory
from mcu.engine.notices import MediaNotice
from mcu.engine.ports import PortRange
from mcu.engine.settings import EngineSettings
from mcu.messages import Command
from rtp.keying.certificate import Certificate


class Line(Protocol):
    """The way to a room's worker."""

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Send a command, never waiting."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What the handles of all rooms share. certificate: for DTLS-SRTP, None where it is not spoken; known: how phones make
    their offers; fingerprint: the certificate's own; compose: makes who composes pictures for a room, None for nobody."""

    settings: EngineSettings
    ports: PortRange
    on_notice: Callable[[MediaNotice], None]
    cname: str
    certificate: Certificate | None = None
    known: Acquaintances = field(default_factory=Acquaintances)
    fingerprint: str = field(init=False, default="")
    compose: ComposerFactory | None = None

    def __post_init__(self) -> None:
        if self.certificate is not None:
            object.__setattr__(self, "fingerprint", str(self.certificate.fingerprint()))
