"""Control's side of SRTP: keys that go to the worker, stay or change with the peer's, and what each policy refuses."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator

import pytest

from mcu.engine.leg import LegMedia
from mcu.engine.settings import EngineSettings
from mcu.messages import AddLeg, StreamsReport, UpdateLeg
from rtp.keying.sdes import CryptoLine
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from rtp.srtp import AES_CM_128_HMAC_SHA1_80, SessionKeys, StreamState
from sip.media_backend import MediaRefused
from tests.helpers.ports import free_port
from tests.mcu.test_engine_handles import HOST, Bench, sdp

pytestmark = pytest.mark.loopback


@pytest.fixture
def make() -> Iterator[Callable[..., tuple[Bench, LegMedia]]]:
    """Makes a bench under a policy, and a leg on it."""
    made: list[Bench] = []

    def bench(policy: SrtpPolicy = SrtpPolicy.PREFER, *, is_secure: bool = False) -> tuple[Bench, LegMedia]:
        first = free_port()
        made.append(Bench(EngineSettings(first_port=first, last_port=first + 199, srtp=policy)))
        return made[-1], made[-1].room.create_leg(77, local_host=HOST, signalling_host=HOST, is_signalling_secure=is_secure)

    yield bench
    for one in made:
        one.room.close()


def line(tag: int = 1) -> str:
    """A crypto line with a new key."""
    return f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(os.urandom(30)).decode()}\r\n"


def secure(extra: str, direction: str = "sendrecv") -> bytes:
    """An offer under RTP/SAVP."""
    return sdp(direction, extra=extra).replace(b"RTP/AVP", b"RTP/SAVP")


def told(bench: Bench) -> SessionKeys | None:
    """The keys that the worker was told last."""
    assert isinstance(bench.last, AddLeg | UpdateLeg)
    return bench.last.spec.keys


def answered(body: bytes) -> CryptoLine:
    """The line of our answer."""
    return CryptoLine.parse(parse(body).media[0].values("crypto")[0])


def test_keys_of_the_answer_are_those_that_the_worker_is_told(make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    bench, leg = make()
    theirs = line(4)
    ours = answered(leg.answer(secure(theirs)))
    keys = told(bench)
    assert keys is not None and keys.suite == ours.suite == AES_CM_128_HMAC_SHA1_80 and ours.tag == 4
    assert keys.local == ours.key and keys.remote == CryptoLine.parse(theirs[len("a=crypto:"):].strip()).key


def test_reinvite_with_the_same_key_keeps_ours_and_one_with_another_changes_it(
        make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    bench, leg = make()
    first, second = line(), line()
    begun = answered(leg.answer(secure(first)))
    assert answered(leg.answer(secure(first, "sendonly"))).key == begun.key
    changed = answered(leg.answer(secure(second)))
    keys = told(bench)
    assert changed.key != begun.key and keys is not None and keys.local == changed.key
    assert answered(leg.answer(secure(second))).key == changed.key


def test_our_later_offer_names_the_same_keys(make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    _, leg = make()
    begun = answered(leg.answer(secure(line())))
    media = parse(leg.offer()).media[0]
    assert media.protocol == "RTP/SAVP" and begun.key in [CryptoLine.parse(value).key for value in media.values("crypto")]


def test_call_that_was_protected_stays_so(make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    bench, leg = make()
    leg.answer(secure(line()))
    before = told(bench)
    with pytest.raises(MediaRefused, match="can't go on without") as refused:
        leg.answer(sdp())
    assert refused.value.status == 488 and told(bench) == before
    leg.offer()
    with pytest.raises(MediaRefused, match="brings no key"):
        leg.apply(sdp())


@pytest.mark.parametrize(("policy", "is_secure", "offer", "words"), [
    (SrtpPolicy.OFF, True, secure(line()), "this server takes RTP/AVP"),
    (SrtpPolicy.REQUIRE, True, sdp(), "media must be protected here"),
    (SrtpPolicy.REQUIRE, False, secure(line()), "over protected signalling"),
    (SrtpPolicy.REQUIRE, False, sdp(extra=line()), "over protected signalling"),
])
def test_policy_refuses_with_488_in_words(make: Callable[..., tuple[Bench, LegMedia]], policy: SrtpPolicy, is_secure: bool,
                                          offer: bytes, words: str) -> None:
    bench, leg = make(policy, is_secure=is_secure)
    with pytest.raises(MediaRefused, match=words) as refused:
        leg.answer(offer)
    assert refused.value.status == 488 and leg.negotiated is None
    assert not any(isinstance(command, AddLeg) for command in bench.line.commands)


def test_required_protection_is_agreed_over_protected_signalling_and_not_offered_over_other(
        make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    bench, leg = make(SrtpPolicy.REQUIRE, is_secure=True)
    leg.answer(secure(line()))
    assert told(bench) is not None
    with pytest.raises(MediaRefused, match="TLS"):
        make(SrtpPolicy.REQUIRE)[1].offer()


def test_successor_of_a_worker_is_told_where_the_streams_stood_and_sends_with_a_new_ssrc(
        make: Callable[..., tuple[Bench, LegMedia]]) -> None:
    bench, leg = make()
    leg.answer(secure(line()))
    assert isinstance(bench.last, AddLeg)
    before = bench.last.spec
    state = StreamState(5, 3, 1000, 7)
    bench.room.receive_streams(StreamsReport(1, 77, (state,)))
    bench.room.receive_streams(StreamsReport(1, 77, ()))
    bench.room.recover(0.0)
    assert isinstance(bench.last, AddLeg)
    after = bench.last.spec
    assert after.keys == before.keys and after.streams == (state,) and after.ssrc != before.ssrc
    leg.answer(secure(line()))
    bench.room.recover(20.0)
    assert isinstance(bench.last, AddLeg) and bench.last.spec.streams == ()
