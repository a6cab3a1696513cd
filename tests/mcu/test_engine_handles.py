"""Control's handles: offer and answer, hold, versions, ports; what the worker is told is recorded, no worker runs."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from mcu.addresses import Addresses
from mcu.engine.base import Engine
from mcu.engine.handles import RoomMedia
from mcu.engine.leg import LegMedia
from mcu.engine.notices import AddressLearnt, LegSilent, MediaNotice
from mcu.engine.ports import PortRange, own_address, plain_host
from mcu.engine.settings import EngineSettings
from mcu.errors import ProtocolError
from mcu.messages import AddLeg, CloseRoom, Command, LegReport, MuteLeg, OpenRoom, PlaySound, RemoveLeg, UpdateLeg, pack
from rtp.kernel import LegStatistics
from rtp.sdp.negotiation import Capabilities
from sip.media_backend import MediaRefused
from tests.helpers.ports import free_port

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"


class Recorder:
    """Keeps what a worker would be told."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.descriptors: list[tuple[int, ...]] = []

    def send(self, command: Command, descriptors: Sequence[int] = ()) -> None:
        """Keep it."""
        self.commands.append(command)
        self.descriptors.append(tuple(descriptors))


class Bench:
    """A room and what came of it."""

    def __init__(self, settings: EngineSettings | None = None, kind: str = "mix") -> None:
        first = free_port()
        self.settings = settings or EngineSettings(first_port=first, last_port=first + 199)
        self.line = Recorder()
        self.notices: list[MediaNotice] = []
        self.ports = PortRange(self.settings.first_port, self.settings.last_port)
        engine = Engine(self.settings, self.ports, self.notices.append, "cname")
        self.closed: list[RoomMedia] = []
        self.room = RoomMedia(1, kind, engine, self.line, self.closed.append)

    def leg(self, leg_id: int = 77, host: str = HOST, capabilities: Capabilities | None = None) -> LegMedia:
        """A leg."""
        return self.room.create_leg(leg_id, local_host=host, signalling_host=host, capabilities=capabilities)

    @property
    def last(self) -> Command:
        """The last command."""
        return self.line.commands[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.room.close()


def sdp(direction: str = "sendrecv", formats: str = "0 101", host: str = HOST, port: int = 4000, extra: str = "") -> bytes:
    """A phone's SDP."""
    family = "IP6" if ":" in host else "IP4"
    return (f"v=0\r\no=- 5 5 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n{extra}").encode()


def version(body: bytes) -> tuple[int, int]:
    """(session id, version) of an SDP."""
    match = re.search(rb"o=\S+ (\d+) (\d+) ", body)
    assert match is not None
    return int(match[1]), int(match[2])


def test_an_answer_opens_a_pair_of_ports_and_hands_them_to_the_worker(bench: Bench) -> None:
    leg = bench.leg()
    answer = leg.answer(sdp(formats="8 0 101", extra="a=rtcp-mux\r\n"))
    assert leg.local_port % 2 == 0 and f"m=audio {leg.local_port} RTP/AVP 8 101".encode() in answer
    assert isinstance(bench.last, AddLeg)
    spec = bench.last.spec
    assert (spec.leg_id, spec.codec, spec.send_type, spec.dtmf_type) == (77, "pcma", 8, 101)
    assert spec.remote == (HOST, 4000) and spec.rtcp_mux and spec.hears and spec.is_heard
    ports = []
    for descriptor in bench.line.descriptors[-1]:
        with socket.socket(fileno=descriptor) as sock:
            ports.append(sock.getsockname()[1])
            sock.detach()
    assert ports == [leg.local_port, leg.local_port + 1]
    assert leg.negotiated is not None and leg.negotiated.codec.name == "PCMA"


def test_an_offer_is_in_force_with_its_answer(bench: Bench) -> None:
    leg = bench.leg(capabilities=Capabilities().only("pcmu"))
    offer = leg.offer()
    assert b"RTP/AVP 0 101" in offer and leg.negotiated is None
    assert bench.line.commands == [OpenRoom(1, "mix", 8)]
    leg.apply(sdp())
    assert isinstance(bench.last, AddLeg) and bench.last.spec.codec == "pcmu"


def test_an_answer_to_nothing_is_refused(bench: Bench) -> None:
    with pytest.raises(MediaRefused, match="no offer"):
        bench.leg().apply(sdp())


@pytest.mark.parametrize(("offer", "status", "words"), [
    (b"hello", 400, "not understood"), (b"", 400, "not understood"), (sdp(formats="3"), 488, "no codec in common"),
    (sdp().replace(b"m=audio", b"m=video"), 488, "no audio"), (sdp().replace(b"RTP/AVP", b"RTP/SAVP"), 488, "RTP/SAVP")])
def test_what_cannot_be_answered_is_refused_in_words_and_all_stays(bench: Bench, offer: bytes, status: int, words: str) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    agreed, count = leg.negotiated, len(bench.line.commands)
    with pytest.raises(MediaRefused, match=words) as caught:
        leg.answer(offer)
    assert caught.value.status == status
    assert leg.negotiated is agreed and len(bench.line.commands) == count


def test_the_version_rises_with_each_change_and_only_then(bench: Bench) -> None:
    leg = bench.leg()
    first = version(leg.answer(sdp()))
    assert version(leg.answer(sdp())) == first
    held = version(leg.answer(sdp("sendonly")))
    assert held == (first[0], first[1] + 1)
    assert version(leg.answer(sdp("sendonly"))) == held
    assert version(leg.answer(sdp())) == (first[0], first[1] + 2)
    assert version(leg.offer()) == (first[0], first[1] + 3)


@pytest.mark.parametrize(("offer", "ours"), [
    (sdp("sendonly"), b"a=recvonly"), (sdp("inactive"), b"a=inactive"), (sdp(host="0.0.0.0"), b"a=sendrecv")])
def test_a_phone_that_holds_gets_nothing_and_its_music_is_not_mixed(bench: Bench, offer: bytes, ours: bytes) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    for _ in range(2):                                                         # the second is a mere session refresh
        assert ours in leg.answer(offer)
        assert isinstance(bench.last, UpdateLeg)
        assert (bench.last.spec.is_heard, bench.last.spec.hears) == (False, False)
    leg.answer(sdp())
    assert isinstance(bench.last, UpdateLeg) and bench.last.spec.is_heard and bench.last.spec.hears


def test_a_call_that_begins_with_sendonly_has_something_to_say(bench: Bench) -> None:
    leg = bench.leg()
    for _ in range(2):
        leg.answer(sdp("sendonly"))
        assert isinstance(bench.last, AddLeg | UpdateLeg) and bench.last.spec.is_heard and not bench.last.spec.hears


def test_a_phone_that_only_listens_hears_on(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    assert b"a=sendonly" in leg.answer(sdp("recvonly"))
    assert isinstance(bench.last, UpdateLeg) and bench.last.spec.hears


def test_a_reinvite_may_change_codec_packet_time_and_address(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    leg.answer(sdp(formats="9 101", port=5000, extra="a=ptime:40\r\n"))
    assert isinstance(bench.last, UpdateLeg) and bench.last.is_remote_new
    assert (bench.last.spec.codec, bench.last.spec.ptime_ms, bench.last.spec.remote) == ("g722", 40, (HOST, 5000))
    leg.answer(sdp(formats="8 101", port=5000))
    assert not bench.last.is_remote_new


def test_sequence_and_ssrc_stay_the_same_over_a_reinvite(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    assert isinstance(bench.last, AddLeg)
    before = bench.last.spec
    leg.answer(sdp("sendonly"))
    assert isinstance(bench.last, UpdateLeg)
    assert (bench.last.spec.ssrc, bench.last.spec.cname) == (before.ssrc, before.cname)


def test_what_the_receiver_asks_of_opus_reaches_the_worker_in_one_order(bench: Bench) -> None:
    for fmtp in ("maxaveragebitrate=20000;useinbandfec=1", "useinbandfec=1; maxaveragebitrate=20000; stereo=1"):
        lines = f"a=rtpmap:111 opus/48000/2\r\na=fmtp:111 {fmtp}\r\n"
        bench.leg(len(bench.line.commands)).answer(sdp(formats="111", extra=lines))
        assert isinstance(bench.last, AddLeg)
        assert bench.last.spec.fmtp == "maxaveragebitrate=20000;useinbandfec=1"


def test_media_of_ipv6_works(bench: Bench) -> None:
    leg = bench.leg(host="::1")
    answer = leg.answer(sdp(host="::1"))
    assert b"c=IN IP6 ::1" in answer
    assert isinstance(bench.last, AddLeg) and bench.last.spec.remote == ("::1", 4000)


def test_outsiders_find_the_public_address_in_the_sdp_and_neighbours_our_own() -> None:
    first = free_port()
    bench = Bench(EngineSettings(first_port=first, last_port=first + 99, addresses=Addresses("203.0.113.7")))
    far = bench.room.create_leg(1, local_host=HOST, signalling_host="198.51.100.9")
    assert b"c=IN IP4 203.0.113.7" in far.answer(sdp())
    assert b"c=IN IP4 127.0.0.1" in bench.leg(2).answer(sdp())
    assert b"c=IN IP6 ::1" in bench.leg(3, "::1").answer(sdp(host="::1"))
    bench.room.close()


@pytest.mark.parametrize(("signalling", "written", "sent_to"), [
    ("198.51.100.9", "192.168.1.10", "198.51.100.9"), ("198.51.100.9", "127.0.0.1", "198.51.100.9"),
    ("198.51.100.9", "203.0.113.50", "203.0.113.50"), ("10.0.0.9", "192.168.1.10", "192.168.1.10"),
])
def test_a_private_address_of_a_phone_from_elsewhere_gives_way_to_its_nat(
        bench: Bench, signalling: str, written: str, sent_to: str) -> None:
    leg = bench.room.create_leg(1, local_host=HOST, signalling_host=signalling)
    leg.answer(sdp(host=written))
    assert isinstance(bench.last, AddLeg)
    assert (bench.last.spec.remote, bench.last.spec.remote_rtcp) == ((sent_to, 4000), (sent_to, 4001))


def test_media_of_another_family_than_the_signalling_is_received_where_it_can_come(bench: Bench) -> None:
    leg = bench.leg(host="::1")
    assert b"c=IN IP4 127.0.0.1" in leg.answer(sdp(host="127.0.0.1"))
    assert isinstance(bench.last, AddLeg) and bench.last.spec.remote == ("127.0.0.1", 4000)
    with pytest.raises(MediaRefused, match="can't change to IPv6"):
        leg.answer(sdp(host="::1"))
    assert b"c=IN IP4 127.0.0.1" in leg.answer(sdp(host="127.0.0.1"))


def test_an_answer_of_another_family_than_our_offer_is_refused_in_words(bench: Bench) -> None:
    leg = bench.leg()
    leg.offer()
    with pytest.raises(MediaRefused, match="can't change to IPv6"):
        leg.apply(sdp(host="::1"))


def test_media_of_a_family_that_leads_nowhere_is_refused_in_words(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcu.engine.leg.own_address", lambda local, peer: local)
    leg = bench.leg()
    with pytest.raises(MediaRefused, match="no way to 2001:db8::1") as caught:
        leg.answer(sdp(host="2001:db8::1"))
    assert caught.value.status == 488 and leg.local_port == 0


def test_without_a_free_port_the_call_is_refused_with_503_and_ports_come_back() -> None:
    first = free_port()
    bench = Bench(EngineSettings(first_port=first, last_port=first + 1))
    leg = bench.leg(1)
    leg.answer(sdp())
    with pytest.raises(MediaRefused, match="port") as caught:
        bench.leg(2).answer(sdp())
    assert caught.value.status == 503
    leg.release()
    leg.release()
    assert bench.leg(3).answer(sdp()).count(b"m=audio %d" % first) == 1
    assert [command for command in bench.line.commands if isinstance(command, RemoveLeg)] == [RemoveLeg(1, 1)]
    bench.room.close()


def test_a_range_without_a_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        PortRange(20001, 20002)


def test_a_released_leg_takes_no_offer(bench: Bench) -> None:
    leg = bench.leg()
    leg.release()
    with pytest.raises(MediaRefused):
        leg.answer(sdp())


def test_mute_before_the_answer_is_remembered(bench: Bench) -> None:
    leg = bench.leg()
    leg.set_muted(True)
    assert bench.last == MuteLeg(1, 77, True)
    leg.answer(sdp())
    assert isinstance(bench.last, AddLeg) and bench.last.spec.is_muted


def test_a_room_that_closes_releases_its_legs(bench: Bench) -> None:
    legs = [bench.leg(n) for n in (1, 2)]
    for leg in legs:
        leg.answer(sdp())
    bench.room.close()
    bench.room.close()
    assert bench.closed == [bench.room] and not bench.room.legs
    assert [command for command in bench.line.commands if isinstance(command, CloseRoom)] == [CloseRoom(1)]
    assert [leg.local_port for leg in legs] == [0, 0]


def test_handles_of_a_lost_room_do_nothing(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    bench.room.lose()
    count = len(bench.line.commands)
    leg.set_muted(True)
    bench.room.play("join")
    leg.answer(sdp("sendonly"))
    leg.release()
    bench.room.close()
    assert len(bench.line.commands) == count and not bench.closed


def test_a_room_that_recovers_gets_its_legs_again_at_the_same_ports_with_new_streams(bench: Bench) -> None:
    legs = [bench.leg(n) for n in (1, 2, 3)]
    for leg in legs[:2]:
        leg.answer(sdp())
    legs[0].set_muted(True)
    before = [command.spec for command in bench.line.commands if isinstance(command, AddLeg)]
    ports = [leg.local_port for leg in legs]
    bench.line.commands.clear()
    assert bench.room.recover(0.0)
    opened, *added = bench.line.commands
    assert opened == OpenRoom(1, "mix", 8)
    specs = [command.spec for command in added if isinstance(command, AddLeg)]
    assert [(spec.leg_id, spec.is_muted, spec.remote) for spec in specs] == [(1, True, (HOST, 4000)), (2, False, (HOST, 4000))]
    assert [leg.local_port for leg in legs] == ports
    for old, new in zip(before, specs, strict=True):
        assert (old.ssrc, old.timestamp) != (new.ssrc, new.timestamp) and old.ssrc != new.ssrc


def test_a_leg_on_hold_is_on_hold_after_the_recovery(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    leg.answer(sdp("sendonly"))
    bench.room.recover(0.0)
    assert isinstance(bench.last, AddLeg) and not bench.last.spec.hears and not bench.last.spec.is_heard


def test_what_was_learnt_and_counted_outlives_the_worker(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp(extra="a=rtcp-mux\r\n"))
    bench.room.learn(AddressLearnt(1, 77, (HOST, 4444)))
    bench.room.learn(AddressLearnt(1, 4711, (HOST, 1)))
    leg.receive_figures(replace(LegStatistics(77), packets_in=100, lost=3, jitter_ms=9.0), 0.0)
    leg.receive_figures(replace(LegStatistics(77), packets_in=150, lost=4, jitter_ms=9.0), 0.0)
    bench.room.recover(0.0)
    assert isinstance(bench.last, AddLeg)
    assert (bench.last.spec.remote, bench.last.spec.remote_rtcp) == ((HOST, 4444), (HOST, 4444))
    leg.receive_figures(replace(LegStatistics(77), packets_in=10, lost=1, jitter_ms=2.0), 0.0)
    assert (leg.statistics.packets_in, leg.statistics.lost, leg.statistics.jitter_ms) == (160, 5, 2.0)
    leg.answer(sdp(port=5000))
    bench.room.recover(100.0)
    assert isinstance(bench.last, AddLeg) and bench.last.spec.remote == (HOST, 5000)


@pytest.mark.parametrize(("times", "kept"), [((0, 1, 9), [True, True, False]), ((0, 5, 10.1), [True, True, True])])
def test_a_room_that_fails_three_times_in_ten_seconds_is_given_up(bench: Bench, times: tuple[float, ...],
                                                                 kept: list[bool]) -> None:
    assert [bench.room.recover(now) for now in times] == kept


def test_sounds_are_played_by_name(bench: Bench) -> None:
    bench.room.play("join")
    assert bench.last == PlaySound(1, "join")


def figures(leg: LegMedia, silent_s: float) -> LegStatistics:
    return replace(LegStatistics(leg.leg_id), silent_ms=round(silent_s * 1000))


def test_a_silent_leg_is_told_once_until_it_is_heard_again(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    later = time.monotonic() + 100
    for silent_s in (29, 30, 31, 0.1, 30):
        leg.receive_figures(figures(leg, silent_s), later)
    assert bench.notices == [LegSilent(1, 77)] * 2
    assert leg.statistics.silent_ms == 30_000


def test_a_leg_that_need_not_send_is_never_silent(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp("recvonly"))
    leg.receive_figures(figures(leg, 500), time.monotonic() + 1000)
    assert not bench.notices


def test_a_phone_that_comes_back_from_hold_has_its_time_anew(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    leg.answer(sdp("inactive"))
    leg.receive_figures(figures(leg, 500), time.monotonic() + 500)
    leg.answer(sdp())
    leg.receive_figures(figures(leg, 500), time.monotonic() + 29)
    assert not bench.notices
    leg.receive_figures(figures(leg, 500), time.monotonic() + 31)
    assert bench.notices == [LegSilent(1, 77)]


def test_figures_of_an_unknown_leg_are_passed_over(bench: Bench) -> None:
    bench.room.receive_figures(LegReport(1, LegStatistics(4711)))
    assert not bench.notices


def test_addresses_are_plain_and_a_wildcard_becomes_the_one_that_leads_to_the_peer() -> None:
    assert plain_host("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_host("phone.example") == "phone.example"
    assert own_address("0.0.0.0", "127.0.0.1") == "127.0.0.1"
    assert own_address("::", "::ffff:127.0.0.1") == "127.0.0.1"
    assert own_address("::1", "::1") == "::1"


def test_an_unknown_sound_is_our_own_mistake() -> None:
    with pytest.raises(ProtocolError):
        pack(PlaySound(1, "siren"))


def test_a_leg_goes_over_to_another_room_with_its_ports_and_what_was_learnt_of_it(bench: Bench) -> None:
    leg = bench.leg()
    leg.answer(sdp())
    before, port = bench.last, leg.local_port
    bench.room.learn(AddressLearnt(1, 77, (HOST, 4444)))
    line = Recorder()
    other = RoomMedia(2, "mix", bench.room._engine, line, bench.closed.append)
    other.adopt(leg)
    assert bench.last == RemoveLeg(1, 77) and bench.room.legs == {}
    bench.room.close()
    after = line.commands[-1]
    assert isinstance(before, AddLeg) and isinstance(after, AddLeg)
    assert (after.room_id, after.spec.codec, after.spec.remote) == (2, before.spec.codec, (HOST, 4444))
    assert after.spec.ssrc != before.spec.ssrc and len(line.descriptors[-1]) == 2
    leg.set_muted(True)
    assert line.commands[-1] == MuteLeg(2, 77, True)
    assert leg.local_port == port and other.legs == {77: leg}
    other.close()
    assert leg.local_port == 0


def test_a_leg_that_has_no_answer_yet_joins_the_room_that_it_is_in_by_then(bench: Bench) -> None:
    leg = bench.leg()
    leg.offer()
    line = Recorder()
    other = RoomMedia(2, "mix", bench.room._engine, line, bench.closed.append)
    other.adopt(leg)
    leg.apply(sdp())
    assert isinstance(line.commands[-1], AddLeg) and line.commands[-1].room_id == 2
    other.close()
