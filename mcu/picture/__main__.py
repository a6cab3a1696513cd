"""`python -m mcu.picture FD NOTE`: a picture worker on the socket that control has left open at descriptor FD.

NOTE: the descriptor of the memory that tells whose picture is being decoded.
"""

from __future__ import annotations

import logging
import mmap
import os
import resource
import signal
import socket
import sys

import cv2

from mcu.picture.loop import PictureLoop
from mcu.picture.messages import NOTE
from mcu.secrecy import keep_memory_private

MAX_MEMORY = 4 << 30
"""Address space: what a decoder asks for beyond that it doesn't get, and the machine keeps its memory for sound."""
NICENESS = 5
"""A picture that comes late is seen by few, sound that does is heard by all."""


def main() -> int:
    """Run until control's end of the socket closes."""
    if len(sys.argv) != 3 or not all(argument.isdecimal() for argument in sys.argv[1:]):
        print("usage: python -m mcu.picture FD NOTE (control starts picture workers, nobody else)", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):     # these reach the whole group: control hangs up first, then closes
        signal.signal(number, signal.SIG_IGN)
    keep_memory_private()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard), hard))
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    note = mmap.mmap(int(sys.argv[2]), NOTE.size)
    os.close(int(sys.argv[2]))
    with socket.socket(fileno=int(sys.argv[1])) as control:
        PictureLoop(control, note).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
