"""Would it have fitted? The recorded requests under another condition, with everything that is assumed said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import SnapshotError
from dstop.model.study import Verdict
from dstop.snapshot.replay.alter import scaled, without_leaks
from dstop.snapshot.replay.capacity import Capacity
from dstop.snapshot.replay.checkpoint import checkpointed
from dstop.snapshot.replay.run import carry_out
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.snapshot.replay.change import WhatIf
    from dstop.snapshot.replay.plan import Plan
    from dstop.snapshot.replay.run import Outcome
    from dstop.snapshot.study import DeviceStudy


def what_if(study: DeviceStudy, change: WhatIf, capacity_bytes: int | None = None) -> Verdict:
    """Replay a recording under another condition.

    Args:
        study: one device of a snapshot.
        change: the condition.
        capacity_bytes: what the process may reserve; None reads it off the recording.

    Raises:
        SnapshotError: when the snapshot has no recorded requests.
    """
    replayed = study.replayed
    if replayed.fidelity.why_not:
        raise SnapshotError(
            f"nothing can be replayed: {replayed.fidelity.why_not}",
            fix="record with torch.cuda.memory._record_memory_history() before the snapshot",
        )
    capacity = _capacity(change, capacity_bytes, replayed.capacity)
    rules = change.rules(replayed.plan.rules)
    assumptions: list[str] = []
    plan = _changed(study, replayed.plan, change, assumptions)
    anew = _anew(replayed.plan, plan, rules.layout != replayed.plan.rules.layout)
    if anew:
        assumptions.append(
            "what is older than the recording was placed by the new rules in the order of its addresses, without what "
            "was cached besides"
        )
    if change.gc_threshold is not None:
        assumptions.append(
            "garbage collection works only after torch.cuda.set_per_process_memory_fraction(), here 1.0"
        )
    outcome = carry_out(plan, rules, capacity, anew=anew)
    if capacity.size_bytes is not None and capacity_bytes is None:
        assumptions.append(f"the capacity: {capacity.how}")
    return _verdict(study, change, capacity, outcome, tuple(assumptions))


def _capacity(change: WhatIf, told: int | None, recorded: Capacity) -> Capacity:
    if change.capacity_bytes is not None:
        return Capacity(change.capacity_bytes, "as asked for: the device less about 0.5 GiB for its context")
    if told is not None:
        return Capacity(told, "as given")
    return recorded if change.gc_threshold is None else recorded._replace(collects_bytes=None)


def _changed(study: DeviceStudy, plan: Plan, change: WhatIf, assumptions: list[str]) -> Plan:
    if change.no_leak:
        plan, ended = without_leaks(study, plan)
        assumptions.append(
            f"{ended} blocks of what grows from step to step go when their step ends"
            if ended
            else "nothing was found that grows from step to step"
        )
    if change.checkpointing:
        plan, words = checkpointed(study, plan)
        assumptions.append(words)
    if change.factor is not None:
        old = change.batches[0] if change.batches is not None else None
        plan = scaled(study, plan, change.factor, old)
        assumptions.append(
            f"activations, logits, temporaries and inputs have {change.factor:g} of their size, everything else stays"
        )
    return plan


def _anew(recorded: Plan, plan: Plan, changes_layout: bool) -> bool:
    rows = recorded.begin.rows
    return bool(len(rows)) and (
        changes_layout or bool((recorded.requested[rows] != plan.requested[rows]).any())
    )


def _verdict(
    study: DeviceStudy, change: WhatIf, capacity: Capacity, outcome: Outcome, assumptions: tuple[str, ...]
) -> Verdict:
    size = capacity.size_bytes
    fidelity = study.replayed.fidelity
    need = max(
        outcome.need_bytes, 0 if size is None else size + outcome.short_bytes if outcome.short_bytes else 0
    )
    return Verdict(
        what=change.what,
        setting=change.setting(study.replayed.plan.rules),
        fits=None if size is None else outcome.short_event is None,
        capacity_bytes=size,
        peak_reserved_bytes=outcome.peak_reserved_bytes,
        peak_live_bytes=outcome.peak_live_bytes,
        short_bytes=outcome.short_bytes,
        headroom_bytes=None if size is None else size - need,
        error_bytes=-int(-fidelity.worst_error * outcome.peak_reserved_bytes // 1)
        if fidelity.segment_events
        else None,
        until=_until(study),
        assumptions=assumptions,
    )


def _until(study: DeviceStudy) -> str:
    steps = study.attribution.steps
    if study.failures:
        last = study.failures[-1]
        whole = sum(step <= last.event for step in steps)
        before = f", after {_count(whole, 'whole step')}" if whole else ""
        size = bytes_text(last.request_bytes)
        return f"the failed request of {size}{before}: what would have followed was never recorded"
    return f"the end of the recording, {_count(len(steps), 'step')}" if steps else "the end of the recording"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
