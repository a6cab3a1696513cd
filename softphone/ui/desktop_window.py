"""Another's desktop in a window of its own: fitted or pixel by pixel, steered by mouse and keyboard while we may.

While the pointer is over the picture and we may act, the keyboard is grabbed, so that Alt+Tab and the like go there, too; the
right Control key alone, or leaving the picture with the mouse, gives it back, and the line above says so. Keys that are down
when it ends are let go of. One picture is kept for life; what came since the last time is put into it.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageTk

from softphone.model import AskForControl, DesktopState, ReleaseControl
from softphone.remote.watching import Watching
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.desktop_keys import Keyboard, button_bit, wheel_bits
from softphone.ui.page import Host
from softphone.ui.words import plain

TICK_MS = 33
SIZE = (960, 640)
WAY_OUT = "Control_R"


class DesktopWindow(tk.Toplevel):
    """view: the session; shown: how many pictures were drawn; copied: the text that is the same at both ends."""

    def __init__(self, host: Host, desktop: DesktopState, on_close: Callable[[], None]) -> None:
        assert isinstance(desktop.view, Watching)
        self.host, self.look, self.view = host, host.look, desktop.view
        look, palette, tr = host.look, host.look.palette, host.look.tr
        super().__init__(look.root, bg=palette.window)
        self.shown = 0
        self.is_fitted, self.has_keyboard, self.may_act = True, False, False
        self.has_clipboard = False
        self.copied = ""
        self._name = plain(desktop.sharer)
        self.title(tr("Desktop of {name}", name=self._name))
        width = min(look.px(SIZE[0]), self.winfo_screenwidth())
        height = min(look.px(SIZE[1]), self.winfo_screenheight())
        self.geometry(f"{width}x{height}")
        self.protocol("WM_DELETE_WINDOW", on_close)
        head = tk.Frame(self, bg=palette.window)
        head.pack(fill="x", padx=look.px(12), pady=look.px(8))
        self.close = Button(head, look, tr("Close"), on_close, kind="plain", height=34)
        self.fit = Button(head, look, tr("1:1"), self.toggle_fit, kind="plain", height=34)
        self.control = Button(head, look, tr("Ask for control"), self._press_control, kind="accent", height=34)
        self.clipboard = Button(head, look, tr("Clipboard"), self.toggle_clipboard, kind="plain", height=34,
                                tip=tr("Texts that are copied go to and fro, if the owner allows it."))
        for button in (self.close, self.clipboard, self.fit, self.control):
            button.pack(side="right", padx=(look.px(8), 0))
        self.hint = widgets.label(head, look, "", 13, muted=True)
        self.hint.pack(side="left", fill="x", expand=True)
        self.canvas = tk.Canvas(self, bg="black", bd=0, highlightthickness=0, takefocus=1, cursor="arrow")
        self.canvas.pack(fill="both", expand=True)
        self._keyboard = Keyboard(self.view.press_key)
        self._buttons, self._place = 0, (0, 0)
        self._picture: ImageTk.PhotoImage | None = None
        self._item = self.canvas.create_image(0, 0, anchor="nw")
        self._area, self._drawn = (0, 0, 1, 1), (-1, (0, 0), True)
        self._offset = [0, 0]
        self._bind()
        self.canvas.focus_set()
        self._tick()

    def show(self, desktop: DesktopState) -> None:
        """The state of now."""
        tr = self.look.tr
        self.may_act = desktop.may_act
        if not desktop.may_act:
            self.give_keyboard_back()
        if desktop.may_act:
            self.control.change(text=tr("Release"), kind="danger")
        else:
            self.control.change(text=tr("Cancel") if desktop.is_asking else tr("Ask for control"),
                                kind="plain" if desktop.is_asking else "accent")
        self._show_hint()

    def toggle_fit(self) -> None:
        """The whole desktop in the window, or pixel by pixel."""
        self.is_fitted = not self.is_fitted
        self.fit.change(text=self.look.tr("1:1") if self.is_fitted else self.look.tr("Fit"))
        self._offset = [0, 0]

    def toggle_clipboard(self) -> None:
        """Let texts go to and fro, or not."""
        self.has_clipboard = not self.has_clipboard
        self.clipboard.change(kind="chosen" if self.has_clipboard else "plain")

    def destroy(self) -> None:
        """Let go of everything and close."""
        self.give_keyboard_back()
        super().destroy()

    def give_keyboard_back(self) -> None:
        """Keys and buttons go to our own machine again."""
        self._keyboard.release_all()
        if self._buttons:
            self._buttons = 0
            self.view.move_pointer(*self._place, 0)
        if self.has_keyboard:
            self.has_keyboard = False
            self.canvas.grab_release()
            self._show_hint()

    def _press_control(self) -> None:
        desktop = self.host.state.meeting.desktop if self.host.state.meeting is not None else DesktopState()
        self.host.send(ReleaseControl() if desktop.may_act or desktop.is_asking else AskForControl())

    def _show_hint(self) -> None:
        tr = self.look.tr
        if not self.may_act:
            text = tr("You look at the desktop of {name}.", name=self._name)
        elif self.has_keyboard:
            text = tr("Your keyboard is over there. The right Ctrl key brings it back.")
        else:
            text = tr("Move the mouse over the picture to act there.")
        if self.hint.cget("text") != text:
            self.hint.configure(text=text)

    # ---- the picture

    def _tick(self) -> None:
        self.after(TICK_MS, self._tick)
        size = (self.canvas.winfo_width(), self.canvas.winfo_height())
        wanted = (self.view.updates, size, self.is_fitted)
        if wanted != self._drawn and size[0] > 1:
            self._drawn = wanted
            self._draw(size)

    def _draw(self, size: tuple[int, int]) -> None:
        with self.view.picture() as pixels:
            height, width = pixels.shape
            image = Image.frombuffer("RGB", (width, height), pixels.tobytes(), "raw", "BGRX", 0, 1)
        scale = min(size[0] / width, size[1] / height) if self.is_fitted else 1.0
        shown = (max(1, round(width * scale)), max(1, round(height * scale)))
        if shown != image.size:
            image = image.resize(shown, Image.Resampling.BILINEAR)
        if self._picture is None or (self._picture.width(), self._picture.height()) != shown:
            self._picture = ImageTk.PhotoImage(image, master=self.canvas)
            self.canvas.itemconfigure(self._item, image=self._picture)
        else:
            self._picture.paste(image)
        left = max(0, (size[0] - shown[0]) // 2) - self._offset[0]
        top = max(0, (size[1] - shown[1]) // 2) - self._offset[1]
        self._area = (left, top, *shown)
        self.canvas.coords(self._item, left, top)
        self.shown += 1

    def _pan(self, x: int, y: int) -> None:
        """Pixel by pixel: the part that is seen follows the pointer to the edge."""
        for axis, at, room, whole in ((0, x, self.canvas.winfo_width(), self._area[2]),
                                      (1, y, self.canvas.winfo_height(), self._area[3])):
            spare = max(0, whole - room)
            self._offset[axis] = round(min(1.0, max(0.0, (at - room * 0.1) / (room * 0.8))) * spare)
        left = max(0, (self.canvas.winfo_width() - self._area[2]) // 2) - self._offset[0]
        top = max(0, (self.canvas.winfo_height() - self._area[3]) // 2) - self._offset[1]
        self._area = (left, top, self._area[2], self._area[3])
        self.canvas.coords(self._item, left, top)

    # ---- mouse and keyboard

    def _bind(self) -> None:
        bind = self.canvas.bind
        bind("<KeyPress>", self._key_pressed)
        bind("<KeyRelease>", self._key_released)
        bind("<FocusOut>", lambda _event: self.give_keyboard_back())
        bind("<Enter>", self._entered)
        bind("<Motion>", self._moved)
        bind("<MouseWheel>", self._wheel)
        for number in (1, 2, 3):
            bind(f"<ButtonPress-{number}>", self._button_pressed)
            bind(f"<ButtonRelease-{number}>", self._button_released)
        for number in (4, 5):                                     # Tk 8.6 knows no buttons beyond
            bind(f"<ButtonPress-{number}>", self._wheel)

    def _key_pressed(self, event: tk.Event[Any]) -> str:
        if event.keysym == WAY_OUT:
            self.give_keyboard_back()
        elif self.may_act:
            self._keyboard.press(event)
        return "break"

    def _key_released(self, event: tk.Event[Any]) -> str:
        self._keyboard.release(event)
        return "break"

    def _entered(self, _event: tk.Event[Any]) -> None:
        """The pointer is over the picture: with the right to act the keyboard goes there."""
        if self.may_act and not self.has_keyboard:
            self.canvas.focus_force()
            try:
                self.canvas.grab_set_global()
            except tk.TclError:                                    # another program has it just now; plain focus will do
                return
            self.has_keyboard = True
            self._show_hint()
            self._send_clipboard()

    def _send_clipboard(self) -> None:
        """What was copied here since the last time goes over there."""
        text = clipboard_of(self) if self.has_clipboard else ""
        if text and text != self.copied:
            self.copied = text
            self.view.set_clipboard(text)

    def _moved(self, event: tk.Event[Any]) -> None:
        is_inside = 0 <= event.x < self.canvas.winfo_width() and 0 <= event.y < self.canvas.winfo_height()
        if not is_inside and not self._buttons:
            self.give_keyboard_back()
            return
        if not self.is_fitted:
            self._pan(event.x, event.y)
        if is_inside and not self.has_keyboard:
            self._entered(event)
        self._point(event)

    def _button_pressed(self, event: tk.Event[Any]) -> None:
        self.canvas.focus_set()
        self._buttons |= button_bit(event.num)
        self._point(event)

    def _button_released(self, event: tk.Event[Any]) -> None:
        self._buttons &= ~button_bit(event.num)
        self._point(event)

    def _wheel(self, event: tk.Event[Any]) -> None:
        for bit in wheel_bits(event.num, event.delta):
            self._point(event, bit)
            self._point(event)

    def _point(self, event: tk.Event[Any], more: int = 0) -> None:
        left, top, width, height = self._area
        whole = self._size()
        x = min(max(0, (event.x - left) * whole[0] // max(1, width)), whole[0] - 1)
        y = min(max(0, (event.y - top) * whole[1] // max(1, height)), whole[1] - 1)
        self._place = (x, y)
        if self.may_act:
            self.view.move_pointer(x, y, self._buttons | more)

    def _size(self) -> tuple[int, int]:
        with self.view.picture() as pixels:
            return pixels.shape[1], pixels.shape[0]


def clipboard_of(widget: tk.Misc) -> str:
    """The text of the clipboard, empty when there is none."""
    try:
        return str(widget.clipboard_get())
    except tk.TclError:
        return ""
