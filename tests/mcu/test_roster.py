"""The roster: versions, partial documents, one's own call marked for oneself only."""

from __future__ import annotations

from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.roster import Device, Picture, Roster
from sip.conference_info import ConferenceInfo, merge, parse


def participant(number: int, name: str, role: Role = Role.ATTENDEE, account: str | None = None) -> Participant:
    """A member with a name."""
    return Participant(ParticipantId(number), Identity(f"sip:{name}@example.org", name, account), role, 0.0)


def device(name: str, held: bool = False) -> Device:
    """A phone of theirs."""
    return Device(f"sip:{name}@192.0.2.1", "opus", f"call-of-{name}", held)


def test_partial_documents_lead_to_the_same_state_as_full_ones() -> None:
    roster = Roster("sip:daily@example.org", "daily", 200)
    alice, bob = participant(1, "alice", Role.HOST, "alice"), participant(2, "bob")
    roster.put(alice, device("alice"))
    assert roster.advance()
    known: ConferenceInfo | None = parse(roster.full())
    for step in range(4):
        match step:
            case 0:
                roster.put(bob, device("bob"))
            case 1:
                bob.is_muted = True
                roster.put(bob, device("bob"))
                roster.set_locked(True)
            case 2:
                roster.put(alice, device("alice", held=True))
            case 3:
                roster.remove(ParticipantId(1))
        assert roster.advance()
        known = merge(known, parse(roster.partial()))
        assert known is not None
        full = parse(roster.full())
        assert (known.users, known.version, known.is_locked, known.user_count) == (
            full.users, full.version, full.is_locked, full.user_count)


def test_nothing_new_makes_no_version() -> None:
    roster = Roster("sip:daily@example.org", "daily")
    roster.put(participant(1, "alice"), device("alice"))
    assert roster.advance()
    roster.put(participant(1, "alice"), device("alice"))
    assert not roster.advance()
    assert roster.version == 1


def test_a_members_own_call_is_told_to_them_alone() -> None:
    roster = Roster("sip:daily@example.org", "daily")
    for number, name in ((1, "alice"), (2, "bob")):
        roster.put(participant(number, name), device(name))
    roster.advance()
    own = parse(roster.full(ParticipantId(2)))
    assert [e.call_id for user in own.users for e in user.endpoints] == ["", "call-of-bob"]
    assert b"call-of" not in roster.full()
    assert b"call-of-bob" in roster.partial(ParticipantId(2))


def test_two_phones_of_one_person_are_one_user_with_two_endpoints() -> None:
    roster = Roster("sip:daily@example.org", "daily")
    roster.put(participant(1, "alice", Role.HOST, "alice"), device("desk"))
    roster.put(participant(2, "alice", account="alice"), device("mobile"))
    roster.advance()
    (user,) = parse(roster.full()).users
    assert [e.media[0].src_id for e in user.endpoints] == [1, 2]
    assert user.roles == ("host", "attendee")
    roster.remove(ParticipantId(1))
    roster.advance()
    (user,) = parse(roster.partial()).users
    assert user.state == "full"
    assert [e.media[0].src_id for e in user.endpoints] == [2]


def test_who_has_left_leaves_no_text_behind() -> None:
    roster = Roster("sip:daily@example.com", "daily")
    for number in range(1, 50):
        guest = participant(number, f"guest-{number}")
        roster.put(guest, Device("sip:guest@192.0.2.1", "opus", f"call-{number}"))
        roster.advance()
        roster.partial()
        roster.remove(guest.id)
        roster.advance()
        assert f"guest-{number}".encode() in roster.partial()
    assert not roster._texts


def test_pictures_have_media_of_their_own_with_who_sends_and_gets_them() -> None:
    roster = Roster("sip:daily@example.org", "daily")
    pictures = (Picture("main", "H264", True, True), Picture("slides", "H264", False, True))
    roster.put(participant(1, "alice"), Device("sip:alice@192.0.2.1", "opus", "call", False, pictures))
    (user,) = parse(roster.full()).users
    assert [(media.id, media.kind, media.status, media.display_text, media.src_id) for media in user.endpoints[0].media] == [
        ("1", "audio", "sendrecv", "opus", 1), ("2", "video", "sendrecv", "H264", 1), ("3", "video", "recvonly", "H264", 1)]
