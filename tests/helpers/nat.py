"""An internet of namespaces: a server behind a one-to-one NAT, and homes behind symmetric NATs. Needs root, iproute2, nftables.

    with Internet(homes=2) as internet:
        start_server(..., prefix=internet.in_server())
        start_phone(..., prefix=internet.in_home(0))

        home 0 ── NAT 0 ──┐
                          ├── the net ── NAT of the server ── server
        home 1 ── NAT 1 ──┘

Every home has the same private network and the same address in it. A home's NAT gives each destination a port of its own at
random (symmetric), lets nothing in that was not asked for, and forgets a way over which nothing went for `idle_s`. The
server's NAT has one public address, all of whose ports are the server's. Nothing is left behind.
"""

from __future__ import annotations

import itertools
import os
import subprocess

PUBLIC_SERVER, PRIVATE_SERVER, PRIVATE_PHONE = "203.0.113.10", "192.168.50.2", "192.168.1.10"
_numbers = itertools.count()
HOME_NAT = """
table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    oifname "outside" masquerade random,fully-random
  }
}
table ip filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    iifname "inside" accept
    ct state established,related accept
  }
  chain in {
    type filter hook input priority 0; policy drop;
    iifname { "inside", "lo" } accept
    ct state established,related accept
  }
}
"""
SERVER_NAT = f"""
table ip nat {{
  chain out {{
    type nat hook postrouting priority 100;
    oifname "outside" snat to {PUBLIC_SERVER}
  }}
  chain in {{
    type nat hook prerouting priority -100;
    iifname "outside" ip daddr {PUBLIC_SERVER} dnat to {PRIVATE_SERVER}
  }}
}}
"""


def _run(*command: str, check: bool = True, text: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=text)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Internet:
    """The namespaces of one test. homes: how many; idle_s: how long a home's NAT remembers a way that is not used."""

    def __init__(self, homes: int = 2, idle_s: int = 8) -> None:
        self.homes, self.idle_s = homes, idle_s
        self._tag = f"nat{os.getpid() % 100000}x{next(_numbers)}"
        self._made: list[str] = []

    def __enter__(self) -> Internet:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self._made):
            _run("ip", "netns", "del", name, check=False)

    def public_home(self, index: int) -> str:
        """The public address of a home's NAT."""
        return f"198.51.100.{4 * index + 2}"

    def in_server(self) -> tuple[str, ...]:
        """What to put before a command that runs at the server."""
        return ("ip", "netns", "exec", self._name("server"))

    def in_home(self, index: int) -> tuple[str, ...]:
        """What to put before a command that runs in a home."""
        return ("ip", "netns", "exec", self._name(f"home{index}"))

    def in_net(self) -> tuple[str, ...]:
        """What to put before a command that runs in the middle, where all packets pass with their public addresses."""
        return ("ip", "netns", "exec", self._name("net"))

    def rebind(self, index: int) -> None:
        """Let a home's NAT forget all its ways, as after a restart: what goes out next gets another port."""
        name, address = self._name(f"nat{index}"), self.public_home(index)
        _run("ip", "-n", name, "addr", "del", f"{address}/30", "dev", "outside")      # masquerading forgets with it
        _run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", "outside")
        _run("ip", "-n", name, "route", "add", "default", "via", f"198.51.100.{4 * index + 1}")

    # ---- building

    def _name(self, what: str) -> str:
        return f"{self._tag}-{what}"

    def _add(self, what: str, *, forwards: bool) -> None:
        name = self._name(what)
        _run("ip", "netns", "add", name)
        self._made.append(name)
        _run("ip", "-n", name, "link", "set", "lo", "up")
        self._write(what, "net.ipv4.ip_forward", int(forwards))

    def _write(self, what: str, key: str, value: int) -> None:
        path = "/proc/sys/" + key.replace(".", "/")
        _run("ip", "netns", "exec", self._name(what), "sh", "-c", f"echo {value} > {path}")

    def _link(self, upper: str, upper_device: str, upper_address: str, lower: str, lower_device: str,
              lower_address: str) -> None:
        """Two namespaces joined by a cable; the lower one's default route leads to the upper one."""
        _run("ip", "-n", self._name(upper), "link", "add", upper_device, "type", "veth", "peer", "name", lower_device,
             "netns", self._name(lower))
        for where, device, address in ((upper, upper_device, upper_address), (lower, lower_device, lower_address)):
            _run("ip", "-n", self._name(where), "addr", "add", address, "dev", device)
            _run("ip", "-n", self._name(where), "link", "set", "dev", device, "up")
        _run("ip", "-n", self._name(lower), "route", "add", "default", "via", upper_address.partition("/")[0])

    def _build(self) -> None:
        self._add("net", forwards=True)
        self._add("gate", forwards=True)
        self._add("server", forwards=False)
        self._link("net", "server", "203.0.113.9/30", "gate", "outside", f"{PUBLIC_SERVER}/30")
        self._link("gate", "inside", "192.168.50.1/24", "server", "eth", f"{PRIVATE_SERVER}/24")
        self._rules("gate", SERVER_NAT)
        for index in range(self.homes):
            nat, home = f"nat{index}", f"home{index}"
            self._add(nat, forwards=True)
            self._add(home, forwards=False)
            self._link("net", f"h{index}", f"198.51.100.{4 * index + 1}/30", nat, "outside", f"{self.public_home(index)}/30")
            self._link(nat, "inside", "192.168.1.1/24", home, "eth", f"{PRIVATE_PHONE}/24")
            self._rules(nat, HOME_NAT)
            for key in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
                self._write(nat, f"net.netfilter.{key}", self.idle_s)

    def _rules(self, what: str, rules: str) -> None:
        _run("ip", "netns", "exec", self._name(what), "nft", "-f", "-", text=rules)
