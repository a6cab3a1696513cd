"""The lines of pictures of one call leg (RFC 3264, RFC 9143, RFC 4796): which of an offer are taken, and what the room is told.

There are two transports at the most: one for the camera and the receive slots beside it, one for slides where those are in no
BUNDLE group with the others. A peer that offers a group may be sent any of its formats; one with a single line gets one format.
Sound is never in a group with pictures here: it has a socket of its own, which is read by another clock.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mcu.engine.base import Engine
from mcu.engine.composing import Viewer
from mcu.engine.gallery import Gallery
from mcu.engine.handshake import Handshake
from mcu.engine.stage import Format, Place, Source
from mcu.engine.transport import Transport, reachable
from mcu.surroundings import PictureFacts, PictureLine
from mcu.video_messages import PortHandshake
from rtp.ice import RemoteIce
from rtp.kernel import PortSpec, ProducerSpec, ProducerStatistics, SlotSpec
from rtp.sdp.bundle import MID, carrier_of, groups_of, is_bundle_only, unbundled
from rtp.sdp.model import SessionDescription
from rtp.sdp.protection import check_kept, is_begun_anew
from rtp.sdp.several import LocalVideo, NegotiatedVideo, apply_answer
from rtp.sdp.video import SLIDES, VideoCapabilities, content_of
from rtp.srtp import StreamState
from rtp.transport_feedback import TRANSPORT_SEQUENCE
from sip.media_backend import MediaRefused

MAX_LINES = 16
"""Lines of pictures of one offer that are looked at: a camera, nine receive slots, slides, and room."""
MAIN = "main"
CAPABILITIES = VideoCapabilities(extensions=((3, MID), (4, TRANSPORT_SEQUENCE)))

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Port:
    """A transport of ours and what is agreed on it. is_up: the worker has it."""

    transport: Transport
    port_id: int
    ssrc: int
    is_up: bool = False
    lines: tuple[NegotiatedVideo, ...] = ()


@dataclass(slots=True)
class _Line:
    """A line that is in force: its stream in and its stream out, 0 for none."""

    agreed: NegotiatedVideo
    producer_id: int = 0
    slot_id: int = 0


@dataclass(slots=True)
class _Plan:
    """Our lines for one offer, and the transport of each."""

    videos: list[LocalVideo] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class LegPictures:
    """The pictures of a leg. capabilities: for `rtp.sdp.several`, as the latest offer wants them."""

    def __init__(self, engine: Engine, leg_id: int, *, may_send_keys: bool) -> None:
        self.capabilities = CAPABILITIES
        self._engine = engine
        self._leg_id = leg_id
        self._may_send_keys = may_send_keys
        self._ports: dict[str, _Port] = {}
        self._lines: dict[int, _Line] = {}
        self._plan = _Plan()
        self._agreed: tuple[NegotiatedVideo, ...] = ()
        self._slides_id = 0
        self._may_pass = {MAIN: False, SLIDES: False}
        self._signalling_host = ""

    @property
    def participant(self) -> int:
        """Whose leg it is."""
        return self._leg_id

    # ---- offer and answer

    def lines_for(self, theirs: SessionDescription, host: str, told_host: str) -> list[LocalVideo]:
        """Our lines for those of an offer. host: where we receive, told_host: what the peer is told."""
        group_of = {index: group for group in groups_of(theirs) for index in group}
        wanted = [index for index, media in enumerate(theirs.media)
                  if media.kind == "video" and (media.port or is_bundle_only(media))][:MAX_LINES]
        self.capabilities = replace(CAPABILITIES, takes_all=any(index in group_of for index in wanted))
        self._plan = _Plan()
        keys: dict[tuple[int, ...], str] = {}
        for index in wanted:
            content = SLIDES if content_of(theirs.media[index]) == SLIDES else MAIN
            group = group_of.get(index, (index,))
            if group not in keys and content in keys.values():
                continue
            key = keys.setdefault(group, content)
            direction = "sendrecv"
            if content == MAIN and _is_camera_of_slots(theirs, index, group):
                direction = "recvonly"
            self._add_line(key, content, host, told_host, direction)
        return self._plan.videos

    def _add_line(self, key: str, content: str, host: str, told_host: str, direction: str) -> None:
        try:
            local = self._port(key).transport.local(host, told_host, direction)
        except MediaRefused as error:                    # the call goes on without pictures
            logger.warning("no port for pictures: %s", error.reason, extra={"leg": self._leg_id})
            return
        is_slides = content == SLIDES
        self._plan.videos.append(LocalVideo(local, SLIDES if is_slides else "", SLIDES if is_slides else ""))
        self._plan.keys.append(key)

    def _port(self, key: str) -> _Port:
        if key not in self._ports:
            transport = Transport(self._engine, may_send_keys=self._may_send_keys)
            self._ports[key] = _Port(transport, 0, secrets.randbits(32))
        return self._ports[key]

    def first(self, host: str, told_host: str) -> list[LocalVideo]:
        """Our lines for a first offer: one, of which any phone knows what it is."""
        self.capabilities = CAPABILITIES
        self._plan = _Plan()
        self._add_line(MAIN, MAIN, host, told_host, "sendrecv")
        return self._plan.videos

    def kept(self, host: str, told_host: str) -> list[LocalVideo]:
        """Our lines for a later offer: those that are in force."""
        plan, self._plan = self._plan, _Plan()
        for each in self._agreed:
            before = plan.videos[each.slot]
            self._add_line(plan.keys[each.slot], before.content or MAIN, host, told_host, before.media.direction)
        self._agreed = tuple(replace(each, slot=slot) for slot, each in enumerate(self._agreed))
        return self._plan.videos

    def check_kept(self, agreed: tuple[NegotiatedVideo, ...]) -> tuple[NegotiatedVideo, ...]:
        """What was agreed, once it is sure that nothing protected goes on in clear. Raises NegotiationFailed."""
        for each in agreed:
            before = self._lines.get(each.index)
            check_kept(before.agreed.protection if before is not None else None, each.protection)
        return agreed

    def renew(self, agreed: Sequence[NegotiatedVideo]) -> bool:
        """Make new keys where the peer has; whether there are any, and the answer must be made again."""
        is_renewed = False
        for each in agreed:
            before = self._lines.get(each.index)
            if before is not None and is_begun_anew(before.agreed.protection, each.protection):
                self._ports[self._plan.keys[each.slot]].transport.make_keys()
                is_renewed = True
        return is_renewed

    def applied(self, offered: SessionDescription, theirs: SessionDescription) -> tuple[NegotiatedVideo, ...]:
        """What their answer to our offer means. Raises NegotiationFailed."""
        agreed = self.check_kept(apply_answer(offered, theirs, self._plan.videos))
        self.meet(theirs, agreed, is_answer=True)
        return agreed

    def meet(self, theirs: SessionDescription, agreed: Sequence[NegotiatedVideo], *, is_answer: bool = False) -> None:
        """Be ready for the checks of a peer that brings ICE."""
        bare = unbundled(theirs)
        seen: set[str] = set()
        for each in agreed:
            key = self._plan.keys[each.slot]
            if key not in seen:
                seen.add(key)
                remote = RemoteIce.of(bare, bare.media[carrier_of(theirs, each.index)])
                self._ports[key].transport.meet(remote, each, is_answer=is_answer)

    def with_ice(self, ours: SessionDescription, host: str,
                 agreed: Sequence[NegotiatedVideo] | None = None) -> SessionDescription:
        """Our description with what it says of ICE, on the first line of each transport."""
        seen: set[str] = set()
        for each in self._agreed if agreed is None else agreed:
            key = self._plan.keys[each.slot]
            if key not in seen:
                seen.add(key)
                ours = self._ports[key].transport.with_ice(ours, each.index, host)
        return ours

    # ---- in force

    def enforce(self, agreed: tuple[NegotiatedVideo, ...], gallery: Gallery, signalling_host: str) -> None:
        """This holds from now on."""
        self._signalling_host = signalling_host
        self._agreed = agreed
        if not self._slides_id:
            self._slides_id = gallery.new_number()
        for index in [index for index in self._lines if all(each.index != index for each in agreed)]:
            self._remove_line(index, gallery)
        for key in list(self._ports):
            self._enforce_port(key, tuple(each for each in agreed if self._plan.keys[each.slot] == key), gallery)
        for each in agreed:
            self._enforce_line(each, gallery)
        gallery.set_viewer(self._leg_id, self._viewer(agreed))
        gallery.arrange()

    def _enforce_port(self, key: str, lines: tuple[NegotiatedVideo, ...], gallery: Gallery) -> None:
        port = self._ports[key]
        if not lines:
            if port.is_up:
                gallery.remove_port(port.port_id)
            port.transport.close()
            del self._ports[key]
            return
        protection = port.transport.protected(lines[0])
        before, port.lines = port.lines, (replace(lines[0], protection=protection), *lines[1:])
        if before and is_begun_anew(before[0].protection, protection):
            port.transport.streams = ()
        is_new = not before or (before[0].remote, before[0].remote_rtcp) != (lines[0].remote, lines[0].remote_rtcp)
        if is_new:
            port.transport.forget()
        if port.is_up:
            gallery.update_port(self._spec(port), is_remote_new=is_new)
        else:
            self._bring(port, gallery)

    def _bring(self, port: _Port, gallery: Gallery) -> None:
        port.port_id = port.port_id or gallery.new_number()
        port.is_up = True
        gallery.add_port(self, self._spec(port), port.transport.descriptors())

    def _spec(self, port: _Port) -> PortSpec:
        first, transport = port.lines[0], port.transport
        limits = [each.bitrate_bps for each in port.lines if each.may_send]
        remote = transport.learnt or reachable(first.remote, self._signalling_host)
        rtcp = remote if first.rtcp_mux else transport.learnt_rtcp or reachable(first.remote_rtcp, self._signalling_host)
        is_held = first.remote is None
        protection = first.protection
        return PortSpec(
            port.port_id, -1, -1, None if is_held else remote, None if is_held else rtcp, first.rtcp_mux, self._signalling_host,
            port.ssrc, self._engine.cname, first.extensions.get(MID, 0), first.extensions.get(TRANSPORT_SEQUENCE, 0),
            first.is_reduced, sum(limits) if all(limits) else 0,
            protection.keys if protection is not None else None, transport.rtcp_keys(first), transport.streams,
            protection is not None and protection.how == "dtls", transport.connectivity is not None, owner=self._leg_id)

    def _enforce_line(self, agreed: NegotiatedVideo, gallery: Gallery) -> None:
        line = self._lines.get(agreed.index)
        if line is not None and not _is_same(line.agreed, agreed):
            self._remove_line(agreed.index, gallery)
            line = None
        if line is None:
            line = self._lines[agreed.index] = _Line(agreed)
            self._bring_line(line, gallery)
        line.agreed = agreed

    def _bring_line(self, line: _Line, gallery: Gallery) -> None:
        """Its streams, to the worker."""
        agreed, port = line.agreed, self._ports[self._plan.keys[line.agreed.slot]]
        is_slides = self._plan.videos[agreed.slot].content == SLIDES
        producer_id = self._slides_id if is_slides else self._leg_id
        if agreed.may_receive and all(other.producer_id != producer_id for other in self._lines.values() if other is not line):
            line.producer_id = producer_id
            formats = _formats(agreed, is_theirs=True)
            wishes = frozenset().union(*(each.feedback for each in agreed.formats))
            gallery.add_source(Source(producer_id, self._leg_id, is_slides, formats),
                               ProducerSpec(producer_id, port.port_id, formats, agreed.mid, wishes, origin=self._leg_id))
            gallery.open_source(producer_id, self._may_pass[SLIDES if is_slides else MAIN])
        if agreed.direction in ("sendrecv", "sendonly"):
            formats = _formats(agreed, is_theirs=False)
            line.slot_id = line.slot_id or gallery.new_number()
            numbers = secrets.randbits(32), secrets.randbits(15), secrets.randbits(32)
            gallery.add_place(Place(line.slot_id, self._leg_id, is_slides, formats),
                              SlotSpec(line.slot_id, port.port_id, *numbers, formats, agreed.mid))

    def _remove_line(self, index: int, gallery: Gallery) -> None:
        line = self._lines.pop(index)
        if line.producer_id:
            gallery.remove_source(line.producer_id)
        if line.slot_id:
            gallery.remove_place(line.slot_id)

    def _viewer(self, agreed: Sequence[NegotiatedVideo]) -> Viewer | None:
        """What a phone takes that has one line of pictures; None for one with many, or none."""
        mains = [each for each in agreed if self._plan.videos[each.slot].content != SLIDES
                 and each.direction in ("sendrecv", "sendonly")]
        if len(mains) != 1 or mains[0].is_bundled:
            return None
        formats = mains[0].formats
        return Viewer(self._leg_id, tuple((each.name.lower(), each.mode) for each in formats), formats[0].max_macroblocks,
                      formats[0].max_frame_rate, mains[0].bitrate_bps)

    # ---- what the focus asks and tells

    def sends(self, content: str) -> bool:
        """Whether the peer may send that: `main` or `slides`."""
        return any(each.may_receive and (self._plan.videos[each.slot].content or MAIN) == content for each in self._agreed)

    def summary(self) -> list[PictureLine]:
        """The lines that are agreed, one for each kind."""
        out = []
        for content in (MAIN, SLIDES):
            lines = [each for each in self._agreed if (self._plan.videos[each.slot].content or MAIN) == content]
            if lines:
                out.append(PictureLine(content, lines[0].formats[0].name,
                                       any(each.direction in ("sendrecv", "sendonly") for each in lines)))
        return out

    def facts(self, gallery: Gallery) -> PictureFacts:
        """How they are now: the camera's stream in, all streams out."""
        stream = gallery.streams.get(self._leg_id, ProducerStatistics(self._leg_id))
        ports = [port for port in self._ports.values() if port.is_up]
        figures = [gallery.ports[port.port_id] for port in ports if port.port_id in gallery.ports]
        slots = [line.slot_id for line in self._lines.values() if line.slot_id]
        agreed = next((line.agreed for line in self._lines.values() if line.producer_id == self._leg_id), None)
        codec = stream.coding or (agreed.formats[0].name if agreed is not None else "")
        protection = ports[0].lines[0].protection if ports and ports[0].lines else None
        return PictureFacts(
            codec.upper(), stream.width, stream.height, stream.bitrate_bps, stream.packets, stream.lost,
            sum(each.packets_out for each in figures), max((each.remote_loss for each in figures), default=0.0),
            sum(1 for slot in slots if gallery.shown.get(slot)), len(slots),
            max((each.estimate_bps for each in figures), default=0),
            protection.suite if protection is not None else "")

    def let_pass(self, content: str, may_pass: bool, gallery: Gallery) -> None:
        """Let what the peer sends be shown, or not any more."""
        self._may_pass[content] = may_pass
        if self._slides_id:
            gallery.open_source(self._slides_id if content == SLIDES else self._leg_id, may_pass)

    # ---- life

    def follow(self, host: str, gallery: Gallery) -> None:
        """The phone's signalling comes from another host now."""
        self._signalling_host = host
        for port in self._ports.values():
            if port.is_up:
                port.transport.forget()
                gallery.update_port(self._spec(port), is_remote_new=True)

    def rejoin(self, gallery: Gallery) -> None:
        """Bring all again: to a fresh worker, or into another room. The streams out begin anew."""
        if not self._agreed:
            return
        for port in self._ports.values():
            if port.is_up:
                self._bring(port, gallery)
        for line in self._lines.values():
            self._bring_line(line, gallery)
        gallery.set_viewer(self._leg_id, self._viewer(self._agreed))
        gallery.arrange()

    def leave(self, gallery: Gallery) -> None:
        """Take all out of a room, to bring it into another."""
        for line in self._lines.values():
            if line.producer_id:
                gallery.open_source(line.producer_id, False)
                gallery.remove_source(line.producer_id)
            if line.slot_id:
                gallery.remove_place(line.slot_id)
        for port in self._ports.values():
            if port.is_up:
                gallery.remove_port(port.port_id)
        gallery.set_viewer(self._leg_id, None)
        gallery.forget(self._leg_id)

    def release(self, gallery: Gallery) -> None:
        """End all and give the ports back; a second call does nothing."""
        self.leave(gallery)
        for port in self._ports.values():
            port.transport.close()
        self._ports.clear()
        self._lines.clear()
        self._agreed = ()

    # ---- what comes of the worker (mcu.engine.gallery.PortOwner)

    def receive_streams(self, port_id: int, streams: tuple[StreamState, ...]) -> None:
        """Where the peer's streams stand."""
        port = self._port_with(port_id)
        if port is not None and streams:
            port.transport.streams = streams

    def learn(self, port_id: int, remote: tuple[str, int]) -> None:
        """Where a port's pictures really come from."""
        port = self._port_with(port_id)
        if port is not None:
            port.transport.learnt = remote

    def receive_handshake(self, message: PortHandshake, gallery: Gallery) -> None:
        """A datagram of STUN or DTLS for one of the ports."""
        port = self._port_with(message.port_id)
        if port is None or not port.lines:
            return
        transport = port.transport
        if message.data[:1] < b"\x04":
            selected = transport.select(message.data, message.source, message.component)
            if selected and port.lines[0].remote is not None:
                transport.learnt = selected.get(0, transport.learnt)
                transport.learnt_rtcp = selected.get(1, transport.learnt_rtcp)
                gallery.update_port(self._spec(port), is_remote_new=True)
        elif (handshake := transport.handshake) is not None:
            has_news = handshake.receive(message.data, message.source, message.component, time.monotonic())
            self._take_keys(port, handshake, has_news, gallery)

    def handle_timer(self, gallery: Gallery) -> None:
        """See to handshakes that are not answered."""
        for port in self._ports.values():
            if (handshake := port.transport.handshake) is not None:
                self._take_keys(port, handshake, handshake.handle_timer(time.monotonic()), gallery)

    def _take_keys(self, port: _Port, handshake: Handshake, has_news: bool, gallery: Gallery) -> None:
        first = port.lines[0] if port.lines else None
        if not has_news or first is None or first.protection is None:
            return
        if handshake.failure:
            logger.warning("pictures can't be protected: %s", handshake.failure, extra={"leg": self._leg_id})
            return
        keyed = replace(first, protection=replace(first.protection, keys=handshake.keys[0]))
        port.lines = (keyed, *port.lines[1:])
        gallery.update_port(self._spec(port), is_remote_new=False)

    def _port_with(self, port_id: int) -> _Port | None:
        return next((port for port in self._ports.values() if port.port_id == port_id), None)


def _is_camera_of_slots(theirs: SessionDescription, index: int, group: Sequence[int]) -> bool:
    """Whether a line sends only, as others of its group are there to receive."""
    others = [theirs.media[other] for other in group if other != index and theirs.media[other].kind == "video"]
    return theirs.direction(theirs.media[index]) == "sendrecv" and any(
        theirs.direction(media) == "recvonly" and content_of(media) != SLIDES for media in others)


def _formats(agreed: NegotiatedVideo, *, is_theirs: bool) -> tuple[Format, ...]:
    """Those of a stream in (is_theirs) or out, with the numbers that it has on the wire."""
    return tuple((each.receive_type if is_theirs else each.send_type, each.name.lower(), each.mode) for each in agreed.formats)


def _is_same(before: NegotiatedVideo, agreed: NegotiatedVideo) -> bool:
    """Whether the streams of a line can go on as they are."""
    names = ("slot", "content", "mid", "formats", "direction")
    return all(getattr(before, name) == getattr(agreed, name) for name in names)
