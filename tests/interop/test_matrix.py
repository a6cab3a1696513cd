"""Stock clients by codec, transport and what they do: of the whole matrix the cells that other tests do not show.

`python -m tests.scenarios.matrix` runs it all; docs/reference/interop.md is what came of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from confero.testing import Server
from tests.scenarios.matrix import ALL, Cell, run, table

pytestmark = pytest.mark.interop

CELLS = (
    Cell("baresip", "g722", "udp", "room"), Cell("baresip", "pcma", "tcp", "room"), Cell("baresip", "opus", "udp", "echo"),
    Cell("baresip", "pcmu", "tcp", "echo"), Cell("linphone", "opus", "tcp", "room"), Cell("linphone", "pcmu", "udp", "room"),
    Cell("linphone", "pcma", "tcp", "echo"), Cell("sipp", "pcma", "udp", "room"), Cell("sipp", "pcma", "tcp", "echo"),
    Cell("baresip", "pcma", "tcp", "transfer"), Cell("linphone", "pcmu", "udp", "transfer"),
    Cell("linphone", "opus", "udp", "hold"), Cell("baresip", "opus", "udp", "caller"),
    Cell("linphone", "pcmu", "tcp", "callee"), Cell("sipp", "pcmu", "tcp", "callee"),
    Cell("baresip", "g722", "udp", "dialled"), Cell("ffmpeg", "opus", "udp", "room"),
    Cell("linphone", "opus", "udp", "to-baresip"), Cell("baresip", "g722", "tls", "sdes"),
    Cell("linphone", "opus", "tls", "dtls"), Cell("baresip", "pcmu", "tcp", "dtls"), Cell("linphone", "pcmu", "tcp", "sdes"),
)


async def test_every_codec_transport_and_way_has_audio_both_ways(house: Server, tmp_path: Path) -> None:
    assert set(CELLS) <= set(ALL)
    outcomes = await run(house, CELLS, tmp_path / "calls")
    assert len(outcomes) == len(CELLS)
    assert not any(one.complaints for one in outcomes), "\n" + table(outcomes)
