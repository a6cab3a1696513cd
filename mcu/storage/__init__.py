"""Where accounts, rooms and call records are kept."""
