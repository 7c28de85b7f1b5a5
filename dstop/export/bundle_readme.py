"""The first page of a bundle: what is in it, what was hidden, what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dstop
from dstop.draw.balance_bar import amount_text
from dstop.model.value import Value
from dstop.sources.procfs.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WHAT = {
    "report.html": "the diagnosis as a page: open it in a browser, it loads nothing",
    "report.md": "the same for an issue tracker",
    "report.json": "the same for programs, as dstop doctor --json writes it",
}
_KINDS = {
    "secret": ("secrets", REDACTED),
    "user": ("user names", "<user1>"),
    "email": ("e-mail addresses", "<email1>"),
    "ip": ("IP addresses", "<ip1>"),
    "mac": ("MAC addresses", "<mac1>"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Left(Value):
    """Something that is not in the bundle."""

    name: str
    why: str
    bytes: int | None = None


def readme_text(sizes: Mapping[str, int], hidden: Mapping[str, int], left: Sequence[Left]) -> str:
    """Write the page.

    Args:
        sizes: of each file in the bundle, in bytes.
        hidden: how often each kind of thing was hidden.
        left: what was left out.
    """
    lines = [
        f"A failure on a GPU, packed by dstop {dstop.__version__}.",
        "",
        "What is in it",
        *(f"  {name}  ({amount_text(size)}){_said(name)}" for name, size in sorted(sizes.items())),
        "",
        "What was hidden",
        *_hidden(hidden),
        "  Host names, process ids, paths below a home, command lines, figures and GPU UUIDs are still there.",
        "  Patterns find most secrets and not all: look through the files before you send them to a stranger.",
        "",
        "What was left out",
        *(_left(one) for one in left),
        *(() if left else ("  nothing that was read",)),
        "",
        "To go on from here",
        "  dstop doctor logs/*.txt",
        "  dstop doctor incidents/NAME",
    ]
    return "\n".join(lines) + "\n"


def _said(name: str) -> str:
    if name in _WHAT:
        return f": {_WHAT[name]}"
    if name.startswith("logs/"):
        return ": the lines that were read, with their numbers"
    return ": what the black box recorded" if name.startswith("incidents/") and name.endswith(".json") else ""


def _hidden(counts: Mapping[str, int]) -> list[str]:
    found = [
        f"  {name}, {_times(counts[kind])}, shown as {sign}"
        for kind, (name, sign) in _KINDS.items()
        if counts.get(kind)
    ]
    if not found:
        return ["  nothing that looks like a secret or a person was found"]
    return [*found, "  The same number is the same person or address in all files."]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _left(one: Left) -> str:
    size = "" if one.bytes is None else f" ({amount_text(one.bytes)})"
    return f"  {one.name}{size}: {one.why}"
