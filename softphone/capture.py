"""A capture of the phone's own calls, in clear, written as pcapng by a process of its own (`pcap.tap`).

What the phone refuses (foreign packets, wrong tags) is not in it. Media goes in as it is without SRTP, SIP as without TLS.
Sound and signalling come from the event loop, pictures from threads of theirs.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from weakref import WeakKeyDictionary

from pcap.tap import OUT, RTCP, LegInfo, MessageInfo, Tap
from sip.flow import Flow
from softphone.media.devices import DeviceError
from softphone.media.ports import Placed

END_S = 5.0
"""How long the end waits for the file."""


class PhoneCapture:
    """A capture into `path`. Raises DeviceError when the file can't be written."""

    def __init__(self, path: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            path.open("ab").close()
            path.chmod(0o600)
            self._process = subprocess.Popen([sys.executable, "-m", "pcap.tap_process", str(theirs.fileno()), str(path)],
                                             pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except OSError as error:
            ours.close()
            raise DeviceError(f"{path} can't be written: {error.strerror or error}") from None
        finally:
            theirs.close()
        self._tap = Tap(ours)
        self._ids = itertools.count(1)
        self._legs: WeakKeyDictionary[Placed, tuple[int, LegInfo]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def dropped(self) -> int:
        """Packets that could not be handed over."""
        return self._tap.dropped

    def message(self, data: bytes, flow: Flow, is_out: bool) -> None:
        """A SIP message (`sip.endpoint.Endpoint.watch`)."""
        with self._lock:
            self._tap.message(MessageInfo(flow.transport, flow.local, flow.remote), OUT * is_out, time.time_ns(), data)
            self._tap.flush()

    def packet(self, session: Placed, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """A packet of RTP or RTCP (`softphone.media.ports.Observer`). time_ns: monotonic."""
        places = session.places()
        if places is not None:
            with self._lock:
                self._packet(session, LegInfo(*places), is_out, is_rtcp, time_ns, packet)

    def _packet(self, session: Placed, info: LegInfo, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        leg_id, known = self._legs.get(session, (0, None))
        if info != known:
            leg_id = leg_id or next(self._ids)
            self._legs[session] = leg_id, info
            self._tap.leg(leg_id, info)
        offset_ns = time.time_ns() - time.monotonic_ns()
        self._tap.media(leg_id, OUT * is_out | RTCP * is_rtcp, time_ns + offset_ns, packet)
        self._tap.flush()

    def close(self) -> None:
        """Finish the file."""
        with self._lock:
            self._tap.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
