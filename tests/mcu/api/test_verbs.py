"""Every verb of a meeting by REST: a route each out of the table, its refusals, who is named in the audit log."""

from __future__ import annotations

import json

import pytest

from mcu.verbs import VERBS
from tests.helpers.front import Front, words
from tests.helpers.house import DOMAIN, House


@pytest.fixture
def front() -> Front:
    """A server with the room `daily` of alice, in which she and bob are."""
    house = House()
    alice, bob = house.member("alice"), house.member("bob")
    house.directory.add_room("daily", owner="alice", pin="123456", host_pin="654321")
    house.directory.add_account("root", "secret", is_admin=True)
    made = Front(house)
    alice.call(f"sip:daily@{DOMAIN}")
    bob.call(f"sip:daily.123456@{DOMAIN}")
    house.run(2.0)
    return made


def test_each_verb_has_its_route_with_its_arguments(front: Front) -> None:
    document = front.client().get("/openapi.json").json()
    for verb in VERBS.values():
        route = document["paths"][f"/api/v1/rooms/{{room}}/{verb.name}"]["post"]
        assert verb.help[1:] in route["description"]
        name = route["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert set(document["components"]["schemas"][name].get("properties", {})) == {one.name for one in verb.arguments}
    told = {verb["name"]: verb for verb in front.client(front.token("read")).get("/api/v1/verbs").json()}
    assert told["mute"]["help_zh"] and told["appoint"]["arguments"][1]["choices"] and told.keys() == VERBS.keys()


def test_roles_hands_lobby_and_lock_are_run_by_rest(front: Front) -> None:
    admin = front.client(front.token("admin"))
    for verb, body in (("appoint", {"who": "bob", "role": "co-host"}), ("raise-hand", {"who": "bob"}), ("mute", {"who": "bob"}),
                       ("lock", {}), ("rename", {"who": "bob", "new_name": "Robert"}), ("layout", {"layout": "speaker"})):
        answer = admin.post(f"/api/v1/rooms/daily/{verb}", json=body)
        assert answer.status_code == 200, (verb, answer.text)
    bob = next(one for one in admin.get("/api/v1/rooms/daily/people").json() if one["name"] == "Robert")
    assert (bob["role"], bob["hand"], bob["is_muted"]) == ("co-host", 1, True)
    shown = admin.get("/api/v1/rooms/daily").json()
    assert shown["is_locked"] and shown["layout"] == "speaker"
    assert admin.post("/api/v1/rooms/daily/lobby", json={"who": "bob"}).status_code == 200
    assert admin.get("/api/v1/rooms/daily").json()["waiting"] == 1
    assert admin.post("/api/v1/rooms/daily/admit", json={"who": "bob"}).status_code == 200
    assert admin.post("/api/v1/rooms/daily/transfer", json={"who": "bob"}).status_code == 200


@pytest.mark.parametrize(("verb", "body", "status", "said"), [
    ("mute", {"who": "carol"}, 404, "nobody called 'carol'"), ("mute", {"who": 7}, 422, "who"), ("kick", {}, 422, "who"),
    ("appoint", {"who": "bob", "role": "king"}, 422, "role"), ("lock", {"colour": "red"}, 422, "colour"),
    ("admit", {"who": "bob"}, 404, "bob"), ("say", {"text": "x" * 5000}, 422, "text"),
    ("record", {"action": "eject"}, 422, "action"),
    ("set", {"switch": "gravity", "value": "off"}, 422, "gravity"),
])
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(front: Front, verb: str, body: dict[str, object],
                                                                     status: int, said: str) -> None:
    before = front.house.live.people("daily")
    answer = words(front.client(front.token("admin")).post(f"/api/v1/rooms/daily/{verb}", json=body))
    assert answer[0] == status and said in answer[1], answer
    assert front.house.live.people("daily") == before


def test_a_verb_for_a_room_that_nobody_is_in_is_refused(front: Front) -> None:
    front.house.directory.add_room("weekly")
    admin = front.client(front.token("admin"))
    status, said = words(admin.post("/api/v1/rooms/weekly/mute-all"))
    assert status in (404, 409) and "weekly" in said
    assert words(admin.post("/api/v1/rooms/nowhere/lock")) == (404, "there is no room 'nowhere'")


def test_the_audit_log_names_who_did_it_and_by_what(front: Front) -> None:
    token = front.administration.tokens.add("helpdesk", "admin")[1]
    front.client(token).post("/api/v1/rooms/daily/mute", json={"who": "bob"})
    page = front.page("alice", "secret-of-alice")
    page.post("/api/v1/rooms/daily/lock")
    records = page.get("/api/v1/rooms/daily/audit").json()
    assert [(one["actor"], one["verb"]) for one in records[:2]] == [("alice", "lock"), ("token helpdesk", "mute")]
    assert front.client(token).get("/api/v1/audit").json()[:2] == records[:2]
    assert page.get("/api/v1/audit").status_code == 403


@pytest.mark.parametrize(("verb", "body"), [
    ("play", {"what": "/etc/passwd"}), ("play", {"what": " /srv/x.wav"}), ("invite", {"uri": "sip:bob@192.0.2.9"}),
    ("invite", {"uri": "+4930123"}), ("invite", {"uri": "bob@evil.example"}), ("invite", {"uri": "004930123"}),
    ("dial", {"target": "sip:bob@192.0.2.9"}),
])
def test_an_owner_reaches_neither_files_nor_strangers(front: Front, verb: str, body: dict[str, str]) -> None:
    answer = front.page("alice", "secret-of-alice").post(f"/api/v1/rooms/daily/{verb}", json=body)
    assert answer.status_code == 403, answer.text
    if verb == "play":
        assert front.client(front.token("admin")).post("/api/v1/rooms/daily/play", json=body).status_code == 403


async def test_no_event_tells_a_pin(front: Front) -> None:
    feed = front.bus.subscribe()
    front.administration.execute("room.set", {"name": "daily", "switch": "chat", "value": "hosts"})
    front.administration.execute("room.lock", {"name": "daily"})
    front.administration.execute("room.close", {"name": "daily"})
    front.house.run(5.0)
    told, found = [], ""
    while found != "conference-closed":
        event = await feed.next()
        assert event is not None
        told.append(json.dumps(event))
        found = event["event"]
    assert any('"policy-changed"' in one and '"value": "hosts"' in one for one in told)
    assert "123456" not in "".join(told) and "654321" not in "".join(told)
