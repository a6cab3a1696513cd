"""Which of our addresses a peer is told, in SDP, Contact and Via (`--public-address`, one-to-one NAT; RFC 3261 §8.1.1.7).

The rule, for a server that stands behind NAT and knows its public address:

1. A peer on this machine (loopback) is told loopback.
2. A peer in a network of one of our interfaces, or with a private address at all, came to us without passing our NAT: it is
   told the address of the interface that leads to it.
3. All others came through the NAT and are told the public address, where it is of the family that the call came over.

Without a public address each peer is told the address that it reached. A private address is one of RFC 1918, RFC 6598,
RFC 4193, or of the link alone.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

Network = IPv4Network | IPv6Network
PRIVATE: tuple[Network, ...] = tuple(ip_network(text) for text in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1/128",
))
"""Written out, since `is_private` of the standard library counts the networks of the documentation, too."""
ROUTES_4, ROUTES_6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
MAX_KNOWN = 4096
"""Texts whose meaning is remembered: each call asks for its own and its peer's a dozen times."""
_GATEWAY, _UP, _REJECT = 0x2, 0x1, 0x200


class Addresses:
    """What we tell peers. public: our address as the outside sees it; networks: those of our own interfaces."""

    def __init__(self, public: str | None = None, networks: Iterable[Network] = ()) -> None:
        self.public = public
        self.networks = tuple(networks)

    def towards(self, local: str, peer: str) -> str:
        """The address to tell `peer`, which reached us at our own address `local` (both IP addresses in text form)."""
        if self.public is None or (":" in self.public) != (":" in local):
            return local
        address = plain(peer)
        if address is None or any(address in network for network in (*PRIVATE, *self.networks)):
            return local
        return self.public


@functools.lru_cache(MAX_KNOWN)
def is_private(host: str) -> bool:
    """Whether an address means something in its own network alone; a name is none."""
    address = plain(host)
    return address is not None and any(address in network for network in PRIVATE)


@functools.lru_cache(MAX_KNOWN)
def plain(host: str) -> IPv4Address | IPv6Address | None:
    """An address without scope and without the wrapping of IPv4 in IPv6 (RFC 4291 §2.5.5.2), None for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def networks_at_hand(routes_4: Path = ROUTES_4, routes_6: Path = ROUTES_6) -> tuple[Network, ...]:
    """The networks that our interfaces are in, as the kernel's routing table has them: the routes without a gateway."""
    return tuple(dict.fromkeys((*_networks_4(_rows(routes_4)), *_networks_6(_rows(routes_6)))))


def _rows(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text("ascii").splitlines()]
    except (OSError, UnicodeError):
        return []


def _networks_4(rows: list[list[str]]) -> Iterator[Network]:
    """Rows of /proc/net/route: interface, destination, gateway, flags, three counters, mask; hexadecimal, in host order."""
    for row in rows[1:]:
        destination, flags, mask = int(row[1], 16), int(row[3], 16), int(row[7], 16)
        if flags & (_UP | _GATEWAY | _REJECT) == _UP and mask:
            network, bits = (IPv4Address(value.to_bytes(4, sys.byteorder)) for value in (destination, mask))
            yield IPv4Network(f"{network}/{bits}")


def _networks_6(rows: list[list[str]]) -> Iterator[Network]:
    """Rows of /proc/net/ipv6_route: destination, its length, source, its length, gateway, three counters, flags, interface."""
    for row in rows:
        network, size, flags = IPv6Network((bytes.fromhex(row[0]), int(row[1], 16))), int(row[1], 16), int(row[8], 16)
        if flags & (_UP | _GATEWAY | _REJECT) == _UP and 0 < size < 128 and not network.is_multicast:
            yield network
