"""TCP put together again: order, overlaps, copies, holes, numbers that wrap."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pcap.synthesis import TcpWriter
from pcap.tcp import HOLE, MAX_WAITING, SYN, Direction, Segment

A, B = ("192.0.2.1", 40000), ("192.0.2.2", 5061)


def segment(sequence: int, payload: bytes, flags: int = 0x18) -> Segment:
    """A segment from A to B."""
    return Segment(A, B, sequence & 0xFFFFFFFF, flags, payload)


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=20), st.integers(0, 2**32 - 1), st.randoms())
def test_segments_in_any_order_with_copies_and_overlaps_give_the_bytes_once(parts: list[bytes], start: int,
                                                                            chance: random.Random) -> None:
    whole = b"".join(parts)
    segments, at = [], 0
    for part in parts:
        end = min(len(whole), at + len(part) + chance.randrange(3))
        segments += [segment(start + 1 + at, whole[at:end])] * chance.choice((1, 1, 2))
        at += len(part)
    chance.shuffle(segments)
    direction = Direction()
    assert direction.push(segment(start, b"", SYN)) == []
    assert b"".join(piece or b"?" for one in segments for piece in direction.push(one)) == whole


def test_bytes_that_never_come_are_a_hole_once_too_much_waits() -> None:
    direction = Direction()
    out = direction.push(segment(0, b"first"))
    for number in range(MAX_WAITING + 1):
        out += direction.push(segment(100 + number, b"x"))
    assert out == [b"first", HOLE, *[b"x"] * (MAX_WAITING + 1)]
    assert direction.push(segment(5, b"late")) == [] and not direction.waiting


def test_what_waits_at_the_end_of_the_capture_comes_out_behind_its_hole() -> None:
    direction = Direction()
    assert direction.push(segment(0, b"a")) == [b"a"] and direction.push(segment(9, b"b")) == []
    assert direction.finish() == [HOLE, b"b"] and direction.finish() == []


def test_connection_that_we_write_is_read_again() -> None:
    writer, said = TcpWriter(A, B), {A: b"", B: b""}
    directions = {A: Direction(), B: Direction()}
    for is_client, data in ((True, b"REGISTER" * 5000), (False, b"200"), (True, b"\r\n\r\n")):
        for packet in writer.say(is_client, data):
            one = Segment.parse(*((A[0], B[0]) if packet[15] == 1 else (B[0], A[0])), packet[20:])
            assert one is not None
            said[one.source] += b"".join(piece or b"?" for piece in directions[one.source].push(one))
    assert said == {A: b"REGISTER" * 5000 + b"\r\n\r\n", B: b"200"}


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    one = Segment.parse(A[0], B[0], data)
    assert one is None or len(one.payload) <= len(data) - 20
