"""SRTP keys of a DTLS handshake in the capture (RFC 5764 §4.2, RFC 6347), with the secret that a key log has for it.

The hellos are readable: they tell the randoms, the suite and, in DTLS 1.2, the SRTP profile. In DTLS 1.3 (RFC 9147) the
profile is hidden, and a key is given for each one that the client offered; the tag of a packet decides later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pcap.hello import CLIENT_HELLO, SERVER_HELLO, ClientHello, ServerHello, client_hello, server_hello
from pcap.keylog import Address, KeyLog, SrtpKey
from pcap.suites import TLS_SUITES, srtp_profile
from pcap.tls_keys import exported

HANDSHAKE = 22
RECORD_HEADER, MESSAGE_HEADER = 13, 12
EXPORTER = b"EXTRACTOR-dtls_srtp"
MAX_HELLO = 16384


@dataclass(slots=True)
class _Association:
    """What was seen between two addresses. fragments: the beginning of a hello, by its type and number."""

    client: ClientHello | None = None
    client_address: Address = ("", 0)
    server: ServerHello | None = None
    fragments: dict[tuple[int, int], bytes] = field(default_factory=dict)


class DtlsKeys:
    """Watches DTLS datagrams; `receive` gives the keys when both hellos are there and the log knows the client's random."""

    def __init__(self, log: KeyLog) -> None:
        self.handshakes = 0
        self.unknown = 0
        self._log = log
        self._associations: dict[frozenset[Address], _Association] = {}

    def receive(self, source: Address, destination: Address, data: bytes) -> list[SrtpKey]:
        """The keys that a datagram completes; mostly none."""
        association = self._associations.setdefault(frozenset((source, destination)), _Association())
        for kind, body in _hellos(association, data):
            if kind == CLIENT_HELLO:
                hello = client_hello(body, is_dtls=True)
                if hello is not None and (association.client is None or association.client.random != hello.random):
                    association.client, association.client_address, association.server = hello, source, None
            elif association.client is not None and association.server is None and source != association.client_address:
                association.server = server_hello(body)
                return self._keys(association, destination, source)
        return []

    def _keys(self, association: _Association, client: Address, server: Address) -> list[SrtpKey]:
        hello, chosen = association.client, association.server
        if hello is None or chosen is None:
            return []
        self.handshakes += 1
        label = "EXPORTER_SECRET" if chosen.is_tls13 else "CLIENT_RANDOM"
        secret, tls = self._log.secret(label, hello.random), TLS_SUITES.get(chosen.suite)
        if secret is None or tls is None:
            self.unknown += 1
            return []
        found = []
        for profile in hello.srtp_profiles if chosen.srtp_profile is None else (chosen.srtp_profile,):
            suite = srtp_profile(profile)
            if suite is None:
                continue
            key, salt = suite.rtp.key_length, suite.rtp.salt_length
            block = exported(tls, chosen.is_tls13, secret, hello.random + chosen.random, EXPORTER, 2 * (key + salt), b"dtls13")
            keys, salts = block[:2 * key], block[2 * key:]
            found += [
                SrtpKey(suite, keys[:key] + salts[:salt], source=client, destination=server, origin="DTLS"),
                SrtpKey(suite, keys[key:] + salts[salt:], source=server, destination=client, origin="DTLS"),
            ]
        return found


def _hellos(association: _Association, data: bytes) -> list[tuple[int, bytes]]:
    """The hellos that the records of a datagram hold or complete: (type, body). Other messages are passed over."""
    found = []
    for record in _records(data):
        position = 0
        while position + MESSAGE_HEADER <= len(record):
            kind, length = record[position], int.from_bytes(record[position + 1:position + 4])
            number = int.from_bytes(record[position + 4:position + 6])
            offset, size = (int.from_bytes(record[at:at + 3]) for at in (position + 6, position + 9))
            piece = record[position + MESSAGE_HEADER:position + MESSAGE_HEADER + size]
            position += MESSAGE_HEADER + size
            if kind not in (CLIENT_HELLO, SERVER_HELLO) or length > MAX_HELLO or len(piece) < size:
                continue
            before = association.fragments.get((kind, number), b"") if offset else b""
            if len(before) != offset:
                continue
            body = association.fragments[kind, number] = before + piece
            if len(association.fragments) > 8:
                association.fragments.clear()
            if len(body) == length:
                found.append((kind, body))
    return found


def _records(data: bytes) -> list[bytes]:
    """The handshake records of epoch 0, those in clear."""
    found, position = [], 0
    while position + RECORD_HEADER <= len(data):
        kind, epoch = data[position], data[position + 3:position + 5]
        end = position + RECORD_HEADER + int.from_bytes(data[position + 11:position + 13])
        if not 20 <= kind <= 63 or data[position + 1] != 0xFE or end > len(data):
            break
        if kind == HANDSHAKE and epoch == b"\0\0":
            found.append(data[position + RECORD_HEADER:end])
        position = end
    return found
