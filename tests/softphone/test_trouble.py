"""Servers that restart or were never there, other sides that vanish: words and another try, never a crash."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

import sip.registration
import softphone.call
import softphone.phone
import softphone.signin
from confero.testing import start_server
from sip.routing import Destination
from softphone.errors import CallFailed, SignInFailed
from softphone.line import PhoneEvent, RegistrationUpdated
from softphone.phone import Phone
from tests.helpers.ports import free_port

pytestmark = pytest.mark.loopback
WAIT_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience, in shorter units."""
    monkeypatch.setattr(sip.registration, "FIRST_RETRY_S", 0.3)
    monkeypatch.setattr(softphone.signin, "KEEP_ALIVE_S", 0.5)
    monkeypatch.setattr(softphone.call, "VANISHED_S", 3.0)
    monkeypatch.setattr(softphone.call, "PROBE_AFTER_S", 0.5)


@pytest.mark.usefixtures("hasty")
async def test_a_server_that_comes_late_and_restarts_finds_the_phone_registered_each_time(tmp_path: Path) -> None:
    log: list[PhoneEvent] = []
    port = free_port()
    server = await asyncio.to_thread(start_server, tmp_path / "server")
    await asyncio.to_thread(server.json, "user", "add", "alice", "--password", "correct-horse")
    await asyncio.to_thread(server.stop)
    phone = Phone("alice", "correct-horse", f"127.0.0.1:{port}", transport="tcp", notify=log.append)
    await phone.start()
    try:
        with pytest.raises(SignInFailed, match="can't be reached"):
            await phone.signed_in()
        for _ in range(2):
            before = len(log)
            server = await asyncio.to_thread(start_server, tmp_path / "server", port=port)
            try:
                await until(lambda before=before: any(
                    isinstance(event, RegistrationUpdated) and event.is_registered for event in log[before:]))
                assert [row["aor"] for row in await asyncio.to_thread(server.json, "reg", "list")] == ["alice"]
            finally:
                await asyncio.to_thread(server.stop)
            await until(lambda: not phone.is_registered)
        assert all(event.text for event in log if isinstance(event, RegistrationUpdated) and not event.is_registered)
    finally:
        await phone.close()


async def test_a_wrong_password_is_told_at_once_and_not_tried_again(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "server")
    try:
        with pytest.raises(SignInFailed, match="wrong user name or password"):
            async with Phone("alice", "wrong", f"{server.host}:{server.port}"):
                pass
        async with Phone(server=f"{server.host}:{server.port}") as guest:
            with pytest.raises(CallFailed, match="only people with an account"):
                await guest.call("conference")
    finally:
        server.stop()


async def answered(caller: Phone, callee: Phone) -> tuple[softphone.call.Call, softphone.call.Call]:
    calling = asyncio.create_task(caller.call(callee.addresses[0]))
    theirs = await callee.next_call()
    await theirs.answer()
    return await calling, theirs


@pytest.mark.usefixtures("hasty")
async def test_a_call_whose_other_side_has_vanished_ends_with_words() -> None:
    async with Phone(listen="127.0.0.1") as phone, Phone(listen="127.0.0.1") as other:
        call, theirs = await answered(phone, other)
        theirs.media.release()
        await other._close_sockets()                # as after a power cut: no BYE
        end = await asyncio.wait_for(call.ended(), WAIT_S)
        assert end.is_error and end.text == "The call was lost: nothing came from the other side for 3 s"
        other.calls.clear()


@pytest.mark.usefixtures("hasty")
async def test_a_silent_side_that_still_answers_is_not_given_up_while_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softphone.call, "PROBE_EVERY_S", 0.5)
    async with Phone(listen="127.0.0.1") as phone, Phone(listen="127.0.0.1") as other:
        call, theirs = await answered(phone, other)
        await call.hold()
        theirs.check = lambda now: None             # type: ignore[method-assign]
        theirs.media.release()
        now = phone.now()
        await until(lambda: phone.now() - now > 4.0)
        assert call.is_up


@pytest.mark.usefixtures("hasty")
async def test_a_side_that_forgot_the_call_is_noticed_by_asking() -> None:
    async with Phone(listen="127.0.0.1") as phone, Phone(listen="127.0.0.1") as other:
        call, theirs = await answered(phone, other)
        await call.hold()
        theirs.check = lambda now: None             # type: ignore[method-assign]
        theirs.media.release()
        assert other._endpoint is not None and theirs.signalling.dialog is not None
        other._endpoint.remove_dialog(theirs.signalling.dialog, theirs.signalling)         # as after a restart
        end = await asyncio.wait_for(call.ended(), WAIT_S)
        assert end.text == "The call was lost: the other side does not know the call any more" and end.is_error


async def test_with_an_account_calls_come_through_the_server_alone() -> None:
    async with Phone(listen="127.0.0.1") as stranger, Phone(server="127.0.0.1", listen="127.0.0.1") as phone:
        phone._servers = deque([Destination("UDP", "192.0.2.1", 5060)])
        with pytest.raises(CallFailed, match="Calls come through the server"):
            await stranger.call(phone.addresses[0])
        assert not phone.calls


async def test_another_network_makes_the_phone_begin_afresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "server")
    try:
        await asyncio.to_thread(server.json, "user", "add", "alice", "--password", "correct-horse")
        async with Phone("alice", "correct-horse", f"{server.host}:{server.port}") as phone:
            before = phone.addresses
            monkeypatch.setattr(softphone.phone, "local_host_towards", lambda host, port=0: "127.0.0.2")
            phone._network_check_at = 0.0
            await until(lambda: phone.addresses and phone.addresses != before and phone.is_registered)
            assert "127.0.0.2" in phone.addresses[0]
            monkeypatch.undo()
    finally:
        server.stop()
