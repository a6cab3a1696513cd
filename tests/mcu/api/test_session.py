"""The page's session: who may log in, whose requests count, and what an account that is no administrator sees."""

from __future__ import annotations

import pytest

from mcu.api.access import COOKIE, SESSION_S
from tests.helpers.front import HERE, Front, words
from tests.helpers.house import DOMAIN, House

MUTE = "/api/v1/rooms/daily/mute"


@pytest.fixture
def front() -> Front:
    """A server with the room `daily` of alice, in which bob is, and the administrator root."""
    house = House()
    house.member("alice")
    bob = house.member("bob")
    house.directory.add_room("daily", owner="alice")
    house.directory.add_room("board", owner="bob")
    house.directory.add_account("root", "secret", is_admin=True)
    bob.call(f"sip:daily@{DOMAIN}")
    house.run(2.0)
    return Front(house)


def is_muted(front: Front) -> bool:
    """Whether bob is."""
    return bool(front.house.live.people("daily")[0]["is_muted"])


def test_an_administrator_logs_in_mutes_somebody_and_logs_out(front: Front) -> None:
    page = front.page("root", "secret")
    assert page.get("/api/v1/session").json()["scope"] == "admin"
    assert page.post(MUTE, json={"who": "bob"}).status_code == 200 and is_muted(front)
    cookie = page.cookies[COOKIE]
    assert page.delete("/api/v1/session").status_code == 200
    page.cookies.set(COOKIE, cookie)
    assert page.get("/api/v1/rooms").status_code == 401


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites(front: Front) -> None:
    answer = front.client(Origin=HERE).post("/api/v1/session", json={"user": "root", "password": "secret"})
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("user", "password"), [("root", "wrong"), ("nobody", "secret"), ("root", ""), ("", "0" * 32)])
def test_a_wrong_password_and_an_unknown_name_are_told_the_same(front: Front, user: str, password: str) -> None:
    answer = front.client(Origin=HERE).post("/api/v1/session", json={"user": user, "password": password})
    assert words(answer) == (401, "that user and password do not go together")
    assert "Set-Cookie" not in answer.headers and "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "https://127.0.0.1:8080"}, {"Origin": ""}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": ""},
], ids=["other-site", "null", "other-port", "other-scheme", "no-origin", "wrong-secret", "no-secret"])
def test_a_post_of_another_site_changes_nothing(front: Front, headers: dict[str, str]) -> None:
    page = front.page("root", "secret")
    for name, value in headers.items():
        page.headers[name] = value
        if not value:
            del page.headers[name]
    answer = page.post(MUTE, json={"who": "bob"})
    assert answer.status_code == 403 and not is_muted(front)
    assert page.delete("/api/v1/session").status_code == 403


def test_another_site_can_not_log_a_browser_in(front: Front) -> None:
    answer = front.client(Origin="https://evil.example").post("/api/v1/session", json={"user": "root", "password": "secret"})
    assert words(answer) == (403, "this did not come from our own page")
    form = front.client(**{"Sec-Fetch-Site": "cross-site"}).post("/api/v1/session", json={"user": "root", "password": "secret"})
    assert form.status_code == 403


def test_a_session_ends_by_itself_and_with_its_account(front: Front) -> None:
    page, other = front.page("root", "secret"), front.page("alice", "secret-of-alice")
    front.house.directory.remove_account("alice")
    assert other.get("/api/v1/rooms").status_code == 401
    front.house.directory.set_password("root", "other")
    assert page.get("/api/v1/rooms").status_code == 401
    page = front.page("root", "other")
    assert page.get("/api/v1/rooms").status_code == 200
    front.house.time += SESSION_S + 1
    assert page.get("/api/v1/rooms").status_code == 401


def test_an_owner_sees_and_runs_the_own_rooms_alone(front: Front) -> None:
    page = front.page("alice", "secret-of-alice")
    assert [room["name"] for room in page.get("/api/v1/rooms").json()] == ["daily"]
    assert page.post(MUTE, json={"who": "bob"}).status_code == 200 and is_muted(front)
    assert words(page.get("/api/v1/rooms/board")) == (403, "alice does not own that room")
    assert page.post("/api/v1/rooms/board/lock").status_code == 403
    for path in ("/api/v1/calls", "/api/v1/users", "/api/v1/registrations", "/api/v1/server", "/metrics", "/api/v1/tokens"):
        assert page.get(path).status_code == 403, path
    assert page.post("/api/v1/rooms", json={"name": "mine"}).status_code == 403
