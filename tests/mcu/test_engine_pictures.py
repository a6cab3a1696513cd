"""Control's handles of pictures: which lines of an offer are taken, on which ports, and what the worker is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcu.engine.base import Engine
from mcu.engine.composing import Scene, Viewer
from mcu.engine.handles import RoomMedia
from mcu.engine.leg import LegMedia
from mcu.engine.ports import PortRange
from mcu.engine.settings import EngineSettings
from mcu.messages import Command
from mcu.video_messages import (
    AddPort,
    AddProducer,
    AddSlot,
    ProducerReport,
    RemovePort,
    RemoveProducer,
    RemoveSlot,
    ShowProducer,
    UpdatePort,
    UpdateProducer,
)
from rtp.kernel import ProducerStatistics
from rtp.keying import sdes
from rtp.keying.certificate import Certificate
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from rtp.sdp.several import LocalVideo, NegotiatedVideo, apply_answer, offer
from rtp.sdp.video import SLIDES, VideoCapabilities
from sip.media_backend import MediaRefused
from tests.helpers.ports import free_port
from tests.mcu.test_engine_handles import HOST, Bench, Recorder, sdp

pytestmark = pytest.mark.loopback
C = TypeVar("C", bound=Command)

H264 = "a=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f;packetization-mode=1\r\n"
ONE = f"m=video 4002 RTP/AVP 97\r\n{H264}a=rtcp-fb:* nack pli\r\n"
SHARED = f"m=video 4004 RTP/AVP 97\r\n{H264}a=content:slides\r\n"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.room.close()


def leg_of(bench: Bench, leg_id: int = 77, *, is_secure: bool = False) -> LegMedia:
    """A leg that takes pictures."""
    return bench.room.create_leg(leg_id, local_host=HOST, signalling_host=HOST, is_signalling_secure=is_secure,
                                 has_pictures=True)


def told(bench: Bench, kind: type[C]) -> list[C]:
    """The commands of a kind."""
    return [command for command in bench.line.commands if isinstance(command, kind)]


def ours(media: SessionDescription) -> list[int]:
    return [line.port for line in media.media]


def phone(slots: int = 9, crypto: bool = False) -> tuple[SessionDescription, list[LocalVideo]]:
    """The offer of our phone: camera, receive slots and slides in one group."""
    keys = sdes.offer(lambda size: bytes(range(size))) if crypto else ()
    local = LocalMedia(HOST, 5002, 5002, crypto=keys)
    places = [LocalVideo(replace(local, direction="recvonly"), mid=f"r{number}") for number in range(slots)]
    videos = [LocalVideo(local, mid="v"), *places, LocalVideo(local, SLIDES, "slides", "s")]
    audio = Capabilities(srtp=SrtpPolicy.REQUIRE if crypto else SrtpPolicy.OFF)
    made = offer(audio, LocalMedia(HOST, 5000, 5001, crypto=keys), VideoCapabilities(takes_all=True), videos, session_id=1,
                 version=1)
    return made, videos


def agreed(leg: LegMedia, made: tuple[SessionDescription, list[LocalVideo]]) -> tuple[NegotiatedVideo, ...]:
    return apply_answer(made[0], parse(leg.answer(bytes(made[0]))), made[1])


def test_a_phone_with_sound_alone_is_answered_as_ever_and_the_worker_hears_of_no_pictures(bench: Bench) -> None:
    answer = parse(leg_of(bench).answer(sdp()))
    assert len(answer.media) == 1
    assert not [one for one in bench.line.commands if type(one).__module__ == "mcu.video_messages"]


def test_a_leg_without_pictures_refuses_their_lines(bench: Bench) -> None:
    assert ours(parse(bench.leg().answer(sdp(extra=ONE))))[1:] == [0]


def test_a_stock_phone_gets_a_port_a_stream_in_and_a_stream_out(bench: Bench) -> None:
    answer = parse(leg_of(bench).answer(sdp(extra=ONE)))
    (port,), (producer,), (slot,) = told(bench, AddPort), told(bench, AddProducer), told(bench, AddSlot)
    assert answer.media[1].port not in (0, answer.media[0].port) and answer.media[1].value("label") is None
    assert (port.spec.remote, port.spec.rtcp_mux, port.spec.signalling_host) == ((HOST, 4002), False, HOST)
    assert (producer.spec.producer_id, producer.spec.formats) == (77, ((97, "h264", 1),)) and not producer.spec.is_open
    assert producer.spec.feedback == {"nack pli"} and slot.spec.formats == ((97, "h264", 1),)
    assert len(bench.line.descriptors[bench.line.commands.index(port)]) == 2


def test_what_is_let_pass_is_shown_to_the_other_and_never_to_oneself(bench: Bench) -> None:
    legs = [leg_of(bench, number) for number in (1, 2)]
    for leg in legs:
        leg.answer(sdp(extra=ONE))
    assert not told(bench, ShowProducer)
    legs[0].let_pass("main", True)
    slots = {slot.spec.port_id: slot.spec.slot_id for slot in told(bench, AddSlot)}
    ports = [port.spec.port_id for port in told(bench, AddPort)]
    assert told(bench, UpdateProducer) == [UpdateProducer(1, 1, True)]
    assert told(bench, ShowProducer) == [ShowProducer(1, slots[ports[1]], 1, 1)]
    legs[0].let_pass("main", False)
    assert told(bench, UpdateProducer)[-1] == UpdateProducer(1, 1, False)
    assert told(bench, ShowProducer)[-1].producer_id == 0


def test_a_stream_in_is_closed_before_it_is_taken_down(bench: Bench) -> None:
    legs = [leg_of(bench, number) for number in (1, 2)]
    for leg in legs:
        leg.answer(sdp(extra=ONE))
        leg.let_pass("main", True)
    begin = len(bench.line.commands)
    legs[0].release()
    kinds = [type(command) for command in bench.line.commands[begin:]]
    assert kinds.index(UpdateProducer) < kinds.index(RemoveProducer) < kinds.index(RemovePort)


def test_slides_beside_a_camera_have_a_port_of_their_own(bench: Bench) -> None:
    leg = leg_of(bench)
    answer = parse(leg.answer(sdp(extra=ONE + SHARED)))
    assert len(set(ours(answer))) == 3 and 0 not in ours(answer)
    assert (answer.media[2].value("content"), answer.media[2].value("label")) == ("slides", "slides")
    main, slides = told(bench, AddProducer)
    assert slides.spec.origin == 77 and slides.spec.producer_id not in (0, 77) and slides.spec.port_id != main.spec.port_id
    assert leg.sends("slides") and leg.sends("main")


def test_our_phone_has_nine_places_and_slides_on_one_port(bench: Bench) -> None:
    lines = agreed(leg_of(bench), phone())
    assert len(told(bench, AddPort)) == 1 and len(told(bench, AddProducer)) == 2 and len(told(bench, AddSlot)) == 10
    assert [line.direction for line in lines] == ["sendonly", *["recvonly"] * 9, "sendrecv"]
    assert {slot.spec.mid for slot in told(bench, AddSlot)} == {"s", *(f"r{n}" for n in range(9))}
    assert len({slot.spec.ssrc for slot in told(bench, AddSlot)}) == 10
    assert told(bench, AddPort)[0].spec.mid_extension == 0                      # this phone names no header extension


def test_a_reinvite_that_changes_nothing_keeps_the_streams_and_hold_ends_them(bench: Bench) -> None:
    leg = leg_of(bench)
    leg.answer(sdp(extra=ONE))
    begin = len(bench.line.commands)
    leg.answer(sdp(extra=ONE))
    assert {type(one) for one in bench.line.commands[begin:]}.isdisjoint({AddSlot, RemoveSlot, AddProducer, RemoveProducer})
    leg.answer(sdp(extra=ONE + "a=inactive\r\n"))
    assert len(told(bench, RemoveSlot)) == len(told(bench, RemoveProducer)) == 1 and not leg.sends("main")
    leg.answer(sdp(extra=ONE))
    assert len(told(bench, AddSlot)) == len(told(bench, AddProducer)) == 2
    leg.answer(sdp(extra=ONE.replace("m=video 4002", "m=video 0")))
    assert len(told(bench, RemovePort)) == 1


def test_an_offer_of_ours_keeps_the_lines_of_pictures(bench: Bench) -> None:
    leg = leg_of(bench)
    answer = parse(leg.answer(sdp(extra=ONE + SHARED)))
    again = parse(leg.offer())
    assert [(line.kind, line.port) for line in again.media] == [(line.kind, line.port) for line in answer.media]
    begin = len(bench.line.commands)
    leg.apply(sdp(extra=ONE + SHARED))
    assert not [one for one in bench.line.commands[begin:] if isinstance(one, AddPort | AddSlot | RemovePort)]
    assert [one.is_remote_new for one in bench.line.commands[begin:] if isinstance(one, UpdatePort)] == [False, False]


def test_pictures_of_a_protected_call_have_keys_of_their_own() -> None:
    first = free_port()
    bench = Bench(EngineSettings(first_port=first, last_port=first + 99, srtp=SrtpPolicy.REQUIRE))
    leg = leg_of(bench, is_secure=True)
    made = phone(2, crypto=True)
    answer = parse(leg.answer(bytes(made[0])))
    keys = [(line.value("crypto") or "").split("inline:")[1] for line in answer.media]
    assert keys[0] != keys[1] and len(set(keys[1:])) == 1                       # the bundle shares one, sound has another
    (port,) = told(bench, AddPort)
    assert port.spec.keys is not None and bench.line.commands[1].spec.keys != port.spec.keys      # type: ignore[union-attr]
    bench.room.close()


def test_a_fresh_worker_is_told_all_again_with_new_ssrcs(bench: Bench) -> None:
    legs = [leg_of(bench, number) for number in (1, 2)]
    for leg in legs:
        leg.answer(sdp(extra=ONE))
        leg.let_pass("main", True)
    shows = told(bench, ShowProducer)
    begin = len(bench.line.commands)
    assert bench.room.recover(0.0)
    after = bench.line.commands[begin:]
    assert [one.spec.is_open for one in after if isinstance(one, AddProducer)] == [True, True]
    again = [one for one in after if isinstance(one, ShowProducer)]
    assert {(one.slot_id, one.producer_id) for one in again} == {(one.slot_id, one.producer_id) for one in shows}
    for one in again:                                                           # none before what it is about is there
        at = after.index(one)
        assert one.producer_id in {other.spec.producer_id for other in after[:at] if isinstance(other, AddProducer)}
        assert one.slot_id in {other.spec.slot_id for other in after[:at] if isinstance(other, AddSlot)}
    before = {slot.spec.ssrc for slot in told(bench, AddSlot)[:2]}
    assert before.isdisjoint(one.spec.ssrc for one in after if isinstance(one, AddSlot))


def test_without_a_free_port_the_call_goes_on_without_pictures() -> None:
    first = free_port()
    bench = Bench(EngineSettings(first_port=first - first % 2, last_port=first - first % 2 + 1))
    answer = parse(leg_of(bench).answer(sdp(extra=ONE)))
    assert answer.media[0].port and answer.media[1].port == 0
    bench.room.close()


def test_a_call_out_of_a_room_offers_sound_and_one_line_of_pictures(bench: Bench) -> None:
    leg = leg_of(bench)
    offered = parse(leg.offer())
    assert [(line.kind, line.protocol) for line in offered.media] == [("audio", "RTP/AVP"), ("video", "RTP/AVP")]
    assert not offered.media[1].has("mid") and not told(bench, AddPort)
    leg.apply(sdp(extra=ONE))
    assert len(told(bench, AddPort)) == len(told(bench, AddProducer)) == len(told(bench, AddSlot)) == 1


@pytest.mark.parametrize("answer", [sdp(extra="m=video 0 RTP/AVP 97\r\n"), sdp()], ids=["refused", "left out"])
def test_a_phone_that_is_called_and_does_no_pictures_is_in_the_call_all_the_same(bench: Bench, answer: bytes) -> None:
    leg = leg_of(bench)
    leg.offer()
    leg.apply(answer)
    assert leg.negotiated is not None and not told(bench, AddPort) and not leg.sends("main")
    assert len(parse(leg.offer()).media) == 2                                   # the line stays, refused (RFC 3264 §8)


FLOORS = "m=application 9 TCP/BFCP *\r\na=floorctrl:c-only\r\na=setup:active\r\n"
OFFER = sdp(extra=f"{ONE}a=mid:v\r\n{SHARED}a=mid:s\r\n{FLOORS}").replace(
    b"t=0 0\r\n", b"t=0 0\r\na=group:BUNDLE v s\r\n").decode().split("\r\n")
NOISE = ("a=group:BUNDLE v v s", "a=group:BUNDLE s", "a=mid:v", "a=bundle-only", "a=content:slides", "a=recvonly", "a=rtcp-mux",
         "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid", "m=video 0 RTP/AVP 97", "m=video 4006 RTP/SAVP 97", "b=TIAS:1",
         "c=IN IP4 0.0.0.0", "a=label:\x07", "a=setup:passive", "a=fmtp:97 packetization-mode=9", "a=rtcp:70000")


@given(st.lists(st.tuples(st.sampled_from(("drop", "double", "add", "cut")), st.integers(0, 40), st.sampled_from(NOISE)),
                max_size=6))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_offer_brings_more_than_a_refusal(bench: Bench, changes: list[tuple[str, int, str]]) -> None:
    lines = list(OFFER)
    for kind, place, noise in changes:
        at = place % len(lines) if lines else 0
        if kind == "add" or not lines:
            lines.insert(at, noise)
        elif kind == "drop":
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        else:
            lines[at] = lines[at][:len(lines[at]) // 2]
    leg = leg_of(bench)
    body = "\r\n".join(lines).encode()
    with contextlib.suppress(MediaRefused):
        answer = parse(leg.answer(body))
        assert len(answer.media) == len(parse(body).media)
        leg.answer(bytes(sdp(extra=ONE)))
        leg.apply(leg.offer())
    leg.release()


def test_a_stranger_is_offered_no_handshake_on_any_line() -> None:
    first = free_port()
    settings = EngineSettings(first_port=first, last_port=first + 99, srtp=SrtpPolicy.PREFER)
    engine = Engine(settings, PortRange(first, first + 99), lambda _: None, "cname", Certificate.create(datetime.now(UTC)))
    room = RoomMedia(1, "mix", engine, Recorder(), lambda _: None)
    offered = parse(room.create_leg(1, local_host=HOST, signalling_host=HOST, has_pictures=True).offer())
    assert len(offered.media) == 2 and not any(line.has("fingerprint") for line in offered.media)
    room.close()


def test_two_in_a_call_see_each_other_untouched_and_a_composer_is_for_codecs_that_do_not_fit() -> None:
    bench = Bench(kind="relay")
    served: list[tuple[Viewer, ...]] = []
    scenes: list[Scene] = []

    class Fake:
        """A composer that remembers whom it is to serve, and how."""

        def show(self, scene: Scene) -> None:
            """A scene."""
            scenes.append(scene)

        def serve(self, viewers: tuple[Viewer, ...]) -> None:
            """Viewers."""
            served.append(viewers)

        def follow(self, participant: int, estimate_bps: int) -> None:
            """A path."""

        def set_layout(self, layout: str) -> None:
            """A layout."""
            assert layout == "switch"

        def close(self) -> None:
            """The end."""

    object.__setattr__(bench.room.pictures._engine, "compose", lambda stage: Fake())
    anna, bernd = leg_of(bench, 1), leg_of(bench, 2)
    for leg in (anna, bernd):
        leg.answer(sdp(extra=ONE))
        leg.let_pass("main", True)
        bench.room.describe(leg.leg_id, "somebody")
    assert served == [] and {show.producer_id for show in told(bench, ShowProducer)} == {1, 2}
    bernd.answer(sdp(extra="m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"))
    assert {viewer.participant for viewer in served[-1]} == {1, 2}
    assert set(scenes[-1].speakers) == {1, 2}                                   # so that each sees the other, not themselves
    bench.room.close()


def test_the_coding_that_really_comes_decides_who_can_be_shown_it(bench: Bench) -> None:
    anna, bernd = leg_of(bench, 1), leg_of(bench, 2)
    both = f"m=video 4002 RTP/AVP 97 96\r\n{H264}a=rtpmap:96 VP8/90000\r\na=mid:v\r\n"
    anna.answer(sdp(extra=both).replace(b"t=0 0\r\n", b"t=0 0\r\na=group:BUNDLE v\r\n"))
    bernd.answer(sdp(extra=ONE))
    anna.let_pass("main", True)
    assert told(bench, ShowProducer)[-1].producer_id == 1
    bench.room.pictures.receive(ProducerReport(1, ProducerStatistics(1, "vp8")))
    assert told(bench, ShowProducer)[-1].producer_id == 0
    bench.room.pictures.receive(ProducerReport(1, ProducerStatistics(1, "h264")))
    assert told(bench, ShowProducer)[-1].producer_id == 1
