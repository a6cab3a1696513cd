"""Which of our addresses a peer is told; what our networks are by the kernel's own table."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from mcu.addresses import Addresses, networks_at_hand

OURS = Addresses("203.0.113.7", [ip_network("192.168.5.0/24"), ip_network("198.51.100.64/26")])


@pytest.mark.parametrize(("local", "peer", "told"), [
    ("192.168.5.2", "8.8.4.4", "203.0.113.7"),                  # came through the NAT
    ("192.168.5.2", "192.168.5.40", "192.168.5.2"),             # in our own network
    ("192.168.5.2", "192.168.5.1", "192.168.5.2"),              # the router turned a neighbour's call round
    ("10.8.0.1", "10.8.7.3", "10.8.0.1"),                       # private, though in none of our networks: a VPN behind a router
    ("100.100.0.1", "100.90.3.4", "100.100.0.1"),
    ("198.51.100.70", "198.51.100.90", "198.51.100.70"),        # a second interface, in a public network
    ("192.168.5.2", "198.51.100.10", "203.0.113.7"),            # the same provider, another network
    ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("192.168.5.2", "::ffff:192.168.5.9", "192.168.5.2"),
    ("2001:db8::2", "2001:db8:f::9", "2001:db8::2"),            # the public address is of the other family
])
def test_each_peer_is_told_the_address_that_it_can_reach(local: str, peer: str, told: str) -> None:
    assert OURS.towards(local, peer) == told


def test_without_a_public_address_everybody_is_told_what_they_reached() -> None:
    assert Addresses().towards("192.168.5.2", "8.8.4.4") == "192.168.5.2"


def test_a_public_address_of_ipv6_is_for_those_who_came_over_it() -> None:
    ours = Addresses("2001:db8::7")
    assert ours.towards("fd00::2", "2001:db8:9::1") == "2001:db8::7"
    assert ours.towards("fd00::2", "fd00::9") == "fd00::2"
    assert ours.towards("192.168.5.2", "8.8.4.4") == "192.168.5.2"


def test_networks_are_read_from_the_routing_table(tmp_path: Path) -> None:
    four, six = tmp_path / "route", tmp_path / "ipv6_route"
    four.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t0000000A\t0102A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n", "ascii")
    zero, none = "0" * 32, "00"
    six.write_text(
        f"fd000000000000000000000000000000 40 {zero} {none} {zero} 00000100 00000001 00000000 00000001     eth0\n"
        f"{zero} 00 {zero} {none} fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
        f"fd000000000000000000000000000002 80 {zero} {none} {zero} 00000000 00000003 00000000 80200001     eth0\n"
        f"ff000000000000000000000000000000 08 {zero} {none} {zero} 00000100 00000003 00000000 00000001     eth0\n", "ascii")
    assert networks_at_hand(four, six) == (ip_network("192.168.2.0/24"), ip_network("fd00::/64"))
    assert networks_at_hand(tmp_path / "none", tmp_path / "none") == ()
    assert all(network.prefixlen for network in networks_at_hand())
