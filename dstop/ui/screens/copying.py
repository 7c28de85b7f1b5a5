"""A screen that shows fixes: a key copies the line to paste, over SSH too, because the terminal itself does it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.line import clean
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from dstop.model.evidence import Fix


class FixScreen(TextScreen):
    """`y` copies the first line there is to paste, a digit that of the fix of that number (OSC 52)."""

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Esc", "back"),
        ("y", "copy the fix"),
        ("1-9", "copy that one"),
        ("↑↓", "scroll"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy(-1)", show=False),
        *(Binding(str(place + 1), f"copy({place})", show=False) for place in range(9)),
    ]

    @property
    @abstractmethod
    def fixes(self) -> Sequence[Fix]:
        """What is offered, in the order of its numbers."""

    def action_copy(self, place: int) -> None:
        """Copy the command of a fix, or, with -1, of the first that has one."""
        fixes = self.fixes
        if place >= len(fixes):
            self.dstop.say(f"there are {len(fixes)} fixes" if fixes else "there is no fix to copy")
            return
        chosen = fixes[place] if place >= 0 else next((fix for fix in fixes if fix.command is not None), None)
        if chosen is None or chosen.command is None:
            self.dstop.say("there is no line to paste for it")
            return
        # What goes to the clipboard may be run by a paste: one line, and no control character.
        command = clean(chosen.command)
        self.app.copy_to_clipboard(command)
        self.dstop.say(f"copied: {command}")
