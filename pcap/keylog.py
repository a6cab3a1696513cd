"""Key logs: secrets of TLS and DTLS as SSLKEYLOGFILE has them for Wireshark (draft-ietf-tls-keylogfile), and our SRTP keys.

A line of a key log is a label, the client's random and a secret. A line of ours stands in the same file and is passed over by
every other reader of key logs:

    SRTP_MASTER ssrc=1a2b3c4d AES_CM_128_HMAC_SHA1_80 <key and salt in hex> roc=0
    SRTP_MASTER 192.0.2.1:4000>192.0.2.2:5000 AEAD_AES_128_GCM <key and salt in hex> roc=2

It names one direction of a stream, by its SSRC or by both addresses (`*` for any; IPv6 in brackets), the suite as SDES
calls it (RFC 4568 §6.2), master key and salt, and the rollover counter at the first packet of the capture (RFC 3711 §3.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pcap.suites import SrtpSuite, srtp_suite

MAX_LINES = 200_000
"""Lines that are kept: a server with a thousand calls an hour logs as many in a day."""
MAX_LINE = 1024
SRTP_LABEL = "SRTP_MASTER"

_SECRET = re.compile(r"([A-Z][A-Z0-9_]{2,63}) ([0-9A-Fa-f]{64}) ([0-9A-Fa-f]{32,256})", re.A)
_SRTP = re.compile(r"SRTP_MASTER (\S{3,100}) (\S{3,64}) ([0-9A-Fa-f]{16,128})(?: roc=([0-9]{1,10}))?", re.A)
_SSRC = re.compile(r"ssrc=(?:0x)?([0-9A-Fa-f]{1,8})", re.A)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """Key of one direction of a stream. What it is for: an SSRC, or addresses, or neither for "try it everywhere".

    master: key and salt; roc: rollover counter at the capture's first packet; mki_length: bytes of key identifier before
    the tag; origin: where the key was found, for people.
    """

    suite: SrtpSuite
    master: bytes = field(repr=False)
    ssrc: int | None = None
    source: Address | None = None
    destination: Address | None = None
    roc: int = 0
    mki_length: int = 0
    origin: str = ""

    def fits(self, ssrc: int, source: Address, destination: Address) -> bool:
        """Whether what the key says of itself is true of a packet."""
        return (self.ssrc in (None, ssrc) and self.source in (None, source)
                and self.destination in (None, destination))

    @classmethod
    def parse(cls, line: str) -> SrtpKey | None:
        """The key of an `SRTP_MASTER` line, None for what is no such line or names a suite of other lengths."""
        match = _SRTP.fullmatch(line)
        suite = None if match is None else srtp_suite(match[2])
        if match is None or suite is None or len(match[3]) != 2 * suite.master_length:
            return None
        master, roc = bytes.fromhex(match[3]), int(match[4] or 0)
        if (ssrc := _SSRC.fullmatch(match[1])) is not None:
            return cls(suite, master, ssrc=int(ssrc[1], 16), roc=roc, origin="key file")
        source, arrow, destination = match[1].partition(">")
        if not arrow:
            return None
        try:
            return cls(suite, master, None, _address(source), _address(destination), roc, 0, "key file")
        except ValueError:
            return None

    def __str__(self) -> str:
        where = f"ssrc={self.ssrc:08x}" if self.ssrc is not None else f"{_written(self.source)}>{_written(self.destination)}"
        return f"{SRTP_LABEL} {where} {self.suite.name} {self.master.hex()} roc={self.roc}"


class KeyLog:
    """Secrets by label and client random, and SRTP keys. Lines that are no keys are counted and passed over."""

    def __init__(self, text: str | bytes = b"") -> None:
        self.srtp: list[SrtpKey] = []
        self.ignored = 0
        self._secrets: dict[tuple[str, bytes], bytes] = {}
        self.add(text)

    def add(self, text: str | bytes) -> None:
        """Take the lines of another piece: a file, or a decryption-secrets block."""
        decoded = text.decode("ascii", "replace") if isinstance(text, bytes) else text
        self._add(line.strip(" \t\r") for line in decoded.split("\n"))

    def _add(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not line or line.startswith("#"):
                continue
            if len(line) > MAX_LINE or len(self) >= MAX_LINES:
                self.ignored += 1
            elif (key := SrtpKey.parse(line)) is not None:
                self.srtp.append(key)
            elif (match := _SECRET.fullmatch(line)) is not None:
                self._secrets[match[1], bytes.fromhex(match[2])] = bytes.fromhex(match[3])
            else:
                self.ignored += 1

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """The secret of a label, None when it was not logged."""
        return self._secrets.get((label, client_random))

    def knows(self, client_random: bytes) -> bool:
        """Whether a connection's traffic can be read, by its client random."""
        return any((label, client_random) in self._secrets
                   for label in ("CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"))

    def __len__(self) -> int:
        return len(self._secrets) + len(self.srtp)


def _address(text: str) -> Address | None:
    if text == "*":
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ValueError(text)
    return host.strip("[]"), int(port)


def _written(address: Address | None) -> str:
    if address is None:
        return "*"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
