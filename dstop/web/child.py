"""One tab, one `dstop`: a process that speaks textual-serve's packets, and ends with the tab.

textual-serve starts a shell, keeps all that the program says of errors, and waits for its end without end; here it is
the program itself, the last lines, and a few seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from textual_serve.app_service import AppService

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from textual_serve.download_manager import DownloadManager

PRELUDE = b"__GANGLION__\n"
"""What Textual's web driver says first; before it there is nothing for a browser."""
MOST_PACKET = 8 * 2**20
"""Bytes of one packet: a screen of 1000 by 400 cells, each in colours of its own, is a quarter of it."""
_MOST_ERRORS = 4096
QUIT_S, TERMINATE_S = 2.0, 1.0
"""How long a child may take to leave when asked, and then when told."""


class Child(AppService):
    """A `dstop` behind a websocket.

    Args:
        argv: the program and its words; no shell reads them.
        environ: its environment, without what textual-serve adds.
        write_bytes: sends a part of the screen to the browser.
        write_str: sends it a note of textual-serve's.
        close: closes the websocket.
        download_manager: of the server.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
        download_manager: DownloadManager,
    ) -> None:
        super().__init__(
            argv[0],
            write_bytes=write_bytes,
            write_str=write_str,
            close=close,
            download_manager=download_manager,
        )
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._leaving = False
        self.errors = ""
        """The last lines of its standard error, once it has ended."""

    @property
    def pid(self) -> int | None:
        """Which process it is; None before it has started."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Pass on what it draws until it ends, then tell why if it never drew, and close the tab."""
        process = self._process
        if process is None or process.stdout is None or process.stderr is None:
            return
        errors = asyncio.create_task(_last_of(process.stderr))
        drew = False
        try:
            drew = await _prelude(process.stdout)
            while drew:
                await self._packet(process.stdout)
        except (asyncio.IncompleteReadError, ConnectionResetError, ValueError):
            pass
        self.errors = (await errors).decode("utf-8", "replace")
        if not drew and not self._leaving:
            with suppress(ConnectionError, RuntimeError):
                await self.remote_write_bytes(_farewell(self.errors))
        if not self._leaving:
            with suppress(ConnectionError, RuntimeError):
                await self.remote_close()

    async def on_data(self, payload: bytes) -> None:
        """Pass on a part of the screen; once nobody looks it is dropped, so that the child is never held up."""
        if self._leaving:
            return
        try:
            await self.remote_write_bytes(payload)
        except (ConnectionError, RuntimeError):
            self._leaving = True

    async def stop(self) -> None:
        """Have it end: asked, then told, then killed with all that it started. Safe to call twice."""
        self._leaving = True
        process, task = self._process, self._task
        if process is None or task is None:
            return
        self._task = None
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        if process.returncode is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.send_meta({"type": "quit"}), 0.5)
        if not await _ended(process, QUIT_S):
            _signal(process, signal.SIGTERM)
            if not await _ended(process, TERMINATE_S):
                _signal(process, signal.SIGKILL)
                await process.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environ = {**self._build_environment(width, height), **self._environ}
        driver = "textual.drivers.web_driver:WebDriver"
        environ.update(COLUMNS=str(width), ROWS=str(height), TEXTUAL_DRIVER=driver)
        self._process = process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
            start_new_session=True,  # Ctrl-C at the server's terminal is for the server
        )
        self._stdin = process.stdin
        return process

    async def _packet(self, stdout: asyncio.StreamReader) -> None:
        """Pass on one packet.

        Raises:
            ValueError: it is larger than any.
            IncompleteReadError: the child has ended.
        """
        head = await stdout.readexactly(5)
        size = int.from_bytes(head[1:], "big")
        if size > MOST_PACKET:
            raise ValueError(size)
        payload = await stdout.readexactly(size)
        if head[:1] == b"D":
            await self.on_data(payload)
        elif head[:1] == b"M" and not self._leaving:
            await self.on_meta(payload)
        elif head[:1] == b"P" and not self._leaving:
            await self.on_packed(payload)


async def _prelude(stdout: asyncio.StreamReader) -> bool:
    """Whether a screen comes: what a program says before it, or instead of it, is no screen."""
    for _ in range(10):
        line = await stdout.readline()
        if line == PRELUDE:
            return True
        if not line:
            return False
    return False


async def _last_of(stream: asyncio.StreamReader) -> bytes:
    last = b""
    while data := await stream.read(4096):
        last = (last + data)[-_MOST_ERRORS:]
    return last


async def _ended(process: Process, patience_s: float) -> bool:
    try:
        await asyncio.wait_for(process.wait(), patience_s)
    except TimeoutError:
        return False
    return True


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _farewell(errors: str) -> bytes:
    """Draw the last line that a child has said in place of a screen."""
    line = next((line for line in reversed(errors.splitlines()) if line.strip()), "dstop ended at once")
    plain = "".join(char if char.isprintable() else "?" for char in line)
    return f"\x1b[2J\x1b[H\r\n  {plain[:500]}\r\n".encode()
