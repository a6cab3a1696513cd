"""CPU time to frame and parse an INVITE of 20 lines with its five core headers, and to build a response.

    python -m bench.sip_parse        (prints one JSON object; times in µs of CPU, the least of several repeats)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from sip.message import Request
from sip.parser import parse_message

INVITE = b"\r\n".join([
    b"INVITE sip:daily@meet.example SIP/2.0",
    b"Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK-74bf9;rport",
    b"Max-Forwards: 70",
    b'From: "Alice Chen" <sip:alice@meet.example>;tag=9fxced76sl',
    b"To: <sip:daily@meet.example>",
    b"Call-ID: 3848276298220188511@192.0.2.7",
    b"CSeq: 2 INVITE",
    b"Contact: <sip:alice@192.0.2.7:5062;transport=udp>",
    b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, REFER, UPDATE",
    b"Supported: replaces, timer, norefersub, gruu, outbound",
    b"User-Agent: a phone 1.0", b"Session-Expires: 1800", b"Min-SE: 90", b"Accept: application/sdp",
    b"Accept-Language: en", b"P-Preferred-Identity: <sip:alice@meet.example>", b"Privacy: none",
    b"Allow-Events: conference, refer", b"Content-Type: application/sdp", b"Content-Length: 129", b"",
    b"v=0\r\no=a 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000",
])


def microseconds(work: Callable[[], object], times: int = 5000, repeats: int = 5) -> float:
    """CPU µs of one call, the least of several repeats."""
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - started) / times * 1e6)
    return round(best, 2)


def parse() -> Request:
    """The INVITE with its core headers."""
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    _ = message.via, message.from_, message.to, message.call_id, message.cseq
    return message


def main() -> None:
    """Measure and print."""
    request = parse()
    print(json.dumps({
        "lines": INVITE.count(b"\r\n", 0, INVITE.index(b"\r\n\r\n")) + 1, "parse_us": microseconds(parse),
        "respond_us": microseconds(lambda: bytes(request.respond(180, to_tag="abc"))),
    }))


if __name__ == "__main__":
    main()
