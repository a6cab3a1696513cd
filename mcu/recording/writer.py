"""Writes one part of a recording: the mix, a file for each person who is heard, and a JSON that says who is who.

Position 0 is the first tick that comes. All files stand at the same position once a second: who is silent or absent, and what
was lost on the way, is silence in them, so that all stay in step. A person's file begins when they are first heard, with the
silence before it. While the recording is paused nothing is written, and the files go on without a gap.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mcu.recording.files import FORMS, SoundFile, create
from mcu.recording.line import MIX, Fact, Sound
from rtp.codecs.resample import Samples
from rtp.kernel.spec import TICK_NS

TICKS_A_SECOND = 1_000_000_000 // TICK_NS
UNNAMED_TICKS = 2 * TICKS_A_SECOND
"""So long sound is kept for somebody of whom control has not told yet who they are."""
MAX_GAP_TICKS = 600 * TICKS_A_SECOND
"""A longer jump of the clock, ten minutes, is none of ours: the machine slept."""
MAX_FILES = 500
"""A room has fewer people; somebody who comes and goes all the time must not fill the disk with files."""


@dataclass(slots=True)
class Track:
    """A file of the recording. leg_id 0: the mix; file: "" while nothing was heard."""

    leg_id: int
    name: str
    uri: str = ""
    joined_at: float = 0.0
    left_at: float | None = None
    file: str = ""


@dataclass(slots=True)
class _Stem:
    """An open track, written up to `position` ticks; what is kept is not written yet, since nobody knows whose it is."""

    track: Track
    sound: SoundFile | None = None
    position: int = 0
    kept: list[tuple[int, Samples]] = field(default_factory=list)


class Writer:
    """A part of a recording in `folder`. form: of `mcu.recording.files.FORMS`; part: from 1; wallclock: seconds since 1970.

    ticks: how much is written. What it does raises OSError as files do.
    """

    def __init__(self, folder: Path, form: str, part: int = 1, wallclock: Callable[[], float] = time.time) -> None:
        self.ticks = 0
        self.dropped = 0
        self._folder = folder
        self._form = form
        self._suffix = f"-{part}" if part > 1 else ""
        self._part = part
        self._wallclock = wallclock
        self._base_ns: int | None = None
        self._is_paused = False
        self._pauses: list[dict[str, float | None]] = []
        self._room: dict[str, Any] = {}
        self._begun_at = wallclock()
        self._ended_at: float | None = None
        self._stems: dict[int, _Stem] = {}
        self._people: dict[int, Track] = {}
        self._names: set[str] = set()
        self._mix = _Stem(Track(MIX, "mix"))
        self._open(self._mix)
        self._describe()

    # ---- what comes

    def receive(self, message: Sound | Fact) -> None:
        """Take what came over the line."""
        if isinstance(message, Sound):
            self._hear(message)
        else:
            self._note(message)

    def _hear(self, sound: Sound) -> None:
        self.dropped = max(self.dropped, sound.dropped)
        if self._is_paused:
            return
        if self._base_ns is None:
            self._base_ns = sound.time_ns - self.ticks * TICK_NS
        position = (sound.time_ns - self._base_ns) // TICK_NS
        if position - self.ticks > MAX_GAP_TICKS:
            position = self.ticks
            self._base_ns = sound.time_ns - position * TICK_NS
        if position < self.ticks:
            return
        for leg_id, samples in sound.streams:
            if leg_id == MIX:
                self._write(self._mix, position, samples)
            else:
                self._write(self._stem(leg_id), position, samples)
        self.ticks = position + 1

    def _stem(self, leg_id: int) -> _Stem:
        stem = self._stems.get(leg_id)
        if stem is None:
            track = self._people.get(leg_id) or Track(leg_id, "")
            stem = self._stems[leg_id] = _Stem(track)
        return stem

    def _write(self, stem: _Stem, position: int, samples: Samples) -> None:
        if stem.sound is None:
            if stem.track.name and len(self._stems) <= MAX_FILES:
                self._open(stem)
                self._describe()
            elif len(stem.kept) < UNNAMED_TICKS:
                stem.kept.append((position, samples))
                return
            else:
                return
        assert stem.sound is not None
        stem.sound.silence(position - stem.position)
        stem.sound.write(samples)
        stem.position = position + 1

    def _note(self, fact: Fact) -> None:
        values = fact.values
        match fact.kind:
            case "room":
                self._room |= values
            case "person":
                leg_id = int(values.get("leg_id", 0))
                stem = self._stems.get(leg_id)
                track = stem.track if stem is not None else self._people.setdefault(leg_id, Track(leg_id, ""))
                track.name, track.uri = str(values.get("name", ""))[:200] or "guest", str(values.get("uri", ""))[:300]
                track.joined_at = float(values.get("joined_at", 0.0))
                self._people[leg_id] = track
            case "left":
                track_left = self._people.get(int(values.get("leg_id", 0)))
                if track_left is not None:
                    track_left.left_at = self._wallclock()
            case "pause" if not self._is_paused:
                self._is_paused = True
                self._pauses.append({"at_s": self.ticks / TICKS_A_SECOND, "from": self._wallclock(), "to": None})
            case "resume" if self._is_paused:
                self._is_paused, self._base_ns = False, None
                self._pauses[-1]["to"] = self._wallclock()
        self._describe()

    # ---- files

    def _open(self, stem: _Stem) -> None:
        """Begin a track's file, with what was kept of it."""
        track = stem.track
        plain = re.sub(r"[^\w.-]+", "_", track.name).strip("._")[:40] or "guest"
        name = plain if track.leg_id == MIX else f"{len(self._names):02d}-{plain}"
        track.file = f"{name}{self._suffix}{FORMS[self._form]}"
        self._names.add(track.file)
        stem.sound = create(self._folder / track.file, self._form, track.name)
        kept, stem.kept = stem.kept, []
        for position, samples in kept:
            self._write(stem, position, samples)

    def flush(self) -> None:
        """Bring all files to the same position, and what is complete to the disk. Once a second."""
        for stem in (self._mix, *self._stems.values()):
            if stem.sound is None and stem.kept and self.ticks - stem.kept[0][0] >= UNNAMED_TICKS:
                stem.track.name = stem.track.name or f"member-{stem.track.leg_id:08x}"
                self._open(stem)
            if stem.sound is not None:
                stem.sound.silence(self.ticks - stem.position)
                stem.position = self.ticks
                stem.sound.flush()
        self._describe()

    def close(self) -> None:
        """Finish all files."""
        for stem in self._stems.values():
            if stem.kept:
                stem.track.name = stem.track.name or f"member-{stem.track.leg_id:08x}"
                self._open(stem)
        self._ended_at = self._wallclock()
        self.flush()
        for stem in (self._mix, *self._stems.values()):
            if stem.sound is not None:
                stem.sound.close()
        self._describe()

    def _describe(self) -> None:
        """Write the JSON, whole or not at all."""
        tracks = [self._mix.track, *self._people.values(), *(
            stem.track for leg_id, stem in self._stems.items() if leg_id not in self._people)]
        facts = {**self._room, "part": self._part, "form": self._form, "begun_at": self._begun_at, "ended_at": self._ended_at,
                 "seconds": self.ticks / TICKS_A_SECOND, "is_paused": self._is_paused, "dropped_ticks": self.dropped,
                 "pauses": self._pauses, "tracks": [asdict(track) for track in tracks]}
        file = self._folder / f"recording{self._suffix}.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")
        part.replace(file)
