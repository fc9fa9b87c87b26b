"""A real browser: headless Chromium, driven by its ChromeDriver in the words of WebDriver (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

__all__ = ["Browser", "find_driver", "running_browser"]

_QUIET = (  # it may not look for its makers' servers, and needs no display
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_TAB = "\ue004"  # WebDriver, "Keyboard actions"


class Browser:
    """One window."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client = client
        self._session = session

    def open(self, url: str) -> None:
        """Go there, and wait until everything on the page has been loaded."""
        self._command("POST", "/url", {"url": url})

    def evaluate(self, script: str) -> Any:
        """What the body of a function in JavaScript returns, run in the page."""
        return self._command("POST", "/execute/sync", {"script": script, "args": []})

    def resize(self, width: int, height: int) -> None:
        """Make what the page sees as its window that large, in CSS pixels."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, scheme: str, *, media: str = "screen") -> None:
        """Make pages see that the person prefers ``light`` or ``dark`` ones, or that they are for ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", media=media, features=features)

    def press_tab(self) -> None:
        """Press the key that leads from control to control."""
        keys = [{"type": event, "value": _TAB} for event in ("keyDown", "keyUp")]
        self._command("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def announced(self) -> list[tuple[str, str]]:
        """What a screen reader is told of the page, in its order: roles and names."""
        nodes = self._devtools("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node["name"]["value"]) for node in nodes if not node["ignored"]]

    def complaints(self) -> list[str]:
        """What the browser has written to its console since last asked: refused styles, missing images, errors."""
        entries = self._command("POST", "/se/log", {"type": "browser"})
        return [str(entry["message"]) for entry in entries]

    def _devtools(self, command: str, **params: object) -> Any:
        return self._command("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def _command(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        answer = self._client.request(method, f"/session/{self._session}{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


def find_driver() -> str | None:
    """The path of ChromeDriver, if it is installed; Debian's package is `chromium-driver`."""
    return shutil.which("chromedriver")


@contextmanager
def running_browser(driver: str, profile: Path) -> Iterator[Browser]:
    """A browser with a new profile in that folder, closed at the end."""
    with subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout)
            port = next(found[1] for line in lines if (found := re.search(r"started successfully on port (\d+)", line)))
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                options = {"args": [*_QUIET, f"--user-data-dir={profile}"]}
                wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
                answer = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
                assert answer.status_code == 200, answer.text
                session = answer.json()["value"]["sessionId"]
                try:
                    yield Browser(client, session)
                finally:
                    client.delete(f"/session/{session}")
        finally:
            process.terminate()
