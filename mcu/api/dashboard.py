"""The page at `/`, made of our own files: no build step, nothing from elsewhere (`default-src 'self'`), text put in as text."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parent / "page"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml"}
FILES = {path.name: path for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
"""What is given out; a name that is not here leads nowhere."""
router = APIRouter(include_in_schema=False)


@router.get("/", response_model=None)
async def show_page() -> Response:
    """The dashboard."""
    return _file("index.html")


@router.get("/docs", response_model=None)
async def show_routes() -> Response:
    """The routes of REST, as a page."""
    return _file("docs.html")


@router.get("/page/{name}", response_model=None)
async def show_file(name: str) -> Response:
    """A part of the page."""
    return _file(name)


def _file(name: str) -> Response:
    path = FILES.get(name)
    if path is None:
        raise HTTPException(404, "there is no such page")
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])
