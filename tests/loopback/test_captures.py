"""Captures of a running server: of all, a room, a call; in clear, complete, with names and comments; past a worker's end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from confero.testing import Server, start_server
from pcap.frames import udp_datagram
from pcap.reader import INBOUND, Names, Packet, read_blocks, read_packets
from pcap.streams import Stream, rtp_streams
from rtp.codecs.registry import create_decoder
from rtp.packet import RtpPacket
from softphone.call import Call
from softphone.phone import Phone
from tests.helpers import tones

pytestmark = pytest.mark.loopback


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a room that has a PIN, whose captures are in its data folder; all of it is captured as well."""
    running = start_server(tmp_path / "server", "--open", "--workers", "1", "--pcap", str(tmp_path / "all.pcapng"))
    running.json("room", "create", "daily", "--pin", "246813")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


@asynccontextmanager
async def in_call(target: str, hz: float, srtp: str = "prefer", codec: str = "pcmu") -> AsyncIterator[Call]:
    """Our phone in a call, sending a tone."""
    async with Phone(srtp=srtp, codecs=(codec,), display_name=f"{hz:.0f} Hz") as phone:
        call = await phone.call(target)
        call.play(np.rint(tones.sines(hz, 30.0, level_dbfs=-20.0) * 32767).astype(np.int16))
        yield call


def streams_in(path: Path) -> list[Stream]:
    """The RTP streams of a capture."""
    return rtp_streams(datagram for packet in read_packets(path) if (datagram := udp_datagram(packet)) is not None)


def heard_in(path: Path, leaving: bool) -> list[float]:
    """The levels of 440 and 1000 Hz in the packets that came in, or left."""
    payloads = [RtpPacket.parse(one.payload).payload for packet in read_packets(path)
                if (one := udp_datagram(packet)) is not None and (packet.direction == INBOUND) is not leaving
                and one.payload[0] >> 6 == 2 and one.payload[1] & 0x7F == 0]
    decoder = create_decoder("pcmu")
    sound = np.concatenate([decoder.decode(payload) for payload in payloads]) / 32768.0
    return [round(tones.level_dbfs(48000, sound, hz)) for hz in (440, 1000)]


async def until_written(path: Path, limit_s: float = 15.0) -> list[Packet]:
    """The packets, once the process that writes has finished the file."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if path.read_bytes()[-12:-8] != b"" and any(isinstance(block, Packet) for block in read_blocks(path)):
            await asyncio.sleep(1.5)
            return list(read_packets(path))
        await asyncio.sleep(0.2)
    raise AssertionError("nothing was written")


async def test_a_call_is_captured_in_clear_both_ways_and_nobody_else(server: Server) -> None:
    target = server.uri("daily").replace("daily", "daily.246813")
    async with in_call(target, 440) as one, in_call(target, 1000, "off"):
        call_id = one.signalling.id
        begun = await asyncio.to_thread(server.json, "call", "capture", call_id, "start")
        assert one.suite == "AEAD_AES_128_GCM"
        await asyncio.sleep(2.5)
        await one.hold()
        await one.hold(False)
        ended = await asyncio.to_thread(server.json, "call", "capture", call_id, "stop")
        assert (ended["file"], ended["dropped"]) == (begun["file"], 0)
        refused = await asyncio.to_thread(server.cli, "call", "capture", call_id, "stop")
        assert refused.returncode == 1 and "there is no capture" in refused.stderr
        path = Path(begun["file"])
        packets = await until_written(path)
    streams = streams_in(path)
    assert len(streams) == 2 and all(stream.packets > 80 and stream.lost == 0 for stream in streams)
    own, other = heard_in(path, False)
    assert own > -26 and other < -60                                     # what came is one's own voice, in clear
    own, other = heard_in(path, True)
    assert other > -26 and own < -60
    messages = [one.payload for packet in packets if (one := udp_datagram(packet)) is not None and b"SIP/2.0" in one.payload]
    assert any(message.startswith(b"INVITE") for message in messages)
    assert all(call_id.encode() in message and b"crypto" not in message for message in messages)
    assert (path.stat().st_mode & 0o777, packets[0].comment != "" or packets[1].comment != "") == (0o600, True)


async def test_a_room_is_captured_with_who_comes_later_and_without_the_pin(server: Server, tmp_path: Path) -> None:
    target = server.uri("daily").replace("daily", "daily.246813")
    async with in_call(target, 440):
        begun = await asyncio.to_thread(server.json, "room", "capture", "daily", "start")
        twice = await asyncio.to_thread(server.cli, "room", "capture", "daily", "start")
        assert twice.returncode == 1 and "already" in twice.stderr
        async with in_call(server.uri("echo"), 440), in_call(target, 1000):
            await asyncio.sleep(2.5)
    path = Path(begun["file"])
    packets = await until_written(path)
    assert len(streams_in(path)) == 4                                    # two phones, both ways, and not the echo
    text = b"".join(packet.data for packet in packets)
    assert text.count(b"INVITE sip:daily@") == 1 and b"BYE " in text and b"246813" not in path.read_bytes()
    names = {name for block in read_blocks(path) if isinstance(block, Names) for name in block.names}
    assert {"440 Hz", "1000 Hz"} <= names
    assert any("INVITE: audio PCMU" in packet.comment for packet in packets)
    whole = list(read_packets(tmp_path / "all.pcapng"))
    assert len(streams_in(tmp_path / "all.pcapng")) == 6 and len(whole) > len(packets)
    assert b"246813" not in (tmp_path / "all.pcapng").read_bytes()


async def test_capture_goes_on_when_the_worker_is_replaced(server: Server) -> None:
    async with in_call(server.uri("echo"), 440) as call:
        begun = await asyncio.to_thread(server.json, "call", "capture", call.signalling.id, "start")
        await asyncio.sleep(1)
        (worker,) = _workers(server)
        os.kill(worker, signal.SIGKILL)
        await asyncio.sleep(4)
        await asyncio.to_thread(server.json, "call", "capture", call.signalling.id, "stop")
        await until_written(Path(begun["file"]))
    sources = {stream.ssrc for stream in streams_in(Path(begun["file"]))}
    assert len(sources) >= 3                                             # ours, and the server's before and after


def _workers(server: Server) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"mcu.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_the_phone_captures_its_own_calls(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "phone.pcapng"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "softphone", "--headless", server.uri("echo"), "--play", "tone:440@-20", "--codec", "pcmu",
        "--seconds", "3", "--pcap", str(path), stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0 and json.loads(said)["suite"] == "AEAD_AES_128_GCM"
    assert len(streams_in(path)) == 2 and all(stream.packets > 100 for stream in streams_in(path))
    assert heard_in(path, True)[0] > -26 and heard_in(path, False)[0] > -26
    text = b"".join(packet.data for packet in read_packets(path))
    assert text.count(b"INVITE sip:echo@") == 1 and b"BYE " in text and b"a=crypto" not in text
