"""Rooms on real sockets: who hears whom, twenty rooms at once without a leak, the services."""

from __future__ import annotations

import itertools
import statistics

import pytest

from confero.testing import Server
from tests.helpers.crowd import LEVEL_DBFS, Crowd

pytestmark = pytest.mark.loopback

ROOMS, MEMBERS = 20, 5
SPACING_HZ = 30


async def test_everybody_hears_all_the_others_and_never_themselves(server: Server) -> None:
    async with Crowd(server) as crowd:
        people = [await crowd.join("daily", hz) for hz in (440, 700, 1000)]
        await crowd.talk(1.0)
        crowd.forget()
        await crowd.talk(4.0)
        for person in people:
            for other in people:
                level = person.level_dbfs(other.hz)
                if other is person:
                    assert level < LEVEL_DBFS - 40, (person.hz, level)
                else:
                    assert level == pytest.approx(LEVEL_DBFS, abs=1.0), (person.hz, other.hz, level)
            assert (person.missing, person.stray) == (0, 0)
            steps = {(b - a) & 0xFFFFFFFF for (_, a, *_), (_, b, *_) in itertools.pairwise(person.heard)}
            assert steps == {160}
            assert len({ssrc for _, _, ssrc, _, _ in person.heard}) == 1
            csrcs = {csrc for *_, found in person.heard[50:] for csrc in found}
            assert len(csrcs) == 2                                     # the two others are named, oneself never


async def test_twenty_rooms_of_five_do_not_leak_into_each_other(server: Server) -> None:
    frequencies = [300 + SPACING_HZ * number for number in range(ROOMS * MEMBERS)]
    async with Crowd(server) as crowd:
        rooms = []
        for number in range(ROOMS):
            # members of one room are far apart, neighbours in frequency sit in different rooms
            mine = frequencies[number::ROOMS]
            rooms.append([await crowd.join(f"room-{number}", hz) for hz in mine])
        assert len(server.json("room", "list")) == ROOMS
        await crowd.talk(1.0)
        crowd.forget()
        await crowd.talk(3.0)
        for number, people in enumerate(rooms):
            inside = {person.hz for person in people}
            for person in people:
                for hz in (*inside, *frequencies[(number + 1) % ROOMS::ROOMS]):
                    levels = person.narrow_levels_dbfs(hz)
                    if hz in inside and hz != person.hz:
                        assert max(levels) == pytest.approx(LEVEL_DBFS, abs=1.5), (number, person.hz, hz, levels)
                    else:
                        assert statistics.median(levels) < LEVEL_DBFS - 30, (number, person.hz, hz, levels)


async def test_services_answer(server: Server) -> None:
    async with Crowd(server) as crowd:
        echo, tone, music = [await crowd.join(name, 440) for name in ("echo", "tone", "music")]
        await crowd.talk(3.0)
        assert echo.level_dbfs(440) == pytest.approx(LEVEL_DBFS, abs=1.0)
        assert tone.level_dbfs(1004) == pytest.approx(-22.17, abs=1.0)      # −16 dBm0; 0 dBm0 is 6.17 dB below a full square
        assert tone.level_dbfs(440) < -60
        assert music.level_dbfs(440) < -30
        assert all(len(person.heard) > 100 and person.missing == 0 for person in (echo, tone, music))
