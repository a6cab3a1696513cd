"""Messages between control and a picture worker: there and back, and nothing else gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.errors import ProtocolError
from mcu.messages import Heartbeat, OpenRoom
from mcu.messages import pack as pack_worker
from mcu.picture.layout import Layout
from mcu.picture.messages import (
    MAX_SEATS,
    AddOutput,
    CloseStudio,
    OpenStudio,
    Output,
    OutputFigures,
    PictureMessage,
    PutSource,
    RemoveOutput,
    RemoveSource,
    Scene,
    SetScene,
    SourceFigures,
    SourceKind,
    StudioFigures,
    pack,
    parse,
)

OUTPUT = Output(3, 0xFFFFFFFF, 65535, "vp8", 0, Layout.SWITCH, 1280, 720, 30, 1_500_000, True)
MESSAGES: tuple[PictureMessage, ...] = (
    OpenStudio(1, 2), CloseStudio(1), PutSource(1, 2, 3, SourceKind.STREAM, "Žofia 你好"), RemoveSource(1, 2),
    AddOutput(1, OUTPUT), RemoveOutput(1, 3), SetScene(1, Scene((5, 6, 7), 6, 5, 9, frozenset({5, 7}))), SetScene(1, Scene()),
    SourceFigures(1, 2, 3, 4, 5, 6, 7, 640, 360, 8), OutputFigures(1, 2, 3, 4, 5, 6, 7), StudioFigures(1, 30, 2, 3, 4),
    Heartbeat(1, 2, 3, 4, 5, 6),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written(message: PictureMessage) -> None:
    assert parse(pack(message)) == message


@pytest.mark.parametrize("message", [one for one in MESSAGES if not isinstance(one, PutSource)],
                         ids=lambda message: type(message).__name__)
def test_a_byte_too_few_or_too_many_is_refused(message: PictureMessage) -> None:
    for data in (pack(message)[:-1], pack(message) + b"x"):
        with pytest.raises(ProtocolError):
            parse(data)


@given(st.binary(max_size=80))
def test_no_bytes_do_anything_but_parse_or_be_refused(data: bytes) -> None:
    for head in (b"", pack(MESSAGES[4])[:2], pack(MESSAGES[6])[:2], pack(MESSAGES[2])[:2]):
        try:
            parse(head + data)
        except ProtocolError:
            pass


@pytest.mark.parametrize("output", [
    Output(1, 1, 1, "vp8", 0, Layout.GALLERY, 641, 360, 30, 1), Output(1, 1, 1, "vp8", 1, Layout.GALLERY, 640, 360, 30, 1),
    Output(1, 1, 1, "h264", 2, Layout.GALLERY, 640, 360, 30, 1), Output(1, 1, 1, "h264", 1, Layout.GALLERY, 9000, 360, 30, 1),
    Output(1, 1, 1, "h264", 1, Layout.GALLERY, 640, 360, 0, 1), Output(1, 1, 1, "h264", 1, Layout.GALLERY, 0, 0, 30, 1),
], ids=["odd", "vp8 mode", "mode", "wide", "still", "nothing"])
def test_an_output_that_can_not_be_is_refused(output: Output) -> None:
    with pytest.raises(ProtocolError):
        parse(pack(AddOutput(1, output)))


def test_what_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        pack(SetScene(1, Scene(tuple(range(MAX_SEATS + 1)))))
    with pytest.raises(ProtocolError):
        pack(CloseStudio(-1))


def test_a_media_workers_command_is_refused() -> None:
    with pytest.raises(ProtocolError):
        parse(pack_worker(OpenRoom(1, "mix", 8)))
