"""Who is seen in a composed picture, and where: seats that keep their places, taken by who speaks. Pure.

A person who speaks and has no seat takes that of whoever has been silent longest, of those without a picture first.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcu.engine.composing import Face
from mcu.picture.layout import MAX_TILES


def seated(before: Sequence[int], faces: Sequence[Face], speakers: Sequence[int], count: int = MAX_TILES) -> tuple[int, ...]:
    """The participants in their places, in order.

    before: who sat where until now; faces: who is there, in the order of joining; speakers: who speaks or spoke last, the
    latest first.
    """
    has_picture = {face.participant: face.has_picture for face in faces}
    seats = [one for one in before if one in has_picture][:count]
    silence = {one: place for place, one in enumerate(speakers)}
    waiting = sorted((one for one in has_picture if one not in seats), key=lambda one: not has_picture[one])
    seats += waiting[:count - len(seats)]
    for one in [*speakers[:count], *(one for one in waiting if has_picture[one])]:
        if one in has_picture and one not in seats:
            _take_seat(one, seats, speakers[:count], has_picture, silence)
    return tuple(seats)


def _take_seat(one: int, seats: list[int], speakers: Sequence[int], has_picture: dict[int, bool],
               silence: dict[int, int]) -> None:
    """Who speaks takes the seat of the most silent, who only has a picture that of somebody without one."""
    free = [other for other in seats if other not in speakers]
    without = [other for other in free if not has_picture[other]]
    if among := without or (free if one in speakers else []):
        quietest = max(among, key=lambda other: silence.get(other, len(silence)))
        seats[seats.index(quietest)] = one
