"""The pictures of a call without a window: a camera, a file or a test picture out, what comes read and written, and figures.

What is received is decoded and read in any case, so that the figures say what a person would have seen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from softphone.media.camera import Camera, open_video_source
from softphone.media.picture_figures import InFigures
from softphone.media.pictures import FIRST_SLOT, MAIN, SLIDES, PictureMedia
from softphone.media.witness import Sight, VideoWriter, Witness
from softphone.options import NO_VIDEO, Options


def line_name(key: int) -> str:
    """What a line is called in figures and files: main, slides, v1 and so on, as its mid is."""
    return {MAIN: "main", SLIDES: "slides"}.get(key, f"v{key - FIRST_SLOT + 1}")


class Seeing:
    """The pictures of one call. media: None for a call of sound alone; shared: pictures of our screen that were taken and sent.

    Raises OSError when the file can't be written.
    """

    def __init__(self, media: PictureMedia | None, options: Options,
                 shared: Callable[[], tuple[int, int]] | None = None) -> None:
        self._media = media
        self._shared = shared
        self._witness = Witness()
        self._camera: Camera | None = None
        self._begun_ns = time.monotonic_ns()
        if media is None:
            return
        if options.record_video is not None:
            lines = [(key, line_name(key)) for key, agreed in sorted(media.negotiated.items()) if agreed.remote is not None]
            self._witness.writer = VideoWriter(options.record_video, lines or [(MAIN, line_name(MAIN))])
        media.on_picture = self._witness.show
        if options.video not in ("", NO_VIDEO):
            self._camera = Camera(open_video_source(options.video, options.user or options.display_name), _tell)
            self._camera.outlets = (media.send,)
            self._camera.start()

    def report(self) -> dict[str, Any] | None:
        """Figures for JSON: what was sent, and each line on which something came."""
        if self._media is None:
            return None
        sent, transport = self._media.sent(), self._media.sending()
        out: dict[str, Any] = {"lines": [self._line(key, each) for key, each in sorted(self._media.received().items())]}
        if self._shared is not None and any(figures := self._shared()):
            out["shared"] = {"taken": figures[0], "sent": figures[1]}
        if sent is not None:
            out["sent"] = {"pictures": sent.pictures, "key_frames": sent.key_frames, "width": sent.width, "height": sent.height,
                           "target_bps": sent.bitrate_bps, **transport}
        return out

    def _line(self, key: int, figures: InFigures) -> dict[str, Any]:
        sight = self._witness.sights.get(key, Sight())
        expected = figures.packets + figures.lost
        return {
            "line": line_name(key), "codec": figures.codec, "pictures": figures.pictures, "undecodable": figures.undecodable,
            "width": figures.width, "height": figures.height, "bitrate_bps": figures.bitrate_bps,
            "loss_percent": round(100 * figures.lost / expected, 2) if expected else 0.0, "recovered": figures.recovered,
            "jitter_ms": round(figures.jitter_ms, 2), "freezes": figures.freezes, "frozen_ms": round(figures.frozen_ms, 1),
            "skew_ms": None if figures.skew_ms is None else round(figures.skew_ms, 1),
            "seen": {str(who): count for who, count in sorted(sight.seen.items())}, "delay_ms": sight.delay_ms,
            "origins": [{"id": origin, "at_s": round((at_ns - self._begun_ns) / 1e9, 3)} for origin, at_ns in figures.origins],
        }

    def close(self) -> None:
        """End the camera, finish the file."""
        if self._camera is not None:
            self._camera.stop()
        if self._media is not None:
            self._media.on_picture = lambda shown: None
        if self._witness.writer is not None:
            self._witness.writer.close()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
