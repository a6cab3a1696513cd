"""`confero doctor`: each thing that is wrong is named with its remedy, what is right is not."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from confero.testing import start_server
from mcu.config import ServerConfig
from mcu.doctor import BAD, GOOD, WARNING, Finding, call, machine, network
from rtp.codecs import opus
from rtp.errors import CodecError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def certificate(folder: Path, begins: datetime, ends: datetime) -> Path:
    """A self-signed certificate that holds for that time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meet.example.org")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, begins, ends).sign(key, hashes.SHA256())
    path = folder / "cert.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_port_that_is_taken_is_named_with_how_to_find_who_has_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        config = ServerConfig(listen=("127.0.0.1",), sip_port=port, tls_port=0)
        (found,) = network.ports(config, is_running=False)
    assert (found.state, str(port) in found.text, "ss -lnp" in found.remedy) == (BAD, True, True)
    (found,) = network.ports(config, is_running=False)
    assert found.state == GOOD
    (found,) = network.ports(config, is_running=True)
    assert found.state == GOOD and "running" in found.text


def test_few_media_ports_are_worth_a_thought() -> None:
    config = ServerConfig(listen=("127.0.0.1",), sip_port=1, tls_port=0, rtp_ports=(20000, 20039))
    *_, found = network.ports(config, is_running=True)
    assert found.state == WARNING and "10 calls" in found.text


@pytest.mark.parametrize(("hosts", "public", "state", "words"), [
    (["192.168.1.7", "fd00::7"], None, WARNING, "--public-address"), (["127.0.0.1", "::1"], None, WARNING, "--listen"),
    (["192.168.1.7"], "198.51.100.7", GOOD, ""), (["192.168.1.7", "93.184.216.34"], None, GOOD, ""),
    ([], None, BAD, "network")], ids=["private", "loopback", "told", "public", "none"])
def test_private_addresses_alone_are_named(hosts: list[str], public: str | None, state: str, words: str) -> None:
    found = network.addresses(hosts, ServerConfig(**({"public_address": public} if public else {})))
    assert found.state == state and words in found.remedy


@pytest.mark.parametrize(("begins", "ends", "state", "words"), [
    (-400, -3, BAD, "expired on 2026-05-29"), (2, 400, BAD, "today is 2026-06-01"), (-10, 5, WARNING, "expires on 2026-06-06"),
    (-10, 300, GOOD, "holds until")])
def test_certificate_out_of_date_is_named(tmp_path: Path, begins: int, ends: int, state: str, words: str) -> None:
    path = certificate(tmp_path, NOW + timedelta(days=begins), NOW + timedelta(days=ends))
    found = network.certificate(path, ServerConfig(tls_cert=path), NOW)
    assert found.state == state and words in found.text and (state == GOOD or found.remedy)


def test_certificate_that_is_none_and_tls_that_is_off_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text("no certificate")
    assert network.certificate(path, ServerConfig(tls_cert=path), NOW).state == BAD
    assert network.certificate(path, ServerConfig(tls_port=0), NOW).state == WARNING
    assert network.certificate(tmp_path / "missing", ServerConfig(), NOW).state == GOOD


def test_codec_without_its_library_is_named_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise CodecError("libopus was not found")

    monkeypatch.setattr(opus, "library", missing)
    bad, good = machine.codecs()
    assert (bad.state, "opus" in bad.text, "libopus0" in bad.remedy) == (BAD, True, True)
    assert good.state == GOOD and "opus" not in good.text and "pcmu" in good.text


def test_clock_before_the_program_was_installed_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    found = machine.clock(time.time() - 40 * 86400, tmp_path)
    assert found.state == BAD and "timedatectl" in found.remedy
    assert machine.clock(time.time(), tmp_path).state != BAD


@pytest.mark.parametrize(("environment", "words"), [
    ({}, "no display"), ({"WAYLAND_DISPLAY": "wayland-0"}, "XWayland"), ({"DISPLAY": ":4711"}, ":4711 can't be opened")],
    ids=["none", "wayland", "dead"])
def test_display_that_is_missing_is_named_with_the_console(environment: dict[str, str], words: str) -> None:
    found = machine.screen({**environment, "PATH": os.environ["PATH"]})
    assert found.state == WARNING and words in found.text and "--console" in found.remedy


def test_few_open_files_and_a_closed_camera_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    assert machine.open_files().state == WARNING
    assert machine.camera(tmp_path).state == GOOD
    (tmp_path / "video0").write_text("")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert machine.camera(tmp_path).state == WARNING


@pytest.mark.parametrize(("facts", "state", "words"), [
    ({"is_connected": False, "reason": "404 Not Found"}, BAD, "404"),
    ({"is_connected": True, "level": -127, "mos": 4.4}, BAD, "nothing came back"),
    ({"is_connected": True, "level": -23, "mos": 4.4, "codec": "opus"}, GOOD, "score 4.4"),
    ({"is_connected": True, "level": -23, "mos": 3.6}, WARNING, "score 3.6"),
    ({"is_connected": True, "level": -23, "mos": 2}, BAD, "score 2")],
    ids=["refused", "silent", "good", "fair", "poor"])
def test_test_call_is_judged_by_what_comes_back(facts: dict[str, object], state: str, words: str) -> None:
    found = call.judge(facts)
    assert found.state == state and words in found.text


def test_findings_with_a_fault_always_have_a_remedy(tmp_path: Path) -> None:
    found = [*machine.examine({"PATH": os.environ["PATH"]}, now=time.time(), here=tmp_path),
             *network.examine(ServerConfig(listen=("127.0.0.1",), data=tmp_path), is_running=True, now=NOW)]
    assert all(isinstance(one, Finding) and (one.state == GOOD or one.remedy) for one in found)
    subjects = {one.subject for one in found}
    assert {"codecs", "clock", "screen", "sound", "camera", "ports", "addresses", "certificate"} <= subjects


@pytest.mark.loopback
def test_the_command_calls_the_server_that_runs_and_gives_a_score(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server", "--open")
    config = tmp_path / "confero.toml"
    config.write_text(f'data = "{server.data}"\nlisten = "127.0.0.1"\nsip_port = {server.port}\n')
    try:
        done = subprocess.run([sys.executable, "-m", "mcu", "doctor", "--config", str(config), "--json"], capture_output=True,
                              text=True, timeout=60, check=False)
    finally:
        server.stop()
    found = {(one["subject"], one["state"]): one["text"] for one in json.loads(done.stdout)}
    assert "score" in found[("test call", GOOD)] and found[("ports", GOOD)] == "the server has them; it is running"
    assert done.returncode == 0, done.stdout
