"""The voice that asks for a PIN: keys, wrong ones, silence, and the way into the meeting."""

from __future__ import annotations

import pytest

from mcu.attendant import GOODBYE_S, GREET_S, MAX_DIGITS, PATIENCE_S, PROMPTED, Attendant
from mcu.prompt_texts import HUSH
from mcu.trunk_config import TrunkConfig
from sip.events import AnswerReceived, CallTerminated, OfferReceived
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.house import HOUSE, FakeRoom, House, Phone, sdp

CALLER = "+4917012345"


class Line:
    """A provider that takes no registration, and the house that it calls."""

    def __init__(self, target: str = "prompt") -> None:
        self.house = House(trunks={"acme": TrunkConfig(server="192.0.2.1:5062", user="u", registers=False,
                                                       numbers={"100": target})})
        self.phone: Phone = self.house.phone("provider")
        self.house.switchboard.trunks.start()
        self.house.directory.add_room("daily", pin="246810", host_pin="135791")

    def call(self, caller: str = CALLER) -> Call:
        """A caller who is greeted."""
        phone = self.phone
        call = phone.side.endpoint.invite(
            Uri("sip", "100", *HOUSE), from_=NameAddr(Uri("sip", caller, "acme.example")), flow=phone.flow,
            contact=phone.contact, now=self.house.time, offer=sdp(phone.address[0]))
        self.house.run(GREET_S + 0.1)
        assert call.is_up
        return call

    @property
    def attendant(self) -> Attendant:
        """The one that talks."""
        (attendant,) = self.house.switchboard.attendants
        return attendant

    def press(self, keys: str) -> None:
        """Keys as the media worker tells them."""
        for key in keys:
            for attendant in list(self.house.switchboard.attendants):
                attendant.pressed(attendant.legs[0].media.leg_id, key)
            self.house.run(0.2)

    def media(self) -> FakeRoom:
        """The room of the attendant that began last."""
        return next(room for room in reversed(self.house.rooms)
                    if any(name == "enter-pin" for _, name, _ in room.sound.announced))

    def said(self) -> list[str]:
        """What was said, without what a key cut short."""
        return [name for _, name, _ in self.media().sound.announced if name != HUSH]

    def people(self) -> list[str]:
        """Who is in the meeting."""
        return [one["name"] for one in self.house.live.people("daily")] if "daily" in self.house.switchboard.foci else []


def test_caller_keys_the_pin_and_is_in_the_meeting_without_another_offer() -> None:
    line = Line()
    call = line.call()
    leg = line.attendant.legs[0]
    negotiated = leg.media.negotiated
    assert line.said() == ["enter-pin"]
    line.press("246810#")
    assert line.people() == [CALLER]
    assert line.house.switchboard.attendants == set() and line.media().is_closed
    member = next(iter(line.house.switchboard.foci["daily"].members.values()))
    assert member.leg.media is leg.media and leg.media.negotiated is negotiated
    assert not any(line.phone.side.has(kind) for kind in (OfferReceived, AnswerReceived))
    assert line.house.records[call.id].room == "daily"
    call.hang_up(line.house.time)
    line.house.run(0.1)
    assert line.people() == [] and line.house.records[call.id].ended_at


def test_host_pin_makes_the_caller_host() -> None:
    line = Line()
    line.call()
    line.press("135791#")
    assert line.house.live.people("daily")[0]["role"] == "host"


def test_first_key_ends_the_prompt() -> None:
    line = Line()
    line.call()
    line.press("2")
    assert [name for _, name, _ in line.media().sound.announced] == [HUSH, "enter-pin", HUSH]


def test_a_room_in_chinese_asks_in_chinese() -> None:
    line = Line()
    line.house.languages = {None: "zh", "daily": "zh"}
    line.call()
    assert line.media().sound.announced[-1] == (0, "enter-pin", "zh")


def test_star_begins_anew_and_letters_of_the_keypad_do_no_harm() -> None:
    line = Line()
    line.call()
    line.press("99*2A*246810#")
    assert line.people() == [CALLER]


def test_keys_by_info_are_taken_too() -> None:
    line = Line()
    call = line.call()
    for key in "246810#":
        call.request("INFO", body=f"Signal={key}\r\nDuration=160\r\n".encode(), content_type="application/dtmf-relay",
                     now=line.house.time)
        line.house.run(0.1)
    assert line.people() == [CALLER]


def test_three_wrong_pins_and_the_call_ends_with_a_word() -> None:
    line = Line()
    call = line.call()
    line.press("111111#")
    line.press("222222#")
    assert call.is_up and line.said() == ["enter-pin", "wrong-pin", "wrong-pin"]
    line.press("333333#")
    assert call.is_up and line.said()[-1] == "goodbye"
    line.press("246810#")
    assert line.people() == []
    line.house.run(GOODBYE_S)
    assert line.phone.side.take(CallTerminated).reason == "too many wrong PINs"
    assert line.house.switchboard.attendants == set()


def test_pin_after_a_wrong_one_is_taken() -> None:
    line = Line()
    line.call()
    line.press("111111#246810#")
    assert line.people() == [CALLER]


def test_caller_who_keys_nothing_is_asked_again_and_then_let_go() -> None:
    line = Line()
    line.call()
    line.house.run(PATIENCE_S * PROMPTED - 1)
    assert line.said() == ["enter-pin"] * PROMPTED
    line.house.run(1 + GOODBYE_S)
    assert line.phone.side.take(CallTerminated).reason == "no PIN was keyed"


def test_key_gives_the_caller_time_again() -> None:
    line = Line()
    line.call()
    for key in "24681":
        line.house.run(PATIENCE_S - 2)
        line.press(key)
    line.press("0#")
    assert line.people() == [CALLER]


def test_endless_keys_are_a_wrong_pin() -> None:
    line = Line()
    line.call()
    line.press("2" * (MAX_DIGITS + 30) + "#")
    assert line.said() == ["enter-pin", "wrong-pin"]


def test_caller_who_hangs_up_while_asked_leaves_nothing() -> None:
    line = Line()
    call = line.call()
    line.press("24")
    call.hang_up(line.house.time)
    line.house.run(PATIENCE_S * 4)
    assert line.house.switchboard.attendants == set() and line.media().is_closed
    assert line.said() == ["enter-pin"]


def test_locked_meeting_is_said_and_no_guess_is_counted() -> None:
    line = Line()
    line.call("+491")
    line.press("246810#")
    line.house.order("lock")
    line.call("+492")
    line.press("246810#")
    assert line.said() == ["enter-pin", "not-now"]
    line.house.run(GOODBYE_S + 0.1)
    assert line.phone.side.take(CallTerminated).reason == "the room is locked"
    assert line.people() == ["+491"]


def test_number_of_a_room_with_a_pin_takes_the_pin_of_that_room_alone() -> None:
    line = Line("room:daily")
    line.house.directory.add_room("other", pin="777777")
    line.call()
    line.press("777777#")
    assert line.said() == ["enter-pin", "wrong-pin"]
    assert "other" not in line.house.switchboard.foci and "daily" not in line.house.switchboard.foci
    line.press("246810#")
    assert line.people() == [CALLER]


def test_pin_of_two_rooms_opens_neither() -> None:
    line = Line()
    line.house.directory.add_room("other", pin="246810")
    line.call()
    line.press("246810#")
    assert line.said() == ["enter-pin", "wrong-pin"]
    assert not line.house.switchboard.foci


def test_short_pin_finds_no_room_by_itself() -> None:
    line = Line()
    line.house.directory.add_room("short", pin="1234")
    line.call()
    line.press("1234#")
    assert line.said() == ["enter-pin", "wrong-pin"]


@pytest.mark.parametrize("changes", [False, True])
def test_guesser_is_locked_out_under_one_number_or_many(changes: bool) -> None:
    line = Line()
    calls = 0
    while calls < 30 and (not calls or line.said()[-1] != "not-now"):
        line.call(f"+49{calls}" if changes else CALLER)
        line.press("111111#222222#333333#")
        line.house.run(GOODBYE_S)
        calls += 1
    assert calls == (17 if changes else 4)
    line.call("+499999" if changes else CALLER)
    line.press("246810#")
    assert line.people() == []


def test_server_without_media_refuses_the_call() -> None:
    line = Line()
    line.house.refuses_media = True
    phone = line.phone
    phone.side.endpoint.invite(Uri("sip", "100", *HOUSE), from_=NameAddr(Uri("sip", CALLER, "acme.example")), flow=phone.flow,
                               contact=phone.contact, now=line.house.time, offer=sdp(phone.address[0]))
    line.house.run(0.1)
    assert phone.side.take(CallTerminated).status == 503
    assert line.house.switchboard.attendants == set()


def test_quiet_line_and_the_end_of_the_server_end_the_call() -> None:
    line = Line()
    line.call()
    attendant = line.attendant
    assert attendant.room_id is not None and line.house.switchboard.role_of(attendant.room_id) is attendant
    line.house.switchboard.shut_down("the server is shutting down")
    line.house.run(0.1)
    assert line.phone.side.take(CallTerminated).reason == "the server is shutting down"
