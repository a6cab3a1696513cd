"""One transport of pictures: lines told apart by mid, feedback between both ends, an estimate that the sender follows."""

from __future__ import annotations

import random

from rtp.feedback import parse_feedback
from rtp.packet import RtpPacket
from rtp.picture_transport import Arrived, PictureLine, PictureTransport
from rtp.rtcp import OtherPacket, SenderReport, parse_compound
from rtp.video_sender import MIN_KEY_INTERVAL_NS

MS = 1_000_000
WISHES = frozenset(("nack", "nack pli", "transport-cc"))


def vp8_picture(number: int, *, is_key: bool = False, size: int = 3000) -> bytes:
    """Something that has the header of a coded picture of VP8, 64 × 48 large."""
    head = bytes((0x10, 0, 0, 0x9D, 0x01, 0x2A, 64, 0, 48, 0)) if is_key else bytes((0x11, 0, 0))
    return head + bytes((number & 0xFF,)) * size


class End:
    """A phone's end with two lines that send and take."""

    def __init__(self, seed: int, *, number_id: int = 4) -> None:
        dice = random.Random(seed)
        self.transport = PictureTransport(f"end{seed}", lambda packet: packet, lambda: dice.getrandbits(32))
        lines = [PictureLine(key, mid, ((96, "vp8"),), ("vp8", 96, 0), WISHES) for key, mid in ((0, "main"), (1, "v1"))]
        self.transport.set_lines(lines, mid_id=3, number_id=number_id, is_reduced=True)
        self.arrived: list[Arrived] = []

    def take(self, packets: list[bytes], now_ns: int = 0) -> None:
        """Packets come; nothing before the first of them is waited for."""
        for packet in packets:
            self.arrived += self.transport.receive(packet, now_ns)
        self.arrived += self.transport.expire(now_ns + 40 * MS)


def exchange(a: End, b: End, now_ns: int) -> None:
    """RTCP both ways."""
    for one, other in ((a, b), (b, a)):
        for packet in one.transport.rtcp_to_send(now_ns, now_ns / 1e9):
            for again in other.transport.receive_rtcp(packet, now_ns, now_ns / 1e9) or ():
                one.arrived += one.transport.receive(again, now_ns)


def test_lines_of_one_transport_are_told_apart_by_their_mid() -> None:
    a, b = End(1), End(2)
    for key in (1, 0):
        b.take(a.transport.send(key, vp8_picture(7 + key, is_key=True), 0, 0))
    assert [(each.key, each.picture.data[-1]) for each in b.arrived] == [(1, 8), (0, 7)]


def test_a_packet_without_mid_belongs_to_the_line_of_its_source_and_a_mid_of_nobody_to_none() -> None:
    a, b = End(1), End(2)
    (packet, *rest) = a.transport.send(1, vp8_picture(1, is_key=True), 0, 0)
    b.take([packet])
    for data in rest:
        bare = RtpPacket.parse(data)
        bare.extensions = {}
        b.take([bytes(bare)])
    assert [each.key for each in b.arrived] == [1]
    stray = RtpPacket.parse(packet)
    stray.extensions = {3: b"v9"}
    assert b.transport.receive(bytes(stray), 0) == [] and b.transport.foreign == 1


def test_what_is_lost_is_asked_for_and_sent_again() -> None:
    a, b = End(1), End(2)
    b.take(a.transport.send(0, vp8_picture(1, is_key=True), 0, 0))
    packets = a.transport.send(0, vp8_picture(2), 40 * MS, 40 * MS)
    for packet in (*packets[:1], *packets[2:]):
        b.arrived += b.transport.receive(packet, 41 * MS)
    assert len(b.arrived) == 1
    for now in range(42, 100, 10):
        for packet in b.transport.rtcp_to_send(now * MS, now / 1e3):
            for again in a.transport.receive_rtcp(packet, now * MS, now / 1e3) or ():
                b.arrived += b.transport.receive(again, now * MS)
    assert [each.picture.data[-1] for each in b.arrived] == [1, 2]
    assert all(each.picture.is_decodable for each in b.arrived)


def test_a_decoder_that_failed_brings_a_key_frame() -> None:
    a, b = End(1), End(2)
    assert a.transport.takes_key_frame(0, 0)
    for packet in a.transport.send(0, vp8_picture(1, is_key=True), 0, 0):
        b.transport.receive(packet, 0)
    later = 2 * MIN_KEY_INTERVAL_NS
    assert not a.transport.takes_key_frame(0, later)
    b.transport.decoder_failed(0)
    exchange(a, b, later)
    assert a.transport.takes_key_frame(0, later)


def test_arrivals_are_told_and_the_estimate_falls_when_the_path_is_full() -> None:
    a, b = End(1), End(2)
    before = a.transport.bitrate_bps(0)
    free_ns = 0
    for count in range(120):                            # 25 pictures a second of 3 kB through a pipe of 300 kbit/s
        now_ns = count * 40 * MS
        for packet in a.transport.send(0, vp8_picture(count, is_key=count == 0), now_ns, now_ns):
            free_ns = max(free_ns, now_ns) + len(packet) * 8 * 1_000_000_000 // 300_000
            b.transport.receive(packet, free_ns)
        for packet in b.transport.rtcp_to_send(free_ns, free_ns / 1e9):
            a.transport.receive_rtcp(packet, now_ns, now_ns / 1e9)
    assert a.transport.bitrate_bps(0) < before // 2


def test_an_estimate_that_fell_is_tried_out_again_when_the_path_is_quiet() -> None:
    a, b = End(1), End(2)
    a.transport.wanted_bps = 1_000_000
    a.transport.estimate.on_remote_estimate(100_000)
    for count in range(25 * 20):                        # 100 kbit/s in 20 s through a path without bounds
        now_ns = count * 40 * MS
        for packet in a.transport.send(0, vp8_picture(count, is_key=count == 0, size=500), now_ns, now_ns):
            b.transport.receive(packet, now_ns + 20 * MS)
        for packet in b.transport.rtcp_to_send(now_ns + 20 * MS, now_ns / 1e9):
            a.transport.receive_rtcp(packet, now_ns + 40 * MS, now_ns / 1e9)
    assert 400_000 < a.transport.bitrate_bps(0) <= 1_500_000


def test_a_delay_that_others_make_does_not_bring_down_who_sends_little() -> None:
    a, b = End(1), End(2)
    before = a.transport.bitrate_bps(0)
    for count in range(100):                            # 100 kbit/s, each packet 2 ms later than the one before
        now_ns = count * 40 * MS
        for packet in a.transport.send(0, vp8_picture(count, is_key=count == 0, size=500), now_ns, now_ns):
            b.transport.receive(packet, now_ns + (20 + 2 * count) * MS)
        for packet in b.transport.rtcp_to_send(now_ns + (20 + 2 * count) * MS, now_ns / 1e9):
            a.transport.receive_rtcp(packet, now_ns + (40 + 2 * count) * MS, now_ns / 1e9)
    assert a.transport.bitrate_bps(0) == before


def test_without_transport_wide_numbers_an_estimate_goes_back_as_remb() -> None:
    a, b = End(1, number_id=0), End(2, number_id=0)
    remb = frozenset(("goog-remb",))
    b.transport.set_lines([PictureLine(0, "", ((96, "vp8"),), None, remb)])
    for count in range(20):
        for packet in a.transport.send(0, vp8_picture(count, is_key=count == 0), count * 40 * MS, count * 40 * MS):
            b.transport.receive(packet, count * 40 * MS)
    packets = [each for data in b.transport.rtcp_to_send(900 * MS, 0.9) for each in parse_compound(data)]
    found = [parse_feedback(each) for each in packets if isinstance(each, OtherPacket)]
    assert [type(each).__name__ for each in found] == ["ReceiverEstimate"]


def test_reports_tie_the_pictures_to_a_clock() -> None:
    a, b = End(1), End(2)
    b.take(a.transport.send(0, vp8_picture(1, is_key=True), 500 * MS, 500 * MS), 510 * MS)
    (report,) = [each for data in a.transport.rtcp_to_send(600 * MS, 1000.6) for each in parse_compound(data)
                 if isinstance(each, SenderReport)]
    b.transport.receive_rtcp(bytes(report), 610 * MS, 1000.61)
    clock = b.transport.clock(0)
    assert clock is not None
    captured_s = clock.captured_s(b.arrived[0].picture.timestamp)
    assert captured_s is not None and abs(captured_s - 2208988800 - 1000.5) < 0.001


def test_a_line_that_stays_the_same_goes_on_over_a_new_agreement() -> None:
    a, b = End(1), End(2)
    for packet in a.transport.send(0, vp8_picture(1, is_key=True), 0, 0):
        b.transport.receive(packet, 0)
    receiver = b.transport.receiver(0)
    b.transport.set_lines([PictureLine(0, "main", ((96, "vp8"),), None, WISHES)], mid_id=3, number_id=4)
    assert b.transport.receiver(0) is receiver and b.transport.sends(0) is None and b.transport.receiver(1) is None


def test_nonsense_is_counted_and_nothing_else() -> None:
    end = End(1)
    assert end.transport.receive(b"\x80", 0) == [] and end.transport.receive_rtcp(b"\x80\xc8\0\xff", 0, 0.0) is None
    assert end.transport.junk == 2
