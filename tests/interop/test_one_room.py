"""Stock phones and ours in one room, over UDP and over TCP: everybody hears all the others and never themselves, without gaps.

Both rooms meet at the same time and for the whole of the module; the tests then judge the recordings, and the server's own
packets by a capture. A fifth phone loses its power as the meeting begins, so that its end can be seen when the meeting is over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from confero.testing import Server, start_server
from pcap.streams import Stream
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.phones import LINPHONE_G722_DB, TONE_LEVEL_DBFS, Phone, Phones
from tests.helpers.ports import free_range

pytestmark = [pytest.mark.interop, pytest.mark.alone]

PASSWORD = "correct-horse-battery"
TRANSPORTS = ("udp", "tcp")
CODECS = {"baresip": "opus", "linphone": "g722", "sipp": "pcmu", "confero": "opus"}
TONES_HZ = {"baresip": 440, "linphone": 850, "sipp": 1000, "confero": 1300}
"""Opus at 32 kbit/s keeps any three of these within 0.3 dB; it bends many other chords by more than 1 dB."""
SECONDS = 33
LEVEL_TOLERANCE_DB = 1.0
OWN_BELOW_DB = 40.0
MAX_GAP_MS = 60
TICK_UNITS = {"opus": 960, "g722": 160, "pcmu": 160}
EXPERT_ROW = re.compile(r"\s+\d+\s+\w")
"""A line of tshark's table of warnings and errors: how often, group, protocol, words."""
SILENCE_RULE_S = 30
STALL_PACKETS = 5
"""A phone that stalls once is waited for longer from then on: so many packets are made up that come in time after all."""


@dataclass
class Meeting:
    """What is left of the meeting. roster: names by transport while all were there; vanished_at: when one lost its power."""

    server: Server
    capture: Capture
    ports: tuple[int, int]
    phones: dict[tuple[str, str], Phone]
    roster: dict[str, list[str]]
    vanished_at: float

    def streams(self) -> list[Stream]:
        """What the server sent."""
        return self.capture.streams_from(self.ports)


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meeting]:
    """Eight phones in two rooms for SECONDS; it yields when all have left."""
    folder, ports = tmp_path_factory.mktemp("meeting"), free_range()
    server = start_server(folder / "server", "--rtp-ports", f"{ports[0]}-{ports[1]}", "--srtp", "off")      # captures are read
    capture = Capture(folder / "meeting.pcapng", capture_filter=f"udp portrange {ports[0]}-{ports[1]} or port {server.port}")
    try:
        for name in TONES_HZ:
            server.json("user", "add", name, "--password", PASSWORD)
        for room in (*(f"daily-{transport}" for transport in TRANSPORTS), "lonely"):
            server.json("room", "create", room)
        with capture, Phones(folder / "phones") as phones:
            lonely = call(phones, server, "baresip", "udp", "lonely")
            until(lambda: len(server.json("room", "people", "lonely")) == 1)
            lonely.kill_all()
            vanished_at = time.monotonic()
            calls = {(name, transport): call(phones, server, name, transport, f"daily-{transport}")
                     for transport in TRANSPORTS for name in TONES_HZ}
            until(lambda: all(len(server.json("room", "people", f"daily-{one}")) == len(TONES_HZ) for one in TRANSPORTS))
            roster = {one: [person["name"] for person in server.json("room", "people", f"daily-{one}")] for one in TRANSPORTS}
            for phone in calls.values():
                phone.finish()
        yield Meeting(server, capture, ports, calls, roster, vanished_at)
    finally:
        server.stop()


def call(phones: Phones, server: Server, name: str, transport: str, room: str) -> Phone:
    """A phone with its account calls a room, with its codec and its tone."""
    registrar = f"{server.host}:{server.port}"
    account = {"user": name, "password": PASSWORD, "codec": CODECS[name], "transport": transport}
    account |= {"confero": {"server": registrar}, "sipp": {}}.get(name, {"registrar": registrar})
    if name == "linphone":
        account["level_dbfs"] = TONE_LEVEL_DBFS + LINPHONE_G722_DB
    return getattr(phones, name)(server.uri(room), tone=TONES_HZ[name], seconds=SECONDS, **account)  # type: ignore[no-any-return]


def until(condition, limit_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until something is so; fails when it does not come about."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.5)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", TONES_HZ)
def test_phone_hears_all_the_others_and_never_itself(meeting: Meeting, name: str, transport: str) -> None:
    result = meeting.phones[name, transport].finish()
    assert result.is_connected, f"{result.facts} {result.errors[-500:]}"
    assert result.facts.get("registered", True) is True
    rate, samples = tones.read_wav(result.recording)
    middle = tones.steady(rate, samples)
    levels = {hz: round(tones.level_dbfs(rate, middle, hz), 2) for hz in TONES_HZ.values()}
    heard_dbfs = TONE_LEVEL_DBFS + (LINPHONE_G722_DB if name == "linphone" else 0.0)
    for other, hz in TONES_HZ.items():
        if other != name:
            assert levels[hz] == pytest.approx(heard_dbfs, abs=LEVEL_TOLERANCE_DB), levels
    assert levels[TONES_HZ[name]] < heard_dbfs - OWN_BELOW_DB, levels


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", TONES_HZ)
def test_recording_of_thirty_seconds_has_no_gap(meeting: Meeting, name: str, transport: str) -> None:
    rate, samples = tones.read_wav(meeting.phones[name, transport].finish().recording)
    middle = tones.steady(rate, samples, 0.03)
    assert len(middle) / rate >= 30
    assert tones.longest_gap_ms(rate, middle) <= MAX_GAP_MS


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_roster_names_the_four_accounts(meeting: Meeting, transport: str) -> None:
    assert sorted(meeting.roster[transport]) == sorted(TONES_HZ)


def test_streams_of_the_server_have_contiguous_sequence_numbers_and_timestamps(meeting: Meeting) -> None:
    streams = meeting.streams()
    assert len(streams) == len(meeting.phones) + 1
    for stream in streams:
        assert (stream.lost, stream.duplicated, stream.reordered) == (0, 0, 0), stream.summary()
        assert set(stream.timestamp_steps) in ({TICK_UNITS["opus"]}, {TICK_UNITS["pcmu"]}), stream.summary()
    whole = [stream for stream in streams if stream.packets >= (SECONDS - 1) * 50]
    assert len(whole) == len(meeting.phones)
    for stream in whole:
        assert len(stream.csrcs) == len(TONES_HZ) - 1, stream.summary()     # the three others are named, oneself never


def test_server_conceals_only_what_came_late(meeting: Meeting) -> None:
    records = [record for record in meeting.server.json("call", "list", "--all") if record["room"] != "lonely"]
    assert len(records) == len(meeting.phones)
    for record in records:
        assert record["lost"] == 0, record
        assert record["packets_in"] >= (SECONDS - 1) * 50, record
        assert record["concealed"] <= record["late"] + STALL_PACKETS, record


def test_tshark_finds_nothing_malformed_and_nothing_lost(meeting: Meeting) -> None:
    capture = meeting.capture
    assert capture.fields("_ws.malformed", "frame.number", "_ws.col.Info") == []
    flagged = [row for row in capture.tshark("-q", "-z", "expert,warn").splitlines() if EXPERT_ROW.match(row)]
    # under load the kernel may repeat a segment of TCP on loopback that was only acknowledged late
    assert [row for row in flagged if " TCP " not in row] == []
    first, last = meeting.ports
    sent = [row.split() for row in capture.tshark("-q", "-z", "rtp,streams").splitlines()
            if re.match(r"\s+\d+\.\d+\s+\d+\.\d+", row)]
    ours = [row for row in sent if first <= int(row[3]) <= last]
    assert len(ours) == len(meeting.phones) + 1
    assert all("0 (0.0%)" in " ".join(row) for row in ours), ours


def test_rtcp_of_the_server_reports_both_ways_with_a_name(meeting: Meeting) -> None:
    first, last = meeting.ports
    from_us = f"rtcp and udp.srcport >= {first} and udp.srcport <= {last}"
    rows = meeting.capture.fields(from_us, "udp.dstport", "rtcp.pt", "rtcp.sdes.type", "rtcp.sdes.text", "rtcp.ssrc.identifier",
                                  "rtcp.ssrc.cum_nr")
    by_peer: dict[str, list[list[str]]] = {}
    for port, *rest in rows:
        by_peer.setdefault(port, []).append(rest)
    assert len(by_peer) >= len(meeting.phones)
    names: set[str] = set()
    named: set[int] = set()
    for port, reports in by_peer.items():
        kinds = {kind for types, *_ in reports for kind in types.split(",")}
        assert {"200", "202"} <= kinds, (port, reports)
        names |= {name for _, _, texts, _, _ in reports if texts for name in texts.split(",")}
        named |= {int(source, 16) for *_, sources, _ in reports if sources for source in sources.split(",")}
        assert all(lost in ("", "0") for *_, lost in reports), (port, reports)
    reported = [reports for reports in by_peer.values() if any(lost == "0" for *_, lost in reports)]
    assert len(reported) >= len(meeting.phones)                    # a report block: reception is told, and nothing was lost
    assert names and all(re.fullmatch(r"[\x21-\x7e]{4,64}", name) for name in names), names
    for stream in meeting.streams():
        assert {stream.ssrc, *stream.csrcs} <= named, stream.summary()      # a mixer names its sources (RFC 3550 §7.3)


def test_linphone_subscribes_to_the_conference_and_takes_every_notify(meeting: Meeting) -> None:
    port = meeting.server.port
    subscribed = meeting.capture.fields(f'sip.Method == "SUBSCRIBE" and sip.Event == "conference" and tcp.dstport == {port}',
                                        "sip.Event")
    assert subscribed
    rows = meeting.capture.fields(f'sip.Method == "NOTIFY" and (tcp.srcport == {port} or udp.srcport == {port})',
                                  "sip.Call-ID", "sip.CSeq", "xml.attribute", "xml.cdata")
    assert rows
    told: dict[str, str] = {}
    for call_id, _, *texts in rows:
        told[call_id] = " ".join((told.get(call_id, ""), *texts))        # the first has the full state, then what changes
    assert len(told) == 2 * len(TRANSPORTS)                             # linphone and ours, in each room
    for text in told.values():
        assert all(name in text for name in TONES_HZ), text
    statuses = {(call_id, sequence): status for call_id, sequence, status in meeting.capture.fields(
        f'sip.CSeq.method == "NOTIFY" and sip.Status-Code and (tcp.dstport == {port} or udp.dstport == {port})',
        "sip.Call-ID", "sip.CSeq", "sip.Status-Code")}
    for call_id, sequence, attributes, _ in rows:
        # linphone has forgotten its subscription when the last, empty NOTIFY answers its own `Expires: 0`
        assert statuses[call_id, sequence] in (("200",) if attributes else ("200", "481")), (call_id, sequence)


def test_phone_that_lost_its_power_is_removed_with_all_that_it_held(meeting: Meeting) -> None:
    server = meeting.server
    assert time.monotonic() - meeting.vanished_at > SILENCE_RULE_S
    until(lambda: server.json("room", "people", "lonely") == [], 3 * SILENCE_RULE_S)
    (record,) = [record for record in server.json("call", "list", "--all") if record["room"] == "lonely"]
    assert (record["is_running"], record["status"]) == (False, 408)
    assert "no media" in record["reason"]
    assert media_ports_of(server, meeting.ports) == set()


def media_ports_of(server: Server, ports: tuple[int, int]) -> set[int]:
    """Media ports that the server and its workers hold."""
    whole = psutil.Process(server.process.pid)
    pids = {process.pid for process in (whole, *whole.children(recursive=True))}
    return {one.laddr.port for one in psutil.net_connections("udp4")
            if one.pid in pids and ports[0] <= one.laddr.port <= ports[1]}
