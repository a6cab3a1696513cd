"""The network of a server: ports, addresses, what is outside of a NAT, the certificate."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from mcu.addresses import is_private
from mcu.config import AUTO, ServerConfig
from mcu.doctor.findings import BAD, GOOD, WARNING, Finding
from mcu.errors import McuError
from mcu.public_address import ask_stun
from mcu.welcome import reachable
from sip.aio.resolver import DnsResolver

SOON = timedelta(days=21)
PORTS_A_CALL = 4
FEW_PORTS = 400


def examine(config: ServerConfig, *, is_running: bool, now: datetime) -> Iterator[Finding]:
    """All of it. is_running: a server of this data folder has the ports."""
    hosts = [one for host in config.addresses for one in (reachable(host) if host in ("0.0.0.0", "::") else [host])]
    yield from ports(config, is_running=is_running)
    yield addresses(hosts, config)
    if config.stun_server is not None:
        yield outside(config)
    yield certificate(config.tls_cert or config.data / "tls" / "server.pem", config, now)


def ports(config: ServerConfig, *, is_running: bool) -> Iterator[Finding]:
    """Whether the ports are free, or ours already."""
    if is_running:
        yield Finding("ports", GOOD, "the server has them; it is running")
    else:
        wanted = [("SIP", config.sip_port, "--sip-port"), ("SIP over TLS", config.tls_port, "--tls-port")]
        for name, port, option in wanted:
            if port:
                yield _port(name, port, option, config.addresses, with_udp=option == "--sip-port")
    first, last = config.rtp_ports
    count = last - first + 1
    if count < FEW_PORTS:
        yield Finding("ports", WARNING, f"{count} ports for media are enough for {count // PORTS_A_CALL} calls",
                      "--rtp-ports 20000-29999")


def _port(name: str, port: int, option: str, hosts: Sequence[str], *, with_udp: bool) -> Finding:
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) if with_udp else (socket.SOCK_STREAM,):
            with socket.socket(family, kind) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
                try:
                    probe.bind((host, port))
                    if kind == socket.SOCK_STREAM:
                        probe.listen(1)
                except OSError as error:
                    if error.errno in (97, 99) and host == "::":
                        continue                                        # no IPv6 here
                    what = f"{'TCP' if kind == socket.SOCK_STREAM else 'UDP'} port {port} for {name}"
                    if error.errno == 98:
                        return Finding("ports", BAD, f"{what} is taken by another program",
                                       f"see who has it: sudo ss -lnp 'sport = :{port}'; or choose another one with {option}")
                    return Finding("ports", BAD, f"{what} can't be used on {host}: {error.strerror}",
                                   f"see {option} and --listen")
    return Finding("ports", GOOD, f"{port} for {name} is free")


def addresses(hosts: Sequence[str], config: ServerConfig) -> Finding:
    """Whether phones elsewhere can reach us."""
    shown = ", ".join(hosts) or "none"
    if config.public_address is not None:
        return Finding("addresses", GOOD, f"{shown}; phones outside are told {config.public_address}")
    if not hosts:
        return Finding("addresses", BAD, "this machine has no address", "connect it to a network")
    if all(host in ("127.0.0.1", "::1") for host in hosts):
        return Finding("addresses", WARNING, f"only programs on this machine can call ({shown})", "--listen ADDRESS")
    if all(is_private(host) for host in hosts):
        return Finding("addresses", WARNING, f"only private addresses ({shown}): phones outside of this network hear nothing",
                       "--public-address ADDRESS, and forward the ports of SIP and media to this machine")
    return Finding("addresses", GOOD, shown)


def outside(config: ServerConfig) -> Finding:
    """What the STUN server of the configuration sees of us."""
    assert config.stun_server is not None
    try:
        seen = asyncio.run(ask_stun(config.stun_server, DnsResolver()))
    except McuError as error:
        return Finding("outside", WARNING, str(error), "check stun_server, or set public_address to an address")
    if config.public_address in (None, AUTO, seen):
        return Finding("outside", GOOD, f"seen from outside as {seen}")
    return Finding("outside", BAD, f"phones are told {config.public_address}, but {seen} is what the outside sees",
                   f"--public-address {seen}, or auto")


def certificate(path: Path, config: ServerConfig, now: datetime) -> Finding:
    """Whether the certificate is in date and names the domain."""
    if not config.tls_port:
        return Finding("certificate", WARNING, "TLS is switched off: who is on the way reads who calls whom",
                       "leave out --tls-port 0")
    if not path.exists() and config.tls_cert is None:
        return Finding("certificate", GOOD, "one is made at the first start")
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        return Finding("certificate", BAD, f"{path} can't be used: {error}", "--tls-cert FILE with a certificate in PEM")
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    renew = ("renew it, and send SIGHUP to the server" if config.tls_cert
             else f"remove {path.parent} and start again: phones will ask")
    if now > ends:
        return Finding("certificate", BAD, f"it has expired on {ends:%Y-%m-%d}: phones refuse it", renew)
    if now < begins:
        return Finding("certificate", BAD, f"it holds from {begins:%Y-%m-%d} on, and today is {now:%Y-%m-%d}",
                       "set the clock right")
    if ends - now < SOON:
        return Finding("certificate", WARNING, f"it expires on {ends:%Y-%m-%d}", renew)
    return Finding("certificate", GOOD, f"holds until {ends:%Y-%m-%d}")


def today() -> datetime:
    """Now, by the system's clock."""
    return datetime.now(UTC)
