"""Numbers of encodings and pseudo-encodings (RFC 6143 §7.7, §7.8, and the community's list beyond it)."""

from __future__ import annotations

RAW, COPY_RECT, TIGHT, ZRLE = 0, 1, 7, 16
DESKTOP_SIZE, LAST_RECT, CURSOR, DESKTOP_NAME = -223, -224, -239, -307
QEMU_EXTENDED_KEY_EVENT, EXTENDED_DESKTOP_SIZE, FENCE, CONTINUOUS_UPDATES = -258, -308, -312, -313
EXTENDED_CLIPBOARD = 0xC0A1E5CE - (1 << 32)
JPEG_QUALITY_LOWEST, JPEG_QUALITY_HIGHEST = -32, -23
COMPRESSION_LOWEST, COMPRESSION_HIGHEST = -256, -247
JPEG_QUALITY = -24
"""What our viewer asks for: 8 of 0 to 9."""
EXTENSIONS = frozenset({QEMU_EXTENDED_KEY_EVENT, EXTENDED_DESKTOP_SIZE, FENCE, CONTINUOUS_UPDATES, EXTENDED_CLIPBOARD})
"""What changes the messages themselves. Wireshark 4.0 reads none of it rightly (an end of continuous updates it takes for two
bytes), so a session that is to be read by others does without."""


def without_extensions(wanted: tuple[int, ...]) -> tuple[int, ...]:
    """A viewer's SetEncodings as if it knew none of EXTENSIONS."""
    return tuple(each for each in wanted if each not in EXTENSIONS)
