"""The pictures of the window's calls: the own camera on and off, who is seen in which tile, what is told of both.

The camera runs while somebody looks: in a call that sends, or on the page before joining. Its pictures go to the own tile and
to the call; whether they are sent is told to the other side by an offer (RFC 3264 §8.4). A camera that can't be had is told by
a banner, and the call goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rtp.codecs.i420 import Picture
from softphone import model
from softphone.board import SELF, STAGE, PictureBoard
from softphone.call import Call
from softphone.errors import CallFailed
from softphone.kept import Kept
from softphone.media.camera import Camera, CameraError, open_video_source, webcams
from softphone.media.picture_figures import InFigures
from softphone.media.pictures import MAIN, SLIDES, PictureMedia, PictureSettings, Shown
from softphone.meter import THEM
from softphone.model import AudioDevice, Banner, BannerShown, Event, PictureQuality

TEST = "test"
"""The key of the test picture among the cameras."""
NONE = "none"
STOPPED, NOT_ALLOWED = "The host has stopped your camera.", "The host does not let you start your camera."
MIN_KBPS, MAX_KBPS, DEFAULT_KBPS = 100, 3000, 1000
Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Picturing:
    """Camera and pictures of one window. board: gets the pictures; publish: gets events; start: runs a task; camera: a source
    for this run (`softphone.media.camera.open_video_source`), `none` for calls of sound alone, empty for what is kept."""

    def __init__(self, board: PictureBoard, kept: Kept, publish: Callable[[Event], None], start: Start,
                 camera: str = "") -> None:
        self.board = board
        self.is_on = camera not in ("", NONE) or (camera != NONE and kept.is_on("join_video"))
        self.has_pictures = camera != NONE
        self._kept = kept
        self._publish = publish
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._given = camera if camera != NONE else ""
        self._found: list[tuple[str, str]] = []
        self._camera: Camera | None = None
        self._call: Call | None = None
        self._is_stopped = False
        self._shown: dict[int, str] = {}
        self._telling: asyncio.Task[None] | None = None
        self._counted: dict[str, tuple[int, float]] = {}

    # ---- what the user wants

    @property
    def key(self) -> str:
        """Which camera is used: that of this run, the one that was chosen, the first there is, or the test picture."""
        chosen = self._given or self._kept.config.camera
        return chosen or next((key for key, _ in self._found), TEST)

    def settings(self) -> PictureSettings | None:
        """What the next call has of pictures."""
        if not self.has_pictures:
            return None
        return PictureSettings(is_sending=self.is_on, bitrate_bps=self.bitrate_bps)

    @property
    def bitrate_bps(self) -> int:
        """What the camera may use at most."""
        text = str(self._kept.config.settings.get("video_kbps", ""))
        kbps = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else DEFAULT_KBPS
        return 1000 * max(MIN_KBPS, min(MAX_KBPS, kbps))

    async def look(self) -> None:
        """See which cameras there are."""
        self._found = await asyncio.to_thread(webcams)
        self.tell()

    def tell(self) -> None:
        """Tell the window of the cameras, and whether ours is on."""
        cameras = [AudioDevice(key, name) for key, name in self._found] + [AudioDevice(TEST, "Test picture")]
        if self._given and all(camera.key != self._given for camera in cameras):
            cameras.insert(0, AudioDevice(self._given, self._given))
        self._publish(model.CamerasChanged(tuple(cameras) if self.has_pictures else (), self.key))
        self._publish(model.VideoChanged(self.is_on))

    def choose(self, key: str) -> None:
        """Use this camera, also in the running call."""
        self._given = ""
        self._kept.choose_camera(key)
        was_open = self._camera is not None
        self._close()
        if was_open:
            self._open()
        self.tell()

    def set(self, is_on: bool) -> None:
        """Turn the camera on or off, as the user wants it."""
        if is_on and self._is_stopped:
            self._publish(BannerShown(Banner(NOT_ALLOWED, "warning")))
            return
        if is_on == self.is_on:
            return
        self.is_on = is_on
        self._publish(model.VideoChanged(is_on))
        self._tell_peer()

    def use_bitrate(self) -> None:
        """The setting has changed."""
        media = self._media
        if media is not None:
            media.bitrate_bps = self.bitrate_bps

    # ---- the camera

    def settle(self, is_awaited: bool) -> None:
        """Open the camera where it is seen, close it where it is not: nobody is watched in secret. is_awaited: whether a call
        is about to begin."""
        is_sent = self._media is not None and MAIN in self._media.negotiated
        is_wanted = self.is_on and self.has_pictures and (is_awaited or is_sent)
        if is_wanted and self._camera is None:
            self._open()
        elif not is_wanted:
            self._close()

    def _open(self) -> None:
        try:
            source = open_video_source(_source(self.key), self._kept.config.account.user or "you")
        except CameraError as error:
            self._on_trouble(str(error))
            return
        camera = Camera(source, lambda text: self._lose(camera, text))
        camera.outlets = (self._take,)
        self._camera = camera
        camera.start()

    def _close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.stop()
        self.board.remove(SELF)

    def _take(self, picture: Picture, taken_ns: int) -> None:
        media = self._media
        if media is not None:
            media.send(picture, taken_ns)
        if self._camera is not None:
            self.board.put(SELF, picture, is_mirrored=True)

    def _lose(self, camera: Camera, text: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_camera_lost, camera, text)

    def _on_camera_lost(self, camera: Camera, text: str) -> None:
        if camera is self._camera:
            self._on_trouble(text)

    def _on_trouble(self, text: str) -> None:
        self._publish(BannerShown(Banner(text[:1].upper() + text[1:], "warning")))
        self._close()
        self.set(False)

    # ---- the call

    @property
    def _media(self) -> PictureMedia | None:
        return None if self._call is None else self._call.media.pictures

    def begin(self, call: Call) -> None:
        """A call is up."""
        self.end()
        self._call = call
        media = self._media
        if media is None:
            return
        media.on_picture = self._show
        media.bitrate_bps = self.bitrate_bps
        self._publish(model.PicturesChanged(media.negotiated.get(MAIN) is not None))
        self._tell_peer()

    def end(self) -> None:
        """The call is over, or another one is shown."""
        media = self._media
        if media is not None:
            media.on_picture = lambda shown: None
        self._call = None
        self._is_stopped = False
        self._shown.clear()
        for key in self.board.shown() - {SELF}:
            self.board.remove(key)

    def on_roster(self, call: Call) -> None:
        """The focus has told who is there and who shows something: whoever shows nothing has no picture any more. Perhaps the
        host has stopped our camera."""
        own = next((member for member in call.roster if member.is_self), None)
        was_stopped, self._is_stopped = self._is_stopped, own is not None and own.is_video_stopped
        if self._is_stopped and not was_stopped and self.is_on:
            self._publish(BannerShown(Banner(STOPPED)))
            self.set(False)
            self._close()
        gone = {f"id:{member.member_id}" for member in call.roster if member.video in ("recvonly", "inactive")}
        here = {f"id:{member.member_id}" for member in call.roster}
        for key in self.board.shown():
            if key in gone or (key.startswith("id:") and here and key not in here and call.is_conference):
                self.board.remove(key)

    def _show(self, shown: Shown) -> None:
        call = self._call
        if call is None or shown.key == SLIDES:
            return
        key = _key_of(shown, call.is_conference)
        before = self._shown.get(shown.key)
        if before != key:
            self._shown[shown.key] = key
            if before is not None and before not in self._shown.values():
                self.board.remove(before)
        self.board.put(key, shown.picture)

    def _tell_peer(self) -> None:
        """Make an offer when the other side believes something else of our camera; a change meanwhile is told afterwards."""
        call = self._call
        if call is None or self._media is None or (self._telling is not None and not self._telling.done()):
            return
        self._telling = self._start(self._offer(call, self._media))

    async def _offer(self, call: Call, media: PictureMedia) -> None:
        while call.is_up and media.set_sent(MAIN, self.is_on):
            if MAIN not in media.negotiated:
                return
            try:
                await call.renegotiate()
            except CallFailed as error:
                self._publish(BannerShown(Banner(f"The other side did not take the change of the camera: {error}", "warning")))
                return

    # ---- figures

    def figures(self, now: float) -> tuple[PictureQuality, ...]:
        """What is sent and what comes, for the statistics."""
        media = self._media
        if media is None:
            return ()
        found = []
        sent = media.sent()
        if sent is not None and self.is_on:
            found.append(PictureQuality(SELF, "", sent.width, sent.height, self._rate(SELF, sent.pictures, now),
                                        sent.bitrate_bps // 1000))
        for line, each in sorted(media.received().items()):
            key = self._shown.get(line)
            if key is not None and key in self.board.shown():
                found.append(self._line(key, each, now))
        return tuple(found)

    def _line(self, key: str, figures: InFigures, now: float) -> PictureQuality:
        expected = figures.packets + figures.lost
        return PictureQuality(key, figures.codec, figures.width, figures.height, self._rate(key, figures.pictures, now),
                              figures.bitrate_bps // 1000, 100 * figures.lost / expected if expected else 0.0, figures.freezes)

    def _rate(self, key: str, pictures: int, now: float) -> float:
        """Pictures a second since the last look."""
        before, at = self._counted.get(key, (pictures, now))
        self._counted[key] = (pictures, now)
        return max(0.0, (pictures - before) / (now - at)) if now > at else 0.0


def _source(key: str) -> str:
    return f"camera:{key}" if key.startswith("/dev/") else key


def _key_of(shown: Shown, is_conference: bool) -> str:
    if not is_conference:
        return f"id:{THEM}"
    return f"id:{shown.origin}" if shown.origin else STAGE
