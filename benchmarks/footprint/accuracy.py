"""How far `dstop plan` is from figures that others have measured or printed.

    python benchmarks/footprint/accuracy.py tests/footprint/published [FILE OR FOLDER ...]

A file is a list of points: a SPEC, the figure that was published, and the formula that turns a plan into that figure.
The error is prediction / figure - 1; a class shows the median, the 90th percentile and the largest of its size, the
mean (bias), how many figures lie within the band, and how wide that is. Points of low confidence count only with
`--low`. A SPEC that is refused is no error of zero: it stands under `no answer`. `--points` lists every point.
"""

from __future__ import annotations

import argparse
import ast
import json
import operator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from dstop.errors import DstopError
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.model.footprint import Footprint

BANDED = frozenset(("allocated_bytes", "reserved_bytes", "total_bytes"))
"""Fields that a band of the total says something about."""
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One point and what the plan says of it."""

    id: str
    kind: str
    low_confidence: bool
    figure: float
    predicted: float | None
    inside: bool | None = None
    """Whether the figure is within the band; None where no band bears on it."""
    width: float | None = None
    """Of the band, as a share of the expected total."""
    refused: str = ""

    @property
    def error(self) -> float | None:
        """Prediction / figure - 1."""
        return None if self.predicted is None else self.predicted / self.figure - 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a class of points comes to; shares, not per cent."""

    count: int
    refused: int
    median: float
    p90: float
    worst: float
    bias: float
    inside: float | None
    width: float | None


def read_points(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Give the points of files and of folders of files, in the order of their names."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    return [point for file in files for point in json.loads(file.read_text(encoding="utf-8"))]


def judge(point: Mapping[str, Any]) -> Outcome:
    """Plan the SPEC of a point, and compare."""
    expect = point["expect"]
    about = (point["id"], point["class"], point["confidence"] == "low", float(expect["value"]))
    try:
        plan = estimate(parse_spec(point["spec"]))
        says = answer(plan)
        predicted = calculate(expect["how"]["python"], says)
    except DstopError as error:
        return Outcome(*about, predicted=None, refused=str(error))
    if predicted is None:
        return Outcome(*about, predicted=None, refused=f"the plan does not say {expect['field']}")
    if expect["field"] not in BANDED:
        return Outcome(*about, predicted=predicted)
    rank, figure = plan.per_gpu, about[3]
    outside = rank.parts.total_bytes - predicted
    return Outcome(
        *about,
        predicted=predicted,
        inside=rank.low_bytes - outside <= figure <= rank.high_bytes - outside,
        width=(rank.high_bytes - rank.low_bytes) / rank.parts.total_bytes,
    )


def answer(plan: Footprint) -> dict[str, Any]:
    """Give the names that the formula of a point may use, as `dstop plan --json` gives them."""
    rank = plan.per_gpu
    parts = {f"{part}_bytes": size for part, size in rank.parts.by_part().items()}
    totals = {
        "total_bytes": rank.parts.total_bytes,
        "low_bytes": rank.low_bytes,
        "high_bytes": rank.high_bytes,
    }
    return {
        "per_gpu": parts | totals,
        "kv_bytes_per_token": plan.kv_bytes_per_token,
        "checkpoint_bytes": plan.checkpoint_bytes,
        "parameters": {"total": plan.total_parameters, "active": plan.active_parameters},
    }


def calculate(formula: str, names: Mapping[str, Any]) -> float | None:
    """Work out the formula of a point: arithmetic over names and their entries, and nothing else.

    None where the plan does not say what it needs.

    Raises:
        ValueError: it is more than that.
    """
    value = _value(ast.parse(formula, mode="eval").body, names)
    return None if value is None else float(value)


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Subscript(value=table, slice=key):
            return _value(table, names)[_value(key, names)]
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[key, otherwise], keywords=[]):
            return _value(table, names).get(_value(key, names), _value(otherwise, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_value(left, names), _value(right, names))
    raise ValueError(f"no arithmetic: {ast.unparse(node)}")


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Give what a class comes to. Of no answers at all: an error without bound."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    sizes = sorted(map(abs, errors)) or [float("inf")]
    inside = [outcome.inside for outcome in outcomes if outcome.inside is not None]
    widths = [outcome.width for outcome in outcomes if outcome.width is not None]
    return Summary(
        count=len(outcomes),
        refused=len(outcomes) - len(errors),
        median=median(sizes),
        p90=sizes[ceil(0.9 * len(sizes)) - 1],
        worst=sizes[-1],
        bias=fmean(errors) if errors else float("nan"),
        inside=fmean(inside) if inside else None,
        width=median(widths) if widths else None,
    )


def main() -> None:
    """Judge the points, and print a line a class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--low", action="store_true", help="points of low confidence count, too")
    parser.add_argument("--points", action="store_true", help="list every point, the worst first")
    options = parser.parse_args()
    outcomes = [judge(point) for point in read_points(options.paths)]
    counted = [outcome for outcome in outcomes if options.low or not outcome.low_confidence]
    print(f"{'class':17}  points  no answer   median      p90    worst     bias   inside    width")
    for kind in dict.fromkeys(outcome.kind for outcome in counted):
        print(_line(kind, summarise([outcome for outcome in counted if outcome.kind == kind])))
    if options.points:
        for outcome in sorted(counted, key=lambda outcome: -abs(outcome.error or 1e9)):
            print(_point(outcome))


def _line(kind: str, summary: Summary) -> str:
    shares = (summary.median, summary.p90, summary.worst, summary.bias, summary.inside, summary.width)
    texts = " ".join("       –" if share is None else f"{100 * share:7.2f}%" for share in shares)
    return f"{kind:17} {summary.count:7} {summary.refused:10} {texts}"


def _point(outcome: Outcome) -> str:
    if outcome.error is None:
        return f"   refused  {outcome.kind:16} {outcome.id}: {outcome.refused}"
    band = {None: "", True: "", False: "  outside the band"}[outcome.inside]
    return f"{100 * outcome.error:+9.2f}%  {outcome.kind:16} {outcome.id}{band}"


if __name__ == "__main__":
    main()
