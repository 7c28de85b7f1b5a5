"""A source on the screen or on paper: what `dstop` and `dstop demo` have in common once both know what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.cli.request import Request
    from dstop.monitor.expectations import Expectations
    from dstop.settings import Settings
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands
    from dstop.sources.reach import Reach

ONE_SAMPLE_S = 2.5
"""How long one sample waits for what its models should need: a hook that counts, a folder on another machine."""


def watch(
    open_source: Callable[[], Source],
    request: Request,
    hands: Callable[[], Hands],
    guests: Callable[[str], Guests],
    reach: Callable[[], Reach],
    *,
    at_once: bool = False,
) -> None:
    """Show a source on the screen, or print it; on the screen it is opened in the thread that reads it.

    Args:
        open_source: opens it.
        request: what was asked of this run.
        hands: asks and signals its processes.
        guests: asks the hooks in them, for a face.
        reach: reads more of them.
        at_once: whether nothing behind the source is ever slow.
    """
    from dstop.cli.sources import Narrowed  # noqa: PLC0415 - a verb loads what it needs

    inside = None if request.source is not None else guests(request.face)
    expectations = expectations_of(
        request, inside, None if request.source is not None else reach(), at_once=at_once
    )
    if request.face != "live":
        from dstop.cli.printing import print_samples  # noqa: PLC0415 - as above

        print_samples(Narrowed(open_source(), request), request, guests=inside, expectations=expectations)
        return
    from dstop.cli.alerting import alarms_of  # noqa: PLC0415 - as above
    from dstop.cli.printing import view_of  # noqa: PLC0415 - as above
    from dstop.settings.save import save  # noqa: PLC0415 - as above
    from dstop.ui.live import run_live  # noqa: PLC0415 - as above

    def keep(settings: Settings) -> None:
        save(settings, request.config)

    run_live(
        lambda: Narrowed(open_source(), request),
        request.settings,
        view_of(request),
        hands=None if request.source is not None else hands(),
        guests=inside,
        expectations=expectations,
        alarms=alarms_of(request.settings),
        save=keep,
    )


def expectations_of(
    request: Request, guests: Guests | None, reach: Reach | None, *, at_once: bool = False
) -> Expectations | None:
    """Give what holds the models of a source against what they should need; None for a table of cards alone.

    Args:
        request: what was asked of this run.
        guests: asks the hooks; None where there are none behind the source.
        reach: reads more of its processes; None where they are another machine's.
        at_once: whether a step may wait for it, because nothing behind the source is ever slow.
    """
    if request.face == "csv":
        return None
    from dstop.monitor.expectations import Expectations  # noqa: PLC0415 - a verb loads what it needs

    live = request.face == "live"
    return Expectations(
        reach,
        at_once=at_once,
        ask=None if guests is None else guests.facts,
        of_user=request.settings.footprint,
        tier=request.tier,
        patience_s=0.0 if live else ONE_SAMPLE_S,
        defer=1 if live else 0,
    )
