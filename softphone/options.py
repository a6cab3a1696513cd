"""The command line of the phone: what may be given, checked before anything starts, each mistake in one line."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from rtp.dtmf import KEYS
from rtp.errors import NegotiationFailed
from rtp.sdp.negotiation import Capabilities
from rtp.srtp import SUITES
from softphone.addresses import AddressError, Server, target_uri
from softphone.config import default_path
from softphone.media.camera import CameraError, open_video_source
from softphone.media.player import Source, SourceError, open_source
from softphone.protection import suites_named
from softphone.shares import SPELLING, Choice
from softphone.trust import parse_fingerprint

PROGRAM = "confero-phone"
PASSWORD_VARIABLE = "CONFERO_PASSWORD"  # noqa: S105
MICROPHONE = "mic"
NO_VIDEO = "none"
MAX_SECONDS = 7 * 86400
EXAMPLES = """examples:
  confero-phone                                        the window
  confero-phone sip:daily@example.org                  the window, about to join the room
  confero-phone --headless sip:daily.123456@example.org --play tone:440 --record heard.wav --seconds 10
  confero-phone --headless daily --user alice --server example.org --play speech.wav --dtmf "2s:*6"
  confero-phone --headless alice --user bob --server example.org --hold "3s:5s" --transfer "10s:carol"
  confero-phone --headless daily --user alice --server example.org --video test --record-video seen.mkv --seconds 10
  confero-phone --headless --answer --play speech.wav  wait for a call, answer it"""
_HOLD = re.compile(r"(?P<at>[0-9]{1,5}(?:\.[0-9]{1,3})?)s:(?P<for>[0-9]{1,5}(?:\.[0-9]{1,3})?)s")
_TRANSFER = re.compile(r"(?P<at>[0-9]{1,5}(?:\.[0-9]{1,3})?)s:(?P<target>.+)")
_PRESS = re.compile(r"(?P<at>[0-9]{1,5}(?:\.[0-9]{1,3})?)s:(?P<keys>[0-9*#A-Da-d]{1,64})")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. Times are seconds after the answer; `seconds` None: until somebody hangs up.

    `dtmf`: (when, keys); `hold`: (when, how long); `transfer`: (when, to whom).
    """

    target: str = ""
    headless: bool = False
    console: bool = False
    answer: bool = False
    user: str = ""
    password: str = ""
    server: str = ""
    display_name: str = ""
    transport: str = ""
    fingerprint: str = ""
    codecs: tuple[str, ...] = ()
    play: str = ""
    loop: bool = False
    record: Path | None = None
    seconds: float | None = None
    dtmf: tuple[tuple[float, str], ...] = ()
    hold: tuple[tuple[float, float], ...] = ()
    transfer: tuple[float, str] | None = None
    stats: Path | None = None
    listen: str = ""
    port: int = 0
    config: Path = Path()
    srtp: str = ""
    keying: str = ""
    suites: tuple[str, ...] = ()
    pcap: Path | None = None
    video: str = ""
    record_video: Path | None = None
    share: Choice | None = None

    @property
    def has_pictures(self) -> bool:
        """Whether calls have pictures beside sound: given, or in a window without a word of them."""
        wanted = self.video not in ("", NO_VIDEO) or self.record_video is not None or self.share is not None
        return wanted or not (self.headless or self.video)


class OptionError(Exception):
    """What was given can't be used; the text is one line for the user."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage."""
        raise OptionError(message)


def parse_options(arguments: list[str]) -> Options:
    """Read the command line. Raises OptionError for what is wrong (exit status 2), SystemExit for --help."""
    given = _parser().parse_args(arguments)
    options = Options(
        given.target or "", given.headless, given.console, given.answer, given.user, _password(given.password), given.server,
        given.display_name, given.transport, _fingerprint(given.fingerprint), tuple(filter(None, given.codec.split(","))),
        given.play, given.loop, given.record, given.seconds, _parse_dtmf(given.dtmf), _parse_hold(given.hold),
        _parse_transfer(given.transfer), given.stats, *_parse_listen(given.listen), given.config or default_path(), given.srtp,
        given.keying, tuple(filter(None, given.suite.split(","))), given.pcap, given.video, given.record_video,
        _share(given.share),
    )
    return _checked(options)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="The Confero softphone: a window, or a phone without one (--headless).",
                     epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("target", nargs="?", metavar="URI",
                        help="whom to call: sip:NAME@HOST, sip:ROOM.PIN@HOST, or a name at the server")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--headless", action="store_true", help="call without a window, print figures as JSON at the end")
    mode.add_argument("--console", action="store_true", help="a phone in the terminal, for a machine without a screen")
    account = parser.add_argument_group("account")
    account.add_argument("--user", default="", metavar="U", help="user name; the phone then registers")
    account.add_argument("--password", default=None, metavar="P",
                         help=f"better kept out of the process list, in ${PASSWORD_VARIABLE}")
    account.add_argument("--server", default="", metavar="HOST[:PORT]", help="the server (default: the URI's host)")
    account.add_argument("--display-name", default="", metavar="NAME", help="how others see you")
    account.add_argument("--transport", default="", choices=("udp", "tcp", "tls"), help="of signalling (default: udp)")
    account.add_argument("--fingerprint", default="", metavar="SHA256",
                         help="the certificate that the server has to show, known from its owner; remembered from then on")
    media = parser.add_argument_group("sound and pictures")
    media.add_argument("--play", default="", metavar="SOUND", help="a sound file, tone:HZ[@DBFS], mic or none (headless: none)")
    media.add_argument("--loop", action="store_true", help="play the file again and again")
    media.add_argument("--record", type=Path, metavar="OUT.wav", help="write what is heard, 48 kHz mono")
    media.add_argument("--video", default="", metavar="PICTURES",
                       help="camera, camera:DEVICE, test, test:NUMBER, a file, or none (headless: none; window: camera)")
    media.add_argument("--pcap", type=Path, metavar="FILE", help="capture signalling and media, in clear, for Wireshark")
    media.add_argument("--codec", default="", metavar="NAMES", help="opus, g722, pcmu, pcma, or several with commas")
    media.add_argument("--srtp", default="", choices=("off", "prefer", "require"), help="protect sound: never, where the other "
                       "side can (default), or always")
    media.add_argument("--keying", default="", choices=("sdes", "dtls"), help="how offers of this phone bring keys about "
                       "(default: SDES over TLS, else both)")
    media.add_argument("--suite", default="", metavar="NAMES", help=f"of SRTP, with commas: {', '.join(map(str, SUITES))}")
    headless = parser.add_argument_group("without a window")
    headless.add_argument("--answer", action="store_true", help="wait for a call and answer it")
    headless.add_argument("--seconds", type=_seconds, metavar="N", help="hang up so long after the answer")
    headless.add_argument("--dtmf", default="", metavar='"1s:*6"',
                          help="keys to press, some time after the answer; commas between")
    headless.add_argument("--hold", default="", metavar='"3s:5s"',
                          help="hold the call, some time after the answer, for so long; commas between")
    headless.add_argument("--transfer", default="", metavar='"3s:bob"',
                          help="hand the call on to somebody, some time after the answer")
    headless.add_argument("--share", default="", metavar="WHAT", help=f"share a screen: {SPELLING}")
    headless.add_argument("--record-video", type=Path, metavar="OUT.mkv",
                          help="write the pictures that come, a stream for each line")
    headless.add_argument("--stats", type=Path, metavar="OUT.json", help="write the figures into a file, too")
    headless.add_argument("--listen", default="", metavar="ADDR[:PORT]", help="our own address (default: found out)")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"the window's settings (default: {default_path()})")
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"a number of seconds was expected, not {text!r}")
    return value


def _password(given: str | None) -> str:
    return given if given is not None else os.environ.get(PASSWORD_VARIABLE, "")


def _fingerprint(given: str) -> str:
    try:
        return parse_fingerprint(given) if given else ""
    except ValueError as error:
        raise OptionError(f"--fingerprint: {error}") from None


def _share(text: str) -> Choice | None:
    try:
        return Choice.parse(text) if text else None
    except ValueError as error:
        raise OptionError(f"--share: {error}") from None


def _parse_dtmf(text: str) -> tuple[tuple[float, str], ...]:
    found = []
    for piece in filter(None, (part.strip() for part in text.split(","))):
        match = _PRESS.fullmatch(piece)
        if match is None:
            raise OptionError(f"--dtmf is written \"1s:*6\" (seconds, then keys of {KEYS}), not {piece!r}")
        found.append((float(match["at"]), match["keys"].upper()))
    return tuple(sorted(found))


def _parse_hold(text: str) -> tuple[tuple[float, float], ...]:
    found = []
    for piece in filter(None, (part.strip() for part in text.split(","))):
        match = _HOLD.fullmatch(piece)
        if match is None:
            raise OptionError(f"--hold is written \"3s:5s\" (when, then how long), not {piece!r}")
        found.append((float(match["at"]), float(match["for"])))
    found.sort()
    if any(at + length > later for (at, length), (later, _) in pairwise(found)):
        raise OptionError("--hold: one begins before the other is over")
    return tuple(found)


def _parse_transfer(text: str) -> tuple[float, str] | None:
    if not text:
        return None
    match = _TRANSFER.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"--transfer is written \"3s:bob\" (when, then a name or an address), not {text!r}")
    return float(match["at"]), match["target"].strip()


def _parse_listen(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    try:
        server = Server.parse(text)
    except AddressError:
        raise OptionError(f"--listen takes ADDRESS or ADDRESS:PORT, not {text!r}") from None
    return server.host, server.port or 0


def _checked(options: Options) -> Options:
    if options.user and not options.server and options.target:
        options = _with_server(options)
    try:
        server = Server.parse(options.server) if options.server else None
        if options.user and server is None:
            raise OptionError("--user needs --server HOST")
        if options.target:
            target_uri(options.target, server)
        if options.transfer is not None:
            target_uri(options.transfer[1], server or Server("the.server"))     # a name alone is at the server of the call
        if options.fingerprint and not options.target and server is None:
            raise OptionError("--fingerprint needs --server HOST, or whom to call")
        if options.codecs:
            Capabilities().only(*options.codecs)
        suites_named(options.suites)
        if options.play not in ("", MICROPHONE):
            source_of(options).close()
        if options.video not in ("", NO_VIDEO):
            open_video_source(options.video)
    except (AddressError, CameraError, NegotiationFailed, SourceError, ValueError) as error:
        raise OptionError(str(error)) from None
    _check_mode(options)
    for path in filter(None, (options.record, options.record_video, options.stats, options.pcap)):
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise OptionError(f"{path} can't be written: " + ("it is a folder" if path.is_dir() else "there is no such folder"))
    return options


def _check_mode(options: Options) -> None:
    if options.headless and not options.target and not options.answer:
        raise OptionError("--headless needs whom to call (sip:NAME@HOST), or --answer")
    if options.answer and options.target:
        raise OptionError("either call somebody or --answer, not both")
    if not options.headless:
        only = {"--answer": options.answer, "--dtmf": options.dtmf, "--hold": options.hold, "--transfer": options.transfer,
                "--seconds": options.seconds, "--stats": options.stats, "--record-video": options.record_video,
                "--share": options.share}
        if wrong := [name for name, value in only.items() if value]:
            raise OptionError(f"{wrong[0]} works with --headless alone")


def _with_server(options: Options) -> Options:
    """An account without a server belongs to the host that is called."""
    try:
        uri = target_uri(options.target, None)
    except AddressError:
        return options
    return replace(options, server=uri.host_port)


def source_of(options: Options) -> Source:
    """The source of sound that was asked for; silence for none. Raises SourceError."""
    return open_source(options.play or "none", loop=options.loop)


def host_of(options: Options) -> str:
    """The host that `fingerprint` is for: that of the server, else that of the address called."""
    server = Server.parse(options.server) if options.server else None
    return server.host if server is not None else target_uri(options.target, None).host


def fail(text: str, status: int) -> int:
    """Say what went wrong in one line; the exit status."""
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)
    return status
