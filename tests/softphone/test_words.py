"""SIP's answers in words for a person, with the remedy."""

from __future__ import annotations

import pytest

from softphone.words import call_ended, call_failed, registration_failed


@pytest.mark.parametrize(("status", "reason", "has_account", "words"), [
    (404, "Not Found", True, "nobody and no room is called that there"),
    (486, "Busy Here", True, "the line is busy, or the room is full"),
    (486, "the room is full", True, "the room is full"),
    (401, "Unauthorized", False, "h lets only people with an account call; sign in (or give --user and --password)"),
    (401, "Unauthorized", True, "the server does not accept this user name and password; check both"),
    (408, "no answer", True, "no answer from h; check the address, the port, and that the server runs"),
    (503, "the server can't be reached", True, "h can't be reached; check the address, the port, and that the server runs"),
    (403, "wrong PIN", True, "wrong PIN"),
    (500, "disk full", True, "the server has a fault: disk full"),
    (499, "Odd", True, "the call failed (499): Odd"),
])
def test_a_call_that_failed(status: int, reason: str, has_account: bool, words: str) -> None:
    assert call_failed(status, reason, "h", has_account) == words


@pytest.mark.parametrize(("status", "words"), [
    (401, "wrong user name or password"), (404, "h does not know this user"), (408, "no answer from h"),
    (500, "h refused (500 x)"),
])
def test_signing_in_that_failed(status: int, words: str) -> None:
    assert registration_failed(status, "x", "h").startswith(words)


@pytest.mark.parametrize(("cause", "reason", "by_remote", "expected"), [
    ("hung_up", "", False, ("", False)), ("hung_up", "", True, ("The other side hung up", False)),
    ("hung_up", "the host has ended the meeting", True, ("The host has ended the meeting", False)),
    ("lost", "", True, ("The call was lost: the connection broke", True)),
    ("timeout", "", True, ("The call was lost: the other side does not answer any more", True)),
])
def test_a_call_that_ended(cause: str, reason: str, by_remote: bool, expected: tuple[str, bool]) -> None:
    assert call_ended(cause, reason, by_remote) == expected
