"""`dstop web` as a browser meets it, without one: the gate, one child a tab, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

aiohttp = pytest.importorskip("aiohttp", reason="the extra `web` is not installed")

ROOT = Path(__file__).parents[2]
DEMO = ("demo", "--gpus", "2")


def client():
    """Give a client that keeps cookies of a bare address."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def entered(session, served):
    """Open the address that was printed, as a person does."""
    async with session.get(served.url) as answer:
        assert answer.status == 200
        return await answer.text()


async def seen(tab, *words, most_s=90.0):
    """Read a tab until these words are on its screen, or it is closed; gives all that was drawn."""
    drawn = b""
    async with asyncio.timeout(most_s):
        while not all(word.encode() in drawn for word in words):
            said = await tab.receive()
            if said.type is aiohttp.WSMsgType.BINARY:
                drawn += said.data
            elif said.type is not aiohttp.WSMsgType.TEXT:
                break
    return drawn.decode("utf-8", "replace")


async def ended(pids, most_s=60.0):
    """Wait until none of these processes is there."""
    due = time.monotonic() + most_s
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < due, pids
        await asyncio.sleep(0.05)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_without_the_token_everything_is_forbidden(serve):
    """Page, files, what is not there, and the websocket: 403, and no child is started."""
    served = serve(*DEMO)
    paths = (
        "",
        "ws",
        "static/js/textual.js",
        "static/",
        "page.js",
        "download/x",
        "nowhere",
        "?token=",
        "?token=x",
    )
    async with client() as session:
        for path in paths:
            async with session.get(served.base + path) as answer:
                assert answer.status == 403, path
        async with session.post(served.base) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(served.base + "ws?width=80&height=24")
    assert caught.value.status == 403
    assert served.children() == []


async def test_the_token_leaves_the_address_and_nothing_comes_from_elsewhere(serve):
    """The first request is sent on without it; page and files name no other host, and forbid any."""
    served = serve(*DEMO)
    async with client() as session:
        async with session.get(served.url, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            assert "HttpOnly" in answer.headers["Set-Cookie"]
            assert "SameSite=Lax" in answer.headers["Set-Cookie"]
        async with session.get(served.base) as answer:
            page = await answer.text()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "http" not in page
        assert served.token not in page
        for path in ("page.css", "page.js", "static/css/xterm.css", "static/js/textual.js"):
            async with session.get(served.base + path) as answer:
                assert answer.status == 200, path
        async with session.get(served.base + "static/fonts/RobotoMono-VariableFont_wght.ttf") as answer:
            assert answer.status == 200


async def test_a_tab_has_a_dstop_of_its_own_that_ends_with_it(serve):
    """Two tabs, two children; one leaves, its child ends; `q` ends the other, and closes its tab."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        first = await session.ws_connect(served.base + "ws?width=120&height=40")
        second = await session.ws_connect(served.base + "ws?width=80&height=24")
        for tab in (first, second):
            assert "SIMULATED" in await seen(tab, "SIMULATED", "GPU")
        children = served.children()
        assert len(children) == 2
        await first.close()
        due = time.monotonic() + 60
        while len(served.children()) != 1:
            assert time.monotonic() < due
            await asyncio.sleep(0.05)
        await second.send_json(["stdin", "q"])
        await seen(second, "never on a screen")
        assert second.closed
        await ended(children)


async def test_it_is_read_only_unless_hands_are_asked_for(serve):
    """The key that would send a signal says that it does not; with --hands it asks. Nothing is saved either way."""
    for options, words in (((), "read-only"), (("--hands",), "SIGTERM")):
        served = serve(*DEMO, options=options)
        async with client() as session:
            await entered(session, served)
            tab = await session.ws_connect(served.base + "ws?width=120&height=40")
            await seen(tab, "SIMULATED")
            await tab.send_json(["stdin", "T"])
            assert words in await seen(tab, words)
            await tab.send_json(["stdin", "n"])
            await tab.send_json(["stdin", "W"])
            assert "not saved from a browser" in await seen(tab, "not saved from a browser")
            await tab.close()


async def test_tabs_are_bounded(serve):
    """The one too many is told so on its screen, and closed."""
    served = serve(*DEMO, options=("--most", "1"))
    async with client() as session:
        await entered(session, served)
        first = await session.ws_connect(served.base + "ws")
        await seen(first, "SIMULATED")
        second = await session.ws_connect(served.base + "ws")
        assert "1 tabs are open here already" in await seen(second, "never on a screen")
        assert len(served.children()) == 1
        await first.close()
        third = await session.ws_connect(served.base + "ws")
        assert "SIMULATED" in await seen(third, "SIMULATED")
        await third.close()


async def test_a_page_of_another_port_gets_no_screen(serve):
    """It has the cookie, and is refused by its origin."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(served.base + "ws", origin="http://127.0.0.1:1")
    assert caught.value.status == 403
    assert served.children() == []


@pytest.mark.parametrize(
    "said", ["{", '["stdin", 3]', "[]", "x" * 300_000], ids=["broken", "number", "empty", "huge"]
)
async def test_a_browser_that_lies_loses_its_tab_and_the_server_goes_on(serve, said):
    """What our page would never say ends that tab alone."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws")
        await tab.send_str(said)
        await seen(tab, "never on a screen")
        assert tab.closed
        await ended(served.children())
        assert "dstop" in await entered(session, served)


async def test_what_cannot_be_shown_is_told_on_the_tab(serve):
    """A recording that is not there: the tab has the sentence that a terminal would have."""
    served = serve("replay", "/nowhere/at-all.dstop")
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws")
        drawn = await seen(tab, "never on a screen")
    assert "/nowhere/at-all.dstop" in drawn


@pytest.mark.parametrize("verb", ["replay", "plan"])
async def test_whatever_has_a_screen_is_served(serve, tmp_path, verb):
    """A recording plays and a plan is worked out in a tab, as they are on a terminal."""
    words, expected = ["plan", "llama-3-8b"], "Llama-3-8B"
    if verb == "replay":
        words, expected = ["replay", str(tmp_path / "r.dstop")], "REPLAY"
        command = [sys.executable, "-m", "dstop", "record", words[1], "--demo", "--for", "1"]
        await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, check=True, capture_output=True, timeout=60
        )
    served = serve(*words)
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws?width=120&height=40")
        assert expected in await seen(tab, expected)
        await tab.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
async def test_children_end_with_the_server(serve, number):
    """Told to stop it closes the tabs, and leaves nobody behind."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws")
        await seen(tab, "SIMULATED")
        children = served.children()
        assert len(children) == 1
        served.process.send_signal(number)
        await asyncio.to_thread(served.process.wait, 30)
        assert served.process.returncode == 0
        await ended(children)


async def test_children_end_when_the_server_is_killed(serve):
    """SIGKILL leaves no time for anything: the child notices that nobody reads any more."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws")
        await seen(tab, "SIMULATED")
        children = served.children()
        os.kill(served.process.pid, signal.SIGKILL)
        await ended(children)
        await tab.close()


async def test_a_browser_that_reads_nothing_holds_no_child(serve):
    """A tab that takes no more of the screen, and is then gone, ends its child all the same."""
    served = serve(*DEMO)
    async with client() as session:
        await entered(session, served)
        tab = await session.ws_connect(served.base + "ws?width=1000&height=400", max_msg_size=0)
        await seen(tab, "SIMULATED")
        children = served.children()
        tab._response.connection.transport.pause_reading()
        for width in range(400, 900, 20):
            await tab.send_json(["resize", {"width": width, "height": 300}])
        await asyncio.sleep(0.5)
        tab._response.connection.transport.abort()
        await ended(children)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--", "doctor"], "doctor has no screen to serve"),
        (["--", "demo", "--once"], "--once prints"),
        (["--key", "x"], "add --cert"),
        (["--bind", "nowhere.invalid"], "there is no such address"),
        (["--cert", "/nowhere.pem"], "--cert /nowhere.pem"),
    ],
    ids=["verb", "once", "key", "bind", "cert"],
)
def test_what_cannot_be_served_is_one_line(words, says):
    """What is wrong, and what to do; nothing is printed that looks like an address."""
    command = [sys.executable, "-m", "dstop", "web", *words]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode in {1, 2}
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert says in said.stderr


def test_a_port_that_is_taken_is_named():
    """The number, and that another can be chosen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "dstop", "web", "--port", port, "--", "demo"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in said.stderr
