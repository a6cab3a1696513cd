"""The window's program: the agent in a thread with its loop, the window in the main thread, the bridge between them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from softphone.agent import Agent
from softphone.bridge import Bridge
from softphone.capture import PhoneCapture
from softphone.config import Account, Config, load
from softphone.desk import Desk
from softphone.media.audio import SoundCard
from softphone.media.devices import Device, SourceDevice
from softphone.model import Banner, Quit, State
from softphone.options import MICROPHONE, NO_VIDEO, Options, fail, host_of, source_of
from softphone.registering import LineSettings

STOP_S = 8.0
"""How long the end waits for the agent to hang up and sign out."""
NO_TK = "the window needs Tk; on Debian and Ubuntu: sudo apt-get install python3-tk (or use --headless, or --console)"
NO_WIDGETS = "the window needs customtkinter and Pillow; type: pip install 'confero[phone]' (or use --headless, or --console)"
NO_DISPLAY = "there is no display here; start it in a desktop session, or use --headless or --console"

log = logging.getLogger(__name__)


def run_app(options: Options) -> int:
    """Show the window, or a phone in the terminal, until the user quits; the exit status."""
    trouble = "" if options.console else window_trouble()
    if trouble:
        return fail(trouble, 1)
    config, broken = load(options.config)
    account = account_of(options, config)
    initial = State(
        account=account.user, server=account.server, display_name=account.display_name, recent=config.recent,
        settings={**config.settings, "transport": account.transport}, banner=Banner(broken, "warning") if broken else None,
    )
    bridge = Bridge()
    thread = AgentThread(bridge, options, config, account)
    thread.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))          # Tk lets this exception, and no other, out of its loop
    try:
        return _run_screen(options, bridge, initial)
    finally:
        bridge.send(Quit())
        thread.join(STOP_S)


def _run_screen(options: Options, bridge: Bridge, initial: State) -> int:
    if options.console:
        from softphone.console import run_console

        return run_console(bridge, initial=initial, target=options.target or None)
    import tkinter

    from softphone.ui.window import run

    try:
        return run(bridge, initial=initial, target=options.target or None)
    except tkinter.TclError as error:
        if "display" not in str(error):
            raise
        return fail(NO_DISPLAY, 1)


def window_trouble() -> str:
    """Why there can be no window, with the remedy; empty when there can."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return NO_TK
    try:
        import customtkinter  # noqa: F401
        import PIL  # noqa: F401
    except ImportError:
        return NO_WIDGETS
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return NO_DISPLAY
    return ""


def account_of(options: Options, config: Config) -> Account:
    """The account of this run: what the command line says goes before what is kept."""
    if options.user or options.server:
        return Account(options.user, options.password, options.server, options.transport or "udp", options.display_name)
    kept = config.account
    return replace(kept, transport=options.transport or kept.transport, display_name=options.display_name or kept.display_name)


class AgentThread(threading.Thread):
    """Runs the agent; closes the bridge at its end, whatever the end was."""

    def __init__(self, bridge: Bridge, options: Options, config: Config, account: Account) -> None:
        super().__init__(name="phone", daemon=True)
        self._bridge = bridge
        self._options = options
        self._config = config
        self._account = account

    def run(self) -> None:
        """See Thread."""
        try:
            asyncio.run(self._work())
        except Exception:
            log.exception("the phone has ended by an error")
        finally:
            self._bridge.close()

    async def _work(self) -> None:
        options = self._options
        capture = PhoneCapture(options.pcap) if options.pcap is not None else None
        agent = Agent(self._bridge.publish, self._config, options.config, self._make_desk, account=self._account,
                      srtp=options.srtp, line=LineSettings(
                          (options.listen, options.port), options.keying, options.suites,
                          (host_of(options), options.fingerprint) if options.fingerprint else None, capture),
                      board=self._bridge.board, camera=options.video or (NO_VIDEO if options.console else ""))
        self._bridge.attach(asyncio.get_running_loop(), agent.handle)
        try:
            await agent.run()
        finally:
            if capture is not None:
                capture.close()

    def _make_desk(self, tell: Callable[[Banner], None]) -> Desk:
        options = self._options
        if options.play in ("", MICROPHONE):
            return Desk(tell, SoundCard, record=options.record)

        def make(_microphone: str, _speaker: str) -> Device:
            return SourceDevice(source_of(options))

        return Desk(tell, make, is_real=False, record=options.record)
