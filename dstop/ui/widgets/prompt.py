"""The lines in which something is typed: a filter, the name of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual.binding import Binding
from textual.suggester import Suggester
from textual.widgets import Input

from dstop.view.filter import suggest

if TYPE_CHECKING:
    from textual.binding import BindingType


class _Completions(Suggester):
    """Completes field names."""

    async def get_suggestion(self, value: str) -> str | None:
        """Give the first completion of what is there."""
        return next(iter(suggest(value)), None)


class _Closes(Protocol):
    def close_prompt(self, *, forget: bool) -> None: ...


class LinePrompt(Input):
    """One line at the bottom; Enter keeps what is there, Esc drops it."""

    DEFAULT_CSS = """
    LinePrompt, LinePrompt:focus { dock: bottom; height: 1; border: none; padding: 0 1; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "forget", show=False)]

    def action_forget(self) -> None:
        """Drop it."""
        cast("_Closes", self.screen).close_prompt(forget=True)


class FilterPrompt(LinePrompt):
    """Asks for a filter."""

    def __init__(self, text: str) -> None:
        super().__init__(
            text,
            placeholder="filter: llama   user:alice mem>10G   gpu:0-3   not framework:vllm   /regex/",
            suggester=_Completions(use_cache=False, case_sensitive=True),
            max_length=400,
            select_on_focus=False,
        )


class PathPrompt(LinePrompt):
    """Asks where to write a file."""

    def __init__(self, path: str) -> None:
        super().__init__(path, placeholder="file to write", max_length=1000, select_on_focus=False)


class TextPrompt(LinePrompt):
    """Asks for a text to look for."""

    def __init__(self, text: str, placeholder: str) -> None:
        super().__init__(text, placeholder=placeholder, max_length=200, select_on_focus=False)
