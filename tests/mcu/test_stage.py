"""Who is shown in which place: who speaks, who is pinned, who stays, and whose codec fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcu.engine import stage
from mcu.engine.stage import HOLD_S, Place, Source, Speakers, fits, in_order

H264, SINGLE, VP8 = (97, "h264", 1), (98, "h264", 0), (96, "vp8", 0)
ALL = (H264, SINGLE, VP8)


def face(number: int, *formats: tuple[int, str, int]) -> Source:
    return Source(number, number, False, formats or ALL)


def screen(number: int, of: int) -> Source:
    return Source(number, of, True, ALL)


def places(count: int, viewer: int = 99, *, with_slides: bool = False) -> list[Place]:
    mains = [Place(1000 + number, viewer, False, ALL) for number in range(count)]
    return mains + ([Place(2000, viewer, True, ALL)] if with_slides else [])


def arrange(places: list[Place], sources: list[Source], shown: dict[int, int], recent: list[int],
            pinned: tuple[int, ...] | list[int] = ()) -> dict[int, tuple[int, int]]:
    """The whole decision for one viewer."""
    return stage.arrange(places, in_order(sources, recent), shown, pinned)


def shown(wanted: dict[int, tuple[int, int]]) -> dict[int, int]:
    return {slot: producer for slot, (producer, _) in wanted.items()}


def test_everybody_but_oneself_is_shown_while_there_is_room() -> None:
    wanted = arrange(places(4, viewer=2), [face(1), face(2), face(3)], {}, [])
    assert sorted(shown(wanted).values()) == [0, 0, 1, 3]


def test_who_speaks_takes_the_place_of_the_longest_silent_and_others_stay() -> None:
    sources = [face(number) for number in range(1, 6)]
    before = shown(arrange(places(3), sources, {}, [1, 2, 3]))
    after = shown(arrange(places(3), sources, before, [5, 1, 2, 3]))
    assert set(after.values()) == {5, 1, 2}
    assert {slot for slot in before if before[slot] != after[slot]} == {slot for slot in before if before[slot] == 3}


def test_a_pinned_picture_comes_first_and_has_the_best_rank() -> None:
    sources = [face(number) for number in range(1, 6)]
    wanted = arrange(places(2), sources, {}, [1, 2, 3], pinned=(5,))
    assert set(shown(wanted).values()) == {5, 1}
    assert min(wanted.values(), key=lambda one: one[1])[0] == 5


def test_slides_go_to_their_place_before_all_faces() -> None:
    wanted = arrange(places(2, with_slides=True), [face(1), screen(50, 1)], {}, [])
    assert wanted[2000] == (50, 0) and set(shown(wanted).values()) == {0, 1, 50}


def test_a_phone_with_one_line_sees_slides_in_it() -> None:
    assert set(shown(arrange(places(1), [face(1), screen(50, 1)], {}, [1])).values()) == {50}
    assert set(shown(arrange(places(1, viewer=1), [face(1), face(2), screen(50, 1)], {}, [1])).values()) == {2}


def test_a_place_that_takes_no_source_stays_empty() -> None:
    place = Place(1, 99, False, (VP8,))
    assert shown(arrange([place], [face(1, H264)], {}, [1])) == {1: 0}
    assert shown(arrange([place], [face(1, H264), face(2, VP8)], {}, [1])) == {1: 2}


def test_mode_1_does_not_fit_a_receiver_of_mode_0_and_the_other_way_round_it_does() -> None:
    assert not fits(face(1, H264), Place(1, 9, False, (SINGLE,)))
    assert fits(face(1, SINGLE), Place(1, 9, False, (H264,)))


@given(st.lists(st.integers(1, 12), unique=True), st.lists(st.integers(1, 12), unique=True), st.integers(0, 9),
       st.lists(st.integers(1, 12), max_size=3, unique=True))
def test_nobody_is_shown_twice_and_a_second_look_changes_nothing(present: list[int], recent: list[int], count: int,
                                                                 pinned: list[int]) -> None:
    sources = [face(number) for number in present]
    once = arrange(places(count, viewer=12), sources, {}, recent, pinned)
    numbers = [producer for producer, _ in once.values() if producer]
    assert len(numbers) == len(set(numbers)) == min(count, len([one for one in present if one != 12]))
    assert arrange(places(count, viewer=12), sources, shown(once), recent, pinned) == once


def test_a_cough_brings_nobody_forward() -> None:
    speakers = Speakers()
    assert speakers.hear([1], 0.0) and speakers.recent == [1]                    # the first one at once
    assert not speakers.hear([2], 10.0) and not speakers.hear([], 10.0 + HOLD_S / 2)
    assert not speakers.advance(20.0) and speakers.recent == [1]
    assert not speakers.hear([1, 2], 30.0)
    assert speakers.advance(30.0 + HOLD_S) and set(speakers.recent[:2]) == {1, 2}
    assert not speakers.advance(40.0)                                           # two who talk at once don't take turns
    speakers.forget(2)
    assert speakers.recent == [1]
