"""Parts of encodings that our own server doesn't write, and the arithmetic below: runs, gradients, packed indices, changes."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.rfb.changes import changed_areas, find_move
from rtp.rfb.keysyms import character_of, keysym_of
from rtp.rfb.pixels import PixelFormat, Pixels, Rectangle
from rtp.rfb.security import is_response, vnc_response
from rtp.rfb.tight import TightDecoder, compact_length, read_compact_length
from rtp.rfb.zrle import ZrleDecoder, pack_indices, unpack_indices
from tests.helpers.rfb import icons, photograph, text

RED, GREEN, BLUE = b"\0\0\xff", b"\0\xff\0", b"\xff\0\0"
WHOLE = Rectangle(0, 0, 320, 200)


def decode_tile(plain: bytes, width: int, height: int) -> list[list[int]]:
    """A picture of one ZRLE tile."""
    target = np.zeros((height, width), np.uint32)
    ZrleDecoder().decode(zlib.compress(plain), target, PixelFormat())
    return target.tolist()


def decode_tight(data: bytes, width: int, height: int) -> Pixels:
    """A picture of one Tight rectangle."""
    target = np.zeros((height, width), np.uint32)
    script = TightDecoder().read(target, PixelFormat())
    wanted = next(script)
    with pytest.raises(StopIteration):
        while True:
            piece, data = data[:wanted], data[wanted:]
            wanted = script.send(piece)
    assert not data
    return target


def test_plain_runs_of_zrle_are_read() -> None:
    assert decode_tile(b"\x80" + RED + b"\2" + BLUE + b"\0" + GREEN + b"\1", 3, 2) == [[0xFF0000] * 3, [0xFF, 0xFF00, 0xFF00]]


def test_long_run_of_zrle_is_the_sum_of_its_bytes() -> None:
    rows = decode_tile(b"\x80" + RED + b"\xff\xff\x01" + BLUE + b"\0", 27, 19)
    assert rows == [[0xFF0000] * 27] * 18 + [[0xFF0000] * 26 + [0xFF]]


def test_runs_of_a_palette_of_zrle_are_read() -> None:
    assert decode_tile(b"\x82" + RED + BLUE + b"\x80\2\1\0\1", 3, 2) == [[0xFF0000] * 3, [0xFF, 0xFF0000, 0xFF]]


@pytest.mark.parametrize("plain", [b"", b"\x11", b"\x81", b"\x80" + RED + b"\6", b"\x82" + RED + BLUE + b"\2\2\2\2\2\2",
                                   b"\3" + RED * 3 + b"\xff\xff\xff", b"\1" + RED + b"x"],
                         ids=["nothing", "kind-17", "kind-129", "long-run", "no-such-colour", "packed-no-such-colour", "rest"])
def test_tile_of_zrle_that_makes_no_sense_is_refused(plain: bytes) -> None:
    with pytest.raises(ParseError):
        decode_tile(plain, 3, 2)


def test_gradient_of_tight_is_read() -> None:
    picture = photograph(9, 8)
    octets = np.stack([picture >> shift & 255 for shift in (16, 8, 0)], axis=2).astype(int)
    padded = np.pad(octets, ((1, 0), (1, 0), (0, 0)))
    expected = np.clip(padded[1:, :-1] + padded[:-1, 1:] - padded[:-1, :-1], 0, 255)
    data = zlib.compress(((octets - expected) & 255).astype(np.uint8).tobytes())
    assert np.array_equal(decode_tight(b"\x40\2" + compact_length(len(data)) + data, 9, 8), picture)


def test_short_data_of_tight_are_not_compressed() -> None:
    assert decode_tight(b"\0\xff\0\0\0\xff\0\0\0\xff", 3, 1).tolist() == [[0xFF0000, 0xFF00, 0xFF]]


@given(st.integers(0, (1 << 22) - 1))
def test_length_of_tight_is_read_as_it_was_written(length: int) -> None:
    script, data = read_compact_length(), compact_length(length)
    next(script)
    with pytest.raises(StopIteration) as end:
        for byte in data:
            script.send(bytes([byte]))
    assert end.value.value == length


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 4]), st.integers(0, 99))
def test_packed_indices_are_unpacked_again(width: int, height: int, bits: int, seed: int) -> None:
    indices = np.random.default_rng(seed).integers(0, 1 << bits, (height, width))
    data = pack_indices(indices, bits)
    assert len(data) == -(-width * bits // 8) * height
    assert np.array_equal(unpack_indices(data, width, height, bits), indices)


@given(st.lists(st.tuples(st.integers(0, 319), st.integers(0, 199)), max_size=12))
def test_changed_areas_hold_every_difference_and_do_not_overlap(places: list[tuple[int, int]]) -> None:
    before = text()
    after = before.copy()
    for x, y in places:
        after[y, x] ^= np.uint32(1)
    covered = np.zeros(before.shape, int)
    for area in changed_areas(before, after, WHOLE):
        area.of(covered)[...] += 1                                   # type: ignore[arg-type]
    assert covered.max(initial=0) <= 1
    assert (covered[before != after] == 1).all()
    assert bool(covered.any()) is bool((before != after).any())


@pytest.mark.parametrize("distance", [-48, -16, -1, 1, 16, 48])
def test_block_that_moved_is_found_where_it_is(distance: int) -> None:
    before = icons(320, 200, 40)
    after = np.roll(before, distance, axis=0)
    move = find_move(before, after, WHOLE)
    assert move is not None and move.area.height == 200 - abs(distance) and move.area.y - move.from_y == distance


def test_nothing_moved_between_pictures_that_have_nothing_in_common() -> None:
    assert find_move(photograph(seed=1), photograph(seed=2), WHOLE) is None
    assert find_move(text(), text(), WHOLE) is None


@given(st.characters(exclude_categories=("Cs", "Cc")))
def test_keysym_of_a_character_types_that_character(character: str) -> None:
    assert character_of(keysym_of(character)) == character


def test_keys_without_a_character_type_none() -> None:
    assert [character_of(keysym) for keysym in (keysym_of("\n"), 0xFFE1, 0x0100D800, 0x01FFFFFF, 0)] == [""] * 5


def test_answer_to_a_challenge_is_des_with_mirrored_bits() -> None:
    """With the word \\x80 the key is 01 00 …; DES of zeros under 01…01 is 8C A6 4D E9 C1 B1 23 A7 (parity bits don't count)."""
    assert vnc_response("\x00", bytes(16)) == bytes.fromhex("8ca64de9c1b123a7") * 2
    assert vnc_response("longer than eight", bytes(16)) == vnc_response("longer t", bytes(16))
    assert is_response("word", bytes(16), vnc_response("word", bytes(16))) and not is_response("", bytes(16), bytes(16))
