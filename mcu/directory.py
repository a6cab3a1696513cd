"""Who and what has a name on this server: accounts and permanent rooms, in memory, each change kept before it counts.

Names of accounts win over names of rooms, so neither may take what the other has; the names of the services are taken. The
domain is the realm of all passwords (RFC 3261 §22.1): it is fixed with the first account and never taken from an address.
"""

from __future__ import annotations

import platform
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from mcu.errors import CommandError, UnknownError, UsageError
from mcu.storage.base import ALGORITHM_NAMES, Account, Digest, RoomRecord, Storage
from rtp.sdp.protection import SrtpPolicy
from sip.auth import make_ha1

SERVICES = ("conference", "echo", "tone", "music")
"""What answers by itself under these names."""
ADMIN = "admin"
LONGEST_NAME = 64
LONGEST_TEXT = 128
MOST_MEMBERS = 10_000
AUTO = "auto"
"""Asks for a PIN to be made."""

_ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ROOM_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_PIN = re.compile(r"[0-9]{4,12}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class Directory:
    """The names of one server. domain: asked for by the operator; refused with CommandError when another one is fixed.

    clock: seconds since 1970. Every change may raise StorageError, and then has not happened.
    """

    def __init__(self, storage: Storage, domain: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock
        self._accounts = {account.name: account for account in storage.accounts()}
        self._rooms = {room.name: room for room in storage.rooms()}
        self._domain = self._settle_domain(domain)

    @property
    def domain(self) -> str:
        """The server's domain, the realm of its challenges."""
        return self._domain

    @property
    def is_first_start(self) -> bool:
        """Whether no server has come up with this data before: `make_first_administrator` has not been called."""
        return self._storage.get_meta("begun") is None

    def begin(self) -> None:
        """At a server's start: fix the domain, and give an end to the calls that a server which died left open."""
        self._storage.set_meta("domain", self._domain)
        self._storage.end_open_calls("the server ended", self._clock())

    def make_first_administrator(self) -> tuple[Account, str] | None:
        """Once a server is up (before that it could not show the password): at the first start, its administrator.

        The account and its password, to be shown once; None when there is nothing new: not the first start, or an
        administrator was made by hand before.
        """
        if not self.is_first_start:
            return None
        made = None
        if not any(account.is_admin for account in self._accounts.values()):
            made = self.add_account(self._free_name(ADMIN), is_admin=True)
        self._storage.set_meta("begun", str(int(self._clock())))
        return made

    @property
    def nonce_key(self) -> bytes:
        """The secret that signs the nonces of challenges; made once, so that a restart challenges nobody anew."""
        known = self._storage.get_meta("nonce_key")
        if known is None:
            known = secrets.token_hex(32)
            self._storage.set_meta("nonce_key", known)
        return bytes.fromhex(known)

    def account(self, name: str) -> Account | None:
        """An account by its name, in any case of letters."""
        return self._accounts.get(name.lower())

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        return [self._accounts[name] for name in sorted(self._accounts)]

    def add_account(self, name: str, password: str | None = None, digest: str = "md5", is_admin: bool = False,
                    display_name: str | None = None, srtp: str | None = None) -> tuple[Account, str]:
        """Make an account; the account and its password. password: None makes one of 128 random bits; srtp: `off`, `prefer` or
        `require`, None for what the server wants.

        Raises UsageError for a bad name, password or policy, CommandError when the name is taken.
        """
        name = self._new_name(name, "user", _ACCOUNT_NAME)
        password = _check_password(password)
        algorithm = _check_digest(digest)
        display_name = _check_text("display name", display_name or name)
        ha1 = self._make_ha1(name, password, algorithm)
        account = Account(name, display_name, algorithm, ha1, is_admin, self._clock(), _check_srtp(srtp))
        self._storage.set_meta("domain", self._domain)
        self._keep(account)
        return account, password

    def remove_account(self, name: str) -> Account:
        """Forget an account; what it was. Raises CommandError for an unknown name."""
        account = self._known_account(name)
        self._storage.delete_account(account.name)
        del self._accounts[account.name]
        return account

    def set_password(self, name: str, password: str | None = None, digest: str | None = None) -> tuple[Account, str]:
        """Change a password, and the digest where one is given; the account and the password. Raises CommandError."""
        known = self._known_account(name)
        password = _check_password(password)
        algorithm = _check_digest(digest or known.algorithm)
        account = replace(known, algorithm=algorithm, ha1=self._make_ha1(known.name, password, algorithm))
        self._keep(account)
        return account, password

    def room(self, name: str) -> RoomRecord | None:
        """A permanent room by its name, in any case of letters."""
        return self._rooms.get(name.lower())

    def rooms(self) -> list[RoomRecord]:
        """All permanent rooms, by name."""
        return [self._rooms[name] for name in sorted(self._rooms)]

    def add_room(self, name: str, *, pin: str | None = None, host_pin: str | None = None, max_members: int = 200,
                 owner: str | None = None, srtp: str | None = None, lobby: bool = False) -> RoomRecord:
        """Make a permanent room. pin, host_pin: 4 to 12 digits, "auto" makes six; owner: the name of an account; srtp: `off`,
        `prefer` or `require`, None for what the server wants; lobby: newcomers wait until they are admitted.

        Raises UsageError for a bad name, PIN or policy, CommandError when the name is taken or the owner unknown.
        """
        name = self._new_name(name, "room", _ROOM_NAME)
        pin, host_pin = _check_pin(pin), _check_pin(host_pin)
        if pin is not None and pin == host_pin:
            raise UsageError("the host's PIN and the room's PIN are the same; they have to differ")
        if not 1 <= max_members <= MOST_MEMBERS:
            raise UsageError(f"a maximum of 1 to {MOST_MEMBERS} members was expected, not {max_members}")
        if owner is not None:
            owner = self._known_account(owner).name
        room = RoomRecord(name, pin, host_pin, lobby, max_members, owner, self._clock(), _check_srtp(srtp))
        self._storage.delete_room_state(name)
        self._storage.put_room(room)
        self._rooms[name] = room
        return room

    def remove_room(self, name: str) -> RoomRecord:
        """Forget a permanent room; what it was. Raises CommandError for an unknown name."""
        room = self.room(name)
        if room is None:
            raise UnknownError(f"there is no permanent room {name!r}")
        self._storage.delete_room(room.name)
        self._storage.delete_room_state(room.name)
        del self._rooms[room.name]
        return room

    def is_free(self, name: str) -> bool:
        """Whether neither an account, a permanent room nor a service has this name."""
        name = name.lower()
        return name not in self._accounts and name not in self._rooms and name not in SERVICES

    def _keep(self, account: Account) -> None:
        self._storage.put_account(account)
        self._accounts[account.name] = account

    def _known_account(self, name: str) -> Account:
        account = self.account(name)
        if account is None:
            raise UnknownError(f"there is no user {name!r}")
        return account

    def _new_name(self, name: str, kind: str, form: re.Pattern[str]) -> str:
        name = name.lower()
        if not form.fullmatch(name) or len(name) > LONGEST_NAME:
            signs = "a-z, 0-9, - and _" if kind == "user" else "a-z, 0-9 and -"
            raise UsageError(f"the name of a {kind} is made of {signs}, begins with a letter or digit and has {LONGEST_NAME} "
                             f"characters at most; {name[:80]!r} is not")
        if name in SERVICES:
            raise CommandError(f"{name!r} is the name of a service of this server; choose another one")
        if name in self._accounts:
            raise CommandError(f"there is a user {name!r} already" + ("" if kind == "user" else "; choose another name"))
        if name in self._rooms:
            raise CommandError(f"there is a room {name!r} already" + ("" if kind == "room" else "; choose another name"))
        return name

    def _free_name(self, name: str) -> str:
        tries = (name, *(f"{name}{number}" for number in range(2, 1000)))
        return next(one for one in tries if self.is_free(one))

    def _make_ha1(self, name: str, password: str, digest: Digest) -> str:
        return make_ha1(name, self._domain, password, ALGORITHM_NAMES[digest])

    def _settle_domain(self, asked: str | None) -> str:
        fixed = self._storage.get_meta("domain")
        if asked is None:
            return fixed or machine_name()
        asked = check_domain(asked)
        if fixed is not None and fixed != asked and self._accounts:
            raise CommandError(f"the domain of this data folder is {fixed!r}, and its passwords hold for that one only; leave "
                               f"--domain away, or use another data folder for {asked!r}")
        return asked


def check_domain(domain: str) -> str:
    """A domain in lower case. Raises UsageError when it is none."""
    domain = domain.lower().rstrip(".")
    if not _DOMAIN.fullmatch(domain) or ".." in domain or len(domain) > 253:
        raise UsageError(f"a domain such as meet.example.org was expected, not {domain[:80]!r}")
    return domain


def machine_name() -> str:
    """This machine's own name, as a domain; "localhost" where it has none that can be used."""
    try:
        return check_domain(platform.node())
    except UsageError:
        return "localhost"


def make_password() -> str:
    """A password of 128 random bits."""
    return secrets.token_hex(16)


def make_pin() -> str:
    """A PIN of six random digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def _check_password(password: str | None) -> str:
    if password is None:
        return make_password()
    if not password or len(password) > LONGEST_TEXT or not password.isprintable():
        raise UsageError(f"a password of 1 to {LONGEST_TEXT} printable characters was expected")
    return password


def _check_digest(digest: str) -> Digest:
    match digest:
        case "md5" | "sha256":
            return digest
    raise UsageError(f"the digest is md5 or sha256, not {digest!r}")


def _check_srtp(srtp: str | None) -> str | None:
    if srtp is not None and srtp not in tuple(SrtpPolicy):
        raise UsageError(f"the policy for SRTP is off, prefer or require, not {srtp!r}")
    return srtp


def _check_pin(pin: str | None) -> str | None:
    if pin == AUTO:
        return make_pin()
    if pin is not None and not _PIN.fullmatch(pin):
        raise UsageError("a PIN is 4 to 12 digits")
    return pin


def _check_text(what: str, text: str) -> str:
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise UsageError(f"a {what} of at most {LONGEST_TEXT} printable characters was expected")
    return text
