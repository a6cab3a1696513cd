"""What is said and played into rooms on somebody's wish: which file, what is made ready, how far it is (`mcu.playing`).

A file is decoded by a process of its own, niced and limited; the worker plays what is there while the rest is made ready. The
file between them has no name, so nothing is left of it. Members may play what lies in the media folder; the operator, who may
read the machine's files anyhow, may name any by its full path.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mcu.engine.notices import PlayerChanged
from mcu.errors import CommandError
from mcu.focus import Focus
from mcu.prompt_texts import LANGUAGES
from mcu.prompts import PROGRAM

FOLDER = "media"
"""The folder's name within the data folder."""
MAX_A_ROOM, MAX_IN_ALL = 4, 64
MAX_TEXT = 500
MAX_VOLUME = 400
MAX_SEEK_S = 4 * 3600
LOST_LOOKS = 10
"""So many looks, one a second, without news of a player, and its worker has been replaced."""
STEERS = ("pause", "resume", "stop", "seek", "volume", "status")

Facts = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Playing:
    """Something that is played. what: its name; state: preparing, playing, paused, ended, failed, stopped."""

    id: int
    focus: Focus
    what: str
    is_file: bool
    process: subprocess.Popen[bytes]
    state: str = "preparing"
    volume_percent: int = 100
    position_ms: int = 0
    duration_ms: int = 0
    reason: str = ""
    quiet_looks: int = 0

    def facts(self) -> Facts:
        """For whoever asks."""
        return {"room": self.focus.name, "player": self.id, "what": self.what, "state": self.state,
                "position_s": self.position_ms / 1000, "duration_s": self.duration_ms / 1000 or None,
                "volume": self.volume_percent, "reason": self.reason}


class Players:
    """All that is played. folder: of the files that members may play; scratch: where sound is made ready; changed: called when
    `is_on` may have."""

    def __init__(self, folder: Path, scratch: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._scratch = scratch
        self._changed = changed
        self._playing: dict[int, Playing] = {}
        self._last: dict[Focus, Playing] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._results: dict[Focus, Facts | CommandError] = {}
        self._last_id = 0

    @property
    def is_on(self) -> bool:
        """Whether something is played."""
        return bool(self._playing)

    # ---- commands

    def perform(self, focus: Focus, action: Callable[[], Facts]) -> str:
        """Carry out what the rules of a room have decided, and remember what came of it; "", or why not."""
        try:
            self._results[focus] = action()
        except CommandError as error:
            self._results[focus] = error
            log.info("nothing is played", extra={"room": focus.name, "reason": str(error)})
            return str(error)
        self._results = {one: result for one, result in self._results.items() if not one.is_over}
        return ""

    def result(self, focus: Focus) -> Facts:
        """What came of the last order. Raises CommandError."""
        result = self._results.get(focus)
        if isinstance(result, dict):
            return result
        raise result if result is not None else CommandError(f"nothing is played in room {focus.name!r}")

    def say(self, focus: Focus, text: str, language: str) -> Facts:
        """Let a voice say something to all. Raises CommandError."""
        words = re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()
        if not words:
            raise CommandError("there is nothing to say")
        if len(words) > MAX_TEXT:
            raise CommandError(f"a text has {MAX_TEXT} characters at most, this one {len(words)}")
        if language not in LANGUAGES:
            raise CommandError(f"{' or '.join(LANGUAGES)} was expected, not {language[:20]!r}")
        if shutil.which(PROGRAM) is None:
            raise CommandError(f"there is no voice on this machine; install {PROGRAM} (Debian, Ubuntu: apt install {PROGRAM})")
        return self._start(focus, words, ["say", LANGUAGES[language]], words, is_file=False)

    def play(self, focus: Focus, what: str, *, is_operator: bool) -> Facts:
        """Play a file to all, in place of the one before; or steer it: a word of STEERS, with a figure. Raises CommandError."""
        verb, _, figure = what.strip().partition(" ")
        if verb in STEERS:
            return self._steer(focus, verb, figure.strip())
        path = self._path(what.strip(), is_operator)
        for playing in [one for one in self._playing.values() if one.focus is focus and one.is_file]:
            self._end(playing, "stopped")
        return self._start(focus, path.name, ["file", str(path)], "", is_file=True)

    def _path(self, name: str, is_operator: bool) -> Path:
        path = Path(name)
        if not path.is_absolute():
            path = self._folder / name
        elif not is_operator:
            raise CommandError("only what lies in the media folder can be played")
        try:
            path = path.resolve(strict=True)
            is_inside = path.is_relative_to(self._folder.resolve())
            if not path.is_file():
                raise OSError(0, "it is no file")
        except (OSError, ValueError, RuntimeError) as error:
            raise CommandError(f"{name[:200]!r} can't be played: {getattr(error, 'strerror', None) or error}; "
                               f"files of rooms lie in {self._folder}") from None
        if not is_inside and not (is_operator and Path(name).is_absolute()):
            raise CommandError("only what lies in the media folder can be played")
        return path

    def _start(self, focus: Focus, what: str, arguments: list[str], text: str, *, is_file: bool) -> Facts:
        here = sum(one.focus is focus for one in self._playing.values())
        if here >= MAX_A_ROOM or len(self._playing) >= MAX_IN_ALL:
            raise CommandError("too much is being played just now")
        try:
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                process = self._make_ready(file, arguments, text)
                self._last_id += 1
                focus.media_room.sound.start_player(self._last_id, file.fileno())
        except OSError as error:
            raise CommandError(f"nothing can be played: {error.strerror or error}") from None
        playing = self._playing[self._last_id] = Playing(self._last_id, focus, what, is_file, process)
        self._last[focus] = playing
        log.info("playing" if is_file else "saying", extra={"room": focus.name, "what": what if is_file else len(what)})
        self._changed()
        return playing.facts()

    def _make_ready(self, file: IO[bytes], arguments: list[str], text: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "mcu.playing", str(file.fileno()), *arguments],
                                   pass_fds=[file.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._processes.append(process)
        assert process.stdin is not None
        with process.stdin as words:                        # 2 kB at most: it fits into the pipe, nothing waits
            words.write(text.encode())
        return process

    def _steer(self, focus: Focus, verb: str, figure: str) -> Facts:
        playing = self._last.get(focus)
        if verb == "status" and playing is not None:
            return playing.facts()
        if playing is None or playing.id not in self._playing:
            raise CommandError(f"nothing is played in room {focus.name!r}")
        seek_ms = -1
        match verb:
            case "stop":
                self._end(playing, "stopped")
                return playing.facts()
            case "pause" | "resume":
                playing.state = "paused" if verb == "pause" else "playing"
            case "seek":
                seek_ms = playing.position_ms = 1000 * _number(verb, figure, "seconds", MAX_SEEK_S)
            case "volume":
                playing.volume_percent = _number(verb, figure, "per cent", MAX_VOLUME)
        focus.media_room.sound.set_player(playing.id, playing.state == "paused", playing.volume_percent, seek_ms)
        return playing.facts()

    def _end(self, playing: Playing, state: str, reason: str = "") -> None:
        playing.state, playing.reason = state, reason
        if self._playing.pop(playing.id, None) is not None:
            playing.focus.media_room.sound.stop_player(playing.id)
            if playing.process.poll() is None:
                playing.process.kill()
            log.info("played", extra={"room": playing.focus.name, "state": state, "reason": reason})
            self._changed()

    # ---- while it goes on

    def receive(self, notice: PlayerChanged) -> None:
        """A worker tells how a player stands."""
        playing = self._playing.get(notice.player_id)
        if playing is None:
            return
        playing.quiet_looks = 0
        playing.position_ms, playing.duration_ms = notice.position_ms, notice.duration_ms
        if notice.state in ("ended", "failed"):
            self._end(playing, notice.state, notice.reason)
        elif playing.state != "paused" and (notice.position_ms or notice.state != "playing"):
            playing.state = notice.state

    def look(self) -> None:
        """End what is over. Once a second."""
        for playing in list(self._playing.values()):
            playing.quiet_looks += 1
            if playing.focus.is_over:
                self._end(playing, "stopped")
            elif playing.quiet_looks > LOST_LOOKS:
                self._end(playing, "failed", "the media worker was replaced")
        self._last = {focus: playing for focus, playing in self._last.items() if not focus.is_over}
        self._processes = [process for process in self._processes if process.poll() is None]

    def close(self) -> None:
        """End all."""
        for playing in list(self._playing.values()):
            self._end(playing, "stopped")
        for process in self._processes:
            process.kill()
            process.wait()


def _number(verb: str, text: str, unit: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > most:
        raise CommandError(f"{verb}: a number of {unit} from 0 to {most} was expected, not {text[:20]!r}")
    return int(text)
