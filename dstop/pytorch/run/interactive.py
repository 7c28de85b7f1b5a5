"""Commands that need the real terminal, because they take its keyboard by way of their output streams."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.sources.procfs.reading import words

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHELLS = words("sh bash zsh fish dash ksh mksh tcsh csh ash")
_FULL_SCREEN = words("vi vim nvim emacs nano less more man top htop nvtop tmux screen gdb cuda-gdb")


def needs_terminal(command: Sequence[str]) -> bool:
    """Whether a command is a shell for somebody to type into, or a program known to draw the whole screen.

    A shell takes job control from the terminal that its errors go to; a pager reads its keys there. Neither leaves
    last lines worth keeping, so they get our own streams.
    """
    if not os.isatty(0):
        return False
    name = os.path.basename(command[0])  # noqa: PTH119 - Path costs more than the rest of this
    if name in _FULL_SCREEN:
        return True
    return name in _SHELLS and all(
        word.startswith(("-", "+")) and not _is_command(word) for word in command[1:]
    )


def _is_command(option: str) -> bool:
    """Whether an option makes a shell run what follows: `-c`, `-lc`."""
    return option.startswith("-") and not option.startswith("--") and "c" in option
