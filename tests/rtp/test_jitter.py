"""The jitter buffer: simulated streams through a bad network, and properties that hold whatever comes.

Time is a number: a sender makes packets, a path delays them, a listener with a tick of 20 ms pops as a mixer does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.jitter import CONCEAL, MAX_CONCEALED, MAX_DELAY_MS, PLAY, SILENCE, JitterBuffer
from tests.helpers.netem import Bursts, Conditions, Netem

TICK_MS = 20
FIRST_SEQUENCE, FIRST_TIMESTAMP = 65_500, 0xFFFF_F000
"""Both wrap early in each simulation."""


@dataclass
class Listener:
    """What was heard: `played` numbers with the delay of each in ms, and the kinds of all pops."""

    buffer: JitterBuffer
    ptime_ms: int
    has_ms: float = 0
    played: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    with_following: int = 0
    most_waiting: int = 0

    def pop_tick(self, now: float, sent: dict[int, float]) -> None:
        """Pop as much as a tick needs; `now` and the sending times are in s."""
        while self.has_ms < TICK_MS:
            kind, payload = self.buffer.pop(round(now * 1e9))
            self.kinds.append(kind)
            if kind == SILENCE:
                self.has_ms = 0
                return
            self.has_ms += self.ptime_ms if kind == PLAY else self.buffer.frame * 1000 / self.buffer_rate
            if kind == PLAY:
                assert payload is not None
                number = int.from_bytes(payload)
                self.played.append(number)
                self.delays.append((now - sent[number]) * 1000)
            elif payload is not None:
                self.with_following += 1
        self.has_ms -= TICK_MS

    @property
    def buffer_rate(self) -> int:
        """Hz of the timestamps."""
        return self.buffer.maximum * 1000 // MAX_DELAY_MS


def listen(conditions: Conditions | None = None, *, seconds: float = 30, rate: int = 48000, ptime_ms: int = 20,
           phase_ms: float = 7, drift: float = 0, seed: int = 1, extra_ms: Callable[[int], float] = lambda number: 0,
           is_sent: Callable[[int], bool] = lambda number: True, said_ms: int | None = None,
           tick_late_ms: Callable[[int], float] = lambda tick: 0) -> Listener:
    """A stream through a path into a buffer. drift: of the sender's clock; extra_ms: delay of single packets;
    is_sent: a sender with DTX leaves packets out (their sequence numbers too)."""
    unit = rate * ptime_ms // 1000
    buffer = JitterBuffer(rate, rate * (said_ms or ptime_ms) // 1000)
    listener, path = Listener(buffer, ptime_ms), Netem(conditions or Conditions(), seed)
    events: list[tuple[float, int, int]] = []
    sequence = FIRST_SEQUENCE
    sent = {}
    for number in range(int(seconds * 1000 / ptime_ms)):
        if is_sent(number):
            sent[number] = (phase_ms + ptime_ms * number * (1 + drift)) / 1000
            path.push(b"%d %d" % (number, sequence), sent[number])
            while (at := path.next_time()) is not None:
                for data in path.due(at):
                    index, numbered = map(int, data.split())
                    events.append((round(at + extra_ms(index) / 1000, 6), index, numbered))
            sequence += 1
    events.sort()
    position = 0
    for tick in range(int(seconds * 1000 / TICK_MS) + 40):
        now = (tick * TICK_MS + tick_late_ms(tick)) / 1000
        while position < len(events) and events[position][0] <= now:
            at, number, numbered = events[position]
            buffer.push(numbered & 0xFFFF, (FIRST_TIMESTAMP + number * unit) & 0xFFFFFFFF, number.to_bytes(4), round(at * 1e9))
            position += 1
        listener.most_waiting = max(listener.most_waiting, buffer.waiting)
        listener.pop_tick(now, sent)
    assert listener.played == sorted(set(listener.played))
    return listener


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("phase_ms", [0, 0.05, 1, 5, 10, 15, 19, 19.95])
def test_regular_stream_has_a_small_steady_delay_and_nothing_made_up(rate: int, phase_ms: float) -> None:
    heard = listen(rate=rate, phase_ms=phase_ms)
    assert heard.played == list(range(1500))
    assert heard.buffer.concealed == heard.buffer.inserted == heard.buffer.late == 0
    assert max(heard.delays) + 20 <= 40.001 and max(heard.delays) - min(heard.delays) < 0.001


@pytest.mark.parametrize("phase_ms", [0, 6, 13, 19])
def test_millisecond_of_jitter_costs_at_most_one_frame_made_up(phase_ms: float) -> None:
    heard = listen(Conditions(jitter_ms=1), phase_ms=phase_ms, seconds=60)
    assert heard.buffer.late == heard.buffer.concealed == 0 and heard.buffer.inserted <= 1
    assert heard.delays[-1] < 22


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rate", [8000, 48000])
def test_late_loss_is_under_one_percent_with_30_ms_jitter_and_2_percent_loss(rate: int, seed: int) -> None:
    heard = listen(Conditions(jitter_ms=30, loss=0.02), rate=rate, seed=seed, phase_ms=3 * seed, seconds=120)
    assert heard.buffer.late < 0.005 * 6000
    assert heard.buffer.concealed < 0.03 * 6000
    assert sorted(heard.delays)[len(heard.delays) // 2] < 60


def test_lost_packets_are_made_up_one_by_one_and_the_rest_is_played() -> None:
    heard = listen(Conditions(loss=0.05))
    assert heard.buffer.concealed == 1500 - len(heard.played) > 40
    assert heard.buffer.late == heard.buffer.inserted == 0


def test_packet_after_a_lost_one_is_handed_out_for_error_correction_when_it_is_there() -> None:
    heard = listen(Conditions(jitter_ms=40, loss=0.05, keeps_order=True), seconds=60)
    assert heard.with_following > heard.buffer.concealed // 2 > 20


def test_bursts_of_loss_fall_silent_after_five_frames_and_come_back() -> None:
    heard = listen(is_sent=lambda number: True, extra_ms=lambda number: 10_000 if 100 <= number < 120 else 0)
    begin = heard.kinds.index(CONCEAL)
    gap = heard.kinds[begin:heard.kinds.index(PLAY, begin)]
    assert gap == [CONCEAL] * MAX_CONCEALED + [SILENCE] * (20 - MAX_CONCEALED)
    assert heard.buffer.concealed == MAX_CONCEALED
    assert heard.played == [*range(100), *range(120, 1500)]


def test_pause_of_the_sender_is_silence_and_not_loss() -> None:
    heard = listen(is_sent=lambda number: number % 100 < 50, seconds=60)
    assert len(heard.played) == 1500
    assert heard.buffer.concealed == heard.buffer.late == heard.buffer.skipped == heard.buffer.inserted == 0
    assert heard.kinds.count(SILENCE) > 1000
    assert max(heard.delays) <= 20.001


@pytest.mark.parametrize("gap", [2, 3, 5])
def test_short_pauses_do_not_change_the_packet_time(gap: int) -> None:
    heard = listen(is_sent=lambda number: number % 20 >= gap, seconds=20)
    assert heard.played == [number for number in range(1000) if number % 20 >= gap]
    assert heard.buffer.frame == 960 and heard.buffer.late == 0


def test_pauses_with_jitter_and_keep_alive_packets_are_no_loss() -> None:
    heard = listen(Conditions(jitter_ms=15), is_sent=lambda number: number % 150 < 60 or number % 20 == 0, seconds=120)
    assert heard.buffer.concealed + heard.buffer.late < 10


def test_stall_of_three_seconds_synchronises_afresh_with_no_lasting_delay() -> None:
    heard = listen(extra_ms=lambda number: max(0, 3000 - 20 * (number - 500)) if 500 <= number < 650 else 0)
    assert heard.buffer.resyncs == 1
    assert heard.played[:500] == list(range(500)) and heard.played[-800:] == list(range(700, 1500))
    assert heard.delays[heard.played.index(700)] <= 20.001


def test_stall_that_fits_the_buffer_loses_nothing_and_its_delay_is_worked_off() -> None:
    heard = listen(extra_ms=lambda number: max(0, 300 - 20 * (number - 500)) if 500 <= number < 515 else 0, seconds=60)
    assert heard.buffer.late == 0 and heard.buffer.resyncs == 0
    assert heard.buffer.skipped < 20
    assert heard.delays[-1] <= 40


@pytest.mark.parametrize("drift", [300e-6, -300e-6])
@pytest.mark.parametrize("jitter_ms", [0, 5])
def test_ten_minutes_of_a_clock_300_ppm_off_cost_a_frame_each_minute_and_no_delay(drift: float, jitter_ms: float) -> None:
    heard = listen(Conditions(jitter_ms=jitter_ms), drift=drift, seconds=600)
    moved = heard.buffer.inserted + heard.buffer.skipped
    assert 7 <= moved <= 12                             # 0.18 s are 9 frames
    assert heard.buffer.late + heard.buffer.concealed <= 2
    assert max(heard.delays[1000:]) <= 40


def test_longer_path_costs_a_few_frames_and_a_shorter_one_gives_the_delay_back() -> None:
    longer = listen(extra_ms=lambda number: 50 if number > 1000 else 0, seconds=60)
    assert longer.buffer.late + longer.buffer.inserted < 10 and longer.delays[-1] <= 90
    shorter = listen(extra_ms=lambda number: 50 if number < 1000 else 0, seconds=60)
    assert shorter.buffer.late == 0 and shorter.delays[-1] <= 30


def test_listener_whose_ticks_are_late_by_up_to_10_ms_loses_nothing() -> None:
    heard = listen(Conditions(jitter_ms=3), tick_late_ms=lambda tick: tick * 7919 % 11, seconds=60)
    assert heard.played == list(range(3000))
    assert heard.buffer.inserted <= 1 and heard.buffer.skipped == 0


def test_reordered_packets_are_put_in_order() -> None:
    heard = listen(Conditions(reorder=0.1, reorder_ms=50), seconds=60)
    assert heard.buffer.late < 8 and len(heard.played) > 2990


def test_duplicates_are_counted_and_played_once() -> None:
    heard = listen(Conditions(duplicate=0.2))
    assert heard.played == list(range(1500))
    assert 200 < heard.buffer.duplicated < 400 and heard.buffer.late == 0


def test_duplicate_that_comes_after_its_twin_was_played_is_not_late() -> None:
    heard = listen(Conditions(duplicate=0.2, jitter_ms=30), seconds=60)
    assert heard.buffer.duplicated > 500 and heard.buffer.late < 10


def test_bursty_loss_with_jitter_is_survived() -> None:
    heard = listen(Conditions(bursts=Bursts(0.02, 0.3), jitter_ms=20), seconds=60)
    assert len(heard.played) > 2700 and heard.buffer.late < 15 and heard.delays[-1] < 80


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60, 80, 120])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_packet_time_is_learnt_whatever_was_said(rate: int, ptime_ms: int) -> None:
    heard = listen(rate=rate, ptime_ms=ptime_ms, said_ms=20)
    assert heard.buffer.frame == rate * ptime_ms // 1000
    assert len(heard.played) >= 30_000 // ptime_ms - 3
    assert heard.buffer.late <= 1 and max(heard.delays[5:]) <= ptime_ms + 20
    if ptime_ms % 20 == 0:
        first = heard.kinds.index(PLAY)
        assert heard.kinds[first:first + len(heard.played)] == [PLAY] * len(heard.played)


def test_old_duplicate_does_not_disturb_the_stream() -> None:
    buffer = JitterBuffer(8000, 160)
    for number in range(200):
        now = number * 20_000_000
        buffer.push(number, 160 * number, b"x", now)
        if number == 150:
            buffer.push(100, 160 * 100, b"x", now)
        assert buffer.pop(now)[0] == PLAY
    assert (buffer.resyncs, buffer.late, buffer.played) == (0, 1, 200)


def test_new_time_base_of_the_sender_is_followed_at_once() -> None:
    buffer = JitterBuffer(8000, 160)
    kinds = []
    for number in range(200):
        base = 0 if number < 100 else 3_000_000_000
        buffer.push(number, (base + 160 * number) & 0xFFFFFFFF, b"x", number * 20_000_000)
        kinds.append(buffer.pop(number * 20_000_000)[0])
    assert kinds == [PLAY] * 200 and buffer.resyncs == 1


def test_pressed_key_is_no_loss_though_its_packets_take_sequence_numbers() -> None:
    buffer = JitterBuffer(8000, 160)
    kinds = []
    for number in range(100):
        if number % 20 >= 12:
            buffer.pass_over((65_500 + number) & 0xFFFF)
        else:
            buffer.push((65_500 + number) & 0xFFFF, 160 * number, b"x", number * 20_000_000)
        kinds.append(buffer.pop(number * 20_000_000)[0])
    assert buffer.played == kinds.count(PLAY) == 60 and buffer.concealed == buffer.late == 0


def test_memory_of_passed_numbers_is_bounded() -> None:
    buffer = JitterBuffer(8000, 160)
    for number in range(5000):
        buffer.pass_over(number)
    assert len(buffer._passed) <= 512


def test_nothing_pushed_is_silence() -> None:
    assert JitterBuffer(8000, 160).pop(10**9) == (SILENCE, None)


steps = st.lists(st.tuples(st.integers(-3, 6), st.integers(-800, 2000), st.integers(0, 60), st.booleans()), max_size=120)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([8000, 48000]), steps)
def test_whatever_comes_it_never_reorders_and_never_outgrows_its_bound(
        rate: int, steps: list[tuple[int, int, int, bool]]) -> None:
    buffer = JitterBuffer(rate, rate // 50)
    sequence, timestamp, now_ms, last, resyncs = 1000, 10**6, 0, -1, 0
    for sequence_step, timestamp_step, wait_ms, does_pop in steps:
        sequence, timestamp, now_ms = sequence + sequence_step, timestamp + timestamp_step, now_ms + wait_ms
        buffer.push(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, timestamp.to_bytes(8), now_ms * 1_000_000)
        assert buffer.waiting * buffer.frame <= buffer.maximum + 4 * buffer.frame or buffer.waiting <= 24
        assert buffer.waiting <= 164 and 0 <= buffer.target_ms <= MAX_DELAY_MS + 3
        if buffer.resyncs > resyncs:
            resyncs, last = buffer.resyncs, -1
        if does_pop:
            kind, payload = buffer.pop(now_ms * 1_000_000)
            if kind == PLAY:
                assert payload is not None and int.from_bytes(payload) > last
                last = int.from_bytes(payload)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 60), st.floats(0, 0.2), st.sampled_from([8000, 48000]))
def test_each_packet_is_played_once_or_accounted_for(seed: int, jitter_ms: float, loss: float, rate: int) -> None:
    conditions = Conditions(jitter_ms=jitter_ms, loss=loss, duplicate=0.05)
    heard = listen(conditions, seconds=4, rate=rate, seed=seed)
    buffer = heard.buffer
    arrived = len(heard.played) + buffer.late + buffer.dropped + buffer.skipped + buffer.waiting
    path = Netem(conditions, seed)
    for number in range(200):
        path.push(b"%d" % number, number * 0.02)
    assert abs(arrived - (200 - path.lost)) <= path.duplicated + buffer.duplicated
    assert heard.most_waiting <= 24
