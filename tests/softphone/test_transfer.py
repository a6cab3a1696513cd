"""Three of our phones and a real server: a call handed on, blind and attended; who hears whom afterwards, and who is out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from confero.testing import Server, start_server
from softphone.call import Call
from softphone.errors import CallFailed
from softphone.line import PhoneEvent, TransferProgressed
from softphone.media.player import Tone
from softphone.phone import Phone
from softphone.words import transfer_failed
from tests.helpers import tones
from tests.softphone.ears import Ear, talk
from tests.softphone.test_headless import finish, headless

PASSWORD = "correct-horse-battery"
LEVEL_DBFS = -20.0
WAIT_S = 15.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with accounts for alice, bob and carol."""
    found = start_server(tmp_path_factory.mktemp("server"))
    for name in ("alice", "bob", "carol"):
        found.json("user", "add", name, "--password", PASSWORD)
    yield found
    found.stop()


class People:
    """Alice, Bob and Carol, each at a phone; Bob's log."""

    def __init__(self, alice: Phone, bob: Phone, carol: Phone, log: list[PhoneEvent]) -> None:
        self.alice, self.bob, self.carol = alice, bob, carol
        self.log = log

    @property
    def told(self) -> list[str]:
        """What Bob was told of his transfers."""
        return [event.text for event in self.log if isinstance(event, TransferProgressed)]


@asynccontextmanager
async def people(server: Server) -> AsyncIterator[People]:
    log: list[PhoneEvent] = []

    def phone(user: str, **options: object) -> Phone:
        return Phone(user, PASSWORD, f"{server.host}:{server.port}", listen="127.0.0.1", **options)   # type: ignore[arg-type]

    async with phone("alice") as alice, phone("bob", transport="tcp", notify=log.append) as bob, phone("carol") as carol:
        yield People(alice, bob, carol, log)


async def connect(caller: Phone, callee: Phone) -> tuple[Call, Call]:
    """A call that is up, as both sides see it."""
    calling = asyncio.create_task(caller.call(callee.user))
    theirs = await asyncio.wait_for(callee.next_call(), WAIT_S)
    await theirs.answer()
    return await asyncio.wait_for(calling, WAIT_S), theirs


async def expect_to_hear_each_other(one: Call, other: Call) -> None:
    ears = Ear(), Ear()
    await asyncio.gather(talk(one, Tone(440, LEVEL_DBFS), 2.0, ears[0]), talk(other, Tone(1000, LEVEL_DBFS), 2.0, ears[1]))
    for ear, own, their in ((ears[0], 440, 1000), (ears[1], 1000, 440)):
        middle = tones.steady(48000, ear.samples)
        assert tones.level_dbfs(48000, middle, their) == pytest.approx(LEVEL_DBFS, abs=1.0)
        assert tones.level_dbfs(48000, middle, own) < LEVEL_DBFS - 40


async def expect_to_be_out(*calls: Call) -> None:
    for call in calls:
        end = await asyncio.wait_for(call.ended(), WAIT_S)
        assert (end.text, end.is_error) == ("The call was transferred", False)


@pytest.mark.loopback
@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_after_a_blind_transfer_the_two_others_hear_each_other_and_we_are_out(server: Server, caller: str) -> None:
    async with people(server) as them:
        if caller == "alice":
            with_bob, bobs = await connect(them.alice, them.bob)
        else:
            bobs, with_bob = await connect(them.bob, them.alice)
        transferring = asyncio.create_task(bobs.transfer("carol"))
        carols = await asyncio.wait_for(them.carol.next_call(), WAIT_S)
        assert bobs.is_up and carols.uri.user == "alice"
        with pytest.raises(CallFailed, match="another transfer"):
            await bobs.transfer("alice")
        await carols.answer()
        await asyncio.wait_for(transferring, WAIT_S)
        await expect_to_be_out(bobs)
        assert them.told == ["Transferring to carol …", "Transfer to carol: ringing …"] and not them.bob.calls
        await expect_to_hear_each_other(with_bob, carols)
        assert with_bob.remote_name == "carol" and with_bob.uri.user == "carol"       # the server has told whom it is with now
        with_bob.hang_up()
        await asyncio.wait_for(carols.ended(), WAIT_S)


@pytest.mark.loopback
async def test_after_an_attended_transfer_the_two_others_hear_each_other_and_we_are_out(server: Server) -> None:
    async with people(server) as them:
        alices, bobs = await connect(them.alice, them.bob)
        await bobs.hold()
        with_carol, carols = await connect(them.bob, them.carol)
        await asyncio.wait_for(bobs.transfer(with_carol), WAIT_S)
        await expect_to_be_out(bobs, with_carol)
        assert alices.is_up and carols.is_up and not them.bob.calls
        await expect_to_hear_each_other(alices, carols)
        assert (alices.remote_name, carols.remote_name) == ("carol", "alice")
        carols.hang_up()
        await asyncio.wait_for(alices.ended(), WAIT_S)


@pytest.mark.loopback
@pytest.mark.parametrize("attended", [False, True])
async def test_after_a_transfer_into_a_room_the_partner_is_in_it_and_we_are_out(server: Server, attended: bool) -> None:
    name = f"room-{'attended' if attended else 'blind'}"
    server.json("room", "create", name, "--pin", "246810")
    async with people(server) as them:
        alices, bobs = await connect(them.alice, them.bob)
        carols = await asyncio.wait_for(them.carol.call(f"{name}.246810"), WAIT_S)
        meeting = await asyncio.wait_for(them.bob.call(f"{name}.246810"), WAIT_S) if attended else None
        if meeting is not None:
            await asyncio.wait_for(bobs.transfer(meeting), WAIT_S)
            await expect_to_be_out(bobs, meeting)
        else:
            await asyncio.wait_for(bobs.transfer(f"{name}.246810"), WAIT_S)
            await expect_to_be_out(bobs)
        async with asyncio.timeout(WAIT_S):
            while len(alices.roster) != 2:
                await asyncio.sleep(0.02)
        assert alices.is_conference and alices.uri.user == name
        assert [person["name"] for person in server.json("room", "people", name)] == ["carol", "alice"]
        await expect_to_hear_each_other(alices, carols)


@pytest.mark.loopback
async def test_a_transfer_that_fails_says_why_and_the_call_goes_on(server: Server) -> None:
    async with people(server) as them:
        alices, bobs = await connect(them.alice, them.bob)
        transferring = asyncio.create_task(bobs.transfer("carol"))
        carols = await asyncio.wait_for(them.carol.next_call(), WAIT_S)
        carols.decline()
        with pytest.raises(CallFailed, match="the call was declined"):
            await asyncio.wait_for(transferring, WAIT_S)
        with pytest.raises(CallFailed, match="to a user or a room of this server"):
            await bobs.transfer("nobody")
        with pytest.raises(CallFailed, match="no name that can be called"):
            await bobs.transfer("a b")
        await them.carol.close()
        with pytest.raises(CallFailed, match="carol is not there"):
            await bobs.transfer("carol")
        assert bobs.is_up
        await expect_to_hear_each_other(alices, bobs)
        alices.hang_up()
        await asyncio.wait_for(bobs.ended(), WAIT_S)
        with pytest.raises(CallFailed, match="that is up"):
            await bobs.transfer("carol")


@pytest.mark.loopback
async def test_whom_we_transfer_hangs_up_while_it_rings_and_the_transfer_is_over(server: Server) -> None:
    async with people(server) as them:
        alices, bobs = await connect(them.alice, them.bob)
        transferring = asyncio.create_task(bobs.transfer("carol"))
        carols = await asyncio.wait_for(them.carol.next_call(), WAIT_S)
        alices.hang_up()
        with pytest.raises(CallFailed, match="the other side hung up"):
            await asyncio.wait_for(transferring, WAIT_S)
        assert (await asyncio.wait_for(carols.ended(), WAIT_S)).cause == "cancelled"
        assert (await asyncio.wait_for(bobs.ended(), WAIT_S)).text != "The call was transferred"


@pytest.mark.loopback
async def test_the_phone_without_a_window_transfers_at_its_time_and_ends_well(server: Server) -> None:
    async with people(server) as them:
        await them.bob.close()
        with headless("alice", "--user", "bob", "--password", PASSWORD, "--server", f"{server.host}:{server.port}", "--listen",
                      "127.0.0.1", "--play", "tone:440", "--transfer", "0.5s:carol") as process:
            alices = await asyncio.wait_for(them.alice.next_call(), WAIT_S)
            await alices.answer()
            carols = await asyncio.wait_for(them.carol.next_call(), WAIT_S)
            await carols.answer()
            out, errors = await finish(process)
        assert process.returncode == 0, errors
        assert json.loads(out)["reason"] == "The call was transferred" and "Transferring to carol …" in errors
        assert alices.is_up and carols.is_up


@pytest.mark.loopback
async def test_a_phone_that_follows_no_transfer_says_so() -> None:
    async with Phone(listen="127.0.0.1") as a, Phone(listen="127.0.0.1") as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        await (await b.next_call()).answer()
        call = await calling
        with pytest.raises(CallFailed, match="the other phone follows no transfers"):
            await call.transfer("carol")
        assert call.is_up


@pytest.mark.parametrize(("status", "reason", "words"), [
    (603, "Decline", "the call was declined"), (480, "carol does not answer", "carol does not answer"),
    (487, "the other side has gone", "the other side hung up"), (408, "timeout", "nobody answered"),
    (100, "Trying", "the other side does not tell whether it worked"),
    (202, "no NOTIFY came", "the other side does not tell whether it worked"), (499, "", "the other side refused (499)"),
])
def test_why_a_transfer_failed_is_said_in_words(status: int, reason: str, words: str) -> None:
    assert transfer_failed(status, reason) == words
