"""Our analysis of calls by stock clients, and of damaged media, beside tshark: equal figures, no invented findings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from pcap.analysis import Analysis, analyse
from pcap.network import ip_packet
from pcap.pcapng import PcapngWriter
from pcap.reader import read_packets
from pcap.sip_ladder import sdp_of
from pcap.survey import Survey
from tests.helpers.capture import Capture
from tests.helpers.phones import Phone, Phones
from tests.helpers.planted import plant
from tests.helpers.ports import free_range
from tests.helpers.rtp_table import differences, write_rough

pytestmark = [pytest.mark.interop, pytest.mark.alone]

PASSWORD = "correct-horse-battery"
SECONDS = 4
CALLS: Sequence[tuple[str, str, dict[str, object]]] = (
    ("baresip", "opus", {"transport": "udp"}), ("baresip", "g722", {"transport": "tcp"}),
    ("baresip", "pcma", {"transport": "udp", "dtmf": "42"}), ("linphone", "opus", {"transport": "udp"}),
    ("linphone", "g722", {"transport": "udp", "dtmf": "7"}), ("linphone", "pcmu", {"transport": "tcp"}),
    ("sipp", "pcmu", {"transport": "udp"}), ("sipp", "pcma", {"transport": "tcp"}),
)
"""Who calls, its codec, and how."""
WITH_ACCOUNT = (1, 3, 6)
"""These register where they can, and are asked for a password."""
DAMAGES = (("", 1), ("loss", 1), ("loss", 2), ("burst_loss", 1), ("jitter", 1), ("clock_skew", 1), ("duplicates", 1),
           ("reordering", 1), ("ssrc_change", 1), ("wrong_ptime", 1), ("dtmf_end_lost", 1), ("payload_type", 1))


ROUGH_SEEDS = range(5)


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """A capture of each call: eight clients meet at the same time, and what was on the wire is parted by their ports."""
    folder, ports = tmp_path_factory.mktemp("captures"), free_range()
    server = start_server(folder / "server", "--open", "--rtp-ports", f"{ports[0]}-{ports[1]}", "--srtp", "off")
    try:
        for number in WITH_ACCOUNT:
            server.json("user", "add", f"{CALLS[number][0]}{number}", "--password", PASSWORD)
        capture_filter = f"port {server.port} or udp portrange {ports[0]}-{ports[1]} or icmp"
        with Capture(folder / "all.pcapng", capture_filter=capture_filter) as capture, Phones(folder / "phones") as phones:
            calls = [_call(phones, server, number) for number in range(len(CALLS))]
            for call in calls:
                assert call.finish().is_connected, (call.name, call.finish().facts, call.finish().errors[-500:])
        yield _parted(capture.path, folder)
    finally:
        server.stop()


def _call(phones: Phones, server: Server, number: int) -> Phone:
    name, codec, options = CALLS[number]
    account: dict[str, object] = {"user": f"{name}{number}"}
    if number in WITH_ACCOUNT:
        account["password"] = PASSWORD
        account |= {} if name == "sipp" else {"registrar": f"{server.host}:{server.port}"}
    start = getattr(phones, name)
    phone: Phone = start(server.uri("first" if number % 2 else "second"), codec=codec, tone=400 + 100 * number, seconds=SECONDS,
                         **account, **options)
    return phone


def _parted(path: Path, folder: Path) -> list[Path]:
    """A file for each client, by the ports of its SIP and its media."""
    owners: dict[int, str] = {}
    for one in Survey(path).messages:
        user = one.message.from_.uri.user or ""
        is_client = any(user == f"{name}{number}" for number, (name, _, _) in enumerate(CALLS))
        if is_client and (one.message.cseq.method in ("INVITE", "REGISTER")) and hasattr(one.message, "method"):
            owners[one.source[1]] = user
            session = sdp_of(one.message)
            for media in session.media if session is not None else ():
                owners[media.port] = owners[media.port + 1] = user
    files = {user: (folder / f"{user}.pcapng").open("wb") for user in sorted(set(owners.values()))}
    writers = {user: PcapngWriter(file) for user, file in files.items()}
    for packet in read_packets(path):
        ip = ip_packet(packet)
        head = b"" if ip is None else ip.payload[28:32] if ip.protocol == 1 else ip.payload[:4]
        user = owners.get(int.from_bytes(head[:2])) or owners.get(int.from_bytes(head[2:]))
        if user:
            writers[user].packet(packet.time_ns, packet.data, link_type=packet.link_type, comment=packet.comment)
    for file in files.values():
        file.close()
    return [folder / f"{user}.pcapng" for user in files]


def _said(analysis: Analysis) -> list[tuple[str, str, str]]:
    return [(one.kind, one.where, one.text[0]) for one in analysis.findings]


def test_clean_calls_of_three_stock_clients_have_no_findings(captures: list[Path]) -> None:
    analyses = {path.stem: analyse(path) for path in captures}
    assert len(analyses) == len(CALLS)
    assert {name: _said(one) for name, one in analyses.items() if one.findings} == {}
    for name, one in analyses.items():
        (story,) = one.calls
        assert story.state == "ended" and story.talk_s is not None and story.talk_s > 1, name
        assert len([stream for stream in one.streams if stream.mos is not None and stream.mos > 3.5]) >= 2, name


def test_keys_are_counted_in_the_streams_of_those_who_pressed_them(captures: list[Path]) -> None:
    pressed = {path.stem: sum(one.observed.keys.pressed for one in analyse(path).streams) for path in captures}
    assert {name: count for name, count in pressed.items() if count} == {"baresip2": 2, "linphone4": 1}


def test_figures_of_stock_clients_are_those_of_tshark(captures: list[Path]) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda path: differences(analyse(path), path), captures))
    assert found == [[]] * len(CALLS)


def test_figures_of_what_ffmpeg_sends_are_those_of_tshark(tmp_path: Path) -> None:
    path, (port, _) = tmp_path / "ffmpeg.pcapng", free_range()
    with Capture(path, capture_filter=f"udp port {port}"):
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=9", "-ar", "8000", "-ac", "1", "-c:a",
                        "pcm_alaw", "-f", "rtp", f"rtp://127.0.0.1:{port}"], stdout=subprocess.DEVNULL, check=True, timeout=30)
    analysis = analyse(path)
    assert [one.survey.figures.packets > 20 for one in analysis.streams] == [True] and differences(analysis, path) == []


def test_figures_of_rough_streams_are_those_of_tshark(tmp_path: Path) -> None:
    def compare(seed: int) -> list[str]:
        path = tmp_path / f"{seed}.pcapng"
        write_rough(path, seed)
        return differences(analyse(path), path)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(compare, ROUGH_SEEDS)) == [[]] * len(ROUGH_SEEDS)


def test_figures_of_damaged_media_are_those_of_tshark(tmp_path: Path) -> None:
    def compare(damage: tuple[str, int]) -> list[str]:
        path = tmp_path / f"{damage[0]}-{damage[1]}.pcapng"
        plant(*damage, path)
        return differences(analyse(path), path)

    with ThreadPoolExecutor(2) as pool:
        assert dict(zip(DAMAGES, pool.map(compare, DAMAGES), strict=True)) == {damage: [] for damage in DAMAGES}
