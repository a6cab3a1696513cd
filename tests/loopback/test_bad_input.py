"""Bad SIP against a running server, beside a call that must not notice: what is refused, how, and at which cost."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from confero.testing import Server, start_server
from sip.auth import DigestClient
from sip.message import Request, Response
from sip.parser import parse_message
from tests.helpers import sip_messages
from tests.helpers.crowd import Crowd, Person
from tests.helpers.stranger import Stranger, cpu_s, figures

pytestmark = pytest.mark.loopback

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
AUDIO = b"m=audio 40000 RTP/AVP 0\r\n"
REFUSED_WITHIN_S = 0.020
MESSAGE_DEADLINE_S = 10.0
"""What sip.aio.stream promises for a message from its first byte to its last."""


class Witness:
    """A call of two in a thread of its own, talking all the time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._is_up = threading.Event()
        self.people: list[Person] = []
        self.slow = Stranger(server, tcp=True)
        self.slow_since = time.monotonic()
        self.slow.send(b"OPTIONS sip:echo@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._talk()))
        self._thread.start()
        assert self._is_up.wait(30)

    async def _talk(self) -> None:
        async with Crowd(self._server) as crowd:
            self.people = [await crowd.join("witness", hz) for hz in (440, 700)]
            await crowd.talk(0.2)
            self._is_up.set()
            while not self._stop.is_set():
                await crowd.talk(0.1)

    def stop(self) -> None:
        """Hang up."""
        self._stop.set()
        self._thread.join(30)
        self.slow.sock.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this file."""
    running = start_server(tmp_path_factory.mktemp("bad-input") / "server", "--open")
    yield running
    assert running.stop() == 0
    log = running.log.read_text(errors="replace")
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Witness]:
    """The call beside all that."""
    server.json("user", "add", "alice", "--password", "correct-horse")
    server.json("user", "add", "bob", "--password", "battery-staple")
    running = Witness(server)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def call_goes_on(witness: Witness, server: Server) -> Iterator[None]:
    """Every test ends with a server that answers and a call that has lost nothing."""
    before = [len(person.heard) for person in witness.people]
    yield
    with Stranger(server) as honest:
        assert status(honest.ask(honest.request("OPTIONS"))) == 200
    ends_at = time.monotonic() + 5
    while any(len(p.heard) < count + 5 for p, count in zip(witness.people, before, strict=True)):
        assert time.monotonic() < ends_at, "no more audio comes"
        time.sleep(0.01)
    assert [(person.missing, person.ended) for person in witness.people] == [(0, None)] * 2


def status(answer: Response | None) -> int | None:
    """The status of an answer, None for silence."""
    return answer.status if answer is not None else None


def counted(server: Server, name: str) -> int:
    """One of the endpoint's counters."""
    return int(figures(server)["counters"].get(name, 0))


@pytest.mark.parametrize(("expected", "method", "changed"), [
    (405, "FOO", {}),
    (416, "INVITE", {"uri": "tel:+15550100"}),
    (420, "INVITE", {"Require": "teleport, levitate"}),
    (483, "INVITE", {"Max_Forwards": "0"}),
    (415, "INVITE", {"body": b"<html/>", "Content_Type": "text/html"}),
    (415, "INVITE", {"body": OFFER + AUDIO, "Content_Encoding": "gzip"}),
    (481, "BYE", {}), (481, "INFO", {}), (481, "UPDATE", {}), (481, "CANCEL", {}),
    (481, "NOTIFY", {"Event": "conference", "Subscription_State": "active", "body": b"<!DOCTYPE a [" + b"<a>" * 10000}),
    (401, "MESSAGE", {"body": b"hello"}), (401, "SUBSCRIBE", {"Event": "conference"}), (401, "REGISTER", {}),
    (400, "OPTIONS", {"Content_Length": "100"}),
    (400, "OPTIONS", {"Content_Length": "-1"}), (400, "OPTIONS", {"Content_Length": "1_0"}),
    (400, "OPTIONS", {"Content_Length": "\u0661"}), (400, "OPTIONS", {"CSeq": "1 INVITE"}),
    (400, "INVITE", {"Contact": None}),
])
def test_what_can_not_be_done_is_refused_with_its_own_status(
        server: Server, expected: int, method: str, changed: dict[str, object]) -> None:
    with Stranger(server) as stranger:
        answer = stranger.ask(stranger.request(method, **changed))              # type: ignore[arg-type]
        assert status(answer) == expected
        assert answer is not None and answer.to.tag
        if expected == 405:
            assert "INVITE" in (answer.headers.get("Allow") or "")
        if expected == 420:
            assert answer.headers.get("Unsupported") == "levitate, teleport"
        if expected == 415:
            assert answer.headers.get("Accept") == "application/sdp"


@pytest.mark.parametrize("data", [
    b"\x00" * 64, b"\xff" * 1400, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"no protocol that anybody knows, and no end",
    b"SIP/2.0 200 OK\r\n\r\n", b"INVITE", b"OPTIONS sip:echo@127.0.0.1 SIP/2.0\r\n\r\n",
    sip_messages.request(CSeq="9" * 800 + " OPTIONS"),
])
def test_what_is_no_sip_is_met_with_silence_and_counted(server: Server, data: bytes) -> None:
    before = figures(server)["counters"]
    with Stranger(server) as stranger:
        assert stranger.ask(data, 0.2) is None
    after = figures(server)["counters"]
    assert sum(after.get(name, 0) - before.get(name, 0) for name in ("junk", "parse errors")) == 1


def test_version_3_is_refused_as_such(server: Server) -> None:
    with Stranger(server) as stranger:
        assert status(stranger.ask(stranger.request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))) == 505


def test_same_request_by_two_ways_is_a_loop(server: Server) -> None:
    with Stranger(server) as stranger:
        same = {"Call_ID": "twice", "From": "<sip:a@b.example>;tag=1", "body": OFFER + AUDIO}
        first = stranger.request("INVITE", **same)                              # type: ignore[arg-type]
        answer = stranger.ask(first)
        assert answer is not None and answer.status == 200
        assert status(stranger.ask(stranger.request("INVITE", **same))) == 482      # type: ignore[arg-type]
        stranger.acknowledge(first, answer)
        assert status(stranger.ask(stranger.inside("BYE", answer, number=2))) == 200


@pytest.mark.parametrize("header", [
    "Subject: a\rVia: evil", "Subject: a\nVia: evil", "Subject: a\x00b", "Content-Length: 5",
    "From: <sip:eve@evil.example>;tag=2", "Call-ID: another", "no header at all",
])
def test_headers_with_two_readings_are_refused(server: Server, header: str) -> None:
    before = counted(server, "parse errors")
    with Stranger(server) as stranger:
        assert status(stranger.ask(stranger.request("OPTIONS", extra=(header,)))) == 400
    assert counted(server, "parse errors") == before + 1


def test_no_line_of_an_answer_comes_out_of_a_name(server: Server) -> None:
    name = '"x\x0bVia: evil\x0c\x1cX-Evil: 1\u2028X-Evil: 2\u0085X-Evil: 3" <sip:a@b.example>;tag=1'
    with Stranger(server) as stranger:
        data = stranger.request("OPTIONS", From=name, extra=("X-Bypass-me : 1",))
        stranger.send(data)
        raw = stranger.sock.recv(65536)
    lines = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [line for line in lines if line.startswith(b"From:")] == [b"From: " + name.encode()]
    assert sum(line.startswith(b"Via:") for line in lines) == 1
    assert not any(line.lower().startswith((b"x-", b"via: evil")) for line in lines)


# ---- size and cost


BIG_SDP = {
    "10000 lines": OFFER + AUDIO + b"a=x\r\n" * 10000,
    "10000 lines that end in LF": b"v=0\n" + b"\n" * 10000,
    "3000 streams": OFFER + b"m=audio 4 RTP/AVP 0\n" * 2900,
    "33 streams": OFFER + AUDIO * 33,
    "20000 formats": OFFER + b"m=audio 40000 RTP/AVP" + b" 0" * 20000 + b"\r\n",
    "a format of 33 bits": OFFER + b"m=audio 40000 RTP/AVP 4294967296\r\n",
}


@pytest.mark.parametrize("name", BIG_SDP)
def test_sdp_bomb_is_refused_at_once(server: Server, name: str) -> None:
    with Stranger(server) as stranger:
        before = cpu_s(server.process.pid)
        assert status(stranger.ask(stranger.request("INVITE", body=BIG_SDP[name]))) in (400, 488)
        assert cpu_s(server.process.pid) - before < 3 * REFUSED_WITHIN_S


@pytest.mark.parametrize(("name", "expected"), [
    ("sdp of 1 MB", 513), ("70 kB without an end", None), ("headers of 20 kB", 513),
])
def test_what_is_too_long_for_a_connection_is_refused_and_the_connection_closed(
        server: Server, name: str, expected: int | None) -> None:
    before = figures(server)
    with Stranger(server, tcp=True) as stranger:
        data = {
            "sdp of 1 MB": stranger.request("INVITE", body=OFFER + AUDIO + b"a=x\r\n" * 200_000),
            "70 kB without an end": b"x" * 70_000,
            "headers of 20 kB": stranger.request("OPTIONS", extra=("Subject: " + "x" * 100,) * 200),
        }[name]
        spent = cpu_s(server.process.pid)
        assert status(stranger.ask(data)) == expected
        assert cpu_s(server.process.pid) - spent < 3 * REFUSED_WITHIN_S
        assert stranger.is_dropped()
    assert figures(server)["counters"]["stream errors"] == before["counters"].get("stream errors", 0) + 1


@pytest.mark.parametrize("length", ["-1", "1_0", "\u0661", "", "5, 6", "99999999999999999999", None])
def test_content_length_that_leads_nowhere_ends_the_connection(server: Server, length: str | None) -> None:
    with Stranger(server, tcp=True) as stranger:
        assert status(stranger.ask(stranger.request("OPTIONS", Content_Length=length))) in (400, 513)
        assert stranger.is_dropped()


def test_what_follows_a_body_on_a_connection_is_no_part_of_it(server: Server) -> None:
    with Stranger(server, tcp=True) as stranger:
        first = stranger.request("OPTIONS", body=b"abc", Content_Type="text/plain") + b"de\r\n\r\n"
        stranger.send(first + stranger.request("OPTIONS", branch="z9hG4bKsmuggled"))
        assert stranger.is_dropped()
        assert [answer.status for answer in stranger.answers] == [200]


def test_body_beyond_its_length_in_a_datagram_is_dropped(server: Server) -> None:
    with Stranger(server) as stranger:
        smuggled = stranger.request("OPTIONS", branch="z9hG4bKsmuggled")
        assert status(stranger.ask(stranger.request("OPTIONS") + smuggled)) == 200
        assert stranger.ask(b"\r\n" * 12, 0.2) is None
        assert len(stranger.answers) == 1


@pytest.mark.parametrize(("expected", "method", "changed"), [
    (200, "OPTIONS", {"extra": ("Accept: application/" + "x" * 40,) * 50}),
    (400, "INVITE", {"Contact": "<sip:" + "%00" * 60 + "@127.0.0.1:1" + "0" * 60 + ">", "body": OFFER + AUDIO}),
    (415, "INVITE", {"body": b"--" + b"x" * 70 + b"\r\n" * 9, "Content_Type": "multipart/mixed;boundary=" + "x" * 5000}),
    (415, "INVITE", {"body": b"--a\r\n\r\n--a--\r\n", "Content_Type": "multipart/mixed;boundary"}),
    (401, "REGISTER", {"Authorization": "Digest " + ", ".join(f'a{n}="{n}"' for n in range(31))}),
    (401, "REGISTER", {"Authorization": 'Digest username="' + "\\\"" * 2000 + '"'}),
    (405, "PUBLISH", {"Event": "presence", "Content_Type": "application/pidf+xml", "body": b"<!DOCTYPE a [" + b"<a>" * 9000}),
])
def test_messages_that_have_brought_other_servers_down_are_answered_at_once(
        server: Server, expected: int, method: str, changed: dict[str, object]) -> None:
    with Stranger(server) as stranger:
        before = cpu_s(server.process.pid)
        assert status(stranger.ask(stranger.request(method, **changed))) == expected          # type: ignore[arg-type]
        assert cpu_s(server.process.pid) - before < 3 * REFUSED_WITHIN_S


def test_strangers_get_one_answer_each_hardly_longer_than_what_they_sent_and_only_where_it_came_from(server: Server) -> None:
    methods = ("INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "REFER", "OPTIONS", "BYE", "CANCEL", "FOO")
    with ExitStack() as stack:
        strangers = [stack.enter_context(Stranger(server)) for _ in methods]
        asked = [stranger.request(method, "alice", body=OFFER + AUDIO if method == "INVITE" else b"",
                                  Via="SIP/2.0/UDP 255.255.255.255:7;branch=z9hG4bKspoofed;rport",
                                  extra=("User-Agent: some phone/1.0 of a usual length",))
                 for method, stranger in zip(methods, strangers, strict=True)]
        for stranger, data in zip(strangers, asked, strict=True):
            stranger.send(data)
        first = [len(stranger.sock.recv(65536)) for stranger in strangers]
        select.select([stranger.sock for stranger in strangers], [], [], 0.7)        # more than T1: nothing is repeated
        for stranger, method, data, length in zip(strangers, methods, asked, first, strict=True):
            stranger.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.sock.recv(65536)
            assert length <= 1.5 * len(data), method


# ---- dialogs of others


def test_bye_with_wrong_tags_does_not_end_a_call(server: Server, witness: Witness) -> None:
    dialog = witness.people[0].call.dialog
    assert dialog is not None
    with Stranger(server) as stranger:
        for ours, theirs in (("wrong", dialog.remote.tag), (dialog.local.tag, "wrong"), ("", ""), ("wrong", "wrong")):
            changed = {"Call_ID": dialog.call_id, "From": "<sip:eve@evil.example>" + (f";tag={ours}" if ours else ""),
                       "To": f"<{server.uri('witness')}>" + (f";tag={theirs}" if theirs else "")}
            assert status(stranger.ask(stranger.request("BYE", "witness", **changed))) == 481


@pytest.mark.parametrize("method", ["BYE", "INVITE", "REFER"])
def test_who_has_listened_to_a_call_can_not_end_or_move_it_from_another_host(
        server: Server, witness: Witness, method: str) -> None:
    dialog = witness.people[0].call.dialog
    assert dialog is not None
    known = {"Call_ID": dialog.call_id, "From": str(dialog.local), "To": str(dialog.remote), "CSeq": f"100 {method}"}
    with Stranger(server, "127.0.0.9") as stranger:
        data = stranger.request(method, "witness", body=OFFER + AUDIO if method == "INVITE" else b"",
                                extra=("Refer-To: <sip:eve@evil.example>",) if method == "REFER" else (), **known)
        assert status(stranger.ask(data)) == 403


def test_cancel_after_the_answer_does_nothing(server: Server) -> None:
    with Stranger(server) as stranger:
        invite = stranger.request("INVITE", body=OFFER + AUDIO, branch="z9hG4bKtolate")
        answer = stranger.ask(invite)
        assert answer is not None and answer.status == 200
        fields = {"From": answer.headers.get("From"), "Call-ID": answer.call_id, "CSeq": "1 CANCEL"}
        assert status(stranger.ask(stranger.request("CANCEL", branch="z9hG4bKtolate", **fields))) == 200
        stranger.acknowledge(invite, answer)
        assert status(stranger.ask(stranger.inside("OPTIONS", answer, number=2))) == 200
        assert status(stranger.ask(stranger.inside("BYE", answer, number=1))) == 500         # CSeq too low
        assert status(stranger.ask(stranger.inside("BYE", answer, number=3))) == 200
        assert status(stranger.ask(stranger.inside("BYE", answer, number=4))) == 481


# ---- registrations


def signed(stranger: Stranger, method: str, name: str, **changed: object) -> Request:
    """A request with alice's credentials, for the challenge that it got."""
    message = parse_message(stranger.request(method, name, **changed))          # type: ignore[arg-type]
    assert isinstance(message, Request)
    challenge = stranger.ask(bytes(message))
    assert challenge is not None and challenge.status == 401
    again(message, 2)
    assert DigestClient("alice", "correct-horse").authorize(message, challenge)
    return message


def again(message: Request, number: int) -> None:
    """Make it another request: the next CSeq, another branch."""
    message.headers.set("CSeq", f"{number} {message.method}")
    message.headers.set("Via", (message.headers.get("Via") or "").replace("z9hG4bK", f"z9hG4bK{number}"))


def as_alice(stranger: Stranger, method: str, name: str, **changed: object) -> Response | None:
    """The answer to a request with alice's credentials."""
    return stranger.ask(bytes(signed(stranger, method, name, **changed)))


def test_registrations_that_make_no_sense_are_refused(server: Server) -> None:
    with Stranger(server) as stranger:
        own = {"To": f"<{server.uri('alice')}>", "From": f"<{server.uri('alice')}>;tag=1"}
        many = tuple(f"Contact: <sip:alice@127.0.0.1:{port}>" for port in range(5000, 5011))
        ten = many[:9]
        contact = f"<sip:alice@127.0.0.1:{stranger.port}>"
        for expected, changed in (
            (400, {"Contact": "*", "Expires": "60"}), (400, {"Contact": "*"}),
            (400, {"Contact": "*", "Expires": "0", "extra": (f"Contact: {contact}",)}),
            (403, {"Contact": None, "extra": many}), (423, {"Contact": contact, "Expires": "5"}),
            (403, {"Contact": contact, "To": f"<{server.uri('bob')}>"}),
            (200, {"Contact": contact, "extra": ten}), (200, {"Contact": "*", "Expires": "0"}),
        ):
            assert status(as_alice(stranger, "REGISTER", "", **(own | changed))) == expected, changed
        assert server.json("reg", "list") == []


def test_credentials_that_were_listened_to_are_of_no_use(server: Server) -> None:
    own = {"To": f"<{server.uri('alice')}>", "From": f"<{server.uri('alice')}>;tag=1"}
    with Stranger(server) as alice, Stranger(server, "127.0.0.5") as eve:
        request = signed(alice, "REGISTER", "", Contact=f"<sip:alice@127.0.0.1:{alice.port}>", **own)
        assert status(alice.ask(bytes(request))) == 200
        again(request, 3)
        for thief in (alice, eve):                          # a nonce belongs to one address, its count to one request
            answer = thief.ask(bytes(request))
            assert answer is not None and answer.status == 401
        invite = signed(alice, "INVITE", "daily", body=OFFER + AUDIO, **own)
        request.headers.set("Authorization", invite.headers.get("Authorization") or "")
        again(request, 4)
        assert status(alice.ask(bytes(request))) == 401
        assert status(as_alice(alice, "REGISTER", "", Contact="*", Expires="0", **own)) == 200


def test_who_has_an_account_can_not_be_told_from_the_challenge(server: Server) -> None:
    with Stranger(server) as stranger:
        shapes = set()
        for name in ("alice", "nobody", "admin"):
            answer = stranger.ask(stranger.request("REGISTER", "", To=f"<{server.uri(name)}>"))
            assert answer is not None
            challenge = (answer.headers.get("WWW-Authenticate") or "").split(", ")
            shapes.add((answer.status, answer.reason, *(key for key, *_ in answer.headers.items_),
                        *(part for part in challenge if not part.startswith("nonce="))))
        assert len(shapes) == 1


def test_name_of_another_account_is_not_lent(server: Server) -> None:
    with Stranger(server) as stranger:
        bob = f"<{server.uri('bob')}>;tag=1"
        for method, changed in (("MESSAGE", {"body": b"x"}), ("INVITE", {"body": OFFER + AUDIO}),
                                ("REFER", {"extra": ("Refer-To: <sip:boss@elsewhere.example>",)})):
            assert status(as_alice(stranger, method, "daily", From=bob, **changed)) == 403
        assert [room["name"] for room in server.json("room", "list")] == ["witness"]


# ---- connections


def test_connections_from_one_address_are_limited_and_others_are_served(server: Server) -> None:
    before = figures(server)
    idle = [Stranger(server, "127.0.0.3", tcp=True) for _ in range(60)]
    try:
        with Stranger(server, "127.0.0.4", tcp=True) as honest:
            assert status(honest.ask(honest.request("OPTIONS"))) == 200
        ends_at = time.monotonic() + 5
        while sum(one.is_dropped(0.001) for one in idle) < 10:
            assert time.monotonic() < ends_at, "nobody was turned away"
        assert sum(one.is_closed for one in idle) == 10
        now = figures(server)
        assert now["refused_connections"] - before["refused_connections"] == 10
        assert now["connections"] - before["connections"] in (50, 51)
    finally:
        for one in idle:
            one.sock.close()
    with Stranger(server, "127.0.0.3", tcp=True) as again:
        assert status(again.ask(again.request("OPTIONS"))) == 200


def test_half_a_message_is_waited_for_no_longer_than_its_deadline(server: Server, witness: Witness) -> None:
    assert witness.slow.is_dropped(3 * MESSAGE_DEADLINE_S)
    assert time.monotonic() - witness.slow_since < 3 * MESSAGE_DEADLINE_S + 5
