"""A test picture that says who sent it and when: a code of black and white fields, which a program reads from what it gets.

The fields are large enough to be read after encoding, scaling and composing (they take the place of the colour bars that a
person would look at); the count is in the unit of the sender's choice, pictures or ms, as RTP timestamps are (RFC 3550 §5.1).
"""

from __future__ import annotations

import numpy as np

from rtp.codecs.i420 import Picture, Plane

COLUMNS, ROWS = 10, 4
"""Of fields: eight bits a row between two of a fixed colour: who, the count's two bytes, a sum of checks."""
LEFT, TOP, WIDTH, HEIGHT = 0.1, 0.15, 0.8, 0.5
"""Where the fields are, as shares of the picture."""
DARK, LIGHT = 40, 215
_MIDDLE = (DARK + LIGHT) // 2


def draw(picture: Picture, who: int, count: int) -> None:
    """Draw the code of a number of 8 bits and a count, of which 16 bits are kept, into a picture of at least 80×40."""
    picture.fill(90, 90 + who * 37 % 70, 100 + who * 53 % 60)
    values = (who & 0xFF, count >> 8 & 0xFF, count & 0xFF)
    for row, value in enumerate((*values, _check(values))):
        _draw_row(picture.y, row, value)
    left = count * 4 % max(1, picture.width - 16)
    picture.y[-picture.height // 6:, left:left + 16] = LIGHT


def _check(values: tuple[int, ...]) -> int:
    check = 0x5A
    for value in values:
        check = (check * 3 + value) & 0xFF
    return check


def _draw_row(y: Plane, row: int, value: int) -> None:
    bits = (1, *(value >> shift & 1 for shift in range(7, -1, -1)), 0)
    for column, bit in enumerate(bits):
        top, left, bottom, right = _field(y.shape[0], y.shape[1], row, column)
        y[top:bottom, left:right] = LIGHT if bit else DARK


def _field(height: int, width: int, row: int, column: int) -> tuple[int, int, int, int]:
    across, down = WIDTH / COLUMNS, HEIGHT / ROWS
    return (round(height * (TOP + row * down)), round(width * (LEFT + column * across)),
            round(height * (TOP + (row + 1) * down)), round(width * (LEFT + (column + 1) * across)))


def read(y: Plane) -> tuple[int, int] | None:
    """(who, count) of the code in a plane of luma, or in the part of it that holds one picture; None where there is none."""
    height, width = y.shape
    if height < 20 or width < 40:
        return None
    values = []
    for row in range(ROWS):
        means = []
        for column in range(COLUMNS):
            top, left, bottom, right = _field(height, width, row, column)
            down, across = (bottom - top) // 4, (right - left) // 4
            means.append(float(np.mean(y[top + down:bottom - down, left + across:right - across])))
        if means[0] < _MIDDLE + 30 or means[-1] > _MIDDLE - 30:
            return None
        values.append(sum(1 << 7 - index for index, mean in enumerate(means[1:-1]) if mean > _MIDDLE))
    if values[3] != _check((values[0], values[1], values[2])):
        return None
    return values[0], values[1] << 8 | values[2]
