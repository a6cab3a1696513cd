"""Somebody between a phone and a server: who shows another certificate, and who changes what the SDP says of keys.

    with TlsInBetween(server.tls_port) as man: ...             # man.port takes TLS with a certificate of his own
    with SdpInBetween((server.host, server.port), strip_keys) as man: ...

Both pass on all that they don't change. `heard` is what a phone said to him in clear.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rtp.keying.certificate import Certificate
from sip.errors import ParseError
from sip.parser import parse_message
from tests.helpers.netem import Address

HOST = "127.0.0.1"
LIMIT_S = 10.0
Change = Callable[[bytes], bytes]
"""Is given an SDP; what goes on in its place."""


class InBetween:
    """What both have: a thread that works until the block ends."""

    def __init__(self) -> None:
        self.heard = b""
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(LIMIT_S)

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="in between", daemon=True)
        self._threads.append(thread)
        thread.start()


class TlsInBetween(InBetween):
    """Takes TLS in the server's place, opens its own connection to the server, and reads along. folder: for his certificate."""

    def __init__(self, server_port: int, folder: Path) -> None:
        super().__init__()
        certificate = Certificate.create(datetime.now(UTC), "somebody else")
        pem, key = folder / "in-between.pem", folder / "in-between.key"
        pem.write_bytes(certificate.certificate.public_bytes(Encoding.PEM))
        key.write_bytes(certificate.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        digest = hashlib.sha256(certificate.certificate.public_bytes(Encoding.DER)).hexdigest().upper()
        self.fingerprint = ":".join(digest[at:at + 2] for at in range(0, 64, 2))
        self._towards_phone = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._towards_phone.load_cert_chain(pem, key)
        self._towards_server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._towards_server.check_hostname, self._towards_server.verify_mode = False, ssl.CERT_NONE
        self._server_port = server_port
        self._listening = socket.create_server((HOST, 0))
        self._listening.settimeout(0.05)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> TlsInBetween:
        self._begin(self._accept)
        return self

    def _accept(self) -> None:
        with self._listening:
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    self._begin(self._serve, self._listening.accept()[0])

    def _serve(self, taken: socket.socket) -> None:
        taken.settimeout(LIMIT_S)
        with contextlib.suppress(OSError), self._towards_phone.wrap_socket(taken, server_side=True) as phone, \
                self._towards_server.wrap_socket(socket.create_connection((HOST, self._server_port))) as server:
            while not self._stop.is_set():
                for sock in select.select([phone, server], [], [], 0.05)[0]:
                    data = sock.recv(65536)
                    while sock.pending():               # of another record that came along
                        data += sock.recv(65536)
                    if not data:
                        return
                    self.heard += data if sock is phone else b""
                    (server if sock is phone else phone).sendall(data)


class SdpInBetween(InBetween):
    """Between a phone and a server's UDP port: SDP is changed both ways, all else passes; media goes its own way."""

    def __init__(self, server: Address, change: Change) -> None:
        super().__init__()
        self._server, self._change = server, change
        self._inside, self._outside = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._inside, self._outside):
            sock.bind((HOST, 0))
        self.port: int = self._inside.getsockname()[1]

    def __enter__(self) -> SdpInBetween:
        self._begin(self._run)
        return self

    def _run(self) -> None:
        phone: Address | None = None
        with self._inside, self._outside:
            while not self._stop.is_set():
                for sock in select.select([self._inside, self._outside], [], [], 0.05)[0]:
                    data, source = sock.recvfrom(65536)
                    if sock is self._inside:
                        phone, self.heard = source, self.heard + data
                        self._outside.sendto(self._changed(data), self._server)
                    elif phone is not None:
                        self._inside.sendto(self._changed(data), phone)

    def _changed(self, data: bytes) -> bytes:
        try:
            message = parse_message(data)
        except ParseError:
            return data
        if not message.body.startswith(b"v=0"):
            return data
        message.body = self._change(message.body)
        return bytes(message)


def strip_keys(sdp: bytes) -> bytes:
    """The same media, plain."""
    sdp = re.sub(rb"a=(?:crypto|fingerprint|setup)[^\r\n]*\r\n", b"", sdp)
    return re.sub(rb"(?:UDP/TLS/)?RTP/SAVPF?", b"RTP/AVP", sdp)


def swap_fingerprints(certificate: Certificate) -> Change:
    """The fingerprint of somebody else's certificate in place of each."""
    line = f"a=fingerprint:{certificate.fingerprint()}".encode()

    def change(sdp: bytes) -> bytes:
        return re.sub(rb"a=crypto[^\r\n]*\r\n", b"", re.sub(rb"a=fingerprint:[^\r\n]*", line, sdp))

    return change
