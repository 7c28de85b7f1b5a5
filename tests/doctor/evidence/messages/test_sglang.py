"""SGLang's messages: which way the fraction has to go, and whether memory is meant at all."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.text.read import log_of_text
from dstop.units import GIB


def sign_of(text, kind):
    """Give the sign of this kind that knows most."""
    signs = [sign for sign in facts_of(log_of_text(text, "engine.log")).signs if sign.kind == kind]
    return max(signs, key=lambda sign: len(sign.values), default=None)


@pytest.mark.parametrize(
    ("line", "kind", "values"),
    [
        (
            "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
            "sglang.raise_fraction",
            {},
        ),
        (
            "RuntimeError: Not enought memory. Please try to increase --mem-fraction-static.",
            "sglang.raise_fraction",
            {},
        ),
        (
            "Not enough memory. Please try to increase --mem-fraction-static. Current value: mem_fraction_static=0.7",
            "sglang.raise_fraction",
            {"fraction_ratio": 0.7},
        ),
        (
            "ValueError: Loaded weights leave no GPU memory for the KV cache under\n--mem-fraction-static=0.94. Raise"
            " --mem-fraction-static above 0.942\n(minimum viable = 1 - available/pre = 0.9411).",
            "sglang.raise_fraction",
            {"fraction_ratio": 0.94, "above_ratio": 0.942, "least_ratio": 0.9411},
        ),
        ("Raise --mem-fraction-static above 0.773", "sglang.raise_fraction", {"above_ratio": 0.773}),
        (
            "Prefill out of memory. Try to lower your batch size.\nTry to allocate 8192 tokens.\nAvailable tokens: 11",
            "sglang.pool_full",
            {"what": "Prefill", "tokens_count": 8192},
        ),
        (
            "RuntimeError: Decode out of memory. Try to lower your batch size.\nTry to allocate 31 tokens.",
            "sglang.pool_full",
            {"what": "Decode", "tokens_count": 31},
        ),
        (
            "alloc_req_slots runs out of memory. Please set a smaller number for `--max-running-requests`.",
            "sglang.requests_full",
            {},
        ),
        ("KV cache pool is full. Retract requests. #retracted_reqs: 1", "sglang.retract", {}),
        (
            "Possible solutions:\n1. set --mem-fraction-static to a smaller value (e.g., 0.8)",
            "sglang.capture_hint",
            {},
        ),
        (
            "Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 1.20 GiB.",
            "sglang.capture_failed",
            {"why": "CUDA out of memory. Tried to allocate 1.20 GiB."},
        ),
        (
            "Exception: Capture CUDA graph failed: Ninja is required",
            "sglang.capture_failed",
            {"why": "Ninja is required"},
        ),
        ("Exception: Capture draft cuda graph failed: x", "sglang.capture_failed", {"why": "x"}),
        (
            "This is not an out-of-memory error, so lowering --mem-fraction-static or --cuda-graph-max-bs-decode will not",
            "sglang.capture_no_oom",
            {},
        ),
        ("through CUDA IPC, not from a GPU memory shortage.", "sglang.capture_no_oom", {}),
        (
            "[2025-06-14 08:11:20 TP0] Capture cuda graph begin. This can take up to several minutes. avail mem=2.27 GB",
            "sglang.capture_began",
            {},
        ),
        ("Capture draft extend cuda graph begin.", "sglang.capture_began", {}),
        ("Capturing batches (bs=160 avail_mem=1.20 GB):   0%|", "sglang.capture_began", {}),
        ("Capture cuda graph end. Time elapsed: 10.1 s. mem usage=1.20 GB.", "sglang.capture_done", {}),
        ("Load weight begin. avail mem=78.5 GB", "sglang.loading", {"free_bytes": int(78.5 * GIB)}),
        (
            "Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=12.25 GB, mem usage=66.5 GB.",
            "sglang.weights",
            {"free_bytes": int(12.25 * GIB), "weights_bytes": int(66.5 * GIB)},
        ),
        (
            "Load weight end. elapsed=4.1 s, type=X, quant=fp8, avail mem=12.5 GB",
            "sglang.weights",
            {"free_bytes": int(12.5 * GIB)},
        ),
        (
            "ServerArgs(model_path='x', mem_fraction_static=0.88, tp_size=8)",
            "sglang.fraction",
            {"fraction_ratio": 0.88},
        ),
        ("--model-path x --mem-fraction-static 0.9 --tp 2", "sglang.fraction", {"fraction_ratio": 0.9}),
        ("KV Cache is allocated. #tokens: 29000, K size: 1.7 GB, V size: 1.7 GB", "sglang.kv_pool", {}),
        ("Memory pool end. avail mem=8.5 GB", "sglang.kv_pool", {"free_bytes": int(8.5 * GIB)}),
        ("max_total_num_tokens=29811, chunked_prefill_size=8192", "sglang.kv_pool", {"tokens_count": 29811}),
        ("The server is fired up and ready to roll!", "sglang.serving", {}),
        ("Decode batch. #running-req: 31, #token: 28123, token usage: 0.94", "sglang.serving", {}),
        ("Prefill batch, #new-seq: 1, #new-token: 8192", "sglang.serving", {}),
        ("[2025-01-15 02:54:42 TP2] Scheduler hit an exception: Traceback", "sglang.scheduler_died", {}),
        (
            "ValueError: Not enough host memory available. Requesting 100.00 GB but only have 50.00 GB free. Please reduce",
            "sglang.host_cache",
            {"tried_bytes": 100 * 10**9, "available_bytes": 50 * 10**9},
        ),
        ("Input length (9000) exceeds the maximum allowed length (8192)", "sglang.too_long", {}),
    ],
)
def test_a_message_and_its_figures(line, kind, values):
    """Each wording is the sign of its kind, with its figures."""
    sign = sign_of(line, kind)
    assert sign is not None
    assert {name: sign.values[name] for name in values} == values


def test_the_two_directions_are_told_apart():
    """The advice to lower the fraction is no request to raise it, and the other way round."""
    lower = "Possible solutions:\n1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)"
    assert sign_of(lower, "sglang.raise_fraction") is None
    assert sign_of("Please try to increase --mem-fraction-static.", "sglang.capture_hint") is None
    assert sign_of("pool of 16 MB", "sglang.fraction") is None
