"""One call that ends at this server: SIP on one side, a leg of a media room on the other (RFC 3264), and its record.

The roles (focus, services) own legs; what a leg decides by itself is how offers and answers go between the call and its media.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mcu.addresses import Addresses
from mcu.application_line import ApplicationLine
from mcu.info_package import RECV_INFO, takes_package
from mcu.participant import Identity
from mcu.storage.base import CallRecord
from mcu.surroundings import Media, MediaRoom, Surroundings
from pcap.quality import mos
from rtp.sdp.negotiation import Capabilities
from rtp.sdp.protection import SrtpPolicy
from sip import events
from sip.errors import LocalProtocolError
from sip.flow import Flow
from sip.grammar import Parameters
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaRefused
from sip.message import Request
from sip.routing import own_contact_over
from sip.source import is_secure
from sip.uri import Uri

FOCUS: Parameters = (("isfocus", None),)
"""Our Contact in a conference is marked so (RFC 4579 §4.1)."""


class CallLeg:
    """A call in a room. `record` is what is known of it so far; wallclock times are seconds since 1970.

    description: our answer, where it was told before the call was answered; takes_info: whether the phone takes INFOs of the
    meeting's package.
    """

    def __init__(self, call: Call, media: Media, identity: Identity, record: CallRecord) -> None:
        self.call = call
        self.media = media
        self.identity = identity
        self.record = record
        self.description = b""
        self.takes_info = not call.is_outgoing and takes_package(call.invite)

    @property
    def is_held(self) -> bool:
        """Whether the phone has put us on hold (RFC 3264 §8.4)."""
        agreed = self.media.negotiated
        return agreed is not None and agreed.direction in ("recvonly", "inactive")

    def pictures(self) -> dict[str, Any]:
        """What is known of its pictures, for who looks after the server; empty where there are none."""
        if not self.media.picture_lines():
            return {}
        now = self.media.picture_facts()
        expected = now.packets_in + now.lost
        return {
            "video": " ".join(part for part in (now.codec, f"{now.width}x{now.height}" if now.width else "") if part),
            "video_kbps": round(now.bitrate_bps / 1000), "video_packets_in": now.packets_in, "video_lost": now.lost,
            "video_loss_percent": round(100 * now.lost / expected, 2) if expected else 0.0,
            "video_packets_out": now.packets_out, "video_loss_out_percent": round(100 * now.remote_loss, 2),
            "video_estimate_kbps": round(now.estimate_bps / 1000), "video_shown": now.shows, "video_places": now.places,
            "video_suite": now.suite,
        }

    @property
    def is_silent_by_right(self) -> bool:
        """Whether the phone said that it would send nothing."""
        agreed = self.media.negotiated
        return agreed is None or not agreed.may_receive

    def check_kept(self, *srtp: str | None) -> None:
        """Whether it may go on beside those who want this of SRTP: a plain one may not, where it is required. Raises
        MediaRefused."""
        agreed = self.media.negotiated
        if SrtpPolicy.REQUIRE in srtp and (agreed is None or agreed.protection is None):
            raise MediaRefused("media must be protected there (SRTP), and this call is not")

    @property
    def codec(self) -> str:
        """The codec's name as SDP writes it."""
        agreed = self.media.negotiated
        return agreed.codec.name if agreed is not None else ""

    def ring(self, offer: bytes, now: float) -> None:
        """Tell our answer before the call is answered, so that the caller hears what comes (183). Raises MediaRefused."""
        self.description = self.media.answer(offer)
        self.call.ring(now, 183, self.description, reliable=True)

    def note(self) -> CallRecord:
        """The record as it is now: a handshake may have made keys since."""
        self.record = self._noted()
        return self.record

    def _noted(self, **more: Any) -> CallRecord:
        """The record with what is agreed on the media, and more."""
        agreed, record = self.media.negotiated, self.record
        protection = agreed.protection if agreed is not None else None
        suite, keying = (None, None) if protection is None else (protection.suite or None, protection.how)
        return replace(record, codec=self.codec or record.codec or None, suite=suite, keying=keying, **more)

    def accept(self, offer: bytes | None, contact: NameAddr, wallclock: float, now: float) -> None:
        """Answer the INVITE: with an answer to its offer, or with an offer of ours. Raises MediaRefused."""
        body = self.description or (self.media.answer(offer) if offer is not None else self.media.offer())
        headers = [("Contact", contact), ("Allow-Events", "conference"), *([RECV_INFO] if self.takes_info else ())]
        self.call.accept(body, now, contact=contact.uri, headers=headers)
        self.record = self._noted(answered_at=wallclock)

    def receive_offer(self, offer: bytes | None, now: float) -> bool:
        """Answer a re-INVITE or UPDATE; False when it was refused and all stays as it was."""
        self.media.follow(self.call.flow.remote[0])
        try:
            body = self.media.answer(offer) if offer is not None else self.media.offer()
        except MediaRefused as error:
            self.call.reject_offer(error.status, now, error.reason)
            return False
        self.call.accept_offer(body, now)
        self.record = self._noted()
        return True

    def move(self, flow: Flow) -> None:
        """The phone is reached by another flow now, and its media may come from that flow's host."""
        self.call.follow(flow)
        self.media.follow(flow.remote[0])

    def naming(self, who: Identity) -> list[tuple[str, object]]:
        """Headers that tell the phone who is at the other end (RFC 3325): only to phones of ours, whom we may tell."""
        if self.identity.account is None:
            return []
        return [("P-Asserted-Identity", NameAddr(Uri.parse(who.entity), who.display_name))]

    def introduce(self, who: Identity, now: float, contact: NameAddr | None = None) -> None:
        """Tell the phone that somebody else is at the other end now: by UPDATE, or a re-INVITE where it takes none.

        contact: ours from now on, where that has changed, too.
        """
        names = self.naming(who)
        headers = names if contact is None else [*names, ("Contact", contact)]
        if not headers or self.call.tell(headers, now) or not names:
            return
        try:
            self.call.offer(self.media.offer(), now, headers)
        except (MediaRefused, LocalProtocolError):                        # an exchange is under way; the call goes on without
            return

    def receive_answer(self, answer: bytes, now: float) -> bool:
        """Take the answer to an offer of ours; when it can't be used the call ends, and it is False."""
        try:
            self.media.apply(answer)
        except MediaRefused as error:
            self.call.hang_up(now, error.reason, 488)
            return False
        self.record = self._noted()
        return True

    def end(self, cause: str, status: int, reason: str, wallclock: float) -> CallRecord:
        """The call is over: media is given back; the finished record."""
        figures, quality = self.media.statistics, self.quality()
        self.media.release()
        self.record = self._noted(
            ended_at=wallclock, packets_in=figures.packets_in,
            packets_out=figures.packets_out, lost=figures.lost, late=figures.late, concealed=figures.concealed,
            jitter_ms=quality["jitter_ms"], rtt_ms=quality["rtt_ms"], mos=quality["mos"], cause=cause, status=status,
            reason=reason,
        )
        return self.record

    def quality(self) -> dict[str, float | None]:
        """How well the phone is heard: loss_percent, jitter_ms, rtt_ms and mos, of the call so far."""
        figures, codec = self.media.statistics, self.codec or self.record.codec or ""
        expected = figures.packets_in + figures.lost
        loss_percent = 100.0 * (figures.lost + figures.late) / expected if expected else 0.0
        delay_ms = figures.buffer_ms + 20 + max(0.0, figures.rtt_ms) / 2
        return {"loss_percent": round(loss_percent, 2), "jitter_ms": round(figures.jitter_ms, 2),
                "rtt_ms": round(figures.rtt_ms, 2) if figures.rtt_ms >= 0 else None,
                "mos": mos(codec, loss_percent, delay_ms) if figures.packets_in else None}

    def reported(self) -> dict[str, float | None]:
        """How well the phone hears us, as its last report has it: loss, jitter, and mos for a buffer of twice the jitter."""
        figures, codec = self.media.statistics, self.codec or self.record.codec or ""
        is_known = figures.packets_out > 0 and figures.rtt_ms >= 0
        loss_percent, delay_ms = 100.0 * figures.remote_loss, 2 * figures.remote_jitter_ms + 20 + max(0.0, figures.rtt_ms) / 2
        return {"loss_out_percent": round(loss_percent, 2) if is_known else None,
                "jitter_out_ms": round(figures.remote_jitter_ms, 2) if is_known else None,
                "mos_out": mos(codec, loss_percent, delay_ms) if is_known else None}


def answer_call(event: events.CallReceived, room: MediaRoom, leg_id: int, identity: Identity, server: Surroundings, name: str,
                *, is_focus: bool, srtp: Iterable[str | None] = (), lines: Iterable[ApplicationLine] = (),
                has_pictures: bool = False) -> CallLeg:
    """Answer an INVITE into a media room, as what is called `name`. srtp: what is wanted of it beside the caller's own wish;
    lines: what answers lines of `m=application`; has_pictures: whether pictures are taken, as a focus does.

    Raises MediaRefused, with nothing left behind.
    """
    call = event.call
    media = create_media(room, leg_id, call.flow, srtp=(*srtp, identity.srtp), has_pictures=is_focus or has_pictures)
    media.take_lines(*lines)
    leg = CallLeg(call, media, identity, begin_record(event.request, call, identity, name, server.wallclock()))
    contact = NameAddr(own_contact(call.flow, name, server.addresses, is_secure=is_secure(event.request)), "",
                       FOCUS if is_focus else ())
    try:
        leg.accept(event.offer, contact, server.wallclock(), server.now())
    except MediaRefused:
        media.release()
        raise
    return leg


def create_media(room: MediaRoom, leg_id: int, flow: Flow, capabilities: Capabilities | None = None,
                 srtp: Iterable[str | None] = (), *, has_pictures: bool = False) -> Media:
    """The media of a call over this flow. srtp: what the room and the people in the call want of SRTP, None for nothing;
    has_pictures: whether lines of pictures are taken."""
    return room.create_leg(leg_id, local_host=flow.local[0], signalling_host=flow.remote[0], capabilities=capabilities,
                           is_signalling_secure=flow.is_protected, srtp=[SrtpPolicy(one) for one in srtp if one],
                           phone=str(flow), has_pictures=has_pictures)


def begin_record(request: Request, call: Call, identity: Identity, room: str | None, wallclock: float) -> CallRecord:
    """The record of a call that has just come in."""
    return CallRecord(
        call.id, room, identity.account, str(request.from_.uri.without_parameters()), identity.display_name,
        f"{call.flow.remote[0]}:{call.flow.remote[1]}", call.flow.transport,
        (request.headers.get("User-Agent") or "")[:128], wallclock,
    )


def own_contact(flow: Flow, user: str, addresses: Addresses, *, is_secure: bool = False) -> Uri:
    """Where requests inside a call over this flow reach us. is_secure: the call was made with sips: (RFC 3261 §12.1.1)."""
    return own_contact_over(flow, user or None, addresses.towards(flow.local[0], flow.remote[0]), is_secure=is_secure)
