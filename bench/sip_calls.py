"""Calls and registrations of two endpoints back to back, without sockets: CPU and memory of the SIP core alone.

    python -m bench.sip_calls        (prints one JSON object; each figure is for both ends together, in CPU time)

A call is INVITE, 100, 180, 200, ACK, BYE, 200; a registration is REGISTER, 401, REGISTER with credentials, 200.
"""

from __future__ import annotations

import json
import os
import time
import tracemalloc

from sip import events
from sip.auth import DigestClient, NonceSource, make_challenge, make_ha1, parse_digest, verify
from sip.endpoint import Endpoint, EndpointSettings
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
PHONE, SERVER = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
ALICE, ROOM = NameAddr.parse("<sip:alice@meet.example>"), Uri.parse("sip:daily@meet.example")
CONTACT = Uri.parse("sip:alice@192.0.2.1:5060")
HA1 = make_ha1("alice", "meet.example", "secret")


class Ends:
    """A phone and a server; what one sends, the other receives at once."""

    def __init__(self) -> None:
        settings = EndpointSettings(max_transactions=10**9, max_dialogs=10**9)
        self.phone, self.server = Endpoint(settings, os.urandom), Endpoint(settings, os.urandom)
        self.there, self.back = Flow("UDP", PHONE, SERVER), Flow("UDP", SERVER, PHONE)
        self.nonces = NonceSource(os.urandom(16))
        self.incoming: Call | None = None
        self.now = 0.0

    def pump(self) -> None:
        """Carry messages and handle events until all is quiet."""
        while True:
            out, answers = self.phone.datagrams_to_send(), self.server.datagrams_to_send()
            for data, _ in out:
                self.server.receive_datagram(data, self.back, self.now)
            for data, _ in answers:
                self.phone.receive_datagram(data, self.there, self.now)
            while (event := self.server.next_event()) is not None:
                self._handle(event)
            while self.phone.next_event() is not None:
                pass
            if not out and not answers:
                return

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.CallReceived(call):
                call.ring(self.now)
                call.accept(SDP, self.now)
                self.incoming = call
            case events.RequestReceived(transaction, request, _):
                status, headers = 200, [("Contact", f"{request.contacts[0]};expires=60")]
                credentials = request.headers.get("Authorization")
                if credentials is None or not verify(parse_digest(credentials), "REGISTER", HA1):
                    status = 401
                    headers = [("WWW-Authenticate", make_challenge("meet.example", self.nonces.make(PHONE[0], self.now)))]
                self.server.respond(transaction, status, headers=headers, now=self.now)

    def call(self) -> Call:
        """Set up a call."""
        call = self.phone.invite(ROOM, from_=ALICE, flow=self.there, contact=CONTACT, now=self.now, offer=SDP)
        self.pump()
        assert call.is_up
        return call

    def pass_time(self, seconds: float) -> None:
        """Let the clock run, and what is due be done."""
        self.now += seconds
        for end in (self.phone, self.server):
            end.handle_timer(self.now)
        self.pump()


def measure_calls(number: int = 3000) -> float:
    """CPU s of one call, set up and ended, the timers of its transactions included; 50 calls/s of virtual time."""
    ends = Ends()
    started = time.process_time()
    for _ in range(number):
        ends.call().hang_up(ends.now)
        ends.pump()
        ends.pass_time(0.02)
    for _ in range(40):
        ends.pass_time(1.0)
    return (time.process_time() - started) / number


def measure_registrations(number: int = 3000) -> float:
    """CPU s of one registration with digest."""
    ends = Ends()
    started = time.process_time()
    for _ in range(number):
        ends.phone.register(Uri.parse("sip:meet.example"), aor=ALICE, contact=CONTACT, flow=ends.there, now=ends.now,
                            credentials=DigestClient("alice", "secret"), expires_s=60)
        ends.pump()
    return (time.process_time() - started) / number


def measure_memory(number: int = 1000) -> float:
    """Bytes that one standing call takes at both ends together, after its transactions are over."""
    ends = Ends()
    tracemalloc.start()
    ends.call()
    ends.pass_time(200.0)
    before = tracemalloc.get_traced_memory()[0]
    calls = [ends.call() for _ in range(number)]
    ends.pass_time(40.0)
    ends.pass_time(200.0)
    taken = (tracemalloc.get_traced_memory()[0] - before) / len(calls)
    tracemalloc.stop()
    return taken


def main() -> None:
    """Measure and print."""
    call_s, registration_s = measure_calls(), measure_registrations()
    print(json.dumps({
        "calls_per_s": round(1 / call_s), "cpu_us_per_call": round(call_s * 1e6, 1),
        "registrations_per_s": round(1 / registration_s), "cpu_us_per_registration": round(registration_s * 1e6, 1),
        "bytes_per_standing_call": round(measure_memory()),
    }))


if __name__ == "__main__":
    main()
