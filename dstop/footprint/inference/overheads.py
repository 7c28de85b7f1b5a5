"""What lies beside weights, cache and activations: library workspaces, CUDA contexts, communicators, graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

CUBLAS_WORKSPACE = 8_519_680
"""Bytes of cuBLAS's workspace for one handle and stream, inside the allocator (`:4096:2:16:8` of CublasHandlePool)."""
CUBLAS_WORKSPACE_HOPPER = 32 * MIB
_HOPPER = ("h100", "h200", "h20", "h800", "gh200", "b100", "b200", "b300", "gb200", "gb300")

CONTEXT = {"low": 300 * MIB, "expected": 500 * MIB, "high": 950 * MIB}
"""CUDA context of a PyTorch process: 0.47 to 0.55 GiB on A100 and H100 with lazily loaded kernels, 0.3 at least, 0.92
seen (stas00/ml-engineering; pytorch issues 107667, 28394)."""
CONTEXT_GGML = {"low": 200 * MIB, "expected": 350 * MIB, "high": 650 * MIB}
"""llama.cpp has fewer kernels and no PyTorch."""
NON_TORCH = {"low": 0, "expected": 80 * MIB, "high": 200 * MIB}
"""What a serving engine takes outside the allocator beside the context: 0.05 to 0.12 GiB in logs of vLLM, one GPU."""
COMMUNICATOR = {"low": 100 * MIB, "expected": 250 * MIB, "high": 688 * MIB}
"""One NCCL communicator: 544 MB for two GPUs and 688 MB for four on A100 over NVLink (NVIDIA/nccl issue 964); vLLM's
logs have 0.20 to 0.35 GiB a rank with several GPUs, all of it together: channels are fewer where links are slower."""
GRAPHS = {"low": 4 * MIB, "expected": 12 * MIB, "high": 40 * MIB}
"""CUDA graphs of an engine a layer, over all captured sizes: 0.4 to 1 GiB in logs of models of 28 to 80 layers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Outside(Value):
    """Bytes outside the allocator, with their spread."""

    low_bytes: int
    expected_bytes: int
    high_bytes: int


def outside(spec: Spec, stage: Stage, *, with_graphs: bool = True) -> Outside:
    """Give context, communicators and CUDA graphs of one rank."""
    context = CONTEXT_GGML if spec.framework == "llama.cpp" else CONTEXT
    serving = spec.framework in {"vllm", "sglang"}
    rings = 0 if spec.framework == "llama.cpp" else communicators(spec)
    layers = len(stage.layers) + len(stage.next_token) if serving and with_graphs else 0

    def at(end: str) -> int:
        return context[end] + serving * NON_TORCH[end] + rings * COMMUNICATOR[end] + layers * GRAPHS[end]

    return Outside(low_bytes=at("low"), expected_bytes=at("expected"), high_bytes=at("high"))


def non_torch(spec: Spec) -> int:
    """Give what an engine counts as taken outside the allocator while it loads: not the context, which was there."""
    return NON_TORCH["expected"] + communicators(spec) * COMMUNICATOR["expected"]


def communicators(spec: Spec) -> int:
    """Give how many NCCL communicators a rank of a serving job is in: one for each way in which work is divided."""
    parallel = spec.parallel
    return sum(ways > 1 for ways in (parallel.tp, parallel.pp, parallel.dp * parallel.cp))


def library_workspace(spec: Spec) -> int:
    """Give the bytes of cuBLAS's workspace: 32 MiB from Hopper on, else 8.1 MiB."""
    if spec.framework == "llama.cpp":
        return 0
    words = (spec.gpu or "").lower().replace("-", " ").split()
    return CUBLAS_WORKSPACE_HOPPER if any(word in _HOPPER for word in words) else CUBLAS_WORKSPACE
