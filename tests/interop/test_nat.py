"""A server behind a one-to-one NAT, two people behind symmetric ones: called after a long silence, heard both ways, held, and
given new ways in mid-call.

What a NAT forgets in minutes it forgets in seconds here, and the phones ping accordingly.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers.capture import Capture
from tests.helpers.home_phone import HomePhone
from tests.helpers.nat import PRIVATE_PHONE, PRIVATE_SERVER, PUBLIC_SERVER, Internet

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
SIP_PORT = 5060
TONES_HZ = {"anna": 440.0, "bernd": 850.0}
IDLE_S, PING_S = 6, 3
"""How long the NATs of the homes remember, and the longest pause between two pings of the phones."""
WAIT_S = 2.5 * IDLE_S
BACK_S = 2.0
"""How soon sound is to be back after a new way; deadlines are three times that."""
PROBE = """
import socket, sys
peer = socket.socket(type=socket.SOCK_DGRAM)
peer.settimeout(float(sys.argv[3]) + 2)
peer.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
try:
    print(peer.recv(100).decode())
except TimeoutError:
    print("nothing")
"""
ANSWERER = """
import socket, sys, threading
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    data, source = sock.recvfrom(100)
    threading.Timer(float(data), sock.sendto, (data, source)).start()
"""


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    """The namespaces."""
    with Internet(homes=2, idle_s=IDLE_S) as made:
        yield made


@pytest.fixture(scope="module")
def server(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, which knows its public address."""
    running = start_server(tmp_path_factory.mktemp("behind-nat"), "--public-address", PUBLIC_SERVER, host="0.0.0.0",
                           port=SIP_PORT, prefix=internet.in_server())
    try:
        for name in TONES_HZ:
            running.json("user", "add", name, "--password", PASSWORD)
        yield running
    finally:
        running.stop()


def home_phone(internet: Internet, index: int, user: str, hears: str) -> HomePhone:
    """A phone in a home, with its tone."""
    return HomePhone("--user", user, "--password", PASSWORD, "--server", PUBLIC_SERVER, "--tone", str(TONES_HZ[user]),
                     "--hears", str(TONES_HZ[hears]), "--keep-alive", str(PING_S), prefix=internet.in_home(index))


def sources(server: Server) -> dict[str, str]:
    """Where the server sees each registered phone."""
    return {row["aor"]: row["source"] for row in server.json("reg", "list")}


def until_source_changes(server: Server, user: str, before: str, limit_s: float) -> str:
    """Wait until a phone is registered from another address than before."""
    ends_at = time.monotonic() + limit_s
    while time.monotonic() < ends_at:
        now = sources(server).get(user, before)
        if now != before:
            return now
        time.sleep(0.2)
    raise AssertionError(f"{user} is still registered from {before}")


def test_the_nats_are_what_they_should_be(internet: Internet) -> None:
    """A way that is used is kept, one that is not is forgotten: without that the rest would prove nothing."""
    answerer = subprocess.Popen([*internet.in_server(), sys.executable, "-c", ANSWERER, PRIVATE_SERVER, "7000"],
                                stdout=subprocess.PIPE, text=True)
    try:
        assert answerer.stdout is not None and answerer.stdout.readline() == "ready\n"
        probes = {pause: subprocess.Popen([*internet.in_home(0), sys.executable, "-c", PROBE, PUBLIC_SERVER, "7000", pause],
                                          stdout=subprocess.PIPE, text=True) for pause in ("0", "3", str(IDLE_S + 3))}
        heard = {pause: probe.communicate(timeout=40)[0].strip() for pause, probe in probes.items()}
        assert heard == {"0": "0", "3": "3", str(IDLE_S + 3): "nothing"}
    finally:
        answerer.kill()
        answerer.communicate()


def test_people_behind_symmetric_nats_call_each_other(internet: Internet, server: Server, tmp_path: Path) -> None:
    capture = Capture(tmp_path / "net.pcapng", "server", "", internet.in_net())
    with capture, home_phone(internet, 0, "anna", "bernd") as anna, home_phone(internet, 1, "bernd", "anna") as bernd:
        for phone in (anna, bernd):
            phone.wait("registered")
        seen = sources(server)
        assert {user: source.split(":")[0] for user, source in seen.items()} == {
            "anna": internet.public_home(0), "bernd": internet.public_home(1)}
        time.sleep(WAIT_S)                                      # the ways would be forgotten twice over without pings
        anna.say("call bernd")
        for event in ("ringing", "answered", "heard"):
            bernd.wait(event)
        anna.wait("heard")

        anna.say("hold")
        anna.wait("hold")
        bernd.wait("silent")
        anna.say("resume")
        bernd.wait("heard")
        anna.wait("heard")

        internet.rebind(0)
        rebound_at = time.monotonic()
        gaps = {"bernd": back_after(bernd, rebound_at), "anna": back_after(anna, rebound_at)}
        assert all(gap <= 3 * BACK_S for gap in gaps.values()), gaps
        print(json.dumps({"audio back after a new way, s": gaps}))

        moved = until_source_changes(server, "anna", seen["anna"], 3 * PING_S)
        assert moved.split(":")[0] == internet.public_home(0)
        bernd.say("hang-up")                                    # the BYE goes by the new way, without waiting for time-outs
        assert "hung up" in anna.wait("over", 3 * PING_S)["text"]
        bernd.wait("over")

        internet.rebind(1)                                      # and a phone that waits is found again, too
        until_source_changes(server, "bernd", seen["bernd"], 3 * PING_S)
        anna.say("call bernd")
        bernd.wait("answered")
        bernd.wait("heard")
        anna.wait("heard")
        anna.say("hang-up")
        bernd.wait("over")
    check_what_passed(capture, internet)


def back_after(phone: HomePhone, since: float) -> float:
    """How long after a moment the phone has heard the other side without a break, s."""
    deadline = since + 3 * BACK_S + 2
    back = 0.0
    while True:
        try:
            told: dict[str, Any] = phone.wait("silent", max(0.1, min(deadline - time.monotonic(), 3.0)))
        except AssertionError:
            return back
        if told["at"] < since:
            continue
        back = phone.wait("heard", max(0.1, deadline - time.monotonic()))["at"] - since


def addresses_of(rows: list[list[str]]) -> set[str]:
    """All addresses of rows; a description of several lines has one for each."""
    return {address for row in rows for address in row[0].split(",")}


def check_what_passed(capture: Capture, internet: Internet) -> None:
    """Between the NATs there are public addresses alone, also inside the server's SDP, Contact and Via."""
    homes = {internet.public_home(0), internet.public_home(1)}
    # Without errors: a late packet for one who has just hung up is answered by one that quotes it.
    pairs = {tuple(row[:2]) for row in capture.fields("(sip || rtp) && !icmp", "ip.src", "ip.dst")}
    assert pairs == {(PUBLIC_SERVER, home) for home in homes} | {(home, PUBLIC_SERVER) for home in homes}
    for row in capture.fields(f"sip && ip.src == {PUBLIC_SERVER}", "sip.contact.host", "sdp.connection_info.address",
                              "sdp.owner.address", "sip.Via.sent-by.address"):
        text = ",".join(row)
        assert PRIVATE_SERVER not in text, row
    offered = capture.fields(f"sdp && ip.src == {PUBLIC_SERVER}", "sdp.connection_info.address")
    assert offered and addresses_of(offered) == {PUBLIC_SERVER}
    inside = addresses_of(capture.fields(f"sdp && ip.dst == {PUBLIC_SERVER}", "sdp.connection_info.address"))
    assert inside == {PRIVATE_PHONE}                            # what the phones wrote was overruled by the source of packets
