"""What serving engines say of their memory while they start; the last word of each part counts.

Lines of vLLM (`vllm/v1/worker/gpu_worker.py`, `gpu_model_runner.py`, `kv_cache_utils.py`; before 0.9 `worker.py`) and
SGLang (`model_runner.py`, `memory_pool.py`, `cuda_graph_runner.py`). Both write GiB, and SGLang and older vLLM call it
"GB".
"""

from __future__ import annotations

import re
from math import isfinite

from dstop.units import GIB

_NUMBER = r"(\d{1,6}(?:\.\d{1,6})?)"
_GIB = rf"{_NUMBER}\s?Gi?B"
_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("weights", re.compile(rf"Model loading took {_GIB}")),
    ("weights", re.compile(rf"model weights take {_GIB}")),
    ("weights", re.compile(rf"Load weight end\.[^\n]{{0,300}}?mem usage={_GIB}")),
    ("kv_cache", re.compile(rf"Available KV cache memory: {_GIB}")),
    ("kv_cache", re.compile(rf"reserved for KV Cache is {_GIB}")),
    ("activations", re.compile(rf"PyTorch activation peak memory takes {_GIB}")),
    ("graphs", re.compile(rf"Graph capturing finished in [^\n]{{0,40}}?took {_GIB}")),
    (
        "graphs",
        re.compile(rf"Capture (?:cuda|cuda graph|target verify cuda graph)[^\n]{{0,120}}?mem usage={_GIB}"),
    ),
)
_SGLANG_POOL = re.compile(rf"KV Cache is allocated\.[^\n]{{0,120}}?K size: {_GIB}, V size: {_GIB}")
_SGLANG_LATENT = re.compile(rf"KV Cache is allocated\.[^\n]{{0,120}}?KV size: {_GIB}")


def reported_in(text: str) -> dict[str, int]:
    """Give the bytes of each part that a log tells: `weights`, `kv_cache`, `activations`, `graphs`.

    Ranks of one job write into one log, alike up to rounding: the last line of a kind counts.
    """
    found: dict[str, int] = {}
    for part, pattern in _LINES:
        amounts = pattern.findall(text)
        if amounts:
            found[part] = _bytes(amounts[-1])
    for pattern in (_SGLANG_POOL, _SGLANG_LATENT):
        for match in pattern.finditer(text):
            found["kv_cache"] = sum(map(_bytes, match.groups()))
    return {part: amount for part, amount in found.items() if amount}


def _bytes(text: str) -> int:
    amount = float(text) * GIB
    return int(amount) if isfinite(amount) else 0
