"""REST over a house: what each route does, who may, and what is said to those who may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcu.api.limits import LONGEST_BODY
from sip.auth import make_ha1, make_response, parse_digest
from sip.events import CallTerminated
from tests.helpers.front import HERE, Front, words
from tests.helpers.house import DOMAIN, House


@pytest.fixture
def front() -> Front:
    """A server with the room `daily` of alice, in which she and bob are."""
    house = House()
    alice, bob = house.member("alice"), house.member("bob")
    house.directory.add_room("daily", owner="alice", pin="123456")
    house.directory.add_account("root", "secret", is_admin=True)
    made = Front(house)
    alice.call(f"sip:daily@{DOMAIN}")
    bob.call(f"sip:daily.123456@{DOMAIN}")
    house.run(2.0)
    return made


def test_a_room_is_made_looked_at_and_deleted(front: Front) -> None:
    admin = front.client(front.token("admin"))
    made = admin.post("/api/v1/rooms", json={"name": "weekly", "pin": "auto", "max_members": 5})
    assert made.status_code == 201 and len(made.json()["pin"]) == 6
    assert {room["name"]: room["members"] for room in admin.get("/api/v1/rooms").json()} == {"daily": 2, "weekly": 0}
    shown = admin.get("/api/v1/rooms/daily").json()
    assert (shown["pin"], [one["name"] for one in shown["people"]]) == ("123456", ["Alice", "Bob"])
    assert words(admin.post("/api/v1/rooms", json={"name": "weekly"})) == (409, "there is a room 'weekly' already")
    assert admin.delete("/api/v1/rooms/weekly").json()["is_deleted"] is True
    assert words(admin.get("/api/v1/rooms/weekly")) == (404, "there is no room 'weekly'")


def test_verbs_of_a_meeting_are_carried_out_by_post(front: Front) -> None:
    admin = front.client(front.token("admin"))
    assert admin.post("/api/v1/rooms/daily/mute", json={"who": "bob"}).json()["count"] == 1
    assert {one["name"]: one["is_muted"] for one in admin.get("/api/v1/rooms/daily/people").json()} == {
        "Alice": False, "Bob": True}
    assert admin.post("/api/v1/rooms/daily/lock").status_code == 200
    assert admin.get("/api/v1/rooms").json()[0]["is_locked"] is True
    assert admin.post("/api/v1/rooms/daily/kick", json={"who": "bob"}).json()["count"] == 1
    front.house.run(1.0)
    assert front.house.phones[1].side.has(CallTerminated)
    status, said = words(admin.post("/api/v1/rooms/daily/mute", json={"who": "carol"}))
    assert status == 404 and "'carol'" in said
    assert admin.post("/api/v1/rooms/daily/close").json()["count"] == 1


def test_a_call_is_shown_and_ended(front: Front) -> None:
    admin = front.client(front.token("admin"))
    first, second = admin.get("/api/v1/calls").json()
    assert admin.get(f"/api/v1/calls/{first['call_id']}").json()["room"] == "daily"
    assert admin.post(f"/api/v1/calls/{second['call_id']}/hangup").status_code == 200
    front.house.run(1.0)
    assert [call["call_id"] for call in admin.get("/api/v1/calls").json()] == [first["call_id"]]
    assert words(admin.get("/api/v1/calls/nothing")) == (404, "there is no call 'nothing'")


def test_accounts_are_made_and_nothing_of_them_is_secret_in_a_listing(front: Front) -> None:
    admin = front.client(front.token("admin"))
    made = admin.post("/api/v1/users", json={"name": "carol", "admin": True})
    assert made.status_code == 201 and len(made.json()["password"]) == 32
    listed = admin.get("/api/v1/users")
    assert [user["name"] for user in listed.json()] == ["alice", "bob", "carol", "root"]
    assert "password" not in listed.text and "ha1" not in listed.text
    assert admin.post("/api/v1/users/carol/password", json={"password": "other"}).json()["password"] == "other"
    assert admin.delete("/api/v1/users/carol").status_code == 200
    assert words(admin.delete("/api/v1/users/carol")) == (404, "there is no user 'carol'")


def test_a_token_is_shown_once_and_refused_once_it_is_deleted(front: Front) -> None:
    admin = front.client(front.token("admin"))
    made = admin.post("/api/v1/tokens", json={"name": "grafana", "days": 1}).json()
    grafana = front.client(made["token"])
    assert grafana.get("/api/v1/rooms").status_code == 200
    assert made["token"] not in admin.get("/api/v1/tokens").text
    assert admin.delete("/api/v1/tokens/grafana").status_code == 200
    assert grafana.get("/api/v1/rooms").status_code == 401


def test_a_token_runs_out(front: Front) -> None:
    secret = front.administration.tokens.add("short", "read", 1)[1]
    assert front.client(secret).get("/api/v1/rooms").status_code == 200
    front.house.time += 86401
    assert front.client(secret).get("/api/v1/rooms").status_code == 401


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/api/v1/rooms"), ("DELETE", "/api/v1/rooms/daily"), ("POST", "/api/v1/rooms/daily/mute"),
    ("POST", "/api/v1/users"), ("DELETE", "/api/v1/users/bob"), ("GET", "/api/v1/tokens"), ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/calls/x/hangup"),
])
def test_a_token_that_may_only_read_changes_nothing(front: Front, method: str, path: str) -> None:
    answer = front.client(front.token("read")).request(method, path, json={"name": "new", "who": "bob"})
    assert words(answer) == (403, "this token may only read")
    assert [user.name for user in front.house.directory.accounts()] == ["alice", "bob", "root"]
    assert not any(one["is_muted"] for one in front.house.live.people("daily"))


def test_who_may_only_read_is_shown_no_pin(front: Front) -> None:
    answer = front.client(front.token("read")).get("/api/v1/rooms/daily")
    assert answer.status_code == 200 and "123456" not in answer.text


@pytest.mark.parametrize("credentials", [
    "", "Bearer", "Bearer confero_AAAA", "Bearer " + "x" * 5000, "Basic cm9vdDpzZWNyZXQ=", "Digest x", "Digest", "Bearer \xff",
    'Digest username="root", realm="house.example", nonce="AAAA", uri="/api/v1/rooms", response="00"',
])
def test_a_forged_token_is_401_in_words(front: Front, credentials: str) -> None:
    client = front.client()
    answer = client.get("/api/v1/rooms", headers={"Authorization": credentials.encode("latin-1")} if credentials else {})
    assert answer.status_code == 401
    assert answer.json()["error"] and answer.headers["WWW-Authenticate"]
    assert client.get("/metrics").status_code == client.get("/api/v1/users").status_code == 401


class Digest:
    """A program that answers challenges with the password of an account (RFC 7616)."""

    def __init__(self, front: Front, user: str, password: str) -> None:
        self.client = front.client()
        self.user, self.password, self.count = user, password, 0
        self.challenge: dict[str, str] = {}

    def get(self, path: str, uri: str | None = None) -> Any:
        """Ask, and answer the challenge."""
        if not self.challenge:
            refused = self.client.get(path)
            assert refused.status_code == 401
            self.learn(refused)
        self.count += 1
        return self.client.get(path, headers={"Authorization": self.credentials(uri or path)})

    def learn(self, refused: Any) -> None:
        """Take the challenge of a refusal."""
        lines = refused.headers.get_list("WWW-Authenticate")
        self.challenge = parse_digest(next(line for line in lines if line.startswith("Digest")))
        self.count = 0

    def credentials(self, uri: str) -> str:
        """The header."""
        values = {"nonce": self.challenge["nonce"], "uri": uri, "algorithm": self.challenge["algorithm"], "qop": "auth",
                  "nc": f"{self.count:08x}", "cnonce": "abc"}
        ha1 = make_ha1(self.user, self.challenge["realm"], self.password, self.challenge["algorithm"])
        return (f'Digest username="{self.user}", realm="{self.challenge["realm"]}", nonce="{values["nonce"]}", uri="{uri}", '
                f'algorithm={values["algorithm"]}, qop=auth, nc={values["nc"]}, cnonce="abc", '
                f'response="{make_response(ha1, "GET", values)}"')


def test_an_administrator_is_let_in_with_the_password_of_the_phone(front: Front) -> None:
    root = Digest(front, "root", "secret")
    assert root.get("/api/v1/users?x=1").status_code == 200
    assert root.get("/api/v1/calls").status_code == 200
    front.house.time += 1
    alice = Digest(front, "alice", "secret-of-alice")
    assert words(alice.get("/api/v1/users")) == (403, "alice is no administrator")


def test_an_account_with_sha256_is_challenged_so_in_the_second_round(front: Front) -> None:
    front.house.directory.add_account("modern", "secret", "sha256", is_admin=True)
    modern = Digest(front, "modern", "secret")
    refused = modern.get("/api/v1/users")
    assert refused.status_code == 401
    modern.learn(refused)
    assert modern.challenge["algorithm"] == "SHA-256" and modern.challenge["stale"] == "true"
    assert modern.get("/api/v1/users").status_code == 200


def test_credentials_by_digest_count_once_and_for_their_own_path(front: Front) -> None:
    root = Digest(front, "root", "secret")
    assert root.get("/api/v1/users").status_code == 200
    again = root.client.get("/api/v1/users", headers={"Authorization": root.credentials("/api/v1/users")})
    assert words(again) == (401, "these credentials were used before")
    assert root.get("/api/v1/users", uri="/api/v1/rooms").status_code == 401


def test_who_guesses_passwords_is_locked_out(front: Front) -> None:
    guesser = Digest(front, "root", "wrong")
    assert [guesser.get("/api/v1/users").status_code for _ in range(12)] == [401] * 10 + [429] * 2
    page = front.client(Origin=HERE)
    assert page.post("/api/v1/session", json={"user": "ROOT", "password": "secret"}).status_code == 429
    front.house.time += 700
    assert page.post("/api/v1/session", json={"user": "ROOT", "password": "secret"}).status_code == 200


@pytest.mark.parametrize(("body", "said"), [
    (b"{", "JSON"), (b"[]", "dictionary"), (b"\xff\xfe\x00", "body"), (b"[" * 60_000, "body"), (b'{"a":' * 10_000, "body"),
    (b'{"max_members": ' + b"9" * 60_000 + b"}", "body"), (b'{"name": "x", "colour": "red"}', "colour"),
    (b'{"name": "x", "max_members": 0}', "max_members"), (b'{"name": 7}', "name"),
    (b'{"name": "' + b"x" * 1000 + b'"}', "name"),
    (b'{"name": "A room"}', "the name of a room"),
], ids=["broken", "list", "no-utf8", "brackets", "nested", "digits", "unknown-key", "zero", "number", "long", "bad-name"])
def test_a_body_without_sense_is_refused_in_words(front: Front, body: bytes, said: str) -> None:
    admin = front.client(front.token("admin"))
    answer = admin.post("/api/v1/rooms", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.json()["error"]
    assert [room["name"] for room in admin.get("/api/v1/rooms").json()] == ["daily"]


def test_xml_with_an_entity_bomb_is_not_even_parsed(front: Front) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><room>&b;</room>'
    answer = front.client(front.token("admin")).post("/api/v1/rooms", content=bomb, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 422


def test_a_body_of_a_megabyte_is_413_with_and_without_its_length(front: Front) -> None:
    admin = front.client(front.token("admin"))
    assert words(admin.post("/api/v1/rooms", content=b"x" * 1_000_000))[0] == 413
    assert words(admin.post("/api/v1/rooms", content=(b"x" * 10_000 for _ in range(100)))) == (
        413, f"a body has {LONGEST_BODY} bytes at most")
    assert words(front.client().post("/api/v1/session", content=b"x" * 1_000_000))[0] == 413


@pytest.mark.parametrize("room", ["..", "../etc/passwd", "<script>", "DAILY%00", "x" * 3000, "日"])
def test_a_room_with_a_hostile_name_is_not_there(front: Front, room: str) -> None:
    answer = front.client(front.token("admin")).get(f"/api/v1/rooms/{room}/people")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unknown_verb_and_an_unknown_argument_are_422(front: Front) -> None:
    admin = front.client(front.token("admin"))
    assert admin.post("/api/v1/rooms/daily/explode").status_code in (404, 422)
    assert admin.post("/api/v1/rooms/daily/lock", json={"colour": "red"}).status_code == 422
    assert admin.post("/api/v1/rooms/daily/mute", json={}).status_code == 422


def test_a_failure_of_the_server_costs_one_request_and_tells_nothing(front: Front, monkeypatch: pytest.MonkeyPatch,
                                                                     caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Any:
        raise ZeroDivisionError("secret detail")

    admin = front.client(front.token("admin"))
    monkeypatch.setattr(front.house.live, "registrations", fail)
    assert words(admin.get("/api/v1/registrations")) == (500, "the request failed in the server; its log says more")
    assert admin.get("/api/v1/rooms").status_code == 200
    assert "a request failed" in caplog.text


def test_health_needs_no_password_and_tells_yes_or_no(front: Front) -> None:
    stranger = front.client()
    assert stranger.get("/healthz").json() == stranger.get("/readyz").json() == {"ok": True}
    front.is_ready = False
    assert stranger.get("/readyz").status_code == 503
    assert stranger.get("/healthz").status_code == 200


def test_metrics_count_people_calls_and_media(front: Front) -> None:
    text = front.client(front.token("read")).get("/metrics").text
    for line in ("confero_rooms 1.0", 'confero_members{role="host"} 1.0', 'confero_calls{transport="UDP"} 2.0',
                 "confero_registrations 0.0", "confero_media_lost 0.0", "process_resident_memory_bytes"):
        assert line in text, line
    assert "daily" not in text and "alice" not in text.lower()


def test_the_openapi_document_lists_every_route_with_its_errors(front: Front) -> None:
    document = front.client().get("/openapi.json").json()
    assert document["paths"]["/api/v1/rooms/{room}"]["get"]["responses"]["404"]
    assert {"/api/v1/rooms", "/api/v1/calls/{call_id}", "/api/v1/tokens"} <= set(document["paths"])
    assert len(json.dumps(document)) > 1000
