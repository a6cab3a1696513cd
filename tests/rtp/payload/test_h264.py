"""H.264 payloads: pictures of x264 there and back in both modes, with loss, and headers that lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import CodecError, ParseError
from rtp.payload.assembly import EncodedPicture, PictureAssembler
from rtp.payload.h264 import (
    FU_A,
    IDR,
    SPS,
    STAP_A,
    H264Unpacker,
    begins_key_frame,
    join_units,
    packetize,
    split_units,
    units_of,
)
from tests.rtp.payload.pictures import decoded_sizes, encoded

SLICES = "slice-max-size=1100"


def sent(pictures: tuple[bytes, ...], mode: int = 1, first: int = 65530) -> list[tuple[int, int, bool, bytes]]:
    """Sequence, timestamp, marker, payload of each packet; the numbers wrap."""
    packets: list[tuple[int, int, bool, bytes]] = []
    for number, picture in enumerate(pictures):
        payloads = packetize(picture, mode=mode)
        for index, payload in enumerate(payloads):
            packets.append(((first + len(packets)) & 0xFFFF, 3000 * number, index == len(payloads) - 1, payload))
    return packets


def received(packets: list[tuple[int, int, bool, bytes]]) -> tuple[list[EncodedPicture], PictureAssembler]:
    """What an assembler makes of them."""
    assembler = PictureAssembler(H264Unpacker())
    return [picture for packet in packets for picture in assembler.receive(*packet)], assembler


@pytest.mark.parametrize(("mode", "options"), [(0, SLICES), (1, SLICES), (1, "")])
def test_pictures_of_x264_come_back_as_they_were(mode: int, options: str) -> None:
    pictures = encoded("libx264", 4, options=options)
    packets = sent(pictures, mode)
    assert all(len(payload) <= 1188 for *_, payload in packets)
    assert mode == 1 or all(1 <= payload[0] & 0x1F <= 23 for *_, payload in packets)
    back, assembler = received(packets)
    assert [split_units(picture.data) for picture in back] == [split_units(picture) for picture in pictures]
    assert [picture.is_key for picture in back] == [True, False, False, False]
    assert (back[0].width, back[0].height) == (320, 180)
    assert decoded_sizes("h264", [picture.data for picture in back]) == [(320, 180)] * 4
    assert (assembler.damaged, assembler.refused, assembler.needs_key_frame) == (0, 0, False)


def test_parameter_sets_travel_together_in_one_stap_a_and_large_slices_in_fragments() -> None:
    payloads = packetize(encoded("libx264", 1)[0])
    kinds = [payload[0] & 0x1F for payload in payloads]
    assert kinds[0] == STAP_A and set(kinds[1:]) == {FU_A}
    assert max(map(len, payloads[1:])) - min(map(len, payloads[1:])) < len(payloads)
    assert begins_key_frame(payloads[0]) and not begins_key_frame(payloads[-1])


def test_unit_too_large_for_mode_0_is_refused_with_its_size() -> None:
    with pytest.raises(CodecError, match="mode 0"):
        packetize(encoded("libx264", 1)[0], mode=0)


def test_lost_packet_costs_its_picture_and_what_follows_is_marked_until_the_key_frame() -> None:
    pictures = encoded("libx264", 3) + encoded("libx264", 2)
    packets = sent(pictures)
    second = [index for index, packet in enumerate(packets) if packet[1] == 3000]
    del packets[second[len(second) // 2]]
    back, assembler = received(packets)
    assert [(picture.timestamp, picture.is_decodable) for picture in back] == [
        (0, True), (6000, False), (9000, True), (12000, True)]
    assert assembler.damaged == 1


def test_picture_whose_beginning_is_lost_is_not_taken_for_whole() -> None:
    packets = sent(encoded("libx264", 2, options=SLICES), mode=0)
    first = next(index for index, packet in enumerate(packets) if packet[1] == 3000)
    del packets[first]
    back, assembler = received(packets)
    assert [picture.timestamp for picture in back] == [0]
    assert assembler.needs_key_frame


def test_picture_without_a_marker_ends_with_the_next_timestamp() -> None:
    packets = [(sequence, timestamp, False, payload) for sequence, timestamp, _, payload in sent(encoded("libx264", 3))]
    back, _ = received(packets)
    assert [picture.timestamp for picture in back] == [0, 3000]


def test_late_and_doubled_packets_are_passed_over() -> None:
    packets = sent(encoded("libx264", 3))
    back, _ = received([packet for pair in zip(packets, packets, strict=True) for packet in pair])
    assert len(back) == 3


def test_parameter_sets_sent_alone_wait_for_their_picture() -> None:
    units = split_units(encoded("libx264", 1)[0])
    sets = [unit for unit in units if unit[0] & 0x1F != IDR]
    packets = [(0, 0, True, packetize(join_units(sets))[0])]
    for index, payload in enumerate(payloads := packetize(join_units(unit for unit in units if unit not in sets))):
        packets.append((index + 1, 3000, index == len(payloads) - 1, payload))
    back, _ = received(packets)
    assert [(picture.timestamp, picture.is_key, picture.width) for picture in back] == [(3000, True, 320)]


@pytest.mark.parametrize("payload", [
    bytes([STAP_A]), bytes([STAP_A, 0, 9, 0x41]), bytes([STAP_A, 0, 0]), bytes([STAP_A, 0, 1, STAP_A]), bytes([STAP_A, 0]),
    bytes([FU_A]), bytes([FU_A, 0x85]), bytes([FU_A, 0x05, 1]), bytes([FU_A, 0xC5, 1]), bytes([FU_A, 0x9C, 1]),
    bytes([25, 1, 2]), bytes([29, 0x85, 1, 2]), bytes([0, 1]), bytes([0xC1, 0x9A]), bytes([SPS, 1]),
], ids=lambda payload: payload.hex())
def test_payload_that_lies_costs_one_picture(payload: bytes) -> None:
    packets = sent(encoded("libx264", 2), first=10)
    back, assembler = received([(9, 5, True, payload), *packets])
    assert [picture.timestamp for picture in back] == [0, 3000]
    assert back[1].is_decodable
    assert (assembler.refused, assembler.damaged) == (1, 1)


def test_fragment_of_another_unit_does_not_finish_the_first() -> None:
    _, assembler = received([(0, 0, False, bytes([FU_A, 0x85, 1])), (1, 0, True, bytes([FU_A, 0x41, 2]))])
    assert (assembler.refused, assembler.damaged) == (1, 1)


def test_picture_without_an_end_is_cut_off() -> None:
    assembler = PictureAssembler(H264Unpacker())
    assembler.receive(0, 0, False, bytes([FU_A, 0x85]) + bytes(1100))
    for number in range(1, 4000):
        assert assembler.receive(number & 0xFFFF, 0, False, bytes([FU_A, 0x05]) + bytes(1100)) == []
    assert assembler.refused > 0
    assert assembler.receive(4000, 0, True, bytes([FU_A, 0x45]) + bytes(1100)) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), st.binary(max_size=40)), max_size=30))
def test_no_bytes_crash_the_assembler(steps: list[tuple[int, int, bool, bytes]]) -> None:
    assembler = PictureAssembler(H264Unpacker())
    sequence = 0
    for step, later, marker, payload in steps:
        sequence += step
        for picture in assembler.receive(sequence & 0xFFFF, 3000 * (sequence // 4 + later), marker, payload):
            assert picture.data


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_look_from_outside(payload: bytes) -> None:
    begins_key_frame(payload)
    try:
        units_of(payload)
    except ParseError:
        return


@given(st.lists(st.binary(min_size=1, max_size=3000).map(lambda b: b"\x41" + b.replace(b"\0", b"\1")), min_size=1, max_size=8),
       st.integers(100, 1400))
def test_units_of_any_size_come_back(units: list[bytes], max_size: int) -> None:
    payloads = packetize(join_units(units), max_size=max_size)
    assert all(len(payload) <= max_size for payload in payloads)
    unpacker = H264Unpacker()
    for payload in payloads:
        unpacker.add(payload)
    picture = unpacker.finish(0)
    assert picture is not None and split_units(picture.data) == units
