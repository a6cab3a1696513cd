"""What persists of the phone in its file, for the agent: each change is written at once, and one that can't be is told once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtp.sdp.protection import SrtpPolicy
from softphone import config as store
from softphone.config import Account, Config
from softphone.media.processing import Wanted
from softphone.model import Banner, Recent


class Kept:
    """The settings. config: as they were read; path: of their file; tell: shows a banner; srtp: for this run, in place of what
    is kept."""

    def __init__(self, config: Config, path: Path, tell: Callable[[Banner], None], srtp: str = "") -> None:
        self.config = config
        self._path = path
        self._tell = tell
        self._srtp = srtp

    def save(self, config: Config) -> None:
        """These are the settings from now on."""
        self.config = config
        try:
            store.save(config, self._path)
        except OSError as error:
            self._tell(Banner(f"{self._path} can't be written ({error.strerror or error}); settings are lost at the end.",
                              "warning"))

    def change(self, name: str, value: str | bool) -> None:
        """Change one setting. Raises ValueError, in words."""
        self.save(self.config.with_setting(name, value))
        if name == "srtp":
            self._srtp = ""

    def choose_devices(self, microphone: str, speaker: str) -> None:
        """Keep which devices are used."""
        self.save(replace(self.config, microphone=microphone, speaker=speaker))

    def choose_camera(self, key: str) -> None:
        """Keep which camera is used."""
        self.save(replace(self.config, camera=key))

    def keep_account(self, account: Account) -> None:
        """Keep whom to sign in as."""
        self.save(replace(self.config, account=account))

    def keep_certificate(self, host: str, fingerprint: str) -> None:
        """Remember a server by its certificate."""
        self.save(self.config.with_certificate(host, fingerprint))

    def keep_recent(self, recent: Recent) -> None:
        """Remember a place called."""
        self.save(self.config.with_recent(recent))

    def instance(self) -> str:
        """The name by which servers know this phone again, kept from the first time on."""
        if not self.config.instance:
            self.save(self.config.with_instance())
        return self.config.instance

    def is_on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.config.is_on(name)

    @property
    def srtp(self) -> str:
        """Whether sound is to be protected: a name of `SrtpPolicy`."""
        wanted = self._srtp or str(self.config.settings.get("srtp", ""))
        return wanted if wanted in list(SrtpPolicy) else SrtpPolicy.PREFER

    @property
    def wanted(self) -> Wanted:
        """What is to be done to the microphone's sound."""
        return Wanted(self.is_on("echo_cancelling"), self.is_on("noise_suppression"), self.is_on("gain"))
