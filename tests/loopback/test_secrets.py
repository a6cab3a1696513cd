"""Passwords, hashes, PINs and keys of a running server stand in no log, and no process of it leaves its memory behind."""

from __future__ import annotations

import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from confero.testing import start_server
from mcu.storage.sqlite import SqliteStorage

pytestmark = pytest.mark.loopback

PASSWORD, WRONG, PIN, HOST_PIN = "correct-horse-battery", "wrong-horse-battery", "739155", "846266"


def phone(uri: str, work: Path, password: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A call of anna's by the program."""
    command = [sys.executable, "-m", "softphone", "--headless", uri, "--user", "anna", "--seconds", "0.5", "--config",
               str(work / "phone.toml"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, CONFERO_PASSWORD=password))


def test_nothing_secret_stands_in_a_log_or_in_clear_in_the_database(tmp_path: Path) -> None:
    data = tmp_path / "server"
    server = start_server(data, "--log-level", "debug")
    try:
        server.json("user", "add", "anna", "--password", PASSWORD)
        server.json("room", "create", "daily", "--pin", PIN, "--host-pin", HOST_PIN)
        said = [phone(f"sip:daily.{PIN}@127.0.0.1:{server.tls_port}", tmp_path, PASSWORD, "--transport", "tls"),
                phone(f"sip:daily.{HOST_PIN}@127.0.0.1:{server.port}", tmp_path, PASSWORD, "--transport", "tcp"),
                phone(f"sip:daily.{PIN}@127.0.0.1:{server.port}", tmp_path, WRONG)]
        assert [one.returncode for one in said] == [0, 0, 1], said
        words = "".join(one.stdout + one.stderr for one in said) + server.cli("call", "list", "--all").stdout
        log = server.log.read_text()
        with closing(SqliteStorage(data)) as storage:
            (ha1,) = [account.ha1 for account in storage.accounts() if account.name == "anna"]
            nonce_key = storage.get_meta("nonce_key") or ""
        processes = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
        assert len(processes) > 1
        assert {process.rlimit(resource.RLIMIT_CORE) for process in processes} == {(0, 0)}
    finally:
        server.stop()
    log += server.log.read_text()[len(log):]
    keys = [line for path in (data / "tls").glob("*.key") for line in path.read_text().splitlines() if "-----" not in line]
    secrets = [PASSWORD, WRONG, PIN, HOST_PIN, ha1, nonce_key, (data / "key").read_text().strip(), *keys]
    assert len(ha1) == 32 and nonce_key and len(keys) == 6
    assert [secret for secret in secrets if secret in log] == []
    assert [secret for secret in secrets if secret in words] == []
    assert "response=" not in log and "joined" in log
    with closing(sqlite3.connect(data / "confero.db")) as database:
        assert PASSWORD not in (dump := "\n".join(database.iterdump())) and ha1 not in dump


def test_keys_of_calls_stand_in_no_log_of_server_or_phone_and_neither_leaves_a_core(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server", "--open", "--log-level", "debug", "--workers", "1")
    logs = {keying: tmp_path / f"{keying}-tls-keys" for keying in ("sdes", "dtls")}
    command = [sys.executable, "-m", "softphone", "--headless", f"sip:daily@127.0.0.1:{server.tls_port}", "--transport", "tls",
               "--seconds", "4", "--srtp", "require"]
    try:
        running = [subprocess.Popen([*command, "--keying", keying, "--config", str(tmp_path / f"{keying}.toml")], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=dict(os.environ, CONFERO_LOG="DEBUG", SSLKEYLOGFILE=str(log)))
                   for keying, log in logs.items()]
        deadline, people = time.monotonic() + 30, list[dict[str, str]]()
        while {person["keying"] for person in people if person["suite"]} != set(logs):
            assert time.monotonic() < deadline
            people = server.json("room", "people", "daily") if server.json("room", "list") else []
        assert all(psutil.Process(one.pid).rlimit(resource.RLIMIT_CORE) == (0, 0) for one in running)
        said = [one.communicate(timeout=30) for one in running]
        assert [one.returncode for one in running] == [0, 0], said
        shown = server.cli("call", "list", "--all", "--json").stdout
    finally:
        server.stop()
    assert all(person["is_protected"] for person in people)
    words = "".join(out + errors for out, errors in said) + shown + server.log.read_text()
    secrets = [line.split()[2] for log in logs.values() for line in log.read_text().splitlines() if not line.startswith("#")]
    assert len(secrets) >= 8 and not [secret for secret in secrets if secret in words]
    assert "inline:" not in words and "a=crypto" not in words and "AEAD_AES_128_GCM" in words


def test_a_process_that_keeps_its_memory_private_can_not_be_dumped() -> None:
    code = ("import ctypes, resource; from mcu.secrecy import keep_memory_private; assert keep_memory_private(); "
            "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["0", "0", "0"]
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1                        # and we, who did not ask for it, can be
