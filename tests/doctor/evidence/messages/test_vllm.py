"""vLLM's messages, in the wordings of its versions."""

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
            "(EngineCore_DP0 pid=7) ERROR 10-02 10:00:00 [core.py:708] ValueError: Free memory on device (1.5/8.0 GiB) on"
            " startup is less than desired GPU memory utilization (0.9, 7.2 GiB). Decrease GPU memory utilization",
            "vllm.startup_budget",
            {"free_bytes": int(1.5 * GIB), "total_bytes": 8 * GIB, "utilization_ratio": 0.9},
        ),
        (
            "ValueError: Free memory on device cuda:2 (5.25/24.0 GiB) on startup is\nless than desired GPU memory utilization"
            " (0.8, 19.2 GiB).",
            "vllm.startup_budget",
            {"free_bytes": int(5.25 * GIB), "utilization_ratio": 0.8},
        ),
        ("is less than desired GPU memory utilization", "vllm.startup_budget", {}),
        (
            "Available memory on node 0 (0.5/2.0 GiB) on startup is less than desired CPU memory utilization (0.9, 1.8 GiB)",
            "vllm.cpu_budget",
            {"free_bytes": GIB // 2, "want_bytes": int(1.8 * GIB)},
        ),
        (
            "AssertionError: Error in memory profiling. Initial free memory 20.5 GiB, current free memory 22.5 GiB. This"
            " happens when other processes sharing the same container release GPU memory",
            "vllm.profiling",
            {"initial_bytes": int(20.5 * GIB), "current_bytes": int(22.5 * GIB)},
        ),
        (
            "AssertionError: Error in memory profiling. This happens when the GPU memory was not properly cleaned up",
            "vllm.profiling",
            {},
        ),
        (
            "the current vLLM instance can use total_gpu_memory (44.5GiB) x gpu_memory_utilization (0.98) = 43.61GiB",
            "vllm.instance",
            {"total_bytes": int(44.5 * GIB), "utilization_ratio": 0.98},
        ),
        (
            "Memory profiling results: total_gpu_memory=24.0GiB initial_memory_usage=15.34GiB peak_torch_memory=17.98GiB"
            " kv_cache_size=2.5GiB gpu_memory_utilization=0.90",
            "vllm.instance",
            {"total_bytes": 24 * GIB, "utilization_ratio": 0.9},
        ),
        ("vllm serve m --gpu-memory-utilization 0.92", "vllm.utilization", {"utilization_ratio": 0.92}),
        (
            "args: Namespace(gpu_memory_utilization=0.95, swap_space=4)",
            "vllm.utilization",
            {"utilization_ratio": 0.95},
        ),
        ("'gpu_memory_utilization': 0.85,", "vllm.utilization", {"utilization_ratio": 0.85}),
        (
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
            "vllm.no_kv_blocks",
            {},
        ),
        (
            "[gpu_worker.py:227] Available KV cache memory: -0.5 GiB",
            "vllm.kv_negative",
            {"missing_bytes": GIB // 2},
        ),
        (
            "the rest of the memory reserved for KV Cache is -1.5GiB.",
            "vllm.kv_negative",
            {"missing_bytes": GIB * 3 // 2},
        ),
        ("kv_cache_size=-2.0GiB gpu_memory_utilization=0.90", "vllm.kv_negative", {"missing_bytes": 2 * GIB}),
        (
            "The model's max seq len (29000) is larger than the maximum number of tokens that can be stored in KV cache"
            " (23648). Try increasing",
            "vllm.kv_too_short",
            {"length_count": 29000, "stored_count": 23648},
        ),
        (
            "To serve at least one request with the models's max seq len (131072), (24.00 GiB KV cache is needed, which is"
            " larger than the available KV cache memory (11.25 GiB). Try increasing `gpu_memory_utilization`",
            "vllm.kv_too_short",
            {"length_count": 131072, "need_bytes": 24 * GIB, "available_bytes": int(11.25 * GIB)},
        ),
        (
            "with the model's max seq len\n(262144), 7.50 GiB KV cache is needed, which is larger than the available\nKV cache"
            " memory (5.25 GiB). Based on the available memory, the estimated maximum model length is 87840. Try",
            "vllm.kv_too_short",
            {"length_count": 262144, "need_bytes": int(7.5 * GIB), "fits_count": 87840},
        ),
        ("the estimated maximum model length is 1984. Try", "vllm.kv_fits", {"fits_count": 1984}),
        (
            "[gpu_worker.py:276] Available KV cache memory: 31.25 GiB",
            "vllm.kv_pool",
            {"kv_bytes": int(31.25 * GIB)},
        ),
        ("# GPU blocks: 1478, # CPU blocks: 2048", "vllm.kv_pool", {"blocks_count": 1478}),
        ("# cuda blocks: 2500, # CPU blocks: 2048", "vllm.kv_pool", {"blocks_count": 2500}),
        ("GPU KV cache size: 190,384 tokens", "vllm.kv_pool", {"tokens_count": 190384}),
        (
            "Maximum concurrency for 29,000 tokens per request: 0.82x",
            "vllm.concurrency",
            {"length_count": 29000, "times_ratio": 0.82},
        ),
        (
            "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try",
            "vllm.warm_up",
            {"what": "sampler", "sequences_count": 1024},
        ),
        (
            "NPU out of memory occurred when warming up pooler with 256 dummy requests.",
            "vllm.warm_up",
            {"what": "pooler"},
        ),
        (
            "INFO 12-20 20:25:49 model_runner.py:1413] Capturing cudagraphs for decoding.",
            "vllm.capture_began",
            {},
        ),
        ("Capturing the model for CUDA graphs. This may lead to", "vllm.capture_began", {}),
        (
            "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  10%|█         | 7/67",
            "vllm.capture_began",
            {},
        ),
        ("Graph capturing finished in 22 secs, took 0.50 GiB", "vllm.capture_done", {"took_bytes": GIB // 2}),
        ("Graph capturing finished in 15 secs.", "vllm.capture_done", {}),
        ("Starting to load model Qwen/Qwen3-32B...", "vllm.loading", {}),
        ("Model loading took 15.25 GiB and 3.1 seconds", "vllm.weights", {"weights_bytes": int(15.25 * GIB)}),
        ("Loading model weights took 14.5 GB", "vllm.weights", {"weights_bytes": int(14.5 * GIB)}),
        (
            "model weights take 20.5GiB; non_torch_memory takes",
            "vllm.weights",
            {"weights_bytes": int(20.5 * GIB)},
        ),
        ("Loading safetensors checkpoint shards:  40% Completed | 2/5", "vllm.shards", {"percent_count": 40}),
        ("Engine 000: Avg prompt throughput: 203.1 tokens/s, Avg", "vllm.serving", {}),
        ("RuntimeError: Engine core initialization failed. See root cause above.", "vllm.engine_failed", {}),
        (
            "RuntimeError: Aborted due to the lack of CPU swap space. Please increase it.",
            "vllm.swap_used",
            {},
        ),
        (
            "Environment variable VLLM_CPU_KVCACHE_SPACE (GiB) for CPU backend is not set",
            "vllm.cpu_backend",
            {},
        ),
        (
            "ValueError: Too large swap space. 16.00 GiB out of the 15.50 GiB total CPU memory is allocated for the swap",
            "vllm.swap_space",
            {"swap_bytes": 16 * GIB, "host_bytes": int(15.5 * GIB)},
        ),
    ],
)
def test_a_message_and_its_figures(line, kind, values):
    """Each wording is the sign of its kind, with its figures in bytes and counts."""
    sign = sign_of(line, kind)
    assert sign is not None
    assert {name: sign.values[name] for name in values} == values


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (
            "WARNING: Possibly too large swap space. 4.00 GiB out of the 7.74 GiB total CPU memory",
            "vllm.swap_space",
        ),
        ("Available KV cache memory: 3.12 GiB", "vllm.kv_negative"),
        ("Available KV cache memory: -3.12 GiB", "vllm.kv_pool"),
        ("# GPU blocks: 0, # CPU blocks: 6553", "vllm.kv_pool"),
        ("Capturing CUDA graph shapes: 100%|██████████| 67/67 [00:22<00:00]", "vllm.capture_began"),
        ("nvidia-smi utilization.gpu [%] 0.9", "vllm.utilization"),
    ],
)
def test_what_looks_alike(line, kind):
    """A warning, a success and another program's word are no such sign."""
    assert sign_of(line, kind) is None


def test_megabytes_are_not_taken_for_gigabytes():
    """The smallest figure keeps its unit."""
    assert sign_of("Available KV cache memory: 0.5 GiB", "vllm.kv_pool").number("kv_bytes") == 512 * MIB
