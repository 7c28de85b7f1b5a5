"""The words that make an engineer look twice: throttling, ECC, row remapping, Xid, staleness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import cells, clean
from dstop.model.gpu import QUIET_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.draw.line import Span
    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu

_THROTTLE_WORDS = {
    "hw_thermal": ("HOT", "badge.bad"),
    "sw_thermal": ("HOT", "badge"),
    "hw_power_brake": ("BRAKE", "badge.bad"),
    "hw_slowdown": ("HW SLOW", "badge.bad"),
    "power_cap": ("PWR CAP", "badge"),
}

_ROLES = {"critical": "badge.bad", "warning": "badge", "note": "badge.note"}
_SHOWN_ALREADY = frozenset({"DS850", "DS851", "DS852", "DS853"})
"""Rules about what the card itself says: its own badges stand for them."""

_ORDER = {"badge.bad": 0, "badge": 1, "badge.note": 2}
_COUNT = 4
"""Cells that ` +2` takes at most. The gravest badge is shown even where they are missing."""


def finding_badge(finding: Finding) -> Span:
    """Give the badge of a finding."""
    return (clean(finding.badge), _ROLES[finding.severity])


def badges(gpu: Gpu, findings: Iterable[Finding] = ()) -> tuple[Span, ...]:
    """Give the badges of a card and of what was found on it, the gravest first; each is a word and its role."""
    found = [*_own_badges(gpu)]
    if gpu.fault is None:
        found += [finding_badge(finding) for finding in findings if finding.rule not in _SHOWN_ALREADY]
    return tuple(sorted(found, key=lambda badge: _ORDER.get(badge[1], 0)))


def _own_badges(gpu: Gpu) -> tuple[Span, ...]:
    found: list[Span] = []
    if gpu.fault is not None:
        return (("LOST" if _is_lost(gpu.fault) else "FAULT", "badge.bad"),)
    if gpu.stale_s > 0:
        found.append((f"STALE {gpu.stale_s:.0f}s", "badge.bad"))
    if gpu.xids:
        found.append((f"XID {gpu.xids[-1].code}", "badge.bad"))
    if gpu.remapped_rows_failed:
        found.append(("REMAP FAILED", "badge.bad"))
    if gpu.ecc_uncorrected:
        found.append((f"ECC {gpu.ecc_uncorrected}", "badge.bad"))
    if gpu.remapped_rows_pending:
        found.append(("ROW REMAP", "badge"))
    reasons = set(gpu.throttle_reasons or ()) - QUIET_REASONS
    words = [(word, role) for reason, (word, role) in _THROTTLE_WORDS.items() if reason in reasons]
    found += dict.fromkeys(words)
    found += [
        (reason.upper().replace("_", " "), "badge") for reason in sorted(reasons - _THROTTLE_WORDS.keys())
    ]
    if gpu.unified_memory:
        found.append(("UNIFIED", "badge.note"))
    if gpu.virtualization not in {None, "none"}:
        found.append(("vGPU", "badge.note"))
    return tuple(found)


def badge_spans(found: tuple[Span, ...], width: int) -> tuple[Span, ...]:
    """As many badges as fit in `width` cells, one cell apart; ` +2` counts those that do not."""
    spans: list[Span] = []
    left = width
    for position, (word, role) in enumerate(found):
        more = len(found) - position - 1
        need = cells(word) + 2 + (1 if spans else 0)
        if need > left or (spans and more and need + _COUNT > left):
            if left >= 3:  # noqa: PLR2004 - room for the count itself
                spans.append((f" +{more + 1}", "warn"))
            break
        if spans:
            spans.append((" ", ""))
        spans.append((f" {word} ", role))
        left -= need
    return tuple(spans)


def _is_lost(fault: str) -> bool:
    return "lost" in fault.lower() or "fallen off" in fault.lower()
