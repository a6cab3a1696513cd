"""The control socket: one line each way, for its owner alone, whatever the clients do."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mcu.api import control
from mcu.api.control import ControlServer, NoServerError, call
from mcu.errors import CommandError, StorageError, UsageError
from mcu.storage.folder import DataLock

pytestmark = pytest.mark.loopback


def execute(verb: str, arguments: dict[str, Any]) -> Any:
    """A server's verbs."""
    match verb:
        case "echo":
            return arguments
        case "refuse":
            raise CommandError("there is no room 'nowhere'")
        case "misuse":
            raise UsageError("a PIN is 4 to 12 digits")
        case "big":
            return "x" * 3_000_000
        case _:
            raise ZeroDivisionError


async def ask(path: Path, verb: str, **arguments: Any) -> Any:
    """The client's call, beside the loop."""
    return await asyncio.to_thread(call, path, verb, arguments, 10.0)


async def talk(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send raw bytes; all answers until the server closes or has answered each line."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"".join(lines))
    answers = []
    async with asyncio.timeout(10):
        for _ in lines:
            line = await reader.readline()
            if not line:
                break
            answers.append(json.loads(line))
    writer.close()
    return answers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the socket."""
    return tmp_path / "control.sock"


async def test_a_verb_goes_there_and_its_result_comes_back(path: Path) -> None:
    async with ControlServer(path, execute):
        assert await ask(path, "echo", name="日", number=7, nothing=None) == {"name": "日", "number": 7, "nothing": None}
        assert len(await ask(path, "big")) == 3_000_000


def test_it_works_on_the_loop_of_the_server(path: Path) -> None:
    async def main() -> Any:
        async with ControlServer(path, execute):
            return await ask(path, "echo", a=1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == {"a": 1}
        assert not path.exists()


async def test_a_refusal_comes_back_in_words_and_of_its_kind(path: Path) -> None:
    async with ControlServer(path, execute):
        with pytest.raises(CommandError, match="there is no room 'nowhere'") as refused:
            await ask(path, "refuse")
        assert not isinstance(refused.value, UsageError)
        with pytest.raises(UsageError, match="a PIN is"):
            await ask(path, "misuse")


async def test_a_failing_command_costs_itself_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ControlServer(path, execute):
        with pytest.raises(CommandError, match="failed in the server; its log says more"):
            await ask(path, "crash")
        assert "ZeroDivisionError" in caplog.text
        assert await ask(path, "echo", a=1) == {"a": 1}


async def test_several_lines_are_answered_in_order_on_one_connection(path: Path) -> None:
    async with ControlServer(path, execute):
        lines = [json.dumps({"verb": "echo", "arguments": {"n": n}}).encode() + b"\n" for n in range(50)]
        assert [answer["result"]["n"] for answer in await talk(path, *lines)] == list(range(50))


@pytest.mark.parametrize("line", [
    b"\n", b"[]\n", b"{\n", b'{"verb": 7}\n', b'{"verb": "echo", "arguments": []}\n', b"\xff\xfe\n", b"[" * 50_000 + b"\n",
])
async def test_a_line_without_sense_is_refused_and_the_next_one_answered(path: Path, line: bytes) -> None:
    async with ControlServer(path, execute):
        bad, good = await talk(path, line, b'{"verb": "echo"}\n')
        assert not bad["ok"] and bad["is_usage"] and "was expected" in bad["error"]
        assert good == {"ok": True, "result": {}}


async def test_a_line_that_is_too_long_ends_its_connection(path: Path) -> None:
    async with ControlServer(path, execute):
        (answer,) = await talk(path, b"x" * (2 * control.LONGEST_LINE))
        assert not answer["ok"] and "at most 65536 bytes" in answer["error"]
        with pytest.raises(UsageError, match="at most 65536 bytes"):
            await ask(path, "echo", text="x" * control.LONGEST_LINE)
        assert await ask(path, "echo") == {}


async def test_a_client_that_says_nothing_is_let_go(path: Path) -> None:
    async with ControlServer(path, execute, idle_s=0.05):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"verb": "echo"')
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_more_clients_than_can_be_served_are_told(path: Path) -> None:
    async with ControlServer(path, execute):
        connections = [await asyncio.open_unix_connection(str(path)) for _ in range(control.MOST_CLIENTS)]
        with pytest.raises(CommandError, match="too many commands at once"):
            await ask(path, "echo")
        for _, writer in connections:
            writer.close()
            await writer.wait_closed()


async def test_only_the_owner_may_open_the_socket_and_it_goes_with_the_server(path: Path) -> None:
    async with ControlServer(path, execute):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    with pytest.raises(NoServerError):
        await ask(path, "echo")


async def test_a_second_server_is_refused_in_words_and_the_first_goes_on(path: Path) -> None:
    async with ControlServer(path, execute):
        with pytest.raises(StorageError, match="another server is running on the data folder"):
            await ControlServer(path, execute).start()
        assert await ask(path, "echo") == {}
    async with ControlServer(path, execute):
        assert await ask(path, "echo") == {}


async def test_the_file_of_a_server_that_died_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    with pytest.raises(NoServerError):
        await ask(path, "echo")
    async with ControlServer(path, execute):
        assert await ask(path, "echo") == {}


async def test_a_lock_that_the_caller_holds_is_left_to_it(path: Path) -> None:
    lock = DataLock(path.parent)
    lock.acquire()
    async with ControlServer(path, execute, lock):
        assert await ask(path, "echo") == {}
    assert not DataLock(path.parent).try_acquire()
    lock.release()


async def test_a_data_folder_may_have_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with ControlServer(folder / "control.sock", execute):
        assert await ask(folder / "control.sock", "echo") == {}
    assert not (folder / "control.sock").exists()


async def test_closing_ends_the_clients(path: Path) -> None:
    server = ControlServer(path, execute)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b'{"verb": "echo"}\n')
    await reader.readline()
    await server.close()
    await server.close()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
