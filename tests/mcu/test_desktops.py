"""Who may come to whose desktop: sessions, words and holders of one conference, before any relay runs."""

from __future__ import annotations

import random

from mcu.desktops import MAX_DESKTOPS, RoomDesktops
from mcu.participant import ParticipantId
from mcu.relay.messages import NO_FINGERPRINT, OpenDesktop
from mcu.relay.tickets import OWNER, VIEWER, digest_of

ANNA, BERND, CHEN = ParticipantId(1), ParticipantId(2), ParticipantId(3)


class FakeRelay:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.opened: list[OpenDesktop] = []
        self.told: list[tuple[str, int, int]] = []

    def new_session(self) -> int:
        return len(self.opened) + 1

    def open_desktop(self, opened: OpenDesktop) -> None:
        self.opened.append(opened)

    def set_holder(self, session_id: int, participant_id: int) -> None:
        self.told.append(("holder", session_id, participant_id))

    def close_desktop(self, session_id: int) -> None:
        self.told.append(("close", session_id, 0))


def conference(*present: ParticipantId) -> tuple[RoomDesktops, FakeRelay]:
    """A conference whose phones have shown their certificates."""
    relay, source = FakeRelay(), random.Random(1)
    desktops = RoomDesktops(relay, source.randbytes)
    for each in present:
        desktops.present(each, bytes([each]) * 32)
    return desktops, relay


def test_each_end_gets_its_word_once_and_the_relay_only_hashes() -> None:
    desktops, relay = conference(ANNA, BERND)
    assert desktops.open(ANNA, BERND) is not None
    words = desktops.take_word(ANNA, OWNER), desktops.take_word(BERND, VIEWER)
    opened = relay.opened[0]
    assert (opened.owner.digest, opened.viewer.digest) == (digest_of(words[0]), digest_of(words[1]))
    assert (opened.owner.fingerprint, opened.viewer.fingerprint) == (b"\1" * 32, b"\2" * 32)
    assert desktops.take_word(ANNA, OWNER) == desktops.take_word(BERND, VIEWER) == ""


def test_nobody_gets_a_word_for_anothers_end() -> None:
    desktops, _ = conference(ANNA, BERND, CHEN)
    desktops.open(ANNA, BERND)
    assert [desktops.take_word(*each) for each in ((BERND, OWNER), (ANNA, VIEWER), (CHEN, VIEWER), (CHEN, OWNER))] == [""] * 4


def test_who_showed_no_certificate_gets_no_session() -> None:
    desktops, relay = conference(ANNA)
    assert desktops.open(ANNA, BERND) is None and desktops.open(BERND, ANNA) is None and not relay.opened


def test_looking_on_turns_into_control_without_another_session() -> None:
    desktops, relay = conference(ANNA, BERND)
    desktops.open(ANNA, BERND)
    desktops.open(ANNA, BERND)
    desktops.set_holder(ANNA, BERND)
    desktops.set_holder(ANNA, None)
    assert len(relay.opened) == 1 and relay.told == [("holder", 1, BERND), ("holder", 1, 0)]


def test_the_gates_of_all_others_are_shut_before_one_is_opened() -> None:
    desktops, relay = conference(ANNA, BERND, CHEN)
    desktops.open(ANNA, BERND)
    desktops.open(ANNA, CHEN)
    desktops.set_holder(ANNA, BERND)
    relay.told.clear()
    desktops.set_holder(ANNA, CHEN)
    assert relay.told == [("holder", 1, 0), ("holder", 2, CHEN)]


def test_a_stock_viewer_comes_by_its_ticket_and_no_certificate() -> None:
    desktops, relay = conference(ANNA)
    guest = desktops.invite(CHEN)
    assert not relay.opened and len(guest.plain_word) == 8
    assert desktops.open(ANNA, CHEN) is not None
    opened = relay.opened[0]
    assert opened.viewer.digest == digest_of(guest.word) and opened.viewer.fingerprint == NO_FINGERPRINT
    assert opened.plain_word == guest.plain_word and desktops.take_word(CHEN, VIEWER) == ""


def test_whoever_leaves_ends_what_they_show_and_see_gate_first() -> None:
    desktops, relay = conference(ANNA, BERND, CHEN)
    desktops.open(ANNA, BERND)
    desktops.open(BERND, CHEN)
    desktops.open(ANNA, CHEN)
    desktops.leave(BERND)
    assert relay.told == [("holder", 1, 0), ("close", 1, 0), ("holder", 2, 0), ("close", 2, 0)]
    assert list(desktops.sessions) == [3] and desktops.open(ANNA, BERND) is None


def test_a_conference_has_only_so_many_desktops() -> None:
    people = [ParticipantId(number) for number in range(1, MAX_DESKTOPS + 3)]
    desktops, relay = conference(*people)
    opened = [desktops.open(people[0], each) for each in people[1:]]
    assert opened.count(None) == 1 and len(relay.opened) == MAX_DESKTOPS
