"""A route for each verb of a meeting (`mcu.verbs`): `POST /api/v1/rooms/{room}/VERB`, its arguments as members of the body."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import ConfigDict, Field, create_model

from mcu.api.access import Principal
from mcu.api.desk import Desk, DeskOf, Facts, RoomMaster
from mcu.api.routes import PROBLEMS
from mcu.errors import ForbiddenError
from mcu.verbs import VERBS, Argument, Verb

router = APIRouter(prefix="/api/v1", tags=["verbs"], responses=PROBLEMS)


def add_route(verb: Verb) -> None:
    """Add the route of a verb, with a model of its arguments."""
    fields: dict[str, Any] = {argument.name: _field(argument) for argument in verb.arguments}
    body = create_model("".join(word.capitalize() for word in verb.name.split("-")), __config__=ConfigDict(extra="forbid"),
                        __doc__=verb.help, **fields)

    async def carry_out(room: str, order: Any, desk: DeskOf, who: RoomMaster) -> Facts:
        arguments = order.model_dump(exclude_none=True)
        check_reach(desk, who, verb.name, arguments)
        facts: Facts = desk.administration.execute(f"room.{verb.name}", {**arguments, "name": room}, who.actor)
        return facts

    is_needed = any(argument.is_required for argument in verb.arguments)
    carry_out.__annotations__["order"] = body if is_needed else Annotated[body, Body(default_factory=body)]
    router.add_api_route(f"/rooms/{{room}}/{verb.name}", carry_out, methods=["POST"], name=verb.name, response_model=None,
                         description=f"{verb.help[0].upper()}{verb.help[1:]}.")


def check_reach(desk: Desk, who: Principal, verb: str, arguments: Facts) -> None:
    """The operator at the machine plays any file and calls anywhere; from afar that is less. Raises ForbiddenError."""
    if verb == "play" and PurePosixPath(str(arguments["what"]).strip()).is_absolute():
        raise ForbiddenError("from here only what lies in the media folder can be played")
    if verb == "invite" and who.scope != "admin" and not desk.administration.is_user(str(arguments["uri"])):
        raise ForbiddenError("only an administrator calls anybody but the users of this server")


def _field(argument: Argument) -> tuple[Any, Any]:
    kind: Any = Literal[argument.choices] if argument.choices else Annotated[str, Field(max_length=argument.most)]
    about = Field(..., description=argument.help) if argument.is_required else Field(None, description=argument.help)
    return (kind if argument.is_required else kind | None), about


for _verb in VERBS.values():
    add_route(_verb)
