"""What many measurements come to, and how it is printed: medians, percentiles, Markdown tables, JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

INTERVAL_Z = 1.96
"""Standard normal quantile of a two-sided 95 % interval."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile: a value that was measured, never one between two."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summary(values: Iterable[float | None]) -> dict[str, float | int] | None:
    """Give how many, the median, the 99th percentile and the most of what was measured; None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {
        "count": len(known),
        "median": statistics.median(known),
        "p99": percentile(known, 99),
        "most": max(known),
    }


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Give the 95 % confidence interval of the median by order statistics: no distribution is assumed.

    Source: Conover, Practical Nonparametric Statistics, 3.2: ranks n/2 ± 1.96 * sqrt(n)/2, rounded outwards.
    """
    ordered = sorted(values)
    half = INTERVAL_Z * math.sqrt(len(ordered)) / 2
    low = max(0, math.floor(len(ordered) / 2 - half) - 1)
    high = min(len(ordered) - 1, math.ceil(len(ordered) / 2 + half))
    return ordered[low], ordered[high]


def cell(value: object) -> str:
    """Write one cell: three significant digits, whole numbers whole, a dash for what was not measured."""
    match value:
        case None:
            return "-"
        case bool() | str() | int():
            return str(value)
        case float():
            return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
        case dict():
            return " / ".join(cell(value[key]) for key in ("median", "p99", "most") if key in value)
        case _:
            return ", ".join(str(each) for each in value) if isinstance(value, (list, tuple)) else str(value)


def print_table(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a Markdown table: the first column names the row, the others are figures."""
    print("| " + " | ".join(columns.values()) + " |")
    print("|---|" + "--:|" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(cell(row.get(key)) for key in columns) + " |")
    print()


def machine() -> dict[str, Any]:
    """Say on what this was measured; the load tells how far absolute times may be trusted."""
    try:
        load: float | None = os.getloadavg()[0]
    except OSError:
        load = None
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "load_before": load,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Give the options that every benchmark of attaching has."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", metavar="FILE", help="also write everything as JSON; - for stdout, no table")
    made.add_argument("--python", action="append", metavar="COMMAND", help="interpreters of the targets")
    made.add_argument("--seed", type=int, default=1, help="of whatever is drawn at random")
    return made


def progress(text: str) -> None:
    """Say on stderr how far it is, on one line, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{text:<79}", end="", file=sys.stderr, flush=True)


def write_json(report: Mapping[str, Any], path: str | None) -> bool:
    """Write the report where it was asked for; False when the table is still wanted."""
    if path is None:
        return False
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return True
    Path(path).write_text(text, encoding="utf-8")
    return False
