"""The sites and frames of a page, each written once and numbered; however many there are, the page stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import clean, crop
from dstop.draw.site_uses import where
from dstop.export.markup import one_line
from dstop.model.study import CATEGORIES, CONFIDENCES, SiteUse
from dstop.snapshot.own import own_place

if TYPE_CHECKING:
    from dstop.model.segment import Place
    from dstop.snapshot.values import Stacks

MOST_FRAMES = 80
"""Of one stack: the outermost alone would not tell who asked, the innermost alone not for whom, so both are kept."""
_OUTER = 56
_FRAME, _LABEL, _FILE = 140, 110, 64
"""Characters; C++ templates have names of thousands."""
_LEFT_OUT = "frames left out"
_ROOTS = ("/site-packages/", "/dist-packages/")
"""Where libraries lie says nothing: what follows names them."""
_PYTHON = (".py", ">")
"""How the files of Python frames end: `train.py`, `<stdin>`."""


class Names:
    """Numbers sites and frames as they come, as long as there is room for their text."""

    def __init__(self, most_characters: int) -> None:
        self._left = most_characters
        self._frames: dict[tuple[str, int], int] = {}
        self._sites: dict[tuple[object, ...], int] = {}
        self._labels: dict[int, int] = {}
        self.frames: list[tuple[str, int]] = []
        """Text, and 1 for Python's."""
        self.sites: list[list[object]] = []
        """Label, category, confidence, frames from the innermost: what the script reads."""
        self.labels: list[str] = []
        """Of stacks alone: who asked for a block."""

    def site(self, use: SiteUse) -> int:
        """Number a site; its bytes are told elsewhere, for they differ from moment to moment."""
        key = (use.places, use.category, use.confidence, use.name)
        number = self._sites.get(key)
        if number is None:
            number = self._sites[key] = len(self.sites)
            frames = [self._frame(place) for place in kept(use.places)]
            label = self._text(where(use, _LABEL))
            self.sites.append(
                [label, CATEGORIES.index(use.category), CONFIDENCES.index(use.confidence), frames]
            )
        return number

    def label(self, stacks: Stacks, stack: int) -> int:
        """Number the label of a stack."""
        number = self._labels.get(stack)
        if number is None:
            number = self._labels[stack] = len(self.labels)
            self.labels.append(self._text(asked_by(stacks[stack])))
        return number

    def _frame(self, place: Place | None) -> int:
        frame = (_LEFT_OUT, 1) if place is None else frame_text(place)
        number = self._frames.get(frame)
        if number is None:
            number = self._frames[frame] = len(self.frames)
            self.frames.append((self._text(frame[0]), frame[1]))
        return number

    def _text(self, text: str) -> str:
        self._left -= len(text)
        return text if self._left >= 0 else "…"


def kept(places: tuple[Place, ...]) -> tuple[Place | None, ...]:
    """Keep the frames of a stack that a page shows: C++ gives way first; None stands for those left out in between."""
    if len(places) <= MOST_FRAMES:
        return places
    python = tuple(place for place in places if place.file.endswith(_PYTHON)) or places
    if len(python) <= MOST_FRAMES:
        return python
    return (*python[: MOST_FRAMES - _OUTER], None, *python[-_OUTER:])


def asked_by(places: tuple[Place, ...]) -> str:
    """Name who asked, in one line as every face does; empty where nothing was recorded."""
    own = own_place(places)
    if own is None:
        return ""
    use = SiteUse(size_bytes=0, blocks=0, category="", confidence="", places=places, own=own)
    return one_line(where(use, _LABEL))


def frame_text(place: Place) -> tuple[str, int]:
    """Write a frame as `function  file:line`, and say whether it is Python's; of a path its end names the file."""
    function = clean(place.function[: 4 * _FRAME])
    if not place.file.endswith(_PYTHON):
        return crop(function or "??", _FRAME), 0
    file = clean(place.file[-4 * _FILE :])
    for root in _ROOTS:
        file = file.rpartition(root)[2]
    short = file if len(file) <= _FILE else "…" + file[-_FILE:]
    return f"{crop(function, _FRAME - _FILE)}  {short}:{place.line}", 1
