"""Stock phones with SRTP, a plain one and ours in one room: each hears all the others and never themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.namespaces import Network
from tests.helpers.phones import LINPHONE_G722_DB, TONE_LEVEL_DBFS, Phone, Phones

pytestmark = pytest.mark.interop

TONES_HZ = {"baresip": 440, "linphone": 850, "sipp": 1000, "confero": 1300}
CODECS = {"baresip": "opus", "linphone": "g722", "sipp": "pcmu", "confero": "opus"}
SECONDS = 12
OURS = {"sipp": None, "confero": "AEAD_AES_128_GCM"}
SUITES = {"sdes": {"baresip": "AES_CM_128_HMAC_SHA1_80", "linphone": "AES_CM_128_HMAC_SHA1_80", **OURS},
          "dtls": {"baresip": "AEAD_AES_128_GCM", "linphone": "AES_CM_128_HMAC_SHA1_80", **OURS}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that prefers SRTP."""
    running = start_server(tmp_path / "server", "--open")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


def until(is_true: Callable[[], bool], limit_s: float = 40) -> None:
    """Wait for something, with a limit."""
    begun = time.monotonic()
    while not is_true():
        assert time.monotonic() - begun < limit_s, "it did not come about in time"
        time.sleep(0.3)


def call(phones: Phones, server: Server, name: str, keying: str, room: str) -> Phone:
    """A phone that calls the room; only the stock ones that can have keys."""
    extra = ("--srtp", keying) if name in ("baresip", "linphone") else ()
    start = getattr(phones, name)
    user = {} if name == "confero" else {"user": name}
    phone: Phone = start(server.uri(room), tone=TONES_HZ[name], codec=CODECS[name], seconds=SECONDS, extra=extra, **user)
    return phone


def suite_of(person: dict[str, Any]) -> tuple[str, str | None]:
    """(which phone, suite) of a member."""
    return person["name"] if person["name"] in TONES_HZ else "confero", person["suite"]


@pytest.mark.parametrize("keying", ["sdes", "dtls"])
def test_protected_and_plain_phones_hear_each_other_in_one_room(server: Server, tmp_path: Path, keying: str) -> None:
    server.json("room", "create", "daily")
    with Phones(tmp_path / "phones") as phones:
        calls = {name: call(phones, server, name, keying, "daily") for name in TONES_HZ}
        until(lambda: {suite_of(person) for person in server.json("room", "people", "daily")} == set(SUITES[keying].items()))
        time.sleep(1)
        people = server.json("room", "people", "daily")
        assert {person["keying"] for person in people} == {keying, "dtls", None}
        assert not any(person["is_protected"] or person["replayed"] for person in people)
        dropped = {person["name"]: person["auth_failures"] for person in people if person["auth_failures"]}
        assert dropped in ({}, {"baresip": 1})              # 1.0 opens its NAT by an RTCP APP in clear
        results = {name: phone.finish() for name, phone in calls.items()}
    for name, result in results.items():
        assert result.is_connected, (name, result.errors)
        rate, sound = tones.read_wav(result.recording)
        middle = tones.steady(rate, sound)
        levels = {other: round(tones.level_dbfs(rate, middle, hz), 1) for other, hz in TONES_HZ.items()}
        for other, level in levels.items():
            if other == name:
                assert level < TONE_LEVEL_DBFS - 30
            else:
                expected = TONE_LEVEL_DBFS + LINPHONE_G722_DB * ((name == "linphone") - (other == "linphone"))
                assert level == pytest.approx(expected, abs=2.0), (name, levels)
    records = {record["display_name"]: record for record in server.json("call", "list", "--all")}
    assert {name: record["suite"] for name, record in records.items() if name in TONES_HZ} == {
        name: suite for name, suite in SUITES[keying].items() if name != "confero"}
    assert records["sipp"]["protection"] == "not protected: plain RTP"
    assert "came in clear over UDP" in records["baresip"]["protection"] and records["baresip"]["keying"] == keying


def test_phones_with_ice_and_dtls_meet_over_networks_without_a_route_between_them(tmp_path: Path) -> None:
    hertz = {"baresip": 440, "linphone": 850}
    with Network(len(hertz)) as network:
        server = start_server(tmp_path / "server", "--open", host=network.server_address, port=5060, prefix=network.in_server())
        try:
            with Phones(tmp_path / "phones") as phones:
                calls = {name: getattr(phones, name)(
                    server.uri("apart"), tone=hz, codec="opus", seconds=SECONDS + 6, bind=network.client_address(index),
                    prefix=network.in_client(index), extra=("--ice", "--srtp", "dtls"))
                    for index, (name, hz) in enumerate(hertz.items())}
                results = {name: phone.finish() for name, phone in calls.items()}
            records = server.json("call", "list", "--all")
        finally:
            server.stop()
    for name, result in results.items():
        assert result.is_connected, (name, result.facts, result.errors[-500:])
        rate, sound = tones.read_wav(result.recording)
        other = next(hz for one, hz in hertz.items() if one != name)
        _, level = tones.level_range_dbfs(rate, sound, other)             # linphone gathers for 5 s before it calls
        assert level == pytest.approx(TONE_LEVEL_DBFS, abs=2.0), name
    assert [record["keying"] for record in records] == ["dtls"] * len(hertz)
