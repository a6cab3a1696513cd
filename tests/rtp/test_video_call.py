"""A sender and a receiver of pictures over links that the test draws: loss, bursts, reordering, floods. Time is a number."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest

from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder, create_video_encoder
from rtp.errors import CodecError
from rtp.feedback import FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate, parse_feedback
from rtp.payload.assembly import EncodedPicture
from rtp.rtcp import OtherPacket, parse_compound
from rtp.video_receiver import VideoReceiver
from rtp.video_sender import MIN_KEY_INTERVAL_NS, VideoSender

MS = 1_000_000
FRAME_NS = 33 * MS
ALL = frozenset(("nack", "nack pli"))


@cache
def drawn(count: int) -> Picture:
    """The test picture of a count."""
    picture = Picture.create(320, 180)
    draw(picture, 5, count)
    return picture


class Call:
    """Both ends; `lose` says of the n-th packet whether it is lost; a way takes 20 ms and a little."""

    def __init__(self, codec: str, lose: Callable[[int, int], bool], wishes: frozenset[str] = ALL) -> None:
        self.sender = VideoSender(codec, 97, 7, 65500, lambda packet: packet)
        self.receiver = VideoReceiver({97: codec}, wishes)
        self.shown: list[tuple[int, int]] = []
        self.keys = 0
        self._encoder = create_video_encoder(codec, 320, 180, 400_000)
        self._decoder = VideoDecoder(codec)
        self._lose, self._dice = lose, random.Random(4)
        self._sent = 0
        self._events: list[tuple[int, int, str, bytes]] = []

    def run(self, pictures: int) -> None:
        """So many pictures, and the time after them."""
        for count in range(pictures):
            self._until(count * FRAME_NS)
            now = count * FRAME_NS
            is_key = self.sender.takes_key_frame(now)
            self.keys += is_key
            data = self._encoder.encode(drawn(count), count * 3000, is_key=is_key)
            self._transmit(self.sender.packets_of(data, count * 3000), now)
        self._until(pictures * FRAME_NS + 500 * MS)

    def _transmit(self, packets: list[bytes], now: int) -> None:
        for packet in packets:
            self._sent += 1
            if not self._lose(self._sent, now):
                self._put(now + 20 * MS + self._dice.randrange(4 * MS), "rtp", packet)

    def _put(self, when: int, kind: str, data: bytes) -> None:
        heapq.heappush(self._events, (when, self._dice.randrange(1 << 30), kind, data))

    def _until(self, end: int) -> None:
        for now in range(max(0, end - FRAME_NS), end, 5 * MS):
            self._put(now, "look", b"")
        while self._events and self._events[0][0] <= end:
            now, _, kind, data = heapq.heappop(self._events)
            if kind == "rtp":
                self._show(self.receiver.receive(data, now, 45 * MS), now)
            elif kind == "rtcp":
                for packet in parse_compound(data):
                    assert isinstance(packet, OtherPacket)
                    item = parse_feedback(packet)
                    assert item is not None
                    self._transmit(self.sender.receive_feedback(item, now), now)
            else:
                self._show(self.receiver.expire(now), now)
                for item in self.receiver.feedback_to_send(9, 45 * MS, now):
                    self._put(now + 20 * MS, "rtcp", bytes(item))

    def _show(self, pictures: list[EncodedPicture], now: int) -> None:
        for coded in pictures:
            if not coded.is_decodable:
                continue
            try:
                for picture in self._decoder.decode(coded.data):
                    code = read(picture.y)
                    assert code is not None and code[0] == 5
                    self.shown.append((now, code[1]))
            except CodecError:
                self.receiver.decoder_failed()

    def longest_freeze_ms(self) -> int:
        """The longest time between two pictures."""
        times = [now for now, _ in self.shown]
        return max(later - earlier for earlier, later in pairwise(times)) // MS


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_all_pictures_are_shown_where_nothing_is_lost_though_packets_overtake_each_other(codec: str) -> None:
    call = Call(codec, lambda number, now: False)
    call.run(90)
    assert [count for _, count in call.shown] == list(range(90))
    assert call.keys == 1 and call.sender.resent == 0
    assert call.longest_freeze_ms() < 60


@pytest.mark.parametrize("codec", ["h264", "vp8"])
@pytest.mark.parametrize("loss", [0.05, 0.10])
def test_random_loss_is_mended_by_asking_again(codec: str, loss: float) -> None:
    dice = random.Random(6)
    call = Call(codec, lambda number, now: dice.random() < loss)
    call.run(300)
    assert len(call.shown) >= 285
    assert call.sender.resent > 10 and call.longest_freeze_ms() < 1000
    counts = [count for _, count in call.shown]
    assert counts == sorted(counts)


@pytest.mark.parametrize("wishes", [ALL, frozenset(("nack pli",)), frozenset(("ccm fir",))],
                         ids=lambda wishes: "+".join(sorted(wishes)))
def test_pictures_are_back_within_a_second_of_a_burst_of_twenty_lost_packets(wishes: frozenset[str]) -> None:
    call = Call("h264", lambda number, now: number % 150 in range(100, 120), wishes)
    call.run(300)
    assert call.longest_freeze_ms() < 1000
    assert len(call.shown) > 200


def test_line_that_is_dead_for_two_seconds_comes_back_with_a_key_frame() -> None:
    call = Call("vp8", lambda number, now: 1000 * MS < now < 3000 * MS)
    call.run(200)
    assert call.keys >= 2 and 2000 <= call.longest_freeze_ms() < 3200
    assert call.shown[-1][1] == 199
    assert call.receiver.frozen_ns > 0


def test_stream_that_never_sends_a_key_frame_is_asked_less_and_less() -> None:
    call = Call("h264", lambda number, now: number < 8)
    sender = call.sender
    asked: list[int] = []

    def ignore(item: object, now: int) -> list[bytes]:
        asked.append(now)
        return []

    sender.receive_feedback = ignore  # type: ignore[method-assign,assignment]
    call.run(300)
    assert call.shown == []
    assert 3 <= len([now for now in asked if now > 1000 * MS]) <= 8


def test_flood_of_requests_makes_two_key_frames_a_second_at_most() -> None:
    sender = VideoSender("h264", 97, 7, 0, lambda packet: packet)
    made = 0
    for step in range(3000):
        now = step * MS
        sender.receive_feedback(PictureLossIndication(1, 7), now)
        sender.receive_feedback(FullIntraRequest(1, ((7, step & 0xFF),)), now)
        made += sender.takes_key_frame(now)
    assert made == 3000 * MS // MIN_KEY_INTERVAL_NS


def test_fir_with_the_number_of_before_is_the_same_command() -> None:
    sender = VideoSender("vp8", 97, 7, 0, lambda packet: packet)
    assert sender.takes_key_frame(0)
    sender.receive_feedback(FullIntraRequest(1, ((7, 4),)), 0)
    assert sender.takes_key_frame(1000 * MS)
    sender.receive_feedback(FullIntraRequest(1, ((7, 4), (8, 5))), 0)
    assert not sender.takes_key_frame(2000 * MS)


def test_flood_of_nacks_brings_no_more_than_half_of_what_was_sent() -> None:
    sender = VideoSender("vp8", 97, 7, 0, lambda packet: packet)
    for count in range(20):
        sender.packets_of(bytes(11_000), count * 3000)
    sent = sender.packets
    for step in range(100):
        sender.receive_feedback(Nack(1, 7, tuple(range(200))), step * 30 * MS)
    assert sender.resent == sent // 2


def test_estimates_of_others_streams_are_not_ours() -> None:
    sender = VideoSender("vp8", 97, 7, 0, lambda packet: packet)
    sender.receive_feedback(ReceiverEstimate(1, 300_000, (7, 8)), 0)
    sender.receive_feedback(ReceiverEstimate(1, 100_000, (8,)), 0)
    assert sender.limit_bps == 300_000
    assert sender.receive_feedback(Nack(1, 8, (0,)), 0) == []


def test_junk_and_foreign_payload_types_are_counted() -> None:
    receiver = VideoReceiver({97: "h264"})
    for data in (b"", b"\x80", bytes(12), b"\x80\x60" + bytes(20), b"\x80\xe1" + bytes(10) + b"\x7c\x85\x00"):
        assert receiver.receive(data, 0) == []
    assert receiver.junk == 4
