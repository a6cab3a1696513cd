"""Captures that look odd and have nothing wrong in them: the analysis finds nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pcap.analysis import analyse
from pcap.pcapng import PcapngWriter
from pcap.samples.media import Source, melody, pcmu
from pcap.samples.scenes import PHONE, SERVER, answering, both, sdp
from pcap.samples.stage import START_NS, Frame, Party, Stage
from pcap.synthesis import udp_packet
from sip.events import CallReceived, Event, OfferReceived

RAW, ETHERNET = 101, 1
SERVER_RTP, PHONE_RTP = (SERVER, 20004), (PHONE, 4000)
VLAN = bytes(12) + b"\x81\x00\x00\x05\x08\x00"


def talk(stage: Stage, parties: tuple[Party, Party], seconds: float = 4.0, ssrc: int = 1) -> None:
    """A call of that length with sound both ways."""
    alice, room = parties
    room.handler = answering(sdp(SERVER_RTP))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp(PHONE_RTP))
    stage.run(0.1)
    Source(PHONE_RTP, SERVER_RTP, ssrc, 65500, 2**32 - 800).send(stage, stage.now, pcmu(melody(seconds)))
    Source(SERVER_RTP, PHONE_RTP, ssrc + 1, 1, 1).send(stage, stage.now, pcmu(melody(seconds)))
    stage.run(seconds + 0.1)
    call.hang_up(stage.now)
    stage.run(0.3)


def two_calls_on_the_same_ports(stage: Stage) -> list[Frame]:
    """One after the other, with sources of their own."""
    parties = both(stage)
    for ssrc in (1, 11):
        talk(stage, parties, ssrc=ssrc)
    return list(stage.frames())


def begins_in_the_middle(stage: Stage) -> list[Frame]:
    """Media of a call whose INVITE is not in the capture."""
    talk(stage, both(stage))
    return [frame for frame in stage.frames() if frame.time_ns > START_NS + 1_000_000_000]


def ends_in_the_middle(stage: Stage) -> list[Frame]:
    """A call that still goes on."""
    talk(stage, both(stage))
    return [frame for frame in stage.frames() if frame.time_ns < START_NS + 3_000_000_000]


def among_other_datagrams(stage: Stage) -> list[Frame]:
    """Noise that begins like RTP, and like QUIC."""
    talk(stage, both(stage))
    chance, frames = random.Random(1), list(stage.frames())
    for number in range(300):
        for first, port in ((0x40, 443), (0x80, 4500)):
            data = bytes([first | chance.randrange(64)]) + chance.randbytes(400)
            packet = udp_packet(("198.51.100.7", port), ("192.0.2.50", 50000), data)
            frames.append(Frame(START_NS + number * 12_000_000, packet))
    return sorted(frames, key=lambda frame: frame.time_ns)


def a_server_that_learnt_where_the_phone_is(stage: Stage) -> list[Frame]:
    """The SDP names a private address; after some packets the server sends to where the phone's RTP comes from."""
    private, outside = ("192.168.1.20", 4000), ("203.0.113.5", 61240)
    alice = stage.party("alice", outside[0], 61234, told=(private[0], 5060))
    room = stage.party("daily", SERVER)
    room.handler = answering(sdp(SERVER_RTP))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp(private))
    stage.run(0.1)
    server = Source(SERVER_RTP, private, 2, 1, 1)
    Source(outside, SERVER_RTP, 1, 1, 1).send(stage, 0.1, pcmu(melody(4.0)))
    at_s = server.send(stage, 0.1, pcmu(melody(0.1)))
    server.destination = outside
    server.send(stage, at_s, pcmu(melody(3.9)))
    stage.run(4.0)
    call.hang_up(stage.now)
    stage.run(0.3)
    return list(stage.frames())


def a_phone_that_moves_its_port(stage: Stage) -> list[Frame]:
    """By a re-INVITE; the old port is used until then."""
    alice, room = both(stage)

    def handle(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            event.call.accept(sdp(SERVER_RTP), now)
        elif isinstance(event, OfferReceived):
            event.call.accept_offer(sdp(SERVER_RTP, 2), now)

    room.handler = handle
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp(PHONE_RTP))
    stage.run(2.0)
    call.offer(sdp((PHONE, 4040), 2), stage.now)
    stage.run(2.0)
    call.hang_up(stage.now)
    stage.run(0.3)
    server = Source(SERVER_RTP, PHONE_RTP, 2, 1, 1)
    for port, at_s in ((4000, 0.1), (4040, 2.04)):
        server.destination = (PHONE, port)
        server.send(stage, at_s, pcmu(melody(1.92)))
        Source((PHONE, port), SERVER_RTP, port, 1, 1).send(stage, at_s, pcmu(melody(1.92)))
    return list(stage.frames())


def silence_that_is_not_sent(stage: Stage) -> list[Frame]:
    """A phone that stops sending while nobody speaks (DTX), for 10 s."""
    alice, room = both(stage)
    room.handler = answering(sdp(SERVER_RTP))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp(PHONE_RTP))
    stage.run(0.1)
    voice = pcmu(melody(10.0))
    spoken = [one if number // 40 % 3 else b"" for number, one in enumerate(voice)]
    Source(PHONE_RTP, SERVER_RTP, 1, 1, 1).send(stage, 0.1, spoken)
    Source(SERVER_RTP, PHONE_RTP, 2, 1, 1).send(stage, 0.1, voice)
    stage.run(10.0)
    call.hang_up(stage.now)
    stage.run(0.3)
    return list(stage.frames())


UNUSUAL: tuple[Callable[[Stage], list[Frame]], ...] = (
    two_calls_on_the_same_ports, begins_in_the_middle, ends_in_the_middle, among_other_datagrams,
    a_server_that_learnt_where_the_phone_is, a_phone_that_moves_its_port, silence_that_is_not_sent,
)


@pytest.mark.parametrize("link_type", [RAW, ETHERNET], ids=["raw", "vlan"])
@pytest.mark.parametrize("scene", UNUSUAL, ids=lambda scene: scene.__name__)
def test_unusual_captures_have_no_findings(tmp_path: Path, scene: Callable[[Stage], list[Frame]], link_type: int) -> None:
    path = tmp_path / "unusual.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for frame in scene(Stage(seed=1)):
            writer.packet(frame.time_ns, (VLAN if link_type == ETHERNET else b"") + frame.data, link_type=link_type)
    analysis = analyse(path)
    assert [(one.kind, one.text[0]) for one in analysis.findings] == []
    assert sum(one.survey.figures.packets for one in analysis.streams) > 200
