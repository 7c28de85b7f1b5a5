"""TGI, TensorRT-LLM, TensorRT, lmdeploy, ExLlama: their words for no room."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.text.read import log_of_text
from dstop.units import GIB, MIB


def sign_of(text, kind):
    """Give the sign of this kind that knows most."""
    signs = [sign for sign in facts_of(log_of_text(text, "engine.log")).signs if sign.kind == kind]
    return max(signs, key=lambda sign: len(sign.values), default=None)


@pytest.mark.parametrize(
    ("line", "kind", "values"),
    [
        (
            "RuntimeError: Not enough memory to handle 16384 prefill tokens. You need to decrease"
            " `--max-batch-prefill-tokens`",
            "tgi.warm_up",
            {"tokens_count": 16384},
        ),
        (
            "Not enough memory to handle 16000 total tokens with 4096 prefill tokens.",
            "tgi.budget",
            {"tokens_count": 16000},
        ),
        ("You need to decrease `--max-batch-prefill-tokens`", "tgi.warm_up", {}),
        (
            "Not enough memory to handle `max_total_tokens=131072`",
            "tgi.total_tokens",
            {"tokens_count": 131072},
        ),
        ("Unable to warmup the Python model shards: Generation(CUDA", "tgi.warm_up_failed", {}),
        ("Method Warmup encountered an error.", "tgi.warm_up_failed", {}),
        ("text_generation_launcher: Shard 0 failed to start", "tgi.shard_failed", {}),
        ("Error: ShardCannotStart", "tgi.shard_failed", {}),
        (
            "shard-manager: text_generation_launcher: Shard process was signaled to shutdown with signal 9 rank=0",
            "tgi.shard_signal",
            {"signal_count": 9},
        ),
        ("text_generation_router: router/src/main.rs:368: Connected", "tgi.serving", {}),
        (
            "Executor creation failed due to insufficient GPU memory.\n\nThe following component could not be created: KV"
            " cache\nTotal GPU memory (GiB): 140.5\nFree GPU memory before component creation attempt (GiB): 108.25",
            "trtllm.executor",
            {"component": "KV cache", "total_bytes": int(140.5 * GIB), "free_bytes": int(108.25 * GIB)},
        ),
        ("The following component could not be created: Model", "trtllm.component", {"component": "Model"}),
        (
            "[TensorRT-LLM][ERROR] CUDA runtime error in ::cudaMallocAsync(ptr, n, mCudaStream->get()): out of memory",
            "trtllm.runtime",
            {},
        ),
        (
            "[TensorRT-LLM][INFO] [MemUsageChange] Allocated 67.25 GiB for max tokens in paged KV cache (2112).",
            "trtllm.kv_pool",
            {"kv_bytes": int(67.25 * GIB), "tokens_count": 2112},
        ),
        ("Allocate 69524783104 bytes for k/v cache.", "trtllm.kv_pool", {"kv_bytes": 69524783104}),
        ("Number of blocks in KV cache primary pool: 18", "trtllm.kv_pool", {"blocks_count": 18}),
        ("Assertion failed: Can't allocate new blocks. No free blocks left.", "trtllm.no_blocks", {}),
        ("free_gpu_memory_fraction: 0.9", "trtllm.kv_fraction", {"fraction_ratio": 0.9}),
        ("kv_cache_free_gpu_mem_fraction=0.95", "trtllm.kv_fraction", {"fraction_ratio": 0.95}),
        ("freeGpuMemoryFraction = 0.8", "trtllm.kv_fraction", {"fraction_ratio": 0.8}),
        (
            "[W] [TRT] Tactic Device request: 414MB Available: 216MB. Device memory is insufficient to use tactic.",
            "trt.tactic",
            {"tried_bytes": 414 * MIB, "free_bytes": 216 * MIB},
        ),
        (
            "UNSUPPORTED_STATE: Skipping tactic 0 due to insufficient memory on requested size of 1",
            "trt.skipping",
            {},
        ),
        (
            "Skipping tactic 3 due to oom error on requested size of 2100 detected for tactic 4.",
            "trt.skipping",
            {},
        ),
        (
            "Error[10]: Could not find any implementation for node {ForeignNode[a]}.",
            "trt.no_implementation",
            {},
        ),
        ("Try increasing the workspace size with IBuilderConfig::setMaxWorkspaceSize()", "trt.workspace", {}),
        ("[E] Engine could not be created from network", "trt.build_failed", {}),
        ("build engine file failed", "trt.build_failed", {}),
        ("[I] Engine built in 174.2 sec.", "trt.built", {}),
        ("&&&& PASSED TensorRT.trtexec [TensorRT v8601]", "trt.built", {}),
        ("RuntimeError: No enough gpu memory for kv cache.", "lmdeploy.no_blocks", {}),
        (
            "lmdeploy serve api_server m --cache-max-entry-count 0.8",
            "lmdeploy.cache_fraction",
            {"fraction_ratio": 0.8},
        ),
        (
            "TurbomindEngineConfig(cache_max_entry_count=0.5,",
            "lmdeploy.cache_fraction",
            {"fraction_ratio": 0.5},
        ),
        ("[TM][INFO] [BlockManager] max_block_count=1203", "lmdeploy.kv_pool", {}),
        (
            "[TM][ERROR] CUDA runtime error: out of memory /lmdeploy/src/turbomind/core/allocator.cc:49",
            "lmdeploy.runtime",
            {},
        ),
        ("RuntimeError: Insufficient VRAM in split for model and cache", "exllama.insufficient", {}),
        ("RuntimeError: Insufficient VRAM for model and cache", "exllama.insufficient", {}),
        ("Ran out of memory when regular VAE decoding, retrying with tiled VAE decoding.", "comfy.retry", {}),
    ],
)
def test_a_message_and_its_figures(line, kind, values):
    """Each wording is the sign of its kind, with its figures."""
    sign = sign_of(line, kind)
    assert sign is not None
    assert {name: sign.values[name] for name in values} == values
