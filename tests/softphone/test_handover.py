"""Phones without a server that hand each other on: followed, asked about, refused; calls that take each other's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from softphone.call import Call
from softphone.errors import CallFailed
from softphone.handover import Policy
from softphone.line import CallReplaced, PhoneEvent, TransferAsked
from softphone.phone import Phone
from tests.softphone.test_transfer import expect_to_be_out, expect_to_hear_each_other

pytestmark = pytest.mark.loopback

WAIT_S = 15.0


class Three:
    """Phones a, b and c; a and b in a call. `log`: what b was told; `ours`, `theirs`: that call as a and b see it."""

    def __init__(self, phones: list[Phone], log: list[PhoneEvent], ours: Call, theirs: Call) -> None:
        self.a, self.b, self.c = phones
        self.log = log
        self.ours, self.theirs = ours, theirs


@asynccontextmanager
async def three(policy: Policy) -> AsyncIterator[Three]:
    """Three phones; what b does when it is handed on."""
    log: list[PhoneEvent] = []
    async with AsyncExitStack() as stack:
        phones = [Phone(listen="127.0.0.1"), Phone(listen="127.0.0.1", transfers=policy, notify=log.append),
                  Phone(listen="127.0.0.1")]
        for phone in phones:
            await stack.enter_async_context(phone)
        a, b, _ = phones
        ours, theirs = await connect(a, b)
        yield Three(phones, log, ours, theirs)


async def connect(caller: Phone, callee: Phone) -> tuple[Call, Call]:
    """A call that is up, as both sides see it."""
    calling = asyncio.create_task(caller.call(callee.addresses[0]))
    theirs = await asyncio.wait_for(callee.next_call(), WAIT_S)
    await theirs.answer()
    return await asyncio.wait_for(calling, WAIT_S), theirs


async def until(log: list[PhoneEvent], kind: type[PhoneEvent]) -> PhoneEvent:
    """The first event of a kind."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for event in log:
                if isinstance(event, kind):
                    return event
            await asyncio.sleep(0.01)


async def test_a_phone_follows_to_whom_it_is_handed_on_and_tells_how_it_fares() -> None:
    async with three("follow") as them:
        them.b.attach(them.theirs)
        transferring = asyncio.create_task(them.ours.transfer(them.c.addresses[0]))
        arrived = await asyncio.wait_for(them.c.next_call(), WAIT_S)
        assert them.theirs.is_up
        await arrived.answer()
        await asyncio.wait_for(transferring, WAIT_S)
        await expect_to_be_out(them.ours, them.theirs)
        replaced = await until(them.log, CallReplaced)
        assert isinstance(replaced, CallReplaced) and replaced.old is them.theirs
        assert them.b.calls == [replaced.call] and them.b.sound_call is replaced.call
        them.b.attach(None)
        await expect_to_hear_each_other(replaced.call, arrived)


async def test_a_transfer_that_is_followed_in_vain_says_why_and_the_call_goes_on() -> None:
    async with three("follow") as them:
        transferring = asyncio.create_task(them.ours.transfer(them.c.addresses[0]))
        (await asyncio.wait_for(them.c.next_call(), WAIT_S)).decline()
        with pytest.raises(CallFailed, match="declined"):
            await asyncio.wait_for(transferring, WAIT_S)
        assert them.ours.is_up and them.theirs.is_up and len(them.b.calls) == 1


async def test_a_phone_follows_nobody_unless_it_is_told_to() -> None:
    async with three("refuse") as them:
        with pytest.raises(CallFailed, match="the other phone follows no transfers"):
            await asyncio.wait_for(them.ours.transfer(them.c.addresses[0]), WAIT_S)
        assert them.ours.is_up and them.theirs.is_up and them.b.calls == [them.theirs]


async def test_the_user_is_asked_and_may_say_no_or_yes() -> None:
    async with three("ask") as them:
        transferring = asyncio.create_task(them.ours.transfer(them.c.addresses[0]))
        asked = await until(them.log, TransferAsked)
        assert isinstance(asked, TransferAsked) and asked.call is them.theirs
        assert str(asked.handover.uri) == them.c.addresses[0]
        asked.handover.decline()
        with pytest.raises(CallFailed, match="the transfer was declined"):
            await asyncio.wait_for(transferring, WAIT_S)
        with pytest.raises(CallFailed, match="no transfer to follow"):
            await asked.handover.follow()
        them.log.clear()

        transferring = asyncio.create_task(them.ours.transfer(them.c.addresses[0]))
        asked = await until(them.log, TransferAsked)
        assert isinstance(asked, TransferAsked)
        following = asyncio.create_task(asked.handover.follow())
        await (await asyncio.wait_for(them.c.next_call(), WAIT_S)).answer()
        assert (await asyncio.wait_for(following, WAIT_S)).is_up
        await asyncio.wait_for(transferring, WAIT_S)
        await expect_to_be_out(them.ours, them.theirs)


async def test_who_has_been_asked_for_already_is_put_through_without_a_ring() -> None:
    async with three("follow") as them:
        with_c, cs = await connect(them.a, them.c)
        await asyncio.wait_for(them.ours.transfer(with_c), WAIT_S)
        await expect_to_be_out(them.ours, them.theirs)
        assert (await asyncio.wait_for(cs.ended(), WAIT_S)).text == "The call goes on at another phone"
        (at_b,), (at_c,) = them.b.calls, them.c.calls
        assert at_b.is_up and at_c.is_up and not them.a.calls
