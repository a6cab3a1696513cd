"""ICE-lite against the checks of a full agent, made here by hand; what is no valid check gets no answer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.ice import (
    CONSENT_S,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    MAX_CANDIDATES,
    MAX_PAIRS,
    PRIORITY,
    USE_CANDIDATE,
    Address,
    Candidate,
    ConsentLost,
    IceEvent,
    IceLite,
    PairSelected,
    RemoteIce,
    is_blocked,
    parse_candidates,
)
from rtp.sdp.parser import parse
from rtp.stun import ERROR, SUCCESS, UNKNOWN_ATTRIBUTES, USERNAME, Message, binding_request, check_fingerprint, check_integrity

HOME: Address = ("192.0.2.1", 4000)
MOBILE: Address = ("198.51.100.7", 5000)
PASSWORD = "theirpasswordof22chars"
THEIRS = RemoteIce("ufrag", PASSWORD)
CANDIDATES = (
    "1 1 UDP 2130706431 192.0.2.1 4000 typ host",
    "2 1 udp 1694498815 198.51.100.7 5000 typ srflx raddr 192.0.2.1 rport 4000 generation 0",
)


def agent(*components: int) -> IceLite:
    """A lite agent that knows its peer."""
    ice = IceLite(random.Random(1).randbytes, components=components or (1,))
    ice.set_remote(THEIRS)
    return ice


def check(ice: IceLite, *extra: tuple[int, bytes], nominate: bool = False, password: str | None = None,
          username: str | None = None, fingerprint: bool = True, controlling: bool = True) -> bytes:
    """A check as a full and controlling agent makes it."""
    message = binding_request(bytes(range(12)))
    message = message.with_attribute(USERNAME, (username or f"{ice.ufrag}:ufrag").encode())
    message = message.with_attribute(PRIORITY, (1 << 24).to_bytes(4))
    message = message.with_attribute(ICE_CONTROLLING if controlling else ICE_CONTROLLED, bytes(8))
    if nominate:
        message = message.with_attribute(USE_CANDIDATE, b"")
    for kind, value in extra:
        message = message.with_attribute(kind, value)
    return message.encode((password or ice.password).encode(), fingerprint=fingerprint)


def events(ice: IceLite) -> list[IceEvent]:
    """All that happened."""
    return list(iter(ice.next_event, None))


def test_valid_check_is_answered_with_its_source_and_our_integrity() -> None:
    ice = agent()
    reply = ice.receive(check(ice), MOBILE, 1, 0.0)
    assert reply is not None and check_fingerprint(reply) and check_integrity(reply, ice.password.encode())
    answer = Message.parse(reply)
    assert (answer.kind, answer.mapped_address, answer.transaction_id) == (SUCCESS, MOBILE, bytes(range(12)))
    assert ice.counters.answered == 1 and ice.is_valid(MOBILE) and not ice.is_valid(HOME)


def test_ipv6_source_is_told() -> None:
    ice = agent()
    reply = ice.receive(check(ice), ("2001:db8::7", 9), 1, 0.0)
    assert reply is not None and Message.parse(reply).mapped_address == ("2001:db8::7", 9)


def test_wrong_password_ufrag_or_no_fingerprint_gets_no_answer() -> None:
    ice = agent()
    wrong = [check(ice, password="x" * 22), check(ice, username="other:ufrag"), check(ice, username=ice.ufrag),
             check(ice, username=f"x{ice.ufrag}:ufrag"), check(ice, fingerprint=False),
             binding_request(bytes(12)).encode(fingerprint=True)]
    assert [ice.receive(data, HOME, 1, 0.0) for data in wrong] == [None] * 6
    assert ice.counters.unauthorized == 5 and ice.counters.malformed == 1 and ice.counters.answered == 0
    assert ice.selected_address() is None and events(ice) == []


def test_answers_and_indications_and_other_components_get_no_answer() -> None:
    ice = agent()
    reply = ice.receive(check(ice), HOME, 1, 0.0)
    assert reply is not None and ice.receive(reply, HOME, 1, 0.0) is None
    assert ice.receive(Message(1, 1, bytes(12)).encode(ice.password.encode(), fingerprint=True), HOME, 1, 0.0) is None
    assert ice.receive(check(ice), HOME, 2, 0.0) is None


def test_first_valid_check_selects_and_a_nomination_moves() -> None:
    ice = agent()
    ice.receive(check(ice), HOME, 1, 0.0)
    ice.receive(check(ice), MOBILE, 1, 0.1)
    assert ice.selected_address() == HOME
    ice.receive(check(ice, nominate=True), MOBILE, 1, 0.2)
    ice.receive(check(ice), HOME, 1, 0.3)
    assert ice.selected_address() == MOBILE
    assert events(ice) == [PairSelected(1, HOME), PairSelected(1, MOBILE)]


def test_of_several_nominations_the_last_wins_and_a_repeated_one_changes_nothing() -> None:
    ice = agent()
    for source in (HOME, MOBILE, MOBILE, HOME):
        ice.receive(check(ice, nominate=True), source, 1, 0.0)
    assert ice.selected_address() == HOME
    assert events(ice) == [PairSelected(1, HOME), PairSelected(1, MOBILE), PairSelected(1, HOME)]


def test_address_that_no_candidate_names_is_taken_when_its_check_is_valid() -> None:
    ice = agent()
    ice.set_remote(RemoteIce("ufrag", PASSWORD, parse_candidates(CANDIDATES)))
    ice.receive(check(ice, nominate=True), ("203.0.113.5", 6000), 1, 0.0)
    assert ice.selected_address() == ("203.0.113.5", 6000)


def test_components_are_selected_each_for_itself() -> None:
    ice = agent(1, 2)
    ice.receive(check(ice, nominate=True), HOME, 1, 0.0)
    assert ice.selected_address(2) is None
    ice.receive(check(ice, nominate=True), (HOME[0], 4001), 2, 0.0)
    assert ice.selected_address(1) == HOME and ice.selected_address(2) == (HOME[0], 4001)


def test_peer_that_says_it_is_controlled_is_told_of_the_conflict() -> None:
    ice = agent()
    reply = ice.receive(check(ice, controlling=False), HOME, 1, 0.0)
    assert reply is not None and Message.parse(reply).error == (487, "Role Conflict")
    assert check_integrity(reply, ice.password.encode()) and ice.selected_address() is None and ice.counters.conflicts == 1


def test_check_without_priority_is_a_bad_request_and_an_unknown_attribute_is_named() -> None:
    ice = agent()
    bare = binding_request(bytes(12)).with_attribute(USERNAME, f"{ice.ufrag}:x".encode())
    reply = ice.receive(bare.encode(ice.password.encode(), fingerprint=True), HOME, 1, 0.0)
    assert reply is not None and Message.parse(reply).error == (400, "Bad Request")
    reply = ice.receive(check(ice, (0x7FFE, b"what"), (0xC057, b"fine")), HOME, 1, 0.0)
    assert reply is not None
    answer = Message.parse(reply)
    assert answer.kind == ERROR and answer.error == (420, "Unknown Attribute")
    assert answer.value(UNKNOWN_ATTRIBUTES) == b"\x7f\xfe" and events(ice) == []


def test_silence_of_30_s_is_noticed_once_and_a_check_ends_it() -> None:
    ice = agent()
    assert ice.next_timer() is None
    ice.receive(check(ice, nominate=True), HOME, 1, 10.0)
    ice.receive(check(ice), HOME, 1, 25.0)
    assert ice.next_timer() == 25.0 + CONSENT_S
    ice.handle_timer(54.9)
    assert events(ice) == [PairSelected(1, HOME)]
    ice.handle_timer(55.0)
    ice.handle_timer(60.0)
    assert events(ice) == [ConsentLost(1, HOME)] and ice.next_timer() is None
    ice.receive(check(ice), HOME, 1, 70.0)
    assert ice.next_timer() == 100.0 and ice.selected_address() == HOME


def test_checks_of_others_keep_no_consent() -> None:
    ice = agent()
    ice.receive(check(ice, nominate=True), HOME, 1, 0.0)
    ice.receive(check(ice), MOBILE, 1, 20.0)
    ice.handle_timer(30.0)
    assert ConsentLost(1, HOME) in events(ice)


def test_restart_of_theirs_gives_new_credentials_and_media_goes_on_until_a_new_nomination() -> None:
    ice = agent()
    old = check(ice, nominate=True)
    ice.receive(old, HOME, 1, 0.0)
    before = ice.ufrag, ice.password
    assert ice.set_remote(THEIRS) is False and (ice.ufrag, ice.password) == before
    assert ice.set_remote(RemoteIce("other", PASSWORD)) is True
    assert ice.ufrag != before[0] and ice.password != before[1]
    assert ice.selected_address() == HOME and ice.receive(old, HOME, 1, 1.0) is None
    ice.receive(check(ice, nominate=True), MOBILE, 1, 2.0)
    assert ice.selected_address() == MOBILE


def test_answer_to_a_restart_of_ours_keeps_what_we_offered() -> None:
    ice = agent()
    ice.restart()
    offered = ice.ufrag
    assert ice.set_remote(RemoteIce("other", PASSWORD), is_answer=True) is True and ice.ufrag == offered


def test_remembered_addresses_are_bounded_and_the_selected_one_stays() -> None:
    ice = agent()
    ice.receive(check(ice, nominate=True), HOME, 1, 0.0)
    for port in range(1, 3 * MAX_PAIRS):
        ice.receive(check(ice), ("192.0.2.9", port), 1, float(port))
    valid = [port for port in range(3 * MAX_PAIRS) if ice.is_valid(("192.0.2.9", port))]
    assert len(valid) == MAX_PAIRS - 1 and max(valid) == 3 * MAX_PAIRS - 1 and ice.is_valid(HOME)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "::ffff:224.0.0.1",
                                  "name.local", ""])
def test_blocked_addresses_get_nothing(host: str) -> None:
    assert is_blocked(host)
    assert parse_candidates([f"1 1 UDP 1 {host} 4000 typ host"]) == ()


def test_rules_of_the_caller_block_more() -> None:
    ice = IceLite(random.Random(1).randbytes, blocked=lambda host: host == HOME[0])
    assert ice.receive(check(ice, nominate=True), HOME, 1, 0.0) is None and ice.selected_address() is None
    assert ice.receive(check(ice, nominate=True), MOBILE, 1, 0.0) is not None
    assert not is_blocked("::1") and not is_blocked("127.0.0.1") and not is_blocked("2001:db8::1")


def sdp(lines: str) -> RemoteIce | None:
    """What the lines of a stream say."""
    session = parse(f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n{lines}".encode())
    return RemoteIce.of(session, session.media[0])


MEDIA = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"
CREDENTIALS = f"a=ice-ufrag:ufrag\r\na=ice-pwd:{PASSWORD}\r\n"


def test_lines_of_a_peer_are_read_from_the_stream_or_the_session() -> None:
    lines = "".join(f"a=candidate:{value}\r\n" for value in CANDIDATES)
    remote = sdp(MEDIA + CREDENTIALS + lines)
    assert remote == sdp(CREDENTIALS + MEDIA + lines)
    assert remote is not None and [each.kind for each in remote.candidates] == ["host", "srflx"] and not remote.is_lite
    assert remote.names("192.0.2.1", 4000) and not remote.names("192.0.2.1", 4001)
    lite = sdp("a=ice-lite\r\n" + MEDIA + CREDENTIALS)
    assert lite is not None and lite.is_lite and PASSWORD not in repr(lite)


def test_peer_without_ice_has_none() -> None:
    assert sdp(MEDIA) is None and sdp(MEDIA + "a=ice-ufrag:ufrag\r\n") is None


@pytest.mark.parametrize("lines", [
    f"a=ice-ufrag:abc\r\na=ice-pwd:{PASSWORD}\r\n", f"a=ice-ufrag:{'a' * 257}\r\na=ice-pwd:{PASSWORD}\r\n",
    "a=ice-ufrag:ufrag\r\na=ice-pwd:short\r\n", f"a=ice-ufrag:u:rag\r\na=ice-pwd:{PASSWORD}\r\n",
])
def test_credentials_out_of_bounds_are_refused(lines: str) -> None:
    with pytest.raises(NegotiationFailed):
        sdp(MEDIA + lines)


def test_no_more_than_20_candidates_are_looked_at() -> None:
    assert len(parse_candidates(f"1 1 UDP 1 192.0.2.1 {port} typ host" for port in range(1, 100))) == MAX_CANDIDATES


@pytest.mark.parametrize("value", [
    "", "1 1 TCP 1 192.0.2.1 9 typ host tcptype active", "1 1 UDP 1 192.0.2.1 0 typ host", "1 0 UDP 1 192.0.2.1 9 typ host",
    "1 1 UDP 1 192.0.2.1 65536 typ host", "1 1 UDP 0 192.0.2.1 9 typ host", "1 1 UDP 1 192.0.2.1 9 host",
    "1 1 UDP 1_0 192.0.2.1 9 typ host", "1 1 UDP 1 192.0.2.1 9 typ host\n", "1 1 UDP 1 3f1c.local 9 typ host",
])
def test_candidate_that_cannot_be_used_is_refused(value: str) -> None:
    with pytest.raises(ParseError):
        Candidate.parse(value)


def test_candidates_of_ours_are_written_and_read() -> None:
    ours = Candidate.local("192.0.2.1", 4000), Candidate.local("2001:db8::1", 4000, 2, preference=100)
    assert ours[0].priority == 2130706431 and ours[1].priority < ours[0].priority
    assert parse_candidates(map(str, ours)) == ours
    ice = agent()
    assert ice.attributes(ours[:1]) == (
        ("ice-ufrag", ice.ufrag), ("ice-pwd", ice.password), ("candidate", str(ours[0])),
        ("end-of-candidates", None))
    lines = "".join(f"a={name}:{value}\r\n" for name, value in ice.attributes(ours) if value)
    again = sdp(MEDIA + lines)
    assert again is not None and (again.ufrag, again.password, again.candidates) == (ice.ufrag, ice.password, ours)


@given(st.binary(max_size=120)
       | st.binary(max_size=100).map(lambda tail: b"\0\x01\0" + bytes([len(tail)]) + b"\x21\x12\xa4\x42" + tail))
def test_no_bytes_crash_an_agent(data: bytes) -> None:
    ice = agent()
    assert ice.receive(data, HOME, 1, 0.0) is None and ice.selected_address() is None


@given(st.integers(0, 79), st.integers(1, 255))
def test_damaged_check_gets_no_answer(place: int, change: int) -> None:
    ice = agent()
    data = bytearray(check(ice, nominate=True))
    data[place % len(data)] ^= change
    assert ice.receive(bytes(data), HOME, 1, 0.0) is None and ice.selected_address() is None


@given(st.text(max_size=80) | st.text("0123456789abc UDPtyphost:.", max_size=80).map(lambda tail: "1 1 UDP 1 " + tail))
def test_no_text_crashes_the_candidate_parser(value: str) -> None:
    try:
        assert not is_blocked(Candidate.parse(value).host)
    except ParseError:
        return
