"""llama.cpp, Ollama and what else is built on ggml."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"[\d.]{1,12}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "ggml.compute",
        "compute buffer",
        r"failed to (?:allocate|reserve|create)[^\n]{0,40}compute (?:buffers?|pp buffers?|tg buffers?)|failed to allocate compute (?:pp|tg)? ?buffers",
    ),
    Pattern("ggml.compute", "graph_reserve", r"graph_reserve: failed to allocate compute buffers"),
    Pattern(
        "ggml.compute",
        "ggml_gallocr_reserve_n",
        r"ggml_gallocr_reserve_n(?:_impl)?: failed to allocate (?:CUDA|ROCm|Vulkan|HIP|Metal)\w{0,12} buffer",
    ),
    Pattern(
        "ggml.kv",
        "kv cache",
        r"(?i)(?:failed to allocate|failed to create|llama_kv_cache_init[^\n]{0,20}failed)[^\n]{0,40}(?:kv[ _-]?cache|self-attention cache)[^\n]{0,40}",
    ),
    Pattern(
        "ggml.kv",
        "llama_kv_cache",
        r"llama_kv_cache\w{0,20}(?:\(\))?:? ?[^\n]{0,20}fail(?:ed|ure)[^\n]{0,60}",
    ),
    Pattern(
        "ggml.weights",
        "unable to allocate",
        r"unable to allocate (?:CUDA|ROCm|Vulkan|Metal|HIP|backend)\w{0,12} buffer",
    ),
    Pattern(
        "ggml.weights",
        "alloc_tensor_range",
        r"alloc_tensor_range: failed to allocate (?:CUDA|ROCm|Vulkan|Metal|HIP)\w{0,12} buffer of size (?P<tried_bytes>\d+)",
    ),
    Pattern(
        "ggml.load_failed",
        "failed to load model",
        r"(?:llama_model_load\w{0,20}|error|common_init_from_params|srv[^\n]{0,40})[^\n]{0,40}: (?:error: )?failed to load model[^\n]{0,120}",
    ),
    Pattern("ggml.load_failed", "error loading model", r"error loading model: [^\n]{0,160}"),
    Pattern("ggml.context_failed", "failed to create context"),
    Pattern(
        "ggml.pipeline",
        "pipeline parallelism enabled",
        r"pipeline parallelism enabled \(n_copies=(?P<copies_count>\d+)\)",
    ),
    Pattern("ggml.context", "n_ctx", r"\bn_ctx(?:_per_seq)?\s{0,12}= (?P<length_count>\d+)"),
    Pattern("ggml.kv_size", "KV self size", rf"KV self size\s{{0,4}}=\s{{0,8}}(?P<kv_mib>{_G}) MiB"),
    Pattern("ggml.kv_size", "KV buffer size", rf"KV buffer size =\s{{0,8}}(?P<kv_mib>{_G}) MiB"),
    Pattern("ggml.layers", "offloaded", r"offloaded (?P<layers_count>\d+)/(?P<all_count>\d+) layers to GPU"),
    Pattern(
        "ggml.unsupported",
        "unknown model architecture",
        r"unknown (?:model architecture|pre-tokenizer type)[^\n]{0,80}",
    ),
    Pattern(
        "ggml.corrupt",
        "gguf",
        r"(?i)(?:invalid magic|gguf_init_from_file[^\n]{0,40}(?:failed|invalid)|tensor '[^'\n]{1,80}' data is not within the file bounds)[^\n]{0,120}",
    ),
    Pattern("ggml.corrupt", "file bounds", r"data is not within (?:the )?file bounds[^\n]{0,80}"),
    Pattern(
        "ggml.context_exceeded",
        "context",
        r"(?i)requested tokens \((?P<tokens_count>\d+)\) exceed context window of (?P<length_count>\d+)|(?:input|prompt|request)[^\n]{0,40}(?:exceeds? the available context size|is too long)[^\n]{0,80}|context (?:size|window|length) (?:exceeded|is too small)[^\n]{0,60}",
    ),
    Pattern(
        "ollama.host_memory",
        "requires more system memory",
        rf"requires more system memory \((?P<need_size>{_G} ?[KMGT]i?B)\) than is available \((?P<available_size>{_G} ?[KMGT]i?B)\)",
    ),
    Pattern(
        "ollama.runner_died",
        "llama runner process has terminated",
        r"llama runner process has terminated:? ?(?P<why>[^\n\"]{0,160})",
    ),
    Pattern(
        "ollama.runner_died",
        "llama runner process no longer running",
        r"llama runner process no longer running:? ?(?P<why>[^\n]{0,120})",
    ),
    Pattern("ollama.is", "ollama", r"(?i)\bollama\b"),
    Pattern("ollama.offload", "offload to cuda", r"offload to (?:cuda|rocm|metal)[^\n]{0,400}"),
    Pattern("ggml.is", "llama_", r"\bllama_(?:model|new|init|kv|context|load|build)\w{0,40}"),
    Pattern("ggml.is", "ggml_", r"\bggml_\w{3,40}"),
    Pattern(
        "ggml.cuda_error",
        "CUDA error",
        r"(?:ggml-cuda|ggml_cuda)[^\n]{0,80}CUDA error[^\n]{0,80}|CUDA error: [^\n]{0,80}\n[^\n]{0,40}current device: \d+, in function \w+",
    ),
)
