"""What is kept of a server: accounts, permanent rooms, calls, bindings and a few facts; and the Protocol of who keeps it.

Times are seconds since 1970 (UTC). `put_` replaces what has the same key. Accounts, rooms and facts are kept once the call
returns; calls, bindings, what rooms remember and the audit log are written behind: their `put_` never waits, and what a full
queue or a full disk costs is counted in `lost_writes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Digest = Literal["md5", "sha256"]

ALGORITHM_NAMES: dict[str, str] = {"md5": "MD5", "sha256": "SHA-256"}
"""The digests that an account may have, and their names on the wire (RFC 8760)."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the server. ha1: hash of name, realm and password (RFC 7616 §3.4.2), the only form that is kept; srtp: what its
    calls want of SRTP, None for what the server wants."""

    name: str
    display_name: str
    algorithm: Digest
    ha1: str
    is_admin: bool
    created_at: float
    srtp: str | None = None

    @property
    def algorithm_name(self) -> str:
        """The algorithm as a challenge names it: "MD5" or "SHA-256"."""
        return ALGORITHM_NAMES[self.algorithm]


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """A permanent room. owner: the account that may reclaim the host's role; lobby: newcomers wait until they are admitted;
    srtp: what it wants of SRTP, None for what the server wants."""

    name: str
    pin: str | None
    host_pin: str | None
    lobby: bool
    max_members: int
    owner: str | None
    created_at: float
    srtp: str | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One leg of a call, from its INVITE to its end. status, reason: the final response, or what ended it.

    call_id: the Call-ID, which the phone chose: the key of a record is call_id and started_at together.
    source: "address:port" of the phone. Counts are of RTP packets, `late` of those that came after their turn. suite: of SRTP,
    None for plain RTP; keying: "sdes" or "dtls".
    """

    call_id: str
    room: str | None
    account: str | None
    remote_uri: str
    display_name: str
    source: str
    transport: str
    user_agent: str
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    codec: str | None = None
    packets_in: int = 0
    packets_out: int = 0
    lost: int = 0
    late: int = 0
    concealed: int = 0
    jitter_ms: float | None = None
    rtt_ms: float | None = None
    mos: float | None = None
    cause: str | None = None
    status: int | None = None
    reason: str | None = None
    suite: str | None = None
    keying: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token of the REST API. digest: SHA-256 of the token, the only form that is kept; scope: "read" or "admin";
    expires_at: None for never."""

    name: str
    scope: str
    digest: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """A phone of an account (RFC 3261 §10), or one of its flows.

    aor: the account's name; instance, reg_id: the phone's `+sip.instance`, and which of its flows this is, 0 for the only one
    (RFC 5626 §4.2); path: the proxies on the way to it, as they stood in Path (RFC 3327).
    """

    aor: str
    contact: str
    source: str
    transport: str
    call_id: str
    cseq: int
    expires_at: float
    user_agent: str = ""
    instance: str | None = None
    reg_id: int = 0
    path: str = ""

    @property
    def phone(self) -> tuple[str, int]:
        """What names the phone's flow, also after it got another address: its instance where it has one."""
        return (self.instance or self.contact, self.reg_id)


@dataclass(frozen=True, slots=True)
class RoomState:
    """What a room remembers (`mcu.memory.Memory` as text). emptied_at: when the last member left, None while one is in."""

    name: str
    memory: str
    changed_at: float
    emptied_at: float | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What somebody did to a room, or was not let do. actor, target: URIs of members, or names; refusal: why not, or empty."""

    at: float
    room: str
    actor: str
    verb: str
    target: str = ""
    detail: str = ""
    refusal: str = ""


class Storage(Protocol):
    """Who keeps it. Every method may raise StorageError, except that what is written behind never does."""

    @property
    def lost_writes(self) -> int:
        """How many calls and bindings could not be written since the start."""

    def get_meta(self, key: str) -> str | None:
        """A fact about the server, such as its domain."""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact."""

    def accounts(self) -> list[Account]:
        """All accounts, by name."""

    def put_account(self, account: Account) -> None:
        """Keep an account."""

    def delete_account(self, name: str) -> None:
        """Forget an account; an unknown name is no error."""

    def rooms(self) -> list[RoomRecord]:
        """All permanent rooms, by name."""

    def put_room(self, room: RoomRecord) -> None:
        """Keep a room."""

    def delete_room(self, name: str) -> None:
        """Forget a room; an unknown name is no error."""

    def tokens(self) -> list[TokenRecord]:
        """All tokens, by name."""

    def put_token(self, token: TokenRecord) -> None:
        """Keep a token."""

    def delete_token(self, name: str) -> None:
        """Forget a token; an unknown name is no error."""

    def call(self, call_id: str) -> CallRecord | None:
        """The newest call with this id."""

    def calls(self, limit: int = 50) -> list[CallRecord]:
        """The last calls, newest first."""

    def put_call(self, call: CallRecord) -> None:
        """Write a call behind: when it begins, and again when it has ended."""

    def end_open_calls(self, cause: str, ended_at: float) -> None:
        """Give an end to the calls that have none: a server that died has left them behind."""

    def bindings(self) -> list[Binding]:
        """All bindings, expired ones too."""

    def put_binding(self, binding: Binding) -> None:
        """Write a binding behind; its key is address of record and contact."""

    def delete_binding(self, aor: str, contact: str) -> None:
        """Remove a binding behind."""

    def room_states(self) -> list[RoomState]:
        """What rooms remember, by name."""

    def put_room_state(self, state: RoomState) -> None:
        """Write what a room remembers, behind."""

    def delete_room_state(self, name: str) -> None:
        """Forget it, behind; an unknown name is no error."""

    def put_audit(self, record: AuditRecord) -> None:
        """Write a row of the audit log, behind."""

    def audit(self, room: str | None = None, limit: int = 100) -> list[AuditRecord]:
        """The last rows of the audit log, of one room or of all, newest first."""

    def flush(self) -> None:
        """Wait (10 s at most) until all that was put is written, or counted as lost."""

    def close(self) -> None:
        """Write what is left and let go of everything. A second call does nothing."""
