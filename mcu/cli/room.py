"""`confero room`: permanent rooms, and what goes on in the rooms that are open."""

from __future__ import annotations

from typing import Annotated

import typer

from mcu.cli.client import execute
from mcu.cli.options import CaptureAction, DataOption, JsonOption, SrtpOption, make_group
from mcu.cli.output import Facts, capture_words, facts, show, table
from mcu.cli.room_verbs import add_verbs, people_words
from mcu.policy import SWITCHES

app = make_group("Rooms: make them, look into them, close them.")

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
def dial(
    room: RoomArgument,
    target: Annotated[str, typer.Argument(metavar="URI", help="a user of this server, or sip:NAME@ADDRESS")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call somebody into a room. Example: confero room dial daily alice"""
    show(execute(data, "room.dial", {"name": room, "target": target}), as_json, _dialled)


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
    return f"{done['count']} {'phone rings' if done['count'] == 1 else 'phones ring'} for room {done['name']}"


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
