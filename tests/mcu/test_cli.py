"""The command line as a person and a script meet it: output, exit status, one clear line for what is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
import typer

from mcu.__main__ import app, run
from mcu.administration import Administration
from mcu.api.control import ControlServer
from mcu.cli.logs import FieldFormatter, JsonFormatter
from mcu.cli.output import cell, table
from mcu.config import ServerConfig
from mcu.directory import Directory
from mcu.storage.folder import DataLock
from mcu.storage.sqlite import SqliteStorage
from tests.mcu.test_administration import Server


class Shell:
    """Runs command lines on one data folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self._capsys.readouterr()
        status = run([*arguments, "--data", str(self.data)])
        return status, *self._capsys.readouterr()

    def json(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        status, out, err = self.run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def refusal(self, *arguments: str) -> tuple[int, str]:
        """Exit status and the one line of a command that fails."""
        status, out, err = self.run(*arguments)
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1, (out, err)
        return status, err[7:-1]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """On a folder that is not there yet."""
    return Shell(tmp_path / "data", capsys)


def test_a_made_password_is_printed_once_and_not_when_it_was_given(shell: Shell) -> None:
    status, out, _ = shell.run("user", "add", "alice")
    assert status == 0 and re.search(r"\npassword [0-9a-f]{32}  \(shown only this once\)\n$", out)
    assert "secret" not in shell.run("user", "add", "bob", "--password", "secret")[1]
    assert shell.run("user", "passwd", "alice")[1].startswith("user alice, domain (realm) ")
    assert "password" not in json.dumps(shell.json("user", "list"))


def test_accounts_and_rooms_are_kept_in_the_data_folder(shell: Shell) -> None:
    assert shell.json("user", "add", "alice", "--digest", "sha256", "--admin")["digest"] == "sha256"
    made = shell.json("room", "create", "daily", "--pin", "auto", "--host-pin", "999999", "--max", "5",
                      "--owner", "alice")
    assert (made["max_members"], made["owner"], made["host_pin"]) == (5, "alice", "999999")
    assert [room["name"] for room in shell.json("room", "list")] == ["daily"]
    assert shell.json("room", "show", "daily")["pin"] == made["pin"]
    status, out, _ = shell.run("room", "list")
    assert status == 0 and out.splitlines()[1].split() == ["daily", "created", "0", "no", "yes", "yes"]
    assert shell.run("room", "close", "daily", "--delete")[1] == "room daily is deleted; 0 members left\n"
    assert shell.run("user", "del", "alice")[1] == "user alice is deleted\n"
    assert shell.json("room", "list") == shell.json("user", "list") == []


@pytest.mark.parametrize("command", ["user", "room", "call", "reg"])
def test_listing_makes_no_data_folder(shell: Shell, command: str) -> None:
    assert shell.json(command, "list") == []
    status, out, _ = shell.run(command, "list")
    assert status == 0 and out.startswith("no ") and out.count("\n") == 1
    assert not shell.data.exists()


def test_a_failed_operation_exits_1_with_one_line(shell: Shell) -> None:
    shell.run("user", "add", "alice")
    assert shell.refusal("room", "create", "alice") == (1, "there is a user 'alice' already; choose another name")
    assert shell.refusal("user", "del", "bob") == (1, "there is no user 'bob'")
    assert shell.refusal("call", "show", "x") == (1, "there is no call 'x'")
    assert shell.refusal("room", "lock", "alice") == (1, "there is no room 'alice'")
    (shell.data / "confero.db").write_bytes(b"no database" * 500)
    status, words = shell.refusal("user", "list")
    assert status == 1 and "restore it from a backup" in words


@pytest.mark.parametrize(("arguments", "words"), [
    (["user", "add", "A B"], "the name of a user is made of a-z, 0-9, - and _"),
    (["user", "add", "alice", "--digest", "sha1"], "the digest is md5 or sha256, not 'sha1'"),
    (["room", "create", "daily", "--pin", "12"], "a PIN is 4 to 12 digits"),
    (["room", "create", "daily", "--max", "many"], "'--max'"),
    (["room", "create"], "Missing argument"),
    (["room", "create", "daily", "weekly"], "unexpected extra argument"),
    (["room", "explode"], "No such command 'explode'"),
    (["room", "list", "--pni"], "No such option: --pni"),
    (["serve", "--sip-port", "x"], "--sip-port: a number from 1 to 65535 was expected, not 'x'"),
    (["serve", "--workers", "0"], "--workers: a number from 1 to 256 was expected, not 0"),
    (["serve", "--listen", "here"], "--listen: an IP address of this machine"),
    (["serve", "--srtp", "maybe"], "--srtp: one of off, prefer, require was expected, not 'maybe'"),
    (["serve", "--config", "missing.toml"], "missing.toml: No such file or directory"),
])
def test_wrong_input_exits_2_with_one_line(shell: Shell, arguments: list[str], words: str) -> None:
    status, line = shell.refusal(*arguments)
    assert status == 2 and words in line
    assert not (shell.data / "confero.db").exists() or shell.json("user", "list") == shell.json("room", "list") == []


def test_a_group_without_a_command_points_to_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["user"]) == 2
    assert capsys.readouterr().err == "error: Missing command; see: confero user --help\n"
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command of the program, as words."""
    if not hasattr(group, "commands"):
        return [path]
    return [found for name, command in group.commands.items() for found in commands(command, (*path, name))]


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"Example: confero {' '.join(command)}" in out
    assert command[0] in ("serve", "config") or ("--json" in out and "--data" in out)


def test_a_server_gets_its_file_and_flags(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ServerConfig] = []
    fake = types.ModuleType("mcu.server")
    fake.serve = lambda config, reread: seen.append(config) or 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mcu.server", fake)
    monkeypatch.setattr("mcu.cli.logs.start_logging", lambda *_: None)
    (tmp_path / "confero.toml").write_text("sip_port = 5070\ngrace_s = 5\nopen = true\n")
    status, _, err = shell.run("serve", "--config", str(tmp_path / "confero.toml"), "--sip-port", "5090",
                               "--listen", "127.0.0.1", "--listen", "::1", "--rtp-ports", "30000-30100",
                               "--domain", "a.example", "--workers", "1")
    assert (status, err) == (3, "")
    (config,) = seen
    assert (config.sip_port, config.grace_s, config.open, config.workers) == (5090, 5, True, 1)
    assert (config.listen, config.rtp_ports, config.domain) == (("127.0.0.1", "::1"), (30000, 30100), "a.example")
    assert config.data == shell.data


def test_config_check_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "confero.toml"
    file.write_text("sip_port = 5070\n")
    assert run(["config", "check", str(file)]) == 0
    assert run(["config", "show", str(file)]) == 0
    assert "sip_port = 5070\n" in capsys.readouterr().out
    assert run(["config", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rtp_ports"] == [20000, 29999]
    file.write_text("\nsip_port = -1\n")
    assert run(["config", "check", str(file)]) == 2
    assert capsys.readouterr().err == f"error: {file}:2: sip_port: a number from 1 to 65535 was expected, not -1\n"


@pytest.mark.loopback
async def test_with_a_running_server_commands_reach_it_and_not_the_database(shell: Shell) -> None:
    storage = SqliteStorage(shell.data)
    directory = Directory(storage, "meet.example")
    directory.add_room("daily", pin="1234")
    server = Server()
    administration = Administration(directory, storage, server)
    async with ControlServer(shell.data / "control.sock", administration.execute):
        assert (await asyncio.to_thread(shell.json, "user", "add", "alice"))["domain"] == "meet.example"
        assert directory.account("alice") is not None
        assert [room["members"] for room in await asyncio.to_thread(shell.json, "room", "list")] == [1, 2]
        assert await asyncio.to_thread(shell.run, "room", "close", "daily") == (0, "room daily is closed; 2 members left\n", "")
        assert (await asyncio.to_thread(shell.refusal, "room", "close", "daily"))[1].startswith("room 'daily' is not open")
        assert (await asyncio.to_thread(shell.refusal, "user", "add", "A B"))[0] == 2
        assert (await asyncio.to_thread(shell.run, "call", "hangup", "run@a"))[1] == "call run@a is ended\n"
        assert "1 member muted" in (await asyncio.to_thread(shell.run, "room", "mute", "blue-fox", "Alice"))[1]
    storage.close()


def test_a_change_waits_for_a_server_that_is_just_starting(shell: Shell) -> None:
    lock = DataLock(shell.data)
    lock.acquire()
    timer = threading.Timer(0.2, lock.release)
    timer.start()
    assert shell.json("user", "add", "alice")["name"] == "alice"
    timer.join()
    assert [user["name"] for user in shell.json("user", "list")] == ["alice"]


def test_a_change_gives_up_on_a_server_that_neither_answers_nor_ends(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcu.cli.client.WAIT_S", 0.1)
    lock = DataLock(shell.data)
    lock.acquire()
    status, words = shell.refusal("user", "add", "alice")
    lock.release()
    assert status == 1 and "is starting or stopping; try again" in words


def test_the_module_is_a_program(tmp_path: Path) -> None:
    def confero(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mcu", *arguments, "--data", str(tmp_path / "data")]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    made = confero("room", "create", "daily", "--json")
    assert (made.returncode, made.stderr, json.loads(made.stdout)["name"]) == (0, "", "daily")
    again = confero("room", "create", "daily")
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "error: there is a room 'daily' already\n")
    assert confero("room", "create", "a.b").returncode == 2


def test_commands_that_ask_a_server_start_without_the_heavy_libraries() -> None:
    program = "import sys, mcu.__main__; print(*(n for n in ('numpy', 'av', 'pydantic', 'sqlite3') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "numpy" not in done.stdout.split() and "av" not in done.stdout.split() and "sqlite3" not in done.stdout.split()


def test_a_table_cannot_steer_the_terminal() -> None:
    text = table((("name", "NAME"), ("at", "AT")), "nothing")([{"name": "\x1b[2Jevil\nline", "at": None}])
    assert text == "NAME           AT\n?[2Jevil?line  -"


def test_values_are_shown_as_people_read_them() -> None:
    shown = [cell("x", value) for value in (None, True, False, 3, 1.23456, "日")]
    assert shown == ["-", "yes", "no", "3", "1.23", "日"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", cell("started_at", 1000.0))


def test_a_log_line_carries_its_fields_and_stays_one_line() -> None:
    facts = {"name": "mcu.x", "levelname": "INFO", "msg": "a call began", "room": "daily", "who": "a\nb c"}
    line = FieldFormatter().format(logging.makeLogRecord(facts))
    assert line.endswith("INFO mcu.x: a call began room=daily who='a\\nb c'")


def test_a_log_line_as_json_has_the_ids_as_members(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.makeLogRecord({"msg": "joined %s", "args": ("x",), "levelname": "INFO", "name": "mcu.focus",
                                    "room": "daily", "call": "a@b", "who": "日\n"})
    found = json.loads(JsonFormatter().format(record))
    assert {key: found[key] for key in ("level", "logger", "message", "room", "call", "who")} == {
        "level": "info", "logger": "mcu.focus", "message": "joined x", "room": "daily", "call": "a@b", "who": "日\n"}
    try:
        raise ValueError("here")
    except ValueError:
        record.exc_info = sys.exc_info()
    line = JsonFormatter().format(record)
    assert "ValueError: here" in json.loads(line)["exception"] and "\n" not in line
