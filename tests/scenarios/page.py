"""The outcomes of a run as a table for a terminal, and as the page docs/reference/interop.md."""

from __future__ import annotations

import datetime
import platform
import re
import subprocess
from collections.abc import Iterable

import confero
from tests.scenarios.cells import ALL, LACKS, STOCK, TRANSPORTS, WAYS, Cell
from tests.scenarios.play import Outcome

NAMES = {"baresip": "baresip", "linphone": "Linphone", "sipp": "SIPp", "ffmpeg": "ffmpeg", "gstreamer": "GStreamer"}
CODEC_NAMES = {"opus": "Opus", "g722": "G.722", "pcmu": "PCMU", "pcma": "PCMA"}
VERSIONS = {"baresip": ["dpkg-query", "-W", "-f=${Version}", "baresip-core"], "linphone": ["linphonec", "--version"],
            "sipp": ["sipp", "-v"], "ffmpeg": ["ffmpeg", "-version"], "gstreamer": ["gst-launch-1.0", "--version"]}
SUMMARY = {
    "room": "Another member is in the room: `hears` is that one in the client's recording, `heard at` the client at that one.",
    "echo": "`hears` is the client's own tone as it comes back.",
    "caller": "The client has an account and calls the light phone of another through the B2BUA.",
    "callee": "The other way round: the client has registered and answers.",
    "dialled": "`confero room dial ROOM USER` calls the registered client into a room; ffmpeg and GStreamer by their address.",
    "hold": "How loud the client is at another member before, while it holds (a re-INVITE) and after it has resumed.",
    "events": "`*6` mutes: how loud the client is at another member before and after, and the roster shows it muted. SIPp "
              "has either a tone or events, so of it only the roster tells.",
    "info": "The same keys as INFO (`application/dtmf-relay`).",
    "transfer": "The client calls one user and transfers (REFER) to another: how loud it was, and how loud the two are to each "
                "other afterwards. Its own call ends.",
    "sdes": "Keys in the SDP, over each transport; the other member has a plain phone. The roster names "
            "AES_CM_128_HMAC_SHA1_80, and “not protected” except over TLS.",
    "dtls": "Keys by a handshake: baresip comes to AEAD_AES_128_GCM, Linphone to AES_CM_128_HMAC_SHA1_80.",
    **{f"to-{callee}": "Both have accounts; with one codec at both ends the server passes the payload on untouched."
       for callee in STOCK},
}
INTRODUCTION = """\
# Interoperability

<!-- Written by `python -m tests.scenarios.matrix --again 3 --write docs/reference/interop.md`; do not edit. -->

Every stock client at hand with every codec and transport that it has, in every way of use, against a server on the same
machine. Each client sends a tone of 440 Hz at −20 dBFS and records what it hears; at the other end is a light phone in PCMU
with a tone of its own at the same level. The figures are levels in dBFS: −20 is right, within 1.5 dB; `<−60` is silence.
Linphone's G.722 is 6 dB lower than others' when it sends and 6 dB higher when it plays, whoever is at the other end.
A cell that is not well is played again, two at a time and three times at most (`--again 3`): a machine that has other
work cuts a tone short now and then. What stands here is how it was played last.
"""


def _level(value: float) -> str:
    return "<−60" if value < -60 else f"{value:.1f}".replace("-", "−")


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes for a person at a terminal."""
    lines = [f"{'client':10}{'codec':6}{'over':5}{'way':12}{'set-up ms':>10}  levels"]
    for one in outcomes:
        cell = one.cell
        levels = ", ".join(f"{what} {level:.1f}" for what, level in one.levels.items())
        setup = f"{one.setup_ms:.0f}" if one.setup_ms else "-"
        lines.append(f"{cell.client:10}{cell.codec:6}{cell.transport:5}{cell.way:12}{setup:>10}  {levels}  "
                     + ("; ".join(one.complaints) or "well"))
    return "\n".join(lines)


def page(outcomes: list[Outcome], today: datetime.date) -> str:
    """The page of all outcomes."""
    found = {one.cell: one for one in outcomes}
    bad = [one for one in outcomes if one.complaints]
    lines = [INTRODUCTION, f"Run of {today.isoformat()}: {len(outcomes)} cells, {len(outcomes) - len(bad)} well, "
             f"{len(bad)} not. " + "; ".join(f"{NAMES[name]} {version}" for name, version in versions().items())
             + f"; Confero {confero.__version__}, Python {platform.python_version()}.", ""]
    if bad:
        lines += ["## What is not well", ""]
        lines += [f"- {NAMES[one.cell.client]}, {CODEC_NAMES[one.cell.codec]} over {one.cell.transport.upper()}, "
                  f"{WAYS[one.cell.way]}: {'; '.join(one.complaints)}" for one in bad] + [""]
    for way, title in WAYS.items():
        lines += [f"## {title[0].upper()}{title[1:]}", "", SUMMARY[way], ""]
        lines += _way(way, found)
    return "\n".join(lines).rstrip() + "\n"


def _way(way: str, found: dict[Cell, Outcome]) -> list[str]:
    rows = dict.fromkeys((cell.client, cell.codec) for cell in ALL if cell.way == way)
    transports = dict.fromkeys((*TRANSPORTS, *(cell.transport for cell in ALL if cell.way == way)))
    lines = ["| client | codec | " + " | ".join(transport.upper() for transport in transports) + " |",
             "|---" * (2 + len(transports)) + "|"]
    for client, codec in rows:
        cells = [_entry(found.get(Cell(client, codec, transport, way))) for transport in transports]
        lines.append(f"| {NAMES[client]} | {CODEC_NAMES[codec]} | " + " | ".join(cells) + " |")
    lacking = dict.fromkeys(why for (_, one), why in LACKS.items() if one == way)
    return [*lines, "", *([f"Not here: {'; '.join(lacking)}.", ""] if lacking else [])]


def _entry(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    levels = ", ".join(f"{what} {_level(level)}" for what, level in outcome.levels.items() if what != "itself")
    return f"**no** {levels}".rstrip() if outcome.complaints else f"yes: {levels}" if levels else "yes"


def versions() -> dict[str, str]:
    """The version of each client, as it says itself."""
    found = {}
    for name, command in VERSIONS.items():
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        number = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        found[name] = number.group() if number else "?"
    return found
