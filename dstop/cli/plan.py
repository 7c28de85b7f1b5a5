"""`dstop plan`: what a model should need, as text, as JSON, side by side with another, or on the screen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.cli.plan_spec import asked_of
from dstop.errors import PlanError, UsageError
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.settle import settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import click

    from dstop.cli.plan_spec import Asked
    from dstop.footprint.catalog.values import Gpu
    from dstop.footprint.cost import Cost
    from dstop.footprint.plan import Plan
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit, Footprint
    from dstop.settings import Settings

_PRINTED = ("once", "json", "search", "hours", "tokens", "mfu", "compare", "every")


def plan_verb(names: Sequence[str], options: Mapping[str, Any], context: click.Context) -> None:
    """Plan what was named, in the face that was asked for.

    Raises:
        UsageError: the words contradict each other.
        PlanError: a model, a layout or a setting cannot be; its field is named.
    """
    if options["catalog"]:
        from dstop.cli.plan_list import list_verb  # noqa: PLC0415 - a verb loads what it needs

        list_verb(options)
        return
    _check(names, options)
    asked = [asked_of(name, options) for name in names]
    own = _prices(options["price"], context)
    if options["compare"]:
        _compare(asked, options, context)
    elif not any(options[name] for name in _PRINTED) and terminal.can_be_live(os.environ):
        _screen(asked[0].spec, _cards(options, asked[0].spec), own, context)
    elif options["json"]:
        _print_json(asked[0], options, own)
    else:
        _print_text(asked[0], options, own, context)


def _check(names: Sequence[str], options: Mapping[str, Any]) -> None:
    wanted = 2 if options["compare"] else 1
    if not names:
        raise UsageError(
            "there is no model to plan", fix="name one (dstop plan --list), a config.json or a SPEC.json"
        )
    if len(names) != wanted:
        says = "--compare takes two models" if options["compare"] else "a plan has one model"
        fix = "write dstop plan --compare A B"
        raise UsageError(f"{says}, and there {'is' if len(names) == 1 else 'are'} {len(names)}", fix=fix)
    if list(names).count("-") > 1:
        raise UsageError("standard input can be read once", fix="name - once")


def _cards(options: Mapping[str, Any], spec: Spec) -> tuple[Gpu, ...]:
    """Give the cards to judge: those that were named, every one (`--all`), or the usual ones and that of the SPEC."""
    from dstop.footprint.catalog.hardware import find_gpu, gpus  # noqa: PLC0415 - a verb loads what it needs
    from dstop.footprint.fit import usual_gpus  # noqa: PLC0415 - as above

    if options["gpu"]:
        return tuple(dict.fromkeys(find_gpu(name) for name in options["gpu"]))
    if options["every"]:
        return tuple(sorted(gpus(), key=lambda gpu: (gpu.usable_bytes, gpu.short)))
    usual = usual_gpus()
    if spec.gpu is None or any(gpu.short == spec.gpu for gpu in usual):
        return usual
    return (find_gpu(spec.gpu), *usual)


def _prices(said: Sequence[str], context: click.Context) -> Mapping[str, float]:
    """Read `--price H100-80=2.5` over the prices of the configuration file.

    Raises:
        PlanError: it is written otherwise, or a card is not known.
    """
    found: dict[str, object] = dict(_settings(context).prices)
    for text in said:
        name, _, amount = text.rpartition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            raise PlanError(f"price: {text[:80]!r} is no price", fix="such as H100-80=2.5") from None
    if not found:
        return {}
    from dstop.footprint.catalog.prices import own_prices  # noqa: PLC0415 - a verb loads what it needs

    return own_prices(found)


def _print_json(asked: Asked, options: Mapping[str, Any], own: Mapping[str, float]) -> None:
    from dstop.export.plan_json import plan_line  # noqa: PLC0415 - a verb loads what it needs

    terminal.write(plan_line(_answer(asked, options, own)))


def _print_text(
    asked: Asked, options: Mapping[str, Any], own: Mapping[str, float], context: click.Context
) -> None:
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - a verb loads what it needs
    from dstop.draw.plan_text import plan_lines  # noqa: PLC0415 - as above

    found = _answer(asked, options, own)
    write_lines(lambda width: plan_lines(found, width, every=options["every"]), _look(context))


def _answer(asked: Asked, options: Mapping[str, Any], own: Mapping[str, float]) -> Plan:
    """Compute all that was asked for."""
    from dstop.footprint.fit import judged  # noqa: PLC0415 - a verb loads what it needs
    from dstop.footprint.plan import Plan  # noqa: PLC0415 - as above

    cards = _cards(options, asked.spec)
    footprint, fits = judged(asked.spec, cards, own)
    settled = settle(asked.spec)[0]
    searched = costs = tier = None
    if options["search"]:
        from dstop.footprint.search.cheapest import search  # noqa: PLC0415 - as above

        searched = search(asked.spec, cards, own, asked.said, count=options["gpus"])
    if any(options[name] is not None for name in ("hours", "tokens", "mfu")):
        runs = [(settled, fit) for fit in fits if fit.fits]
        if searched is not None:  # what was found is what would be run
            runs = [(settle(found.spec)[0], found.fit) for found in searched.found]
        costs = _costs(runs, options)
    if asked.tier is not None:
        from dstop.footprint.catalog.tier_report import tier_report  # noqa: PLC0415 - as above

        tier = tier_report(asked.tier)
    return Plan(spec=settled, footprint=footprint, fits=fits, searched=searched, costs=costs, tier=tier)


def _costs(runs: Sequence[tuple[Spec, Fit]], options: Mapping[str, Any]) -> tuple[Cost, ...]:
    from dstop.footprint.cost import cost_of, parse_tokens  # noqa: PLC0415 - a verb loads what it needs

    tokens = None if options["tokens"] is None else parse_tokens(options["tokens"])
    return tuple(
        cost_of(spec, fit, hours=options["hours"], tokens=tokens, mfu=options["mfu"]) for spec, fit in runs
    )


def _look(context: click.Context) -> Mapping[str, Any]:
    settings = _settings(context)
    return {"ascii": settings.ascii, "color": settings.color}


def _settings(context: click.Context) -> Settings:
    from dstop.cli.attach import settings_of  # noqa: PLC0415 - a verb loads what it needs

    return settings_of(context)


def _compare(asked: Sequence[Asked], options: Mapping[str, Any], context: click.Context) -> None:
    first, second = (estimate(each.spec) for each in asked)
    if options["json"]:
        from dstop.export.plan_json import comparison_line  # noqa: PLC0415 - a verb loads what it needs

        terminal.write(comparison_line(first, second))
        return
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - as above
    from dstop.draw.plan_compare import plan_comparison  # noqa: PLC0415 - as above

    before, after = (settle(each.spec)[0] for each in asked)
    write_lines(lambda width: plan_comparison((before, first), (after, second), width), _look(context))


def _screen(spec: Spec, cards: Sequence[Gpu], own: Mapping[str, float], context: click.Context) -> None:
    from dstop.footprint.fit import judged  # noqa: PLC0415 - a verb loads what it needs
    from dstop.ui.plan_live import run_plan  # noqa: PLC0415 - as above

    def judge(turned: Spec) -> tuple[Footprint, Sequence[Fit]]:
        return judged(turned, cards, own)

    run_plan(spec, judge, _settings(context))
