"""Which line of a stack is the reader's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.model.segment import Place

_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3", "/torch/")
_SOURCES = (".py", ">")
"""Python's own frames: files, `<stdin>`, `<ipython-input-3>`; the rest of a mixed stack is C++."""


def own_place(places: Sequence[Place]) -> Place | None:
    """Choose the innermost Python line outside the libraries; without one the innermost Python line, or any."""
    python = [place for place in places if place.file.endswith(_SOURCES)]
    return next(filter(is_own, python), next(iter(python), next(iter(places), None)))


def is_own(place: Place) -> bool:
    """Say whether a line is Python and of no library."""
    return place.file.endswith(_SOURCES) and not any(part in place.file for part in _LIBRARIES)
