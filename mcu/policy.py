"""What a conference allows, and whom (RFC 4353 §3.3): its limits, and the switches that its hosts turn while it runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mcu.participant import Role


class Level(StrEnum):
    """How far down the roles something is allowed."""

    ALL = "all"
    PRESENTERS = "presenters"
    HOSTS = "hosts"
    NOBODY = "nobody"


_ROLES = {
    Level.ALL: frozenset({Role.HOST, Role.COHOST, Role.PRESENTER, Role.ATTENDEE}),
    Level.PRESENTERS: frozenset({Role.HOST, Role.COHOST, Role.PRESENTER}),
    Level.HOSTS: frozenset({Role.HOST, Role.COHOST}),
    Level.NOBODY: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of a conference.

    max_members: how many may be in it at once; pin: digits that a caller must bring, None for none; owner: the account that
    is its host whenever present; is_permanent: it outlives its last member; grace_s: how long an ad hoc conference waits for
    somebody after its last member has left; guests_may_host: the first to come becomes host, account or not; srtp: what
    it wants of SRTP (`off`, `prefer`, `require`), None for what the server wants; succession_s: how long a host who dropped
    may take to come back before somebody takes over.

    share, chat, unmute, video, record, control: who may share a screen, write to all, unmute themselves after a host has muted
    them, send video, record, be given control of a desktop; early: who may enter before the host. The others wait.
    time_limit_min: the meeting ends after that time, 0 for no limit.
    """

    max_members: int = 200
    pin: str | None = None
    host_pin: str | None = None
    owner: str | None = None
    is_permanent: bool = False
    grace_s: float = 60.0
    guests_may_host: bool = False
    srtp: str | None = None
    succession_s: float = 20.0
    share: Level = Level.ALL
    chat: Level = Level.ALL
    unmute: Level = Level.ALL
    video: Level = Level.ALL
    record: Level = Level.HOSTS
    control: Level = Level.ALL
    early: Level = Level.ALL
    lobby: bool = False
    mute_on_entry: bool = False
    join_tone: bool = True
    leave_tone: bool = True
    music_alone: bool = False
    ends_with_host: bool = False
    time_limit_min: int = 0


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting that hosts may change. kind: `level`, `flag` or `number` (from least to most)."""

    name: str
    kind: str
    help: str
    help_zh: str
    least: int = 0
    most: int = 0

    @property
    def takes(self) -> str:
        """Its values, for people."""
        return {"level": "all, presenters, hosts or nobody", "flag": "on or off"}.get(self.kind, f"{self.least} to {self.most}")

    @property
    def field(self) -> str:
        """Its name in a Policy."""
        return self.name.replace("-", "_")


SWITCHES = {switch.name: switch for switch in (
    Switch("share", "level", "who may share a screen", "谁可以共享屏幕"),
    Switch("chat", "level", "who may write to everybody", "谁可以向所有人发消息"),
    Switch("unmute", "level", "who may unmute themselves after a host has muted them", "被主持人静音后谁可以自行解除"),
    Switch("video", "level", "who may send video", "谁可以开启视频"),
    Switch("record", "level", "who may record", "谁可以录制"),
    Switch("control", "level", "who may be given control of a desktop", "谁可以获得桌面控制权"),
    Switch("early", "level", "who may enter before the host", "谁可以先于主持人入会"),
    Switch("lobby", "flag", "newcomers wait until they are admitted", "新来者在等候室等待准入"),
    Switch("mute-on-entry", "flag", "newcomers are muted", "入会时静音"),
    Switch("join-tone", "flag", "a tone when somebody comes", "有人加入时播放提示音"),
    Switch("leave-tone", "flag", "a tone when somebody leaves", "有人离开时播放提示音"),
    Switch("music-alone", "flag", "who is alone hears music", "独自等待时播放音乐"),
    Switch("ends-with-host", "flag", "the meeting ends when the host does not come back", "主持人未返回时结束会议"),
    Switch("max-members", "number", "how many may be in it", "人数上限", 1, 10_000),
    Switch("time-limit-min", "number", "minutes after which the meeting ends, 0 for none", "会议时限（分钟），0 为不限", 0,
           10_000),
)}
"""All switches by name."""


def read_switch(name: str, value: str) -> Any:
    """A switch's value out of its text. Raises ValueError, in words."""
    switch = SWITCHES.get(name)
    if switch is None:
        raise ValueError(f"there is no switch {name[:40]!r}; there are {', '.join(SWITCHES)}")
    text = value.strip().lower()
    if switch.kind == "level" and text in tuple(Level):
        return Level(text)
    if switch.kind == "flag" and text in ("on", "off", "true", "false", "yes", "no"):
        return text in ("on", "true", "yes")
    if switch.kind == "number" and text.isascii() and text.isdecimal() and len(text) <= 6:
        number = int(text)
        if switch.least <= number <= switch.most:
            return number
    raise ValueError(f"{name} takes {switch.takes}, not {value[:40]!r}")


def with_switches(policy: Policy, values: Mapping[str, str]) -> Policy:
    """The policy with these switches turned. Raises ValueError, in words."""
    return replace(policy, **{name.replace("-", "_"): read_switch(name, value) for name, value in values.items()})


def switches_of(policy: Policy) -> dict[str, str]:
    """All switches of a policy, as text."""
    found = {name: getattr(policy, switch.field) for name, switch in SWITCHES.items()}
    return {name: ("on" if value else "off") if isinstance(value, bool) else str(value) for name, value in found.items()}


def allows(level: Level, role: Role) -> bool:
    """Whether a role is within a level. A listener never is."""
    return role in _ROLES[level]
