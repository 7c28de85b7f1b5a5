"""Between the command and what our own output streams lead to: a pseudo terminal for a terminal, a pipe for the rest.

The command must see what it would see without us. Where both of our streams lead to one place, one channel serves both,
so that the order of what is written to them stays as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from dataclasses import dataclass

from dstop.model.value import Value

_PIPE_BYTES = 1 << 20
_NO_SIZE = struct.pack("HHHH", 0, 0, 0, 0)

STDIN, STDOUT, STDERR = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Channel(Value):
    """One way from the command to us."""

    reads: int
    """Our end."""
    writes: int
    """The command's end."""
    streams: tuple[int, ...]
    """Which of the command's streams go into it; we pass on to the first."""
    is_terminal: bool


def hold_closed_streams() -> frozenset[int]:
    """Fill the numbers of our standard streams that are closed, before a file of ours gets one, and give them.

    They are closed for the command too: what fills them is not inherited.
    """
    closed: set[int] = set()
    for stream in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # the lowest free number, which is this one
            closed.add(stream)
    return frozenset(closed)


def open_channels(closed: frozenset[int]) -> tuple[Channel, ...]:
    """Open what the command's output goes through, but for streams that are closed.

    Raises:
        OSError: when there are no more descriptors or pseudo terminals.
    """
    groups: dict[tuple[int, int], tuple[int, ...]] = {}
    for stream in sorted({STDOUT, STDERR} - closed):
        found = os.fstat(stream)
        place = (found.st_dev, found.st_ino)
        groups[place] = (*groups.get(place, ()), stream)
    return tuple(_open(streams) for streams in groups.values())


def take_size(channel: Channel) -> None:
    """Give the pseudo terminal the size of the terminal it stands for; a pipe has none."""
    if not channel.is_terminal:
        return
    try:
        size = fcntl.ioctl(channel.streams[0], termios.TIOCGWINSZ, _NO_SIZE)
        fcntl.ioctl(channel.reads, termios.TIOCSWINSZ, size)
    except OSError:
        return  # the terminal has gone


def _open(streams: tuple[int, ...]) -> Channel:
    if not os.isatty(streams[0]):
        reads, writes = os.pipe()
        with contextlib.suppress(OSError):  # the user's pipes hold all they may: the usual size does too
            fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        return Channel(reads=reads, writes=writes, streams=streams, is_terminal=False)
    reads, writes = os.openpty()
    channel = Channel(reads=reads, writes=writes, streams=streams, is_terminal=True)
    _pass_through(channel)
    take_size(channel)
    return channel


def _pass_through(channel: Channel) -> None:
    """Make it like the real terminal, but change no byte: what is to become of a line end is the real one's part."""
    try:
        modes = termios.tcgetattr(channel.streams[0])
    except termios.error:
        modes = termios.tcgetattr(channel.writes)
    output, local = 1, 3
    modes[output] &= ~termios.OPOST
    modes[local] &= ~(termios.ECHO | termios.ECHONL)
    termios.tcsetattr(channel.writes, termios.TCSANOW, modes)
