"""What SIGHUP takes into use, what it leaves, and what it says about a file that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu.config import load
from mcu.reloading import changed_keys, limits_of, read_again


def test_limits_webhooks_and_log_change_at_once_and_ports_need_a_restart(tmp_path: Path,
                                                                         caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "confero.toml"
    file.write_text("max_rooms = 5\nsip_port = 5070\n")
    before = load(file, {"workers": 1})
    file.write_text('max_rooms = 7\nsip_port = 5080\nlog_level = "debug"\n[[webhook]]\nurl = "https://a.example/x"\n')
    after = read_again(before, lambda: load(file, {"workers": 1}))
    assert after is not None
    assert (after.max_rooms, after.log_level, after.sip_port, len(after.webhook)) == (7, "debug", 5070, 1)
    assert limits_of(after).max_rooms == 7
    assert "these changes need a restart" in caplog.text and caplog.records[0].keys == "sip_port"  # type: ignore[attr-defined]
    assert changed_keys(before, before) == ([], [])


def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "confero.toml"
    file.write_text("max_rooms = 5\n")
    before = load(file, {})
    assert read_again(before, lambda: load(file, {})) is None
    file.write_text("max_rooms = 'many'\n")
    assert read_again(before, lambda: load(file, {})) is None
    assert "the configuration is wrong" in caplog.text
