"""The gallery: one canvas with a tile for each member, with picture or avatar, name, microphone, quality bars, ring.

Only tiles that differ from what is drawn are touched. Each tile keeps one `PhotoImage` for life, into which `show_picture` puts
the pixels of each new video frame; what lies over a picture is put into them (`softphone.ui.overlay`), the name alone is text.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageTk

from softphone.board import STAGE, Place
from softphone.ui import drawing, layout
from softphone.ui.faces import REST, Face, choose
from softphone.ui.layout import Box
from softphone.ui.overlay import PILL_HEIGHT, RADIUS, RING, Overlay, bars_image, tile_overlay
from softphone.ui.theme import Look, avatar_colour, initials
from softphone.ui.widgets import disc_picture, icon_picture

GAP = 12
BARS_FROM = 150
"""A tile of this width and more has room for bars."""
Rgb = npt.NDArray[np.uint8]


class Gallery(tk.Canvas):
    """The canvas of tiles. `is_speaker_view` shows one member large and the others in a strip; so does `pinned`, the key of who
    is to be the large one, empty for nobody; so does a host's spotlight. on_click: gets the key of a tile that was clicked."""

    def __init__(self, master: tk.Misc, look: Look, on_click: Callable[[str], None] = lambda key: None) -> None:
        super().__init__(master, bg=look.palette.window, bd=0, highlightthickness=0, width=1, height=1)
        self.look = look
        self.is_speaker_view = False
        self.pinned = ""
        self.faces: dict[str, Face] = {}
        self.boxes: dict[str, Box] = {}
        self._all: dict[str, Face] = {}
        self._latest = ""
        self._recent: list[str] = []
        self._shapes: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self._pictures: dict[str, ImageTk.PhotoImage] = {}
        self._raw: dict[str, Rgb] = {}
        self._overlays: dict[str, tuple[object, Overlay]] = {}
        self.bind("<Configure>", lambda _event: self._lay_out())
        self.bind("<Button-1>", lambda event: self._clicked(event.x, event.y, on_click))

    def show(self, faces: dict[str, Face], latest: str) -> None:
        """Show these members. latest: the key of who talked last."""
        if latest and (not self._recent or self._recent[0] != latest):
            self._recent = [latest, *(key for key in self._recent if key != latest)][:50]
        has_large = self.is_speaker_view and not self.pinned
        is_moved = list(faces) != list(self._all) or _spotlit(faces) != _spotlit(self._all)
        if is_moved or (latest != self._latest and (has_large or REST in self.boxes)):
            self._all, self._latest = faces, latest
            for known in (self._pictures, self._raw, self._overlays):
                for key in [key for key in known if key not in faces]:
                    del known[key]
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

    def pin(self, key: str) -> None:
        """Show this member large, whoever speaks; again, or nobody: no more."""
        self.pinned = "" if key == self.pinned else key
        self._lay_out()

    def places(self) -> dict[str, Place]:
        """Where pictures would be seen now."""
        return {key: Place(box.width, box.height, key == STAGE) for key, box in self.boxes.items() if key != REST}

    def show_picture(self, key: str, rgb: Rgb | None) -> None:
        """Put a frame into a member's tile. rgb: shape (height, width, 3), not changed; None for no picture."""
        if key not in self.boxes or key == REST:
            return
        if rgb is None:
            self._raw.pop(key, None)
            if self._pictures.pop(key, None) is not None:
                self._draw_tile(key, self.faces[key])
            return
        box = self.boxes[key]
        if rgb.shape[:2] != (box.height, box.width):
            rgb = np.asarray(drawing.cover(Image.fromarray(rgb), box.width, box.height))
        self._raw[key] = rgb
        known = self._pictures.get(key)
        if known is not None and (known.width(), known.height()) == (box.width, box.height):
            known.paste(self._laid_over(key, box, self.faces[key]))
            return
        self._pictures[key] = ImageTk.PhotoImage(Image.new("RGB", (box.width, box.height)), master=self)
        self._draw_tile(key, self.faces[key])

    def _laid_over(self, key: str, box: Box, face: Face) -> Image.Image:
        """The newest picture of a tile with all that lies over it."""
        _, width = self._label_of(box, face, key)
        bars = face.bars if box.width >= self.look.px(BARS_FROM) else 0
        ring = self.look.palette.ring if face.is_talking else ""
        wanted = (box.width, box.height, ring, width, face.is_muted, bars)
        known = self._overlays.get(key)
        if known is None or known[0] != wanted:
            overlay = tile_overlay(self.look, box, ring=ring, pill_width=width, icon=_microphone(face, key), bars=bars)
            known = self._overlays[key] = (wanted, overlay)
        pixels = self._raw[key].copy()
        known[1].lay_over(pixels)
        return Image.fromarray(pixels)

    def _clicked(self, x: int, y: int, on_click: Callable[[str], None]) -> None:
        for key, box in self.boxes.items():
            if key != REST and 0 <= x - box.left < box.width and 0 <= y - box.top < box.height:
                on_click(key)
                return

    def _lay_out(self) -> None:
        width, height, gap = self.winfo_width(), self.winfo_height(), self.look.px(GAP)
        self.delete("all")
        self.faces, self.boxes, self._shapes = {}, {}, {}
        if width <= 1 or not self._all:
            return
        large = next((key for key in (self.pinned, STAGE, _spotlit(self._all)) if key in self._all), "")
        if large or self.is_speaker_view:
            others = [key for key in self._all if key != "self"]
            first = large or (self._latest if self._latest in self._all else (others or list(self._all))[0])
            keys = [first, *(key for key in self._all if key != first)]
            boxes = layout.speaker_view(len(keys), width, height, gap)
        else:
            keys = choose(self._all, layout.gallery_capacity(width, height, gap, self.look.scale), self._recent)
            boxes = layout.gallery(len(keys), width, height, gap)
        self.boxes = dict(zip(keys, boxes, strict=False))
        for key, box in self.boxes.items():
            picture = self._pictures.get(key)
            if picture is not None and (picture.width(), picture.height()) != (box.width, box.height):
                del self._pictures[key]
                raw = self._raw.pop(key)
                self.faces[key] = self._all[key]
                self.show_picture(key, raw)
            else:
                self._draw_tile(key, self._all[key] if key != REST else self._rest())

    def _rest(self) -> Face:
        hidden = len(self._all) - sum(1 for key in self.boxes if key != REST)
        return Face(self.look.tr("{count} more", count=hidden), f"+{hidden}")

    def _draw_tile(self, key: str, face: Face) -> None:
        box, tag = self.boxes[key], f"tile:{key}"
        self.delete(tag)
        self.faces[key] = face
        picture = self._pictures.get(key)
        ring = (f"ring:{key}",) if face.is_talking else ()
        state = f"{'muted' if face.is_muted else 'open'}:{key}"
        if picture is not None:
            picture.paste(self._laid_over(key, box, face))
            self.create_image(box.left, box.top, anchor="nw", image=picture, tags=(tag, f"picture:{key}", state, *ring))
            self._draw_name(box, tag, face, key)
            return
        self.create_image(box.left, box.top, anchor="nw", image=self._tile_shape(box), tags=tag)
        self._draw_avatar(box, tag, face, key)
        if ring:
            self.create_image(box.left, box.top, anchor="nw", image=self._ring_shape(box), tags=(tag, *ring))
        self._draw_ground(box, tag, face, key)
        self._draw_name(box, tag, face, key)
        if face.bars and box.width >= self.look.px(BARS_FROM):
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

    def _label_of(self, box: Box, face: Face, key: str) -> tuple[str, int]:
        """The name as it finds room, and the width of its ground."""
        look, px = self.look, self.look.px
        font = look.font(13.5)
        before = px(30) if _microphone(face, key) else px(10)
        bars = px(50) if face.bars and box.width >= px(BARS_FROM) else 0
        text = look.elide(face.name, font, box.width - before - px(32) - bars)
        return text, before + font.measure(text) + px(11)

    def _draw_ground(self, box: Box, tag: str, face: Face, key: str) -> None:
        look, px = self.look, self.look.px
        (_, width), height = self._label_of(box, face, key), px(PILL_HEIGHT)
        left, top = box.left + px(10), box.top + box.height - height - px(10)
        alpha = 165 if look.palette.is_dark else 150
        pill = look.picture(("pill", width, height, alpha), lambda: drawing.rounded(width, height, px(8), (0, 0, 0, alpha)))
        self.create_image(left, top, anchor="nw", tags=tag, image=pill)
        icon = _microphone(face, key)
        if icon is not None:
            self.create_image(
                left + px(16),
                top + height // 2,
                image=icon_picture(look, icon[0], px(17), icon[1]),
                tags=(tag, f"{'muted' if face.is_muted else 'open'}:{key}"),
            )

    def _draw_name(self, box: Box, tag: str, face: Face, key: str) -> None:
        look, px = self.look, self.look.px
        text, _ = self._label_of(box, face, key)
        left = box.left + px(10) + (px(30) if _microphone(face, key) else px(10))
        middle = box.top + box.height - px(10) - px(PILL_HEIGHT) // 2
        self.create_text(
            left, middle, anchor="w", text=text, font=look.font(13.5), fill="#ffffff", tags=(tag, f"name:{key}")
        )

    def _draw_bars(self, box: Box, tag: str, count: int) -> None:
        px = self.look.px
        picture = self.look.picture(("bars", count, self.look.palette.is_dark), lambda: bars_image(self.look, count))
        self.create_image(box.left + box.width - px(14), box.top + box.height - px(14), anchor="se", image=picture, tags=tag)

    def _tile_shape(self, box: Box) -> Any:
        colour, radius = self.look.palette.tile, self.look.px(RADIUS)
        return self._shape(
            ("tile", box.width, box.height), lambda: drawing.rounded(box.width, box.height, radius, drawing.rgba(colour))
        )

    def _ring_shape(self, box: Box) -> Any:
        look, outside = self.look, drawing.rgba(self.look.palette.window)
        ring = drawing.rgba(look.palette.ring)
        return self._shape(
            ("ring", box.width, box.height),
            lambda: drawing.frame(box.width, box.height, look.px(RADIUS), outside, ring, look.px(RING)),
        )

    def _shape(self, key: tuple[object, ...], make: Callable[[], Image.Image]) -> ImageTk.PhotoImage:
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = ImageTk.PhotoImage(make(), master=self)
        return found


def _spotlit(faces: dict[str, Face]) -> str:
    """The key of who is in the host's spotlight; ourselves we need not see large."""
    return next((key for key, face in faces.items() if face.is_spotlit and not face.is_self), "")


def _microphone(face: Face, key: str) -> tuple[str, str] | None:
    """(icon, colour) of a tile's microphone; None where there is none."""
    if key in (REST, STAGE):
        return None
    return ("mic_solid_off", "#ff5a5f") if face.is_muted else ("mic_solid", "#ffffff")
