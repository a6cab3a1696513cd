"""What the phone remembers between two runs: account, devices, settings, the places called, and the certificates of servers
that were met (`softphone.trust`), as TOML in the platform's configuration folder. The file holds the account's password and is
readable by its owner alone.

A file that can't be read or understood is set aside (`.broken`), a clear line says so, and the defaults are used.
"""

from __future__ import annotations

import json
import os
import tomllib
import uuid
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softphone.model import Recent

MAX_RECENT = 20
MAX_CERTIFICATES = 200
MAX_FILE = 1 << 20
DEFAULT_SETTINGS: dict[str, str | bool] = {
    "theme": "system", "language": "system", "echo_cancelling": True, "noise_suppression": True, "gain": True, "ring": True,
    "codec": "", "dtx": False, "join_muted": False, "srtp": "prefer", "join_video": False, "video_kbps": "1000",
}
"""Every setting with its default; the file may hold others, which are kept."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the phone is. `server` is HOST or HOST:PORT; empty while nobody has signed in."""

    user: str = ""
    password: str = field(default="", repr=False)
    server: str = ""
    transport: str = "udp"
    display_name: str = ""

    @property
    def is_set(self) -> bool:
        """Whether there is an account to register."""
        return bool(self.user and self.server)


@dataclass(frozen=True, slots=True)
class Config:
    """All that persists. `instance` names this phone to servers (RFC 5626 §4.1); empty until it has signed in anywhere."""

    account: Account = Account()
    microphone: str = ""
    speaker: str = ""
    settings: dict[str, str | bool] = field(default_factory=lambda: dict(DEFAULT_SETTINGS))
    recent: tuple[Recent, ...] = ()
    instance: str = ""
    certificates: dict[str, str] = field(default_factory=dict)
    camera: str = ""

    def with_instance(self) -> Config:
        """This with a name for the phone, made up where there is none: a URN that stays the same (RFC 4122)."""
        return self if self.instance else replace(self, instance=uuid.uuid4().urn)

    def with_certificate(self, host: str, fingerprint: str) -> Config:
        """This with the certificate of a host remembered; of very many the oldest are forgotten."""
        others = [item for item in self.certificates.items() if item[0] != host]
        return replace(self, certificates=dict([*others, (host, fingerprint)][-MAX_CERTIFICATES:]))

    def with_setting(self, name: str, value: str | bool) -> Config:
        """This with a setting changed. Raises ValueError for a known setting with a value of another kind."""
        default = DEFAULT_SETTINGS.get(name)
        if default is not None and type(value) is not type(default):
            raise ValueError(f"the setting {name} takes {'yes or no' if isinstance(default, bool) else 'text'}")
        return replace(self, settings={**self.settings, name: value})

    def with_recent(self, recent: Recent) -> Config:
        """This with a place put first in the list, once."""
        others = tuple(r for r in self.recent if r.uri != recent.uri)
        return replace(self, recent=(recent, *others)[:MAX_RECENT])

    def is_on(self, name: str) -> bool:
        """Whether a setting of yes or no is on."""
        return bool(self.settings.get(name, DEFAULT_SETTINGS.get(name, False)))


class _Account(BaseModel):
    model_config = ConfigDict(strict=True)
    user: str = Field(default="", max_length=128)
    password: str = Field(default="", max_length=256)
    server: str = Field(default="", max_length=256)
    transport: str = Field(default="udp", pattern="^(udp|tcp|tls)$")
    display_name: str = Field(default="", max_length=128)


_Fingerprint = Annotated[str, Field(pattern=r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$")]


class _Recent(BaseModel):
    model_config = ConfigDict(strict=True)
    uri: str = Field(max_length=512)
    title: str = Field(default="", max_length=256)
    when: float = 0.0
    has_pin: bool = False


class _Phone(BaseModel):
    model_config = ConfigDict(strict=True)
    instance: str = Field(default="", pattern="^(urn:uuid:[0-9a-fA-F-]{36})?$")


class _Devices(BaseModel):
    model_config = ConfigDict(strict=True)
    microphone: str = Field(default="", max_length=256)
    speaker: str = Field(default="", max_length=256)
    camera: str = Field(default="", max_length=256)


class _File(BaseModel):
    model_config = ConfigDict(strict=True)
    phone: _Phone = _Phone()
    account: _Account = _Account()
    devices: _Devices = _Devices()
    settings: dict[str, bool | str] = Field(default_factory=dict, max_length=200)
    recent: list[_Recent] = Field(default_factory=list, max_length=200)
    certificates: dict[str, _Fingerprint] = Field(default_factory=dict, max_length=MAX_CERTIFICATES)


def default_path() -> Path:
    """Where the phone's file is on this platform."""
    return Path(platformdirs.user_config_dir("confero", appauthor=False)) / "phone.toml"


def load(path: Path) -> tuple[Config, str]:
    """(what the file holds, a line for the user when something is wrong with it, else empty). Never raises."""
    try:
        data = path.read_bytes()[:MAX_FILE]
    except FileNotFoundError:
        return Config(), ""
    except OSError as error:
        return Config(), f"{path} can't be read ({error.strerror}); the defaults are used. Check its owner and mode."
    try:
        return _from_file(_File.model_validate(tomllib.loads(data.decode("utf-8")))), ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Config(), _set_aside(path, str(error))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return Config(), _set_aside(path, f"{place}: {first['msg']}")


def _from_file(found: _File) -> Config:
    settings = dict(DEFAULT_SETTINGS)
    for name, value in found.settings.items():
        if name not in settings or type(value) is type(settings[name]):
            settings[name] = value
    recent = tuple(Recent(r.uri, r.title, r.when, r.has_pin) for r in found.recent[:MAX_RECENT])
    account = Account(**found.account.model_dump())
    return Config(account, found.devices.microphone, found.devices.speaker, settings, recent, found.phone.instance,
                  dict(found.certificates), found.devices.camera)


def _set_aside(path: Path, why: str) -> str:
    aside = path.with_name(path.name + ".broken")
    try:
        path.replace(aside)
    except OSError:
        return f"{path} is broken ({why}); the defaults are used."
    return f"{path} is broken ({why}); it is kept as {aside.name} and the defaults are used."


def save(config: Config, path: Path) -> None:
    """Write the file, readable by its owner alone, in one step. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(_to_toml(config))
    new.replace(path)


def _to_toml(config: Config) -> str:
    lines = ["# Written by confero-phone.", "[phone]", f"instance = {_value(config.instance)}", "", "[account]"]
    lines += [f"{item.name} = {_value(getattr(config.account, item.name))}" for item in fields(Account)]
    lines += ["", "[devices]", f"microphone = {_value(config.microphone)}", f"speaker = {_value(config.speaker)}",
              f"camera = {_value(config.camera)}"]
    lines += ["", "[settings]"]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in config.settings.items()]
    lines += ["", "[certificates]"]
    lines += [f"{_key(host)} = {_value(fingerprint)}" for host, fingerprint in config.certificates.items()]
    for recent in config.recent:
        lines += ["", "[[recent]]", f"uri = {_value(recent.uri)}", f"title = {_value(recent.title)}", f"when = {recent.when!r}"]
        lines += ["has_pin = true"] if recent.has_pin else []
    return "\n".join(lines) + "\n"


def _value(value: str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    clean = value.encode("utf-8", "replace").decode("utf-8").replace("\x7f", "")
    return json.dumps(clean, ensure_ascii=False)          # a JSON string is a TOML basic string


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _value(name)
