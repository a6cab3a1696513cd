"""Storage that lasts as long as its process: for tests, and for looking into a data folder that holds nothing yet."""

from __future__ import annotations

from dataclasses import replace

from mcu.storage.base import Account, AuditRecord, Binding, CallRecord, RoomRecord, RoomState, TokenRecord


class MemoryStorage:
    """A `Storage` of dictionaries."""

    def __init__(self) -> None:
        self.lost_writes = 0
        self._meta: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}
        self._rooms: dict[str, RoomRecord] = {}
        self._tokens: dict[str, TokenRecord] = {}
        self._calls: dict[tuple[str, float], CallRecord] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._states: dict[str, RoomState] = {}
        self._audit: list[AuditRecord] = []

    def get_meta(self, key: str) -> str | None:
        """A fact about the server."""
        return self._meta.get(key)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact."""
        self._meta[key] = value

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        return sorted(self._accounts.values(), key=lambda account: account.name)

    def put_account(self, account: Account) -> None:
        """Keep an account."""
        self._accounts[account.name] = account

    def delete_account(self, name: str) -> None:
        """Forget an account."""
        self._accounts.pop(name, None)

    def rooms(self) -> list[RoomRecord]:
        """All permanent rooms, by name."""
        return sorted(self._rooms.values(), key=lambda room: room.name)

    def put_room(self, room: RoomRecord) -> None:
        """Keep a room."""
        self._rooms[room.name] = room

    def delete_room(self, name: str) -> None:
        """Forget a room."""
        self._rooms.pop(name, None)

    def tokens(self) -> list[TokenRecord]:
        """All tokens, by name."""
        return sorted(self._tokens.values(), key=lambda token: token.name)

    def put_token(self, token: TokenRecord) -> None:
        """Keep a token."""
        self._tokens[token.name] = token

    def delete_token(self, name: str) -> None:
        """Forget a token."""
        self._tokens.pop(name, None)

    def call(self, call_id: str) -> CallRecord | None:
        """The newest call with this id."""
        return next((call for call in self.calls(len(self._calls)) if call.call_id == call_id), None)

    def calls(self, limit: int = 50) -> list[CallRecord]:
        """The last calls, newest first."""
        newest = sorted(self._calls.values(), key=lambda call: call.started_at, reverse=True)
        return newest[:limit]

    def put_call(self, call: CallRecord) -> None:
        """Keep a call."""
        self._calls[call.call_id, call.started_at] = call

    def end_open_calls(self, cause: str, ended_at: float) -> None:
        """Give an end to the calls that have none."""
        for key, call in self._calls.items():
            if call.ended_at is None:
                self._calls[key] = replace(call, cause=cause, ended_at=ended_at)

    def bindings(self) -> list[Binding]:
        """All bindings, expired ones too."""
        return [self._bindings[key] for key in sorted(self._bindings)]

    def put_binding(self, binding: Binding) -> None:
        """Keep a binding."""
        self._bindings[binding.aor, binding.contact] = binding

    def delete_binding(self, aor: str, contact: str) -> None:
        """Remove a binding."""
        self._bindings.pop((aor, contact), None)

    def room_states(self) -> list[RoomState]:
        """What rooms remember, by name."""
        return [self._states[name] for name in sorted(self._states)]

    def put_room_state(self, state: RoomState) -> None:
        """Keep what a room remembers."""
        self._states[state.name] = state

    def delete_room_state(self, name: str) -> None:
        """Forget it."""
        self._states.pop(name, None)

    def put_audit(self, record: AuditRecord) -> None:
        """Keep a row of the audit log."""
        self._audit.append(record)

    def audit(self, room: str | None = None, limit: int = 100) -> list[AuditRecord]:
        """The last rows of the audit log, newest first."""
        return [record for record in reversed(self._audit) if room is None or record.room == room][:limit]

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is held here."""
