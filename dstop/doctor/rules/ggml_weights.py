"""llama.cpp: the weights of the layers that are placed on the card do not fit

What it means
    All layers of one device are one buffer. It was refused before any context exists: neither batch nor context plays a part.

Evidence
    `unable to allocate CUDA0 buffer` after `cudaMalloc failed: out of memory`, or `alloc_tensor_range: failed to allocate`; the
    size of the buffer is in the message.

Fix
    Fewer layers on the card (`-ngl`), a smaller quant, another split over the cards (`-ts`). `-ngl` follows from the figures:
    layers x free / buffer.

When it is wrong
    If another process holds the card, ending it may be enough; where Ollama chose the layers itself, its estimate was wrong (DS513).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, told_by
from dstop.doctor.questions.ggml import device_free_bytes, device_total_bytes, layers_that_fit, refused_buffer
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    buffer = refused_buffer(case)
    if buffer is None or buffer.use != "weights":
        return None
    total, free = device_total_bytes(case), device_free_bytes(case)
    is_larger = total is not None and buffer.size is not None and buffer.size > total
    strength = PROVEN + 5 if is_larger else FITS + 8
    if case.framework == "ollama":
        strength = FITS + 8 if is_larger else FITS - 6
    evidence = [*failure_lines(case), told_by(buffer.sign)]
    if free is not None and buffer.size is not None:
        says = f"the weights for this card take {gib(buffer.size)}, {gib(free)} was free"
        evidence.append(Evidence(source=str(buffer.sign.place), says=says, value=buffer.size - free))
    layers = layers_that_fit(case, buffer.size)
    commands = (
        {"reduce_gpu_layers": f"-ngl {layers}"} if layers is not None and case.framework != "ollama" else {}
    )
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=("a shorter context or a smaller batch does not shrink the weights",),
        at=buffer.place,
        fixes=prescribe(
            case,
            "reduce_gpu_layers",
            "use_smaller_model",
            "kill_other_process",
            "shard_more_gpus",
            "bigger_gpu",
            commands=commands,
        ),
    )


RULE = Rule(
    id="DS512",
    name="ggml-weights",
    cause="capacity_weights",
    title="The weights of the layers placed on the card do not fit",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """ggml_cuda_init: found 1 CUDA devices:
  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes
load_tensors: offloaded 81/81 layers to GPU
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 39979.48 MiB on device 0: cudaMalloc failed: out of memory
alloc_tensor_range: failed to allocate CUDA0 buffer of size 41921532928
llama_model_load: error loading model: unable to allocate CUDA0 buffer
llama_model_load_from_file_impl: failed to load model
""",
    ),
    near_miss=(
        """load_tensors: offloaded 33/33 layers to GPU
llama_kv_cache_unified:      CUDA0 KV buffer size =  4096.00 MiB
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2140.00 MiB on device 0: cudaMalloc failed: out of memory
ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 2243952640
llama_init_from_model: failed to initialize the context: failed to allocate compute pp buffers
""",
    ),
)
