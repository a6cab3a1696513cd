"""One room's composing without a process: real coded pictures in, real ones out; whoever lies suffers alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcu.picture.layout import Layout, Tile, gallery, speaker
from mcu.picture.loop import paced
from mcu.picture.messages import Output, OutputFigures, PutSource, Scene, SourceFigures, SourceKind, StudioFigures
from mcu.picture.output import REPEAT_NS
from mcu.picture.source import SHARE_NS, STALE_NS
from mcu.picture.studio import MAX_OUTPUTS, MAX_SOURCES, Studio, arrangement
from rtp.codecs.chart import read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import MIN_BITRATE_BPS, VideoDecoder
from rtp.errors import CodecError
from rtp.feedback import Nack, PictureLossIndication, ReceiverEstimate, parse_feedback
from rtp.packet import RtpPacket
from rtp.rtcp import OtherPacket, parse_compound
from rtp.video_receiver import VideoReceiver
from tests.mcu.picture.house import FORMATS, Film

MS, SECOND = 1_000_000, 1_000_000_000
OUTPUT = Output(1, 5000, 10, "h264", 1, Layout.GALLERY, 640, 360, 25, 800_000)


class Desk:
    """A studio with films and the time; `clock`: CPU time, which stands still unless a test moves it."""

    def __init__(self) -> None:
        self.clock = 0
        self.now = 1000 * SECOND
        self.notes: list[tuple[int, int]] = []
        self.studio = Studio(1, 77, lambda: self.clock, lambda *where: self.notes.append(where))
        self.films: dict[int, Film] = {}
        self.sent: list[bytes] = []
        self._receiver = VideoReceiver(FORMATS)
        self._decoder = VideoDecoder("h264")
        self.picture: Picture | None = None
        self.asked: list[int] = []

    def film(self, number: int, codec: str = "h264", size: tuple[int, int] = (320, 180)) -> Film:
        """A source with a stream."""
        made = self.films[number] = Film(number, codec, 100 + number, size)
        self.studio.put_source(PutSource(1, number, 100 + number, SourceKind.STREAM, f"Person {number}"))
        self.studio.scene = Scene(tuple(self.films))
        return made

    def turn(self, count: int = 1) -> None:
        """So many pictures of 40 ms."""
        for _ in range(count):
            self.now += 40 * MS
            for film in self.films.values():
                for packet in film.packets(self.now):
                    self.studio.receive(packet, self.now)
            self.studio.compose(self.now)
            self._look(self.studio.datagrams_to_send())

    def _look(self, datagrams: list[bytes]) -> None:
        for data in datagrams:
            if 192 <= data[1] <= 223:
                self.asked += _asked(data)
                continue
            self.sent.append(data)
            for coded in self._receiver.receive(data, self.now):
                self.picture = self._decoder.decode(coded.data)[-1]

    def charts(self, tiles: tuple[Tile, ...]) -> list[int | None]:
        """Whose charts are where in the picture that came out."""
        assert self.picture is not None
        found = [read(self.picture.region(tile.left, tile.top, tile.width, tile.height).y) for tile in tiles]
        return [None if chart is None else chart[0] for chart in found]

    def of(self, number: int) -> SourceFigures:
        """The figures of a source."""
        return next(one for one in self.studio.figures(30) if isinstance(one, SourceFigures) and one.source_id == number)

    def out(self) -> OutputFigures:
        """The figures of the first output."""
        return next(one for one in self.studio.figures(30) if isinstance(one, OutputFigures))


def _asked(data: bytes) -> list[int]:
    """The sources of which a compound wants a key frame."""
    items = [parse_feedback(packet) for packet in parse_compound(data) if isinstance(packet, OtherPacket)]
    return [item.source for item in items if isinstance(item, PictureLossIndication)]


@pytest.fixture
def desk() -> Desk:
    """A studio with one output."""
    made = Desk()
    made.studio.add_output(OUTPUT)
    return made


def test_a_stream_whose_parameter_set_names_sixteen_thousand_lines_is_refused_and_the_others_are_seen(desk: Desk) -> None:
    desk.film(1)
    huge = _sequence_parameters(1024, 1024)                 # macroblocks: 16384 by 16384
    desk.film(2).garbage = lambda data: b"\0\0\0\1" + huge + data[data.index(b"\0\0\0\1\x68"):] if b"\x67" in data[:6] else data
    desk.turn(60)
    assert desk.charts(gallery(2, 640, 360)) == [1, None]
    assert desk.of(2).refused >= 1 and desk.of(2).pictures == 0
    assert desk.of(1).refused == 0 and desk.of(1).pictures == 60
    assert 1 <= desk.asked.count(102) <= 3                 # in 2.4 s


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_a_change_of_size_in_mid_stream_is_shown(desk: Desk, codec: str) -> None:
    film = desk.film(1, codec)
    desk.turn(10)
    assert (desk.of(1).width, desk.of(1).height) == (320, 180)
    film.resize(480, 270)
    desk.turn(30)
    assert (desk.of(1).width, desk.of(1).height) == (480, 270)
    assert desk.charts(gallery(1, 640, 360)) == [1]
    assert desk.of(1).refused == 0


@pytest.mark.parametrize("codec", ["h264", "vp8"])
@pytest.mark.parametrize("kept", [0, 1, 2, 5, 12])
def test_truncated_payloads_cost_their_own_picture_alone(desk: Desk, codec: str, kept: int) -> None:
    desk.film(1)
    desk.film(2, codec)
    desk.turn(3)
    desk.films.pop(2)
    for number in range(50):
        desk.studio.receive(bytes(RtpPacket(97 if codec == "h264" else 96, 900 + number, 9000 * number, 102,
                                            bytes(range(0x70, 0x70 + kept)), True)), desk.now)
        desk.turn()
    assert desk.charts(gallery(2, 640, 360))[0] == 1
    assert desk.of(1).pictures == 53
    assert desk.asked.count(102) <= 3


def test_a_stream_that_never_sends_a_key_frame_is_asked_for_one_at_most_once_a_second(desk: Desk) -> None:
    desk.film(1)
    desk.film(2).garbage = lambda data: b"" if b"\x67" in data[:6] else data
    desk.turn(125)
    assert desk.charts(gallery(2, 640, 360)) == [1, None]
    assert 2 <= desk.asked.count(102) <= 5
    assert desk.asked.count(101) == 0


def test_noise_in_the_place_of_pictures_neither_ends_nor_stops_anything(desk: Desk) -> None:
    desk.film(1)
    desk.film(2).garbage = lambda data: data[:40] + bytes(byte ^ 0x5A for byte in data[40:])
    desk.turn(50)
    assert desk.charts(gallery(2, 640, 360))[0] == 1
    assert desk.of(1).pictures == 50
    assert desk.studio.failures == 0


def test_a_source_that_takes_too_long_to_decode_rests_and_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.film(1)
    slow = desk.film(2)
    decode = VideoDecoder.decode

    def dear(decoder: VideoDecoder, data: bytes) -> list[Picture]:
        desk.clock += SHARE_NS // 4 if desk.notes[-1][1] == 2 else MS
        return decode(decoder, data)

    monkeypatch.setattr(VideoDecoder, "decode", dear)
    desk.turn(20)
    assert desk.of(2).pictures == 5 and desk.of(2).shed > 10
    assert desk.of(1).pictures == 20
    desk.turn(30)
    assert desk.asked.count(102) >= 1
    slow.sender.receive_feedback(PictureLossIndication(1, 102), desk.now)
    desk.turn(3)
    assert desk.of(2).pictures > 5


def test_a_stream_that_goes_on_with_other_numbers_under_its_ssrc_is_seen_again(desk: Desk) -> None:
    desk.film(1)
    desk.turn(200)
    desk.films[1] = Film(1, "h264", 101)
    desk.turn(2)
    pictures = desk.of(1).pictures
    desk.turn(15)
    assert desk.of(1).pictures == pictures + 15


def test_before_a_decoder_runs_its_source_is_noted(desk: Desk) -> None:
    desk.film(4)
    desk.turn(2)
    assert desk.notes == [(1, 4), (0, 0), (1, 4), (0, 0)]


def test_a_camera_of_which_nothing_comes_becomes_an_avatar(desk: Desk) -> None:
    desk.film(1)
    desk.turn(5)
    assert desk.charts(gallery(1, 640, 360)) == [1]
    desk.films.clear()
    desk.turn(STALE_NS // (40 * MS) + 2)
    assert desk.charts(gallery(1, 640, 360)) == [None]


def test_one_picture_is_encoded_once_and_a_picture_that_stands_still_is_sent_seldom(desk: Desk) -> None:
    desk.studio.put_source(PutSource(1, 9, 0, SourceKind.AVATAR, "Zoe Unseen"))
    desk.studio.scene = Scene((9,))
    desk.turn(25)
    assert desk.out().pictures == SECOND // REPEAT_NS


def test_a_flood_of_key_frame_requests_brings_two_a_second(desk: Desk) -> None:
    desk.film(1)
    for _ in range(50):
        desk.studio.receive(bytes(PictureLossIndication(1, OUTPUT.ssrc)), desk.now)
        desk.turn()
    assert 3 <= desk.out().key_frames <= 5


@pytest.mark.parametrize(("bitrate_bps", "taken"), [(1, MIN_BITRATE_BPS), (10 ** 13, OUTPUT.bitrate_bps), (300_000, 300_000)])
def test_an_estimate_is_followed_within_bounds(desk: Desk, bitrate_bps: int, taken: int) -> None:
    desk.studio.receive(bytes(ReceiverEstimate(1, bitrate_bps, (OUTPUT.ssrc,))), desk.now)
    assert desk.out().bitrate_bps == taken


def test_a_nack_brings_the_very_packet(desk: Desk) -> None:

    desk.film(1)
    desk.turn(3)
    wanted = desk.sent[-1]
    desk.studio.receive(bytes(Nack(1, OUTPUT.ssrc, (RtpPacket.parse(wanted).sequence,))), desk.now)
    assert desk.studio.datagrams_to_send() == [wanted]


def test_a_phone_of_packetization_mode_0_gets_whole_units_that_fit_a_packet() -> None:
    desk = Desk()
    desk.studio.add_output(replace(OUTPUT, mode=0, bitrate_bps=4_000_000))
    desk.film(1)
    desk.turn(10)
    assert len(desk.sent) > 10
    for data in desk.sent:
        packet = RtpPacket.parse(data)
        assert packet.payload_type == 98 and 1 <= packet.payload[0] & 0x1F <= 23 and len(data) <= 1200
    assert desk.charts(gallery(1, 640, 360)) == [1]


def test_a_test_picture_is_made_here(desk: Desk) -> None:
    desk.studio.put_source(PutSource(1, 9, 0, SourceKind.CHART))
    desk.studio.scene = Scene((9,))
    desk.turn(5)
    assert desk.charts(gallery(1, 640, 360)) == [9]


def test_more_sources_or_outputs_than_a_studio_takes_are_refused(desk: Desk) -> None:
    for number in range(MAX_SOURCES + 5):
        desk.studio.put_source(PutSource(1, 1000 + number, 0, SourceKind.AVATAR, "x"))
    assert len(desk.studio.sources) == MAX_SOURCES
    with pytest.raises(CodecError):
        for number in range(MAX_OUTPUTS + 1):
            desk.studio.add_output(Output(50 + number, 1, 1, "vp8", 0, Layout.GALLERY, 32, 32, 5, 100_000))


@pytest.mark.parametrize("data", [
    b"", b"\x80", bytes(11), b"\x80\xc8\0\1" + bytes(9), b"\x80\x61" + bytes(10), b"\x80" * 200,
], ids=["empty", "one", "short", "lying", "unknown", "noise"])
def test_a_datagram_that_is_nobodys_is_counted(desk: Desk, data: bytes) -> None:
    desk.studio.receive(data, desk.now)
    assert desk.studio.figures(30)[-1] == StudioFigures(1, 30, 0, 0, 1)



@settings(max_examples=60)
@given(st.binary(max_size=120), st.sampled_from([97, 98, 96, 200, 201, 205, 206]), st.integers(0, 0xFFFF))
def test_no_bytes_from_a_source_or_a_viewer_raise(data: bytes, kind: int, sequence: int) -> None:
    studio = Studio(1, 77, lambda: 0, lambda *where: None)
    studio.add_output(replace(OUTPUT, width=64, height=36))
    studio.put_source(PutSource(1, 1, 101, SourceKind.STREAM, "Person"))
    studio.scene = Scene((1,))
    head = bytes((0x80, kind)) + (sequence.to_bytes(2) + bytes(4) if kind < 128 else (len(data) // 4).to_bytes(2))
    for step in range(3):
        studio.receive(head + (101 if kind < 128 else 77).to_bytes(4) + data, step)
        studio.receive(head + (101).to_bytes(4) + data[::-1], step)
        studio.compose(step * SECOND)
    assert studio.failures == 0 and studio.datagrams_to_send()


@pytest.mark.parametrize(("slowness", "share", "then"), [(1, 0.9, 2), (6, 1.0, 6), (3, 0.7, 3), (3, 0.2, 2), (1, 0.0, 1)])
def test_a_worker_that_is_too_busy_looks_less_often_and_comes_back(slowness: int, share: float, then: int) -> None:
    assert paced(slowness, share) == then


@pytest.mark.parametrize(("layout", "scene", "seen"), [
    (Layout.GALLERY, Scene((1, 2, 3)), [1, 2, 3]),
    (Layout.GALLERY, Scene((1, 2, 3, 99)), [1, 2, 3]),
    (Layout.SPEAKER, Scene((1, 2, 3), main=2), [2, 1, 3]),
    (Layout.SPEAKER, Scene((1, 2, 3)), [1, 2, 3]),
    (Layout.SWITCH, Scene((1, 2, 3), main=3), [3]),
    (Layout.SWITCH, Scene(), []),
    (Layout.GALLERY, Scene((1, 2), slides=3), [3, 1, 2]),
    (Layout.SWITCH, Scene((1, 2), main=2, slides=3), [3]),
], ids=["gallery", "unknown", "speaker", "nobody yet", "switch", "empty", "slides", "slides alone"])
def test_who_is_where(layout: Layout, scene: Scene, seen: list[int]) -> None:
    tiles, found = arrangement(scene, (layout, 640, 360, False), (1, 2, 3))
    assert found == seen
    assert len(tiles) == len(seen)
    assert all(tile.is_whole == (source_id == scene.slides) for tile, source_id in zip(tiles, found, strict=True))


def test_who_speaks_sees_the_one_before_in_front() -> None:
    scene = Scene((1, 2, 3), main=2, before=3)
    assert arrangement(scene, (Layout.SPEAKER, 640, 360, True), (1, 2, 3)) == (speaker(3, 640, 360), [3, 1, 2])


def _sequence_parameters(across: int, down: int) -> bytes:
    """An SPS of Baseline that names so many macroblocks."""
    bits = "01000010" + "11000000" + "00110011" + "".join(map(_exp_golomb, (0, 0, 2, 1)))
    bits += "0" + _exp_golomb(across - 1) + _exp_golomb(down - 1) + "1" + "0" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    return b"\x67" + int(bits, 2).to_bytes(len(bits) // 8)


def _exp_golomb(value: int) -> str:
    return "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"


