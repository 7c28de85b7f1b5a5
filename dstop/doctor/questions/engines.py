"""What serving engines tell of themselves: which phase a failure was in, what share of the card they were given."""

from __future__ import annotations

import re
from math import ceil
from typing import TYPE_CHECKING

from dstop.doctor.questions.frameworks import ENGINES

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure, Sign

GGML = frozenset(("llama.cpp", "ollama"))
"""They place layers and buffers themselves, and take no share of the card."""

TORCH_ENGINES = ENGINES - GGML

POOL_SIGNS = ("vllm.kv_pool", "sglang.kv_pool", "trtllm.kv_pool", "lmdeploy.kv_pool")
SERVING_SIGNS = ("vllm.serving", "sglang.serving", "tgi.serving", "ggml.serving", "progress.done")
_TOLD: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("serving", SERVING_SIGNS),
    ("profile", ("tgi.warm_up_failed",)),
    ("cache", POOL_SIGNS),
    ("profile", ("vllm.weights", "sglang.weights")),
    ("load", ("vllm.loading", "vllm.shards", "sglang.loading")),
)
"""What had been told before the failure, the latest first."""

_PHASES: tuple[tuple[str, str], ...] = (
    (
        "capture",
        r"capture_model|cuda_?graph_runner|CUDAGraph|capture_one_batch|:cuda_graph_warmup|:init_(?:device|cuda)_graphs",
    ),
    ("sampler", r"_dummy_(?:sampler|pooler)_run"),
    (
        "load",
        r":(?:load_(?:model|weights|autosplit)|create_weights|get_(?:tensor|sharded)\b|get_model\b|initialize_model)|process_weights_after|model_loader",
    ),
    (
        "profile",
        r":(?:profile_run|_dummy_run|determine_(?:num_)?available\w*|profile_num_available_blocks|_?warm_?up\b)",
    ),
    (
        "cache",
        r":_?(?:allocate|init|initialize)_(?:kv_)?caches?\w*|:init_memory_pool|cache_engine\.py|memory_pool\.py",
    ),
    (
        "serving",
        r":(?:execute_(?:model|method)|forward_batch\w*|event_loop\w*|run_(?:busy_loop|engine_loop|batch)|generate\w*|step\b)",
    ),
)


MEMORY_WORDS = (
    "out of memory",
    "OutOfMemory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
)
"""What a capture that failed for memory says; cuBLAS reports a refused workspace as NOT_INITIALIZED."""

_OF_ENGINES = re.compile(
    r"(?i)vllm|sglang|text_generation_server|tensorrt_llm|lmdeploy|turbomind|ktransformers|exllama|llama_cpp"
)


def is_engine(case: Case) -> bool:
    """Whether a serving engine ran, and not a training that uses one for its rollouts."""
    if case.framework not in ENGINES or case.phase in {"backward", "optimizer", "save", "build"}:
        return False
    files = [frame.file for frame in case.frames]
    return (
        not files or case.phase not in {"training", "eval"} or any(_OF_ENGINES.search(file) for file in files)
    )


def engine_phase(case: Case) -> str:
    """Name what the engine was doing when it failed: load, profile, sampler, cache, capture, serving, unknown.

    By the frames of the failure where there are some; then by what its log had told before.
    """
    whole = "\n".join(f"{frame.file}:{frame.function}:{frame.code}" for frame in case.frames)
    for phase, expression in _PHASES:
        if re.search(expression, whole):
            return phase
    if case.phase == "capture":
        return "capture"
    failure = case.failure
    if failure is None:
        return "unknown"
    return next((phase for phase, kinds in _TOLD if before(case, failure, *kinds)), "unknown")


def refused_capture(case: Case) -> Sign | None:
    """Give SGLang's message of a capture that failed for memory."""
    for sign in case.all("sglang.capture_failed"):
        if any(words in sign.text for words in MEMORY_WORDS):
            return sign
    return None


def before(case: Case, failure: AllocationFailure, *kinds: str) -> Sign | None:
    """Give the first sign of these kinds that stands above a failure."""
    return next((sign for sign in case.all(*kinds) if sign.place.order <= failure.place.order), None)


def utilization(case: Case) -> float | None:
    """Give the share of the card that the engine was given, where its log repeats it."""
    for sign in case.all("vllm.startup_budget", "vllm.cpu_budget", "vllm.instance", "vllm.utilization"):
        value = sign.values.get("utilization_ratio")
        if isinstance(value, float) and 0 < value <= 1:
            return value
    return None


def static_fraction(case: Case) -> float | None:
    """Give SGLang's `--mem-fraction-static`, where its log repeats it."""
    return _ratio(case, "fraction_ratio", "sglang.raise_fraction", "sglang.fraction")


def cache_fraction(case: Case) -> float | None:
    """Give the share of free memory that TensorRT-LLM or lmdeploy was told to take for its cache."""
    return _ratio(case, "fraction_ratio", "trtllm.kv_fraction", "lmdeploy.cache_fraction")


def card_bytes(case: Case) -> int | None:
    """Give the memory of the card, as the engine or the failure prints it."""
    for sign in case.all("vllm.startup_budget", "vllm.instance", "trtllm.executor", "ggml.device"):
        total = sign.number("total_bytes")
        if total:
            return total
    return None if case.failure is None else case.failure.total_bytes


def loaded_bytes(case: Case) -> int | None:
    """Give what the weights took, as the engine prints it."""
    for sign in case.all("vllm.weights", "sglang.weights", "ollama.weights"):
        weights = sign.number("weights_bytes")
        if weights:
            return weights
    return None


def share(value: float) -> str:
    """Write a share of the card as options take it: two digits, downwards."""
    return f"{int(value * 100 + 1e-6) / 100:.2f}"


def share_above(value: float) -> float:
    """Give the next share of two digits that is no less."""
    return ceil(value * 100 - 1e-6) / 100


def _ratio(case: Case, name: str, *kinds: str) -> float | None:
    for sign in case.all(*kinds):
        value = sign.values.get(name)
        if isinstance(value, float) and 0 < value <= 1:
            return value
    return None
