"""No route between the clients: each in a network namespace of its own that reaches the server alone. And all over IPv6."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.namespaces import Network
from tests.helpers.phones import TONE_LEVEL_DBFS, Phone, Phones

pytestmark = pytest.mark.interop

SECONDS = 6
TONES_HZ = {"confero": 440, "baresip": 850, "sipp": 1300}
TOLERANCE_DB = 1.0
OWN_BELOW_DB = 30.0
SIP_PORT = 5060


def hears_the_others(phone: Phone, name: str) -> None:
    """Assert that a recording holds each other tone at its level, and not the phone's own."""
    result = phone.finish()
    assert result.is_connected, f"{name}: {result.facts} {result.errors[-500:]}"
    rate, samples = tones.read_wav(result.recording)
    middle = tones.steady(rate, samples)
    for other, hz in TONES_HZ.items():
        if other == name:
            own = tones.level_dbfs(rate, middle, hz)
            assert own < TONE_LEVEL_DBFS - OWN_BELOW_DB, (name, own)
        else:
            _, level = tones.level_range_dbfs(rate, middle, hz)
            assert level == pytest.approx(TONE_LEVEL_DBFS, abs=TOLERANCE_DB), (name, other, level)


def test_phones_without_a_route_to_each_other_hear_each_other(tmp_path: Path) -> None:
    with Network(len(TONES_HZ)) as network:
        for one in range(len(TONES_HZ)):
            others = [network.client_address(other) for other in range(len(TONES_HZ)) if other != one]
            assert network.reaches(one, network.server_address)
            assert not any(network.reaches(one, address) for address in others)
        server = start_server(tmp_path / "server", "--open", host=network.server_address, port=SIP_PORT,
                              prefix=network.in_server())
        captures = [Capture(tmp_path / f"{one}.pcapng", network.client_interface(one), "", network.in_client(one))
                    for one in range(len(TONES_HZ))]
        try:
            with contextlib.ExitStack() as stack:
                for capture in captures:
                    stack.enter_context(capture)
                phones = stack.enter_context(Phones(tmp_path / "phones"))
                calls = {name: join(phones, server, network, index, name) for index, name in enumerate(TONES_HZ)}
                for call in calls.values():
                    call.finish()
        finally:
            server.stop()
        for name, call in calls.items():
            hears_the_others(call, name)
        for index, capture in enumerate(captures):
            rows = capture.fields("ip", "ip.src", "ip.dst")         # an ICMP error has those of what it answers, too
            addresses = {address for row in rows for field in row for address in field.split(",")}
            assert addresses == {network.client_address(index), network.server_address}
            assert len(capture.fields("rtp", "rtp.ssrc")) > 2 * 50 * (SECONDS - 2)


def join(phones: Phones, server: Server, network: Network, index: int, name: str) -> Phone:
    """A phone in its namespace calls the room."""
    prefix, uri, tone = network.in_client(index), server.uri("apart"), TONES_HZ[name]
    if name == "confero":
        return phones.confero(uri, tone=tone, seconds=SECONDS, prefix=prefix)
    options = ("--interface", network.client_interface(index)) if name == "sipp" else ()
    start = getattr(phones, name)
    return start(uri, tone=tone, seconds=SECONDS, bind=network.client_address(index),  # type: ignore[no-any-return]
                 prefix=prefix, extra=options)


def test_phones_meet_over_ipv6(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server", "--open", host="[::1]")
    try:
        with Phones(tmp_path / "phones") as phones:
            calls = {
                "confero": phones.confero(server.uri("six"), tone=TONES_HZ["confero"], seconds=SECONDS),
                "baresip": phones.baresip(server.uri("six"), tone=TONES_HZ["baresip"], seconds=SECONDS, bind="::1",
                                          transport="tcp"),
                "sipp": phones.sipp(server.uri("six"), tone=TONES_HZ["sipp"], seconds=SECONDS, bind="::1"),
            }
            for name, call in calls.items():
                hears_the_others(call, name)
        records = server.json("call", "list", "--all")
        assert [record["source"].rpartition(":")[0].strip("[]") for record in records] == ["::1"] * len(calls)
    finally:
        server.stop()
