"""RTCP of a session: when reports are due, what is in them, and what the peer's tell us."""

from __future__ import annotations

import math

import pytest

from rtp.clock import ntp_middle, ntp_timestamp
from rtp.receiver import ReceptionStatistics
from rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, SourceDescription, build_compound, parse_compound
from rtp.session import RtcpSession

OURS, THEIRS = 0x0A, 0x0B
WALLCLOCK = 1_700_000_000.0


def session(random: float = 0.5) -> RtcpSession:
    """A session that began at 100 s, with always the same random number."""
    return RtcpSession(OURS, "us@here", lambda: random, 100.0)


def source(*sequences: int) -> ReceptionStatistics:
    """Statistics of the peer's stream."""
    statistics = ReceptionStatistics(THEIRS, 8000)
    for number in sequences:
        statistics.on_packet(number, 160 * number, 20_000_000 * number)
    return statistics


@pytest.mark.parametrize("random", [0.0, 0.25, 0.5, 0.999])
def test_interval_is_five_seconds_times_half_to_one_and_a_half_over_e_less_one_and_a_half(random: float) -> None:
    ours = session(random)
    assert ours.due_at - 100 == pytest.approx(2.5 * (0.5 + random) / (math.e - 1.5), rel=1e-4)
    ours.report(103.0, WALLCLOCK, 0, None)
    assert ours.due_at - 103 == pytest.approx(5 * (0.5 + random) / (math.e - 1.5), rel=1e-4)


def test_who_sends_reports_as_sender_with_the_two_clocks_side_by_side() -> None:
    ours = session()
    for _ in range(3):
        ours.on_sent(160)
    report, description = parse_compound(ours.report(103.0, WALLCLOCK, 4800, source(1, 2, 4)))
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.ntp, report.timestamp) == (OURS, ntp_timestamp(WALLCLOCK), 4800)
    assert (report.packets, report.octets) == (3, 480)
    assert [(b.ssrc, b.cumulative_lost, b.fraction_lost) for b in report.blocks] == [(THEIRS, 1, 64)]
    assert description == SourceDescription({OURS: "us@here"})


def test_who_only_listens_reports_as_receiver() -> None:
    report, _ = parse_compound(session().report(103.0, WALLCLOCK, 0, source(1, 2)))
    assert isinstance(report, ReceiverReport) and report.blocks[0].ssrc == THEIRS


def test_source_that_never_sent_has_no_block() -> None:
    report, _ = parse_compound(session().report(103.0, WALLCLOCK, 0, source()))
    assert report == ReceiverReport(OURS)


def test_sender_who_falls_silent_is_a_sender_for_two_reports_more() -> None:
    ours = session()
    ours.on_sent(160)
    kinds = [type(parse_compound(ours.report(103.0 + 5 * i, WALLCLOCK, 0, None))[0]) for i in range(4)]
    assert kinds == [SenderReport, SenderReport, ReceiverReport, ReceiverReport]
    ours.on_sent(160)
    assert isinstance(parse_compound(ours.report(130.0, WALLCLOCK, 0, None))[0], SenderReport)


def test_goodbye_is_a_compound_that_begins_with_a_report_and_names_us() -> None:
    ours = session()
    ours.on_sent(160)
    packets = parse_compound(ours.goodbye())
    assert packets == [ReceiverReport(OURS), SourceDescription({OURS: "us@here"}), Goodbye((OURS,))]


def test_who_never_sent_anything_does_not_say_goodbye() -> None:
    assert session().goodbye() == b""


def test_round_trip_is_what_is_left_of_the_time_since_our_report() -> None:
    ours = session()
    lsr = ntp_middle(ntp_timestamp(WALLCLOCK))
    block = ReportBlock(OURS, 32, 9, 100, 24, lsr, int(1.5 * 65536))
    assert ours.receive(bytes(ReceiverReport(THEIRS, (block,))), 105.0, WALLCLOCK + 1.62, None)
    assert ours.remote.rtt_s == pytest.approx(0.12, abs=1e-3)
    assert (ours.remote.fraction_lost, ours.remote.cumulative_lost, ours.remote.jitter) == (0.125, 9, 24)


def test_round_trip_needs_a_report_of_ours_that_they_saw() -> None:
    ours = session()
    ours.receive(bytes(ReceiverReport(THEIRS, (ReportBlock(OURS, 0, 0, 0, 0, 0, 0),))), 105.0, WALLCLOCK, None)
    assert ours.remote.rtt_s is None


def test_impossible_round_trip_is_not_believed() -> None:
    ours = session()
    block = ReportBlock(OURS, 0, 0, 0, 0, ntp_middle(ntp_timestamp(WALLCLOCK + 100)), 0)
    ours.receive(bytes(ReceiverReport(THEIRS, (block,))), 105.0, WALLCLOCK, None)
    assert ours.remote.rtt_s is None


def test_block_about_somebody_else_is_not_ours() -> None:
    ours = session()
    ours.receive(bytes(ReceiverReport(THEIRS, (ReportBlock(0x77, 200, 9, 0, 0, 0, 0),))), 105.0, WALLCLOCK, None)
    assert ours.remote.fraction_lost == 0


def test_sender_report_of_the_source_comes_back_as_lsr_and_dlsr() -> None:
    ours, statistics = session(), source(1, 2)
    theirs = SenderReport(THEIRS, ntp_timestamp(WALLCLOCK), 0, 2, 320)
    ours.receive(build_compound([theirs, SourceDescription({THEIRS: "them"})]), 105.0, WALLCLOCK, statistics)
    report, _ = parse_compound(ours.report(107.0, WALLCLOCK, 0, statistics))
    assert isinstance(report, ReceiverReport)
    assert (report.blocks[0].lsr, report.blocks[0].dlsr) == (ntp_middle(ntp_timestamp(WALLCLOCK)), 2 * 65536)


def test_goodbye_counts_only_from_the_source_that_we_hear() -> None:
    ours, statistics = session(), source(1)
    ours.receive(build_compound([ReceiverReport(0x77), Goodbye((0x77,))]), 105.0, WALLCLOCK, statistics)
    assert not ours.remote_said_goodbye
    ours.receive(build_compound([ReceiverReport(THEIRS), Goodbye((THEIRS,))]), 105.0, WALLCLOCK, statistics)
    assert ours.remote_said_goodbye


def test_junk_is_refused_and_changes_nothing() -> None:
    ours = session()
    assert not ours.receive(b"\x80\xc9\x00\x09", 105.0, WALLCLOCK, None)
    assert ours.remote.rtt_s is None and not ours.remote_said_goodbye
