"""What a room's composer does: who is watched, who shares a stream, what happens when a worker dies."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator, Sequence

import pytest

from mcu.engine.composing import Face, Format, Scene, Viewer
from mcu.picture.composing import RATE_CLASSES, RoomComposer
from mcu.picture.layout import Layout
from mcu.picture.messages import (
    AddOutput,
    CloseStudio,
    OpenStudio,
    PictureCommand,
    PutSource,
    RemoveOutput,
    SetScene,
    SourceKind,
)

pytestmark = pytest.mark.loopback
H264, H264_SINGLE, VP8 = ("h264", 1), ("h264", 0), ("vp8", 0)


class Worker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[PictureCommand] = []

    def send(self, command: PictureCommand, descriptors: Sequence[int] = ()) -> None:
        """See WorkerLine."""
        for descriptor in descriptors:
            os.fstat(descriptor)
        self.told.append(command)

    def of(self, kind: type) -> list[PictureCommand]:
        """The commands of a kind."""
        return [one for one in self.told if isinstance(one, kind)]


class Room:
    """A stage that keeps what is done on it."""

    room_id = 5

    def __init__(self) -> None:
        self.watched: dict[int, int] = {}
        self.composed: dict[int, Format] = {}
        self.assigned: dict[int, int | None] = {}
        self.is_open = False
        self._last = 1000

    def open_port(self, sock: socket.socket) -> int:
        """See Stage."""
        self.is_open = True
        return 1

    def watch(self, port_id: int, producer_id: int) -> int:
        """See Stage."""
        self._last += 1
        self.watched[self._last] = producer_id
        return self._last

    def unwatch(self, ssrc: int) -> None:
        """See Stage."""
        self.watched.pop(ssrc, None)

    def compose(self, port_id: int, ssrc: int, kind: Format) -> int:
        """See Stage."""
        self._last += 1
        self.composed[self._last] = kind
        return self._last

    def dissolve(self, producer_id: int) -> None:
        """See Stage."""
        self.composed.pop(producer_id, None)
        self.assigned = {one: other for one, other in self.assigned.items() if other != producer_id}

    def assign(self, participant: int, producer_id: int | None) -> None:
        """See Stage."""
        assert producer_id is None or producer_id in self.composed
        self.assigned[participant] = producer_id

    def close_port(self, port_id: int) -> None:
        """See Stage."""
        self.is_open = False


class Desk:
    """A composer between a room and a worker."""

    def __init__(self) -> None:
        self.room, self.worker = Room(), Worker()
        self.ended = 0
        self.composer = RoomComposer(self.room, self.worker, self._end)

    def _end(self) -> None:
        self.ended += 1


LOOKER = Viewer(200, (H264,))
"""Somebody who only looks on."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A composer, closed at the end."""
    made = Desk()
    made.composer.serve((LOOKER,))
    yield made
    made.composer.close()
    made.composer.close()
    assert made.ended == 1 and not made.room.is_open
    assert isinstance(made.worker.told[-1], CloseStudio) or not made.worker.told


def faces(count: int, silent: int = 0) -> tuple[Face, ...]:
    """People with a picture, then people without."""
    return tuple(Face(number, f"Person {number}", number <= count) for number in range(1, count + silent + 1))


def test_equal_viewers_share_a_stream_and_others_do_not(desk: Desk) -> None:
    desk.composer.show(Scene(faces(3)))
    desk.composer.serve((Viewer(1, (H264, VP8)), Viewer(2, (H264,)), Viewer(3, (VP8,)), Viewer(4, (H264_SINGLE,)),
                         Viewer(5, (H264,), max_macroblocks=396)))
    assert desk.room.assigned[1] == desk.room.assigned[2]
    assert len(set(desk.room.assigned.values())) == 4
    assert sorted(desk.room.composed.values()) == [H264_SINGLE, H264, H264, VP8]
    sizes = {one.output.width for one in desk.worker.of(AddOutput) if isinstance(one, AddOutput)}
    assert sizes == {1280, 352}


def test_a_stream_that_nobody_sees_any_more_ends(desk: Desk) -> None:
    desk.composer.serve((Viewer(1, (H264,)), Viewer(2, (VP8,))))
    desk.composer.serve((Viewer(1, (H264,)),))
    assert list(desk.room.composed.values()) == [H264]
    assert len(desk.worker.of(RemoveOutput)) == 1


def test_a_viewer_who_takes_nothing_that_we_make_is_left_alone(desk: Desk) -> None:
    desk.composer.serve((Viewer(1, ()),))
    assert desk.room.assigned == {}


def test_only_those_who_are_seen_are_watched_and_who_speaks_is_seen(desk: Desk) -> None:
    desk.composer.show(Scene(faces(12, 3)))
    assert sorted(desk.room.watched.values()) == list(range(1, 10))
    desk.composer.show(Scene(faces(12, 3), speakers=(12, 14)))
    assert len(desk.room.watched) == 8 and 12 in desk.room.watched.values()
    scene = desk.worker.of(SetScene)[-1]
    assert isinstance(scene, SetScene) and scene.scene.main == 12 and {12, 14} <= set(scene.scene.seats)


def test_while_nobody_looks_nobody_is_watched(desk: Desk) -> None:
    desk.composer.serve(())
    desk.composer.show(Scene(faces(2), slides=70, sharer=1))
    assert desk.room.watched == {}
    desk.composer.serve((LOOKER,))
    assert sorted(desk.room.watched.values()) == [1, 2, 70]
    desk.composer.serve(())
    assert desk.room.watched == {} and desk.room.composed == {}


def test_a_camera_that_is_switched_off_is_watched_no_more(desk: Desk) -> None:
    desk.composer.show(Scene((Face(1, "A", True),)))
    desk.composer.show(Scene((Face(1, "A", False),)))
    assert desk.room.watched == {}
    last = desk.worker.of(PutSource)[-1]
    assert isinstance(last, PutSource) and last.kind is SourceKind.AVATAR


def test_slides_are_watched_while_they_are_shared(desk: Desk) -> None:
    desk.composer.show(Scene(faces(2), slides=70, sharer=2))
    assert sorted(desk.room.watched.values()) == [1, 2, 70]
    named = desk.worker.of(PutSource)[-1]
    assert isinstance(named, PutSource) and (named.source_id, named.name) == (70, "Person 2")
    desk.composer.show(Scene(faces(2)))
    assert sorted(desk.room.watched.values()) == [1, 2]


def test_another_layout_makes_other_streams_and_who_speaks_gets_one_of_their_own(desk: Desk) -> None:
    desk.composer.show(Scene(faces(3), speakers=(2, 3)))
    desk.composer.serve(tuple(Viewer(number, (H264,)) for number in (1, 2, 3)))
    assert len(desk.room.composed) == 1
    desk.composer.set_layout(Layout.SPEAKER)
    assert desk.room.assigned[1] == desk.room.assigned[3] != desk.room.assigned[2]
    desk.composer.show(Scene(faces(3), speakers=(3, 2)))
    assert desk.room.assigned[1] == desk.room.assigned[2] != desk.room.assigned[3]


def test_a_poor_viewer_gets_a_smaller_picture_and_the_others_keep_theirs(desk: Desk) -> None:
    desk.composer.show(Scene(faces(2)))
    desk.composer.serve((Viewer(1, (H264,)), Viewer(2, (H264,))))
    before = desk.room.assigned[1]
    desk.composer.follow(2, 300_000)
    assert desk.room.assigned[1] == before != desk.room.assigned[2]
    small = desk.worker.of(AddOutput)[-1]
    assert isinstance(small, AddOutput) and small.output.bitrate_bps == 260_000
    desk.composer.follow(2, 1_400_000)
    assert desk.room.assigned[2] != before, "not all of it fits"
    desk.composer.follow(2, 1_500_000)
    assert desk.room.assigned[2] == before
    desk.composer.follow(2, 1_400_000)
    assert desk.room.assigned[2] == before


def test_no_estimate_is_too_small_or_too_large(desk: Desk) -> None:
    desk.composer.serve((Viewer(1, (H264,)),))
    for estimate_bps in (0, 1, 10 ** 13):
        desk.composer.follow(1, estimate_bps)
        assert desk.room.assigned[1] in desk.room.composed
    desk.composer.follow(99, 1)


def test_the_successor_of_a_worker_learns_everything_and_viewers_get_new_streams(desk: Desk) -> None:
    desk.composer.show(Scene(faces(2, 1), speakers=(2,)))
    desk.composer.serve((Viewer(1, (H264,)), Viewer(2, (VP8,))))
    before = dict(desk.room.assigned)
    other = Worker()
    desk.composer.recover(other)
    kinds = [type(command) for command in other.told]
    assert kinds[0] is OpenStudio and kinds.count(PutSource) == 3 and SetScene in kinds and kinds.count(AddOutput) == 2
    assert set(desk.room.assigned.values()).isdisjoint(before.values())
    assert sorted(desk.room.composed) == sorted(one for one in desk.room.assigned.values() if one)
    assert sorted(desk.room.watched.values()) == [1, 2]
    desk.worker = other


def test_who_takes_two_workers_along_is_shown_as_an_avatar_and_nobody_else(desk: Desk) -> None:
    desk.composer.show(Scene(faces(3)))
    desk.composer.serve((Viewer(1, (H264,)),))
    for _ in range(2):
        desk.worker = Worker()
        desk.composer.recover(desk.worker, blamed=2)
    assert sorted(desk.room.watched.values()) == [1, 3]
    desk.composer.show(Scene(faces(3), speakers=(2,)))
    assert sorted(desk.room.watched.values()) == [1, 3]
    desk.composer.show(Scene(tuple(face for face in faces(3) if face.participant != 2)))
    desk.composer.show(Scene(faces(3)))
    assert sorted(desk.room.watched.values()) == [1, 2, 3], "who comes again is given another chance"


def test_while_no_worker_lives_viewers_see_who_speaks_and_then_the_room_again(desk: Desk) -> None:
    desk.composer.show(Scene(faces(2)))
    desk.composer.serve((Viewer(1, (H264,)), Viewer(2, (VP8,))))
    before = dict(desk.room.assigned)
    desk.composer.rely_on(False)
    desk.composer.set_layout(Layout.SPEAKER)
    assert (desk.room.assigned.get(1), desk.room.assigned.get(2)) == (None, None)
    desk.composer.rely_on(True)
    assert set(desk.room.assigned.values()).isdisjoint(before.values()) and desk.room.assigned[1] != desk.room.assigned[2]


def test_rate_classes_fall_in_every_measure() -> None:
    for better, worse in itertools.pairwise(RATE_CLASSES):
        assert better.bitrate_bps > worse.bitrate_bps
        assert better.width * better.height * better.frame_rate > worse.width * worse.height * worse.frame_rate
        assert better.bitrate_bps < 1.5 * worse.bitrate_bps, "what an estimate may grow to while the worse one is sent"
