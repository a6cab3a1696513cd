"""What is heard in a room: mix-minus, levels, joins and changes without a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.kernel.reference import clip
from tests.helpers.tones import largest_click_db, level_dbfs, longest_gap_ms, rms_dbfs
from tests.rtp.kernel.table import seated, silence, sine

pytestmark = pytest.mark.loopback

TONES = (450.0, 710.0, 1130.0)
CODECS = ("pcmu", "pcma", "g722", "opus")


@pytest.mark.parametrize("codec", CODECS)
def test_each_hears_the_others_within_one_db_and_never_themselves(codec: str) -> None:
    with seated() as table:
        phones = [table.join(sine(hz), codec) for hz in TONES]
        table.run(150)
        for phone, own in zip(phones, TONES, strict=True):
            heard = phone.heard_after(1)
            for hz in TONES:
                level = level_dbfs(48000, heard, hz)
                assert level < -60 if hz == own else abs(level + 20) < 1, (codec, own, hz, level)
            assert longest_gap_ms(48000, heard) == 0


def test_all_codecs_meet_in_one_room() -> None:
    with seated() as table:
        talker = table.join(sine(710), "g722")
        listeners = [table.join(codec=codec) for codec in CODECS]
        table.run(100)
        for phone in listeners:
            assert abs(level_dbfs(48000, phone.heard_after(1), 710) + 20) < 1, phone.codec
        assert rms_dbfs(talker.heard_after(1)) < -60


@pytest.mark.parametrize(("codec", "click_db"), [("pcmu", -22), ("g722", -26), ("opus", -14)])
def test_listeners_who_begin_and_cease_to_speak_hear_no_step(codec: str, click_db: float) -> None:
    """One talks all the time. Another speaks for one second and listens for three, in turn, and so hears the steady tone from
    the shared encoder and from one of their own in turn; where the two are not in the same state a step is heard."""
    with seated() as table:
        table.join(sine(710), codec)
        table.join(codec=codec)
        turn = table.join(lambda tick: sine(1130)(tick) if tick // 50 % 4 == 1 else silence(tick), codec)
        table.run(900)
        heard = turn.heard_after(1)
        assert largest_click_db(48000, heard, (710,)) < click_db
        assert longest_gap_ms(48000, heard) == 0
        assert level_dbfs(48000, heard, 1130) < -50


def test_who_joins_the_mix_in_mid_speech_is_faded_in() -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710), is_muted=True)
        table.run(50)
        table.room.update_leg(talker.leg_id, is_muted=False)
        table.run(50)
        heard = listener.heard()
        start = int(np.flatnonzero(np.abs(heard) > 0.0005)[0])
        assert float(np.abs(heard[start:start + 96]).max()) < 0.02
        assert abs(level_dbfs(48000, heard[start + 4800:], 710) + 20) < 1


def test_who_is_muted_is_faded_out_within_one_tick() -> None:
    with seated() as table:
        listener = table.join()
        talker = table.join(sine(710))
        table.run(50)
        table.room.update_leg(talker.leg_id, is_muted=True)
        table.run(50)
        heard = listener.heard()
        last = int(np.flatnonzero(np.abs(heard) > 0.002)[-1])
        assert 48 * 1000 <= last <= 48 * 1030
        assert float(np.abs(np.diff(heard[last - 480:last + 480])).max()) < 0.02
        assert rms_dbfs(heard[last + 960:]) < -60


def test_an_onset_out_of_silence_stays_whole() -> None:
    with seated() as table:
        listener = table.join()
        table.join(lambda tick: sine(710)(tick) if tick >= 50 else silence(tick))
        table.run(100)
        heard = listener.heard()
        start = int(np.flatnonzero(np.abs(heard) > 0.01)[0])
        assert float(np.abs(heard[start:start + 240]).max()) > 0.05


def test_a_muted_opus_phone_is_heard_again_from_its_first_word() -> None:
    with seated() as table:
        listener = table.join()
        table.join(lambda tick: sine(710)(tick) if tick >= 100 else silence(tick), "opus")
        table.run(200)
        heard = listener.heard()
        start = int(np.flatnonzero(np.abs(heard) > 0.01)[0])
        assert 48 * 2000 <= start <= 48 * 2050
        assert abs(level_dbfs(48000, heard[start + 4800:], 710) + 20) < 1


def test_only_the_loudest_are_mixed() -> None:
    with seated(max_speakers=2) as table:
        listener = table.join()
        for hz, level in zip(TONES, (-10, -40, -20), strict=True):
            table.join(sine(hz, level))
        table.run(100)
        heard = listener.heard_after(1)
        assert [level_dbfs(48000, heard, hz) > -45 for hz in TONES] == [True, False, True]


def test_one_who_is_not_to_be_heard_is_not_heard() -> None:
    with seated() as table:
        listener = table.join()
        table.join(sine(710), is_heard=False)
        table.run(60)
        assert rms_dbfs(listener.heard_after(0)) < -60
        assert not table.notices


def test_the_sum_of_many_loud_voices_saturates_and_does_not_wrap() -> None:
    with seated() as table:
        listener = table.join(codec="opus")
        for _ in range(8):
            table.join(sine(450, -4))
        table.run(60)
        heard = listener.heard_after(0.5)
        assert float(np.abs(heard).max()) > 0.9
        assert float(np.abs(np.diff(heard)).max()) < 0.6


@given(st.lists(st.integers(-300_000, 300_000), min_size=1, max_size=50))
def test_the_mix_is_linear_up_to_the_clip(values: list[int]) -> None:
    clipped = clip(np.array(values, np.int32))
    assert clipped.tolist() == [max(-32768, min(32767, value)) for value in values]


def test_echo_gives_each_their_own_voice_alone() -> None:
    with seated(kind="echo") as table:
        phones = [table.join(sine(hz), codec) for hz, codec in zip(TONES, ("pcmu", "g722", "opus"), strict=True)]
        table.run(100)
        for phone, own in zip(phones, TONES, strict=True):
            heard = phone.heard_after(1)
            assert abs(level_dbfs(48000, heard, own) + 20) < 1
            assert all(level_dbfs(48000, heard, hz) < -55 for hz in TONES if hz != own)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_each_packet_time_gets_the_mix_without_a_gap(ptime_ms: int) -> None:
    with seated() as table:
        listener = table.join(ptime_ms=ptime_ms)
        table.join(sine(710))
        table.run(120)
        assert {len(packet.payload) for packet in listener.packets} == {8 * ptime_ms}
        assert abs(level_dbfs(48000, listener.heard_after(1), 710) + 20) < 1
        assert longest_gap_ms(48000, listener.heard_after(1)) == 0
        assert len(listener.packets) == 120 * 20 // ptime_ms
