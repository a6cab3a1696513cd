"""The configuration of a server: one TOML file, flags on top of it, defaults below.

Keys are the flags with `_` in place of `-`; `load` names file, line and key of what is wrong.

    domain = "meet.example.org"
    listen = ["192.0.2.10", "2001:db8::10"]
    rtp_ports = "20000-29999"
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mcu.directory import check_domain
from mcu.errors import ConfigError, UsageError
from mcu.storage.folder import default_folder
from mcu.trunk_config import TrunkConfig, TrunkName, quote
from mcu.trunk_config import explain as explain_trunk
from mcu.webhook_config import WebhookConfig, to_webhooks
from mcu.webhook_config import explain as explain_webhook

EVERYWHERE = ("0.0.0.0", "::")
LOOPBACK = ("127.0.0.1", "::1")
AUTO = "auto"
"""In place of a public address: ask the STUN server."""


def default_workers() -> int:
    """One media worker for each core that we may use."""
    return max(1, len(os.sched_getaffinity(0)))


def default_picture_workers() -> int:
    """One picture worker for two cores: the rest is for sound and what is forwarded."""
    return max(1, default_workers() // 2)


def _to_path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) and value else value


def _to_domain(value: Any) -> Any:
    try:
        return check_domain(value) if isinstance(value, str) else value
    except UsageError as error:
        raise ValueError from error


def _to_address(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return str(ipaddress.ip_address(value.strip("[]")))


def _to_public_address(value: Any) -> Any:
    return AUTO if value == AUTO else _to_address(value)


def _to_server(value: Any) -> Any:
    """HOST or HOST:PORT."""
    match = re.fullmatch(r"([A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252}))(?::([0-9]{1,5}))?", value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[2] or 1) <= 65535:
        raise ValueError
    return value


def _to_addresses(value: Any) -> Any:
    """A list of addresses out of one or many, without repetition."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError
    return tuple(dict.fromkeys(_to_address(one) for one in value))


def _to_ports(value: Any) -> Any:
    """First and last port out of "20000-29999"."""
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value, re.ASCII) if isinstance(value, str) else None
    if match is not None:
        value = (int(match[1]), int(match[2]))
    first, last = value if isinstance(value, list | tuple) else ("", "")
    if type(first) is not int or type(last) is not int or not 1024 <= first < last <= 65535:
        raise ValueError
    return first, last


class ServerConfig(BaseModel):
    """What a server runs with. `listen` None: see `addresses`; `tls_port` 0: no TLS; `wss_port` 0: no WebSocket; without
    `tls_cert` a certificate of our own is made. Times in seconds.

    grace_s: an ad hoc room lives so long after the last has left; succession_s: a host who dropped may take so long to come
    back; silence_s: a phone that should send and doesn't is gone after that; drain_s: how long a stopping server lets its
    calls go on; language: of what is said in meetings; languages: of single rooms and accounts, by name; prompts: the folder
    of what is said, `prompts` in the data folder if not given; max_calls, max_calls_per_source, max_rooms: more
    are refused with 503; max_call_s: a call ends after that (0: never).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data: Annotated[Path, BeforeValidator(_to_path)] = Field(default_factory=default_folder)
    listen: Annotated[tuple[str, ...] | None, BeforeValidator(_to_addresses)] = None
    sip_port: int = Field(5060, ge=1, le=65535)
    tls_port: int = Field(5061, ge=0, le=65535)
    wss_port: int = Field(0, ge=0, le=65535)
    tls_cert: Annotated[Path | None, BeforeValidator(_to_path)] = None
    tls_key: Annotated[Path | None, BeforeValidator(_to_path)] = None
    domain: Annotated[str | None, BeforeValidator(_to_domain)] = None
    rtp_ports: Annotated[tuple[int, int], BeforeValidator(_to_ports)] = (20000, 29999)
    public_address: Annotated[str | None, BeforeValidator(_to_public_address)] = None
    stun_server: Annotated[str | None, BeforeValidator(_to_server)] = None
    open: bool = False
    desktop_control: bool = True
    workers: int = Field(default_factory=default_workers, ge=1, le=256)
    picture_workers: int = Field(default_factory=default_picture_workers, ge=0, le=256)
    srtp: Literal["off", "prefer", "require"] = "prefer"
    drain_s: float = Field(0.0, ge=0, le=86400)
    grace_s: float = Field(60.0, ge=0, le=86400)
    succession_s: float = Field(20.0, ge=0, le=86400)
    silence_s: float = Field(30.0, ge=2, le=86400)
    max_members: int = Field(200, ge=1, le=10_000)
    max_calls: int = Field(2000, ge=1, le=100_000)
    max_calls_per_source: int = Field(1000, ge=1, le=100_000)
    max_rooms: int = Field(500, ge=1, le=100_000)
    max_call_s: float = Field(0.0, ge=0, le=30 * 86400)
    pcap: Annotated[Path | None, BeforeValidator(_to_path)] = None
    pcap_max_mb: int = Field(100, ge=1, le=100_000)
    pcap_files: int = Field(10, ge=1, le=10_000)
    http_port: int = Field(8080, ge=0, le=65535)
    http_listen: Annotated[tuple[str, ...], BeforeValidator(_to_addresses)] = LOOPBACK
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    language: Literal["en", "zh"] = "en"
    languages: dict[str, Literal["en", "zh"]] = Field(default_factory=dict)
    prompts: Annotated[Path | None, BeforeValidator(_to_path)] = None
    log_format: Literal["text", "json"] = "text"
    webhook: Annotated[tuple[WebhookConfig, ...], BeforeValidator(to_webhooks)] = ()
    trunk: dict[TrunkName, TrunkConfig] = Field(default_factory=dict)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to listen on: those asked for, else all, or loopback with `open`."""
        if self.listen is not None:
            return self.listen
        return LOOPBACK if self.open else EVERYWHERE

    def to_toml(self) -> str:
        """The same configuration as the text of a file."""
        lines = []
        for key, value in self.model_dump(exclude_none=True, exclude={"trunk", "webhook", "languages"}).items():
            match value:
                case bool():
                    text = str(value).lower()
                case int() | float():
                    text = str(value)
                case (int(first), int(last)):
                    text = f'"{first}-{last}"'
                case tuple():
                    text = "[" + ", ".join(map(quote, value)) + "]"
                case _:
                    text = quote(str(value))
            lines.append(f"{key} = {text}")
        if self.languages:
            lines += ["", "[languages]", *(f"{quote(name)} = {quote(one)}" for name, one in self.languages.items())]
        lines += [f"\n{webhook.to_toml()}" for webhook in self.webhook]
        return "\n".join([*lines, *(f"\n{trunk.to_toml(name)}" for name, trunk in self.trunk.items())])


EXPECTED = {
    "data": "the path of a folder",
    "listen": "an IP address of this machine, or a list of them,",
    "sip_port": "a number from 1 to 65535",
    "tls_port": "a number from 1 to 65535, or 0 for no TLS,",
    "wss_port": "a number from 1 to 65535, or 0 for no WebSocket,",
    "tls_cert": "the path of a file",
    "tls_key": "the path of a file",
    "domain": "a domain such as meet.example.org",
    "rtp_ports": 'two ports from 1024 to 65535 such as "20000-29999"',
    "public_address": "an IP address, or auto,",
    "stun_server": "a server such as stun.example.org or 192.0.2.1:3478",
    "open": "true or false",
    "desktop_control": "true or false",
    "srtp": "one of off, prefer, require",
    "workers": "a number from 1 to 256",
    "picture_workers": "a number from 0 to 256",
    "drain_s": "a number of seconds from 0 to 86400",
    "grace_s": "a number of seconds from 0 to 86400",
    "succession_s": "a number of seconds from 0 to 86400",
    "silence_s": "a number of seconds from 2 to 86400",
    "max_members": "a number from 1 to 10000",
    "max_calls": "a number from 1 to 100000",
    "max_calls_per_source": "a number from 1 to 100000",
    "max_rooms": "a number from 1 to 100000",
    "max_call_s": "a number of seconds from 0 to 2592000",
    "pcap": "the path of a file",
    "pcap_max_mb": "a number of megabytes from 1 to 100000",
    "pcap_files": "a number from 1 to 10000",
    "http_port": "a number from 1 to 65535, or 0 for no HTTP,",
    "http_listen": "an IP address of this machine, or a list of them,",
    "log_level": "one of debug, info, warning, error",
    "language": "one of en, zh",
    "languages": "a table such as [languages] with lines NAME = \"zh\" for a room or an account",
    "prompts": "the path of a folder",
    "log_format": "one of text, json",
    "webhook": "tables such as [[webhook]]",
    "trunk": "tables such as [trunk.acme]",
}
"""What each key takes, in words."""


def load(file: Path | None, flags: dict[str, Any]) -> ServerConfig:
    """The configuration out of a file and flags (None: not given). Paths in the file are relative to its folder.

    Raises ConfigError with one line: "confero.toml:7: sip_port: a number from 1 to 65535 was expected, not 'x'".
    """
    text = _read(file) if file is not None else ""
    values = _parse(str(file), text)
    for key in ("data", "tls_cert", "tls_key", "prompts"):
        if file is not None and isinstance(values.get(key), str):
            values[key] = str(file.parent / Path(values[key]).expanduser())
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        config = ServerConfig(**{**values, **given})
    except ValidationError as error:
        raise ConfigError(_explain(error, str(file), text, set(given))) from error
    _check_tls(config)
    if config.public_address == AUTO and config.stun_server is None:
        raise ConfigError("public_address = \"auto\" needs a STUN server to ask, and none is asked unless it is named: "
                          "stun_server = \"HOST\" in the configuration file")
    return config


def _check_tls(config: ServerConfig) -> None:
    if (config.tls_cert is None) != (config.tls_key is None):
        given, missing = ("tls_cert", "tls_key") if config.tls_key is None else ("tls_key", "tls_cert")
        raise ConfigError(f"{given} is given without {missing}: a certificate and its key go together")
    if config.tls_port == config.sip_port:
        raise ConfigError(f"TLS and TCP can't both have port {config.tls_port}; choose another one with --tls-port")
    if config.http_port and config.http_port in (config.sip_port, config.tls_port, config.wss_port):
        raise ConfigError(f"HTTP can't share port {config.http_port} with SIP; choose another one with --http-port")
    if config.wss_port and config.wss_port in (config.sip_port, config.tls_port):
        raise ConfigError(f"WebSocket can't share port {config.wss_port} with SIP; choose another one with --wss-port")


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: UTF-8 text was expected") from error


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at line ([0-9]+), column ([0-9]+)\)", str(error))
        line = int(where[1]) if where else max(1, text.count("\n") + (not text.endswith("\n")))
        reason = re.sub(r" \(at .*\)", "", str(error))
        raise ConfigError(f"{name}:{line}: this is no TOML: {reason}") from error


def _explain(error: ValidationError, name: str, text: str, flags: set[str]) -> str:
    """The first thing that is wrong, in words, with its place."""
    first = error.errors()[0]
    key, value = str(first["loc"][0]), first["input"]
    if key == "trunk":
        line, words = explain_trunk(first, text)
        return f"{name}:{line}: {words}"
    if key == "webhook" and len(first["loc"]) > 1:
        line, words = explain_webhook(first, text)
        return f"{name}:{line}: {words}"
    place = f"--{key.replace('_', '-')}" if key in flags else f"{name}:{_line_of(key, text)}: {key}"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key.replace("-", "_"), ServerConfig.model_fields, 1)
        return f"{place}: there is no such key" + (f"; did you mean {near[0]}?" if near else "")
    return f"{place}: {EXPECTED[key]} was expected, not {value!r}"


def _line_of(key: str, text: str) -> int:
    """The line on which a key of the top level, or its table, begins."""
    name = re.escape(key)
    pattern = re.compile(rf"\s*(\[\[?\s*)?[\"']?{name}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.split("\n"), 1) if pattern.match(line)), 1)

