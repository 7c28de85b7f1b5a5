"""A program in a pseudo-terminal: what it writes and when, what it costs, how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

CONTROL = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # sequences
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP.*?\x1b\\"  # titles, device strings
    rb"|\x1b[()][0-9A-B]|\x1b[@-Z\\-_=>78]",  # character sets, single letters
    re.DOTALL,
)
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[c": b"\x1b[?62;22c", b"\x1b[6n": b"\x1b[1;1R"}
"""What a real terminal says when a program asks what it can do."""
TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def family(root: int) -> list[int]:
    """Give a process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


class Terminal:
    """One program under measurement. Times are seconds since its exec."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], columns: int, rows: int) -> None:
        self.raw = bytearray()
        self.chunks: list[tuple[float, int]] = []
        """When output came, and how long all of it was then."""
        self.status: int | None = None
        go, going = os.pipe()
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.close(going)
            os.read(go, 1)  # the child waits until its clock is set
            self._become(command, env)
        os.close(go)
        self.resize(columns, rows)
        self._started = time.monotonic()
        os.close(going)

    @staticmethod
    def _become(command: Sequence[str], env: Mapping[str, str]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            os.execvpe(command[0], list(command), dict(env))  # noqa: S606 - no shell is meant to be there
        except OSError as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
        os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        os.close(self._fd)

    def now(self) -> float:
        """Give the seconds since the program was started."""
        return time.monotonic() - self._started

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size, which tells the program."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds: float) -> bool:
        """Take what the program writes for so long; false as soon as it has ended."""
        until = time.monotonic() + seconds
        while self.status is None and (left := until - time.monotonic()) > 0:
            if not select.select([self._fd], [], [], min(left, 0.1))[0]:
                self._reap(os.WNOHANG)
                continue
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            if not data:
                self._reap(0)
                break
            self.raw += data
            self.chunks.append((self.now(), len(self.raw)))
            for question, said in ANSWERS.items():
                if question in data:
                    self.send(said)
        return self.status is None

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.status = status

    def send(self, keys: bytes) -> None:
        """Press keys, if the program is still there to read them."""
        with suppress(OSError):
            os.write(self._fd, keys)

    def text(self, upto: int | None = None) -> bytes:
        """Give what was written so far, without control sequences."""
        return CONTROL.sub(b"", bytes(self.raw[:upto]))

    def seen_at(self, pattern: bytes) -> float | None:
        """Give when text that matches was first complete, or None."""
        if not re.search(pattern, self.text()):
            return None
        low, high = 0, len(self.chunks) - 1
        while low < high:
            middle = (low + high) // 2
            if re.search(pattern, self.text(self.chunks[middle][1])):
                high = middle
            else:
                low = middle + 1
        return self.chunks[low][0]

    def cpu_s(self) -> float:
        """Give the processor time that the program and its children took."""
        ticks = 0
        for pid in family(self.pid):
            with suppress(OSError):
                ticks += sum(int(part) for part in _stat(pid)[11:15])  # utime stime cutime cstime
        return ticks / TICK

    def rss_bytes(self) -> int:
        """Give the resident memory of the program and its children."""
        total = 0
        for pid in family(self.pid):
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def quit(self, key: str, patience_s: float) -> float | None:
        """Press the key that quits, and give how long that took; None when the patience ran out first."""
        asked = time.monotonic()
        self.send(key.encode())
        return None if self.pump(patience_s) else time.monotonic() - asked

    def kill(self) -> None:
        """End whatever is left of the program."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.status is not None:
                return
            for pid in reversed(family(self.pid)):
                with suppress(OSError):
                    os.kill(pid, number)
            self.pump(1.5)

    def ending(self) -> str:
        """Say how it ended."""
        if self.status is None:
            return "alive"
        if os.WIFSIGNALED(self.status):
            return f"signal {os.WTERMSIG(self.status)}"
        return f"code {os.WEXITSTATUS(self.status)}"
