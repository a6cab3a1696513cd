"""The bad network of the tests does what it says, so that other tests may rely on it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from rtp.sdp.parser import parse
from tests.helpers.netem import Bursts, Conditions, Netem, UdpRelay, redirect_sdp


def through(conditions: Conditions, count: int = 4000, seed: int = 1) -> tuple[Netem, list[tuple[float, int]]]:
    """A stream of 20 ms packets through a path: (when it came out, its number) each."""
    path, out = Netem(conditions, seed), []
    for tick in range(count * 20 + 2000):
        if tick % 20 == 0 and tick < count * 20:
            path.push((tick // 20).to_bytes(4) + bytes(156), tick / 1000)
        out += [(tick / 1000, int.from_bytes(data[:4])) for data in path.due(tick / 1000)]
    assert path.next_time() is None
    return path, out


def test_clean_path_gives_all_at_once_and_in_order() -> None:
    _, out = through(Conditions(), 50)
    assert out == [(i * 20 / 1000, i) for i in range(50)]


def test_same_seed_gives_the_same_fate_and_another_seed_another() -> None:
    bad = Conditions(loss=0.1, jitter_ms=30, duplicate=0.1, reorder=0.1)
    assert through(bad, 200, 5)[1] == through(bad, 200, 5)[1] != through(bad, 200, 6)[1]


def test_loss_at_random_is_the_share_that_was_asked_for() -> None:
    path, out = through(Conditions(loss=0.05))
    assert 4000 - len(out) == path.lost
    assert 0.035 < path.lost / 4000 < 0.065


def test_bursts_lose_in_runs() -> None:
    _, out = through(Conditions(bursts=Bursts(to_bad=0.01, to_good=0.2)), 20000)
    numbers = [number for _, number in out]
    runs = [b - a - 1 for a, b in pairwise(numbers) if b > a + 1]
    assert 0.03 < sum(runs) / 20000 < 0.07
    assert 3.5 < sum(runs) / len(runs) < 7


def test_delay_and_jitter_lie_between_their_bounds() -> None:
    _, out = through(Conditions(delay_ms=40, jitter_ms=30), 500)
    extra = [at - number * 0.02 for at, number in out]
    assert min(extra) >= 0.04 and max(extra) <= 0.0711 and max(extra) - min(extra) > 0.02


def test_jitter_lets_packets_overtake_unless_the_path_keeps_order() -> None:
    def is_ordered(out: list[tuple[float, int]]) -> bool:
        return [number for _, number in out] == sorted(number for _, number in out)

    assert not is_ordered(through(Conditions(jitter_ms=60))[1])
    assert is_ordered(through(Conditions(jitter_ms=60, keeps_order=True))[1])


def test_held_back_packets_are_overtaken() -> None:
    path, out = through(Conditions(reorder=0.1, reorder_ms=50), 500)
    late = [number for at, number in out if at - number * 0.02 > 0.04]
    assert len(late) == path.held_back > 20


def test_stall_holds_back_and_lets_all_go_at_once_in_order() -> None:
    path = Netem(Conditions())
    path.stall(until=0.6)
    for number in range(10):
        path.push(bytes([number]), number / 50)
    assert path.due(0.59) == [] and path.due(0.6) == [bytes([number]) for number in range(10)]
    path.push(b"after", 0.7)
    assert path.due(0.7) == [b"after"]


def test_duplicates_come_twice() -> None:
    path, out = through(Conditions(duplicate=0.1), 500)
    assert len(out) == 500 + path.duplicated and path.duplicated > 20


def test_slow_link_delays_and_its_full_queue_drops() -> None:
    path, out = through(Conditions(rate_bps=32_000, queue_bytes=1600), 500)         # 64 kbit/s are offered
    assert 230 < len(out) < 270 and path.overflowed == 500 - len(out)
    assert 0.3 < max(at - number * 0.02 for at, number in out) < 0.45


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


loopback: Callable[..., object] = pytest.mark.loopback


@loopback
def test_relay_carries_both_ways_and_shows_the_server_its_own_address(server: socket.socket, client: socket.socket) -> None:
    with UdpRelay(server.getsockname(), up=Conditions(delay_ms=5)) as relay:
        client.sendto(b"question", relay.address)
        data, source = server.recvfrom(100)
        assert data == b"question" and source == relay.outside
        server.sendto(b"answer", source)
        data, source = client.recvfrom(100)
        assert data == b"answer" and source == relay.address


@loopback
def test_rebound_relay_comes_from_another_port_and_still_finds_the_client(server: socket.socket, client: socket.socket) -> None:
    with UdpRelay(server.getsockname()) as relay:
        client.sendto(b"1", relay.address)
        before = server.recvfrom(100)[1]
        after = relay.rebind()
        client.sendto(b"2", relay.address)
        assert server.recvfrom(100) == (b"2", after) and after != before
        server.sendto(b"3", after)
        assert client.recvfrom(100)[0] == b"3"


@loopback
def test_relay_loses_what_it_should_and_counts_it(server: socket.socket, client: socket.socket) -> None:
    model = Netem(Conditions(loss=0.3), seed=3)
    for number in range(50):
        model.push(bytes([number]), 0.0)
    expected = model.due(0.0)
    with UdpRelay(server.getsockname(), up=Conditions(loss=0.3), seed=3) as relay:
        for number in range(50):
            client.sendto(bytes([number]), relay.address)
        assert [server.recvfrom(100)[0] for _ in expected] == expected
    assert (relay.up.pushed, relay.up.lost) == (50, 50 - len(expected))
    assert 5 < relay.up.lost < 25


def test_sdp_is_turned_to_the_relay() -> None:
    sdp = (b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
           b"m=audio 4000 RTP/AVP 0\r\na=rtcp:4009\r\na=sendrecv\r\n")
    session = parse(redirect_sdp(sdp, "127.0.0.1", 7000))
    assert [media.port for media in session.media] == [0, 7000]
    assert session.host_of(session.media[1]) == "127.0.0.1"
    assert session.media[1].attributes == (("sendrecv", None),)
