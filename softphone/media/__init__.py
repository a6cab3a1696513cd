"""Sound in and out, and the media session of a call."""
