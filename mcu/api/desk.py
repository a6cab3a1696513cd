"""What the HTTP side knows of the server: the verbs, who may use them, what happens, and the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from mcu.administration import Administration
from mcu.api.access import Access, Denied, Principal
from mcu.bus import Bus

Facts = dict[str, Any]


@dataclass(slots=True)
class Desk:
    """is_ready: whether calls are taken just now; figures: more metrics, by name; version: of the program."""

    administration: Administration
    access: Access
    bus: Bus
    is_ready: Callable[[], bool]
    version: str = "0.1.0"
    figures: dict[str, Callable[[], float]] = field(default_factory=dict)


def desk_of(request: Request) -> Desk:
    """The desk of the application that a request came to."""
    desk: Desk = request.app.state.desk
    return desk


def anybody(request: Request) -> Principal:
    """Whoever has proved who they are. Raises Denied."""
    return desk_of(request).access.identify(request)


def reader(principal: Annotated[Principal, Depends(anybody)]) -> Principal:
    """Who may see everything. Raises Denied."""
    if principal.scope == "owner":
        raise Denied(403, f"{principal.name} is no administrator")
    return principal


def administrator(principal: Annotated[Principal, Depends(anybody)]) -> Principal:
    """Who may change everything. Raises Denied."""
    if principal.scope != "admin":
        words = "this token may only read" if principal.scope == "read" else f"{principal.name} is no administrator"
        raise Denied(403, words)
    return principal


def room_reader(room: str, request: Request, principal: Annotated[Principal, Depends(anybody)]) -> Principal:
    """Who may see a room: everybody but accounts that do not own it. Raises Denied."""
    if principal.scope == "owner" and not owns(desk_of(request), principal, room):
        raise Denied(403, f"{principal.name} does not own that room")
    return principal


def room_master(request: Request, principal: Annotated[Principal, Depends(room_reader)]) -> Principal:
    """Who may run a room: its owner, or an administrator. Raises Denied."""
    if principal.scope == "read":
        raise Denied(403, "this token may only read")
    return principal


def owns(desk: Desk, principal: Principal, room: str) -> bool:
    """Whether a room belongs to an account."""
    return desk.administration.owner_of(room) == principal.name


DeskOf = Annotated[Desk, Depends(desk_of)]
Anybody = Annotated[Principal, Depends(anybody)]
Reader = Annotated[Principal, Depends(reader)]
Administrator = Annotated[Principal, Depends(administrator)]
RoomReader = Annotated[Principal, Depends(room_reader)]
RoomMaster = Annotated[Principal, Depends(room_master)]
