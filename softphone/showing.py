"""Sharing a screen in one call: ask for the floor, be granted it, offer to send, send; and know what another shares.

The floor *screen* is BFCP's (RFC 8855, `softphone.floors`): without it nothing is shown. A peer without floor control, which
takes a line of slides all the same (RFC 4796), is shown at once. Pictures go out by `softphone.media.share` in a thread, on the
line of slides that the call has (`softphone.media.pictures`). Everything else happens in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rtp.sdp.several import NegotiatedVideo
from sip.bfcp.attributes import Status
from softphone.errors import CallFailed, PhoneError
from softphone.floors import SCREEN, FloorEvent, Floors, HolderChanged, Standing
from softphone.media.pictures import SLIDES, PictureMedia, Shown
from softphone.media.screen import open_source
from softphone.media.share import START_BPS, CodedSlide, ShareSettings, Sharing
from softphone.shares import Choice, LatestPicture, Share

NO_LINE = "The other side takes no shared screen."
FLOOR_TRIES, FLOOR_PAUSE_S = 50, 0.1
"""How often it is looked whether floor control has been reached, which takes a moment after the call is up, and whether the
last request has come to its end."""
log = logging.getLogger(__name__)


class Showing:
    """The shared screen of one call. is_conference: whether it is a meeting, where nobody shares without the floor;
    offer_again: sends an offer in the call; publish: gets what is shared; tell: gets a sentence for the user; on_chosen: is
    told what is shared when it begins; display: see `open_source`."""

    def __init__(self, floors: Floors, pictures: PictureMedia | None, is_conference: Callable[[], bool],
                 offer_again: Callable[[], Awaitable[int]], display: str | None = None) -> None:
        self.publish: Callable[[Share | None], None] = lambda share: None
        self.tell: Callable[[str], None] = lambda text: None
        self.on_chosen: Callable[[Choice], None] = lambda choice: None
        self.share: Share | None = None
        self._floors, self._pictures, self._is_conference, self._offer_again = floors, pictures, is_conference, offer_again
        self._display = display
        self._sharing: Sharing | None = None
        self._starting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._figures = (0, 0)
        self._stopping = asyncio.Lock()
        self._is_closed = False
        floors.listeners.append(self._on_floor_event)
        if pictures is not None:
            pictures.on_slides = self._see

    @property
    def figures(self) -> tuple[int, int]:
        """Pictures that were taken of our screen, and coded, in this share or the last one."""
        return self._figures if self._sharing is None else self._sharing.figures

    @property
    def is_running(self) -> bool:
        """Whether our screen is sent."""
        return self._sharing is not None and self._sharing.is_running

    # ---- what the user does

    def begin(self, publish: Callable[[Share | None], None], tell: Callable[[str], None]) -> None:
        """Somebody wants to know from now on."""
        self.publish, self.tell = publish, tell
        publish(self.share)

    def start(self, choice: Choice, title: str = "") -> None:
        """Share; what comes of it is published and told."""
        if not _is_under_way(self._starting):
            self._starting = self._run(self._start(choice, title))

    def stop(self) -> None:
        """Share no more, or ask no more."""
        if self._starting is not None:
            self._starting.cancel()
        self._run(self._stop())

    def close(self) -> None:
        """The call is over."""
        self._is_closed = True
        for task in list(self._tasks):
            task.cancel()
        sharing, self._sharing = self._sharing, None
        if sharing is not None:
            sharing.stop(0.0)
        if self._pictures is not None:
            self._pictures.on_slides = lambda shown: None

    # ---- ours

    @property
    def _has_line(self) -> bool:
        """Whether the call has a line of slides. One between two has none; the desktop can be asked for all the same."""
        return self._pictures is not None and _takes_slides(self._pictures.negotiated.get(SLIDES))

    @property
    def _is_shown(self) -> bool:
        """Whether our screen is shared, with pictures or without."""
        return self.share is not None and self.share.is_own and not self.share.is_asked

    @property
    def _is_wanted(self) -> bool:
        """Whether our screen is shared, or about to be."""
        return self._is_shown or _is_under_way(self._starting)

    async def _start(self, choice: Choice, title: str) -> None:
        pictures = self._pictures
        async with self._stopping:                              # what is being ended comes to its end first
            pass
        try:
            await asyncio.to_thread(_try_out, choice, self._display)
            if not self._has_line and not self._floors.is_there:
                raise CallFailed(NO_LINE)
            self._show(Share(is_own=True, is_asked=True, title=title))
            await self._ask_for_floor()
            self.on_chosen(choice)
            if pictures is not None and self._has_line:
                await self._open(pictures)
                self._begin_sharing(pictures, choice)
        except PhoneError as error:
            self.tell(str(error))
            await self._stop()
            return
        self._show(Share(is_own=True, title=title))

    async def _ask_for_floor(self) -> None:
        if not self._floors.is_there and not self._is_conference():
            return
        for _ in range(FLOOR_TRIES):
            if self._floors.is_there and self._floors.standing(SCREEN) is None:
                break
            await asyncio.sleep(FLOOR_PAUSE_S)
        standing = await self._floors.ask(SCREEN)
        if standing.status is not Status.GRANTED:
            raise CallFailed(f"Your screen is not shared: {standing.reason or 'it was refused'}")

    async def _open(self, pictures: PictureMedia) -> None:
        if pictures.set_sent(SLIDES, True) and (status := await self._offer_again()) != 200:
            raise CallFailed(f"Your screen is not shared: the other side refused ({status})", status)
        if not pictures.may_send(SLIDES):
            raise CallFailed(NO_LINE)

    def _begin_sharing(self, pictures: PictureMedia, choice: Choice) -> None:
        agreed = pictures.negotiated[SLIDES].formats[0]
        settings = ShareSettings(agreed.name.lower(), agreed.mode, choice.frame_rate, max_macroblocks=agreed.max_macroblocks)
        loop = asyncio.get_running_loop()

        def on_ended(reason: str) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._on_ended, sharing, reason)

        pictures.want(SLIDES, START_BPS)
        sharing = self._sharing = Sharing(lambda: open_source(choice, self._display), settings, _Line(pictures), on_ended)
        sharing.start()

    def _on_ended(self, sharing: Sharing, reason: str) -> None:
        """The pictures came to an end by themselves: the window was closed, the screen has gone."""
        if sharing is self._sharing and reason:
            self.tell(reason)
            self._run(self._stop())

    async def _stop(self) -> None:
        async with self._stopping:
            await self._end()

    async def _end(self) -> None:
        sharing, self._sharing = self._sharing, None
        if sharing is not None:
            await asyncio.to_thread(sharing.stop)
            self._figures = sharing.figures
        self._floors.release(SCREEN)
        if self.share is not None and self.share.is_own:
            self._show(self._of_another())
        if self._pictures is not None and self._pictures.set_sent(SLIDES, False):
            try:
                await self._offer_again()
            except CallFailed as error:
                log.info("the end of a share could not be offered", extra={"reason": str(error)})

    # ---- what floor control tells

    def _on_floor_event(self, event: FloorEvent) -> None:
        if self._is_closed:
            return
        match event:
            case Standing(floor, Status.REVOKED, reason) if floor == SCREEN and self._is_shown:
                self.tell(f"Your screen is not shared any more: {reason or 'the host has ended it'}")
                self.stop()
            case Standing(floor) if floor == SCREEN and not event.is_over and not self._is_wanted:
                self._floors.release(SCREEN)                    # asked for, and given up before there was an answer
            case HolderChanged(floor, _, is_ours) if floor == SCREEN and not is_ours:
                if self.share is None or not self.share.is_own:
                    self._show(self._of_another())

    def _of_another(self) -> Share | None:
        holder = self._floors.holders.get(SCREEN)
        if holder is None or holder.user_id == self._floors.user_id or not self._has_line:
            return None
        return Share(holder.name or holder.uri, view=LatestPicture())

    def _see(self, shown: Shown) -> None:
        """A picture of another's screen, in the reading thread."""
        share = self.share
        if share is not None and share.view is not None:
            share.view.put(shown.picture)

    def _show(self, share: Share | None) -> None:
        if share != self.share and not self._is_closed:
            self.share = share
            self.publish(share)

    def _run(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sharing failed", exc_info=error)


class _Line:
    """The slides of a call's pictures, as the thread that makes them sees them."""

    def __init__(self, pictures: PictureMedia) -> None:
        self._pictures = pictures

    def takes_key_frame(self) -> bool:
        """See SlidesLine."""
        return self._pictures.takes_key_frame(SLIDES)

    def bitrate_bps(self) -> int:
        """See SlidesLine."""
        return self._pictures.bitrate_for(SLIDES)

    def send(self, slide: CodedSlide) -> None:
        """See SlidesLine."""
        if self._pictures.may_send(SLIDES):
            self._pictures.send_coded(SLIDES, slide.data, slide.taken_ns)


def _is_under_way(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done() and not task.cancelling()


def _takes_slides(agreed: NegotiatedVideo | None) -> bool:
    return agreed is not None and agreed.remote is not None and bool(agreed.formats)


def _try_out(choice: Choice, display: str | None) -> None:
    """Raises PhoneError where nothing could be shared, before anybody is asked."""
    source = open_source(choice, display)
    try:
        source.size()
    finally:
        source.close()
