"""Ports that are free just now, for UDP and TCP at once."""

from __future__ import annotations

import random
import socket

RANGES = (10000, 20000)
"""Ranges are taken from here: below the ports that Linux gives out by itself, and those of a server that was told nothing."""


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


def free_range(size: int = 100, host: str = "127.0.0.1") -> tuple[int, int]:
    """First and last of `size` UDP ports in a row that are free just now: for one server's media, told from all others'."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        first = random.randrange(RANGES[0], RANGES[1] - size, 2)
        if all(_is_free(family, host, port, (socket.SOCK_DGRAM,)) for port in range(first, first + size)):
            return first, first + size - 1
    raise RuntimeError(f"no {size} free ports in a row on {host}")


def _is_free(family: socket.AddressFamily, host: str, port: int,
             kinds: tuple[socket.SocketKind, ...] = (socket.SOCK_STREAM, socket.SOCK_DGRAM)) -> bool:
    for kind in kinds:
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
