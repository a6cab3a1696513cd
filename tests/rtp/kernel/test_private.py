"""What one leg alone hears, and what recorders are told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rtp.codecs.resample import Samples
from rtp.kernel.reference import DUCKED
from tests.helpers.tones import level_dbfs, longest_gap_ms, rms_dbfs
from tests.rtp.kernel.table import seated, sine

pytestmark = pytest.mark.loopback


def test_a_private_source_is_heard_by_one_over_a_softer_mix_and_by_nobody_else() -> None:
    with seated() as table:
        table.join(sine(710))
        told, other = table.join(), table.join()
        ticks = itertools.count()
        table.room.add_private_source(told.leg_id, lambda: sine(1130)(next(ticks)))
        table.run(100)
        heard = told.heard_after(1)
        assert abs(level_dbfs(48000, heard, 1130) + 20) < 1
        assert abs(level_dbfs(48000, heard, 710) + 20 - 20 * np.log10(DUCKED)) < 1
        assert level_dbfs(48000, other.heard_after(1), 1130) < -50
        assert abs(level_dbfs(48000, other.heard_after(1), 710) + 20) < 1


def test_music_in_place_of_the_mix_lets_nothing_of_it_through_and_ends_without_a_gap() -> None:
    with seated() as table:
        talker = table.join(sine(710))
        waiting = table.join()
        ticks = itertools.count()
        table.room.add_private_source(waiting.leg_id, lambda: sine(1130)(next(ticks)), 0.0)
        table.room.add_private_source(talker.leg_id, lambda: None)
        table.run(75)
        table.room.remove_private_source(waiting.leg_id)
        table.run(100)
        heard = waiting.heard()
        assert level_dbfs(48000, heard[24000:72000], 710) < -50
        assert abs(level_dbfs(48000, heard[96000:], 710) + 20) < 1
        assert rms_dbfs(talker.heard_after(1)) < -60 and longest_gap_ms(48000, heard) == 0


def test_who_speaks_hears_what_is_told_them_and_never_themselves() -> None:
    with seated() as table:
        talker = table.join(sine(710))
        table.join(sine(450))
        ticks = itertools.count()
        table.room.add_private_source(talker.leg_id, lambda: sine(1130)(next(ticks)))
        table.run(100)
        heard = talker.heard_after(1)
        assert level_dbfs(48000, heard, 710) < -50
        assert abs(level_dbfs(48000, heard, 1130) + 20) < 1 and level_dbfs(48000, heard, 450) > -35


def test_recorders_are_told_the_mix_and_each_voice_in_it_and_silence_as_nothing() -> None:
    with seated() as table:
        told: list[tuple[int, dict[int, Samples]]] = []
        table.room.recorders[5] = lambda now_ns, streams: told.append((now_ns, dict(streams)))
        one = table.join(lambda tick: sine(710)(tick) if 50 <= tick < 100 else np.zeros(960, np.int16))
        two = table.join(sine(450), is_muted=True)
        table.run(150)
        loud = [streams for _, streams in told if streams]
        assert len(told) == 150 and {after - before for (before, _), (after, _) in itertools.pairwise(told)} == {20_000_000}
        assert not told[20][1] and not told[-1][1]
        assert all(set(streams) <= {0, one.leg_id} for streams in loud) and two.leg_id not in set().union(*loud)
        voice = np.concatenate([streams[one.leg_id] for streams in loud if one.leg_id in streams]) / 32768
        mix = np.concatenate([streams[0] for streams in loud if one.leg_id in streams]) / 32768
        assert np.array_equal(voice, mix) and abs(level_dbfs(48000, voice[4800:43200], 710) + 20) < 1.5
