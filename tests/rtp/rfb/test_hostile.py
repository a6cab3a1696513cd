"""A hostile desktop and a hostile viewer: whatever the bytes, the session ends with a reason and nothing else happens."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.rfb import encodings
from rtp.rfb.clipboard import PROVIDE, TEXT, ClipboardMessage
from rtp.rfb.messages import MAX_CUT_TEXT
from rtp.rfb.pixels import PixelFormat, Rectangle
from rtp.rfb.server import RfbServer, SessionClosed, ViewerConnected
from rtp.rfb.server_messages import rectangle_head, update_head
from rtp.rfb.tight import TightDecoder, compact_length
from rtp.rfb.viewer import RfbViewer
from rtp.rfb.zrle import ZrleDecoder, longest_plain
from softphone.remote.jpeg import PillowJpeg
from tests.helpers.rfb import blank, photograph

WIDTH, HEIGHT = 64, 48
HELLO = b"RFB 003.008\n\1\1\0\0\0\0" + struct.pack("!HH", WIDTH, HEIGHT) + bytes(PixelFormat()) + b"\0\0\0\1x"


def looking(jpeg: PillowJpeg | None = None) -> RfbViewer:
    """A viewer whose session has begun."""
    viewer = RfbViewer(now=0.0, jpeg=jpeg)
    viewer.receive_data(HELLO, 0.0)
    assert viewer.state == "running"
    while viewer.next_event() is not None:
        pass
    viewer.data_to_send()
    return viewer


def refusal(viewer: RfbViewer, data: bytes) -> str:
    """Why some bytes of the server end the session."""
    viewer.receive_data(data, 1.0)
    assert viewer.state == "closed"
    reasons = [event.reason for event in iter(viewer.next_event, None) if isinstance(event, SessionClosed)]
    assert len(reasons) == 1
    return reasons[0]


def update(encoding: int, body: bytes, x: int = 0, y: int = 0, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """An update of one rectangle."""
    return update_head(1) + rectangle_head(Rectangle(x, y, width, height), encoding) + body


@pytest.mark.parametrize("encoding", [encodings.RAW, encodings.COPY_RECT, encodings.ZRLE, encodings.TIGHT])
@pytest.mark.parametrize("place", [(1, 0, WIDTH, 1), (0, 1, 1, HEIGHT), (65535, 65535, 1, 1), (0, 0, 65535, 65535)])
def test_rectangle_larger_than_the_picture_is_refused_at_its_head(encoding: int, place: tuple[int, int, int, int]) -> None:
    assert "in a picture of 64 × 48" in refusal(looking(), update(encoding, b"", *place))


def test_block_copied_from_outside_the_picture_is_refused() -> None:
    assert "in a picture of" in refusal(looking(), update(encodings.COPY_RECT, struct.pack("!HH", 1, 0)))


def test_encoding_that_was_not_asked_for_is_refused() -> None:
    assert "was not asked for" in refusal(looking(), update(5, b""))


@pytest.mark.parametrize("size", [(0, 100), (100, 0), (16385, 1), (16384, 16384)])
@pytest.mark.parametrize("encoding", [encodings.DESKTOP_SIZE, encodings.EXTENDED_DESKTOP_SIZE])
def test_desktop_of_an_impossible_size_is_refused(encoding: int, size: tuple[int, int]) -> None:
    assert "framebuffer of" in refusal(looking(), update(encoding, bytes(4), 0, 0, *size))


def test_desktop_of_an_impossible_size_is_refused_at_the_beginning() -> None:
    viewer = RfbViewer(now=0.0)
    assert "framebuffer of" in refusal(viewer, b"RFB 003.008\n\1\1\0\0\0\0\xff\xff\xff\xff" + bytes(PixelFormat()))


def test_zlib_bomb_in_zrle_is_refused_without_being_unpacked() -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    viewer = looking()
    body = len(bomb).to_bytes(4) + bomb
    tracemalloc.start()
    assert "for a rectangle of" in refusal(viewer, update(encodings.ZRLE, body))
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_zlib_bomb_that_is_small_enough_to_be_read_is_refused_without_being_unpacked() -> None:
    bomb = zlib.compress(bytes(10 << 20), 9)
    assert len(bomb) < longest_plain(WIDTH, HEIGHT)
    tracemalloc.start()
    assert "give more than" in refusal(looking(), update(encodings.ZRLE, len(bomb).to_bytes(4) + bomb))
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("length", [1 << 20, WIDTH * HEIGHT * 3 - 1, 0], ids=["bomb", "one-short", "nothing"])
def test_tight_data_of_another_length_than_the_rectangle_needs_are_refused(length: int) -> None:
    data = zlib.compress(bytes(length))
    assert "give" in refusal(looking(), update(encodings.TIGHT, b"\0" + compact_length(len(data)) + data))


def test_clipboard_bomb_is_refused() -> None:
    bomb = (PROVIDE | TEXT).to_bytes(4) + zlib.compress(struct.pack("!I", 50 << 20) + bytes(50 << 20), 9)
    assert len(bomb) < MAX_CUT_TEXT
    with pytest.raises(ParseError, match="give more than"):
        ClipboardMessage.parse(bomb)


def test_picture_drawn_over_and_over_in_one_update_is_refused() -> None:
    fill = rectangle_head(Rectangle(0, 0, WIDTH, HEIGHT), encodings.TIGHT) + b"\x80\0\0\0"
    assert "more than 8 times" in refusal(looking(), update_head(65535) + fill * 20)


def test_jpeg_of_another_size_or_that_is_none_or_was_not_asked_for_is_refused() -> None:
    codec = PillowJpeg()
    large = codec.encode(photograph(1000, 1000), 5)

    def body(data: bytes) -> bytes:
        return b"\x90" + compact_length(len(data)) + data

    assert "1000 × 1000" in refusal(looking(codec), update(encodings.TIGHT, body(large)))
    assert "can't be read" in refusal(looking(codec), update(encodings.TIGHT, body(b"\xff\xd8 no JPEG")))
    assert "not asked for" in refusal(looking(), update(encodings.TIGHT, body(large)))


def test_server_that_asks_for_answers_without_reading_them_is_left() -> None:
    viewer = looking()
    fence = b"\xf8\0\0\0\x80\0\0\0\x40" + bytes(64)
    assert "more than it reads" in refusal(viewer, fence * 100_000)


def test_viewer_that_asks_for_answers_without_reading_them_is_given_up() -> None:
    server = RfbServer(blank(), now=0.0)
    server.receive_data(b"RFB 003.008\n\1\1" + (b"\xf8\0\0\0\x80\0\0\0\x40" + bytes(64)) * 100_000, 0.0)
    assert server.state == "closed"
    assert len(server.data_to_send()) < 8 << 20


GOOD_UPDATES = [update(encodings.RAW, bytes(WIDTH * HEIGHT * 4)), update(encodings.TIGHT, b"\x80\1\2\3"),
                update(encodings.ZRLE, b"\0\0\0\x0b" + zlib.compress(b"\1\1\2\3")[:11]), b"\2", b"\xf8" + bytes(8),
                update(encodings.CURSOR, bytes(9 * 8 * 4 + 16), 0, 0, 9, 8), update(encodings.COPY_RECT, bytes(4))]


@given(st.lists(st.sampled_from(GOOD_UPDATES) | st.binary(max_size=60), max_size=6).map(b"".join), st.integers(1, 5000))
def test_no_bytes_of_a_server_crash_a_viewer(data: bytes, piece: int) -> None:
    viewer = looking(PillowJpeg())
    for start in range(0, len(data), piece):
        viewer.receive_data(data[start:start + piece], 1.0)
    assert viewer.state in ("running", "closed")
    assert viewer.framebuffer.ndim == 2


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_of_a_viewer_crash_a_server(data: bytes, has_begun: bool) -> None:
    server = RfbServer(blank(), now=0.0, jpeg=PillowJpeg())
    server.receive_data((b"RFB 003.008\n\1\1" if has_begun else b"") + data, 0.0)
    server.show(photograph(), 1.0)
    server.data_to_send()
    events = list(iter(server.next_event, None))
    assert (server.state == "closed") is any(isinstance(event, SessionClosed) for event in events)
    assert not has_begun or isinstance(events[0], ViewerConnected)


@given(st.binary(max_size=400), st.sampled_from([PixelFormat(), PixelFormat(8, 8, False, True, (7, 7, 3), (0, 3, 6))]))
def test_no_tiles_crash_zrle(plain: bytes, pixel_format: PixelFormat) -> None:
    target = np.zeros((70, 70), np.uint32)
    try:
        ZrleDecoder().decode(zlib.compress(plain), target, pixel_format)
    except ParseError:
        pass
    assert int(target.max()) <= 0xFFFFFF


@given(st.binary(min_size=1, max_size=400))
def test_no_bytes_crash_tight(data: bytes) -> None:
    target = np.zeros((5, 7), np.uint32)
    script = TightDecoder(PillowJpeg()).read(target, PixelFormat())
    position, wanted = 0, next(script)
    try:
        while position + wanted <= len(data):
            position, wanted = position + wanted, script.send(data[position:position + wanted])
    except (ParseError, StopIteration):
        pass
    assert int(target.max()) <= 0xFFFFFF
