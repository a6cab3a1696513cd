"""Forwarded packets a second and CPU time for each: one sender to 10 and to 50 receivers, ten to ten; plain and protected.

    python -m bench.forward [--seconds N] [--sizes 1x10,1x50,10x10]        (prints one JSON object)

Each sender makes 30 pictures a second of 1.5 Mbit/s in packets of 1200 bytes at most, each picture at once, as an encoder
does, in real time. The forwarder runs in this process; it is looked at every 5 ms and drained when something waits, and every
20 ms in any case, as by a worker. Its CPU time is what `time.process_time` says of this, the system's part included.
`received` is the share of packets that the receivers found in their sockets.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time

from rtp.kernel.forwarder import Forwarder
from rtp.kernel.video_spec import PortSpec, ProducerSpec, SlotSpec
from rtp.packet import RtpPacket, is_rtcp
from rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, SessionKeys, Suite
from rtp.srtp.session import SrtpSession

HOST = "127.0.0.1"
PICTURES_A_SECOND, PICTURE_BYTES, PACKET_BYTES = 30, 6250, 1188
LOOKS_A_PICTURE, LOOKS_A_DRAIN = 7, 4
RECEIVE_BUFFER = 1 << 20
FORMATS = ((97, "h264", 1),)
SUITES: dict[str, Suite | None] = {"plain": None, "aes_cm": AES_CM_128_HMAC_SHA1_80, "aes_gcm": AEAD_AES_128_GCM}


def bound() -> socket.socket:
    """A UDP socket on loopback."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


def keys(suite: Suite | None, is_ours: bool) -> SessionKeys | None:
    """The keys of either side."""
    if suite is None:
        return None
    one, two = (MasterKey.of(suite, bytes([value]) * suite.master_length) for value in (1, 2))
    return SessionKeys(suite, one, two) if is_ours else SessionKeys(suite, two, one)


class Person:
    """A participant: a socket, a port of the forwarder, and what it sends."""

    def __init__(self, forwarder: Forwarder, number: int, suite: Suite | None) -> None:
        self.socket = bound()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        ours = bound()
        self.number = number
        self.room = ours.getsockname()
        remote = self.socket.getsockname()
        forwarder.add_port(PortSpec(number, ours.detach(), -1, remote, remote, True, HOST, 1000 + number, "bench",
                                    keys=keys(suite, True)))
        their_keys = keys(suite, False)
        self._srtp = None if their_keys is None else SrtpSession(their_keys)
        self._sequence = 0
        self.received = 0

    def empty(self) -> None:
        """Take what has come, and count what is no report."""
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return
            self.received += not is_rtcp(data)

    def picture(self, count: int) -> list[bytes]:
        """The packets of the next picture."""
        payloads = -(-PICTURE_BYTES // PACKET_BYTES)
        size = PICTURE_BYTES // payloads
        made = []
        for index in range(payloads):
            head = bytes((0x7C, 0x85 if count % 300 == 0 and index == 0 else 0x05))
            packet = bytes(RtpPacket(97, self._sequence & 0xFFFF, count * 3000, self.number, head + bytes(size),
                                     index == payloads - 1))
            self._sequence += 1
            made.append(packet if self._srtp is None else self._srtp.protect(packet) or b"")
        return made


def measure(senders: int, receivers: int, suite: Suite | None, seconds: float) -> dict[str, float]:
    """µs of CPU for each forwarded packet, packets forwarded a second of CPU, and how many there were."""
    forwarder = Forwarder(1)
    people = [Person(forwarder, number, suite) for number in range(1, max(senders, receivers + (senders == 1)) + 1)]
    for person in people[:senders]:
        forwarder.add_producer(ProducerSpec(person.number, person.number, FORMATS))
    slot_id = 0
    for receiver in people[1 if senders == 1 else 0:]:
        for sender in people[:senders]:
            if sender is not receiver:
                slot_id += 1
                forwarder.add_slot(SlotSpec(slot_id, receiver.number, 100_000 + slot_id, 0, 0, FORMATS))
                forwarder.show(slot_id, sender.number)
    for port in forwarder.ports.values():
        port.estimate.probe(20_000_000)
        port.spec.limit_bps = 0
    poll = select.poll()
    poll.register(forwarder.fileno(), select.POLLIN)
    cpu, looks = 0.0, 0
    wall = time.monotonic()
    for count in range(round(seconds * PICTURES_A_SECOND)):
        for person in people[:senders]:
            for packet in person.picture(count):
                person.socket.sendto(packet, person.room)
        for step in range(LOOKS_A_PICTURE):
            looks += 1
            started = time.process_time()
            if looks % LOOKS_A_DRAIN == 0 or poll.poll(0):
                forwarder.drain(time.monotonic_ns())
            cpu += time.process_time() - started
            for person in people:
                person.empty()
            due = wall + (count + (step + 1) / LOOKS_A_PICTURE) / PICTURES_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
    forwarded = sum(slot.packets for slot in forwarder.slots.values())
    forwarder.close()
    for person in people:
        person.socket.close()
    return {"cpu_us": round(cpu / forwarded * 1e6, 2), "packets_a_cpu_second": round(forwarded / cpu), "packets": forwarded,
            "received": round(sum(person.received for person in people) / forwarded, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of forwarding.")
    parser.add_argument("--seconds", type=float, default=4.0, help="of pictures, in each run")
    parser.add_argument("--sizes", default="1x10,1x50,10x10")
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    for size in options.sizes.split(","):
        senders, receivers = map(int, size.split("x"))
        for name, suite in SUITES.items():
            result[f"{size}_{name}"] = measure(senders, receivers, suite, options.seconds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
