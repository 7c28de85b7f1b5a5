"""Figures that processes tell of themselves, as the close-up of a process draws them."""

from __future__ import annotations

import pytest

from dstop.draw.detail import fact_lines
from dstop.draw.figure import figure_name, figure_text
from dstop.model.process import ProcessFigure
from dstop.testing import make_gpu, make_process


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("kv_cache_pct", 98.46, "kv cache 98.5%"),
        ("requests_running", 1200.0, "requests running 1,200"),
        ("preemptions_per_min", 2.5, "preemptions 2.5/min"),
        ("tokens_per_s", 1234.0, "tokens 1,234/s"),
        ("pool_bytes", 2.0 * 2**30, "pool 2.0G"),
        ("preemptions_total", 7.0, "preemptions 7"),
        ("odd", float("inf"), "odd –"),
    ],
)
def test_a_figure_has_the_unit_of_its_name(name, value, words):
    """The unit moves from the name to the value; a count has none."""
    assert f"{figure_name(name)} {figure_text(ProcessFigure(name=name, value=value))}" == words


def test_the_close_up_shows_figures_and_why_one_is_missing():
    """Values and reasons stand among the facts, and a reason cannot move the cursor."""
    figures = (
        ProcessFigure(name="kv_cache_pct", value=50.0),
        ProcessFigure(name="engine", why="port 8000 \x1b[2Jrefuses"),
    )
    lines = fact_lines(make_process(figures=figures), make_gpu(), 120, now_s=1.775e9)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert "kv cache" in text
    assert "50.0%" in text
    assert "– port 8000" in text
    assert "\x1b" not in text
