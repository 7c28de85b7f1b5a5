"""Calling a stranger's code: it may raise anything, and it may never come back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

_WORDS = 200


class HangError(Exception):
    """The call was still under way when its time was over."""


class ExitError(Exception):
    """The call tried to end the program, with SystemExit or KeyboardInterrupt of its own."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Call in a thread of its own, and wait so long for it.

    Python cannot end a thread: one that hangs is left behind, as a daemon that nobody waits for. Code that keeps the
    interpreter's lock (a C extension, one regular expression that backtracks) stops everything, and no deadline helps.

    Raises:
        HangError: when it has not come back by then.
        ExitError: when it tried to end the program: a Ctrl-C of the user's, in the thread that waits, stays one.
        Exception: whatever else it raised.
    """
    answers: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it is handed on to who asked
            errors.append(error)

    thread = threading.Thread(target=work, name="dstop-plugin", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        error = errors[0]
        if isinstance(error, Exception):
            raise error
        raise ExitError(f"{type(error).__name__}: {error}") from error
    if not answers:
        raise HangError(f"it did not come back within {seconds:g} s")
    return answers[0]


def why(error: BaseException) -> str:
    """Give an error in one printable line."""
    text = str(error) if isinstance(error, HangError | ExitError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(text.split()), _WORDS)


def printable(text: str, most: int) -> str:
    """Cut a text, and put a question mark for every character that could move a cursor."""
    return "".join(char if char.isprintable() else "?" for char in text[:most])
