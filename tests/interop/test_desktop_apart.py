"""One steers another's desktop where no packet could go from phone to phone: both reach the server alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from confero.testing import start_server
from tests.helpers.capture import Capture
from tests.helpers.namespaces import Network
from tests.helpers.screen import display
from tests.helpers.vnc import terminal, until

pytestmark = pytest.mark.interop

SENTENCE = "through the server, 经由服务器"


@contextmanager
def somebody(network: Network, index: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of `tests.helpers.desktop_people` in a namespace."""
    command = [*network.in_client(index), sys.executable, "-m", "tests.helpers.desktop_people", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def hears(process: subprocess.Popen[str], word: str) -> None:
    """Wait for a line of a program; fails at its end."""
    assert process.stdout is not None
    assert any(line.startswith(word) for line in iter(process.stdout.readline, "")), word


def test_keys_and_pictures_go_through_the_server_alone(tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with Network(2) as network, ExitStack() as stack:
        server = start_server(tmp_path / "server", "--open", host=network.server_address, port=5060, prefix=network.in_server())
        stack.callback(server.stop)
        screen = stack.enter_context(display(640, 480))
        stack.enter_context(terminal(screen, f"cat > {typed}"))
        captures = [stack.enter_context(Capture(tmp_path / f"{one}.pcapng", network.client_interface(one), "tcp",
                                                network.in_client(one))) for one in (0, 1)]
        anna = stack.enter_context(somebody(network, 0, "own", server.uri("apart"), network.client_address(0), screen.name,
                                            "control"))
        hears(anna, "shares")
        bernd = stack.enter_context(somebody(network, 1, "control", server.uri("apart"), network.client_address(1), SENTENCE))
        hears(bernd, "typed")
        until(lambda: typed.exists() and typed.read_text("utf-8").endswith("\n"))
        assert typed.read_text("utf-8") == SENTENCE + "\n"
        stack.close()
        for index, capture in enumerate(captures):
            rows = capture.fields("tcp", "ip.src", "ip.dst", "tcp.len")
            assert {address for row in rows for address in row[:2]} == {network.client_address(index), network.server_address}
            assert sum(int(row[2]) for row in rows) > 10_000
