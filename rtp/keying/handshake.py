"""What DTLS (RFC 5764, RFC 6347) and TLS (RFC 8122) share: contexts and connections of OpenSSL between memory buffers.

Both sides show a certificate, nobody asks an authority, and the fingerprint of the signalling decides (RFC 8122 §6.2). Only
ECDHE with an AEAD cipher is spoken, from version 1.2 on; no session is resumed, none renegotiated.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509

from rtp.keying.certificate import Certificate

CIPHERS = b":".join(
    f"ECDHE-{kind}-{cipher}".encode()
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305") for kind in ("ECDSA", "RSA"))
"""In the order of choice; RSA for peers whose certificate has such a key."""
MISMATCH = "the certificate is not the one of the fingerprint in the signalling"
CHUNK = 65536

KeyLog = Callable[[bytes], None]
"""Is given each line that a key log would have: for tests with Wireshark, never for daily use."""
VerifyCertificate = Callable[[bytes], bool]
"""Is given the peer's certificate in DER while the handshake goes on; False ends it with an alert."""


def make_context(method: int, certificate: Certificate, key_log: KeyLog | None = None) -> SSL.Context:
    """A context that shows our certificate; what is special to DTLS or TLS is set by the caller, before its first use."""
    context = SSL.Context(method)
    if key_log is not None:
        context.set_keylog_callback(lambda _connection, line: key_log(line))
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    return context


def make_connection(context: SSL.Context, verify: VerifyCertificate, *, is_client: bool) -> SSL.Connection:
    """A connection without a socket, which asks for the peer's certificate and has `verify` judge it alone."""
    connection = SSL.Connection(context, None)

    def judge(_connection: SSL.Connection, certificate: X509, _error: int, depth: int, _verdict: int) -> bool:
        return depth > 0 or verify(certificate.to_cryptography().public_bytes(Encoding.DER))

    connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, judge)
    if is_client:
        connection.set_connect_state()
    else:
        connection.set_accept_state()
    return connection


def peer_certificate(connection: SSL.Connection) -> bytes:
    """The peer's certificate in DER, empty before it came."""
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return b"" if certificate is None else certificate.public_bytes(Encoding.DER)


def drain(connection: SSL.Connection) -> bytes:
    """All that OpenSSL wants to send."""
    out = b""
    while True:
        try:
            out += connection.bio_read(CHUNK)
        except SSL.WantReadError:
            return out


def words(error: SSL.Error) -> str:
    """What OpenSSL says, for a person."""
    if isinstance(error, SSL.SysCallError | SSL.ZeroReturnError):
        return "the peer went away"
    queue = error.args[0] if error.args else ()
    reasons = [entry[2] for entry in queue if isinstance(entry, tuple) and len(entry) > 2 and entry[2]]
    return "; ".join(dict.fromkeys(reasons)) or "no reason given"
