"""The pictures of a room as control knows them: ports, sources, places, and who is shown where (RFC 7667 §3.7).

Legs bring their ports and lines (`mcu.engine.leg_pictures`), the rules of `mcu.engine.stage` say who is shown, the worker's
forwarder is told of changes. It is the `Stage` of who composes pictures for phones with one line, where there is somebody.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from mcu.engine.base import Engine
from mcu.engine.composing import COMPOSED_TYPES, Composer, Face, Format, Scene, Viewer
from mcu.engine.stage import Place, Source, Speakers, arrange, fits, in_order
from mcu.video_messages import (
    AddPort,
    AddProducer,
    AddSlot,
    PicturePaused,
    PictureShown,
    PortHandshake,
    PortLearnt,
    PortReport,
    PortStreams,
    ProducerReport,
    RemovePort,
    RemoveProducer,
    RemoveSlot,
    Report,
    ShowProducer,
    UpdatePort,
    UpdateProducer,
)
from rtp.kernel import PortSpec, PortStatistics, ProducerSpec, ProducerStatistics, SlotSpec
from rtp.sdp.rtcp_feedback import FIR, NACK, PLI, REMB
from rtp.srtp import StreamState

Address = tuple[str, int]


COMPOSED_BPS = 6_000_000
"""What all who are seen in a composed picture should send together, as far as they can be asked: 1.5 Mbit/s of four, a third of
that of twelve. Who watches them untouched may want more."""


class PortOwner(Protocol):
    """Whose a port is. participant: the id of that leg."""

    @property
    def participant(self) -> int:
        """Whose leg it is."""

    def receive_handshake(self, message: PortHandshake, gallery: Gallery) -> None:
        """A datagram of DTLS or STUN came to it."""

    def receive_streams(self, port_id: int, streams: tuple[StreamState, ...]) -> None:
        """Where its peer's streams stand."""

    def learn(self, port_id: int, remote: Address) -> None:
        """Where its pictures really come from."""


@dataclass(slots=True)
class _Composing:
    """What a composer has open."""

    ports: dict[int, socket.socket] = field(default_factory=dict)
    slots: dict[int, tuple[SlotSpec, int]] = field(default_factory=dict)
    producers: dict[int, ProducerSpec] = field(default_factory=dict)
    assigned: dict[int, int] = field(default_factory=dict)


class Gallery:
    """All pictures of one room. kind: one of `mcu.messages.ROOM_KINDS`: in an echo everybody sees themselves, with a tone there
    is a test picture, in a relay two see each other untouched where they can; ports, streams: the latest figures."""

    def __init__(self, room_id: int, engine: Engine, send: Callable[..., None], kind: str = "mix") -> None:
        self.room_id = room_id
        self.ports: dict[int, PortStatistics] = {}
        self.streams: dict[int, ProducerStatistics] = {}
        self.shown: dict[int, int] = {}
        self._kind = kind
        self._engine = engine
        self._send: Callable[..., None] = send
        self._owners: dict[int, PortOwner] = {}
        self._sources: dict[int, Source] = {}
        self._open: set[int] = set()
        self._places: dict[int, Place] = {}
        self._viewers: dict[int, Viewer] = {}
        self._told: dict[int, tuple[int, int]] = {}
        self._pins: dict[int, tuple[int, ...]] = {}
        self._names: dict[int, str] = {}
        self._speakers = Speakers()
        self._composer: Composer | None = None
        self._layout = "switch" if kind == "relay" else ""
        self._speaking: tuple[int, ...] = ()
        self._composing = _Composing()
        self._scene = Scene()
        self._served: tuple[Viewer, ...] = ()

    def new_number(self) -> int:
        """32 random bits that nothing in the room has."""
        while True:
            number = secrets.randbits(32)
            taken = (self._owners, self._sources, self._places, self._names, self._composing.slots, self._composing.ports)
            if number and not any(number in one for one in taken):
                return number

    # ---- what legs bring

    def add_port(self, owner: PortOwner, spec: PortSpec, descriptors: Sequence[int]) -> None:
        """A transport begins."""
        self._owners[spec.port_id] = owner
        self._send(AddPort(self.room_id, spec), descriptors)

    def update_port(self, spec: PortSpec, *, is_remote_new: bool) -> None:
        """Something about it was agreed anew."""
        self._send(UpdatePort(self.room_id, spec, is_remote_new))

    def remove_port(self, port_id: int) -> None:
        """It is over; so are its lines, which must be removed before."""
        if self._owners.pop(port_id, None) is not None:
            self.ports.pop(port_id, None)
            self._send(RemovePort(self.room_id, port_id))

    def add_source(self, source: Source, spec: ProducerSpec) -> None:
        """A stream in, which is closed until it is opened."""
        self._sources[source.producer_id] = source
        spec.is_open = source.producer_id in self._open
        self._send(AddProducer(self.room_id, spec))
        for slot, producer_id in self._composing.slots.values():
            if producer_id == source.producer_id:       # it was there before, and who composes watches it still
                self._send(ShowProducer(self.room_id, slot.slot_id, producer_id))

    def open_source(self, producer_id: int, is_open: bool) -> None:
        """Let a stream in be shown, or not any more. One that does not exist yet is opened when it comes."""
        if is_open == (producer_id in self._open):
            return
        (self._open.add if is_open else self._open.discard)(producer_id)
        if producer_id in self._sources:
            self._send(UpdateProducer(self.room_id, producer_id, is_open))
        self.arrange()

    def remove_source(self, producer_id: int) -> None:
        """A stream in is over; an unknown one is no error."""
        if self._sources.pop(producer_id, None) is not None:
            self.streams.pop(producer_id, None)
            self._take_down(producer_id)
            self._send(RemoveProducer(self.room_id, producer_id))

    def add_place(self, place: Place, spec: SlotSpec) -> None:
        """A stream out, which shows nothing yet."""
        self._places[place.slot_id] = place
        self._told.pop(place.slot_id, None)
        self._send(AddSlot(self.room_id, spec))

    def remove_place(self, slot_id: int) -> None:
        """A stream out is over; an unknown one is no error."""
        if self._places.pop(slot_id, None) is not None:
            self._told.pop(slot_id, None)
            self.shown.pop(slot_id, None)
            self._send(RemoveSlot(self.room_id, slot_id))

    def _take_down(self, producer_id: int) -> None:
        """A place whose stream is over shows nothing."""
        self._told = {slot_id: told for slot_id, told in self._told.items() if told[0] != producer_id}

    def set_viewer(self, participant: int, viewer: Viewer | None) -> None:
        """A participant has one line of pictures, or not any more."""
        if viewer is None:
            self._viewers.pop(participant, None)
        else:
            self._viewers[participant] = viewer

    # ---- what the room knows

    def describe(self, participant: int, name: str) -> None:
        """Somebody is in the room, or called otherwise."""
        self._names[participant] = name
        self._tell_composer()

    def forget(self, participant: int) -> None:
        """Somebody has left, and their lines are gone."""
        self._names.pop(participant, None)
        self._pins.pop(participant, None)
        self._speakers.forget(participant)
        self.arrange()

    def hear(self, speaking: Iterable[int]) -> None:
        """These speak now, the loudest first."""
        self._speaking = tuple(speaking)
        if self._speakers.hear(self._speaking, time.monotonic()):
            self.arrange()
        else:
            self._tell_composer()

    def pin(self, participant: int, targets: Sequence[int]) -> None:
        """A participant wants to see these in any case."""
        self._pins[participant] = tuple(targets)
        self.arrange()

    def set_layout(self, layout: str) -> None:
        """Compose the room that way. Raises ValueError for one that there is not."""
        self._layout = layout
        if self._composer is not None:
            self._composer.set_layout(layout)

    def handle_timer(self) -> None:
        """Called some times a second."""
        if self._speakers.advance(time.monotonic()):
            self.arrange()

    def arrange(self) -> None:
        """Have shown what is to be shown now."""
        sources = in_order(self._open_sources(), self._speakers.recent)
        by_viewer: dict[int, list[Place]] = {}
        for place in self._places.values():
            by_viewer.setdefault(place.participant, []).append(place)
        for viewer, places in by_viewer.items():
            shown = {place.slot_id: self._told[place.slot_id][0] for place in places if place.slot_id in self._told}
            wanted = arrange(places, sources, shown, self._pins.get(viewer, ()), is_mirror=self._kind == "echo")
            composed = self._composing.assigned.get(viewer, 0)
            for place in places:
                rank = wanted[place.slot_id][1]
                self._show(place.slot_id, (composed, rank) if composed and not place.is_slides else wanted[place.slot_id])
        self._tell_composer()

    def _open_sources(self) -> list[Source]:
        """What may be shown, each with the formats of the coding that comes, once that is known."""
        return [self._narrowed(source) for source in self._sources.values() if source.producer_id in self._open]

    def _narrowed(self, source: Source) -> Source:
        known = self.streams.get(source.producer_id)
        formats = tuple(one for one in source.formats if known is not None and one[1] == known.coding)
        return replace(source, formats=formats) if formats else source

    def _show(self, slot_id: int, wanted: tuple[int, int]) -> None:
        if self._told.get(slot_id, (0, wanted[1])) != wanted:
            self._send(ShowProducer(self.room_id, slot_id, *wanted))
        if not wanted[0]:
            self.shown.pop(slot_id, None)
        self._told[slot_id] = wanted

    # ---- the worker

    def receive(self, report: Report) -> None:
        """What the worker tells."""
        match report:
            case PictureShown(_, slot_id, producer_id):
                self.shown[slot_id] = producer_id
            case PicturePaused(_, slot_id, True):
                self.shown.pop(slot_id, None)
            case PortReport(_, statistics):
                if statistics.port_id in self._owners:
                    self.ports[statistics.port_id] = statistics
                    if self._composer is not None:
                        self._composer.follow(self._owners[statistics.port_id].participant, statistics.estimate_bps)
            case ProducerReport(_, stream):
                if stream.producer_id in self._sources:
                    before = self.streams.get(stream.producer_id)
                    self.streams[stream.producer_id] = stream
                    if stream.coding != (before.coding if before is not None else ""):
                        self.arrange()
            case PortStreams(_, port_id, streams) if port_id in self._owners:
                self._owners[port_id].receive_streams(port_id, streams)
            case PortLearnt(_, port_id, remote) if port_id in self._owners:
                self._owners[port_id].learn(port_id, remote)
            case PortHandshake() if report.port_id in self._owners:
                self._owners[report.port_id].receive_handshake(report, self)

    def begin_again(self) -> None:
        """A fresh worker knows nothing: legs bring their ports and lines again, then `restore` is called."""
        for known in (self._sources, self._places, self._told, self.shown):
            known.clear()

    def restore(self) -> None:
        """What the composer has, and who is shown where."""
        work = self._composing
        for port_id, sock in work.ports.items():
            self._send(AddPort(self.room_id, self._local_port(port_id, sock)), [sock.fileno()])
        for producer in work.producers.values():
            self._send(AddProducer(self.room_id, producer))
        for slot, producer_id in work.slots.values():
            self._send(AddSlot(self.room_id, slot))
            self._send(ShowProducer(self.room_id, slot.slot_id, producer_id))
        self._told.clear()                              # what legs had shown of the composer's wasn't there yet
        self.arrange()

    def close(self) -> None:
        """The room is over."""
        if self._composer is not None:
            self._composer.close()
            self._composer = None
        for sock in self._composing.ports.values():
            sock.close()
        self._composing = _Composing()

    # ---- the composer, and what it may ask (mcu.engine.composing.Stage)

    def _tell_composer(self) -> None:
        """The scene and the viewers, where they have changed."""
        if self._engine.compose is None or self._kind == "echo" or not (self._who_wants_it_composed() or self._composer):
            return
        if self._composer is None:
            if not self._names and self._kind != "tone":
                return                                  # nobody is let in yet: who waits sees nothing
            self._composer = self._engine.compose(self)
            if self._layout:
                self._composer.set_layout(self._layout)
        scene, viewers = self._scene_now(), self._who_wants_it_composed()
        if scene != self._scene:
            self._scene = scene
            self._composer.show(scene)
        if viewers != self._served:
            self._served = viewers
            self._composer.serve(viewers)

    def _who_wants_it_composed(self) -> tuple[Viewer, ...]:
        """Phones with one line; of a call between two only who can't take the other's pictures as they are."""
        if self._kind != "relay":
            return tuple(self._viewers.values())
        return tuple(viewer for viewer in self._viewers.values() if not self._takes_the_others(viewer.participant))

    def _takes_the_others(self, participant: int) -> bool:
        places = [place for place in self._places.values() if place.participant == participant and not place.is_slides]
        others = [source for source in self._open_sources() if source.participant != participant]
        return all(any(fits(source, place) for place in places) for source in others)

    def _scene_now(self) -> Scene:
        if self._kind == "tone":
            return Scene(is_test=True)
        sources = [source for source in self._sources.values() if source.producer_id in self._open]
        pictured = {source.participant for source in sources if not source.is_slides}
        slides = next((source for source in reversed(sources) if source.is_slides), None)
        faces = tuple(Face(participant, name, participant in pictured) for participant, name in self._names.items())
        speakers = tuple(self._names) if self._kind == "relay" else tuple(self._speakers.recent)
        return Scene(faces, speakers, *((slides.producer_id, slides.participant) if slides else (0, 0)),
                     self._speaking)

    def _local_port(self, port_id: int, sock: socket.socket) -> PortSpec:
        remote: Address = sock.getpeername()
        return PortSpec(port_id, -1, -1, remote, remote, True, remote[0], secrets.randbits(32), self._engine.cname,
                        is_reduced=True, limit_bps=COMPOSED_BPS, is_local=True)

    def open_port(self, sock: socket.socket) -> int:
        """See Stage."""
        port_id = self.new_number()
        self._composing.ports[port_id] = sock
        self._send(AddPort(self.room_id, self._local_port(port_id, sock)), [sock.fileno()])
        return port_id

    def watch(self, port_id: int, producer_id: int) -> int:
        """See Stage."""
        ssrc = self.new_number()
        slot = SlotSpec(ssrc, port_id, ssrc, secrets.randbits(15), secrets.randbits(32), COMPOSED_TYPES)
        self._composing.slots[ssrc] = slot, producer_id
        self._send(AddSlot(self.room_id, slot))
        self._send(ShowProducer(self.room_id, ssrc, producer_id))
        return ssrc

    def unwatch(self, ssrc: int) -> None:
        """See Stage."""
        if self._composing.slots.pop(ssrc, None) is not None:
            self._send(RemoveSlot(self.room_id, ssrc))

    def compose(self, port_id: int, ssrc: int, kind: Format) -> int:
        """See Stage."""
        producer_id = self.new_number()
        formats = tuple(one for one in COMPOSED_TYPES if one[1:] == kind)
        spec = ProducerSpec(producer_id, port_id, formats, feedback=frozenset((NACK, PLI, FIR, REMB)), ssrc=ssrc)
        self._composing.producers[producer_id] = spec
        self._send(AddProducer(self.room_id, spec))
        return producer_id

    def dissolve(self, producer_id: int) -> None:
        """See Stage."""
        if self._composing.producers.pop(producer_id, None) is None:
            return
        for participant in [one for one, assigned in self._composing.assigned.items() if assigned == producer_id]:
            del self._composing.assigned[participant]
        self._take_down(producer_id)
        self._send(RemoveProducer(self.room_id, producer_id))
        self.arrange()

    def assign(self, participant: int, producer_id: int | None) -> None:
        """See Stage."""
        if producer_id is None:
            self._composing.assigned.pop(participant, None)
        elif producer_id in self._composing.producers:
            self._composing.assigned[participant] = producer_id
        self.arrange()

    def close_port(self, port_id: int) -> None:
        """See Stage."""
        work = self._composing
        sock = work.ports.pop(port_id, None)
        if sock is None:
            return
        for producer_id in [one for one, spec in work.producers.items() if spec.port_id == port_id]:
            self.dissolve(producer_id)
        work.slots = {ssrc: slot for ssrc, slot in work.slots.items() if slot[0].port_id != port_id}
        self._send(RemovePort(self.room_id, port_id))
        sock.close()
