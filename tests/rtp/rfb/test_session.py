"""Server and viewer against each other: pictures in all encodings, input, clipboard, sizes, and who is refused."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.rfb import encodings
from rtp.rfb.cursor import Cursor
from rtp.rfb.handshake import ServerSecurity, ViewerSecurity
from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.pixels import PixelFormat, Pixels, Rectangle
from rtp.rfb.security import NONE, VENCRYPT, VNC_AUTH
from rtp.rfb.server import PATIENCE_S, ServerSettings, SessionClosed, SizeRequested, TextCopied, TlsChosen, ViewerConnected
from rtp.rfb.viewer import BellRang, CursorChanged, DesktopOpened, DesktopResized, FrameUpdated, ViewerSettings
from softphone.remote.jpeg import PillowJpeg
from tests.helpers.rfb import RfbPair, blank, icons, photograph, text

PICTURES = {"blank": blank, "text": text, "icons": icons, "photograph": photograph}
ENCODINGS = {"raw": encodings.RAW, "zrle": encodings.ZRLE, "tight": encodings.TIGHT}


def only(encoding: int) -> ViewerSettings:
    """A viewer that knows one encoding."""
    return ViewerSettings(pictures=(encoding,))


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_picture_arrives_exactly_in_every_encoding_whatever_the_pieces(encoding: str, picture: str, piece: int) -> None:
    first, second = PICTURES[picture](131, 70), PICTURES[picture](131, 70) ^ np.uint32(0x010203)
    pair = RfbPair(first, viewer=only(ENCODINGS[encoding]), piece=piece)
    pair.run()
    assert np.array_equal(pair.viewer.framebuffer, first)
    pair.show(second)
    assert np.array_equal(pair.viewer.framebuffer, second)


@pytest.mark.parametrize("pixel_format", [
    PixelFormat(is_big_endian=True), PixelFormat(16, 16, False, True, (31, 63, 31), (11, 5, 0)),
    PixelFormat(32, 24, False, True, (255, 255, 255), (0, 8, 16)), PixelFormat(8, 8, False, True, (7, 7, 3), (0, 3, 6)),
    PixelFormat(32, 24, False, True, (255, 255, 255), (24, 16, 8)),
], ids=["big-endian", "565", "red-first", "332", "high-bytes"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_picture_arrives_as_well_as_the_viewers_pixel_format_can_say_it(encoding: str, pixel_format: PixelFormat) -> None:
    frame = photograph(130, 66)
    pair = RfbPair(frame, viewer=only(ENCODINGS[encoding]))
    pair.viewer._format = pixel_format
    pair.run()
    assert np.array_equal(pair.viewer.framebuffer, pixel_format.unpack(pixel_format.pack(frame)).reshape(frame.shape))


def test_photograph_goes_as_jpeg_close_to_the_original_and_text_beside_it_without_loss() -> None:
    frame = np.concatenate([photograph(512, 256), text(512, 256)])
    pair = RfbPair(frame, jpeg=PillowJpeg())
    pair.run()
    got = pair.viewer.framebuffer
    assert np.array_equal(got[256:], frame[256:])
    for shift in (0, 8, 16):
        difference = np.abs((got[:256] >> shift & 255).astype(int) - (frame[:256] >> shift & 255).astype(int))
        assert 0 < difference.mean() < 4
    lossless = RfbPair(frame)
    lossless.run()
    assert pair.sent < lossless.sent / 2


def test_typed_letter_costs_a_few_bytes() -> None:
    pair = RfbPair(page := text(1280, 720))
    pair.run()
    typed = page.copy()
    typed[100:112, 50:58] = icons(8, 12, colours=2)
    assert pair.show(typed) < 200
    assert np.array_equal(pair.viewer.framebuffer, typed)


def test_scrolled_text_is_copied_and_not_sent_again() -> None:
    page = text(640, 480)
    pair = RfbPair(page)
    pair.run()
    whole = pair.sent
    scrolled = np.concatenate([page[16:], text(640, 16, seed=9)])
    assert pair.show(scrolled) < whole / 10
    assert np.array_equal(pair.viewer.framebuffer, scrolled)
    down = np.concatenate([text(640, 32, seed=8), scrolled[:-32]])
    assert pair.show(down) < whole / 5
    assert np.array_equal(pair.viewer.framebuffer, down)


def test_changes_are_looked_for_where_they_are_told_and_nothing_of_them_is_lost() -> None:
    frame = text(640, 480)
    pair = RfbPair(frame, viewer=ViewerSettings(wants_continuous_updates=False))
    pair.run()
    for y in (10, 300):                                              # told while no update is possible: the server waits for us
        frame[y:y + 5, 100:120] ^= np.uint32(0xFFFFFF)
        pair.server.show(frame, 1.0, Rectangle(100, y, 20, 5))
    frame[400, 400] ^= np.uint32(1)
    pair.server.show(frame, 1.0, Rectangle(400, 400, 1, 1))
    pair.run()
    assert np.array_equal(pair.viewer.framebuffer, frame)
    frame[50, 50] ^= np.uint32(1)
    assert pair.show(frame.copy()) > 0
    assert np.array_equal(pair.viewer.framebuffer, frame)


def test_unchanged_picture_costs_nothing() -> None:
    pair = RfbPair(page := text())
    pair.run()
    assert pair.show(page.copy()) == 0


@pytest.mark.parametrize("is_continuous", [True, False], ids=["continuous", "requested"])
def test_slow_viewer_gets_fewer_pictures_and_the_newest_one(is_continuous: bool) -> None:
    pair = RfbPair(blank(), viewer=ViewerSettings(wants_continuous_updates=is_continuous))
    pair.run()
    before = pair.server.picture.updates
    for number in range(100):
        frame = blank()
        frame[number, :] = 0xFFFFFF
        pair.server.show(frame, 1.0)
    pair.run()
    assert pair.server.picture.updates - before <= 2
    assert np.array_equal(pair.viewer.framebuffer, frame)


def test_viewer_that_does_not_answer_the_fence_gets_no_further_picture_and_is_given_up() -> None:
    pair = RfbPair(blank())
    pair.run()
    pair.server.show(text(), 5.0)
    assert pair.server.data_to_send()
    for seed in range(10):
        pair.server.show(text(seed=seed), 6.0)
        assert pair.server.data_to_send() == b""
    assert pair.server.next_timer() == 5.0 + PATIENCE_S
    pair.server.handle_timer(5.0 + PATIENCE_S)
    assert pair.server.state == "closed"
    assert pair.server.next_event() == SessionClosed("the viewer does not read")


def test_viewer_that_never_reads_makes_the_server_keep_no_more_than_one_picture() -> None:
    pair = RfbPair(photograph(), viewer=ViewerSettings(wants_continuous_updates=False))
    pair.run()
    pair.server.data_to_send()
    for seed in range(50):
        pair.viewer.refresh()
        pair.server.receive_data(pair.viewer.data_to_send(), 1.0)
        pair.server.show(photograph(seed=seed), 1.0)
    assert pair.server._waiting < 2 * 320 * 200 * 4
    pair.server.handle_timer(1.0 + PATIENCE_S)
    assert pair.server.state == "closed"


def test_keys_and_pointer_come_out_at_the_server_and_places_outside_are_clipped() -> None:
    pair = RfbPair(blank())
    pair.run()
    pair.server_events.clear()
    pair.viewer.press_key(ord("a"), True, 30)
    pair.viewer.press_key(0x01004F60, False)
    pair.viewer.move_pointer(10_000, -5, 0b101)
    pair.run()
    assert pair.server_events == [KeyEvent(ord("a"), True, 30), KeyEvent(0x01004F60, False), PointerEvent(5, 319, 0)]


def test_clipboard_goes_both_ways_in_every_script_when_both_allow_it() -> None:
    pair = RfbPair(blank(), ServerSettings(allows_clipboard=True), ViewerSettings(allows_clipboard=True))
    pair.run()
    pair.server.set_clipboard("你好,\nwörld", 1.0)
    pair.run()
    pair.viewer.set_clipboard("zurück 😀")
    pair.run()
    assert TextCopied("你好,\nwörld") in pair.viewer_events
    assert TextCopied("zurück 😀") in pair.server_events


@pytest.mark.parametrize("at_server", [True, False], ids=["server", "viewer"])
def test_clipboard_stays_here_when_one_side_does_not_allow_it(at_server: bool) -> None:
    pair = RfbPair(blank(), ServerSettings(allows_clipboard=at_server), ViewerSettings(allows_clipboard=not at_server))
    pair.run()
    pair.server.set_clipboard("secret", 1.0)
    pair.viewer.set_clipboard("secret")
    pair.run()
    assert not any(isinstance(event, TextCopied) for event in [*pair.server_events, *pair.viewer_events])


def test_desktop_that_changes_its_size_is_shown_in_the_new_one() -> None:
    pair = RfbPair(text())
    pair.run()
    larger = text(400, 300, seed=4)
    pair.show(larger)
    assert DesktopResized(400, 300) in pair.viewer_events
    assert np.array_equal(pair.viewer.framebuffer, larger)
    pair.show(smaller := icons(100, 80))
    assert np.array_equal(pair.viewer.framebuffer, smaller)


def test_viewer_that_knows_no_new_sizes_sees_the_desktop_cut() -> None:
    pair = RfbPair(text())
    pair.viewer._encodings = lambda: (encodings.ZRLE,)          # type: ignore[method-assign]
    pair.run()
    larger = text(400, 300, seed=4)
    pair.show(larger)
    assert np.array_equal(pair.viewer.framebuffer, larger[:200, :320])


def test_bell_pointer_shape_and_wish_for_a_size_arrive() -> None:
    pair = RfbPair(blank())
    pair.run()
    shape = icons(20, 11)
    mask = shape % 2 == 0
    pair.server.set_cursor(Cursor(shape, mask, 3, 4), 1.0)
    pair.server.ring()
    pair.viewer.request_size(640, 480)
    pair.run()
    assert BellRang() in pair.viewer_events and SizeRequested(640, 480) in pair.server_events
    (cursor,) = [event.cursor for event in pair.viewer_events if isinstance(event, CursorChanged)]
    assert np.array_equal(cursor.pixels, shape) and np.array_equal(cursor.mask, mask) and (cursor.hot_x, cursor.hot_y) == (3, 4)


@pytest.mark.parametrize("is_continuous", [True, False], ids=["continuous", "requested"])
def test_viewer_that_wishes_another_size_is_told_that_it_does_not_get_it(is_continuous: bool) -> None:
    pair = RfbPair(blank(), viewer=ViewerSettings(wants_continuous_updates=is_continuous))
    pair.run()
    pair.viewer.request_size(640, 480)
    pair.server.receive_data(pair.viewer.data_to_send(), 1.0)
    answer = pair.server.data_to_send()
    assert answer[:4] == b"\0\0\0\1" and answer[4:12] == bytes([0, 1, 0, 1, 1, 0x40, 0, 200])
    pair.viewer.receive_data(answer, 1.0)
    assert pair.viewer.framebuffer.shape == (200, 320) and pair.viewer.state == "running"


def test_session_begins_with_the_name_of_the_desktop() -> None:
    pair = RfbPair(blank(), ServerSettings(name="安娜的屏幕"), ViewerSettings(is_shared=False))
    pair.run()
    assert pair.viewer_events[0] == DesktopOpened("安娜的屏幕", 320, 200)
    assert isinstance(pair.viewer_events[1], FrameUpdated)
    assert pair.server_events == [ViewerConnected(False)]


@pytest.mark.parametrize(("word", "is_let_in"), [("ticket42", True), ("ticket43", False), ("", False)])
def test_vnc_authentication_lets_in_who_knows_the_word(word: str, is_let_in: bool) -> None:
    pair = RfbPair(blank(), ServerSettings(security=ServerSecurity((VNC_AUTH,), lambda size: bytes(range(size)), "ticket42")),
                   ViewerSettings(ViewerSecurity((VNC_AUTH,), password=word)))
    pair.run()
    assert (pair.server.state == pair.viewer.state == "running") is is_let_in
    assert (SessionClosed("name or password are not right") in pair.viewer_events) is not is_let_in


def test_server_without_a_word_lets_nobody_in_by_vnc_authentication() -> None:
    pair = RfbPair(blank(), ServerSettings(security=ServerSecurity((VNC_AUTH,), lambda size: bytes(size))),
                   ViewerSettings(ViewerSecurity((VNC_AUTH,), password="")))
    pair.run()
    assert pair.server.state == "closed"


@pytest.mark.parametrize(("password", "is_let_in"), [("t-1", True), ("t-2", False)])
def test_vencrypt_holds_where_tls_begins_and_asks_for_name_and_password_inside(password: str, is_let_in: bool) -> None:
    asked: list[tuple[str, str]] = []

    def may_enter(user: str, word: str) -> bool:
        asked.append((user, word))
        return (user, word) == ("daily", "t-1")

    pair = RfbPair(blank(), ServerSettings(security=ServerSecurity((VENCRYPT,), may_enter=may_enter)),
                   ViewerSettings(ViewerSecurity((VENCRYPT,), "daily", password)))
    pair.run()
    assert pair.server_events == [TlsChosen(b"")] and pair.viewer_events == [TlsChosen(b"")] and not asked
    pair.server.tls_established(1.0)
    pair.viewer.tls_established(1.0)
    pair.run()
    assert asked == [("daily", password)]
    assert (pair.viewer.state == "running") is is_let_in


def test_bytes_behind_the_beginning_of_tls_belong_to_tls() -> None:
    pair = RfbPair(blank(), ServerSettings(security=ServerSecurity((VENCRYPT,))))
    pair.server.receive_data(b"RFB 003.008\n" + bytes([19, 0, 2]) + (262).to_bytes(4) + b"\x16\x03\x01hello", 0.0)
    assert pair.server.next_event() == TlsChosen(b"\x16\x03\x01hello")


def test_viewer_does_not_take_a_weaker_security_than_it_was_told() -> None:
    pair = RfbPair(blank(), viewer=ViewerSettings(ViewerSecurity((VENCRYPT,), "a", "b")))
    pair.run()
    assert pair.viewer.state == "closed" and pair.server.state == "handshake"


@pytest.mark.parametrize(("version", "choice"), [(b"RFB 003.003\n", b""), (b"RFB 003.007\n", b"\1"), (b"RFB 003.889\n", b"\1")])
def test_older_viewers_are_served(version: bytes, choice: bytes) -> None:
    pair = RfbPair(blank(), ServerSettings(security=ServerSecurity((NONE,))))
    pair.server.receive_data(version + choice + b"\1", 0.0)
    assert pair.server.next_event() == ViewerConnected(True)
    sent = pair.server.data_to_send()
    expected = {b"RFB 003.003\n": b"\0\0\0\1", b"RFB 003.007\n": b"\1\1", b"RFB 003.889\n": b"\1\1\0\0\0\0"}[version]
    assert sent.startswith(b"RFB 003.008\n" + expected + b"\x01\x40\x00\xc8")


def test_both_sides_give_up_a_handshake_that_does_not_end() -> None:
    pair = RfbPair(blank())
    for side in (pair.server, pair.viewer):
        due = side.next_timer()
        assert due is not None
        side.handle_timer(due)
        assert side.state == "closed"


def test_viewer_with_a_colour_map_gets_the_map_and_the_picture() -> None:
    frame: Pixels = np.array([[0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF]], np.uint32)
    pair = RfbPair(frame)
    pair.viewer._format = PixelFormat(8, 8, False, False)
    pair.viewer._encodings = lambda: (encodings.RAW,)          # type: ignore[method-assign]
    seen = bytearray()
    pair.viewer.receive_data(pair.server.data_to_send(), 0.0)
    while data := pair.viewer.data_to_send():
        pair.server.receive_data(data, 0.0)
        seen += (answer := pair.server.data_to_send())
        pair.viewer.receive_data(answer, 0.0)
    assert bytes([1, 0, 0, 0, 1, 0]) in seen
    assert bytes(seen).endswith(bytes([7, 7 << 3, 3 << 6, 255]))
