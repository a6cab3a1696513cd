"""The main place of a meeting while somebody shares a screen: the picture as large as it fits, whole, with its owner's name."""

from __future__ import annotations

import tkinter as tk

from PIL import Image, ImageTk

from softphone.media.fitting import Rgb
from softphone.shares import Share
from softphone.ui.theme import Look
from softphone.ui.widgets import icon_picture
from softphone.ui.words import plain

CAPTION = 34
"""Height of the line above the picture, which hides nothing of it."""


class Stage(tk.Canvas):
    """`draw` looks for a new picture and shows it; `shown` counts them. `box`: where the picture is, in the stage's pixels."""

    def __init__(self, master: tk.Misc, look: Look) -> None:
        super().__init__(master, bg=look.palette.tile, bd=0, highlightthickness=0, width=1, height=1)
        self.look = look
        self.shown = 0
        self.box = (0, 0, 0, 0)
        self._share: Share | None = None
        self._image: ImageTk.PhotoImage | None = None
        self.bind("<Configure>", lambda _event: self._lay_out())

    def draw(self, share: Share | None) -> None:
        """Show what is shared now."""
        if share is not self._share:
            if share is None or self._share is None or share.view is not self._share.view:
                self._image = None
            self._share = share
            self._lay_out()
        fitted = share.view.take_fitted() if share is not None and share.view is not None else None
        if fitted is not None:
            self._show(fitted)

    def _lay_out(self) -> None:
        self._image = None
        self._draw_frame()
        if self._share is not None and self._share.view is not None:
            self._share.view.want(self.winfo_width(), self.winfo_height() - self.look.px(CAPTION))

    def _show(self, rgb: Rgb) -> None:
        image, size = Image.fromarray(rgb), (rgb.shape[1], rgb.shape[0])
        self.shown += 1
        if self._image is not None and (self._image.width(), self._image.height()) == size:
            self._image.paste(image)
            return
        top = self.look.px(CAPTION)
        left, down = (self.winfo_width() - size[0]) // 2, (self.winfo_height() - top - size[1]) // 2
        self._image = ImageTk.PhotoImage(image, master=self)
        self.box = (left, top + down, *size)
        self._draw_frame()

    def _draw_frame(self) -> None:
        self.delete("all")
        share, look, px = self._share, self.look, self.look.px
        if share is None:
            return
        name = plain(share.name)
        if self._image is not None:
            self.create_image(self.box[0], self.box[1], anchor="nw", image=self._image, tags="picture")
        else:
            words = look.tr("The screen of {name} is about to be shown …", name=name)
            self.create_text(self.winfo_width() // 2, self.winfo_height() // 2, text=words, font=look.font(15),
                             fill=look.palette.muted, tags="waiting")
        middle, room = px(CAPTION) // 2, self.winfo_width() - px(60)
        text = look.elide(look.tr("Screen of {name}", name=name), look.font(13.5, True), max(px(60), room))
        self.create_image(px(20), middle, image=icon_picture(look, "share", px(17), look.palette.text))
        self.create_text(px(38), middle, anchor="w", text=text, font=look.font(13.5, True), fill=look.palette.text, tags="name")

