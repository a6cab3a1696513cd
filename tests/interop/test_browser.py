"""A peer as browsers are (aiortc: full ICE, DTLS-SRTP, BUNDLE, rtcp-mux; SIP by secure WebSocket) in a room of plain phones, of
which one sends pictures, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from confero.testing import start_server
from rtp.sdp.parser import parse
from tests.helpers import tones
from tests.helpers.namespaces import Network
from tests.helpers.phones import TONE_LEVEL_DBFS, Phones

pytestmark = pytest.mark.interop

SIP_PORT, WSS_PORT = 5060, 7443
TONES_HZ = {"browser": 440, "sipp": 1000, "confero": 1300}
SECONDS = 5


def test_browser_like_peer_joins_a_room_by_ice_dtls_and_bundle_and_hears_it(tmp_path: Path) -> None:
    with Network(3) as network:
        server = start_server(tmp_path / "server", "--open", "--wss-port", str(WSS_PORT), host=network.server_address,
                              port=SIP_PORT, prefix=network.in_server())
        recording = tmp_path / "browser.wav"
        command = [*network.in_client(0), sys.executable, "-m", "tests.helpers.clients.client_aiortc", "--wss",
                   f"wss://{network.server_address}:{WSS_PORT}/", "--uri", server.uri("daily"), "--tone",
                   str(TONES_HZ["browser"]), "--seconds", str(SECONDS), "--record", str(recording), "--grey", "60"]
        try:
            with Phones(tmp_path / "phones") as phones:
                common = {"seconds": SECONDS + 3, "codec": "pcmu"}
                calls = {
                    "sipp": phones.sipp(server.uri("daily"), tone=TONES_HZ["sipp"], user="sipp", prefix=network.in_client(1),
                                        bind=network.client_address(1), extra=("--interface", network.client_interface(1)),
                                        **common),
                    "confero": phones.confero(server.uri("daily"), tone=TONES_HZ["confero"], prefix=network.in_client(2),
                                              extra=("--srtp", "off", "--video", "test"), **common)}
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                people = {call["display_name"]: call for call in server.json("call", "list", "--all")}
                results = {name: call.finish() for name, call in calls.items()}
        finally:
            server.stop()
    assert done.returncode == 0, done.stderr[-2000:]
    facts = json.loads(done.stdout)
    assert (facts["is_connected"], facts["ice"], facts["dtls"]) == (True, "completed", "connected")
    answer = parse(facts["answer"].encode())
    media = answer.media[0]
    assert ("ice-lite", None) in answer.attributes and ("group", "BUNDLE 1") in answer.attributes
    assert media.protocol == "UDP/TLS/RTP/SAVPF" and media.has("mid") and media.has("rtcp-mux") and media.has("candidate")
    assert facts["packets_received"] > 40 * SECONDS and facts["packets_lost"] == 0
    assert answer.media[1].protocol == "UDP/TLS/RTP/SAVPF" and answer.media[1].port not in (0, media.port)
    assert facts["pictures"] > 20 and len({(width, height) for width, height, _ in facts["last_pictures"]}) == 1
    for name, result in results.items():
        assert tones.level_range_dbfs(*tones.read_wav(recording), TONES_HZ[name])[1] == pytest.approx(TONE_LEVEL_DBFS, abs=2.0)
        rate, sound = tones.read_wav(result.recording)
        assert tones.level_range_dbfs(rate, sound, TONES_HZ["browser"])[1] == pytest.approx(TONE_LEVEL_DBFS, abs=2.0), name
    assert people["browser"]["protection"] == "AEAD_AES_128_GCM by DTLS over WSS" and people["browser"]["is_protected"]
    assert people["sipp"]["protection"] == "not protected: plain RTP"
