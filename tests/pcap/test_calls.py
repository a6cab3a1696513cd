"""Calls as stories: state, times and cause; forks and their dialogs; what is told of a call that began before the capture."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcap.analysis import analyse
from pcap.calls import CallStory, Dialog
from pcap.pcapng import PcapngWriter
from pcap.synthesis import udp_packet

PHONE, PROXY = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
MS = 1_000_000


def request(method: str, number: int = 1, tag: str = "", more: str = "") -> tuple[bool, str]:
    """A request of the caller."""
    return True, f"{method} sip:bob@x SIP/2.0|{_head(method, number, tag)}{more}"


def response(status: int, number: int = 1, tag: str = "b", method: str = "INVITE", more: str = "") -> tuple[bool, str]:
    """An answer to it."""
    return False, f"SIP/2.0 {status} Said|{_head(method, number, tag)}{more}"


def _head(method: str, number: int, tag: str) -> str:
    return (f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{method if method != 'CANCEL' else 'INVITE'}{number}"
            f"|From: <sip:alice@x>;tag=a|To: <sip:bob@x>{f';tag={tag}' if tag else ''}|Call-ID: one|CSeq: {number} {method}")


def story(tmp_path: Path, *said: tuple[int, tuple[bool, str]]) -> CallStory:
    """The story of messages at their times in ms."""
    path = tmp_path / "call.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for at_ms, (is_caller, text) in said:
            ways = (PHONE, PROXY) if is_caller else (PROXY, PHONE)
            data = (text.replace("|", "\r\n") + "\r\nContent-Length: 0\r\n\r\n").encode()
            writer.packet(10**18 + at_ms * MS, udp_packet(*ways, data))
    (found,) = analyse(path).calls
    return found


def test_answered_call_has_its_times_and_says_who_hung_up(tmp_path: Path) -> None:
    found = story(tmp_path, (0, request("INVITE")), (20, response(100, tag="")), (400, response(180)), (3400, response(200)),
                  (3450, request("ACK", tag="b")), (63400, request("BYE", 2, "b", '|Reason: SIP;cause=200;text="bye"')),
                  (63410, response(200, 2, method="BYE")))
    assert (found.state, found.status, found.post_dial_delay_s, found.ring_s, found.talk_s) == ("ended", 200, 0.4, 3.0, 60.0)
    assert found.cause == 'BYE by alice: SIP;cause=200;text="bye"' and found.title == "alice → bob"
    assert found.dialogs == (Dialog("b", "confirmed", 200),)


def test_fork_makes_a_dialog_for_each_phone_that_rings(tmp_path: Path) -> None:
    found = story(tmp_path, (0, request("INVITE")), (100, response(180, tag="b1")), (150, response(183, tag="b2")),
                  (900, response(200, tag="b2")), (910, request("ACK", tag="b2")))
    assert found.state == "talking" and found.talk_s is None
    assert found.dialogs == (Dialog("b1", "early", 180), Dialog("b2", "confirmed", 200))


@pytest.mark.parametrize(("said", "state", "cause"), [
    ([(0, request("INVITE"))], "no response", ""),
    ([(0, request("INVITE")), (9, response(100, tag=""))], "calling", ""),
    ([(0, request("INVITE")), (9, response(180))], "ringing", ""),
    ([(0, request("INVITE")), (9, response(486)), (10, request("ACK", tag="b"))], "refused", "486 Said"),
    ([(0, request("INVITE")), (9, response(180)), (50, request("CANCEL")), (60, response(200, method="CANCEL")),
      (61, response(487))], "cancelled", "487 Said"),
    ([(0, request("INVITE")), (5, response(401)), (6, request("ACK", tag="b")),
      (9, request("INVITE", 2, more="|Authorization: Digest username=\"alice\"")), (12, response(180, 2))], "ringing", ""),
    ([(0, request("INVITE", 7, "b")), (5, response(200, 7)), (90, request("BYE", 8, "b"))], "ended", "BYE by alice"),
], ids=["no answer", "trying", "ringing", "busy", "cancelled", "asked for a password", "began before the capture"])
def test_state_and_cause(tmp_path: Path, said: list[tuple[int, tuple[bool, str]]], state: str, cause: str) -> None:
    found = story(tmp_path, *said)
    assert (found.state, found.cause) == (state, cause)
