"""A protected call becomes a plain one: SIP in TLS, keys in its SDP, SRTP both ways, and what can't be opened stays."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.decrypt import COMMENT_SRTP, COMMENT_TLS, decrypt
from pcap.errors import CaptureError
from pcap.frames import Datagram, udp_datagram
from pcap.reader import read_packets, read_secrets
from pcap.sdes import plain_message
from pcap.survey import Survey
from pcap.synthesis import udp_packet
from pcap.tcp_streams import SipFramer
from rtp.packet import RtpPacket
from rtp.srtp import AEAD_AES_128_GCM, ALL_SUITES, MasterKey, SrtpSender, Suite
from tests.helpers.wire_capture import TlsTalk, tcp_packets, write_classic, write_pcapng
from tests.rtp.srtp.test_context import REPORT, key_of

PHONE, SERVER = ("192.0.2.1", 40000), ("192.0.2.2", 5061)
PHONE_RTP, SERVER_RTP = ("192.0.2.1", 4000), ("192.0.2.2", 20000)
COUNT = 60


def sip(start: str, cseq: str, sdp: bytes = b"") -> bytes:
    """A message of the call."""
    lines = [start, "Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1", "From: <sip:alice@meet.example>;tag=a",
             "To: <sip:daily@meet.example>;tag=b", "Call-ID: decrypt-me", f"CSeq: {cseq}", "Contact: <sip:alice@192.0.2.1>",
             *(["Content-Type: application/sdp"] if sdp else []), f"Content-Length: {len(sdp)}", "", ""]
    return "\r\n".join(lines).encode() + sdp


def sdp(address: tuple[str, int], suite: Suite, master: MasterKey, version: int = 1) -> bytes:
    """An SDP with one key."""
    host, port = address
    return (f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/SAVP 0\r\n"
            f"a=crypto:1 {suite.name} inline:{b64encode(bytes(master)).decode()}\r\na=rtpmap:0 PCMU/8000\r\n").encode()


def media(number: int, ssrc: int) -> bytes:
    """A packet of PCMU."""
    return bytes(RtpPacket(0, number, number * 160, ssrc, bytes([number & 0xFF]) * 160))


def dialog(suite: Suite, phone: MasterKey, server: MasterKey) -> list[tuple[int, bytes]]:
    """What both sides say: (side, message)."""
    return [(0, sip("INVITE sip:daily@meet.example SIP/2.0", "1 INVITE", sdp(PHONE_RTP, suite, phone))),
            (1, sip("SIP/2.0 100 Trying", "1 INVITE") + sip("SIP/2.0 200 OK", "1 INVITE", sdp(SERVER_RTP, suite, server))),
            (0, sip("ACK sip:daily@192.0.2.2 SIP/2.0", "1 ACK")), (0, sip("BYE sip:daily@192.0.2.2 SIP/2.0", "2 BYE")),
            (1, sip("SIP/2.0 200 OK", "2 BYE"))]


def protected_media(suite: Suite, phone: MasterKey, server: MasterKey, first: int = 0) -> list[bytes]:
    """Both directions, with a report each."""
    senders = ((SrtpSender(suite, phone), PHONE_RTP, SERVER_RTP, 0xA1),
               (SrtpSender(suite, server), SERVER_RTP, PHONE_RTP, 0xB2))
    out = [udp_packet(here, there, sender.protect(media(number, ssrc)))
           for number in range(first, first + COUNT) for sender, here, there, ssrc in senders]
    return out + [udp_packet((here[0], here[1] + 1), (there[0], there[1] + 1), sender.protect_rtcp(REPORT))
                  for sender, here, there, _ in senders]


def plain_call(suite: Suite, version: str, folder: Path) -> tuple[Path, Path, bytes]:
    """(capture, result, key log) of a call over TLS."""
    phone, server = key_of(suite, 1), key_of(suite, 99)
    talk = TlsTalk(version)
    for side, message in dialog(suite, phone, server):
        talk.say(side, message)
    wire = write_classic(folder / "wire.pcap", talk.packets(PHONE, SERVER) + protected_media(suite, phone, server))
    return wire, folder / "plain.pcapng", talk.log.encode()


def datagrams(path: Path) -> list[Datagram]:
    """The UDP datagrams of a file."""
    return [found for packet in read_packets(path) if (found := udp_datagram(packet)) is not None]


@pytest.mark.parametrize("suite", ALL_SUITES, ids=str)
def test_media_comes_out_byte_for_byte_and_the_summary_tells(suite: Suite, tmp_path: Path) -> None:
    wire, plain, log = plain_call(suite, "TLSv1_3", tmp_path)
    done = decrypt(wire, plain, log)
    rtp = [one for one in datagrams(plain) if one.source[1] in (4000, 20000)]
    assert [one.payload for one in rtp] == [media(n, ssrc) for n in range(COUNT) for ssrc in (0xA1, 0xB2)]
    assert [one.payload for one in datagrams(plain)[-2:]] == [REPORT, REPORT]
    assert (done.srtp_packets, done.srtcp_packets, done.opened, done.closed) == (2 * COUNT, 2, 2, [])
    assert (done.tls_connections, done.tls_unknown, done.tls_records_unread, done.srtp_keys) == (1, 0, 0, 2)


DTLS_LINES = b"a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\n"


@pytest.mark.parametrize(("is_opened", "profile", "lines"), [
    (True, b"RTP/AVPF", b""), (False, b"UDP/TLS/RTP/SAVPF", DTLS_LINES)], ids=["opened", "closed"])
def test_sdp_of_dtls_is_plain_only_when_its_media_was_opened(is_opened: bool, profile: bytes, lines: bytes) -> None:
    before, after = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + line for line in (
        b"m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n" + DTLS_LINES + b"a=crypto:1 N inline:x\r\na=sendrecv\r\n",
        b"m=audio 4000 " + profile + b" 0\r\n" + lines + b"a=sendrecv\r\n"))
    assert plain_message(sip_bytes(before), {PHONE_RTP} if is_opened else set()) == sip_bytes(after)


def test_file_in_which_only_one_call_could_be_opened_still_names_the_other_one_protected(tmp_path: Path) -> None:
    suite = AEAD_AES_128_GCM
    keys = key_of(suite, 1), key_of(suite, 99)
    closed = sdp(("192.0.2.9", 6000), suite, keys[0]).replace(b"a=crypto", DTLS_LINES + b"a=x")
    other = [udp_packet(("192.0.2.9", 5060), SERVER, sip_bytes(closed)),
             *(udp_packet(("192.0.2.9", 6000), ("192.0.2.2", 20100), media(n, 0xC3)) for n in range(9))]
    talk = tcp_packets(PHONE, ("192.0.2.2", 5060), dialog(suite, *keys))
    decrypt(write_classic(tmp_path / "w.pcap", [*other, *talk, *protected_media(suite, *keys)]), tmp_path / "p.pcapng")
    survey = Survey(tmp_path / "p.pcapng")
    assert {stream.name[0]: survey.media.is_protected(*stream.name[1:]) for stream in survey.streams} == {
        0xC3: True, 0xA1: False, 0xB2: False}


def sip_bytes(body: bytes) -> bytes:
    """A message with a body."""
    return sip("INVITE sip:daily@meet.example SIP/2.0", "1 INVITE", body)


def test_secrets_inside_the_file_are_used_and_not_passed_on_and_comments_stay(tmp_path: Path) -> None:
    suite = AEAD_AES_128_GCM
    keys = key_of(suite, 1), key_of(suite, 99)
    talk = TlsTalk("TLSv1_3")
    for side, message in dialog(suite, *keys):
        talk.say(side, message)
    packets = talk.packets(PHONE, SERVER) + protected_media(suite, *keys)
    wire = write_pcapng(tmp_path / "w.pcapng", packets, talk.log.encode(), comment="seen by the tap")
    done = decrypt(wire, tmp_path / "p.pcapng")
    assert (done.tls_connections, done.srtp_packets) == (1, 2 * COUNT) and read_secrets(tmp_path / "p.pcapng") == b""
    assert (tmp_path / "p.pcapng").stat().st_mode & 0o077 == 0
    comments = {packet.comment for packet in read_packets(tmp_path / "p.pcapng")}
    assert comments == {f"seen by the tap; {words}" for words in (COMMENT_SRTP, COMMENT_TLS)}


def test_file_that_breaks_off_gives_what_can_be_read_and_says_where(tmp_path: Path) -> None:
    wire, plain, log = plain_call(AEAD_AES_128_GCM, "TLSv1_2", tmp_path)
    wire.write_bytes(wire.read_bytes()[:-400])
    done = decrypt(wire, plain, log)
    assert done.srtp_packets == 2 * COUNT - 1 and "breaks off at byte" in done.broken


def fragments(packet: bytes, size: int = 400) -> list[bytes]:
    """An IPv4 packet in pieces (RFC 791 §3.2)."""
    out = []
    for at in range(20, len(packet), size):
        place = (at - 20) // 8 | (0x2000 if at + size < len(packet) else 0)
        piece = packet[at:at + size]
        out.append(packet[:2] + (20 + len(piece)).to_bytes(2) + b"\0\x07" + place.to_bytes(2) + packet[8:20] + piece)
    return out


def test_keys_in_a_message_that_came_in_fragments_are_used_and_taken_out(tmp_path: Path) -> None:
    suite = AEAD_AES_128_GCM
    keys = key_of(suite, 1), key_of(suite, 99)
    ends = ((PHONE, SERVER), (SERVER, PHONE))
    packets = [udp_packet(*ends[side], one) for side, said in dialog(suite, *keys) for one in SipFramer().feed(said)]
    cut = [piece for packet in packets for piece in fragments(packet)]
    wire = write_classic(tmp_path / "w.pcap", [*cut, *protected_media(suite, *keys), fragments(packets[0])[0]])
    done = decrypt(wire, tmp_path / "p.pcapng")
    assert (done.srtp_packets, done.fragments) == (2 * COUNT, 1) and len(cut) > len(packets)
    messages = [one.payload for one in datagrams(tmp_path / "p.pcapng") if b"SIP/2.0" in one.payload]
    assert len(messages) == len(packets) and not any(b"crypto" in one or b"SAVP" in one for one in messages)


def test_what_is_no_capture_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"hello")
    with pytest.raises(CaptureError):
        decrypt(tmp_path / "w", tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_without_the_key_log_everything_stays_as_it_was(tmp_path: Path) -> None:
    wire, plain, _ = plain_call(AEAD_AES_128_GCM, "TLSv1_2", tmp_path)
    done = decrypt(wire, plain)
    assert [packet.data for packet in read_packets(plain)] == [packet.data for packet in read_packets(wire)]
    assert (done.tls_connections, done.tls_unknown, done.srtp_packets) == (0, 1, 0)


def test_new_keys_of_a_reinvite_over_plain_tcp_are_used_and_none_is_left_in_the_result(tmp_path: Path) -> None:
    suite = AEAD_AES_128_GCM
    first, second = (key_of(suite, 1), key_of(suite, 99)), (key_of(suite, 30), key_of(suite, 130))
    again = [(0, sip("INVITE sip:daily@192.0.2.2 SIP/2.0", "3 INVITE", sdp(PHONE_RTP, suite, second[0], 2))),
             (1, sip("SIP/2.0 200 OK", "3 INVITE", sdp(SERVER_RTP, suite, second[1], 2)))]
    talk = tcp_packets(PHONE, ("192.0.2.2", 5060), [*dialog(suite, *first)[:3], *again], size=100)
    media_packets = protected_media(suite, *first) + protected_media(suite, *second, first=COUNT)
    wire = write_classic(tmp_path / "w.pcap", talk + media_packets)
    done = decrypt(wire, tmp_path / "p.pcapng")
    assert done.srtp_packets == 4 * COUNT and done.srtp_keys == 4
    data = (tmp_path / "p.pcapng").read_bytes()
    assert b"crypto" not in data and b"SAVP" not in data.replace(b"RTP/SAVP and keys", b"") and data.count(b"RTP/AVP") == 4


def test_sip_over_udp_with_keys_loses_them_too(tmp_path: Path) -> None:
    suite = AEAD_AES_128_GCM
    keys = key_of(suite, 1), key_of(suite, 99)
    ends = ((PHONE, SERVER), (SERVER, PHONE))
    packets = [udp_packet(*ends[side], one) for side, said in dialog(suite, *keys) for one in SipFramer().feed(said)]
    wire = write_classic(tmp_path / "w.pcap", packets + protected_media(suite, *keys))
    assert decrypt(wire, tmp_path / "p.pcapng").srtp_packets == 2 * COUNT
    data = (tmp_path / "p.pcapng").read_bytes()
    assert b"a=crypto" not in data and COMMENT_SRTP.encode() in data


@pytest.mark.interop
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tshark_finds_sip_and_rtp_in_the_result(version: str, tmp_path: Path) -> None:
    wire, plain, log = plain_call(AEAD_AES_128_GCM, version, tmp_path)
    decrypt(wire, plain, log)

    def tshark(*arguments: str) -> str:
        checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
        return subprocess.run(["tshark", "-r", str(plain), *checks, *arguments], capture_output=True, text=True, timeout=60,
                              check=True).stdout

    lines = tshark("-Y", "sip", "-T", "fields", "-e", "sip.Request-Line", "-e", "sip.Status-Line").split("\n")
    assert sum("INVITE" in line for line in lines) == 1 and sum("SIP/2.0 200 OK" in line for line in lines) == 2
    payloads = tshark("-Y", "rtp", "-T", "fields", "-e", "rtp.ssrc", "-e", "rtp.payload").split()
    ssrcs = ("0x000000a1", "0x000000b2")
    assert payloads == [text for n in range(COUNT) for ssrc in ssrcs for text in (ssrc, f"{n:02x}" * 160)]
    assert tshark("-Y", "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0") == ""
    assert tshark("-Y", "tcp.analysis.flags") == "" and len(tshark("-Y", "rtcp").splitlines()) == 2


@given(st.lists(st.sampled_from([
    sip("SIP/2.0 100 Trying", "1 INVITE"), sip("OPTIONS sip:a@b SIP/2.0", "1 OPTIONS", b"v=0\r\n\r\nbody"),
    b"\r\n\r\n", b"\r\n",
]), max_size=6), st.integers(1, 50))
def test_messages_of_a_stream_come_out_whole_whatever_the_cut(messages: list[bytes], size: int) -> None:
    framer, whole = SipFramer(), b"".join(messages)
    out = [piece for start in range(0, len(whole), size) for piece in framer.feed(whole[start:start + size])]
    assert b"".join(out) == whole and framer.finish() == []
    assert [piece for piece in out if piece.strip()] == [message for message in messages if message.strip()]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_bytes_that_are_no_sip_come_out_as_they_came(pieces: list[bytes]) -> None:
    framer = SipFramer()
    assert b"".join([piece for data in pieces for piece in framer.feed(data)] + framer.finish()) == b"".join(pieces)
