"""llama.cpp and Ollama: whose buffer did not fit."""

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
        ("llama_kv_cache_init: failed to allocate buffer for kv cache", "ggml.kv", {}),
        (
            "0.06.650.537 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
            "ggml.kv",
            {},
        ),
        (
            "llama_new_context_with_model: llama_kv_cache_init() failed for self-attention cache",
            "ggml.kv",
            {},
        ),
        ("llama_new_context_with_model: failed to allocate compute buffers", "ggml.compute", {}),
        ("failed to initialize the context: failed to allocate compute pp buffers", "ggml.compute", {}),
        ("graph_reserve: failed to allocate compute buffers", "ggml.compute", {}),
        (
            "ggml_gallocr_reserve_n_impl: failed to allocate Vulkan1 buffer of size 455917568",
            "ggml.compute_buffer",
            {"buffer": "Vulkan1", "tried_bytes": 455917568},
        ),
        (
            "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9332334592",
            "ggml.compute_buffer",
            {"buffer": "CUDA0", "tried_bytes": 9332334592},
        ),
        (
            "sched_reserve: compute buffer allocation failed, retrying without pipeline parallelism",
            "ggml.compute_retry",
            {},
        ),
        ("llama_model_load: error loading model: unable to allocate backend buffer", "ggml.weights", {}),
        ("error loading model: unable to allocate CUDA0 buffer", "ggml.weights", {"buffer": "CUDA0"}),
        ("error loading model: unable to allocate ROCm0 buffer", "ggml.weights", {"buffer": "ROCm0"}),
        ("error loading model: unable to allocate CPU buffer", "ggml.host_weights", {"buffer": "CPU"}),
        (
            "error loading model: unable to allocate CUDA_Host buffer",
            "ggml.host_weights",
            {"buffer": "CUDA_Host"},
        ),
        (
            "alloc_tensor_range: failed to allocate CUDA0 buffer of size 41921532928",
            "ggml.tensors",
            {"buffer": "CUDA0", "tried_bytes": 41921532928},
        ),
        (
            "alloc_tensor_range: failed to allocate CUDA1_Split buffer of size 12",
            "ggml.tensors",
            {"tried_bytes": 12},
        ),
        (
            "alloc_tensor_range: failed to allocate CPU buffer of size 37748736000",
            "ggml.host_buffer",
            {"buffer": "CPU"},
        ),
        (
            "ggml_aligned_malloc: insufficient memory (attempted to allocate 36000.00 MB)",
            "ggml.host_buffer",
            {"tried_bytes": 36000 * MIB},
        ),
        (
            "CUDA error: out of memory\n  current device: 0, in function alloc at ggml/src/ggml-cuda/ggml-cuda.cu:462",
            "ggml.pool",
            {},
        ),
        ("llama_model_load: error loading model: x", "ggml.load_failed", {}),
        ("llama_model_load_from_file_impl: failed to load model", "ggml.load_failed", {}),
        ("llama_context: pipeline parallelism enabled (n_copies=4)", "ggml.pipeline", {"copies_count": 4}),
        ("llama_context: pipeline parallelism enabled", "ggml.pipeline", {}),
        ("llama_new_context_with_model: n_ctx      = 131072", "ggml.context", {"length_count": 131072}),
        (
            "llama_new_context_with_model: KV self size  = 2196.00 MiB, c^KV (f16)",
            "ggml.kv_size",
            {"kv_bytes": 2196 * MIB},
        ),
        (
            "llama_kv_cache_unified:      CUDA0 KV buffer size =  4096.00 MiB",
            "ggml.kv_size",
            {"kv_bytes": 4 * GIB},
        ),
        ("load_tensors: offloaded 33/81 layers to GPU", "ggml.layers", {"layers_count": 33, "all_count": 81}),
        (
            "llama_model_load_from_file_impl: using device CUDA0 (NVIDIA GeForce RTX 3090) (0000:01:00.0) - 23000 MiB free",
            "ggml.device",
            {"device": "CUDA0", "free_bytes": 23000 * MIB},
        ),
        (
            "  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes, VRAM: 24111 MiB",
            "ggml.device",
            {"total_bytes": 24111 * MIB},
        ),
        (
            "common_fit_params: failed to fit params to free device memory: n_gpu_layers already set by user to 999, abort",
            "ggml.fit_failed",
            {},
        ),
        ("main: server is listening on http://127.0.0.1:8080 - starting the main loop", "ggml.serving", {}),
        ('msg="llama runner started in 3.21 seconds"', "ggml.serving", {}),
        (
            "llama_model_load: error loading model: unknown model architecture: 'qwen9'",
            "ggml.unsupported",
            {},
        ),
        ("tensor 'blk.3.attn_k.weight' data is not within the file bounds", "ggml.corrupt", {}),
        (
            "Error: model requires more system memory (69.0 GiB) than is available (65.5 GiB)",
            "ollama.host_memory",
            {"need_bytes": 69 * GIB, "available_bytes": int(65.5 * GIB)},
        ),
        (
            '"model requires more system memory (950.5 MiB) than is available (700.0 MiB)"',
            "ollama.host_memory",
            {"available_bytes": 700 * MIB},
        ),
        ('msg="model is too large for system memory" requireFull=false', "ollama.host_memory", {}),
        (
            "Error: llama runner process has terminated: cudaMalloc failed: out of memory",
            "ollama.runner_died",
            {"why": "cudaMalloc failed: out of memory"},
        ),
        ("llama runner process no longer running: 2 error: x", "ollama.runner_died", {"why": "2 error: x"}),
        ("llama-server process has terminated: CUDA error: out of memory", "ollama.runner_died", {}),
        (
            "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error",
            "ollama.runner_stopped",
            {},
        ),
        ("Error: memory layout cannot be allocated with num_gpu = 49", "ollama.no_layout", {}),
        ("panic: insufficient memory - required allocations: {InputWeights:1}", "ollama.no_layout", {}),
        (
            'memory.required.kv="32.0 GiB" memory.required.allocations="[40 GiB]"',
            "ollama.kv_need",
            {"kv_bytes": 32 * GIB},
        ),
        (
            'memory.weights.total="4.0 GiB" memory.weights.repeating',
            "ollama.weights",
            {"weights_bytes": 4 * GIB},
        ),
        ('msg="kv cache" device=CUDA0 size="1.5 GiB"', "ollama.kv_need", {"kv_bytes": GIB * 3 // 2}),
        ("--model /blobs/x --ctx-size 131072 --batch-size 512", "ollama.context", {"length_count": 131072}),
        (
            "load request: {LoraPath:[] Parallel:1 KvSize:8192 FlashAttention:true}",
            "ollama.context",
            {"kv_count": 8192},
        ),
    ],
)
def test_a_message_and_its_figures(line, kind, values):
    """Each wording is the sign of its kind, with its figures."""
    sign = sign_of(line, kind)
    assert sign is not None
    assert {name: sign.values[name] for name in values} == values


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("alloc_tensor_range: failed to allocate CPU buffer of size 9", "ggml.tensors"),
        ("error loading model: unable to allocate CUDA_Host buffer", "ggml.kv"),
        (
            "ggml_cuda_host_malloc: failed to allocate 1024.00 MiB of pinned memory: out of memory",
            "ggml.host_buffer",
        ),
        ("common_fit_params: successfully fit params to free device memory", "ggml.fit_failed"),
    ],
)
def test_what_looks_alike(line, kind):
    """Host and device, success and failure are told apart."""
    assert sign_of(line, kind) is None
