"""What a GPU holds while a model is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.inference.cache import kv_bytes_per_token
from dstop.footprint.inference.generate import generate_parts
from dstop.footprint.inference.llama_cpp import llama_cpp_parts
from dstop.footprint.inference.serving import serving_parts
from dstop.footprint.sharding import held
from dstop.model.footprint import RankFootprint

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

__all__ = ["inference_rank", "kv_bytes_per_token"]

_OF_FRAMEWORK = {"vllm": serving_parts, "sglang": serving_parts, "llama.cpp": llama_cpp_parts}


def inference_rank(spec: Spec, stage: Stage) -> RankFootprint:
    """Give the parts of each GPU of one pipeline stage; the spec is settled.

    Frameworks that are not serving engines are taken to generate as Hugging Face transformers does.
    """
    found = _OF_FRAMEWORK.get(spec.framework or "", generate_parts)(spec, stage)
    total = found.parts.total_bytes
    return RankFootprint(
        stage=stage.index,
        gpus=spec.parallel.gpus // spec.parallel.pp,
        layers=len(stage.layers),
        parameters=_parameters(spec, stage),
        parts=found.parts,
        low_bytes=min(total, found.low_bytes),
        high_bytes=max(total, found.high_bytes),
        peak_at=found.peak_at,
    )


def _parameters(spec: Spec, stage: Stage) -> int:
    """Give how many parameters one GPU holds."""
    kinds = ((stage.around(spec.architecture), 1), *((layer.tensors, many) for layer, many in stage.alike))
    total = 0
    for tensors, many in kinds:
        for tensor in tensors:
            count, shape = held(tensor, spec.parallel)
            for dimension in shape:
                count *= dimension
            total += many * count
    return total
