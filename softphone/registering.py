"""The account of the window's phone: signing in, again after a change, the server's certificate, and the phone that follows.

A `Phone` belongs to one account; another account, or a setting that a phone takes at its start, makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from rtp.errors import NegotiationFailed
from softphone import model
from softphone.addresses import AddressError, Server
from softphone.call import Call
from softphone.capture import PhoneCapture
from softphone.config import Account
from softphone.kept import Kept
from softphone.line import PhoneEvent
from softphone.media.pictures import PictureSettings
from softphone.media.sound import Sound
from softphone.model import Banner, BannerShown, Event, Registration
from softphone.phone import Phone
from softphone.trust import Trust, first_meeting

RETRY_S = (2.0, 5.0, 10.0, 30.0)
Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What a phone gets beside its account; see Phone. expected: a host and the fingerprint that it has to show."""

    listen: tuple[str, int] = ("", 0)
    keying: str = ""
    suites: tuple[str, ...] = ()
    expected: tuple[str, str] | None = None
    capture: PhoneCapture | None = field(default=None, repr=False)


class Registering:
    """The account and its phone. `phone` is None while there is none; publish: gets events; notify: what the phone tells;
    sound: what an open phone is to use, None while nothing is heard; pictures: what its calls have of them; start: runs
    a task."""

    def __init__(self, account: Account, kept: Kept, settings: LineSettings, publish: Callable[[Event], None],
                 notify: Callable[[PhoneEvent], None], sound: Callable[[], Sound | None],
                 pictures: Callable[[], PictureSettings | None], start: Start) -> None:
        self.account = account
        self.phone: Phone | None = None
        self._kept = kept
        self._settings = settings
        self._publish = publish
        self._notify = notify
        self._sound = sound
        self._pictures = pictures
        self._start = start
        self._refusal = ""
        self._signing: asyncio.Task[None] | None = None
        self._trust = Trust(kept.config.certificates, kept.keep_certificate, self._met_certificate)

    @property
    def name(self) -> str:
        """What we are called; empty without a name."""
        return self.account.display_name or self.account.user

    def begin(self) -> None:
        """Sign in for the first time."""
        if self._settings.expected is not None:
            self._trust.expect(*self._settings.expected)
        self.sign_in()

    def change(self, wanted: model.SignIn) -> None:
        """Take another account, if no call is in the way."""
        if self.phone is not None and self.phone.calls:
            self._tell(Banner("Leave the call before you change the account.", "warning"))
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
        self._kept.keep_account(self.account)
        self._publish(model.SettingsChanged(self.settings()))
        self.sign_in()

    def settings(self) -> dict[str, str | bool]:
        """All settings as the window shows them."""
        return {**self._kept.config.settings, "transport": self.account.transport}

    def sign_in(self) -> None:
        """Make the phone anew, and sign in where there is an account."""
        account = self.account
        self._publish(model.AccountChanged(account.user, account.server, account.display_name))
        status = Registration.TRYING if account.is_set else Registration.NONE
        self._publish(model.RegistrationChanged(status, f"Signing in at {account.server} …" if account.is_set else ""))
        if self._signing is not None:
            self._signing.cancel()
        self._signing = self._start(self._open())

    def rename(self, name: str) -> None:
        """Be called `name` from the next call on; empty changes nothing."""
        if not name or name == self.account.display_name:
            return
        self.account = replace(self.account, display_name=name)
        if self.phone is not None:
            self.phone.display_name = name
        self._kept.keep_account(replace(self._kept.config.account, display_name=name))
        self._publish(model.AccountChanged(self.account.user, self.account.server, name))

    async def close(self) -> None:
        """End calls, sign out."""
        phone, self.phone = self.phone, None
        if phone is not None:
            phone.use_sound(None)
            await phone.close()

    # ---- what the registrar said

    def on_registration(self, is_registered: bool, text: str) -> None:
        """We are signed in, or not, and why."""
        self._publish(model.RegistrationChanged(Registration.REGISTERED if is_registered else Registration.FAILED, text))
        self.show_signalling()
        self._show_refusal("" if is_registered else text)

    def show_signalling(self, call: Call | None = None) -> None:
        """Tell how the way to the server is protected."""
        if self.phone is not None:
            signalling = self.phone.signalling(call)
            self._publish(model.SignallingChanged(str(signalling), signalling.is_protected))

    def _show_refusal(self, text: str) -> None:
        """A certificate that was refused is told in full, once: what to compare does not fit beside the account."""
        server = self.phone.server if self.phone is not None else None
        refusal = text if server is not None and text == self._trust.refusal(server.host) else ""
        if refusal and refusal != self._refusal:
            self._tell(Banner(refusal[:1].upper() + refusal[1:], "error"))
        self._refusal = refusal

    def _met_certificate(self, host: str, fingerprint: str) -> None:
        self._tell(Banner(first_meeting(host, fingerprint), "warning"))        # it stays until it was read

    def _tell(self, banner: Banner) -> None:
        self._publish(BannerShown(banner))

    # ---- the phone

    async def _open(self) -> None:
        await self.close()
        account, attempt = self.account, 0
        while self.phone is None:
            phone = self._make_phone(account)
            try:
                await phone.start()
                self.phone = phone
                phone.use_sound(self._sound())
            except AddressError as error:
                self._publish(model.RegistrationChanged(Registration.FAILED, str(error)))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            except asyncio.CancelledError:
                await phone.close()
                raise

    def _make_phone(self, account: Account) -> Phone:
        kept, settings = self._kept, self._settings
        codec = str(kept.config.settings.get("codec", ""))
        options: dict[str, Any] = {
            "transport": account.transport, "display_name": account.display_name, "dtx": kept.is_on("dtx"),
            "listen": settings.listen[0], "port": settings.listen[1], "notify": self._notify,
            "srtp": kept.srtp, "keying": settings.keying, "suites": settings.suites,
            "trust": self._trust, "transfers": "ask", "capture": settings.capture, "pictures": self._pictures(),
        }
        if account.is_set:
            options["instance"] = kept.instance()
        try:
            return Phone(account.user, account.password, account.server, codecs=(codec,) if codec else (), **options)
        except NegotiationFailed as error:
            self._tell(Banner(f"{error}; all codecs are used.", "warning"))
            return Phone(account.user, account.password, account.server, **options)
