"""`python -m mcu.worker FD [PROMPTS]`: a media worker on the socket that control has left open at descriptor FD.

PROMPTS: the folder of what is said to callers.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from mcu.secrecy import keep_memory_private
from mcu.worker.loop import Worker
from mcu.worker.sounds import music

NICENESS = -11
"""What sound servers commonly take."""


def main() -> int:
    """Run until control's end of the socket closes."""
    if len(sys.argv) not in (2, 3) or not sys.argv[1].isdecimal():
        print("usage: python -m mcu.worker FD [PROMPTS] (control starts workers, nobody else)", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):     # these reach the whole group: control hangs up first, then closes
        signal.signal(number, signal.SIG_IGN)
    keep_memory_private()
    _go_first()
    music()
    _give_memory_back()
    gc.freeze()                                        # what is loaded by now stays: collections during a tick skip it
    with socket.socket(fileno=int(sys.argv[1])) as control:
        Worker(control, Path(sys.argv[2]) if len(sys.argv) == 3 else None).run()
    return 0


def _give_memory_back() -> None:
    """Return what making the music took, 18 MB, where the C library can (glibc keeps it otherwise)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _go_first() -> None:
    """Let the system prefer us, where it allows that: 20 ms of delay here are heard, and nowhere else on the machine."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    except PermissionError:
        logging.getLogger(__name__).info("no right to a higher priority (CAP_SYS_NICE); media may stutter under load")


if __name__ == "__main__":
    sys.exit(main())
