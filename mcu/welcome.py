"""What a server prints when it is up: what can be dialled, addresses, ports, settings for phones, an invitation to paste."""

from __future__ import annotations

import io
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import segno

from mcu.config import ServerConfig
from mcu.directory import Directory
from mcu.storage.base import Account
from sip.aio.udp import is_unspecified, local_host_towards
from sip.flow import Address

OUTSIDE = ("198.51.100.1", "2001:db8::1")
"""Addresses of documentation (RFC 5737, RFC 3849): nothing is sent there, only the route is looked up."""
_SRTP = {"off": "is not encrypted (--srtp off)", "prefer": "by SRTP where the phone can",
         "require": "by SRTP, or no call (--srtp require)"}


class Welcome:
    """The text, for a configuration and the addresses that are listened on.

    administrator: made at the first start; fingerprint: of the certificate that TLS shows, empty without TLS; dashboard: where
    the page is; token: made at the first start.
    """

    def __init__(self, config: ServerConfig, directory: Directory, listening: list[tuple[str, Address]],
                 administrator: tuple[Account, str] | None, fingerprint: str = "", dashboard: Sequence[str] = (),
                 token: str | None = None) -> None:
        self._config = config
        self._directory = directory
        self._listening = listening
        self._administrator = administrator
        self._fingerprint = fingerprint
        self._dashboard = dashboard
        self._token = token

    def __str__(self) -> str:
        parts = [self._where(), self._names(), self._phones(), self._first_start(), self._invitation()]
        return "\n\n".join(part for part in parts if part)

    @property
    def hosts(self) -> list[str]:
        """Addresses at which this server can be reached, the best first."""
        found = [self._config.public_address] if self._config.public_address else []
        for _, (host, _) in self._listening:
            found += reachable(host) if is_unspecified(host) else [host]
        return list(dict.fromkeys(found))

    def uri(self, name: str, host: str) -> str:
        """What to dial."""
        shown = f"[{host}]" if ":" in host else host
        port = self._config.sip_port
        return f"sip:{name}@{shown}" + ("" if port == 5060 else f":{port}")

    def _where(self) -> str:
        first, last = self._config.rtp_ports
        port = self._config.sip_port
        tls = f", {self._config.tls_port} (TCP) for SIP over TLS" if self._config.tls_port else ""
        tls += f", {self._config.wss_port} (TCP) for browsers" if self._config.wss_port else ""
        lines = [f"Confero is up, as {self._directory.domain}.",
                 f"  reachable at       {', '.join(self.hosts)}",
                 f"  ports to open      {port} (UDP and TCP) for SIP{tls}, {first}-{last} (UDP for media, TCP for who shares)",
                 f"  data               {_short(self._config.data)}",
                 *([f"  dashboard          {'  '.join(self._dashboard)}"] if self._dashboard else []),
                 *self._protection()]
        if self._config.open:
            lines.append("  open               anyone who reaches this server may call and make rooms")
        return "\n".join(lines)

    def _protection(self) -> list[str]:
        if not self._fingerprint:
            return [f"  protection         media {_SRTP[self._config.srtp]}; signalling is not encrypted (TLS is switched off)"]
        first, second = self._fingerprint[:47], self._fingerprint[48:]
        authority = [] if self._config.tls_cert else [f"  authority          {_short(self._config.data / 'tls' / 'ca.pem')}"
                                                       "  for phones that want to check the certificate"]
        return [f"  protection         signalling of phones that use TLS; media {_SRTP[self._config.srtp]}",
                f"  certificate        SHA-256 {first}:", f"                             {second}", *authority]

    def _names(self) -> str:
        host = self.hosts[0]
        rooms = self._directory.rooms()
        lines = ["What can be dialled:"]
        for room in rooms[:20]:
            secret = " (with its PIN: ROOM.PIN)" if room.pin else ""
            lines.append(f"  {self.uri(room.name, host):40} a meeting room{secret}")
        if len(rooms) > 20:
            lines.append(f"  … and {len(rooms) - 20} more rooms: confero room list")
        lines += [f"  {self.uri('conference', host):40} a new meeting, you are its host",
                  f"  {self.uri('echo', host):40} your own voice back",
                  f"  {self.uri('tone', host):40} a tone of 1004 Hz",
                  f"  {self.uri('music', host):40} music"]
        if self._config.open:
            lines.append(f"  {self.uri('NAME', host):40} any other name: a room of that name, made on the spot")
        elif not rooms:
            lines.append("  make a room        confero room create daily --pin auto")
        return "\n".join(lines)

    def _phones(self) -> str:
        host = self.hosts[0]
        shown = f"[{host}]" if ":" in host else host
        count = len(self._directory.accounts())
        secure = []
        if self._config.tls_port:
            secure.append(f"  with TLS           {shown}:{self._config.tls_port}   transport TLS (recommended)")
        if self._config.wss_port:
            secure.append(f"  in a browser       wss://{shown}:{self._config.wss_port}/   sub-protocol sip (RFC 7118)")
        return "\n".join([
            "Settings for other phones:",
            f"  server, domain     {shown}:{self._config.sip_port}   transport UDP or TCP",
            *secure,
            f"  user, password     {count} account{'' if count == 1 else 's'} here; make one: confero user add NAME",
            "  codecs             Opus, G.722, PCMU, PCMA; keys by RFC 4733",
            f"  encryption         {'none' if self._config.srtp == 'off' else 'SRTP by SDES or DTLS'}",
        ])

    def _first_start(self) -> str:
        if self._administrator is None:
            return ""
        account, password = self._administrator
        lines = ["First start: an administrator was made. Write this down, it is not shown again:",
                 f"  user {account.name}   password {password}"]
        return "\n".join([*lines, *([f"  token for REST   {self._token}"] if self._token else [])])

    def _invitation(self) -> str:
        """To paste into a mail: for the first room without a PIN, else for the echo."""
        name = next((room.name for room in self._directory.rooms() if room.pin is None), None)
        if name is None:
            return ""
        uri = self.uri(name, self.hosts[0])
        return f"Invitation to paste:\n  Join the meeting with any SIP phone: {uri}\n\n{qr_code(uri)}"


def qr_code(text: str) -> str:
    """A QR code for a terminal."""
    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n")


def reachable(unspecified: str) -> list[str]:
    """For an address that means all of them: the address by which this machine's packets go out, and loopback."""
    is_six = ":" in unspecified
    found = []
    try:
        host = local_host_towards(OUTSIDE[1] if is_six else OUTSIDE[0])
        if not ip_address(host).is_link_local:
            found.append(host)
    except OSError:
        pass
    return [*found, "::1" if is_six else "127.0.0.1"]


def _short(path: Path) -> str:
    home = str(Path.home())
    text = str(path)
    return "~" + text[len(home):] if home != "/" and text.startswith(home + "/") else text
