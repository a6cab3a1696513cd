"""Sound that is played into a room: made ready by a process of its own, read by the media worker while it grows."""
