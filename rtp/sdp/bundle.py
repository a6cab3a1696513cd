"""Several m= lines over one transport (RFC 9143), as groups of lines that name themselves by mid (RFC 5888).

We put pictures alone into a group: audio keeps a socket of its own, which is read by another clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rtp.sdp.model import MediaDescription, SessionDescription

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
"""URI of the header extension that carries a line's mid (RFC 9143 §15)."""
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,32}")


def mid_of(media: MediaDescription) -> str:
    """A line's mid, empty for none or for one that is no token."""
    mid = (media.value("mid") or "").strip()
    return mid if _TOKEN.fullmatch(mid) else ""


def groups_of(session: SessionDescription) -> list[tuple[int, ...]]:
    """The BUNDLE groups as indices of m= lines. A mid that is unknown, doubled or in two groups is left out of the later."""
    by_mid: dict[str, int] = {}
    for index, media in enumerate(session.media):
        if mid := mid_of(media):
            by_mid.setdefault(mid, index)
    seen: set[int] = set()
    groups = []
    for key, value in session.attributes:
        words = (value or "").split()
        if key != "group" or not words or words[0].upper() != "BUNDLE":
            continue
        group = tuple(dict.fromkeys(by_mid[mid] for mid in words[1:] if mid in by_mid and by_mid[mid] not in seen))
        seen.update(group)
        if group:
            groups.append(group)
    return groups


def is_bundle_only(media: MediaDescription) -> bool:
    """Whether a line with port 0 is no refusal: it wants to be in its group or not at all (§6)."""
    return media.port == 0 and media.has("bundle-only") and bool(mid_of(media))


def group_line(mids: Iterable[str]) -> tuple[str, str]:
    """The a=group attribute for these mids."""
    return "group", " ".join(("BUNDLE", *mids))


def carrier_of(session: SessionDescription, index: int) -> int:
    """The index of the line whose address and keys count for a line: the first of its group with a port, else itself (§7.2)."""
    for group in groups_of(session):
        if index in group:
            kind = session.media[index].kind
            return next((i for i in group if session.media[i].port and session.media[i].kind == kind), index)
    return index
