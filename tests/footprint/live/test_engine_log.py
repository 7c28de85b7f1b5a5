"""What engines write of their memory when they start."""

from __future__ import annotations

from dstop.footprint.live.engine_log import reported_in
from dstop.units import GIB

VLLM = """
INFO 05-20 [gpu_model_runner.py:1347] Model loading took 14.9888 GiB and 3.481 seconds
INFO 05-20 [gpu_worker.py:120] Available KV cache memory: 53.37 GiB
INFO 05-20 [gpu_model_runner.py:1686] Graph capturing finished in 21 secs, took 0.52 GiB
"""
OLD_VLLM = (
    "INFO [worker.py:266] the current vLLM instance can use total_gpu_memory (79.10GiB) x gpu_memory_utilization (0.90)"
    " = 71.19GiB\nINFO [worker.py:266] model weights take 14.99GiB; non_torch_memory takes 0.09GiB; PyTorch activation"
    " peak memory takes 1.20GiB; the rest of the memory reserved for KV Cache is 54.92GiB.\n"
)
SGLANG = """
[2026-01-01] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=63.50 GB, mem usage=15.08 GB.
[2026-01-01] KV Cache is allocated. #tokens: 405032, K size: 24.72 GB, V size: 24.72 GB
[2026-01-01] Capture cuda graph end. Time elapsed: 12.1 s. mem usage=0.45 GB. avail mem=12.40 GB.
"""


def test_vllms_lines_are_read_in_their_units():
    """Weights, pool and graphs, in GiB."""
    told = reported_in(VLLM)
    assert told == {"weights": int(14.9888 * GIB), "kv_cache": int(53.37 * GIB), "graphs": int(0.52 * GIB)}


def test_older_vllm_says_it_all_in_one_line():
    """Before 0.9 the worker adds it up itself."""
    told = reported_in(OLD_VLLM)
    assert told == {"weights": int(14.99 * GIB), "activations": int(1.2 * GIB), "kv_cache": int(54.92 * GIB)}


def test_sglang_calls_a_gib_a_gb_and_tells_keys_and_values_apart():
    """Both halves of its pool are the cache."""
    told = reported_in(SGLANG)
    assert told["kv_cache"] == 2 * int(24.72 * GIB)
    assert (told["weights"], told["graphs"]) == (int(15.08 * GIB), int(0.45 * GIB))


def test_the_last_word_of_a_restarted_engine_counts():
    """A log has every start in it."""
    assert reported_in(VLLM + VLLM.replace("14.9888", "7.5"))["weights"] == int(7.5 * GIB)


def test_any_text_is_a_log_without_words():
    """Nothing is read out of what is not there, however long it is."""
    assert reported_in("Model loading took GiB " * 10_000) == {}
    assert reported_in("Model loading took 99999999999999 GiB") == {}
