"""Offers in the style of phones in the wild: each is answered with what that phone can use."""

from __future__ import annotations

import pytest

from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio, answer
from rtp.sdp.parser import parse

BARESIP = """\
v=0
o=- 1853262531 1466413462 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
a=tool:baresip 1.0.0
m=audio 21034 RTP/AVP 96 9 0 8 101
b=AS:125
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:21035
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:2943853434 cname:sip:alice@192.0.2.10
a=ptime:20
m=video 17362 RTP/AVP 97 98
b=AS:512
a=rtpmap:97 H264/90000
a=fmtp:97 packetization-mode=0;profile-level-id=42801f
a=rtpmap:98 H264/90000
a=fmtp:98 packetization-mode=1;profile-level-id=42801f
a=framerate:30.00
a=rtcp:17363
a=sendrecv
a=rtcp-fb:* nack pli
"""

LINPHONE = """\
v=0
o=bob 3512 1284 IN IP4 192.0.2.20
s=Talk
c=IN IP4 192.0.2.20
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7078 RTP/AVP 96 97 98 0 8 9 101 99 100
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/16000
a=rtpmap:100 telephone-event/8000
a=rtcp-fb:* trr-int 5000
a=rtcp-fb:* ccm tmmbr
m=video 9078 RTP/AVP 102
a=rtpmap:102 VP8/90000
a=rtcp-fb:* trr-int 5000
a=rtcp-fb:102 nack pli
a=rtcp-fb:102 ccm fir
"""

SIPP = """\
v=0
o=user1 53655765 2353687637 IN IP4 192.0.2.30
s=-
c=IN IP4 192.0.2.30
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""

DESK_PHONE = """\
v=0
o=Z 0 214389 IN IP4 198.51.100.4
s=Z
c=IN IP4 198.51.100.4
t=0 0
m=audio 8000 RTP/AVP 3 110 8 0 98 101
a=rtpmap:110 speex/8000
a=rtpmap:98 iLBC/8000
a=fmtp:98 mode=20
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
"""

BROWSER_GATEWAY = """\
v=0
o=- 8403615332048243445 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 54609 RTP/AVPF 111 63 9 0 8 13 110 126
c=IN IP4 203.0.113.5
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1467250027 1 udp 2122260223 203.0.113.5 54609 typ host generation 0
a=ice-ufrag:F7gI
a=ice-pwd:x9cml/YzichV2+XlhiMu8g
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:4TOk42mSjXCkVIa6
"""


def agreed_on(text: str, *codecs: str) -> NegotiatedAudio:
    """What we agree on with that phone."""
    capabilities = Capabilities().only(*codecs) if codecs else Capabilities()
    theirs = parse(text.replace("\n", "\r\n").encode())
    ours, agreed = answer(theirs, capabilities, LocalMedia("192.0.2.1", 20000, 20001), session_id=1, version=1)
    assert [media.kind for media in ours.media] == [media.kind for media in theirs.media]
    assert [bool(media.port) for media in ours.media] == [True] + [False] * (len(ours.media) - 1)
    assert all(media.protocol == other.protocol for media, other in zip(ours.media, theirs.media, strict=True))
    return agreed


@pytest.mark.parametrize(("text", "codec", "number", "event", "remote"), [
    (BARESIP, "opus", 96, 101, ("192.0.2.10", 21034)), (LINPHONE, "opus", 96, 101, ("192.0.2.20", 7078)),
    (SIPP, "PCMU", 0, None, ("192.0.2.30", 6000)), (DESK_PHONE, "PCMA", 8, 101, ("198.51.100.4", 8000)),
    (BROWSER_GATEWAY, "opus", 111, 110, ("203.0.113.5", 54609)),
], ids=["baresip", "linphone", "sipp", "desk phone", "browser gateway"])
def test_first_offer_of_a_phone_is_understood(
        text: str, codec: str, number: int, event: int | None, remote: tuple[str, int]) -> None:
    agreed = agreed_on(text)
    assert (agreed.codec.name, agreed.send_payload_type, agreed.dtmf_send) == (codec, number, event)
    assert agreed.remote == remote and agreed.direction == "sendrecv" and agreed.ptime_ms == 20


@pytest.mark.parametrize(("codec", "number", "event"), [("g722", 9, 100), ("pcmu", 0, 100), ("pcma", 8, 100)])
def test_linphone_gets_the_event_of_the_codecs_rate(codec: str, number: int, event: int) -> None:
    agreed = agreed_on(LINPHONE, codec)
    assert (agreed.send_payload_type, agreed.dtmf_receive) == (number, event)


def test_reports_to_a_browser_go_to_its_media_port_whatever_its_rtcp_line_says() -> None:
    agreed = agreed_on(BROWSER_GATEWAY)
    assert agreed.rtcp_mux and agreed.remote_rtcp == ("203.0.113.5", 54609)
    assert list(agreed.extensions.values()) == [1]


def test_what_baresip_says_of_opus_is_kept_for_the_encoder() -> None:
    agreed = agreed_on(BARESIP)
    assert agreed.codec.parameter("useinbandfec") == "1" and agreed.codec.parameter("stereo") == "1"
    assert agreed.remote_rtcp == ("192.0.2.10", 21035)
