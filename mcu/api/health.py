"""`/healthz`, `/readyz` and `/metrics`: for whoever watches servers. The first two tell nobody anything but yes or no."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from mcu.api.desk import DeskOf, Reader
from mcu.api.metrics import CONTENT_TYPE, render

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def is_alive() -> dict[str, bool]:
    """The process is there and its loop turns."""
    return {"ok": True}


@router.get("/readyz", response_model=None)
async def is_ready(desk: DeskOf) -> Response:
    """Calls are taken: 200; the server is starting or stopping, or no media worker is up: 503."""
    ok = desk.is_ready()
    return JSONResponse({"ok": ok}, 200 if ok else 503)


@router.get("/metrics", response_model=None)
async def show_metrics(desk: DeskOf, who: Reader) -> Response:
    """Figures in the text format of Prometheus; any token will do."""
    return Response(render(desk), media_type=CONTENT_TYPE)
