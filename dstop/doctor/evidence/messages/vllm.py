"""vLLM, versions 0.2 to 0.3x: its budget, its KV cache, its warm-up.

The texts stand in vllm/utils/mem_utils.py, v1/worker/utils.py and gpu_worker.py (budget), v1/core/kv_cache_utils.py and
worker/worker.py (cache), v1/worker/gpu_model_runner.py (warm-up, capture), v1/worker/cpu_worker.py, config.py (swap).
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"\d{1,6}(?:\.\d{1,6})?"
_S = r"\s{1,16}"

_BUDGET: tuple[Pattern, ...] = (
    Pattern(
        "vllm.startup_budget",
        "Free memory on",
        rf"Free memory on{_S}device (?:\w+(?::\d+)? )?\((?P<free_gib>{_G})/(?P<total_gib>{_G}) GiB\){_S}on startup is{_S}less than"
        rf"{_S}desired{_S}GPU memory{_S}utilization{_S}\((?P<utilization_ratio>{_G}), (?P<want_gib>{_G}) GiB\)",
    ),
    Pattern(
        "vllm.startup_budget", "desired GPU memory utilization", r"less than desired GPU memory utilization"
    ),
    Pattern(
        "vllm.cpu_budget",
        "desired CPU memory utilization",
        rf"Available memory on node \d+ \((?P<free_gib>{_G})/(?P<total_gib>{_G}) GiB\) on startup is less than desired CPU memory "
        rf"utilization \((?P<utilization_ratio>{_G}), (?P<want_gib>{_G}) GiB\)",
    ),
    Pattern(
        "vllm.profiling",
        "Error in memory profiling",
        rf"Error in memory profiling\.(?:{_S}Initial free memory (?P<initial_gib>{_G}) GiB,{_S}current free memory "
        rf"(?P<current_gib>{_G}) GiB)?",
    ),
    Pattern(
        "vllm.instance",
        "vLLM instance can use",
        rf"vLLM instance can use total_gpu_memory \((?P<total_gib>{_G}) ?GiB\) x gpu_memory_utilization "
        rf"\((?P<utilization_ratio>{_G})\) = (?P<want_gib>{_G}) ?GiB",
    ),
    Pattern(
        "vllm.instance",
        "total_gpu_memory=",
        rf"total_gpu_memory=(?P<total_gib>{_G})GiB[^\n]{{0,240}}gpu_memory_utilization=(?P<utilization_ratio>{_G})",
    ),
    Pattern(
        "vllm.utilization",
        "utilization",
        r"gpu[_-]memory[_-]utilization[\"']?\)?\s?[=:( ]\s?[\"'(]?(?P<utilization_ratio>[01]?\.\d{1,6}|1)(?![\d.])",
    ),
)

_CACHE: tuple[Pattern, ...] = (
    Pattern(
        "vllm.no_kv_blocks", "No available memory for the", rf"No available memory for the{_S}cache{_S}blocks"
    ),
    Pattern(
        "vllm.kv_negative",
        "KV cache memory: -",
        rf"Available KV cache memory: -(?P<missing_gib>{_G}) GiB",
    ),
    Pattern(
        "vllm.kv_negative",
        "reserved for KV Cache is -",
        rf"reserved for KV Cache is -(?P<missing_gib>{_G}) ?GiB",
    ),
    Pattern("vllm.kv_negative", "kv_cache_size=-", rf"kv_cache_size=-(?P<missing_gib>{_G}) ?GiB"),
    Pattern(
        "vllm.kv_too_short",
        "max seq len",
        rf"max seq len{_S}\((?P<length_count>\d+)\){_S}is larger than{_S}the maximum number of tokens{_S}that can be stored in{_S}"
        rf"(?:the )?KV cache{_S}\((?P<stored_count>\d+)\)",
    ),
    Pattern(
        "vllm.kv_too_short",
        "larger",
        rf"(?:max seq len{_S}\((?P<length_count>\d+)\),?{_S})?\(?(?P<need_gib>{_G}) GiB{_S}KV{_S}cache is{_S}needed, which{_S}is larger "
        rf"than{_S}the{_S}available{_S}KV{_S}cache memory{_S}\((?P<available_gib>{_G}) GiB\)?"
        rf"(?:\)?\.{_S}Based on{_S}the available{_S}memory,{_S}the estimated maximum{_S}model length{_S}is{_S}(?P<fits_count>\d+))?",
    ),
    Pattern(
        "vllm.kv_fits",
        "estimated maximum model length",
        r"estimated maximum model length is (?P<fits_count>\d+)",
    ),
    Pattern("vllm.kv_pool", "Available KV cache memory", rf"Available KV cache memory: (?P<kv_gib>{_G}) GiB"),
    Pattern("vllm.kv_pool", "reserved for KV Cache", rf"reserved for KV Cache is (?P<kv_gib>{_G}) ?GiB"),
    Pattern("vllm.kv_pool", "kv_cache_size=", rf"kv_cache_size=(?P<kv_gib>{_G}) ?GiB"),
    Pattern("vllm.kv_pool", "blocks: ", r"# (?:GPU|cuda|CUDA) blocks: (?P<blocks_count>[1-9]\d{0,9})"),
    Pattern("vllm.kv_pool", "KV cache size", r"(?:GPU|CPU) KV cache size: (?P<tokens_count>[\d,]+) tokens"),
    Pattern(
        "vllm.concurrency",
        "Maximum concurrency for",
        rf"Maximum concurrency for (?P<length_count>[\d,]+) tokens per request: (?P<times_ratio>{_G})x",
    ),
    Pattern("vllm.preempted", "is preempted", r"Sequence group \S+ is preempted by[^\n]{0,120}"),
)

_WARM_UP: tuple[Pattern, ...] = (
    Pattern(
        "vllm.warm_up",
        "warming up ",
        rf"out of memory occurred{_S}when{_S}warming up (?P<what>sampler|pooler)(?:{_S}with{_S}(?P<sequences_count>\d+))?",
    ),
    Pattern(
        "vllm.capture_began",
        "Capturing",
        r"Capturing (?:cudagraphs|the model for CUDA graphs|CUDA graphs?)(?![^\n]{0,80}100%)[^\n]{0,80}",
    ),
    Pattern(
        "vllm.capture_done",
        "Graph capturing finished",
        rf"Graph capturing finished in {_G} secs?\.?(?:, took (?P<took_gib>{_G}) GiB)?",
    ),
    Pattern("vllm.loading", "to load model", r"Starting to load model[^\n]{0,120}"),
    Pattern("vllm.weights", "odel loading took", rf"odel loading took (?P<weights_gib>{_G}) ?(?:GB|GiB)"),
    Pattern(
        "vllm.weights",
        "oading model weights took",
        rf"oading model weights took (?P<weights_gib>{_G}) ?(?:GB|GiB)",
    ),
    Pattern("vllm.weights", "model weights take", rf"model weights take (?P<weights_gib>{_G}) ?(?:GB|GiB)"),
    Pattern("vllm.shards", "checkpoint shards", r"checkpoint shards:\s{1,4}(?P<percent_count>\d{1,3})%"),
)

_RUNNING: tuple[Pattern, ...] = (
    Pattern("vllm.serving", "throughput:", r"Avg prompt throughput: [^\n]{0,120}"),
    Pattern("vllm.serving", "Uvicorn running on"),
    Pattern("vllm.engine_failed", "Engine core initialization failed"),
    Pattern("vllm.engine_failed", "Engine process failed to start"),
    Pattern("vllm.engine_dead", "EngineDeadError"),
    Pattern("vllm.engine_dead", "AsyncEngineDeadError"),
    Pattern("vllm.swap_used", "lack of CPU swap space"),
    Pattern("vllm.cpu_backend", "VLLM_CPU_KVCACHE_SPACE"),
    Pattern("vllm.cpu_backend", "cpu_worker", r"\bcpu_worker\.py"),
    Pattern("vllm.cpu_backend", "device_config=cpu"),
    Pattern(
        "vllm.swap_space",
        "oo large swap space",
        rf"(?<!Possibly t)(?<!ossibly )[Tt]oo large swap space\.?(?: (?P<swap_gib>{_G}) GiB out of (?:the )?(?P<host_gib>{_G}) GiB)?",
    ),
    Pattern(
        "vllm.context_exceeded",
        "maximum context length",
        r"(?:maximum|max) context length (?:is|of) (?P<length_count>\d+)",
    ),
    Pattern(
        "vllm.context_exceeded",
        "max_model_len",
        r"max_model_len[^\n]{0,80}is greater than the derived max_model_len[^\n]{0,120}",
    ),
    Pattern(
        "vllm.batch_below_len",
        "max_num_batched_tokens",
        r"max_num_batched_tokens \((?P<tokens_count>\d+)\) is smaller than max_model_len",
    ),
)

MESSAGES: tuple[Pattern, ...] = (*_BUDGET, *_CACHE, *_WARM_UP, *_RUNNING)
