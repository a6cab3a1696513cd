"""The meeting server: registrar, focus, rooms, and the media workers that mix for them."""
