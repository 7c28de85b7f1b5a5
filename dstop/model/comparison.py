"""What two snapshots of one program say side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.study import Moment, SiteUse


class CategoryChange(NamedTuple):
    """What one category had at both peaks."""

    category: str
    before_bytes: int
    after_bytes: int


class SiteChange(NamedTuple):
    """What one site held at both peaks: the same functions of the same files, whatever lines they are on by now."""

    site: SiteUse
    """As it is in the second snapshot; in the first where it is gone."""
    before_bytes: int
    after_bytes: int
    before_blocks: int
    after_blocks: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Comparison(Value):
    """One device of two snapshots, each at its own peak."""

    device: int
    before: Moment
    after: Moment
    categories: tuple[CategoryChange, ...]
    """Those that either has, in their order."""
    sites: tuple[SiteChange, ...]
    """Those that changed, by how much they grew, the most first; those that shrank come last."""
