"""The talkers change every two seconds, those who only listened included, and nobody hears a step: PCMU, G.722 and Opus.

An anchor hums all the time, the others take turns. What each phone was sent is taken from a capture and decoded, and its
loudest click is held against that of the same mix through the same codecs without any server.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from confero.testing import Server, start_server
from pcap.streams import Stream
from rtp.codecs.registry import create_decoder, create_encoder
from rtp.packet import RtpPacket, is_rtcp
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.crowd import Crowd
from tests.helpers.phones import Phones
from tests.helpers.ports import free_range

pytestmark = [pytest.mark.interop, pytest.mark.alone]

RATE = 48000
TURN_S = 2
TURNS = 7
AT_MOST_S = 60
RAMP_S = 0.1
ABOVE_HZ = 1600
ANCHOR = "anchor"
ANCHOR_HZ, ANCHOR_DBFS = 350, -16.0
LEVEL_DBFS = -30.0
TALKERS = {"first": ("pcmu", 450.0), "opus-1": ("opus", 530.0), "wide": ("g722", 620.0), "opus-2": ("opus", 700.0)}
"""Codec and tone of who takes turns, in order. The anchor has PCMU.

With these tones and levels Opus makes no sound of its own above −29 dB, and an encoder begun anew one of −4 dB.
"""
CODEC_OF = {0: "pcmu", 9: "g722"}
TOLERANCE_DB = 6.0
SETTLES_NS = 1_000_000_000
"""Who came last came with a chime: so much later the judgement begins. It ends before the first one leaves."""
FRAME = RATE // 50
ANCHOR_RANGE_DB = 2.0
OWN_BELOW_DB = 20.0
ATTEMPTS = 3


def speech(name: str) -> tones.Signal:
    """What a talker says: a tone in each of their turns, swelling and fading; before and after it, silence."""
    whole = np.zeros(RATE * TURN_S * TURNS)
    ramp = np.sin(np.linspace(0, np.pi / 2, int(RATE * RAMP_S))) ** 2
    tone = tones.sines(TALKERS[name][1], TURN_S, RATE, LEVEL_DBFS)
    tone[:len(ramp)] *= ramp
    tone[-len(ramp):] *= ramp[::-1]
    # the first turn is nobody's: all have been listening for a while when somebody begins
    for turn in range(1 + list(TALKERS).index(name), TURNS, len(TALKERS)):
        whole[turn * RATE * TURN_S:(turn + 1) * RATE * TURN_S] = tone
    return whole


def anchor() -> tones.Signal:
    """The hum."""
    return tones.sines(ANCHOR_HZ, TURN_S * TURNS, RATE, ANCHOR_DBFS)


def payloads(codec: str, sound: tones.Signal) -> list[bytes]:
    """A sound at 48 kHz as packets of 20 ms."""
    encoder = create_encoder(codec)
    samples = np.rint(sound * 32767).astype(np.int16)
    return [encoder.encode(np.ascontiguousarray(samples[at:at + FRAME])) for at in range(0, len(samples) - FRAME + 1, FRAME)]


def decoded(codec: str, packets: list[bytes]) -> tones.Signal:
    """What packets sound like."""
    decoder = create_decoder(codec)
    return np.concatenate([decoder.decode(packet) for packet in packets]) / 32768.0


def mix_for(listener: str) -> tones.Signal:
    """The anchor and all talkers without the listener, by plain addition."""
    hum = decoded("pcmu", payloads("pcmu", anchor()))
    total = np.zeros(len(hum)) if listener == ANCHOR else hum
    for name, (talks_in, _) in TALKERS.items():
        if name != listener:
            total = total + decoded(talks_in, payloads(talks_in, speech(name)))
    return total


def click_db(sound: tones.Signal) -> float:
    """The loudest click of what a phone heard."""
    return tones.loudest_click_db(RATE, sound, ABOVE_HZ)


def allowed_db(codec: str, listeners: Iterable[str] = TALKERS) -> float:
    """The loudest click that the codecs alone make, with some tolerance."""
    names = [name for name in listeners if TALKERS.get(name, ("pcmu", 0))[0] == codec]
    return max(click_db(decoded(codec, payloads(codec, mix_for(name)))[RATE:-RATE]) for name in names) + TOLERANCE_DB


@dataclass
class Meeting:
    """What each phone was sent while the talkers changed: codec and sound; and how much came late to the server then."""

    heard: list[tuple[str, tones.Signal]]
    late: int
    streams: list[Stream]


async def meet(server: Server, ports: tuple[int, int], folder: Path) -> Meeting:
    """Hold the meeting once."""
    capture = Capture(folder / "turns.pcapng", capture_filter=f"udp src portrange {ports[0]}-{ports[1]}")
    with capture, Phones(folder) as phones:
        for name, (codec, _) in TALKERS.items():
            if codec != "pcmu":
                wav = folder / f"{name}.wav"
                tones.write_wav(wav, speech(name), RATE)
                phones.confero(server.uri("turns"), play=wav, codec=codec, seconds=AT_MOST_S, extra=("--loop",))
        async with Crowd(server) as crowd:
            people = [await crowd.join("turns", ANCHOR_HZ, name=ANCHOR), await crowd.join("turns", TALKERS["first"][1])]
            for person, sound in zip(people, (anchor(), speech("first")), strict=True):
                person.frames = payloads("pcmu", sound)
            async with asyncio.timeout(20):
                while len(await meanwhile(crowd, server)) < len(TALKERS) + 1:
                    pass
            before = late(await meanwhile(crowd, server))
            for person in people:
                sent = person.position % len(person.frames)
                person.frames = person.frames[-sent:] + person.frames[:-sent]       # what comes next is the first
            begun_ns = time.time_ns() + SETTLES_NS
            await crowd.talk(TURN_S * TURNS - 1)
            ended_ns = time.time_ns()
            after = late(await meanwhile(crowd, server))
        for phone in phones.started:
            phone.signal(signal.SIGTERM)
            assert phone.finish().is_connected, phone.finish().errors
    return Meeting(heard(capture, ports, begun_ns, ended_ns), after - before, capture.streams_from(ports))


async def meanwhile(crowd: Crowd, server: Server) -> list[dict[str, Any]]:
    """The calls at the server, asked for while the crowd goes on talking."""
    asked = asyncio.create_task(asyncio.to_thread(server.json, "call", "list"))
    while not asked.done():
        await crowd.talk(0.1)
    return asked.result()  # type: ignore[no-any-return]


def late(calls: list[dict[str, Any]]) -> int:
    """How many packets came to the server after their turn, or were made up."""
    return sum(one["late"] + one["concealed"] for one in calls)


def heard(capture: Capture, ports: tuple[int, int], begun_ns: int, ended_ns: int) -> list[tuple[str, tones.Signal]]:
    """(codec, sound) of each stream that the server sent, from one wallclock time to the other."""
    streams: dict[int, tuple[str, list[tuple[int, bytes]]]] = {}
    for datagram in capture.datagrams():
        if ports[0] <= datagram.source[1] <= ports[1] and not is_rtcp(datagram.payload):
            packet = RtpPacket.parse(datagram.payload)
            codec = CODEC_OF.get(packet.payload_type, "opus")
            streams.setdefault(packet.ssrc, (codec, []))[1].append((datagram.time_ns, packet.payload))
    found = []
    for codec, packets in streams.values():
        first = sum(at < begun_ns for at, _ in packets)
        last = sum(at < ended_ns for at, _ in packets)
        found.append((codec, decoded(codec, [payload for _, payload in packets])[first * FRAME:last * FRAME]))
    return found


async def test_talkers_change_without_an_audible_step(tmp_path: Path) -> None:
    ports = free_range()
    server = start_server(tmp_path / "server", "--open", "--rtp-ports", f"{ports[0]}-{ports[1]}", "--srtp", "off")
    try:
        for attempt in range(ATTEMPTS):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            meeting = await meet(server, ports, folder)
            if not meeting.late:
                break           # else a phone's packets came too late to the server, which is not what is judged here
    finally:
        server.stop()
    assert len(meeting.heard) == len(TALKERS) + 1
    for stream in meeting.streams:
        assert (stream.lost, len(stream.timestamp_steps)) == (0, 1), stream.summary()
    allowed = {codec: allowed_db(codec) for codec in ("pcmu", "g722", "opus")}
    for codec, sound in meeting.heard:
        assert len(sound) > RATE * TURN_S * (TURNS - 2)
        low, high = tones.level_range_dbfs(RATE, sound, ANCHOR_HZ)
        if high < ANCHOR_DBFS - OWN_BELOW_DB:
            assert click_db(sound) <= allowed_db("pcmu", [ANCHOR])
        else:
            assert high - low <= ANCHOR_RANGE_DB, (codec, low, high)
            assert click_db(sound) <= allowed[codec], (codec, click_db(sound), allowed)


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus"])
def test_encoder_begun_anew_at_each_turn_would_be_noticed(codec: str) -> None:
    whole = mix_for("")
    turn = RATE * TURN_S
    pieces = [packet for at in range(0, len(whole), turn) for packet in payloads(codec, whole[at:at + turn])]
    assert click_db(decoded(codec, pieces)[RATE:-RATE]) > allowed_db(codec)
