"""Control's side of the media workers: channel, pool, handles."""
