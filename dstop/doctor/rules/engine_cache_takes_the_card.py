"""The engine's KV cache holds what a request, or another part of the engine, then needs

What it means
    The cache was allocated up front, as large as the budget allows. Prefill activations, logits of long prompts, adapters,
    images and graphs come on top, at run time, and find a full card.

Evidence
    An out-of-memory error of the driver or of PyTorch in an engine that has its cache already: its log printed the pool, or it
    was serving, or the frames are those of a step. Nothing else holds much of the card.

Fix
    Leave more beside the cache: a lower utilization (vLLM), static fraction (SGLang), memory fraction (TGI), share of free
    memory (TensorRT-LLM, lmdeploy). Or smaller steps: fewer batched tokens, chunked prefill, fewer sequences.

When it is wrong
    In the first minute, while weights are loaded, it is the weights (DS509); if memory grows with every request, it is a leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.engines import (
    GGML,
    POOL_SIGNS,
    cache_fraction,
    engine_phase,
    is_engine,
    share,
    static_fraction,
    utilization,
)
from dstop.doctor.rule import DEFAULT, FITS, PROVEN, SUGGESTS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STRENGTH = {
    "serving": FITS + 6,
    "cache": FITS + 8,
    "profile": SUGGESTS - 5,
    "unknown": SUGGESTS + 3,
    "load": DEFAULT,
}
_STEP = 0.05


def _examine(case: Case) -> Assessment | None:
    component = case.first("trtllm.executor", "trtllm.component")
    if component is not None and "KV cache" in str(component.values.get("component", "KV cache")):
        return Assessment(
            strength=PROVEN + 9,
            evidence=(told_by(component),),
            at=component.place,
            fixes=prescribe(case, *_FIXES["tensorrt-llm"], commands=_commands(case)),
        )
    runtime = case.first("lmdeploy.runtime", "trtllm.runtime")
    failure = case.failure
    place = failure.place if failure is not None else runtime.place if runtime is not None else None
    if (
        place is None
        or not is_engine(case)
        or case.framework in GGML
        or (failure is not None and failure.is_absurd)
    ):
        return None
    strength = _STRENGTH.get(engine_phase(case))
    if strength is None:
        return None
    if case.framework in {"lmdeploy", "tensorrt-llm"} and engine_phase(case) in {"unknown", "profile"}:
        strength = FITS + 4  # they take a share of all free memory, and fail without a traceback
    pool = case.first(*POOL_SIGNS)
    evidence = [*failure_lines(case)]
    evidence += [told_by(sign) for sign in (runtime if failure is None else None, pool) if sign is not None]
    return Assessment(
        strength=strength,
        evidence=(*evidence, *rank_lines(case)),
        at=place,
        fixes=prescribe(case, *_FIXES.get(case.framework, _FIXES["vllm"]), commands=_commands(case)),
    )


_FIXES: dict[str, tuple[str, ...]] = {
    "vllm": (
        "lower_gpu_memory_utilization",
        "reduce_max_batch_tokens",
        "reduce_max_num_seqs",
        "reduce_max_model_len",
        "enforce_eager",
    ),
    "sglang": (
        "lower_mem_fraction_static",
        "reduce_chunked_prefill",
        "reduce_max_num_seqs",
        "reduce_cuda_graph_bs",
    ),
    "tgi": ("lower_gpu_memory_utilization", "reduce_max_batch_tokens", "reduce_max_model_len", "quantize"),
    "tensorrt-llm": (
        "lower_kv_cache_fraction",
        "reduce_max_batch_tokens",
        "reduce_max_model_len",
        "reduce_max_num_seqs",
    ),
    "lmdeploy": (
        "lower_kv_cache_fraction",
        "reduce_max_model_len",
        "quantize",
        "kv_cache_fp8",
        "reduce_max_num_seqs",
    ),
    "exllama": ("reduce_max_model_len", "kv_cache_quant", "use_smaller_model", "reduce_chunked_prefill"),
    "ktransformers": (
        "reduce_max_model_len",
        "cpu_offload_layers",
        "use_smaller_model",
        "reduce_chunked_prefill",
    ),
}


def _commands(case: Case) -> dict[str, str]:
    """Put figures to the shares that the log repeats."""
    commands = {"kv_cache_quant": "cache_mode: Q4  # --cache_type q4 in text-generation-webui"}
    used, fraction, cache = utilization(case), static_fraction(case), cache_fraction(case)
    if used is not None and used > 2 * _STEP and case.framework == "vllm":
        commands["lower_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(used - _STEP)}"
    if fraction is not None and fraction > 2 * _STEP:
        commands["lower_mem_fraction_static"] = f"--mem-fraction-static {share(fraction - _STEP)}"
    if case.framework == "lmdeploy":
        commands["lower_kv_cache_fraction"] = f"--cache-max-entry-count {share((cache or 0.8) / 2)}"
    elif cache is not None:
        commands["lower_kv_cache_fraction"] = (
            f"--kv_cache_free_gpu_memory_fraction {share(max(0.1, cache - 0.15))}"
        )
    return commands


RULE = Rule(
    id="DS508",
    name="engine-cache-takes-the-card",
    cause="kv_cache_preallocation",
    title="The engine's KV cache holds the memory that its work then needs",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """INFO 08-03 14:10:02 [kv_cache_utils.py:634] GPU KV cache size: 212,384 tokens
INFO 08-03 14:10:40 [api_server.py:1297] Starting vLLM API server on http://0.0.0.0:8000
INFO:     Application startup complete.
ERROR 08-03 15:41:17 [core.py:574] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB. GPU 0 has a total capacity of 44.42 GiB of which 1.12 GiB is free. Including non-PyTorch memory, this process has 43.29 GiB memory in use. Of the allocated memory 42.01 GiB is allocated by PyTorch, and 218.20 MiB is reserved by PyTorch but unallocated.
""",
        """2024-11-20 10:12:41,001 - lmdeploy - WARNING - turbomind.py:214 - get 291 model params
[TM][ERROR] CUDA runtime error: out of memory /lmdeploy/src/turbomind/utils/allocator.h:246
""",
    ),
    near_miss=(
        """INFO 08-03 14:09:02 [gpu_model_runner.py:1595] Starting to load model meta-llama/Llama-3.1-70B-Instruct...
  File "/opt/venv/lib/python3.12/site-packages/vllm/model_executor/layers/linear.py", line 190, in create_weights
    weight = Parameter(torch.empty(sum(output_partition_sizes), input_size_per_partition, dtype=params_dtype))
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 101.38 MiB is free. Including non-PyTorch memory, this process has 79.04 GiB memory in use. Of the allocated memory 78.50 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
