"""The engine asks for more of the card at start than is free

What it means
    vLLM takes a share of the whole card, not of what is free: `--gpu-memory-utilization` times the total. Before it loads
    anything it compares that with the free memory, and refuses.

Evidence
    `Free memory on device (F/T GiB) on startup is less than desired GPU memory utilization (u, W GiB)`: W = u x T > F. The CPU
    backend says the same of a NUMA node.

Fix
    u' = F / T, less a little; or end what holds the rest of the card. The figures come from the message itself.

When it is wrong
    Where u' x T does not even hold the weights, lowering it only moves the failure: then what holds the card has to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib, weights_bytes
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import loaded_bytes, share
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_MARGIN = 0.01
_LEAST = 0.05
_MOST_HELD = 0.5


def _examine(case: Case) -> Assessment | None:
    gpu, cpu = _with_figures(case.all("vllm.startup_budget")), _with_figures(case.all("vllm.cpu_budget"))
    sign = gpu or cpu
    if sign is None:
        return None
    free, total, want = (sign.number(f"{name}_bytes") for name in ("free", "total", "want"))
    evidence = [told_by(sign)]
    fixes = [
        "lower_gpu_memory_utilization",
        "kill_other_process",
        "fix_cuda_visible_devices",
        "use_smaller_model",
    ]
    if gpu is None:
        fixes[1:3] = ["raise_memory_limit", "increase_host_ram"]
    against: tuple[str, ...] = ()
    commands: dict[str, str] = {}
    if free is None or not total or want is None:
        return Assessment(
            strength=SAYS_SO,
            evidence=tuple(evidence),
            at=sign.place,
            subcause="startup_budget_too_high",
            fixes=prescribe(case, *fixes),
        )
    fits = free / total - _MARGIN
    says = f"{gib(want)} was asked for, {gib(free)} of {gib(total)} was free: {gib(want - free)} short"
    evidence.append(Evidence(source=str(sign.place), says=says, value=want - free))
    weights = loaded_bytes(case) or weights_bytes(case)
    if fits >= _LEAST:
        commands["lower_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(fits)}"
    if fits < _LEAST or (weights is not None and weights > fits * total):
        against = (f"lowering the utilization alone will not help: {gib(free)} does not hold the model",)
    if against or free < _MOST_HELD * want:
        fixes[0], fixes[1] = fixes[1], fixes[0]
    return Assessment(
        strength=SAYS_SO,
        evidence=tuple(evidence),
        against=against,
        at=sign.place,
        subcause="startup_budget_too_high",
        title=f"The engine asks for {gib(want)} at start, and {gib(free)} is free",
        fixes=prescribe(
            case,
            *fixes,
            commands=commands,
            recovers={"kill_other_process": total - free, "lower_gpu_memory_utilization": want - free},
            short_bytes=want - free,
        ),
    )


def _with_figures(signs: list[Sign]) -> Sign | None:
    """Give the first that prints its figures, else the first."""
    return next((sign for sign in signs if sign.values), signs[0] if signs else None)


RULE = Rule(
    id="DS501",
    name="engine-startup-budget",
    cause="kv_cache_preallocation",
    title="The engine asks for more of the card at start than is free",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """(EngineCore_DP0 pid=281) ERROR 11-02 09:14:51 [core.py:866] ValueError: Free memory on device (61.05/79.15 GiB) on startup is less than desired GPU memory utilization (0.9, 71.24 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore_DP0': 1}
""",
        """ValueError: Available memory on node 0 (10.01/30.47 GiB) on startup is less than desired CPU memory utilization (0.9, 27.43 GiB). Decrease --gpu-memory-utilization or reduce CPU memory used by other processes.
""",
    ),
    near_miss=(
        """INFO 11-02 09:14:51 [gpu_worker.py:276] Available KV cache memory: 31.05 GiB
INFO:     Application startup complete.
""",
    ),
)
