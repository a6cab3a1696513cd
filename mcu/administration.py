"""One table of verbs for people who run a server: the command line and the control socket enter here.

`Administration` knows the directory and the storage, and where the server runs it is given its `Live` side; what needs a
running server says so otherwise. Results are made of dictionaries, lists, text, numbers and None.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Protocol

from mcu.commands import SetSwitch
from mcu.directory import Directory
from mcu.errors import CommandError, McuError, UnknownError, UsageError
from mcu.memory import Memory
from mcu.policy import Policy, switches_of, with_switches
from mcu.protection import is_protected, words_of
from mcu.storage.base import Account, CallRecord, RoomRecord, RoomState, Storage, TokenRecord
from mcu.tokens import Tokens
from mcu.verbs import VERBS, Order, build

Facts = dict[str, Any]

__all__ = ["Administration", "Arguments", "CommandError", "Facts", "Live"]


class Live(Protocol):
    """The running server, as far as its administrator is concerned.

    Rooms, people and calls are named by text; an unknown room or person raises CommandError.
    """

    def rooms(self) -> list[Facts]:
        """Each open room: name, state, members, waiting, is_locked, is_suspended, is_permanent, recording, layout, lobby,
        switches, bans."""

    def people(self, room: str) -> list[Facts]:
        """Each member: id, name, uri, role, codec, source, joined_at, is_muted, is_speaking, level_dbov, packets_in, lost,
        junk, foreign, auth_failures, replayed, suite, keying, transport, is_protected, protection."""

    def open_rooms_changed(self, name: str) -> None:
        """A permanent room of that name was made or removed."""

    def close_room(self, room: str, reason: str) -> int:
        """End a room for all; how many people were in it."""

    def dial(self, room: str, target: str) -> Facts:
        """Call a user's phones, or a SIP URI, into a room: dial (a number), room, target, by, state, status, reason, phones."""

    def dialled(self, room: str, dial_id: int, is_cancelled: bool) -> Facts:
        """What has become of such a call, or its end: the same facts."""

    def dialling(self, room: str) -> list[Facts]:
        """Whom the room is calling, and has called lately: the same facts of each."""

    def order(self, room: str, order: Order, by: str) -> int:
        """Carry out a verb of the table on an open room; on how many it was. by: who gave it, for the audit log."""

    def desktop(self, room: str, viewer: str) -> Facts:
        """A ticket for a stock VNC viewer, see `mcu.desktop_tickets`. viewer: how it is called to the owner."""

    def calls(self) -> list[Facts]:
        """The running calls, with the fields of a CallRecord."""

    def call(self, call_id: str) -> Facts | None:
        """A running call."""

    def hang_up(self, call_id: str) -> bool:
        """End a call; False when none of that id is running."""

    def capture_room(self, room: str, is_on: bool) -> Facts:
        """Begin or end a capture of a room: capture, file, dropped."""

    def capture_call(self, call_id: str, is_on: bool) -> Facts:
        """Begin or end a capture of a call: capture, file, dropped."""

    def record(self, room: str, action: str, form: str, by: str) -> Facts:
        """Start, pause, resume or stop the recording of a room: room, state, folder, form, by, part."""

    def say(self, room: str, text: str, by: str) -> Facts:
        """Let a voice say something to all in a room: room, player, what, state, position_s, duration_s, volume, reason."""

    def play(self, room: str, what: str, by: str) -> Facts:
        """Play a file to all in a room, or steer what plays (`mcu.players.STEERS`): the same facts."""

    def recordings(self) -> list[Facts]:
        """All recordings that are kept, newest first."""

    def registrations(self) -> list[Facts]:
        """The phones that are registered, and our own registrations at providers: the fields of a Binding, trunk, state."""

    def server(self) -> Facts:
        """How much the server holds just now, what it counted, and its media workers."""

    def account_removed(self, name: str) -> None:
        """An account was removed: its bindings and calls end."""


class Arguments:
    """The arguments of a verb, read one by one; `finish` refuses what nobody read. All raise UsageError."""

    def __init__(self, verb: str, values: Facts, by: str = "operator") -> None:
        self.by = by
        self._verb = verb
        self._values = dict(values)

    def text(self, name: str) -> str:
        """A text that has to be there."""
        value = self._values.pop(name, None)
        if not isinstance(value, str) or not value:
            raise UsageError(f"{self._verb}: {name}: a text was expected")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None."""
        if self._values.get(name) is None:
            self._values.pop(name, None)
            return None
        return self.text(name)

    def choice(self, name: str, *choices: str) -> str:
        """One of some words."""
        value = self.text(name)
        if value not in choices:
            raise UsageError(f"{self._verb}: {name}: {' or '.join(choices)} was expected, not {value[:40]!r}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false when it is missing."""
        value = self._values.pop(name, False)
        if not isinstance(value, bool):
            raise UsageError(f"{self._verb}: {name}: true or false was expected")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._values.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"{self._verb}: {name}: a whole number was expected")
        return value

    def rest(self) -> Facts:
        """Everything that nobody has read."""
        values, self._values = self._values, {}
        return values

    def finish(self) -> None:
        """Every argument has been read."""
        if self._values:
            raise UsageError(f"{self._verb}: unknown argument {next(iter(self._values))!r}")


class Administration:
    """Carries out verbs. live: the running server, or None where only the data folder is at hand."""

    def __init__(self, directory: Directory, storage: Storage, live: Live | None = None, *, max_members: int = 200,
                 clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._storage = storage
        self._live = live
        self._max_members = max_members
        self._clock = clock
        self.tokens = Tokens(storage, clock)
        self._verbs: dict[str, Callable[[Arguments], Any]] = {
            **{f"room.{name}": functools.partial(self._order, name) for name in VERBS},
            "user.add": self._add_user, "user.list": self._list_users, "user.passwd": self._change_password,
            "user.del": self._delete_user,
            "room.create": self._create_room, "room.list": self._list_rooms, "room.show": self._show_room,
            "room.close": self._close_room, "room.people": self._list_people, "room.audit": self._audit,
            "room.desktop": self._desktop,
            "room.dial": self._dial, "room.dialled": self._dialled, "room.dialling": self._list_dialled,
            "room.capture": self._capture_room, "call.capture": self._capture_call,
            "room.record": self._record_room, "room.say": self._say, "room.play": self._play,
            "recordings.list": self._list_recordings,
            "call.list": self._list_calls, "call.show": self._show_call, "call.hangup": self._hang_up,
            "reg.list": self._list_registrations, "server.show": self._show_server,
            "token.add": self._add_token, "token.list": self._list_tokens, "token.del": self._delete_token,
        }

    @property
    def verbs(self) -> list[str]:
        """The names of all verbs."""
        return list(self._verbs)

    def is_user(self, name: str) -> bool:
        """Whether an account has that name."""
        return self._directory.account(name) is not None

    def settle(self) -> None:
        """Wait until what was written behind can be read; safe to call in another thread. Raises StorageError."""
        self._storage.flush()

    def owner_of(self, room: str) -> str | None:
        """The account that owns a permanent room; None for a room without owner, and for one that is not there."""
        record = self._directory.room(room)
        return None if record is None else record.owner

    def execute(self, verb: str, arguments: Facts, by: str = "operator") -> Any:
        """Carry out a verb, for somebody called `by` in the audit log.

        Raises CommandError, whose text is for a person; UsageError when it makes no sense.
        """
        method = self._verbs.get(verb)
        if method is None:
            raise UsageError(f"there is no verb {verb[:80]!r}")
        try:
            return method(Arguments(verb, arguments, by))
        except CommandError:
            raise
        except McuError as error:
            raise CommandError(str(error)) from error

    def _add_user(self, arguments: Arguments) -> Facts:
        name, password = arguments.text("name"), arguments.text_or_none("password")
        digest, is_admin = arguments.text_or_none("digest") or "md5", arguments.flag("admin")
        display_name, srtp = arguments.text_or_none("display_name"), arguments.text_or_none("srtp")
        arguments.finish()
        return self._with_password(*self._directory.add_account(name, password, digest, is_admin, display_name, srtp))

    def _list_users(self, arguments: Arguments) -> list[Facts]:
        arguments.finish()
        return [self._account_facts(account) for account in self._directory.accounts()]

    def _change_password(self, arguments: Arguments) -> Facts:
        name, password = arguments.text("name"), arguments.text_or_none("password")
        digest = arguments.text_or_none("digest")
        arguments.finish()
        return self._with_password(*self._directory.set_password(name, password, digest))

    def _delete_user(self, arguments: Arguments) -> Facts:
        name = arguments.text("name")
        arguments.finish()
        account = self._directory.remove_account(name)
        if self._live is not None:
            self._live.account_removed(account.name)
        else:
            self._forget_bindings(account.name)
        return {"name": account.name}

    def _create_room(self, arguments: Arguments) -> Facts:
        name = arguments.text("name")
        pin, host_pin, owner, srtp = (arguments.text_or_none(key) for key in ("pin", "host_pin", "owner", "srtp"))
        lobby, max_members = arguments.flag("lobby"), arguments.number("max_members", self._max_members)
        switches = _switches(arguments.text_or_none("switches"))
        arguments.finish()
        if self._open_room(name) is not None:
            raise CommandError(f"a room {name!r} is open just now; close it first, or choose another name")
        room = self._directory.add_room(name, pin=pin, host_pin=host_pin, max_members=max_members, owner=owner, srtp=srtp,
                                        lobby=lobby)
        if switches:
            self._keep_switches(room.name, switches)
        if self._live is not None:
            self._live.open_rooms_changed(room.name)
        return self._room_facts(room, None, shows_pins=True)

    def _list_rooms(self, arguments: Arguments) -> list[Facts]:
        arguments.finish()
        is_open = {str(room["name"]): room for room in self._live.rooms()} if self._live is not None else {}
        permanent = {room.name: room for room in self._directory.rooms()}
        return [self._room_facts(permanent.get(name), is_open.get(name)) for name in sorted({*permanent, *is_open})]

    def _show_room(self, arguments: Arguments) -> Facts:
        name = self._room_name(arguments)
        arguments.finish()
        room, is_open = self._directory.room(name), self._open_room(name)
        facts = self._room_facts(room, is_open, shows_pins=True)
        if room is not None and is_open is None:
            memory = self._memory_of(name)
            usual = switches_of(Policy(room.max_members, lobby=room.lobby))
            facts |= {"switches": {**usual, **memory.switches}, "bans": list(memory.bans)}
        return facts | {"people": self._live.people(name) if self._live is not None and is_open is not None else []}

    def _close_room(self, arguments: Arguments) -> Facts:
        name, is_deleted = self._room_name(arguments), arguments.flag("delete")
        arguments.finish()
        is_open = self._open_room(name) is not None
        if is_deleted:
            self._directory.remove_room(name)
        elif not is_open:
            self._running()
            raise CommandError(f"room {name!r} is not open; nobody is in it")
        count = self._running().close_room(name, "closed by the administrator") if is_open else 0
        if is_deleted and self._live is not None:
            self._live.open_rooms_changed(name)
        return {"name": name, "count": count, "is_deleted": is_deleted}

    def _list_people(self, arguments: Arguments) -> list[Facts]:
        name = self._room_name(arguments)
        arguments.finish()
        live = self._running()
        return live.people(name) if self._open_room(name) is not None else []

    def _order(self, verb: str, arguments: Arguments) -> Facts:
        """A verb of the table, on a room that is open; switches of a permanent room are turned while it is not, too."""
        name, values = self._room_name(arguments), arguments.rest()
        order = build(verb, values)
        if self._open_room(name) is None and verb in ("set", "allow", "forbid"):
            return {"name": name, "verb": verb, **values, "count": self._turn_switch(name, order)}
        if self._open_room(name) is None and verb == "unban":
            return {"name": name, "verb": verb, **values, "count": self._unban(name, order.values["banned"])}
        return {"name": name, "verb": verb, **values, "count": self._running().order(name, order, arguments.by)}

    def _turn_switch(self, name: str, order: Order) -> int:
        (command,) = order.commands([])
        assert isinstance(command, SetSwitch)
        return self._keep_switches(name, {command.name: command.value})

    def _keep_switches(self, name: str, switches: Mapping[str, str]) -> int:
        """Turn switches of a permanent room that is not open."""
        _check_switches(switches)
        memory = self._memory_of(name)
        self._keep_memory(name, replace(memory, switches={**memory.switches, **switches}))
        return len(switches)

    def _unban(self, name: str, banned: str) -> int:
        """Let an account or an address into a permanent room again that is not open."""
        memory = self._memory_of(name)
        if banned not in memory.bans:
            raise UnknownError(f"{banned[:80]!r} is not banned from room {name!r}")
        self._keep_memory(name, replace(memory, bans=tuple(one for one in memory.bans if one != banned)))
        return 1

    def _memory_of(self, name: str) -> Memory:
        """What a room remembers that is not open."""
        self._storage.flush()
        return next((Memory.parse(state.memory) for state in self._storage.room_states() if state.name == name), Memory())

    def _keep_memory(self, name: str, memory: Memory) -> None:
        now = self._clock()
        known = next((state for state in self._storage.room_states() if state.name == name), None)
        self._storage.put_room_state(RoomState(name, str(memory), now, now if known is None else known.emptied_at))
        self._storage.flush()
        if self._live is not None:
            self._live.open_rooms_changed(name)

    def _audit(self, arguments: Arguments) -> list[Facts]:
        room, limit = arguments.text_or_none("name"), arguments.number("limit", 100)
        arguments.finish()
        if not 1 <= limit <= 10_000:
            raise UsageError("room.audit: limit: a number from 1 to 10000 was expected")
        self._storage.flush()
        return [asdict(record) for record in self._storage.audit(room.lower() if room else None, limit)]

    def _desktop(self, arguments: Arguments) -> Facts:
        name, viewer = self._room_name(arguments), arguments.text_or_none("viewer")
        arguments.finish()
        return self._running().desktop(name, viewer or "VNC viewer")

    def _dial(self, arguments: Arguments) -> Facts:
        name, target = self._room_name(arguments), arguments.text("target")
        arguments.finish()
        facts = self._running().dial(name, target)
        return {"name": name, "target": target, "count": facts["phones"] or 1, **facts}

    def _dialled(self, arguments: Arguments) -> Facts:
        name, dial_id, is_cancelled = arguments.text("name"), arguments.number("dial", 0), arguments.flag("cancel")
        arguments.finish()
        return self._running().dialled(name, dial_id, is_cancelled)

    def _list_dialled(self, arguments: Arguments) -> list[Facts]:
        name = arguments.text("name")
        arguments.finish()
        return self._running().dialling(name)

    def _list_calls(self, arguments: Arguments) -> list[Facts]:
        shows_all, limit = arguments.flag("all"), arguments.number("limit", 50)
        arguments.finish()
        if not 1 <= limit <= 10_000:
            raise UsageError("call.list: limit: a number from 1 to 10000 was expected")
        running = [_call_facts(call, True) for call in self._live.calls()] if self._live is not None else []
        if not shows_all:
            return running
        self._storage.flush()
        known = {(call["call_id"], call["started_at"]) for call in running}
        finished = [call for call in self._storage.calls(limit) if (call.call_id, call.started_at) not in known]
        return running + [_call_facts(asdict(call), False) for call in finished]

    def _show_call(self, arguments: Arguments) -> Facts:
        call_id = arguments.text("call_id")
        arguments.finish()
        running = self._live.call(call_id) if self._live is not None else None
        if running is not None:
            return _call_facts(running, True)
        self._storage.flush()
        record: CallRecord | None = self._storage.call(call_id)
        if record is None:
            raise UnknownError(f"there is no call {call_id[:200]!r}")
        return _call_facts(asdict(record), False)

    def _capture_room(self, arguments: Arguments) -> Facts:
        name, is_on = arguments.text("name"), arguments.choice("action", "start", "stop") == "start"
        arguments.finish()
        return {"action": "start" if is_on else "stop", **self._running().capture_room(name, is_on)}

    def _record_room(self, arguments: Arguments) -> Facts:
        name, action = arguments.text("name"), arguments.choice("action", "start", "pause", "resume", "stop")
        form = arguments.text_or_none("form") or "opus"
        arguments.finish()
        return {"name": name, "verb": "record", "action": action, "count": 1,
                **self._running().record(name, action, form, arguments.by)}

    def _say(self, arguments: Arguments) -> Facts:
        name, text = arguments.text("name"), arguments.text("text")
        arguments.finish()
        return {"name": name, "verb": "say", "count": 1, **self._running().say(name, text, arguments.by)}

    def _play(self, arguments: Arguments) -> Facts:
        name, what = arguments.text("name"), arguments.text("what")
        arguments.finish()
        return {"name": name, "verb": "play", "count": 1, **self._running().play(name, what, arguments.by)}

    def _list_recordings(self, arguments: Arguments) -> list[Facts]:
        arguments.finish()
        return self._running().recordings()

    def _capture_call(self, arguments: Arguments) -> Facts:
        call_id, is_on = arguments.text("call_id"), arguments.choice("action", "start", "stop") == "start"
        arguments.finish()
        return {"action": "start" if is_on else "stop", **self._running().capture_call(call_id, is_on)}

    def _hang_up(self, arguments: Arguments) -> Facts:
        call_id = arguments.text("call_id")
        arguments.finish()
        if not self._running().hang_up(call_id):
            raise UnknownError(f"no call {call_id[:200]!r} is running")
        return {"call_id": call_id}

    def _list_registrations(self, arguments: Arguments) -> list[Facts]:
        arguments.finish()
        if self._live is not None:
            return self._live.registrations()
        now = self._clock()
        return [{**asdict(binding), "trunk": None, "state": "registered"} for binding in self._storage.bindings()
                if binding.expires_at > now]

    def _add_token(self, arguments: Arguments) -> Facts:
        name, scope = arguments.text("name"), arguments.text_or_none("scope") or "read"
        days = arguments.number("days", 0)
        arguments.finish()
        token, secret = self.tokens.add(name, scope, days or None)
        return {**_token_facts(token), "token": secret}

    def _list_tokens(self, arguments: Arguments) -> list[Facts]:
        arguments.finish()
        return [_token_facts(token) for token in self.tokens.all()]

    def _delete_token(self, arguments: Arguments) -> Facts:
        name = arguments.text("name")
        arguments.finish()
        return {"name": self.tokens.remove(name).name}

    def _show_server(self, arguments: Arguments) -> Facts:
        arguments.finish()
        return self._running().server()

    def _running(self) -> Live:
        if self._live is None:
            raise CommandError("no server is running on this data folder; start it with: confero serve")
        return self._live

    def _open_room(self, name: str) -> Facts | None:
        rooms = self._live.rooms() if self._live is not None else []
        return next((room for room in rooms if room["name"] == name.lower()), None)

    def _room_name(self, arguments: Arguments) -> str:
        """The name of a room that is open or permanent."""
        name = arguments.text("name").lower()
        if self._directory.room(name) is None and self._open_room(name) is None:
            raise UnknownError(f"there is no room {name!r}")
        return name

    def _forget_bindings(self, name: str) -> None:
        for binding in self._storage.bindings():
            if binding.aor == name:
                self._storage.delete_binding(binding.aor, binding.contact)
        self._storage.flush()

    def _account_facts(self, account: Account) -> Facts:
        return {"name": account.name, "display_name": account.display_name, "domain": self._directory.domain,
                "digest": account.algorithm, "is_admin": account.is_admin, "created_at": account.created_at,
                "srtp": account.srtp}

    def _with_password(self, account: Account, password: str) -> Facts:
        return self._account_facts(account) | {"password": password}

    def _room_facts(self, room: RoomRecord | None, is_open: Facts | None, *, shows_pins: bool = False) -> Facts:
        facts: Facts = {"name": "", "state": "created", "members": 0, "is_locked": False, "is_permanent": room is not None}
        facts |= is_open or {}
        if room is not None:
            facts |= {"name": room.name, "is_permanent": True, "max_members": room.max_members, "owner": room.owner,
                      "has_pin": room.pin is not None, "created_at": room.created_at, "srtp": room.srtp,
                      "lobby": facts.get("lobby", room.lobby)}
        if room is not None and shows_pins:
            facts |= {"pin": room.pin, "host_pin": room.host_pin}
        return facts


def _switches(text: str | None) -> dict[str, str]:
    """Switches out of a text such as `mute-on-entry=on chat=hosts`."""
    pairs = [word.partition("=") for word in (text or "").replace(",", " ").split()]
    if any(not equals for _, equals, _ in pairs):
        raise UsageError("room.create: switches: such as mute-on-entry=on chat=hosts was expected")
    switches = {name: value for name, _, value in pairs}
    _check_switches(switches)
    return switches


def _check_switches(switches: Mapping[str, str]) -> None:
    try:
        with_switches(Policy(), switches)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _token_facts(token: TokenRecord) -> Facts:
    return {"name": token.name, "scope": token.scope, "created_at": token.created_at, "expires_at": token.expires_at}


def _call_facts(call: Facts, is_running: bool) -> Facts:
    transport, suite = call["transport"], call.get("suite")
    return {**call, "is_protected": is_protected(transport, suite),
            "protection": words_of(transport, suite, call.get("keying")), "is_running": is_running}
