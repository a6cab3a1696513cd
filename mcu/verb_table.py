"""The one table of a meeting's verbs: who may, arguments, keypad, text, REST, command line, help in two languages. Data alone.

Rules, surfaces and the reference page are driven by it (`mcu.verbs` reads it for them). What goes by protocols of its own is
not in it: create, join, leave and chat (SIP), sharing and control (BFCP).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcu import commands
from mcu.commands import Command
from mcu.participant import ParticipantId, Role
from mcu.picture.layout import Layout

Target = ParticipantId | None
Values = Mapping[str, str]

HOST = frozenset({Role.HOST})
HOSTS = frozenset({Role.HOST, Role.COHOST})
PRESENTERS = frozenset({Role.HOST, Role.COHOST, Role.PRESENTER})
SPEAKERS = frozenset({Role.HOST, Role.COHOST, Role.PRESENTER, Role.ATTENDEE})
EVERYBODY = frozenset(Role)
NOBODY: frozenset[Role] = frozenset()

LAYOUTS = tuple(str(layout) for layout in Layout)
"""Arrangements of the composed picture."""
APPOINTED = ("co-host", "presenter", "attendee", "listener")
MAX_TEXT = 1024
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. kind: `who` (somebody in the meeting or its lobby: an id, a name, a URI, or all), `text` or `choice`."""

    name: str
    kind: str = "text"
    is_required: bool = True
    choices: tuple[str, ...] = ()
    most: int = MAX_TEXT
    help: str = ""


WHO = Argument("who", "who", help="id, name or URI of a member, or all")
WHO_OR_SELF = Argument("who", "who", is_required=False, help="id, name or URI of a member, or all; oneself where left away")
WAITING = Argument("who", "who", help="id, name or URI of somebody in the lobby, or all")
REASON = Argument("reason", is_required=False, most=128, help="told to them")


@dataclass(frozen=True, slots=True)
class Verb:
    """What can be done to a meeting.

    others: the roles that may do it (to others, where it is about somebody); own: those that may do it to themselves; make: the
    command of it for one target; done: what the command line says of who it was done to, or of the room; keypad: its code; cli:
    its word after `confero room`, empty for none; also: other words for it in a text; owner: the meeting's owner may, too;
    setting: the switch of the policy that says who of them may.
    """

    name: str
    make: Callable[[Target, Values], Command]
    done: str
    help: str
    help_zh: str
    others: frozenset[Role] = HOSTS
    own: frozenset[Role] = NOBODY
    arguments: tuple[Argument, ...] = ()
    keypad: str = ""
    cli: str = ""
    also: tuple[str, ...] = ()
    owner: bool = False
    setting: str = ""

    @property
    def chat(self) -> str:
        """The word of a text."""
        return f"/{self.name}"

    @property
    def rest(self) -> str:
        """The route under `/api/v1`; the arguments are members of the JSON object in the body."""
        return f"POST /rooms/{{room}}/{self.name}"

    @property
    def command(self) -> str:
        """The command line."""
        words = (a.name.upper() if a.is_required or a.kind == "who" else f"[{a.name.upper()}]" for a in self.arguments)
        return " ".join(["confero room", self.cli or self.name, "ROOM", *words])

    @property
    def who(self) -> Argument | None:
        """The argument that names somebody, if there is one."""
        return next((argument for argument in self.arguments if argument.kind == "who"), None)


def _at(target: Target) -> ParticipantId:
    assert target is not None
    return target


VERBS: dict[str, Verb] = {verb.name: verb for verb in (
    Verb("mute", lambda at, _: commands.MuteParticipant(_at(at), True), "muted", "mute a member, or yourself",
         "将成员或自己静音", own=SPEAKERS, arguments=(WHO_OR_SELF,), keypad="*6"),
    Verb("unmute", lambda at, _: commands.MuteParticipant(_at(at), False), "unmuted", "unmute a member, or yourself",
         "解除成员或自己的静音", own=SPEAKERS, arguments=(WHO_OR_SELF,), keypad="*6"),
    Verb("mute-all", lambda at, _: commands.MuteAll(True), "is muted, but for its hosts", "mute everybody but the hosts",
         "除主持人外全体静音"),
    Verb("unmute-all", lambda at, _: commands.MuteAll(False), "is unmuted", "unmute those whom a host has muted",
         "解除主持人设置的静音"),
    Verb("ask-unmute", lambda at, _: commands.AskToUnmute(_at(at)), "asked to unmute", "ask a member to unmute",
         "请成员解除静音", arguments=(WHO,)),
    Verb("stop-video", lambda at, _: commands.StopVideo(_at(at), True), "stopped from sending video",
         "stop the video of a member, or yours", "停止成员或自己的视频", own=EVERYBODY, arguments=(WHO_OR_SELF,)),
    Verb("allow-video", lambda at, _: commands.StopVideo(_at(at), False), "allowed to send video",
         "let the video of a member pass again", "允许成员恢复视频", own=SPEAKERS, arguments=(WHO_OR_SELF,)),
    Verb("deafen", lambda at, _: commands.StopIncomingAudio(_at(at), True), "made to hear nothing",
         "let a member, or yourself, hear nothing of the meeting", "使成员或自己听不到会议声音", own=EVERYBODY,
         arguments=(WHO_OR_SELF,)),
    Verb("undeafen", lambda at, _: commands.StopIncomingAudio(_at(at), False), "made to hear again",
         "let a member, or yourself, hear the meeting again", "恢复成员或自己的会议声音", own=EVERYBODY,
         arguments=(WHO_OR_SELF,)),
    Verb("rename", lambda at, v: commands.RenameParticipant(_at(at), v["new_name"]), "renamed", "change the name that is shown",
         "修改显示名称", own=EVERYBODY, arguments=(WHO_OR_SELF, Argument("new_name", most=MAX_NAME, help="the name to show"))),
    Verb("spotlight", lambda at, _: commands.SpotlightParticipant(_at(at)), "in the spotlight", "show a member large to all",
         "向所有人放大显示某成员", arguments=(WHO,)),
    Verb("unspotlight", lambda at, _: commands.SpotlightParticipant(_at(at), False), "out of the spotlight",
         "show a member like the others again", "取消放大显示", arguments=(WHO,)),
    Verb("admit", lambda at, _: commands.AdmitParticipant(_at(at)), "admitted", "let somebody in who waits in the lobby",
         "准许等候室中的人入会", arguments=(WAITING,)),
    Verb("deny", lambda at, v: commands.DenyParticipant(_at(at), **v), "sent away", "send somebody away who waits in the lobby",
         "拒绝等候室中的人入会", arguments=(WAITING, REASON)),
    Verb("lobby", lambda at, _: commands.SendToLobby(_at(at)), "sent to the lobby", "send a member back to the lobby",
         "将成员移回等候室", arguments=(WHO,), also=("back",)),
    Verb("kick", lambda at, v: commands.KickParticipant(_at(at), **v), "removed", "remove a member", "移出成员",
         arguments=(WHO, REASON), also=("remove",)),
    Verb("ban", lambda at, v: commands.BanParticipant(_at(at), **v), "banned", "remove a member and keep them out",
         "移出成员并禁止再次入会", arguments=(WHO, REASON)),
    Verb("unban", lambda at, v: commands.Unban(v["banned"]), "lets them in again", "let somebody in again who was banned",
         "解除入会禁令", arguments=(Argument("banned", most=128, help="an account's name, or an address"),)),
    Verb("appoint", lambda at, v: commands.AppointParticipant(_at(at), Role(v["role"])), "appointed", "give a member a role",
         "任命成员角色", others=HOST, arguments=(WHO, Argument("role", "choice", choices=APPOINTED)), cli="role"),
    Verb("dismiss", lambda at, _: commands.DismissParticipant(_at(at)), "dismissed", "make a member an attendee again",
         "撤销成员角色", others=HOST, own=PRESENTERS - HOST, arguments=(WHO,)),
    Verb("transfer", lambda at, _: commands.TransferHost(_at(at)), "made host", "hand the role of host on", "移交主持人",
         others=HOST, arguments=(WHO,), also=("host",)),
    Verb("reclaim", lambda at, _: commands.ReclaimHost(), "has its owner as host", "be host of your own meeting again",
         "收回主持人", others=NOBODY, owner=True),
    Verb("raise-hand", lambda at, _: commands.RaiseHand(_at(at), True), "in the queue", "raise your hand", "举手",
         others=NOBODY, own=EVERYBODY, arguments=(WHO_OR_SELF,), keypad="*9", also=("hand", "raise")),
    Verb("lower-hand", lambda at, _: commands.RaiseHand(_at(at), False), "out of the queue", "lower a hand", "放下举手",
         own=EVERYBODY, arguments=(WHO_OR_SELF,), keypad="*9", also=("lower",)),
    Verb("lock", lambda at, _: commands.LockConference(True), "is locked", "let nobody in any more", "锁定会议", keypad="*5"),
    Verb("unlock", lambda at, _: commands.LockConference(False), "is unlocked", "let people in again", "解锁会议", keypad="*5"),
    Verb("close", lambda at, _: commands.CloseConference(), "is closed", "end the meeting for all", "结束会议", others=HOST,
         keypad="*4#", also=("end",)),
    Verb("set", lambda at, v: commands.SetSwitch(v["switch"], v["value"]), "is set", "change a setting of the meeting",
         "修改会议设置", arguments=(Argument("switch", most=32, help="see the settings of a room"),
                             Argument("value", most=32, help="all, presenters, hosts or nobody; on or off; a number"))),
    Verb("allow", lambda at, v: commands.SetSwitch(v["switch"], "all"), "is set", "allow all to do something", "允许所有人",
         arguments=(Argument("switch", "choice", choices=("share", "chat", "unmute", "video", "record", "control", "early")),)),
    Verb("forbid", lambda at, v: commands.SetSwitch(v["switch"], "hosts"), "is set", "allow hosts alone to do something",
         "仅允许主持人",
         arguments=(Argument("switch", "choice", choices=("share", "chat", "unmute", "video", "record", "control", "early")),)),
    Verb("suspend", lambda at, _: commands.SuspendAll(True), "is suspended", "mute everybody and stop all video and shares",
         "暂停所有活动", others=HOST),
    Verb("resume", lambda at, _: commands.SuspendAll(False), "goes on", "let everybody go on after a suspension", "恢复活动",
         others=HOST),
    Verb("invite", lambda at, v: commands.Invite(v["uri"]), "calls out", "call somebody into the meeting", "呼叫某人入会",
         others=PRESENTERS, arguments=(Argument("uri", most=512, help="a user of this server, or a SIP URI"),)),
    Verb("record", lambda at, v: commands.Record(v["action"]), "is recorded as told", "record the meeting", "录制会议",
         others=SPEAKERS, arguments=(Argument("action", "choice", choices=("start", "pause", "resume", "stop")),), keypad="*7",
         setting="record"),
    Verb("layout", lambda at, v: commands.SetLayout(v["layout"]), "is arranged anew", "arrange the composed picture",
         "选择画面布局", arguments=(Argument("layout", "choice", choices=LAYOUTS),)),
    Verb("say", lambda at, v: commands.Say(v["text"]), "is told", "let a voice say something to all", "向全体播报文字",
         arguments=(Argument("text"),)),
    Verb("play", lambda at, v: commands.Play(v["what"]), "hears it",
         "play a file to all, or pause, resume, stop, seek N, volume N",
         "播放文件，或暂停、继续、停止、跳转、调节音量", arguments=(Argument("what"),)),
    Verb("count", lambda at, _: commands.CountMembers(), "was counted", "hear how many there are", "播报人数", others=EVERYBODY,
         keypad="*#"),
)}
"""All verbs by name, in the order of PRODUCT's table."""
