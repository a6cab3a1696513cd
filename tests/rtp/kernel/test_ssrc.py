"""Who is who on a leg (RFC 3550 §7.3, §8.2): a peer with our SSRC, our own packets come back, the names of contributors."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rtp.packet import RtpPacket
from rtp.rtcp import (
    Goodbye,
    OtherPacket,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)
from tests.helpers.tones import level_dbfs
from tests.rtp.kernel.table import Phone, Table, seated, silence, sine

pytestmark = pytest.mark.loopback

PSFB = 206


def byes(phone: Phone) -> list[tuple[int, ...]]:
    return [packet.ssrcs for data in phone.rtcp for packet in parse_compound(data) if isinstance(packet, Goodbye)]


def looped(table: Table) -> int:
    return table.room.statistics(table.now_ns)[0].looped


def test_a_peer_with_our_ssrc_keeps_it_and_we_take_another_after_a_bye() -> None:
    with seated() as table:
        phone, _ = table.join(silence), table.join(sine(710))
        table.run(50)
        ours = phone.packets[-1].ssrc
        count = len(phone.packets)
        for number in range(20):
            phone.send(bytes(RtpPacket(0, 20000 + number, number * 160, ours, b"\x55" * 160)))
            table.step()
        after = [packet.ssrc for packet in phone.packets[count + 1:]]
        assert len(set(after)) == 1 and ours not in after
        assert byes(phone) == [(ours,)]
        numbers = [packet.sequence for packet in phone.packets]
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
        figures = table.room.statistics(table.now_ns)[0]
        assert (figures.packets_in, figures.packets_out, figures.remote_ssrc, figures.looped) == (70, len(numbers), ours, 0)


def test_our_own_packets_that_come_back_are_dropped_and_counted() -> None:
    with seated() as table:
        mirror, talker = table.join(lambda tick: None), table.join(sine(710))
        for _ in range(100):
            seen = len(mirror.packets)
            table.run(1)
            for packet in mirror.packets[seen:]:
                mirror.send(bytes(packet))
        table.step()
        assert looped(table) == 100
        assert {packet.ssrc for packet in mirror.packets} == {mirror.leg_id} and not byes(mirror)
        assert level_dbfs(48000, talker.heard_after(1), 710) < -55
        assert table.room.statistics(table.now_ns)[0].packets_in == 0


def test_our_own_rtcp_that_comes_back_is_dropped_and_a_report_of_a_namesake_makes_us_change() -> None:
    with seated() as table:
        phone, _ = table.join(silence), table.join(sine(710))
        table.run(300)
        ours = phone.packets[-1].ssrc
        phone.send(phone.rtcp[-1])
        table.step()
        assert looped(table) == 1 and not byes(phone)
        phone.send(build_compound([ReceiverReport(ours), SourceDescription({ours: "somebody else"})]))
        table.run(10)
        assert byes(phone) == [(ours,)] and phone.packets[-1].ssrc != ours
        assert looped(table) == 1


def test_who_is_mixed_is_named_to_the_others_by_a_name_that_tells_nothing() -> None:
    with seated() as table:
        listener, talker = table.join(silence), table.join(sine(710))
        talker.send(build_compound([ReceiverReport(talker.ssrc), SourceDescription({talker.ssrc: "alice@10.0.0.7"})]))
        table.run(400)
        named = {ssrc: name for data in listener.rtcp for packet in parse_compound(data)
                 if isinstance(packet, SourceDescription) for ssrc, name in packet.cnames.items()}
        assert set(named) == {listener.leg_id, talker.leg_id}
        assert named[talker.leg_id] != named[listener.leg_id] and "alice" not in str(named)
        assert all(isinstance(parse_compound(data)[0], SenderReport) for data in listener.rtcp)
        mine = {ssrc for data in talker.rtcp for packet in parse_compound(data)
                if isinstance(packet, SourceDescription) for ssrc in packet.cnames}
        assert mine == {talker.leg_id}


def test_rtcp_of_reduced_size_is_understood() -> None:
    with seated() as table:
        phone = table.join(silence)
        table.run(30)
        phone.send(bytes(OtherPacket(PSFB, 1, phone.ssrc.to_bytes(4) + phone.leg_id.to_bytes(4))))
        phone.send(bytes(ReceiverReport(phone.ssrc, (ReportBlock(phone.leg_id, 64, 5, 0, 0, 0, 0),))))
        table.step()
        figures = table.room.statistics(table.now_ns)[0]
        assert (figures.junk, figures.remote_loss) == (0, 0.25)


def test_padding_contributors_and_unknown_extensions_of_a_peer_are_passed_over() -> None:
    with seated() as table:
        phone, listener = table.join(lambda tick: None), table.join(silence)
        encoded = table.join(sine(710))
        table.run(50)
        payloads = [packet.payload for packet in listener.packets][20:40]
        table.room.remove_leg(encoded.leg_id)
        table.phones.remove(encoded)
        seen = len(listener.packets)
        for number, payload in enumerate(payloads * 5):
            data = bytes(RtpPacket(0, number, number * 160, 9, payload, csrcs=(1, 2, 3), extensions={7: b"???"}))
            phone.send(bytes([data[0] | 0x20]) + data[1:] + b"\0\0\0\4")
            table.run(1)
        figures = table.room.statistics(table.now_ns)[0]
        assert (figures.packets_in, figures.bytes_in, figures.junk) == (100, 16000, 0)
        assert any(packet.csrcs == (phone.leg_id,) for packet in listener.packets[seen:])
        encoded.socket.close()
