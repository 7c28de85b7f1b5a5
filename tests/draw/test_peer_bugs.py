"""What broke the screens of other monitors, by its number in our list; 1-16 and 20-25 are the source's."""

from __future__ import annotations

import pytest

from dstop.draw.ascii import ascii_line
from dstop.draw.line import line_cells, plain
from dstop.draw.look import Look
from dstop.draw.overview import OverviewState, overview
from dstop.draw.palette import PALETTES, theme_for
from dstop.testing import make_frame, make_gpu, make_process, make_sample
from dstop.units import GIB
from dstop.view.arrange import View, arrange


def screen(sample: object, width: int, height: int = 30) -> list[tuple[tuple[str, str], ...]]:
    """Draw a sample."""
    frame = make_frame(sample)  # type: ignore[arg-type]
    rows = arrange(frame.sample, View())
    return overview(frame, rows, OverviewState(), width=width, height=height, look=Look()).lines


def test_bug_17_nothing_a_process_says_reaches_the_terminal_as_a_command() -> None:
    """Garbage on the screen: escape codes in names and command lines are shown, not obeyed."""
    evil = "python\x1b[2J\x1b]0;owned\x07\r\n\x9b31m train.py"
    process = make_process(cmdline=(evil,), command=evil, user=evil, container=evil)
    gpu = make_gpu(name=f"H100 {evil}")
    for line in screen(make_sample([gpu], processes=(process,)), 120):
        text = plain(line)
        assert text.isprintable(), text
        assert plain(ascii_line(line)).isascii()


def test_bug_18_a_light_terminal_gets_a_light_theme() -> None:
    """Unreadable on light: the theme follows the terminal's background, and paints its own ground."""
    assert theme_for("auto", {"COLORFGBG": "0;15"}) == "light"
    assert " on " in PALETTES["light"][""]
    assert " on " in PALETTES["dark"][""]


@pytest.mark.parametrize("width", [40, 58, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("height", [24, 60])
def test_bug_19_big_numbers_break_no_column_and_are_not_cut(width: int, height: int) -> None:
    """A board of 1400 W and a terabyte of unified memory: no line is wider, no figure loses its last digits."""
    gpu = make_gpu(
        power_mw=1_400_000,
        power_limit_mw=1_400_000,
        memory_total_bytes=1500 * GIB,
        memory_used_bytes=1234 * GIB,
        memory_reserved_bytes=0,
        temperature_c=104,
        utilization_gpu_pct=100.0,
        pcie_tx_bytes_s=128 * GIB,
        nvlink_tx_bytes_s=1800 * GIB,
    )
    lines = screen(make_sample([gpu], processes_per_gpu=1), width, height)
    assert {line_cells(line) for line in lines} == {width}
    text = "\n".join(map(plain, lines))
    assert "1234/1500" in text
    assert "1400" in text or "W" not in text
    assert "140…" not in text
    assert "1400/1…" not in text
