"""What can be asked of, and done to, the processes behind a sample: more than every tick should read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.process import ProcessFacts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProcessDetail(Value):
    """Read once when somebody opens a process."""

    environment: tuple[tuple[str, str], ...] | None = None
    """Name and value, values of secret names redacted; None when it cannot be read."""
    ancestors: tuple[tuple[int, str], ...] = ()
    """(pid, command) from the parent up."""
    libraries: tuple[str, ...] = ()
    facts: ProcessFacts | None = None
    """Who it is, for a process that no card has a row of; None when that is not to be had."""
    has_ended: bool = False
    """Whether this very process is no more, or is a zombie."""
    unavailable: Mapping[str, str] = field(default_factory=dict)


class Hands(Protocol):
    """The processes of a source, close up. Calls may block on a stuck kernel: never call them where that matters."""

    def detail(self, pid: int, started_at_s: float | None) -> ProcessDetail:
        """Give what a screen about one process shows."""
        ...

    def parents(self, pids: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Give (parent pid, own command) of each of these processes and of their ancestors, for the tree."""
        ...

    def signal(self, pid: int, started_at_s: float | None, signum: int) -> None:
        """Send a signal to this very process, never to one that got its PID since.

        Raises:
            DstopError: with the reason it was not sent.
        """
        ...
