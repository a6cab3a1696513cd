"""What members write: to whom it goes, what is refused, what a newcomer reads, and the two ways to a phone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcu.chat import ALL, HOSTS, MAX_BURST, MAX_TEXT, Chat, ChatLine, clean_text
from mcu.conference import Conference
from mcu.info_package import PACKAGE, RECV_INFO
from mcu.participant import Identity, ParticipantId
from mcu.policy import Level, Policy
from mcu.verdicts import Refused
from sip.events import DialogRequestReceived, ResponseReceived
from sip.invite import Call
from tests.helpers.house import House, Phone

ROOM = "sip:daily@house.example"


def meeting(*names: str, chat: Level = Level.ALL) -> Conference:
    """A conference of these; the first is its host."""
    conference = Conference("daily", Policy(chat=chat, guests_may_host=True), 0.0)
    for number, name in enumerate(names, 1):
        conference.join(ParticipantId(number), Identity(f"sip:{name}@a.example", name.capitalize(), name), 0.0,
                        is_creator=number == 1)
    return conference


def say(chat: Chat, conference: Conference, sender: int, text: str, to: str = ALL, now: float = 0.0) -> ChatLine | Refused:
    """Somebody writes."""
    return chat.say(conference, ParticipantId(sender), text, to, now, 1000.0 + now)


@pytest.mark.parametrize(("to", "readers"), [(ALL, [1, 3]), (HOSTS, [1]), ("carol", [3]), ("Alice", [1]), ("3", [3])])
def test_a_text_goes_to_whom_it_is_for(to: str, readers: list[int]) -> None:
    conference, chat = meeting("alice", "bob", "carol"), Chat()
    line = say(chat, conference, 2, "hello", to)
    assert isinstance(line, ChatLine)
    assert [one.id for one in chat.readers(conference, line)] == readers
    assert [one.text for one in chat.history()] == (["hello"] if to == ALL else [])


@pytest.mark.parametrize(("sender", "text", "to", "status"), [
    (2, "hello", "nobody", 404), (2, "  \r\n\x07 ", ALL, 400), (2, "x" * (MAX_TEXT + 1), ALL, 413), (9, "hello", ALL, 403)])
def test_what_makes_no_sense_is_refused_in_words(sender: int, text: str, to: str, status: int) -> None:
    chat = Chat()
    verdict = say(chat, meeting("alice", "bob"), sender, text, to)
    assert isinstance(verdict, Refused) and verdict.status == status and verdict.reason
    assert chat.history() == []


def test_where_only_hosts_write_to_all_the_others_reach_the_hosts() -> None:
    conference, chat = meeting("alice", "bob", chat=Level.HOSTS), Chat()
    refused = say(chat, conference, 2, "hello")
    assert isinstance(refused, Refused) and refused.status == 403
    assert isinstance(say(chat, conference, 2, "help", HOSTS), ChatLine)
    assert isinstance(say(chat, conference, 1, "welcome"), ChatLine)


def test_who_writes_without_end_waits_a_moment() -> None:
    conference, chat = meeting("alice", "bob"), Chat()
    assert all(isinstance(say(chat, conference, 2, str(n), now=n / 100), ChatLine) for n in range(MAX_BURST))
    refused = say(chat, conference, 2, "more", now=1.0)
    assert isinstance(refused, Refused) and refused.status == 429
    assert isinstance(say(chat, conference, 1, "calm"), ChatLine)
    assert isinstance(say(chat, conference, 2, "more", now=11.0), ChatLine)


def test_what_a_screen_takes_for_more_than_text_is_taken_out() -> None:
    assert clean_text("a\x1b[31m\u202eb\x00\r\nc\td<script>") == "a[31mb\nc\td<script>"
    assert clean_text("你好 👋🏽") == "你好 👋🏽"


def write(house: House, phone: Phone, call: Call, text: bytes, content_type: str = "text/plain") -> int:
    """A MESSAGE inside the call; the status of its answer."""
    call.request("MESSAGE", body=text, content_type=content_type, now=house.time)
    house.run(0.1)
    return phone.side.take(ResponseReceived).response.status


def order(house: House, phone: Phone, call: Call, body: Any) -> tuple[int, list[Any]]:
    """An INFO of the package: its status, and what the server has told since."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    call.request("INFO", headers=[("Info-Package", PACKAGE)], body=data, content_type="application/json", now=house.time)
    house.run(0.1)
    return phone.side.take(ResponseReceived).response.status, told(phone)


def told(phone: Phone) -> list[Any]:
    """What INFOs and MESSAGEs have brought to a phone; each is told once."""
    found = [event for event in phone.side.events if isinstance(event, DialogRequestReceived)]
    for event in found:
        phone.side.events.remove(event)
    return [json.loads(one.request.body) if one.request.method == "INFO" else one.request.body.decode() for one in found]


def test_any_phone_writes_and_reads_and_ours_reads_more() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    first = alice.call(ROOM, headers=[RECV_INFO])
    second = bob.call(ROOM)
    assert write(house, bob, second, "hello, 你好".encode()) == 200
    (news,) = told(alice)
    assert news["event"] == "chat" and [(one["name"], one["to"], one["text"]) for one in news["lines"]] == [
        ("Bob", "", "hello, 你好")]
    assert order(house, alice, first, {"id": 7, "verb": "chat", "arguments": {"text": "psst", "to": "bob"}}) == (
        200, [{"id": 7, "status": 200, "reason": "", "count": 1}])
    assert told(bob) == ["Alice (to you): psst"]
    assert write(house, bob, second, b"x" * 9000) == 413
    assert write(house, bob, second, b"<a/>", "application/xml") == 415
    carol = house.phone("carol")
    carol.call(ROOM, headers=[RECV_INFO])
    house.run(0.1)
    (history,) = told(carol)
    assert history["event"] == "history" and [one["text"] for one in history["lines"]] == ["hello, 你好"]


def test_orders_by_info_are_those_of_the_table_with_the_same_refusals() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    first, second = alice.call(ROOM, headers=[RECV_INFO]), bob.call(ROOM, headers=[RECV_INFO])
    assert order(house, alice, first, {"id": 1, "verb": "mute", "arguments": {"who": "bob"}}) == (
        200, [{"id": 1, "status": 200, "reason": "", "count": 1}])
    status, (reply,) = order(house, bob, second, {"id": 2, "verb": "lock"})
    assert (status, reply["id"], reply["status"]) == (200, 2, 403) and reply["reason"]
    status, (reply,) = order(house, bob, second, {"id": 3, "verb": "fly"})
    assert (status, reply["status"]) == (200, 400)
    assert house.live.rooms()[0]["is_locked"] is False


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"id": "x", "verb": "mute"}', b'{"id": 1, "verb": 2}',
                                  b'{"id": 1, "verb": "mute", "arguments": 3}', b"[" * 5000, b"\xff\xfe"], ids=repr)
def test_an_info_that_can_not_be_read_is_refused_and_nothing_else_happens(body: bytes) -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    assert order(house, alice, alice.call(ROOM, headers=[RECV_INFO]), body) == (400, [])


def test_an_info_of_another_package_is_answered_by_what_is_taken() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM)
    call.request("INFO", headers=[("Info-Package", "foo")], body=b"x", content_type="text/plain", now=house.time)
    house.run(0.1)
    response = alice.side.take(ResponseReceived).response
    assert (response.status, response.headers.get("Recv-Info")) == (469, PACKAGE)


def test_what_was_written_is_forgotten_when_all_have_left() -> None:
    house = House()
    house.directory.add_room("daily", pin="246810")
    phone = house.phone("guest")
    call = phone.call("sip:daily.246810@house.example", headers=[RECV_INFO])
    write(house, phone, call, b"secret")
    call.hang_up(house.time)
    house.run(0.5)
    other = house.phone("other")
    other.call("sip:daily.246810@house.example", headers=[RECV_INFO])
    house.run(0.5)
    assert [one for one in told(other) if one.get("event") == "history"] == []
