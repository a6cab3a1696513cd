"""What control holds of a room's composed pictures (`mcu.engine.composing.Composer`): who is seen, who sees what.

It sits between a picture worker, which composes, and the room, whose forwarder brings the streams of who is seen and takes the
composed ones to their viewers. Equal viewers share a stream: one for each layout, codec, mode, size and rate. All calls return
at once; all that a worker knows is known here too, so that another can go on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mcu.engine import composing
from mcu.engine.composing import Stage, Viewer
from mcu.engine.ports import local_pair
from mcu.picture.layout import Layout
from mcu.picture.messages import (
    AddOutput,
    CloseStudio,
    OpenStudio,
    Output,
    PictureCommand,
    PutSource,
    RemoveOutput,
    RemoveSource,
    Scene,
    SetScene,
    SourceKind,
)
from mcu.picture.seating import seated

MAX_STRIKES = 2
"""A source whose pictures took so many workers along is shown as an avatar from then on."""
TEST_ID = 1004
"""The source that is the test picture, which goes with that tone."""
LENIENCE = 1.1
"""So much more than its estimate a viewer may be sent (`rtp.allocation`) before it gets less; more it gets once all of it fits.
"""


@dataclass(frozen=True, slots=True)
class RateClass:
    """What a composed picture is like at a rate: the size it is drawn in, pictures a second."""

    bitrate_bps: int
    width: int
    height: int
    frame_rate: int


RATE_CLASSES = (
    RateClass(1_500_000, 1280, 720, 30),
    RateClass(1_050_000, 960, 540, 30),
    RateClass(750_000, 640, 480, 30),
    RateClass(520_000, 480, 360, 30),
    RateClass(370_000, 352, 288, 30),
    RateClass(260_000, 352, 288, 20),
    RateClass(180_000, 320, 240, 15),
    RateClass(128_000, 176, 144, 15),
    RateClass(90_000, 176, 144, 10),
)
"""The best first: 720p for level 3.1 (RFC 6184's 42e01f), and what older levels of H.264 take (ITU-T H.264 table A-6:
level 2.2, 1.2 and 1). The last is what those get who take nothing. No step is larger than an estimate may grow above what is
sent."""


def takes(viewer: Viewer, rate: RateClass) -> bool:
    """Whether a viewer's decoder and line can take that."""
    macroblocks = -(-rate.width // 16) * -(-rate.height // 16)
    limits = ((macroblocks, viewer.max_macroblocks), (rate.bitrate_bps, viewer.limit_bps),
              (rate.frame_rate, viewer.max_frame_rate))
    return all(not limit or needed <= limit for needed, limit in limits)


class WorkerLine(Protocol):
    """The way to a picture worker."""

    def send(self, command: PictureCommand, descriptors: Sequence[int] = ()) -> None:
        """Send a command, never waiting."""


@dataclass(slots=True)
class _Source:
    """What a picture worker knows of a person or a shared screen. producer_id: of what they show, 0 for none."""

    put: PutSource
    producer_id: int


@dataclass(slots=True)
class _Seat:
    """A viewer with what they are sent."""

    viewer: Viewer
    rate: RateClass
    output_id: int = 0


@dataclass(slots=True)
class _Stream:
    """A composed stream, and the producer under which the room knows it."""

    output: Output
    producer_id: int


class RoomComposer:
    """The composed pictures of one room. on_close: called once, at its end."""

    def __init__(self, stage: Stage, worker: WorkerLine, on_close: Callable[[], object]) -> None:
        self.studio_id = stage.room_id
        self.layout = Layout.GALLERY
        self._stage, self._worker = stage, worker
        self._on_close = on_close
        self._scene = composing.Scene()
        self._shown = Scene()
        self._seats: tuple[int, ...] = ()
        self._sources: dict[int, _Source] = {}
        self._viewers: dict[int, _Seat] = {}
        self._streams: dict[int, _Stream] = {}
        self._strikes: dict[int, int] = {}
        self._last_id = 0
        self._near, self._far = local_pair()
        self._port_id = stage.open_port(self._near)
        self._is_open = self._has_worker = True
        self._begin_studio()

    def _begin_studio(self) -> None:
        self._worker.send(OpenStudio(self.studio_id, secrets.randbits(32)), (self._far.fileno(),))

    # ---- what the room says

    def show(self, scene: composing.Scene) -> None:
        """The scene is another one."""
        self._scene = scene
        self._settle()

    def set_layout(self, layout: str) -> None:
        """Show the room another way, to all. Raises ValueError for one that there is not."""
        if layout != self.layout:
            self.layout = Layout(layout)
            self._settle()

    def serve(self, viewers: tuple[Viewer, ...]) -> None:
        """These want a picture, and no others."""
        was_idle = not self._viewers
        wanted = {viewer.participant: viewer for viewer in viewers if viewer.formats}
        self._viewers = {one: seat for one, seat in self._viewers.items() if one in wanted}
        for participant, viewer in wanted.items():
            seat = self._viewers.get(participant)
            if seat is None or seat.viewer != viewer:
                best = next((rate for rate in RATE_CLASSES if takes(viewer, rate)), RATE_CLASSES[-1])
                self._viewers[participant] = _Seat(viewer, best, 0 if seat is None else seat.output_id)
        if was_idle == bool(self._viewers):
            self._settle()
        self._assign()

    def follow(self, participant: int, estimate_bps: int) -> None:
        """What the path to a viewer takes by the newest estimate; an unknown one is no error."""
        seat = self._viewers.get(participant)
        if seat is None:
            return
        fitting = [rate for rate in RATE_CLASSES if takes(seat.viewer, rate)] or [RATE_CLASSES[-1]]
        now_bps = seat.rate.bitrate_bps
        affordable = [rate for rate in fitting
                      if estimate_bps >= rate.bitrate_bps / (1 if rate.bitrate_bps > now_bps else LENIENCE)]
        seat.rate = affordable[0] if affordable else fitting[-1]
        self._assign()

    def close(self) -> None:
        """End it all; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            self._worker.send(CloseStudio(self.studio_id))
            self._stage.close_port(self._port_id)
            self._near.close()
            self._far.close()
            self._on_close()

    # ---- who is seen

    def _settle(self) -> None:
        """Streams of those who are seen by anybody, none of others; the scene; who is in the main place sees another there."""
        scene = self._scene
        there = {face.participant for face in scene.faces}
        self._strikes = {one: count for one, count in self._strikes.items() if one in there or one == scene.slides}
        self._seats = (TEST_ID,) if scene.is_test else seated(self._seats, scene.faces, scene.speakers)
        main, before = [*(one for one in scene.speakers if one in there), 0, 0][:2]
        seen = {*self._seats, main, before} if self._viewers else set()
        wanted = {face.participant: (face.name, face.participant if face.has_picture and face.participant in seen else 0)
                  for face in scene.faces if face.participant in seen}
        if scene.slides and self._viewers:
            wanted[scene.slides] = (self._name_of(scene.sharer), scene.slides)
        if scene.is_test:
            self._sources[TEST_ID] = _Source(PutSource(self.studio_id, TEST_ID, 0, SourceKind.CHART, ""), 0)
            wanted[TEST_ID] = "", 0
            self._worker.send(self._sources[TEST_ID].put)
        for source_id in [one for one in self._sources if one not in wanted]:
            self._unwatch(self._sources.pop(source_id))
            self._worker.send(RemoveSource(self.studio_id, source_id))
        for source_id, (name, producer_id) in wanted.items():
            self._put(source_id, name, producer_id if self._strikes.get(source_id, 0) < MAX_STRIKES else 0)
        shown = Scene(self._seats, main, before, scene.slides, frozenset(scene.speaking) & there)
        if shown != self._shown:
            self._shown = shown
            self._worker.send(SetScene(self.studio_id, shown))
        self._assign()

    def _name_of(self, participant: int) -> str:
        return next((face.name for face in self._scene.faces if face.participant == participant), "")

    def _put(self, source_id: int, name: str, producer_id: int) -> None:
        source = self._sources.get(source_id)
        if source is not None and (source.put.name, source.producer_id) == (name, producer_id):
            return
        if source is not None and source.producer_id == producer_id:
            source.put = replace(source.put, name=name)
        else:
            if source is not None:
                self._unwatch(source)
            ssrc = self._stage.watch(self._port_id, producer_id) if producer_id else 0
            kind = SourceKind.STREAM if producer_id else SourceKind.AVATAR
            source = self._sources[source_id] = _Source(PutSource(self.studio_id, source_id, ssrc, kind, name), producer_id)
        self._worker.send(source.put)

    def _unwatch(self, source: _Source) -> None:
        if source.put.ssrc:
            self._stage.unwatch(source.put.ssrc)

    # ---- who sees

    def _assign(self) -> None:
        """Let every viewer have the stream that fits; one that fits nobody ends."""
        changed = [(participant, seat) for participant, seat in self._viewers.items() if self._choose(participant, seat)]
        for participant, seat in changed if self._has_worker else ():
            self._stage.assign(participant, self._streams[seat.output_id].producer_id)
        used = {seat.output_id for seat in self._viewers.values()}
        for output_id in [one for one in self._streams if one not in used]:
            self._worker.send(RemoveOutput(self.studio_id, output_id))
            self._stage.dissolve(self._streams.pop(output_id).producer_id)

    def _choose(self, participant: int, seat: _Seat) -> bool:
        """Whether it is another one than before."""
        before, wanted = seat.output_id, self._wanted(participant, seat)
        fitting = (number for number, stream in self._streams.items() if _look(stream.output) == _look(wanted))
        seat.output_id = next(fitting, 0) or self._begin_output(wanted)
        return seat.output_id != before

    def _wanted(self, participant: int, seat: _Seat) -> Output:
        codec, mode = seat.viewer.formats[0]
        scene, rate = self._shown, seat.rate
        is_for_speaker = participant == scene.main and bool(scene.before) and not scene.slides
        return Output(0, 0, 0, codec, mode, self.layout, rate.width, rate.height, rate.frame_rate, rate.bitrate_bps,
                      is_for_speaker and self.layout is not Layout.GALLERY)

    def _begin_output(self, wanted: Output) -> int:
        self._last_id += 1
        output = _numbered(wanted, self._last_id)
        producer_id = self._stage.compose(self._port_id, output.ssrc, (output.codec, output.mode))
        self._streams[output.output_id] = _Stream(output, producer_id)
        self._worker.send(AddOutput(self.studio_id, output))
        return output.output_id

    # ---- beginning again

    def rely_on(self, has_worker: bool) -> None:
        """Whether pictures can be composed at all; while they can't, viewers see who speaks, untouched."""
        if has_worker == self._has_worker:
            return
        self._has_worker = has_worker
        for participant, seat in self._viewers.items():
            self._stage.assign(participant, self._streams[seat.output_id].producer_id if has_worker else None)

    def recover(self, worker: WorkerLine, blamed: int = 0) -> None:
        """Go on with another picture worker. blamed: whose picture the one before was decoding when it died, 0 for nobody's."""
        self._worker = worker
        self._begin_studio()
        if blamed in self._sources:
            self._strikes[blamed] = self._strikes.get(blamed, 0) + 1
        for source in self._sources.values():
            worker.send(source.put)
        self._settle()
        worker.send(SetScene(self.studio_id, self._shown))
        before, self._streams = self._streams, {}
        for seat in self._viewers.values():
            seat.output_id = 0
        self._assign()
        for stream in before.values():
            self._stage.dissolve(stream.producer_id)


def _numbered(output: Output, output_id: int) -> Output:
    """An output with an id, and where its stream begins (RFC 3550 §5.1)."""
    return replace(output, output_id=output_id, ssrc=secrets.randbits(32), sequence=secrets.randbits(15))


def _look(output: Output) -> Output:
    """An output without what is its own alone: equal for those that look alike."""
    return replace(output, output_id=0, ssrc=0, sequence=0)
