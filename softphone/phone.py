"""The phone as a library: an account at a server, calls out and in, their sound. No window, no sound card.

    async with Phone(user="alice", password="…", server="example.org") as phone:
        call = await phone.call("daily")
        async for frame in call.audio():
            call.play(frame)

Signalling is `sip.endpoint` driven by `sip.aio`, media a `MediaSession` for each call; one 20 ms clock moves all sound. What
happens is told to `notify`. Network loss and a server that restarts are survived: the phone signs in again by itself.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import softphone.signin
from rtp.codecs.resample import Samples
from rtp.keying.certificate import Certificate
from rtp.sdp.negotiation import Capabilities
from rtp.sdp.protection import SrtpPolicy
from sip import events
from sip.aio.driver import Driver
from sip.aio.resolver import DnsResolver, Resolver
from sip.aio.tls import TlsClient
from sip.aio.udp import local_host_towards
from sip.auth import DigestClient
from sip.endpoint import Endpoint, EndpointSettings
from sip.flow import Address, Flow
from sip.headers import HeaderList, NameAddr
from sip.invite import Call as SipCall
from sip.media_backend import MediaRefused
from sip.message import Request, Response
from sip.refer import Referral
from sip.routing import Destination, asks_for_tls, own_contact_over
from sip.settings import ALLOW, ASKS_FOR_PIN, SUPPORTED
from sip.subscription import Subscription
from sip.uri import Uri
from softphone.addresses import FACTORY, AddressError, Server, resolve, target_uri
from softphone.call import Call
from softphone.capture import PhoneCapture
from softphone.errors import CallFailed, SignInFailed
from softphone.handover import Handovers, Policy
from softphone.line import CallArrived, CallReplaced, PhoneEvent, RegistrationUpdated, State
from softphone.media.clock import run_clock
from softphone.media.pictures import PictureSettings
from softphone.media.session import MediaSession, MediaSettings
from softphone.media.sound import Sound
from softphone.protection import check_keying, is_secure, suites_named
from softphone.signin import SignIn
from softphone.talk import RECV_INFO
from softphone.trust import Signalling, Trust
from softphone.words import REPLACED, call_failed

TRANSPORTS = ("UDP", "TCP", "TLS")
SETTINGS = EndpointSettings("Confero phone", allow=f"{ALLOW}, REFER",
                            supported=SUPPORTED | {"replaces", "norefersub", ASKS_FOR_PIN})
NETWORK_CHECK_S = 5.0
MAX_CALLS = 100
MAX_RINGING = 3
GOODBYE_S = 2.0
"""How long the end waits for the answers to the last BYE and REGISTER."""
PORT_TRIES = 5

log = logging.getLogger(__name__)


class _PhoneDriver(Driver):
    """Tells the phone of a connection that broke, too: a registration that came over it is void."""

    def __init__(self, endpoint: Endpoint, handler: Callable[[events.Event], None], on_lost: Callable[[Flow], None],
                 tls: TlsClient) -> None:
        super().__init__(endpoint, handler, tls)
        self._on_lost = on_lost

    def stream_lost(self, flow: Flow) -> None:
        """See Driver."""
        super().stream_lost(flow)
        self._on_lost(flow)


class Phone:
    """A phone. Used as a context it opens its sockets and, with an account, is registered when the block begins.

    user, password, server: the account; a server alone (HOST or HOST:PORT) makes names of rooms callable without signing in.
    transport: udp, tcp or tls. codecs: names in order of preference, all when empty. listen: our address and port, found out
    when not given. keep_alive_s: the longest pause between pings to the server, for a NAT that forgets faster than others.
    instance: a URN of our own, by which the server knows this phone again under another address (RFC 5626). resolver: looks
    names up, DNS when not given. srtp: off, prefer or require, whether sound is protected; keying: sdes or dtls, how our offers
    bring its keys about, what fits the signalling when empty; suites: of SRTP by name, all when empty (ValueError for others).
    trust: judges certificates, from no knowledge when not given. transfers: what is done when the other side of a call asks us
    to call somebody else: `refuse`, `ask` (a TransferAsked is told) or `follow`. notify: gets each PhoneEvent, in the loop; it
    must not block. capture: sees all messages and packets; who made it closes it. pictures: what calls have beside sound, None
    for nothing. Raises AddressError for a bad server.
    """

    def __init__(self, user: str = "", password: str = "", server: str = "", *, transport: str = "udp", display_name: str = "",
                 codecs: tuple[str, ...] = (), listen: str = "", port: int = 0, dtx: bool = False, auto_register: bool = True,
                 keep_alive_s: float = 0.0, instance: str = "", resolver: Resolver | None = None, srtp: str = "prefer",
                 keying: str = "", suites: tuple[str, ...] = (), trust: Trust | None = None, transfers: Policy = "refuse",
                 capture: PhoneCapture | None = None, pictures: PictureSettings | None = None,
                 notify: Callable[[PhoneEvent], None] = lambda event: None) -> None:
        if transport.upper() not in TRANSPORTS:
            raise AddressError(f"the transport is udp, tcp or tls, not {transport!r}")
        self.user, self.display_name = user, display_name
        self._name = user or f"guest-{secrets.token_hex(3)}"
        self.server = Server.parse(server) if server else None
        if user and self.server is None:
            raise AddressError("an account needs a server; give its name, such as --server example.org")
        self.transport = transport.upper()
        self.trust = trust or Trust()
        self._capture = capture
        self.pictures = pictures
        known = Capabilities(srtp=SrtpPolicy(srtp))
        self.capabilities = known.only(*codecs) if codecs else known
        self.dtx = dtx
        self._keying = check_keying(keying)
        self._suites = suites_named(suites)
        self._certificate: Certificate | None = None
        self.sound: Sound | None = None
        self.sound_call: Call | None = None
        self.calls: list[Call] = []
        self._password = password
        self._listen = (listen, port)
        self._auto_register = auto_register and bool(user)
        self._notify = notify
        self._endpoint: Endpoint | None = None
        self._driver: _PhoneDriver | None = None
        self._server_address: Address | None = None
        self._servers: deque[Destination] = deque()
        self._keep_alive_s = keep_alive_s
        self._instance = instance
        self._resolver = resolver
        self._credentials: DigestClient | None = None
        self._sign_in: SignIn | None = None
        self._registered = asyncio.Event()
        self._outcome: RegistrationUpdated | None = None
        self._responses: dict[int, asyncio.Future[Response | None]] = {}
        self._arrived: asyncio.Queue[Call] = asyncio.Queue(MAX_RINGING)
        self._clock: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._handovers = Handovers(self, transfers)
        self._local_host = ""
        self._network_check_at = self._touch_at = 0.0

    # ---- life

    async def __aenter__(self) -> Phone:
        await self.start()
        try:
            if self._auto_register:
                await self.signed_in()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the sockets and begin to sign in. Raises AddressError (unknown server, no network, port taken)."""
        await self._open()
        self._watch = asyncio.get_running_loop().create_task(self._keep_watch(), name="phone: watch")

    @property
    def is_registered(self) -> bool:
        """Whether the server knows where we are."""
        return self._sign_in is not None and self._sign_in.is_registered

    async def signed_in(self) -> None:
        """Wait for what the registrar says first. Raises SignInFailed in words."""
        await self._registered.wait()
        assert self._outcome is not None
        if not self._outcome.is_registered:
            raise SignInFailed(self._outcome.text, self._outcome.status)

    async def close(self) -> None:
        """Hang up, sign out, close. Waits two seconds at most for the other sides' answers."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._handovers.close()
        for call in list(self.calls):
            call.hang_up()
        if self._sign_in is not None:
            self._sign_in.end()
        await self._wait_for_answers()
        self.calls.clear()
        self._run_or_stop_clock()
        await self._close_sockets()
        if self.sound is not None:
            self.sound.close()
            self.sound = None

    async def _wait_for_answers(self) -> None:
        for _ in range(int(GOODBYE_S / 0.01)):
            if self._endpoint is None or not self._endpoint.has_unanswered:
                return
            await asyncio.sleep(0.01)

    # ---- calls

    async def call(self, target: str) -> Call:
        """Call a room or a person: a name at our server, or a SIP URI. Waits for the answer. Raises CallFailed in words.

        Who refuses a call for its pictures is called again without them.
        """
        call = await self.dial(target)
        try:
            await call.established()
        except asyncio.CancelledError:
            call.hang_up()
            raise
        except CallFailed:
            if not call.may_be_plainer:
                raise
            call = await self.dial(target, is_plain=True)
            await call.established()
        return call

    async def new_meeting(self) -> Call:
        """Call the conference factory (RFC 4579 §5.4): a new room, whose address is `call.uri`. Raises CallFailed."""
        return await self.call(FACTORY)

    async def dial(self, target: str, headers: HeaderList = (), *, is_plain: bool = False) -> Call:
        """Send the INVITE; `call.established()` waits for the answer. Raises CallFailed when the address is of no use.

        headers: what else the INVITE says; is_plain: sound alone is offered.
        """
        try:
            uri = target_uri(target, self.server)
            ways, is_ours = await self._ways_to(uri)
            flow, *others = await self._flows_to(ways, self.server.host if is_ours and self.server is not None else uri.host)
        except AddressError as error:
            raise CallFailed(str(error)) from None
        if len(self.calls) >= MAX_CALLS:
            raise CallFailed(f"there are {MAX_CALLS} calls already")
        assert self._endpoint is not None
        media = self._media(flow, is_plain=is_plain)
        try:
            offer = media.offer()
        except MediaRefused as refused:
            raise CallFailed(refused.reason, refused.status) from None
        signalling = self._endpoint.invite(
            uri, from_=self._identity(flow), flow=flow, contact=self._contact(flow, uri), now=self.now(), offer=offer,
            credentials=self._credentials if is_ours else None, alternatives=others,
            headers=(*headers, RECV_INFO),
        )
        call = self._adopt(Call(self, signalling, media, NameAddr(uri)))
        self.pump()
        return call

    async def next_call(self) -> Call:
        """Wait for somebody to call; the call rings until it is answered or declined. One given up meanwhile is passed over."""
        while True:
            call = await self._arrived.get()
            if call.state is State.RINGING:
                return call

    def attach(self, call: Call | None) -> None:
        """Let this call, and no other, use the phone's `sound`."""
        self.sound_call = call

    def use_sound(self, sound: Sound | None) -> None:
        """Take a sound (started) into the clock, or none. The one before is given up, not closed."""
        self.sound = sound
        self._run_or_stop_clock()

    @property
    def addresses(self) -> list[str]:
        """The URIs by which this phone can be called directly."""
        listening = self._driver.addresses if self._driver is not None else []
        return [str(Uri("sip", self._name, address[0], address[1])) for transport, address in listening if transport == "UDP"]

    # ---- what calls ask of their phone (softphone.call.Line)

    def now(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    def pump(self) -> None:
        """Send what waits, handle what happened."""
        if self._driver is not None:
            self._driver.pump()

    def response_to(self, request_id: int) -> asyncio.Future[Response | None]:
        """See Line."""
        future: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        self._responses[request_id] = future
        return future

    def respond(self, transaction_id: int, status: int, headers: tuple[tuple[str, object], ...] = ()) -> None:
        """See Line."""
        if self._endpoint is not None:
            self._endpoint.respond(transaction_id, status, now=self.now(), headers=headers)

    def subscribe(self, call: Call, target: Uri, package: str, accept: str) -> Subscription:
        """See Line."""
        assert self._endpoint is not None
        flow = call.signalling.flow
        return self._endpoint.subscribe(
            target, package=package, accept=accept, from_=self._identity(flow), flow=flow, contact=self._contact(flow),
            now=self.now(), credentials=call.signalling.credentials, data=call,
        )

    def uri_of(self, call: Call, target: str) -> Uri:
        """See Line. A name without a host is at our server, or where the call goes."""
        try:
            return target_uri(target, self.server or Server(call.uri.host, call.uri.port))
        except AddressError as error:
            raise CallFailed(str(error)) from None

    def call_failed(self, uri: Uri, status: int, reason: str) -> str:
        """See Line."""
        refusal = self.trust.refusal(uri.host) or (self.trust.refusal(self.server.host) if self.server is not None else "")
        if status == 503 and refusal:
            return refusal
        return call_failed(status, reason, str(self.server or uri.host_port), bool(self.user))

    def notify(self, event: PhoneEvent) -> None:
        """Tell who uses the phone; what goes wrong there is logged."""
        try:
            self._notify(event)
        except Exception:
            log.exception("an event of the phone could not be handled")

    def signalling(self, call: Call | None = None) -> Signalling:
        """How the way to the peer of a call, or to our server, is protected."""
        flow = call.signalling.flow if call is not None else self._sign_in.flow if self._sign_in is not None else None
        if flow is None or self._driver is None:
            return Signalling()
        return self.trust.signalling(flow.name, flow.transport, self._driver.protection(flow))

    def forget(self, call: Call) -> None:
        """A call is over."""
        if call in self.calls:
            self.calls.remove(call)
        if self.sound_call is call:
            self.sound_call = None
        self._run_or_stop_clock()

    def _adopt(self, call: Call) -> Call:
        call.signalling.data = call
        self.calls.append(call)
        self._run_or_stop_clock()
        return call

    # ---- sockets

    async def _open(self) -> None:
        host, port = self._listen
        if self.server is not None:
            self._servers = deque(await self._resolve(self.server.uri()))
            self._local_host = self._first_reachable()
            host = host or self._local_host
        self._endpoint = Endpoint(SETTINGS, secrets.token_bytes)
        self._endpoint.watch = self._capture.message if self._capture is not None else None
        self._endpoint.admit, self._endpoint.readmit = self._admit, self._readmit
        self._driver = _PhoneDriver(self._endpoint, self._on_event, self._on_connection_lost, TlsClient(self.trust.judge))
        try:
            await self._listen_on(host or "0.0.0.0", port)
        except AddressError:
            await self._close_sockets()
            raise
        if self._auto_register:
            self._register()

    async def _listen_on(self, host: str, port: int) -> None:
        assert self._driver is not None
        error: OSError | None = None
        for _ in range(1 if port else PORT_TRIES):          # a free UDP port may be taken for TCP
            try:
                await self._driver.listen(host, port)
                return
            except OSError as caught:
                error = caught
        assert error is not None
        raise AddressError(f"the phone can't listen on {host}" + (f" port {port}" if port else "")
                           + f" ({error.strerror or error})") from None

    async def _close_sockets(self) -> None:
        driver, self._driver, self._endpoint = self._driver, None, None
        if self._sign_in is not None:
            self._sign_in.give_up()
            self._sign_in = None
        for future in self._responses.values():
            if not future.done():
                future.set_result(None)
        self._responses.clear()
        if driver is not None:
            await driver.close()

    async def _resolve(self, uri: Uri) -> tuple[Destination, ...]:
        if self._resolver is None:
            self._resolver = DnsResolver()
        return await resolve(uri, self.transport, self._resolver)

    def _first_reachable(self) -> str:
        """Turn the list of our servers so that the first one can be reached; our address towards it. Raises AddressError."""
        error: AddressError | None = None
        for _ in range(len(self._servers)):
            self._server_address = (self._servers[0].host, self._servers[0].port)
            try:
                return _local_host(self._server_address, str(self.server))
            except AddressError as caught:
                error = error or caught
                self._servers.rotate(-1)
        assert error is not None
        raise error

    async def _ways_to(self, uri: Uri) -> tuple[Sequence[Destination], bool]:
        """(where to send a call, whether that is our own server). What can't be looked up goes to the server, if any."""
        transport = "TLS" if asks_for_tls(uri, self.transport) else (uri.parameter("transport") or self.transport).upper()
        if transport not in TRANSPORTS:
            raise AddressError(f"this phone speaks UDP, TCP and TLS, not {transport}")
        is_same_port = transport == self.transport or "TLS" not in (transport, self.transport)
        ours = [replace(server, transport=transport) for server in self._servers] if is_same_port else []
        is_server = self.server is not None and uri.host == self.server.host
        if ours and is_server:
            return ours, True
        try:
            ways = await self._resolve(uri)
        except AddressError:
            if not ours:
                raise
            return ours, True
        return ways, is_server or ways[0] in ours

    async def _flows_to(self, ways: Sequence[Destination], name: str) -> list[Flow]:
        """The flows to those of the destinations that can be reached from one address of ours. Raises AddressError.

        name: whom a certificate has to name there.
        """
        flows: list[Flow] = []
        error: AddressError | None = None
        for way in ways:
            try:
                flow = await self._flow_to((way.host, way.port), way.transport, name)
            except AddressError as caught:
                error = error or caught
                continue
            if not flows or flow.local[0] == flows[0].local[0]:
                flows.append(flow)
        if not flows:
            raise error or AddressError("there is no way to that address")
        return flows

    async def _flow_to(self, remote: Address, transport: str, name: str) -> Flow:
        if self._driver is None:
            raise AddressError("the phone has no network just now; wait a moment, or check the cable")
        try:
            return self._driver.flow_to(remote, transport, name)
        except OSError:
            pass
        try:
            await self._listen_on("::" if ":" in remote[0] else "0.0.0.0", 0)
            return self._driver.flow_to(remote, transport, name)
        except OSError as error:
            raise AddressError(f"there is no way to {remote[0]} from here ({error.strerror or error})") from None

    def _media(self, flow: Flow, *, is_plain: bool = False) -> MediaSession:
        if self._certificate is None:                       # for handshakes of this run of the phone
            self._certificate = Certificate.create(datetime.now(UTC))
        return MediaSession(MediaSettings(flow.local[0], self.capabilities, self.dtx, is_secure(flow.transport),
                                          self._certificate, self._keying, self._suites,
                                          self._capture.packet if self._capture is not None else None,
                                          None if is_plain else self.pictures))

    def _identity(self, flow: Flow) -> NameAddr:
        if self.server is not None and self.user:
            return NameAddr(self.server.uri(self.user), self.display_name)
        return NameAddr(Uri("sip", self._name, flow.local[0]), self.display_name)

    def _contact(self, flow: Flow, target: Uri | None = None) -> Uri:
        return own_contact_over(flow, self._name, flow.local[0], is_secure=target is not None and target.scheme == "sips")

    # ---- registration

    def _register(self) -> None:
        assert self._endpoint is not None and self._driver is not None and self.server and self._server_address
        self._credentials = DigestClient(self.user, self._password, entropy=secrets.token_bytes)
        flow = self._driver.flow_to(self._server_address, self.transport, self.server.host)
        self._sign_in = SignIn(self._endpoint, self, registrar=self.server.uri(), aor=self._identity(flow),
                               contact=self._contact(flow), flow=flow, credentials=self._credentials,
                               tell=self._tell_registration, keep_alive_s=self._keep_alive_s, instance=self._instance)
        self.pump()

    def _try_next_server(self) -> None:
        """Sign in at the next server of the same name, when one does not answer or is overloaded (RFC 3263 §4.3)."""
        if len(self._servers) < 2 or self._sign_in is None or self._driver is None:
            return
        self._servers.rotate(-1)
        try:
            self._local_host = self._first_reachable()
            assert self._server_address is not None and self.server is not None
            flow = self._driver.flow_to(self._server_address, self.transport, self.server.host)
        except (AddressError, OSError):
            return
        log.info("trying the next server", extra={"server": str(self._servers[0])})
        self._sign_in.move(flow, self._contact(flow))

    def _tell_registration(self, outcome: RegistrationUpdated) -> None:
        if outcome.status == 503 and self.server is not None and (refusal := self.trust.refusal(self.server.host)):
            outcome = replace(outcome, text=refusal)
        is_news = outcome != self._outcome
        self._outcome = outcome
        self._registered.set()
        if is_news:
            self.notify(outcome)

    def _on_connection_lost(self, flow: Flow) -> None:
        if self._sign_in is not None:
            self._sign_in.on_connection_lost(flow)

    # ---- watch: vanished calls, keep-alives, a changed network

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = self.now()
            for call in list(self.calls):
                try:
                    call.check(now)
                except Exception:
                    log.exception("a call could not be checked")
            if now >= self._network_check_at:
                self._network_check_at = now + NETWORK_CHECK_S
                await self._check_network()
            self._touch_calls(now)
            self._handovers.check(now)

    def _touch_calls(self, now: float) -> None:
        """Keep the way open for calls that no registration keeps it for: those of guests, and to other servers."""
        if now < self._touch_at or self._endpoint is None:
            return
        self._touch_at = now + (self._keep_alive_s or softphone.signin.KEEP_ALIVE_S) * 0.8
        kept = self._sign_in.flow.remote if self.is_registered and self._sign_in is not None else None
        for flow in dict.fromkeys(call.signalling.flow for call in self.calls if call.is_up):
            if flow.remote != kept:
                self._endpoint.touch_flow(flow, now)
        self.pump()

    async def _check_network(self) -> None:
        """After a change of our address (another network) start afresh, as soon as no call is up."""
        if self._server_address is None or self.calls or self._listen[0]:
            return
        if self._driver is not None:
            try:
                if local_host_towards(*self._server_address) == self._local_host:
                    return
            except OSError:
                return
            log.info("the network has changed")
            await self._close_sockets()
        try:
            await self._open()
        except AddressError as error:
            self._tell_registration(RegistrationUpdated(False, str(error), 503, True))

    # ---- the endpoint's events

    def _on_event(self, event: events.Event) -> None:
        match event:
            case events.CallReceived(signalling, request, offer, replaces):
                self._on_call(signalling, request, offer, None if replaces is None else replaces.data)
            case events.ReferReceived(referral, None):
                referral.reject(403, self.now(), "transfers are taken inside a call only")
            case events.Registered() | events.RegistrationFailed():
                if self._sign_in is not None:
                    self._sign_in.on_event(event)
                if isinstance(event, events.RegistrationFailed) and event.status in (408, 503):
                    self._try_next_server()
            case events.ResponseReceived(request_id, response):
                self._settle(request_id, response)
            case events.RequestFailed(request_id, _):
                self._settle(request_id, None)
            case events.RequestReceived(transaction_id, request, _):
                status = 200 if request.method == "OPTIONS" else 405
                self.respond(transaction_id, status, (("Allow", ALLOW), ("Accept", "application/sdp")))
            case events.SubscriptionReceived(subscription, _):
                subscription.reject(489, self.now())
            case events.NotifyReceived(subscription, _) | events.SubscriptionTerminated(subscription, _):
                if isinstance(subscription.data, Call):
                    subscription.data.on_event(event)
            case events.SubscriptionRefreshed():
                pass
            case _:
                if event.call is not None and isinstance(event.call.data, Call):
                    event.call.data.on_event(event)

    def _settle(self, request_id: int, response: Response | None) -> None:
        future = self._responses.pop(request_id, None)
        if future is not None and not future.done():
            future.set_result(response)

    def _admit(self, request: Request, flow: Flow, now: float) -> Response | None:
        """With an account, calls come through its server alone: all else is somebody who scans the network."""
        if request.method != "INVITE" or not self._servers or self._is_server(flow):
            return None
        return request.respond(403, "Calls come through the server", to_tag=secrets.token_hex(8))

    def _readmit(self, owner: SipCall | Subscription, request: Request, flow: Flow, now: float) -> Response | None:
        """Another address may speak in a call where it is another one of our server's."""
        if self._is_server(flow) and self._is_server(owner.flow) and (flow.is_protected or not owner.flow.is_protected):
            return None
        return request.respond(403, "This call is not yours", to_tag=secrets.token_hex(8))

    def _is_server(self, flow: Flow) -> bool:
        return any(flow.remote[0] == server.host for server in self._servers)

    def _on_call(self, signalling: SipCall, request: Request, offer: bytes | None, replaced: Call | None) -> None:
        ringing = sum(call.state is State.RINGING for call in self.calls)
        others = len(self.calls) - ringing
        if replaced is not None and not replaced.is_up:
            signalling.reject(481, now=self.now())
            return
        is_full = ringing >= (1 if others else MAX_RINGING) or len(self.calls) >= MAX_CALLS or self._arrived.full()
        if is_full and replaced is None:
            signalling.reject(486, now=self.now())
            return
        media = self._media(signalling.flow)
        if self._is_server(signalling.flow):
            signalling.credentials = self._credentials
        call = Call(self, signalling, media, request.from_)
        try:
            call.offered(offer)
        except MediaRefused as refused:
            signalling.reject(refused.status, headers=[("Warning", f'399 phone "{_plain(refused.reason)}"')], now=self.now())
            return
        self._adopt(call)
        if replaced is not None:                             # RFC 3891 §3: answered without a ring, the user has agreed already
            call.take()
            self.put_in_place_of(replaced, call, REPLACED)
            return
        signalling.ring(self.now())
        self._arrived.put_nowait(call)
        self.notify(CallArrived(call))

    # ---- transfers that others ask of us

    def asked_to_transfer(self, call: Call, referral: Referral) -> None:
        """See Line."""
        self._handovers.ask(call, referral)

    def put_in_place_of(self, old: Call, new: Call, reason: str) -> None:
        """A call goes on as another one (a transfer, RFC 5589; Replaces, RFC 3891): the old one is hung up, its sound moves."""
        if self.sound_call is old:
            self.sound_call = new
        self.notify(CallReplaced(old, new))
        old.hang_up(reason)

    # ---- the clock

    def _run_or_stop_clock(self) -> None:
        is_wanted = bool(self.calls) or self.sound is not None
        if is_wanted and self._clock is None:
            self._clock = asyncio.get_running_loop().create_task(run_clock(self._tick, self._skip), name="phone: clock")
        elif not is_wanted and self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        sound, heard_by_us = self.sound, None
        frame: Samples | None = sound.capture() if sound is not None else None
        for call in list(self.calls):
            is_heard = sound is not None and call is self.sound_call
            heard = call.tick(now_ns, frame if is_heard else None)
            if is_heard:
                heard_by_us = heard
        if sound is not None:
            sound.play(heard_by_us)

    def _skip(self, frames: int) -> None:
        for call in self.calls:
            call.media.skip(frames)
        if self.sound is not None:
            self.sound.record_silence(frames)


def _local_host(server: Address, name: str) -> str:
    """Our address towards the server. Raises AddressError when there is no network."""
    try:
        return local_host_towards(*server)
    except OSError as error:
        raise AddressError(f"{name} can't be reached from here ({error.strerror or error}); is the network there?") from None


def _plain(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")
