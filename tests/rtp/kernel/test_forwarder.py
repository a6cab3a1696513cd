"""The forwarder: headers, switches, loss on either side, floods, paths that are too narrow, protection, strangers."""

from __future__ import annotations

import random
import socket
from itertools import pairwise

import pytest

from rtp.feedback import FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from rtp.kernel.spec import AddressLearnt
from rtp.kernel.video_spec import ProducerSpec, SlotPaused, SlotSwitched
from rtp.packet import RtpPacket
from rtp.payload.vp8 import Descriptor
from rtp.rtcp import ReceiverReport, ReportBlock, SenderReport
from rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, Suite
from rtp.transport_feedback import ArrivalLog
from tests.rtp.kernel.studio import ALL, H264, H264_SINGLE, HOST, MS, VP8, Studio, numbers_of

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("suite", [None, AES_CM_128_HMAC_SHA1_80, AEAD_AES_128_GCM], ids=str)
def test_pictures_go_on_untouched_behind_a_header_of_our_own(suite: Suite | None) -> None:
    with Studio(suite) as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(5, 1, key=True)
        assert [packet.payload for packet in receiver.packets] == [
            RtpPacket.parse(sender.packet(index < 2, index % 2 == 0)).payload for index in range(10)]
        assert {(packet.ssrc, packet.csrcs, packet.payload_type) for packet in receiver.packets} == {(9001, (1,), 97)}
        assert numbers_of(receiver) == list(range(94, 104))
        assert [packet.marker for packet in receiver.packets] == [False, True] * 5
        assert studio.about(SlotSwitched) == [SlotSwitched(1, 1)]
        assert sender.packets == [] and studio.forwarder.failures == 0


def test_nothing_is_shown_before_a_key_frame_which_is_asked_for_once_a_second() -> None:
    with Studio() as studio:
        sender = studio.join(1)
        for number in (2, 3, 4):
            studio.join(number)
            studio.slot(number, number, 1)
        studio.roll(33, 1)
        assert all(person.packets == [] for person in studio.people.values())
        assert sender.heard(PictureLossIndication) == [PictureLossIndication(501, 1)] * 2
        studio.roll(2, 1, key=True)
        assert all(len(studio.people[number].packets) == 4 for number in (2, 3, 4))
        studio.roll(60, 1)
        assert len(sender.heard(PictureLossIndication)) == 2


def test_sender_that_knows_fir_alone_is_asked_by_fir() -> None:
    with Studio() as studio:
        sender = studio.join(1, wishes=frozenset(("ccm fir",)))
        studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1)
        assert sender.heard(FullIntraRequest) == [FullIntraRequest(501, ((1, 1),))]


@pytest.mark.parametrize("coding", [H264, VP8], ids=["h264", "vp8"])
def test_switch_waits_for_a_key_frame_and_leaves_no_seam(coding: tuple[int, str, int]) -> None:
    with Studio() as studio:
        for number in (1, 2, 3):
            studio.join(number, coding)
        studio.people[2].sequence, studio.people[2].timestamp, studio.people[2].picture_id = 40_000, 3_000_000_000, 900
        studio.slot(1, 3, 1)
        studio.roll(3, 1, 2, key=True)
        assert studio.forwarder.show(1, 2)
        studio.roll(3, 1, 2)
        receiver = studio.people[3]
        assert receiver.shown() == [1]
        studio.roll(3, 1, 2, key=True)
        studio.roll(3, 1)
        assert receiver.shown() == [1, 2]
        assert studio.about(SlotSwitched) == [SlotSwitched(1, 1), SlotSwitched(1, 2)]
        assert numbers_of(receiver) == list(range(94, 94 + len(receiver.packets))) and len(receiver.packets) in (18, 20)
        times = [packet.timestamp for packet in receiver.packets[::2]]
        steps = [(later - earlier) & 0xFFFFFFFF for earlier, later in pairwise(times)]
        assert all(0 < step <= 6000 for step in steps)
        assert {packet.csrcs for packet in receiver.packets[-4:]} == {(2,)}
        if coding is VP8:
            found = [Descriptor.parse(packet.payload)[0] for packet in receiver.packets[::2]]
            assert [one.picture_id for one in found] == list(range(1, len(found) + 1))
            assert [one.base_index for one in found] == list(range(1, len(found) + 1))


def test_receiver_without_the_codec_or_the_mode_is_not_shown_the_stream() -> None:
    with Studio() as studio:
        studio.join(1, H264)
        studio.join(2, H264_SINGLE)
        receiver = studio.join(3, sends=False)
        assert not studio.slot(1, 3, 1, formats=(H264_SINGLE, VP8))
        assert studio.slot(2, 3, 2, formats=(H264_SINGLE, VP8))
        assert studio.slot(3, 3, 2, formats=(H264,)) and studio.slot(5, 3, 1, formats=(H264_SINGLE, H264))
        assert not studio.slot(4, 3, 99) and not studio.forwarder.show(99, 1)
        studio.roll(2, 1, 2, key=True)
        assert {(packet.ssrc, packet.payload_type) for packet in receiver.packets} == {(9002, 98), (9003, 97), (9005, 97)}


@pytest.mark.parametrize("suite", [None, AEAD_AES_128_GCM], ids=str)
def test_nack_is_answered_with_the_very_packet_once_in_a_while(suite: Suite | None) -> None:
    with Studio(suite) as studio:
        studio.join(1)
        receiver = studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(10, 1, key=True)
        sent = [data for data in receiver.sealed if len(data) > 100]
        receiver.sealed.clear()
        for _ in range(3):
            receiver.say(Nack(2, 9001, (65532, 3, 700)))
            studio.run(5)
        assert [data for data in receiver.sealed if len(data) > 100] == [sent[2], sent[9]]
        studio.run(30)
        receiver.say(Nack(2, 9001, (65532,)), Nack(2, 1234, (1,)))
        studio.run(1)
        assert receiver.sealed[-1] == sent[2]


def test_nack_flood_gets_no_more_than_its_share() -> None:
    with Studio() as studio:
        studio.join(1)
        receiver = studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(150, 1, key=True, ms=1)
        before = len(receiver.packets)
        for _ in range(40):
            receiver.say(*(Nack(2, 9001, tuple((first + n) & 0xFFFF for n in range(17))) for first in range(65530, 65830, 17)))
            studio.run(20)
        assert 300 <= len(receiver.packets) - before <= 400


def test_packet_lost_on_the_way_in_is_asked_for_and_finds_its_place() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1, key=True)
        first, second = sender.picture()
        sender.send(first)
        studio.roll(1, 1)
        studio.run(10)
        assert sender.heard(Nack) == [Nack(501, 1, (5,))]
        sender.send(second)
        studio.roll(1, 1)
        assert sorted(numbers_of(receiver)) == list(range(94, 104))
        assert numbers_of(receiver) != sorted(numbers_of(receiver))
        assert studio.forwarder.statistics()[0].recovered == 1


def test_packet_that_never_comes_costs_a_key_frame() -> None:
    with Studio() as studio:
        sender = studio.join(1)
        studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1, key=True)
        before = len(sender.heard(PictureLossIndication))
        sender.send(sender.picture()[0])
        studio.roll(60, 1)
        assert 2 <= len(sender.heard(Nack)) <= 5
        assert len(sender.heard(PictureLossIndication)) > before


def test_flood_of_pli_and_fir_is_one_request_a_second() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1, key=True)
        asked = len(sender.heard(PictureLossIndication))
        for step in range(300):
            receiver.say(PictureLossIndication(2, 9001), FullIntraRequest(2, ((9001, step & 0xFF),)))
            studio.roll(1, 1, key=step % 5 == 4, ms=10)
        assert 2 <= len(sender.heard(PictureLossIndication)) - asked <= 4
        assert studio.forwarder.statistics()[0].key_frames_merged > 100


def test_packets_that_only_fill_leave_no_gap() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(1, 1, key=True)
        for _ in range(3):
            padding = bytearray(bytes(RtpPacket(97, sender.sequence, sender.timestamp, 1, bytes(7) + b"\7")))
            padding[0] |= 0x20
            padding[-1] = 8
            sender.sequence += 1
            sender.send(bytes(padding))
        studio.roll(2, 1)
        assert numbers_of(receiver) == list(range(94, 100))


def test_two_streams_of_one_port_are_told_by_their_mid() -> None:
    with Studio() as studio:
        sender = studio.join(1, mid_extension=3, sends=False)
        receiver = studio.join(2, mid_extension=4, sends=False)
        for producer_id, mid in ((11, "cam"), (12, "s")):
            studio.forwarder.add_producer(ProducerSpec(producer_id, 1, ALL, mid))
        studio.slot(1, 2, 11, mid="r0")
        studio.slot(2, 2, 12, mid="r1")
        for ssrc, name in ((71, b"cam"), (72, b"s"), (73, b"other"), (74, b"")):
            sender.ssrc, sender.sequence, sender.extensions = ssrc, 0, {3: name} if name else {}
            sender.send(*sender.picture(True))
        studio.run()
        assert [(packet.csrcs, packet.extensions) for packet in receiver.packets] == [
            ((11,), {4: b"r0"})] * 2 + [((12,), {4: b"r1"})] * 2
        assert studio.forwarder.statistics()[0].junk == 4


def test_closed_producer_is_not_shown_and_begins_with_a_key_frame_when_opened() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.forwarder.update_producer(1, is_open=False)
        studio.roll(3, 1, key=True)
        assert receiver.packets == []
        studio.forwarder.update_producer(1, is_open=True)
        studio.roll(3, 1)
        assert receiver.packets == [] and sender.heard(PictureLossIndication)
        studio.roll(3, 1, key=True)
        assert len(receiver.packets) == 6


def test_change_of_ssrc_begins_anew_at_a_key_frame() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(3, 1, key=True)
        sender.ssrc, sender.sequence, sender.timestamp = 77, 20_000, 5
        studio.roll(3, 1)
        assert len(receiver.packets) == 6
        studio.roll(3, 1, key=True)
        assert numbers_of(receiver) == list(range(94, 106))


# ---- what fits

def test_receiver_with_a_narrow_path_loses_the_less_important_and_nobody_else_does() -> None:
    with Studio() as studio:
        wishes = frozenset(("nack", "nack pli"))
        for number in (1, 2, 3, 4):
            studio.join(number, wishes=wishes)
        for receiver in (3, 4):
            studio.slot(receiver * 10 + 1, receiver, 1, rank=0)
            studio.slot(receiver * 10 + 2, receiver, 2, rank=1)
            studio.people[receiver].say(ReceiverEstimate(receiver, 5_000_000, (9031, 9032)))
        studio.roll(30, 1, 2, key=True, size=1000)
        studio.people[3].say(ReceiverEstimate(3, 600_000, (9031, 9032)))
        studio.roll(45, 1, 2, size=1000)
        assert studio.about(SlotPaused) == [SlotPaused(32, True)]
        for number in (3, 4):
            studio.people[number].packets.clear()
        studio.roll(10, 1, 2, size=1000)
        assert {packet.ssrc for packet in studio.people[3].packets} == {9031}
        assert {packet.ssrc for packet in studio.people[4].packets} == {9041, 9042}


def test_path_that_is_wide_again_brings_the_picture_back_with_a_key_frame() -> None:
    with Studio() as studio:
        wishes = frozenset(("nack pli",))
        for number in (1, 2, 3):
            studio.join(number, wishes=wishes)
        studio.slot(1, 3, 1)
        studio.slot(2, 3, 2, rank=1)
        studio.people[3].say(ReceiverEstimate(3, 600_000, ()))
        studio.roll(60, 1, 2, key=True, size=1000)
        assert SlotPaused(2, True) in studio.seen
        asked = len(studio.people[2].heard(PictureLossIndication))
        studio.people[3].say(ReceiverEstimate(3, 5_000_000, ()))
        studio.roll(130, 1, 2, size=1000)
        assert studio.about(SlotPaused)[-1] == SlotPaused(2, False)
        assert len(studio.people[2].heard(PictureLossIndication)) > asked
        studio.people[3].packets.clear()
        studio.roll(2, 1, 2, key=True, size=1000)
        assert {packet.ssrc for packet in studio.people[3].packets} == {9001, 9002}


def test_sender_is_told_what_its_best_receiver_can_take() -> None:
    with Studio() as studio:
        sender = studio.join(1)
        for number, estimate in ((2, 200_000), (3, 400_000)):
            studio.join(number, sends=False)
            studio.slot(number, number, 1)
            studio.people[number].say(ReceiverEstimate(number, estimate, ()))
        studio.roll(40, 1, key=True, size=1000)
        last = sender.heard(ReceiverEstimate)[-1]
        assert isinstance(last, ReceiverEstimate) and last.sources == (1,)
        assert 380_000 <= last.bitrate_bps <= 400_000


@pytest.mark.parametrize("bitrate_bps", [1, 10 ** 13])
def test_estimate_of_a_liar_is_clamped_and_hurts_the_liar_alone(bitrate_bps: int) -> None:
    with Studio() as studio:
        studio.join(1, wishes=frozenset())
        for number in (2, 3):
            studio.join(number, sends=False)
            studio.slot(number, number, 1)
        studio.people[2].say(ReceiverEstimate(2, bitrate_bps, ()))
        studio.roll(60, 1, key=True, size=1000)
        estimates = {one.port_id: one.estimate_bps for one in studio.forwarder.statistics()}
        assert 50_000 <= estimates[2] <= 1_500_000
        assert len(studio.people[3].packets) == 120


def test_loss_that_a_receiver_reports_lowers_its_estimate_and_tells_the_round_trip() -> None:
    with Studio() as studio:
        studio.join(1)
        receiver = studio.join(2, sends=False)
        studio.slot(1, 2, 1)
        before = None
        for _ in range(5):
            studio.roll(15, 1, key=True, size=1000)
            receiver.say(ReceiverReport(2, (ReportBlock(9001, 64, 0, 0, 0, 0, 0),)))
            studio.run()
            before = before or studio.forwarder.statistics()[1].estimate_bps
        after = studio.forwarder.statistics()[1]
        assert before is not None and after.estimate_bps < before < 1_500_000 and after.remote_loss == 0.25


def test_transport_wide_numbers_run_over_all_slots_and_their_feedback_lowers_the_estimate_of_a_path_that_fills() -> None:
    with Studio() as studio:
        studio.join(1)
        studio.join(2)
        receiver = studio.join(3, sends=False, transport_extension=5)
        for number in (1, 2):
            studio.slot(number, 3, number)
        log, delay, numbers = ArrivalLog(), 0, []
        studio.forwarder.ports[3].estimate.probe(4_000_000)
        for _ in range(60):
            studio.roll(1, 1, 2, key=True, size=1000)
            for packet in receiver.packets:
                numbers.append(int.from_bytes(packet.extensions[5]))
                delay += 3 * MS
                log.on_packet(numbers[-1], studio.now + delay)
            receiver.packets.clear()
            if feedback := log.take(3, 9001):
                receiver.say(feedback)
        assert numbers == list(range(1, len(numbers) + 1))
        assert studio.forwarder.statistics()[2].estimate_bps < 1_200_000


# ---- protection, strangers, junk

def test_packet_of_a_stranger_is_dropped_and_counted() -> None:
    with Studio() as studio, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HOST, 0))
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(1, 1, key=True)
        for packet in sender.picture(True):
            stranger.sendto(packet, sender.room)
        stranger.sendto(bytes(PictureLossIndication(2, 9001)), receiver.room)
        studio.run(1100)
        assert len(receiver.packets) == 2 and studio.forwarder.statistics()[0].foreign == 2


def test_protected_peer_may_move_to_another_port_and_a_wrong_key_may_not() -> None:
    with Studio(AEAD_AES_128_GCM) as studio, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moved:
        moved.bind((HOST, 0))
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(1, 1, key=True)
        for packet in sender.picture():
            moved.sendto(packet, sender.room)
        moved.sendto(receiver.picture(True)[0], sender.room)
        studio.run(1100)
        studio.run()
        assert len(receiver.packets) == 4
        assert AddressLearnt(1, moved.getsockname()) in studio.seen
        assert studio.forwarder.statistics()[0].auth_failures == 1


def test_nothing_goes_out_in_clear_while_keys_are_awaited() -> None:
    with Studio() as studio:
        studio.join(1)
        receiver = studio.join(2, awaits_keys=True)
        studio.slot(1, 2, 1)
        studio.roll(40, 1, key=True)
        assert receiver.sealed == []


def test_key_frame_for_a_newcomer_is_asked_for_when_it_can_be_sent_on() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2, awaits_keys=True)
        studio.slot(1, 2, 1)
        studio.roll(6, 1)
        assert sender.heard(PictureLossIndication) == []
        studio.forwarder.update_port(2, awaits_keys=False)
        studio.roll(1, 1)
        assert sender.heard(PictureLossIndication) == [PictureLossIndication(501, 1)]
        studio.roll(2, 1, key=True)
        assert len(receiver.packets) == 4


def test_junk_costs_itself_alone() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1, mid_extension=3, transport_extension=5), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1, key=True)
        dice = random.Random(5)
        good = sender.picture()[0]
        for step in range(3000):
            head = bytes((dice.choice((0x80, 0x90, 0xBF, 0x81)), dice.choice((97, 225, 200, 201, 205, 206, 8))))
            junk = head + dice.randbytes(dice.choice((2, 6, 10, 14, 30, 90)))
            if step % 3 == 0:
                junk = good[:dice.randrange(len(good))]
            dice.choice((sender, receiver)).send(junk)
            if step % 50 == 0:
                studio.run()
        assert studio.forwarder.failures == 0 and studio.forwarder.statistics()[0].junk > 100
        receiver.packets.clear()
        sender.ssrc, sender.sequence = 5, 0
        studio.roll(60, 1, key=True)
        studio.roll(2, 1, key=True)
        assert len(receiver.packets) >= 4


def test_reports_tell_what_was_sent_and_what_was_lost() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(120, 1, key=True)
        reports = [packet for packet in receiver.rtcp if isinstance(packet, SenderReport)]
        assert reports and reports[-1].ssrc == 9001 and reports[-1].packets > 50
        behind = (reports[-1].timestamp - receiver.packets[-1].timestamp) & 0xFFFFFFFF
        assert behind < 90_000 or behind > 0xFFFFFFFF - 180_000
        blocks = [block for packet in sender.rtcp if isinstance(packet, ReceiverReport) for block in packet.blocks]
        assert blocks and blocks[-1].ssrc == 1 and blocks[-1].cumulative_lost == 0


def test_who_leaves_takes_slots_and_producers_along() -> None:
    with Studio() as studio:
        studio.join(1)
        receiver = studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(2, 1, key=True)
        studio.forwarder.remove_port(1)
        studio.forwarder.remove_port(1)
        studio.run(200)
        assert list(studio.forwarder.producers) == [2] and not studio.forwarder.show(1, 1)
        studio.forwarder.remove_port(2)
        assert not studio.forwarder.slots and len(receiver.packets) == 4


def test_downlink_that_is_cut_to_300_kbit_degrades_one_receiver_within_three_seconds_and_no_other() -> None:
    with Studio() as studio:
        for number in (1, 2):
            studio.join(number, wishes=frozenset(("nack pli",)))
        for number in (3, 4):
            studio.join(number, sends=False, transport_extension=5)
            studio.slot(number * 10 + 1, number, 1, rank=0)
            studio.slot(number * 10 + 2, number, 2, rank=1)
        logs = {3: ArrivalLog(), 4: ArrivalLog()}
        free = {3: 0, 4: 0}
        capacity = {3: 5_000_000, 4: 5_000_000}
        waiting: dict[int, list[tuple[int, int]]] = {3: [], 4: []}

        def second() -> None:
            for step in range(30):
                studio.roll(1, 1, 2, key=step == 0, size=1000)
                for number, log in logs.items():
                    person = studio.people[number]
                    for packet in person.packets:
                        free[number] = max(free[number], studio.now) + 8_000_000_000 * 1050 // capacity[number]
                        waiting[number].append((free[number], int.from_bytes(packet.extensions[5])))
                    person.packets.clear()
                    while waiting[number] and waiting[number][0][0] <= studio.now:
                        arrival, packet_number = waiting[number].pop(0)
                        log.on_packet(packet_number, arrival)
                    if step % 3 == 0 and (feedback := log.take(number, 9000 + number)):
                        person.say(feedback)

        for _ in range(3):
            second()
        assert studio.about(SlotPaused) == []
        capacity[3] = 300_000
        for _ in range(3):
            second()
        paused = [notice for notice in studio.about(SlotPaused) if isinstance(notice, SlotPaused)]
        assert paused and {notice.slot_id for notice in paused} <= {31, 32}
        assert not studio.forwarder.slots[41].is_paused and not studio.forwarder.slots[42].is_paused
        assert studio.forwarder.statistics()[2].estimate_bps < 400_000


def test_paused_slot_shows_a_stream_that_has_just_begun_at_once() -> None:
    with Studio() as studio:
        studio.join(1, wishes=frozenset())
        receiver = studio.join(2, sends=False)
        studio.slot(21, 2, 1)
        receiver.say(ReceiverEstimate(2, 100_000, ()))
        studio.roll(40, 1, key=True, size=1000)
        assert studio.forwarder.slots[21].is_paused
        studio.join(3)
        assert studio.forwarder.show(21, 3)
        studio.roll(3, 3, key=True)
        assert receiver.shown()[-1] == 3
        studio.roll(60, 3)
        assert receiver.shown()[-1] == 3 and not studio.forwarder.slots[21].is_paused


def test_sender_whose_uplink_fills_is_told_to_send_less() -> None:
    with Studio() as studio:
        sender = studio.join(1)
        studio.join(2, sends=False)
        studio.slot(1, 2, 1)
        studio.people[2].say(ReceiverEstimate(2, 5_000_000, ()))
        queue: list[tuple[int, bytes]] = []
        free, next_picture = studio.now, studio.now
        for _ in range(1200):
            if studio.now >= next_picture:
                next_picture += 33 * MS
                for packet in sender.picture(size=1000):
                    free = max(free, studio.now) + 8_000_000_000 * 1050 // 350_000
                    queue.append((free, packet))
            while queue and queue[0][0] <= studio.now:
                sender.send(queue.pop(0)[1])
            studio.run(4)
        last = sender.heard(ReceiverEstimate)[-1]
        assert isinstance(last, ReceiverEstimate) and last.bitrate_bps < 350_000


def test_hold_stops_the_pictures_and_its_end_begins_with_a_key_frame_and_no_gap() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(40, 1, key=True)
        remote = studio.forwarder.ports[2].spec.remote
        studio.forwarder.update_port(2, remote=None)
        studio.roll(40, 1, key=True)
        assert len(receiver.packets) == 80
        asked = len(sender.heard(PictureLossIndication))
        studio.forwarder.update_port(2, remote=remote)
        studio.roll(3, 1)
        assert len(receiver.packets) == 80 and len(sender.heard(PictureLossIndication)) == asked + 1
        studio.roll(3, 1, key=True)
        assert numbers_of(receiver) == list(range(94, 180))


def test_flood_of_strangers_does_not_keep_a_picture_out() -> None:
    with Studio() as studio, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HOST, 0))
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.roll(60, 1, key=True)
        receiver.packets.clear()
        for _ in range(30):
            for _ in range(600):
                stranger.sendto(b"\x80\x61" + bytes(40), sender.room)
            studio.roll(1, 1)
        assert len(receiver.packets) == 60


def test_peer_that_moved_is_heard_again_within_two_seconds_and_served_at_its_new_port() -> None:
    with Studio() as studio:
        sender, receiver = studio.join(1), studio.join(2)
        studio.slot(1, 2, 1)
        studio.slot(2, 1, 2)
        studio.roll(60, 1, 2, key=True)
        before, sender.socket = sender.socket, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        before.close()
        sender.socket.bind((HOST, 0))
        sender.socket.setblocking(False)
        receiver.packets.clear()
        sender.packets.clear()
        studio.roll(61, 1, 2)
        assert studio.about(AddressLearnt) == [AddressLearnt(1, sender.socket.getsockname())]
        studio.roll(4, 1, 2, key=True)
        assert len(receiver.packets) >= 8 and len(sender.packets) >= 8
