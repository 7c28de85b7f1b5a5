"""A `dstop` behind a browser's tab ends when nobody reads what it draws any more.

`dstop web` ends its children itself. When it is killed it cannot, and Textual's web driver goes on without a reader: an
orphan a tab, that reads the driver each second until somebody finds it.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time

GRACE_S = 2.0
"""How long the screen may take to end in order."""


def end_with_reader(descriptor: int = 1) -> None:
    """End this process soon after the reader of this pipe is gone; watched in a thread that never wakes before."""
    threading.Thread(target=_watch, args=(descriptor,), name="dstop-reader", daemon=True).start()


def _watch(descriptor: int) -> None:
    poll = select.poll()
    poll.register(
        descriptor, 0
    )  # errors alone, which are always told: POLLERR says that a pipe has no reader
    while not any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll()):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
