"""Stock phones and ours in one room: everybody hears all the others and never themselves, without gaps."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from pcap.frames import udp_datagram
from pcap.reader import read_packets
from pcap.streams import rtp_streams
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.phones import Phone, Phones

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
TONES_HZ = {"baresip": 440, "linphone": 1000, "sipp": 1300, "confero": 700}
LEVEL_TOLERANCE_DB = 1.0
OWN_BELOW_DB = 40.0
MAX_GAP_MS = 60


@pytest.fixture
def members_only(tmp_path: Path) -> Server:
    """A server with one account per phone, and a room for them."""
    server = start_server(tmp_path / "server")
    try:
        for name in TONES_HZ:
            server.json("user", "add", name, "--password", PASSWORD)
        server.json("room", "create", "daily")
        yield server
    finally:
        server.stop()


def heard(phone: Phone, others: list[int], own: int) -> None:
    """Assert what the recording of a phone holds: each other tone within 1 dB, the own one 40 dB below, no gap."""
    result = phone.finish()
    assert result.is_connected, f"{phone.name}: {result.facts} {result.errors[-500:]}"
    rate, samples = tones.read_wav(result.recording)
    middle = tones.steady(rate, samples)
    levels = {hz: tones.level_dbfs(rate, middle, hz) for hz in (*others, own)}
    for hz in others:
        assert levels[hz] == pytest.approx(EXPECTED_DBFS, abs=LEVEL_TOLERANCE_DB), f"{phone.name}: {levels}"
    assert levels[own] < min(levels[hz] for hz in others) - OWN_BELOW_DB, f"{phone.name}: {levels}"
    assert tones.longest_gap_ms(rate, middle) <= MAX_GAP_MS, phone.name


EXPECTED_DBFS = -20.0
"""Each phone plays its tone at −20 dBFS; the mix is a sum without gain."""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_linphone_sipp_and_ours_hear_each_other(members_only: Server, tmp_path: Path, transport: str) -> None:
    server, seconds = members_only, 30
    registrar = f"{server.host}:{server.port}"
    codecs = {"baresip": "opus", "linphone": "g722", "sipp": "pcmu", "confero": "opus"}
    if transport == "tcp":
        del codecs["linphone"]      # its TCP is the one of its own client script's gaps: UDP and TLS only
    with Capture(tmp_path / "c.pcap") as capture, Phones(tmp_path / "phones") as phones:
        calls: dict[str, Phone] = {}
        for name, codec in codecs.items():
            account = {"user": name, "password": PASSWORD, "codec": codec, "transport": transport}
            if name == "confero":
                account["server"] = registrar
            elif name != "sipp":
                account["registrar"] = registrar
            start = getattr(phones, name)
            calls[name] = start(server.uri("daily"), tone=TONES_HZ[name], seconds=seconds, **account)
        for call in calls.values():
            call.finish()
        for name, call in calls.items():
            heard(call, [TONES_HZ[other] for other in calls if other != name], TONES_HZ[name])
    datagrams = filter(None, map(udp_datagram, read_packets(capture.path)))
    sent = [s for s in rtp_streams(datagrams) if 20000 <= s.source[1] <= 29999 and s.source[0] == server.host]
    assert len(sent) >= len(calls)
    for stream in sent:
        assert stream.lost == 0 and stream.duplicated == 0 and stream.reordered == 0, stream.summary()
        assert len(stream.timestamp_steps) == 1, stream.summary()
    malformed = capture.fields("_ws.malformed", "frame.number", "_ws.col.Info")
    assert malformed == []
    assert set(itertools.chain(*capture.fields("rtcp.pt == 200", "rtcp.pt")))      # sender reports are there
