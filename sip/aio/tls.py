"""TLS for the SIP driver (RFC 3261 §26.2.1, RFC 5922): OpenSSL between memory buffers, over the streams of asyncio.

Version 1.2 or later, with ciphers that keep past calls secret when a key is lost. A peer that accepted us may show no
certificate; the one that we open a connection to must, and a `Judge` decides on it before a byte of SIP goes out. In place of
`ssl` stands pyOpenSSL, since one handshake has to tell both whether an authority vouches and what the certificate is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey

from sip.certificates import Presented, fingerprint_of, judge_by_name

HANDSHAKE_S = 5.0
"""For a whole handshake, from the connection's first moment."""
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!EXPORT"
"""For version 1.2; CBC last, for desk phones that know nothing else."""
KEY_LOG = "SSLKEYLOGFILE"
"""Names a file in the environment that gets the keys of all TLS and DTLS: for tests with Wireshark, never for daily use."""
CHUNK = 16384
CHAIN_UNKNOWN = frozenset((18, 19, 20, 21))
"""OpenSSL's words for: it vouches for itself, so does its issuer, the issuer is not known, or is not to be found."""

Judge = Callable[[str, Presented], str]
"""Is given the name that we look for and what was shown; empty lets the connection be, else the reason to refuse it."""


class TlsFailed(Exception):
    """A handshake that did not come to its end, or a record that is none; the text says why, for a person."""


class TlsServer:
    """What an accepting side shows. Raises TlsFailed when certificate and key are of no use."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._fingerprint = ""
        self._context = self._load()

    def reload(self) -> None:
        """Read the files again, for connections from now on. Raises TlsFailed, and then nothing has changed."""
        self._context = self._load()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate that is shown (`fingerprint_of`)."""
        return self._fingerprint

    def accept(self) -> SSL.Connection:
        """The accepting end of a connection."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        return connection

    def _load(self) -> SSL.Context:
        context, (certificate, key) = _make_context(), self._files
        for path in self._files:
            try:
                path.read_bytes()                       # OpenSSL has no good words for a file that can't be opened
            except OSError as error:
                raise TlsFailed(f"{path}: {error.strerror}") from None
        try:
            context.use_certificate_chain_file(str(certificate))
            shown = load_pem_x509_certificate(certificate.read_bytes())
        except (SSL.Error, ValueError):
            raise TlsFailed(f"{certificate}: this is no certificate in PEM") from None
        try:
            context.use_privatekey(_read_key(key))
            context.check_privatekey()
        except SSL.Error:
            raise TlsFailed(f"{key}: this key does not belong to {certificate}") from None
        self._fingerprint = fingerprint_of(shown.public_bytes(Encoding.DER))
        return context


class TlsClient:
    """How an opening side looks at those that it calls. authorities: a file of certificates, the system's when None."""

    def __init__(self, judge: Judge = judge_by_name, authorities: Path | None = None) -> None:
        self.judge = judge
        self._authorities = authorities
        self._context: SSL.Context | None = None

    def connect(self, name: str) -> tuple[SSL.Connection, Chain]:
        """The opening end of a connection to a name, and what will be known of the peer's chain."""
        if self._context is None:                       # reading the system's authorities takes 20 ms, and most never call
            self._context = self._load()
        connection, chain = SSL.Connection(self._context, None), Chain()
        connection.set_verify(SSL.VERIFY_PEER, chain.look)
        connection.set_connect_state()
        if not _is_address(name):
            connection.set_tlsext_host_name(name.encode("idna"))
        return connection, chain

    def _load(self) -> SSL.Context:
        context = _make_context()
        if self._authorities is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(str(self._authorities))
        return context


class Chain:
    """Keeps what OpenSSL finds fault with while it goes through a chain; the judge comes after."""

    def __init__(self) -> None:
        self.errors: list[int] = []

    def look(self, _connection: SSL.Connection, _certificate: X509, error: int, _depth: int, verdict: int) -> bool:
        """Note it, and go on."""
        if not verdict:
            self.errors.append(error)
        return True

    def presented(self, connection: SSL.Connection) -> Presented:
        """What the peer showed. Raises TlsFailed when that was nothing."""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise TlsFailed("no certificate was shown")
        words = [_trouble(error) for error in self.errors]
        is_unknown = bool(words) and all(error in CHAIN_UNKNOWN for error in self.errors)
        return Presented(certificate.public_bytes(Encoding.DER), words[0] if words else "", is_unknown)


class TlsStream:
    """A connection of asyncio with TLS on it."""

    def __init__(self, connection: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tls = connection
        self._reader = reader
        self._writer = writer

    @property
    def protection(self) -> str:
        """Version and cipher, such as "TLSv1.3 TLS_AES_256_GCM_SHA384"."""
        return f"{self._tls.get_protocol_version_name()} {self._tls.get_cipher_name()}"

    async def shake_hands(self) -> None:
        """Bring the handshake to its end. Raises TlsFailed, OSError, TimeoutError after HANDSHAKE_S."""
        async with asyncio.timeout(HANDSHAKE_S):
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except SSL.WantReadError:
                    self._flush()
                except SSL.Error as error:
                    self._flush()                       # the alert
                    raise TlsFailed(_words(error)) from None
                if not await self._fill():
                    raise TlsFailed("the peer went away during the handshake")
            self._flush()

    async def read(self) -> bytes:
        """The next bytes, none at the end. Raises TlsFailed for what is no TLS, and OSError."""
        while True:
            try:
                return self._tls.recv(CHUNK)
            except SSL.WantReadError:
                self._flush()
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return b""
            except SSL.Error as error:
                self._flush()
                raise TlsFailed(_words(error)) from None
            if not await self._fill():
                return b""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        for start in range(0, len(data), CHUNK):
            self._tls.sendall(data[start:start + CHUNK])
        self._flush()

    def close(self) -> None:
        """Say close_notify."""
        try:
            self._tls.shutdown()
            self._flush()
        except SSL.Error:
            return

    async def _fill(self) -> bool:
        data = await self._reader.read(CHUNK)
        if data:
            self._tls.bio_write(data)
        return bool(data)

    def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(CHUNK)
            except SSL.WantReadError:
                return
            if not self._writer.transport.is_closing():
                self._writer.write(data)


def key_log() -> Callable[[bytes], None] | None:
    """What writes lines to the key log that the environment names (KEY_LOG), None when it names none."""
    path = os.environ.get(KEY_LOG)
    if not path:
        return None

    def write(line: bytes) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:  # noqa: PTH123
            out.write(line + b"\n")

    return write


def _make_context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if (log := key_log()) is not None:
        context.set_keylog_callback(lambda _connection, line: log(line))
    return context


def _read_key(path: Path) -> PKey:
    """A private key in PEM. Raises TlsFailed."""
    try:
        return PKey.from_cryptography_key(load_pem_private_key(path.read_bytes(), None))  # type: ignore[arg-type]
    except TypeError:
        raise TlsFailed(f"{path}: this key wants a password; store it without one, readable by the server alone") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsFailed(f"{path}: this is no private key in PEM") from None


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _trouble(error: int) -> str:
    match error:
        case 9 | 13:
            return "it is not valid yet; check the date of this machine"
        case 10 | 14:
            return "it has expired"
        case 18:
            return "it vouches for itself"
        case 19 | 20 | 21:
            return "the authority that signed it is not known here"
        case 23:
            return "it has been revoked"
    return f"its chain is broken (OpenSSL says {error})"


def _words(error: SSL.Error) -> str:
    """What OpenSSL says, for a person."""
    if isinstance(error, SSL.SysCallError | SSL.ZeroReturnError):
        return "the peer went away during the handshake"
    queue = error.args[0] if error.args else ()
    reasons = [entry[2] for entry in queue if isinstance(entry, tuple) and len(entry) > 2 and entry[2]]
    return "; ".join(dict.fromkeys(reasons)) or "no reason given"
