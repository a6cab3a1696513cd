"""The mixing room, readable: one `tick` of 20 ms from the sockets to the sockets (RFC 3550 §7.1: a mixer with its own SSRCs).

Drain, pop, choose, sum, encode, send. What all pure listeners of one format hear is encoded once and sent to each behind its
own header; who speaks gets the sum without their own voice, from an encoder that began as a copy of the shared one. A call
between two needs none of that while both phones speak the same language: `rtp.kernel.relay`.
"""

from __future__ import annotations

import logging
import random
import select
import struct
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rtp.codecs import g711
from rtp.codecs.resample import Samples
from rtp.demux import DatagramKind, sort_datagram
from rtp.kernel.leg import G711_BYTES, LOOK_S, QUIET_DBOV, SILENT, UNMEASURED, Leg, level_of
from rtp.kernel.relay import Passage, is_alike
from rtp.kernel.sockets import receive
from rtp.kernel.speakers import choose
from rtp.kernel.spec import (
    TICK_SAMPLES,
    Address,
    AddressLearnt,
    DtmfPressed,
    HandshakeReceived,
    LegSpec,
    LegStatistics,
    Notice,
    SpeakersChanged,
)
from rtp.kernel.stream import Form, MixStream, is_exact
from rtp.packet import write_extensions
from rtp.rtcp import SourceDescription
from rtp.srtp.context import StreamState

Sum = npt.NDArray[np.int32]
Source = Callable[[], Samples | None]
"""Gives 960 samples for each tick, None when it is at its end."""
Heard = Callable[[int, Sequence[tuple[int, Samples]]], None]
"""Told in each tick when it was due (monotonic ns), what all hear (leg 0) and each voice in it by leg id; never silence."""
Tail = tuple[bytes, int, int, int]
"""(what follows the fixed header, the header's first byte, payload size, length in timestamp units)."""

MAX_ROUNDS = 8
"""How often a tick looks for further packets: at most so many of one leg, the rest waits."""
MAX_BACKLOG, BACKLOG_NS = 512, 200_000_000
"""How many packets may have waited for a leg that joins, and for how long they are still worth playing."""
MAX_NEWCOMERS, MAX_NEWCOMERS_A_TICK = 256, 16
"""Packets of others that one look takes: about what the system keeps of them; fewer when we look in each tick."""
QUIET_NS = 1_000_000_000
"""A peer that is quiet for so long may have moved: from then on newcomers are seen in each tick."""
MAX_HANDSHAKES = 64
"""Datagrams of DTLS and STUN between two looks; a handshake has six or so, ICE some for each pair; both repeat what is lost."""
MAX_EVENTS = 4096
"""Sockets that one look can find ready: all of a room's."""
MAX_CSRCS = 15
NAMED_TICKS = 500
"""Who was in the mix in the last 10 s is named in our RTCP."""
OWN_TICKS = 100
"""How long a listener who spoke keeps a stream of their own while others speak: by then both streams are in the same state."""
OWN_SILENT_TICKS = 25
"""The same, when nobody speaks."""
MAX_OWN_FROM_START = 12
"""Legs of a room that have a stream of their own from the start when its codec has no exact copy; more would cost too much."""
SILENCE: Samples = np.zeros(TICK_SAMPLES, np.int16)
FADE_SAMPLES = 480
"""10 ms: long enough not to click, short enough not to swallow a consonant."""
_RISE = (np.sin(np.linspace(0, np.pi / 2, FADE_SAMPLES)) ** 2).astype(np.float32)
_FADE_IN = np.concatenate((_RISE, np.ones(TICK_SAMPLES - FADE_SAMPLES, np.float32)))
_FADE_OUT = _FADE_IN[::-1].copy()
DUCKED = 0.3
"""How much of the mix is left to one who is told something: about 10 dB less."""
_POWER = {"pcmu": g711.MULAW_POWER, "pcma": g711.ALAW_POWER}
_MEAN = np.full(G711_BYTES, 1 / G711_BYTES, np.float32)

logger = logging.getLogger(__name__)


class Room:
    """A room of legs. kind: "mix", "echo" where each hears themselves, or "relay" for a call between two, whose payloads go
    over untouched where they can; max_speakers: how many are mixed at once.

    `recorders`: who is told what is heard, by id; `failures`: packets and legs that raised what they should not have; each
    cost itself alone.
    """

    def __init__(self, room_id: int, *, kind: str = "mix", max_speakers: int = 8) -> None:
        self.room_id = room_id
        self.kind = kind
        self.max_speakers = max_speakers
        self.legs: dict[int, Leg] = {}
        self.failures = 0
        self.recorders: dict[int, Heard] = {}
        self._sources: dict[int, Source] = {}
        self._private: dict[int, tuple[Source, float]] = {}
        self._poll = select.epoll()
        self._by_fd: dict[int, tuple[Leg, bool]] = {}
        self._notices: list[Notice] = []
        self._speaking: frozenset[int] = frozenset()
        self._shared: dict[Form, MixStream] = {}
        self._ticks = self._silent_ticks = 0
        self._is_whole = False
        self._contributed: dict[int, int] = {}

    # ---- who is in it

    def add_leg(self, spec: LegSpec) -> None:
        """Take a leg and its sockets; one with the same id is removed first."""
        self.remove_leg(spec.leg_id)
        leg = Leg(spec, random.random, time.monotonic())
        self.legs[spec.leg_id] = leg
        self._settle(leg)
        for sock, is_rtcp in ((leg.rtp, False), (leg.rtcp_socket, True)):
            if sock is not None:
                self._by_fd[sock.fileno()] = (leg, is_rtcp)
                self._poll.register(sock.fileno(), select.EPOLLIN)
        self._couple()
        self._catch_up(leg)

    def fileno(self) -> int:
        """A descriptor that is readable when a packet waits at one of the sockets."""
        return self._poll.fileno()

    def _catch_up(self, leg: Leg) -> None:
        """Drop what has waited too long to be played: a leg that comes from a worker that failed has seconds of it."""
        now_ns = time.monotonic_ns()
        offset = time.time_ns() - now_ns
        for _ in range(MAX_BACKLOG):
            packet = receive(leg.rtp, offset, now_ns)
            if packet is None:
                return
            if now_ns - packet[2] < BACKLOG_NS:
                self._take_safely(leg, False, packet, now_ns)

    def update_leg(self, leg_id: int, **changes: object) -> None:
        """Change fields of a leg's spec (codec, addresses, directions); an unknown leg is no error."""
        leg = self.legs.get(leg_id)
        if leg is None:
            return
        spec = leg.spec
        before = (spec.codec, spec.ptime_ms, spec.receive_type, spec.fmtp, spec.dtmf_type)
        codec = spec.codec
        for name, value in changes.items():
            setattr(spec, name, value)
        if changes.keys() & {"keys", "rtcp_keys", "rtcp_mux", "awaits_keys", "has_ice"}:
            leg.set_keys()
        leg.shape = (leg.form, spec.mixer_extension)
        if "remote" in changes:
            self._unlock(leg)
            if spec.remote is not None:
                leg.filter = type(leg.filter)(spec.remote, spec.signalling_host)
        if (spec.codec, spec.ptime_ms, spec.receive_type, spec.fmtp, spec.dtmf_type) != before:
            leg.set_codec()
            self._settle(leg)
            leg.marker = leg.marker or spec.codec != codec
            self._couple()

    def remove_leg(self, leg_id: int) -> None:
        """End a leg: RTCP BYE, sockets closed; an unknown leg is no error."""
        leg = self.legs.pop(leg_id, None)
        self._private.pop(leg_id, None)
        if leg is None:
            return
        for fd in [fd for fd, (owner, _) in self._by_fd.items() if owner is leg]:
            self._poll.unregister(fd)
            del self._by_fd[fd]
        leg.close()
        self._couple()

    def _couple(self) -> None:
        """Join the two legs of a relay; payloads go over untouched while nothing else is to be heard, to one alone none."""
        if self.kind != "relay":
            return
        legs = list(self.legs.values())
        is_pair = len(legs) == 2
        is_whole = not self._sources and (len(legs) < 2 or (is_pair and is_alike(legs[0].spec, legs[1].spec)))
        for leg, other in zip(legs, reversed(legs), strict=True):
            leg.passage = Passage(leg, other, is_whole) if is_pair else None
            if self._is_whole and not is_whole:
                leg.set_codec()
                leg.marker = True
        self._is_whole = is_whole

    def _settle(self, leg: Leg) -> None:
        """A stream of its own from the start for a leg that could not change to one later without a step."""
        alike = sum(1 for other in self.legs.values() if other.own is not None and other.form == leg.form)
        if not is_exact(leg.spec.codec) and alike < MAX_OWN_FROM_START:
            leg.own = MixStream(leg.form)

    def add_source(self, source_id: int, source: Source) -> None:
        """Mix in a source that everybody hears, until it is at its end."""
        self._sources[source_id] = source
        self._couple()

    def remove_source(self, source_id: int) -> None:
        """Stop a source; an unknown one is no error."""
        self._sources.pop(source_id, None)
        self._couple()

    def add_private_source(self, leg_id: int, source: Source, share: float = DUCKED) -> None:
        """Let one leg alone hear a source until it is at its end, in place of the one before. share: of the mix beside it."""
        if leg_id in self.legs:
            self._private[leg_id] = source, share

    def remove_private_source(self, leg_id: int) -> None:
        """Stop what one leg alone hears; nothing is no error."""
        self._private.pop(leg_id, None)

    def close(self) -> None:
        """End all legs."""
        for leg_id in list(self.legs):
            self.remove_leg(leg_id)
        self._poll.close()

    def notices(self) -> list[Notice]:
        """What happened since the last call."""
        out, self._notices = self._notices, []
        return out

    def statistics(self, now_ns: int) -> list[LegStatistics]:
        """Figures of all legs."""
        return [leg.figures(now_ns) for leg in self.legs.values()]

    def streams(self) -> dict[int, tuple[StreamState, ...]]:
        """Where the streams of the peers of protected legs stand, by leg id."""
        return {leg_id: leg.streams() for leg_id, leg in self.legs.items() if leg.srtp is not None}

    # ---- the tick

    def tick(self, now_ns: int) -> None:
        """One step of 20 ms. now_ns: monotonic, the time at which the step was due."""
        self.drain(now_ns)
        legs = self.legs.values()
        for leg in legs:
            if self._is_whole:
                self._contributed[leg.spec.leg_id] = self._ticks
                leg.go_on()
            else:
                leg.pull(now_ns)
        if self.kind == "echo":
            self._echo()
        elif not self._is_whole:
            self._measure()
            speakers = choose(legs, self.max_speakers)
            self._tell_speakers(speakers)
            self._mix(speakers, now_ns)
        self._report(now_ns)
        self._ticks += 1

    def skip(self, now_ns: int) -> None:
        """One step that came too late to be worth sending: what was due in it is dropped, the timestamps go on."""
        self.drain(now_ns)
        for leg in self.legs.values():
            leg.drop(now_ns)

    def drain(self, now_ns: int) -> None:
        """Take what has arrived; a relay may do so between two ticks. now_ns: monotonic."""
        offset = time.time_ns() - time.monotonic_ns()
        by_fd, poll = self._by_fd, self._poll.poll
        for _ in range(MAX_ROUNDS):
            ready = poll(0, MAX_EVENTS)
            for fd, _ in ready:
                leg, is_rtcp = by_fd[fd]
                packet = receive(leg.rtcp_socket if is_rtcp else leg.rtp, offset, now_ns)  # type: ignore[arg-type]
                if packet is None:
                    continue
                try:
                    self._take(leg, is_rtcp, packet, now_ns)
                except Exception:
                    self._failed(leg)
            if not ready:
                return

    def _take_safely(self, leg: Leg, is_rtcp: bool, packet: tuple[bytes, Address, int], now_ns: int) -> None:
        try:
            self._take(leg, is_rtcp, packet, now_ns)
        except Exception:
            self._failed(leg)

    def _failed(self, leg: Leg) -> None:
        leg.junk += 1
        self.failures += 1
        if self.failures.bit_count() == 1:                  # the 1st, 2nd, 4th, 8th … : a flood of them must not fill the log
            logger.exception("a packet could not be handled", extra={"room": self.room_id, "leg": leg.spec.leg_id})

    def _take(self, leg: Leg, is_rtcp: bool, packet: tuple[bytes, Address, int], now_ns: int) -> None:
        data, source, arrival_ns = packet
        is_report = is_rtcp or (len(data) > 1 and 192 <= data[1] <= 223)
        if leg.is_plain and not is_report and source == leg.filter.accepted:
            leg.filter.last_ns = now_ns
            if leg.observers:
                leg.show(data, arrival_ns)
            key = leg.receive(data, arrival_ns)
            if key is not None:
                self._notices.append(DtmfPressed(leg.spec.leg_id, key))
            return
        session = leg.srtcp if is_report else leg.srtp
        if leg.spec.has_ice and data and data[0] < 4:
            self._take_other(leg, is_rtcp, data, source)
            return
        if leg.spec.keys is not None or leg.spec.awaits_keys:
            if not data or data[0] & 0xC0 != 0x80:
                self._take_other(leg, is_rtcp, data, source)
                return
            if session is None:
                leg.junk += 1
                return
            plain = session.open(data, is_report)
            if plain is None:
                return
            data = plain
        if is_report:
            self._take_report(leg, data, source, arrival_ns)
            return
        accepted = leg.filter.accepted
        if leg.srtp is not None:
            leg.filter.believe(source, now_ns)
        elif not leg.filter.accepts(source, data, now_ns):
            leg.foreign += 1
            return
        if leg.filter.accepted != accepted and (leg.srtp is None or leg.spec.remote is not None):
            self._learn(leg, source)
        if leg.observers:
            leg.show(data, arrival_ns)
        key = leg.receive(data, arrival_ns)
        if key is not None:
            self._notices.append(DtmfPressed(leg.spec.leg_id, key))

    def _take_other(self, leg: Leg, is_rtcp: bool, data: bytes, source: Address) -> None:
        """What is neither RTP nor RTCP (RFC 7983): DTLS and STUN go to who answers them, a bounded number."""
        kind = sort_datagram(data)
        is_wanted = (kind is DatagramKind.DTLS and leg.spec.awaits_keys) or (kind is DatagramKind.STUN and leg.spec.has_ice)
        if is_wanted and leg.handshakes < MAX_HANDSHAKES:
            leg.handshakes += 1
            self._notices.append(HandshakeReceived(leg.spec.leg_id, int(is_rtcp), source, data))
        else:
            leg.junk += 1                               # linphone 5.1 asks by STUN whether its port is open

    def _take_report(self, leg: Leg, data: bytes, source: Address, arrival_ns: int) -> None:
        accepted = leg.filter.accepted
        if leg.srtp is None and (accepted is None or source[0] != accepted[0]):
            leg.foreign += 1
            return
        if leg.observers:
            leg.show(data, arrival_ns, is_rtcp=True)
        since = time.monotonic_ns() - arrival_ns                # it waited for the tick, which is no part of the round trip
        leg.receive_rtcp(data, arrival_ns / 1e9, time.time() - since / 1e9)

    def _learn(self, leg: Leg, source: Address) -> None:
        leg.spec.remote = source
        if leg.spec.rtcp_mux:
            leg.spec.remote_rtcp = source
        self._unlock(leg)
        self._notices.append(AddressLearnt(leg.spec.leg_id, source))

    # ---- whose port it is

    def _look(self, leg: Leg, now_ns: int) -> None:
        """Give a peer whose address is certain a socket of its own; see who else sends to the port of one that has it."""
        is_quiet = now_ns - leg.filter.last_ns > QUIET_NS
        leg.handshakes = 0
        leg.look_at = now_ns / 1e9 + (0.0 if is_quiet and leg.door is not None else LOOK_S)
        if leg.door is None and not is_quiet and leg.filter.accepted == leg.spec.remote:
            self._lock(leg)
        offset = time.time_ns() - time.monotonic_ns()
        for _ in range(MAX_NEWCOMERS_A_TICK if is_quiet else MAX_NEWCOMERS):
            packet = None if leg.door is None else receive(leg.door, offset, now_ns)
            if packet is None:
                return
            self._take_safely(leg, False, packet, now_ns)

    def _lock(self, leg: Leg) -> None:
        remote, fd = leg.spec.remote, leg.rtp.fileno()
        assert remote is not None
        try:
            leg.lock(remote)
        except OSError as error:                    # no descriptor is left: one socket does as well
            logger.info("a leg keeps one socket: %s", error, extra={"room": self.room_id, "leg": leg.spec.leg_id})
            return
        self._swap(fd, leg)

    def _unlock(self, leg: Leg) -> None:
        if leg.door is not None:
            fd = leg.rtp.fileno()
            self._poll.unregister(fd)
            leg.unlock()
            self._swap(fd, leg)

    def _swap(self, old: int, leg: Leg) -> None:
        """Wait for packets at the leg's present socket, no more at an old one."""
        if leg.door is not None:
            self._poll.unregister(old)
        del self._by_fd[old]
        self._by_fd[leg.rtp.fileno()] = (leg, False)
        self._poll.register(leg.rtp.fileno(), select.EPOLLIN)

    def _measure(self) -> None:
        """The levels of the tick's G.711 payloads, by table and all at once."""
        unmeasured = [leg for leg in self.legs.values() if leg.level == UNMEASURED]
        for codec, power in _POWER.items() if unmeasured else ():
            legs = [leg for leg in unmeasured if leg.spec.codec == codec]
            if not legs:
                continue
            codes = np.frombuffer(b"".join([leg.payload for leg in legs]), np.uint8)  # type: ignore[misc]
            means = np.maximum(power.take(codes, mode="wrap").reshape(len(legs), G711_BYTES) @ _MEAN, 1e-9)
            levels = np.rint(10 * np.log10(means)).astype(int).tolist()
            for leg, level in zip(legs, levels, strict=True):
                leg.level = level if level > -90 else SILENT

    def _tell_speakers(self, speakers: Sequence[Leg]) -> None:
        now = frozenset([leg.spec.leg_id for leg in speakers])
        if now != self._speaking:
            self._notices.append(SpeakersChanged(tuple(leg.spec.leg_id for leg in speakers)))
            self._speaking = now

    def _mix(self, speakers: list[Leg], now_ns: int) -> None:
        own = self._frames(speakers)
        total: Sum = np.zeros(TICK_SAMPLES, np.int32)
        for frame in own.values():
            total += frame
        is_silent = not self._add_sources(total) and not own
        self._silent_ticks = self._silent_ticks + 1 if is_silent else 0
        everybody = SILENCE if is_silent else clip(total)
        private = self._private_frames() if self._private else {}
        if self.recorders:
            self._tell_recorders(now_ns, None if is_silent else everybody, own)
        csrcs = [(leg.spec.leg_id, leg.level) for leg in speakers[:MAX_CSRCS]]
        for leg_id, _ in csrcs:
            self._contributed[leg_id] = self._ticks
        listeners = []
        for leg in self.legs.values():
            if not leg.may_send or leg.event_ticks:
                leg.event_ticks = max(0, leg.event_ticks - 1)
                leg.pass_over()
            elif leg.spec.leg_id in private:
                self._send_private(leg, total - own[id(leg)] if id(leg) in own else total, private[leg.spec.leg_id], csrcs)
            elif id(leg) in own:
                if leg.own is None:
                    leg.own = self._branch(leg)
                leg.own_since = self._ticks
                self._send_own(leg, clip(total - own[id(leg)]), csrcs)
            elif leg.own is not None and not self._rejoins(leg):
                self._send_own(leg, everybody, csrcs)
            else:
                listeners.append(leg)
        self._send_shared(listeners, everybody, csrcs)

    def _frames(self, speakers: list[Leg]) -> dict[int, Samples]:
        """The samples of each leg that is in the mix, by the leg's identity. Who has just left it fades out in one tick."""
        chosen = set(map(id, speakers))
        frames: dict[int, Samples] = {}
        for leg in self.legs.values():
            is_chosen = id(leg) in chosen
            if is_chosen or leg.was_speaking:
                frame = leg.frame()
                if frame is not None:
                    frames[id(leg)] = _faded(leg, frame, is_chosen)
                leg.was_speaking = is_chosen
            elif leg.payload is not None:
                leg.skip(leg.payload)
        return frames

    def _add_sources(self, total: Sum) -> bool:
        added = False
        for source_id, source in list(self._sources.items()):
            samples = source()
            if samples is None:
                self.remove_source(source_id)
            else:
                total += samples
                added = True
        return added

    def _private_frames(self) -> dict[int, tuple[Samples, float]]:
        """What single legs hear in this tick and the share of the mix beside it, by leg id."""
        frames = {}
        for leg_id, (source, share) in list(self._private.items()):
            samples = source()
            if samples is None:
                del self._private[leg_id]
            else:
                frames[leg_id] = samples, share
        return frames

    def _send_private(self, leg: Leg, others: Sum, heard: tuple[Samples, float], csrcs: list[tuple[int, int]]) -> None:
        samples, share = heard
        if leg.own is None:
            leg.own = self._branch(leg)
        leg.own_since = self._ticks
        self._send_own(leg, clip((others * share).astype(np.int32) + samples), csrcs if share else [])

    def _tell_recorders(self, now_ns: int, mix: Samples | None, own: dict[int, Samples]) -> None:
        by_id = {id(leg): leg.spec.leg_id for leg in self.legs.values()}
        streams = [(by_id[key], frame) for key, frame in own.items()]
        if mix is not None:
            streams.insert(0, (0, mix))
        for recorder in self.recorders.values():
            recorder(now_ns, streams)

    def _branch(self, leg: Leg) -> MixStream:
        """A stream for one who begins to speak: a copy of what they have been hearing, before it is fed this tick."""
        shared = self._shared.get(leg.form)
        return MixStream(leg.form) if shared is None else shared.copy()

    def _rejoins(self, leg: Leg) -> bool:
        """Whether one who spoke may hear the shared stream again; where there is none, theirs becomes it."""
        if not is_exact(leg.spec.codec):
            return False
        if self._ticks - leg.own_since <= OWN_TICKS and self._silent_ticks <= OWN_SILENT_TICKS:
            return False
        assert leg.own is not None
        self._shared.setdefault(leg.form, leg.own)
        leg.own = None
        return True

    def _send_own(self, leg: Leg, mix: Samples, csrcs: list[tuple[int, int]]) -> None:
        assert leg.own is not None
        others = [item for item in csrcs if item[0] != leg.spec.leg_id]
        for payload in leg.own.feed(mix):
            leg.send(*_tail(payload, others, leg.spec.mixer_extension, leg.own.units))

    def _send_shared(self, listeners: list[Leg], mix: Samples, csrcs: list[tuple[int, int]]) -> None:
        payloads: dict[Form, tuple[list[bytes], int]] = {}
        tails: dict[tuple[Form, int], list[Tail]] = {}
        for leg in listeners:
            ready = tails.get(leg.shape)
            if ready is None:
                form, extension = leg.shape
                if form not in payloads:
                    shared = self._shared.get(form)
                    if shared is None:
                        shared = self._shared[form] = MixStream(form)
                    payloads[form] = (shared.feed(mix), shared.units)
                made, units = payloads[form]
                ready = tails[leg.shape] = [_tail(payload, csrcs, extension, units) for payload in made]
            for tail in ready:
                leg.send(*tail)
        for form in [form for form in self._shared if form not in payloads]:
            del self._shared[form]

    def _echo(self) -> None:
        for leg in self.legs.values():
            frame = leg.frame()
            if not leg.may_send:
                leg.pass_over()
                continue
            if leg.own is None:
                leg.own = MixStream(leg.form)
            mix = SILENCE if frame is None or leg.spec.is_muted else np.ascontiguousarray(frame)
            self._send_own(leg, mix, [])

    def _report(self, now_ns: int) -> None:
        now = now_ns / 1e9
        for leg in self.legs.values():
            if leg.look_at <= now:
                self._look(leg, now_ns)
            if leg.rtcp.due_at <= now:
                leg.send_rtcp(leg.rtcp.report(now, time.time(), leg.timestamp, leg.statistics) + self._contributors(leg))

    def _contributors(self, leg: Leg) -> bytes:
        """SDES with the names of those who were in the mix lately (RFC 3550 §7.3), nothing when there was nobody else.

        The names are ours: a phone's own may tell its address, or the person's (RFC 7022 §3).
        """
        recent = [leg_id for leg_id, tick in self._contributed.items() if self._ticks - tick < NAMED_TICKS]
        self._contributed = {leg_id: self._contributed[leg_id] for leg_id in recent}
        names = {leg_id: f"{leg_id:08x}.{leg.spec.cname}" for leg_id in recent if leg_id != leg.spec.leg_id}
        return bytes(SourceDescription(dict(list(names.items())[-MAX_CSRCS:]))) if names else b""


def clip(total: Sum) -> Samples:
    """A sum as int16, saturated: int32, shape (960,) in; C-contiguous int16 out."""
    clipped: Samples = np.clip(total, -32768, 32767).astype(np.int16)
    return clipped


def _faded(leg: Leg, frame: Samples, is_chosen: bool) -> Samples:
    """The leg's frame, faded where it joins the mix in mid-speech or leaves it."""
    if is_chosen and leg.was_speaking:
        return frame
    if is_chosen and (leg.was_quiet or level_of(frame[:48]) <= QUIET_DBOV):
        return frame                                     # it begins out of silence: the onset stays whole
    ramp = _FADE_IN if is_chosen else _FADE_OUT
    faded: Samples = (frame * ramp).astype(np.int16)
    return faded


def _tail(payload: bytes, csrcs: list[tuple[int, int]], mixer_extension: int, units: int) -> Tail:
    """What all receivers of a payload get behind their own header: CSRCs, levels (RFC 6465) where wanted, the payload."""
    count = len(csrcs)
    head = struct.pack(f"!{count}I", *(item[0] for item in csrcs))
    first = 0x80 | count
    if mixer_extension and count:
        head += write_extensions({mixer_extension: bytes(min(127, -level) for _, level in csrcs)})
        first |= 0x10
    return head + payload, first, len(payload), units
