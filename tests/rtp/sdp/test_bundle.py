"""Groups of lines over one transport: read, doubled, unknown, and whose address counts."""

from __future__ import annotations

from rtp.sdp.bundle import carrier_of, group_line, groups_of, is_bundle_only, mid_of
from tests.rtp.sdp.test_negotiation import session

LINES = ("m=audio 4000 RTP/AVP 0", "a=mid:a", "m=video 5000 RTP/AVP 96", "a=mid:v", "m=video 0 RTP/AVP 96", "a=mid:s1",
         "a=bundle-only", "m=video 0 RTP/AVP 96", "a=mid:dead")


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
