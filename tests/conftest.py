"""Fixtures of all tests: those that a user of the library gets. Properties have no deadline: the machine may be busy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["confero.testing", "tests.left_behind"]

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture
def nobody_composes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this test have no picture workers: a phone with one video line sees who speaks, untouched."""
    path = tmp_path / "without-composing.toml"
    path.write_text("picture_workers = 0\n")
    from confero.testing import start_server

    monkeypatch.setattr("confero.testing.start_server",
                        lambda data, *options: start_server(data, "--config", str(path), *options))
