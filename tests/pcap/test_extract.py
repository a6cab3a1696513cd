"""Sound and video of a capture as files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pcap.extract import extract
from pcap.pcapng import PcapngWriter
from pcap.samples.media import melody, pcmu
from pcap.synthesis import udp_packet
from rtp.codecs.g711 import MULAW
from rtp.packet import RtpPacket
from tests.helpers.wire_capture import write_classic
from tests.pcap.test_decrypt import PHONE_RTP, SERVER_RTP
from tests.pcap.test_samples import FOLDER
from tests.pcap.test_video import encoded, h264_packets, vp8_packets


def sound_of(path: Path) -> tuple[npt.NDArray[np.int16], int]:
    """Samples and rate of a WAV file."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def test_pcmu_comes_out_sample_by_sample(tmp_path: Path) -> None:
    files, broken = extract(FOLDER / "a-call.pcapng", tmp_path)
    assert [one.codec for one in files] == ["pcmu", "pcmu"] and not broken
    samples, rate = sound_of(tmp_path / "00-pcmu-192.0.2.10-0a11ce01.wav")
    expected = MULAW[np.frombuffer(b"".join(pcmu(melody(4.0))), np.uint8)]
    assert rate == 8000 and np.array_equal(samples, expected)


def test_hold_is_silence_of_its_true_length_and_both_sides_stay_together(tmp_path: Path) -> None:
    files, _ = extract(FOLDER / "hold.pcapng", tmp_path)
    (phone, rate), (server, _) = (sound_of(one.file) for one in files if one.file)
    assert rate == 8000 and abs(len(phone) - len(server)) <= 160
    assert not phone[int(1.5 * rate):int(2.8 * rate)].any() and phone[int(3.0 * rate):].any()


def test_lost_packets_and_keys_leave_silence_and_the_count_tells(tmp_path: Path) -> None:
    bad = {one.name[0]: one for one in extract(FOLDER / "bad-network.pcapng", tmp_path / "a")[0]}
    assert bad[0x0A11CE03].lost > 12 and abs(bad[0x0A11CE03].seconds - 5.0) < 0.1
    keys = {one.name[0]: one for one in extract(FOLDER / "keys.pcapng", tmp_path / "b")[0]}
    assert abs(keys[0x0A11CE04].seconds - 2.4) < 0.1 and keys[0x0A11CE04].broken == 0


def test_opus_of_a_meeting_is_heard_where_its_speaker_spoke(tmp_path: Path) -> None:
    files, _ = extract(FOLDER / "meeting.pcapng", tmp_path)
    mix = next(one for one in files if one.name[0] == 0x5E12BE20)
    assert mix.file is not None
    samples, rate = sound_of(mix.file)
    parts = samples[:int(1.9 * rate)], samples[int(2.1 * rate):]
    quiet, loud = (float(np.abs(part.astype(np.int32)).mean()) for part in parts)
    assert rate == 48000 and loud > 50 * (quiet + 1)


def test_protected_stream_is_named_and_not_written(tmp_path: Path) -> None:
    files, _ = extract(FOLDER / "protected.pcapng", tmp_path)
    assert [one.file for one in files] == [None, None] and all("decrypt" in one.note for one in files)
    assert list(tmp_path.iterdir()) == []


def test_dynamic_type_without_an_sdp_is_what_the_user_says(tmp_path: Path) -> None:
    packets = [udp_packet(PHONE_RTP, SERVER_RTP, bytes(RtpPacket(111, n, n * 160, 5, bytes(160)))) for n in range(50)]
    capture = write_classic(tmp_path / "c.pcap", packets)
    assert extract(capture, tmp_path / "a")[0][0].note == "no SDP tells what it is"
    assert extract(capture, tmp_path / "b", {111: "pcma"})[0][0].seconds == 1.0


def test_video_streams_are_written_as_their_sdp_says(tmp_path: Path) -> None:
    body = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=video 20000 RTP/AVP 96\r\n"
            b"a=rtpmap:96 H264/90000\r\nm=video 20002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n")
    head = ("INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: v\r\n"
            f"CSeq: 1 INVITE\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    capture = tmp_path / "v.pcapng"
    with capture.open("wb") as file:
        writer = PcapngWriter(file)
        writer.packet(0, udp_packet(("192.0.2.2", 5060), ("192.0.2.1", 5060), head + body))
        for number, packet in enumerate(h264_packets(encoded("libx264"))):
            writer.packet(number * 10**6, udp_packet(PHONE_RTP, ("192.0.2.2", 20000), bytes(packet)))
        for number, packet in enumerate(vp8_packets(encoded("libvpx"))):
            packet.payload_type, packet.ssrc = 97, 8
            writer.packet(number * 10**6, udp_packet(PHONE_RTP, ("192.0.2.2", 20002), bytes(packet)))
    files, _ = extract(capture, tmp_path / "out")
    assert [(one.codec, one.broken) for one in files] == [("h264", 0), ("vp8", 0)]
    assert [one.file.suffix for one in files if one.file] == [".h264", ".ivf"]
    assert [one.pictures for one in files] == [12, 12] and all(one.file and one.file.stat().st_size > 10_000 for one in files)
