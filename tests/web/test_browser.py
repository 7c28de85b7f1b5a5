"""`dstop web` in a real browser: the demo is drawn, keys arrive, and nothing is asked of any other host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

pytest.importorskip("textual_serve", reason="the extra `web` is not installed")

from tests.web.chromium import PROGRAM, Browser, rows_of
from tests.web.test_serving import ended

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here")

LISTEN = """
window.drawn = "";
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", (said) => {
      if (typeof said.data !== "string") window.drawn += new TextDecoder().decode(said.data);
    });
  }
};
"""
"""What a tab was given to draw: its terminal is a canvas, which has no text."""


async def test_the_demo_is_on_the_page_and_keys_arrive(serve, tmp_path):
    """From the printed address to a drawn screen; `?` opens the help, `q` ends it and offers another."""
    served = serve("demo", "--gpus", "4")
    async with Browser(tmp_path / "profile") as browser:
        await browser.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        await browser.call("Page.navigate", url=served.url)
        await browser.until("document.body && document.body.classList.contains('-first-byte')")
        await browser.until("window.drawn.includes('SIMULATED') && window.drawn.includes('train')")
        assert await browser.value("window.location.href") == served.base
        assert (await browser.value("document.title")).startswith("dstop demo on ")
        assert await browser.value("document.fonts.check(\"16px 'Roboto Mono'\")")
        await browser.until("window.drawn.length > 20000")
        png = await browser.screenshot()
        (tmp_path / "web.png").write_bytes(png)
        assert rows_of(png) > 100

        children = served.children()
        assert len(children) == 1
        before = await browser.value("window.drawn.length")
        await browser.press("?")
        await browser.until(f"window.drawn.slice({before}).includes('this help')")
        await browser.press("q")
        await browser.until("document.body.classList.contains('-closed')")
        assert await browser.value("getComputedStyle(document.querySelector('.ended')).display") == "block"
        await ended(children)
        await browser.value("document.getElementById('again').click()")
        await browser.until("window.drawn.includes('SIMULATED')")

        asked = {
            urlsplit(each["request"]["url"]).netloc for each in browser.told("Network.requestWillBeSent")
        }
        assert asked - {""} == {urlsplit(served.base).netloc}
        wrong = [
            each["entry"]["text"]
            for each in browser.told("Log.entryAdded")
            if each["entry"]["level"] == "error"
        ]
        assert wrong == []
        assert browser.told("Runtime.exceptionThrown") == []


async def test_without_the_token_a_browser_sees_a_sentence(serve, tmp_path):
    """The bare address says what is missing, and starts nothing."""
    served = serve("demo")
    async with Browser(tmp_path / "profile") as browser:
        await browser.call("Page.navigate", url=served.base)
        await browser.until("document.body && document.body.innerText.includes('token')")
        assert served.children() == []
