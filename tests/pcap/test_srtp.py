"""SRTP of a capture: keys from SDP, key files and DTLS handshakes; the right one is found by trial, whatever is known of it."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.dtls import DtlsKeys
from pcap.keylog import Address, KeyLog, SrtpKey
from pcap.sdes import media_addresses, plain_message, sdes_keys
from pcap.srtp import SrtpOpener
from pcap.suites import srtp_suite
from rtp.keying.dtls import DtlsConnected, DtlsEndpoint, Role
from rtp.srtp import ALL_SUITES, MasterKey, SrtpSender, Suite
from rtp.srtp.replay import ReplayWindow
from tests.rtp.keying.certificates import ALICE, BOB
from tests.rtp.srtp.test_context import REPORT, key_of, packet

A: Address = ("192.0.2.1", 4000)
B: Address = ("192.0.2.2", 5000)
NAT: Address = ("198.51.100.7", 61234)


def offer(*lines: str, host: str = A[0], port: int = A[1]) -> bytes:
    """An SDP with crypto lines."""
    head = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/SAVP 0\r\n"
    return (head + "".join(f"a=crypto:{line}\r\n" for line in lines) + "a=rtpmap:0 PCMU/8000\r\n").encode()


def crypto(tag: int, suite: Suite, master: MasterKey, extra: str = "") -> str:
    """The value of an a=crypto."""
    return f"{tag} {suite.name} inline:{b64encode(bytes(master)).decode()}{extra}"


def opener_of(*keys: SrtpKey) -> SrtpOpener:
    """An opener that knows some keys."""
    opener = SrtpOpener()
    for key in keys:
        opener.add(key)
    return opener


@pytest.mark.parametrize("suite", ALL_SUITES, ids=str)
def test_key_of_the_senders_own_sdp_opens_its_packets_and_reports(suite: Suite) -> None:
    other, master = key_of(suite, 77), key_of(suite, 1)
    opener = opener_of(*sdes_keys(offer(crypto(1, suite, master))), *sdes_keys(offer(crypto(1, suite, other), host=B[0])))
    sender = SrtpSender(suite, master)
    for number in (1, 2, 3):
        assert opener.rtp(sender.protect(packet(number)), A, B) == packet(number)
        assert opener.rtcp(sender.protect_rtcp(REPORT), A, B) == REPORT
    assert opener.opened_streams()[0][1].master == bytes(master) and not opener.closed_streams()


def test_key_is_found_behind_a_nat_and_after_a_new_one_in_a_reinvite() -> None:
    suite = ALL_SUITES[2]
    first, second = key_of(suite, 1), key_of(suite, 50)
    opener = opener_of(*sdes_keys(offer(crypto(1, suite, first))), *sdes_keys(offer(crypto(1, suite, second))))
    before, after = SrtpSender(suite, first), SrtpSender(suite, second)
    opened = [opener.rtp(before.protect(packet(n)), NAT, B) for n in range(10)]
    opened += [opener.rtp(after.protect(packet(n)), NAT, B) for n in range(10, 20)]
    assert opened == [packet(n) for n in range(20)]


def test_among_thousands_of_calls_the_keys_of_the_own_one_are_tried_behind_a_nat() -> None:
    suite = ALL_SUITES[2]
    opener, chance = SrtpOpener(), random.Random(3)
    masters = [MasterKey.of(suite, chance.randbytes(suite.master_length)) for _ in range(2000)]
    for number, master in enumerate(masters):
        body = offer(crypto(1, suite, master), host="192.168.1.20", port=4000)
        for key in sdes_keys(body):
            opener.add(key, f"call {number}")
        opener.relate(f"call {number}", media_addresses(body))
        opener.relate(f"call {number}", {(B[0], 20000 + 2 * number)})
    assert opener.keys == 2000
    for number in (0, 700, 1999):
        protected = SrtpSender(suite, masters[number]).protect(packet(1))
        assert opener.rtp(protected, NAT, (B[0], 20000 + 2 * number)) == packet(1)
        assert (opener.rtp(protected, NAT, (B[0], 9)) == packet(1)) == (number == 1999)


def test_copy_of_a_packet_is_opened_too_and_a_changed_one_is_not() -> None:
    suite = ALL_SUITES[0]
    opener = opener_of(*sdes_keys(offer(crypto(1, suite, key_of(suite)))))
    protected = SrtpSender(suite, key_of(suite)).protect(packet(5))
    assert [opener.rtp(protected, A, B) for _ in range(2)] == [packet(5)] * 2
    assert opener.rtp(protected[:-1] + bytes([protected[-1] ^ 1]), A, B) is None
    assert opener.rtp(packet(6), A, B) is None


@pytest.mark.parametrize("roc", [0, 2, 9])
def test_stream_that_the_capture_joins_late_is_opened_by_guess_or_by_the_key_files_counter(roc: int) -> None:
    suite = ALL_SUITES[2]
    sender = SrtpSender(suite, key_of(suite))
    sender._windows[7] = ReplayWindow(128, roc << 16 | 65000)
    protected = [sender.protect(packet(65001 + n)) for n in range(1000)]
    key = SrtpKey(srtp_suite(suite.name), bytes(key_of(suite)), ssrc=7, roc=roc)  # type: ignore[arg-type]
    opener = opener_of(SrtpKey.parse(str(key)) or key)
    assert [opener.rtp(data, A, B) for data in protected] == [packet(65001 + n) for n in range(1000)]
    guessing = opener_of(SrtpKey(key.suite, key.master))
    assert (guessing.rtp(protected[0], A, B) is not None) == (roc < 4)


def test_tags_of_32_bits_and_key_identifiers_of_other_systems_are_read() -> None:
    short = srtp_suite("AES_CM_128_HMAC_SHA1_32")
    assert short is not None
    master = key_of(short.rtp)
    sender, reports = SrtpSender(short.rtp, master), SrtpSender(short.rtcp, master)
    opener = opener_of(*sdes_keys(offer(crypto(1, short.rtp, master, "|2^20|1:4"))))
    protected, report = sender.protect(packet(1)), reports.protect_rtcp(REPORT)
    assert opener.rtp(protected[:-4] + b"\0\0\0\1" + protected[-4:], A, B) == packet(1)
    assert opener.rtcp(report[:-10] + b"\0\0\0\1" + report[-10:], A, B) == REPORT


def test_stream_without_a_key_is_named_and_tried_less_and_less() -> None:
    suite = ALL_SUITES[2]
    opener, sender = opener_of(*sdes_keys(offer(crypto(1, suite, key_of(suite, 9))))), SrtpSender(suite, key_of(suite, 1))
    assert {opener.rtp(sender.protect(packet(n)), A, B) for n in range(200)} == {None}
    assert opener.closed_streams() == [(7, A, B)]


@pytest.mark.parametrize("line", [
    "SRTP_MASTER ssrc=00000007 AES_CM_128_HMAC_SHA1_80 {key} roc=3",
    "SRTP_MASTER 192.0.2.1:4000>192.0.2.2:5000 AEAD_AES_256_GCM {key} roc=0",
    "SRTP_MASTER [2001:db8::1]:4000>* AES_256_CM_HMAC_SHA1_80 {key} roc=0",
], ids=["ssrc", "addresses", "any"])
def test_line_of_a_key_file_is_written_as_it_was_read(line: str) -> None:
    suite = srtp_suite(line.split()[2])
    assert suite is not None
    text = line.format(key="5a" * suite.master_length)
    assert str(SrtpKey.parse(text)) == text
    log = KeyLog("# comment\nCLIENT_RANDOM " + "0" * 64 + " " + "1" * 96 + "\r\n" + text + "\nnonsense\n")
    assert len(log.srtp) == 1 and log.ignored == 1 and log.knows(bytes(32))


@pytest.mark.parametrize("line", [
    "SRTP_MASTER ssrc=7 AES_CM_128_HMAC_SHA1_80 5a5a5a5a5a5a5a5a roc=0", "SRTP_MASTER ssrc=7 NULL " + "5a" * 30,
    "SRTP_MASTER a>b AES_CM_128_HMAC_SHA1_80 " + "5a" * 30,
], ids=["short", "suite", "address"])
def test_line_that_cannot_be_used_is_counted(line: str) -> None:
    log = KeyLog(line)
    assert not log.srtp and log.ignored == 1


def test_message_in_clear_says_avp_and_holds_no_key_and_its_length_is_right() -> None:
    suite = ALL_SUITES[0]
    body = offer(crypto(1, suite, key_of(suite)))
    head = f"INVITE sip:daily@192.0.2.2 SIP/2.0\r\nl: {len(body)}\r\nContent-Type: application/sdp".encode()
    plain = plain_message(head + b"\r\n\r\n" + body)
    rest = plain.partition(b"\r\n\r\n")[2]
    assert b"m=audio 4000 RTP/AVP 0\r\n" in rest and b"crypto" not in rest and b"a=rtpmap:0 PCMU/8000\r\n" in rest
    assert f"\r\nl: {len(rest)}\r\n".encode() in plain
    assert plain_message(head + b"\r\n\r\n") == head + b"\r\n\r\n"


@pytest.mark.parametrize("loses_log", [False, True])
def test_keys_of_a_dtls_handshake_come_from_the_key_log(loses_log: bool) -> None:
    lines: list[bytes] = []
    client = DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint()], key_log=lines.append)
    server = DtlsEndpoint(Role.SERVER, BOB, now=0.0, fingerprints=[ALICE.fingerprint()])
    client.start(B, 0.0)
    wire: list[tuple[Address, Address, bytes]] = []
    for _ in range(8):
        for end, here, there, other in ((client, A, B, server), (server, B, A, client)):
            for data, _ in end.datagrams_to_send():
                wire.append((here, there, data))
                other.receive_datagram(data, here, 0.0)
    connected = client.next_event()
    assert isinstance(connected, DtlsConnected)
    watcher = DtlsKeys(KeyLog(b"" if loses_log else b"\n".join(lines)))
    keys = [key for source, destination, data in wire for key in watcher.receive(source, destination, data)]
    assert watcher.handshakes == 1 and watcher.unknown == loses_log and len(keys) == (0 if loses_log else 2)
    if not loses_log:
        opener = opener_of(*keys)
        suite, local, remote = connected.keys.suite, connected.keys.local, connected.keys.remote
        assert opener.rtp(SrtpSender(suite, local).protect(packet(1)), A, B) == packet(1)
        assert opener.rtp(SrtpSender(suite, remote).protect(packet(2)), B, A) == packet(2)
        assert {(key.source, key.master) for key in keys} == {(A, bytes(local)), (B, bytes(remote))}


def dtls_record(body: bytes) -> bytes:
    """A handshake record in clear."""
    return b"\x16\xfe\xfd" + bytes(8) + len(body).to_bytes(2) + body


@given(st.binary(max_size=200) | st.binary(max_size=60).map(dtls_record))
def test_no_bytes_make_the_readers_fail(data: bytes) -> None:
    suite = ALL_SUITES[0]
    opener = opener_of(*sdes_keys(offer(crypto(1, suite, key_of(suite)))))
    assert opener.rtp(data, A, B) is None and opener.rtcp(data, A, B) is None
    assert DtlsKeys(KeyLog("")).receive(A, B, data) == [] and sdes_keys(data) == []
    assert plain_message(data) == data or b"m=" in data or b"a=" in data


def test_random_keys_and_packets_are_opened_by_no_other_key() -> None:
    chance = random.Random(5)
    suite = ALL_SUITES[2]
    masters = [MasterKey.of(suite, chance.randbytes(suite.master_length)) for _ in range(6)]
    opener = opener_of(*(SrtpKey(srtp_suite(suite.name), bytes(master)) for master in masters[:5]))  # type: ignore[arg-type]
    known = [opener.rtp(SrtpSender(suite, master).protect(packet(n, ssrc=n)), A, B) for n, master in enumerate(masters)]
    assert known == [packet(n, ssrc=n) for n in range(5)] + [None]
