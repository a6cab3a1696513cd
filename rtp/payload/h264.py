"""H.264 in RTP (RFC 6184): single NAL units, STAP-A and FU-A, packetization modes 0 and 1; interleaving (mode 2) is left out.

Pictures are Annex B byte streams, as x264 writes and FFmpeg reads them.
"""

from __future__ import annotations

from collections.abc import Iterable

from rtp.errors import CodecError, ParseError
from rtp.payload.assembly import EncodedPicture
from rtp.payload.h264_parameters import parse_sequence_parameters

SLICE, IDR, SEI, SPS, PPS, DELIMITER = 1, 5, 6, 7, 8, 9
STAP_A, FU_A = 24, 28
START_CODE = b"\0\0\0\1"
MAX_PAYLOAD = 1188
"""With an RTP header of 12 bytes 1200, which leaves room for SRTP's tag, extensions and tunnels in 1280 (RFC 8200 §5)."""
MAX_UNITS = 512
"""NAL units of one picture; 68 slices are the most that a macroblock row each makes at 1080p."""
_START, _END = 0x80, 0x40


def split_units(stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream (ITU-T H.264 B.1), without start codes and trailing zeros."""
    return [unit for unit in (piece.rstrip(b"\0") for piece in stream.split(START_CODE[1:])) if unit]


def join_units(units: Iterable[bytes]) -> bytes:
    """NAL units as an Annex B stream."""
    return b"".join(START_CODE + unit for unit in units)


def packetize(stream: bytes, *, mode: int = 1, max_size: int = MAX_PAYLOAD) -> list[bytes]:
    """The payloads of one picture; the last one gets the marker (RFC 6184 §5.1).

    mode: the receiver's packetization-mode; 0 takes whole NAL units only, one each. Raises CodecError for one that is too large
    for it: the encoder has to cut its slices smaller.
    """
    units = split_units(stream)
    if mode == 0:
        largest = max(map(len, units), default=0)
        if largest > max_size:
            raise CodecError(f"H.264: a NAL unit of {largest} bytes for mode 0, where {max_size} fit")
        return units
    payloads: list[bytes] = []
    gathered: list[bytes] = []
    room = 0
    for unit in units:
        if gathered and room < len(unit) + 2:
            payloads.append(_aggregate(gathered))
            gathered = []
        if len(unit) > max_size:
            payloads += _fragment(unit, max_size)
            continue
        if not gathered:
            room = max_size - 1
        gathered.append(unit)
        room -= len(unit) + 2
    if gathered:
        payloads.append(_aggregate(gathered))
    return payloads


def _aggregate(units: list[bytes]) -> bytes:
    """One unit as it is, several as a STAP-A with the highest importance and any error bit among them (§5.7.1)."""
    if len(units) == 1:
        return units[0]
    forbidden = max(unit[0] & 0x80 for unit in units)
    importance = max(unit[0] & 0x60 for unit in units)
    return bytes([forbidden | importance | STAP_A]) + b"".join(len(unit).to_bytes(2) + unit for unit in units)


def _fragment(unit: bytes, max_size: int) -> list[bytes]:
    """A unit as FU-As of nearly equal sizes (§5.8)."""
    body = memoryview(unit)[1:]
    count = -(-len(body) // (max_size - 2))
    size = -(-len(body) // count)
    indicator, kind = unit[0] & 0xE0 | FU_A, unit[0] & 0x1F
    fragments = []
    for start in range(0, len(body), size):
        flags = (_START if start == 0 else 0) | (_END if start + size >= len(body) else 0)
        fragments.append(bytes([indicator, flags | kind]) + body[start:start + size])
    return fragments


def units_of(payload: bytes) -> list[bytes]:
    """The NAL units that begin in a payload, a fragment as its header and what there is of it. Raises ParseError."""
    kind = payload[0] & 0x1F if payload else 0
    if kind == STAP_A:
        return _separate(payload)
    if kind == FU_A:
        if len(payload) < 3:
            raise ParseError("H.264: an FU-A that breaks off")
        return [bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) + payload[2:]] if payload[1] & _START else []
    if not 1 <= kind <= 23:
        raise ParseError(f"H.264: no payload of type {kind} in modes 0 and 1")
    return [payload]


def _separate(payload: bytes) -> list[bytes]:
    units = []
    position = 1
    while position < len(payload):
        end = position + 2 + int.from_bytes(payload[position:position + 2])
        if end > len(payload) or end < position + 3:
            raise ParseError(f"H.264: a STAP-A of {len(payload)} bytes that lies at byte {position}")
        unit = payload[position + 2:end]
        if not 1 <= unit[0] & 0x1F <= 23:
            raise ParseError("H.264: a STAP-A in a STAP-A")
        units.append(unit)
        position = end
    if not units:
        raise ParseError("H.264: an empty STAP-A")
    return units


def begins_key_frame(payload: bytes) -> bool:
    """Whether a payload holds the first bytes of a sequence parameter set or of an IDR slice: where a switch may happen."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == FU_A:
        return len(payload) > 1 and payload[1] & _START != 0 and payload[1] & 0x1F in (IDR, SPS)
    if kind != STAP_A:
        return kind in (IDR, SPS)
    position = 1
    while position + 2 < len(payload):
        if payload[position + 2] & 0x1F in (IDR, SPS):
            return True
        position += 2 + int.from_bytes(payload[position:position + 2])
    return False


def _is_first_slice(unit: bytes) -> bool:
    """Whether first_mb_in_slice, the first field behind the header, is 0: a single one bit (ITU-T H.264 §7.3.3)."""
    return unit[0] & 0x1F in (SLICE, IDR) and len(unit) > 1 and unit[1] >= 0x80


class H264Unpacker:
    """Collects the NAL units of one picture, for a `PictureAssembler`; a parameter set of a picture too large is refused."""

    __slots__ = ("_fragments", "_height", "_units", "_width")

    def __init__(self) -> None:
        self._units: list[bytes] = []
        self._fragments: list[bytes] = []
        self._width = self._height = 0

    def reset(self) -> None:
        """Forget the units of an unfinished picture."""
        self._units, self._fragments = [], []

    def begins_picture(self, payload: bytes) -> bool:
        """Whether it begins with a parameter set, a delimiter or the picture's first macroblock."""
        try:
            units = units_of(payload)
        except ParseError:
            return False
        return bool(units) and (units[0][0] & 0x1F in (SPS, DELIMITER) or _is_first_slice(units[0]))

    def add(self, payload: bytes) -> None:
        """Take a payload. Raises ParseError for lengths that lie, fragments that don't fit, types of mode 2."""
        if payload[0] & 0x1F == FU_A:
            self._add_fragment(payload)
            return
        if self._fragments:
            raise ParseError("H.264: an FU-A without an end")
        for unit in units_of(payload):
            self._take(unit)

    def _add_fragment(self, payload: bytes) -> None:
        if len(payload) < 3:
            raise ParseError("H.264: an FU-A that breaks off")
        flags = payload[1]
        header = bytes([payload[0] & 0xE0 | flags & 0x1F])
        if flags & _START:
            if self._fragments or flags & _END or not 1 <= flags & 0x1F <= 23:
                raise ParseError("H.264: an FU-A that begins wrongly")
            self._fragments = [header]
        elif not self._fragments or self._fragments[0][0] & 0x1F != flags & 0x1F:
            raise ParseError("H.264: an FU-A without a beginning")
        self._fragments.append(payload[2:])
        if flags & _END:
            unit, self._fragments = b"".join(self._fragments), []
            self._take(unit)

    def _take(self, unit: bytes) -> None:
        if unit[0] & 0x80 or len(self._units) >= MAX_UNITS:
            raise ParseError("H.264: a NAL unit with its error bit set, or too many of them")
        if unit[0] & 0x1F == SPS:
            parameters = parse_sequence_parameters(unit)
            self._width, self._height = parameters.width, parameters.height
        self._units.append(unit)

    def finish(self, timestamp: int) -> EncodedPicture | None:
        """The picture as an Annex B stream; parameter sets that come alone wait for it. Raises ParseError."""
        if self._fragments:
            raise ParseError("H.264: an FU-A without an end")
        kinds = {unit[0] & 0x1F for unit in self._units}
        if not kinds & {1, 2, 3, 4, IDR}:
            return None
        data = join_units(self._units)
        self._units = []
        return EncodedPicture(timestamp, data, IDR in kinds, True, self._width, self._height)
