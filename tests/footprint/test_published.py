"""Plans against figures that others have measured or printed: the points are sound, and the bars hold over them."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "published"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
_spec = importlib.util.spec_from_file_location(
    "bench_footprint_accuracy", Path(__file__).parents[2] / "benchmarks" / "footprint" / "accuracy.py"
)
assert _spec is not None
assert _spec.loader is not None
accuracy = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = accuracy
_spec.loader.exec_module(accuracy)

KEYS = {"id", "source", "confidence", "theoretical", "deepseek", "class", "spec", "expect"}
FIELDS = {
    "kv": {"kv_tokens", "kv_bytes_per_token", "kv_cache_bytes", "kv_elements_per_token"},
    "weights": {"weights_bytes"},
    "checkpoint": {"checkpoint_bytes"},
    "static_training": {"static_bytes"},
    "training_peak": {"allocated_bytes", "reserved_bytes"},
    "inference_peak": {"allocated_bytes", "reserved_bytes"},
    "activation": {"transient_bytes"},
}
PARTS = (
    "weights",
    "gradients",
    "optimizer",
    "activations",
    "logits",
    "kv_cache",
    "workspace",
    "reserved_unallocated",
    "context",
)
NAMES = {
    "per_gpu": {f"{part}_bytes": 2.0**place for place, part in enumerate(PARTS)} | {"total_bytes": 511.0},
    "kv_bytes_per_token": 1024.0,
    "checkpoint_bytes": 4096.0,
}
BY_FIELD = {
    "weights_bytes": 1.0,
    "static_bytes": 7.0,
    "transient_bytes": 88.0,
    "kv_cache_bytes": 32.0,
    "allocated_bytes": 127.0,
    "reserved_bytes": 255.0,
    "kv_bytes_per_token": 1024.0,
    "checkpoint_bytes": 4096.0,
}
"""What each field's formula comes to over NAMES, whose parts are powers of two."""


def points(*kinds: str) -> list[dict]:
    """Give the published points, of some classes or of all."""
    return [point for point in accuracy.read_points([FOLDER]) if not kinds or point["class"] in kinds]


def outcomes(*kinds: str) -> list:
    """Judge the points of some classes that say enough to be judged."""
    return [accuracy.judge(point) for point in points(*kinds) if point["confidence"] != "low"]


def listed(judged: list) -> str:
    """Give the worst of them, for a failure that says where to look."""
    worst = sorted(judged, key=lambda outcome: -abs(outcome.error or 1e9))[:8]
    return "\n".join(f"{outcome.id}: {outcome.error} {outcome.refused}" for outcome in worst)


def test_ids_are_unique():
    """A point can be named."""
    counts = Counter(point["id"] for point in points())
    assert [name for name, count in counts.items() if count > 1] == []


def test_there_are_enough_of_each():
    """The bars stand on many points, not on a few."""
    counts = Counter(point["class"] for point in points())
    assert counts["kv"] >= 30
    assert counts["weights"] + counts["checkpoint"] >= 25
    assert counts["static_training"] >= 15
    assert counts["training_peak"] >= 60
    assert counts["inference_peak"] >= 40


@pytest.mark.parametrize("name", FILES)
def test_points_say_where_they_are_from(name: str):
    """Every point has its source, its confidence, a model that is a whole config.json and a positive figure."""
    for point in json.loads((FOLDER / name).read_text(encoding="utf-8")):
        assert KEYS <= set(point) <= KEYS | {"note"}, point["id"]
        assert point["confidence"] in {"high", "medium", "low"}, point["id"]
        assert len(point["source"]) > 10, point["id"]
        assert not point["theoretical"], point["id"]
        assert {"model_type", "architectures", "vocab_size"} <= set(point["spec"]["model"]), point["id"]
        assert point["expect"]["field"] in FIELDS[point["class"]], point["id"]
        assert point["expect"]["value"] > 0, point["id"]


@pytest.mark.parametrize("name", FILES)
def test_formulas_compute_what_their_field_says(name: str):
    """The formula of a point adds up the parts that its field stands for."""
    for point in json.loads((FOLDER / name).read_text(encoding="utf-8")):
        expect = point["expect"]
        got = accuracy.calculate(expect["how"]["python"], NAMES)
        if expect["field"] == "kv_tokens":
            assert got * 1024 == float(expect["how"]["words"].split()[0]), point["id"]
        else:
            assert got == BY_FIELD[expect["field"]], point["id"]


@pytest.mark.parametrize(
    ("kinds", "median", "worst"),
    [
        (("kv",), 0.005, 0.02),
        (("weights", "checkpoint"), 0.01, 0.03),
        (("inference_peak",), 0.08, 0.25),
        (("static_training",), 0.03, 0.10),
        (("training_peak",), 0.08, 0.25),
    ],
    ids=["kv", "weights and checkpoints", "inference peak", "static training", "training peak"],
)
def test_bars_hold(kinds: tuple[str, ...], median: float, worst: float):
    """Every point is answered, and the median and the largest error are within the bars."""
    judged = outcomes(*kinds)
    summary = accuracy.summarise(judged)
    assert summary.refused == 0, listed(judged)
    assert summary.median <= median, listed(judged)
    assert summary.worst <= worst, listed(judged)


@pytest.mark.parametrize("kind", ["inference_peak", "training_peak"])
def test_figures_are_within_the_band(kind: str):
    """At least nine in ten figures lie between low and high."""
    judged = outcomes(kind)
    summary = accuracy.summarise(judged)
    assert summary.refused == 0, listed(judged)
    assert summary.inside is not None
    assert summary.inside >= 0.9, "\n".join(outcome.id for outcome in judged if not outcome.inside)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("kv_bytes_per_token / 2", 512.0),
        ("per_gpu['total_bytes'] - per_gpu.get('none', 11)", 500.0),
        ("checkpoint_bytes", 4096.0),
        ("1 + 2 * 3", 7.0),
    ],
)
def test_a_formula_is_arithmetic(formula: str, value: float):
    """Names, entries with their defaults, and the four operations."""
    assert accuracy.calculate(formula, NAMES) == value


@pytest.mark.parametrize(
    "formula", ["__import__('os')", "open('x')", "kv_bytes_per_token.real", "2 ** 9", "unknown", "[1][0]"]
)
def test_a_formula_is_nothing_else(formula: str):
    """A file of points cannot run a program."""
    with pytest.raises(ValueError, match="no arithmetic"):
        accuracy.calculate(formula, NAMES)


def test_a_class_comes_to_its_errors():
    """Median, 90th percentile, largest and mean error, who had no answer, who is inside and how wide the band is."""
    judged = [
        accuracy.Outcome("a", "kv", False, 100.0, 101.0, inside=True, width=0.2),
        accuracy.Outcome("b", "kv", False, 100.0, 97.0, inside=False, width=0.4),
        accuracy.Outcome("c", "kv", False, 100.0, 102.0),
        accuracy.Outcome("d", "kv", False, 100.0, None, refused="no"),
    ]
    summary = accuracy.summarise(judged)
    assert (summary.count, summary.refused) == (4, 1)
    assert summary.median == pytest.approx(0.02)
    assert summary.p90 == summary.worst == pytest.approx(0.03)
    assert summary.bias == pytest.approx(0.0)
    assert (summary.inside, summary.width) == (0.5, pytest.approx(0.3))


def test_no_answer_at_all_is_no_success():
    """A class of which every SPEC is refused has an error without bound."""
    summary = accuracy.summarise([accuracy.Outcome("a", "kv", False, 1.0, None, refused="no")])
    assert summary.worst == float("inf")
    assert summary.refused == 1
