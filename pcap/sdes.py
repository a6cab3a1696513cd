"""SRTP keys in the SDP of a capture (RFC 4568), and SDP as it reads once they are used: plain RTP, without keys.

A key in a side's SDP protects what that side sends (RFC 4568 §5.1), so it fits packets from the address in it. All lines of
an offer are taken: the answer's tag tells one, but forks choose apart, and the tag of a packet decides anyway. Unlike our own
calls, which refuse them, this takes key identifiers, short tags and unknown parameters of other systems.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Collection

from pcap.keylog import Address, SrtpKey
from pcap.suites import srtp_suite
from rtp.errors import ParseError
from rtp.sdp.parser import parse

MAX_KEYS = 32
"""Lines of one SDP that are read."""

_LINE = re.compile(
    r"([0-9]{1,9}) +([A-Za-z0-9_]{1,64}) +inline:([A-Za-z0-9+/]{1,200}={0,2})((?:\|[0-9^:]{1,40}){0,2})(?:[ ;].*)?", re.A)
_SECTION = re.compile(rb"^(?=m=)", re.M)
_HOST = re.compile(rb"^c=IN IP[46] ([^ /\r\n]+)", re.M)
_PORT = re.compile(rb"m=[^ ]+ ([0-9]{1,5})")
_PROTECTED = re.compile(rb"^a=(?:crypto|fingerprint):", re.M)
_SECURE = re.compile(rb"^(m=[^\r\n]* )(?:UDP/TLS/)?RTP/SAVP(F?)(?= )", re.M)
_KEYS = re.compile(rb"^a=crypto:[^\r\n]*(?:\r?\n|\Z)", re.M)
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


def media_addresses(body: bytes) -> set[Address]:
    """Where the streams of an SDP want their packets; none for what is no SDP."""
    try:
        session = parse(body)
    except ParseError:
        return set()
    found = {_address(media.port, session.host_of(media)) for media in session.media}
    return {address for address in found if address is not None}


def plain_message(data: bytes, opened: Collection[Address] = ()) -> bytes:
    """A SIP message without SDES keys, its Content-Length set right; others as they are.

    opened: addresses of media that is written in clear. Their streams, and those that have SDES alone, read RTP/AVP and have
    no fingerprint any more; a stream whose DTLS keys are missing stays what it was.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or not body.startswith(b"v=0") or _PROTECTED.search(body) is None:
        return data
    session, *media = _SECTION.split(body)
    host = _HOST.search(session)
    sections = [_plain_section(section, session, host[1] if host else b"", opened) for section in media]
    if all(is_plain for _, is_plain in sections):
        session = _SECRETS.sub(b"", session)
    plain = session + b"".join(section for section, _ in sections)
    return data if plain == body else _LENGTH.sub(rb"\g<1>%d" % len(plain), head, count=1) + blank + plain


def _plain_section(section: bytes, session: bytes, host: bytes, opened: Collection[Address]) -> tuple[bytes, bool]:
    """(a media section as it is written, whether its media is in clear)."""
    own_host, port = _HOST.search(section), _PORT.match(section)
    address = ((own_host[1] if own_host else host).decode("ascii", "replace"), int(port[1]) if port else 0)
    has_sdes, has_dtls = b"a=crypto:" in section, b"a=fingerprint:" in section + session
    if address in opened or not address[1] or (has_sdes and not has_dtls):
        return _SECRETS.sub(b"", _SECURE.sub(rb"\1RTP/AVP\2", section)), True
    return (_KEYS.sub(b"", section) if has_sdes else section), not has_sdes and not has_dtls
