"""All m= lines of a call in offers and answers (RFC 3264): sound by `rtp.sdp.negotiation`, pictures by `rtp.sdp.several`, and
those that somebody else brings (BFCP, a desktop), each behind `ApplicationLine`.

A peer that answers fewer lines than were offered, as old phones do, has refused the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rtp.errors import NegotiationFailed
from rtp.sdp import negotiation, several
from rtp.sdp.bundle import groups_of, is_bundle_only
from rtp.sdp.model import MediaDescription, SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio
from rtp.sdp.protection import Protection
from rtp.sdp.several import LocalVideo, NegotiatedVideo
from rtp.sdp.video import VideoCapabilities

KEYS = frozenset(("crypto", "fingerprint", "setup", "tls-id"))
TAKEN = {"": frozenset[str](), "sdes": frozenset(("crypto",)), "dtls": KEYS - {"crypto"}}
"""Attributes that belong to a way of keying."""


class ApplicationLine(Protocol):
    """A line of a call that is neither sound nor picture."""

    def is_mine(self, media: MediaDescription) -> bool:
        """Whether a line of an offer or of an answer is of this kind."""

    def offer(self, previous: MediaDescription | None) -> MediaDescription | None:
        """What we offer, None for nothing. previous: the line as it stands in the session."""

    def answer(self, session: SessionDescription, index: int) -> MediaDescription | None:
        """Our answer to an offered line, None to refuse it."""

    def apply(self, session: SessionDescription, index: int) -> None:
        """The peer's answer to our offer; a line with port 0 is refused."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What there is of pictures for one offer or answer; `lines` is empty for none."""

    capabilities: VideoCapabilities
    lines: Sequence[LocalVideo] = ()


@dataclass(frozen=True, slots=True)
class Agreed:
    """What came of an offer and an answer."""

    audio: NegotiatedAudio
    videos: tuple[NegotiatedVideo, ...] = ()


class Lines:
    """The descriptions of one session, ours and the peer's in turn. applications: lines that others bring, in this order;
    capabilities: of sound."""

    def __init__(self, capabilities: Capabilities) -> None:
        self.applications: list[ApplicationLine] = []
        self.capabilities = capabilities
        self._session_id = secrets.randbelow(1 << 62)
        self._version = 0
        self._offered: SessionDescription | None = None
        self._videos: Sequence[LocalVideo] = ()
        self._described: SessionDescription | None = None

    @property
    def has_offered(self) -> bool:
        """Whether there is an offer of ours to answer."""
        return self._offered is not None

    @property
    def is_new(self) -> bool:
        """Whether nothing is agreed yet."""
        return self._described is None

    def offer(self, local: LocalMedia, pictures: Pictures, keyed: Protection | None) -> bytes:
        """An offer. Raises NegotiationFailed."""
        self._version += 1
        before = self._described
        if pictures.lines:
            ours = several.offer(self.capabilities, local, pictures.capabilities, pictures.lines, session_id=self._session_id,
                                 version=self._version, previous=before, keyed=keyed)
        else:
            ours = negotiation.offer(self.capabilities, local, session_id=self._session_id, version=self._version,
                                     previous=before, keyed=keyed)
        self._offered = self._with_applications(ours)
        self._videos = pictures.lines
        return bytes(self._offered)

    def _with_applications(self, ours: SessionDescription) -> SessionDescription:
        lines = list(ours.media)
        known = () if self._described is None else self._described.media
        for application in self.applications:
            at = next((index for index, media in enumerate(known) if application.is_mine(media)), None)
            line = application.offer(None if at is None else known[at])
            if line is None:
                continue
            if at is None:
                lines.append(line)
            else:
                lines[at] = line
        return replace(ours, media=tuple(lines))

    def answer(self, theirs: SessionDescription, local: LocalMedia, pictures: Pictures) -> tuple[SessionDescription, Agreed]:
        """The answer to an offer, and what it means; `keep` it when it is sent. Raises NegotiationFailed."""
        version = self._version + 1
        if pictures.lines:
            ours, audio, videos = several.answer(theirs, self.capabilities, local, pictures.capabilities, pictures.lines,
                                                 session_id=self._session_id, version=version)
        else:
            ours, audio = negotiation.answer(theirs, self.capabilities, local, session_id=self._session_id, version=version)
            videos = ()
        lines = list(ours.media)
        for index, media in enumerate(theirs.media):
            application = next((each for each in self.applications if media.port and each.is_mine(media)), None)
            line = None if application is None else application.answer(theirs, index)
            if line is not None:
                lines[index] = line
        return replace(ours, media=tuple(lines)), Agreed(audio, videos)

    def keep(self, ours: SessionDescription) -> None:
        """This answer of ours is what the session is now."""
        self._described = ours
        self._version += 1

    def apply(self, theirs: SessionDescription) -> Agreed:
        """What the answer to our last offer means. Raises NegotiationFailed."""
        ours = self._offered
        if ours is None:
            raise NegotiationFailed("an answer came to no offer")
        missing = ours.media[len(theirs.media):]
        theirs = replace(theirs, media=theirs.media + tuple(media.refused() for media in missing))
        audio = negotiation.apply_answer(ours, theirs)
        videos = several.apply_answer(ours, theirs, self._videos) if self._videos else ()
        for index, media in enumerate(ours.media):
            application = next((each for each in self.applications if each.is_mine(media)), None)
            if application is not None:
                application.apply(theirs, index)
        self._described = self._settled(ours, theirs, {video.index: video.protection for video in videos})
        return Agreed(audio, videos)

    def _settled(self, ours: SessionDescription, theirs: SessionDescription,
                 keyed: dict[int, Protection | None]) -> SessionDescription:
        """Our offer as the answer has left it: what was refused is gone, what shares a port has it, and of the ways to keys
        the one that was taken (keyed: of each line of pictures) is left."""
        bundled = {index: group for group in groups_of(ours) for index in group}
        lines = list(ours.media)
        for index, (line, answered) in enumerate(zip(ours.media, theirs.media, strict=True)):
            if answered.port == 0:
                lines[index] = line.refused()
            elif is_bundle_only(line):
                port = next((ours.media[i].port for i in bundled.get(index, ()) if ours.media[i].port), 0)
                kept = tuple(each for each in line.attributes if each[0] != "bundle-only")
                lines[index] = replace(line, port=port, attributes=kept)
            elif index in keyed:
                protection = keyed[index]
                gone = KEYS - TAKEN["" if protection is None else protection.how]
                lines[index] = replace(line, attributes=tuple(each for each in line.attributes if each[0] not in gone))
        return replace(ours, media=tuple(lines))
