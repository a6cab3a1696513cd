"""What the folder of recordings holds, by the JSON files in it: light, for the command line too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = "recordings"
"""The folder's name within the data folder."""
MAX_LISTED = 1000

Facts = dict[str, Any]


def listed(folder: Path) -> list[tuple[Path, Facts]]:
    """What the folder of recordings holds, newest first."""
    try:
        folders = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [(one, _read(one)) for one in folders[:MAX_LISTED]]


def _read(folder: Path) -> Facts:
    parts = []
    for file in sorted(folder.glob("recording*.json")):
        try:
            part = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(part, dict):
            parts.append(part)
    first = min(parts, key=lambda part: part.get("part", 1), default={})
    is_complete = bool(parts) and max(parts, key=lambda part: part.get("part", 1)).get("ended_at") is not None
    return {"room": first.get("room", ""), "state": "complete" if is_complete else "broken off", "folder": str(folder),
            "begun_at": first.get("begun_at"), "by": first.get("by", ""),
            "seconds": round(sum(part.get("seconds", 0) for part in parts), 2), "parts": len(parts),
            "files": [track["file"] for part in parts for track in part.get("tracks", []) if track.get("file")]}
