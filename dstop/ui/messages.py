"""The whole vocabulary between the polling thread and the screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from dstop.errors import DstopError
    from dstop.model.frame import Frame
    from dstop.sources.hands import ProcessDetail


class FrameReady(Message):
    """There is a new frame. The newest wins: a screen that is slow skips the ones between."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame

    def can_replace(self, message: Message) -> bool:
        """Let this one take the place of an older frame that waits."""
        return isinstance(message, FrameReady)


class PollerFailed(Message):
    """The polling thread met a bug of ours: the app must end with its traceback, not show old numbers."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class DetailReady(Message):
    """What only the process screen shows has been read."""

    def __init__(self, detail: ProcessDetail) -> None:
        super().__init__()
        self.detail = detail


class Answered(Message):
    """A process has answered what a screen asked it, or was not to be asked."""

    def __init__(self, about: str, value: object, error: DstopError | None) -> None:
        super().__init__()
        self.about = about
        self.value = value
        self.error = error
