"""Names looked up for RFC 3263: against a name server of the test's own on loopback, and against a table."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from sip.aio import resolver as subject
from sip.aio.resolver import DnsResolver, FixedResolver, LookupTimedOut, Unanswered, find
from sip.routing import Host, Naptr, NoRoute, Question, Record, Srv
from sip.uri import Uri

pytestmark = pytest.mark.loopback

ZONE = {
    ("example.org.", "NAPTR"): (300, ['10 50 "s" "SIP+D2T" "" _sip._tcp.example.org.',
                                      '20 50 "s" "SIP+D2U" "" _sip._udp.example.org.']),
    ("_sip._tcp.example.org.", "SRV"): (300, ["10 1 5070 a.example.org."]),
    ("_sip._udp.example.org.", "SRV"): (300, ["10 1 5060 a.example.org."]),
    ("a.example.org.", "A"): (60, ["192.0.2.1"]),
    ("a.example.org.", "AAAA"): (60, ["2001:db8::1"]),
    ("fast.example.org.", "A"): (0, ["192.0.2.3"]),
}


class NameServer(asyncio.DatagramProtocol):
    """A name server for `ZONE` on a port of its own. `asked` counts; it is silent to the kinds in `silent`."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent: set[str] = set()
        self.address = ("", 0)

    async def __aenter__(self) -> NameServer:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.address = self._transport.get_extra_info("sockname")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a query."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        key = (question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype))
        self.asked[key] += 1
        if key[1] in self.silent:
            return
        reply = dns.message.make_response(query, recursion_available=True)
        if key in ZONE:
            ttl, texts = ZONE[key]
            reply.answer.append(dns.rrset.from_text(question.name, ttl, "IN", key[1], *texts))
        elif not any(name == key[0] for name, _ in ZONE):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(reply.to_wire(), addr)


async def test_a_domain_is_followed_from_naptr_to_addresses() -> None:
    async with NameServer() as server:
        asking = DnsResolver(server=server.address)
        found = await find(Uri.parse("sip:example.org"), asking, chance=random.Random(1))
        assert [str(one) for one in found] == [
            "TCP 192.0.2.1:5070", "TCP [2001:db8::1]:5070", "UDP 192.0.2.1:5060", "UDP [2001:db8::1]:5060"]
        records = await asking.ask(Question("NAPTR", "example.org"))
        assert Naptr(10, 50, "s", "SIP+D2T", "_sip._tcp.example.org.") in records
        assert server.asked[("example.org.", "NAPTR")] == 1                                # the second time from the cache


async def test_answers_are_kept_as_long_as_their_ttl_and_no_longer() -> None:
    now = [1000.0]
    async with NameServer() as server:
        asking = DnsResolver(lambda: now[0], server=server.address)
        question, brief = Question("A", "a.example.org"), Question("A", "fast.example.org")
        for _ in range(3):
            assert await asking.ask(question) == (Host("192.0.2.1"),)
            assert await asking.ask(brief) == (Host("192.0.2.3"),)
        now[0] += subject.SHORTEST_S + 1                       # a TTL of 0 is kept for a moment: a flood of calls asks once
        await asking.ask(question)
        await asking.ask(brief)
        assert server.asked[("a.example.org.", "A")] == 1 and server.asked[("fast.example.org.", "A")] == 2
        now[0] += 60
        await asking.ask(question)
        assert server.asked[("a.example.org.", "A")] == 2


async def test_the_cache_does_not_grow_over_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_CACHED", 3)
    async with NameServer() as server:
        asking = DnsResolver(server=server.address)
        for number in range(5):
            assert await asking.ask(Question("A", f"h{number}.example.net")) == ()
        await asking.ask(Question("A", "h4.example.net"))
        await asking.ask(Question("A", "h0.example.net"))
        assert server.asked[("h4.example.net.", "A")] == 1 and server.asked[("h0.example.net.", "A")] == 2


async def test_a_router_that_drops_naptr_costs_a_moment_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "QUESTION_S", 0.3)
    async with NameServer() as server:
        server.silent = {"NAPTR"}
        found = await find(Uri.parse("sip:example.org"), DnsResolver(server=server.address), families=("A",))
        assert [str(one) for one in found] == ["UDP 192.0.2.1:5060"]


async def test_a_silent_name_server_is_told_from_a_name_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "QUESTION_S", 0.2)
    async with NameServer() as server:
        asking = DnsResolver(server=server.address)
        with pytest.raises(NoRoute, match=r"leads to no address") as refused:
            await find(Uri.parse("sip:nobody.example.com"), asking)
        assert not isinstance(refused.value, LookupTimedOut)
        server.silent = {"NAPTR", "SRV", "A", "AAAA"}
        with pytest.raises(LookupTimedOut, match="did not answer"):
            await find(Uri.parse("sip:other.example.com"), asking)
        with pytest.raises(Unanswered):
            await asking.ask(Question("A", "third.example.com"))


async def test_all_of_a_look_up_has_a_limit() -> None:
    class Slow:
        async def ask(self, question: Question) -> list[Record]:
            await asyncio.sleep(30)
            return []

    with pytest.raises(LookupTimedOut, match="took more than"):
        await find(Uri.parse("sip:example.org"), Slow(), limit_s=0.05)


async def test_names_of_this_machine_and_its_hosts_file_ask_no_server(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# names\n192.0.2.77 pbx.example.org pbx # ours\n2001:db8::77\tPBX.example.org\nnonsense\n\n")
    async with NameServer() as server:
        asking = DnsResolver(server=server.address, hosts=hosts)
        assert await asking.ask(Question("A", "pbx.example.org")) == (Host("192.0.2.77"),)
        assert await asking.ask(Question("AAAA", "pbx.example.org")) == (Host("2001:db8::77"),)
        assert [str(one) for one in await find(Uri.parse("sip:localhost"), asking, families=("A",))] == ["UDP 127.0.0.1:5060"]
        assert [str(one) for one in await find(Uri.parse("sip:pbx:5070"), asking, families=("A",))] == ["UDP 192.0.2.77:5070"]
        with pytest.raises(NoRoute):
            await find(Uri.parse("sip:no-such-host.invalid"), asking)
        assert not server.asked


async def test_a_table_answers_in_place_of_dns() -> None:
    table = FixedResolver({("SRV", "_sip._udp.example.org"): [Srv(1, 1, 5080, "192.0.2.4")]}, frozenset({"silent.example"}))
    found = await find(Uri.parse("sip:example.org;transport=udp"), table)
    assert [str(one) for one in found] == ["UDP 192.0.2.4:5080"]
    assert table.asked == [Question("SRV", "_sip._udp.example.org")]
    with pytest.raises(LookupTimedOut):
        await find(Uri.parse("sip:silent.example:5060"), table)
