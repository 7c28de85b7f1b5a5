"""One open line to the hook of a watched process: never waited for, one question at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dstop.errors import AttachError
from dstop.model.guest import Guest
from dstop.pytorch.parse.guest import parse_hello, parse_stats
from dstop.pytorch.wire import Reader, encode

if TYPE_CHECKING:
    import socket

    from dstop.model.guest import ProcessId

MOST_REPLY_BYTES = 4 << 20
"""Of one answer to `hello` or `stats`: sixteen devices with two hundred counters each take a tenth of it."""
HELLO_AGAIN_S = 30.0
"""What changes seldom (the black box is armed, CUDA comes up) is asked this often."""
_CHUNK_BYTES = 1 << 16
_CHUNKS = MOST_REPLY_BYTES // _CHUNK_BYTES + 1
_SILENT = "its hook has not answered yet: some thread may hold the GIL in a C call"
_BUSY = "its hook refuses: {}"


class HungUp(Exception):  # noqa: N818 - no error: a process may end, and its hook may leave
    """The hook closed the line."""


class Line:
    """A connected socket that does not block.

    Args:
        process: whose hook is at the other end.
        connection: taken over.
        now_s: of the monotonic clock, as in all methods.
    """

    def __init__(self, process: ProcessId, connection: socket.socket, now_s: float) -> None:
        connection.setblocking(False)
        self.process = process
        self.guest: Guest | None = None
        self.is_late = False
        """Whether the last step's question was not answered in time: such a line is not waited for."""
        self._connection = connection
        self._reader = Reader(MOST_REPLY_BYTES)
        self._waits_for: str | None = None
        self._answered_s = now_s
        self._hello_s: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a question is not answered yet."""
        return self._waits_for is not None

    def fileno(self) -> int:
        """Give its descriptor, for `poll`."""
        return self._connection.fileno()

    def close(self) -> None:
        """Let go; the hook stays where it is."""
        self._connection.close()

    def ask(self, now_s: float) -> None:
        """Ask this step's question, unless the last one is not answered yet.

        Raises:
            HungUp: when nobody is at the other end.
            AttachError: when what is there is not what was asked for.
        """
        self.take(now_s)
        if self._waits_for is None:
            due = self._hello_s is None or now_s - self._hello_s >= HELLO_AGAIN_S
            self._send("hello" if due else "stats")

    def take(self, now_s: float) -> None:
        """Take what has come; an answer to `hello` is followed by the question for figures.

        Raises:
            HungUp: when the other end is closed.
            AttachError: when the hook says what it was not asked, too much, or what is no message.
        """
        for _ in range(_CHUNKS):
            try:
                data = self._connection.recv(_CHUNK_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                raise HungUp from error
            if not data:
                raise HungUp
            replies = self._reader.feed(data)
            if len(replies) > (self._waits_for is not None) or (replies and not self._reader.is_empty):
                raise AttachError(f"the hook of process {self.process.pid} says more than was asked")
            if replies:
                self._answered(replies[0], now_s)
            elif self._waits_for is None:
                raise AttachError(f"the hook of process {self.process.pid} speaks unasked")
        raise AttachError(f"the hook of process {self.process.pid} does not stop talking")

    def answer(self, now_s: float) -> Guest:
        """Give the newest figures; with their age when the newest question is still open."""
        self.is_late = self.is_waiting
        guest = self.guest or Guest(
            pid=self.process.pid,
            started_at_s=self.process.started_at_s,
            unavailable={"torch_version": _SILENT, "devices": _SILENT},
        )
        return replace(guest, stale_s=max(0.0, now_s - self._answered_s)) if self.is_waiting else guest

    def _answered(self, reply: dict[str, Any], now_s: float) -> None:
        asked, self._waits_for = self._waits_for, None
        self._answered_s = now_s
        if reply.get("ok") is not True:
            self._refused(reply)
        elif asked == "hello":
            figures = self.guest.devices if self.guest else ()
            hello = parse_hello(reply, self.process)
            self.guest = replace(hello, devices=figures or hello.devices)
            self._hello_s = now_s
            self._send("stats")
        elif self.guest is not None:
            before = self.guest
            self.guest = parse_stats(reply, before)
            news = ("torch_version", "cuda_initialized")
            if any(getattr(self.guest, name) != getattr(before, name) for name in news):
                self._hello_s = None  # versions, backend and black box are of another time

    def _refused(self, reply: dict[str, Any]) -> None:
        from dstop.pytorch.parse.checks import text  # noqa: PLC0415 - seldom

        why = _BUSY.format(text(reply.get("error")) or "no reason given")
        guest = self.guest or Guest(pid=self.process.pid, started_at_s=self.process.started_at_s)
        self.guest = replace(guest, devices=(), unavailable={**guest.unavailable, "devices": why})

    def _send(self, op: str) -> None:
        data = encode({"op": op})
        try:
            sent = self._connection.send(data)
        except BlockingIOError:
            return  # it has not read what it was sent before: ask again at the next step
        except OSError as error:
            raise HungUp from error
        if sent != len(data):
            raise HungUp
        self._waits_for = op
