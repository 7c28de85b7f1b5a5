"""The options that `dstop` and `dstop demo` share, and the Request they make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from dstop.cli.request import Request, face_of
from dstop.cli.terminal import can_be_live
from dstop.settings.load import load
from dstop.settings.values import COLORS, MODES, THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.view.filter import Filter

    F = TypeVar("F", bound=Callable[..., Any])

_OF_SETTINGS = {"interval": "interval_s"}
_SETTINGS = ("interval", "theme", "ascii", "color", "readonly", "mode", "filter")

_OPTIONS = (
    click.option("-1", "--once", is_flag=True, help="Print one sample as text and stop."),
    click.option("--json", is_flag=True, help="Print a sample as JSON; with -i, one per line."),
    click.option(
        "--csv",
        is_flag=False,
        flag_value="gpus",
        type=click.Choice(["gpus", "processes"]),
        help="Print CSV: a line per GPU, or per process (--csv=processes).",
    ),
    click.option(
        "-i", "--interval", type=float, metavar="S", help="Seconds between samples (at least 0.25)."
    ),
    click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after N samples."),
    click.option("-o", "--only", multiple=True, metavar="GPU", help="GPUs: 0, 0-3, 1,5, a UUID or a bus id."),
    click.option("--only-visible", is_flag=True, help="GPUs that CUDA_VISIBLE_DEVICES names."),
    click.option("-u", "--user", multiple=True, metavar="USER", help="Processes of this user."),
    click.option(
        "-p", "--pid", multiple=True, metavar="PID", help="This process; repeat it, or part by commas."
    ),
    click.option("-f", "--filter", metavar="FILTER", help="Processes such as 'user:me mem>10G'."),
    click.option("--tier", metavar="TIER", help="What unknown models are, such as deepseek-pro."),
    click.option("--no-processes", is_flag=True, help="GPUs alone."),
    click.option("--ascii", is_flag=True, help="Draw with ASCII alone."),
    click.option("--color", type=click.Choice(COLORS), help="When to use colour."),
    click.option("--theme", type=click.Choice(THEMES), help="Colours of the screen."),
    click.option("-m", "--mode", type=click.Choice(MODES), help="How much room a GPU gets."),
    click.option("--readonly", is_flag=True, help="Offer nothing that changes a process."),
    click.option("--config", metavar="FILE", help="Read this configuration file."),
)


def watch_options(command: F) -> F:
    """Give a command the options of a watcher."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def typed(context: click.Context) -> list[str]:
    """Give the names of the options that were typed, and not left at their default."""
    return [
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]


def request_of(context: click.Context) -> Request:
    """Make the Request of what was typed, the environment and the configuration file.

    Raises:
        UsageError: when what was typed cannot be done.
        SettingsError: when the file or a variable is wrong.
    """
    given = context.params
    names = typed(context)
    flags = {_OF_SETTINGS.get(name, name): given[name] for name in names if name in _SETTINGS}
    settings = load(given["config"], environ=os.environ, flags=flags)
    face = face_of(
        once=given["once"],
        json=given["json"],
        csv=given["csv"],
        can_be_live=can_be_live(os.environ),
        count=given["count"],
    )
    return Request(
        settings=settings,
        face=face,
        repeat="interval" in names or given["count"] is not None,
        count=given["count"],
        only=given["only"],
        only_visible=given["only_visible"],
        users=frozenset(user for text in given["user"] for user in text.split(",") if user),
        pids=_pids(given["pid"]),
        filter=filter_of(settings.filter),
        processes=not given["no_processes"],
        config=given["config"],
        source=given.get("source"),
        tier=_tier(given["tier"]),
    )


def _tier(name: str | None) -> str | None:
    """Check a tier before anything is shown: a misspelt one would only be a reason in every row.

    Raises:
        PlanError: there is none of that name.
    """
    if name is None:
        return None
    from dstop.footprint.catalog.tiers import find_tier  # noqa: PLC0415 - most runs have none

    return find_tier(name).name


def _pids(texts: tuple[str, ...]) -> frozenset[int]:
    pids = set()
    for text in ",".join(texts).split(","):
        word = text.strip()
        if not word:
            continue
        if not (word.isascii() and word.isdigit() and len(word) <= 10):  # noqa: PLR2004 - PIDs have 22 bits
            raise click.UsageError(f"--pid: {word[:40]!r} is not a PID")
        pids.add(int(word))
    return frozenset(pids)


def filter_of(text: str) -> Filter | None:
    """Give the filter of a text; None for none."""
    if not text:
        return None
    from dstop.view.filter import parse  # noqa: PLC0415 - most runs have none

    return parse(text)


def explain(params: Mapping[str, object]) -> str:
    """Write option names as they are typed: `--once, --json`."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in params)
