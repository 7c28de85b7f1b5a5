"""Ctrl-C that waits for a better moment: the few steps that must not be left half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class HeldBack:
    """What has come so far."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.signals)


@contextlib.contextmanager
def held_back() -> Iterator[HeldBack]:
    """Let SIGINT and SIGTERM wait until the block ends; a long block looks at what it is given and ends early.

    Python runs signal handlers in the main thread alone: in any other thread, and where a handler is not Python's
    own, there is nothing to hold back. May be nested.
    """
    held = HeldBack()
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the shape of a handler
        held.signals.append(number)

    try:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, note)
        yield held
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        for came in dict.fromkeys(held.signals):
            signal.raise_signal(came)
