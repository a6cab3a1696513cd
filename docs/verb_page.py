"""The page of docs/reference/ on what can be dialled, and on each verb of a meeting on each surface, out of their tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcu.participant import Role
from mcu.policy import SWITCHES, Policy, switches_of
from mcu.verbs import VERBS, Verb

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

DIALLED = """\
# Addresses and verbs

## What can be dialled

HOST is the server's domain, `localhost`, or any address at which it is reached. Names are read without regard to
capital letters. Names of accounts win over names of rooms; neither may take the name of a service.

| URI | what answers | who may |
| --- | --- | --- |
| `sip:ROOM@HOST` | the focus of that room (RFC 4353, RFC 4579) | \
an account; its PIN is asked for if it has one, except from its owner |
| `sip:ROOM.PIN@HOST` | \
the same; the PIN is taken off before anything is logged, shown or recorded | anyone, if the room has a PIN |
| `sip:conference@HOST` | \
the conference factory (RFC 4579 §5.4): a new room, the caller is its host; the Contact of the 200 names it | an account |
| `sip:echo@HOST` | your own sound and picture back | an account |
| `sip:tone@HOST` | 1004 Hz at −16 dBm0, and a test picture | an account |
| `sip:music@HOST` | music, without an end | an account |
| `sip:NAME@HOST`, NAME an account | all phones of that account, 60 s long; the first that answers has the call | an account |
| another name | 404; with `--open`, a new room of that name | an account |
| another domain | 404: nothing is relayed | an account |

With `--open`, read “anyone” for “an account” in the right column, except for a name that is an account. A From that
names an account of this server is challenged in any case.

Names of rooms: `[a-z0-9][a-z0-9-]*`, up to 64 characters. Names of accounts: the same, and `_`. PINs: 4 to 12 digits.
Rooms from the factory are called like `abc-defg-hjk`."""

ROLES = """\
## Roles

There is one **host** at most. A **co-host** has the host's tools but for those that the table gives to the host alone, and can
do nothing to the host. A **presenter** may call people in. An **attendee** takes part. A **listener** hears and is never heard.

| who | is host |
| --- | --- |
| the owner of a room (`room create --owner`), and whoever brings the host PIN | whenever they come in |
| who made the meeting, else the first with an account (with `--open`, anyone) | while there is nobody else |
| a host who dropped and comes back within 20 s | again, before anybody takes over |
| a co-host, else the longest present with an account | in place of a host who has gone; the role goes back when they return |

The owner, who is also who made a meeting on the spot, takes the role back with `reclaim`. Roles, mutes by a host, the lock,
bans and settings are kept over a restart of the server: what concerns people for ten minutes, or until the room has been empty
for so long; bans and settings of a permanent room until they are changed. They hold for accounts; a guest who calls again is a
new guest."""

AFTER = """\
WHO is a member's id (`confero room people`), account, URI or shown name, or `all`; in a text, left away, oneself. A name that
several have is answered with 409. On the command line `confero` has the operator's right to every verb, and every verb wants an
open room, but for `set`, `allow`, `forbid` and `unban` on a permanent one. A code on the keypad is given up after five seconds
between its keys. What REST takes in its body has the argument's name as in the command, in small letters.

Without a key: what needs a name or a text can't be keyed. Without a verb here: create, join and leave (dial, hang up), chat
(MESSAGE), sharing and control of a screen (BFCP: [floors](floors.md)).

## Words for what may be done

Refusals are answered with a status and words on every surface, change nothing, and stand in the audit log
(`confero room audit ROOM`), as does what is done to others.

| status | when |
| --- | --- |
| 400 | no such verb, or an argument that makes no sense |
| 403 | the role lacks the verb; a member muted by a host where the settings forbid to unmute; anything done to the host |
| 404 | nobody of that name is in the meeting |
| 409 | several have that name; it makes no sense now |
| 481 | the meeting is over |
| 486 | the room is full |

A text inside a call that begins with `/` is a command; any other is written to everybody in the meeting. One that is no
`text/plain` gets 415."""

METHODS = """\
## Methods

| method | outside of a call | inside |
| --- | --- | --- |
| INVITE, ACK, CANCEL, BYE | yes | yes, re-INVITE too |
| UPDATE | no | offers |
| REGISTER | accounts | |
| OPTIONS | 200, without a challenge | 200 |
| SUBSCRIBE | `Event: conference`, for members of that room (by From and address) or an account; others get 489 | the same |
| MESSAGE | 403 | the commands above, and texts to everybody |
| INFO | | [`confero-meeting`](info-package.md), another package 469; `application/dtmf-relay`, `application/dtmf`; others 415 |
| others | 405 with Allow | 405 |"""


def page(notice: str, table: Table) -> str:
    """The page. table: makes one of Markdown out of its head and rows."""
    verbs = table(("verb", "what it does", "who may", "keypad", "text", "command", "REST"), [*map(_row, VERBS.values())])
    defaults = switches_of(Policy())
    switches = table(("setting", "takes", "default", "meaning", "含义"), [
        (f"`{name}`", switch.takes, f"`{defaults[name]}`", switch.help, switch.help_zh) for name, switch in SWITCHES.items()])
    chinese = table(("动词", "说明"), [(f"`{verb.chat}`", verb.help_zh) for verb in VERBS.values()])
    return "\n\n".join([
        notice, DIALLED, ROLES, "## Verbs of a meeting", verbs, AFTER, "## Settings of a room",
        "Changed by hosts while the meeting runs (`/set unmute hosts`), or by the operator (`confero room set ROOM SETTING "
        "VALUE`, or `--set` of `confero room create`).", switches, METHODS, "## 会议命令", chinese]) + "\n"


def _row(verb: Verb) -> tuple[str, ...]:
    also = "".join(f", `/{word}`" for word in verb.also)
    keypad = f"`{verb.keypad[:2]}`, then `#` within 5 s" if len(verb.keypad) == 3 else f"`{verb.keypad}`" if verb.keypad else ""
    return (verb.name, verb.help, _who(verb), keypad, f"`{verb.chat}`{also}", f"`{verb.command}`", f"`{verb.rest}`")


def _who(verb: Verb) -> str:
    everybody, named = set(Role), [role.value for role in Role if role in verb.others]
    others = "anyone" if verb.others == everybody else ", ".join(named)
    own = "anyone" if verb.own == everybody else ", ".join(role.value for role in Role if role in verb.own)
    parts = [f"as the setting `{verb.setting}` says" if verb.setting else others, "the owner" if verb.owner else "",
             f"to oneself: {own}" if own else ""]
    return "; ".join(part for part in parts if part)
