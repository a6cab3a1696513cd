"""What the phone remembers: whole and private, and never a reason not to start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphone.config import MAX_CERTIFICATES, MAX_RECENT, Account, Config, _to_toml, load, save
from softphone.model import Recent

TEXT = st.text(max_size=40)


def test_what_is_saved_is_loaded_again_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "phone.toml"
    account = Account("ann", 'p"a\\ss\n', "h:5070", "tcp", "Ann 你好")
    config = Config(account, "Headset", "Loud \x7f speaker").with_setting("theme", "dark")
    config = config.with_recent(Recent("sip:daily@h", "Daily", 12.5)).with_recent(Recent("sip:board@h", "Board", 13.5, True))
    config = config.with_instance()
    assert config.instance.startswith("urn:uuid:") and config.with_instance() is config
    save(config, path)
    found, trouble = load(path)
    assert trouble == "" and found == replace(config, speaker="Loud  speaker")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(Account(password="secret"))


@given(TEXT, TEXT, TEXT, st.dictionaries(TEXT, st.booleans() | TEXT, max_size=5))
def test_any_text_survives(user: str, password: str, title: str, settings: dict[str, str | bool]) -> None:
    import tomllib

    config = replace(Config(Account(user, password)), settings=settings, recent=(Recent("sip:x@h", title, 1.0),))
    tomllib.loads(_to_toml(config))


@pytest.mark.parametrize("text", [
    "not toml [", "[phone]\ninstance = 'me'\n", "[account]\nuser = 5\n", "[account]\ntransport = 'sctp'\n", "\x00",
    "recent = 3", "[certificates]\n\"h\" = \"AB:CD\"\n",
])
def test_a_broken_file_is_set_aside_with_a_clear_line_and_the_defaults_are_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "phone.toml"
    path.write_text(text)
    found, trouble = load(path)
    assert found == Config() and str(path) in trouble and "phone.toml.broken" in trouble
    assert (tmp_path / "phone.toml.broken").read_text() == text and not path.exists()


def test_no_file_is_no_trouble(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml") == (Config(), "")
    assert "can't be read" in load(tmp_path)[1]


def test_a_setting_of_another_kind_is_refused_and_one_in_the_file_is_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="yes or no"):
        Config().with_setting("ring", "loud")
    path = tmp_path / "phone.toml"
    path.write_text('[settings]\nring = "loud"\ntheme = "light"\nfuture = true\n')
    found = load(path)[0]
    assert found.is_on("ring") and found.settings["theme"] == "light" and found.settings["future"] is True


def test_a_place_called_again_moves_to_the_front_and_the_list_is_bounded() -> None:
    config = Config()
    for number in range(MAX_RECENT + 5):
        config = config.with_recent(Recent(f"sip:{number}@h", "", number))
    config = config.with_recent(Recent("sip:20@h", "again", 99))
    assert len(config.recent) == MAX_RECENT and config.recent[0].title == "again"
    assert [recent.uri for recent in config.recent].count("sip:20@h") == 1


def test_certificates_of_servers_are_remembered_the_newest_longest(tmp_path: Path) -> None:
    first, second = ":".join(["AB"] * 32), ":".join(["0C"] * 32)
    config = Config().with_certificate("a.example", first).with_certificate("2001:db8::1", first)
    config = config.with_certificate("a.example", second)
    save(config, tmp_path / "phone.toml")
    assert load(tmp_path / "phone.toml") == (config, "") and config.certificates == {"2001:db8::1": first, "a.example": second}
    for number in range(MAX_CERTIFICATES):
        config = config.with_certificate(f"h{number}", first)
    assert len(config.certificates) == MAX_CERTIFICATES and "a.example" not in config.certificates
