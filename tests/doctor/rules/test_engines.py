"""Serving engines: the same out-of-memory error means other things in other phases."""

from __future__ import annotations

import pytest

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.text.read import log_of_text

FULL = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 79.15 GiB of"
    " which 201.44 MiB is free. Including non-PyTorch memory, this process has 78.90 GiB memory in use. Of the allocated"
    " memory 77.40 GiB is allocated by PyTorch, and 321.20 MiB is reserved by PyTorch but unallocated."
)
VLLM = '  File "/opt/vllm/v1/worker/gpu_model_runner.py", line 1, in '
SGLANG = '  File "/opt/sglang/srt/model_executor/model_runner.py", line 1, in '
LLAMA = "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9500.00 MiB on device 0: cudaMalloc failed: out of memory\n"


def first(text):
    """Give the first diagnosis; None where there is none."""
    diagnoses = diagnose_logs([log_of_text(text, "engine.log")]).diagnoses
    return diagnoses[0] if diagnoses else None


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (f"{VLLM}load_model\n    x\n{FULL}", "capacity_weights"),
        (f"{VLLM}profile_run\n    x\n{VLLM}forward\n    x\n{FULL}", "capacity_activations"),
        (f"{VLLM}initialize_kv_cache\n    x\n{FULL}", "kv_cache_preallocation"),
        (f"{VLLM}_dummy_sampler_run\n    x\n{FULL}", "logits_spike"),
        (f"{VLLM}capture_model\n    x\n{VLLM}_dummy_run\n    x\n{FULL}", "cuda_graph_capture"),
        (f"{VLLM}execute_model\n    x\n{FULL}", "kv_cache_preallocation"),
        (f"vllm 0.9.1\n{FULL}", "capacity_weights"),
        (f"GPU KV cache size: 1,000 tokens\nvllm 0.9.1\n{FULL}", "kv_cache_preallocation"),
        (f"{SGLANG}load_model\n    x\n{FULL}", "capacity_weights"),
        (f"The server is fired up and ready to roll!\nsglang\n{FULL}", "kv_cache_preallocation"),
        (
            f'INFO vllm rollout\n  File "/a/main_ppo.py", line 1, in fit\n    loss.backward()\n{FULL}',
            "capacity_activations",
        ),
        ("The following component could not be created: Model\ntensorrt_llm", "capacity_weights"),
        (
            "[TM][ERROR] CUDA runtime error: out of memory /opt/lmdeploy/src/turbomind/core/allocator.cc:49",
            "kv_cache_preallocation",
        ),
        (
            f"{LLAMA}llama_model_load: error loading model: unable to allocate backend buffer",
            "capacity_weights",
        ),
        (f"{LLAMA}llama_kv_cache_init: failed to allocate buffer for kv cache", "kv_cache_max_len"),
        (f"{LLAMA}llama_new_context_with_model: failed to allocate compute buffers", "estimator_overcommit"),
        (LLAMA, "estimator_overcommit"),
        ("Error: llama runner process has terminated: CUDA error: out of memory", "estimator_overcommit"),
        (
            "Shard process was signaled to shutdown with signal 9 rank=0\ntext_generation_launcher",
            "host_ram_oom",
        ),
    ],
)
def test_the_phase_decides(log, cause):
    """Load, trial run, cache, capture and serving each have their own cause."""
    assert first(log).cause == cause


@pytest.mark.parametrize(
    "log",
    [
        "Error: llama runner process has terminated: exit status 2",
        "WARNING: Possibly too large swap space. 4.00 GiB out of the 7.74 GiB total CPU memory is allocated\nvllm",
        "common_fit_params: failed to fit params to free device memory: n_gpu_layers already set by user to 99, abort\n"
        "main: server is listening on http://127.0.0.1:8080",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "Capturing CUDA graph shapes: 100%|██████████| 67/67 [00:22<00:00]\nGraph capturing finished in 22 secs, took 0.5 GiB",
    ],
)
def test_nothing_of_memory_is_said(log):
    """A runner that ended for another reason, a warning, and a start that went well are no shortage."""
    found = first(log)
    assert found is None or found.cause in {"benign_warning", "not_memory"}


@pytest.mark.parametrize(
    ("log", "fix", "command"),
    [
        (
            "Free memory on device (12.0/24.0 GiB) on startup is less than desired GPU memory utilization (0.9, 21.6 GiB)",
            "lower_gpu_memory_utilization",
            "--gpu-memory-utilization 0.49",
        ),
        (
            "max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory"
            " (4.00 GiB). Try increasing `gpu_memory_utilization`",
            "reduce_max_model_len",
            "--max-model-len 32768",
        ),
        (
            "vLLM instance can use total_gpu_memory (40.0GiB) x gpu_memory_utilization (0.80) = 32GiB\nAvailable KV cache memory: -1.0 GiB\n"
            "ValueError: No available memory for the cache blocks.",
            "raise_gpu_memory_utilization",
            "--gpu-memory-utilization 0.85",
        ),
        (
            "Load weight begin. avail mem=100.0 GB\nLoad weight end. type=X, avail mem=20.0 GB\n"
            "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
            "raise_mem_fraction_static",
            "--mem-fraction-static 0.83",
        ),
        (
            f"server_args=ServerArgs(mem_fraction_static=0.9)\nThe server is fired up and ready to roll!\n{FULL}",
            "lower_mem_fraction_static",
            "--mem-fraction-static 0.85",
        ),
        (
            "CUDA out of memory occurred when warming up sampler with 1024 dummy requests.",
            "reduce_max_num_seqs",
            "--max-num-seqs 256",
        ),
        (
            "Not enough memory to handle 16384 prefill tokens. You need to decrease `--max-batch-prefill-tokens`",
            "reduce_max_batch_tokens",
            "--max-batch-prefill-tokens 8192",
        ),
    ],
)
def test_the_fix_is_computed(log, fix, command):
    """The value to set comes from the message's own figures, in the right direction."""
    commands = {one.id: one.command for one in first(log).fixes[:3]}
    assert commands[fix] == command


def test_copies_of_the_compute_buffer_are_counted():
    """With pipeline parallelism the copies are the cause, and turning them off is enough."""
    log = (
        "llama_context: pipeline parallelism enabled (n_copies=4)\n"
        f"{LLAMA}ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9961472000\n"
    )
    found = first(log)
    assert found.subcause == "compute_buffer_parallel_copies"
    assert found.fixes[0].id == "disable_pipeline_parallel"
    assert found.fixes[0].recovers_bytes == 9961472000 * 3 // 4


def test_a_failed_try_that_was_repeated_is_no_failure():
    """llama.cpp tries again without copies; where that fails too, it is one."""
    tried = f"{LLAMA}ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9961472000\n"
    retried = (
        f"{tried}sched_reserve: compute buffer allocation failed, retrying without pipeline parallelism\n"
    )
    assert first(retried) is None
    assert first(retried + tried).cause == "estimator_overcommit"
