"""The native kernel's two calls (RFC 3550 §7.1), a proof of the seam; the readable twin is `rtp.kernel.reference`."""

import numpy as np
import numpy.typing as npt

def room_tick(frames: npt.NDArray[np.int16], is_heard: npt.NDArray[np.uint8], out: npt.NDArray[np.int16]) -> None:
    """The mix of a tick for each leg: the sum of all who are heard, less the leg's own.

    frames, out: int16, C-contiguous, shape (legs, 960), 48 kHz mono; is_heard: uint8, shape (legs,). Raises ValueError for
    other shapes.
    """

def forwarder_drain(source: int, targets: npt.NDArray[np.intc]) -> int:
    """Move what waits at the UDP descriptor `source`, 64 packets at the most, to each connected descriptor of `targets`.

    The number of packets that were sent.
    """
