"""Which errors the cards reported to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import counted
from dstop.doctor.environment.values import CheckStatus, Question
from dstop.model.xid import xid_meaning
from dstop.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts, XidRecord
    from dstop.doctor.environment.values import Check

_OF_PROGRAMS = frozenset({13, 31, 43, 45})
"""Faults of a program, as a rule: the card goes on."""
_HEALED = frozenset({63, 92})
_MOST_NAMED = 4


def xids(facts: Facts) -> Iterator[Check]:
    """Tell each kind of error once, the worst first."""
    log = facts.kernel_log
    question = Question("hardware.xid", "errors of GPUs in the kernel log", log.source)
    if log.reason is not None:
        yield question.unknown(log.reason, "sudo dmesg -T | grep -i xid")
        return
    if not log.xids:
        yield question.passes("no Xid, as far back as the log goes", 0)
        return
    kinds: dict[tuple[int, str], list[XidRecord]] = {}
    for record in log.xids:
        kinds.setdefault((record.code, record.bus), []).append(record)
    ordered = sorted(kinds, key=lambda kind: (_is_mild(kind[0]), kind[0] in _OF_PROGRAMS))
    told = [_told(kinds[kind], facts) for kind in ordered[:_MOST_NAMED]]
    more = f"; and {counted(len(ordered) - _MOST_NAMED, 'kind')} more" if len(ordered) > _MOST_NAMED else ""
    status = CheckStatus.WARN if all(_is_mild(code) for code, _ in kinds) else CheckStatus.FAIL
    yield question.judged(status, f"{'; '.join(told)}{more}", "sudo dmesg -T | grep -i xid", ordered[0][0])


def _is_mild(code: int) -> bool:
    return code in _OF_PROGRAMS or code in _HEALED


def _told(records: list[XidRecord], facts: Facts) -> str:
    last = records[-1]
    times = f", {len(records)} times" if len(records) > 1 else ""
    ago = f", {duration_text(last.age_s)} ago" if last.age_s is not None else ""
    return f"Xid {last.code} on {_card(last.bus, facts)}{times}{ago}: {xid_meaning(last.code)}"


def _card(bus: str, facts: Facts) -> str:
    """Name a card by its address, as NVML counts cards; an address that no card has stays an address."""
    wanted = _address(bus)
    gpus = () if facts.sample is None else facts.sample.gpus
    index = next((gpu.index for gpu in gpus if wanted and _address(gpu.pci_bus_id or "") == wanted), None)
    return f"PCI {bus}" if index is None else f"GPU {index}"


def _address(text: str) -> tuple[int, ...]:
    """Read domain, bus and device of `0000:3b:00` or `00000000:3B:00.0`."""
    try:
        return tuple(int(part, 16) for part in text.partition(".")[0].split(":"))
    except ValueError:
        return ()
