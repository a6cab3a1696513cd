"""Figures and times in words: clocks, qualities, addresses. Pure functions; the words are translated by the caller's `tr`."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

from softphone.model import Member, PictureQuality, Quality

GOOD_MOS = 3.9
FAIR_MOS = 3.3
GOOD, FAIR, POOR = "Good", "Fair", "Poor"
PROTECTION_NONE = "Not protected"
MAX_NAME = 80
MAX_BANNER = 640
JOINERS = "\u200c\u200d"
"""Of format characters these two are part of how some languages are written."""
CODEC_NAMES = {"opus": "Opus", "g722": "G.722", "pcmu": "PCMU", "pcma": "PCMA"}
ROLE_NAMES = {"host": "Host", "co-host": "Co-host", "presenter": "Presenter", "listener": "Listener"}
Tr = Callable[..., str]


def plain(text: str, limit: int = MAX_NAME) -> str:
    """What a peer sent as one line without control and direction characters, cut at `limit` characters."""
    line = " ".join(text[: 4 * limit].split())
    line = "".join(letter for letter in line if unicodedata.category(letter)[0] != "C" or letter in JOINERS)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clock(seconds: float) -> str:
    """Elapsed time as 00:12:41."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def grade(quality: Quality) -> str:
    """Good, Fair or Poor by the mean opinion score; empty while nothing was measured."""
    if quality.mos is None:
        return ""
    return GOOD if quality.mos >= GOOD_MOS else FAIR if quality.mos >= FAIR_MOS else POOR


def strength(quality: Quality) -> int:
    """How many of four bars are lit: 0 while nothing was measured."""
    if quality.mos is None:
        return 0
    return 4 if quality.mos >= GOOD_MOS else 3 if quality.mos >= 3.6 else 2 if quality.mos >= FAIR_MOS else 1


def figures(quality: Quality, tr: Tr) -> list[tuple[str, str]]:
    """(name, figure) of what was measured of the sound, and is not drawn as a line."""
    return [
        (tr("Codec"), codec_name(quality.codec) or "–"),
        (tr("Round trip"), "–" if quality.rtt_ms is None else f"{quality.rtt_ms:.0f} ms"),
        (tr("Buffer delay"), f"{quality.delay_ms:.0f} ms"),
        (tr("Packets sent"), f"{quality.packets_sent:,}".replace(",", " ")),
        (tr("Packets received"), f"{quality.packets_received:,}".replace(",", " ")),
        (tr("Protection"), quality.protection or tr("none")),
    ]


def rate_text(kbps: float) -> str:
    """A bit rate as people read it."""
    return f"{kbps / 1000:.1f} Mbit/s" if kbps >= 1000 else f"{kbps:.0f} kbit/s"


def picture_figures(quality: Quality, names: dict[str, str], tr: Tr) -> list[tuple[str, str]]:
    """(name, figure) of the pictures that are sent and seen. names: of members, by key."""
    rows = []
    for each in quality.pictures:
        name = tr("Own picture") if each.key == "self" else names.get(each.key, tr("Picture"))
        parts = [f"{each.width}×{each.height}", f"{each.rate:.0f}/s", rate_text(each.kbps)]
        if each.loss_percent >= 0.05:
            parts.append(f"{each.loss_percent:.1f} %")
        rows.append((name, " · ".join(parts)))
    return rows


def picture_strength(picture: PictureQuality) -> int:
    """How many of four bars a person's picture deserves, by what was lost of it and how smoothly it moves."""
    by_loss = 4 if picture.loss_percent < 1 else 3 if picture.loss_percent < 3 else 2 if picture.loss_percent < 8 else 1
    by_rate = 4 if picture.rate >= 12 else 3 if picture.rate >= 8 else 2 if picture.rate >= 4 else 1
    return min(by_loss, by_rate)


def codec_name(codec: str) -> str:
    """A codec's SDP name as people write it."""
    return CODEC_NAMES.get(codec.lower().replace(".", ""), plain(codec))


def member_line(member: Member, is_talking: bool, tr: Tr) -> str:
    """What stands below a member's name: role or voice, and codec."""
    parts = []
    if member.role in ROLE_NAMES:
        parts.append(tr(ROLE_NAMES[member.role]))
    if member.status not in ("connected", ""):
        parts.append(tr("waits in the lobby") if member.status == "pending" else tr(member.status.replace("-", " ")))
    elif is_talking:
        parts.append(tr("speaking"))
    if member.codec:
        parts.append(codec_name(member.codec))
    return " · ".join(parts) or tr("connected")


def member_name(member: Member, tr: Tr) -> str:
    """The name with "(you)" or, for another one, "(host)" behind it."""
    name = plain(member.name or member.uri) or tr("unknown")
    if member.is_self:
        return f"{name} {tr('(you)')}"
    return f"{name} {tr('(host)')}" if member.role == "host" else name


def when(moment: float, now: float, tr: Tr) -> str:
    """A moment (seconds since 1970) as "today 14:02", "yesterday 09:30" or 2026-03-01."""
    if moment <= 0:
        return ""
    then, today = time.localtime(moment), time.localtime(now)
    if then[:3] == today[:3]:
        return tr("today {time}", time=time.strftime("%H:%M", then))
    if then[:3] == time.localtime(now - 86400)[:3]:
        return tr("yesterday {time}", time=time.strftime("%H:%M", then))
    return time.strftime("%Y-%m-%d", then)


def with_pin(target: str, pin: str) -> str:
    """The address with a PIN put behind the room's name: daily.1234, sip:daily.1234@host."""
    target, pin = target.strip(), pin.strip()
    if not pin:
        return target
    name, at, host = target.partition("@")
    return f"{name}.{pin}{at}{host}"


def without_pin(target: str) -> str:
    """The address as it may be shown: a PIN behind the room's name is taken off."""
    name, at, host = target.partition("@")
    room, dot, pin = name.rpartition(".")
    return f"{room}{at}{host}" if dot and room and pin.isdigit() and not _is_address(name) else target


def short_address(target: str, server: str) -> str:
    """The address as one would type it: the name alone for what is at our own server."""
    address = without_pin(target).removeprefix("sip:")
    name, at, host = address.partition("@")
    return name if at and host == server else address


def _is_address(name: str) -> bool:
    bare = name.partition(":")[2] or name
    return all(part.isdigit() for part in bare.split("."))
