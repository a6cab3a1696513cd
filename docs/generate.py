"""Writes the pages of docs/reference/ that are made from code and data: commands, configuration, settings, errors, findings,
transactions, verbs, and what RFCs demand.

    python -m docs.generate             writes them
    python -m docs.generate --check     exits 1 when one of them is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from docs import musts, verb_page
from mcu import config
from mcu.__main__ import app as server_app
from mcu.api.app import make_api
from pcap.__main__ import app as pcap_app
from pcap.finding_words import KINDS
from sip.message import REASONS
from sip.transaction import START, TABLES, Kind
from softphone import options
from softphone.config import DEFAULT_SETTINGS, default_path
from softphone.words import call_failed, registration_failed

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTICE = "<!-- Made from the code by `python -m docs.generate`; do not edit. -->"
DEFAULTS = {"data": "the platform's data folder", "listen": "all addresses; loopback with `open`", "workers": "one a core",
            "picture_workers": "one for two cores",
            "domain": "the machine's name", "public_address": "none", "stun_server": "none", "trunk": "none", "pcap": "none",
            "tls_cert": "one of its own", "tls_key": "its own",
            "http_listen": "loopback", "webhook": "none"}
"""Defaults that are found out at run time, in words."""
MEANINGS = {
    "data": "The folder of the database, the control socket and the lock. In a file, a relative path starts there.",
    "listen": "The addresses on which SIP is taken, UDP and TCP.",
    "sip_port": "The port of SIP, for UDP and TCP.",
    "tls_port": "The port of SIP over TLS (TCP). 0 switches it off.",
    "wss_port": "The port of SIP over secure WebSocket (RFC 7118), for phones in browsers, with the certificate of TLS. "
                "0: none.",
    "tls_cert": "A certificate in PEM, its chain after it. Without one the server makes its own, in `tls/` of the data folder. "
                "When the file changes, or on SIGHUP, it is read again.",
    "tls_key": "The private key of `tls_cert`, in PEM and without a password.",
    "domain": "The server's name and the realm of all passwords. It is fixed at the first start, or with the first account.",
    "rtp_ports": "The UDP ports of media, and the TCP ports of floor control. A call takes two for sound, two or four for "
                 "pictures, one for floors.",
    "public_address": "Behind NAT: the address that phones outside are told, in SDP, Contact and Via. `auto` asks "
                      "`stun_server`.",
    "stun_server": "Who is asked for the public address with `auto`, HOST or HOST:PORT. There is no default: nobody else is "
                   "asked.",
    "open": "Anyone who reaches the server may call rooms, make rooms and be host.",
    "desktop_control": "Who shares a screen may be asked for the mouse and the keyboard: "
                       "[let somebody control your desktop](../how-to/control-a-desktop.md). `false`: nobody may, anywhere.",
    "workers": "How many media processes are started.",
    "picture_workers": "How many processes may compose pictures, each started when it is needed; 0: phones with one video line "
                       "see who speaks, if they take that codec.",
    "pcap": "A file to capture all signalling and media into, in clear: [capture a call](../how-to/capture-a-call.md).",
    "pcap_max_mb": "The size of a file of a capture, in MB; then another one is begun.",
    "pcap_files": "How many files of a capture are kept; the oldest goes first.",
    "srtp": "Protection of media: `off` refuses it, `prefer` offers and accepts it, `require` refuses plain media, and keys "
            "that came in clear (SDES without TLS), with 488.",
    "drain_s": "How long a server that is asked to stop lets running calls go on. New calls are refused meanwhile.",
    "grace_s": "How long a room that was made on the spot waits for somebody after its last member has left.",
    "succession_s": "How long a host who dropped may take to come back before somebody else becomes host.",
    "silence_s": "A phone that should send media and sends none for so long is taken for gone, and its call is ended.",
    "max_members": "Members of a room, where the room says nothing else.",
    "max_calls": "Calls at once. More are refused with 503.",
    "max_calls_per_source": "Calls at once from one IP address. More are refused with 503.",
    "max_rooms": "Rooms that are open at once. More are refused with 503.",
    "max_call_s": "A call is ended after that time; 0 means never.",
    "language": "The language of what is said in meetings (`zh`: 中文).",
    "languages": "The language of single rooms and accounts, by name: a table `[languages]`. What is said to one member is "
                 "said in their account's language.",
    "prompts": "The folder of what is said, as WAV files (mono, 16 bits, 48 kHz); your own take the place of the spoken ones. "
               "Without it `prompts/` of the data folder.",
    "http_port": "The port of [the dashboard](../how-to/use-the-dashboard.md) and of [REST](../how-to/use-rest.md). 0: none.",
    "http_listen": "The addresses of that port. Loopback is served in clear, every other address by TLS with the certificate "
                   "of SIP.",
    "log_level": "How much is logged to standard error.",
    "log_format": "`text`, or `json`: an object a line, with the ids of call and room.",
    "webhook": "Who is told by POST what happens: one table each, see [use REST](../how-to/use-rest.md).",
    "trunk": "Providers of telephone numbers: one table each, see [connect a provider](../how-to/connect-a-provider.md).",
}
SETTINGS = {
    "theme": "`system`, `light` or `dark`", "language": "`system`, `en` or `zh`",
    "echo_cancelling": "take the loudspeaker's sound out of the microphone's", "noise_suppression": "take steady noise out",
    "gain": "bring a quiet or loud voice to the usual level", "ring": "make a sound when somebody calls",
    "codec": "use this codec alone: `opus`, `g722`, `pcmu` or `pcma`; empty: all of them, in that order",
    "dtx": "send nothing while you are silent (Opus)", "join_muted": "enter meetings with the microphone off",
    "join_video": "enter meetings with the camera on",
    "video_kbps": "what the camera may use at most, in kbit/s: `100` to `3000`",
    "srtp": "Protection of sound: `prefer`, `require` or `off`.",
}


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"commands.md": commands(), "configuration.md": configuration(), "settings.md": settings(), "errors.md": errors(),
            "rest.md": rest(), "findings.md": findings(), "transactions.md": transactions(), "musts.md": every_must(),
            "addresses-and-verbs.md": verb_page.page(NOTICE, _table)}


# ---- commands


def commands() -> str:
    """All commands with their arguments and options."""
    parts = [NOTICE, "# Commands",
             "Every listing takes `--json`. Wrong input exits 2 with one line, a failed operation exits 1. Commands about "
             "users, rooms and calls speak to the server that runs on the data folder, and to its database where none runs; "
             "what needs a running server says so.",
             "`./run` sets up what is needed and then runs the same commands: `./run serve`, `./run phone`, `./run confero …`."]
    for name, program in (("confero", server_app), ("confero-pcap", pcap_app)):
        command = typer.main.get_command(program)
        parts += [f"## {name}", _sentence(command.help)]
        for path, leaf in leaves(command, name):
            parts.append(_command(path, leaf))
    return "\n\n".join([*parts, *_phone()]) + "\n"


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command that can be run, with its words."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from leaves(child, f"{path} {name}")


def _command(path: str, command: Any) -> str:
    about, _, example = (command.help or "").partition("Example: ")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *(_argument(p) for p in arguments), "[OPTIONS]"])
    rows = [(_argument(p), p.help or "") for p in arguments] + [
        (f"{p.opts[0]} {p.metavar}" if p.metavar else p.opts[0], p.help or "")
        for p in command.params if p.param_type_name == "option" and p.opts[0] != "--help"
    ]
    lines = [f"### {path}", _sentence(about), f"    {usage}"]
    lines += [_table(("", ""), [(f"`{name}`", text) for name, text in rows])] if rows else []
    lines += [f"Example: `{' '.join(example.split())}`"] if example else []
    return "\n\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _phone() -> list[str]:
    parser = options._parser()                      # the parser itself: its text would depend on Python's version
    parts = ["## confero-phone", _sentence(parser.description), "    confero-phone [URI] [OPTIONS]"]
    for group in parser._action_groups:
        rows = [(_phone_option(action), _at_home(action.help or "")) for action in group._group_actions
                if action.dest != "help"]
        if rows:
            title = {"positional arguments": "Whom to call", "options": "In general"}.get(group.title or "", group.title or "")
            parts += [f"### confero-phone: {title}", _table(("", ""), [(f"`{name}`", text) for name, text in rows])]
    return [*parts, "Examples:", "\n".join(map(_example, (parser.epilog or "").split("\n")[1:]))]


def _example(line: str) -> str:
    """An example of the phone's help: the command, and what is said about it as a comment."""
    command, _, about = (part.strip() for part in line.strip().partition("  "))
    return f"    {command}" + (f"    # {about}" if about else "")


def _phone_option(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest)
    value = "|".join(map(str, action.choices)) if action.choices else action.metavar if action.nargs != 0 else ""
    return f"{action.option_strings[0]} {value}".strip()


def _at_home(text: str) -> str:
    return text.replace(str(default_path()), "~/.config/confero/phone.toml")


# ---- configuration, settings, errors


def configuration() -> str:
    """Every key of the server's file, with its flag and default."""
    serve = dict(leaves(typer.main.get_command(server_app), "confero"))["confero serve"]
    flags = {name for parameter in serve.params for name in parameter.opts}
    rows = []
    for key, field in config.ServerConfig.model_fields.items():
        flag = f"--{key.replace('_', '-')}"
        shown = DEFAULTS.get(key) or f"`{_toml(field.default)}`"
        takes = config.EXPECTED.get(key, "only `off` in this version").rstrip(",")
        rows.append((f"`{key}`", f"`{flag}`" if flag in flags else "", takes, shown, MEANINGS[key]))
    return "\n\n".join([
        NOTICE, "# Configuration of the server",
        "One TOML file, named with `confero serve --config confero.toml`. Flags go before the file, the file before the "
        "defaults. All keys but those of a trunk or webhook stand at the top level. `confero config check confero.toml` says "
        "what is wrong with a file, by line and key; `confero config show confero.toml` prints every setting with its value.",
        _table(("key", "flag", "takes", "default", "meaning"), rows),
        "Times are in seconds. An example:",
        '```toml\ndomain = "meet.example.org"\nlisten = ["192.0.2.10", "2001:db8::10"]\nsip_port = 5060\n'
        'rtp_ports = "20000-29999"\ndata = "/var/lib/confero"\nmax_members = 50\n```',
    ]) + "\n"


def settings() -> str:
    """What the phone remembers."""
    rows = [(f"`{name}`", f"`{_toml(default)}`", SETTINGS[name]) for name, default in DEFAULT_SETTINGS.items()]
    return "\n\n".join([
        NOTICE, "# Settings of the phone",
        "The window keeps them in `phone.toml` in the platform's configuration folder (`~/.config/confero/` on Linux), or in "
        "the file given with `--config`. The file holds the account's password and is readable by its owner alone. A file that "
        "can't be understood is set aside as `phone.toml.broken`, and the defaults are used.",
        _table(("key of `[settings]`", "default", "meaning"), rows),
        "Besides there are `[phone]` (instance: a URN made up at the first sign-in, by which a server knows this phone again), "
        "`[account]` (user, password, server, transport, display_name), `[devices]` (microphone, speaker) and the list "
        "`[[recent]]` of places called before. PINs are not kept in it, only that one was needed (`has_pin`).",
    ]) + "\n"


def errors() -> str:
    """What a SIP status is called on the phone's screen."""
    calls = [(str(status), reason, call_failed(status, "", "SERVER", True)) for status, reason in sorted(REASONS.items())
             if status >= 400 and "failed (" not in call_failed(status, "", "SERVER", True)]
    registrations = [(str(status), registration_failed(status, "", "SERVER")) for status in (401, 403, 404, 408)]
    return "\n\n".join([
        NOTICE, "# Errors in words",
        "What the phone shows for the final response to a call. Where the server gives a reason of its own, it is put behind "
        "these words. A status that is not in the list is shown with its number.",
        _table(("status", "name", "the phone says"), calls),
        "Without an account, 401 and 407 read: “" + call_failed(401, "", "SERVER", False) + "”.",
        "What it shows when signing in fails:", _table(("status", "the phone says"), registrations),
        "What the server says, and what to do: [when it does not work](../how-to/when-it-does-not-work.md).",
    ]) + "\n"


def rest() -> str:
    """Every route of the REST API, out of its OpenAPI document."""
    document = make_api(None).openapi()
    parts = [NOTICE, "# REST: every route",
             "What `/openapi.json` of a running server says, as a page. Bodies and answers are JSON; an error is "
             "`{\"error\": \"words\"}`: 401 who are you, 403 you may not, 404 it is not there, 409 not just now, 413 too long, "
             "422 that makes no sense, 429 too often. How to begin: [use REST](../how-to/use-rest.md)."]
    tags: dict[str, list[tuple[str, str, str]]] = {}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            tags.setdefault(route.get("tags", ["server"])[0], []).append(
                (f"`{method.upper()} {path}`", _sentence(route.get("description")), _members(document, body)))
    for tag, rows in sorted(tags.items()):
        parts += [f"## {tag}", _table(("route", "what it does", "body"), rows)]
    return "\n\n".join(parts) + "\n"


def _members(document: Any, body: Any) -> str:
    """The members of a body; those that have to be there in bold."""
    schema = document["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], body)
    needed = schema.get("required", ())
    return ", ".join(f"**`{name}`**" if name in needed else f"`{name}`" for name in schema.get("properties", {}))


def findings() -> str:
    """What `confero-pcap analyse` can find, with its remedy, in both languages."""
    parts = [NOTICE, "# Findings in a capture",
             "What `confero-pcap analyse` and `report` can find, by the names that `--json` gives. Places in braces are filled "
             "with figures. How to go on from a finding: [read a capture](../how-to/read-a-capture.md)."]
    for severity, title in (("error", "Errors"), ("warning", "Warnings"), ("info", "Notes")):
        rows = [(f"`{kind}`", *(f"{text}<br>→ {remedy}" for text, remedy in zip(words.text, words.remedy, strict=True)))
                for kind, words in KINDS.items() if words.severity == severity]
        parts += [f"## {title}", _table(("name", "says", "中文"), rows)]
    return "\n\n".join(parts) + "\n"


# ---- state machines


def transactions() -> str:
    """The four transaction machines as diagrams and tables."""
    parts = [NOTICE, "# The transaction machines",
             "The tables of `sip.transaction`, which are RFC 3261 §17 with the corrections of RFC 6026, drawn. An event is the "
             "letter of a timer, a class of responses that came (1xx, 2xx, refusal: 300 and above), a request or ACK that came "
             "again, `send_…` for a response of our own, or `transport` for a transport that failed. Behind the arrow of each "
             "row stands what is done: `send` and `resend` a message, `ack` a refusal, `pass` a response to who asked, `fail` "
             "tell that none will come, `start_X` and `stop_X` a timer."]
    for kind in Kind:
        rows = [(before.value, event, after.value, ", ".join(f"`{action}`" for action in actions))
                for (before, event), (after, actions) in TABLES[kind].items()]
        parts += [f"## {kind.value.capitalize()} transaction", _diagram(kind),
                  _table(("state", "event", "next state", "actions"), rows)]
    return "\n\n".join(parts) + "\n"


def _diagram(kind: Kind) -> str:
    first, actions = START[kind]
    edges: dict[tuple[str, str], list[str]] = {}
    for (before, event), (after, _) in TABLES[kind].items():
        edges.setdefault((before.value, after.value), []).append(event)
    lines = [f"    [*] --> {first.value}" + (f" : {', '.join(actions)}" if actions else "")]
    lines += [f"    {before} --> {after} : {', '.join(events)}" for (before, after), events in edges.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "    terminated --> [*]", "```"])


# ---- what the RFCs demand


def every_must() -> str:
    """Each MUST of the RFCs that the product stands on, with code and test, or the reason why it is left out."""
    parts = [NOTICE, "# Every MUST",
             "What RFC 3261 (§§8 to 18), RFC 3264 and RFC 3550 (§§5 to 8) demand with MUST and MUST NOT: the rule in our own "
             "few words, how often the section says MUST for it, where the code is, and the tests that would fail without it; "
             "or why we do otherwise. §16 of RFC 3261 is about proxies, and we are none. Rules of extensions, and those that "
             "only SHOULD be kept, are in [RFC compliance: SIP](../rfc-compliance.md) and "
             "[RTP](../rfc-compliance-rtp.md)."]
    for name in musts.FILES:
        title, rows = musts.read(name)
        kept = sum(row.count for row in rows if not row.reason)
        parts += [f"## {title}", f"{sum(row.count for row in rows)} times MUST, of which {kept} are kept.",
                  _table(("section", "MUSTs", "rule", "code", "tests, or why not"), [_must_row(row) for row in rows])]
    return "\n\n".join(parts) + "\n"


def _must_row(row: musts.Must) -> tuple[str, ...]:
    told = f"left out: {row.reason}" if row.reason else ", ".join(f"`{name}`" for name in row.tests)
    return f"§{row.section}", str(row.count), row.rule, ", ".join(f"`{place}`" for place in row.code), told


# ---- text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f'"{value[0]}-{value[1]}"'
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = [name for name, text in pages().items()
             if not (REFERENCE / name).exists() or (REFERENCE / name).read_text("utf-8") != text]
    if "--check" in arguments:
        print("\n".join(f"docs/reference/{name} is out of date; type: python -m docs.generate" for name in stale), end="")
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).write_text(pages()[name], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
