"""The room on the wire: headers, contributors, levels, keys, addresses, hold, RTCP; what goes wrong costs itself alone."""

from __future__ import annotations

import socket
from itertools import pairwise

import pytest

from rtp.kernel import AddressLearnt, DtmfPressed, SpeakersChanged
from rtp.packet import RtpPacket, parse_extensions
from rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, SourceDescription, build_compound, parse_compound
from tests.helpers.tones import level_dbfs, rms_dbfs
from tests.rtp.kernel.table import HOST, Phone, Table, seated, silence, sine

pytestmark = pytest.mark.loopback


def speakers(table: Table) -> list[tuple[int, ...]]:
    return [notice.leg_ids for notice in table.notices if isinstance(notice, SpeakersChanged)]


def assert_contiguous(phone: Phone, units: int) -> None:
    for before, after in pairwise(phone.packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == units
    assert [packet.marker for packet in phone.packets].count(True) == 1
    assert phone.packets[0].marker


@pytest.mark.parametrize(("codec", "ptime_ms", "units"), [("pcmu", 20, 160), ("g722", 30, 240), ("opus", 20, 960),
                                                          ("opus", 60, 2880), ("pcma", 10, 80)])
def test_sequence_and_timestamps_are_contiguous_whoever_speaks(codec: str, ptime_ms: int, units: int) -> None:
    with seated() as table:
        table.join(lambda tick: sine(710)(tick) if tick // 30 % 2 else silence(tick), codec)
        turn = table.join(lambda tick: sine(500)(tick) if tick // 50 % 2 else None, codec, ptime_ms=ptime_ms)
        table.run(300)
        assert len(turn.packets) >= 299 * 20 // ptime_ms
        assert_contiguous(turn, units)


def test_contributors_are_named_by_leg_with_their_levels_and_without_the_receiver() -> None:
    with seated() as table:
        loud = table.join(sine(710, -12), mixer_extension=2)
        soft = table.join(sine(450, -30))
        listener = table.join(mixer_extension=2)
        table.run(60)
        assert listener.packets[-1].csrcs == (loud.leg_id, soft.leg_id)
        assert loud.packets[-1].csrcs == (soft.leg_id,)
        levels = listener.packets[-1].extensions[2]
        assert abs(levels[0] - 12) <= 1 and abs(levels[1] - 30) <= 1
        assert not soft.packets[-1].extensions


def test_speakers_are_told_when_they_change_and_only_then() -> None:
    with seated() as table:
        first = table.join(lambda tick: sine(710)(tick) if tick < 100 else silence(tick))
        second = table.join(lambda tick: sine(450)(tick) if tick >= 50 else silence(tick))
        table.run(160)
        told = [set(ids) for ids in speakers(table)]
        assert told == [{first.leg_id}, {first.leg_id, second.leg_id}, {second.leg_id}]


def test_nobody_is_cut_off_between_two_words() -> None:
    with seated() as table:
        table.join(lambda tick: sine(710)(tick) if tick % 15 < 5 else silence(tick))
        table.run(150)
        assert len(speakers(table)) == 1


def test_one_who_announces_silence_is_not_decoded() -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710), level_extension=1, codec="opus")
        talker.extensions = {1: bytes([127])}
        table.run(50)
        assert not speakers(table)
        talker.extensions = {1: bytes([0x80 | 20])}
        table.run(50)
        assert speakers(table) == [(talker.leg_id,)]
        assert abs(level_dbfs(48000, listener.heard_after(1.3), 710) + 20) < 1


def test_a_key_is_told_once_for_each_press() -> None:
    with seated() as table:
        phone = table.join()
        table.run(5)
        for key in "4#":
            phone.press(key)
            phone.timestamp += 1600
            table.step()
        keys = [notice.key for notice in table.notices if isinstance(notice, DtmfPressed)]
        assert keys == ["4", "#"]


def test_another_port_of_the_callers_host_is_learnt_after_five_packets_and_two_seconds_of_silence() -> None:
    with seated() as table, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moved:
        moved.bind((HOST, 0))
        moved.setblocking(False)
        listener = table.join()
        talker = table.join(sine(710))
        table.run(20)
        talker.speaks = lambda tick: None
        table.run(101)
        for number in range(6):
            talker.send(talker.packet(b"\xff" * 160), moved)
            talker.timestamp += 160
            table.step()
            learnt = [notice for notice in table.notices if isinstance(notice, AddressLearnt)]
            assert learnt == ([AddressLearnt(talker.leg_id, moved.getsockname())] if number >= 4 else [])
        assert moved.recv(2048)
        assert table.room.statistics(table.now_ns)[1].foreign == 4
        assert rms_dbfs(listener.heard_after(2)) < -60


def test_a_foreign_source_is_dropped_and_counted_while_the_caller_is_heard() -> None:
    with seated() as table, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        phone = table.join(sine(710))
        for _ in range(30):
            phone.send(bytes(RtpPacket(0, 1, 1, 99, b"\0" * 160)), stranger)
            table.run(1)
        figures = table.room.statistics(table.now_ns)[0]
        assert (figures.foreign, figures.packets_in, figures.remote_ssrc) == (30, 30, phone.ssrc)
        assert not [notice for notice in table.notices if isinstance(notice, AddressLearnt)]


@pytest.mark.parametrize("junk", [
    b"", b"\x80", b"\x80\x00\x00\x01", b"\x00" * 172, b"\x80\x7f" + bytes(170), b"\x9f\x00" + bytes(10),
    b"\xbf\x00" + bytes(30), b"\xa0\x00" + bytes(170), b"\xa0\x00" + bytes(169) + b"\xff",
    b"\x80\xc8\xff\xff" + bytes(8), b"\x80\x00" + bytes(10),
    b"\x90\x00" + bytes(10) + b"\xbe\xde\x00\x01\x1f\x00\x00\x00" + bytes(160)])
def test_junk_from_the_callers_own_address_is_counted_and_harms_nobody(junk: bytes) -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710), level_extension=1)
        for _ in range(100):
            talker.send(junk)
            table.run(1)
        assert table.room.statistics(table.now_ns)[1].junk == 100
        assert table.room.failures == 0
        assert abs(level_dbfs(48000, listener.heard_after(1), 710) + 20) < 1


def test_an_opus_payload_that_is_none_costs_itself_alone() -> None:
    with seated() as table:
        listener = table.join()
        broken = table.join(codec="opus")
        table.join(sine(710))
        for _ in range(60):
            broken.send(broken.packet(b"\xff\xff\xff\xff\xff"))
            table.run(1)
        assert table.room.failures == 0
        assert abs(level_dbfs(48000, listener.heard_after(0.5), 710) + 20) < 1


def test_lost_packets_are_concealed_and_counted() -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710))
        for tick in range(100):
            if tick in (40, 60, 80):
                talker.packet(b"")                                            # has a number, is never sent
                talker.timestamp += 160
                listener.talk(tick)
                table.step()
            else:
                table.run(1)
        figures = table.room.statistics(table.now_ns)[1]
        assert (figures.lost, figures.concealed, figures.late) == (3, 3, 0)


def test_on_hold_nothing_is_sent_and_afterwards_the_timestamp_has_gone_on() -> None:
    with seated() as table:
        table.join(sine(710))
        held = table.join()
        table.run(20)
        table.room.update_leg(held.leg_id, hears=False, is_heard=False)
        table.run(30)
        assert len(held.packets) == 20
        table.room.update_leg(held.leg_id, hears=True, is_heard=True)
        table.run(20)
        before, after = held.packets[19], held.packets[20]
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 31 * 160
        assert after.marker and not held.packets[21].marker


def test_a_change_of_codec_keeps_the_numbers_going() -> None:
    with seated() as table:
        table.join(sine(710))
        phone = table.join()
        table.run(20)
        table.room.update_leg(phone.leg_id, codec="g722", send_type=9, receive_type=9)
        table.run(50)
        kinds = [packet.payload_type for packet in phone.packets]
        assert kinds == [0] * 20 + [9] * 50
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(phone.packets))
        phone.codec, phone.packets = "g722", phone.packets[20:]
        assert abs(level_dbfs(48000, phone.heard_after(0.3), 710) + 20) < 1


def test_reports_go_out_with_what_was_sent_and_received_and_a_goodbye_at_the_end() -> None:
    with seated() as table:
        phone = table.join(sine(710))
        table.run(400)
        report, names = parse_compound(phone.rtcp[-1])[:2]
        assert isinstance(report, SenderReport) and isinstance(names, SourceDescription)
        assert report.ssrc == phone.packets[-1].ssrc and 0 < report.packets <= 400
        assert report.octets == report.packets * 160
        assert report.blocks[0].ssrc == phone.ssrc and report.blocks[0].cumulative_lost == 0
        table.room.remove_leg(phone.leg_id)
        phone.listen()
        assert any(isinstance(packet, Goodbye) for packet in parse_compound(phone.rtcp[-1]))


def test_a_report_from_the_phone_tells_round_trip_and_loss() -> None:
    with seated() as table:
        phone = table.join(sine(710))
        table.run(300)
        report = parse_compound(phone.rtcp[-1])[0]
        assert isinstance(report, SenderReport)
        block = ReportBlock(report.ssrc, 64, 10, 300, 24, (report.ntp >> 16) & 0xFFFFFFFF, 0)
        phone.send(build_compound([ReceiverReport(phone.ssrc, (block,)), SourceDescription({phone.ssrc: "phone"})]))
        table.step()
        figures = table.room.statistics(table.now_ns)[0]
        assert figures.remote_loss == 0.25 and 0 <= figures.rtt_ms < 60_000
        assert figures.remote_jitter_ms == 3.0


def test_a_phone_that_restarts_its_stream_is_heard_again() -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710))
        table.run(50)
        talker.leg_id += 5000                                                  # another SSRC
        talker.sequence, talker.timestamp = 40_000, 3_000_000_000
        table.run(100)
        assert abs(level_dbfs(48000, listener.heard_after(1.5), 710) + 20) < 1


def test_a_leg_that_comes_twice_replaces_the_first() -> None:
    with seated() as table:
        phone = table.join()
        leg = table.room.legs[phone.leg_id]
        again = table.join(leg_id=phone.leg_id)
        table.run(5)
        assert table.room.legs[phone.leg_id] is not leg
        assert leg.rtp.fileno() == -1 and len(again.packets) == 5


def test_what_came_too_late_after_a_stall_is_dropped_in_and_out() -> None:
    with seated() as table:
        phone = table.join()
        table.run(20)
        for _ in range(7):
            table.room.skip(table.now_ns)
            table.ticks += 1
        table.run(5)
        before, after = phone.packets[19], phone.packets[20]
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 8 * 160
        assert (after.sequence - before.sequence) & 0xFFFF == 1


def test_levels_in_the_mix_fit_the_one_byte_form() -> None:
    with seated(max_speakers=15) as table:
        listener = table.join(mixer_extension=2)
        for number in range(15):
            table.join(sine(300 + 100 * number, -35))
        table.run(30)
        data = bytes(listener.packets[-1])
        assert len(parse_extensions(data, 12 + 4 * 15)[2]) == 15


@pytest.mark.parametrize(("codec", "dtmf_type", "told"), [("pcmu", -1, ["5"]), ("pcma", -1, ["5"]), ("pcmu", 101, []),
                                                          ("opus", -1, [])])
def test_keys_are_looked_for_in_the_audio_of_g711_phones_without_telephone_events(codec: str, dtmf_type: int,
                                                                                  told: list[str]) -> None:
    low, high = sine(770, -15), sine(1336, -15)
    with seated() as table:
        table.join(lambda tick: low(tick) + high(tick) if 20 <= tick < 26 else silence(tick), codec, dtmf_type=dtmf_type)
        table.run(50)
        assert [notice.key for notice in table.notices if isinstance(notice, DtmfPressed)] == told
