"""Ports that are free just now, for UDP and TCP at once."""

from __future__ import annotations

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """An even port free for UDP and TCP, with the next one free too (some clients put TLS on port + 1)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        with socket.socket(family) as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1] & ~1
        if port >= 1024 and all(_is_free(family, host, port + offset) for offset in (0, 1)):
            return port
    raise RuntimeError(f"no free port on {host}")


def _is_free(family: socket.AddressFamily, host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
