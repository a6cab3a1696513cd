"""Reception statistics against cases of RFC 3550 A.1, A.3 and A.8 worked out by hand."""

from __future__ import annotations

import pytest

from rtp.receiver import MAX_DROPOUT, MAX_MISORDER, ReceptionStatistics

MS = 1_000_000


def feed(statistics: ReceptionStatistics, *sequences: int) -> list[bool]:
    """Packets of 20 ms PCMU that arrive on time."""
    return [statistics.on_packet(s & 0xFFFF, 160 * s & 0xFFFFFFFF, 20 * MS * (s % 70000), 160) for s in sequences]


@pytest.fixture
def statistics() -> ReceptionStatistics:
    return ReceptionStatistics(0xABCD, 8000)


def test_nothing_received_is_nothing_expected(statistics: ReceptionStatistics) -> None:
    assert (statistics.expected, statistics.lost, statistics.jitter) == (0, 0, 0)


def test_gap_counts_as_lost_until_the_packet_comes_late(statistics: ReceptionStatistics) -> None:
    feed(statistics, 10, 11, 14)
    assert (statistics.expected, statistics.packets, statistics.lost) == (5, 3, 2)
    feed(statistics, 12)
    assert (statistics.expected, statistics.packets, statistics.lost) == (5, 4, 1)


def test_duplicates_make_the_loss_negative(statistics: ReceptionStatistics) -> None:
    feed(statistics, 1, 2, 2, 2)
    assert statistics.lost == -2
    assert statistics.report_block(0).cumulative_lost == -2
    assert statistics.report_block(0).fraction_lost == 0


def test_sequence_wrap_adds_a_cycle_to_the_highest(statistics: ReceptionStatistics) -> None:
    feed(statistics, *range(65530, 65546))
    assert statistics.highest == 65545 == (1 << 16) + 9
    assert (statistics.expected, statistics.lost) == (16, 0)
    assert statistics.report_block(0).highest_sequence == 0x0001_0009


def test_fraction_lost_is_of_the_interval_alone(statistics: ReceptionStatistics) -> None:
    feed(statistics, 0, 1, 2, 4)
    first = statistics.report_block(0)
    assert (first.fraction_lost, first.cumulative_lost) == (256 // 5, 1)
    feed(statistics, 5, 6, 7, 8)
    second = statistics.report_block(0)
    assert (second.fraction_lost, second.cumulative_lost) == (0, 1)
    feed(statistics, 12)
    third = statistics.report_block(0)
    assert (third.fraction_lost, third.cumulative_lost) == (3 * 256 // 4, 4)


def test_report_without_new_packets_has_no_fraction(statistics: ReceptionStatistics) -> None:
    feed(statistics, 1, 2)
    statistics.report_block(0)
    assert statistics.report_block(5).fraction_lost == 0


@pytest.mark.parametrize("jump", [MAX_DROPOUT, 30000, 0x10000 - MAX_MISORDER])
def test_one_packet_far_off_is_not_believed(statistics: ReceptionStatistics, jump: int) -> None:
    assert feed(statistics, 1, 2, 2 + jump, 3) == [True, True, False, True]
    assert (statistics.highest, statistics.lost) == (3, 0)


def test_two_packets_in_a_row_far_off_are_a_restart_and_keep_the_loss_before(statistics: ReceptionStatistics) -> None:
    feed(statistics, 1, 2, 5)
    assert feed(statistics, 20000, 20001, 20002) == [False, True, True]
    assert (statistics.restarts, statistics.expected, statistics.packets) == (1, 2, 2)
    assert statistics.total_lost == 2
    assert statistics.report_block(0).cumulative_lost == 2
    assert feed(statistics, 20001 + 5000) == [False]


@pytest.mark.parametrize("back", [1, MAX_MISORDER - 1])
def test_late_packet_is_counted_and_moves_nothing(statistics: ReceptionStatistics, back: int) -> None:
    feed(statistics, 1000)
    assert feed(statistics, 1000 - back) == [True]
    assert statistics.highest == 1000


def test_jitter_is_a_sixteenth_of_the_change_of_transit(statistics: ReceptionStatistics) -> None:
    expected16, transit = 0, 0
    for number in range(60):
        late = 80 if number % 2 else 0                       # 10 ms, in units of 1/8000 s
        statistics.on_packet(number, 160 * number, 20 * MS * number + late * MS // 8)
        if number:
            expected16 += abs(late - transit) - ((expected16 + 8) >> 4)
        transit = late
        assert statistics.jitter16 == expected16
    assert 70 <= statistics.jitter <= 80 and statistics.jitter_ms == statistics.jitter / 8


def test_jitter_ignores_the_packets_of_one_telephone_event(statistics: ReceptionStatistics) -> None:
    for number in range(20):
        statistics.on_packet(number, min(number, 10) * 160, 20 * MS * number)
    assert statistics.jitter == 0


def test_jitter_survives_the_wrap_of_the_timestamp(statistics: ReceptionStatistics) -> None:
    for number in range(20):
        statistics.on_packet(number, (0xFFFFFC00 + 160 * number) & 0xFFFFFFFF, 20 * MS * number)
    assert statistics.jitter == 0


def test_new_time_base_is_no_jitter(statistics: ReceptionStatistics) -> None:
    feed(statistics, 0, 1)
    statistics.on_packet(2, 0x70000000, 40 * MS)
    assert statistics.jitter == 0


def test_delay_since_the_last_sender_report_is_in_65536ths(statistics: ReceptionStatistics) -> None:
    feed(statistics, 1, 2)
    assert (statistics.report_block(9.0).lsr, statistics.report_block(9.0).dlsr) == (0, 0)
    statistics.on_sender_report(0x11112222_33334444, 10.0)
    block = statistics.report_block(12.5)
    assert (block.lsr, block.dlsr) == (0x22223333, int(2.5 * 65536))
