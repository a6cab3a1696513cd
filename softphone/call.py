"""One call of the phone, as its user sees it: who, state, sound, keys, hold, messages, the roster of a conference.

Signalling is a `sip.invite.Call`, media a `MediaSession`; both meet here. A call is made by `Phone.call` or comes from
`Phone.next_call`, and lives in the phone's event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable

import sip.invite
from rtp.codecs.resample import Samples
from sip import events
from sip.conference_info import CONTENT_TYPE, PACKAGE
from sip.errors import LocalProtocolError, ParseError
from sip.headers import HeaderList, NameAddr
from sip.media_backend import MediaRefused
from sip.message import Request, Response
from sip.uri import Uri
from softphone.addresses import shown, title_of, without_pin
from softphone.errors import CallFailed
from softphone.frames import SILENCE, Frames
from softphone.line import (
    CallEnd,
    CallEstablished,
    CallOver,
    CallProgressed,
    Line,
    MessageArrived,
    NewsArrived,
    RosterUpdated,
    State,
    TransferProgressed,
)
from softphone.media.session import MediaSession
from softphone.meeting_orders import WaitingPerson
from softphone.model import Member
from softphone.protection import exposure, protection_words
from softphone.remote.desktops import Desktops
from softphone.roster import RosterFeed
from softphone.showing import Showing
from softphone.stats import MediaFigures
from softphone.talk import CONTENT_TYPE as TALK_TYPE
from softphone.talk import HEADERS as TALK_HEADERS
from softphone.talk import PACKAGE as PACKAGE_OF_TALK
from softphone.talk import RECV_INFO, MeetingTalk
from softphone.transfer import Transfer
from softphone.words import TRANSFERRED, call_ended

log = logging.getLogger(__name__)

VANISHED_S = 30.0
"""So long without RTP and RTCP, while the peer should send, and it is gone."""
PROBE_AFTER_S, PROBE_EVERY_S = 10.0, 20.0
"""A peer that is silent for so long is asked by OPTIONS whether it still knows the call, and again."""
REOFFERS = 3
PICTURES_REFUSED = frozenset((400, 415, 488, 513, 606))
"""What a server says that can't read, take or carry a long offer."""
OUR_SERVER = "Confero"
"""How a server of ours calls itself."""
LINES_AFTER_S = 0.3
"""Until its ACK has come."""
GONE_S = 2.0
"""So long after a transfer the server may take to hang up; then we do."""


class Call:
    """One call. `uri` is what to show and to call again, `roster` is empty outside of conferences, `end` is set at the end.
    floors: who may share and act where; desktops: what is shown and seen of them; showing: the shared screen.

    `has_pin`: whether a PIN was given to get in; it is in `uri` no more.
    """

    def __init__(self, line: Line, signalling: sip.invite.Call, media: MediaSession, remote: NameAddr) -> None:
        self.signalling = signalling
        self.media = media
        self.uri = without_pin(remote.uri)
        self.has_pin = remote.uri.user != self.uri.user
        self.remote_name = shown(remote.display_name) or shown(title_of(remote.uri))
        self.state = State.CALLING if signalling.is_outgoing else State.RINGING
        self.is_conference = False
        self.is_held = False
        self.title = title_of(remote.uri)
        self.started_at = line.now()
        self.up_at: float | None = None
        self.end: CallEnd | None = None
        self.frames = Frames()
        self.on_ringing: Callable[[], None] = lambda: None
        self._line = line
        self._answer = b""
        self._end_text = ""
        self._ended_at: float | None = None
        self._settled, self._over = asyncio.Event(), asyncio.Event()
        self._reoffer: asyncio.Future[int] | None = None
        self._transfer: Transfer | None = None
        self._feed: RosterFeed | None = None
        self.floors = media.floors
        self.desktops = Desktops(media.floors, media.desktop_line, self._offer_again)
        self.showing = Showing(media.floors, media.pictures, lambda: self.is_conference, self._offer_again)
        self.showing.on_chosen = self.desktops.choose
        self.talk = MeetingTalk(self._send_info, lambda news: self._line.notify(NewsArrived(self, news)), self._own_id)
        self._adding: asyncio.Task[None] | None = None
        self._probed_at = 0.0
        self._probe: asyncio.Future[Response | None] | None = None

    # ---- what a call does

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self.signalling.id

    @property
    def is_up(self) -> bool:
        """Whether both sides can talk."""
        return self.state is State.UP

    @property
    def setup_ms(self) -> float | None:
        """From the INVITE to the answer; None before."""
        return None if self.up_at is None else 1000 * (self.up_at - self.started_at)

    @property
    def seconds(self) -> float:
        """How long the call is up, or was."""
        return 0.0 if self.up_at is None else (self._ended_at or self._line.now()) - self.up_at

    @property
    def figures(self) -> MediaFigures:
        """Packets, loss, jitter, delay, opinion score."""
        return self.media.figures()

    @property
    def protection(self) -> str:
        """Suite, how keyed, over what signalling; empty while somebody on the way could listen."""
        return protection_words(self.signalling.flow.transport, self.media.protection)

    @property
    def exposure(self) -> str:
        """Why the call is not protected, in a sentence; empty when it is."""
        return exposure(self.signalling.flow.transport, self.media.protection)

    @property
    def suite(self) -> str:
        """The suite of SRTP, whatever it is worth; empty for plain RTP."""
        agreed = self.media.protection
        return "" if agreed is None else agreed.suite

    @property
    def roster(self) -> tuple[Member, ...]:
        """The members of the conference, ourselves first; empty in a call that is none."""
        return self._feed.members if self._feed is not None else ()

    @property
    def recording(self) -> str:
        """Whether the server records the conference: "recording", "paused", or ""."""
        return self._feed.recording if self._feed is not None else ""

    @property
    def lobby(self) -> tuple[WaitingPerson, ...]:
        """Who waits to be let in, as hosts are told."""
        return self._feed.lobby if self._feed is not None else ()

    @property
    def is_locked(self) -> bool:
        """Whether the conference lets nobody else in."""
        return self._feed is not None and self._feed.is_locked

    @property
    def is_waiting(self) -> bool:
        """Whether we are in the conference's lobby."""
        return self._feed is not None and self._feed.is_waiting

    @property
    def is_host(self) -> bool:
        """Whether we are the conference's host."""
        own = self._feed.own if self._feed is not None else None
        return own is not None and own.role == "host"

    @property
    def may_be_plainer(self) -> bool:
        """Whether it was refused in a way that sound alone might not be (RFC 3261 §21.4.26: 488, and what old servers say)."""
        return (self.end is not None and self.up_at is None and self.signalling.is_outgoing
                and self.media.pictures is not None and self.end.status in PICTURES_REFUSED)

    async def established(self) -> None:
        """Wait until the call is answered. Raises CallFailed with words when it is not."""
        await self._settled.wait()
        if self.up_at is None:
            assert self.end is not None
            raise CallFailed(self.end.text or "the call was given up", self.end.status)

    async def ended(self) -> CallEnd:
        """Wait for the end of the call."""
        await self._over.wait()
        assert self.end is not None
        return self.end

    async def answer(self) -> None:
        """Take an incoming call. Raises CallFailed when it is gone or can't be taken."""
        self.take()

    def take(self) -> None:
        """See `answer`: at once, for who can't wait."""
        if self.state is not State.RINGING or self.signalling.is_outgoing:
            raise CallFailed(self.end.text if self.end else "there is no call to answer")
        try:
            body = self._answer or self.media.offer()
        except MediaRefused as refused:
            self.decline(refused.status)
            raise CallFailed(refused.reason, refused.status) from None
        self.signalling.accept(body, self._line.now(), headers=[RECV_INFO])
        self._line.pump()
        self._now_up(self.signalling.invite)

    def decline(self, status: int = 603) -> None:
        """Refuse an incoming call: 603 declined, 486 busy."""
        self.signalling.reject(status, now=self._line.now())
        self._line.pump()

    def hang_up(self, reason: str = "") -> None:
        """End the call, whatever its state; twice is once."""
        self.signalling.hang_up(self._line.now(), reason)
        self._line.pump()

    async def hold(self, held: bool = True) -> None:
        """Put the call on hold or take it back (RFC 3264 §8.4). Raises CallFailed when the other side refuses."""
        if held == self.is_held:
            return
        self.media.is_held = held
        try:
            status = await self._offer_again()
        except BaseException:
            self.media.is_held = not held
            raise
        if status != 200:
            self.media.is_held = not held
            raise CallFailed(f"the other side refused to {'hold' if held else 'resume'} the call ({status})", status)
        self.is_held = held

    async def renegotiate(self) -> None:
        """Offer what there is now of pictures and other lines. Raises CallFailed when the other side refuses."""
        status = await self._offer_again()
        if status != 200:
            raise CallFailed(f"the other side refused the change ({status})", status)

    async def transfer(self, target: str | Call) -> None:
        """Hand the call on: to a name or an address, also of a room (blind), or to the other side of another call (attended).

        When it returns, the two others are connected, or the other side is in the room of that call, and our calls are over.
        Raises CallFailed in words when they are not; the call then goes on.
        """
        if not self.is_up or self.is_conference:
            raise CallFailed("only a call between two that is up can be transferred")
        if self._transfer is not None:
            raise CallFailed("another transfer is under way")
        other = target if isinstance(target, Call) else None
        if other is self or (other is not None and not other.is_up):
            raise CallFailed("the other call is not up")
        uri = target.uri if isinstance(target, Call) else self._line.uri_of(self, target)
        self._refer(uri, other)
        assert self._transfer is not None
        try:
            await self._transfer.done()
        finally:
            self._transfer = None
        for call in filter(None, (self, other)):
            await call._gone()

    def press(self, digits: str) -> bool:
        """Send keys (0-9 * # A-D); False when the other side takes none."""
        return self.is_up and self.media.press(digits)

    async def message(self, text: str) -> int:
        """Send a text message inside the call (RFC 3428); the status that came back, 408 for none. Raises CallFailed."""
        response = await self._request("MESSAGE", text.encode(), "text/plain;charset=UTF-8")
        return 408 if response is None else response.status

    # ---- sound for who uses the library; with a `Sound` attached it is heard there, too

    def audio(self) -> AsyncIterator[Samples]:
        """What is heard, a frame every 20 ms until the call ends: int16, shape (960,), 48 kHz mono; zeros in silence."""
        return self.frames.heard()

    def play(self, samples: Samples) -> bool:
        """Send sound: int16 mono 48 kHz of any length, one piece after the other. False, and nothing, when a minute waits."""
        return self.frames.play(samples)

    async def played(self) -> None:
        """Wait until all that was given to `play` is sent, or the call is over."""
        await self.frames.played()

    def tick(self, now_ns: int, frame: Samples | None) -> Samples | None:
        """One step of the phone's clock: send `frame` (None: what was given to `play`), return what is to be heard."""
        if self.state is not State.UP:
            return None
        to_send = self.frames.next_to_send() if frame is None else frame
        heard = self.media.tick(now_ns, SILENCE if self.is_held else to_send)
        self.frames.hear(heard)
        return heard

    # ---- what signalling tells (called by the phone)

    def offered(self, offer: bytes | None) -> None:
        """The INVITE of an incoming call came. Raises MediaRefused when there is nothing in common."""
        if offer is not None:
            self._answer = self.media.answer(offer)

    def on_event(self, event: events.Event) -> None:
        """An event of this call or of its subscription."""
        match event:
            case events.CallProgressed(_, response):
                self._on_progress(response)
            case events.CallAnswered(_, response, answer):
                self._on_answered(response, answer)
            case events.OfferReceived(_, offer, request):
                self._on_offer(offer)
                self._on_told(request)
            case events.PeerTold(_, request):
                self._on_told(request)
            case events.ReferReceived(referral):
                self._line.asked_to_transfer(self, referral)
            case events.AnswerReceived(_, answer):
                self._on_answer(answer)
            case events.OfferRefused(_, status):
                self._settle_reoffer(status)
            case events.DialogRequestReceived(_, transaction_id, request):
                self._on_request(transaction_id, request)
            case events.ReferProgressed(_, _, status, reason, is_final) if self._transfer is not None:
                self._transfer.on_progress(status, shown(reason), is_final)
            case events.CallTerminated():
                self._on_terminated(event)
            case events.NotifyReceived(_, request) if self._feed is not None and self.is_up:
                self._on_notify(self._feed, request)
            case events.SubscriptionTerminated(_, reason) if self._feed is not None:
                self._feed.on_ended(reason, self._line.now())

    def _on_progress(self, response: Response) -> None:
        if response.body and response.content_type == sip.invite.SDP:
            try:
                self.media.apply(response.body)
            except MediaRefused:
                pass                                    # early media only; the answer decides
        if response.status == 180:
            self.on_ringing()
        text = "Ringing …" if response.status == 180 else "Waiting for an answer …"
        self._line.notify(CallProgressed(self, text))

    def _on_answered(self, response: Response, answer: bytes | None) -> None:
        try:
            if answer is None:
                raise MediaRefused("the other side sent no description of its media")
            self.media.apply(answer)
        except MediaRefused as refused:
            self._end_text = f"there is no common way to talk: {refused.reason}"
            self.hang_up(refused.reason)
            return
        self._now_up(response)

    def _now_up(self, message: Request | Response | None) -> None:
        self.state = State.UP
        self.up_at = self._line.now()
        self._note_focus(message)
        self.talk.is_possible = message is not None and PACKAGE_OF_TALK in message.headers.get_all("Recv-Info")
        self._settled.set()
        self._line.notify(CallEstablished(self))
        if not self.signalling.is_outgoing and message is not None:
            self._add_lines(message)

    def _add_lines(self, message: Request | Response) -> None:
        """A server of ours called us, and offers sound alone: offer it the lines that phones alone begin with."""
        if message.headers.get("User-Agent") == OUR_SERVER and not self.floors.is_agreed:
            self._adding = asyncio.get_running_loop().create_task(self._offer_lines())

    async def _offer_lines(self) -> None:
        try:
            await asyncio.sleep(LINES_AFTER_S)
            await self._offer_again()
        except CallFailed as failed:
            log.info("no further lines", extra={"reason": str(failed)})

    def _note_focus(self, message: Request | Response | None) -> bool:
        """Whether it says that we are in a conference (RFC 4579 §5.1), which we did not know."""
        contact = message.contacts[0] if message is not None and message.contacts else None
        if self.is_conference or contact is None or contact.parameter("isfocus") is None:
            return False
        self.is_conference = True
        self.uri = Uri(contact.uri.scheme, contact.uri.user, contact.uri.host, contact.uri.port)
        self.title = title_of(self.uri)
        focus = contact.uri
        self._feed = RosterFeed(self.id, lambda: self._line.subscribe(self, focus, PACKAGE, CONTENT_TYPE))
        return True

    def _on_told(self, request: Request) -> None:
        """Somebody else is at the other end now: the server has connected us with them, or brought us into a meeting."""
        if not self.is_up:
            return
        try:
            named = [NameAddr.parse(value) for value in request.headers.get_all("P-Asserted-Identity")[:1]]
        except ParseError:
            named = []
        if self._note_focus(request):
            self._line.notify(CallEstablished(self))
        elif named and not self.is_conference:
            self.uri = without_pin(named[0].uri)
            self.title = shown(title_of(named[0].uri))
            self.remote_name = shown(named[0].display_name) or self.title
            self._line.notify(RosterUpdated(self))

    def _on_offer(self, offer: bytes | None) -> None:
        try:
            body = self.media.offer() if offer is None else self.media.answer(offer)
        except MediaRefused as refused:
            self.signalling.reject_offer(refused.status, self._line.now())
            return
        self.signalling.accept_offer(body, self._line.now())

    def _on_answer(self, answer: bytes) -> None:
        try:
            self.media.apply(answer)
        except MediaRefused as refused:
            self._settle_reoffer(488)
            if self.media.negotiated is None:
                self._end_text = f"there is no common way to talk: {refused.reason}"
                self.hang_up(refused.reason)
            return
        self._settle_reoffer(200)

    def _on_request(self, transaction_id: int, request: Request) -> None:
        status = 200
        if request.method == "MESSAGE":
            if request.content_type == "text/plain":
                self._line.notify(MessageArrived(self, shown(request.body.decode("utf-8", "replace"), 2000)))
            else:
                status = 415
        elif request.method == "INFO" and request.headers.get("Info-Package") == PACKAGE_OF_TALK:
            status = 200 if self.talk.receive(request.body) else 400
        elif request.method not in ("OPTIONS", "INFO"):
            status = 501
        headers = (("Accept", "text/plain"),) if status == 415 else (("Allow", sip.invite.ALLOW),)
        self._line.respond(transaction_id, status, headers)

    def _on_terminated(self, event: events.CallTerminated) -> None:
        reason = shown(event.reason)
        text, is_error = call_ended(event.cause, reason, event.by_remote)
        if self.up_at is None and event.cause != "cancelled" and self.signalling.is_outgoing and not self._end_text:
            text, is_error = self._line.call_failed(self.uri, event.status, reason), True
        elif self.up_at is None and not self._end_text:
            text, is_error = ("The caller gave up" if event.by_remote else ""), False
        self.end = CallEnd(self._end_text or text, bool(self._end_text) or is_error, event.cause, event.status, reason,
                           event.by_remote)
        self.state = State.ENDED
        self.talk.close()
        self._ended_at = self._line.now()
        if self._feed is not None:
            self._feed.end(self._line.now())
        if self._adding is not None:
            self._adding.cancel()
        self.desktops.close()
        self.showing.close()
        self.media.release()
        self._settle_reoffer(481)
        if self._transfer is not None:
            self._transfer.on_call_over(reason)
        self.frames.end()
        self._settled.set()
        self._over.set()
        self._line.forget(self)
        self._line.notify(CallOver(self))

    def _on_notify(self, feed: RosterFeed, request: Request) -> None:
        if feed.receive(request, self._line.now()):
            self.title = feed.title or self.title
            self._line.notify(RosterUpdated(self))

    # ---- whether the other side is still there

    def check(self, now: float) -> None:
        """Called every second: end a call whose other side has vanished, subscribe again where the focus forgot us."""
        if self.state is not State.UP or self.up_at is None:
            return
        if self.media.failure:
            self._end_text = f"The sound could not be protected: {self.media.failure}"
            self.hang_up("the handshake for the media failed")
            return
        if self._feed is not None and self._feed.check(now):
            self._line.pump()
        if self._probe is not None and self._probe.done():
            response, self._probe = self._probe.result(), None
            if response is None or response.status in (408, 481):
                self._lose("the other side does not know the call any more" if response else "the other side does not answer")
                return
        silent_s = now - max(self.media.last_received_at or 0.0, self.media.pictures_received_at, self.up_at)
        agreed = self.media.negotiated
        should_send = agreed is not None and agreed.may_receive and not self.is_held
        if should_send and silent_s > VANISHED_S:
            self._lose(f"nothing came from the other side for {VANISHED_S:.0f} s")
        elif silent_s > PROBE_AFTER_S and self._probe is None and now - self._probed_at > PROBE_EVERY_S:
            self._probed_at = now
            self._probe = self._start_request("OPTIONS")

    def _lose(self, why: str) -> None:
        self._end_text = f"The call was lost: {why}"
        self.hang_up("media lost")

    # ---- requests inside the call

    def _own_id(self) -> int:
        own = self._feed.own if self._feed is not None else None
        return own.member_id if own is not None else 0

    async def _send_info(self, body: bytes) -> int:
        response = await self._request("INFO", body, TALK_TYPE, TALK_HEADERS)
        return 408 if response is None else response.status

    def _start_request(self, method: str, body: bytes = b"", content_type: str | None = None,
                       headers: HeaderList = ()) -> asyncio.Future[Response | None]:
        try:
            request_id = self.signalling.request(method, headers=headers, body=body, content_type=content_type,
                                                 now=self._line.now())
        except LocalProtocolError:
            raise CallFailed("the call is not up") from None
        future = self._line.response_to(request_id)
        self._line.pump()
        return future

    async def _request(self, method: str, body: bytes, content_type: str, headers: HeaderList = ()) -> Response | None:
        if not self.is_up:
            raise CallFailed("the call is not up")
        return await self._start_request(method, body, content_type, headers)

    def _refer(self, uri: Uri, other: Call | None) -> None:
        """Send the REFER of a transfer."""
        replaced = None if other is None else other.signalling
        try:
            self.signalling.refer(uri, now=self._line.now(), replaces=replaced)
        except LocalProtocolError:
            raise CallFailed("the call is not up") from None
        self._transfer = Transfer(title_of(uri), lambda text: self._line.notify(TransferProgressed(self, text)))
        self._line.pump()

    async def _gone(self) -> None:
        """Wait for the end after a transfer, and bring it about where the other side leaves it to us (RFC 5589 §6.1)."""
        try:
            async with asyncio.timeout(GONE_S):
                await self.ended()
        except TimeoutError:
            self.hang_up(TRANSFERRED)

    async def _offer_again(self) -> int:
        """Send an offer; the status that came back. Waits and tries again at glare (RFC 3261 §14.1)."""
        status = 491
        for _ in range(REOFFERS):
            if not self.is_up:
                raise CallFailed("the call is over")
            try:
                offer = self.media.offer()
                self.signalling.offer(offer, self._line.now())
            except LocalProtocolError:
                await asyncio.sleep(0.5)
                continue
            except MediaRefused as refused:
                raise CallFailed(refused.reason, refused.status) from None
            self._reoffer = asyncio.get_running_loop().create_future()
            self._line.pump()
            status = await self._reoffer
            if status != 491:
                break
            await asyncio.sleep(random.uniform(2.1, 4.0) if self.signalling.is_outgoing else random.uniform(0.0, 2.0))
        return status

    def _settle_reoffer(self, status: int) -> None:
        if self._reoffer is not None and not self._reoffer.done():
            self._reoffer.set_result(status)
        self._reoffer = None
