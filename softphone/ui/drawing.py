"""Shapes with smooth edges, which a Tk canvas can't draw by itself: rounded rectangles, discs, rings, bars (Pillow, RGBA).

Corners are drawn four times as large and scaled down; the rest is filled, so that a picture of tile size costs about a
millisecond.
"""

from __future__ import annotations

from PIL import Image, ImageColor, ImageDraw

OVERSAMPLE = 4
Rgba = tuple[int, int, int, int]


def rgba(colour: str, alpha: int = 255) -> Rgba:
    """A colour of the palette (#rrggbb) with an opacity of 0 … 255."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return red, green, blue, alpha


def _corner(radius: int) -> Image.Image:
    big = Image.new("L", (radius * OVERSAMPLE, radius * OVERSAMPLE), 0)
    ImageDraw.Draw(big).ellipse((0, 0, 2 * radius * OVERSAMPLE - 1, 2 * radius * OVERSAMPLE - 1), fill=255)
    return big.resize((radius, radius), Image.Resampling.LANCZOS)


def rounded_mask(width: int, height: int, radius: int) -> Image.Image:
    """A mask (mode L) of a rounded rectangle."""
    radius = max(0, min(radius, width // 2, height // 2))
    mask = Image.new("L", (max(1, width), max(1, height)), 255)
    if radius:
        corner = _corner(radius)
        right = corner.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mask.paste(corner, (0, 0))
        mask.paste(right, (width - radius, 0))
        mask.paste(corner.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, height - radius))
        mask.paste(right.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (width - radius, height - radius))
    return mask


def rounded(width: int, height: int, radius: int, fill: Rgba, outline: Rgba | None = None, border: int = 0) -> Image.Image:
    """A filled rounded rectangle, with a border inside its edge where `outline` is given."""
    image = Image.new("RGBA", (max(1, width), max(1, height)), (*(outline or fill)[:3], 0))
    image.paste(outline or fill, (0, 0), rounded_mask(width, height, radius))
    if outline is not None and border > 0:
        inner = rounded_mask(width - 2 * border, height - 2 * border, radius - border)
        image.paste(fill, (border, border), inner)
    return image


def frame(width: int, height: int, radius: int, outside: Rgba, ring: Rgba | None = None, border: int = 0) -> Image.Image:
    """What lies over a picture: the four corners in the colour `outside`, and a ring along the edge; clear in the middle."""
    image = Image.new("RGBA", (width, height), outside)
    mask = rounded_mask(width, height, radius)
    image.putalpha(mask.point([255 - level for level in range(256)]))
    if ring is not None:
        band = rounded(width, height, radius, (*ring[:3], 0), ring, border)
        image = Image.alpha_composite(image, band)
    return image


def disc(diameter: int, fill: Rgba) -> Image.Image:
    """A filled circle."""
    size = diameter * OVERSAMPLE
    big = Image.new("RGBA", (size, size), (*fill[:3], 0))
    ImageDraw.Draw(big).ellipse((0, 0, size - 1, size - 1), fill=fill)
    return big.resize((diameter, diameter), Image.Resampling.LANCZOS)


def bars(height: int, strength: int, on: Rgba, off: Rgba) -> Image.Image:
    """Four rising bars, the first `strength` of them lit."""
    width, gap = max(2, height * 3 // 10), max(1, height * 3 // 20)
    image = Image.new("RGBA", (4 * width + 3 * gap, height), (0, 0, 0, 0))
    for index in range(4):
        tall = max(width, height * (index + 1) // 4)
        bar = rounded(width, tall, width // 2, on if index < strength else off)
        image.paste(bar, (index * (width + gap), height - tall))
    return image


def cover(picture: Image.Image, width: int, height: int) -> Image.Image:
    """`picture` scaled and cut so that it fills width × height."""
    factor = max(width / picture.width, height / picture.height)
    size = (max(width, round(picture.width * factor)), max(height, round(picture.height * factor)))
    scaled = picture if size == picture.size else picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return scaled.crop((left, top, left + width, top + height))
