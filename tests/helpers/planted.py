"""Captures with one fault in them, whose kind is given and whose place a seed draws; the analyser sees the file alone.

    planted = plant("loss", seed=7, path)

Two phones call a room at the same time, over links with a little jitter. One of them, and one direction of its media, gets the
fault. `planted` says which; FAULTS lists the kinds.
"""

from __future__ import annotations

import random
import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pcap.keylog import Address
from pcap.pcapng import PcapngWriter
from pcap.samples.media import Fate, Source
from pcap.samples.scenes import sdp
from pcap.samples.stage import START_NS, Party, Stage
from pcap.synthesis import checksum, udp_packet
from rtp.rtcp import ReportBlock
from rtp.srtp import AEAD_AES_128_GCM, MasterKey, SrtpSender
from sip.events import CallReceived, Event, OfferReceived
from sip.invite import Call

SERVER = "203.0.113.1"
PEOPLE = {"alice": "203.0.113.10", "bob": "203.0.113.11"}
MEDIA_S = 18.0
BYSTANDER_S = 6.0
MEDIA_AT_S = 0.3

Drop = Callable[[Address, Address, bytes], bool]


@dataclass(frozen=True, slots=True)
class Planted:
    """What was planted: its kind, whose call it is in, and the way of the media, None for a fault in signalling."""

    kind: str
    victim: str
    source: Address | None
    destination: Address | None


@dataclass(slots=True)
class Plan:
    """One phone's call. Index 0 of a pair is the phone's direction, index 1 the server's; bad: the one with the fault."""

    name: str
    stage: Stage
    random: random.Random
    phone: Address
    server: Address
    bad: int
    party: Party
    offer: bytes = b""
    answer: bytes = b""
    sources: list[Source] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    ptimes: list[float] = field(default_factory=lambda: [0.02, 0.02])
    seconds: float = BYSTANDER_S
    reports: bool = True
    sends: list[bool] = field(default_factory=lambda: [True, True])
    handler: Callable[[CallReceived, float], None] | None = None
    middle: Callable[[int], None] | None = None
    is_call: bool = True
    call: Call | None = None
    drops: list[Drop] = field(default_factory=list)
    extra: list[tuple[float, bytes]] = field(default_factory=list)
    blocks: Callable[[bool], bool] = field(default=lambda to_server: False)
    in_media: bool = True
    way: tuple[Address, Address] | None = None

    @property
    def source(self) -> Source:
        """The stream with the fault."""
        return self.sources[self.bad]

    def at(self, low: float = 0.2, high: float = 0.7) -> int:
        """A packet's number somewhere in the stream."""
        return int(self.random.uniform(low, high) * MEDIA_S / 0.02)

    def say(self, at_s: float, to_server: bool, text: str) -> None:
        """A SIP message that no endpoint of ours sends; lines are separated by |."""
        ways = (self.party.address, (SERVER, 5060))
        source, destination = ways if to_server else ways[::-1]
        data = text.replace("|", "\r\n").encode() + b"\r\n\r\n"
        self.extra.append((at_s, udp_packet(source, destination, data)))


def plant(kind: str, seed: int, path: Path) -> Planted:
    """Write a capture with a fault of that kind. kind "" plants none."""
    chance = random.Random(f"{kind}/{seed}")
    stage = Stage(seed)
    victim = chance.choice(sorted(PEOPLE))
    room = stage.party("daily", SERVER, agent="Server")
    plans = [_plan(stage, number, name, chance) for number, name in enumerate(sorted(PEOPLE))]
    bad = next(plan for plan in plans if plan.name == victim)
    bad.seconds = MEDIA_S
    if kind:
        FAULTS[kind](bad)
    _play(stage, room, plans)
    _write(stage, plans, path)
    way = bad.way or (bad.source.source, bad.source.destination)
    return Planted(kind, victim, *(way if bad.in_media else (None, None)))


def _plan(stage: Stage, number: int, name: str, chance: random.Random) -> Plan:
    phone, server = (PEOPLE[name], chance.randrange(4000, 9000, 2)), (SERVER, 20000 + 4 * number)
    plan = Plan(name, stage, chance, phone, server, chance.randrange(2), stage.party(name, PEOPLE[name], agent="Phone"))
    plan.offer, plan.answer = sdp(phone, lines=("a=ptime:20",)), sdp(server, lines=("a=ptime:20",))
    for ends in ((phone, server), (server, phone)):
        plan.sources.append(Source(*ends, chance.getrandbits(32), chance.getrandbits(16), chance.getrandbits(32)))
        plan.fates.append(_calm(chance))
    return plan


def _calm(chance: random.Random) -> Fate:
    """A link with a little jitter that keeps the order."""
    return lambda number: (chance.uniform(0.010, 0.014),)


def _play(stage: Stage, room: Party, plans: list[Plan]) -> None:
    def handle(event: Event, now: float) -> None:
        if isinstance(event, CallReceived):
            plan = next(one for one in plans if event.request.from_.uri.user == one.name)
            if plan.handler is not None:
                plan.handler(event, now)
            else:
                event.call.ring(now)
                event.call.accept(plan.answer, now)
        elif isinstance(event, OfferReceived):
            event.call.accept_offer(next(one for one in plans if one.name == event.call.remote.uri.user).answer, now)

    def is_blocked(source: Party, destination: Party) -> bool:
        party = source if destination is room else destination
        return next(one for one in plans if one.party is party).blocks(destination is room)

    room.handler, stage.is_blocked = handle, is_blocked
    for plan in plans:
        if plan.is_call:
            plan.call = stage.call(plan.party, room, f"sip:daily@{SERVER}", plan.offer)
    stage.run(MEDIA_AT_S)
    for plan in plans:
        _send_media(stage, plan)
    for second in range(int(MEDIA_S)):
        stage.run(1.0)
        for plan in plans:
            if plan.middle is not None:
                plan.middle(second)
    for plan in plans:
        if plan.call is not None and plan.call.is_up:
            plan.call.hang_up(stage.now)
    stage.run(1.0)


def _send_media(stage: Stage, plan: Plan) -> None:
    if not plan.is_call or plan.handler is not None:
        return
    for side, source in enumerate(plan.sources):
        if plan.sends[side]:
            ptime = plan.ptimes[side]
            payload = plan.random.randbytes(int(8000 * ptime))
            source.send(stage, MEDIA_AT_S, [payload] * int((plan.seconds - 1) / ptime), fate=plan.fates[side], ptime_s=ptime)
        if plan.reports:
            for at_s in (3.0, 8.0, 14.0):
                source.report(stage, at_s, f"{plan.name}-{side}@example.org")


def _write(stage: Stage, plans: list[Plan], path: Path) -> None:
    frames = [(frame.time_ns, frame.data) for frame in stage.frames()]
    frames += [(START_NS + round(at_s * 1e9), data) for plan in plans for at_s, data in plan.extra]
    drops = [drop for plan in plans for drop in plan.drops]
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for time_ns, data in sorted(frames):
            source, destination = _end(data, 12, 20), _end(data, 16, 22)
            if not any(drop(source, destination, data[28:]) for drop in drops):
                writer.packet(time_ns, data)


def _end(packet: bytes, host: int, port: int) -> Address:
    return ".".join(map(str, packet[host:host + 4])), int.from_bytes(packet[port:port + 2])


# ---- faults in media


def _loss(plan: Plan) -> None:
    calm, share = plan.fates[plan.bad], plan.random.uniform(0.03, 0.08)
    lost = {number for number in range(2, 840, 3) if plan.random.random() < 3 * share}
    plan.fates[plan.bad] = lambda number: () if number in lost else calm(number)


def _burst_loss(plan: Plan) -> None:
    calm, at, size = plan.fates[plan.bad], plan.at(), plan.random.randint(12, 40)
    plan.fates[plan.bad] = lambda number: () if at <= number < at + size else calm(number)


def _jitter(plan: Plan) -> None:
    """A queue that fills and empties: the delay jumps, the order stays."""
    ready = [0.0]

    def fate(number: int) -> tuple[float, ...]:
        sent = number * 0.02
        ready[0] = max(ready[0] + 0.0005, sent + 0.010 + (0.15 if plan.random.random() < 0.04 else 0.0))
        return (ready[0] - sent,)

    plan.fates[plan.bad] = fate


def _clock_skew(plan: Plan) -> None:
    calm, ppm = plan.fates[plan.bad], plan.random.choice((-1, 1)) * plan.random.uniform(600, 2000)
    plan.fates[plan.bad] = lambda number: (calm(number)[0] + 0.05 + number * 0.02 * ppm / 1e6,)


def _duplicates(plan: Plan) -> None:
    calm, chance = plan.fates[plan.bad], plan.random
    plan.fates[plan.bad] = lambda number: (late := calm(number)[0], late + 0.0002) if chance.random() < 0.1 else calm(number)


def _captured_twice(plan: Plan) -> None:
    calm = plan.fates[plan.bad]
    plan.fates[plan.bad] = lambda number: (late := calm(number)[0], late + 0.00002)


def _reordering(plan: Plan) -> None:
    calm, chance = plan.fates[plan.bad], plan.random
    plan.fates[plan.bad] = lambda number: (calm(number)[0] + (0.025 if chance.random() < 0.1 else 0.0),)


def _ssrc_change(plan: Plan) -> None:
    source, at = plan.source, plan.at()

    def begin_again(stage: Stage, at_s: float, payloads: list[bytes], **how: object) -> float:
        at_s = Source.send(source, stage, at_s, payloads[:at], **how)
        source.ssrc, source.sequence, source.timestamp = source.ssrc ^ 0x5A5A, plan.random.getrandbits(16), 77
        return Source.send(source, stage, at_s, payloads[at:], **how)

    plan.sources[plan.bad] = _Instead(source, begin_again)


def _restart(plan: Plan) -> None:
    source, at = plan.source, plan.at()

    def begin_again(stage: Stage, at_s: float, payloads: list[bytes], **how: object) -> float:
        at_s = Source.send(source, stage, at_s, payloads[:at], **how)
        source.sequence = source.sequence + plan.random.randint(5000, 60000) & 0xFFFF
        source.timestamp = plan.random.getrandbits(32)
        return Source.send(source, stage, at_s, payloads[at:], **how)

    plan.sources[plan.bad] = _Instead(source, begin_again)


class _Instead:
    """A source that sends in another way."""

    def __init__(self, source: Source, send: Callable[..., float]) -> None:
        self._source = source
        self.send = send

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)


def _wrong_ptime(plan: Plan) -> None:
    plan.ptimes[plan.bad] = plan.random.choice((0.01, 0.03, 0.04, 0.06))


def _wrong_pace(plan: Plan) -> None:
    plan.source.clock = 16000


def _payload_type(plan: Plan) -> None:
    plan.source.payload_type = plan.random.choice((3, 8, 18, 96))


def _dtmf_end_lost(plan: Plan) -> None:
    source, at, key = plan.source, plan.at(), plan.random.randrange(12)
    calm = plan.fates[plan.bad]

    def send(stage: Stage, at_s: float, payloads: list[bytes], **how: object) -> float:
        at_s = Source.send(source, stage, at_s, payloads[:at], **how)
        timestamp = source.timestamp
        source.payload_type = 101
        for number in range(5):
            source.timestamp = timestamp
            at_s = Source.send(source, stage, at_s, [struct.pack("!BBH", key, 10, 160 * (number + 1))], fate=calm,
                               marker=not number)
        source.payload_type, source.timestamp = 0, timestamp + 800
        return Source.send(source, stage, at_s, payloads[at:], **how)

    plan.sources[plan.bad] = _Instead(source, send)


def _wrong_port(plan: Plan) -> None:
    source = plan.source
    source.destination = (source.destination[0], source.destination[1] + 2)


def _one_way_audio(plan: Plan) -> None:
    plan.sends[plan.bad], plan.reports = False, False


def _no_media(plan: Plan) -> None:
    plan.sends, plan.reports, plan.in_media = [False, False], False, False


def _private_address(plan: Plan) -> None:
    private = ("192.168.7.20", plan.phone[1])
    plan.offer = sdp(private, lines=("a=ptime:20",))
    plan.bad, plan.reports = 1, False
    plan.source.destination = private


def _port_closed(plan: Plan) -> None:
    source = plan.source
    packet = udp_packet(source.source, source.destination, bytes(12))
    begin = plan.random.uniform(2, 8)
    plan.sends[1 - plan.bad], plan.reports = True, False
    message = icmp(source.destination[0], source.source[0], 3, 3, packet)
    plan.extra += [(begin + 0.02 * number, message) for number in range(100)]


def _ttl_exceeded(plan: Plan) -> None:
    source = plan.source
    packet = udp_packet(source.source, source.destination, bytes(12))
    plan.extra += [(3 + 0.5 * number, icmp("198.51.100.77", source.source[0], 11, 0, packet)) for number in range(20)]


def _rtcp_missing(plan: Plan) -> None:
    source = plan.source
    plan.drops.append(lambda start, end, data: (start, end) == ((source.source[0], source.source[1] + 1),
                                                                (source.destination[0], source.destination[1] + 1)))


def _remote_loss(plan: Plan) -> None:
    plan.reports = False
    bad, other = plan.source, plan.sources[1 - plan.bad]
    bad.report(plan.stage, 4.0, "a@example.org")
    other.report(plan.stage, 14.0, "b@example.org", ReportBlock(bad.ssrc, 60, plan.random.randint(90, 300), 0, 20, 0, 0))


def _srtp_closed(plan: Plan) -> None:
    masters = [MasterKey.of(AEAD_AES_128_GCM, plan.random.randbytes(28)) for _ in range(2)]
    lines = [("a=ptime:20", f"a=crypto:1 {AEAD_AES_128_GCM.name} inline:{b64encode(bytes(one)).decode()}") for one in masters]
    plan.offer = sdp(plan.phone, lines=lines[0], profile="RTP/SAVP")
    plan.answer = sdp(plan.server, lines=lines[1], profile="RTP/SAVP")
    for source, master in zip(plan.sources, masters, strict=True):
        source.protect = SrtpSender(AEAD_AES_128_GCM, master).protect
    plan.in_media = False


# ---- faults in signalling


def _no_response(plan: Plan) -> None:
    plan.blocks = lambda to_server: to_server


def _too_big(plan: Plan) -> None:
    plan.offer = sdp(plan.phone, lines=tuple(f"a=candidate:{n} 1 UDP {n} 203.0.113.{n} 5000 typ host" for n in range(30)))
    plan.blocks = lambda to_server: to_server


def _late_answer(plan: Plan) -> None:
    plan.blocks = lambda to_server: to_server and plan.stage.now < 3.0
    plan.sends, plan.reports = [False, False], False
    plan.middle = lambda second: _talk_now(plan) if second == 4 else None


def _talk_now(plan: Plan) -> None:
    for side, source in enumerate(plan.sources):
        source.send(plan.stage, plan.stage.now, [bytes(160)] * 600, fate=plan.fates[side])


def _never_acked(plan: Plan) -> None:
    answered: list[float] = []
    plan.sends, plan.reports = [False, False], False

    def blocks(to_server: bool) -> bool:
        if not to_server:
            answered.append(plan.stage.now)
        return to_server and bool(answered)

    plan.blocks = blocks
    phone = plan.party.address
    plan.drops.append(lambda start, end, data: start == phone and data.startswith((b"ACK", b"BYE")))
    plan.drops.append(lambda start, end, data: end == phone and data.startswith(b"BYE"))


def _ack_lost(plan: Plan) -> None:
    answered: list[float] = []
    plan.sends, plan.reports = [False, False], False

    def blocks(to_server: bool) -> bool:
        if not to_server:
            answered.append(plan.stage.now)
        return to_server and bool(answered)

    plan.blocks = blocks
    plan.drops.append(lambda start, end, data: data.startswith(b"BYE") and plan.party.address in (start, end))


def _challenged(plan: Plan, method: str, rounds: int, status: str, last: str = "") -> None:
    """Requests with credentials that are refused, one after the other."""
    plan.is_call = False
    uri = f"sip:{SERVER}" if method == "REGISTER" else f"sip:daily@{SERVER}"
    host, whom = plan.party.address[0], plan.name if method == "REGISTER" else "daily"
    for number in range(1, rounds + 1):
        at_s = plan.random.uniform(0.5, 0.9) + number
        head = (f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{plan.name}{number}|From: <sip:{plan.name}@{SERVER}>;tag=1"
                f"|To: <sip:{whom}@{SERVER}>|Call-ID: {plan.name}-{method}|CSeq: {number} {method}")
        digest = f'Digest username="{plan.name}", realm="{SERVER}", nonce="n{number}", uri="{uri}", response="{number:032x}"'
        credentials = f"|Authorization: {digest}" if number > 1 else ""
        contact = f"|Contact: <sip:{plan.name}@{host}>;expires=600"
        plan.say(at_s, True, f"{method} {uri} SIP/2.0|{head}{credentials}{contact}|Content-Length: 0")
        answer = last if last and number == rounds else status
        challenge = f'|WWW-Authenticate: Digest realm="{SERVER}", nonce="n{number + 1}"'
        more = challenge if answer.startswith("401") else contact
        plan.say(at_s + 0.02, False, f"SIP/2.0 {answer}|{head}{more}|Content-Length: 0")


def _registration_loop(plan: Plan) -> None:
    _challenged(plan, "REGISTER", plan.random.randint(5, 9), "200 OK")


def _codec_mismatch(plan: Plan) -> None:
    plan.offer = sdp(plan.phone, codecs="18")
    plan.handler = lambda event, now: event.call.reject(488, now=now)


def _call_refused(plan: Plan) -> None:
    status = plan.random.choice((403, 404, 480, 500, 503))
    plan.handler = lambda event, now: event.call.reject(status, now=now)


def _hold_forgotten(plan: Plan) -> None:
    held = sdp(plan.phone, 2, lines=("a=ptime:20",), direction="sendonly")
    at = plan.random.randint(1, 4)

    def middle(second: int) -> None:
        if second == at:
            assert plan.call is not None
            plan.call.offer(held, plan.stage.now)
            plan.answer = sdp(plan.server, 2, lines=("a=ptime:20",), direction="recvonly")
            plan.stage.flush()

    plan.middle = middle


def _sip_unreachable(plan: Plan) -> None:
    plan.blocks = lambda to_server: to_server
    packet = udp_packet(plan.party.address, (SERVER, 5060), bytes(12))
    plan.extra += [(at_s, icmp(SERVER, plan.party.address[0], 3, 3, packet)) for at_s in (0.011, 0.511, 1.511, 3.511)]


def icmp(reporter: str, to: str, kind: int, code: int, about: bytes) -> bytes:
    """An ICMP message about a packet (RFC 792)."""
    body = struct.pack("!BBHI", kind, code, 0, 0) + about[:28 + 8]
    body = body[:2] + checksum(body).to_bytes(2) + body[4:]
    ends = bytes(map(int, reporter.split("."))) + bytes(map(int, to.split(".")))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0) + ends
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + body


def _of_signalling(fault: Callable[[Plan], None]) -> Callable[[Plan], None]:
    def planted(plan: Plan) -> None:
        fault(plan)
        plan.in_media = False

    return planted


FAULTS: dict[str, Callable[[Plan], None]] = {
    "loss": _loss, "burst_loss": _burst_loss, "jitter": _jitter, "clock_skew": _clock_skew, "duplicates": _duplicates,
    "captured_twice": _captured_twice, "restart": _restart, "reordering": _reordering,
    "ssrc_change": _ssrc_change, "wrong_ptime": _wrong_ptime, "wrong_pace": _wrong_pace,
    "payload_type": _payload_type, "dtmf_end_lost": _dtmf_end_lost, "wrong_port": _wrong_port,
    "one_way_audio": _one_way_audio, "no_media": _no_media, "private_address": _private_address, "port_closed": _port_closed,
    "ttl_exceeded": _ttl_exceeded, "rtcp_missing": _rtcp_missing, "remote_loss": _remote_loss, "srtp_closed": _srtp_closed,
    **{name: _of_signalling(fault) for name, fault in {
        "no_response": _no_response, "too_big": _too_big, "late_answer": _late_answer, "never_acked": _never_acked,
        "ack_lost": _ack_lost,
        "auth_loop": lambda plan: _challenged(plan, plan.random.choice(("REGISTER", "INVITE")), 5, "401 Unauthorized"),
        "registration_refused": lambda plan: _challenged(plan, "REGISTER", 2, "401 Unauthorized", "403 Forbidden"),
        "registration_loop": _registration_loop, "codec_mismatch": _codec_mismatch, "call_refused": _call_refused,
        "hold_forgotten": _hold_forgotten, "sip_unreachable": _sip_unreachable,
    }.items()},
}
