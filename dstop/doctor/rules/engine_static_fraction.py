"""SGLang's static fraction is too small for the weights and a KV cache

What it means
    `--mem-fraction-static` is the share for weights and KV pool together. The loaded weights use it up, so that no token fits.
    Raising it is right here, and lowering it, the usual advice for an out-of-memory, makes it worse.

Evidence
    `Not enough memory. Please try to increase --mem-fraction-static`, or `Loaded weights leave no GPU memory for the KV cache`,
    which prints the least that would do: 1 - available / before loading.

Fix
    Raise the fraction above that minimum, with a few per cent for the pool. Where the minimum is above 0.95, activations and
    graphs find no room beside it: more cards or fewer bytes a weight.

When it is wrong
    If another process, or the other half of a deployment, sits on the same card, the figure is right and the advice is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import share, share_above, static_fraction
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_POOL = 0.03
_HIGHEST = 0.96
_STEP = 0.05


def _examine(case: Case) -> Assessment | None:
    signs = case.all("sglang.raise_fraction")
    if not signs:
        return None
    sign = max(signs, key=lambda one: len(one.values))
    least, fraction = _least(case), static_fraction(case)
    evidence = [told_by(sign)]
    loaded = case.first("sglang.weights")
    if loaded is not None:
        evidence.append(told_by(loaded))
    if least is not None:
        says = f"the weights alone take {100 * least:.1f} % of what was free before loading"
        evidence.append(Evidence(source=str(sign.place), says=says, value=round(least, 4)))
    wanted = min(_HIGHEST, share_above(least + _POOL)) if least is not None else (fraction or 0) + _STEP
    is_crowded = least is not None and least + _POOL > _HIGHEST
    commands = {}
    if (fraction is not None or least is not None) and not is_crowded:
        commands["raise_mem_fraction_static"] = f"--mem-fraction-static {share(min(wanted, _HIGHEST))}"
    fixes = [
        "raise_mem_fraction_static",
        "shard_more_gpus",
        "quantize",
        "kill_other_process",
        "use_smaller_model",
    ]
    if is_crowded:
        fixes = [
            "shard_more_gpus",
            "quantize",
            "raise_mem_fraction_static",
            "use_smaller_model",
            "kill_other_process",
        ]
    return Assessment(
        strength=SAYS_SO,
        evidence=tuple(evidence),
        against=("lowering --mem-fraction-static makes it worse: it is the share for weights and cache",),
        at=sign.place,
        title=None
        if fraction is None
        else f"--mem-fraction-static {fraction:g} does not hold the weights and a KV cache",
        fixes=prescribe(case, *fixes, commands=commands),
    )


def _least(case: Case) -> float | None:
    """Give the fraction that the weights alone take: as printed, or 1 - free after / free before loading."""
    for sign in case.all("sglang.raise_fraction"):
        value = sign.values.get("least_ratio") or sign.values.get("above_ratio")
        if isinstance(value, float) and 0 < value < 1:
            return value
    loaded, began = case.first("sglang.weights"), case.first("sglang.loading")
    if loaded is None:
        return None
    after, weights = loaded.number("free_bytes"), loaded.number("weights_bytes")
    before = began.number("free_bytes") if began is not None else None
    if before is None and after is not None and weights is not None:
        before = after + weights
    return None if after is None or not before else max(0.0, 1 - after / before)


RULE = Rule(
    id="DS505",
    name="static-fraction-too-small",
    cause="kv_budget_too_small",
    title="SGLang's static fraction is too small for the weights and a KV cache",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[2025-03-02 10:00:00 TP0] Load weight begin. avail mem=78.64 GB
[2025-03-02 10:01:12 TP0] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=11.82 GB
RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.
""",
    ),
    near_miss=(
        """Possible solutions:
1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)
2. set --cuda-graph-max-bs to a smaller value (e.g., 16)
""",
    ),
)
