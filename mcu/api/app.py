"""The application behind the HTTP port: the REST API, health, metrics, the event feed, and the page at `/`.

Everything runs on the server's own loop, as the control socket does: a verb takes what it takes, and between two of them the
loop is free. Who is slow to send or to read waits in a task of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from mcu.api import dashboard, events, health, routes, sessions, verb_routes
from mcu.api.access import Denied
from mcu.api.desk import Desk
from mcu.api.limits import Limits
from mcu.errors import CommandError, ForbiddenError, McuError, UnknownError, UsageError

log = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[McuError], int], ...] = (
    (UsageError, 422), (UnknownError, 404), (ForbiddenError, 403), (CommandError, 409), (McuError, 503),
)
"""The first class that an error is one of gives the status."""


def make_app(desk: Desk) -> ASGIApp:
    """The application, with its limits around it."""
    return Limits(make_api(desk))


def make_api(desk: Desk | None) -> FastAPI:
    """The application without its limits: it has the OpenAPI document, also without a desk."""
    app = FastAPI(title="Confero", version="1", docs_url=None, redoc_url=None,
                  description="Rooms, people, calls and accounts of a Confero server.")
    app.state.desk = desk
    for router in (sessions.router, routes.router, verb_routes.router, health.router, events.router, dashboard.router):
        app.include_router(router)
    app.add_exception_handler(Denied, _denied)
    app.add_exception_handler(McuError, _failed)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _crashed)
    return app


def status_of(error: McuError) -> int:
    """The HTTP status of an error in words."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def _problem(status: int, words: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    answer = JSONResponse({"error": words}, status)
    for name, value in headers:
        answer.headers.append(name, value)
    return answer


def _denied(request: Request, error: Exception) -> Response:
    assert isinstance(error, Denied)
    return _problem(error.status, error.reason, error.headers)


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, McuError)
    return _problem(status_of(error), str(error))


def _misunderstood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return _problem(422, f"{place}: {first['msg']}" if place else str(first["msg"]))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, str(error.detail), (error.headers or {}).items())


def _crashed(request: Request, error: Exception) -> Response:
    log.error("a request failed", extra={"path": request.url.path})
    return _problem(500, "the request failed in the server; its log says more")
