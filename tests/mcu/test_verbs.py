"""The table of verbs, and what surfaces make of it."""

from __future__ import annotations

import re

import pytest

from mcu import commands, verbs
from mcu.errors import UsageError
from mcu.participant import ParticipantId, Role
from mcu.verbs import KEYPAD, VERBS, build, may, parse_command

ANN = ParticipantId(7)


def made(text: str) -> tuple[commands.Command, ...]:
    """The commands of a text, of which Ann is whom it means."""
    order = parse_command(text)
    assert order is not None
    return order.commands([ANN])


@pytest.mark.parametrize(("text", "command"), [
    ("/mute Ann", commands.MuteParticipant(ANN, True)), ("/unmute", commands.MuteParticipant(ANN, False)),
    ("/END", commands.CloseConference()), ("/lock", commands.LockConference(True)),
    ("/rename Ann Lee", commands.RenameParticipant(ANN, "Lee")), ("/rename Bea", commands.RenameParticipant(ANN, "Bea")),
    ('/rename "Ann Lee" Ann of Bonn', commands.RenameParticipant(ANN, "Ann of Bonn")),
    ("/appoint Ann co-host", commands.AppointParticipant(ANN, Role.COHOST)), ("/say  hello   all", commands.Say("hello all")),
    ("/set unmute hosts", commands.SetSwitch("unmute", "hosts")), ("/forbid chat", commands.SetSwitch("chat", "hosts")),
    ("/kick Ann", commands.KickParticipant(ANN)), ("/kick Ann too loud", commands.KickParticipant(ANN, "too loud")),
    ("/record start", commands.Record("start")), ("/host Ann", commands.TransferHost(ANN)),
])
def test_a_text_is_a_command(text: str, command: commands.Command) -> None:
    assert made(text) == (command,)


def test_whom_a_text_means_is_all_of_its_rest() -> None:
    order = parse_command("/mute Ann Lee")
    assert order is not None and order.who == "Ann Lee"


@pytest.mark.parametrize("text", ["hello", "", "/", "and/or"])
def test_other_texts_are_none(text: str) -> None:
    assert parse_command(text) is None


@pytest.mark.parametrize(("text", "words"), [
    ("/dance", "there is no /dance"), ("/kick", "who is missing"), ("/appoint Ann king", "co-host, presenter"),
    ("/say " + "x" * 2000, "at most 1024")])
def test_what_is_wrong_with_a_text_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_command(text)


def test_an_object_is_checked() -> None:
    assert build("mute", {"who": "ann"}).who == "ann"
    for arguments in ({"who": ["x"]}, {"what": "x"}, {"who": True}):
        with pytest.raises(UsageError):
            build("mute", arguments)
    with pytest.raises(UsageError, match="no verb"):
        build("dance", {})


def test_every_verb_makes_a_command_that_names_it_or_the_verb_it_stands_for() -> None:
    stands_for = {"allow": "set", "forbid": "set"}
    for verb in VERBS.values():
        values = {argument.name: argument.choices[0] if argument.choices else "x" for argument in verb.arguments}
        (command,) = build(verb.name, values).commands([ANN])
        assert command.verb == stands_for.get(verb.name, verb.name)
        assert hasattr(command, "target") == (verb.who is not None)
        assert verb.help and verb.help_zh and verb.done


def test_words_and_codes_are_those_of_one_verb() -> None:
    words = [word for verb in VERBS.values() for word in (verb.name, *verb.also)]
    assert len(words) == len(set(words))
    wanted = {"*4#": ("close",), "*5": ("lock", "unlock"), "*6": ("mute", "unmute"), "*7": ("record",),
            "*9": ("raise-hand", "lower-hand"), "*#": ("count",)}
    assert wanted == KEYPAD


def test_roles_have_the_verbs_of_the_contract() -> None:
    assert [role for role in Role if may(VERBS["close"], role)] == [Role.HOST]
    assert [role for role in Role if may(VERBS["lock"], role)] == [Role.HOST, Role.COHOST]
    assert [role for role in Role if may(VERBS["invite"], role)] == [Role.HOST, Role.COHOST, Role.PRESENTER]
    assert not may(VERBS["mute"], Role.ATTENDEE) and may(VERBS["mute"], Role.ATTENDEE, is_own=True)
    assert not may(VERBS["unmute"], Role.LISTENER, is_own=True)
    assert verbs.words_of(VERBS["lock"]) == "only a host or co-host may do that"
