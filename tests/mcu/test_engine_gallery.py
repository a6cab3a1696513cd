"""A room's gallery and who composes for it, over the death of a media worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mcu.engine.base import Engine
from mcu.engine.composing import COMPOSED_TYPES, Scene, Stage, Viewer
from mcu.engine.gallery import Gallery
from mcu.engine.ports import PortRange, local_pair
from mcu.engine.settings import EngineSettings
from mcu.engine.stage import Place, Source
from mcu.video_messages import AddProducer, AddSlot, ShowProducer
from rtp.kernel import ProducerSpec, SlotSpec

pytestmark = pytest.mark.loopback
PHONE, SLOT = 5, 500


class Composer:
    """One that makes one stream and lets everybody see it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.scenes: list[Scene] = []
        self.near, self.far = local_pair()
        self.port_id = stage.open_port(self.near)
        self.producer_id = stage.compose(self.port_id, 77, ("h264", 1))

    def show(self, scene: Scene) -> None:
        """See Composer."""
        self.scenes.append(scene)

    def serve(self, viewers: tuple[Viewer, ...]) -> None:
        """See Composer."""
        for viewer in viewers:
            self.stage.assign(viewer.participant, self.producer_id)

    def follow(self, participant: int, estimate_bps: int) -> None:
        """See Composer."""

    def set_layout(self, layout: str) -> None:
        """See Composer."""

    def close(self) -> None:
        """See Composer."""
        self.far.close()


class Room:
    """A gallery with one phone that has one line of pictures; `told`: what the worker was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.composers: list[Composer] = []
        engine = Engine(EngineSettings(), PortRange(20000, 20099), lambda notice: None, "room", compose=self._compose)
        self.gallery = Gallery(7, engine, self._send)
        self.join()
        self.gallery.set_viewer(PHONE, Viewer(PHONE, (("h264", 1),)))
        self.gallery.describe(PHONE, "Anna")

    def _compose(self, stage: Stage) -> Composer:
        self.composers.append(Composer(stage))
        return self.composers[-1]

    def _send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        self.told.append(message)

    def join(self) -> None:
        """The phone brings its place."""
        self.gallery.add_place(Place(SLOT, PHONE, False, COMPOSED_TYPES), SlotSpec(SLOT, 50, 1, 1, 1, COMPOSED_TYPES))
        self.gallery.arrange()

    def shown(self) -> list[int]:
        """What the phone's place was told to show."""
        return [one.producer_id for one in self.told if isinstance(one, ShowProducer) and one.slot_id == SLOT]


@pytest.fixture
def room() -> Iterator[Room]:
    """A room, closed at the end."""
    made = Room()
    yield made
    made.gallery.close()


def test_a_phone_with_one_line_is_shown_what_is_composed(room: Room) -> None:
    assert room.shown()[-1] == room.composers[0].producer_id
    assert [face.name for face in room.composers[0].scenes[-1].faces] == ["Anna"]


def test_a_fresh_worker_is_told_to_show_a_composed_stream_once_it_knows_it(room: Room) -> None:
    room.told.clear()
    room.gallery.begin_again()
    room.join()
    room.gallery.restore()
    composed = room.composers[0].producer_id
    known = max(place for place, one in enumerate(room.told) if isinstance(one, AddProducer | AddSlot))
    last = max(place for place, one in enumerate(room.told) if isinstance(one, ShowProducer) and one.slot_id == SLOT)
    assert last > known and room.shown()[-1] == composed


def test_a_camera_that_comes_back_is_watched_as_before(room: Room) -> None:
    source, spec = Source(9, 9, False, COMPOSED_TYPES), ProducerSpec(9, 90, COMPOSED_TYPES)
    room.gallery.add_source(source, spec)
    ssrc = room.gallery.watch(room.composers[0].port_id, 9)
    room.gallery.remove_source(9)
    room.told.clear()
    room.gallery.add_source(source, spec)
    assert [type(one) for one in room.told] == [AddProducer, ShowProducer]
    assert (room.told[1].slot_id, room.told[1].producer_id) == (ssrc, 9)


def test_who_speaks_is_told_also_when_nobody_comes_forward(room: Room) -> None:
    room.gallery.hear([PHONE])
    room.gallery.hear([])
    assert [scene.speaking for scene in room.composers[0].scenes[-2:]] == [(PHONE,), ()]
