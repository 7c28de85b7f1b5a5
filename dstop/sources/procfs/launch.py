"""A command line, understood: which program runs, which script or module, and with what arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPTED = frozenset({"bash", "sh", "dash", "zsh", "ksh", "fish", "node", "perl", "ruby", "Rscript", "bun"})
_VALUED = frozenset({"-W", "-X", "--check-hash-based-pycs"})
"""Options of Python whose value is the next argument (`python --help`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Launch(Value):
    """What was started. At most one of `script`, `module` and `code` is set."""

    title: str | None = None
    """The name that a process gave itself in place of its command line (setproctitle)."""
    program: str = ""
    """File name of the executable: `python3.11`, `llama-server`."""
    script: str | None = None
    """Path of the script an interpreter runs."""
    module: str | None = None
    """What `python -m` runs."""
    code: str | None = None
    """What `python -c` or `sh -c` runs."""
    arguments: tuple[str, ...] = ()
    """What the script, module or program was given."""

    @property
    def tool(self) -> str:
        """The name that tells the tool: `vllm` for `python /usr/bin/vllm`, `torchrun`, `llama-server`."""
        if self.script is not None:
            return base_name(self.script)
        return self.module if self.module is not None else self.program


def parse_launch(cmdline: Sequence[str]) -> Launch:
    """Take a command line apart."""
    if not cmdline:
        return Launch()
    first, rest = cmdline[0], tuple(cmdline[1:])
    if not rest and _is_title(first):
        return Launch(title=" ".join(first.split()))
    program = base_name(first).removeprefix("-")
    if is_python(program):
        return _python(program, rest)
    if program in _SCRIPTED:
        return _scripted(program, rest)
    return Launch(program=program, arguments=rest)


def base_name(path: str) -> str:
    """Give the last part of a path, which may end in a slash."""
    return path.rstrip("/").rpartition("/")[2]


def is_python(program: str) -> bool:
    """Whether an executable's name is a Python's: `python`, `python3.11`, `pypy3`, `ipython3`."""
    stem = program.rstrip("0123456789.td")
    return stem in {"python", "pypy", "ipython"} or program.startswith("python3")


def _is_stream(word: str) -> bool:
    """Whether a script comes through a pipe, and so has no name."""
    return word == "-" or word.startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/"))


def _is_title(text: str) -> bool:
    name = text.partition(" ")[0]
    return (
        "::" in name or (name.endswith(":") and not name.startswith("/")) or (" " in text and "/" not in name)
    )


def _python(program: str, rest: tuple[str, ...]) -> Launch:
    position = 0
    while position < len(rest):
        word = rest[position]
        after = rest[position + 1 :]
        if word in _VALUED:
            position += 2
            continue
        if not word.startswith("-") or _is_stream(word):
            return Launch(program=program, script=None if _is_stream(word) else word, arguments=after)
        found = (
            None if word.startswith("--") else next((letter for letter in word[1:] if letter in "cmWX"), None)
        )
        if found in {"c", "m"}:
            return _inline(program, word, found, after)
        position += 1
    return Launch(program=program)


def _inline(program: str, word: str, letter: str, after: tuple[str, ...]) -> Launch:
    """Handle `-c CODE` and `-m MODULE`, which may share a word with other letters: `-um pkg`, `-mpkg`."""
    value = word.partition(letter)[2]
    if not value and after:
        value, after = after[0], after[1:]
    if letter == "c":
        return Launch(program=program, code=value, arguments=after)
    return Launch(program=program, module=value or None, arguments=after)


def _scripted(program: str, rest: tuple[str, ...]) -> Launch:
    for position, word in enumerate(rest):
        after = rest[position + 1 :]
        if word.startswith("-") and not word.startswith("--") and "c" in word and after:
            return Launch(program=program, code=after[0], arguments=after[1:])
        if not word.startswith(("-", "+")):
            return Launch(program=program, script=None if _is_stream(word) else word, arguments=after)
    return Launch(program=program)
