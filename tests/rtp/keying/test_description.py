"""What clients write of DTLS in their SDP, and who begins the handshake."""

from __future__ import annotations

import pytest

from rtp.errors import NegotiationFailed
from rtp.keying.description import DtlsDescription, answer_setup, role_from_answer
from rtp.keying.dtls import Role
from rtp.sdp.parser import parse
from tests.rtp.keying.certificates import ALICE, BOB

SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
MEDIA = "m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 192.0.2.1\r\n"
OURS = f"a=fingerprint:{ALICE.fingerprint()}\r\n"


def read(text: str) -> DtlsDescription | None:
    """The description of the first stream."""
    session = parse(text.encode())
    return DtlsDescription.of(session, session.media[0])


def test_lines_are_read_from_the_stream_or_else_from_the_session() -> None:
    of_stream = read(SESSION + MEDIA + OURS + "a=setup:actpass\r\na=tls-id:abc\r\n")
    of_session = read(SESSION + OURS + "a=setup:actpass\r\na=tls-id:abc\r\n" + MEDIA)
    assert of_stream == of_session == DtlsDescription((ALICE.fingerprint(),), "actpass", "abc")
    assert read(SESSION + f"a=fingerprint:{BOB.fingerprint()}\r\n" + MEDIA + OURS) == DtlsDescription((ALICE.fingerprint(),))


def test_stream_without_fingerprints_has_no_dtls() -> None:
    assert read(SESSION + MEDIA + "a=setup:actpass\r\n") is None


def test_what_is_written_is_read() -> None:
    ours = DtlsDescription((ALICE.fingerprint(), ALICE.fingerprint("sha-512")), "passive", "x" * 20)
    lines = "".join(f"a={name}:{value}\r\n" for name, value in ours.attributes())
    assert read(SESSION + MEDIA + lines) == ours


@pytest.mark.parametrize("lines", ["a=fingerprint:sha-1 " + ":".join(["00"] * 20) + "\r\n", "a=fingerprint:junk\r\n",
                                   OURS + "a=setup:sideways\r\n"])
def test_fingerprints_and_setups_that_will_not_do_are_refused(lines: str) -> None:
    with pytest.raises(NegotiationFailed):
        read(SESSION + MEDIA + lines)


@pytest.mark.parametrize(("offered", "answered"), [
    ("actpass", "passive"), ("active", "passive"), ("passive", "active"), ("", "passive"),
])
def test_setup_is_answered(offered: str, answered: str) -> None:
    assert answer_setup(offered) == answered


def test_who_likes_to_begin_answers_active() -> None:
    assert answer_setup("actpass", Role.CLIENT) == "active" and Role("active") is Role.CLIENT


def test_nobody_can_begin_with_holdconn_and_an_answer_is_no_actpass() -> None:
    with pytest.raises(NegotiationFailed):
        answer_setup("holdconn")
    with pytest.raises(NegotiationFailed):
        role_from_answer("actpass")
    assert role_from_answer("active") is Role.SERVER and role_from_answer("passive") is Role.CLIENT


def test_new_certificate_or_tls_id_asks_for_a_new_handshake() -> None:
    before = DtlsDescription((ALICE.fingerprint(),), "active", "a")
    assert not DtlsDescription((ALICE.fingerprint(),), "passive", "a").is_new_association(before)
    assert DtlsDescription((BOB.fingerprint(),), "active", "a").is_new_association(before)
    assert DtlsDescription((ALICE.fingerprint(),), "active", "b").is_new_association(before)
