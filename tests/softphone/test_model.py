"""The state of the screen: what each event makes of it."""

from __future__ import annotations

from dataclasses import replace

from softphone.model import (
    AccountChanged,
    AudioDevice,
    Banner,
    BannerDismissed,
    BannerShown,
    CallEnded,
    CallEstablished,
    CallStarted,
    DevicesChanged,
    HoldChanged,
    Incoming,
    IncomingGone,
    IncomingRang,
    LevelsChanged,
    Member,
    MuteChanged,
    PrejoinClosed,
    PrejoinOpened,
    Quality,
    QualityChanged,
    Recent,
    RecentChanged,
    Registration,
    RegistrationChanged,
    RosterChanged,
    Screen,
    SettingsChanged,
    SpeakersChanged,
    State,
    reduce,
)

ALICE = Member(11, "Alice", is_self=True)
BOB = Member(12, "Bob")


def in_meeting(*members: Member) -> State:
    """A state with a running meeting."""
    state = reduce(State(), CallEstablished("sip:daily@example.org", "daily", True, 100.0))
    return reduce(state, RosterChanged(members or (ALICE, BOB), "Weekly", True))


def test_a_call_goes_from_home_over_prejoin_and_calling_to_the_meeting() -> None:
    state = reduce(State(), PrejoinOpened("sip:daily@example.org"))
    assert (state.screen, state.target) == (Screen.PREJOIN, "sip:daily@example.org")
    state = reduce(state, CallStarted("sip:daily@example.org", "Calling daily …"))
    assert (state.screen, state.calling_text) == (Screen.CALLING, "Calling daily …")
    state = reduce(state, CallEstablished("sip:daily@example.org", "daily", True, 5.0))
    assert state.screen is Screen.MEETING
    assert state.meeting is not None and state.meeting.started_at == 5.0
    assert state.calling_text == ""


def test_closing_the_prejoin_page_leads_home() -> None:
    state = reduce(reduce(State(), PrejoinOpened("daily")), PrejoinClosed())
    assert (state.screen, state.target) == (Screen.HOME, "")


def test_the_end_of_a_call_leads_home_with_its_reason() -> None:
    ended = reduce(in_meeting(), CallEnded("The call was lost", True))
    assert (ended.screen, ended.meeting) == (Screen.HOME, None)
    assert ended.banner == Banner("The call was lost", "error")
    assert reduce(in_meeting(), CallEnded("")).banner is None


def test_late_pages_do_not_push_a_running_meeting_away() -> None:
    state = in_meeting()
    for event in (PrejoinOpened("x"), PrejoinClosed(), CallStarted("x", "Ringing …")):
        assert reduce(state, event) is state


def test_events_of_a_meeting_without_one_change_nothing() -> None:
    state = State()
    for event in (RosterChanged((BOB,)), SpeakersChanged({12: -20}), MuteChanged(True), HoldChanged(True),
                  QualityChanged(Quality("Opus"))):
        assert reduce(state, event) is state


def test_roster_gives_members_title_and_role() -> None:
    meeting = in_meeting().meeting
    assert meeting is not None
    assert (meeting.members, meeting.title, meeting.is_host) == ((ALICE, BOB), "Weekly", True)
    again = reduce(in_meeting(), RosterChanged((ALICE,), recording="paused")).meeting
    assert again is not None and (again.title, again.recording) == ("Weekly", "paused")


def test_a_line_says_when_recording_begins_and_ends_and_only_then() -> None:
    recorded = reduce(in_meeting(), RosterChanged((ALICE, BOB), recording="recording"))
    assert recorded.banner == Banner("This meeting is being recorded.")
    read = reduce(recorded, BannerDismissed())
    paused = reduce(read, RosterChanged((ALICE,), recording="paused"))
    assert paused.banner is None
    assert reduce(paused, RosterChanged((ALICE,))).banner == Banner("The recording has ended.")


def test_who_speaks_is_marked_with_the_level_and_others_are_not() -> None:
    meeting = reduce(in_meeting(), SpeakersChanged({12: -18})).meeting
    assert meeting is not None
    assert meeting.members == (ALICE, replace(BOB, is_speaking=True, level_dbov=-18))
    silent = reduce(reduce(in_meeting(), SpeakersChanged({12: -18})), SpeakersChanged({})).meeting
    assert silent is not None and silent.members == (ALICE, BOB)


def test_a_new_roster_keeps_the_mark_of_who_speaks() -> None:
    speaking = reduce(in_meeting(), SpeakersChanged({12: -18}))
    meeting = reduce(speaking, RosterChanged((ALICE, BOB, Member(13, "Carol")))).meeting
    assert meeting is not None
    assert [m.is_speaking for m in meeting.members] == [False, True, False]


def test_mute_hold_and_quality_belong_to_the_meeting() -> None:
    state = in_meeting()
    for event in (MuteChanged(True), HoldChanged(True), QualityChanged(Quality("G.722", mos=4.0))):
        state = reduce(state, event)
    assert state.meeting is not None
    assert (state.meeting.is_muted, state.meeting.is_held, state.meeting.quality.codec) == (True, True, "G.722")


def test_calls_ring_until_they_are_gone_and_ring_once() -> None:
    bob, carol = Incoming("1", "Bob", "sip:bob@x"), Incoming("2", "Carol", "sip:carol@x")
    state = State()
    for incoming in (bob, carol, bob):
        state = reduce(state, IncomingRang(incoming))
    assert state.incoming == (bob, carol)
    assert reduce(state, IncomingGone("1")).incoming == (carol,)


def test_banner_comes_and_goes() -> None:
    shown = reduce(State(), BannerShown(Banner("No answer", "warning")))
    assert shown.banner == Banner("No answer", "warning")
    assert reduce(shown, BannerDismissed()).banner is None


def test_account_devices_levels_places_and_settings_are_kept() -> None:
    microphone, speaker = AudioDevice("a", "Headset"), AudioDevice("b", "Speaker")
    state = State()
    for event in (
        AccountChanged("alice", "example.org", "Alice"), RegistrationChanged(Registration.REGISTERED),
        DevicesChanged((microphone,), (speaker,), "a", "b"), LevelsChanged(-20, -30),
        RecentChanged((Recent("sip:bob@x", "Bob", 1.0),)), SettingsChanged({"theme": "light"}),
    ):
        state = reduce(state, event)
    assert (state.account, state.server, state.display_name) == ("alice", "example.org", "Alice")
    assert state.registration is Registration.REGISTERED
    assert (state.microphones, state.speakers, state.microphone, state.speaker) == ((microphone,), (speaker,), "a", "b")
    assert (state.microphone_level_dbov, state.speaker_level_dbov) == (-20, -30)
    assert state.recent[0].title == "Bob"
    assert state.settings == {"theme": "light"}
