"""The adaptive jitter buffer, in integers only (ns in, RTP timestamp units inside); RFC 3550 leaves the method to the receiver.

Play-out follows a line: at the time `now` the packet with timestamp `now − fastest transit − target` is due. The fastest
transit of the last seconds is the path's own delay; the target is a peak hold of how much later packets came, so it grows
at once and shrinks slowly. When the position runs ahead of the line a frame is inserted (concealed), when it stays behind
by one and a half a frame is skipped: this also follows a sender whose clock drifts. A pause in the timestamps with no gap in
the sequence numbers is silence of the sender (DTX), not loss. A stream that is late by more than the buffer may hold (a stall,
a new time base) is begun afresh. Whoever sees another SSRC makes another buffer.
"""

from __future__ import annotations

PLAY, CONCEAL, SILENCE = 0, 1, 2
"""What a pop says: play this payload; make something up (the payload, when given, is the packet after the lost one, for
forward error correction); be silent."""

MAX_DELAY_MS = 400
WINDOW_S = 4
"""The fastest transit is taken over one to two windows of this length."""
MAX_CONCEALED = 5
"""Frames made up in a row before we fall silent and start afresh with the next packet."""
REVIEW_POPS = 25
"""Over so many pops the position must stay behind before a frame is skipped; one late tick of the listener is no reason."""
MAX_PASSED = 512
"""Remembered sequence numbers that are not for the ear; a sender of nothing else fills no memory."""
DECAY_BITS = 9
"""The peak hold falls by 1/512 of its height with each packet: by half in 7 s of 20 ms packets."""

Popped = tuple[int, bytes | None]


class JitterBuffer:
    """Packets of one stream, put in order and played out in time.

    clock_rate: Hz of the RTP timestamps; frame: units in a packet to begin with (learnt from the packets); margin_ms: room
    left above the peak of the lateness, less on a path with hardly any. Bounded: 400 ms of packets, older ones are dropped.
    """

    __slots__ = (
        "_bucket_ends", "_bucket_min", "_concealed", "_fastest", "_last_sequence", "_last_timestamp", "_least_slack",
        "_margin", "_packets", "_passed", "_peak", "_pending", "_played_mask", "_played_sequence", "_played_timestamp",
        "_pops", "_position", "_previous_min", "_rate", "_step", "concealed", "dropped", "duplicated", "frame", "inserted",
        "late", "maximum", "played", "resyncs", "skipped",
    )

    def __init__(self, clock_rate: int, frame: int, margin_ms: int = 3) -> None:
        self._rate = clock_rate
        self.frame = frame
        self.maximum = clock_rate * MAX_DELAY_MS // 1000
        self.played = self.concealed = self.late = self.duplicated = self.dropped = 0
        self.inserted = self.skipped = self.resyncs = 0
        self._margin = clock_rate * margin_ms // 1000
        self._packets: dict[int, tuple[int, bytes]] = {}
        self._passed: set[int] = set()
        self._position: int | None = None
        self._played_timestamp: int | None = None
        self._last_timestamp: int | None = None
        self._last_sequence = self._played_sequence = -1
        self._played_mask = self._step = 0
        self._peak = 0
        self._concealed = self._pending = 0
        self._pops = self._least_slack = 0
        self._fastest = self._bucket_min = self._previous_min = 0
        self._bucket_ends = 0

    @property
    def target_ms(self) -> float:
        """The delay aimed at over the fastest packet, ms."""
        peak = self._peak >> DECAY_BITS
        return (peak + min(peak, self._margin)) * 1000 / self._rate

    @property
    def played_timestamp(self) -> int | None:
        """The RTP time (32 bits) of the packet that was played last; None before the first."""
        return None if self._played_timestamp is None else self._played_timestamp & 0xFFFFFFFF

    @property
    def waiting(self) -> int:
        """Packets in the buffer."""
        return len(self._packets)

    # ---- in

    def push(self, sequence: int, timestamp: int, payload: bytes, arrival_ns: int) -> None:
        """Take a packet that arrived at `arrival_ns` (monotonic)."""
        arrival = arrival_ns * self._rate // 1_000_000_000
        last = self._last_timestamp
        frame = self.frame
        if sequence == self._last_sequence + 1 and last is not None and (timestamp - last) & 0xFFFFFFFF == frame == self._step:
            later = arrival - last - frame - self._fastest
            if 0 <= later <= self.maximum and arrival <= self._bucket_ends:
                self._take_next(sequence, last + frame, payload, later)
                return
        if last is None:
            extended = timestamp
            self._begin(arrival - extended, arrival)
        else:
            extended = last + ((timestamp - last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        later = arrival - extended - self._fastest
        is_newer = last is None or (sequence - self._last_sequence) & 0xFFFF < 0x8000
        if later > self.maximum and not is_newer:
            self.late += 1
            return
        if not -self.maximum <= later <= self.maximum:
            self._resynchronise(arrival - extended, arrival)
        self._follow(arrival - extended, arrival)
        if is_newer:
            self._learn_frame(sequence, extended)
            self._last_sequence, self._last_timestamp = sequence, extended
        self._store(sequence, extended, payload)

    def _take_next(self, sequence: int, extended: int, payload: bytes, later: int) -> None:
        """The short way for nearly every packet: the one after the last, in time, of the length that all have."""
        transit = later + self._fastest
        if transit < self._bucket_min:
            self._bucket_min = transit
        peak = self._peak
        self._peak = max(later << DECAY_BITS, peak + later - (peak >> DECAY_BITS))
        self._last_sequence, self._last_timestamp = sequence, extended
        self._store(sequence, extended, payload)

    def _store(self, sequence: int, extended: int, payload: bytes) -> None:
        if extended in self._packets or self._was_played(sequence):
            self.duplicated += 1
        elif self._is_past(extended):
            self.late += 1                                      # whatever the peak says, it was too low
            self._peak = min(self._peak + (self._rate // 1000 << DECAY_BITS), self.maximum << DECAY_BITS)
        else:
            self._packets[extended] = (sequence, payload)
            if len(self._packets) * self.frame > self.maximum + 4 * self.frame:
                del self._packets[min(self._packets)]
                self.dropped += 1

    def _was_played(self, sequence: int) -> bool:
        """Whether it is one of the last 64 that were played."""
        return self._played_mask >> ((self._played_sequence - sequence) & 0xFFFF) & 1 == 1

    def _is_past(self, extended: int) -> bool:
        if self._position is not None:
            return extended < self._position
        return self._played_timestamp is not None and extended <= self._played_timestamp

    def _begin(self, transit: int, arrival: int) -> None:
        self._fastest = self._bucket_min = self._previous_min = transit
        self._bucket_ends = arrival + WINDOW_S * self._rate

    def _resynchronise(self, transit: int, arrival: int) -> None:
        self._packets.clear()
        self._position = self._played_timestamp = None
        self._played_mask = 0
        self._begin(transit, arrival)
        self.resyncs += 1

    def _follow(self, transit: int, arrival: int) -> None:
        """Keep the fastest transit and the peak of the lateness."""
        self._fastest = min(self._fastest, transit)
        self._bucket_min = min(self._bucket_min, transit)
        if arrival > self._bucket_ends:
            fastest = min(self._bucket_min, self._previous_min)
            self._peak = max(0, self._peak - (fastest - self._fastest << DECAY_BITS))
            self._fastest = fastest
            self._previous_min, self._bucket_min = self._bucket_min, transit
            self._bucket_ends = arrival + WINDOW_S * self._rate
        later = transit - self._fastest
        self._peak = max(later << DECAY_BITS, self._peak + later - (self._peak >> DECAY_BITS))

    def _learn_frame(self, sequence: int, extended: int) -> None:
        """Two equal steps in a row are the packet time, 2.5 to 120 ms; one alone may be a pause."""
        if self._last_timestamp is None or sequence != (self._last_sequence + 1) & 0xFFFF:
            return
        step = extended - self._last_timestamp
        if step == self._step and self._rate // 400 <= step <= self._rate // 8:
            self.frame = step
        self._step = step

    def pass_over(self, sequence: int) -> None:
        """A packet of the stream that is not for the ear (a telephone event) has this sequence number: it is no gap."""
        if len(self._passed) >= MAX_PASSED:
            self._passed.clear()
        self._passed.add(sequence)

    # ---- out

    def pop(self, now_ns: int) -> Popped:
        """What to play for the next frame; called when the audio of the frame before is used up."""
        peak = self._peak >> DECAY_BITS
        margin = min(peak, self._margin)
        due = now_ns * self._rate // 1_000_000_000 - self._fastest - peak - margin
        position = self._position
        if position is None:
            position = self._start(due)
            if position is None:
                return SILENCE, None
        slack = due - position
        if slack < -(margin // 2):
            return self._insert()
        self._least_slack = min(slack, self._least_slack)
        self._pops += 1
        if self._pops >= REVIEW_POPS:
            if self._least_slack >= self.frame + self.frame // 2:
                position = self._skip(position)
            self._begin_review()
        found = self._packets.pop(position, None)
        if found is None:
            return self._missing(position, due)
        return self._play(position, *found)

    def _start(self, due: int) -> int | None:
        """The first position of a talk spurt, no earlier than needed; None while nothing is due."""
        packets = self._packets
        if not packets or (first := min(packets)) > due:
            return None
        while len(packets) > 1 and due - first >= self.frame + self.frame // 2:
            del packets[first]
            self.dropped += 1
            first = min(packets)
        self._begin_review()
        return first

    def _begin_review(self) -> None:
        self._pops, self._least_slack = 0, self.maximum

    def _insert(self) -> Popped:
        self._concealed += 1
        self.inserted += 1
        if self._concealed > MAX_CONCEALED:
            self._position = None
            return SILENCE, None
        return CONCEAL, None

    def _skip(self, position: int) -> int:
        found = self._packets.pop(position, None)
        if found is not None:
            self.skipped += 1
            self._mark(found[0], position)
        return position + self.frame

    def _mark(self, sequence: int, position: int) -> None:
        """Remember what was taken out last."""
        step = (sequence - self._played_sequence) & 0xFFFF
        self._played_mask = (self._played_mask << step if step < 64 else 0) & 0xFFFF_FFFF_FFFF_FFFF | 1
        self._played_sequence, self._played_timestamp = sequence, position

    def _play(self, position: int, sequence: int, payload: bytes) -> Popped:
        if not self._is_next(sequence):
            self.concealed += self._pending
        self._pending = self._concealed = 0
        self._mark(sequence, position)
        self._position = position + self.frame
        self.played += 1
        return PLAY, payload

    def _is_next(self, sequence: int) -> bool:
        """Whether no packet is missing between the one played last and this."""
        expected = (self._played_sequence + 1) & 0xFFFF
        while expected != sequence and expected in self._passed:
            expected = (expected + 1) & 0xFFFF
        return expected == sequence

    def _missing(self, position: int, due: int) -> Popped:
        packets, frame = self._packets, self.frame
        while packets and (following := min(packets)) < position:       # passed over when the packet time changed
            del packets[following]
            self.dropped += 1
        if not packets:
            return self._conceal(position, None)
        following = min(packets)
        sequence, payload = packets[following]
        if self._is_next(sequence):                                     # the sender was silent, nothing is lost
            if following <= due:
                del packets[following]
                return self._play(following, sequence, payload)
            self._position = min(position + frame, following)
            return SILENCE, None
        if following - position < frame:                                # off the grid, after a pause or a change of ptime
            del packets[following]
            return self._play(following, sequence, payload)
        return self._conceal(position, payload if following - position == frame else None)

    def _conceal(self, position: int, following: bytes | None) -> Popped:
        self._concealed += 1
        if self._concealed > MAX_CONCEALED:
            self._position = None
            return SILENCE, None
        self._pending += 1
        self._position = position + self.frame
        return CONCEAL, following
