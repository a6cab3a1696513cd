"""Pictures between two sessions over real sockets: lines, keys, what is seen, and peers that want nothing of it."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from rtp.codecs import chart
from rtp.kernel.sockets import BurstSender
from rtp.keying.certificate import Certificate
from rtp.sdp import several
from rtp.sdp.negotiation import Capabilities, LocalMedia
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from rtp.sdp.several import LocalVideo
from rtp.sdp.video import H264, VP8, VideoCapabilities
from softphone.media.camera import Camera, ChartSource
from softphone.media.pictures import CAPABILITIES, MAIN, SLIDES, PictureSettings, Shown
from softphone.media.session import MediaSession, MediaSettings

pytestmark = pytest.mark.loopback
WAIT_S = 20.0


@dataclass
class Side:
    """One end, its camera and what it sees: numbers of who was on each line."""

    session: MediaSession
    number: int
    seen: list[tuple[int, int]] = field(default_factory=list)
    camera: Camera | None = None

    def begin(self) -> None:
        """See, and be seen."""
        pictures = self.session.pictures
        assert pictures is not None
        pictures.on_picture = self._show
        self.camera = Camera(ChartSource(str(self.number), 320, 180))
        self.camera.outlets = (pictures.send,)
        self.camera.start()

    def _show(self, shown: Shown) -> None:
        code = chart.read(shown.picture.y)
        self.seen.append((shown.key, code[0] if code else -1))

    def end(self) -> None:
        """Close all."""
        if self.camera is not None:
            self.camera.stop()
            self.camera.join(WAIT_S)
        self.session.release()


def side(number: int, pictures: PictureSettings | None, srtp: SrtpPolicy = SrtpPolicy.PREFER) -> Side:
    """An end. pictures: None for a phone of sound alone."""
    certificate = Certificate.create(datetime.now(UTC))
    return Side(MediaSession(MediaSettings("127.0.0.1", Capabilities(srtp=srtp), certificate=certificate, pictures=pictures)),
                number)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it. Sound is not moved: pictures need none of it."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("codec", "srtp"), [(H264, SrtpPolicy.PREFER), (VP8, SrtpPolicy.OFF)], ids=["h264-dtls", "vp8-plain"])
async def test_both_see_each_other_and_stopping_one_camera_is_told_by_an_offer(codec: object, srtp: SrtpPolicy) -> None:
    assert codec in (H264, VP8)
    only = VideoCapabilities((H264 if codec is H264 else VP8,), extensions=CAPABILITIES.extensions)
    a, b = (side(number, PictureSettings(capabilities=only), srtp) for number in (7, 9))
    try:
        a.session.apply(b.session.answer(a.session.offer()))
        a.begin()
        b.begin()
        await until(lambda: (MAIN, 9) in a.seen and (MAIN, 7) in b.seen)
        assert a.session.pictures is not None and b.session.pictures is not None
        assert a.session.pictures.set_sent(MAIN, False)
        a.session.apply(b.session.answer(a.session.offer()))
        assert b.session.pictures.negotiated[MAIN].direction == "sendonly" and not a.session.pictures.may_send(MAIN)
        await until(lambda: b.session.pictures is not None and b.session.pictures.received()[MAIN].pictures > 0)
        a.seen.clear()
        await until(lambda: (MAIN, 9) in a.seen)
    finally:
        a.end()
        b.end()


def test_a_phone_of_sound_alone_refuses_all_pictures_and_hears() -> None:
    async def go() -> None:
        a, b = side(1, PictureSettings()), side(2, None)
        try:
            a.session.apply(b.session.answer(a.session.offer()))
            assert a.session.negotiated is not None and a.session.pictures is not None
            assert a.session.pictures.negotiated == {}
            again = parse(a.session.offer())
            assert [media.port for media in again.media[1:]] == [0] * (len(again.media) - 1)
        finally:
            a.end()
            b.end()

    asyncio.run(go())


async def test_an_answer_with_fewer_lines_than_were_offered_refuses_the_rest() -> None:
    a, b = side(1, PictureSettings()), side(2, None)
    try:
        answer = parse(b.session.answer(a.session.offer()))
        a.session.apply(bytes(replace(answer, media=answer.media[:1])))
        assert a.session.negotiated is not None
    finally:
        a.end()
        b.end()


async def test_slots_have_no_port_until_the_peer_knows_bundle() -> None:
    a, b = side(1, PictureSettings()), side(2, PictureSettings())
    try:
        offer = parse(a.session.offer())
        pictures = [media for media in offer.media if media.kind == "video"]
        assert len(pictures) == 11 and [bool(media.port) for media in pictures] == [True, True, *[False] * 9]
        assert len(bytes(offer)) < 8500
        assert not any(media.has("crypto") or media.has("fingerprint") for media in pictures[2:])
        a.session.apply(b.session.answer(bytes(offer)))
        assert a.session.pictures is not None and set(a.session.pictures.negotiated) == {MAIN, SLIDES}
        assert a.session.pictures.negotiated[SLIDES].direction == "inactive"
    finally:
        a.end()
        b.end()


async def test_all_lines_stay_when_the_other_side_makes_the_next_offer_and_rest_on_hold() -> None:
    a = side(1, PictureSettings(), SrtpPolicy.OFF)
    pictures = a.session.pictures
    assert pictures is not None
    local = LocalMedia("127.0.0.1", 9000, 9001)
    theirs = [LocalVideo(replace(local, rtp_port=9004 if content else 9002), content) for content in ("", "slides", *[""] * 9)]
    try:
        answer, _, agreed = several.answer(parse(a.session.offer()), Capabilities(), local, CAPABILITIES, theirs, session_id=1,
                                           version=1)
        assert len(agreed) == 11
        a.session.apply(bytes(answer))
        before = {key: each.mid for key, each in pictures.negotiated.items()}
        assert before == {0: "main", 1: "slides", **{key: f"v{key - 1}" for key in range(2, 11)}}
        again = several.offer(Capabilities(), local, CAPABILITIES, theirs, session_id=1, version=2, previous=answer)
        reply = parse(a.session.answer(bytes(again)))
        assert all(media.port for media in reply.media if media.kind == "video")
        assert {key: each.mid for key, each in pictures.negotiated.items()} == before
        a.session.is_held = True
        held = parse(a.session.offer())
        assert {held.direction(media) for media in held.media if media.kind == "video"} == {"inactive"}
    finally:
        a.end()


class Lossy(BurstSender):
    """Loses one datagram in ten, and bursts of twenty when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.burst = 0
        self._dice = random.Random(5)

    def send(self, sock: socket.socket, remote: tuple[str, int], datagrams: Sequence[bytes]) -> None:
        """See BurstSender."""
        kept = []
        for datagram in datagrams:
            if self.burst or self._dice.random() < 0.1:
                self.burst = max(0, self.burst - 1)
            else:
                kept.append(datagram)
        super().send(sock, remote, kept)


async def test_lost_packets_are_asked_for_and_a_burst_costs_a_key_frame_and_not_the_picture() -> None:
    a, b = side(7, PictureSettings(slots=0)), side(9, PictureSettings(slots=0))
    try:
        a.session.apply(b.session.answer(a.session.offer()))
        assert a.session.pictures is not None and b.session.pictures is not None
        seen = b.session.pictures
        lossy = a.session.pictures._ways[0]._burst = Lossy()
        a.begin()
        b.begin()
        await until(lambda: MAIN in seen.received() and seen.received()[MAIN].recovered > 5)
        lossy.burst = 20
        await until(lambda: lossy.burst == 0)
        before = seen.received()[MAIN].pictures
        await until(lambda: seen.received()[MAIN].pictures > before + 25)
        sent = a.session.pictures.sent()
        assert sent is not None and sent.key_frames >= 1 and a.session.pictures.sending()["resent"] > 5
    finally:
        a.end()
        b.end()
