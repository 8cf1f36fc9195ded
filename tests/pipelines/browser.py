"""A real browser without a window, steered over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from PIL import Image

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
SECTIONS = """JSON.stringify({
  width: document.documentElement.scrollWidth,
  text: document.body.innerText,
  sections: [...document.querySelectorAll("section")].map(section => [section.id, box(section)]),
  pictures: [...document.querySelectorAll("svg")].map(svg => [svg.closest("section").id, box(svg)]),
});
function box(element) {
  const {x, y, width, height} = element.getBoundingClientRect();
  return [x, y, x + width, y + height].map(Math.round);
}"""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Seen:
    """What a page looks like.

    Attributes:
      complaints: what the browser's console says, errors of scripts included.
      requests: all addresses that were asked for.
      width: of the whole page, which is more than the window's when it has to be scrolled sideways.
      text: that can be read.
      sections, pictures: where they are, each by the id of its section.
      pixels: `[H, W, 3]`.
    """

    complaints: list[str]
    requests: list[str]
    width: int
    text: str
    sections: list[tuple[str, Box]]
    pictures: list[tuple[str, Box]]
    pixels: np.ndarray


class Browser:
    """Opens pages in a chromium that is already running.

    Args:
      port: of its DevTools.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def open(self, page: Path, width: int, scheme: str) -> Seen:
        """Loads a file.

        Args:
          page: the file.
          width: of the window.
          scheme: `light` or `dark`.
        """
        return asyncio.run(self._open(page, width, scheme))

    async def _open(self, page: Path, width: int, scheme: str) -> Seen:
        base = f"http://127.0.0.1:{self._port}/json"
        async with aiohttp.ClientSession() as session:
            tab = await (await session.put(f"{base}/new?about:blank")).json()
            address = tab["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                talk = _Talk(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await talk.ask(f"{domain}.enable")
                await talk.ask("Emulation.setEmulatedMedia", features=[_feature(scheme)])
                await talk.ask("Emulation.setDeviceMetricsOverride", **_window(width, 900))
                await talk.ask("Page.navigate", url=page.as_uri())
                await talk.wait_for("Page.loadEventFired")
                found = await talk.ask("Runtime.evaluate", expression=SECTIONS)
                seen = json.loads(found["result"]["value"])
                height = max(box[3] for _, box in seen["sections"]) + 40
                await talk.ask("Emulation.setDeviceMetricsOverride", **_window(width, height))
                shot = await talk.ask("Page.captureScreenshot", format="png")
            await session.get(f"{base}/close/{tab['id']}")
        with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
            pixels = np.asarray(image.convert("RGB"))
        return Seen(talk.complaints, talk.requests, pixels=pixels, **seen)


class _Talk:
    """Commands and their answers, and what the browser tells unasked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._events: set[str] = set()
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    async def wait_for(self, event: str) -> None:
        while event not in self._events:
            await self._next()

    async def _next(self) -> dict[str, Any]:
        message = await self._socket.receive_json(timeout=120)
        method = message.get("method", "")
        self._events.add(method)
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"]))
        if method == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message


def chromium(profile: Path) -> Iterator[Browser]:
    """Runs chromium until it is no longer needed.

    Args:
      profile: an empty folder for what it keeps.
    """
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.fail(
            "the evaluation's page is tested in a real browser and there is none: apt-get install chromium"
        )
    command = [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            listening = re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line)
            if listening:
                yield Browser(int(listening[1]))
                return
        pytest.fail(f"{executable} does not run: {''.join(told)}")
    finally:
        process.terminate()
        process.communicate()


def _feature(scheme: str) -> dict[str, str]:
    return {"name": "prefers-color-scheme", "value": scheme}


def _window(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
