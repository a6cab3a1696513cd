"""What composes for one room: sources in, one picture for each way of seeing the room, composed streams out (RFC 7667 §3.6.2).

Driven by datagrams and by time: `receive`, `compose`, `datagrams_to_send`. Pictures are composed once for each layout and size,
encoded once for each output; who gets an output is the forwarder's business. No socket, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mcu.picture.compositor import Compositor, Content
from mcu.picture.layout import MAX_STRIP, MAX_TILES, Layout, Tile, gallery, speaker
from mcu.picture.messages import Output, OutputFigures, PutSource, Scene, SourceFigures, StudioFigures
from mcu.picture.output import OutputStream
from mcu.picture.source import Source
from rtp.errors import CodecError, ParseError
from rtp.feedback import parse_feedback
from rtp.rtcp import OtherPacket, parse_compound

MAX_SOURCES, MAX_OUTPUTS = 64, 24
View = tuple[Layout, int, int, bool]
"""Layout, width, height, and whether for the one who speaks."""


class Studio:
    """One. ssrc: of our RTCP; cpu_ns: CPU time of this thread; note: told (studio, source) before a decoder runs, zeros after.
    """

    def __init__(self, studio_id: int, ssrc: int, cpu_ns: Callable[[], int], note: Callable[[int, int], None]) -> None:
        self.studio_id = studio_id
        self.sources: dict[int, Source] = {}
        self.outputs: dict[int, OutputStream] = {}
        self.scene = Scene()
        self.failures = 0
        self._ssrc = ssrc
        self._cpu_ns, self._note = cpu_ns, note
        self._by_ssrc: dict[int, Source] = {}
        self._canvases: dict[View, Compositor] = {}
        self._outbox: list[bytes] = []
        self._junk = 0
        self._compose_ns = self._encode_ns = 0

    # ---- what control says

    def put_source(self, spec: PutSource) -> None:
        """A source is new or has changed."""
        source = self.sources.get(spec.source_id)
        if source is not None and source.spec.ssrc == spec.ssrc:
            source.change(spec)
        elif source is not None or len(self.sources) < MAX_SOURCES:
            self.sources[spec.source_id] = Source(spec, self._cpu_ns, self._begin_decoding)
        self._sort()

    def remove_source(self, source_id: int) -> None:
        """Forget a source; an unknown one is no error."""
        self.sources.pop(source_id, None)
        self._sort()

    def _begin_decoding(self, source_id: int) -> None:
        self._note(self.studio_id if source_id else 0, source_id)

    def _sort(self) -> None:
        self._by_ssrc = {one.spec.ssrc: one for one in self.sources.values() if one.is_stream}

    def add_output(self, spec: Output) -> None:
        """Make a composed stream. Raises CodecError."""
        if len(self.outputs) >= MAX_OUTPUTS and spec.output_id not in self.outputs:
            raise CodecError(f"a studio makes {MAX_OUTPUTS} streams at most")
        self.outputs[spec.output_id] = OutputStream(spec)

    def remove_output(self, output_id: int) -> None:
        """Make it no more; an unknown one is no error."""
        self.outputs.pop(output_id, None)
        views = {_view_of(output.spec) for output in self.outputs.values()}
        self._canvases = {view: canvas for view, canvas in self._canvases.items() if view in views}

    # ---- what the forwarder sends

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take a datagram: a picture's packet, or what is said of our streams."""
        if len(data) < 12 or data[0] & 0xC0 != 0x80:
            self._junk += 1
        elif 192 <= data[1] <= 223:
            self._receive_report(data, now_ns)
        elif source := self._by_ssrc.get(int.from_bytes(data[8:12])):
            source.receive(data, now_ns)
        else:
            self._junk += 1

    def _receive_report(self, data: bytes, now_ns: int) -> None:
        try:
            items = [parse_feedback(packet) for packet in parse_compound(data) if isinstance(packet, OtherPacket)]
        except ParseError:
            self._junk += 1
            return
        for output in self.outputs.values():
            for item in items:
                if item is not None:
                    self._outbox += output.receive_feedback(item, now_ns)

    # ---- pictures

    def compose(self, now_ns: int) -> None:
        """Make the pictures that are due."""
        for source in self.sources.values():
            source.tend(now_ns)
            if items := source.feedback(self._ssrc, now_ns):
                self._outbox.append(b"".join(map(bytes, items)))
        composed: set[View] = set()
        for output in list(self.outputs.values()):
            if output.is_due(now_ns):
                self._make(output, composed, now_ns)

    def _make(self, output: OutputStream, composed: set[View], now_ns: int) -> None:
        view = _view_of(output.spec)
        canvas = self._canvases.get(view)
        if canvas is None:
            canvas = self._canvases[view] = Compositor(output.spec.width, output.spec.height)
        began_ns = self._cpu_ns()
        if view not in composed:
            composed.add(view)
            tiles, seen = arrangement(self.scene, view, self.sources)
            canvas.compose(tiles, [self._content(source_id, tile) for source_id, tile in zip(seen, tiles, strict=True)])
        composed_ns = self._cpu_ns()
        try:
            self._outbox += output.encode(canvas.canvas, canvas.version, now_ns)
        except CodecError:
            self.failures += 1
        self._compose_ns += composed_ns - began_ns
        self._encode_ns += self._cpu_ns() - composed_ns

    def _content(self, source_id: int, tile: Tile) -> Content:
        source = self.sources.get(source_id)
        if source is None:
            return Content(None)
        if tile.is_whole:                               # a shared screen: nothing is laid over what somebody has to read
            return Content(source.picture, "" if source.picture is not None else source.spec.name)
        return Content(source.picture, source.spec.name, source_id in self.scene.speaking)

    def datagrams_to_send(self) -> list[bytes]:
        """What goes to the forwarder since the last call."""
        out, self._outbox = self._outbox, []
        return out

    def figures(self, frame_rate: int) -> list[SourceFigures | OutputFigures | StudioFigures]:
        """Of everything here. frame_rate: what the worker manages now."""
        return [*(source.figures() for source in self.sources.values()),
                *(output.figures(self.studio_id) for output in self.outputs.values()),
                StudioFigures(self.studio_id, frame_rate, self._compose_ns // 1000 & 0xFFFFFFFF,
                              self._encode_ns // 1000 & 0xFFFFFFFF, self._junk & 0xFFFFFFFF)]


def _view_of(spec: Output) -> View:
    return spec.layout, spec.width, spec.height, spec.is_for_speaker


def arrangement(scene: Scene, view: View, known: Iterable[int]) -> tuple[tuple[Tile, ...], list[int]]:
    """The tiles of a view of a scene, and the source in each. known: sources that there are."""
    layout, width, height, is_for_speaker = view
    there = set(known)
    seats = [source_id for source_id in scene.seats if source_id in there]
    main = scene.before if is_for_speaker and scene.before in there else scene.main
    if scene.slides in there:
        people = [] if layout is Layout.SWITCH else [one for one in seats if one != scene.slides][:MAX_STRIP]
        return speaker(1 + len(people), width, height, is_slides=True), [scene.slides, *people]
    if layout is Layout.GALLERY:
        return gallery(len(seats), width, height), seats[:MAX_TILES]
    if main not in there:
        main = seats[0] if seats else 0
    if not main:
        return (), []
    people = [] if layout is Layout.SWITCH else [one for one in seats if one != main][:MAX_STRIP]
    return speaker(1 + len(people), width, height), [main, *people]
