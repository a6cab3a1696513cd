"""The asyncio side of the window: turns commands into calls of the phone, and what happens into events.

Everything runs in one loop; a command that takes time is a task of its own, and one that fails costs a banner. What persists
(account, devices, settings, places called) goes through `softphone.config`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtp.errors import NegotiationFailed
from rtp.sdp.protection import SrtpPolicy
from softphone import config as store
from softphone import model
from softphone.addresses import FACTORY, AddressError, Server, target_uri, title_of, without_pin
from softphone.call import Call
from softphone.capture import PhoneCapture
from softphone.config import Account, Config
from softphone.desk import Desk
from softphone.errors import CallFailed
from softphone.handover import Handover
from softphone.line import (
    CallArrived,
    CallEstablished,
    CallOver,
    CallProgressed,
    CallReplaced,
    MessageArrived,
    PhoneEvent,
    RegistrationUpdated,
    RosterUpdated,
    TransferAsked,
    TransferProgressed,
)
from softphone.media.processing import Wanted
from softphone.meter import Meter, quality_of
from softphone.model import Banner, Command, Event, Registration
from softphone.muting import Muting
from softphone.phone import Phone
from softphone.trust import Trust, first_meeting

LEVELS_EVERY_S = 0.05
QUALITY_EVERY_S = 1.0
CLOSE_WAIT_S = 5.0
RETRY_S = (2.0, 5.0, 10.0, 30.0)

log = logging.getLogger(__name__)
MakeDesk = Callable[[Callable[[Banner], None]], Desk]


class Agent:
    """Runs a phone for the window. publish: gets each event; path: of the file that keeps the settings.

    make_desk: given how to show a banner, makes the sound; account, srtp: for this run, in place of what is kept; keying,
    suites: see Phone; expected: a host and the fingerprint that it has to show.
    """

    def __init__(self, publish: Callable[[Event], None], config: Config, path: Path, make_desk: MakeDesk, *,
                 account: Account | None = None, listen: tuple[str, int] = ("", 0), srtp: str = "", keying: str = "",
                 suites: tuple[str, ...] = (), expected: tuple[str, str] | None = None,
                 capture: PhoneCapture | None = None) -> None:
        self.config = config
        self.account = account or config.account
        self.phone: Phone | None = None
        self.call: Call | None = None
        self._publish = publish
        self._path = path
        self._desk = make_desk(self._banner)
        self._settling = asyncio.Lock()
        self._listen = listen
        self._srtp = srtp
        self._keying = {"keying": keying, "suites": suites}
        self._capture = capture
        self._refusal = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._quit = asyncio.Event()
        self._signing: asyncio.Task[None] | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._ringing: list[Call] = []
        self._asked: list[Handover] = []
        self._is_in_prejoin = False
        self._muting = Muting(self._desk.sound, publish, self._start)
        self._meter = Meter()
        self._trust = Trust(config.certificates, self._keep_certificate, self._met_certificate)
        self._expected = expected

    # ---- life

    async def run(self) -> None:
        """Work until Quit; then end calls, sign out, close the sound."""
        self._desk.choose(self.config.microphone or None, self.config.speaker or None)
        self._desk.wanted = self._wanted()
        self._publish(model.SettingsChanged(self._settings()))
        self._publish(model.RecentChanged(self.config.recent))
        if self._expected is not None:
            self._trust.expect(*self._expected)
        self._sign_in()
        self._start(self._look_for_devices())
        self._start(self._measure())
        try:
            await self._quit.wait()
        finally:
            await self._end()

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_phone()
        await self._desk.end()

    def handle(self, command: Command) -> None:
        """Do what the window asks; returns at once. What goes wrong is logged and shown."""
        try:
            self._handle(command)
        except Exception:
            log.exception("a command failed", extra={"command": type(command).__name__})
            self._banner(Banner("Something went wrong inside the phone; the log has the details.", "error"))

    def _handle(self, command: Command) -> None:
        match command:
            case model.SignIn():
                self._change_account(command)
            case model.NewMeeting():
                self._dial(FACTORY, bool(self.config.is_on("join_muted")), "New meeting")
            case model.OpenPrejoin(target):
                self._open_prejoin(target)
            case model.ClosePrejoin():
                self._is_in_prejoin = False
                self._publish(model.PrejoinClosed())
                self._start(self._settle_desk())
            case model.Dial(target, muted, name):
                self._rename(name.strip())
                self._dial(target, muted)
            case model.Answer(call_id):
                self._start(self._answer(call_id))
            case model.Decline(call_id):
                for handover in self._take_asked(call_id):
                    handover.decline()
                for call in [call for call in self._ringing if call.id == call_id]:
                    call.decline()
            case model.SetMuted(muted):
                self._set_muted(muted)
            case model.SetHold(held):
                self._start(self._hold(held))
            case model.Transfer(target):
                self._start(self._transfer(target))
            case model.SendDigits(digits):
                if self.call is None or not self.call.press(digits):
                    self._banner(Banner("The other side takes no keys.", "warning"))
            case model.Leave(end_for_all):
                self._start(self._leave(end_for_all))
            case model.ChooseDevice(microphone, speaker):
                self._start(self._choose_device(microphone, speaker))
            case model.TestSpeaker():
                self._start(self._test_speaker())
            case model.ChangeSetting(name, value):
                self._change_setting(name, value)
            case model.Quit():
                self._quit.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a task of the phone failed")
            self._banner(Banner("Something went wrong inside the phone; the log has the details.", "error"))

    def _show_refusal(self, text: str) -> None:
        """A certificate that was refused is told in full, once: what to compare does not fit beside the account."""
        server = self.phone.server if self.phone is not None else None
        refusal = text if server is not None and text == self._trust.refusal(server.host) else ""
        if refusal and refusal != self._refusal:
            self._banner(Banner(_sentence(refusal), "error"))
        self._refusal = refusal

    def _banner(self, banner: Banner) -> None:
        self._publish(model.BannerShown(banner))

    # ---- account

    def _change_account(self, wanted: model.SignIn) -> None:
        if self.phone is not None and self.phone.calls:
            self._banner(Banner("Leave the call before you change the account.", "warning"))
            return
        try:
            if wanted.server:
                Server.parse(wanted.server)
            elif wanted.user:
                raise AddressError("an account needs a server, such as example.org")
        except AddressError as error:
            self._publish(model.RegistrationChanged(Registration.FAILED, str(error)))
            return
        self.account = Account(wanted.user.strip(), wanted.password, wanted.server.strip(), wanted.transport,
                               wanted.display_name.strip())
        self._save(replace(self.config, account=self.account))
        self._publish(model.SettingsChanged(self._settings()))
        self._sign_in()

    def _sign_in(self) -> None:
        account = self.account
        self._publish(model.AccountChanged(account.user, account.server, account.display_name))
        status = Registration.TRYING if account.is_set else Registration.NONE
        self._publish(model.RegistrationChanged(status, f"Signing in at {account.server} …" if account.is_set else ""))
        if self._signing is not None:
            self._signing.cancel()
        self._signing = self._start(self._open_phone())

    def _rename(self, name: str) -> None:
        """Be called `name` from the next call on; empty changes nothing."""
        if not name or name == self.account.display_name:
            return
        self.account = replace(self.account, display_name=name)
        if self.phone is not None:
            self.phone.display_name = name
        self._save(replace(self.config, account=replace(self.config.account, display_name=name)))
        self._publish(model.AccountChanged(self.account.user, self.account.server, name))

    async def _open_phone(self) -> None:
        await self._close_phone()
        account, attempt = self.account, 0
        while self.phone is None:
            phone = self._make_phone(account)
            try:
                await phone.start()
                self.phone = phone
                phone.use_sound(self._desk.sound if self._desk.is_open else None)
            except AddressError as error:
                self._publish(model.RegistrationChanged(Registration.FAILED, str(error)))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            except asyncio.CancelledError:
                await phone.close()
                raise

    def _make_phone(self, account: Account) -> Phone:
        codec = str(self.config.settings.get("codec", ""))
        options: dict[str, Any] = {
            "transport": account.transport, "display_name": account.display_name, "dtx": self.config.is_on("dtx"),
            "listen": self._listen[0], "port": self._listen[1], "notify": self._on_phone_event,
            "srtp": self._srtp_policy(), **self._keying,
            "trust": self._trust, "transfers": "ask", "capture": self._capture,
        }
        if account.is_set:
            options["instance"] = self._instance()
        try:
            return Phone(account.user, account.password, account.server, codecs=(codec,) if codec else (), **options)
        except NegotiationFailed as error:
            self._banner(Banner(f"{error}; all codecs are used.", "warning"))
            return Phone(account.user, account.password, account.server, **options)

    def _instance(self) -> str:
        """The name by which servers know this phone again, kept from the first time on."""
        if not self.config.instance:
            self._save(self.config.with_instance())
        return self.config.instance

    def _srtp_policy(self) -> str:
        wanted = self._srtp or str(self.config.settings.get("srtp", ""))
        return wanted if wanted in list(SrtpPolicy) else SrtpPolicy.PREFER

    async def _close_phone(self) -> None:
        phone, self.phone = self.phone, None
        if phone is not None:
            phone.use_sound(None)
            await phone.close()

    # ---- calls out

    def _open_prejoin(self, target: str) -> None:
        if self.call is not None or self._is_dialing:
            self._banner(Banner("Leave the call first.", "warning"))
            return
        if self._checked(target) is None:
            return
        self._is_in_prejoin = True
        self._publish(model.PrejoinOpened(target))
        self._start(self._settle_desk())
        self._start(self._look_for_devices())

    def _checked(self, target: str) -> str | None:
        """The URI to show for what was typed; None, and a banner, when it is none."""
        account = self.account
        try:
            server = Server.parse(account.server) if account.server else None
            return str(without_pin(target_uri(target, server)))
        except AddressError as error:
            text = str(error)
            self._banner(Banner(text[:1].upper() + text[1:], "error"))
            return None

    @property
    def _is_dialing(self) -> bool:
        return self._dialing is not None and not self._dialing.done()

    def _dial(self, target: str, muted: bool, title: str = "") -> None:
        if self.call is not None or self._is_dialing:
            self._banner(Banner("Leave the call first.", "warning"))
            return
        uri = self._checked(target)
        if uri is None:
            return
        if self.phone is None:
            self._banner(Banner("The phone is not connected yet; see what the account says.", "error"))
            return
        self._is_in_prejoin = False
        self._muting.is_muted = muted
        shown = title or title_of(target_uri(uri, None))
        self._publish(model.CallStarted(uri, f"Calling {shown} …"))
        self._dialing = self._start(self._place_call(self.phone, target))

    async def _place_call(self, phone: Phone, target: str) -> None:
        try:
            call = await phone.dial(target)
        except CallFailed as error:
            self._publish(model.CallEnded(_sentence(str(error)), True))
            await self._settle_desk()
            return
        self.call = call
        await self._settle_desk()

    async def _leave(self, end_for_all: bool) -> None:
        call = self.call
        if call is None:
            if self._is_dialing:
                assert self._dialing is not None
                self._dialing.cancel()
            self._publish(model.CallEnded(""))
            await self._settle_desk()
            return
        if end_for_all and call.is_up and not await self._end_for_all(call):
            return
        if not call.is_up:                  # whoever is called may be slow to hear of it; the window need not wait
            self.call = None
            self._publish(model.CallEnded(""))
        call.hang_up()
        await self._settle_desk()

    async def _end_for_all(self, call: Call) -> bool:
        """Ask the focus to close the conference; False, and a banner, when it does not."""
        try:
            status = await call.message("/close")
        except CallFailed:
            return True
        if status == 200:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await call.ended()
            return True
        text = f"The server did not end the meeting ({status})."
        if status == 403:
            text = "Only the host may end the meeting for all."
        self._banner(Banner(text, "warning"))
        return False

    # ---- calls in

    def _on_asked(self, handover: Handover) -> None:
        """The other side would hand us on: shown like a call, which it would become."""
        if handover.call is not self.call:
            handover.decline()
            return
        self._asked.append(handover)
        shown = f"{handover.name} (transfer by {handover.call.remote_name})"
        self._publish(model.IncomingRang(model.Incoming(handover.id, shown, str(handover.uri))))

    def _take_asked(self, wanted: str = "") -> list[Handover]:
        """The transfers of that id, or those that came to nothing; the window shows them no more."""
        taken = [one for one in self._asked if one.id == wanted or not one.is_open or not one.call.is_up]
        self._asked = [one for one in self._asked if one not in taken]
        for one in taken:
            self._publish(model.IncomingGone(one.id))
        return [one for one in taken if one.id == wanted]

    async def _follow(self, handover: Handover) -> None:
        try:
            await handover.follow()
        except CallFailed as error:
            self._banner(Banner(_sentence(str(error)), "warning"))

    async def _answer(self, call_id: str) -> None:
        for handover in self._take_asked(call_id):
            await self._follow(handover)
            return
        call = next((call for call in self._ringing if call.id == call_id), None)
        if call is None:
            return
        before, self.call = self.call, call
        if before is not None:
            before.hang_up("answered another call")
        self._muting.is_muted = False
        self._is_in_prejoin = False
        self._stop_ringing(call)
        await self._settle_desk()
        try:
            await call.answer()
        except CallFailed as error:
            if self.call is call:
                self.call = None
                self._publish(model.CallEnded(_sentence(str(error)), True))

    def _on_arrived(self, call: Call) -> None:
        self._ringing.append(call)
        self._publish(model.IncomingRang(model.Incoming(call.id, call.remote_name, str(call.uri))))
        self._start(self._settle_desk())

    def _stop_ringing(self, call: Call) -> None:
        if call in self._ringing:
            self._ringing.remove(call)
            self._publish(model.IncomingGone(call.id))

    # ---- what the phone tells

    def _on_phone_event(self, event: PhoneEvent) -> None:
        match event:
            case RegistrationUpdated(is_registered, text):
                status = Registration.REGISTERED if is_registered else Registration.FAILED
                self._publish(model.RegistrationChanged(status, text))
                self._show_signalling()
                self._show_refusal("" if is_registered else text)
            case CallArrived(call):
                self._on_arrived(call)
            case CallProgressed(call, text):
                if call is self.call:
                    self._publish(model.CallStarted(str(call.uri), text))
            case CallEstablished(call):
                if call is self.call:
                    self._on_established(call)
            case RosterUpdated(call):
                if call is self.call:
                    self._on_roster(call)
            case MessageArrived(call, text):
                if call is self.call:
                    self._banner(Banner(f"{call.remote_name}: {text[:200]}"))
            case TransferProgressed(call, text):
                if call is self.call:
                    self._banner(Banner(text))
            case TransferAsked(handover):
                self._on_asked(handover)
            case CallReplaced(old, call):
                if old is self.call:
                    self.call = call
                    self._on_established(call)
            case CallOver(call):
                self._on_over(call)

    def _on_established(self, call: Call) -> None:
        assert self.phone is not None
        self._desk.record()
        self.phone.attach(call)
        self._meter = Meter()
        self._show_signalling(call)
        self._publish(model.CallEstablished(str(call.uri), call.title, call.is_conference, time.monotonic()))
        self._muting.begin(call)
        self._publish_members(call)
        self._remember(call)

    def _show_signalling(self, call: Call | None = None) -> None:
        if self.phone is not None:
            signalling = self.phone.signalling(call)
            self._publish(model.SignallingChanged(str(signalling), signalling.is_protected))

    def _on_roster(self, call: Call) -> None:
        self._publish_members(call)
        self._muting.on_roster(call)

    def _publish_members(self, call: Call) -> None:
        own_name = self.account.display_name or self.account.user or "You"
        members = self._meter.members_of(call, own_name, self._muting.is_muted)
        self._publish(model.RosterChanged(members, call.title, call.is_host))
        self._publish(model.SpeakersChanged(dict(self._meter.speakers)))

    def _on_over(self, call: Call) -> None:
        self._take_asked()
        was_ringing = call in self._ringing
        self._stop_ringing(call)
        assert call.end is not None
        if was_ringing and call.end.cause == "cancelled":
            self._banner(Banner(f"Missed call from {call.remote_name}"))
        if call is self.call:
            self.call = None
            self._publish(model.CallEnded(_sentence(call.end.text), call.end.is_error))
        self._start(self._settle_desk())

    # ---- in a call

    def _set_muted(self, muted: bool) -> None:
        call = self.call
        self._muting.set(muted, call)
        if call is not None and call.is_up and not call.is_conference:
            self._publish_members(call)

    async def _hold(self, held: bool) -> None:
        call = self.call
        if call is None or not call.is_up:
            return
        try:
            await call.hold(held)
        except CallFailed as error:
            if call.is_up:
                self._banner(Banner(_sentence(str(error)), "warning"))
            return
        self._publish(model.HoldChanged(held))

    async def _transfer(self, target: str) -> None:
        """Hand the call on; where that fails it goes on, and a banner says why."""
        call = self.call
        if call is None or not call.is_up:
            return
        try:
            await call.transfer(target)
        except CallFailed as error:
            if call.is_up:
                self._banner(Banner(f"The call was not transferred: {error}", "warning"))

    async def _measure(self) -> None:
        """Levels twenty times a second, figures once a second."""
        quality_at = 0.0
        while True:
            await asyncio.sleep(LEVELS_EVERY_S)
            now = time.monotonic()
            if self._desk.is_open:
                sound = self._desk.sound
                self._publish(model.LevelsChanged(sound.microphone_dbov, sound.speaker_dbov))
            call = self.call
            if call is None or not call.is_up:
                continue
            if self._meter.measure(call, None if self._muting.is_muted else self._desk.sound.microphone_dbov, now):
                self._publish(model.SpeakersChanged(dict(self._meter.speakers)))
            if now >= quality_at:
                quality_at = now + QUALITY_EVERY_S
                self._take_asked()
                self._publish(model.QualityChanged(quality_of(call)))

    # ---- sound

    async def _settle_desk(self) -> None:
        """Open the devices where sound is needed, close them where it is not: nobody listens to an idle microphone."""
        async with self._settling:
            if self._needs_sound:
                await self._desk.open()
            rings = bool(self._ringing) and self.config.is_on("ring")
            self._desk.ring(rings, self.call is not None and self.call.is_up)
            if not self._needs_sound:
                await self._desk.close()
            if self.phone is not None:
                self.phone.use_sound(self._desk.sound if self._desk.is_open else None)

    @property
    def _needs_sound(self) -> bool:
        rings = bool(self._ringing) and self.config.is_on("ring")
        return self._is_in_prejoin or self.call is not None or self._is_dialing or rings

    async def _look_for_devices(self) -> None:
        devices = await self._desk.look()
        self._publish(devices)
        if self._desk.found.trouble:
            self._banner(Banner(_sentence(self._desk.found.trouble), "warning"))

    async def _choose_device(self, microphone: str | None, speaker: str | None) -> None:
        self._desk.choose(microphone, speaker)
        self._save(replace(self.config, microphone=self._desk.microphone, speaker=self._desk.speaker))
        self._publish(self._desk.devices())
        await self._desk.reopen()

    async def _test_speaker(self) -> None:
        was_open = self._desk.is_open
        await self._desk.open()
        if self.phone is not None:
            self.phone.use_sound(self._desk.sound)
        self._desk.play_test()
        if not was_open:
            await asyncio.sleep(1.2)
            await self._settle_desk()

    def _wanted(self) -> Wanted:
        config = self.config
        return Wanted(config.is_on("echo_cancelling"), config.is_on("noise_suppression"), config.is_on("gain"))

    # ---- what persists

    def _change_setting(self, name: str, value: str | bool) -> None:
        try:
            changed = self.config.with_setting(name, value)
        except ValueError as error:
            self._banner(Banner(_sentence(str(error)), "error"))
            return
        self._save(changed)
        self._publish(model.SettingsChanged(self._settings()))
        self._desk.process(self._wanted())
        if name == "srtp":
            self._srtp = ""
        if name in ("codec", "dtx", "srtp") and self.phone is not None and not self.phone.calls:
            self._sign_in()

    def _settings(self) -> dict[str, str | bool]:
        return {**self.config.settings, "transport": self.account.transport}

    def _remember(self, call: Call) -> None:
        self._save(self.config.with_recent(model.Recent(str(call.uri), call.title, time.time(), call.has_pin)))
        self._publish(model.RecentChanged(self.config.recent))

    def _keep_certificate(self, host: str, fingerprint: str) -> None:
        self._save(self.config.with_certificate(host, fingerprint))

    def _met_certificate(self, host: str, fingerprint: str) -> None:
        self._banner(Banner(first_meeting(host, fingerprint), "warning"))        # it stays until it was read

    def _save(self, config: Config) -> None:
        self.config = config
        try:
            store.save(config, self._path)
        except OSError as error:
            self._banner(Banner(f"{self._path} can't be written ({error.strerror or error}); settings are lost at the end.",
                                "warning"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
