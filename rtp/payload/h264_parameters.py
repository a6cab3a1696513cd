"""What an H.264 sequence parameter set says of its pictures (ITU-T H.264 §7.3.2.1.1), read before any decoder sees it."""

from __future__ import annotations

from dataclasses import dataclass

from rtp.errors import ParseError

MAX_WIDTH, MAX_HEIGHT, MAX_PIXELS = 4096, 4096, 4096 * 2304
"""Level 5.1's largest picture; a decoder that met a 16K parameter set would ask for gigabytes."""
MAX_PARAMETER_SET = 512
_WITH_CHROMA = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
"""Profiles whose set has the fields of chroma and scaling."""


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """Profile and level as in profile-level-id (RFC 6184 §8.1), the picture's size in pixels after cropping."""

    profile_idc: int
    constraints: int
    level_idc: int
    width: int
    height: int


class _Bits:
    """Reads fields from a NAL unit without its emulation prevention bytes (§7.4.1)."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ParseError("H.264: a parameter set that breaks off")
        return self._value >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        """Exp-Golomb (§9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ParseError("H.264: a number without an end in a parameter set")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        number = self.unsigned()
        return -(number // 2) if number % 2 == 0 else number // 2 + 1


def parse_sequence_parameters(unit: bytes) -> SequenceParameters:
    """The sequence parameter set in a NAL unit. Raises ParseError, also for pictures larger than we take."""
    if len(unit) < 5 or len(unit) > MAX_PARAMETER_SET or unit[0] & 0x1F != 7:
        raise ParseError(f"H.264: no sequence parameter set in {len(unit)} bytes")
    bits = _Bits(unit[4:].replace(b"\0\0\3", b"\0\0"))
    profile = unit[1]
    bits.unsigned()
    chroma = _read_chroma(bits) if profile in _WITH_CHROMA else 1
    bits.unsigned()                                     # log2_max_frame_num
    _skip_picture_order(bits)
    bits.unsigned()                                     # max_num_ref_frames
    bits.take(1)
    width, height = 16 * (bits.unsigned() + 1), 16 * (bits.unsigned() + 1)
    is_frames_only = bits.take(1)
    if not is_frames_only:
        height *= 2
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 - is_frames_only)
        width -= across * (bits.unsigned() + bits.unsigned())
        height -= down * (bits.unsigned() + bits.unsigned())
    if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT and width * height <= MAX_PIXELS):
        raise ParseError(f"H.264: a picture of {width}×{height}")
    return SequenceParameters(profile, unit[2], unit[3], width, height)


def _read_chroma(bits: _Bits) -> int:
    chroma = bits.unsigned()
    if chroma > 3:
        raise ParseError(f"H.264: no chroma format {chroma}")
    if chroma == 3:
        bits.take(1)
    bits.unsigned()
    bits.unsigned()
    bits.take(1)
    if bits.take(1):
        for index in range(8 if chroma != 3 else 12):
            if bits.take(1):
                _skip_scaling(bits, 16 if index < 6 else 64)
    return chroma


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        count = bits.unsigned()
        if count > 255:
            raise ParseError(f"H.264: {count} offsets in a picture order cycle")
        for _ in range(count):
            bits.signed()
