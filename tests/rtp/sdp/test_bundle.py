"""Groups of lines over one transport: read, doubled, unknown, and whose address counts."""

from __future__ import annotations

import pytest

from rtp.sdp.bundle import carrier_of, group_line, groups_of, is_bundle_only, mid_of, unbundled
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, answer, offer
from rtp.sdp.protection import OfferStyle, SrtpPolicy
from tests.rtp.sdp.test_negotiation import session

LINES = ("m=audio 4000 RTP/AVP 0", "a=mid:a", "m=video 5000 RTP/AVP 96", "a=mid:v", "m=video 0 RTP/AVP 96", "a=mid:s1",
         "a=bundle-only", "m=video 0 RTP/AVP 96", "a=mid:dead")
LOCAL = LocalMedia("10.0.0.2", 20000, 20001)
AUDIO = ("m=audio 4000 RTP/AVP 0", "a=mid:a1", "a=rtcp-mux")
VIDEO = ("m=video 4000 RTP/AVP 96", "a=mid:v1", "a=rtpmap:96 VP8/90000", "a=rtcp-mux")


def bundled(*lines: str, group: str = "a=group:BUNDLE a1 v1") -> SessionDescription:
    """An SDP with these lines, bundled."""
    return session(*lines, top=(group,))


def test_groups_are_indices_of_lines_that_are_there() -> None:
    found = session(*LINES, top=("a=group:BUNDLE v s1 ghost v", "a=group:LS a v", "a=group:bundle a s1", "a=group:"))
    assert groups_of(found) == [(1, 2), (0,)]


def test_line_with_port_0_in_a_group_is_no_refusal_when_it_says_so() -> None:
    found = session(*LINES)
    assert [is_bundle_only(media) for media in found.media] == [False, False, True, False]


def test_address_of_a_group_is_that_of_its_first_line_of_pictures() -> None:
    found = session(*LINES, top=("a=group:BUNDLE a v s1",))
    assert [carrier_of(found, index) for index in range(4)] == [0, 1, 1, 3]


def test_mid_that_is_no_token_is_none() -> None:
    found = session("m=video 5000 RTP/AVP 96", "a=mid:a b", "m=video 5000 RTP/AVP 96", "a=mid:x")
    assert [mid_of(media) for media in found.media] == ["", "x"]
    assert group_line(("x", "y")) == ("group", "BUNDLE x y")


def test_answer_keeps_mids_and_leaves_what_it_refuses_out_of_the_group() -> None:
    ours, _ = answer(bundled(*AUDIO, *VIDEO), Capabilities(), LOCAL, session_id=1, version=1)
    assert ours.attributes == (("group", "BUNDLE a1"),) and [media.values("mid") for media in ours.media] == [["a1"], ["v1"]]
    assert [media.port for media in ours.media] == [20000, 0] and ours.media[0].has("rtcp-mux")


def test_answer_to_an_offer_without_mid_or_group_has_none() -> None:
    ours, _ = answer(bundled(AUDIO[0], group="a=group:LS a1"), Capabilities(), LOCAL, session_id=1, version=1)
    assert not ours.attributes and not ours.media[0].has("mid")
    assert not answer(bundled(*AUDIO, group="a=x"), Capabilities(), LOCAL, session_id=1, version=1)[0].attributes


def test_bundle_only_line_is_taken_with_the_transport_of_the_tagged_one() -> None:
    tagged = ("m=video 4002 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 10.0.0.9", "a=mid:v1", "a=rtpmap:96 VP8/90000",
              "a=fingerprint:sha-256 AA", "a=setup:actpass", "a=ice-ufrag:abcd", "a=candidate:1 1 UDP 1 10.0.0.9 4002 typ host")
    only = ("m=audio 0 UDP/TLS/RTP/SAVPF 0", "a=mid:a1", "a=bundle-only", "a=rtcp-mux")
    audio = unbundled(bundled(*tagged, *only, group="a=group:BUNDLE v1 a1")).media[1]
    assert (audio.port, audio.connection.host if audio.connection else "") == (4002, "10.0.0.9")
    assert [audio.has(name) for name in ("fingerprint", "setup", "ice-ufrag", "candidate", "rtpmap")] == [True] * 4 + [False]
    assert audio.values("rtcp-mux") == [""]


def test_line_of_the_bundle_with_an_address_of_its_own_keeps_it_and_takes_the_keys_that_it_lacks() -> None:
    media = unbundled(bundled(*AUDIO, "a=fingerprint:sha-256 AA", *VIDEO)).media[1]
    assert media.port == 4000 and media.values("fingerprint") == ["sha-256 AA"]


@pytest.mark.parametrize(("group", "lines"), [
    ("a=group:BUNDLE", (*AUDIO, *VIDEO)), ("a=group:BUNDLE x y", (*AUDIO, *VIDEO)), ("a=group", (*AUDIO, *VIDEO)),
    ("a=group:BUNDLE a1 v1", ("m=audio 0 RTP/AVP 0", "a=mid:a1", "m=video 0 RTP/AVP 96", "a=mid:v1", "a=bundle-only")),
    ("a=group:BUNDLE a1 v1", (*AUDIO, "m=video 0 RTP/AVP 96", "a=mid:v1")),
], ids=["empty", "unknown tags", "no value", "tagged line ended", "ended line"])
def test_groups_that_lead_nowhere_change_nothing(group: str, lines: tuple[str, ...]) -> None:
    theirs = bundled(*lines, group=group)
    assert unbundled(theirs) == theirs


def test_later_offers_repeat_mid_and_group_and_first_ones_have_them_only_for_who_uses_them() -> None:
    ours, _ = answer(bundled(*AUDIO, *VIDEO), Capabilities(), LOCAL, session_id=1, version=1)
    again = offer(Capabilities(), LOCAL, session_id=1, version=2, previous=ours)
    assert again.attributes == (("group", "BUNDLE a1"),) and [each.values("mid") for each in again.media] == [["a1"], ["v1"]]
    assert not offer(Capabilities(), LOCAL, session_id=1, version=1).media[0].has("mid")
    first = offer(Capabilities(srtp=SrtpPolicy.PREFER), LOCAL, session_id=1, version=1, style=OfferStyle(has_mid=True))
    assert first.attributes == (("group", "BUNDLE 0"),) and first.media[0].values("mid") == ["0"]
