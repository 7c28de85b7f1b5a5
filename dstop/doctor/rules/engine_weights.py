"""The engine ran out of memory while it loaded the weights

What it means
    Before any cache exists, the weights of this model, in this precision, on this many cards, are more than a card holds. No
    setting of the cache changes that: utilization and context come later.

Evidence
    The frames are those of loading (`load_model`, `create_weights`, a weight loader), or the log ends while checkpoint shards
    are read; nothing says that the model was loaded.

Fix
    More cards (tensor parallel), fewer bytes a weight (fp8, AWQ, GPTQ), a smaller model.

When it is wrong
    If another process sits on the card, it may have fitted without (DS401).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import counted, gib, weights_of_card_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.engines import (
    GGML,
    POOL_SIGNS,
    SERVING_SIGNS,
    card_bytes,
    engine_phase,
    is_engine,
)
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_MOSTLY = 0.8


def _examine(case: Case) -> Assessment | None:
    component = case.first("trtllm.component")
    if component is not None and str(component.values.get("component", "")).startswith("Model"):
        return Assessment(
            strength=PROVEN + 5,
            evidence=(told_by(component),),
            at=component.place,
            fixes=prescribe(case, "shard_more_gpus", "quantize", "use_smaller_model", "bigger_gpu"),
        )
    failure = case.failure
    if failure is None or failure.is_absurd or not is_engine(case) or case.framework in GGML:
        return None
    strength = _strength(case)
    if strength is None:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    weights, total = weights_of_card_bytes(case), card_bytes(case)
    if weights is not None and total is not None:
        says = f"{counted(case)} take about {gib(weights)} a card of {gib(total)}"
        setting = case.setting("parameters") or failure
        evidence.append(Evidence(source=str(setting.place), says=says, value=weights))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=("a lower utilization or a shorter context does not shrink the weights",),
        at=failure.place,
        fixes=prescribe(case, *_fixes(case)),
    )


def _strength(case: Case) -> int | None:
    failure = case.failure
    assert failure is not None  # noqa: S101 - the caller has looked
    phase, allocated, total = engine_phase(case), failure.allocated_bytes, failure.total_bytes
    is_most = allocated is not None and total is not None and allocated >= _MOSTLY * total
    if phase == "load":
        return PROVEN - 3 if is_most else FITS + 4
    if phase == "unknown" and not case.has(*POOL_SIGNS, *SERVING_SIGNS):
        return SUGGESTS + 9 if is_most else SUGGESTS
    return None


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework == "ktransformers":
        return ("cpu_offload_layers", "use_smaller_model", "quantize", "shard_more_gpus", "bigger_gpu")
    if case.framework == "exllama":
        return ("use_smaller_model", "reduce_max_model_len", "shard_more_gpus", "bigger_gpu")
    if case.flag("quantized"):
        return ("shard_more_gpus", "use_smaller_model", "bigger_gpu", "cpu_offload_layers")
    return ("shard_more_gpus", "quantize", "use_smaller_model", "bigger_gpu", "kill_other_process")


RULE = Rule(
    id="DS509",
    name="engine-weights",
    cause="capacity_weights",
    title="The engine ran out of memory while it loaded the weights",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """INFO 08-03 14:09:02 [gpu_model_runner.py:1595] Starting to load model meta-llama/Llama-3.1-70B-Instruct...
  File "/opt/venv/lib/python3.12/site-packages/vllm/v1/worker/gpu_worker.py", line 185, in load_model
    self.model_runner.load_model()
  File "/opt/venv/lib/python3.12/site-packages/vllm/model_executor/layers/linear.py", line 190, in create_weights
    weight = Parameter(torch.empty(sum(output_partition_sizes), input_size_per_partition, dtype=params_dtype))
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 101.38 MiB is free. Including non-PyTorch memory, this process has 79.04 GiB memory in use. Of the allocated memory 78.50 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """INFO 08-03 14:10:02 [kv_cache_utils.py:634] GPU KV cache size: 212,384 tokens
INFO:     Application startup complete.
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB. GPU 0 has a total capacity of 44.42 GiB of which 1.12 GiB is free. Including non-PyTorch memory, this process has 43.29 GiB memory in use. Of the allocated memory 42.01 GiB is allocated by PyTorch, and 218.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
