"""The sound of a call for programs."""

from __future__ import annotations

import asyncio

import numpy as np

from softphone.frames import HEARD_FRAMES, PLAY_FRAMES, Frames


def test_sound_of_any_length_goes_out_in_frames_and_its_rest_is_filled_up() -> None:
    frames = Frames()
    sound = np.arange(1, 2001, dtype=np.int16)
    assert frames.play(sound[:500]) and frames.play(sound[500:])
    sent = [frames.next_to_send() for _ in range(4)]
    assert np.array_equal(np.concatenate(sent[:3])[:2000], sound)
    assert not np.any(sent[2][80:]) and not np.any(sent[3])
    assert {frame.shape for frame in sent} == {(960,)}


def test_more_than_a_minute_is_refused_whole() -> None:
    frames = Frames()
    assert frames.play(np.ones(960 * PLAY_FRAMES, np.int16))
    assert not frames.play(np.ones(960, np.int16))
    frames.next_to_send()
    assert frames.play(np.ones(960, np.int16))


async def test_played_waits_for_the_last_sample() -> None:
    frames = Frames()
    await frames.played()
    frames.play(np.ones(1000, np.int16))
    waiting = asyncio.create_task(frames.played())
    await asyncio.sleep(0)
    frames.next_to_send()
    await asyncio.sleep(0)
    assert not waiting.done()
    assert np.count_nonzero(frames.next_to_send()) == 40
    await asyncio.wait_for(waiting, 5)


async def test_each_reader_hears_everything_and_a_slow_one_loses_the_oldest() -> None:
    frames, heard = Frames(), list[int]()

    async def listen() -> None:
        async for frame in frames.heard():
            heard.append(int(frame[0]))

    quick, slow = asyncio.create_task(listen()), frames.heard()
    first = asyncio.create_task(anext(slow))
    await asyncio.sleep(0)
    for number in range(HEARD_FRAMES + 10):
        frames.hear(np.full(960, number, np.int16))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    frames.hear(None)
    frames.end()
    await asyncio.wait_for(quick, 5)
    assert heard == [*range(HEARD_FRAMES + 10), 0]
    assert (await first)[0] == 0
    rest = [int(frame[0]) async for frame in slow]
    assert len(rest) == HEARD_FRAMES - 1 and rest[-1] == 0 and rest[-2] == HEARD_FRAMES + 9
    assert frames.overruns > 0
    assert [frame async for frame in frames.heard()] == []
    assert not frames.play(np.ones(960, np.int16))
