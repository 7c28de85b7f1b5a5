"""Something done once, in a thread that may be left behind: starting the driver can hang."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Attempt(Generic[T]):
    """Runs a function at once; who waits for it may stop waiting, and come back later."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._settled = Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        self._over = False
        Thread(target=self._work, name="dstop-nvml-start", daemon=True).start()

    def wait(self, timeout_s: float) -> T | None:
        """Give what the function gave, or None when it is still at it (or `abandon` was called).

        Raises:
            BaseException: what the function raised.
        """
        self._settled.wait(timeout_s)
        if not self._over:
            return None
        if self._error is not None:
            raise self._error
        return self._result

    def abandon(self) -> None:
        """Wake whoever waits."""
        self._settled.set()

    def _work(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        self._over = True
        self._settled.set()
