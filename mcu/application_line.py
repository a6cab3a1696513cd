"""The seam between a leg's SDP and what goes over its `m=application` lines (RFC 3264 §6): floors by BFCP, a desktop by RFB.

A leg hands each such line of an offer to those that it was given, in their order; a line that nobody takes is refused with
port 0. Sockets are theirs: they are bound when the answer is made, for it names their port.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from rtp.sdp.model import MediaDescription, SessionDescription


class ApplicationLine(Protocol):
    """What answers one `m=application` line of a leg. A session has at most one line for each."""

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        """The answer to line `index` of an offer, with its port; None when that line is none of ours, or can't be taken.

        host: where this server receives; told_host: what the peer is told. Nobody comes in before `confirm`. Called again with
        each later offer.
        """

    def confirm(self, hosts: Collection[str]) -> None:
        """The answer, or the other side's, holds from now on. hosts: from which the peer may come besides those of the SDP."""

    def again(self) -> MediaDescription | None:
        """The line as it stands, for a later offer of ours; None when it has ended."""

    def apply(self, session: SessionDescription, index: int) -> None:
        """Their answer to our later offer; a port of 0 ends it."""

    def end(self) -> None:
        """The line is gone: the offer has it no more or with port 0, or the leg is over. A second call does nothing."""
