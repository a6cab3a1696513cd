"""The REST API under `/api/v1`: each route is a verb of `mcu.administration`, with its arguments as a body of JSON.

Errors are `{"error": "words"}`: 401 who are you, 403 you may not, 404 not there, 409 not now, 422 that makes no sense.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from mcu.api.desk import Administrator, Anybody, Desk, DeskOf, Facts, Reader, RoomMaster, RoomReader, owns
from mcu.verbs import VERBS

Listing = list[Facts]


class Problem(BaseModel):
    """Why a request was not done."""

    error: str


class NewRoom(BaseModel):
    """A permanent room. A PIN "auto" is made up."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    pin: str | None = Field(None, max_length=12)
    host_pin: str | None = Field(None, max_length=12)
    lobby: bool = False
    max_members: int | None = Field(None, ge=1, le=10_000)
    owner: str | None = Field(None, max_length=64)
    srtp: str | None = Field(None, max_length=16)


class NewUser(BaseModel):
    """An account. Without a password one is made, and shown once."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    password: str | None = Field(None, max_length=128)
    display_name: str | None = Field(None, max_length=128)
    digest: str | None = Field(None, max_length=16)
    admin: bool = False
    srtp: str | None = Field(None, max_length=16)


class NewPassword(BaseModel):
    """Another password. Without one it is made, and shown once."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = Field(None, max_length=128)
    digest: str | None = Field(None, max_length=16)


class NewToken(BaseModel):
    """A token for programs; it is in the answer, and nowhere else. days: how long it is good for."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    scope: str = Field("read", max_length=16)
    days: int | None = Field(None, ge=1, le=36500)


class Target(BaseModel):
    """Whom to call: a user of this server, or a SIP URI."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(max_length=512)


class Viewer(BaseModel):
    """Whose viewer it is, as the others read it."""

    model_config = ConfigDict(extra="forbid")

    viewer: str | None = Field(None, max_length=64)


class Action(BaseModel):
    """Begin or end: "start" or "stop"."""

    model_config = ConfigDict(extra="forbid")

    action: str = Field(max_length=16)


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Who are you?"}, 403: {"model": Problem, "description": "You may not."},
    404: {"model": Problem, "description": "It is not there."}, 409: {"model": Problem, "description": "Not just now."},
    422: {"model": Problem, "description": "That makes no sense."}, 429: {"model": Problem, "description": "Too often."},
}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


def run(desk: Desk, verb: str, **arguments: Any) -> Any:
    """Carry out a verb; what is None is left away. Raises CommandError."""
    return desk.administration.execute(verb, {key: value for key, value in arguments.items() if value is not None})


async def settle(desk: Desk, is_needed: bool = True) -> None:
    """Wait, beside the loop, until what was written behind can be read: the disk may be slow."""
    if is_needed:
        await asyncio.to_thread(desk.administration.settle)


# ---- looking


@router.get("/server", tags=["server"])
async def show_server(desk: DeskOf, who: Reader) -> Facts:
    """How much the server holds just now, what it counted, and its media workers."""
    return {"version": desk.version, **run(desk, "server.show")}


@router.get("/rooms", tags=["rooms"])
async def list_rooms(desk: DeskOf, who: Anybody) -> Listing:
    """The rooms, permanent and open ones; an account that is no administrator gets those that it owns."""
    rooms: Listing = run(desk, "room.list")
    return rooms if who.scope != "owner" else [room for room in rooms if owns(desk, who, room["name"])]


@router.get("/rooms/{room}", tags=["rooms"])
async def show_room(room: str, desk: DeskOf, who: RoomReader) -> Facts:
    """A room with its people; its PINs are shown to who may run it."""
    facts: Facts = run(desk, "room.show", name=room)
    return facts if who.scope != "read" else {key: value for key, value in facts.items() if key not in ("pin", "host_pin")}


@router.get("/rooms/{room}/people", tags=["rooms"])
async def list_people(room: str, desk: DeskOf, who: RoomReader) -> Listing:
    """Who is in a room, with the figures of their media."""
    people: Listing = run(desk, "room.people", name=room)
    return people


@router.get("/verbs", tags=["rooms"])
async def list_verbs(desk: DeskOf, who: Anybody) -> Listing:
    """What can be done to a meeting: name, arguments, keypad, text, and help in two languages."""
    return [{"name": verb.name, "arguments": [asdict(argument) for argument in verb.arguments], "keypad": verb.keypad,
             "chat": verb.chat, "help": verb.help, "help_zh": verb.help_zh} for verb in VERBS.values()]


@router.get("/rooms/{room}/audit", tags=["rooms"])
async def show_audit(room: str, desk: DeskOf, who: RoomMaster, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Listing:
    """What was done to a room, or was refused, by whom: the newest first."""
    await settle(desk)
    records: Listing = run(desk, "room.audit", name=room, limit=limit)
    return records


@router.get("/audit", tags=["server"])
async def show_whole_audit(desk: DeskOf, who: Administrator, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Listing:
    """The same for all rooms."""
    await settle(desk)
    records: Listing = run(desk, "room.audit", limit=limit)
    return records


@router.get("/recordings", tags=["rooms"])
async def list_recordings(desk: DeskOf, who: Reader) -> Listing:
    """The recordings that there are, newest first, with their files on the server."""
    recordings: Listing = run(desk, "recordings.list")
    return recordings


@router.get("/calls", tags=["calls"])
async def list_calls(desk: DeskOf, who: Reader, all: bool = False,
                     limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Listing:
    """The running calls; with `all` the last ones that have ended, too."""
    await settle(desk, all)
    calls: Listing = run(desk, "call.list", all=all, limit=limit)
    return calls


@router.get("/calls/{call_id}", tags=["calls"])
async def show_call(call_id: str, desk: DeskOf, who: Reader) -> Facts:
    """A call, running or ended."""
    await settle(desk)
    facts: Facts = run(desk, "call.show", call_id=call_id)
    return facts


@router.get("/registrations", tags=["server"])
async def list_registrations(desk: DeskOf, who: Reader) -> Listing:
    """The phones that are registered, and the server's own registrations at providers."""
    found: Listing = run(desk, "reg.list")
    return found


@router.get("/users", tags=["users"])
async def list_users(desk: DeskOf, who: Reader) -> Listing:
    """The accounts, without anything that is secret."""
    users: Listing = run(desk, "user.list")
    return users


# ---- changing


@router.post("/rooms", status_code=201, tags=["rooms"])
async def create_room(room: NewRoom, desk: DeskOf, who: Administrator) -> Facts:
    """Make a permanent room."""
    facts: Facts = run(desk, "room.create", **room.model_dump())
    return facts


@router.delete("/rooms/{room}", tags=["rooms"])
async def delete_room(room: str, desk: DeskOf, who: Administrator) -> Facts:
    """End a room for all, and forget it."""
    facts: Facts = run(desk, "room.close", name=room, delete=True)
    return facts


@router.post("/rooms/{room}/dial", tags=["rooms"])
async def dial(room: str, target: Target, desk: DeskOf, who: Administrator) -> Facts:
    """Call a user's phones, or a SIP URI, into a room; how many phones ring."""
    facts: Facts = desk.administration.execute("room.dial", {"name": room, "target": target.target}, who.actor)
    return facts


@router.get("/rooms/{room}/dialled", tags=["rooms"])
async def list_dialled(room: str, desk: DeskOf, who: RoomReader) -> Listing:
    """Who was called into a room, and what became of it."""
    entries: Listing = run(desk, "room.dialling", name=room)
    return entries


@router.delete("/rooms/{room}/dialled/{dial_id}", tags=["rooms"])
async def cancel_dialled(room: str, dial_id: int, desk: DeskOf, who: RoomMaster) -> Facts:
    """Call somebody no more."""
    facts: Facts = desk.administration.execute("room.dialled", {"name": room, "dial": dial_id, "cancel": True}, who.actor)
    return facts


@router.post("/rooms/{room}/desktop", tags=["rooms"])
async def admit_to_desktop(room: str, viewer: Viewer, desk: DeskOf, who: Administrator) -> Facts:
    """Let a stock VNC viewer look at the desktop that is shared: where, and the ticket that lets it in."""
    facts: Facts = desk.administration.execute("room.desktop", {"name": room, "viewer": viewer.viewer}, who.actor)
    return facts


@router.post("/rooms/{room}/capture", tags=["rooms"])
async def capture_room(room: str, action: Action, desk: DeskOf, who: Administrator) -> Facts:
    """Write a room for Wireshark, or end that."""
    facts: Facts = run(desk, "room.capture", name=room, action=action.action)
    return facts


@router.post("/calls/{call_id}/hangup", tags=["calls"])
async def hang_up(call_id: str, desk: DeskOf, who: Administrator) -> Facts:
    """End a call."""
    facts: Facts = run(desk, "call.hangup", call_id=call_id)
    return facts


@router.post("/calls/{call_id}/capture", tags=["calls"])
async def capture_call(call_id: str, action: Action, desk: DeskOf, who: Administrator) -> Facts:
    """Write a call for Wireshark, or end that."""
    facts: Facts = run(desk, "call.capture", call_id=call_id, action=action.action)
    return facts


@router.post("/users", status_code=201, tags=["users"])
async def add_user(user: NewUser, desk: DeskOf, who: Administrator) -> Facts:
    """Make an account; its password is in the answer, and nowhere else."""
    facts: Facts = run(desk, "user.add", **user.model_dump())
    return facts


@router.post("/users/{name}/password", tags=["users"])
async def change_password(name: str, password: NewPassword, desk: DeskOf, who: Administrator) -> Facts:
    """Change a password."""
    facts: Facts = run(desk, "user.passwd", name=name, **password.model_dump())
    return facts


@router.delete("/users/{name}", tags=["users"])
async def delete_user(name: str, desk: DeskOf, who: Administrator) -> Facts:
    """Delete an account; its phones and calls are cut off."""
    facts: Facts = run(desk, "user.del", name=name)
    return facts


@router.get("/tokens", tags=["tokens"])
async def list_tokens(desk: DeskOf, who: Administrator) -> Listing:
    """The tokens by name and scope."""
    tokens: Listing = run(desk, "token.list")
    return tokens


@router.post("/tokens", status_code=201, tags=["tokens"])
async def add_token(token: NewToken, desk: DeskOf, who: Administrator) -> Facts:
    """Make a token."""
    facts: Facts = run(desk, "token.add", **token.model_dump())
    return facts


@router.delete("/tokens/{name}", tags=["tokens"])
async def delete_token(name: str, desk: DeskOf, who: Administrator) -> Facts:
    """Delete a token; it is refused from now on."""
    facts: Facts = run(desk, "token.del", name=name)
    return facts
