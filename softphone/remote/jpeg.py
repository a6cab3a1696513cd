"""JPEG for shared desktops, by Pillow, behind `rtp.rfb.tight.JpegCodec`."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from rtp.errors import ParseError
from rtp.rfb.pixels import Pixels, join_colours

FULL_COLOUR_FROM = 8
"""From this quality on, colours have the full resolution: red letters stay sharp."""


class PillowJpeg:
    """The JpegCodec of the softphone."""

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """A picture as JPEG. quality: 0 (coarse) to 9."""
        height, width = pixels.shape
        image = Image.frombytes("RGB", (width, height), pixels.astype("<u4").tobytes(), "raw", "BGRX")
        out = io.BytesIO()
        subsampling = 0 if quality >= FULL_COLOUR_FROM else 2
        image.save(out, "JPEG", quality=15 + 9 * quality, subsampling=subsampling)
        return out.getvalue()

    def decode(self, data: bytes, width: int, height: int) -> Pixels:
        """The picture. Raises ParseError when it is none, or has another size; that is seen before it is unpacked."""
        try:
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                if image.size != (width, height):
                    raise ParseError(f"RFB Tight: a JPEG of {image.width} × {image.height} for {width} × {height}")
                octets = np.asarray(image.convert("RGB"), np.uint32)
        except ParseError:
            raise
        except Exception as error:                                     # Pillow's plug-ins raise whatever comes to their mind
            raise ParseError(f"RFB Tight: a JPEG that can't be read: {type(error).__name__}") from error
        return join_colours(octets)
