"""Several m= lines over one transport (RFC 9143), as groups of lines that name themselves by mid (RFC 5888).

    theirs = unbundled(parse(offer))                           # each line with the transport that it really has
    attributes = answered_group(theirs, {agreed.index})        # a=group of the answer's session

The first line of an offered group is the tagged one, whose address, keys and ICE all others of the group use (§7.2.1). A line
in our answer keeps its mid; those that are refused are left out of the group (§7.3.3). In offers of ours we put pictures alone
into a group: audio keeps a socket of its own, which is read by another clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import replace

from rtp.sdp.model import Attribute, MediaDescription, SessionDescription

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
"""URI of the header extension that carries a line's mid (RFC 9143 §15)."""
TRANSPORT = ("candidate", "crypto", "end-of-candidates", "fingerprint", "ice-options", "ice-pwd", "ice-ufrag", "rtcp",
             "rtcp-mux", "setup", "tls-id")
"""Attributes of categories IDENTICAL and TRANSPORT (RFC 8859) that we read: in a bundle the tagged line has them for all."""
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


def unbundled(session: SessionDescription) -> SessionDescription:
    """An offer in which each line of a bundle that leaves its transport to the tagged one has it itself (RFC 9143 §7.1.3): a
    bundle-only line its port and address, others what they lack. Without a bundle, the session as it is."""
    lines = list(session.media)
    for group in groups_of(session):
        tagged = session.media[group[0]]
        for index in group[1:] if tagged.port else ():
            lines[index] = _with_transport(lines[index], tagged)
    return replace(session, media=tuple(lines))


def _with_transport(media: MediaDescription, tagged: MediaDescription) -> MediaDescription:
    if media.port == 0 and not is_bundle_only(media):
        return media                                    # refused, or ended
    inherited = tuple(each for each in tagged.attributes if each[0] in TRANSPORT and not media.has(each[0]))
    if media.port:
        return replace(media, attributes=media.attributes + inherited)
    return replace(media, port=tagged.port, connection=tagged.connection, attributes=media.attributes + inherited)


def answered_group(offer: SessionDescription, accepted: Set[int]) -> tuple[Attribute, ...]:
    """The `a=group` lines of an answer: of each offered bundle the lines that are accepted (by index), in its order."""
    kept = ([mid_of(offer.media[index]) for index in group if index in accepted] for group in groups_of(offer))
    return tuple(group_line(mids) for mids in kept if mids)


def kept_mid(media: MediaDescription) -> tuple[Attribute, ...]:
    """The `a=mid` of a line, for the line that answers it."""
    mid = mid_of(media)
    return (("mid", mid),) if mid else ()
