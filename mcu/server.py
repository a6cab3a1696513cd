"""`confero serve`: everything put together (the composition root), started in order and ended in the reverse one.

Storage and directory, the media workers, the endpoint with its guard, the sockets, the control socket; then events are handed
to the switchboard until SIGTERM or SIGINT. A second signal ends the process within two seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
import logging
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from ipaddress import ip_address
from typing import Any

import uvloop

from mcu import prompts
from mcu.addresses import Addresses, networks_at_hand
from mcu.administration import Administration
from mcu.api import control
from mcu.api.webhooks import OUTCOMES, Webhooks
from mcu.attendant import Attendant
from mcu.b2bua import UserCall
from mcu.bus import Bus, call_facts
from mcu.captures import FOLDER, LOOK_S, Captures
from mcu.certificates import Files, ServerCertificate, own_files
from mcu.cli.logs import start_logging
from mcu.config import AUTO, EVERYWHERE, ServerConfig
from mcu.dial_outs import DialOut, DialOuts
from mcu.dialplan import Dialplan
from mcu.directory import Directory
from mcu.engine.notices import (
    DtmfPressed,
    LegSilent,
    MediaNotice,
    PlayerChanged,
    ProtectionFailed,
    RoomLost,
    SpeakersChanged,
)
from mcu.engine.pool import EngineSettings, WorkerPool
from mcu.errors import McuError
from mcu.floor import Event as FloorEvent
from mcu.floor_control import FloorControl
from mcu.floor_door import FloorDoors
from mcu.focus import Focus
from mcu.guard import Guard
from mcu.happenings import Event as RoomEvent
from mcu.happenings import InviteRequested
from mcu.keeper import RoomKeeper
from mcu.leg import own_contact
from mcu.live import LiveView
from mcu.location import Located, MemoryLocationStore
from mcu.memory import Memory
from mcu.participant import ParticipantId
from mcu.picture.process import PictureWorkers
from mcu.public_address import ask_stun
from mcu.registrar import EXTENSIONS, Registrar
from mcu.relay.service import RelayService
from mcu.reloading import limits_of, read_again
from mcu.secrecy import keep_memory_private
from mcu.storage.base import AuditRecord, CallRecord, Storage
from mcu.storage.folder import DataLock
from mcu.storage.sqlite import SqliteStorage
from mcu.studio import Studio
from mcu.surroundings import MediaRoom
from mcu.switchboard import Switchboard
from mcu.trunk import Trunk, Trunks
from mcu.welcome import Welcome, reachable
from rtp.sdp.protection import SrtpPolicy
from sip.aio.driver import Driver
from sip.aio.resolver import DnsResolver, find
from sip.aio.udp import is_unspecified
from sip.auth import DigestClient
from sip.endpoint import Endpoint
from sip.events import Event
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.registration import Registration
from sip.routing import Destination, Lookup, NoRoute
from sip.settings import ALLOW, SUPPORTED, EndpointSettings
from sip.uri import Uri

log = logging.getLogger(__name__)

SETTINGS = EndpointSettings(allow=f"{ALLOW}, REFER, REGISTER", supported=SUPPORTED | {"replaces", "norefersub"},
                            registrar_supported=EXTENSIONS)
PROBE_EVERY_S = 30.0
"""How often phones that send no media are asked whether they are there, and bindings that ran out are dropped."""
STUN_EVERY_S = 300.0
"""How often the public address is asked for once it is known: a provider may change it."""
TRANSPORTS = ("UDP", "TCP", "TLS")
MAX_LOOKUPS = 100
"""Names that are looked up at once; a dial command is one."""
GOODBYE_S = 0.5
"""How long the answers to our BYEs are waited for when the server stops."""
HURRY_S = 2.0
COLLECT_AFTER = (10_000, 10, 5)
"""Thresholds of the garbage collector: the 3,000 ended calls that transactions still know at 100 a second are no garbage, and
looking through them took 7 % of the time and 90 ms at once. Half a million objects are some 60 MB."""
DRAIN_STEP_S = 0.2


class Server:
    """A running server; it is the `Surroundings` of all its roles. Made inside an event loop by `run`."""

    def __init__(self, config: ServerConfig, storage: Storage, directory: Directory) -> None:
        self.config = config
        self.domain = directory.domain
        self.addresses = Addresses(None if config.public_address == AUTO else config.public_address, networks_at_hand())
        self.certificate: ServerCertificate | None = None
        self.is_taking_calls = False
        self.reloads: list[Callable[[], None]] = []
        self._resolver = DnsResolver()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._storage = storage
        self._directory = directory
        self.keeper = RoomKeeper(storage, self.wallclock)
        self.performers: dict[type[RoomEvent], Callable[[str, Any], str]] = {}
        self.bus = Bus(self.wallclock)
        self.endpoint = Endpoint(SETTINGS, secrets.token_bytes)
        self.driver = Driver(self.endpoint, self._receive_event)
        self._prompts = config.prompts or config.data / prompts.FOLDER
        self.voice = prompts.Voice(self._prompts, lambda action: self._loop.call_soon_threadsafe(self._act, action))
        self.pictures = PictureWorkers(config.picture_workers)
        self.pool = WorkerPool(
            EngineSettings(workers=config.workers, first_port=config.rtp_ports[0], last_port=config.rtp_ports[1],
                           addresses=self.addresses, prompts=self._prompts, srtp=SrtpPolicy(config.srtp),
                           silence_s=config.silence_s),
            self._receive_notice, self.pictures if config.picture_workers else None)
        self.relay = RelayService(config.rtp_ports, relay_names(self.domain, config.addresses), config.data,
                                  config.addresses[0])
        self.endpoint.told_host = lambda flow: self.addresses.towards(flow.local[0], flow.remote[0])
        dialplan = Dialplan(self.domain, lambda name: directory.account(name) is not None)
        store = MemoryLocationStore(storage.put_binding, storage.delete_binding)
        store.load(storage.bindings())
        trunks = Trunks(Trunk(name, one, self, secrets.token_bytes) for name, one in config.trunk.items())
        self.switchboard = Switchboard(self, dialplan, directory, Registrar(store), limits_of(config),
                                       is_open=config.open, trunks=trunks)
        guard = Guard(dialplan, self.switchboard, realm=self.domain, nonce_key=directory.nonce_key, is_open=config.open,
                      entropy=secrets.token_bytes, wallclock=self.wallclock)
        self.switchboard.accounts = guard
        self.performers[InviteRequested] = self.switchboard.invite
        self.captures = Captures(config.data / FOLDER, self.pool, self.switchboard, self._watch,
                                 max_bytes=config.pcap_max_mb * 1_000_000, files=config.pcap_files)
        self.dial_outs = DialOuts(self._note_dial_out)
        self.studio = Studio(config.data, lambda seconds, action: self.call_at(self.now() + seconds, action))
        self.performers |= self.studio.performers(self.switchboard.foci, self.language_of)
        self.endpoint.admit, self.endpoint.readmit = guard.admit, guard.readmit

    # ---- mcu.surroundings.Surroundings

    def now(self) -> float:
        """Monotonic seconds."""
        return self._loop.time()

    def wallclock(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a monotonic time, and send what comes of it."""
        self._loop.call_at(when, self._act, action)

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            self.endpoint.counters["handler errors"] += 1
            log.exception("something that was due could not be done")
        self.driver.pump()

    def new_id(self) -> ParticipantId:
        """32 random bits that no participant has."""
        while True:
            number = secrets.randbits(32)
            if number and not self.pool.has_leg(number):
                return ParticipantId(number)

    def open_media_room(self, kind: str) -> MediaRoom:
        """A room of the media engine."""
        return self.pool.open_room(kind)

    def language_of(self, *names: str | None) -> str:
        """The language of the first of these accounts and rooms that has one, else the server's."""
        found = (self.config.languages.get(name) for name in names if name)
        return next((language for language in found if language), self.config.language)

    def have_prompt(self, name: str, language: str, then: Callable[[], None]) -> None:
        """Call `then` when a prompt's file is there, or can't be made."""
        self.voice.have(name, language, then)
    def open_floors(self, control: FloorControl, on_event: Callable[[FloorEvent], None]) -> FloorDoors:
        """What carries a conference's floor control; what an event of its rules causes goes out at once."""
        def told(event: FloorEvent) -> None:
            on_event(event)
            self._loop.call_soon(self.driver.pump)
        control.floors.settings = replace(control.floors.settings, is_control_allowed=self.config.desktop_control)
        return FloorDoors(control, told, self.pool.certificate, self.pool.some_ports)

    def keep_record(self, record: CallRecord) -> None:
        """Write a call record behind."""
        self._storage.put_call(record)
        self.bus.publish("call-running" if record.ended_at is None else "call-ended", **call_facts(record))

    def publish(self, kind: str, **facts: object) -> None:
        """Tell those who listen to events."""
        self.bus.publish(kind, **facts)

    def recall_room(self, name: str) -> Memory | None:
        """What a room that opens remembers of its people."""
        return self.keeper.recall(name)

    def was_interrupted(self, name: str) -> bool:
        """Whether a meeting may go on that a restart has interrupted."""
        return self.keeper.was_interrupted(name)

    def read_room(self, name: str) -> None:
        """What a room remembers was changed from outside."""
        self.keeper.read(name)

    def keep_room(self, name: str, memory: Memory, *, is_empty: bool) -> None:
        """Keep what a room remembers, behind."""
        self.keeper.keep(name, memory, is_empty=is_empty)

    def end_room(self, name: str, memory: Memory, *, is_permanent: bool) -> None:
        """A meeting is over."""
        self.keeper.end(name, memory, is_permanent=is_permanent and self._directory.room(name) is not None)

    def keep_audit(self, record: AuditRecord) -> None:
        """Write a row of the audit log behind."""
        self._storage.put_audit(record)

    def _note_dial_out(self, entry: DialOut) -> None:
        facts = entry.facts()
        log.info("calling out", extra=facts)
        self.publish("dial-out", **facts)

    def perform(self, room: str, event: RoomEvent) -> str:
        """Have done what a room has decided; see Surroundings."""
        performer = self.performers.get(type(event))
        if performer is None:
            log.warning("nobody here can do that", extra={"room": room, "what": type(event).__name__})
            return "this server can not do that"
        return performer(room, event)

    def dial(self, target: Uri, *, from_: NameAddr, to: NameAddr, flow: Flow, offer: bytes | None, data: object,
             headers: Iterable[tuple[str, object]] = (), alternatives: Sequence[Flow] = (),
             credentials: DigestClient | None = None, max_forwards: int = 70) -> Call:
        """Send an INVITE of ours; see Surroundings."""
        contact = own_contact(flow, from_.uri.user or "", self.addresses, is_secure=target.scheme == "sips")
        return self.endpoint.invite(target, from_=from_, to=to, flow=flow, contact=contact, now=self.now(), offer=offer,
                                    headers=headers, data=data, alternatives=alternatives, credentials=credentials,
                                    max_forwards=max_forwards)

    def register(self, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow, credentials: DigestClient, expires_s: int,
                 keep_alive_s: float) -> Registration:
        """Register at another server, until the registration is ended."""
        return self.endpoint.register(registrar, aor=aor, contact=contact, flow=flow, now=self.now(), credentials=credentials,
                                      expires_s=expires_s, keep_alive_s=keep_alive_s)

    def look_up(self, uri: Uri, found: Callable[[Sequence[Flow]], None], failed: Callable[[str], None]) -> None:
        """Find the way to a URI (RFC 3263); see Surroundings."""
        try:
            lookup = Lookup(uri, transports=TRANSPORTS)
        except NoRoute as error:
            failed(str(error))
            return
        if lookup.destinations:
            self._reach(uri, lookup.destinations, found, failed)
            return
        if len(self._tasks) >= MAX_LOOKUPS:
            failed("too many names are being looked up just now")
            return
        task = self._loop.create_task(self._find(uri, found, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(self, uri: Uri, found: Callable[[Sequence[Flow]], None], failed: Callable[[str], None]) -> None:
        try:
            destinations = await find(uri, self._resolver, transports=TRANSPORTS)
        except NoRoute as error:
            reason = str(error)
            self._act(lambda: failed(reason))
            return
        self._act(lambda: self._reach(uri, destinations, found, failed))

    def _reach(self, uri: Uri, destinations: Sequence[Destination], found: Callable[[Sequence[Flow]], None],
               failed: Callable[[str], None]) -> None:
        """Hand on the flows to those destinations that a socket of ours reaches."""
        flows, reason = [], ""
        for destination in destinations:
            try:
                flows.append(self.driver.flow_to((destination.host, destination.port), destination.transport, uri.host))
            except OSError as error:
                reason = error.strerror or str(error)
        if flows:
            found(flows)
        else:
            failed(f"{uri.host} can't be reached: {reason}")

    async def learn_public_address(self) -> None:
        """Ask the STUN server, where one is to be asked; what it says holds for calls from now on."""
        if self.config.public_address != AUTO or self.config.stun_server is None:
            return
        try:
            address = await ask_stun(self.config.stun_server, self._resolver)
        except McuError as error:
            log.warning("no public address", extra={"reason": str(error)})
            return
        if address != self.addresses.public:
            log.info("public address", extra={"address": address})
        self.addresses.public = address

    def flow_of(self, located: Located) -> Flow | None:
        """The way to a registered phone: the flow of its REGISTER, or a new one to the same address after a restart."""
        if located.flow is not None:
            return located.flow
        host, _, port = located.binding.source.rpartition(":")
        if located.binding.transport != "UDP":
            return None
        try:
            return self.driver.flow_to((host.strip("[]"), int(port)))
        except (OSError, ValueError):
            return None

    def request(self, call: Call, method: str, answered: Callable[[int, str], None], *, body: bytes = b"",
                content_type: str | None = None, headers: Iterable[tuple[str, object]] = ()) -> None:
        """Send a request inside a call."""
        number = call.request(method, headers=headers, body=body, content_type=content_type, now=self.now())
        self.switchboard.expect(number, answered)

    def respond(self, transaction_id: int, status: int, reason: str | None = None,
                headers: Iterable[tuple[str, object]] = ()) -> None:
        """Answer a request that is no INVITE or SUBSCRIBE."""
        self.endpoint.respond(transaction_id, status, reason, now=self.now(), headers=headers)

    def figures(self) -> dict[str, Any]:
        """How much state there is, what was counted, and the media workers."""
        return {**self.endpoint.figures(), **self.driver.figures(), "counters": dict(self.endpoint.counters),
                "workers": [asdict(worker) for worker in self.pool.figures()],
                "picture_workers": [asdict(worker) for worker in self.pictures.figures()]}

    @property
    def is_ready(self) -> bool:
        """Whether calls are taken, and a media worker is there for them."""
        return self.is_taking_calls and any(worker.pid for worker in self.pool.figures())

    # ---- what comes in

    def _receive_event(self, event: Event) -> None:
        self.switchboard.receive_event(event)

    def _receive_notice(self, notice: MediaNotice) -> None:
        role = self.switchboard.role_of(notice.room_id)
        match notice:
            case DtmfPressed(_, leg_id, key) if isinstance(role, Focus | UserCall | Attendant):
                role.pressed(leg_id, key)
            case SpeakersChanged(_, leg_ids) if isinstance(role, Focus):
                role.hear(leg_ids)
            case LegSilent(room_id, leg_id):
                self.switchboard.silent(room_id, leg_id)
            case ProtectionFailed(_, leg_id, reason):
                self.switchboard.unprotected(leg_id, reason)
            case PlayerChanged():
                self.studio.players.receive(notice)
            case RoomLost() if role is not None:
                log.error("a media worker is gone", extra={"room_id": notice.room_id})
                role.shut_down("the media process of this room failed; please call again")
        self.driver.pump()

    async def listen(self) -> list[str]:
        """Open the SIP sockets; the addresses. Raises McuError in words when one can't be had."""
        addresses = self.config.addresses
        for host in addresses:
            try:
                await self.driver.listen(host, self.config.sip_port)
            except OSError as error:
                if addresses == EVERYWHERE and host == "::" and self.driver.addresses:
                    log.info("no IPv6 here")
                    continue
                raise McuError(_cannot_listen(host, self.config.sip_port, error)) from error
        await self._listen_tls()
        return list(addresses)

    async def _listen_tls(self) -> None:
        """Open the ports of TLS and WebSocket on the same addresses, with the operator's certificate or our own."""
        ports = ((self.config.tls_port, "--tls-port", self.driver.listen_tls),
                 (self.config.wss_port, "--wss-port", self.driver.listen_wss))
        hosts = [address[0] for transport, address in self.driver.addresses if transport == "UDP"]
        if not any(port for port, _, _ in ports):
            return
        self.certificate = self._take_certificate(hosts)
        for host, (port, option, listen) in itertools.product(hosts, ports):
            try:
                if port:
                    await listen(host, port, self.certificate.server)
            except OSError as error:
                raise McuError(_cannot_listen(host, port, error, option)) from error

    def _take_certificate(self, hosts: list[str]) -> ServerCertificate:
        if self.config.tls_cert is not None and self.config.tls_key is not None:
            return ServerCertificate(Files(self.config.tls_cert, self.config.tls_key))
        own = [self.addresses.public] if self.addresses.public else []
        hosts = [*hosts, *(host for host in self.config.http_listen if not ip_address(host).is_loopback)]
        own += [one for host in hosts for one in (reachable(host) if is_unspecified(host) else [host])]
        return ServerCertificate(own_files(self.config.data, self.domain, own))

    async def look_after(self) -> None:
        """Ask quiet phones, drop old bindings, notice new addresses of ours, until cancelled."""
        ask_again_at = self.now() + (STUN_EVERY_S if self.addresses.public else 0.0)
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            self.addresses.networks = networks_at_hand()
            if self.certificate is not None and self.certificate.reload_if_changed():
                for reload in self.reloads:
                    reload()
            if self.now() >= ask_again_at:
                await self.learn_public_address()
                ask_again_at = self.now() + (STUN_EVERY_S if self.addresses.public else 0.0)
            self.switchboard.registrar.expire(self.wallclock())
            self.switchboard.probe_quiet_legs()
            self.driver.pump()
            if any(gc.get_count()[1:]) and not any(True for _ in self.switchboard.legs()):
                gc.collect()             # much has come since the last time, and nobody is there whom a pause could hurt

    def _watch(self) -> None:
        """Captures begin or end: look at the messages while there are any."""
        captures = self.captures
        is_new = captures.is_on and self.endpoint.watch is None
        self.endpoint.watch = captures.watch if captures.is_on else None
        if is_new:
            self.call_at(self.now() + LOOK_S, self._look_at_captures)

    def _look_at_captures(self) -> None:
        self.captures.look()
        if self.captures.is_on:
            self.call_at(self.now() + LOOK_S, self._look_at_captures)

    def reload(self, reread: Callable[[], ServerConfig]) -> None:
        """Read certificate and configuration again (SIGHUP)."""
        if self.certificate is not None:
            self.certificate.reload()
        config = read_again(self.config, reread)
        if config is not None:
            self.config = config
            self.switchboard.limits = limits_of(config)
            start_logging(config.log_level, config.log_format)
        for reload in self.reloads:
            reload()

    async def say_goodbye(self) -> None:
        """Hang up on everybody, and give the BYEs a moment to arrive."""
        for task in list(self._tasks):
            task.cancel()
        self.switchboard.shut_down("the server is shutting down")
        self.driver.pump()
        if self.endpoint.next_timer() is not None:
            await asyncio.sleep(GOODBYE_S)


def relay_names(domain: str, hosts: Iterable[str]) -> str:
    """The names and addresses by which stock viewers reach this server."""
    shown = [one for host in hosts for one in (reachable(host) if is_unspecified(host) else [host])]
    return ",".join(dict.fromkeys([domain, "localhost", "127.0.0.1", *shown]))


def _cannot_listen(host: str, port: int, error: OSError, option: str = "--sip-port") -> str:
    if error.errno == 98:
        return f"port {port} on {host} is in use; stop the program that has it, or choose another one with {option}"
    if error.errno == 99:
        return f"{host} is no address of this machine; see --listen"
    if error.errno == 13:
        return f"port {port} needs root; choose one from 1024 up with {option}"
    return f"can't listen on {host} port {port}: {error.strerror}"


async def run(config: ServerConfig, reread: Callable[[], ServerConfig]) -> int:
    """Serve until a signal; the exit status. reread: the configuration as it is now. Raises McuError when it can't start."""
    keep_memory_private()
    async with AsyncExitStack() as stack:
        lock = DataLock(config.data)
        lock.acquire()
        stack.callback(lock.release)
        storage = SqliteStorage(config.data)
        stack.callback(storage.close)
        directory = Directory(storage, config.domain)
        directory.begin()
        server = Server(config, storage, directory)
        stopping = _stop_on_signals(lambda: server.reload(reread))
        if config.trunk:
            await asyncio.to_thread(prompts.prepare, config.prompts or config.data / prompts.FOLDER, config.language)
        await stack.enter_async_context(server.driver)
        await stack.enter_async_context(server.pictures)
        await stack.enter_async_context(server.pool)
        await stack.enter_async_context(server.relay)
        await server.listen()
        await server.learn_public_address()
        server.switchboard.trunks.start()
        server.driver.pump()
        stack.callback(server.voice.close)
        stack.callback(server.captures.close)
        stack.callback(server.studio.close)
        if config.pcap is not None:
            server.captures.start_all(config.pcap)
        live = LiveView(server.switchboard, server.driver.pump, server.captures, server.studio, server.figures)
        administration = Administration(directory, storage, live, max_members=config.max_members)
        await stack.enter_async_context(control.ControlServer(config.data / control.FILE_NAME, administration.execute, lock))
        webhooks = await stack.enter_async_context(Webhooks(server.bus, server.wallclock))
        server.reloads.append(lambda: webhooks.configure(server.config.webhook))
        webhooks.configure(config.webhook)
        dashboard: list[str] = []
        if config.http_port:
            from mcu.api.front import make_desk, open_http  # a fifth of a second, and 20 MB, for who wants it

            desk = make_desk(administration, directory, server.bus, lambda: server.is_ready)
            desk.figures |= {f"webhook_{what}": functools.partial(webhooks.total, what) for what in OUTCOMES}
            desk.figures["storage_lost_writes"] = lambda: storage.lost_writes
            http = await open_http(config, desk, server.certificate)
            stack.push_async_callback(http.close)
            server.reloads.append(http.reload)
            dashboard = http.urls
        administrator = directory.make_first_administrator()
        token = administration.tokens.make_first() if administrator is not None else None
        shown = config.model_copy(update={"public_address": server.addresses.public})
        print(Welcome(shown, directory, server.driver.addresses, administrator,
                      server.certificate.fingerprint if server.certificate else "", dashboard, token), flush=True)
        gc.freeze()                                        # what is loaded by now stays: collections skip it
        gc.set_threshold(*COLLECT_AFTER)
        log.info("ready")
        server.is_taking_calls = True
        looking = asyncio.create_task(server.look_after())
        await stopping.wait()
        log.info("stopping")
        server.is_taking_calls = False
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        if server.config.drain_s:
            await _drain(server, server.config.drain_s)
        await server.say_goodbye()
    return 0


async def _drain(server: Server, seconds: float) -> None:
    """Let running calls go on for a while; new ones are refused."""
    server.endpoint.admit = lambda request, flow, now: request.respond(503, headers=[("Retry-After", 60)])
    for _ in range(round(seconds / DRAIN_STEP_S)):
        if not any(True for _ in server.switchboard.legs()):
            return
        await asyncio.sleep(DRAIN_STEP_S)


def _stop_on_signals(reload: Callable[[], None]) -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one makes the process end soon. SIGHUP calls `reload`."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            loop.call_later(HURRY_S, sys.exit, 1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    return stopping


def serve(config: ServerConfig, reread: Callable[[], ServerConfig] | None = None) -> int:
    """Run a server in this process until it is asked to stop; the exit status. Raises McuError in words.

    reread: the configuration as file and flags give it when it is called, for SIGHUP.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(config, reread or (lambda: config)))
