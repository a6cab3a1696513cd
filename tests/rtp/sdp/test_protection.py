"""Protected media in offer and answer: which profile and key, under which policy, and what is refused in which words."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rtp.errors import NegotiationFailed
from rtp.keying import sdes
from rtp.keying.certificate import Certificate
from rtp.keying.dtls import Role
from rtp.sdp.model import MediaDescription, SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio, answer, apply_answer, offer
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy, strictest
from rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey

KEY = "inline:" + "A" * 40
LOCAL = LocalMedia("10.0.0.2", 20000, 20001, crypto=sdes.offer(os.urandom))
NO_KEYS = replace(LOCAL, crypto=())
OFF, PREFER, REQUIRE = (Capabilities(srtp=policy) for policy in SrtpPolicy)
LINPHONE = (
    "m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{'B' * 61}w==",
    f"a=crypto:3 AES_CM_128_HMAC_SHA1_32 {KEY}", f"a=crypto:7 AES_CM_128_HMAC_SHA1_80 {KEY}")


def session(*lines: str) -> SessionDescription:
    """An SDP with these lines after its head."""
    return parse("\r\n".join(["v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "t=0 0", *lines, ""]).encode())


def answered(capabilities: Capabilities, *lines: str, local: LocalMedia = LOCAL) -> tuple[MediaDescription, NegotiatedAudio]:
    """The line that is answered, and what it means."""
    ours, agreed = answer(session(*lines), capabilities, local, session_id=1, version=1)
    return ours.media[agreed.index], agreed


@pytest.mark.parametrize("capabilities", [PREFER, REQUIRE])
def test_offer_under_savp_is_answered_by_suite_with_the_tag_of_its_line(capabilities: Capabilities) -> None:
    media, agreed = answered(capabilities, *LINPHONE)
    assert media.protocol == "RTP/SAVP" and agreed.protection is not None and agreed.protection.how == "sdes"
    keys = agreed.protection.keys
    assert keys.suite == AES_CM_128_HMAC_SHA1_80 and keys.remote == MasterKey.of(keys.suite, b"\0" * 30)
    assert media.values("crypto") == [f"7 {str(LOCAL.crypto[2]).partition(' ')[2]}"] and keys.local == LOCAL.crypto[2].key


def test_plain_offer_is_answered_plain_where_protection_is_preferred() -> None:
    media, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0")
    assert media.protocol == "RTP/AVP" and agreed.protection is None and not media.has("crypto")


def test_keys_under_a_plain_profile_are_taken_from_opportunists() -> None:
    media, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0", *LINPHONE[1:])
    assert media.protocol == "RTP/AVP" and agreed.protection is not None and media.values("crypto")[0].startswith("7 ")


def test_opportunist_with_keys_of_no_use_is_answered_plain() -> None:
    media, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0", LINPHONE[2])
    assert agreed.protection is None and not media.has("crypto")


def test_protected_line_is_preferred_to_a_plain_one_before_it() -> None:
    media, agreed = answered(PREFER, "m=audio 4100 RTP/AVP 0", *LINPHONE)
    assert agreed.index == 1 and agreed.protection is not None and media.protocol == "RTP/SAVP"


@pytest.mark.parametrize(("capabilities", "lines", "local", "words"), [
    (OFF, LINPHONE, LOCAL, "only RTP/SAVP was offered; this server takes RTP/AVP"),
    (PREFER, LINPHONE[:3], LOCAL, "suite AES_CM_128_HMAC_SHA1_32 is not known here"),
    (PREFER, ("m=audio 4000 RTP/SAVP 0",), LOCAL, "without a key"),
    (PREFER, (LINPHONE[0], f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}AAAA"), LOCAL, "takes a key of 30 bytes"),
    (PREFER, ("m=audio 4000 UDP/DTLS/SCTP 0",), LOCAL, "takes RTP/AVP, RTP/SAVP"),
    (REQUIRE, ("m=audio 4000 RTP/AVP 0",), LOCAL, "media must be protected here"),
    (REQUIRE, ("m=audio 4000 RTP/AVP 0", LINPHONE[2]), LOCAL, "no crypto line can be used"),
    (REQUIRE, LINPHONE, NO_KEYS, "over protected signalling"),
])
def test_refusal_says_why(capabilities: Capabilities, lines: tuple[str, ...], local: LocalMedia, words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        answered(capabilities, *lines, local=local)


def test_policy_off_passes_over_keys_under_a_plain_profile() -> None:
    assert answered(OFF, "m=audio 4000 RTP/AVP 0", *LINPHONE[1:])[1].protection is None


@pytest.mark.parametrize(("capabilities", "profile"), [(PREFER, "RTP/AVP"), (REQUIRE, "RTP/SAVP")])
def test_both_sides_come_to_the_same_keys(capabilities: Capabilities, profile: str) -> None:
    offered = parse(bytes(offer(capabilities, LOCAL, session_id=1, version=1)))
    assert offered.media[0].protocol == profile and len(offered.media[0].values("crypto")) == 3
    there = replace(LOCAL, crypto=sdes.offer(os.urandom))
    answered_, theirs = answer(offered, PREFER, there, session_id=2, version=1)
    ours = apply_answer(offered, parse(bytes(answered_)))
    assert ours.protection is not None and theirs.protection is not None
    here, there_ = ours.protection.keys, theirs.protection.keys
    assert here.suite == AEAD_AES_128_GCM and (here.local, here.remote) == (there_.remote, there_.local)


def test_answer_without_keys_to_a_preference_is_plain_and_to_a_requirement_no_answer() -> None:
    plain = session("m=audio 4000 RTP/AVP 0")
    assert apply_answer(offer(PREFER, LOCAL, session_id=1, version=1), plain).protection is None
    with pytest.raises(NegotiationFailed, match="brings no key"):
        apply_answer(offer(REQUIRE, LOCAL, session_id=1, version=1), plain)


@pytest.mark.parametrize(("line", "words"), [
    (f"a=crypto:9 AES_CM_128_HMAC_SHA1_80 {KEY}", "was not offered"), ("a=crypto:1 NULL inline:x", "is not known here"),
    (f"a=crypto:{LOCAL.crypto[0]}", "our own key"),
], ids=["another tag", "another suite", "our own key"])
def test_answer_with_keys_that_do_not_fit_is_refused(line: str, words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        apply_answer(offer(PREFER, LOCAL, session_id=1, version=1), session("m=audio 4000 RTP/AVP 0", line))


def test_offer_that_sends_our_own_key_back_is_refused() -> None:
    with pytest.raises(NegotiationFailed, match="our own key"):
        answered(REQUIRE, "m=audio 4000 RTP/SAVP 0", f"a=crypto:{LOCAL.crypto[0]}")


def test_later_offer_keeps_profile_and_keys_of_the_session() -> None:
    ours, agreed = answer(session(*LINPHONE), PREFER, LOCAL, session_id=1, version=1)
    again = offer(PREFER, LOCAL, session_id=1, version=2, previous=ours, keyed=agreed.protection)
    assert again.media[0].protocol == "RTP/SAVP" and again.media[0].values("crypto")[2] == str(LOCAL.crypto[2])
    plain, _ = answer(session("m=audio 4000 RTP/AVP 0"), PREFER, LOCAL, session_id=1, version=1)
    assert not offer(PREFER, LOCAL, session_id=1, version=2, previous=plain).media[0].has("crypto")


def test_offer_that_requires_protection_without_a_way_for_keys_is_not_made() -> None:
    with pytest.raises(NegotiationFailed, match="TLS"):
        offer(REQUIRE, NO_KEYS, session_id=1, version=1)


def test_no_key_shows_in_what_was_agreed() -> None:
    _, agreed = answered(PREFER, *LINPHONE)
    assert agreed.protection is not None
    shown = repr(agreed) + repr(LOCAL)
    own = LOCAL.crypto[2]
    assert "AAAA" not in shown and str(own).split("inline:")[1] not in shown and repr(own.key.key) not in shown


CERTIFICATE = Certificate.create(datetime.now(UTC))
DTLS_LOCAL = replace(LOCAL, fingerprint=str(CERTIFICATE.fingerprint()))
FINGERPRINT = (f"a=fingerprint:{CERTIFICATE.fingerprint()}", "a=setup:actpass")


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"])
def test_fingerprint_is_answered_by_a_handshake_under_the_profile_that_is_offered(profile: str) -> None:
    media, agreed = answered(PREFER, f"m=audio 4000 {profile} 0", *LINPHONE[1:], *FINGERPRINT, local=DTLS_LOCAL)
    assert agreed.protection is not None and agreed.protection.how == "dtls" and media.protocol == profile
    assert media.values("setup") == ["passive"] and media.has("fingerprint") and not media.has("crypto")


def test_phone_answers_active_so_that_its_first_word_opens_its_nat() -> None:
    media, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0", *FINGERPRINT, local=replace(DTLS_LOCAL, role=Role.CLIENT))
    assert media.values("setup") == ["active"] and agreed.protection is not None and agreed.protection.role is Role.CLIENT


def test_opportunist_with_a_fingerprint_of_no_use_has_its_keys_taken() -> None:
    _, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0", *LINPHONE[1:], "a=fingerprint:md5 00", local=DTLS_LOCAL)
    assert agreed.protection is not None and agreed.protection.how == "sdes"
    _, agreed = answered(PREFER, "m=audio 4000 RTP/AVP 0", "a=fingerprint:md5 00", local=DTLS_LOCAL)
    assert agreed.protection is None


@pytest.mark.parametrize(("chosen", "how"), [((FINGERPRINT[0], "a=setup:active"), "dtls"), (("crypto",), "sdes"), ((), None)],
                         ids=["dtls", "sdes", "plain"])
def test_offer_of_both_comes_to_what_the_answer_takes_and_is_repeated_so(chosen: tuple[str, ...], how: str | None) -> None:
    first = offer(PREFER, DTLS_LOCAL, session_id=1, version=1)
    assert first.media[0].protocol == "RTP/AVP" and first.media[0].has("crypto") and first.media[0].has("fingerprint")
    keys = sdes.offer(os.urandom)[0]
    lines = tuple(f"a=crypto:{keys}" if line == "crypto" else line for line in chosen)
    agreed = apply_answer(first, session("m=audio 4000 RTP/AVP 0", *lines))
    assert (agreed.protection.how if agreed.protection else None) == how
    again = offer(PREFER, DTLS_LOCAL, session_id=1, version=2, previous=first, keyed=agreed.protection).media[0]
    assert (again.has("fingerprint"), again.has("crypto")) == (how == "dtls", how == "sdes")


def test_requirement_without_a_way_for_keys_is_offered_as_a_handshake_under_its_own_profile() -> None:
    media = offer(REQUIRE, replace(NO_KEYS, fingerprint=DTLS_LOCAL.fingerprint), session_id=1, version=1).media[0]
    assert media.protocol == "UDP/TLS/RTP/SAVP" and media.values("setup") == ["actpass"] and not media.has("crypto")
    with pytest.raises(NegotiationFailed, match="brings no fingerprint"):
        apply_answer(SessionDescription(1, 1, "10.0.0.2", None, (media,)), session("m=audio 4000 UDP/TLS/RTP/SAVP 0"))


def test_who_requires_prevails_then_who_does_without() -> None:
    assert strictest(SrtpPolicy.PREFER, SrtpPolicy.OFF, SrtpPolicy.REQUIRE) is SrtpPolicy.REQUIRE
    assert strictest(SrtpPolicy.PREFER, SrtpPolicy.OFF) is SrtpPolicy.OFF and strictest() is SrtpPolicy.PREFER
