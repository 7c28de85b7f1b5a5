"""CUDA graphs were captured after the KV cache had taken the rest

What it means
    Engines first give the cache what the budget leaves, and then capture graphs for many batch sizes. Graphs keep their memory
    in pools of their own, outside that budget: on a card that is given away to the last per cent they find none.

Evidence
    The failure lies between the first line of the capture and its last, in a frame of the capture, or in SGLang's
    `Capture cuda graph failed: CUDA out of memory`.

Fix
    Leave room: a lower utilization or static fraction, fewer and smaller graphs, or none. vLLM prints what a capture took
    (`Graph capturing finished in S secs, took X GiB`).

When it is wrong
    A capture may fail for other reasons (DS506); without words of memory nothing here would help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.engines import (
    GGML,
    engine_phase,
    is_engine,
    refused_capture,
    share,
    static_fraction,
    utilization,
)
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STEP = 0.05


def _examine(case: Case) -> Assessment | None:
    failed = refused_capture(case)
    failure = case.failure
    if failed is None:
        if failure is None or failure.is_absurd or not is_engine(case) or case.framework in GGML:
            return None
        if engine_phase(case) != "capture":
            return None
    began = case.first("vllm.capture_began", "sglang.capture_began")
    evidence = [told_by(failed)] if failed is not None else []
    evidence += failure_lines(case)
    if began is not None:
        evidence.append(told_by(began))
    place = failure.place if failure is not None else failed.place if failed is not None else None
    return Assessment(
        strength=SAYS_SO - 2 if failed is not None else PROVEN + 6,
        evidence=(*evidence, *rank_lines(case)),
        at=place,
        fixes=prescribe(case, *_fixes(case), commands=_commands(case)),
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework == "sglang" or case.framework not in ENGINES:
        return (
            "lower_mem_fraction_static",
            "reduce_cuda_graph_bs",
            "disable_cuda_graph",
            "disable_torch_compile",
        )
    if case.framework == "tgi":
        return ("disable_cuda_graph", "lower_gpu_memory_utilization", "reduce_max_batch_tokens")
    if case.framework in {"tensorrt-llm", "lmdeploy"}:
        return (
            "lower_kv_cache_fraction",
            "reduce_cuda_graph_bs",
            "disable_cuda_graph",
            "reduce_max_num_seqs",
        )
    return ("lower_gpu_memory_utilization", "enforce_eager", "reduce_max_num_seqs", "reduce_cuda_graph_bs")


def _commands(case: Case) -> dict[str, str]:
    commands: dict[str, str] = {}
    used, fraction = utilization(case), static_fraction(case)
    if used is not None and used > 2 * _STEP and case.framework == "vllm":
        commands["lower_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(used - _STEP)}"
    if fraction is not None and fraction > 2 * _STEP:
        commands["lower_mem_fraction_static"] = f"--mem-fraction-static {share(fraction - _STEP)}"
    return commands


RULE = Rule(
    id="DS504",
    name="engine-graph-capture",
    cause="cuda_graph_capture",
    title="CUDA graphs were captured after the KV cache had taken the rest",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[2025-06-14 08:11:20 TP0] Memory pool end. avail mem=2.31 GB
[2025-06-14 08:11:20 TP0] Capture cuda graph begin. This can take up to several minutes. avail mem=2.27 GB
[2025-06-14 08:11:41 TP0] Scheduler hit an exception: Traceback (most recent call last):
Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 86.19 MiB is free. Including non-PyTorch memory, this process has 79.06 GiB memory in use. Of the allocated memory 76.40 GiB is allocated by PyTorch, with 512.00 MiB allocated in private pools (e.g., CUDA Graphs), and 214.01 MiB is reserved by PyTorch but unallocated.
Possible solutions:
1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)
2. set --cuda-graph-max-bs to a smaller value (e.g., 16)
""",
        """INFO 12-20 20:25:46 worker.py:241] the current vLLM instance can use total_gpu_memory (15.77GiB) x gpu_memory_utilization (0.95) = 14.98GiB
INFO 12-20 20:25:49 model_runner.py:1413] Capturing cudagraphs for decoding. This may lead to unexpected consequences if the model is not static.
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 15.77 GiB of which 12.19 MiB is free. Including non-PyTorch memory, this process has 15.75 GiB memory in use. Of the allocated memory 14.71 GiB is allocated by PyTorch, and 61.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """[2025-06-14 08:11:20 TP0] Capture cuda graph begin. This can take up to several minutes. avail mem=12.27 GB
Exception: Capture cuda graph failed: BatchPrefillWithPagedKVCachePyTorchWrapper::Plan() got an unexpected keyword argument
Possible solutions:
1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)
""",
    ),
)
