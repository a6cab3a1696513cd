"""BFCP on the wire: messages out of a stream (RFC 8855 §6.1), fragments of a datagram transport (§6.2.3).

What comes out of either is a header and its whole payload; `sip.bfcp.message` makes a message of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sip.bfcp.attributes import ErrorValue
from sip.bfcp.message import HEADER, MAX_PAYLOAD, RELIABLE, UNRELIABLE, Header, Message
from sip.errors import ParseError

MTU = 1200
"""Bytes of a datagram that every path carries, IP and UDP headers (and a tunnel's) not counted."""
REASSEMBLY_S = 10.0
"""How long the fragments of a message are kept: the response retransmission timer T2 (§8.3.2)."""
MAX_OPEN = 8
"""Messages that may be incomplete at once; the oldest goes. A peer has one request on its way at a time."""

Framed = tuple[Header, bytes]


class StreamReader:
    """Cuts a stream into messages. `trouble`: the header that is none, and why. The place of the next message is lost then."""

    def __init__(self) -> None:
        self.trouble: tuple[Header, ParseError] | None = None
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Framed]:
        """Bytes came; the messages that are complete now."""
        self._buffer += data
        found: list[Framed] = []
        while len(self._buffer) >= HEADER and self.trouble is None:
            header = Header.parse(bytes(self._buffer[:HEADER]) + bytes(4))        # version 2 would want four more
            error = _trouble_in_stream(header)
            if error is not None:
                self.trouble = header, error
                break
            if len(self._buffer) < HEADER + header.length:
                break
            found.append((header, bytes(self._buffer[HEADER:HEADER + header.length])))
            del self._buffer[:HEADER + header.length]
        return found

    @property
    def is_waiting_for_rest(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)


def _trouble_in_stream(header: Header) -> ParseError | None:
    if header.version != RELIABLE:
        return ParseError(f"BFCP: version {header.version} over a stream", ErrorValue.UNSUPPORTED_VERSION)
    if header.length > MAX_PAYLOAD:
        return ParseError(f"BFCP: {header.length} bytes; {MAX_PAYLOAD} are allowed", ErrorValue.INCORRECT_LENGTH)
    return None


def fragments(message: Message, mtu: int = MTU) -> list[bytes]:
    """The datagrams of a message: one, or several with F set, each of `mtu` bytes at most."""
    data = bytes(message)
    if len(data) <= mtu:
        return [data]
    header, payload = Header.parse(data), data[HEADER:]
    room = (mtu - HEADER - 4) // 4 * 4
    pieces = [(start, payload[start:start + room]) for start in range(0, len(payload), room)]
    return [bytes(replace(header, fragment=(start, len(piece)))) + piece for start, piece in pieces]


@dataclass(slots=True)
class _Partial:
    header: Header
    since: float
    pieces: dict[int, bytes] = field(default_factory=dict)


class Reassembler:
    """Puts the fragments of one peer's datagrams together."""

    def __init__(self) -> None:
        self._partial: dict[tuple[int, int, int, int, bool], _Partial] = {}

    def receive(self, data: bytes, now: float) -> Framed | None:
        """One datagram; the message that it completes, or None. Raises ParseError."""
        header = Header.parse(data)
        if header.version != UNRELIABLE:
            raise ParseError(f"BFCP: version {header.version} over UDP", ErrorValue.UNSUPPORTED_VERSION)
        if header.length > MAX_PAYLOAD:
            raise ParseError(f"BFCP: {header.length} bytes; {MAX_PAYLOAD} are allowed", ErrorValue.INCORRECT_LENGTH)
        payload = data[header.size:]
        if header.fragment is None:
            if len(payload) != header.length:
                raise ParseError(f"BFCP: {len(payload)} bytes, and {header.length} are announced",
                                 ErrorValue.INCORRECT_LENGTH)
            return header, payload
        return self._add(header, header.fragment, payload, now)

    def _add(self, header: Header, fragment: tuple[int, int], payload: bytes, now: float) -> Framed | None:
        offset, length = fragment
        if length != len(payload) or not length or offset + length > header.length:
            raise ParseError(f"BFCP: a fragment of {len(payload)} bytes at {offset} of {header.length}, which says {length}",
                             ErrorValue.INCORRECT_LENGTH)
        self._forget(now)
        key = (header.conference_id, header.user_id, header.transaction_id, header.primitive, header.is_response)
        partial = self._partial.get(key)
        if partial is None or partial.header.length != header.length:
            if len(self._partial) >= MAX_OPEN:
                del self._partial[next(iter(self._partial))]
            partial = self._partial[key] = _Partial(replace(header, fragment=None), now)
        partial.pieces[offset] = payload
        size = sum(map(len, partial.pieces.values()))
        if size < header.length:
            return None
        del self._partial[key]
        whole = _joined(partial)
        if whole is None:
            raise ParseError("BFCP: fragments that overlap", ErrorValue.INCORRECT_LENGTH)
        return partial.header, whole

    def _forget(self, now: float) -> None:
        for key in [key for key, partial in self._partial.items() if now - partial.since > REASSEMBLY_S]:
            del self._partial[key]


def _joined(partial: _Partial) -> bytes | None:
    """The payload, when the fragments lie side by side without gap or overlap from beginning to end."""
    whole = bytearray()
    for offset in sorted(partial.pieces):
        if offset != len(whole):
            return None
        whole += partial.pieces[offset]
    return bytes(whole) if len(whole) == partial.header.length else None
