"""A meeting over TLS and SRTP, as it was on the wire: with the key log it becomes a capture that tshark and we can hear."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from confero.testing import start_server
from pcap.keylog import Address
from pcap.walk import SeenPacket, walk
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.phones import ROOT, Phones
from tests.helpers.ports import free_range

pytestmark = pytest.mark.interop

TONES_HZ = {"sdes": 440, "dtls": 850, "ours": 1300}
SECONDS = 4
LOUD_DBFS = -30.0
LATE = 12


def confero_pcap(*arguments: str) -> str:
    """What a command prints."""
    return subprocess.run([sys.executable, "-m", "pcap", *arguments], capture_output=True, text=True, check=True, cwd=ROOT,
                          timeout=60).stdout


def media_of(path: Path) -> Counter[tuple[Address, Address, bytes]]:
    """Every RTP packet of a capture, byte for byte, and its way."""
    return Counter((one.source, one.destination, bytes(one.packet)) for one in walk(path) if isinstance(one, SeenPacket))


def voices_of(folder: Path) -> list[tuple[str, ...]]:
    """Which tones are in each file."""
    found = []
    for file in folder.glob("*.wav"):
        rate, samples = tones.read_wav(file)
        middle = tones.steady(rate, samples)
        found.append(tuple(name for name, hertz in TONES_HZ.items() if tones.level_dbfs(rate, middle, hertz) > LOUD_DBFS))
    return sorted(found)


def test_meeting_over_tls_and_srtp_is_heard_from_its_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports, log = free_range(), tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    server = start_server(tmp_path / "server", "--open", "--rtp-ports", f"{ports[0]}-{ports[1]}", "--srtp", "require",
                          "--pcap", str(tmp_path / "tap.pcapng"))
    capture = Capture(tmp_path / "wire.pcapng", capture_filter=f"udp portrange {ports[0]}-{ports[1]} or port {server.tls_port}")
    try:
        with capture, Phones(tmp_path / "phones") as phones:
            authority = ("--ca", str(server.data / "tls" / "ca.pem"))
            calls = [phones.baresip(f"sip:daily@127.0.0.1:{server.tls_port}", tone=TONES_HZ[keying], codec="opus", user=keying,
                                    transport="tls", seconds=SECONDS, extra=(*authority, "--srtp", keying))
                     for keying in ("sdes", "dtls")]
            calls.append(phones.confero(f"sip:daily@localhost:{server.tls_port}", tone=TONES_HZ["ours"], transport="tls",
                                        seconds=SECONDS, extra=("--config", str(tmp_path / "phone.toml"))))
            results = [call.finish() for call in calls]
    finally:
        server.stop()
    assert all(result.is_connected for result in results), [(result.facts, result.errors[-500:]) for result in results]
    assert capture.fields("sip", "sip.Method") == []
    plain = tmp_path / "plain.pcapng"
    told = confero_pcap("decrypt", str(capture.path), str(plain), "--keys", str(log))
    assert "TLS: 3 connections read, 0 without a key" in told and "streams no key opens" not in told, told
    assert "DTLS: 2 handshakes, 0 without a key" in told, told          # baresip has one for RTP and one for RTCP

    capture.path = plain
    methods = {method for row in capture.fields("sip", "sip.Method") for method in row}
    assert {"INVITE", "ACK", "BYE"} <= methods
    assert len({row[0] for row in capture.fields("rtp && opus", "rtp.ssrc")}) == 6
    assert capture.fields("tcp.analysis.flags || _ws.malformed", "frame.number") == []

    wire, tap = media_of(plain), media_of(tmp_path / "tap.pcapng")
    assert not tap - wire and sum(tap.values()) > 6 * 50 * (SECONDS - 1)
    assert sum((wire - tap).values()) <= LATE, wire - tap               # a phone's last packets, which nobody takes any more

    confero_pcap("extract", str(plain), "--to", str(tmp_path / "sound"))
    names = sorted(TONES_HZ)
    mixes = [tuple(name for name in TONES_HZ if name != own) for own in names]
    assert voices_of(tmp_path / "sound") == sorted([*((name,) for name in names), *mixes])
