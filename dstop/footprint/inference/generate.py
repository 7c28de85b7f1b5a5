"""Hugging Face transformers' `generate`: a prompt in one pass, then token by token, with a cache that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.allocator import unsplit
from dstop.footprint.inference.band import EXPECTED_SLACK, TRANSFORMERS, banded
from dstop.footprint.inference.cache import kv_demand, token_bytes
from dstop.footprint.inference.defaults import batched_tokens
from dstop.footprint.inference.engine import unused_segments
from dstop.footprint.inference.overheads import library_workspace, outside
from dstop.footprint.inference.passes import FP32, compute_bytes, prompt_peak
from dstop.footprint.scheme import QUANTIZED, scheme_of
from dstop.footprint.sharding import held
from dstop.footprint.weights import weights_bytes
from dstop.model.footprint import Parts
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.footprint.inference.band import Served
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage


def generate_parts(spec: Spec, stage: Stage) -> Served:
    """Give the parts at the higher of two moments: the prompt's pass, or the last token with the whole cache.

    `kv_cache` is what batch x sequence take in the end. Where the prompt's pass is the peak, the cache holds the
    prompt alone at that time: `activations` is what the pass takes beyond the room that the cache fills later, so
    that the parts add up to the peak.
    """
    prompt = min(batched_tokens(spec), spec.batch * (spec.sequence or 0))
    each = -(-prompt // spec.batch)
    whole, at_prompt = kv_demand(spec, stage), kv_demand(spec, stage, each)
    logits = spec.batch * spec.architecture.vocab * (compute_bytes(spec) + 2 * FP32) if stage.last else 0
    kept, unpacked = scratch(spec, stage)
    prefill = prompt_peak(spec, stage, prompt, each, cache=at_prompt, unpacked=unpacked)
    step = prompt_peak(spec, stage, spec.batch, 1)
    library = library_workspace(spec) + kept
    new, grown = _tails(spec, stage, prompt)
    growing = _growth(spec, stage) + grown
    if prefill + new > whole + step + logits + growing:
        peak_at, passing, logits, workspace = "prefill", prefill - whole, 0, library + new
    else:
        peak_at, passing, workspace = "decode", step, library + growing
    around = outside(spec, stage)
    wasted = unused_segments(spec, stage, scheme_of(spec.architecture, spec.weights or "native"))
    slack = int(EXPECTED_SLACK * (whole + passing + logits + workspace))
    parts = Parts(
        weights_bytes=weights_bytes(spec, stage),
        kv_cache_bytes=whole,
        activations_bytes=passing,
        logits_bytes=logits,
        workspace_bytes=workspace,
        reserved_unallocated_bytes=wasted + slack,
        context_bytes=around.expected_bytes,
    )
    return banded(spec, parts, around, TRANSFORMERS, peak_at=peak_at, wasted=wasted)


def _growth(spec: Spec, stage: Stage) -> int:
    """Give what one more token takes for a moment: the longer keys of a layer beside the old ones (`DynamicCache`)."""
    widest = max(token_bytes(layer.attention, spec) for layer, _ in stage.alike)
    return int(spec.batch * (spec.sequence or 0) * widest / 2)


def _tails(spec: Spec, stage: Stage, prompt: int) -> tuple[int, int]:
    """Give the ends of segments that the cache's tensors take with them: after the prompt, and after the last token.

    Keys and values of each layer are a tensor of their own. The prompt's have segments of their own size
    (`allocator.unsplit`). They are made anew for each token, in whatever block is free: what is left of it is split off
    only above 1 MiB, so half of that is expected of each tensor that is no smaller itself.
    """
    new, tensors = 0.0, 0
    for layer, count in stage.alike:
        each = token_bytes(layer.attention, spec) / 2
        new += 2 * count * unsplit(prompt * each)
        if spec.batch * (spec.sequence or 0) * each > MIB:
            tensors += 2 * count
    return int(new), tensors * MIB // 2


def scratch(spec: Spec, stage: Stage) -> tuple[int, int]:
    """Give what 4-bit kernels take for the largest matrix in 16 bits: kept throughout, and during a product alone.

    ExLlama's kernels for GPTQ keep one buffer of that size (`temp_dq`; GPTQ-Int4 of Qwen2.5-32B and 72B is 273 and 470
    MiB above its parts, the matrix is 270 and 462 MiB). AutoAWQ's gemm (from 1024 tokens on) and bitsandbytes'
    `MatMul4Bit` unpack a matrix just before they multiply by it. 8-bit kernels multiply as they are.
    """
    scheme = scheme_of(spec.architecture, spec.weights or "native")
    if not scheme.quantized or scheme.matrices.bits > _UNPACKED:
        return 0, 0
    largest = 0
    for layer, _ in stage.alike:
        for tensor in layer.tensors:
            if tensor.role in QUANTIZED and len(tensor.shape) > 1:
                _, shape = held(tensor, spec.parallel)
                largest = max(largest, shape[0] * shape[1])
    return (2 * largest, 0) if scheme.matrices.name == "gptq" else (0, 2 * largest)


_UNPACKED = 5
"""Bits up to which weights are unpacked; 8-bit kernels multiply as they are."""
