"""Sequence parameter sets: sizes that x264 writes, cropped, interlaced, in all profiles; sizes that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.payload.h264 import SPS, split_units
from rtp.payload.h264_parameters import parse_sequence_parameters
from tests.rtp.payload.pictures import encoded


def parameter_set(width_blocks: int, height_blocks: int, profile: int = 66) -> bytes:
    """A set by hand, without cropping, baseline."""
    def number(value: int) -> str:
        text = bin(value + 1)[2:]
        return "0" * (len(text) - 1) + text

    bits = number(0) + number(0) + number(2) + number(1) + "0" + number(width_blocks - 1) + number(height_blocks - 1) + "11001"
    bits += "0" * (-len(bits) % 8)
    return bytes([0x67, profile, 0xC0, 31]) + int(bits, 2).to_bytes(len(bits) // 8)


@pytest.mark.parametrize(("width", "height", "options"), [
    (320, 180, "profile=baseline"), (1280, 720, "profile=main"), (1920, 1080, "profile=high"), (642, 362, ""),
    (1920, 1080, "x264-params=interlaced=1"),
])
def test_size_is_that_of_the_encoder(width: int, height: int, options: str) -> None:
    text = options.replace("x264-params=interlaced=1", "flags=+ildct+ilme")
    unit = next(unit for unit in split_units(encoded("libx264", 1, width, height, text)[0]) if unit[0] & 0x1F == SPS)
    found = parse_sequence_parameters(unit)
    assert (found.width, found.height) == (width, height)
    assert bytes((found.profile_idc, found.constraints, found.level_idc)) == unit[1:4]


def test_set_by_hand_is_read() -> None:
    found = parse_sequence_parameters(parameter_set(80, 45))
    assert (found.width, found.height, found.profile_idc, found.level_idc) == (1280, 720, 66, 31)


@pytest.mark.parametrize(("across", "down"), [(1024, 1024), (1024, 540), (257, 10), (10, 257), (256, 256), (1 << 20, 1)])
def test_picture_larger_than_any_screen_is_refused(across: int, down: int) -> None:
    with pytest.raises(ParseError, match="a picture of"):
        parse_sequence_parameters(parameter_set(across, down))


@pytest.mark.parametrize("unit", [b"", b"\x67\x42", b"\x68\x42\xc0\x1f\xff", b"\x67\x42\xc0\x1f" + bytes(40),
                                  b"\x67\x42\xc0\x1f\xff" + bytes(600)], ids=["empty", "short", "other", "zeros", "long"])
def test_set_that_breaks_off_is_refused(unit: bytes) -> None:
    with pytest.raises(ParseError):
        parse_sequence_parameters(unit)


@given(st.sampled_from([66, 77, 88, 100, 110, 122, 244, 44]), st.binary(max_size=80))
def test_no_bytes_crash_the_parser(profile: int, tail: bytes) -> None:
    try:
        found = parse_sequence_parameters(bytes([0x67, profile]) + tail)
    except ParseError:
        return
    assert 0 < found.width <= 4096 and 0 < found.height <= 4096
