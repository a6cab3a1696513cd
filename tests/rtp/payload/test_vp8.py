"""VP8 payloads: frames of libvpx there and back, descriptors bit by bit, numbers that go on over a switch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.payload.assembly import PictureAssembler
from rtp.payload.vp8 import Descriptor, Renumbering, Vp8Unpacker, begins_key_frame, key_frame_size, packetize
from tests.rtp.payload.pictures import decoded_sizes, encoded

maybe = st.none
descriptors = st.builds(
    Descriptor, st.booleans(), st.integers(0, 7), st.booleans(), maybe() | st.integers(0, 0x7FFF), st.just(True),
    maybe() | st.integers(0, 255), maybe() | st.integers(0, 3), st.just(False), maybe() | st.integers(0, 31))


def sent(frames: tuple[bytes, ...]) -> list[tuple[int, int, bool, bytes]]:
    """Sequence, timestamp, marker, payload of each packet."""
    packets: list[tuple[int, int, bool, bytes]] = []
    for number, frame in enumerate(frames):
        payloads = packetize(frame, 32766 + number)
        for index, payload in enumerate(payloads):
            packets.append((len(packets), 3000 * number, index == len(payloads) - 1, payload))
    return packets


def test_frames_of_libvpx_come_back_as_they_were() -> None:
    frames = encoded("libvpx", 4)
    packets = sent(frames)
    assert all(len(payload) <= 1188 for *_, payload in packets) and len(packets) > 4
    assembler = PictureAssembler(Vp8Unpacker())
    back = [picture for packet in packets for picture in assembler.receive(*packet)]
    assert tuple(picture.data for picture in back) == frames
    assert [(picture.is_key, picture.width) for picture in back] == [(True, 320), (False, 0), (False, 0), (False, 0)]
    assert decoded_sizes("vp8", [picture.data for picture in back]) == [(320, 180)] * 4


def test_lost_whole_frame_leaves_the_next_one_whole_but_not_decodable() -> None:
    packets = [packet for packet in sent(encoded("libvpx", 4)) if packet[1] != 3000]
    assembler = PictureAssembler(Vp8Unpacker())
    back = [picture for packet in packets for picture in assembler.receive(*packet)]
    assert [(picture.timestamp, picture.is_decodable) for picture in back] == [(0, True), (6000, False), (9000, False)]


def test_descriptor_is_laid_out_as_rfc_7741_draws_it() -> None:
    full = Descriptor(True, 0, True, 0x1234, True, 0x56, 2, True, 9)
    assert bytes(full) == bytes.fromhex("b0 f0 9234 56 a9")
    assert bytes(Descriptor(True)) == b"\x10"
    assert bytes(Descriptor(False, 3, picture_id=5, is_long=False)) == bytes.fromhex("83 80 05")


@given(descriptors, st.binary(max_size=5))
def test_descriptor_parse_and_write_are_inverse(descriptor: Descriptor, tail: bytes) -> None:
    data = bytes(descriptor)
    assert Descriptor.parse(data + tail) == (descriptor, len(data))


@pytest.mark.parametrize("data", ["", "80", "8080", "808081", "8040", "8020", "80f08001"], ids=str)
def test_descriptor_that_breaks_off_is_refused(data: str) -> None:
    with pytest.raises(ParseError):
        Descriptor.parse(bytes.fromhex(data))


def test_key_frames_are_told_from_outside_with_their_size() -> None:
    frames = encoded("libvpx", 2)
    key, delta = packetize(frames[0], 1), packetize(frames[1], 2)
    assert [begins_key_frame(payload) for payload in key] == [True] + [False] * (len(key) - 1)
    assert not any(begins_key_frame(payload) for payload in delta)
    assert key_frame_size(frames[0]) == (320, 180)
    with pytest.raises(ParseError):
        key_frame_size(frames[1])


def test_key_frame_of_16k_is_refused() -> None:
    frame = bytes.fromhex("100000 9d012a ff3f ff3f")
    with pytest.raises(ParseError, match="16383×16383"):
        key_frame_size(frame)
    assembler = PictureAssembler(Vp8Unpacker())
    assert assembler.receive(0, 0, True, packetize(frame, 1)[0]) == []
    assert (assembler.refused, assembler.damaged) == (1, 1)


def numbers(payload: bytes) -> tuple[int | None, int | None]:
    """PictureID and TL0PICIDX of a payload."""
    descriptor, _ = Descriptor.parse(payload)
    return descriptor.picture_id, descriptor.base_index


def payload_of(picture_id: int, base: int, is_long: bool = True) -> bytes:
    return bytes(Descriptor(True, picture_id=picture_id, is_long=is_long, base_index=base, layer=0)) + b"x"


def test_numbers_go_on_over_a_switch_and_keep_the_gaps_of_a_source() -> None:
    renumbering = Renumbering()
    first = [numbers(renumbering.rewrite(payload_of(n & 0x7FFF, n & 0xFF))) for n in (32766, 32767, 32769, 32768, 32770)]
    renumbering.switch()
    second = [numbers(renumbering.rewrite(payload_of(n, n))) for n in (77, 78)]
    assert [first, second] == [[(1, 1), (2, 2), (4, 4), (3, 3), (5, 5)], [(6, 6), (7, 7)]]


def test_short_numbers_wrap_at_seven_bits() -> None:
    renumbering = Renumbering()
    out = [numbers(renumbering.rewrite(payload_of(n & 0x7F, 0, is_long=False)))[0] for n in range(100, 400)]
    renumbering.switch()
    out.append(numbers(renumbering.rewrite(payload_of(5, 0, is_long=False)))[0])
    assert out == [(n + 1) & 0x7F for n in range(301)]


def test_payload_without_numbers_is_left_as_it_is() -> None:
    assert Renumbering().rewrite(b"\x10abc") == b"\x10abc"
    assert Renumbering().rewrite(b"") == b""


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.binary(max_size=30)), max_size=30))
def test_no_bytes_crash_assembler_or_renumbering(steps: list[tuple[int, bool, bytes]]) -> None:
    assembler, renumbering = PictureAssembler(Vp8Unpacker()), Renumbering()
    sequence = 0
    for step, marker, payload in steps:
        sequence += step
        assembler.receive(sequence, 3000 * (sequence // 2), marker, payload)
        begins_key_frame(payload)
        try:
            assert len(renumbering.rewrite(payload)) == len(payload)
        except ParseError:
            continue
