"""One answer about the machine, and the question it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from dstop.model.value import Value

Figure: TypeAlias = int | float | str


class CheckStatus(StrEnum):
    """How it stands."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    """Works, and costs speed, memory or a surprise later."""
    FAIL = "fail"
    """A GPU job will not start, or will end badly."""
    UNKNOWN = "unknown"
    """Could not be found out; the text says why and how to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Check(Value):
    """What was found, and why it matters."""

    id: str
    """`group.subject`, the same in every run: `memory.shm`."""
    title: str
    status: CheckStatus
    says: str
    """The figure and its meaning, in one line."""
    fix: str | None = None
    """A command to paste, where there is one."""
    value: Figure | None = None
    """The figure behind the words; bytes where it is a size."""
    source: str
    """The file or the API that it was read from."""


class Question(NamedTuple):
    """What is asked of the machine; its four answers make the checks."""

    id: str
    title: str
    source: str

    def passes(self, says: str, value: Figure | None = None) -> Check:
        """Say that it is well."""
        return self._check(CheckStatus.PASS, says, None, value)

    def warns(self, says: str, fix: str | None = None, value: Figure | None = None) -> Check:
        """Say what it costs."""
        return self._check(CheckStatus.WARN, says, fix, value)

    def fails(self, says: str, fix: str | None = None, value: Figure | None = None) -> Check:
        """Say what will not work."""
        return self._check(CheckStatus.FAIL, says, fix, value)

    def unknown(self, says: str, fix: str | None = None) -> Check:
        """Say why it could not be found out."""
        return self._check(CheckStatus.UNKNOWN, says, fix, None)

    def judged(
        self, status: CheckStatus, says: str, fix: str | None = None, value: Figure | None = None
    ) -> Check:
        """Say it with a status that was worked out."""
        return self._check(status, says, fix, value)

    def _check(self, status: CheckStatus, says: str, fix: str | None, value: Figure | None) -> Check:
        return Check(
            id=self.id, title=self.title, status=status, says=says, fix=fix, value=value, source=self.source
        )
