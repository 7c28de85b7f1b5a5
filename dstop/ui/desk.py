"""What a screen may see of the app, and ask it to do: this, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.draw.look import Look
    from dstop.model.frame import Frame
    from dstop.model.guest import ProcessId
    from dstop.model.process import GpuProcess, ProcessKey
    from dstop.settings import Settings
    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands


class Desk(Protocol):
    """The app, as its screens know it."""

    frame: Frame | None
    hands: Hands | None
    guests: Guests | None
    look: Look
    notice: str
    settings: Settings
    theme_name: str

    @property
    def paused(self) -> bool:
        """Whether frames stand still because the user wants it."""
        ...

    def say(self, text: str) -> None:
        """Show a sentence in the status line for a while."""
        ...

    def ask(self, question: str, do: Callable[[], None], dropped: str) -> None:
        """Ask in the status line; `do` is done on yes, `dropped` is said otherwise."""
        ...

    def read_now(self) -> None:
        """Have a new frame at once."""
        ...

    def watch_fields(self, fields: Iterable[str]) -> None:
        """Have costly counters read, and no others."""
        ...

    def watch_processes(self, keys: Sequence[ProcessKey]) -> None:
        """Have the histories of these processes in the frames."""
        ...

    def open_process(self, process: GpuProcess, *, environment_first: bool = False) -> None:
        """Show one process."""
        ...

    def open_pid(self, process: ProcessId) -> None:
        """Show one process, whether or not the sample has a row of it."""
        ...

    def open_gpu(self, index: int) -> None:
        """Show one card."""
        ...

    def choose_signal(self, processes: tuple[GpuProcess, ...]) -> None:
        """Show which signals there are."""
        ...

    def ask_signal(self, name: str, processes: tuple[GpuProcess, ...]) -> None:
        """Ask before anything is sent."""
        ...

    def confirm_question(self) -> None:
        """Do what was asked about."""
        ...

    def cancel_question(self) -> bool:
        """Drop the question; True when there was one."""
        ...
