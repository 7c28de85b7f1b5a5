"""Other engines: TGI, TensorRT-LLM, TensorRT's builder, lmdeploy, KTransformers, image generation."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"[\d.]{1,12}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "tgi.warmup",
        "Not enough memory to handle",
        r"Not enough memory to handle (?P<tokens_count>\d+) prefill tokens(?:[^\n]{0,80})?",
    ),
    Pattern("tgi.warmup", "You need to decrease", r"You need to decrease `?--max-batch-prefill-tokens`?"),
    Pattern(
        "tgi.shard_failed",
        "Shard",
        r"Shard (?:\d+ )?(?:failed to start|terminated|complete standard error output|process was signaled to shutdown with signal (?P<signal_count>\d+))",
    ),
    Pattern("tgi.waiting", "Waiting for shard"),
    Pattern(
        "trtllm.kv_fraction",
        "kvCacheConfig",
        r"(?i)(?:freeGpuMemoryFraction|free_gpu_memory_fraction|kv_cache_free_gpu_mem(?:ory)?_fraction)[^\n]{0,120}",
    ),
    Pattern("trtllm.kv_fraction", "free_gpu_memory_fraction", r"free_gpu_memory_fraction[^\n]{0,120}"),
    Pattern("trtllm.kv_fraction", "kv_cache_free_gpu_mem", r"kv_cache_free_gpu_mem\w*_fraction[^\n]{0,120}"),
    Pattern(
        "trtllm.kv_tokens",
        "KV cache",
        r"(?i)(?:max[_ ]tokens[_ ]in[_ ]paged[_ ]kv[_ ]cache|number of blocks in KV cache|insufficient[^\n]{0,40}KV cache|not enough[^\n]{0,40}KV cache)[^\n]{0,160}",
    ),
    Pattern("trtllm.is", "[TensorRT-LLM]"),
    Pattern("trtllm.is", "tensorrt_llm"),
    Pattern(
        "trt.tactic",
        "Tactic Device request",
        r"Tactic Device request: (?P<tried_size>\d+ ?MB|\d+MB) Available: (?P<free_size>\d+ ?MB|\d+MB)",
    ),
    Pattern("trt.no_implementation", "Could not find any implementation for node"),
    Pattern(
        "trt.skipping",
        "Skipping tactic",
        r"Skipping tactic[^\n]{0,200}(?:insufficient memory|out of memory|OutOfMemory)[^\n]{0,200}",
    ),
    Pattern(
        "trt.workspace",
        "workspace",
        r"(?i)(?:try increasing (?:the )?workspace size|insufficient workspace|memory_pool_limit|setMemoryPoolLimit)[^\n]{0,160}",
    ),
    Pattern("lmdeploy.is", "lmdeploy"),
    Pattern("lmdeploy.is", "TurboMind"),
    Pattern(
        "lmdeploy.cache_fraction", "cache_max_entry_count", r"cache[_-]max[_-]entry[_-]count[^\n]{0,100}"
    ),
    Pattern("lmdeploy.no_blocks", "No enough gpu memory", r"No enough gpu memory[^\n]{0,120}"),
    Pattern("lmdeploy.block_manager", "[BlockManager]", r"\[BlockManager\][^\n]{0,160}"),
    Pattern(
        "lmdeploy.runtime",
        "[TM][ERROR]",
        r"\[TM\]\[(?:ERROR|FATAL)\][^\n]{0,40}(?:CUDA runtime error: )?out of memory[^\n]{0,120}",
    ),
    Pattern("exllama.is", "exllama"),
    Pattern("ktransformers.is", "ktransformers"),
    Pattern(
        "comfy.retry",
        "retrying with tiled",
        r"Ran out of memory when regular VAE (?:en|de)coding, retrying with tiled VAE (?:en|de)coding",
    ),
    Pattern("comfy.vae", "VAEDecode", r"VAE(?:De|En)code\w{0,20}"),
    Pattern("comfy.is", "Error occurred when executing"),
    Pattern("comfy.is", "ComfyUI"),
    Pattern("comfy.node", "!!! Exception during processing"),
    Pattern("a1111.is", "stable-diffusion-webui"),
    Pattern("a1111.hint", "NaNs", r"A tensor with all NaNs was produced in[^\n]{0,160}"),
    Pattern("diffusers.is", "diffusers"),
)
