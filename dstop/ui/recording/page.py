"""What every page of a snapshot is: a question about one device, drawn into the lines there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from dstop.draw.detail import wrapped
from dstop.draw.line import BLANK, fit_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.draw.line import Line
    from dstop.ui.recording.studied import Studied


class Page(ABC):
    """State of one page of one device. All methods are quick: what takes long is among its questions."""

    NAME: ClassVar[str]
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = ()

    def __init__(self, studied: Studied) -> None:
        self.studied = studied

    @abstractmethod
    def lines(self, width: int, height: int) -> list[Line]:
        """Draw it: at most `height` lines of `width` cells."""

    @abstractmethod
    def move(self, by: int) -> None:
        """Go down by lines, or up."""

    def jump(self, *, to_end: bool) -> None:
        """Go to the first or the last line."""
        self.move(10**9 if to_end else -(10**9))

    def enter(self) -> bool:
        """Open what is chosen; False where nothing can be."""
        return False

    def click(self, x: int, y: int, *, twice: bool) -> bool:
        """Do what a click at a cell means; False where it means nothing."""
        del x, y, twice
        return False

    def wheel(self, y: int, by: int) -> None:
        """Do what a turn of the wheel over a line means."""
        del y
        self.move(3 * by)

    def questions(self) -> Mapping[str, Callable[[], object]]:
        """What must be found out for it, in this order, each by its name; called in a thread, one after the other."""
        return {}

    def flags(self) -> Sequence[str]:
        """What changes what is seen."""
        return ()

    def trouble(self, about: str, width: int) -> list[Line]:
        """Say why something could not be found out; nothing where it could, or was not asked yet."""
        error = self.studied.errors.get(about)
        if error is None:
            return []
        return wrapped(error.message, width, "bad") + (wrapped(error.fix, width) if error.fix else [])


class ScrollPage(Page):
    """Lines that scroll; they are made anew when something was found out, or for another width."""

    def __init__(self, studied: Studied) -> None:
        super().__init__(studied)
        self.top = 0
        self._count = 0
        self._drawn: tuple[tuple[int, int], list[Line]] | None = None

    @abstractmethod
    def content(self, width: int) -> list[Line]:
        """Draw all of it."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw the part in sight."""
        known = (width, len(self.studied.answers) + len(self.studied.errors))
        if self._drawn is None or self._drawn[0] != known:
            self._drawn = (known, self.content(width))
        lines = self._drawn[1]
        self._count = len(lines)
        self.top = max(0, min(self.top, len(lines) - height))
        shown = lines[self.top : self.top + height]
        return shown + [fit_line(BLANK, width)] * (height - len(shown))

    def move(self, by: int) -> None:
        """Scroll."""
        self.top = max(0, min(self.top + by, self._count))
