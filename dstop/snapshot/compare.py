"""What grew from one snapshot to another: by category, and by site whatever lines its code is on by now.

A change of the program moves lines, and a checkout elsewhere moves files. So a stack is known by the functions and the
last two parts of the file of each of its frames. Where both snapshots have as many stacks of one such name, they are
told apart by their lines, in order; otherwise they are one site.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dstop.model.comparison import CategoryChange, Comparison, SiteChange
from dstop.model.study import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dstop.model.study import Moment, SiteUse
    from dstop.snapshot.study import DeviceStudy

    Name = tuple[tuple[str, str], ...]

MOST_SITES = 1_000_000
"""All of them: a site that is small in one snapshot may be large in the other."""
_PARTS = 2


def compare(before: DeviceStudy, after: DeviceStudy) -> Comparison:
    """Compare one device of two snapshots, each at its own peak."""
    first, second = before.moment(before.peak, MOST_SITES), after.moment(after.peak, MOST_SITES)
    changes = list(_sites(first.sites, second.sites))
    changes.sort(key=lambda change: change.before_bytes - change.after_bytes)
    return Comparison(
        device=after.device,
        before=_without_sites(first, before),
        after=_without_sites(second, after),
        categories=tuple(_categories(first, second)),
        sites=tuple(changes),
    )


def name_of(site: SiteUse) -> Name:
    """Give what a stack is known by."""
    return tuple(
        ("/".join(place.file.replace("\\", "/").split("/")[-_PARTS:]), place.function)
        for place in site.places
    )


def _without_sites(moment: Moment, study: DeviceStudy) -> Moment:
    return moment if not moment.sites else study.moment(moment.event, 0)


def _categories(before: Moment, after: Moment) -> Iterator[CategoryChange]:
    first = {share.category: share.size_bytes for share in before.shares}
    second = {share.category: share.size_bytes for share in after.shares}
    for category in CATEGORIES:
        if category in first or category in second:
            yield CategoryChange(category, first.get(category, 0), second.get(category, 0))


def _sites(before: Sequence[SiteUse], after: Sequence[SiteUse]) -> Iterator[SiteChange]:
    """Give the sites whose bytes are not the same in both."""
    first, second = _by_name(before), _by_name(after)
    for name in dict.fromkeys((*second, *first)):
        for old, new in _matched(first.get(name, ()), second.get(name, ())):
            change = _change(old, new)
            if change.before_bytes != change.after_bytes:
                yield change


def _by_name(sites: Sequence[SiteUse]) -> Mapping[Name, Sequence[SiteUse]]:
    named: dict[Name, list[SiteUse]] = defaultdict(list)
    for site in sites:
        named[name_of(site)].append(site)
    return named


def _matched(
    before: Sequence[SiteUse], after: Sequence[SiteUse]
) -> Iterator[tuple[Sequence[SiteUse], Sequence[SiteUse]]]:
    """Pair the sites of one name; two lines of one function keep their order when lines are added above them."""
    if len(before) == len(after):
        pairs = zip(sorted(before, key=_lines), sorted(after, key=_lines), strict=True)
        yield from (((old,), (new,)) for old, new in pairs)
    else:
        yield before, after


def _lines(site: SiteUse) -> tuple[int, ...]:
    return tuple(place.line for place in site.places)


def _change(before: Sequence[SiteUse], after: Sequence[SiteUse]) -> SiteChange:
    return SiteChange(
        site=max(after or before, key=lambda site: site.size_bytes),
        before_bytes=sum(site.size_bytes for site in before),
        after_bytes=sum(site.size_bytes for site in after),
        before_blocks=sum(site.blocks for site in before),
        after_blocks=sum(site.blocks for site in after),
    )
