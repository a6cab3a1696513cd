"""The SDP of BFCP streams: what room systems offer, what we answer, and what we refuse and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Fingerprint
from rtp.sdp.floor_control import (
    TCP,
    TLS,
    UDP,
    Floor,
    LocalFloors,
    answer_line,
    apply_answer,
    is_floor_stream,
    offer_line,
    read,
)
from rtp.sdp.model import SessionDescription
from rtp.sdp.parser import parse

OURS, THEIRS = (Fingerprint.of(text) for text in (b"our certificate", b"their certificate"))
LOCAL = LocalFloors("192.0.2.1", 25000, 4711, 10, (Floor(1, ("slides",)), Floor(2)), OURS)


def offer(protocol: str, *lines: str, port: int = 9) -> SessionDescription:
    """An offer with audio, slides and a BFCP line."""
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", "m=audio 4000 RTP/AVP 0",
            "m=video 4002 RTP/AVP 97", "a=content:slides", "a=label:12", f"m=application {port} {protocol} *"]
    return parse("\r\n".join([*head, *(f"a={line}" for line in lines), ""]).encode())


def test_a_room_system_that_connects_is_answered_as_its_server() -> None:
    session = offer(TCP, "floorctrl:c-only", "setup:active", "connection:new")
    line, agreed = answer_line(session, 2, LOCAL)
    assert line.lines() == [
        "m=application 25000 TCP/BFCP *", "c=IN IP4 192.0.2.1", "a=floorctrl:s-only", "a=confid:4711", "a=userid:10",
        "a=floorid:1 mstrm:slides", "a=floorid:2", "a=setup:passive", "a=connection:new",
    ]
    assert (agreed.role, agreed.setup, agreed.we_connect, agreed.index) == ("s-only", "passive", False, 2)


@pytest.mark.parametrize(("offered", "answered"), [
    ("c-only", "s-only"), ("c-only s-only", "s-only"), ("c-s", "c-s"), ("c-s c-only", "s-only"), ("C-S", "c-s")])
def test_we_are_both_only_where_nothing_else_was_offered(offered: str, answered: str) -> None:
    line, agreed = answer_line(offer(UDP, f"floorctrl:{offered}", port=5070), 2, LOCAL)
    assert line.value("floorctrl") == agreed.role == answered


def test_no_floorctrl_means_a_client() -> None:
    assert answer_line(offer(UDP, port=5070), 2, LOCAL)[1].role == "s-only"


@pytest.mark.parametrize(("setup", "ours", "port"), [
    ("active", "passive", 25000), ("actpass", "passive", 25000), ("passive", "active", 9), ("", "passive", 25000)],
    ids=["active", "actpass", "passive", "none"])
def test_whoever_can_connect_does(setup: str, ours: str, port: int) -> None:
    line, agreed = answer_line(offer(TCP, *([f"setup:{setup}"] if setup else []), port=5070), 2, LOCAL)
    assert (line.value("setup"), agreed.setup, line.port) == (ours, ours, port)
    assert agreed.peer.remote == ("192.0.2.9", 5070)


def test_udp_has_addresses_and_no_setup() -> None:
    line, agreed = answer_line(offer(UDP, "floorctrl:c-s", "setup:actpass", "bfcpver:2", port=5070), 2, LOCAL)
    assert not line.has("setup") and not line.has("connection") and line.value("bfcpver") == "2"
    assert (agreed.setup, agreed.peer.remote, agreed.peer.is_reliable) == ("", ("192.0.2.9", 5070), False)


def test_tls_shows_our_fingerprint_and_keeps_theirs() -> None:
    line, agreed = answer_line(offer(TLS, f"fingerprint:{THEIRS}", "setup:actpass"), 2, LOCAL)
    assert line.value("fingerprint") == str(OURS) and agreed.peer.fingerprints == (THEIRS,)


def test_a_connection_that_exists_stays() -> None:
    line, agreed = answer_line(offer(TCP, "setup:active", "connection:existing"), 2, LOCAL)
    assert line.value("connection") == "existing" and not agreed.is_new


@pytest.mark.parametrize(("protocol", "lines", "words"), [
    (TCP, ("floorctrl:s-only",), "only floor control server"), (TCP, ("floorctrl:boss",), "floorctrl"),
    (TCP, ("setup:holdconn",), "holdconn"), (TCP, ("setup:sideways",), "setup"), (TCP, ("setup:passive",), "address"),
    (TLS, ("setup:active",), "fingerprint"), (TLS, ("fingerprint:md5 00:11",), "fingerprint"),
    ("UDP/TLS/BFCP", (), "not spoken"), (UDP, ("bfcpver:1",), "version 2"), (TCP, ("bfcpver:2",), "version 1"),
    (TCP, ("floorid:1 mstrm",), "floorid"), (TCP, ("confid:4294967296",), "confid"), (TCP, ("userid:a",), "userid"),
], ids=["no client", "no role", "holdconn", "no setup", "passive at port 9", "no fingerprint", "bad fingerprint", "DTLS",
        "version 1 over UDP", "version 2 over TCP", "bad floor", "bad confid", "bad userid"])
def test_what_can_not_be_taken_is_refused_with_the_reason(protocol: str, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        answer_line(offer(protocol, *lines), 2, LOCAL)


def test_a_line_that_is_refused_or_is_none_of_bfcp_is_not_answered() -> None:
    for index, port in ((2, 0), (1, 9)):
        with pytest.raises(NegotiationFailed):
            answer_line(offer(TCP, port=port), index, LOCAL)


def test_tls_alone_can_be_asked_for() -> None:
    with pytest.raises(NegotiationFailed, match="not spoken"):
        answer_line(offer(TCP, "setup:active"), 2, replace(LOCAL, protocols=(TLS,)))


@pytest.mark.parametrize("protocol", [TCP, TLS, UDP])
def test_our_offer_is_understood_and_its_answer_too(protocol: str) -> None:
    ours = SessionDescription(1, 1, "192.0.2.1", media=(offer_line(LOCAL, protocol),))
    stream = read(parse(bytes(ours)), ours.media[0])
    assert (stream.conference_id, stream.user_id, stream.floors, stream.roles) == (4711, 10, LOCAL.floors, ("s-only",))
    answered = offer(protocol, "floorctrl:c-only", "setup:active", f"fingerprint:{THEIRS}", port=5070 if protocol == UDP else 9)
    agreed = apply_answer(ours.media[0], 0, replace(answered, media=answered.media[2:]))
    assert (agreed.protocol, agreed.role, agreed.we_connect) == (protocol, "s-only", False)
    with pytest.raises(NegotiationFailed, match="takes no floor control"):
        apply_answer(ours.media[0], 0, replace(answered, media=(answered.media[2].refused(),)))
    with pytest.raises(NegotiationFailed, match="answered"):
        apply_answer(ours.media[0], 1, replace(answered, media=answered.media[:2]))


def test_the_older_spelling_of_mstrm_is_read() -> None:
    assert Floor.parse("1 m-stream:10 11") == Floor(1, ("10", "11")) == Floor.parse("1 mstrm:10 11")
    assert str(Floor(1, ("10", "11"))) == "1 mstrm:10 11"


@pytest.mark.parametrize("value", ["", "x", "65536", "1 2", "1 mstrm:", "1_0", "１"])
def test_a_floor_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ParseError):
        Floor.parse(value)


@given(st.sampled_from(["floorctrl", "confid", "userid", "floorid", "setup", "connection", "bfcpver", "fingerprint"]),
       st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40))
def test_no_attribute_crashes_the_reader(name: str, value: str) -> None:
    session = offer(TLS, f"{name}:{value}")
    assert is_floor_stream(session.media[2])
    try:
        read(session, session.media[2])
    except (ParseError, NegotiationFailed):
        pass
