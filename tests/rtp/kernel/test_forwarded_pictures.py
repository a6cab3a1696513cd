"""Real pictures through the forwarder, protected, over sockets, with loss on either side: who is seen, and none is broken."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder, VideoEncoder, create_video_encoder
from rtp.feedback import parse_feedback
from rtp.payload.assembly import EncodedPicture
from rtp.rtcp import OtherPacket
from rtp.srtp import AEAD_AES_128_GCM
from rtp.video_receiver import VideoReceiver
from rtp.video_sender import VideoSender
from tests.rtp.kernel.studio import H264, MS, VP8, WISHES, Person, Studio

pytestmark = pytest.mark.loopback
STEP_MS, STEPS_A_PICTURE = 11, 3


@dataclass
class Camera:
    """Sends test pictures of its person, and does what feedback asks."""

    person: Person
    encoder: VideoEncoder
    sender: VideoSender
    dice: random.Random
    loss: float = 0.0
    count: int = 0
    keys: list[int] = field(default_factory=list)

    def shoot(self, now_ns: int) -> None:
        """Send the next picture."""
        picture = Picture.create(320, 180)
        draw(picture, self.person.number, self.count)
        is_key = self.sender.takes_key_frame(now_ns)
        self.keys += [self.count] * is_key
        data = self.encoder.encode(picture, 3000 * self.count, is_key=is_key)
        self.send(self.sender.packets_of(data, 3000 * self.count))
        self.count += 1

    def send(self, packets: list[bytes]) -> None:
        """Send, and lose some."""
        self.person.send(*(packet for packet in packets if self.dice.random() >= self.loss))

    def heed(self, now_ns: int) -> None:
        """Do what feedback asks."""
        for packet in self.person.rtcp:
            if isinstance(packet, OtherPacket) and (item := parse_feedback(packet)) is not None:
                self.send(self.sender.receive_feedback(item, now_ns))
        self.person.rtcp.clear()


@dataclass
class Viewer:
    """Shows what comes, and asks for what does not."""

    person: Person
    receiver: VideoReceiver
    decoder: VideoDecoder
    seen: list[tuple[int, int, int]] = field(default_factory=list)

    def watch(self, now_ns: int) -> None:
        """Take what has come."""
        for packet in self.person.packets:
            self._show(self.receiver.receive(bytes(packet), now_ns, 30 * MS), now_ns)
        self.person.packets.clear()
        self._show(self.receiver.expire(now_ns), now_ns)
        if items := self.receiver.feedback_to_send(self.person.number, 30 * MS, now_ns):
            self.person.say(*items)

    def _show(self, coded: list[EncodedPicture], now_ns: int) -> None:
        for one in coded:
            if one.is_decodable:
                for picture in self.decoder.decode(one.data):
                    code = read(picture.y)
                    assert code is not None
                    self.seen.append((now_ns, *code))

    def longest_freeze_ms(self, since_ns: int = 0) -> int:
        """The longest time between two pictures, the first of which came after a time."""
        times = [now for now, _, _ in self.seen if now >= since_ns]
        return max(later - earlier for earlier, later in pairwise(times)) // MS


class Stage:
    """Two cameras and a viewer round a forwarder, one step of 11 ms after the other."""

    def __init__(self, studio: Studio, coding: tuple[int, str, int], loss: float) -> None:
        self.studio = studio
        self.cameras = []
        for number in (1, 2):
            person = studio.join(number, coding)
            assert person.srtp is not None
            sender = VideoSender(coding[1], coding[0], number, 65000, person.srtp.protect)
            self.cameras.append(Camera(person, create_video_encoder(coding[1], 320, 180, 300_000), sender,
                                       random.Random(number), loss))
        receiver = VideoReceiver({coding[0]: coding[1]}, WISHES)
        self.viewer = Viewer(studio.join(3, sends=False), receiver, VideoDecoder(coding[1]))
        self.viewer.person.loss = loss
        studio.slot(1, 3, 1)

    def run(self, pictures: int) -> None:
        """So many pictures of each camera."""
        for step in range(pictures * STEPS_A_PICTURE):
            if step % STEPS_A_PICTURE == 0:
                for camera in self.cameras:
                    camera.shoot(self.studio.now)
            self.studio.run(STEP_MS)
            for camera in self.cameras:
                camera.heed(self.studio.now)
            self.viewer.watch(self.studio.now)


@pytest.mark.parametrize("coding", [H264, VP8], ids=["h264", "vp8"])
def test_switch_shows_one_whole_picture_after_the_other(coding: tuple[int, str, int]) -> None:
    with Studio(AEAD_AES_128_GCM) as studio:
        stage = Stage(studio, coding, 0.0)
        stage.run(30)
        assert studio.forwarder.show(1, 2)
        stage.run(60)
        seen = [(who, count) for _, who, count in stage.viewer.seen]
        switched = [who for who, _ in seen].index(2)
        assert {who for who, _ in seen[:switched]} == {1} and {who for who, _ in seen[switched:]} == {2}
        for part in (seen[:switched], seen[switched:]):
            counts = [count for _, count in part]
            assert counts == list(range(counts[0], counts[0] + len(counts)))
        assert stage.viewer.longest_freeze_ms() <= 70 and stage.viewer.receiver.origin == 2
        assert all(len(camera.keys) <= 3 for camera in stage.cameras)


@pytest.mark.parametrize("loss", [0.05, 0.10])
def test_loss_on_both_sides_is_mended_and_freezes_less_than_a_second(loss: float) -> None:
    with Studio(AEAD_AES_128_GCM) as studio:
        stage = Stage(studio, H264, loss)
        stage.run(300)
        assert len(stage.viewer.seen) >= 270
        assert stage.viewer.longest_freeze_ms() < 1000
        assert stage.viewer.decoder.failures == 0


def test_newcomer_sees_the_picture_within_a_second() -> None:
    with Studio(AEAD_AES_128_GCM) as studio:
        stage = Stage(studio, VP8, 0.0)
        stage.run(45)
        receiver = VideoReceiver({96: "vp8"}, WISHES)
        late = Viewer(studio.join(4, sends=False), receiver, VideoDecoder("vp8"))
        studio.slot(2, 4, 2)
        begun = studio.now
        for _ in range(30):
            stage.run(1)
            late.watch(studio.now)
        assert late.seen and late.seen[0][0] - begun < 1000 * MS and late.seen[0][1] == 2
        assert stage.viewer.longest_freeze_ms() <= 70
