"""SRTP keys in the SDP of a capture (RFC 4568), and SDP as it reads once they are used: plain RTP, without keys.

A key in a side's SDP protects what that side sends (RFC 4568 §5.1), so it fits packets from the address in it. All lines of
an offer are taken: the answer's tag tells one, but forks choose apart, and the tag of a packet decides anyway. Unlike our own
calls, which refuse them, this takes key identifiers, short tags and unknown parameters of other systems.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

from pcap.keylog import Address, SrtpKey
from pcap.suites import srtp_suite
from rtp.errors import ParseError
from rtp.sdp.parser import parse

MAX_KEYS = 32
"""Lines of one SDP that are read."""

_LINE = re.compile(
    r"([0-9]{1,9}) +([A-Za-z0-9_]{1,64}) +inline:([A-Za-z0-9+/]{1,200}={0,2})((?:\|[0-9^:]{1,40}){0,2})(?:[ ;].*)?", re.A)
_SECURE = re.compile(rb"^(m=[^\r\n]* )(?:UDP/TLS/)?RTP/SAVP(F?)(?= )", re.M)
_SECRETS = re.compile(rb"^a=(?:crypto|fingerprint|setup|tls-id):[^\r\n]*(?:\r?\n|\Z)", re.M)
_LENGTH = re.compile(rb"^((?:Content-Length|l)[ \t]*:[ \t]*)[0-9]+", re.M | re.I)


def sdes_keys(body: bytes) -> list[SrtpKey]:
    """The keys in an SDP; none for what is no SDP."""
    try:
        session = parse(body)
    except ParseError:
        return []
    found = []
    for media in session.media:
        for line in media.values("crypto")[:MAX_KEYS]:
            if (key := _key(line, _address(media.port, session.host_of(media)))) is not None:
                found.append(key)
    return found


def _address(port: int, host: str | None) -> Address | None:
    return (host, port) if host and port and host != "0.0.0.0" else None


def _key(line: str, source: Address | None) -> SrtpKey | None:
    match = _LINE.fullmatch(line)
    suite = None if match is None else srtp_suite(match[2])
    if match is None or suite is None:
        return None
    text = match[3].rstrip("=")
    try:
        master = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(master) != suite.master_length:
        return None
    mki = next((part.rpartition(":")[2] for part in match[4].split("|") if ":" in part), "")
    length = int(mki) if mki.isdigit() else 0
    return SrtpKey(suite, master, source=source, mki_length=min(length, 128), origin="SDP")


def plain_message(data: bytes) -> bytes:
    """A SIP message whose SDP says RTP/AVP and has no keys any more, its Content-Length set right; others as they are."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or not (_SECURE.search(body) or _SECRETS.search(body)):
        return data
    body = _SECRETS.sub(b"", _SECURE.sub(rb"\1RTP/AVP\2", body))
    return _LENGTH.sub(rb"\g<1>%d" % len(body), head, count=1) + blank + body
