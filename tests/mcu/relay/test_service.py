"""The relay as the rooms of a server have it: not there until it is wanted, and replaced without a word being lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from mcu.relay.messages import DesktopEnded, DesktopJoined, Door, RelayReport
from mcu.relay.service import RelayService
from rtp.rfb.server import RfbServer
from rtp.rfb.viewer import RfbViewer
from tests.helpers.relay import End, Phone, tickets, turn_until
from tests.helpers.rfb import text

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"


async def test_a_relay_begins_when_it_is_wanted_and_again_when_it_has_died(tmp_path: Path) -> None:
    alice, bob = Phone(), Phone()
    reports: list[RelayReport] = []
    async with RelayService((30000, 30999), "vm,127.0.0.1", tmp_path) as service:
        port = service.port(Door.PHONES, HOST)
        assert port == service.port(Door.PHONES, HOST) and 30000 <= port <= 30999
        assert service.fingerprint is None and not service.certificate_file.exists()
        first = service.new_session(reports.append)
        service.open_desktop(tickets(first, alice, bob)[0])                  # told before it runs
        async with asyncio.timeout(30):
            await service.started()
        before = service.fingerprint
        assert before is not None and b"BEGIN CERTIFICATE" in service.certificate_file.read_bytes()
        os.kill(service._relay.pid, signal.SIGKILL)
        await turn_until(lambda: any(isinstance(each, DesktopEnded) for each in reports))
        assert service.fingerprint is None
        second = service.new_session(reports.append)
        opened, hers, his = tickets(second, alice, bob)
        service.open_desktop(opened)                                         # and while it is being replaced
        await turn_until(lambda: service.fingerprint not in (None, before))
        relay = service._relay.certificate
        ends = (End(RfbServer(text(), now=time.monotonic()), alice.connect(port, relay, hers)),
                End(RfbViewer(now=time.monotonic()), bob.connect(port, relay, his)))
        await turn_until(lambda: DesktopJoined(second) in reports, *ends)
