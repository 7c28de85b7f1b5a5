"""A headless Chromium and its DevTools, spoken to over a websocket: no driver program is needed."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import zlib
from contextlib import suppress
from pathlib import Path

import aiohttp

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)


class Browser:
    """One page. `async with`; its profile is in the folder that is given."""

    def __init__(self, profile, size=(1200, 800)):
        self._profile, self._size = Path(profile), size
        self._number = 0
        self.events = []

    async def __aenter__(self):
        words = [
            PROGRAM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--remote-debugging-port=0",
            f"--user-data-dir={self._profile}",
            f"--window-size={self._size[0]},{self._size[1]}",
            "about:blank",
        ]
        self._process = _started(words)
        self._session = aiohttp.ClientSession()
        where = self._profile / "DevToolsActivePort"
        async with asyncio.timeout(60):
            while not (where.exists() and "\n" in where.read_text()):  # noqa: ASYNC110 - another program writes it
                await asyncio.sleep(0.05)
            port = where.read_text().split()[0]
            pages = []
            while not pages:
                async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [each for each in await answer.json() if each["type"] == "page"]
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        return self

    async def __aexit__(self, *_):
        with suppress(aiohttp.ClientError, RuntimeError, TimeoutError):
            await self.call("Browser.close", most_s=5)
        await self._session.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()

    async def call(self, method, most_s=60, **params):
        """Ask the browser; what it tells meanwhile is kept in `events`."""
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(most_s):
            while True:
                said = json.loads((await self._socket.receive()).data)
                if said.get("id") == number:
                    assert "error" not in said, said
                    return said["result"]
                self.events.append(said)

    async def value(self, expression):
        """Give what an expression of the page's is."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    async def until(self, expression, most_s=60):
        """Wait until an expression of the page's is true."""
        async with asyncio.timeout(most_s):
            while not await self.value(expression):  # noqa: ASYNC110 - the page tells nobody
                await asyncio.sleep(0.1)

    async def press(self, key):
        """Type one character."""
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def screenshot(self):
        """Give the page as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    def told(self, method):
        """Give what the browser told of this so far."""
        return [event["params"] for event in self.events if event.get("method") == method]


def _started(words):
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows_of(png):
    """Give how many different rows a PNG has: a blank page has hardly one.

    Rows are compared as they are stored, with their filters: a row like the one above it is zeros then.
    """
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, width, channels = 8, b"", 0, 4
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        part = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, channels = int.from_bytes(part[:4], "big"), {2: 3, 6: 4}[part[9]]
        elif kind == b"IDAT":
            data += part
        at += 12 + size
    raw = zlib.decompress(data)
    step = 1 + width * channels
    rows = [raw[start : start + step] for start in range(0, len(raw), step)]
    return len({row for row in rows if any(row[1:])})
