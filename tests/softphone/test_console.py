"""The phone in the terminal: lines to commands, events to lines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from softphone import model
from softphone.console import command_of, tell
from softphone.model import Command, Event, Member, Screen, State, reduce
from softphone.phone import Phone


@pytest.mark.parametrize(("line", "command"), [
    ("call daily", model.Dial("daily")), ("new", model.NewMeeting()), ("mute", model.SetMuted(True)),
    ("unmute", model.SetMuted(False)), ("hold", model.SetHold(True)), ("keys *6", model.SendDigits("*6")),
    ("leave", model.Leave()), ("end", model.Leave(end_for_all=True)), ("answer", model.Answer("7")), ("call", None),
    ("what", None), ("transfer bob", None), ("", None),
])
def test_a_line_is_a_command(line: str, command: Command | None) -> None:
    state = State(incoming=(model.Incoming("7", "Bo", "sip:bo@h"),))
    word, _, rest = line.partition(" ")
    assert command_of(word, rest, state) == command


def test_a_call_during_a_meeting_is_no_command() -> None:
    assert command_of("call", "daily", State(screen=Screen.MEETING)) is None


def test_a_call_is_transferred_by_a_line() -> None:
    assert command_of("transfer", "bob", State(meeting=model.Meeting("sip:x@h", "x"))) == model.Transfer("bob")


def test_what_happens_is_told_in_words() -> None:
    state, told = State(account="ann", server="h"), list[str]()
    ann, ben = Member(1, "Ann", "sip:ann@h", is_self=True), Member(2, "Ben", "sip:ben@h")
    happened: list[Event] = [
        model.RegistrationChanged(model.Registration.REGISTERED), model.IncomingRang(model.Incoming("7", "Bo", "sip:bo@h")),
        model.CallStarted("sip:daily@h", "Calling daily …"), model.CallEstablished("sip:daily@h", "daily", True, 0.0),
        model.RosterChanged((ann,)), model.RosterChanged((ann, ben)), model.MuteChanged(True, by_host=True),
        model.RosterChanged((ann,)), model.HoldChanged(True), model.CallEnded("The host has ended the meeting"),
    ]
    for event in happened:
        before, state = state, reduce(state, event)
        told += tell(before, state, event)
    assert told == [
        "signed in as ann at h", "Bo calls (sip:bo@h); type answer or decline", "Calling daily …",
        "in the meeting daily (sip:daily@h)", "Ben is here", "muted by the host", "Ben has left", "on hold",
        "The host has ended the meeting",
    ]


@pytest.mark.loopback
async def test_a_call_is_made_and_left_from_the_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "softphone", "--console", "--config", str(tmp_path / "phone.toml"), "--play", "tone:440",
               "--listen", "127.0.0.1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdin is not None and process.stdout is not None

        async def say(line: str, until: str) -> None:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            async with asyncio.timeout(20):
                while until not in (told := await asyncio.to_thread(process.stdout.readline)):
                    if "not connected yet" in told:             # it is still being started
                        await asyncio.sleep(0.3)
                        process.stdin.write(line + "\n")
                        process.stdin.flush()

        async with Phone(listen="127.0.0.1") as phone:
            await say("what", "call NAME or URI")
            calling = asyncio.create_task(say(f"call {phone.addresses[0]}", "in the call"))
            call = await asyncio.wait_for(phone.next_call(), 20)
            await call.answer()
            await calling
            await say("mute", "muted")
            await say("leave", "the call has ended")
            assert (await asyncio.wait_for(call.ended(), 20)).by_remote
            out, errors = await asyncio.to_thread(process.communicate, "quit\n", 20)
        assert process.returncode == 0 and errors == "", (out, errors)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
