"""Conference-info documents: written and read back, merged, and refused where they are hostile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip.conference_info import ConferenceInfo, Endpoint, Media, User, merge, parse
from sip.errors import ParseError
from tests.helpers.conference_schema import faults

ALICE = User("sip:alice@example.org", "Alice & <Co>", ("host",),
             (Endpoint("sip:alice@192.0.2.1", media=(Media("audio", 4711, "recvonly", "opus"),), call_id="abc@x",
                       tags=("f1", "t1")),))
BOB = User("sip:bob@example.org", "王小明", (), (Endpoint("sip:bob@192.0.2.2", media=(Media("audio", 12),)),))
FULL = ConferenceInfo("sip:daily@example.org", 1, "full", (ALICE, BOB), "daily", 2, 200, is_locked=True)


def test_a_document_reads_back_as_it_was_written() -> None:
    assert parse(bytes(FULL)) == FULL


def test_a_document_is_as_the_schema_wants_it() -> None:
    dialled = Endpoint("sip:bob@192.0.2.2", "disconnected", joining_method="dialed-out", disconnection_method="busy",
                       reason="486")
    assert faults(bytes(FULL)) == []
    assert faults(bytes(replace(FULL, users=(replace(BOB, endpoints=(dialled,)),), recording="paused"))) == []


@pytest.mark.parametrize(("right", "wrong"), [
    (b"<from-tag>f1</from-tag>", b""), (b"<roles>", b"<endpoint entity='x'/><roles>"), (b'id="1"', b""),
    (b"<status>recvonly</status>", b"<status>muted</status>"), (b'version="1"', b""), (b"<locked>true</locked>", b"<locked/>"),
], ids=["no-tag", "order", "no-id", "status", "no-version", "no-value"])
def test_a_document_that_breaks_the_schema_is_found(right: bytes, wrong: bytes) -> None:
    assert right in bytes(FULL)
    assert faults(bytes(FULL).replace(right, wrong, 1))


def test_a_partial_document_changes_adds_and_removes_users() -> None:
    carol = User("sip:carol@example.org", "Carol")
    update = ConferenceInfo(FULL.entity, 2, "partial", (User(BOB.entity, state="deleted"), carol), user_count=2)
    merged = merge(FULL, parse(bytes(update)))
    assert merged is not None
    assert [user.entity for user in merged.users] == [ALICE.entity, carol.entity]
    assert merged.version == 2


def test_a_missing_version_asks_for_a_full_document() -> None:
    assert merge(FULL, replace(FULL, version=3, state="partial")) is None
    assert merge(None, replace(FULL, version=2, state="partial")) is None


def test_an_old_document_changes_nothing() -> None:
    known = replace(FULL, version=5)
    assert merge(known, replace(FULL, version=4, users=())) is known
    assert merge(known, replace(FULL, version=5, state="partial", users=())) is known


@pytest.mark.parametrize("data", [
    b"", b"<a/>", b"<conference-info>", b"\xff\xfe", b"<" * 1000,
    b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    b"<a>" * 100000 + b"</a>" * 100000,
    b"<a>" + b"x" * 600000 + b"</a>",
], ids=["empty", "foreign", "open", "no text", "junk", "entity", "external", "deep", "large"])
def test_hostile_documents_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse(data)


def test_numbers_that_are_none_count_as_nothing() -> None:
    document = bytes(FULL).replace(b"4711", "١٢".encode()).replace(b'version="1"', b'version="-3"')
    found = parse(document)
    assert found.version == 0
    assert found.users[0].endpoints[0].media[0].src_id == 0


@pytest.mark.parametrize("text", ["\udce5", "a\x0bb", "\x00", "\ufffe", "J\udcfcrgen", "<&\"'>"])
def test_member_with_an_odd_name_or_contact_does_not_cost_the_others_their_roster(text: str) -> None:
    user = User(f"sip:{text}@a.example", text, ("attendee",), (Endpoint(f"sip:{text}@192.0.2.1", call_id=text),))
    bob = User("sip:bob@b.example", "Bob")
    document = bytes(ConferenceInfo("sip:daily@b.example", 1, users=(user, bob), display_text=text))
    assert [user.display_text for user in parse(document).users][1] == "Bob"
