"""The own picture before joining: what the others will see, mirrored as in a looking glass; while it is off, why it is dark."""

from __future__ import annotations

import tkinter as tk

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageTk

from softphone.board import SELF, PictureBoard, Place
from softphone.ui import drawing
from softphone.ui.overlay import RADIUS, Overlay
from softphone.ui.theme import Look
from softphone.ui.widgets import background_of, icon_picture


class Preview(tk.Canvas):
    """A picture of 16:9. width: in units of scale 1. shown: how many pictures it has shown."""

    def __init__(self, master: tk.Misc, look: Look, width: int) -> None:
        self.look = look
        self.shown = 0
        self._size = (look.px(width), look.px(width * 9 / 16))
        self._image: ImageTk.PhotoImage | None = None
        super().__init__(master, bg=background_of(master), bd=0, highlightthickness=0, width=self._size[0],
                         height=self._size[1])
        ground = drawing.rounded(*self._size, look.px(RADIUS), drawing.rgba(look.palette.tile))
        self._ground = ImageTk.PhotoImage(ground, master=self)
        edge = drawing.frame(*self._size, look.px(RADIUS), drawing.rgba(look.palette.panel))
        self._edge = Overlay(edge)
        self._draw()

    def watch(self, board: PictureBoard, is_seen: bool) -> None:
        """Show what is new of the own picture. is_seen: whether this is on the screen."""
        board.want({SELF: Place(*self._size)} if is_seen else {})
        fresh = board.take()
        if SELF in fresh:
            self._show(fresh[SELF])

    def _show(self, rgb: npt.NDArray[np.uint8] | None) -> None:
        if rgb is None or rgb.shape[:2] != (self._size[1], self._size[0]):
            if self._image is not None and rgb is None:
                self._image = None
                self._draw()
            return
        self._edge.lay_over(rgb)
        self.shown += 1
        image = Image.fromarray(rgb)
        if self._image is not None:
            self._image.paste(image)
            return
        self._image = ImageTk.PhotoImage(image, master=self)
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        if self._image is not None:
            self.create_image(0, 0, anchor="nw", image=self._image, tags="picture")
            return
        self.create_image(0, 0, anchor="nw", image=self._ground)
        icon = icon_picture(self.look, "camera_off", self.look.px(34), self.look.palette.muted)
        self.create_image(self._size[0] // 2, self._size[1] // 2, image=icon, tags="off")
