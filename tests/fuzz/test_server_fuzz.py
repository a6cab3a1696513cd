"""Seeded mutations against a live server: SIP by UDP and TCP, RTP and RTCP on the media ports of calls that go on.

After each handful of messages the server has to answer an honest OPTIONS, so a message that stops it is found at once; the seed
gives the same messages again.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from rtp.sdp.parser import parse
from sip.message import Response
from tests.helpers.crowd import LEVEL_DBFS, Crowd
from tests.helpers.stranger import Stranger, figures, memory_bytes

pytestmark = pytest.mark.long

SECONDS = 30.0
HANDFUL = 20
MIB = 1 << 20
HEAD = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
TOKENS = (
    b"\r\n", b"\r\n ", b"\r", b"\n", b"\x00", b"\x0b", b"\x85", b"\xe2\x80\xa8", b"\xff", b",", b";", b"=", b'"', b"\\", b"<",
    b">", b"*", b"%", b"%00", b"sip:", b"tel:", b";tag=", b";branch=z9hG4bK", b"SIP/2.0", b"SIP/3.0", b"Via: ", b"l: ",
    b"99999999999", b"-1", b"0", b"4294967296", b"[::1]", b"[", b"a" * 300, b"INVITE", b"ACK", b"CANCEL", b"m=audio",
    b"a=rtpmap:", b"RTP/AVP",
)


@contextmanager
def serving(tmp_path: Path, settings: str = "") -> Iterator[Server]:
    """An open server, with these lines of configuration, that must come out of it without a traceback or a lost worker."""
    configuration = tmp_path / "confero.toml"
    configuration.write_text(settings)
    running = start_server(tmp_path / "server", "--config", str(configuration), "--open", "--workers", "1")
    try:
        before = memory_bytes(running)
        yield running
        facts = figures(running)
        assert not {"handler errors", "driver errors"} & facts["counters"].keys(), facts["counters"]
        assert [(worker["failures"], worker["restarts"]) for worker in facts["workers"]] == [(0, 0)]
        assert memory_bytes(running) - before < 128 * MIB
    finally:
        running.stop()
        log = running.log.read_text(errors="replace")
    assert "Traceback" not in log, log[-5000:]


def mutate(data: bytes, dice: random.Random, tokens: tuple[bytes, ...] = TOKENS) -> bytes:
    """One to four changes: bits, pieces gone, doubled or moved, tokens put in, numbers changed."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        if not data:
            return data
        start = dice.randrange(len(data))
        end = min(len(data), start + dice.choice((1, 2, 4, 16, 64)))
        match dice.randrange(7):
            case 0:
                data = data[:start] + bytes([data[start] ^ 1 << dice.randrange(8)]) + data[start + 1:]
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:end] + data[start:end] * dice.choice((1, 1, 2, 20)) + data[end:]
            case 3:
                data = data[:start] + dice.choice(tokens) + data[start:]
            case 4:
                data = data[:start] + dice.choice(tokens) + data[end:]
            case 5:
                piece = data[start:end]
                rest = data[:start] + data[end:]
                at = dice.randrange(len(rest) + 1)
                data = rest[:at] + piece + rest[at:]
            case _:
                data = data[:start]
    return data


class Corpus:
    """Good messages of every kind, some of them inside a call that is up."""

    def __init__(self, stranger: Stranger, dice: random.Random) -> None:
        self._stranger = stranger
        self._dice = dice
        self._up: list[Response] = []

    def next(self) -> bytes:
        """A good message."""
        make, dice = self._stranger.request, self._dice
        body = HEAD + b"m=audio 40000 RTP/AVP 0 8 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
        room = f"room-{dice.randrange(20)}"
        match dice.randrange(11):
            case 0 | 1:
                return make("INVITE", room, body=body)
            case 2:
                return make("INVITE", dice.choice(("echo", "tone", "music", "conference", room)))
            case 3:
                credentials = f'Digest username="admin", realm="r", nonce="{dice.getrandbits(64):x}", uri="sip:a", response="0"'
                return make("REGISTER", "admin", Authorization=credentials, Expires="3600")
            case 4:
                return make("SUBSCRIBE", room, Event="conference", Accept="application/conference-info+xml", Expires="60")
            case 5:
                return make("OPTIONS", room)
            case 6:
                return make("NOTIFY", room, Event="conference", Subscription_State="active", body=b"<a/>",
                            Content_Type="application/conference-info+xml")
            case 7:
                return b"SIP/2.0 200 OK\r\n" + make("INVITE", room, body=body).partition(b"\r\n")[2]
            case _:
                return self._inside(body)

    def _inside(self, body: bytes) -> bytes:
        if len(self._up) < 8:
            answer = self._call(body)
            if answer is not None:
                self._up.append(answer)
        if not self._up:
            return self._stranger.request("BYE")
        answer, number = self._dice.choice(self._up), self._dice.randrange(2, 1 << 31)
        method = self._dice.choice(("INVITE", "UPDATE", "INFO", "MESSAGE", "BYE", "ACK", "SUBSCRIBE", "OPTIONS", "CANCEL"))
        kinds = {"INFO": "application/dtmf-relay", "MESSAGE": "text/plain"}
        extra = {"Event": "conference"} if method == "SUBSCRIBE" else {"Content-Type": kinds.get(method, "application/sdp")}
        text = {"INFO": b"Signal=*\r\nDuration=100\r\n", "MESSAGE": b"/help", "INVITE": body, "UPDATE": body}.get(method, b"")
        if method == "BYE":
            self._up.remove(answer)
        fields = {"From": answer.headers.get("From"), "To": answer.headers.get("To"), "Call-ID": answer.call_id,
                  "CSeq": f"{number} {method}"}
        return self._stranger.request(method, "echo", body=text, **(fields | extra))

    def _call(self, body: bytes) -> Response | None:
        invite = self._stranger.request("INVITE", "echo", body=body)
        answer = self._stranger.ask(invite)
        if answer is None or answer.status != 200:
            return None
        self._stranger.acknowledge(invite, answer)
        return answer


def must_answer(server: Server, handful: list[bytes]) -> None:
    """Assert that the server still answers; else show what it was sent last."""
    with Stranger(server) as honest:
        request = honest.request("OPTIONS")
        assert any(honest.ask(request, 1.0) is not None for _ in range(5)), handful


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_mutated_sip_stops_nothing(tmp_path: Path, tcp: bool) -> None:
    dice, count, ends_at = random.Random(2024), 0, time.monotonic() + SECONDS / 2
    # mutated calls are calls, too, and nobody hangs up
    with serving(tmp_path, "max_calls = 100\nmax_call_s = 5\n") as server, Stranger(server) as caller:
        corpus = Corpus(caller, dice)
        while time.monotonic() < ends_at:
            handful = [mutate(corpus.next(), dice) for _ in range(HANDFUL)]
            with Stranger(server, tcp=tcp) as stranger:
                for data in handful:
                    stranger.send(data[:60000])
                    if stranger.is_closed:
                        break
                count += HANDFUL
                must_answer(server, handful)
        print(f"{count} messages, {figures(server)['counters']}, {memory_bytes(server) / MIB:.0f} MiB")
        assert count > 50 * SECONDS / 4


# ---- media


CODECS = {
    "PCMU": (0, b"m=audio %d RTP/AVP 0 101\r\n"),
    "G722": (9, b"m=audio %d RTP/AVP 9 101\r\n"),
    "opus": (96, b"m=audio %d RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n"
                 b"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"),
}


class Fuzzed:
    """A leg whose media socket sends what it likes."""

    def __init__(self, stranger: Stranger, codec: str) -> None:
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.type, media = CODECS[codec]
        body = HEAD + media % self.sock.getsockname()[1] + b"a=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\n"
        invite = stranger.request("INVITE", "fuzz", body=body)
        answer = stranger.ask(invite)
        assert answer is not None and answer.status == 200, codec
        stranger.acknowledge(invite, answer)
        self._port = parse(answer.body).media[0].port
        self._sequence = self._timestamp = 0

    def send(self, dice: random.Random) -> None:
        """One packet, good, bad or worse, to the port of RTP or of RTCP."""
        data = self._report(dice) if dice.random() < 0.2 else self._packet(dice)
        if dice.random() < 0.7:
            data = mutate(data, dice, (b"\x00", b"\xff", b"\xff\xff", b"\x80", b"\x90\x00", b"\xbe\xde\x00\x01", bytes(200)))
        port = self._port + (dice.random() < 0.1)
        try:
            self.sock.sendto(data[:1472], ("127.0.0.1", port))
        except OSError:
            return

    def listen(self) -> int:
        """How many packets have come."""
        count = 0
        while True:
            try:
                self.sock.recv(2048)
            except OSError:
                return count
            count += 1

    def _packet(self, dice: random.Random) -> bytes:
        self._sequence = (self._sequence + dice.choice((1, 1, 1, 1, 0, 2, -1, 500, 40000))) & 0xFFFF
        self._timestamp = (self._timestamp + dice.choice((160, 160, 960, 0, -160, 1 << 31))) & 0xFFFFFFFF
        kind = dice.choice((self.type, self.type, self.type, 101, dice.randrange(128)))
        first, extension = 0x80, b""
        if dice.random() < 0.3:
            first, extension = 0x90, struct.pack("!HH", 0xBEDE, 1) + bytes([0x10, dice.randrange(256), 0, 0])
        payload = struct.pack("!BBH", dice.randrange(20), dice.randrange(256), 160) if kind == 101 else \
            dice.randbytes(dice.choice((1, 3, 40, 160, 160, 161, 320, 1200)))
        ssrc = dice.choice((7, 7, 7, 7, 7, 7, dice.getrandbits(32)))
        return struct.pack("!BBHII", first, kind, self._sequence, self._timestamp, ssrc) + extension + payload

    def _report(self, dice: random.Random) -> bytes:
        any_ssrc, losses, lsr, dlsr = (dice.getrandbits(32) for _ in range(4))
        block = struct.pack("!IIIIII", any_ssrc, losses, 5, 6, lsr, dlsr)
        report = struct.pack("!BBHIQIII", 0x81, 200, 12, 7, dice.getrandbits(64), 1, 2, 3) + block
        name = struct.pack("!BBHI", 0x81, 202, 3, 7) + b"\x01\x05abcde\x00"
        return report + name + (struct.pack("!BBHI", 0x81, 203, 1, 7) if dice.random() < 0.05 else b"")


async def test_mutated_media_stops_nothing_and_others_go_on_talking(tmp_path: Path) -> None:
    dice = random.Random(77)
    with serving(tmp_path) as server, Stranger(server) as stranger:
        async with Crowd(server) as crowd:
            people = [await crowd.join("fuzz", hz) for hz in (440, 700)]
            legs = [await asyncio.to_thread(Fuzzed, stranger, codec) for codec in CODECS]
            talking = asyncio.create_task(crowd.talk(SECONDS))
            sent, heard = 0, [0] * len(legs)
            while not talking.done():
                for leg in legs:
                    for _ in range(10):
                        leg.send(dice)
                        sent += 1
                heard = [count + leg.listen() for count, leg in zip(heard, legs, strict=True)]
                await asyncio.sleep(0.02)
            facts = {call["codec"]: call for call in await asyncio.to_thread(server.json, "call", "list")}
            print(f"{sent} packets, taken {[facts[name]['packets_in'] for name in CODECS]}")
            assert sent > 100 * SECONDS
            assert all(count > 20 * SECONDS for count in heard), heard
            for leg in legs:
                leg.sock.close()
            await crowd.talk(3.0)
            crowd.forget()
            await crowd.talk(2.0)
            for person, other in zip(people, reversed(people), strict=True):
                assert person.missing == 0 and person.ended is None
                assert person.level_dbfs(other.hz) == pytest.approx(LEVEL_DBFS, abs=1.5)
