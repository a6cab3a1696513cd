"""Pictures through a real server: who sees whom and by what name, slides under their floor, and what a stock phone gets."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path

import pytest

from confero.testing import Server
from pcap.frames import udp_datagram
from pcap.reader import read_packets
from pcap.streams import Stream, rtp_streams
from rtp.sdp.negotiation import PCMU
from rtp.sdp.video import SLIDES
from sip.bfcp.attributes import Status
from tests.helpers.stranger import figures
from tests.helpers.watchers import Watchers

pytestmark = [pytest.mark.loopback, pytest.mark.usefixtures("nobody_composes")]


async def test_phones_with_slots_see_each_other_and_a_stock_phone_who_speaks(server: Server) -> None:
    async with Watchers(server) as crowd:
        anna, bernd = [await crowd.watch("daily", 440 + 260 * n, slots=9, has_slides=True) for n in range(2)]
        stock = await crowd.watch("daily", 1000)
        await crowd.show_until(lambda: anna.seen() == {2, 3} and bernd.seen() == {1, 3} and stock.seen() != set())
        facts = server.json("room", "people", "daily")
        people = {person["name"][:2]: int(person["id"]) for person in facts}
        assert [(person["video"], person["video_places"]) for person in facts] == [("H264", 10), ("H264", 10), ("H264", 1)]
        assert anna.origins() == {2: {people["w2"]}, 3: {people["w3"]}}
        bernd.person.is_talking = True
        await crowd.show_until(lambda: stock.last == 2)
        stock.came.clear()
        bernd.person.is_talking, anna.person.is_talking = False, True
        await crowd.show_until(lambda: stock.last == 1)
        packets = [packet for _, packet in stock.came]
        assert len({packet.ssrc for packet in packets}) == 1 and len({packet.payload_type for packet in packets}) == 1
        assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)} == {1}
        first = next(packet for packet in packets if packet.payload[-1] == 1)
        assert first.payload[1] & 0x1F == 5                                     # the switch is at a key frame
        assert stock.seen() == {1, 2} and anna.junk == bernd.junk == 0
        assert server.cli("room", "stop-video", "daily", str(people["w2"])).returncode == 0
        await crowd.show(0.1)                                                   # what is on its way; a tick is 20 ms
        anna.came.clear()
        await crowd.show(0.3)
        assert anna.seen() == {3} and stock.last == 1


async def streams_in(path: Path) -> list[Stream]:
    """The RTP streams of a capture, once it is written."""
    async with asyncio.timeout(10):
        while not path.exists():
            await asyncio.sleep(0.1)
    return rtp_streams(datagram for packet in read_packets(path) if (datagram := udp_datagram(packet)) is not None)


async def test_slides_pass_while_the_floor_is_held_and_a_newcomer_sees_them(server: Server) -> None:
    async with Watchers(server) as crowd:
        anna, bernd = [await crowd.watch("daily", 440 + 260 * n, slots=3, has_slides=True, has_floors=True) for n in range(2)]
        floors, theirs = await anna.floors(), await bernd.floors()
        capture = server.json("room", "capture", "daily", "start")
        anna.streams[SLIDES].is_on = bernd.streams[SLIDES].is_on = True
        await crowd.show_until(lambda: bernd.seen() == {1})
        assert bernd.seen(SLIDES) == anna.seen(SLIDES) == set()                  # sent, but nobody has the floor
        granted = await floors.ask(1)
        queued = await theirs.ask(1)
        assert (granted.status, queued.status) == (Status.GRANTED, Status.ACCEPTED)
        newcomer = await crowd.watch("daily", 1000, slots=1, has_slides=True)
        await crowd.show_until(lambda: bernd.seen(SLIDES) == newcomer.seen(SLIDES) == {101})
        assert anna.seen(SLIDES) == set()
        floors.session.release(granted.request_id, 0.0)
        floors.flush()
        await theirs.status(Status.GRANTED)
        await crowd.show(0.1)
        bernd.came.clear()
        await crowd.show_until(lambda: anna.seen(SLIDES) == {102})
        assert bernd.seen(SLIDES) == set()
        for phone in (floors, theirs):
            await phone.close()
        server.json("room", "capture", "daily", "stop")
    pictures = [stream for stream in await streams_in(Path(capture["file"])) if stream.payload_type != PCMU.payload_type]
    sent = {stream.ssrc for watcher in (anna, bernd, newcomer) for stream in watcher.streams.values() if stream.is_on}
    assert sent <= {stream.ssrc for stream in pictures}                          # in clear, as they came
    assert {packet.ssrc for _, packet in bernd.came} <= {stream.ssrc for stream in pictures}


async def test_pictures_come_back_by_themselves_when_the_media_worker_dies(server: Server) -> None:
    async with Watchers(server) as crowd:
        anna, bernd = [await crowd.watch("daily", 440 + 260 * n, slots=1) for n in range(2)]
        await crowd.show_until(lambda: anna.seen() == {2} and bernd.seen() == {1})
        ssrcs = {packet.ssrc for _, packet in anna.came}
        for worker in (await asyncio.to_thread(figures, server))["workers"]:
            os.kill(worker["pid"], signal.SIGKILL)
        await crowd.show(0.2)
        for watcher in (anna, bernd):
            watcher.came.clear()
        await crowd.show_until(lambda: anna.seen() == {2} and bernd.seen() == {1})
        assert {packet.ssrc for _, packet in anna.came} - ssrcs                  # a stream that begins anew
