"""The gallery: one canvas with a tile for each member, with picture or avatar, name, microphone, quality bars, ring.

Only tiles that differ from what is drawn are touched. Each tile keeps one `PhotoImage` for life, into which `show_picture` puts
the pixels of each new video frame.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageTk

from softphone.model import Meeting, Member
from softphone.ui import drawing, layout
from softphone.ui.layout import Box
from softphone.ui.theme import Look, avatar_colour, initials
from softphone.ui.voices import key_of
from softphone.ui.widgets import disc_picture, icon_picture
from softphone.ui.words import member_name, plain, strength

GAP = 12
RADIUS = 14
RING = 3
REST = "rest"
"""The key of the tile that says how many more there are."""


@dataclass(frozen=True, slots=True)
class Face:
    """All that a tile shows, its picture left out."""

    name: str
    avatar: str
    is_muted: bool = False
    is_talking: bool = False
    is_self: bool = False
    bars: int = 0
    note: str = ""


def faces_of(meeting: Meeting, talking: frozenset[str], tr: Callable[..., str]) -> dict[str, Face]:
    """What each member's tile shows, by key, in the roster's order."""
    return {key_of(m): _face(m, meeting, key_of(m) in talking, tr) for m in meeting.members}


def _face(member: Member, meeting: Meeting, is_talking: bool, tr: Callable[..., str]) -> Face:
    is_muted = meeting.is_muted if member.is_self else member.is_muted
    note = "" if member.status in ("connected", "") else tr(member.status.replace("-", " "))
    return Face(
        member_name(member, tr),
        plain(member.name or member.uri),
        is_muted,
        is_talking,
        member.is_self,
        strength(meeting.quality) if member.is_self else 0,
        note,
    )


def choose(faces: dict[str, Face], capacity: int, recent: list[str]) -> list[str]:
    """The keys to show when not all find room: who talked last is among them; the last place says how many more there are."""
    if len(faces) <= capacity:
        return list(faces)
    places = max(1, capacity - 1)
    wanted = [key for key in recent if key in faces][:places]
    for key in faces:
        if len(wanted) >= places:
            break
        if key not in wanted:
            wanted.append(key)
    shown = [key for key in faces if key in set(wanted)]
    return [*shown, REST] if capacity > 1 else shown


class Gallery(tk.Canvas):
    """The canvas of tiles. `is_speaker_view` shows one member large and the others in a strip."""

    def __init__(self, master: tk.Misc, look: Look) -> None:
        super().__init__(master, bg=look.palette.window, bd=0, highlightthickness=0, width=1, height=1)
        self.look = look
        self.is_speaker_view = False
        self.faces: dict[str, Face] = {}
        self.boxes: dict[str, Box] = {}
        self._all: dict[str, Face] = {}
        self._latest = ""
        self._recent: list[str] = []
        self._shapes: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self._pictures: dict[str, ImageTk.PhotoImage] = {}
        self.bind("<Configure>", lambda _event: self._lay_out())

    def show(self, faces: dict[str, Face], latest: str) -> None:
        """Show these members. latest: the key of who talked last."""
        if latest and (not self._recent or self._recent[0] != latest):
            self._recent = [latest, *(key for key in self._recent if key != latest)][:50]
        if list(faces) != list(self._all) or (latest != self._latest and (self.is_speaker_view or REST in self.boxes)):
            self._all, self._latest = faces, latest
            self._pictures = {key: picture for key, picture in self._pictures.items() if key in faces}
            self._lay_out()
            return
        self._all, self._latest = faces, latest
        for key, face in faces.items():
            if key in self.boxes and self.faces.get(key) != face:
                self._draw_tile(key, face)

    def set_speaker_view(self, is_on: bool) -> None:
        """One large member and a strip (True), or all alike (False)."""
        self.is_speaker_view = is_on
        self._lay_out()

    def show_picture(self, key: str, rgb: npt.NDArray[np.uint8] | None) -> None:
        """Put a frame into a member's tile. rgb: shape (height, width, 3), not kept after the return; None for no picture."""
        if key not in self.boxes or key == REST:
            return
        if rgb is None:
            if self._pictures.pop(key, None) is not None:
                self._draw_tile(key, self.faces[key])
            return
        box = self.boxes[key]
        image = drawing.cover(Image.fromarray(rgb), box.width, box.height)
        known = self._pictures.get(key)
        if known is not None and (known.width(), known.height()) == image.size:
            known.paste(image)
            return
        self._pictures[key] = ImageTk.PhotoImage(image, master=self)
        self._draw_tile(key, self.faces[key])

    def _lay_out(self) -> None:
        width, height, gap = self.winfo_width(), self.winfo_height(), self.look.px(GAP)
        self.delete("all")
        self.faces, self.boxes, self._shapes = {}, {}, {}
        if width <= 1 or not self._all:
            return
        if self.is_speaker_view:
            others = [key for key in self._all if key != "self"]
            first = self._latest if self._latest in self._all else (others or list(self._all))[0]
            keys = [first, *(key for key in self._all if key != first)]
            boxes = layout.speaker_view(len(keys), width, height, gap)
        else:
            keys = choose(self._all, layout.gallery_capacity(width, height, gap, self.look.scale), self._recent)
            boxes = layout.gallery(len(keys), width, height, gap)
        self.boxes = dict(zip(keys, boxes, strict=False))
        for key in self.boxes:
            self._draw_tile(key, self._all[key] if key != REST else self._rest())

    def _rest(self) -> Face:
        hidden = len(self._all) - sum(1 for key in self.boxes if key != REST)
        return Face(self.look.tr("{count} more", count=hidden), f"+{hidden}")

    def _draw_tile(self, key: str, face: Face) -> None:
        box, tag = self.boxes[key], f"tile:{key}"
        self.delete(tag)
        self.faces[key] = face
        picture = self._pictures.get(key)
        if picture is not None:
            middle = (box.left + box.width // 2, box.top + box.height // 2)
            self.create_image(*middle, image=picture, tags=(tag, f"picture:{key}"))
        else:
            self.create_image(box.left, box.top, anchor="nw", image=self._tile_shape(box), tags=tag)
            self._draw_avatar(box, tag, face, key)
        ring = self.look.palette.ring if face.is_talking else ""
        if ring or picture is not None:
            tags = (tag, f"ring:{key}") if ring else (tag,)
            self.create_image(box.left, box.top, anchor="nw", image=self._frame_shape(box, ring), tags=tags)
        self._draw_name(box, tag, face, key)
        if face.bars and box.width >= self.look.px(150):
            self._draw_bars(box, tag, face.bars)

    def _draw_avatar(self, box: Box, tag: str, face: Face, key: str) -> None:
        look, px = self.look, self.look.px
        diameter = max(px(30), min(px(150), round(min(box.width, box.height) * 0.42)))
        x, y = box.left + box.width // 2, box.top + box.height // 2 - (px(8) if box.height < px(150) else 0)
        colour = look.palette.raised if key == REST else avatar_colour(face.avatar)
        letters = face.avatar if key == REST else initials(face.avatar)
        ink = look.palette.text if key == REST else look.palette.on_colour
        self.create_image(x, y, image=disc_picture(look, diameter, colour), tags=tag)
        font = look.font(diameter / look.scale * 0.37, True)
        self.create_text(x, y, text=letters, font=font, fill=ink, tags=(tag, f"initials:{key}"))
        if face.note and box.height >= px(150):
            self.create_text(
                x, y + diameter // 2 + px(20), text=face.note, font=look.font(13), fill=look.palette.muted, tags=tag
            )

    def _draw_name(self, box: Box, tag: str, face: Face, key: str) -> None:
        look, px = self.look, self.look.px
        font = look.font(13.5)
        icon = "" if key == REST else "mic_solid_off" if face.is_muted else "mic_solid"
        before = px(30) if icon else px(10)
        bars = px(50) if face.bars and box.width >= px(150) else 0
        text = look.elide(face.name, font, box.width - before - px(32) - bars)
        width, height = before + font.measure(text) + px(11), px(28)
        left, top = box.left + px(10), box.top + box.height - height - px(10)
        alpha = 165 if look.palette.is_dark else 150
        self.create_image(
            left,
            top,
            anchor="nw",
            tags=tag,
            image=look.picture(("pill", width, height, alpha), lambda: drawing.rounded(width, height, px(8), (0, 0, 0, alpha))),
        )
        if icon:
            colour = "#ff5a5f" if face.is_muted else "#ffffff"
            self.create_image(
                left + px(16),
                top + height // 2,
                image=icon_picture(look, icon, px(17), colour),
                tags=(tag, f"{'muted' if face.is_muted else 'open'}:{key}"),
            )
        self.create_text(
            left + before, top + height // 2, anchor="w", text=text, font=font, fill="#ffffff", tags=(tag, f"name:{key}")
        )

    def _draw_bars(self, box: Box, tag: str, count: int) -> None:
        look, px = self.look, self.look.px
        colour = look.palette.ring if count >= 3 else look.palette.warning if count == 2 else look.palette.danger
        picture = look.picture(
            ("bars", count, colour),
            lambda: drawing.bars(px(18), count, drawing.rgba(colour), drawing.rgba(look.palette.muted, 130)),
        )
        self.create_image(box.left + box.width - px(14), box.top + box.height - px(14), anchor="se", image=picture, tags=tag)

    def _tile_shape(self, box: Box) -> Any:
        colour, radius = self.look.palette.tile, self.look.px(RADIUS)
        return self._shape(
            ("tile", box.width, box.height), lambda: drawing.rounded(box.width, box.height, radius, drawing.rgba(colour))
        )

    def _frame_shape(self, box: Box, ring: str) -> Any:
        look = self.look
        return self._shape(
            ("frame", box.width, box.height, ring),
            lambda: drawing.frame(
                box.width,
                box.height,
                look.px(RADIUS),
                drawing.rgba(look.palette.window),
                drawing.rgba(ring) if ring else None,
                look.px(RING),
            ),
        )

    def _shape(self, key: tuple[object, ...], make: Callable[[], Image.Image]) -> ImageTk.PhotoImage:
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = ImageTk.PhotoImage(make(), master=self)
        return found
