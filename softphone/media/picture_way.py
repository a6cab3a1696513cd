"""One transport of a call's pictures at the phone: a pair of sockets, the keys of RFC 3711, and `rtp.picture_transport`.

Packets are taken from the negotiated address only, or under SRTP from any that has the key. The owner's lock is held by whoever
calls anything here but `open`.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from rtp.kernel.sockets import VIDEO, BurstSender, prepare
from rtp.packet import is_rtcp
from rtp.picture_transport import Arrived, PictureLine, PictureTransport
from rtp.sdp.bundle import MID
from rtp.sdp.several import NegotiatedVideo
from rtp.srtp import VIDEO_WINDOW
from rtp.transport_feedback import TRANSPORT_SEQUENCE
from softphone.media.ports import Address, Observer, open_pair, plain_address
from softphone.media.security import DTLS_BYTES, MediaSecurity, SecuritySettings

RECEIVE_BUFFER = 1 << 20
"""Bytes that wait for the reading thread: a key frame of each of nine people."""


class Way:
    """A transport. observer: sees the packets in clear."""

    def __init__(self, host: str, security: SecuritySettings, cname: str, observer: Observer | None = None) -> None:
        self.security = MediaSecurity(replace(security, window=VIDEO_WINDOW))
        self.transport = PictureTransport(cname, self._protect, lambda: secrets.randbits(32))
        self.agreed: NegotiatedVideo | None = None
        self.rtp: socket.socket | None = None
        self.rtcp: socket.socket | None = None
        self.foreign = 0
        self.last_received_at = 0.0
        self._host = host
        self._observer = observer
        self._burst = BurstSender()

    def open(self) -> int:
        """The port, opened at the first call. Raises OSError."""
        if self.rtp is None:
            self.rtp, self.rtcp = open_pair(self._host)
            for sock in (self.rtp, self.rtcp):
                prepare(sock, VIDEO)
            self.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        port: int = self.rtp.getsockname()[1]
        return port

    def use(self, agreed: NegotiatedVideo | None, lines: Sequence[PictureLine]) -> None:
        """The line that carries the transport, as it was agreed, and all lines of it; None: it is not used."""
        if agreed is None:
            self.agreed = None
            self.transport.set_lines(())
            return
        agreed = replace(agreed, remote=plain_address(agreed.remote), remote_rtcp=plain_address(agreed.remote_rtcp))
        self.agreed = self.security.enforce(agreed)
        self.transport.set_lines(lines, mid_id=agreed.extensions.get(MID, 0),
                                 number_id=agreed.extensions.get(TRANSPORT_SEQUENCE, 0), is_reduced=agreed.is_reduced)

    # ---- in

    def receive(self, data: bytes, source: Address, arrival_ns: int, is_rtp_socket: bool) -> list[Arrived]:
        """Take a datagram; the coded pictures that are complete with it."""
        agreed = self.agreed
        if agreed is None or not data:
            return []
        if data[0] in DTLS_BYTES:
            if self.security.receive_handshake(data, source, 0 if is_rtp_socket else 1, time.monotonic()):
                self.agreed = self.security.keyed(agreed)
            self._send_handshake()
            return []
        is_report = is_rtcp(data)
        if self.security.is_on:
            plain = self.security.open(data, is_report)
            if plain is None:
                return []
            data, agreed = plain, self._follow(agreed, source, is_report, is_rtp_socket)
        if source != (agreed.remote_rtcp if is_report else agreed.remote):
            self.foreign += 1
            return []
        self.last_received_at = arrival_ns / 1e9
        self._show(data, arrival_ns, is_report=is_report)
        if not is_report:
            return self.transport.receive(data, arrival_ns)
        again = self.transport.receive_rtcp(data, time.monotonic_ns(), time.time())
        if again:
            self.send(again)
        return []

    def _follow(self, agreed: NegotiatedVideo, source: Address, is_report: bool, is_rtp_socket: bool) -> NegotiatedVideo:
        """Send where a packet came from that only the peer can have made; nothing while it wants nothing."""
        if agreed.remote is None:
            return agreed
        if is_report:
            agreed = replace(agreed, remote_rtcp=source)
            if agreed.rtcp_mux:
                agreed = replace(agreed, remote=source)
        elif is_rtp_socket:
            agreed = replace(agreed, remote=source, remote_rtcp=source if agreed.rtcp_mux else agreed.remote_rtcp)
        self.agreed = agreed
        return agreed

    def tick(self, now_ns: int) -> list[Arrived]:
        """What time brings: handshakes, reports, feedback, pictures that were waited for long enough."""
        if self.agreed is None:
            return []
        if self.security.tick(now_ns / 1e9):
            self.agreed = self.security.keyed(self.agreed)
        self._send_handshake()
        due = self.transport.next_ns
        arrived = self.transport.expire(now_ns) if due is not None and due <= now_ns else []
        for packet in self.transport.rtcp_to_send(now_ns, time.time()):
            self._send_rtcp(packet)
        return arrived

    # ---- out

    def send(self, packets: Sequence[bytes]) -> None:
        """Send protected packets, in order."""
        if self.rtp is not None and self.agreed is not None and self.agreed.remote is not None:
            self._burst.send(self.rtp, self.agreed.remote, packets)

    def places(self) -> tuple[Address, Address, Address, Address] | None:
        """Where RTP goes from and to, and RTCP; None before it is agreed."""
        agreed = self.agreed
        if self.rtp is None or self.rtcp is None or agreed is None or agreed.remote is None:
            return None
        own: Address = self.rtp.getsockname()[:2]
        if agreed.rtcp_mux or agreed.remote_rtcp is None:
            return own, agreed.remote, own, agreed.remote
        return own, agreed.remote, self.rtcp.getsockname()[:2], agreed.remote_rtcp

    def _show(self, packet: bytes, time_ns: int, *, is_report: bool, is_out: bool = False) -> None:
        if self._observer is not None:
            self._observer(self, is_out, is_report, time_ns, packet)

    def _protect(self, packet: bytes) -> bytes | None:
        out = self.security.protect(packet)
        if out is not None:
            self._show(packet, time.monotonic_ns(), is_report=False, is_out=True)
        return out

    def _send_rtcp(self, packet: bytes) -> None:
        agreed = self.agreed
        protected = self.security.protect_rtcp(packet)
        if agreed is None or agreed.remote_rtcp is None or protected is None or not packet:
            return
        self._show(packet, time.monotonic_ns(), is_report=True, is_out=True)
        out = self.rtp if agreed.rtcp_mux else self.rtcp
        try:
            if out is not None:
                out.sendto(protected, agreed.remote_rtcp)
        except OSError:
            pass                        # a full buffer or an ICMP error: it is lost, as on any network

    def _send_handshake(self) -> None:
        for component, data, destination in self.security.datagrams_to_send():
            sock = self.rtcp if component else self.rtp
            try:
                if sock is not None:
                    sock.sendto(data, destination)
            except OSError:
                pass                    # it is repeated

    def close(self) -> None:
        """Say goodbye, close the sockets."""
        if self.agreed is not None:
            self._send_rtcp(self.transport.goodbye())
            self.security.close()
            self._send_handshake()
        self.agreed = None
        for sock in (self.rtp, self.rtcp):
            if sock is not None:
                sock.close()
        self.rtp = self.rtcp = None
