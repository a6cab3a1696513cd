"""`python -m pcap.tap_process FD FILE [MAX_BYTES [FILES]]`: writes what taps tell on the socket at descriptor FD.

It ends when all taps are closed, and prints the files on standard output, one a line. Whoever taps starts it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

from pcap.tap import MAX_BATCH
from pcap.tap_writer import Limits, TapWriter

FLUSH_S = 1.0
NICENESS = 10
"""What is heard goes before what is written."""


def main() -> int:
    """Write until the other ends are closed; 1 when the file can't be written."""
    if not 3 <= len(sys.argv) <= 5:
        print("usage: python -m pcap.tap_process FD FILE [MAX_BYTES [FILES]]", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):          # these reach the whole group: who is tapped hangs up first
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    limits = Limits(*map(int, sys.argv[3:]))
    try:
        with socket.socket(fileno=int(sys.argv[1])) as sock:
            writer = TapWriter(Path(sys.argv[2]), time.time_ns, limits)
            run(sock, writer)
    except OSError as error:
        print(f"error: {sys.argv[2]}: {error.strerror or error}", file=sys.stderr)
        return 1
    print("\n".join(map(str, writer.paths)), flush=True)
    return 0


def run(sock: socket.socket, writer: TapWriter) -> None:
    """Take batches until the last tap is closed, and finish the file. Raises OSError as files do."""
    sock.settimeout(FLUSH_S)
    flushed_at = time.monotonic()
    while True:
        try:
            batch = sock.recv(MAX_BATCH + 4096)
        except TimeoutError:
            batch = None
        except ConnectionResetError:
            batch = b""
        if batch:
            writer.receive(batch)
        if batch is None or time.monotonic() - flushed_at >= FLUSH_S:
            writer.flush()
            flushed_at = time.monotonic()
        if batch == b"":
            writer.close()
            return


if __name__ == "__main__":
    sys.exit(main())
