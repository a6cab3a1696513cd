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
from pathlib import Path
from typing import Any

from softphone import model, shares
from softphone.addresses import FACTORY, AddressError, Server, target_uri, title_of, without_pin
from softphone.board import PictureBoard
from softphone.call import Call
from softphone.config import Account, Config
from softphone.desk import Desk
from softphone.errors import CallFailed, PhoneError
from softphone.handover import Handover
from softphone.kept import Kept
from softphone.line import (
    CallArrived,
    CallEstablished,
    CallOver,
    CallProgressed,
    CallReplaced,
    MessageArrived,
    NewsArrived,
    PhoneEvent,
    RegistrationUpdated,
    RosterUpdated,
    TransferAsked,
    TransferProgressed,
)
from softphone.media.screen import find_shareables
from softphone.media.sound import Sound
from softphone.meeting import MeetingDesk
from softphone.meeting_orders import GiveOrder, SendChat
from softphone.meter import Meter, quality_of
from softphone.model import Banner, Command, Event
from softphone.muting import Muting
from softphone.phone import Phone
from softphone.picturing import Picturing
from softphone.registering import LineSettings, Registering
from softphone.ringing import Ringing

LEVELS_EVERY_S = 0.05
QUALITY_EVERY_S = 1.0
CLOSE_WAIT_S = 5.0

log = logging.getLogger(__name__)
MakeDesk = Callable[[Callable[[Banner], None]], Desk]


class Agent:
    """Runs a phone for the window. publish: gets each event; path: of the file that keeps the settings.

    make_desk: given how to show a banner, makes the sound; account, srtp: for this run, in place of what is kept. Account and
    phone are the business of `softphone.registering`, what rings that of `softphone.ringing`, pictures that of
    `softphone.picturing` (board: where they are shown; camera: for this run).
    """

    def __init__(self, publish: Callable[[Event], None], config: Config, path: Path, make_desk: MakeDesk, *,
                 account: Account | None = None, srtp: str = "", line: LineSettings | None = None,
                 board: PictureBoard | None = None, camera: str = "") -> None:
        self.call: Call | None = None
        self._publish = publish
        self._kept = Kept(config, path, self._banner, srtp)
        self._desk = make_desk(self._banner)
        self._registering = Registering(account or config.account, self._kept, line or LineSettings(), publish,
                                        self._on_phone_event, self._open_sound, lambda: self._picturing.settings(),
                                        self._start)
        self._picturing = Picturing(board or PictureBoard(), self._kept, publish, self._start, camera)
        self._ringing = Ringing(publish)
        self._muting = Muting(self._desk.sound, publish, self._start)
        self._meeting = MeetingDesk(publish, self._start)
        self._meter = Meter()
        self._settling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._quit = asyncio.Event()
        self._dialing: asyncio.Task[None] | None = None
        self._is_in_prejoin = False
        self._dialed = ""

    @property
    def phone(self) -> Phone | None:
        """The phone of the account; None while it is made."""
        return self._registering.phone

    def _open_sound(self) -> Sound | None:
        return self._desk.sound if self._desk.is_open else None

    # ---- life

    async def run(self) -> None:
        """Work until Quit; then end calls, sign out, close the sound."""
        config = self._kept.config
        self._desk.choose(config.microphone or None, config.speaker or None)
        self._desk.wanted = self._kept.wanted
        self._publish(model.SettingsChanged(self._registering.settings()))
        self._publish(model.RecentChanged(config.recent))
        self._picturing.tell()
        self._registering.begin()
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
        await self._registering.close()
        self._picturing.end()
        self._picturing.settle(False)
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
                self._registering.change(command)
            case model.NewMeeting():
                self._dial(FACTORY, bool(self._kept.is_on("join_muted")), "New meeting")
            case model.OpenPrejoin(target):
                self._open_prejoin(target)
            case model.ClosePrejoin():
                self._is_in_prejoin = False
                self._publish(model.PrejoinClosed())
                self._start(self._settle_desk())
            case model.Dial(target, muted, name):
                self._registering.rename(name.strip())
                self._dial(target, muted)
            case model.Answer(call_id):
                self._start(self._answer(call_id))
            case model.Decline(call_id):
                self._ringing.decline(call_id)
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
            case model.SetVideo(is_on):
                self._set_video(is_on)
            case model.ChooseCamera(key):
                self._picturing.choose(key)
            case model.TestSpeaker():
                self._start(self._test_speaker())
            case model.ChangeSetting(name, value):
                self._change_setting(name, value)
            case (model.AskForControl() | model.ReleaseControl() | model.AnswerControl() | model.TakeBackControl()
                  | model.CopyToDesktop() | model.CloseDesktop()) if self.call is not None:
                self.call.desktops.handle(command)
            case shares.LookForShareables():
                self._start(self._look_for_shareables())
            case shares.StartShare(choice, title) if self.call is not None:
                self.call.showing.start(choice, title)
            case shares.StopShare() if self.call is not None:
                self.call.showing.stop()
            case SendChat() if self.call is not None:
                self._meeting.write(self.call, command)
            case GiveOrder() if self.call is not None:
                self._meeting.order(self.call, command)
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

    def _banner(self, banner: Banner) -> None:
        self._publish(model.BannerShown(banner))

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
        account = self._registering.account
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
        self._dialed = target
        self._dialing = self._start(self._place_call(self.phone, target))

    async def _place_call(self, phone: Phone, target: str, *, is_plain: bool = False) -> None:
        try:
            call = await phone.dial(target, is_plain=is_plain)
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

    async def _follow(self, handover: Handover) -> None:
        try:
            await handover.follow()
        except CallFailed as error:
            self._banner(Banner(_sentence(str(error)), "warning"))

    async def _answer(self, call_id: str) -> None:
        for handover in self._ringing.take_asked(call_id):
            await self._follow(handover)
            return
        call = self._ringing.find(call_id)
        if call is None:
            return
        before, self.call = self.call, call
        if before is not None:
            before.hang_up("answered another call")
        self._muting.is_muted = False
        self._is_in_prejoin = False
        self._ringing.remove(call)
        await self._settle_desk()
        try:
            await call.answer()
        except CallFailed as error:
            if self.call is call:
                self.call = None
                self._publish(model.CallEnded(_sentence(str(error)), True))

    # ---- what the phone tells

    def _on_phone_event(self, event: PhoneEvent) -> None:
        match event:
            case RegistrationUpdated(is_registered, text):
                self._registering.on_registration(is_registered, text)
            case CallArrived(call):
                self._ringing.add(call)
                self._start(self._settle_desk())
            case CallProgressed(call, text):
                if call is self.call:
                    self._publish(model.CallStarted(str(call.uri), text))
            case CallEstablished(call):
                if call is self.call:
                    self._on_established(call)
            case RosterUpdated(call):
                if call is self.call:
                    self._on_roster(call)
            case NewsArrived(call, news):
                if call is self.call:
                    self._meeting.receive(news)
            case MessageArrived(call, text):
                if call is self.call:
                    self._banner(Banner(f"{call.remote_name}: {text[:200]}"))
            case TransferProgressed(call, text):
                if call is self.call:
                    self._banner(Banner(text))
            case TransferAsked(handover):
                if handover.call is self.call:
                    self._ringing.ask(handover)
                else:
                    handover.decline()
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
        self._registering.show_signalling(call)
        self._publish(model.CallEstablished(str(call.uri), call.title, call.is_conference, time.monotonic()))
        self._muting.begin(call)
        self._meeting.begin(call)
        call.showing.begin(lambda share: self._publish(shares.ShareChanged(share)),
                           lambda text: self._banner(Banner(_sentence(text), "warning")))
        call.desktops.begin(lambda state: self._publish(model.DesktopChanged(state)), lambda text: self._banner(Banner(text)),
                            lambda text: self._publish(model.TextCopied(text)))
        self._picturing.begin(call)
        self._publish_members(call)
        self._remember(call)
        self._start(self._settle_desk())

    def _on_roster(self, call: Call) -> None:
        self._publish_members(call)
        self._muting.on_roster(call)
        self._picturing.on_roster(call)

    def _publish_members(self, call: Call) -> None:
        members = self._meter.members_of(call, self._registering.name or "You", self._muting.is_muted)
        self._publish(model.RosterChanged(members, call.title, call.is_host, call.recording, call.lobby, call.is_locked,
                                          call.is_waiting))
        self._publish(model.SpeakersChanged(dict(self._meter.speakers)))

    def _on_over(self, call: Call) -> None:
        self._ringing.take_asked()
        was_ringing = self._ringing.remove(call)
        assert call.end is not None
        if was_ringing and call.end.cause == "cancelled":
            self._banner(Banner(f"Missed call from {call.remote_name}"))
        if call is self.call and call.may_be_plainer and self.phone is not None:
            self.call = None
            self._dialing = self._start(self._place_call(self.phone, self._dialed, is_plain=True))
        elif call is self.call:
            self.call = None
            self._picturing.end()
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
                self._ringing.take_asked()
                self._publish(model.QualityChanged(quality_of(call, self._picturing.figures(now), self._meter.kbps(call, now))))

    # ---- sound

    async def _settle_desk(self) -> None:
        """Open the devices where sound is needed, close them where it is not: nobody listens to an idle microphone."""
        async with self._settling:
            if self._needs_sound:
                await self._desk.open()
            rings = bool(self._ringing.calls) and self._kept.is_on("ring")
            self._desk.ring(rings, self.call is not None and self.call.is_up)
            if not self._needs_sound:
                await self._desk.close()
            is_ahead = self._is_in_prejoin or self._is_dialing or (self.call is not None and not self.call.is_up)
            self._picturing.settle(is_ahead)
            if self.phone is not None:
                self.phone.use_sound(self._open_sound())

    @property
    def _needs_sound(self) -> bool:
        rings = bool(self._ringing.calls) and self._kept.is_on("ring")
        return self._is_in_prejoin or self.call is not None or self._is_dialing or rings

    def _set_video(self, is_on: bool) -> None:
        self._picturing.set(is_on)
        self._start(self._settle_desk())
        if self.phone is not None:
            self.phone.pictures = self._picturing.settings()

    async def _look_for_shareables(self) -> None:
        try:
            found = await asyncio.to_thread(find_shareables)
        except PhoneError as error:
            self._publish(shares.ShareablesFound(trouble=str(error)))
            return
        self._publish(shares.ShareablesFound(tuple(found)))

    async def _look_for_devices(self) -> None:
        await self._picturing.look()
        devices = await self._desk.look()
        self._publish(devices)
        if self._desk.found.trouble:
            self._banner(Banner(_sentence(self._desk.found.trouble), "warning"))

    async def _choose_device(self, microphone: str | None, speaker: str | None) -> None:
        self._desk.choose(microphone, speaker)
        self._kept.choose_devices(self._desk.microphone, self._desk.speaker)
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

    # ---- what persists

    def _change_setting(self, name: str, value: str | bool) -> None:
        try:
            self._kept.change(name, value)
        except ValueError as error:
            self._banner(Banner(_sentence(str(error)), "error"))
            return
        self._publish(model.SettingsChanged(self._registering.settings()))
        self._desk.process(self._kept.wanted)
        self._picturing.use_bitrate()
        if name in ("codec", "dtx", "srtp") and self.phone is not None and not self.phone.calls:
            self._registering.sign_in()

    def _remember(self, call: Call) -> None:
        self._kept.keep_recent(model.Recent(str(call.uri), call.title, time.time(), call.has_pin))
        self._publish(model.RecentChanged(self._kept.config.recent))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
