"""`confero room`: permanent rooms, and what goes on in the rooms that are open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mcu.cli.client import execute
from mcu.cli.options import CaptureAction, DataOption, JsonOption, SrtpOption, make_group
from mcu.cli.output import Facts, capture_words, facts, show, table
from mcu.cli.room_verbs import add_verbs, people_words
from mcu.errors import CommandError
from mcu.policy import SWITCHES

app = make_group("Rooms: make them, look into them, close them.")

READY_S, LOOK_S = 10.0, 0.3
"""How long is waited for a file to begin, and how often is looked."""
PENDING = ("looking-up", "dialing-out", "alerting")
STEERS = ("pause", "resume", "stop", "seek", "volume", "status")

RoomArgument = Annotated[str, typer.Argument(metavar="ROOM", help="a-z, 0-9 and -")]

PEOPLE = (("id", "ID"), ("name", "NAME"), ("role", "ROLE"), ("is_in_lobby", "LOBBY"), ("codec", "CODEC"), ("video", "VIDEO"),
          ("is_muted", "MUTED"), ("hand", "HAND"),
          ("is_speaking", "SPEAKS"), ("level_dbov", "DBOV"), ("packets_in", "PACKETS"), ("lost", "LOST"), ("uri", "URI"),
          ("protection", "PROTECTION"))


@app.command()
def create(
    name: RoomArgument,
    pin: Annotated[str | None, typer.Option("--pin", metavar="PIN|auto", help="4 to 12 digits; who knows it may come in "
                                            "without an account; auto makes six digits")] = None,
    host_pin: Annotated[str | None, typer.Option("--host-pin", metavar="PIN|auto", help="who dials this one is host")] = None,
    lobby: Annotated[bool, typer.Option("--lobby", help="newcomers wait until they are admitted")] = False,
    max_members: Annotated[int | None, typer.Option("--max", metavar="N", help="most members")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="USER", help="may always be host")] = None,
    switches: Annotated[list[str] | None, typer.Option("--set", metavar="SWITCH=VALUE", help="a setting, such as "
                                                       "mute-on-entry=on; may be given several times")] = None,
    srtp: SrtpOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a permanent room. Example: confero room create daily --pin auto"""
    arguments = {"name": name, "pin": pin, "host_pin": host_pin, "lobby": lobby, "max_members": max_members, "owner": owner,
                 "srtp": srtp, "switches": " ".join(switches or []) or None}
    show(execute(data, "room.create", arguments), as_json, _created)


@app.command("list")
def list_rooms(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the rooms, permanent and open ones. Example: confero room list --json"""
    columns = (("name", "NAME"), ("state", "STATE"), ("members", "MEMBERS"), ("is_locked", "LOCKED"), ("has_pin", "PIN"),
               ("is_permanent", "PERMANENT"))
    show(execute(data, "room.list", {}), as_json, table(columns, "no rooms; make one with: confero room create NAME"))


@app.command("show")
def show_room(room: RoomArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a room with its PINs and people. Example: confero room show daily"""
    show(execute(data, "room.show", {"name": room}), as_json, _room)


@app.command()
def people(room: RoomArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List who is in a room and in its lobby. Example: confero room people daily"""
    show(execute(data, "room.people", {"name": room}), as_json, table(PEOPLE, "nobody is in this room"))


@app.command()
def close(
    room: RoomArgument,
    is_deleted: Annotated[bool, typer.Option("--delete", help="and forget a permanent room")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a room for all who are in it. Example: confero room close daily"""
    show(execute(data, "room.close", {"name": room, "delete": is_deleted}), as_json, _closed)


@app.command()
def capture(room: RoomArgument, action: CaptureAction, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Write a room for Wireshark, signalling and media in clear. Example: confero room capture daily start"""
    show(execute(data, "room.capture", {"name": room, "action": action}), as_json, capture_words)


@app.command()
def record(
    room: RoomArgument,
    action: Annotated[str, typer.Argument(metavar="start|pause|resume|stop", help="all members are told")],
    form: Annotated[str | None, typer.Option("--form", metavar="opus|wav", help="Opus in Matroska, or WAV")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a room: the mix, and a file for each person. Example: confero room record daily start"""
    show(execute(data, "room.record", {"name": room, "action": action, "form": form}), as_json, _recorded)


@app.command()
def say(
    room: RoomArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="what the voice says to all")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a voice say something to all in a room. Example: confero room say daily "Five minutes left" """
    show(execute(data, "room.say", {"name": room, "text": text}), as_json, lambda done: f"room {done['name']} is told it")


@app.command()
def play(
    room: RoomArgument,
    what: Annotated[str, typer.Argument(metavar="FILE|pause|resume|stop|seek|volume|status",
                                        help="a file of sound: a path, or a name in the data folder's media/")],
    figure: Annotated[int | None, typer.Argument(metavar="[FIGURE]", help="seek: seconds; volume: per cent")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a file of sound to all in a room, or steer it. Example: confero room play daily ./intro.mp3"""
    here = Path(what).expanduser()
    if what not in STEERS and here.is_file():
        what = str(here.resolve())
    wanted = f"{what} {figure}" if figure is not None else what
    done = execute(data, "room.play", {"name": room, "what": wanted})
    ends_at = time.monotonic() + READY_S
    while done["state"] == "preparing" and time.monotonic() < ends_at:
        time.sleep(LOOK_S)
        done = execute(data, "room.play", {"name": room, "what": "status"})
    if done["state"] == "failed":
        raise CommandError(f"{done['what']} can't be played: {done['reason']}")
    show(done, as_json, _played)


@app.command()
def dial(
    room: RoomArgument,
    target: Annotated[str, typer.Argument(metavar="URI", help="a user of this server, or sip:NAME@ADDRESS")],
    does_wait: Annotated[bool | None, typer.Option("--wait/--no-wait", help="for an answer, a minute at most; with --json "
                                                   "it does not, if not told")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call somebody into a room, and tell what has become of it; Ctrl+C cancels. Example: confero room dial daily alice"""
    done = execute(data, "room.dial", {"name": room, "target": target})
    does_wait = does_wait if does_wait is not None else not as_json
    wanted = {"name": room, "dial": done["dial"]}
    if not as_json:
        typer.echo(_dialled(done))
    try:
        while does_wait and done["state"] in PENDING:
            time.sleep(LOOK_S)
            before, done = done["state"], execute(data, "room.dialled", wanted)
            if not as_json and done["state"] != before:
                typer.echo(_dialled(done))
    except KeyboardInterrupt:
        done = execute(data, "room.dialled", {**wanted, "cancel": True})
        if not as_json:
            typer.echo(_dialled(done))
    if as_json:
        show(done, True, _dialled)
    if does_wait and done["state"] != "answered":
        raise CommandError(f"{done['target']} is not in room {done['room']}: {_dialled(done)}")


@app.command()
def dialled(room: RoomArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List whom a room is calling and has called lately. Example: confero room dialled daily"""
    columns = (("dial", "NUMBER"), ("target", "TARGET"), ("state", "STATE"), ("status", "STATUS"), ("reason", "REASON"),
               ("phones", "PHONES"), ("by", "BY"))
    show(execute(data, "room.dialling", {"name": room}), as_json, table(columns, "this room has called nobody"))


@app.command()
def undial(
    room: RoomArgument,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="as room dialled lists it")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call somebody no longer who has not answered yet. Example: confero room undial daily 3"""
    show(execute(data, "room.dialled", {"name": room, "dial": number, "cancel": True}), as_json, _dialled)


@app.command()
def desktop(
    room: RoomArgument,
    viewer: Annotated[str | None, typer.Option("--viewer", metavar="NAME", help="how the owner is told who asks")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a ticket for a VNC viewer to the desktop that is shared. Example: confero room desktop daily"""
    show(execute(data, "room.desktop", {"name": room, "viewer": viewer}), as_json, _ticket)


@app.command()
def audit(
    room: RoomArgument,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="how many of the last")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what hosts and operators did to a room, and what was refused. Example: confero room audit daily"""
    columns = (("at", "WHEN"), ("actor", "WHO"), ("verb", "VERB"), ("target", "WHOM"), ("detail", "DETAIL"),
               ("refusal", "REFUSED"))
    show(execute(data, "room.audit", {"name": room, "limit": limit}), as_json, table(columns, "nothing was done to this room"))


@app.command()
def switches(room: RoomArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the settings of an open room, to be changed with set. Example: confero room switches daily"""
    shown = execute(data, "room.show", {"name": room})
    rows = [{"name": name, "value": shown.get("switches", {}).get(name), "takes": switch.takes, "help": switch.help}
            for name, switch in SWITCHES.items()]
    columns = (("name", "SETTING"), ("value", "VALUE"), ("takes", "TAKES"), ("help", "MEANING"))
    show(rows, as_json, table(columns, "no settings"))


def _dialled(done: Facts) -> str:
    words = {"looking-up": "the address is being looked up", "dialing-out": "being called", "alerting": "it rings",
             "answered": "answered", "busy": "busy", "declined": "declined", "no-answer": "no answer", "failed": "failed",
             "cancelled": "cancelled"}[done["state"]]
    why = f" ({done['status']} {done['reason']})" if done["status"] not in (0, 200) and done["reason"] else ""
    return f"{done['target']}: {words}{why}"


def _played(done: Facts) -> str:
    length = "" if done["duration_s"] is None else f" of {done['duration_s']:.0f}"
    where = f"{done['position_s']:.0f}{length} s, volume {done['volume']} %"
    return f"room {done['room']}: {done['what']}: {done['state']}, {where}"


def _recorded(done: Facts) -> str:
    words = {"recording": "is being recorded into", "paused": "is not recorded just now; the recording waits in",
             "stopped": "is no longer recorded; find it in"}
    return f"room {done['room']} {words[done['state']]} {done['folder']}"


def _ticket(done: Facts) -> str:
    return "\n".join((
        f"{done['owner']} is asked now whether {done['viewer']} may look or control. After that, once and within "
        f"{done['expires_s']} s:",
        f"  anywhere           xtigervncviewer -SecurityTypes=X509Plain -X509CA={done['certificate']} {done['address']}",
        f"                     user {done['user']}   password {done['password']}",
        f"  on this machine    xtigervncviewer -SecurityTypes=VncAuth {done['plain_address']}",
        f"                     password {done['plain_password']}"))


def _created(room: Facts) -> str:
    pins = [f"{words} {room[key]}" for key, words in (("pin", "PIN"), ("host_pin", "host PIN")) if room[key] is not None]
    return ", ".join([f"room {room['name']}", *pins])


def _room(room: Facts) -> str:
    about = {key: value for key, value in room.items() if key not in ("people", "switches", "bans")}
    about["bans"] = ", ".join(room.get("bans", ())) or None
    return facts(about) + "\n" + table(PEOPLE, "nobody is in this room")(room["people"])


def _closed(done: Facts) -> str:
    return f"room {done['name']} is {'deleted' if done['is_deleted'] else 'closed'}; {people_words(done['count'])} left"


add_verbs(app)
