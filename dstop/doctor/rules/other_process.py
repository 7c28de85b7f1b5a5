"""Somebody else holds the memory that is missing

What it means
    This process holds little, and yet the card is full. Another process, a leftover of an earlier run, a container that cannot
    be seen from here, or a sibling job has the rest.

Evidence
    What neither this process nor the free memory explains is more than what was short, and a good part of the card. Under its
    host PID in a container a process does not recognise itself: who holds what our allocator reserved, and a context, is us.

Fix
    End or move the other one, or go to a card with room.

When it is wrong
    If ending the other one still leaves too little for what this job needs, the job is too large (DS101 to DS103).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.live.unattributed import watch
from dstop.doctor.questions.arithmetic import foreign_bytes, gib, own_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_GOOD_PART, _PART, _LITTLE = 0.25, 0.1, 0.15
_UNNAMED = 0.16
"""What no message names may be a desktop, or a context larger than most."""
_FULL = 0.85


def _examine(case: Case) -> Assessment | None:
    busy = case.first("driver.busy")
    failure = case.failure
    if failure is not None and failure.total_bytes is None:
        return _without_figures(case)
    if failure is None or failure.total_bytes is None or failure.is_spilling:
        if busy is None:
            return None
        evidence = (Evidence(source=str(busy.place), says=busy.text),)
        return Assessment(
            strength=FITS,
            evidence=evidence,
            at=busy.place,
            fixes=prescribe(case, "kill_other_process", "fix_cuda_visible_devices"),
        )
    foreign, own, short = foreign_bytes(case), own_bytes(case) or 0, case.balance.short_bytes or 0
    if not foreign or foreign < short:
        return None
    strength = _strength(foreign, own, failure.total_bytes, is_named=bool(failure.others))
    if strength is None:
        return None
    named = [f"process {pid} holds {gib(size)}" for pid, size in failure.others[:4]]
    words = ", ".join(named) or "no process is named with it"
    says = f"{gib(foreign)} of {gib(failure.total_bytes)} is neither free nor of this process ({words}); this process holds {gib(own)}"
    pids = " ".join(str(pid) for pid, _ in failure.others[:4])
    commands = {"kill_other_process": f"kill {pids}"} if pids else {}
    return Assessment(
        strength=strength,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=foreign),
            *rank_lines(case),
        ),
        at=failure.place,
        subcause="zombie_process" if _is_nobody(case) else None,
        title=f"Somebody else holds {gib(foreign)} of this card",
        fixes=prescribe(
            case,
            "kill_other_process",
            "fix_cuda_visible_devices",
            "restart_node" if not failure.others else "reduce_parallelism",
            "reduce_batch",
            recovers={"kill_other_process": foreign, "restart_node": foreign},
            commands=commands,
        ),
    )


def _without_figures(case: Case) -> Assessment | None:
    """Answer for a refusal that says nothing of the card: what stands beside it may."""
    failure = case.failure
    if failure is None:
        return None
    fixes = prescribe(case, "kill_other_process", "fix_cuda_visible_devices", "restart_node", "reduce_batch")
    if failure.family == "pool_at_start":
        says = "the pool that is taken at the start found the card full: nothing of this run was on it yet"
        evidence = (*failure_lines(case), Evidence(source=str(failure.place), says=says))
        return Assessment(strength=FITS, evidence=evidence, at=failure.place, fixes=fixes)
    full = case.first("torch.card_full")
    if (
        full is not None
        and failure.family in {"xla", "tensorflow"}
        and full.place.order > failure.place.order
    ):
        return None  # they take the whole card themselves: what was counted afterwards is their own
    used, total = (None, None) if full is None else (full.number("used_bytes"), full.number("total_bytes"))
    if full is None or used is None or not total or used < _FULL * total:
        return None
    evidence = (*failure_lines(case), Evidence(source=str(full.place), says=full.text, value=used))
    pids = str(full.values.get("pids", ""))
    if pids:
        commands = {"kill_other_process": f"kill {pids.split(maxsplit=1)[0]}"}
        fixes = prescribe(case, *(fix.id for fix in fixes), commands=commands)
    return Assessment(strength=FITS, evidence=evidence, at=failure.place, fixes=fixes)


def _is_nobody(case: Case) -> bool:
    """Whether the message lists processes, and none that explains the memory: a leftover, or one of another container."""
    failure = case.failure
    return failure is not None and not failure.others and failure.process_bytes is not None


def _strength(foreign: int, own: int, total: int, *, is_named: bool) -> int | None:
    share = foreign / total
    if share >= _LITTLE and foreign >= own:
        return PROVEN + 3
    if share >= _GOOD_PART:
        return FITS + 3
    return SUGGESTS + 3 if share >= (_PART if is_named else _UNNAMED) else None


RULE = Rule(
    id="DS401",
    name="other-process",
    cause="other_process",
    title="Somebody else holds the memory that is missing",
    page=__doc__ or "",
    examine=_examine,
    watch=watch,
    fires=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of 44.43 GiB of which 120.50 MiB is free. Process 2102129 has 37.54 GiB memory in use. Including non-PyTorch memory, this process has 6.81 GiB memory in use. Of the allocated memory 6.24 GiB is allocated by PyTorch, and 59.88 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of 44.43 GiB of which 120.50 MiB is free. Process 2102129 has 44.31 GiB memory in use. Of the allocated memory 43.24 GiB is allocated by PyTorch, and 359.88 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
