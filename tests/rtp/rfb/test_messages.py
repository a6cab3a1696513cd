"""A viewer's messages: what is written is read, in any pieces, and what is out of bounds is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.rfb.messages import (
    MAX_CUT_TEXT,
    MAX_ENCODINGS,
    MAX_FENCE,
    MAX_KEYSYM,
    MAX_SCREENS,
    ClientCutText,
    ClientMessage,
    EnableContinuousUpdates,
    Fence,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    Screen,
    SetDesktopSize,
    SetEncodings,
    SetPixelFormat,
    read_client_message,
)
from rtp.rfb.pixels import PixelFormat, Rectangle
from rtp.rfb.stream import Incoming, Reading

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
AREAS = st.builds(Rectangle, U16, U16, U16, U16)
MESSAGES = st.one_of(
    st.builds(SetPixelFormat, st.sampled_from([PixelFormat(), PixelFormat(16, 16, True, True, (31, 63, 31), (11, 5, 0))])),
    st.builds(SetEncodings, st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=MAX_ENCODINGS).map(tuple)),
    st.builds(FramebufferUpdateRequest, st.booleans(), AREAS),
    st.builds(KeyEvent, st.integers(0, MAX_KEYSYM), st.booleans(), st.none() | U16),
    st.builds(PointerEvent, st.integers(0, 255), U16, U16),
    st.builds(ClientCutText, st.binary(min_size=1, max_size=99), st.booleans()),
    st.builds(EnableContinuousUpdates, st.booleans(), AREAS),
    st.builds(Fence, U32, st.binary(max_size=MAX_FENCE)),
    st.builds(SetDesktopSize, U16, U16, st.lists(st.builds(Screen, U32, AREAS, U32), max_size=MAX_SCREENS).map(tuple)),
)


def read_all(data: bytes, piece: int = 1 << 20) -> list[ClientMessage]:
    """All messages in some bytes, which come in pieces."""
    found: list[ClientMessage] = []

    def script() -> Reading[None]:
        while True:
            found.append((yield from read_client_message()))

    incoming = Incoming(script())
    for start in range(0, len(data), piece):
        incoming.receive(data[start:start + piece])
    return found


@given(st.lists(MESSAGES, max_size=8), st.integers(1, 40))
def test_messages_are_read_as_they_were_written_whatever_the_pieces(messages: list[ClientMessage], piece: int) -> None:
    assert read_all(b"".join(map(bytes, messages)), piece) == messages


@given(st.binary(max_size=300), st.integers(1, 300))
def test_no_bytes_crash_the_reader(data: bytes, piece: int) -> None:
    try:
        read_all(data, piece)
    except ParseError:
        pass


@pytest.mark.parametrize("data", [
    b"\x09", b"\x01", b"\x02\0" + (MAX_ENCODINGS + 1).to_bytes(2), b"\x06\0\0\0" + (MAX_CUT_TEXT + 1).to_bytes(4),
    b"\x06\0\0\0\x80\0\0\0", b"\xf8\0\0\0\0\0\0\0" + bytes([MAX_FENCE + 1]), b"\xfb\0\0\1\0\1" + bytes([MAX_SCREENS + 1, 0]),
    b"\xff\x01" + bytes(10), b"\x04\1\0\0\xff\xff\xff\xff", bytes(KeyEvent(1, True, 0x10000)),
    b"\0\0\0\0" + bytes([24, 24, 0, 1]) + bytes(12), b"\0\0\0\0" + bytes([16, 16, 0, 0]) + bytes(12),
    b"\0\0\0\0" + bytes([16, 16, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]),
    b"\0\0\0\0" + bytes([32, 24, 0, 1, 0, 254, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]),
], ids=["kind-9", "kind-1", "encodings", "clipboard", "extended-clipboard", "fence", "screens", "qemu-kind", "keysym",
        "keycode", "24-bits", "map-of-16-bits", "shift-outside", "uneven-maximum"])
def test_what_is_out_of_bounds_is_refused_before_it_is_kept(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_all(data, 1)


def test_reader_keeps_no_more_than_it_asked_for() -> None:
    incoming = Incoming(read_client_message())                       # type: ignore[arg-type]
    incoming.receive(b"\x06\0\0\0\0\x0f\xff\xff" + bytes(1000))
    assert incoming.waiting == 1000
