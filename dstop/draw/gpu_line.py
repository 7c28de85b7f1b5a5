"""One GPU in one line: what 8 or 16 cards need on a small screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.badges import badge_spans, badges
from dstop.draw.bars import meter
from dstop.draw.line import clean, fit, fit_line, line_cells
from dstop.draw.look import memory_role, temperature_role, utilization_role
from dstop.draw.memory_bar import memory_bar
from dstop.units import gib_text, percent_text, watts_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.draw.look import Look
    from dstop.draw.memory_bar import Holding
    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu, MigInstance


class LineFields(NamedTuple):
    """Cells of each field; 0 leaves it out."""

    name: int
    memory_bar: int
    utilization_bar: int
    power: int
    temperature: int
    clock: int
    badges: int


USED_OF_TOTAL = 11
_FOR_POWER, _FOR_TEMPERATURE, _FOR_BADGES = 28, 18, 24
_FOR_NAME, _FOR_CLOCK, _FOR_UTILIZATION_BAR = 50, 60, 40


def fields_for(width: int) -> LineFields:
    """Choose what fits: the memory bar first, then power, temperature, badges, name, utilisation bar, clock."""
    # Index, memory figures and the two shares come first; each number below is what must be left for the next field.
    left = width - (3 + USED_OF_TOTAL + 1 + 5 + 5)
    power = 9 if left >= _FOR_POWER else 0
    temperature = 5 if left - power >= _FOR_TEMPERATURE else 0
    left -= power + temperature
    badge = min(30, max(0, left // 3)) if left >= _FOR_BADGES else 0
    left -= badge
    name = 17 if left >= _FOR_NAME else 0
    left -= name
    clock = 8 if left >= _FOR_CLOCK else 0
    left -= clock
    utilization = left // 3 if left >= _FOR_UTILIZATION_BAR else 0
    return LineFields(name, max(0, left - utilization), utilization, power, temperature, clock, badge)


def short_name(name: str | None) -> str:
    """Give the model without the maker: `H100 80GB HBM3`."""
    if name is None:
        return "?"
    text = clean(name)
    for word in ("NVIDIA ", "GeForce ", "Tesla ", "Graphics Device "):
        text = text.replace(word, "")
    return text.strip() or "?"


def line_header(width: int) -> Line:
    """The titles over the lines of `gpu_line`."""
    f = fields_for(width)
    text = fit("", 3)
    text += fit("MODEL", f.name) if f.name else ""
    text += (
        fit("MEMORY", f.memory_bar)
        + fit("GiB", USED_OF_TOTAL, right=True)
        + " "
        + fit("MEM%", 4, right=True)
        + " "
    )
    text += fit(" GPU", f.utilization_bar) + fit("GPU%", 4, right=True) + " "
    text += fit("W", f.power - 1, right=True) + " " if f.power else ""
    text += fit("°C", f.temperature - 1, right=True) + " " if f.temperature else ""
    text += fit("MHz", f.clock - 1, right=True) + " " if f.clock else ""
    return ((fit(text, width), "label"),)


def gpu_line(
    gpu: Gpu, held: Sequence[Holding], width: int, look: Look, findings: Sequence[Finding] = ()
) -> Line:
    """Draw one card in `width` cells."""
    f = fields_for(width)
    index = (f"{gpu.index:>2} ", "title")
    if gpu.fault is not None:
        spans = badge_spans(badges(gpu), width - 4)
        words = fit(f" {clean(gpu.fault)}", max(0, width - line_cells((index, *spans))))
        return fit_line((index, *spans, (words, "bad")), width)
    used_pct = gpu.memory_pct
    role = "dim" if gpu.stale_s > 0 else None
    spans_: list[tuple[str, str]] = [index]
    if f.name:
        spans_.append((fit(short_name(gpu.name), f.name - 1) + " ", role or ""))
    spans_ += memory_bar(gpu, held, f.memory_bar)
    spans_ += [
        (fit(used_of_total(gpu), USED_OF_TOTAL, right=True) + " ", role or "title"),
        (f"{percent_text(used_pct):>3}% ", role or memory_role(used_pct, look)),
    ]
    utilization = gpu.utilization_gpu_pct
    if f.utilization_bar:
        spans_.append((" ", ""))
        spans_ += meter(_share(utilization), f.utilization_bar - 1, role or "graph.gpu")
    spans_.append((f"{percent_text(utilization):>3}% ", role or utilization_role(utilization, look)))
    if f.power:
        power = f"{watts_text(gpu.power_mw)}/{watts_text(gpu.power_limit_mw)}"
        if len(power) >= f.power:  # boards above 1000 W: half a number would be another number
            power = f"{watts_text(gpu.power_mw)}W"
        spans_.append((fit(power, f.power - 1, right=True) + " ", role or ""))
    if f.temperature:
        celsius = "–" if gpu.temperature_c is None else f"{gpu.temperature_c}°"
        shade = role or temperature_role(gpu.temperature_c, gpu.temperature_slowdown_c)
        spans_.append((fit(celsius, f.temperature - 1, right=True) + " ", shade))
    if f.clock:
        clock = "–" if gpu.clock_sm_mhz is None else str(gpu.clock_sm_mhz)
        spans_.append((fit(clock, f.clock - 1, right=True) + " ", role or ""))
    spans_ += badge_spans(badges(gpu, findings), f.badges)
    return fit_line(tuple(spans_), width)


def mig_line(instance: MigInstance, held: Sequence[Holding], width: int, *, last: bool) -> Line:
    """Draw one MIG instance as a row under its card, its bar under the card's bar."""
    f = fields_for(width)
    label = clean(instance.profile or "MIG")
    name = f"{'└' if last else '├'} {label}"
    room = max(13, f.name)
    bar = max(0, f.memory_bar - (room - f.name))
    spans: list[tuple[str, str]] = [("   ", ""), (fit(name, room - 1) + " ", "label")]
    spans += memory_bar(instance, held, bar)
    spans.append((fit(used_of_total(instance), USED_OF_TOTAL, right=True) + " ", ""))
    return fit_line(tuple(spans), width)


def used_of_total(gpu: Gpu | MigInstance) -> str:
    """Give `71.2/79.6` in GiB."""
    return f"{gib_text(gpu.memory_used_bytes)}/{gib_text(gpu.memory_total_bytes)}"


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
