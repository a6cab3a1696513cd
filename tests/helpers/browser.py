"""Headless Chromium, driven over its DevTools protocol: open a page, look into it, click and type as a person would.

    with Browser(tmp_path) as browser:
        page = browser.open("http://127.0.0.1:8080/")
        page.fill("input[name=user]", "admin")
        page.click("button[type=submit]")
        page.until("document.querySelector('h2')")
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 30.0
CHROMIUM = "chromium"


class Page:
    """One tab. errors: what the page wrote to its console as an error, and exceptions that nobody caught."""

    def __init__(self, url: str) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._open = ExitStack()
        self._socket: ClientConnection = self._open.enter_context(connect(url, max_size=None, proxy=None))
        self._numbers = count(1)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> Any:
        """A command of the protocol; its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        facts = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                details = facts["exceptionDetails"]
                self.errors.append(str(details.get("exception", {}).get("description", details.get("text"))))
            case "Log.entryAdded" if facts["entry"]["level"] == "error":
                self.errors.append(f"{facts['entry']['text']} {facts['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(facts["request"]["url"])

    def go(self, url: str) -> None:
        """Open an address and wait for the page."""
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := self.run(f"(() => {{ const found = {expression}; "
                                     "return found instanceof Node ? true : found; })()")):
            assert time.monotonic() < deadline, f"never came: {expression}\n{self.run('document.body.innerText')}"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Click the middle of an element, once it is there, with the mouse."""
        place = json.dumps(selector)
        self.until(f"document.querySelector({place}) && document.querySelector({place}).getClientRects().length > 0")
        x, y = self.run(f"(() => {{ const node = document.querySelector({place}); node.scrollIntoView({{block: 'center'}}); "
                        "const box = node.getBoundingClientRect(); "
                        "return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.click(selector)
        self.send("Input.insertText", text=text)

    def text(self, selector: str = "body") -> str:
        """What is to be read in an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def resize(self, width: int, height: int) -> None:
        """Another size of the window."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path) -> None:
        """Take a screenshot as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the connection."""
        self._open.close()


class Browser:
    """A Chromium of its own, in a folder of its own."""

    def __init__(self, folder: Path, language: str = "en-US") -> None:
        self._folder = folder / "chromium"
        self._language = language
        self._pages: list[Page] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Browser:
        self._folder.mkdir(parents=True, exist_ok=True)
        log = (self._folder / "log").open("wb")
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
                   "--mute-audio", "--ignore-certificate-errors", "--remote-debugging-port=0", f"--lang={self._language}",
                   f"--user-data-dir={self._folder}", "about:blank"]
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                             env={**os.environ, "LANGUAGE": self._language, "HOME": str(self._folder)})
        told = self._folder / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_S
        while not (told.exists() and "\n" in told.read_text()):
            assert self._process.poll() is None and time.monotonic() < deadline, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.05)
        self._port = int(told.read_text().split("\n")[0])
        return self

    def __exit__(self, *_: object) -> None:
        for page in self._pages:
            page.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def open(self, url: str, size: tuple[int, int] = (1280, 800)) -> Page:
        """A new tab."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new", method="PUT")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE_S) as answer:
            page = Page(json.load(answer)["webSocketDebuggerUrl"])
        self._pages.append(page)
        page.resize(*size)
        page.go(url)
        return page
