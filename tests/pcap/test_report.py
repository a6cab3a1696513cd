"""The report page: what it shows, and that nothing from a capture can become markup, script or a request."""

from __future__ import annotations

import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import pytest

from pcap.clip import Clip
from pcap.errors import CaptureError
from pcap.ladder import Arrow, Ladder
from pcap.report import report
from pcap.report_page import Page, PageCall, PageFinding, PageMessage, PageStream, as_html
from pcap.report_words import WORDS
from pcap.samples.media import melody
from pcap.series import MAX_STEPS, Series
from pcap.synthesis import udp_packet
from tests.helpers.wire_capture import tcp_packets, write_pcapng
from tests.pcap.test_samples import FOLDER

EVIL = "\"></title></script><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>&amp;"


class Reader(HTMLParser):
    """What a browser would make of the page: tags with their attributes, scripts, text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each tag of that name."""
        return [attributes for name, attributes in self.tags if name == tag]


def of_sample(name: str) -> tuple[Reader, dict[str, Any]]:
    """The page of a sample, and its data."""
    page = Reader(as_html(report(FOLDER / f"{name}.pcapng")))
    return page, json.loads(page.scripts[0])


def test_page_of_a_call_has_its_ladder_messages_plots_and_sound() -> None:
    page, data = of_sample("a-call")
    arrows = {tag["data-number"] for tag in page.attributes("g") if tag["data-number"] != "0"}
    assert arrows == set(data["messages"]) and len(arrows) == 10
    assert any("Authorization: Digest" in one["text"] for one in data["messages"].values())
    assert [one["comment"] for one in data["messages"].values() if one["text"].startswith("BYE")] == ["alice leaves"]
    assert [set(stream["points"]) for stream in data["streams"]] == [{"at", "delta", "jitter", "loss", "rate", "mos"}] * 2
    sounds = [b64decode(tag["src"].partition("base64,")[2]) for tag in page.attributes("audio")]
    assert len(sounds) == 2
    for sound in sounds:
        with av.open(io.BytesIO(sound)) as container:
            assert abs(sum(frame.samples for frame in container.decode(audio=0)) / 48000 - 4.0) < 0.1


def test_page_asks_nobody_for_anything_and_runs_one_script_only() -> None:
    html = as_html(report(FOLDER / "bad-network.pcapng"))
    page = Reader(html)
    policy = next(tag["content"] for tag in page.attributes("meta") if tag.get("http-equiv") == "Content-Security-Policy")
    assert len(page.scripts) == 2 and page.attributes("script")[0] == {"type": "application/json", "id": "data"}
    digest = b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ") and f"script-src 'sha256-{digest}';" in policy
    assert not page.attributes("link") and not page.attributes("iframe") and not page.attributes("img")
    assert set(re.findall(r"https?://[^\s\"'<>]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_whatever_the_capture_says_is_shown_as_text() -> None:
    ladder = Ladder(EVIL, (EVIL, EVIL), (Arrow(0, 0, 1, EVIL, "request", EVIL, 1),))
    page = Page(EVIL, EVIL, (PageFinding(EVIL, EVIL, (EVIL, EVIL), (EVIL, EVIL)),),
                (PageCall(EVIL, (("from", EVIL),), ladder),), {1: PageMessage(EVIL, EVIL, EVIL)},
                (PageStream(EVIL, (("codec", EVIL),), (), 1.0, "", ""),), EVIL, EVIL)
    read = Reader(as_html(page))
    assert len(read.scripts) == 2 and "alert" not in read.scripts[1] and not read.attributes("img")
    assert json.loads(read.scripts[0])["messages"]["1"]["text"] == EVIL and read.text.count(EVIL) >= 8
    assert not any("onerror" in attributes for _, attributes in read.tags)


def test_caller_with_a_script_for_a_name_is_shown_by_that_name(tmp_path: Path) -> None:
    name = "<script>alert('x')</script><img src=x onerror=alert(1)>"
    message = ('INVITE sip:daily@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n'
               f'From: "{name}" <sip:%3Cb%3E@a.example>;tag=1\r\n'
               f"To: <sip:daily@b.example>\r\nCall-ID: {name.replace(' ', '')}\r\nCSeq: 1 INVITE\r\nSubject: {EVIL}\r\n\r\n")
    write_pcapng(tmp_path / "c.pcapng", [udp_packet(("192.0.2.1", 5060), ("192.0.2.2", 5060), message.encode())])
    page = Reader(as_html(report(tmp_path / "c.pcapng")))
    assert len(page.scripts) == 2 and not page.attributes("img") and name in page.text
    assert EVIL in json.loads(page.scripts[0])["messages"]["1"]["text"]


def test_messages_of_one_segment_are_both_behind_its_arrows(tmp_path: Path) -> None:
    head = ("Via: SIP/2.0/TCP 192.0.2.1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
            "Content-Length: 0\r\n\r\n")
    said = f"SIP/2.0 100 Trying\r\n{head}SIP/2.0 180 Ringing\r\n{head}".encode()
    write_pcapng(tmp_path / "c.pcapng", tcp_packets(("192.0.2.1", 40000), ("192.0.2.2", 5060), [(0, said)]))
    page = Reader(as_html(report(tmp_path / "c.pcapng")))
    messages = json.loads(page.scripts[0])["messages"]
    assert list(messages) == ["4"] and [tag["data-number"] for tag in page.attributes("g")] == ["4", "4"]
    assert "100 Trying" in messages["4"]["text"] and "180 Ringing" in messages["4"]["text"]


def test_every_word_is_there_in_both_languages_and_the_page_uses_no_other() -> None:
    page, data = of_sample("keys")
    used = {attributes["data-word"] for _, attributes in page.tags if "data-word" in attributes}
    assert used <= set(WORDS) == set(data["words"])
    assert all(any("一" <= sign <= "鿿" for sign in zh) or zh in (en, "English", "MOS 分") for en, zh in WORDS.values())
    assert {f"plot_{kind}" for kind in re.findall(r'\["([a-z]+)", "[^"]*"\]', page.scripts[1])} == {
        word for word in WORDS if word.startswith("plot_")}


def test_protected_stream_has_no_sound_and_says_why() -> None:
    page, _ = of_sample("protected")
    assert not page.attributes("audio") and page.text.count(WORDS["protected"][0]) == 2


def test_file_that_breaks_off_is_reported_as_far_as_it_goes(tmp_path: Path) -> None:
    broken = tmp_path / "b.pcapng"
    broken.write_bytes((FOLDER / "a-call.pcapng").read_bytes()[:-3000])
    page = Reader(as_html(report(broken)))
    assert "breaks off" in page.text and len(page.attributes("audio")) == 2
    broken.write_bytes(b"GIF89a")
    with pytest.raises(CaptureError):
        report(broken)


def test_series_keeps_to_its_steps_and_loses_no_packet() -> None:
    series = Series(8000)
    for number in range(200_000):
        series.add(number * 20_000_000, 172, number & 0xFFFF, number * 160 & 0xFFFFFFFF)
    points = series.points("pcmu")
    assert len(points) <= MAX_STEPS and sum(step.packets for step in series.steps) == 200_000
    assert all(point.rate_kbps == pytest.approx(68.8, rel=0.02) for point in points[:-1])
    assert max(point.jitter_ms for point in points) < 0.001


def test_series_shows_loss_where_it_was() -> None:
    series = Series(8000)
    for number in range(500):
        if not 250 <= number < 275:
            series.add(number * 20_000_000, 172, number, number * 160)
    lossy = [point.at_s for point in series.points("pcmu") if point.loss_percent]
    assert lossy == [5.5] and min(point.mos or 5 for point in series.points("pcmu")) < 3


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_clip_is_small_and_cut_at_its_limit(rate: int) -> None:
    clip, samples = Clip(rate, max_seconds=5), melody(8.0, rate=rate)
    for start in range(0, len(samples), rate // 50):
        clip.add(samples[start:start + rate // 50])
    uri = clip.data_uri()
    assert clip.is_cut and uri.startswith("data:audio/ogg") and len(uri) < 30_000
    assert Clip(rate).data_uri() == ""
