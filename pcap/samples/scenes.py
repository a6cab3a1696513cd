"""The scenes of the samples: calls as they should be, and calls that go wrong in the ways that people ask about.

A scene is a function that plays on a `Stage`; its name is the name of the file. README.md says what to look for in each.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable

from pcap.keylog import Address
from pcap.samples.media import Source, melody, pcmu
from pcap.samples.stage import Party, Stage
from rtp.codecs.registry import create_encoder
from rtp.rtcp import ReportBlock
from rtp.srtp import AEAD_AES_128_GCM, MasterKey, SrtpSender
from sip.auth import NonceSource, make_challenge, make_ha1, parse_digest, verify
from sip.events import CallReceived, Event, OfferReceived
from sip.invite import Call

PHONE, SERVER, SECOND = "192.0.2.10", "192.0.2.1", "192.0.2.11"
PASSWORD = "for-this-sample-only"  # noqa: S105
KEYS = "0123456789*#"


def sdp(address: Address, version: int = 1, *, codecs: str = "0 101", lines: tuple[str, ...] = (), direction: str = "sendrecv",
        profile: str = "RTP/AVP") -> bytes:
    """A description with one stream of audio."""
    maps = {"0": "PCMU/8000", "8": "PCMA/8000", "96": "opus/48000/2", "101": "telephone-event/8000", "18": "G729/8000"}
    attributes = [f"a=rtpmap:{one} {maps[one]}" for one in codecs.split()]
    head = ["v=0", f"o=- 20260105 {version} IN IP4 {address[0]}", "s=-", f"c=IN IP4 {address[0]}", "t=0 0",
            f"m=audio {address[1]} {profile} {codecs}"]
    return ("\r\n".join([*head, *attributes, *lines, f"a={direction}"]) + "\r\n").encode()


def answering(answer: bytes) -> Callable[[Event, float], None]:
    """A callee that takes each call and each new offer with the same answer."""

    def handle(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            event.call.ring(now)
            event.call.accept(answer, now)
        elif isinstance(event, OfferReceived):
            event.call.accept_offer(answer, now)

    return handle


def both(stage: Stage) -> tuple[Party, Party]:
    """A phone and a server."""
    return stage.party("alice", PHONE, agent="Confero phone"), stage.party("daily", SERVER, agent="Confero server")


def speak(stage: Stage, phone: Address, server: Address, start_s: float, seconds: float) -> tuple[Source, Source]:
    """Both sides say something: a melody, and the same a fifth higher."""
    here, there = Source(phone, server, 0x0A11CE01, 1200, 48000), Source(server, phone, 0x5E12BE12, 60000, 4_294_960_000)
    here.send(stage, start_s, pcmu(melody(seconds)))
    there.send(stage, start_s + 0.004, pcmu(melody(seconds, pitch=1.5)))
    return here, there


def a_call(stage: Stage) -> None:
    """A call as it should be: challenge, answer, two streams, reports, an end."""
    alice, room = both(stage)
    nonces, ha1 = NonceSource(stage.random.randbytes(16)), make_ha1("alice", "meet.example", PASSWORD)
    answer = sdp((SERVER, 20000))

    def admit(event: Event, now: float) -> None:
        if not isinstance(event, CallReceived):
            return
        value = event.request.headers.get("Authorization")
        if value is not None and verify(parse_digest(value), "INVITE", ha1):
            event.call.accept(answer, now)
        else:
            challenge = make_challenge("meet.example", nonces.make(PHONE, now))
            event.call.reject(401, headers=[("WWW-Authenticate", challenge)], now=now)

    room.handler = admit
    stage.comments = {b"INVITE sip:daily": "INVITE offers PCMU and keys (telephone-event)",
                      b"401 Unauthorized": "asks who it is", b"BYE sip:": "alice leaves"}
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000)), password=PASSWORD)
    stage.run(1.0)
    here, there = speak(stage, (PHONE, 4000), (SERVER, 20000), 0.09, 4.0)
    here.report(stage, 2.5, "alice@phone", ReportBlock(there.ssrc, 0, 0, 60119, 3, 0, 0))
    there.report(stage, 2.9, "daily@server", ReportBlock(here.ssrc, 0, 0, 1339, 3, 0, 0))
    stage.run(3.5)
    call.hang_up(stage.now)
    stage.run(1.0)


def refused(stage: Stage) -> None:
    """Two refusals: a room that does not exist, and a phone with no codec in common."""
    alice, room = both(stage)

    def judge(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            if event.request.uri.user == "nowhere":
                event.call.reject(404, now=now)
            else:
                warning = ("Warning", f'{SERVER} 305 "no codec in common: G729 was offered, PCMU PCMA G722 opus are there"')
                event.call.reject(488, headers=[warning], now=now)

    room.handler = judge
    stage.call(alice, room, f"sip:nowhere@{SERVER}", sdp((PHONE, 4000)))
    stage.run(5.0)
    stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000), codecs="18"))
    stage.run(5.0)


def blocked(stage: Stage) -> None:
    """A firewall that lets nothing in: the INVITE is sent again and again, until timer B."""
    alice, room = both(stage)
    stage.is_blocked = lambda source, destination: destination is room
    stage.comments = {b"INVITE": "nobody answers: after 0.5, 1, 2, 4 … s it is sent again (timer A)"}
    stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000)))
    stage.run(40.0)


def one_way(stage: Stage) -> None:
    """A phone behind a NAT that names its private address: the server's media goes nowhere."""
    outside: Address = ("203.0.113.5", 61234)
    alice = stage.party("alice", *outside, agent="Confero phone", told=("192.168.1.20", 5060))
    room = stage.party("daily", SERVER, agent="Confero server")
    room.handler = answering(sdp((SERVER, 20002)))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp(("192.168.1.20", 4000)))
    stage.run(0.5)
    phone = Source(("203.0.113.5", 61240), (SERVER, 20002), 0x0A11CE02, 7, 160)
    server = Source((SERVER, 20002), ("192.168.1.20", 4000), 0x5E12BE13, 30000, 90000)
    phone.send(stage, 0.1, pcmu(melody(3.0)))
    server.send(stage, 0.1, pcmu(melody(3.0, pitch=1.5)), comment="to the private address of the SDP: it never arrives")
    stage.run(3.0)
    call.hang_up(stage.now)
    stage.run(1.0)


def bad_network(stage: Stage) -> None:
    """Loss, a burst of it, jitter, packets that overtake each other and come twice: all in the phone's direction."""
    alice, room = both(stage)
    room.handler = answering(sdp((SERVER, 20004)))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000)))
    stage.run(0.5)
    chance = stage.random

    def fate(number: int) -> tuple[float, ...]:
        if 120 <= number < 132 or chance.random() < 0.03:
            return ()
        late = 0.004 + min(0.055, chance.expovariate(1 / 0.008))
        return (late, late + 0.001) if chance.random() < 0.02 else (late,)

    phone, server = _pair(20004, 0x0A11CE03)
    phone.send(stage, 0.1, pcmu(melody(5.0)), fate=fate)
    server.send(stage, 0.1, pcmu(melody(5.0, pitch=1.5)))
    server.report(stage, 3.0, "daily@server", ReportBlock(phone.ssrc, 18, 15, 65590, 96, 0, 0))
    stage.run(5.0)
    call.hang_up(stage.now)
    stage.run(1.0)


def keys(stage: Stage) -> None:
    """Keys of a phone (RFC 4733): `*`, `6`, `4`, `#`; all three end packets of the `4` are lost."""
    alice, room = both(stage)
    room.handler = answering(sdp((SERVER, 20006)))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000)))
    stage.run(0.5)
    phone, server = _pair(20006, 0x0A11CE04)
    server.send(stage, 0.1, pcmu(melody(3.2, pitch=1.5)))
    at_s = phone.send(stage, 0.1, pcmu(melody(0.4)))
    for key in "*64#":
        at_s = _press(stage, phone, at_s, key, loses_end=key == "4")
        at_s = phone.send(stage, at_s, pcmu(melody(0.4)))
    stage.run(3.2)
    call.hang_up(stage.now)
    stage.run(1.0)


def hold(stage: Stage) -> None:
    """A phone that holds the call (sendonly) and takes it back: two re-INVITEs, silence in between."""
    alice, room = both(stage)
    answers = {b"a=sendonly": "recvonly", b"a=sendrecv": "sendrecv"}

    def handle(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            event.call.accept(sdp((SERVER, 20008)), now)
        elif isinstance(event, OfferReceived):
            direction = next(words for line, words in answers.items() if line in (event.offer or b""))
            event.call.accept_offer(sdp((SERVER, 20008), 2, direction=direction), now)

    room.handler = handle
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000)))
    stage.run(1.5)
    _offer(stage, call, sdp((PHONE, 4000), 2, direction="sendonly"))
    stage.run(1.5)
    _offer(stage, call, sdp((PHONE, 4000), 3))
    stage.run(1.5)
    call.hang_up(stage.now)
    phone, server = _pair(20008, 0x0A11CE05)
    phone.send(stage, 0.1, [*pcmu(melody(1.4)), *[b""] * 75, *pcmu(melody(1.4))])
    server.send(stage, 0.1, [*pcmu(melody(1.4, pitch=1.5)), *[b""] * 76, *pcmu(melody(1.4, pitch=1.5))])
    stage.run(1.0)


def meeting(stage: Stage) -> None:
    """Two phones in a room, Opus: the server's mix names who is in it by CSRC, and no one hears themselves."""
    alice = stage.party("alice", PHONE, agent="Confero phone")
    bob = stage.party("bob", SECOND, agent="Confero phone")
    room = stage.party("daily", SERVER, agent="Confero server")
    ports = {PHONE: 20010, SECOND: 20012}

    def handle(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            host = event.request.contacts[0].uri.host
            event.call.accept(sdp((SERVER, ports[host]), codecs="96"), now)

    room.handler = handle
    calls = [stage.call(who, room, f"sip:daily@{SERVER}", sdp((who.address[0], 4000), codecs="96")) for who in (alice, bob)]
    stage.run(0.5)
    for number, (host, other) in enumerate(((PHONE, 102), (SECOND, 101))):
        voice, mix = _opus(2.0, 1.0 if number == 0 else 1.5), _opus(2.0, 1.5 if number == 0 else 1.0)
        begin_s = 0.1 + 2.0 * number
        here = Source((host, 4000), (SERVER, ports[host]), 0x0A11CE10 + number, 100, 0, 48000, 96)
        there = Source((SERVER, ports[host]), (host, 4000), 0x5E12BE20 + number, 900, 0, 48000, 96)
        here.send(stage, begin_s, voice)
        silence = _opus(2.0, 0.0)
        hears_first = number == 1
        for heard in ((True, False) if hears_first else (False, True)):
            there.csrcs = (other,) if heard else ()
            start_s = 0.12 + (0.0 if heard == hears_first else 2.0)
            there.send(stage, start_s, mix if heard else silence, marker=start_s < 1)
    stage.run(4.0)
    for call in calls:
        call.hang_up(stage.now)
    stage.run(1.0)


def protected(stage: Stage) -> None:
    """SRTP with keys in the SDP (SDES over plain SIP, which protects from nobody who has this file): decrypt it."""
    alice, room = both(stage)
    suite = AEAD_AES_128_GCM
    masters = [MasterKey.of(suite, stage.random.randbytes(suite.master_length)) for _ in range(2)]
    lines = [f"a=crypto:1 {suite.name} inline:{b64encode(bytes(master)).decode()}" for master in masters]
    room.handler = answering(sdp((SERVER, 20014), lines=(lines[1],), profile="RTP/SAVP"))
    call = stage.call(alice, room, f"sip:daily@{SERVER}", sdp((PHONE, 4000), lines=(lines[0],), profile="RTP/SAVP"))
    stage.run(0.5)
    phone = Source((PHONE, 4000), (SERVER, 20014), 0x0A11CE06, 65500, 800, protect=SrtpSender(suite, masters[0]).protect)
    server = Source((SERVER, 20014), (PHONE, 4000), 0x5E12BE06, 1, 1, protect=SrtpSender(suite, masters[1]).protect)
    phone.send(stage, 0.1, pcmu(melody(2.5)))
    server.send(stage, 0.1, pcmu(melody(2.5, pitch=1.5)))
    stage.run(2.5)
    call.hang_up(stage.now)
    stage.run(1.0)


SCENES: dict[str, Callable[[Stage], None]] = {
    "a-call": a_call, "refused": refused, "blocked": blocked, "one-way": one_way, "bad-network": bad_network, "keys": keys,
    "hold": hold, "meeting": meeting, "protected": protected,
}
"""By the name of the file."""


def _pair(port: int, ssrc: int) -> tuple[Source, Source]:
    """The streams of the phone and of the server on one of its ports. The phone's sequence numbers wrap soon."""
    return (Source((PHONE, 4000), (SERVER, port), ssrc, 65450, 800),
            Source((SERVER, port), (PHONE, 4000), 0x5E12BE00 + (port & 0xFF), 1, 1))


def _offer(stage: Stage, call: Call, offer: bytes) -> None:
    call.offer(offer, stage.now)
    stage.flush()


def _press(stage: Stage, source: Source, at_s: float, key: str, *, loses_end: bool) -> float:
    """One key of 100 ms: packets with one timestamp, the end three times; the time after."""
    code, timestamp = KEYS.index(key), source.timestamp
    for number in range(7):
        is_end = number >= 4
        duration = min(number + 1, 5) * 160
        source.payload_type, source.timestamp = 101, timestamp
        payload = struct.pack("!BBH", code, (0x80 if is_end else 0) | 10, duration)
        source.send(stage, at_s, [payload], fate=lambda _, lost=loses_end and is_end: () if lost else (0.0,),  # type: ignore[misc]
                    marker=number == 0, comment=f"key {key}" if number == 0 else "")
        at_s += 0.02 if not is_end else 0.0
    source.payload_type, source.timestamp = 0, timestamp + 800
    return at_s + 0.02


def _opus(seconds: float, pitch: float) -> list[bytes]:
    """Payloads of Opus; of silence where pitch is 0."""
    encoder, samples = create_encoder("opus", bitrate_bps=24000), melody(seconds, pitch=pitch, rate=48000)
    return [encoder.encode(samples[start:start + 960]) for start in range(0, len(samples), 960)]
