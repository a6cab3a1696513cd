"""Telephone events: each press once, whatever is lost, doubled or late; the payloads of a press."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.dtmf import END_REPEATS, KEYS, DtmfReceiver, event_payloads, parse_event
from rtp.errors import ParseError


def press(key: str, timestamp: int) -> list[tuple[bytes, int]]:
    """The packets of a press of 100 ms at 8 kHz: (payload, timestamp)."""
    return [(payload, timestamp) for payload, _ in event_payloads(key, 160, 5)]


def heard(packets: list[tuple[bytes, int]]) -> str:
    """The keys that a receiver tells."""
    receiver = DtmfReceiver()
    return "".join(receiver.receive(payload, timestamp) or "" for payload, timestamp in packets)


def test_press_grows_and_ends_three_times_with_its_whole_duration() -> None:
    payloads = event_payloads("5", 160, 3)
    parsed = [parse_event(payload) for payload, _ in payloads]
    assert parsed == [(5, False, 160), (5, False, 320), (5, False, 480)] + [(5, True, 640)] * END_REPEATS
    assert [is_first for _, is_first in payloads] == [True] + [False] * 5


@pytest.mark.parametrize("key", [*KEYS, "a"])
def test_every_key_is_told_once(key: str) -> None:
    assert heard(press(key, 4000)) == key.upper()


def test_same_key_twice_is_two_presses() -> None:
    assert heard(press("1", 0) + press("1", 1600)) == "11"


def test_end_alone_is_enough_when_all_else_is_lost() -> None:
    assert heard(press("7", 0)[-1:] + press("8", 1600)[-2:]) == "78"


def test_late_packet_of_the_press_before_is_no_press() -> None:
    first, second = press("1", 0xFFFFFF00), press("2", 0x500)
    assert heard(first + second[:2] + first[-1:] + second[2:]) == "12"


def test_keys_are_told_after_the_sender_began_a_new_time_base() -> None:
    assert heard(press("1", 3_000_000_000) + press("2", 1_500_000_000) + press("3", 2_900_000_000)) == "123"


def test_long_press_in_segments_is_one_press() -> None:
    packets = [(struct.pack("!BBH", 3, 10, d), 1000) for d in (160, 32000, 0xFFFF)]
    packets += [(struct.pack("!BBH", 3, 10, d), 1000 + 0xFFFF) for d in (160, 9000)]
    assert heard(packets + press("3", 90_000)) == "33"


def test_events_that_are_no_keys_and_junk_are_passed_over() -> None:
    receiver = DtmfReceiver()
    assert receiver.receive(struct.pack("!BBH", 16, 10, 160), 0) is None
    assert receiver.receive(b"\x01\x0a\x00", 0) is None
    with pytest.raises(ParseError):
        parse_event(b"abc")


@pytest.mark.parametrize(("key", "units", "packets"), [
    ("", 160, 5), ("12", 160, 5), ("x", 160, 5), ("1", 160, 0), ("1", 960, 68),
])
def test_press_that_cannot_be_said_is_refused(key: str, units: int, packets: int) -> None:
    with pytest.raises(ValueError):
        event_payloads(key, units, packets)


@given(st.lists(st.sampled_from(KEYS), max_size=8), st.integers(0, 0xFFFFFFFF), st.randoms(use_true_random=False))
def test_keys_survive_the_loss_of_all_but_one_packet_of_each_press(keys: list[str], start: int, random: object) -> None:
    packets = []
    for number, key in enumerate(keys):
        packets.append(random.choice(press(key, (start + 1600 * number) & 0xFFFFFFFF)))  # type: ignore[attr-defined]
    assert heard(packets) == "".join(keys)
