"""vLLM, versions 0.2 to 0.3x: its budget, its KV cache, its warm-up."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"[\d.]{1,12}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "vllm.startup_budget",
        "desired GPU memory utilization",
        rf"Free memory on device (?:\w+:\d+ )?\((?P<free_gib>{_G})/(?P<total_gib>{_G}) GiB\) on startup is less than desired "
        rf"GPU memory utilization \((?P<utilization_ratio>{_G}), (?P<want_gib>{_G}) GiB\)",
    ),
    Pattern("vllm.no_kv_blocks", "No available memory for the cache blocks"),
    Pattern(
        "vllm.no_kv_blocks",
        "Available KV cache memory",
        r"Available KV cache memory: (?P<available_negative>-[\d.]+) GiB",
    ),
    Pattern(
        "vllm.kv_too_short",
        "is larger than the maximum number of tokens that can be stored in KV cache",
        r"max seq len \((?P<length_count>\d+)\) is larger than the maximum number of tokens that can be stored in KV cache "
        r"\((?P<stored_count>\d+)\)",
    ),
    Pattern(
        "vllm.kv_too_short",
        "KV cache is needed",
        rf"max seq len \((?P<length_count>\d+)\),? \(?(?P<need_gib>{_G}) GiB KV cache is needed, which is larger than the "
        rf"available KV cache memory \((?P<available_gib>{_G}) GiB\)"
        r"(?:[^\n]{0,80}estimated maximum model length is (?P<fits_count>\d+))?",
    ),
    Pattern(
        "vllm.sampler_warmup",
        "warming up sampler",
        r"out of memory occurred when warming up (?:sampler|pooler) with (?P<sequences_count>\d+)",
    ),
    Pattern("vllm.pooler_warmup", "warming up pooler"),
    Pattern(
        "vllm.profiling",
        "Error in memory profiling",
        rf"Error in memory profiling\.[^\n]{{0,40}}[Ii]nitial (?:free|used) memory (?P<initial_gib>{_G})[^\n]{{0,40}}current (?:free|used) memory (?P<current_gib>{_G})",
    ),
    Pattern("vllm.profiling", "Error in memory profiling"),
    Pattern(
        "vllm.capture_began",
        "Capturing",
        r"Capturing (?:cudagraphs|the model for CUDA graphs|CUDA graph)[^\n]{0,80}",
    ),
    Pattern(
        "vllm.capture_done",
        "Graph capturing finished",
        rf"Graph capturing finished in {_G} secs?(?:, took (?P<took_gib>{_G}) GiB)?",
    ),
    Pattern("vllm.weights", "odel loading took", rf"odel loading took (?P<weights_gib>{_G}) ?(?:GB|GiB)"),
    Pattern(
        "vllm.weights",
        "Loading model weights took",
        rf"Loading model weights took (?P<weights_gib>{_G}) ?(?:GB|GiB)",
    ),
    Pattern("vllm.weights", "model weights take", rf"model weights take (?P<weights_gib>{_G}) ?(?:GB|GiB)"),
    Pattern("vllm.kv_pool", "Available KV cache memory", rf"Available KV cache memory: (?P<kv_gib>{_G}) GiB"),
    Pattern(
        "vllm.kv_pool", "the memory reserved for KV Cache", rf"reserved for KV Cache is (?P<kv_gib>{_G}) ?GiB"
    ),
    Pattern("vllm.kv_pool", "GPU blocks:", r"# (?:GPU|cuda) blocks: (?P<blocks_count>\d+)"),
    Pattern("vllm.kv_tokens", "GPU KV cache size", r"GPU KV cache size: (?P<tokens_count>[\d,]+) tokens"),
    Pattern(
        "vllm.concurrency",
        "Maximum concurrency for",
        rf"Maximum concurrency for (?P<length_count>[\d,]+) tokens per request: (?P<times_ratio>{_G})x",
    ),
    Pattern(
        "vllm.utilization",
        "gpu_memory_utilization",
        rf"gpu_memory_utilization\)?\s?[=(:]\s?\(?(?P<utilization_ratio>{_G})",
    ),
    Pattern(
        "vllm.utilization",
        "--gpu-memory-utilization",
        rf"--gpu-memory-utilization[= ](?P<utilization_ratio>{_G})",
    ),
    Pattern("vllm.engine_failed", "Engine core initialization failed"),
    Pattern("vllm.engine_dead", "EngineDeadError"),
    Pattern("vllm.cpu_kv_space", "VLLM_CPU_KVCACHE_SPACE"),
    Pattern(
        "vllm.swap_space",
        "swap space",
        r"(?i)too large swap space|(?P<swap_gib>[\d.]+) GiB out of (?:the )?(?:total )?(?P<host_gib>[\d.]+) GiB (?:total )?CPU memory is allocated for (?:the )?swap",
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
    Pattern("vllm.preempted", "is preempted", r"Sequence group \S+ is preempted by[^\n]{0,120}"),
)
