"""The HTTP side of a real server as its operator meets it: first start, TLS beyond loopback, log, SIGHUP, metrics."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers.namespaces import Network

pytestmark = pytest.mark.loopback
PATIENCE_S = 20.0
ASK = """
import json, ssl, sys, httpx
url, authority, token = sys.argv[1:]
verify = ssl.create_default_context(cafile=authority) if authority else True
try:
    answer = httpx.get(url, verify=verify, trust_env=False, headers={"Authorization": f"Bearer {token}"} if token else {})
    print(json.dumps([answer.status_code, answer.text]))
except httpx.HTTPError as error:
    print(json.dumps([0, type(error).__name__]))
"""


def ask(prefix: tuple[str, ...], url: str, authority: str = "", token: str = "") -> list[Any]:
    """Status and text of an answer, asked for in a namespace; 0 where there is none."""
    command = [*prefix, sys.executable, "-c", ASK, url, authority, token]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def logged(server: Server, message: str) -> dict[str, Any]:
    """The line of the log with that message, waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        found = [line for line in lines if line["message"] == message]
        if found:
            return dict(found[-1])
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)


def test_other_addresses_are_served_by_tls_alone_with_the_token_of_the_first_start(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text("max_rooms = 5\n")
    with Network(1) as network:
        host = network.server_address
        server = start_server(tmp_path / "server", "--config", str(file), "--log-format", "json", "--http-port", "8080",
                              "--http-listen", host, "--http-listen", "127.0.0.1", host=host, prefix=network.in_server())
        try:
            told = server.log.read_text()
            assert f"https://{host}:8080/" in told and "http://127.0.0.1:8080/" in told
            token = re.findall(r"confero_[\w-]{43}", told)[0]
            authority = str(server.data / "tls" / "ca.pem")
            from_there = network.in_client(0)
            assert ask(from_there, f"https://{host}:8080/healthz", authority) == [200, '{"ok":true}']
            assert ask(from_there, f"http://{host}:8080/healthz")[0] == 0
            assert ask(from_there, f"https://{host}:8080/healthz")[0] == 0                   # nobody else vouches for it
            status, text = ask(from_there, f"https://{host}:8080/metrics", authority, token)
            assert status == 200 and "confero_workers_up" in text
            file.write_text("max_rooms = 7\nrtp_ports = \"30000-30100\"\n")
            server.process.send_signal(signal.SIGHUP)
            assert logged(server, "the configuration has changed")["keys"] == "max_rooms"
            assert logged(server, "these changes need a restart")["keys"] == "rtp_ports"
            assert ask(from_there, f"https://{host}:8080/readyz", authority) == [200, '{"ok":true}']
            (server.data / "tls" / "server.pem").write_text("no certificate")
            server.process.send_signal(signal.SIGHUP)
            logged(server, "the new certificate is of no use for HTTP")
            assert ask(from_there, f"https://{host}:8080/readyz", authority) == [200, '{"ok":true}']
            assert logged(server, "ready").keys() >= {"at", "level", "logger"}
        finally:
            assert server.stop() == 0
