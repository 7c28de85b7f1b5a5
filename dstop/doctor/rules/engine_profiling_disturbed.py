"""Memory of the card changed while the engine measured it: somebody else freed or took some

What it means
    vLLM measures what is free before and after a trial run. More was free after than before, which its own work cannot do:
    another process on the card ended, or an earlier engine of this process was still being torn down.

Evidence
    `Error in memory profiling. Initial free memory A GiB, current free memory B GiB` with B above A.

Fix
    Wait until the other process has gone, or end it, and start again; start engines that share a card one after the other;
    give the cache in bytes (`--kv-cache-memory-bytes`), which skips the measurement.

When it is wrong
    It says nothing about whether the model fits: the next start will tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    sign = max(case.all("vllm.profiling"), key=lambda one: len(one.values), default=None)
    if sign is None:
        return None
    initial, current = sign.number("initial_bytes"), sign.number("current_bytes")
    if initial is not None and initial == current:
        return None  # nothing was freed: a fault of the check
    evidence = [told_by(sign)]
    if initial is not None and current is not None and current > initial:
        says = f"{gib(current - initial)} was freed by others while it measured"
        evidence.append(Evidence(source=str(sign.place), says=says, value=current - initial))
    return Assessment(
        strength=SAYS_SO - 4,
        evidence=tuple(evidence),
        at=sign.place,
        fixes=prescribe(
            case,
            "kill_other_process",
            "fix_cuda_visible_devices",
            "lower_gpu_memory_utilization",
            "change_config",
            commands={
                "change_config": "--kv-cache-memory-bytes 8G  # no measurement: as many bytes as you want for the cache"
            },
        ),
    )


RULE = Rule(
    id="DS518",
    name="engine-profiling-disturbed",
    cause="other_process",
    title="Memory of the card changed while the engine measured it",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """AssertionError: Error in memory profiling. Initial free memory 21.7 GiB, current free memory 83.7 GiB. This happens when other processes sharing the same container release GPU memory while vLLM is profiling during initialization.
""",
    ),
    near_miss=(
        "AssertionError: Error in memory profiling. Initial free memory 30.3 GiB, current free memory 30.3 GiB. This happens when other processes sharing the same container release GPU memory\n",
        """INFO 05-09 11:20:33 [gpu_worker.py:240] Memory profiling takes 4.26 seconds. Total non KV cache memory: 18.85GiB
INFO 05-09 11:20:34 [gpu_worker.py:276] Available KV cache memory: 3.12 GiB
""",
    ),
)
