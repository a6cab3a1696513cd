"""A conference's document as the members that are shown."""

from __future__ import annotations

from typing import Any

from sip.conference_info import CONTENT_TYPE, ConferenceInfo, Endpoint, Media, User, parse
from sip.headers import Headers
from sip.message import Request
from sip.uri import Uri
from softphone.model import Member
from softphone.roster import RosterFeed, members_of


def test_we_come_first_and_host_mute_and_csrc_are_known() -> None:
    anns = Endpoint("sip:ann@1", "connected", (Media("audio", 11, "sendrecv", "opus"),), "other")
    bens = Endpoint("sip:ben@2", "on-hold", (Media("audio", 12, "recvonly", "PCMU"),), "our-call")
    info = parse(bytes(ConferenceInfo("sip:daily@h", 1, users=(
        User("sip:ann@h", "Ann", ("host",), (anns,)), User("sip:ben@h", "Ben", ("attendee",), (bens,)),
        User("sip:eve@h", "", (), (Endpoint("sip:eve@3", "connected"),)),
        User("sip:gone@h", "Gone", (), (Endpoint("sip:gone@4", "disconnected"),)),
    ))))
    assert members_of(info, "our-call") == (
        Member(12, "Ben", "sip:ben@h", "attendee", is_self=True, is_muted=True, codec="PCMU", status="on-hold"),
        Member(11, "Ann", "sip:ann@h", "host", codec="opus"),
        Member(0, "eve", "sip:eve@h"),
    )
    assert not any(member.is_self for member in members_of(info, ""))


class Focus:
    """The subscription as the feed sees it; counts what is asked for."""

    def __init__(self) -> None:
        self.is_active = True
        self.subscribed = self.refreshed = self.ended = 0

    def subscribe(self) -> Any:
        self.subscribed += 1
        return self

    def refresh(self, now: float) -> None:
        self.refreshed += 1

    def end(self, now: float) -> None:
        self.ended += 1


def notify(info: ConferenceInfo | bytes, content_type: str = CONTENT_TYPE) -> Request:
    return Request("NOTIFY", Uri("sip", "x", "h"), Headers([("content-type", "Content-Type", content_type)]), bytes(info))


def users(*names: str) -> tuple[User, ...]:
    return tuple(User(f"sip:{name}@h", name) for name in names)


def test_a_missing_update_is_asked_for_and_junk_is_passed_over() -> None:
    focus = Focus()
    feed = RosterFeed("our-call", focus.subscribe)
    assert feed.receive(notify(ConferenceInfo("sip:d@h", 1, users=users("ann"), display_text="Daily")), 0)
    assert feed.receive(notify(ConferenceInfo("sip:d@h", 2, "partial", users("ben"))), 0)
    assert [member.name for member in feed.members] == ["ann", "ben"] and feed.title == "Daily" and feed.own is None
    assert not feed.receive(notify(ConferenceInfo("sip:d@h", 4, "partial", users("eve"))), 0)
    assert focus.refreshed == 1 and len(feed.members) == 2
    for junk in (b"", b"<x", b"<a/>", b"\xff" * 100):
        assert not feed.receive(notify(junk), 0)
    assert not feed.receive(notify(ConferenceInfo("sip:d@h", 9), "text/plain"), 0)
    assert len(feed.members) == 2


def test_that_the_meeting_is_recorded_comes_with_the_roster_and_goes_with_it() -> None:
    feed = RosterFeed("our-call", Focus().subscribe)
    assert feed.recording == ""
    for version, recording in enumerate(("recording", "paused", "", "recording"), 1):
        assert feed.receive(notify(ConferenceInfo("sip:d@h", version, "full" if version == 1 else "partial", users("ann"),
                                                  recording=recording)), 0)
        assert feed.recording == recording


def test_a_focus_that_forgets_us_is_asked_again_and_one_that_refuses_is_not() -> None:
    focus = Focus()
    feed = RosterFeed("our-call", focus.subscribe)
    feed.on_ended("timeout", 10.0)
    assert not feed.check(12.0) and feed.check(15.0) and focus.subscribed == 2
    for reason in ("403 Forbidden", "489 Bad Event", "noresource", "rejected"):
        feed.on_ended(reason, 20.0)
        assert not feed.check(99.0)
    feed.on_ended("481 Call/Transaction Does Not Exist", 20.0)
    feed.end(21.0)
    assert not feed.check(99.0) and focus.ended == 1
