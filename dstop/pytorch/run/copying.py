"""Passing a command's output on, byte for byte and at once, while its end is remembered.

One thread a channel: a reader that does not keep up holds back the stream it reads, and no other. Writing blocks, as it
would for the command itself; making our streams non-blocking would make those of everyone non-blocking who shares them.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.pytorch.run.channel import Channel
    from dstop.pytorch.run.tail import Tail

_PIECE_BYTES = 1 << 18
_GRACE_S = 1.0
"""How long after the command's end somebody else who holds its output may still write."""


class Copier:
    """Copies one channel until its end, or until the grace after the command's end is over."""

    def __init__(self, channel: Channel, tail: Tail) -> None:
        self._channel = channel
        self._tail = tail
        self._woken, self._wakes = os.pipe()
        self._thread = threading.Thread(target=self._run, name="dstop-copy", daemon=True)
        self.problem: str | None = None
        """Why nothing more could be passed on; a reader who has gone is no problem."""

    def start(self) -> None:
        """Begin, after the command holds its end and we have closed ours."""
        self._thread.start()

    def end_soon(self) -> None:
        """Tell it that the command has ended: what is left is passed on, however slowly it is taken."""
        os.close(self._wakes)

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for the last byte at most so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._copy_while_it_runs()
        finally:
            # From now on whoever still writes learns that nobody reads, as with any pipe.
            os.close(self._channel.reads)

    def _copy_while_it_runs(self) -> None:
        source = self._channel.reads
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.register(self._woken, 0)
        while True:
            ready = dict(poll.poll())
            if source in ready and not self._pass_on(_PIECE_BYTES):
                return
            if self._woken in ready:
                break
        poll.unregister(self._woken)
        deadline = time.monotonic() + _GRACE_S
        while (left_s := deadline - time.monotonic()) > 0 and poll.poll(left_s * 1000):
            if not self._pass_on(_PIECE_BYTES):
                return
        left_bytes = _waiting_bytes(source)
        while left_bytes > 0 and (passed := self._pass_on(min(left_bytes, _PIECE_BYTES))):
            left_bytes -= passed

    def _pass_on(self, most_bytes: int) -> int:
        """Copy one piece and give its size; 0 at the end, or when it can be passed on to nobody."""
        try:
            piece = os.read(self._channel.reads, most_bytes)
        except OSError:  # a pseudo terminal's end: EIO
            return 0
        self._tail.add(piece)
        return len(piece) if piece and self._write(piece) else 0

    def _write(self, piece: bytes) -> bool:
        target = self._channel.streams[0]
        view = memoryview(piece)
        while view:
            try:
                view = view[os.write(target, view) :]
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(target, select.POLLOUT)
                waiting.poll()
            except BrokenPipeError:
                return False
            except OSError as error:
                if not self._channel.is_terminal:
                    self.problem = error.strerror
                return False
        return True


def _waiting_bytes(descriptor: int) -> int:
    count = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, termios.FIONREAD, count)
    except OSError:
        return 0
    return count[0]
