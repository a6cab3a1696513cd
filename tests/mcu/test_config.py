"""The configuration: what is wrong is said in one line with file, line and key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mcu.config import EVERYWHERE, EXPECTED, LOOPBACK, ServerConfig, load
from mcu.errors import ConfigError
from mcu.trunk_config import EXPECTED as TRUNK_EXPECTED


def refusal(tmp_path: Path, text: str, **flags: Any) -> str:
    """What is said about a file, without the folder's name."""
    file = tmp_path / "confero.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, flags)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_without_file_and_flags_the_defaults_of_the_product_hold() -> None:
    config = load(None, {})
    assert (config.sip_port, config.rtp_ports, config.open, config.srtp) == (5060, (20000, 29999), False, "prefer")
    assert (config.grace_s, config.max_members, config.drain_s, config.domain) == (60, 200, 0, None)
    assert config.workers >= 1
    assert config.data.is_absolute()


def test_a_file_is_read_and_flags_go_before_it(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text('domain = "Meet.Example"\nlisten = "::1"\nsip_port = 5070\nrtp_ports = "30000-30099"\ngrace_s = 2.5\n')
    config = load(file, {"sip_port": 5080, "domain": None, "listen": ["127.0.0.1", "127.0.0.1", "[::1]"]})
    assert (config.domain, config.sip_port, config.rtp_ports, config.grace_s) == ("meet.example", 5080, (30000, 30099), 2.5)
    assert config.listen == config.addresses == ("127.0.0.1", "::1")


def test_an_open_server_listens_on_loopback_unless_told() -> None:
    assert load(None, {}).addresses == EVERYWHERE
    assert load(None, {"open": True}).addresses == LOOPBACK
    assert load(None, {"open": True, "listen": ["0.0.0.0"]}).addresses == ("0.0.0.0",)


def test_the_data_of_a_file_is_relative_to_it_and_that_of_a_flag_is_not(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text('data = "here"\n')
    assert load(file, {}).data == tmp_path / "here"
    assert load(file, {"data": "there"}).data == Path("there")
    file.write_text('data = "/var/lib/confero"\n')
    assert load(file, {}).data == Path("/var/lib/confero")


@pytest.mark.parametrize(("text", "words"), [
    ("\n\n\n\n\n\nsip_port = 'x'", "confero.toml:7: sip_port: a number from 1 to 65535 was expected, not 'x'"),
    ("sip_port = 0", "confero.toml:1: sip_port: a number from 1 to 65535 was expected, not 0"),
    ("sip_port = true", "confero.toml:1: sip_port: a number from 1 to 65535 was expected, not True"),
    ("open = 'yes'", "confero.toml:1: open: true or false was expected, not 'yes'"),
    ("# a\n\"workers\" = 1.5", "confero.toml:2: workers: a number from 1 to 256 was expected, not 1.5"),
    ("sip-port = 5060", "confero.toml:1: sip-port: there is no such key; did you mean sip_port?"),
    ("open = true\n[media]\nx = 1", "confero.toml:2: media: there is no such key"),
    ("zebra = 1", "confero.toml:1: zebra: there is no such key"),
    ("listen = ['127.0.0.1',\n 'here']", "confero.toml:1: listen: an IP address of this machine, or a list of them, was"),
    ("listen = []", "confero.toml:1: listen: an IP address"),
    ("public_address = 'any'", "confero.toml:1: public_address: an IP address, or auto, was expected, not 'any'"),
    ("public_address = 'auto'", 'public_address = "auto" needs a STUN server to ask, and none is asked unless it is named'),
    ("stun_server = 'a b'", "confero.toml:1: stun_server: a server such as stun.example.org or 192.0.2.1:3478 was expected"),
    ("stun_server = 'a:70000'", "confero.toml:1: stun_server: a server"),
    ("domain = 'a..b'", "confero.toml:1: domain: a domain such as meet.example.org was expected, not 'a..b'"),
    ("domain = 7", "confero.toml:1: domain: a domain such as"),
    ("rtp_ports = '20000'", 'confero.toml:1: rtp_ports: two ports from 1024 to 65535 such as "20000-29999" was expected'),
    ("rtp_ports = '30000-20000'", "confero.toml:1: rtp_ports: two ports"),
    ("rtp_ports = '80-2000'", "confero.toml:1: rtp_ports: two ports"),
    ("rtp_ports = [1.5, true]", "confero.toml:1: rtp_ports: two ports"),
    ("data = 5", "confero.toml:1: data: the path of a folder was expected, not 5"),
    ("grace_s = -1", "confero.toml:1: grace_s: a number of seconds from 0 to 86400 was expected, not -1"),
    ("max_call_s = inf", "confero.toml:1: max_call_s: a number of seconds"),
    ("log_level = 'loud'", "confero.toml:1: log_level: one of debug, info, warning, error was expected, not 'loud'"),
    ("open = true\nopen true", "confero.toml:2: this is no TOML: Expected '='"),
    ("open = true\n\nx = '", "confero.toml:3: this is no TOML: "),
    ("open = true\nopen = true", "confero.toml:2: this is no TOML: Cannot overwrite a value"),
    ("trunk = 3", "confero.toml:1: trunk: tables such as [trunk.acme] were expected"),
    ("[trunk]\nacme = 3", "confero.toml:1: trunk.acme: a table whose name has letters, digits, - and _ was expected"),
    ("[trunk.acme]\nuser = 'u'\n[trunk.b]\nserver = 'x'", "confero.toml:1: trunk.acme.server is missing: a server such as"),
    ("open = true\n[trunk.acme]\nuser = 'u'\nserver = 'a b'", "confero.toml:4: trunk.acme.server: a server such as"),
    ("[trunk.a]\nserver = '[::1]:5060'\nuser = 'a b'", "confero.toml:3: trunk.a.user: a user name of letters, digits and"),
    ("[trunk.a]\nserver = 'h'\nuser = 'u'\ndial-out = []", "confero.toml:4: trunk.a.dial-out: there is no such key"),
    ("[trunk.a]\nserver = 'h'\nuser = 'u'\ndial_out = ['']", "confero.toml:4: trunk.a.dial_out: a list of beginnings"),
    ("[trunk.a]\nserver = 'h'\nuser = 'u'\n[trunk.a.numbers]\n1 = 'rum:x'", "confero.toml:4: trunk.a.numbers: a table such as"),
    ("[trunk.a]\nserver = 'h'\nuser = 'u'\nsources = ['10.0.0.1/8']", "confero.toml:4: trunk.a.sources: a list of networks"),
    ("[trunk.a]\nserver = 'h'\nuser = 'u'\ntransport = 'ws'", "confero.toml:4: trunk.a.transport: one of udp, tcp, tls"),
])
def test_a_bad_line_is_named_with_what_was_expected(tmp_path: Path, text: str, words: str) -> None:
    assert refusal(tmp_path, text).startswith(words)


@pytest.mark.parametrize("asked", ["off", "prefer", "require"])
def test_srtp_has_three_policies(tmp_path: Path, asked: str) -> None:
    assert load(None, {"srtp": asked}).srtp == asked
    assert refusal(tmp_path, 'srtp = "maybe"').endswith("srtp: one of off, prefer, require was expected, not 'maybe'")


def test_a_bad_flag_is_named_as_a_flag(tmp_path: Path) -> None:
    assert refusal(tmp_path, "sip_port = 5070", sip_port=70000).startswith("--sip-port: a number from 1 to 65535")
    assert refusal(tmp_path, "", rtp_ports="x").startswith("--rtp-ports: two ports")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: No such file"):
        load(tmp_path / "missing.toml", {})
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b'open = true\ndomain = "caf\xe9"\n')
    with pytest.raises(ConfigError, match=r"latin\.toml:2: UTF-8 text was expected"):
        load(tmp_path / "latin.toml", {})


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    flags = {"data": str(tmp_path / 'a "quoted" folder'), "listen": ["127.0.0.1", "::1"], "domain": "a.example", "open": True}
    config = load(None, flags)
    file = tmp_path / "again.toml"
    file.write_text(config.to_toml())
    assert load(file, {}) == config
    assert tomllib.loads(config.to_toml())["rtp_ports"] == "20000-29999"


TRUNKS = '''
[trunk.acme]
server = "sip.acme.example:5070"
user = "4930123"
password = "very secret"
register = false
numbers = { "+4930123" = "room:daily", "*" = "prompt" }
dial_out = "+49"
sources = ["192.0.2.0/24"]
[trunk.other]
server = "192.0.2.9"
user = "u"
'''


def test_trunks_are_read_and_shown_without_their_passwords(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text(TRUNKS)
    config = load(file, {})
    acme, other = config.trunk.values()
    assert (acme.password.get_secret_value(), acme.registers, acme.dial_out) == ("very secret", False, ("+49",))
    assert (other.registers, other.transport, other.numbers, other.dial_out) == (True, "udp", {}, ())
    for shown in (config.to_toml(), config.model_dump_json(), repr(config)):
        assert "very secret" not in shown
    again = tomllib.loads(config.to_toml())["trunk"]
    assert again["acme"]["numbers"] == {"+4930123": "room:daily", "*": "prompt"} and again["acme"]["register"] is False
    assert again["other"].keys() == again["acme"].keys() == TRUNK_EXPECTED.keys()


def test_wrong_password_of_a_trunk_is_not_repeated(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[trunk.acme]\nserver = 'h'\nuser = 'u'\npassword = 12345")
    assert said == "confero.toml:4: trunk.acme.password: a text was expected"


def test_every_key_has_words_and_nothing_can_be_changed() -> None:
    assert EXPECTED.keys() == ServerConfig.model_fields.keys()
    config = load(None, {})
    with pytest.raises(ValidationError):
        config.sip_port = 1


@pytest.mark.parametrize(("text", "words"), [
    ('[[webhook]]\nurl = "ftp://a"', "confero.toml:2: webhook.url: an address such as https://chat.example.org/hooks/meetings "
                                     "was expected, not 'ftp://a'"),
    ('[[webhook]]\nurl = "https://a.example/"\n[[webhook]]\nurl = "https://u:p@a.example/"', "confero.toml:4: webhook.url: "),
    ('sip_port = 5060\n[[webhook]]\nsecret = "x"', "confero.toml:2: webhook.url is missing: an address such as"),
    ('[[webhook]]\nurl = "https://a.example/"\nevent = ["x"]', "confero.toml:3: webhook.event: there is no such key; did you "
                                                              "mean events?"),
    ('[[webhook]]\nurl = "https://a.example/"\nsecret = 7', "confero.toml:3: webhook.secret: a text was expected"),
    ('webhook = 7', "confero.toml:1: webhook: tables such as [[webhook]] was expected, not 7"),
])
def test_a_webhook_that_is_wrong_is_told_by_line_and_key(tmp_path: Path, text: str, words: str) -> None:
    said = refusal(tmp_path, text)
    assert said.startswith(words) and "secret: a text was expected, not" not in said


def test_a_webhook_is_written_as_it_is_read_but_for_its_secret(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text('[[webhook]]\nurl = "https://a.example/x"\nevents = ["participant-*"]\nsecret = "quiet"\n')
    config = load(file, {})
    assert "quiet" not in config.to_toml() and "quiet" not in config.model_dump_json()
    (webhook,) = config.webhook
    assert webhook.wants("participant-joined") and not webhook.wants("audio-start")
    assert tomllib.loads(config.to_toml())["webhook"][0]["events"] == ["participant-*"]
