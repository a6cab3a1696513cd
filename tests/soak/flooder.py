"""A flood of SIP from many addresses, at a bounded rate: junk, strangers' INVITEs, wrong passwords, connections thrown away.

    python -m tests.soak.flooder HOST PORT SECONDS RATE DOMAIN

Prints how many messages it sent. Runs as a process of its own, so that the test's phones keep their time.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time

from tests.helpers import sip_messages

SOURCES = 40
TCP_SHARE = 50
"""One message of so many is a connection, ended by a reset."""


def message(random_: random.Random, host: str, port: int, domain: str) -> bytes:
    """The next message."""
    number = random_.getrandbits(64)
    fields = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:{random_.randrange(1024, 65536)};branch=z9hG4bK{number:x};rport",
        "From": f"<sip:u{number % 1000}@{domain}>;tag={number & 0xFFFF:x}", "Call_ID": f"{number:x}@flood",
        "Contact": f"<sip:u@127.0.0.1:{random_.randrange(1024, 65536)}>",
    }
    room = f"sip:room{number % 5000}@{host}:{port}"
    match random_.randrange(8):
        case 0:
            return random_.randbytes(random_.randrange(1, 1400))
        case 1:
            return b"INVITE " + room.encode() + b" SIP/2.0\r\nVia: " + random_.randbytes(200)
        case 2 | 3 | 4:
            body = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
            return sip_messages.request("INVITE", room, body=body, **fields)
        case 5 | 6:
            credentials = (f'Digest username="u{number % 1000}", realm="{domain}", nonce="{number:x}", uri="{room}", '
                           f'response="{number:032x}"')
            fields |= {"To": f"<sip:u{number % 1000}@{domain}>", "Authorization": credentials}
            return sip_messages.request("REGISTER", f"sip:{host}:{port}", **fields)
        case _:
            return sip_messages.request(random_.choice(("OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE", "CANCEL")), room, **fields)


def main(host: str, port: int, seconds: float, rate: int, domain: str) -> int:
    """Send until the time is over; how many it was."""
    random_ = random.Random(1)
    socks = []
    for number in range(SOURCES):
        socks.append(socket.socket(type=socket.SOCK_DGRAM))
        socks[-1].bind((f"127.0.2.{number + 1}", 0))
        socks[-1].setblocking(False)
    begun, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        while sent < passed * rate:
            sent += 1
            data = message(random_, host, port, domain)
            try:
                if sent % TCP_SHARE:
                    socks[sent % SOURCES].sendto(data, (host, port))
                else:
                    _throw_away(data, host, port, f"127.0.2.{sent // TCP_SHARE % SOURCES + 1}")
            except OSError:
                continue
        time.sleep(0.002)
    return sent


def _throw_away(data: bytes, host: str, port: int, source: str) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.bind((source, 0))
        sock.settimeout(1)
        sock.connect((host, port))
        sock.send(data[:700])


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
