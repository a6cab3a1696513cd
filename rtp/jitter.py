"""The adaptive jitter buffer, in integers only (ns in, RTP timestamp units inside); RFC 3550 leaves the method to the receiver.

Play-out follows a line: at the time `now` the packet with timestamp `now − fastest transit − target` is due. The fastest
transit of the last seconds is the path's own delay; the target is a peak hold of how much later packets came, so it grows
at once and shrinks slowly. When the position runs ahead of the line a frame is inserted (concealed), when it falls behind
by two a frame is skipped: this also follows a sender whose clock drifts. A pause in the timestamps with no gap in the sequence
numbers is silence of the sender (DTX), not loss.
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
SKIP_EVERY = 25
"""Pops between two frames skipped to shorten the delay."""

Popped = tuple[int, bytes | None]


class JitterBuffer:
    """Packets of one stream, put in order and played out in time.

    clock_rate: Hz of the RTP timestamps; frame: units in a packet to begin with (learnt from the packets); minimum_ms: the
    least target. Bounded: 400 ms of packets, older ones are dropped.
    """

    __slots__ = (
        "_bucket_ends", "_bucket_min", "_concealed", "_fastest", "_last_sequence", "_last_timestamp", "_packets",
        "_played_sequence", "_position", "_previous_min", "_rate", "_reference", "_since_skip", "_target", "concealed",
        "dropped", "duplicated", "frame", "inserted", "late", "maximum", "minimum", "played", "resyncs", "skipped",
    )

    def __init__(self, clock_rate: int, frame: int, minimum_ms: int = 3) -> None:
        self._rate = clock_rate
        self.frame = frame
        self.minimum = clock_rate * minimum_ms // 1000
        self.maximum = clock_rate * MAX_DELAY_MS // 1000
        self.played = self.concealed = self.late = self.duplicated = self.dropped = 0
        self.inserted = self.skipped = self.resyncs = 0
        self._packets: dict[int, tuple[int, bytes]] = {}
        self._position: int | None = None
        self._reference: int | None = None
        self._target = self.minimum
        self._last_sequence = self._played_sequence = -1
        self._last_timestamp = 0
        self._concealed = self._since_skip = 0
        self._fastest = self._bucket_min = self._previous_min = 0
        self._bucket_ends = 0

    @property
    def target_ms(self) -> float:
        """The delay aimed at over the fastest packet, ms."""
        return self._target * 1000 / self._rate

    @property
    def waiting(self) -> int:
        """Packets in the buffer."""
        return len(self._packets)

    def push(self, sequence: int, timestamp: int, payload: bytes, arrival_ns: int) -> None:
        """Take a packet that arrived at `arrival_ns` (monotonic)."""
        arrival = arrival_ns * self._rate // 1_000_000_000
        reference = self._reference
        if reference is None:
            extended = timestamp
            self._begin(arrival - extended, arrival)
        else:
            extended = reference + ((timestamp - reference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        transit = arrival - extended
        later = transit - self._fastest
        if later > self.maximum + self._rate or later < -self.maximum:
            self._resynchronise(transit, arrival)
            later = 0
        elif later < 0:
            self._fastest = transit
            later = 0
        if transit < self._bucket_min:
            self._bucket_min = transit
        if arrival > self._bucket_ends:
            self._fastest = min(self._bucket_min, self._previous_min)
            self._previous_min, self._bucket_min = self._bucket_min, transit
            self._bucket_ends = arrival + WINDOW_S * self._rate
        if later > self._target:
            self._target = later if later < self.maximum else self.maximum
        elif self._target > self.minimum:
            self._target -= (self._target - later) >> 9
        if reference is not None and sequence == (self._last_sequence + 1) & 0xFFFF:
            step = extended - self._last_timestamp
            if step != self.frame and 0 < step <= self._rate // 16:
                self.frame = step
        self._last_sequence, self._last_timestamp = sequence, extended
        self._reference = extended
        if self._position is not None and extended < self._position:
            self.late += 1
        elif extended in self._packets:
            self.duplicated += 1
        else:
            self._packets[extended] = (sequence, payload)
            if len(self._packets) * self.frame > self.maximum + 4 * self.frame:
                del self._packets[min(self._packets)]
                self.dropped += 1

    def _begin(self, transit: int, arrival: int) -> None:
        self._fastest = self._bucket_min = self._previous_min = transit
        self._bucket_ends = arrival + WINDOW_S * self._rate

    def _resynchronise(self, transit: int, arrival: int) -> None:
        self._packets.clear()
        self._position = None
        self._begin(transit, arrival)
        self.resyncs += 1

    def pop(self, now_ns: int) -> Popped:
        """What to play for the next frame; called when the audio of the frame before is used up."""
        due = now_ns * self._rate // 1_000_000_000 - self._fastest - self._target
        position = self._position
        packets = self._packets
        if position is None:
            if not packets or (first := min(packets)) > due:
                return SILENCE, None
            position = first
            while due - position >= 2 * self.frame and len(packets) > 1:      # start no later than needed
                del packets[position]
                position = min(packets)
        self._since_skip += 1
        if position > due + self.frame // 4:
            self._concealed += 1
            self._position = position if self._concealed <= MAX_CONCEALED else None
            self.inserted += 1
            return CONCEAL, None
        if due - position >= 2 * self.frame and self._since_skip > SKIP_EVERY and packets:
            self._since_skip = 0
            if packets.pop(position, None) is not None:
                self.skipped += 1
            position += self.frame
        found = packets.pop(position, None)
        if found is None:
            return self._missing(position)
        self._position = position + self.frame
        self._played(found[0])
        return PLAY, found[1]

    def _played(self, sequence: int) -> None:
        self.played += 1
        self._concealed = 0
        self._played_sequence = sequence

    def _missing(self, position: int) -> Popped:
        packets, frame = self._packets, self.frame
        if not packets:
            self._concealed += 1
            if self._concealed > MAX_CONCEALED:
                self._position = None
                return SILENCE, None
            self._position = position + frame
            self.concealed += 1
            return CONCEAL, None
        following = min(packets)
        sequence, payload = packets[following]
        if following - position < frame:                       # off the grid, after a pause or a change of ptime
            del packets[following]
            self._position = following + frame
            self._played(sequence)
            return PLAY, payload
        if sequence == (self._played_sequence + 1) & 0xFFFF:        # the sender was silent, nothing is lost
            self._position = position + frame
            return SILENCE, None
        self._concealed += 1
        self._position = position + frame
        if self._concealed > MAX_CONCEALED:
            return SILENCE, None
        self.concealed += 1
        return CONCEAL, payload if following - position == frame else None

