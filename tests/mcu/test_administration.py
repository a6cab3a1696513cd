"""The table of verbs, with a running server played by a few lists, and without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcu.administration import Administration, Live
from mcu.directory import Directory
from mcu.errors import CommandError, StorageError, UsageError
from mcu.storage.base import Binding, CallRecord
from mcu.storage.memory import MemoryStorage
from mcu.verbs import Order

Facts = dict[str, Any]

RUNNING = {"call_id": "run@a", "room": "daily", "started_at": 50.0, "codec": "opus", "transport": "TLS",
           "suite": "AEAD_AES_128_GCM", "keying": "sdes"}


class Server:
    """A server with one open permanent room, one ad hoc room and one call. `told`: what it was asked to do."""

    def __init__(self) -> None:
        self.open = {
            "daily": {"name": "daily", "state": "active", "members": 2, "is_locked": False, "is_permanent": True},
            "blue-fox": {"name": "blue-fox", "state": "active", "members": 1, "is_locked": True, "is_permanent": False},
        }
        self.told: list[tuple[Any, ...]] = []

    def rooms(self) -> list[Facts]:
        """The open rooms."""
        return list(self.open.values())

    def people(self, room: str) -> list[Facts]:
        """Two people, the same everywhere."""
        self._room(room)
        return [{"id": "1", "name": "Alice"}, {"id": "2", "name": "Bob"}]

    def open_rooms_changed(self, name: str) -> None:
        """Noted."""
        self.told.append(("changed", name))

    def close_room(self, room: str, reason: str) -> int:
        """Closes it."""
        count: int = self._room(room)["members"]
        del self.open[room]
        self.told.append(("close", room, reason))
        return count

    def order(self, room: str, order: Order, by: str) -> int:
        """Noted."""
        self._room(room)
        if order.who not in ("", "all", "Alice", "Bob"):
            raise CommandError(f"nobody called {order.who!r} is in room {room!r}")
        self.told.append((order.verb.name, room, order.who, by))
        return 2 if order.who == "all" else 1

    def calls(self) -> list[Facts]:
        """The one call."""
        return [RUNNING]

    def call(self, call_id: str) -> Facts | None:
        """The one call, if it is that."""
        return RUNNING if call_id == RUNNING["call_id"] else None

    def hang_up(self, call_id: str) -> bool:
        """Whether it is the one call."""
        return call_id == RUNNING["call_id"]

    def registrations(self) -> list[Facts]:
        """One phone."""
        return [{"aor": "alice", "contact": "sip:alice@192.0.2.7"}]

    def server(self) -> Facts:
        """What it holds."""
        return {"calls": 1, "counters": {"junk": 2}}

    def account_removed(self, name: str) -> None:
        """Noted."""
        self.told.append(("removed", name))

    def _room(self, room: str) -> Facts:
        if room not in self.open:
            raise CommandError(f"room {room!r} is not open")
        return self.open[room]


class Desk:
    """An administration with all that belongs to it."""

    def __init__(self, live: Live | None) -> None:
        self.storage = MemoryStorage()
        self.directory = Directory(self.storage, "meet.example", clock=lambda: 100.0)
        self.administration = Administration(self.directory, self.storage, live, max_members=20, clock=lambda: 100.0)

    def do(self, verb: str, **arguments: Any) -> Any:
        """Carry out a verb; the result as it comes out of JSON."""
        return json.loads(json.dumps(self.administration.execute(verb, arguments)))


@pytest.fixture
def server() -> Server:
    """The running server."""
    return Server()


@pytest.fixture
def desk(server: Server) -> Desk:
    """Beside a running server, with the permanent rooms daily and weekly."""
    made = Desk(server)
    made.directory.add_room("daily", pin="1234")
    made.directory.add_room("weekly")
    return made


@pytest.fixture
def alone() -> Desk:
    """Without a server."""
    return Desk(None)


def test_an_account_is_made_listed_changed_and_deleted(alone: Desk) -> None:
    made = alone.do("user.add", name="Alice", admin=True, display_name="Alice A.")
    assert made["name"] == "alice" and made["domain"] == "meet.example" and made["is_admin"] and len(made["password"]) == 32
    (listed,) = alone.do("user.list")
    assert listed == {key: value for key, value in made.items() if key != "password"}
    assert alone.do("user.passwd", name="alice", password="secret", digest="sha256")["digest"] == "sha256"
    assert alone.do("user.del", name="alice") == {"name": "alice"}
    assert alone.do("user.list") == []


def test_deleting_an_account_tells_the_server(desk: Desk, server: Server) -> None:
    desk.do("user.add", name="alice")
    desk.do("user.del", name="ALICE")
    assert server.told == [("removed", "alice")]


def test_deleting_an_account_without_a_server_forgets_its_phones(alone: Desk) -> None:
    for name in ("alice", "bob"):
        alone.do("user.add", name=name)
        alone.storage.put_binding(Binding(name, f"sip:{name}@192.0.2.7", "192.0.2.7:5060", "UDP", "x", 1, 500.0))
    alone.do("user.del", name="alice")
    assert [binding.aor for binding in alone.storage.bindings()] == ["bob"]


def test_a_room_is_made_with_the_servers_maximum_and_shown_with_its_pins(alone: Desk) -> None:
    made = alone.do("room.create", name="daily", pin="1234", host_pin="99999")
    assert made["max_members"] == 20
    shown = alone.do("room.show", name="DAILY")
    assert shown == made | {"people": [], "switches": shown["switches"], "bans": []}
    assert (shown["pin"], shown["host_pin"], shown["state"]) == ("1234", "99999", "created")


def test_a_list_of_rooms_shows_no_pin(alone: Desk) -> None:
    alone.do("room.create", name="daily", pin="123456", host_pin="654321")
    listed = alone.do("room.list")
    assert [(room["name"], room["has_pin"]) for room in listed] == [("daily", True)]
    assert "123456" not in json.dumps(listed) and "654321" not in json.dumps(listed)


def test_permanent_and_open_rooms_are_listed_together(desk: Desk) -> None:
    keys = ("name", "state", "members", "is_locked", "is_permanent")
    assert [tuple(room[key] for key in keys) for room in desk.do("room.list")] == [
        ("blue-fox", "active", 1, True, False), ("daily", "active", 2, False, True), ("weekly", "created", 0, False, True)]


def test_an_open_room_is_shown_with_its_people(desk: Desk) -> None:
    assert [person["name"] for person in desk.do("room.show", name="daily")["people"]] == ["Alice", "Bob"]
    assert [person["name"] for person in desk.do("room.people", name="blue-fox")] == ["Alice", "Bob"]
    assert desk.do("room.people", name="weekly") == []


def test_making_and_deleting_a_room_tells_the_server(desk: Desk, server: Server) -> None:
    desk.do("room.create", name="monthly")
    desk.do("room.close", name="weekly", delete=True)
    assert server.told == [("changed", "monthly"), ("changed", "weekly")]
    assert desk.directory.room("weekly") is None


def test_an_ad_hoc_room_keeps_its_name_while_it_is_open(desk: Desk) -> None:
    with pytest.raises(CommandError, match="a room 'blue-fox' is open just now"):
        desk.do("room.create", name="blue-fox")


def test_closing_a_room_ends_it_and_keeps_a_permanent_one(desk: Desk, server: Server) -> None:
    assert desk.do("room.close", name="Daily") == {"name": "daily", "count": 2, "is_deleted": False}
    assert server.told == [("close", "daily", "closed by the administrator")]
    assert desk.directory.room("daily") is not None
    with pytest.raises(CommandError, match="room 'daily' is not open"):
        desk.do("room.close", name="daily")


def test_deleting_an_open_room_ends_it_too(desk: Desk, server: Server) -> None:
    assert desk.do("room.close", name="daily", delete=True) == {"name": "daily", "count": 2, "is_deleted": True}
    assert "daily" not in server.open and desk.directory.room("daily") is None
    with pytest.raises(CommandError, match="there is no permanent room 'blue-fox'"):
        desk.do("room.close", name="blue-fox", delete=True)
    assert "blue-fox" in server.open


def test_settings_and_bans_of_a_room_that_is_not_open_can_be_seen_and_changed(alone: Desk) -> None:
    alone.do("room.create", name="daily", switches="mute-on-entry=on")
    assert alone.do("room.set", name="daily", switch="chat", value="hosts")["count"] == 1
    shown = alone.do("room.show", name="daily")
    assert (shown["switches"]["mute-on-entry"], shown["switches"]["chat"], shown["bans"]) == ("on", "hosts", [])
    with pytest.raises(CommandError, match="'bob' is not banned"):
        alone.do("room.unban", name="daily", banned="bob")
    with pytest.raises(UsageError, match="chat takes"):
        alone.do("room.set", name="daily", switch="chat", value="loud")


def test_members_are_muted_and_removed(desk: Desk, server: Server) -> None:
    assert desk.do("room.mute", name="daily", who="all")["count"] == 2
    assert desk.do("room.unmute", name="daily", who="Alice")["count"] == 1
    assert desk.do("room.kick", name="daily", who="Bob")["count"] == 1
    assert server.told == [("mute", "daily", "all", "operator"), ("unmute", "daily", "Alice", "operator"),
                           ("kick", "daily", "Bob", "operator")]
    with pytest.raises(CommandError, match="nobody called 'Carol'"):
        desk.do("room.mute", name="daily", who="Carol")


def test_a_room_is_locked_and_unlocked(desk: Desk, server: Server) -> None:
    assert desk.do("room.lock", name="daily") == {"name": "daily", "verb": "lock", "count": 1}
    desk.do("room.unlock", name="daily")
    assert [told[0] for told in server.told] == ["lock", "unlock"]


@pytest.mark.parametrize("verb", ["show", "close", "lock", "unlock", "people", "mute", "unmute", "kick"])
def test_an_unknown_room_is_said(desk: Desk, verb: str) -> None:
    who = {"who": "all"} if verb in ("mute", "unmute", "kick") else {}
    with pytest.raises(CommandError, match="there is no room 'nowhere'"):
        desk.do(f"room.{verb}", name="nowhere", **who)


@pytest.mark.parametrize(("verb", "arguments"), [
    ("room.close", {"name": "daily"}), ("room.lock", {"name": "daily"}), ("room.people", {"name": "daily"}),
    ("room.mute", {"name": "daily", "who": "all"}), ("room.kick", {"name": "daily", "who": "all"}),
    ("call.hangup", {"call_id": "x"}),
])
def test_what_needs_a_running_server_says_so(alone: Desk, verb: str, arguments: Facts) -> None:
    alone.do("room.create", name="daily")
    with pytest.raises(CommandError, match="no server is running on this data folder; start it with: confero serve"):
        alone.do(verb, **arguments)


def test_running_calls_are_listed_and_finished_ones_on_demand(desk: Desk) -> None:
    old = CallRecord("old@a", "daily", None, "sip:x@y", "X", "192.0.2.7:5060", "UDP", "", 10.0, ended_at=20.0)
    same = CallRecord("run@a", "daily", None, "sip:x@y", "X", "192.0.2.7:5060", "UDP", "", 50.0)
    desk.storage.put_call(old)
    desk.storage.put_call(same)
    running, everything = desk.do("call.list"), desk.do("call.list", all=True)
    assert [(call["call_id"], call["is_running"]) for call in running] == [("run@a", True)]
    assert [(call["call_id"], call["is_running"]) for call in everything] == [("run@a", True), ("old@a", False)]
    assert desk.do("call.show", call_id="run@a")["is_running"]
    assert desk.do("call.show", call_id="old@a")["ended_at"] == 20.0
    with pytest.raises(CommandError, match="there is no call 'new@a'"):
        desk.do("call.show", call_id="new@a")


def test_a_call_is_hung_up(desk: Desk) -> None:
    assert desk.do("call.hangup", call_id="run@a") == {"call_id": "run@a"}
    with pytest.raises(CommandError, match="no call 'old@a' is running"):
        desk.do("call.hangup", call_id="old@a")


def test_registrations_come_from_the_server_or_the_unexpired_ones_from_the_storage(desk: Desk, alone: Desk) -> None:
    assert desk.do("reg.list") == [{"aor": "alice", "contact": "sip:alice@192.0.2.7"}]
    for name, expires_at in (("alice", 99.0), ("bob", 101.0)):
        alone.storage.put_binding(Binding(name, f"sip:{name}@192.0.2.7", "192.0.2.7:5060", "UDP", "x", 1, expires_at))
    assert [binding["aor"] for binding in alone.do("reg.list")] == ["bob"]


@pytest.mark.parametrize(("verb", "arguments", "words"), [
    ("room.explode", {}, "there is no verb 'room.explode'"),
    ("user.add", {}, "user.add: name: a text was expected"),
    ("user.add", {"name": 7}, "user.add: name: a text was expected"),
    ("user.add", {"name": "a", "admin": "yes"}, "user.add: admin: true or false was expected"),
    ("room.create", {"name": "a", "max_members": True}, "room.create: max_members: a whole number was expected"),
    ("room.create", {"name": "a", "switches": "chat=loud"}, "chat takes all, presenters, hosts or nobody, not 'loud'"),
    ("room.create", {"name": "a", "switches": "chat"}, "such as mute-on-entry=on"),
    ("room.list", {"name": "a"}, "room.list: unknown argument 'name'"),
    ("call.list", {"limit": 0}, "a number from 1 to 10000"),
])
def test_commands_without_sense_are_refused(alone: Desk, verb: str, arguments: Facts, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        alone.do(verb, **arguments)
    assert alone.do("user.list") == [] and alone.do("room.list") == []


def test_a_failing_database_is_said_as_the_commands_failure() -> None:
    class Broken(MemoryStorage):
        """Can't keep rooms."""

        def put_room(self, room: object) -> None:
            """Fails."""
            raise StorageError("confero.db: the disk is full; free some space there")

    storage = Broken()
    administration = Administration(Directory(storage), storage)
    with pytest.raises(CommandError, match="the disk is full"):
        administration.execute("room.create", {"name": "daily"})


def test_what_the_server_holds_is_shown_where_one_is_running(desk: Desk, alone: Desk) -> None:
    assert desk.do("server.show") == {"calls": 1, "counters": {"junk": 2}}
    with pytest.raises(CommandError, match="no server is running"):
        alone.do("server.show")
