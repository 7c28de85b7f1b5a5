"""The 64 bytes in the target through which the injector and the new thread talk, and what may be made of an old one.

 0 owner     the injecting process (upper half) and when it claimed the mailbox, in seconds since boot (lower half)
 8 status    see Status
16 region    where the new thread wants the source text
24 go        1 when the text is there
32 result    what PyRun_SimpleStringFlags returned
40 magic     that these bytes are ours
48 thread    pthread_t of the new thread
56 process   the target's own number; a forked child inherits the bytes, but nobody who answers
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

MAGIC = b"dstopmb2"
MAILBOX_BYTES = 64
STATUS_AT, REGION_AT, GO_AT, RESULT_AT, THREAD_AT = 8, 16, 24, 32, 48

_LAYOUT = struct.Struct("<IIQQQQ8sQQ")
_MAGIC_AT = slice(40, 48)

LAUNCH_LASTS_S = 60
"""How long a launch whose thread never reported is waited for: the injector died in the microsecond before it."""


class Status(IntEnum):
    """How far the new thread is."""

    CLAIMED = 0
    STARTED = 1
    WAITING = 2
    RUNNING = 3
    DONE = 4
    NOT_INITIALIZED = 5
    NO_THREAD = 6
    NO_SOURCE = 7
    NO_MEMORY = 8
    LAUNCHED = 9


class Mailbox(NamedTuple):
    """The mailbox as it was read."""

    claimed_s: int
    owner: int
    status: int
    region: int
    go: int
    result: int
    magic: bytes
    thread: int
    process: int


def parse_mailbox(raw: bytes) -> Mailbox | None:
    """Read 64 bytes; None when they are not ours."""
    return Mailbox._make(_LAYOUT.unpack(raw)) if raw[_MAGIC_AT] == MAGIC else None


def claim(owner: int, now_s: float, process: int) -> bytes:
    """Give the bytes that make a mailbox ours."""
    return _LAYOUT.pack(int(now_s) & 0xFFFFFFFF, owner, Status.CLAIMED, 0, 0, 0, MAGIC, 0, process)


def still_used(mailbox: Mailbox, process: int, now_s: float) -> bool:
    """Rule 4: tell whether an earlier attach still waits there; then it must not be used again.

    `process` is the target's own number: another one in the mailbox means that a fork copied it.
    """
    if mailbox.process != process:
        return False
    if mailbox.status == Status.LAUNCHED:
        return (int(now_s) - mailbox.claimed_s) & 0xFFFFFFFF < LAUNCH_LASTS_S
    return mailbox.status in (Status.STARTED, Status.WAITING, Status.RUNNING)
