"""What holds keys and passwords leaves no picture of its memory behind: no core dumps, no look by other programs of the user.

Linux: `RLIMIT_CORE` keeps a core file from being written, `PR_SET_DUMPABLE` a crash handler from being given one, and debuggers
of the same user away (core(5), prctl(2)). Other systems have the first alone.
"""

from __future__ import annotations

import ctypes
import logging
import resource
import sys

PR_SET_DUMPABLE = 4
log = logging.getLogger(__name__)


def keep_memory_private() -> bool:
    """Do that for this process, until it ends; whether all of it could be done. Children inherit the limit alone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return False
    is_done: bool = ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    if not is_done:
        log.warning("a crash may leave a picture of the memory behind", extra={"errno": ctypes.get_errno()})
    return is_done
