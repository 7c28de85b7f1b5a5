"""Sites as a reader knows them: by the lines of their own code, whatever a library did below."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.draw.line import cells
from dstop.draw.site_uses import place_text
from dstop.model.study import CONFIDENCES
from dstop.snapshot.own import is_own

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.model.segment import Place
    from dstop.model.study import SiteUse


def by_own_code(sites: Sequence[SiteUse]) -> list[SiteUse]:
    """Join the sites of one category whose own lines are the same, and give the largest first.

    A joined site has its own lines alone as its places, for below them there are several truths; one without any own
    line stays as it is.
    """
    together: dict[tuple[str, tuple[Place, ...]], list[SiteUse]] = defaultdict(list)
    for site in sites:
        own = tuple(place for place in site.places if is_own(place))
        together[site.category, own or site.places].append(site)
    joined = [_joined(own, same) for (_, own), same in together.items()]
    return sorted(joined, key=lambda site: -site.size_bytes)


def _joined(own: tuple[Place, ...], sites: Sequence[SiteUse]) -> SiteUse:
    if len(sites) == 1:
        return sites[0]
    largest = max(sites, key=lambda site: site.size_bytes)
    return replace(
        largest,
        size_bytes=sum(site.size_bytes for site in sites),
        blocks=sum(site.blocks for site in sites),
        confidence=min((site.confidence for site in sites), key=CONFIDENCES.index),
        places=own,
    )


def callers_text(own: Place | None, places: Sequence[Place], width: int) -> str:
    """Name who called a line of the reader's own, outwards, as far as there is room: whole places, no half one.

    Args:
        own: the line; without it there are no callers.
        places: its stack, innermost first.
        width: cells.
    """
    if own is None or own not in places:
        return ""
    text = ""
    for place in filter(is_own, places[places.index(own) + 1 :]):
        short = place_text(place._replace(file=place.file.rpartition("/")[2]), width)
        longer = f"{text} ← {short}" if text else f"← {short}"
        if cells(longer) > width:
            break
        text = longer
    return text
