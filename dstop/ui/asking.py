"""Questions to a process, each in a thread of its own: one that is stuck keeps its thread waiting, never the screen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.ui.messages import Answered, PollerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message_pump import MessagePump


def ask_apart(
    receiver: MessagePump, work: Callable[[], object], *, app: MessagePump, about: str = ""
) -> None:
    """Do `work` in a thread; what it gives, or what it is refused with, comes to `receiver` as `Answered`.

    Args:
        receiver: the screen that wants to know; one that is gone by then hears nothing.
        work: may take as long as it likes; raises DstopError with what is wrong and what to do.
        app: hears of a bug, and ends with it.
        about: what is asked, for a receiver with several questions.
    """

    def run() -> None:
        try:
            value = work()
        except DstopError as error:
            receiver.post_message(Answered(about, None, error))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the app must end with it and not with silence
            app.post_message(PollerFailed(error))
        else:
            receiver.post_message(Answered(about, value, None))

    threading.Thread(target=run, name="dstop-ask", daemon=True).start()
