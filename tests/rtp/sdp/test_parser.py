"""The SDP parser: what phones send is read, what is none is refused, limits hold before any work is done."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.sdp.model import Connection, MediaDescription, SessionDescription
from rtp.sdp.parser import MAX_BYTES, MAX_LINES, MAX_MEDIA, parse

HEAD = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
AUDIO = b"m=audio 4000 RTP/AVP 0\r\n"

token = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
value = st.text(st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=40)
attributes = st.lists(st.tuples(token, st.none() | value), max_size=6).map(tuple)
connections = st.none() | st.ip_addresses().map(lambda address: Connection.of(str(address)))
bandwidths = st.lists(st.tuples(st.sampled_from(["AS", "CT", "TIAS"]), st.integers(0, 10**9)), max_size=2).map(tuple)
streams = st.builds(
    MediaDescription, token.map(lambda text: text.lower()), st.integers(0, 65535), st.sampled_from(["RTP/AVP", "RTP/SAVPF"]),
    st.lists(st.integers(0, 127).map(str), min_size=1, max_size=20).map(tuple), connections, bandwidths, attributes,
)
sessions = st.builds(
    SessionDescription, st.integers(0, 10**30), st.integers(0, 10**30), st.ip_addresses().map(str), connections,
    st.lists(streams, max_size=5).map(tuple), attributes, token, token, bandwidths,
)


@given(sessions)
def test_parse_and_serialise_are_inverse(session: SessionDescription) -> None:
    assert parse(bytes(session)) == session


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: HEAD + tail)
       | st.lists(st.sampled_from([HEAD[5:], AUDIO, b"m=", b"a=", b"c=IN IP6 ::1\n", b"a=rtpmap:", b"\r\n", b"b=AS:", b"x"]),
                  max_size=12).map(lambda pieces: b"v=0\n" + b"".join(pieces)))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    try:
        session = parse(data)
    except ParseError:
        return
    assert parse(bytes(session)).media == session.media


def test_lines_may_end_in_lf_alone_and_with_empty_lines_at_the_end() -> None:
    assert parse((HEAD + AUDIO).replace(b"\r\n", b"\n") + b"\n\n") == parse(HEAD + AUDIO)


def test_session_and_stream_level_are_kept_apart() -> None:
    session = parse(HEAD + b"b=AS:9\r\na=inactive\r\n" + AUDIO + b"i=title\r\nc=IN IP6 ::1\r\na=ptime:20\r\n")
    assert session.attributes == (("inactive", None),) and session.bandwidth == (("AS", 9),)
    assert session.media[0].connection == Connection("::1", "IP6")
    assert session.media[0].attributes == (("ptime", "20"),)


def test_multicast_suffixes_port_counts_and_further_kinds_are_read() -> None:
    session = parse(HEAD + b"m=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127/3\r\nm=application 9 UDP/BFCP *\r\n"
                    b"m=message 2855 TCP/MSRP *\r\nm=image 5000 udptl t38\r\n")
    assert [(media.kind, media.port) for media in session.media] == [
        ("audio", 4000), ("application", 9), ("message", 2855), ("image", 5000)]
    assert session.host_of(session.media[0]) == "224.2.1.1"


@pytest.mark.parametrize("data", [
    b"", b"\r\n", b"v=1\r\n", AUDIO, b"v=0\r\ns=-\r\n" + AUDIO, HEAD + b"m=audio\r\n", HEAD + b"m=audio 70000 RTP/AVP 0\r\n",
    HEAD + b"m=audio 4000 RTP/AVP 128\r\n", HEAD + b"m=audio 4000 RTP/AVP x\r\n", HEAD + b"m=audio 4000 RTP/AVP\r\n",
    HEAD + b"m=audio -1 RTP/AVP 0\r\n", HEAD + b"c=IN IP4 example.org\r\n", HEAD + b"c=IN IP6 10.0.0.1\r\n",
    HEAD + b"c=IN IP4 10.0.0.256\r\n", HEAD + b"o=what\r\n", HEAD + b"no line\r\n", HEAD + b"a=bad name:1\r\n",
    HEAD + b"\r\n" + AUDIO,
    HEAD + b"m=audio 4000 RTP/AVP \xd9\xa3\r\n", HEAD + b"m=application 9 X/Y a\rb\r\n", HEAD + b"a=x:" + b"y" * 5000 + b"\r\n",
], ids=range(21))
def test_what_is_no_sdp_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse(data)


def test_error_says_what_was_not_understood() -> None:
    with pytest.raises(ParseError, match=r"m= was not understood: 'audio x'"):
        parse(HEAD + b"m=audio x\r\n")


def cpu_seconds(data: bytes) -> float:
    """CPU time that refusing takes; the least of three."""
    times = []
    for _ in range(3):
        started = time.process_time()
        with pytest.raises(ParseError):
            parse(data)
        times.append(time.process_time() - started)
    return min(times)


HOSTILE = {
    "10,000 lines": HEAD + b"a=x:1\r\n" * 10_000,
    "10,000 short lines": HEAD + b"a=x\n" * 10_000,
    "1 MB": HEAD + b"a=x:" + b"y" * 1_000_000,
    "1 MB of lines": HEAD + b"a=x:1\r\n" * 150_000,
    "media": HEAD + AUDIO * (MAX_MEDIA + 1),
    "2,000 lines with a bad end": HEAD + b"a=rtpmap:96 x/8000\r\n" * (MAX_LINES - 10) + b"?\r\n",
    "formats without end": HEAD + b"m=audio 4000 RTP/AVP" + b" 0" * 1900 + b"\r\n",
    "a line of spaces": HEAD + b"m=audio 4000 RTP/AVP" + b" " * 3900 + b"\r\n",
    "spaces everywhere": HEAD + b"o=" + b" " * 4000 + b"\r\n",
    "60 kB of carriage returns": HEAD + b"\r" * 60_000 + b"?",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_sdp_is_refused_within_20_ms_of_cpu(data: bytes) -> None:
    assert cpu_seconds(data) < 3 * 0.020


def test_largest_sdp_that_is_allowed_is_read() -> None:
    body = HEAD + AUDIO + b"a=x:" + b"y" * 4000 + b"\r\n"
    assert len(parse(body).media[0].attributes) == 1
    with pytest.raises(ParseError, match=str(MAX_BYTES)):
        parse(HEAD + bytes(MAX_BYTES))
