"""Other engines: TGI, TensorRT-LLM, TensorRT's builder, lmdeploy, ExLlama, image generation.

The texts stand in text-generation-inference's server/models/flash_causal_lm.py, backends/v*/lib.rs and launcher; TensorRT-LLM's
executor and kvCacheManager; TensorRT's builder log; lmdeploy/pytorch/engine/executor and src/turbomind; exllamav2/v3's loaders.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"\d{1,6}(?:\.\d{1,6})?"
_S = r"\s{1,16}"
_SIZE = r"\d{1,9} ?MB"

_TGI: tuple[Pattern, ...] = (
    Pattern(
        "tgi.warm_up", "prefill tokens", r"Not enough memory to handle (?P<tokens_count>\d+) prefill tokens"
    ),
    Pattern(
        "tgi.budget",
        "total tokens with",
        r"Not enough memory to handle (?P<tokens_count>\d+) total tokens with \d+ prefill tokens",
    ),
    Pattern("tgi.warm_up", "You need to decrease", r"You need to decrease `?--max-batch-prefill-tokens`?"),
    Pattern(
        "tgi.total_tokens",
        "Not enough memory to handle",
        r"Not enough memory to handle `?max_total_tokens=(?P<tokens_count>\d+)`?",
    ),
    Pattern(
        "tgi.warm_up_failed", "nable to warmup", r"[Uu]nable to warmup the Python model shards[^\n]{0,200}"
    ),
    Pattern(
        "tgi.warm_up_failed",
        "armup",
        r"Method Warmup encountered an error|warmup\{max_input_length=[^\n]{0,300}",
    ),
    Pattern(
        "tgi.shard_failed",
        "Shard ",
        r"Shard (?:\d+ (?:failed to start|crashed|terminated)|cannot start|failed)",
    ),
    Pattern("tgi.shard_failed", "ShardCannotStart"),
    Pattern(
        "tgi.shard_signal",
        "signaled to shutdown",
        r"Shard process was signaled to shutdown with signal (?P<signal_count>\d+)",
    ),
    Pattern("tgi.serving", "Connected", r"text_generation_router[^\n]{0,80}Connected"),
)

_TENSORRT_LLM: tuple[Pattern, ...] = (
    Pattern("trtllm.runtime", "CUDA runtime error in", r"CUDA runtime error in [^\n]{0,200}?: out of memory"),
    Pattern(
        "trtllm.executor",
        "Executor creation failed due to insufficient GPU memory",
        rf"Executor creation failed due to insufficient GPU memory\.?(?:{_S}The following component could not be created:"
        rf"{_S}(?P<component>[^\n]{{1,80}}))?(?:\nTotal GPU memory \(GiB\): (?P<total_gib>{_G})"
        rf"\nFree GPU memory before component creation attempt \(GiB\): (?P<free_gib>{_G}))?",
    ),
    Pattern(
        "trtllm.component",
        "component could not be created",
        r"component could not be created: (?P<component>[^\n]{1,80})",
    ),
    Pattern(
        "trtllm.kv_pool",
        "paged KV cache",
        rf"Allocated (?P<kv_gib>{_G}) GiB for max tokens in paged KV cache \((?P<tokens_count>\d+)\)",
    ),
    Pattern("trtllm.kv_pool", "k/v cache", r"Allocate (?P<kv_bytes>\d+) bytes for k/v cache"),
    Pattern(
        "trtllm.kv_pool",
        "KV cache primary pool",
        r"Number of blocks in KV cache primary pool: (?P<blocks_count>[1-9]\d*)",
    ),
    Pattern(
        "trtllm.no_blocks",
        "maxTokensInPagedKvCache",
        r"maxTokensInPagedKvCache \((?P<stored_count>\d+)\) must be large enough to process at least 1 sequence",
    ),
    Pattern(
        "trtllm.no_blocks",
        "free blocks",
        r"Can(?:'t|not) allocate new blocks\. No free blocks left|[Nn]ot enough free blocks[^\n]{0,100}",
    ),
    Pattern(
        "trtllm.no_blocks",
        "KV cache",
        r"(?i:max(?:imum)?[^\n]{0,40}tokens? in (?:the )?(?:paged )?KV cache)[^\n]{0,40}(?i:is (?:smaller|less|too small)|insufficient|must be)[^\n]{0,120}",
    ),
    Pattern(
        "trtllm.kv_fraction",
        "ree",
        r"(?i:free_?gpu_?memory_?fraction|kv_cache_free_gpu_mem(?:ory)?_fraction)[\"']?\s?[=: ]{1,2}\s?(?P<fraction_ratio>[01]?\.\d{1,6})",
    ),
)

_TENSORRT: tuple[Pattern, ...] = (
    Pattern(
        "trt.tactic",
        "Tactic Device request",
        rf"Tactic Device request: (?P<tried_size>{_SIZE}),? Available: (?P<free_size>{_SIZE})",
    ),
    Pattern(
        "trt.skipping",
        "kipping tactic",
        r"[Ss]kipping tactic[^\n]{0,200}(?:insufficient memory|out of memory|oom error|OutOfMemory|allocator error)[^\n]{0,200}",
    ),
    Pattern(
        "trt.no_implementation",
        "ould not find any implementation for node",
        r"[Cc]ould not find any implementation for node[^\n]{0,120}",
    ),
    Pattern(
        "trt.workspace",
        "workspace",
        r"(?i:try increasing (?:the )?workspace size|insufficient workspace)[^\n]{0,160}",
    ),
    Pattern("trt.build_failed", "could not be created from network"),
    Pattern("trt.build_failed", "ngine failed", r"(?:Building|[Bb]uild|[Cc]reating) engine failed"),
    Pattern("trt.build_failed", "ngine file failed", r"[Bb]uild engine file failed"),
    Pattern("trt.build_failed", "ngine set up failed"),
    Pattern(
        "trt.build_failed",
        "ailed to create",
        r"[Ff]ailed to create (?:the )?(?:TensorRT |TRT )?engine[^\n]{0,60}",
    ),
    Pattern(
        "trt.build_failed",
        "ailed to build",
        r"[Ff]ailed to build (?:the )?(?:serialized )?(?:TensorRT |TRT )?(?:engine|network)",
    ),
    Pattern("trt.build_failed", "buildSerializedNetwork", r"buildSerializedNetwork[^\n]{0,60}Error Code \d+"),
    Pattern("trt.built", "Engine built in"),
    Pattern("trt.built", "Engine generation completed in"),
    Pattern("trt.built", "memory usage during Engine building"),
    Pattern("trt.built", "PASSED TensorRT"),
)

_LMDEPLOY: tuple[Pattern, ...] = (
    Pattern("lmdeploy.no_blocks", "gpu memory for kv cache", r"No enough gpu memory for kv cache"),
    Pattern(
        "lmdeploy.cache_fraction",
        "cache",
        r"cache[_-]max[_-]entry[_-]count[\"']?[= :]{1,3}(?P<fraction_ratio>[01]?\.\d{1,6})",
    ),
    Pattern("lmdeploy.kv_pool", "BlockManager", r"\[BlockManager\][^\n]{0,160}"),
    Pattern("lmdeploy.runtime", "[TM]", r"\[TM\]\[(?:ERROR|FATAL)\][^\n]{0,60}out of memory[^\n]{0,120}"),
)

_OTHERS: tuple[Pattern, ...] = (
    Pattern(
        "exllama.insufficient", "nsufficient ", r"[Ii]nsufficient VRAM (?:in split )?for model and cache"
    ),
    Pattern("exllama.insufficient", "nsufficient ", r"[Ii]nsufficient space in device allocation[^\n]{0,80}"),
    Pattern(
        "comfy.retry",
        "retrying with tiled",
        r"Ran out of memory when regular VAE (?:en|de)coding, retrying with tiled VAE (?:en|de)coding",
    ),
    Pattern("comfy.vae", "VAE", r"VAE(?:De|En)code\w{0,20}"),
    Pattern("comfy.is", "Error occurred when executing"),
    Pattern("comfy.is", "ComfyUI"),
    Pattern("comfy.node", "!!! Exception during processing"),
    Pattern("a1111.is", "stable-diffusion-webui"),
    Pattern("a1111.hint", "NaNs", r"A tensor with all NaNs was produced in[^\n]{0,160}"),
    Pattern("diffusers.is", "diffusers"),
)

MESSAGES: tuple[Pattern, ...] = (*_TGI, *_TENSORRT_LLM, *_TENSORRT, *_LMDEPLOY, *_OTHERS)
