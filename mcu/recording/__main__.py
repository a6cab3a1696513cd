"""`python -m mcu.recording FD FOLDER FORM PART`: records what comes on the socket at descriptor FD (`mcu.recording.line`).

It ends when all other ends are closed. Whoever wants a recording starts it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

from mcu.errors import ProtocolError
from mcu.recording.files import FORMS
from mcu.recording.line import MAX_LINE, read
from mcu.recording.writer import Writer

FLUSH_S = 1.0
NICENESS = 10
"""What is heard goes before what is written."""


def main() -> int:
    """Record until the other ends are closed; 1 when a file can't be written."""
    if len(sys.argv) != 5 or sys.argv[3] not in FORMS:
        print("usage: python -m mcu.recording FD FOLDER opus|wav PART", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):          # these reach the whole group: control hangs up first
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    os.umask(0o077)
    try:
        with socket.socket(fileno=int(sys.argv[1])) as sock:
            run(sock, Writer(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    except OSError as error:
        print(f"error: {sys.argv[2]}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def run(sock: socket.socket, writer: Writer) -> None:
    """Take messages until the last end is closed, and finish the files. Raises OSError as files do."""
    sock.settimeout(FLUSH_S)
    flushed_at = time.monotonic()
    while True:
        try:
            message = sock.recv(MAX_LINE)
        except TimeoutError:
            message = None
        except ConnectionResetError:
            message = b""
        if message:
            try:
                writer.receive(read(message))
            except ProtocolError as error:
                print(f"not understood: {error}", file=sys.stderr)
        if message is None or time.monotonic() - flushed_at >= FLUSH_S:
            writer.flush()
            flushed_at = time.monotonic()
        if message == b"":
            writer.close()
            return


if __name__ == "__main__":
    sys.exit(main())
