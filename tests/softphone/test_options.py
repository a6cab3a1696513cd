"""The phone's command line: each mistake is one line that says what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from softphone.__main__ import main
from softphone.options import OptionError, parse_options


@pytest.mark.parametrize(("arguments", "words"), [
    (["--headless"], "needs whom to call"),
    (["--headless", "daily"], "sign in to a server first"),
    (["--headless", "sip:a b@h"], "no SIP address"),
    (["--headless", "tel:+4912345"], "sip:NAME@HOST"),
    (["--headless", "sip:x@h", "--answer"], "not both"),
    (["--headless", "sip:x@h", "--play", "tone:5"], "20 to 20000 Hz"),
    (["--headless", "sip:x@h", "--play", "tone:abc"], "tone:440"),
    (["--headless", "sip:x@h", "--play", "/nowhere/a.wav"], "there is no file"),
    (["--headless", "sip:x@h", "--dtmf", "6"], "--dtmf is written"),
    (["--headless", "sip:x@h", "--hold", "3s"], "--hold is written"),
    (["--headless", "sip:x@h", "--hold", "3s:5s,7s:1s"], "before the other is over"),
    (["--headless", "sip:x@h", "--transfer", "bob"], "--transfer is written"),
    (["--headless", "sip:x@h", "--transfer", "3s:a b"], "no name that can be called"),
    (["--headless", "sip:x@h", "--codec", "speex"], "no codec is called 'speex'"),
    (["--headless", "sip:x@h", "--seconds", "0"], "a number of seconds"),
    (["--headless", "sip:x@h", "--seconds", "nan"], "a number of seconds"),
    (["--headless", "sip:x@h", "--transport", "sctp"], "udp"),
    (["--headless", "sip:x@h", "--fingerprint", "AB:CD"], "32 pairs of hexadecimal digits"),
    (["--fingerprint", "AB" * 32], "--fingerprint needs --server"),
    (["--headless", "sip:x@h", "--record", "/nowhere/a.wav"], "no such folder"),
    (["--headless", "sip:x@h", "--record", "/tmp"], "it is a folder"),
    (["--headless", "sip:x@h", "--listen", "a b"], "--listen takes"),
    (["--headless", "x", "--user", "alice"], "--server"),
    (["--server", "h:99999"], "HOST or HOST:PORT"),
    (["--dtmf", "1s:1"], "--headless alone"),
    (["--hold", "1s:1s"], "--hold works with --headless alone"),
    (["--transfer", "1s:bob"], "--transfer works with --headless alone"),
    (["--headless", "--console", "sip:x@h"], "not allowed with"),
    (["--bogus"], "--bogus"),
])
def test_wrong_input_is_one_line_and_status_two(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert words in said and said.count("\n") == 1 and said.startswith("confero-phone: ")


def test_an_account_without_a_server_belongs_to_the_host_that_is_called() -> None:
    assert parse_options(["--headless", "sip:daily@example.org:5070", "--user", "alice"]).server == "example.org:5070"


def test_the_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFERO_PASSWORD", "from outside")
    assert parse_options([]).password == "from outside"
    assert parse_options(["--password", "given"]).password == "given"


def test_keys_are_sorted_by_their_time() -> None:
    options = parse_options(["--headless", "sip:x@h", "--dtmf", "3s:#, 1.5s:*6"])
    assert options.dtmf == ((1.5, "*6"), (3.0, "#"))


def test_holds_are_sorted_and_a_transfer_has_a_time_and_a_target() -> None:
    options = parse_options(["--headless", "sip:x@h", "--hold", "9s:1s, 1.5s:2s", "--transfer", "12s:sip:bob@h"])
    assert options.hold == ((1.5, 2.0), (9.0, 1.0)) and options.transfer == (12.0, "sip:bob@h")


def test_suites_and_keying_are_checked_before_anything_starts() -> None:
    options = parse_options(["--headless", "sip:x@h", "--keying", "dtls", "--suite", "AEAD_AES_256_GCM,AEAD_AES_128_GCM"])
    assert (options.keying, options.suites) == ("dtls", ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM"))
    with pytest.raises(OptionError, match="no suite is called 'NULL'; there are AEAD_AES_128_GCM"):
        parse_options(["--headless", "sip:x@h", "--suite", "NULL"])


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0 and "confero-phone --headless sip:" in capsys.readouterr().out


def test_a_file_to_play_is_looked_at_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound at all")
    with pytest.raises(OptionError, match="no sound file"):
        parse_options(["--headless", "sip:x@h", "--play", str(tmp_path / "a.wav")])
