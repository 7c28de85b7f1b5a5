"""Bytes of the weights: on one rank, and in the files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import alike
from dstop.footprint.gguf import MIXES, WORD_BYTES, shares_of_more
from dstop.footprint.inference.engine import engine_weights, pad_vocabulary, unsplit_weights
from dstop.footprint.scheme import scheme_of
from dstop.footprint.sharding import held

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.footprint.architecture.values import Architecture, Tensor
    from dstop.footprint.scheme import Scheme
    from dstop.footprint.spec.values import Parallel, Spec
    from dstop.footprint.stages import Stage


def weights_bytes(spec: Spec, stage: Stage) -> int:
    """Give the bytes of all weights on one GPU of a stage, before ZeRO divides them.

    Matrices with the scales that belong to their shard. In inference as a framework reports them: with what an engine
    makes of them while it loads, and the ends of segments that the allocator hands out with them
    (`inference.engine`); training counts what was asked for.
    """
    architecture = spec.architecture
    weights = spec.weights or "native"
    if spec.framework in {"vllm", "sglang"} and architecture.quantization is None and weights == "native":
        weights = (
            "fp16" if architecture.dtype == "fp16" else "bf16"
        )  # engines serve an fp32 checkpoint in 16 bits
    scheme = scheme_of(architecture, weights)
    serving = spec.phase == "inference"
    around: Iterable[Tensor] = stage.around(architecture)
    if serving:
        around = tuple(pad_vocabulary(around, spec))
    total = _bytes(around, scheme, spec.parallel, architecture)
    more = shares_of_more(architecture.layers) if scheme.mix in MIXES else {}
    for layer, count in stage.alike:
        share = more.get(id(layer), 0.0)
        total += count * _bytes(layer.tensors, scheme, spec.parallel, architecture, share)
    if serving:
        total += engine_weights(spec, stage, quantized=scheme.quantized)
        total += unsplit_weights(spec, around, scheme)
        total += sum(count * unsplit_weights(spec, layer.tensors, scheme) for layer, count in stage.alike)
    return int(total)


def checkpoint_bytes(spec: Spec) -> int | None:
    """Give the bytes of the weight files: every tensor once, next-token layers with their own embedding and head.

    DeepSeek-V3's files carry a copy of both in each of those layers (its README_WEIGHTS); llama.cpp's leave them out.
    """
    architecture, weights = spec.architecture, spec.weights or "native"
    if _counted and _counted[0][0] is architecture and _counted[0][1] == weights:
        return _counted[0][2]
    total = _files(spec, scheme_of(architecture, weights))
    _counted[:] = [(architecture, weights, total)]
    return total


_counted: list[tuple[Architecture, str, int]] = []
"""The last files that were counted: a search over layouts asks for the same ones each time."""


def _files(spec: Spec, scheme: Scheme) -> int:
    architecture = spec.architecture
    whole = replace(spec.parallel, tp=1, ep=1, etp=1)
    total = _bytes((*architecture.embedding, *architecture.output), scheme, whole, architecture)
    more = shares_of_more(architecture.layers) if scheme.mix in MIXES else {}
    for layer, many in alike((*architecture.layers, *(() if scheme.mix else architecture.next_token))):
        total += many * _bytes(layer.tensors, scheme, whole, architecture, more.get(id(layer), 0.0))
    if scheme.mix:
        total += WORD_BYTES * architecture.vocab
    elif architecture.next_token:
        copied = tuple(
            tensor
            for tensor in (*architecture.embedding, *architecture.output)
            if tensor.role in {"embedding", "head"}
        )
        total += len(architecture.next_token) * _bytes(copied, scheme, whole, architecture)
    return int(total)


def _bytes(
    tensors: Iterable[Tensor],
    scheme: Scheme,
    parallel: Parallel,
    architecture: Architecture,
    share: float = 0.0,
) -> float:
    """Give the bytes of tensors as one rank holds them.

    `share` of the layers of this kind get more bits in a mix of llama.cpp; each takes the mean, so that the sum over
    all of them is right without counting which.
    """
    total = 0.0
    for tensor in tensors:
        count, shape = held(tensor, parallel)
        size = scheme.of(tensor, tied=architecture.tied).of(shape)
        if share:
            size += share * (scheme.of(tensor, more=True, tied=architecture.tied).of(shape) - size)
        total += count * size
    return total
