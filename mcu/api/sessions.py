"""Logging in and out at the page: `/api/v1/session`. The cookie is for this server alone and no script can read it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mcu.api.access import COOKIE, SESSION_S, Principal, Session
from mcu.api.desk import Desk, DeskOf, Facts
from mcu.api.routes import PROBLEMS

router = APIRouter(prefix="/api/v1", tags=["session"], responses=PROBLEMS)


class Login(BaseModel):
    """An account and its password."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(max_length=64)
    password: str = Field(max_length=512)


@router.post("/session")
async def log_in(login: Login, request: Request, response: Response, desk: DeskOf) -> Facts:
    """Begin a session: a cookie, and the secret that goes with each change (`X-CSRF-Token`)."""
    secret, session, principal = desk.access.log_in(request, login.user, login.password)
    response.set_cookie(COOKIE, secret, max_age=int(SESSION_S), path="/", httponly=True, samesite="strict",
                        secure=request.url.scheme == "https")
    return _facts(desk, session, principal)


@router.get("/session")
async def show_session(request: Request, desk: DeskOf) -> Facts:
    """Who is logged in here, and the secret of the session; `user` is null where nobody is."""
    session = desk.access.session_of(request)
    if session is None:
        return {"user": None}
    principal = desk.access.identify(request)
    return _facts(desk, session, principal)


@router.delete("/session")
async def log_out(request: Request, response: Response, desk: DeskOf) -> Facts:
    """End the session."""
    if desk.access.session_of(request) is not None:
        desk.access.identify(request)
        desk.access.log_out(request)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return {"ok": True}


def _facts(desk: Desk, session: Session, principal: Principal) -> Facts:
    return {"user": principal.name, "domain": desk.access.domain, "scope": principal.scope, "csrf": session.csrf}
