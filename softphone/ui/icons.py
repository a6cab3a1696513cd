"""The icons, drawn with round strokes on a grid of 24 × 24 and scaled down smoothly; no font and no file is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PIL import Image, ImageDraw

from softphone.ui.drawing import Rgba

GRID = 24
OVERSAMPLE = 4
STROKE = 1.9
Point = tuple[float, float]


class Pen:
    """Draws in grid units on a large picture. `ink` 255 draws, 0 rubs out."""

    def __init__(self, size: int) -> None:
        self._unit = size * OVERSAMPLE / GRID
        self.mask = Image.new("L", (size * OVERSAMPLE, size * OVERSAMPLE), 0)
        self._draw = ImageDraw.Draw(self.mask)

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self._unit, top * self._unit, right * self._unit, bottom * self._unit

    def dot(self, x: float, y: float, radius: float, ink: int = 255) -> None:
        """A filled circle."""
        self._draw.ellipse(self._box(x - radius, y - radius, x + radius, y + radius), fill=ink)

    def line(self, *points: Point, width: float = STROKE, ink: int = 255) -> None:
        """A stroke through the points, with round ends and corners."""
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(scaled, fill=ink, width=max(1, round(width * self._unit)), joint="curve")
        for x, y in points:
            self.dot(x, y, width / 2, ink)

    def circle(self, x: float, y: float, radius: float, width: float = STROKE) -> None:
        """A ring; radius to the middle of the stroke."""
        outer = radius + width / 2
        self._draw.ellipse(self._box(x - outer, y - outer, x + outer, y + outer), outline=255, width=round(width * self._unit))

    def arc(self, x: float, y: float, radius: float, start: float, end: float, width: float = STROKE) -> None:
        """Part of a ring; degrees, clockwise from three o'clock."""
        outer = radius + width / 2
        self._draw.arc(
            self._box(x - outer, y - outer, x + outer, y + outer), start, end, fill=255, width=round(width * self._unit)
        )

    def box(
        self, left: float, top: float, right: float, bottom: float, radius: float = 2, *, filled: bool = False, ink: int = 255
    ) -> None:
        """A rounded rectangle."""
        stroke = round(STROKE * self._unit)
        self._draw.rounded_rectangle(
            self._box(left, top, right, bottom), radius * self._unit, fill=ink if filled else None, outline=ink, width=stroke
        )

    def area(self, points: Iterable[Point], ink: int = 255) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=ink)


def _mic(pen: Pen) -> None:
    pen.box(9, 2.5, 15, 14, 3)
    pen.arc(12, 11, 6.5, 0, 180)
    pen.line((12, 18), (12, 21.3))
    pen.line((9, 21.3), (15, 21.3))


def _mic_solid(pen: Pen) -> None:
    pen.box(8.6, 2, 15.4, 14.4, 3.4, filled=True)
    pen.arc(12, 11, 6.6, 0, 180, 2.2)
    pen.line((12, 18), (12, 21.5), width=2.4)
    pen.line((9, 21.5), (15, 21.5), width=2.4)


def _slash(pen: Pen) -> None:
    pen.line((5.5, 2.3), (22, 18.8), width=2.2, ink=0)
    pen.line((3.5, 3), (20.5, 20), width=2.1)


def _people(pen: Pen) -> None:
    pen.circle(9, 8, 3.6)
    pen.arc(9, 20.5, 6.4, 180, 360)
    pen.arc(15.6, 8, 3.6, 270, 90)
    pen.arc(15.4, 20.5, 6.4, 290, 360)


def _person(pen: Pen) -> None:
    pen.circle(12, 8, 4)
    pen.arc(12, 21.5, 7.5, 185, 355)


def _stats(pen: Pen) -> None:
    pen.line((5, 20), (5, 13), width=2.4)
    pen.line((12, 20), (12, 4.5), width=2.4)
    pen.line((19, 20), (19, 9.5), width=2.4)


def _camera(pen: Pen) -> None:
    pen.box(2.5, 6.5, 15, 17.5, 3)
    pen.line((15.2, 10.8), (21, 7.6), (21, 16.4), (15.2, 13.2))


def _camera_off(pen: Pen) -> None:
    _camera(pen)
    pen.line((3.5, 3.5), (20.5, 20.5), width=4.6, ink=0)
    pen.line((3.5, 3.5), (20.5, 20.5))


def _pin(pen: Pen) -> None:
    pen.line((8, 4), (16, 4))
    pen.line((9.5, 4.5), (9.5, 10), (6.5, 14), (17.5, 14), (14.5, 10), (14.5, 4.5))
    pen.line((12, 14), (12, 20.5))


def _keypad(pen: Pen) -> None:
    for x in (5.5, 12, 18.5):
        for y in (5.5, 12, 18.5):
            pen.dot(x, y, 1.65)


def _record(pen: Pen) -> None:
    pen.circle(12, 12, 8.5)
    pen.dot(12, 12, 4.5)


def _chat(pen: Pen) -> None:
    pen.box(3.5, 4.5, 20.5, 16.5, 3.5)
    pen.area(((7, 15.5), (7, 21), (12.5, 15.5)))
    pen.line((8, 10.5), (8.2, 10.5))
    pen.line((12, 10.5), (12.2, 10.5))
    pen.line((16, 10.5), (16.2, 10.5))


def _hand(pen: Pen) -> None:
    for x, top in ((8.2, 6.0), (11.2, 3.8), (14.2, 4.6), (17.2, 7.0)):
        pen.line((x, top), (x, 13))
    pen.line((8.2, 13), (5, 10.8), (4.2, 12.4), (8.4, 18.4), (10.5, 20.5), (14.5, 20.5), (17.2, 17.6), (17.2, 12))


def _pause(pen: Pen) -> None:
    pen.line((8.5, 5.5), (8.5, 18.5), width=3)
    pen.line((15.5, 5.5), (15.5, 18.5), width=3)


def _play(pen: Pen) -> None:
    pen.area(((8, 5), (19, 12), (8, 19)))
    pen.line((8, 5), (19, 12), (8, 19), (8, 5))


def _more(pen: Pen) -> None:
    for x in (5, 12, 19):
        pen.dot(x, 12, 1.8)


def _hang_up(pen: Pen) -> None:
    pen.arc(12, 19.5, 9.2, 214, 326, 4.6)
    pen.line((4.6, 14.2), (4.9, 15.6), width=4.2)
    pen.line((19.4, 14.2), (19.1, 15.6), width=4.2)


def _phone(pen: Pen) -> None:
    pen.line((6.2, 4.4), (5.4, 5.2), (5.6, 9), (9.4, 14.6), (15, 18.4), (18.8, 18.6), (19.6, 17.8), width=2.2)
    pen.line((6.4, 5.2), (8.2, 8.2), width=3.4)
    pen.line((15.8, 15.8), (18.8, 17.6), width=3.4)


def _plus(pen: Pen) -> None:
    pen.line((12, 5), (12, 19), width=2.4)
    pen.line((5, 12), (19, 12), width=2.4)


def _join(pen: Pen) -> None:
    pen.line((3.5, 12), (14, 12))
    pen.line((10, 7.8), (14.2, 12), (10, 16.2))
    pen.line((13, 4), (18.5, 4), (20, 5.5), (20, 18.5), (18.5, 20), (13, 20))


def _copy(pen: Pen) -> None:
    pen.box(8.5, 8.5, 20.5, 20.5, 2.5)
    pen.line((5, 15), (4, 14), (4, 5), (5, 4), (14, 4), (15, 5))


def _gear(pen: Pen) -> None:
    for points in (((12, 2.6), (12, 21.4)), ((3.9, 7.3), (20.1, 16.7)), ((3.9, 16.7), (20.1, 7.3))):
        pen.line(*points, width=3.8)
    pen.dot(12, 12, 7.6)
    pen.dot(12, 12, 5.5, 0)
    pen.dot(12, 12, 3.5)
    pen.dot(12, 12, 1.7, 0)


def _speaker(pen: Pen) -> None:
    pen.line((4, 9.5), (7.5, 9.5), (12, 5.5), (12, 18.5), (7.5, 14.5), (4, 14.5), (4, 9.5))
    pen.arc(12.5, 12, 4, 310, 50)
    pen.arc(12.5, 12, 7.8, 310, 50)


def _chevron_down(pen: Pen) -> None:
    pen.line((6, 9), (12, 15), (18, 9), width=2.3)


def _chevron_up(pen: Pen) -> None:
    pen.line((6, 15), (12, 9), (18, 15), width=2.3)


def _close(pen: Pen) -> None:
    pen.line((6, 6), (18, 18), width=2.2)
    pen.line((6, 18), (18, 6), width=2.2)


def _transfer(pen: Pen) -> None:
    pen.line((4, 19), (4, 14.5), (5.5, 11.5), (8.5, 10), (19.5, 10))
    pen.line((15, 5.2), (19.8, 10), (15, 14.8))


def _lock(pen: Pen) -> None:
    pen.box(5, 10.5, 19, 20.5, 2.5)
    pen.arc(12, 8, 4, 180, 360)
    pen.line((8, 8), (8, 10.5))
    pen.line((16, 8), (16, 10.5))
    pen.dot(12, 15.5, 1.5)


def _check(pen: Pen) -> None:
    pen.line((4.5, 12.5), (10, 18), (19.5, 7), width=2.4)


def _gallery(pen: Pen) -> None:
    for left, top in ((3.5, 4.5), (13, 4.5), (3.5, 13.5), (13, 13.5)):
        pen.box(left, top, left + 7.6, top + 6.6, 1.6)


def _speaker_view(pen: Pen) -> None:
    pen.box(3.5, 4, 20.5, 14.5, 2)
    for left in (3.5, 9.7, 15.9):
        pen.box(left, 17, left + 4.6, 20.4, 1.2, filled=True)


def _full_screen(pen: Pen) -> None:
    pen.line((4, 9), (4, 4), (9, 4))
    pen.line((15, 4), (20, 4), (20, 9))
    pen.line((20, 15), (20, 20), (15, 20))
    pen.line((9, 20), (4, 20), (4, 15))


def _help(pen: Pen) -> None:
    pen.circle(12, 12, 9)
    pen.arc(12, 9.6, 2.9, 180, 60)
    pen.line((13.3, 12.1), (12, 13.6), (12, 14.2))
    pen.dot(12, 17.2, 1.25)


def _info(pen: Pen) -> None:
    pen.circle(12, 12, 9)
    pen.dot(12, 7.7, 1.3)
    pen.line((12, 11.4), (12, 16.6))


def _warning(pen: Pen) -> None:
    pen.line((12, 3.5), (21.5, 20), (2.5, 20), (12, 3.5))
    pen.line((12, 9.5), (12, 13.8))
    pen.dot(12, 17, 1.2)


def _clock(pen: Pen) -> None:
    pen.circle(12, 12, 8.6)
    pen.line((12, 7), (12, 12), (15.5, 14))


def _back(pen: Pen) -> None:
    pen.line((20, 12), (4.5, 12))
    pen.line((10.5, 6), (4.5, 12), (10.5, 18))


def _search(pen: Pen) -> None:
    pen.circle(10.5, 10.5, 6.2)
    pen.line((15.2, 15.2), (20.5, 20.5), width=2.2)


def _shield(pen: Pen) -> None:
    pen.line((12, 2.8), (19.5, 5.6), (19.5, 11.5), (17.6, 16.6), (12, 21.2), (6.4, 16.6), (4.5, 11.5), (4.5, 5.6), (12, 2.8))


def _shield_off(pen: Pen) -> None:
    _shield(pen)
    _slash(pen)


def _mic_off(pen: Pen) -> None:
    _mic(pen)
    _slash(pen)


def _mic_solid_off(pen: Pen) -> None:
    _mic_solid(pen)
    _slash(pen)


def _share(pen: Pen) -> None:
    pen.box(3, 4, 21, 17)
    pen.line((12, 13.8), (12, 7.8))
    pen.line((9.2, 10.2), (12, 7.4), (14.8, 10.2))
    pen.line((8, 20.5), (16, 20.5))


def _share_off(pen: Pen) -> None:
    pen.box(3, 4, 21, 17)
    pen.line((9.6, 8.1), (14.4, 12.9))
    pen.line((14.4, 8.1), (9.6, 12.9))
    pen.line((8, 20.5), (16, 20.5))


def _logo(pen: Pen) -> None:
    pen.arc(12, 12, 8, 40, 320, 3.6)
    pen.dot(12, 12, 3.1)


ICONS: dict[str, Callable[[Pen], None]] = {
    "mic": _mic,
    "mic_off": _mic_off,
    "mic_solid": _mic_solid,
    "mic_solid_off": _mic_solid_off,
    "camera": _camera,
    "camera_off": _camera_off,
    "pin": _pin,
    "people": _people,
    "person": _person,
    "stats": _stats,
    "keypad": _keypad,
    "record": _record,
    "chat": _chat,
    "hand": _hand,
    "pause": _pause,
    "play": _play,
    "more": _more,
    "hang_up": _hang_up,
    "phone": _phone,
    "plus": _plus,
    "join": _join,
    "copy": _copy,
    "gear": _gear,
    "speaker": _speaker,
    "chevron_down": _chevron_down,
    "chevron_up": _chevron_up,
    "close": _close,
    "check": _check,
    "transfer": _transfer,
    "lock": _lock,
    "gallery": _gallery,
    "speaker_view": _speaker_view,
    "full_screen": _full_screen,
    "help": _help,
    "info": _info,
    "warning": _warning,
    "clock": _clock,
    "back": _back,
    "search": _search,
    "shield": _shield,
    "shield_off": _shield_off,
    "share": _share,
    "share_off": _share_off,
    "logo": _logo,
}


def icon(name: str, size: int, colour: Rgba) -> Image.Image:
    """The icon as an RGBA picture of size × size pixels. Raises KeyError for a name that isn't in `ICONS`."""
    pen = Pen(size)
    ICONS[name](pen)
    image = Image.new("RGBA", (size, size), (*colour[:3], 0))
    image.putalpha(pen.mask.resize((size, size), Image.Resampling.LANCZOS))
    return image
