"""What serving engines choose themselves: tokens of a pass, sequences, and their share of the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.inference.engine import UBATCH
from dstop.footprint.spec.settle import UTILIZATION
from dstop.model.value import Value
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec

_ROOMY = 70 * GIB
"""Cards from which on vLLM's defaults are larger."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Card(Value):
    """SGLang's defaults for cards below a size."""

    below: float
    """Of its memory in bytes."""
    chunk: int
    """`chunked_prefill_size`."""
    graph: int
    """`cuda_graph_max_bs` with tp of 1 to 3, and from 4 on."""
    graph_wide: int


_SGLANG = (
    _Card(below=20 * GIB, chunk=2048, graph=8, graph_wide=8),
    _Card(below=35 * GIB, chunk=2048, graph=24, graph_wide=80),
    _Card(below=60 * GIB, chunk=4096, graph=32, graph_wide=160),
    _Card(below=160 * GIB, chunk=8192, graph=256, graph_wide=512),
    _Card(below=float("inf"), chunk=16_384, graph=512, graph_wide=512),
)
"""Source: `_handle_gpu_memory_settings` of SGLang's server_args.py."""


def batched_tokens(spec: Spec) -> int:
    """Give the most tokens of one forward pass.

    Unsaid: vLLM's server takes 8192 on cards of 70 GiB and more (not A100) and 2048 below
    (`EngineArgs.get_batch_defaults`), SGLang by the size of the card; without a card both as on a large one.
    llama.cpp's `n_ubatch` is 512. Hugging Face computes the whole prompt at once: batch x sequence.
    """
    if spec.framework == "llama.cpp":
        return min(UBATCH, spec.max_num_batched_tokens or UBATCH)
    if spec.max_num_batched_tokens is not None:
        return spec.max_num_batched_tokens
    if spec.framework == "vllm":
        return 8192 if spec.gpu_bytes is None or _large(spec) else 2048
    if spec.framework == "sglang":
        return _sglang_card(spec.gpu_bytes or _ROOMY).chunk
    return spec.batch * (spec.sequence or 0)


def most_sequences(spec: Spec) -> int:
    """Give the most sequences of one forward pass.

    Unsaid: vLLM's `max_num_seqs` is 1024 on cards of 70 GiB and more (not A100) and 256 below or where none is named.
    """
    if spec.framework not in {"vllm", "sglang"}:
        return spec.batch
    if spec.max_num_seqs is not None:
        return spec.max_num_seqs
    return 1024 if spec.framework == "vllm" and _large(spec) else 256


def static_share(spec: Spec, usable: int) -> float:
    """Give the share of the card that an engine takes for weights and cache.

    Unsaid: vLLM's 0.9. SGLang keeps back 512 MiB, 1.5 MiB for each token of a prefill chunk, 2 MiB for each sequence
    of the largest graph (3 more for each rank of attention under data parallelism) and 128 MiB for each GPU of
    tp x pp, and at least 10 GiB on cards of more than 60 GiB (`_handle_gpu_memory_settings`).
    """
    if spec.gpu_memory_utilization is not None:
        return spec.gpu_memory_utilization
    if spec.framework == "vllm":
        return UTILIZATION["vllm"]
    parallel = spec.parallel
    card = _sglang_card(usable)
    graph = card.graph if parallel.tp < _WIDE else card.graph_wide
    kept = 512 + 1.5 * max(2048, batched_tokens(spec)) + 2 * graph + 128 * parallel.tp * parallel.pp
    if parallel.dp > 1 and parallel.ep > 1:
        kept += 3 * graph * parallel.dp
    if usable > _LEAST_KEPT_ABOVE:
        kept = max(kept, _LEAST_KEPT)
    return max(0.0, 1 - kept * MIB / usable)


_WIDE = 4
"""Tensor parallelism from which on SGLang captures larger graphs."""
_LEAST_KEPT_ABOVE, _LEAST_KEPT = 60 * GIB, 10 * 1024
"""Bytes of a card, and the MiB that SGLang keeps back of it at least."""


def _sglang_card(size: int) -> _Card:
    return next(card for card in _SGLANG if size < card.below)


def _large(spec: Spec) -> bool:
    return (spec.gpu_bytes or 0) >= _ROOMY and "a100" not in (spec.gpu or "").lower()


def usable_bytes(spec: Spec) -> int | None:
    """Give what CUDA calls the total of the card, of which engines take their share; None without a card.

    It is less than NVML's by what the driver keeps; a card that the catalog does not have is taken as it was given.
    """
    if spec.gpu_bytes is None or spec.gpu is None:
        return spec.gpu_bytes
    from dstop.footprint.catalog.hardware import find_gpu  # noqa: PLC0415 - the catalog only for names

    try:
        kept = find_gpu(spec.gpu).reserved_bytes
    except PlanError:
        kept = 0
    return spec.gpu_bytes - kept
