"""Two sockets on one port: the peer's own, and the door at which newcomers are seen."""

from __future__ import annotations

import socket
import time

import pytest

from rtp.kernel import AddressLearnt
from rtp.kernel.addressing import RELEARN_NS
from rtp.kernel.sockets import connect, prepare, receive
from rtp.packet import RtpPacket
from tests.rtp.kernel.table import HOST, Phone, Table, seated, sine

pytestmark = pytest.mark.loopback

SECOND = 50
FLOOD = 40


def bound(host: str = HOST) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    prepare(sock)
    return sock


def foreign(table: Table, number: int) -> int:
    """Packets of others that a leg has been told of."""
    return table.room.statistics(table.now_ns)[number].foreign


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_connected_socket_gets_the_peers_packets_and_the_door_all_others(host: str) -> None:
    with bound(host) as door, bound(host) as peer, bound(host) as stranger, connect(door, peer.getsockname()[:2]) as own:
        address = door.getsockname()
        assert own.getsockname() == address
        for sender in (peer, stranger):
            sender.sendto(sender.getsockname()[1].to_bytes(2), address)
        for sock, sender in ((own, peer), (door, stranger)):
            packet = receive(sock, 0, 0)
            assert packet is not None and packet[0] == sender.getsockname()[1].to_bytes(2)
            assert receive(sock, 0, 0) is None
        own.send(b"hello")
        assert peer.recvfrom(10) == (b"hello", address)


def test_nobody_else_can_take_the_port_of_a_connected_socket() -> None:
    with bound() as door, bound() as peer, connect(door, peer.getsockname()), socket.socket(type=socket.SOCK_DGRAM) as third:
        third.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            third.bind(door.getsockname())


def test_a_flood_of_strangers_costs_a_peer_with_its_own_socket_no_packet() -> None:
    with seated() as table, bound() as stranger:
        phone, listener = table.join(sine(710)), table.join()
        table.run(2 * SECOND)
        for _ in range(SECOND):
            for _ in range(FLOOD):
                stranger.sendto(bytes(172), phone.room_address)
            table.run(1)
        table.run(SECOND)
        figures = table.room.statistics(table.now_ns)[0]
        assert (figures.packets_in, figures.lost, figures.concealed) == (4 * SECOND, 0, 0)
        assert figures.foreign > 0
        assert len(listener.packets) == 4 * SECOND


def test_a_phone_that_moves_is_learnt_at_the_door_within_two_seconds_and_locked_again() -> None:
    with seated() as table:
        phone, _ = table.join(sine(710)), table.join()
        table.run(2 * SECOND)
        phone.socket.close()
        phone.socket = bound()
        moved = phone.socket.getsockname()
        heard_at = 0
        for tick in range(4 * SECOND):
            table.run(1)
            heard_at = heard_at or (tick if AddressLearnt(phone.leg_id, moved) in table.notices else 0)
        silent = RELEARN_NS * SECOND // 1_000_000_000
        assert silent - 5 <= heard_at <= silent + 30           # three times the ten ticks that it takes
        assert len(phone.packets) > SECOND
        count, before = len(phone.packets), foreign(table, 0)
        table.run(2 * SECOND)
        assert len(phone.packets) == count + 2 * SECOND and foreign(table, 0) == before


def test_a_new_address_of_a_reinvite_is_heard_at_once() -> None:
    with seated() as table:
        phone, _ = table.join(sine(710)), table.join()
        table.run(2 * SECOND)
        old, phone.socket = phone.socket, bound()
        table.room.update_leg(phone.leg_id, remote=phone.socket.getsockname(), remote_rtcp=phone.socket.getsockname())
        before = len(phone.packets)
        table.run(3 * SECOND)
        old.close()
        assert len(phone.packets) == before + 3 * SECOND
        assert table.room.statistics(table.now_ns)[0].packets_in == 5 * SECOND


def test_a_private_address_in_the_sdp_gives_way_to_where_the_packets_come_from() -> None:
    with seated() as table:
        nowhere = ("127.77.0.7", 4000)                       # stands for 10.x: an address that means nothing to us
        phone = table.join(sine(710), remote=nowhere, remote_rtcp=nowhere)
        listener = table.join()
        table.run(2 * SECOND)
        assert AddressLearnt(phone.leg_id, phone.socket.getsockname()) in table.notices
        assert len(phone.packets) > SECOND and listener.packets[-1].csrcs == (phone.leg_id,)


def test_what_waited_for_seconds_is_not_played_when_a_leg_joins() -> None:
    with seated() as table, bound() as sock:
        before = table.join(sine(440))
        with socket.socket(type=socket.SOCK_DGRAM) as ours:
            ours.bind((HOST, 0))
            prepare(ours)
            phone = Phone(900, sock, ours.getsockname(), "pcmu")
            for number in range(10):
                sock.sendto(bytes(RtpPacket(0, number, number * 160, 1, b"\x10" * 160)), ours.getsockname())
            time.sleep(0.3)
            sock.sendto(bytes(RtpPacket(0, 10, 1600, 1, b"\x10" * 160)), ours.getsockname())
            spec = table.room.legs[before.leg_id].spec
            changed = {"leg_id": 900, "rtp_fd": ours.detach(), "remote": sock.getsockname(), "remote_rtcp": sock.getsockname()}
            table.room.add_leg(type(spec)(**{name: changed.get(name, getattr(spec, name)) for name in spec.__slots__}))
        table.step()
        assert table.room.statistics(table.now_ns)[1].packets_in == 1
        assert phone.leg_id in table.room.legs
