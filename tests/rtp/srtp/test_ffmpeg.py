"""SRTP with FFmpeg, whose implementation owes nothing to libsrtp: what it sends, we open, and what we send, it plays."""

from __future__ import annotations

import random
import socket
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from rtp.packet import RtpPacket
from rtp.srtp import AES_CM_128_HMAC_SHA1_80, MasterKey, Receiver, Sender, SrtpReceiver, SrtpSender
from rtp.srtp.fast import FastReceiver, FastSender

pytestmark = pytest.mark.interop
SUITE = AES_CM_128_HMAC_SHA1_80
KEY = random.Random(4).randbytes(30)
VOICE = bytes(range(128, 208)) * 2
"""Codes of G.711 that come back as they are: among the others, there are two for zero."""
QUIET = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error")


@pytest.mark.parametrize("receive", [SrtpReceiver, FastReceiver])
def test_packets_of_ffmpeg_are_opened(receive: Callable[..., Receiver]) -> None:
    theirs = receive(SUITE, MasterKey.of(SUITE, KEY))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(15)
        process = subprocess.Popen(
            [*QUIET, "-re", "-f", "lavfi", "-i", "sine=500:duration=2", "-ar", "8000", "-c:a", "pcm_mulaw", "-f", "rtp",
             "-srtp_out_suite", str(SUITE), "-srtp_out_params", b64encode(KEY).decode(),
             f"srtp://127.0.0.1:{ours.getsockname()[1]}?pkt_size=172"], stdout=subprocess.DEVNULL)
        try:
            packets = [RtpPacket.parse(theirs.unprotect(ours.recv(2048))) for _ in range(20)]
        finally:
            process.kill()
            process.wait()
    assert {packet.payload_type for packet in packets} == {0} and theirs.counters.passed == 20
    assert [packet.sequence - packets[0].sequence & 0xFFFF for packet in packets] == list(range(20))
    assert any(byte not in (0x7F, 0xFF) for byte in packets[-1].payload)


@pytest.mark.parametrize("send", [SrtpSender, FastSender])
def test_packets_of_ours_are_played_by_ffmpeg(send: Callable[..., Sender], tmp_path: Path) -> None:
    ours = send(SUITE, MasterKey.of(SUITE, KEY))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "in.sdp").write_text(
        f"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/SAVP 0\n"
        f"a=crypto:1 {SUITE} inline:{b64encode(KEY).decode()}\n")
    process = subprocess.Popen(
        [*QUIET, "-protocol_whitelist", "file,udp,rtp,srtp", "-i", tmp_path / "in.sdp", "-t", "0.5", "-c:a", "pcm_mulaw",
         "-f", "mulaw", "-"], stdout=subprocess.PIPE)
    heard = b""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(2000):
                out.sendto(ours.protect(bytes(RtpPacket(0, number, 160 * number, 7, VOICE))), ("127.0.0.1", port))
                try:
                    heard = process.communicate(timeout=0.02)[0]
                    break
                except subprocess.TimeoutExpired:
                    continue
    finally:
        process.kill()
        process.wait()
    assert VOICE in heard
