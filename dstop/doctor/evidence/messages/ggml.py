"""llama.cpp, Ollama and what else is built on ggml: whose buffer did not fit.

The texts stand in llama.cpp's src/llama*.cpp (llama-kv-cache, llama-context, llama-model), ggml/src/ggml-alloc.c, the backends'
buffer types, common/fit.cpp, and in ollama's llm/server.go, llm/llama_server.go and ml/device.go.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"\d{1,9}(?:\.\d{1,6})?"
_DEVICE = r"(?:CUDA|ROCm|HIP|Vulkan|Metal|SYCL|MUSA|CANN|OpenCL|Kompute|RPC|MTL)"
_HUMAN = r"\d{1,9}(?:\.\d{1,6})? ?[KMGT]?i?B"

_BUFFERS: tuple[Pattern, ...] = (
    Pattern(
        "ggml.kv",
        "kv cache",
        r"failed to (?:allocate|create|initialize)[^\n]{0,30}(?:buffer for )?(?:the )?kv cache",
    ),
    Pattern("ggml.kv", "kv_cache_init", r"llama_kv_cache_init\(\) failed for self-attention cache"),
    Pattern("ggml.kv", "self-attention cache", r"failed for self-attention cache"),
    Pattern("ggml.kv", "memory for kv", r"failed to allocate[^\n]{0,20} memory for kv cache"),
    Pattern(
        "ggml.compute",
        "compute",
        r"failed to (?:allocate|reserve|create|initialize)[^\n]{0,40}compute (?:pp |tg )?buffers?",
    ),
    Pattern(
        "ggml.compute_buffer",
        "ggml_gallocr_",
        rf"ggml_gallocr_\w{{4,30}}: failed to allocate (?P<buffer>{_DEVICE}\w{{0,12}}) buffer of size (?P<tried_bytes>\d+)",
    ),
    Pattern("ggml.compute_retry", "retrying without pipeline parallelism"),
    Pattern(
        "ggml.weights",
        "unable to allocate",
        rf"unable to allocate (?P<buffer>{_DEVICE}\w{{0,12}}|backend) buffer(?! for)",
    ),
    Pattern(
        "ggml.host_weights",
        "unable to allocate",
        r"unable to allocate (?P<buffer>CPU\w{0,12}|\w{2,8}_Host) buffer",
    ),
    Pattern(
        "ggml.tensors",
        "alloc_tensor_range",
        rf"alloc_tensor_range: failed to allocate (?P<buffer>{_DEVICE}\d{{0,2}}(?:_Split)?) buffer of size (?P<tried_bytes>\d+)",
    ),
    Pattern(
        "ggml.host_buffer",
        "failed to allocate",
        r"failed to allocate (?P<buffer>CPU\w{0,12}|\w{2,8}_Host) buffer of size (?P<tried_bytes>\d+)",
    ),
    Pattern(
        "ggml.host_buffer",
        "ggml_aligned_malloc",
        rf"ggml_aligned_malloc: insufficient memory \(attempted to allocate {{1,4}}(?P<tried_mib>{_G}) MB\)",
    ),
    Pattern(
        "ggml.pool",
        "current device:",
        r"[Oo]ut of memory[^\n]{0,60}\n[^\n]{0,60}current device: \d+, in function \w{1,60}",
    ),
    Pattern("ggml.pool", "ggml_cuda_pool", r"ggml_cuda_pool\w{0,20}[^\n]{0,120}out of memory"),
)

_RUN: tuple[Pattern, ...] = (
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
        r"pipeline parallelism enabled(?: \(n_copies=(?P<copies_count>\d+)\))?",
    ),
    Pattern("ggml.context", "n_ctx", r"\bn_ctx\s{0,16}= (?P<length_count>\d+)"),
    Pattern("ggml.kv_size", "KV ", rf"KV (?:self size|buffer size)\s{{0,4}}=\s{{0,10}}(?P<kv_mib>{_G}) MiB"),
    Pattern("ggml.layers", "offloaded", r"offloaded (?P<layers_count>\d+)/(?P<all_count>\d+) layers to GPU"),
    Pattern(
        "ggml.device",
        "MiB free",
        rf"using device (?P<device>\w{{2,16}}) \([^\n]{{1,80}}\)(?: \([^\n]{{1,24}}\))? - (?P<free_mib>{_G}) MiB free",
    ),
    Pattern(
        "ggml.device", "VRAM:", rf"Device (?P<device>\d{{1,2}}): [^\n]{{4,120}} VRAM: (?P<total_mib>{_G}) MiB"
    ),
    Pattern(
        "ggml.fit_failed",
        "failed to fit params",
        r"failed to fit params to (?:free )?device memory[^\n]{0,120}",
    ),
    Pattern("ggml.serving", "server is listening", r"server is listening on[^\n]{0,80}"),
    Pattern("ggml.serving", "runner started in", r"llama runner started in [^\n]{0,40}"),
    Pattern("ggml.serving", "eval time", rf"(?:prompt )?eval time\s{{0,4}}=\s{{0,10}}{_G} ms"),
    Pattern("ggml.unsupported", "unknown ", r"unknown (?:model architecture|pre-tokenizer type)[^\n]{0,80}"),
    Pattern(
        "ggml.corrupt",
        "gguf",
        r"(?i:invalid magic|gguf_init_from_file[^\n]{0,40}(?:failed|invalid))[^\n]{0,120}",
    ),
    Pattern("ggml.corrupt", "file bounds", r"data is not within (?:the )?file bounds[^\n]{0,80}"),
    Pattern(
        "ggml.context_exceeded",
        "context",
        r"(?i:requested tokens \((?P<tokens_count>\d+)\) exceed context window of (?P<length_count>\d+)|"
        r"(?:input|prompt|request)[^\n]{0,40}(?:exceeds? the available context size|is too long)[^\n]{0,80}|"
        r"context (?:size|window|length) (?:exceeded|is too small)[^\n]{0,60})",
    ),
    Pattern(
        "ggml.cuda_error",
        "CUDA error",
        r"(?:ggml-cuda|ggml_cuda)[^\n]{0,80}CUDA error[^\n]{0,80}|CUDA error: [^\n]{0,80}\n[^\n]{0,40}current device: \d+, in function \w+",
    ),
)

_OLLAMA: tuple[Pattern, ...] = (
    Pattern(
        "ollama.host_memory",
        "system memory",
        rf"requires more system memory \((?P<need_size>{_HUMAN})\) than is available \((?P<available_size>{_HUMAN})\)",
    ),
    Pattern("ollama.host_memory", "model is too large for system memory"),
    Pattern(
        "ollama.runner_died",
        "process ",
        r"(?:llama runner|llama-server) process (?:has terminated|no longer running):? ?(?P<why>[^\n]{0,300})",
    ),
    Pattern(
        "ollama.runner_stopped",
        "model runner has unexpectedly stopped",
        r"model runner has unexpectedly stopped[^\n]{0,80}",
    ),
    Pattern(
        "ollama.no_layout",
        "memory layout cannot be allocated",
        r"memory layout cannot be allocated[^\n]{0,80}",
    ),
    Pattern(
        "ollama.no_layout",
        "insufficient memory - required allocations",
        r"insufficient memory - required allocations[^\n]{0,200}",
    ),
    Pattern("ollama.no_layout", "unable to load full model on GPU"),
    Pattern("ollama.offload", "offload", r"msg=\"?offload(?: to (?:gpu|cuda|rocm|metal))?[^\n]{0,900}"),
    Pattern("ollama.kv_need", "memory.required.kv", rf"memory\.required\.kv=\"?(?P<kv_size>{_HUMAN})"),
    Pattern(
        "ollama.weights", "memory.weights.total", rf"memory\.weights\.total=\"?(?P<weights_size>{_HUMAN})"
    ),
    Pattern("ollama.kv_need", "kv cache", rf"msg=\"?kv cache\"?[^\n]{{0,80}}size=\"?(?P<kv_size>{_HUMAN})"),
    Pattern(
        "ollama.weights",
        "model weights",
        rf"msg=\"?model weights\"?[^\n]{{0,80}}size=\"?(?P<weights_size>{_HUMAN})",
    ),
    Pattern(
        "ollama.context",
        "ctx",
        r"--ctx-size (?P<length_count>\d+)|\bnum_ctx[\"']?[ :=]{1,3}(?P<asked_count>\d+)",
    ),
    Pattern("ollama.context", "KvSize:", r"KvSize:(?P<kv_count>\d+)"),
)

MESSAGES: tuple[Pattern, ...] = (*_BUFFERS, *_RUN, *_OLLAMA)
