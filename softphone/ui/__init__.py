"""The Tk window; the only place that imports tkinter."""
