"""Packets in order: the wrap, gaps that are filled, gaps that are passed over, and memory that has an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.playout import MAX_WAITING, PacketOrder

MS = 1_000_000


def begun(sequence: int, patience_ns: int = 100 * MS) -> PacketOrder[int]:
    """An order whose first packet is out."""
    order: PacketOrder[int] = PacketOrder(patience_ns)
    order.push(sequence, sequence, 0)
    assert order.expire(20 * MS) == [sequence]
    return order


def test_packets_come_out_in_order_over_the_wrap() -> None:
    order = begun(65533)
    out = [order.push(sequence & 0xFFFF, sequence, 0) for sequence in (65534, 65535, 65537, 65538, 65536, 65539)]
    assert out == [[65534], [65535], [], [], [65536, 65537, 65538], [65539]]
    assert order.next_ns is None


def test_first_packet_to_come_need_not_be_the_first_that_was_sent() -> None:
    order: PacketOrder[int] = PacketOrder()
    assert [order.push(sequence & 0xFFFF, sequence, 5 * MS) for sequence in (65537, 65535, 65536)] == [[], [], []]
    assert order.next_ns == 25 * MS and order.expire(25 * MS) == [65535, 65536, 65537]
    assert order.push(2, 65538, 26 * MS) == [65538] and order.skipped == 0


def test_gap_is_waited_for_as_long_as_patience_says_from_when_it_was_seen() -> None:
    order = begun(1)
    order.push(3, 3, 10 * MS)
    order.push(4, 4, 90 * MS)
    assert order.next_ns == 110 * MS
    assert order.expire(109 * MS) == []
    assert order.expire(110 * MS) == [3, 4]
    assert order.skipped == 1 and order.next_ns is None
    assert order.push(2, 2, 111 * MS) == [] and order.late == 1


def test_second_gap_has_a_patience_of_its_own() -> None:
    order = begun(1)
    order.push(3, 3, 10 * MS)
    order.push(5, 5, 60 * MS)
    assert order.expire(110 * MS) == [3]
    assert order.expire(159 * MS) == []
    assert order.expire(160 * MS) == [5]


def test_doubled_packet_is_counted_and_dropped() -> None:
    order = begun(1)
    for sequence in (3, 3, 2, 2):
        order.push(sequence, sequence, 0)
    assert order.late == 2


def test_jump_gives_up_what_waited() -> None:
    order = begun(1)
    order.push(3, 3, 0)
    assert order.push(2 + MAX_WAITING, 9, 0) == [3, 9]
    assert order.push(3 + MAX_WAITING, 10, 0) == [10]


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 50)), max_size=200))
def test_order_never_goes_back_and_nothing_comes_twice(steps: list[tuple[int, int]]) -> None:
    order: PacketOrder[int] = PacketOrder(100 * MS)
    now, out = 0, []
    for index, (sequence, wait) in enumerate(steps):
        now += wait * MS
        out += order.expire(now) + order.push(sequence, index, now)
    out += order.expire(now + 1000 * MS)
    assert order.next_ns is None
    assert len(out) == len(set(out)) and len(out) + order.late == len(steps)
