"""The phone in the terminal: the same agent as the window's, lines in and lines out. For a machine without a screen."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

from softphone import model
from softphone.bridge import Bridge
from softphone.model import Command, Event, Registration, Screen, State, reduce

POLL_S = 0.1
HELP = """call NAME or URI   new            answer   decline
mute   unmute      hold   resume  keys *6  people   stats
transfer NAME      leave  end (for all)    help     quit"""


def run_console(bridge: Bridge, *, initial: State, target: str | None = None) -> int:
    """Read commands from standard input and tell what happens, until `quit` or the end of the input; the exit status."""
    lines: queue.Queue[str | None] = queue.Queue(100)
    threading.Thread(target=_read, args=(lines,), name="terminal", daemon=True).start()
    state = initial
    print(HELP if target is None else f"calling {target}; type help for the commands", flush=True)
    if target is not None:
        bridge.send(model.Dial(target))
    while not bridge.is_closed:
        for event in bridge.take_events():
            before, state = state, reduce(state, event)
            for text in tell(before, state, event):
                print(text, flush=True)
        try:
            typed = lines.get(timeout=POLL_S)
        except queue.Empty:
            continue
        if typed is None or typed.strip() in ("quit", "exit"):
            return 0
        _obey(typed.strip(), state, bridge.send)
    return 0


def _read(lines: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)


def tell(before: State, state: State, event: Event) -> list[str]:
    """What to print when `event` made `state` of `before`."""
    match event:
        case model.RegistrationChanged(registration, text) if registration is not Registration.NONE:
            return [text or f"signed in as {state.account} at {state.server}"]
        case model.SignallingChanged(text, _) if text and text != before.signalling:
            return [f"signalling: {text}"]
        case model.CallStarted(_, text):
            return [text]
        case model.CallEstablished(uri, title, is_conference, _):
            return [f"in the {'meeting' if is_conference else 'call'} {title} ({uri})"]
        case model.CallEnded(text, _):
            return [text or "the call has ended"]
        case model.IncomingRang(incoming):
            return [f"{incoming.name} calls ({incoming.uri}); type answer or decline"]
        case model.BannerShown(banner):
            return [banner.text]
        case model.MuteChanged(is_muted, by_host) if before.meeting and is_muted != before.meeting.is_muted:
            return ["muted by the host" if by_host and is_muted else "muted" if is_muted else "not muted"]
        case model.HoldChanged(is_held):
            return ["on hold" if is_held else "back in the call"]
        case model.RosterChanged():
            return _roster_changes(before, state)
    return []


def _roster_changes(before: State, state: State) -> list[str]:
    old = {member.uri + member.name for member in before.meeting.members} if before.meeting else set()
    members = state.meeting.members if state.meeting else ()
    new = {member.uri + member.name: member.name for member in members if not member.is_self}
    gone = [member.name for member in (before.meeting.members if before.meeting else ()) if member.uri + member.name not in
            {other.uri + other.name for other in members}]
    return [f"{name} is here" for key, name in new.items() if key not in old] + [f"{name} has left" for name in gone]


def _obey(line: str, state: State, send: Callable[[Command], None]) -> None:
    word, _, rest = line.partition(" ")
    command = command_of(word.lower(), rest.strip(), state)
    if command is not None:
        send(command)
    elif word == "people":
        print("\n".join(_people(state)) or "nobody", flush=True)
    elif word == "stats" and state.meeting is not None:
        print(state.meeting.quality, flush=True)
    elif word:
        print(HELP, flush=True)


def command_of(word: str, rest: str, state: State) -> Command | None:
    """The command that a line means; None for what is none."""
    ringing = state.incoming[0].call_id if state.incoming else ""
    simple: dict[str, Command] = {
        "new": model.NewMeeting(), "mute": model.SetMuted(True), "unmute": model.SetMuted(False), "hold": model.SetHold(True),
        "resume": model.SetHold(False), "leave": model.Leave(), "end": model.Leave(end_for_all=True),
        "answer": model.Answer(ringing), "decline": model.Decline(ringing),
    }
    if word == "call" and rest and state.screen is Screen.HOME:
        return model.Dial(rest)
    if word == "transfer" and rest and state.meeting is not None:
        return model.Transfer(rest)
    if word == "keys" and rest:
        return model.SendDigits(rest)
    return simple.get(word)


def _people(state: State) -> list[str]:
    members = state.meeting.members if state.meeting is not None else ()
    return [f"{member.name}{' (you)' if member.is_self else ''}{', host' if member.role == 'host' else ''}"
            f"{', muted' if member.is_muted else ''}" for member in members]
